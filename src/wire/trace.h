/* W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context/): the `traceparent` field,
 * "00-<trace id, 32 hex>-<parent id, 16 hex>-<flags, 2 hex>".
 *
 * An incoming value is continued where it is valid (section 3.2.2): lower-case hexadecimal only, no
 * all-zero id, version not ff. Version 00 is exactly 55 characters. A later version (section 3.2.4)
 * is read by its first 55 characters, which must be followed by nothing or by "-"; it goes on as
 * version 00, with the sampled flag alone, for only that one is known. Anything else starts a new
 * trace, and tracestate would then have to be dropped. */
#ifndef WIRE_TRACE_H
#define WIRE_TRACE_H

#include <stdint.h>

#include "base/bytes.h"

enum { TRACEPARENT_CHARACTERS = 55, TRACE_RANDOM_BYTES = 24 };

/* Writes the traceparent of this hop, ended by NUL: a child of `incoming` (trimmed; trace id and
 * flags kept, new parent id) with true, or a new, unsampled trace with false. `random` is fresh
 * entropy: the first 16 bytes make a new trace id, the last 8 the parent id. */
bool trace_continue(struct bytes incoming, const uint8_t random[TRACE_RANDOM_BYTES],
                    char ret_traceparent[TRACEPARENT_CHARACTERS + 1]);

/* The trace id within a traceparent that trace_continue has made, for logs; empty for any other
 * text that is too short. */
struct bytes trace_id(struct bytes traceparent);

#endif
