#include "platform/aws/store_dynamodb_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"

/* --- requests -------------------------------------------------------------------------------------- */

void request_open(struct request_text *request, const struct store_dynamodb *store, struct arena *arena) {
  text_init(&request->text, arena);
  json_writer_init(&request->json, &request->text);
  json_open_object(&request->json, NULL);
  if (store) json_write_text(&request->json, "TableName", store->table);
}

struct bytes request_close(struct request_text *request) {
  json_close_object(&request->json);
  return text_view(&request->text);
}

void attribute_text(struct json_writer *json, const char *name, struct bytes value) {
  json_open_object(json, name);
  json_write_text(json, "S", value);
  json_close_object(json);
}

void attribute_number(struct json_writer *json, const char *name, int64_t value) {
  char digits[24];
  snprintf(digits, sizeof digits, "%lld", (long long)value);
  json_open_object(json, name);
  json_write_string(json, "N", digits);
  json_close_object(json);
}

void write_key(struct json_writer *json, const char *name, struct bytes k, struct bytes r) {
  json_open_object(json, name);
  attribute_text(json, "k", k);
  attribute_text(json, "r", r);
  json_close_object(json);
}

struct bytes item_text(const struct json *item, const char *name) {
  return json_member_text(json_member(item, name), "S");
}

int64_t item_number(const struct json *item, const char *name) {
  unsigned long long value;
  struct bytes text = json_member_text(json_member(item, name), "N");
  return bytes_to_uint64(text, &value) && value <= INT64_MAX ? (int64_t)value : 0;
}

/* --- answers --------------------------------------------------------------------------------------- */

static const struct {
  const char *error;
  enum commit_status status;
} refusals[] = {
    {"ConditionalCheckFailedException", COMMIT_CONFLICT}, {"ConditionalCheckFailed", COMMIT_CONFLICT},
    {"TransactionConflictException", COMMIT_CONFLICT},    {"TransactionConflict", COMMIT_CONFLICT},
    {"ProvisionedThroughputExceeded", COMMIT_THROTTLED},  {"ThrottlingError", COMMIT_THROTTLED},
    {"ItemCollectionSizeLimitExceeded", COMMIT_FAILED},   {"ValidationError", COMMIT_FAILED},
};

static enum commit_status status_of_error(struct bytes error) {
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
    if (bytes_equal_string(error, refusals[i].error)) return refusals[i].status;
  return COMMIT_FAILED;
}

struct bytes cancellation_reason(const struct aws_answer *answer, size_t index, struct arena *arena,
                                 const struct json **ret_item) {
  struct json *root;
  struct bytes detail;
  *ret_item = NULL;
  if (!json_parse(answer->body, arena, &root, &detail)) return BYTES("unreadable");
  const struct json *reasons = json_member(root, "CancellationReasons");
  const struct json *reason = reasons ? reasons->first : NULL;
  for (; reason && index > 0; index--) reason = reason->next;
  *ret_item = json_member(reason, "Item");
  struct bytes code = json_member_text(reason, "Code");
  return code.size ? code : BYTES("None");
}

/* Of several reasons the gravest counts: what is not to be mended before what is. */
static enum commit_status status_of_cancellation(const struct aws_answer *answer) {
  struct arena arena;
  struct json *root;
  struct bytes detail;
  enum commit_status status = COMMIT_DONE;
  arena_init(&arena);
  const struct json *reasons =
      json_parse(answer->body, &arena, &root, &detail) ? json_member(root, "CancellationReasons") : NULL;
  for (const struct json *reason = reasons ? reasons->first : NULL; reason; reason = reason->next) {
    struct bytes code = json_member_text(reason, "Code");
    if (code.size == 0 || bytes_equal_string(code, "None")) continue;
    enum commit_status one = status_of_error(code);
    if (status == COMMIT_DONE || one > status) status = one;
  }
  arena_release(&arena);
  return status == COMMIT_DONE ? COMMIT_FAILED : status;
}

enum commit_status commit_status_of(const struct aws_answer *answer) {
  switch (answer->outcome) {
    case AWS_DONE:
      return COMMIT_DONE;
    case AWS_REFUSED:
      if (bytes_equal_string(answer->error, "TransactionCanceledException"))
        return status_of_cancellation(answer);
      return status_of_error(answer->error);
    case AWS_THROTTLED:
    case AWS_UNREACHED:
      return answer->in_doubt ? COMMIT_FAILED : COMMIT_THROTTLED;
    case AWS_UNAVAILABLE:
      break;
  }
  return COMMIT_FAILED;
}

/* --- the port -------------------------------------------------------------------------------------- */

static bool are_independent(const struct store_commit *a, const struct store_commit *b) {
  if (bytes_equal(a->decision->next.id, b->decision->next.id)) return false;
  for (size_t i = 0; i < a->claim_count; i++)
    for (size_t j = 0; j < b->claim_count; j++)
      if (bytes_equal(a->claims[i], b->claims[j])) return false;
  return true;
}

/* Commits of one batch that share an order or a claim are carried out one after the other; all those that
 * depend on no unfinished earlier one go at once. */
static void commit_all(struct store *port, const struct store_commit *commits, size_t count,
                       struct store_result *ret_results) {
  struct store_dynamodb *store = (struct store_dynamodb *)port;
  struct arena arena;
  arena_init(&arena);
  bool *done = ARENA_ARRAY(&arena, count, bool);
  const struct store_commit **wave = ARENA_ARRAY(&arena, count, const struct store_commit *);
  struct store_result **results = ARENA_ARRAY(&arena, count, struct store_result *);
  for (size_t left = count; left > 0;) {
    for (int creates = 1; creates >= 0; creates--) {
      size_t size = 0;
      for (size_t i = 0; i < count; i++) {
        bool is_create = commits[i].decision->next.revision == 1, is_first = true;
        if (done[i] || is_create != creates) continue;
        for (size_t j = 0; j < i && is_first; j++)
          is_first = done[j] || are_independent(&commits[j], &commits[i]);
        if (!is_first) continue;
        wave[size] = &commits[i];
        ret_results[i] = (struct store_result){.status = COMMIT_FAILED};
        results[size++] = &ret_results[i];
      }
      if (size == 0) continue;
      (creates ? create_all : change_all)(store, wave, size, &arena, results);
      for (size_t i = 0; i < size; i++) {
        done[wave[i] - commits] = true;
        if (store->on_committed && results[i]->status == COMMIT_DONE)
          store->on_committed(store->context, wave[i]->decision);
      }
      left -= size;
    }
  }
  arena_release(&arena);
}

struct store_dynamodb *store_dynamodb_open(const struct store_dynamodb_options *options) {
  static const struct store_operations operations = {.commit = commit_all,
                                                     .load = dynamodb_load,
                                                     .list = dynamodb_list,
                                                     .events = dynamodb_events,
                                                     .attention = dynamodb_attention};
  struct store_dynamodb *store = calloc(1, sizeof *store);
  if (!store) panic("out of memory");
  store->port.operations = &operations;
  store->client = options->client;
  store->clock = options->clock;
  store->entropy = options->entropy;
  store->table = bytes_of(options->table);
  store->on_committed = options->on_committed;
  store->context = options->context;
  return store;
}

void store_dynamodb_close(struct store_dynamodb *store) { free(store); }

struct store *store_dynamodb_port(struct store_dynamodb *store) {
  return &store->port;
}
