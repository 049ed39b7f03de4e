#include "platform/aws/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/panic.h"
#include "base/text.h"
#include "wire/json.h"

enum {
  TRY_TIMEOUT_MS = 5000,
  CONNECT_TIMEOUT_MS = 2000,
  TRIES_MAX = 8,
  PAUSE_FIRST_MS = 25,
  PAUSE_MAX_MS = 1000,
  CONNECTIONS_MAX = 32,
  ANSWER_BYTES_MAX = 32 * 1024 * 1024
};

static const struct {
  const char *host;   /* before ".<region>.amazonaws.com" */
  const char *target; /* of X-Amz-Target, before the operation; NULL: none */
  const char *content_type;
  const char *signing_name;
} services[AWS_SERVICE_COUNT] = {
    [AWS_DYNAMODB] = {"dynamodb", "DynamoDB_20120810.", "application/x-amz-json-1.0", "dynamodb"},
    [AWS_DYNAMODB_STREAMS] = {"streams.dynamodb", "DynamoDBStreams_20120810.", "application/x-amz-json-1.0",
                              "dynamodb"},
    [AWS_SQS] = {"sqs", "AmazonSQS.", "application/x-amz-json-1.0", "sqs"},
    [AWS_LAMBDA] = {"lambda", NULL, "application/json", "lambda"},
    [AWS_SSM] = {"ssm", "AmazonSSM.", "application/x-amz-json-1.1", "ssm"},
    [AWS_SECRETS_MANAGER] = {"secretsmanager", "secretsmanager.", "application/x-amz-json-1.1",
                             "secretsmanager"},
};

/* What a service calls "not now": nothing was carried out. */
static const char *const throttles[] = {"ProvisionedThroughputExceededException",
                                        "ThrottlingException",
                                        "Throttling",
                                        "ThrottledException",
                                        "RequestLimitExceeded",
                                        "RequestThrottled",
                                        "RequestThrottledException",
                                        "TooManyRequestsException",
                                        "SlowDown",
                                        "LimitExceededException",
                                        "PriorRequestNotComplete",
                                        "TransactionInProgressException",
                                        "OverLimit",
                                        "EC2ThrottledException"};

struct try {
  CURL *easy;
  struct curl_slist *headers;
  struct text body;
  size_t index; /* of the request */
};

struct aws_client {
  struct aws_client_options options;
  CURLM *multi;
  char *credentials, *token_header;
  int64_t deadlines_ms[AWS_SERVICE_COUNT];
};

static char *joined(const char *a, const char *b, const char *c) {
  char *text;
  if (asprintf(&text, "%s%s%s", a, b, c) < 0) panic("out of memory");
  return text;
}

bool aws_client_open(const struct aws_client_options *options, struct aws_client **ret_client,
                     struct failure *ret_failure) {
  if (!options->region || !options->access_key || !options->secret_key)
    return failure_set(ret_failure, "AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set");
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return failure_set(ret_failure, "libcurl could not be started");
  struct aws_client *client = calloc(1, sizeof *client);
  if (!client || !(client->multi = curl_multi_init())) panic("out of memory");
  client->options = *options;
  client->credentials = joined(options->access_key, ":", options->secret_key);
  if (options->session_token)
    client->token_header = joined("X-Amz-Security-Token: ", options->session_token, "");
  for (size_t i = 0; i < AWS_SERVICE_COUNT; i++) client->deadlines_ms[i] = INT64_MAX;
  curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
  curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_MAX);
  *ret_client = client;
  return true;
}

void aws_client_close(struct aws_client *client) {
  if (!client) return;
  curl_multi_cleanup(client->multi);
  free(client->credentials);
  free(client->token_header);
  free(client);
}

void aws_client_set_deadline(struct aws_client *client, enum aws_service service, int64_t at_ms) {
  client->deadlines_ms[service] = at_ms;
}

static int64_t left_ms(const struct aws_client *client, enum aws_service service) {
  return client->deadlines_ms[service] - clock_now_ms(client->options.clock);
}

bool aws_client_pause(struct aws_client *client, enum aws_service service, int64_t most_ms) {
  int64_t left = left_ms(client, service);
  if (left <= 0) return false;
  if (left > most_ms) left = most_ms;
  struct timespec time = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
  while (nanosleep(&time, &time) != 0 && errno == EINTR) continue;
  return true;
}

