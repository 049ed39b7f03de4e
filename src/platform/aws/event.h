/* What the readers of Lambda events share: members of the right type, or a text that tells what is wrong.
 * Every reader is total: whatever comes, it gives an event or says why not. */
#ifndef PLATFORM_AWS_EVENT_H
#define PLATFORM_AWS_EVENT_H

#include "base/attributes.h"
#include "base/failure.h"
#include "wire/json.h"

/* The event as an object. */
MUST_USE bool event_parse(struct bytes text, struct arena *arena, const struct json **ret_root,
                          struct failure *ret_failure);

/* The member, where it is of that type. */
MUST_USE bool event_required(const struct json *object, const char *name, enum json_type type,
                             const struct json **ret_member, struct failure *ret_failure);
/* The same, with NULL for a member that is absent or null. */
MUST_USE bool event_optional(const struct json *object, const char *name, enum json_type type,
                             const struct json **ret_member, struct failure *ret_failure);

/* "… should be …" of this member; returns false. */
bool event_refuse(struct failure *failure, const struct json *member, const char *wanted);

/* The event's Records, each of which must come from `source` ("aws:sqs"). */
MUST_USE bool event_records(const struct json *root, const char *source, const struct json **ret_records,
                            struct failure *ret_failure);

#endif
