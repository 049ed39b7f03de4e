/* sweep: what others have given up. Dead letters of the call queues become attention. Ranges of the stream that
 * the relay could not carry out (its failure destination tells which) are read from the stream and carried out
 * one by one, so that one bad change holds up no other; what the stream no longer has is searched for
 * (bootstrap/search.h). */
#include <stdlib.h>

#include "base/log.h"
#include "base/panic.h"
#include "bootstrap/handler.h"
#include "bootstrap/relay.h"
#include "bootstrap/search.h"
#include "bootstrap/sqs_frame.h"
#include "function/sweep.h"
#include "platform/aws/message_json.h"
#include "wire/json.h"
#include "wire/json_write.h"

enum { MARGIN_MS = 2000, ROUNDS_MAX = 200, SEARCH_MARGIN_MS = 15000, SEARCH_MS_MAX = 40000 };

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

enum range_end { RANGE_DONE, RANGE_FAILED, RANGE_GONE };

static enum range_end ask(struct ports *ports, const char *operation, struct bytes body, struct arena *arena,
                          struct bytes *ret_answer, struct json **ret_root) {
  struct bytes detail;
  struct aws_answer answer = aws_call_one(ports->client, AWS_DYNAMODB_STREAMS, operation, body, arena);
  *ret_answer = answer.body;
  if (answer.outcome == AWS_DONE)
    return json_parse(answer.body, arena, ret_root, &detail) ? RANGE_DONE : RANGE_FAILED;
  bool gone = bytes_equal_string(answer.error, "TrimmedDataAccessException") ||
              bytes_equal_string(answer.error, "ResourceNotFoundException");
  return gone ? RANGE_GONE : RANGE_FAILED;
}

static enum range_end open_iterator(struct ports *ports, const struct json *range, struct arena *arena,
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
  enum range_end end = ask(ports, "GetShardIterator", text_view(&text), arena, &answer, &root);
  if (end != RANGE_DONE) return end;
  *ret_iterator = json_member_text(root, "ShardIterator");
  return ret_iterator->size > 0 ? RANGE_DONE : RANGE_FAILED;
}

/* Sequence numbers are decimal and may be longer than any integer. */
static int compare_numbers(struct bytes a, struct bytes b) {
  if (a.size != b.size) return a.size < b.size ? -1 : 1;
  return bytes_compare(a, b);
}

/* Done once the range's end was reached and everything in it was carried out. */
static enum range_end relay_range(struct ports *ports, const struct json *range, struct arena *arena) {
  struct bytes iterator, end = json_member_text(range, "endSequenceNumber");
  enum range_end opened = open_iterator(ports, range, arena, &iterator), got;
  if (opened != RANGE_DONE) return opened;
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
    got = ask(ports, "GetRecords", text_view(&text), arena, &answer, &root);
    if (got != RANGE_DONE) return got;
    if (!stream_event_read(answer, arena, &event, &failure)) return RANGE_FAILED;
    for (size_t i = 0; i < event.count && !reached; i++) {
      int place = compare_numbers(event.records[i].sequence_number, end);
      reached = place >= 0;
      if (place > 0) break;
      relay_records(ports, &event.records[i], 1, true, arena, &failed);
      if (failed) return RANGE_FAILED;
    }
    iterator = json_member_text(root, "NextShardIterator");
    if (reached || iterator.size == 0) return RANGE_DONE;
  }
  return RANGE_FAILED;
}

/* --- the batch ------------------------------------------------------------------------------------- */

static const struct json *range_of(const struct sqs_record *record, struct arena *arena) {
  struct json *root;
  struct bytes detail;
  return json_parse(record->body, arena, &root, &detail) ? json_member(root, "DDBStreamBatchInfo") : NULL;
}

static bool carry_out(struct ports *ports, const struct json *range, int64_t failed_ms, int64_t until_ms,
                      struct arena *arena) {
  enum range_end end = relay_range(ports, range, arena);
  return end == RANGE_DONE || (end == RANGE_GONE && search_unsent(ports, failed_ms, until_ms, arena));
}

static void sweep_batch(void *self, const struct invocation *invocation, const struct sqs_event *event,
                        struct arena *arena, bool *failed) {
  struct ports *ports = self;
  int64_t until_ms = clock_now_ms(ports->functions.clock) + SEARCH_MS_MAX;
  if (until_ms > invocation->deadline_ms - SEARCH_MARGIN_MS)
    until_ms = invocation->deadline_ms - SEARCH_MARGIN_MS;
  struct message *messages = ARENA_ARRAY(arena, event->count, struct message);
  struct message_result *results = ARENA_ARRAY(arena, event->count, struct message_result);
  size_t *places = ARENA_ARRAY(arena, event->count, size_t), count = 0;
  for (size_t i = 0; i < event->count; i++) {
    const struct sqs_record *record = &event->records[i];
    const struct json *range = range_of(record, arena);
    struct bytes detail = BYTES("not all of the range could be carried out, or searched for");
    if (range)
      failed[i] = !carry_out(ports, range, record->sent_ms, until_ms, arena);
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
  sqs_frame(self, self, sweep_batch, MARGIN_MS, invocation, ret_result);
}

const struct handler handler_sweep = {
    .name = "sweep", .open = sweep_open, .handle = sweep_handle, .close = sweep_close};