/* --- one try --------------------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t size, size_t count, void *context) {
  struct try *try = context;
  if (try->body.size + size * count > ANSWER_BYTES_MAX) return 0;
  text_append(&try->body, bytes_from(data, size * count));
  return size * count;
}

static void add_header(struct try *try, const char *line) {
  struct curl_slist *longer = curl_slist_append(try->headers, line);
  if (!longer) panic("out of memory");
  try->headers = longer;
}

static char *url_of(const struct aws_client *client, const struct aws_request *request, struct arena *arena) {
  const char *endpoint = client->options.endpoints[request->service];
  struct text url;
  text_init(&url, arena);
  if (endpoint)
    text_append_string(&url, endpoint);
  else
    text_printf(&url, "https://%s.%s.amazonaws.com", services[request->service].host, client->options.region);
  if (request->service != AWS_LAMBDA) {
    if (!endpoint) text_append_char(&url, '/');
    text_append_char(&url, '\0');
    return url.data;
  }
  text_append_string(&url, "/2015-03-31/functions/");
  for (const char *c = request->operation; *c; c++) /* an ARN has colons, which a path escapes */
    if (*c == ':')
      text_append_string(&url, "%3A");
    else
      text_append_char(&url, *c);
  text_append_string(&url, "/invocations");
  text_append_char(&url, '\0');
  return url.data;
}

static void set_options(struct aws_client *client, struct try *try, const struct aws_request *request,
                        struct arena *arena) {
  CURL *easy = try->easy;
  int64_t timeout_ms = left_ms(client, request->service);
  if (timeout_ms > TRY_TIMEOUT_MS && request->service != AWS_LAMBDA) timeout_ms = TRY_TIMEOUT_MS;
  if (timeout_ms < 1) timeout_ms = 1;
  if (timeout_ms > 900000) timeout_ms = 900000;
  struct bytes type = arena_printf(arena, "Content-Type: %s", services[request->service].content_type);
  struct bytes scope =
      arena_printf(arena, "aws:amz:%s:%s", client->options.region, services[request->service].signing_name);
  add_header(try, type.data);
  if (services[request->service].target)
    add_header(
        try,
        arena_printf(arena, "X-Amz-Target: %s%s", services[request->service].target, request->operation).data);
  if (client->token_header) add_header(try, client->token_header);
  curl_easy_setopt(easy, CURLOPT_URL, url_of(client, request, arena));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   (long)(timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  if (client->options.ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, client->options.ca_file);
  curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, scope.data);
  curl_easy_setopt(easy, CURLOPT_USERPWD, client->credentials);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, try->headers);
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, try);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, try);
}

static bool is_throttle(struct bytes error) {
  for (size_t i = 0; i < sizeof throttles / sizeof *throttles; i++)
    if (bytes_equal_string(error, throttles[i])) return true;
  return false;
}

/* "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "…:http://…" as well. */
static struct bytes short_error(struct bytes type) {
  size_t hash = bytes_find(type, '#', 0);
  if (hash < type.size) type = bytes_slice(type, hash + 1, type.size);
  return bytes_slice(type, 0, bytes_find(type, ':', 0));
}

static void read_error(struct aws_answer *answer, struct arena *arena) {
  struct json *root;
  struct bytes detail;
  answer->error = BYTES("unnamed error");
  if (json_parse(answer->body, arena, &root, &detail)) {
    struct bytes type = json_member_text(root, "__type");
    if (type.size == 0) type = json_member_text(root, "Type");
    if (type.size > 0) answer->error = short_error(type);
  }
  if (answer->status >= 500)
    answer->outcome = is_throttle(answer->error) ? AWS_THROTTLED : AWS_UNAVAILABLE;
  else if (answer->status == 429 || is_throttle(answer->error))
    answer->outcome = AWS_THROTTLED;
  else
    answer->outcome = AWS_REFUSED;
}

