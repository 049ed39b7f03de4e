#include "platform/aws/queue_sqs.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"
#include "platform/aws/message_json.h"
#include "wire/json.h"
#include "wire/json_write.h"

enum {
  BATCH_MAX = 10,
  DELAY_MAX_S = 900,
  VISIBILITY_CHEAP_MS = 60000,
  SOON_MS = 500,
  BODY_BYTES_MAX = 256 * 1024
};

struct queue_sqs {
  struct queue port;
  struct queue_sqs_options options;
};

/* Rounded to what SQS can do; half a second counts as now. */
static int64_t delay_s(int64_t delay_ms) {
  if (delay_ms < SOON_MS) return 0;
  int64_t seconds = (delay_ms + 999) / 1000;
  return seconds < DELAY_MAX_S ? seconds : DELAY_MAX_S;
}

/* --- SendMessageBatch ------------------------------------------------------------------------------ */

struct sending {
  const char *url;
  struct bytes body;
  int64_t delay_s;
  bool *ret_sent;
};

static struct bytes batch_of(const char *url, const struct sending *const *entries, size_t count,
                             struct arena *arena) {
  struct text text;
  struct json_writer json;
  text_init(&text, arena);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  json_write_string(&json, "QueueUrl", url);
  json_open_array(&json, "Entries");
  for (size_t i = 0; i < count; i++) {
    json_open_object(&json, NULL);
    json_write_text(&json, "Id", arena_printf(arena, "%zu", i));
    json_write_text(&json, "MessageBody", entries[i]->body);
    if (entries[i]->delay_s > 0) json_write_int64(&json, "DelaySeconds", entries[i]->delay_s);
    json_close_object(&json);
  }
  json_close_array(&json);
  json_close_object(&json);
  return text_view(&text);
}

/* Only what the answer names as successful was surely sent. */
static void read_batch(const struct aws_answer *answer, const struct sending *const *entries, size_t count,
                       struct arena *arena) {
  struct json *root;
  struct bytes detail;
  if (answer->outcome != AWS_DONE || !json_parse(answer->body, arena, &root, &detail)) return;
  const struct json *list = json_member(root, "Successful");
  for (const struct json *one = list ? list->first : NULL; one; one = one->next) {
    unsigned long long index;
    if (bytes_to_uint64(json_member_text(one, "Id"), &index) && index < count) *entries[index]->ret_sent = true;
  }
}

/* In batches of ten a queue, all batches at once. */
static void send_all(struct aws_client *client, struct sending *sendings, size_t count, struct arena *arena) {
  bool *taken = ARENA_ARRAY(arena, count, bool);
  struct aws_request *requests = ARENA_ARRAY(arena, count, struct aws_request);
  struct aws_answer *answers = ARENA_ARRAY(arena, count, struct aws_answer);
  const struct sending **batches = ARENA_ARRAY(arena, count * BATCH_MAX, const struct sending *);
  size_t *sizes = ARENA_ARRAY(arena, count, size_t), batch_count = 0;
  for (size_t first = 0; first < count; first++) {
    if (taken[first]) continue;
    const struct sending **batch = batches + batch_count * BATCH_MAX;
    size_t size = 0;
    for (size_t i = first; i < count && size < BATCH_MAX; i++) {
      if (taken[i] || strcmp(sendings[i].url, sendings[first].url) != 0) continue;
      taken[i] = true;
      batch[size++] = &sendings[i];
    }
    requests[batch_count] =
        aws_request(AWS_SQS, "SendMessageBatch", batch_of(sendings[first].url, batch, size, arena));
    sizes[batch_count++] = size;
  }
  if (batch_count > 0) aws_call(client, requests, batch_count, arena, answers);
  for (size_t i = 0; i < batch_count; i++) read_batch(&answers[i], batches + i * BATCH_MAX, sizes[i], arena);
}

static void send_messages(struct queue *port, const struct message *messages, size_t count, bool *ret_sent) {
  struct queue_sqs *queue = (struct queue_sqs *)port;
  struct arena arena;
  arena_init(&arena);
  struct sending *sendings = ARENA_ARRAY(&arena, count, struct sending);
  int64_t now_ms = clock_now_ms(queue->options.clock);
  for (size_t i = 0; i < count; i++) {
    ret_sent[i] = false;
    sendings[i] = (struct sending){.url = queue->options.urls[messages[i].queue],
                                   .body = message_write(&messages[i], &arena),
                                   .delay_s = delay_s(messages[i].due_ms - now_ms),
                                   .ret_sent = &ret_sent[i]};
  }
  send_all(queue->options.client, sendings, count, &arena);
  arena_release(&arena);
}

