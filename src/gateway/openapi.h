/* docs/openapi.json, built into the program. */
#ifndef GATEWAY_OPENAPI_H
#define GATEWAY_OPENAPI_H

#include "base/bytes.h"

extern const struct bytes openapi_document;

#endif
