/* sweep: what others have given up. Dead letters of the call queues become attention. Ranges of the stream that
 * the relay could not carry out (its failure destination tells which) are read from the stream and carried out
 * one by one, so that one bad change holds up no other. */
#include <stdlib.h>

#include "base/log.h"
#include "base/panic.h"
#include "bootstrap/handler.h"
#include "bootstrap/relay.h"
#include "function/sweep.h"
#include "platform/aws/message_json.h"
#include "platform/aws/sqs_event.h"
#include "wire/json.h"
#include "wire/json_write.h"

enum { MARGIN_MS = 2000, ROUNDS_MAX = 200 };

static bool sweep_open(void **ret_self, struct failure *ret_failure) {
  struct ports *ports = calloc(1, sizeof *ports);
  if (!ports) panic("out of memory");
  *ret_self = ports;
  return ports_open(ports, NEEDS_TABLE | NEEDS_QUEUES, ret_failure);
}

static void sweep_close(void *self) {
  ports_close(self);
  free(self);
}

/* --- a range of the stream ------------------------------------------------------------------------- */

static bool ask(struct ports *ports, const char *operation, struct bytes body, struct arena *arena,
                struct bytes *ret_answer, struct json **ret_root) {
  struct bytes detail;
  struct aws_answer answer = aws_call_one(ports->client, AWS_DYNAMODB_STREAMS, operation, body, arena);
  *ret_answer = answer.body;
  return answer.outcome == AWS_DONE && json_parse(answer.body, arena, ret_root, &detail);
}

static bool open_iterator(struct ports *ports, const struct json *range, struct arena *arena,
                          struct bytes *ret_iterator) {
  struct text text;
  struct json_writer json;
  struct json *root;
  struct bytes answer;
  text_init(&text, arena);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  json_write_text(&json, "StreamArn", json_member_text(range, "streamArn"));
  json_write_text(&json, "ShardId", json_member_text(range, "shardId"));
  json_write_string(&json, "ShardIteratorType", "AT_SEQUENCE_NUMBER");
  json_write_text(&json, "SequenceNumber", json_member_text(range, "startSequenceNumber"));
  json_close_object(&json);
  if (!ask(ports, "GetShardIterator", text_view(&text), arena, &answer, &root)) return false;
  *ret_iterator = json_member_text(root, "ShardIterator");
  return ret_iterator->size > 0;
}

/* Sequence numbers are decimal and may be longer than any integer. */
static int compare_numbers(struct bytes a, struct bytes b) {
  if (a.size != b.size) return a.size < b.size ? -1 : 1;
  return bytes_compare(a, b);
}

/* True once the range's end was reached and everything in it was carried out. */
static bool relay_range(struct ports *ports, const struct json *range, struct arena *arena) {
  struct bytes iterator, end = json_member_text(range, "endSequenceNumber");
  if (!open_iterator(ports, range, arena, &iterator)) return false;
  for (int round = 0; round < ROUNDS_MAX; round++) {
    struct text text;
    struct json_writer json;
    struct json *root;
    struct stream_event event;
    struct bytes answer;
    struct failure failure;
    bool reached = false, failed = false;
    text_init(&text, arena);
    json_writer_init(&json, &text);
    json_open_object(&json, NULL);
    json_write_text(&json, "ShardIterator", iterator);
    json_close_object(&json);
    if (!ask(ports, "GetRecords", text_view(&text), arena, &answer, &root)) return false;
    if (!stream_event_read(answer, arena, &event, &failure)) return false;
    for (size_t i = 0; i < event.count && !reached; i++) {
      int place = compare_numbers(event.records[i].sequence_number, end);
      reached = place >= 0;
      if (place > 0) break;
      relay_records(ports, &event.records[i], 1, true, arena, &failed);
      if (failed) return false;
    }
    iterator = json_member_text(root, "NextShardIterator");
    if (reached || iterator.size == 0) return true;
  }
  return false;
}

/* --- the batch ------------------------------------------------------------------------------------- */

static const struct json *range_of(const struct sqs_record *record, struct arena *arena) {
  struct json *root;
  struct bytes detail;
  return json_parse(record->body, arena, &root, &detail) ? json_member(root, "DDBStreamBatchInfo") : NULL;
}

static void sweep_batch(struct ports *ports, const struct sqs_event *event, struct arena *arena, bool *failed) {
  struct message *messages = ARENA_ARRAY(arena, event->count, struct message);
  struct message_result *results = ARENA_ARRAY(arena, event->count, struct message_result);
  size_t *places = ARENA_ARRAY(arena, event->count, size_t), count = 0;
  for (size_t i = 0; i < event->count; i++) {
    const struct sqs_record *record = &event->records[i];
    const struct json *range = range_of(record, arena);
    struct bytes detail = BYTES("the range could not be read from the stream");
    if (range)
      failed[i] = !relay_range(ports, range, arena);
    else
      failed[i] = !message_read(record->body, arena, &messages[count], &detail);
    if (failed[i])
      log_event(LOG_ERROR, "dead_letter_stays", LOG_TEXT("message", record->message_id),
                LOG_TEXT("detail", detail));
    else if (!range)
      places[count++] = i;
  }
  sweep_run(&ports->functions, messages, count, results);
  for (size_t i = 0; i < count; i++) failed[places[i]] = results[i].settlement != SETTLE_ACK;
}

static void sweep_handle(void *self, const struct invocation *invocation,
                         struct invocation_result *ret_result) {
  struct ports *ports = self;
  struct arena arena;
  struct sqs_event event;
  struct failure failure;
  arena_init(&arena);
  ports_begin(ports, invocation, MARGIN_MS);
  if (!sqs_event_read(invocation->event, &arena, &event, &failure)) {
    ports_refuse_event(invocation, &failure, ret_result);
  } else {
    bool *failed = ARENA_ARRAY(&arena, event.count, bool);
    sweep_batch(ports, &event, &arena, failed);
    ret_result->body = sqs_event_answer(&event, failed, invocation->arena);
  }
  ports_end(ports);
  arena_release(&arena);
}

const struct handler handler_sweep = {
    .name = "sweep", .open = sweep_open, .handle = sweep_handle, .close = sweep_close};