/* --- coming again ---------------------------------------------------------------------------------- */

void sqs_change_visibility(struct aws_client *client, const char *queue_url,
                           const struct sqs_visibility *changes, size_t count) {
  struct arena arena;
  arena_init(&arena);
  for (size_t done = 0; done < count; done += BATCH_MAX) {
    struct text text;
    struct json_writer json;
    text_init(&text, &arena);
    json_writer_init(&json, &text);
    json_open_object(&json, NULL);
    json_write_string(&json, "QueueUrl", queue_url);
    json_open_array(&json, "Entries");
    for (size_t i = done; i < count && i < done + BATCH_MAX; i++) {
      json_open_object(&json, NULL);
      json_write_text(&json, "Id", arena_printf(&arena, "%zu", i));
      json_write_text(&json, "ReceiptHandle", changes[i].receipt_handle);
      json_write_int64(&json, "VisibilityTimeout", delay_s(changes[i].delay_ms));
      json_close_object(&json);
    }
    json_close_array(&json);
    json_close_object(&json);
    aws_call_one(client, AWS_SQS, "ChangeMessageVisibilityBatch", text_view(&text), &arena);
  }
  arena_release(&arena);
}

static bool has_something_to_remember(const struct sqs_return *one) {
  return one->anew || one->result->attempts != one->message->attempts ||
         one->result->delay_ms > VISIBILITY_CHEAP_MS || strcmp(one->result->note, one->message->note) != 0;
}

void queue_sqs_return(struct queue_sqs *queue, struct sqs_return *returns, size_t count) {
  struct arena arena;
  arena_init(&arena);
  struct sending *sendings = ARENA_ARRAY(&arena, count, struct sending);
  struct sqs_visibility *visibilities = ARENA_ARRAY(&arena, count, struct sqs_visibility);
  int64_t now_ms = clock_now_ms(queue->options.clock);
  size_t send_count = 0, left = 0;
  for (size_t i = 0; i < count; i++) {
    returns[i].done = false;
    if (!has_something_to_remember(&returns[i])) continue;
    struct message again = *returns[i].message;
    again.attempts = returns[i].result->attempts;
    again.due_ms = now_ms + returns[i].result->delay_ms;
    snprintf(again.note, sizeof again.note, "%s", returns[i].result->note);
    sendings[send_count++] = (struct sending){.url = returns[i].queue_url,
                                              .body = message_write(&again, &arena),
                                              .delay_s = delay_s(returns[i].result->delay_ms),
                                              .ret_sent = &returns[i].done};
  }
  if (send_count > 0) send_all(queue->options.client, sendings, send_count, &arena);
  for (size_t i = 0; i < count; i++)
    if (!returns[i].done)
      visibilities[left++] = (struct sqs_visibility){returns[i].receipt_handle, returns[i].result->delay_ms};
  if (left > 0) sqs_change_visibility(queue->options.client, returns[0].queue_url, visibilities, left);
  arena_release(&arena);
}

struct queue_sqs *queue_sqs_open(const struct queue_sqs_options *options) {
  static const struct queue_operations operations = {.send = send_messages};
  struct queue_sqs *queue = calloc(1, sizeof *queue);
  if (!queue) panic("out of memory");
  queue->port.operations = &operations;
  queue->options = *options;
  return queue;
}

void queue_sqs_close(struct queue_sqs *queue) { free(queue); }

struct queue *queue_sqs_port(struct queue_sqs *queue) {
  return &queue->port;
}

/* --- the intake ------------------------------------------------------------------------------------ */

static bool put(struct intake *port, const struct intake_order *order) {
  struct intake_sqs *intake = (struct intake_sqs *)port;
  struct arena arena;
  struct text text;
  struct json_writer json;
  bool done = false;
  arena_init(&arena);
  struct bytes body = intake_write(order, &arena);
  if (body.size <= BODY_BYTES_MAX) {
    text_init(&text, &arena);
    json_writer_init(&json, &text);
    json_open_object(&json, NULL);
    json_write_string(&json, "QueueUrl", intake->url);
    json_write_text(&json, "MessageBody", body);
    json_close_object(&json);
    done = aws_call_one(intake->client, AWS_SQS, "SendMessage", text_view(&text), &arena).outcome == AWS_DONE;
  }
  arena_release(&arena);
  return done;
}

void intake_sqs_init(struct intake_sqs *intake, struct aws_client *client, const char *url) {
  *intake = (struct intake_sqs){.port.put = put, .client = client, .url = url};
}
