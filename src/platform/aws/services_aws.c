#include "platform/aws/services_aws.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"
#include "platform/net/services_http.h"
#include "wire/json.h"
#include "wire/json_write.h"

enum scheme { SCHEME_NONE, SCHEME_HTTP, SCHEME_LAMBDA, SCHEME_SQS };

struct services_aws {
  struct services port;
  struct services_aws_options options;
  struct services_http *http;
  enum scheme schemes[SERVICE_COUNT];
  char *credentials;
  char *scopes[SERVICE_COUNT];
};

static bool starts(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

static bool read_scheme(const char *url, enum scheme *ret_scheme, struct failure *ret_failure) {
  *ret_scheme = SCHEME_NONE;
  if (!url) return true;
  *ret_scheme = starts(url, "https://") || starts(url, "http://")    ? SCHEME_HTTP
                : starts(url, "lambda:") && url[strlen("lambda:")]   ? SCHEME_LAMBDA
                : starts(url, "sqs:http") && url[strlen("sqs:http")] ? SCHEME_SQS
                                                                     : SCHEME_NONE;
  return *ret_scheme != SCHEME_NONE ||
         failure_set(ret_failure,
                     "\"%s\" is no service's URL: https://…, http://…, lambda:<function> or sqs:<queue URL>",
                     url);
}

/* --- requests -------------------------------------------------------------------------------------- */

static struct bytes lambda_event(const struct service_call *call, struct arena *arena) {
  const char *method = call->is_lookup ? "GET" : "POST";
  struct text text;
  struct json_writer json;
  text_init(&text, arena);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  json_write_string(&json, "version", "2.0");
  json_write_string(&json, "routeKey", "$default");
  json_write_text(&json, "rawPath", call->path);
  json_write_string(&json, "rawQueryString", "");
  json_open_object(&json, "headers");
  json_write_text(&json, "traceparent", call->traceparent);
  if (!call->is_lookup) {
    json_write_string(&json, "content-type", "application/json");
    json_write_text(&json, "idempotency-key", call->key);
    json_write_text(&json, "callback-url", call->callback_url);
  }
  json_close_object(&json);
  json_open_object(&json, "requestContext");
  json_open_object(&json, "http");
  json_write_string(&json, "method", method);
  json_write_text(&json, "path", call->path);
  json_close_object(&json);
  json_close_object(&json);
  if (!call->is_lookup) json_write_text(&json, "body", call->body);
  json_write_boolean(&json, "isBase64Encoded", false);
  json_close_object(&json);
  return text_view(&text);
}

static struct bytes sqs_message(const char *url, const struct service_call *call, struct arena *arena) {
  struct text text, body;
  struct json_writer json;
  text_init(&body, arena);
  json_writer_init(&json, &body);
  json_open_object(&json, NULL);
  json_write_text(&json, "command", bytes_slice(call->path, 1, call->path.size));
  json_write_text(&json, "idempotency_key", call->key);
  json_write_text(&json, "callback_url", call->callback_url);
  json_write_text(&json, "traceparent", call->traceparent);
  json_write_raw(&json, "body", call->body);
  json_close_object(&json);
  text_init(&text, arena);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  json_write_string(&json, "QueueUrl", url);
  json_write_text(&json, "MessageBody", text_view(&body));
  json_close_object(&json);
  return text_view(&text);
}

/* --- answers --------------------------------------------------------------------------------------- */

static int64_t retry_after_ms(const struct json *headers) {
  for (const struct json *header = headers && headers->type == JSON_OBJECT ? headers->first : NULL; header;
       header = header->next) {
    unsigned long long seconds;
    int64_t number;
    if (!bytes_equal_ignoring_case(header->name, BYTES("Retry-After"))) continue;
    if (bytes_to_uint64(header->text, &seconds) && seconds < 365ULL * 86400) return (int64_t)seconds * 1000;
    if (json_to_int64(header, &number) && number >= 0 && number < INT64_C(365) * 86400) return number * 1000;
  }
  return -1;
}

/* What the function answered: a status and a body. An error that it threw leaves open what it did. */
static void read_lambda(const struct aws_answer *from, struct arena *arena, struct service_answer *answer) {
  struct json *root;
  struct bytes detail;
  if (from->function_failed || !json_parse(from->body, arena, &root, &detail)) {
    answer->failure =
        from->function_failed ? BYTES("the function failed") : BYTES("the function's answer is no JSON");
    return;
  }
  int64_t status = json_member_int64(root, "statusCode", 0);
  const struct json *body = json_member(root, "body");
  if (status < 100 || status > 599) {
    answer->failure = BYTES("the function's answer has no statusCode");
    return;
  }
  answer->transport = TRANSPORT_ANSWERED;
  answer->status = (int)status;
  if (body && body->type == JSON_STRING) answer->body = body->text;
  answer->retry_after_ms = retry_after_ms(json_member(root, "headers"));
  answer->has_retry_after = answer->retry_after_ms >= 0;
}

static void read_answer(enum scheme scheme, const struct aws_answer *from, struct arena *arena,
                        struct service_answer *answer) {
  *answer = (struct service_answer){.transport = TRANSPORT_BROKEN, .elapsed_us = from->elapsed_us};
  switch (from->outcome) {
    case AWS_DONE:
      if (scheme == SCHEME_LAMBDA) {
        read_lambda(from, arena, answer);
        return;
      }
      answer->transport = TRANSPORT_ANSWERED;
      answer->status = 202;
      answer->body = BYTES("{}");
      return;
    case AWS_THROTTLED:
    case AWS_UNREACHED:
    case AWS_REFUSED: /* not allowed, no such function: nothing was done, and a person can mend it */
      answer->transport = TRANSPORT_NOT_SENT;
      break;
    case AWS_UNAVAILABLE:
      break;
  }
  answer->failure = from->error;
}

static void call_aws(struct services_aws *services, const struct service_call *const *calls, size_t count,
                     struct arena *arena, struct service_answer *const *ret_answers) {
  struct aws_request *requests = ARENA_ARRAY(arena, count, struct aws_request);
  struct aws_answer *answers = ARENA_ARRAY(arena, count, struct aws_answer);
  int64_t now_ms = clock_now_ms(services->options.clock);
  for (size_t i = 0; i < count; i++) {
    enum service service = calls[i]->service;
    const char *url = services->options.services[service].url;
    bool lambda = services->schemes[service] == SCHEME_LAMBDA;
    requests[i].service = lambda ? AWS_LAMBDA : AWS_SQS;
    requests[i].operation = lambda ? url + strlen("lambda:") : "SendMessage";
    requests[i].body =
        lambda ? lambda_event(calls[i], arena) : sqs_message(url + strlen("sqs:"), calls[i], arena);
    requests[i].once = true;
    aws_client_set_deadline(services->options.client, requests[i].service,
                            now_ms + services->options.services[service].timeout_ms);
  }
  aws_call(services->options.client, requests, count, arena, answers);
  for (size_t i = 0; i < count; i++)
    read_answer(services->schemes[calls[i]->service], &answers[i], arena, ret_answers[i]);
}

static void call_all(struct services *port, const struct service_call *calls, size_t count, struct arena *arena,
                     struct service_answer *ret_answers) {
  struct services_aws *services = (struct services_aws *)port;
  struct service_call *http = ARENA_ARRAY(arena, count, struct service_call);
  struct service_answer *http_answers = ARENA_ARRAY(arena, count, struct service_answer);
  const struct service_call **aws = ARENA_ARRAY(arena, count, const struct service_call *);
  struct service_answer **aws_answers = ARENA_ARRAY(arena, count, struct service_answer *);
  size_t http_count = 0, aws_count = 0;
  for (size_t i = 0; i < count; i++) {
    enum scheme scheme = services->schemes[calls[i].service];
    if (scheme == SCHEME_HTTP) {
      http[http_count++] = calls[i];
    } else if (scheme == SCHEME_NONE) {
      ret_answers[i] = (struct service_answer){.transport = TRANSPORT_NOT_SENT,
                                               .failure = BYTES("this function is not told the service's URL")};
    } else {
      aws[aws_count] = &calls[i];
      aws_answers[aws_count++] = &ret_answers[i];
    }
  }
  if (http_count > 0) services_call(services_http_port(services->http), http, http_count, arena, http_answers);
  for (size_t i = 0, next = 0; i < count; i++)
    if (services->schemes[calls[i].service] == SCHEME_HTTP) ret_answers[i] = http_answers[next++];
  if (aws_count > 0) call_aws(services, aws, aws_count, arena, aws_answers);
}

/* --- opening --------------------------------------------------------------------------------------- */

/* API Gateway and function URLs take signatures; the scope names which. NULL for any other host. */
static char *scope_of(const char *url, const char *region) {
  const char *host = strstr(url, "://") + 3, *name = NULL;
  char *scope;
  size_t size = strcspn(host, "/:");
  struct bytes name_of_host = bytes_from(host, size);
  static const struct {
    const char *part, *name;
  } hosts[] = {{".execute-api.", "execute-api"}, {".lambda-url.", "lambda"}};
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
    if (memmem(name_of_host.data, size, hosts[i].part, strlen(hosts[i].part))) name = hosts[i].name;
  if (!name) return NULL;
  if (asprintf(&scope, "aws:amz:%s:%s", region, name) < 0) panic("out of memory");
  return scope;
}

bool services_aws_open(const struct services_aws_options *options, struct services_aws **ret_services,
                       struct failure *ret_failure) {
  static const struct services_operations operations = {.call = call_all};
  struct services_http_options http = {.services[0].url = NULL};
  struct services_aws *services = calloc(1, sizeof *services);
  if (!services) panic("out of memory");
  services->port.operations = &operations;
  services->options = *options;
  if (asprintf(&services->credentials, "%s:%s", options->credentials->access_key,
               options->credentials->secret_key) < 0)
    panic("out of memory");
  bool good = true;
  for (size_t i = 0; i < SERVICE_COUNT && good; i++) {
    good = read_scheme(options->services[i].url, &services->schemes[i], ret_failure);
    if (good && services->schemes[i] == SCHEME_SQS && options->services[i].is_looked_up)
      good = failure_set(ret_failure,
                         "a service behind a queue cannot be looked up: its idempotency must be key or none");
    if (!good || services->schemes[i] != SCHEME_HTTP) continue;
    http.services[i].url = options->services[i].url;
    http.services[i].token = options->services[i].token;
    http.services[i].timeout_ms = options->services[i].timeout_ms;
    http.services[i].connections_max = 16;
    http.services[i].resend_is_harmful = options->services[i].resend_is_harmful;
    if (options->services[i].token.size) continue;
    services->scopes[i] = scope_of(options->services[i].url, options->credentials->region);
    http.services[i].sigv4_scope = services->scopes[i];
    http.services[i].sigv4_credentials = services->credentials;
    http.services[i].sigv4_token = bytes_of(options->credentials->session_token);
  }
  good = good && services_http_open(&http, &services->http, ret_failure);
  if (good)
    *ret_services = services;
  else
    services_aws_close(services);
  return good;
}

void services_aws_close(struct services_aws *services) {
  if (!services) return;
  if (services->http) services_http_close(services->http);
  for (size_t i = 0; i < SERVICE_COUNT; i++) free(services->scopes[i]);
  free(services->credentials);
  free(services);
}

struct services *services_aws_port(struct services_aws *services) {
  return &services->port;
}
