/* Countries as the Online Retail data writes them, as ISO 3166-1 alpha-2 codes. */
#ifndef RETAIL_COUNTRY_H
#define RETAIL_COUNTRY_H

#include "base/bytes.h"

/* "EIRE" to "IE"; "" for what names no country ("Unspecified", "European Community", unknown names),
 * which the server then refuses, as it should. */
const char *country_code(struct bytes name);

#endif