static void read_answer(struct try *try, CURLcode code, struct arena *arena, struct aws_answer *answer) {
  bool in_doubt = answer->in_doubt;
  long status = 0, sent_bytes = 0;
  curl_off_t elapsed_us = 0;
  struct curl_header *header;
  curl_easy_getinfo(try->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(try->easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
  curl_easy_getinfo(try->easy, CURLINFO_TOTAL_TIME_T, &elapsed_us);
  *answer = (struct aws_answer){.status = (int)status, .in_doubt = in_doubt, .elapsed_us = elapsed_us};
  if (code != CURLE_OK) {
    answer->outcome = sent_bytes == 0 ? AWS_UNREACHED : AWS_UNAVAILABLE;
    answer->error = bytes_of(curl_easy_strerror(code));
    return;
  }
  answer->body = arena_copy(arena, text_view(&try->body));
  answer->function_failed =
      curl_easy_header(try->easy, "X-Amz-Function-Error", 0, CURLH_HEADER, -1, &header) == CURLHE_OK;
  if (status < 200 || status > 299) read_error(answer, arena);
}

static bool is_to_be_tried_again(const struct aws_answer *answer) {
  return answer->outcome == AWS_THROTTLED || answer->outcome == AWS_UNAVAILABLE ||
         answer->outcome == AWS_UNREACHED;
}

static void start_try(struct aws_client *client, const struct aws_request *request, struct arena *arena,
                      struct try *try) {
  try->easy = curl_easy_init();
  if (!try->easy) panic("out of memory");
  text_init(&try->body, NULL);
  set_options(client, try, request, arena);
  ensure(curl_multi_add_handle(client->multi, try->easy) == CURLM_OK);
}

static void end_try(struct aws_client *client, struct try *try) {
  curl_multi_remove_handle(client->multi, try->easy);
  curl_easy_cleanup(try->easy);
  curl_slist_free_all(try->headers);
  text_release(&try->body);
}

/* Lets all tries of one round come to their end. */
static void run_round(struct aws_client *client, size_t count, struct arena *arena,
                      struct aws_answer *ret_answers) {
  while (count > 0) {
    int running, left;
    curl_multi_perform(client->multi, &running);
    for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left));) {
      char *private;
      if (message->msg != CURLMSG_DONE) continue;
      CURLcode code = message->data.result;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
      struct try *try = (struct try *)(void *)private;
      read_answer(try, code, arena, &ret_answers[try->index]);
      end_try(client, try);
      count--;
    }
    if (count > 0) curl_multi_poll(client->multi, NULL, 0, 1000, NULL);
  }
}

static void tell_failures(const struct aws_client *client, const struct aws_request *requests, size_t count,
                          const struct aws_answer *answers) {
  for (size_t i = 0; i < count; i++) {
    const struct aws_answer *answer = &answers[i];
    if (answer->outcome == AWS_DONE || bytes_equal_string(answer->error, "ConditionalCheckFailedException") ||
        bytes_equal_string(answer->error, "TransactionCanceledException"))
      continue;
    client->options.on_failed(requests[i].operation, answer->status, answer->error);
  }
}

void aws_call(struct aws_client *client, const struct aws_request *requests, size_t count, struct arena *arena,
              struct aws_answer *ret_answers) {
  bool *open = ARENA_ARRAY(arena, count, bool);
  struct try *tries = ARENA_ARRAY(arena, count, struct try);
  int64_t bound_ms = PAUSE_FIRST_MS;
  for (size_t i = 0; i < count; i++) {
    open[i] = true;
    ret_answers[i] = (struct aws_answer){.outcome = AWS_UNREACHED, .error = BYTES("no time left")};
  }
  for (int round = 0; round < TRIES_MAX; round++) {
    size_t started = 0, again = 0;
    enum aws_service service = AWS_DYNAMODB;
    for (size_t i = 0; i < count; i++) {
      if (!open[i]) continue;
      tries[i] = (struct try){.index = i};
      start_try(client, &requests[i], arena, &tries[i]);
      started++;
    }
    run_round(client, started, arena, ret_answers);
    for (size_t i = 0; i < count; i++) {
      if (!open[i]) continue;
      open[i] = !requests[i].once && is_to_be_tried_again(&ret_answers[i]);
      if (!open[i]) continue;
      if (left_ms(client, requests[i].service) <= 0) {
        open[i] = false;
        continue;
      }
      if (ret_answers[i].outcome == AWS_UNAVAILABLE) ret_answers[i].in_doubt = true;
      service = requests[i].service;
      again++;
    }
    if (again == 0 || round + 1 == TRIES_MAX) break;
    int64_t pause_ms = 1 + (int64_t)entropy_below(client->options.entropy, (uint64_t)bound_ms);
    if (pause_ms >= left_ms(client, service) || !aws_client_pause(client, service, pause_ms)) break;
    bound_ms = bound_ms * 2 < PAUSE_MAX_MS ? bound_ms * 2 : PAUSE_MAX_MS;
  }
  if (client->options.on_failed) tell_failures(client, requests, count, ret_answers);
}

struct aws_answer aws_call_one(struct aws_client *client, enum aws_service service, const char *operation,
                               struct bytes body, struct arena *arena) {
  struct aws_answer answer;
  aws_call(client, &(struct aws_request){.service = service, .operation = operation, .body = body}, 1, arena,
           &answer);
  return answer;
}
