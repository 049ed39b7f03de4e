/* Batches of a DynamoDB stream as Lambda events, and the answer that says where to go on (Lambda developer
 * guide, "Using AWS Lambda with Amazon DynamoDB"). The stream's view has the new image. */
#ifndef PLATFORM_AWS_STREAM_EVENT_H
#define PLATFORM_AWS_STREAM_EVENT_H

#include "base/arena.h"
#include "base/attributes.h"
#include "base/failure.h"
#include "wire/json.h"

enum stream_change { STREAM_INSERT, STREAM_MODIFY, STREAM_REMOVE };

struct stream_record {
  enum stream_change change;
  struct bytes partition_key, sort_key; /* attributes "k" and "r" of the item's key */
  struct bytes sequence_number;         /* digits; larger is later, within a shard */
  const struct json *image;             /* the item after the change, attribute by attribute; NULL: removed */
};

struct stream_event {
  struct stream_record *records; /* in the shard's order */
  size_t count;
  struct bytes stream_arn; /* empty where there is no record */
};

/* Everything lives in the arena. False, with what is wrong, where it is no batch of such a stream. */
MUST_USE bool stream_event_read(struct bytes event, struct arena *arena, struct stream_event *ret_event,
                                struct failure *ret_failure);

/* The text of an attribute {"S": …}; the empty view where there is none of that name and type. */
struct bytes stream_attribute_text(const struct json *image, const char *name);

/* failed[i] says whether records[i] must come again. Lambda goes on at the lowest sequence number that is
 * named, and brings everything after it again: so only that one is named. */
struct bytes stream_event_answer(const struct stream_event *event, const bool *failed, struct arena *arena);

#endif
