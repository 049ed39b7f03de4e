#include "platform/net/services_http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <time.h>

#include "base/panic.h"
#include "base/text.h"
#include "base/time.h"

enum { CONNECT_TIMEOUT_MS = 5000, IDLE_TRANSFERS_MAX = 256 };

struct transfer {
  struct transfer *next;              /* in the list of idle or of ended ones */
  struct transfer *newer, **to_newer; /* in the list of those under way */
  CURL *easy;
  struct curl_slist *headers;
  struct text body;
  struct arena *arena;
  void *tag;
  bool too_large;
  struct service_answer answer;
};

struct services_http {
  struct services port;
  struct services_http_options options;
  CURLM *multi;
  struct transfer *idle, *ended_first, *ended_last, *under_way;
  size_t idle_count;
};

static size_t on_body(char *data, size_t size, size_t count, void *context) {
  struct transfer *transfer = context;
  if (transfer->body.size + size * count > SERVICE_ANSWER_BYTES_MAX) {
    transfer->too_large = true;
    return 0;
  }
  text_append(&transfer->body, bytes_from(data, size * count));
  return size * count;
}

static struct transfer *take_transfer(struct services_http *client) {
  struct transfer *transfer = client->idle;
  if (transfer) {
    client->idle = transfer->next;
    client->idle_count--;
    transfer->body.size = 0;
  } else {
    transfer = calloc(1, sizeof *transfer);
    if (!transfer) panic("out of memory");
    text_init(&transfer->body, NULL);
  }
  transfer->easy = curl_easy_init();
  if (!transfer->easy) panic("out of memory");
  transfer->next = NULL;
  transfer->too_large = false;
  return transfer;
}

static void free_transfer(struct transfer *transfer) {
  curl_slist_free_all(transfer->headers);
  curl_easy_cleanup(transfer->easy);
  text_release(&transfer->body);
  free(transfer);
}

static void return_transfer(struct services_http *client, struct transfer *transfer) {
  curl_slist_free_all(transfer->headers);
  transfer->headers = NULL;
  /* Each transfer has a handle of its own: in a used one, libcurl before 8.1.1 keeps a pointer to a header of
   * the last answer, which is gone, and writes there where the next answer's first header is a folded line
   * (https://github.com/curl/curl/issues/11101). Connections are kept by the multi handle all the same. */
  curl_easy_cleanup(transfer->easy);
  transfer->easy = NULL;
  if (client->idle_count >= IDLE_TRANSFERS_MAX) {
    free_transfer(transfer);
    return;
  }
  transfer->next = client->idle;
  client->idle = transfer;
  client->idle_count++;
}

static void add_header(struct transfer *transfer, const char *name, struct bytes value) {
  struct text line;
  if (value.size == 0) return;
  text_init(&line, transfer->arena);
  text_reserve(&line, strlen(name) + value.size + 3);
  text_append_string(&line, name);
  text_append(&line, BYTES(": "));
  text_append(&line, value);
  text_append_char(&line, '\0');
  struct curl_slist *longer = curl_slist_append(transfer->headers, line.data);
  if (!longer) panic("out of memory");
  transfer->headers = longer;
}

static void set_headers(struct services_http *client, struct transfer *transfer,
                        const struct service_call *call) {
  struct bytes token = client->options.services[call->service].token;
  if (token.size)
    add_header(transfer, "Authorization", arena_printf(transfer->arena, "Bearer %.*s", BYTES_PRINTF(token)));
  add_header(transfer, "Accept", BYTES("application/json"));
  add_header(transfer, "traceparent", call->traceparent);
  if (client->options.services[call->service].sigv4_scope)
    add_header(transfer, "X-Amz-Security-Token", client->options.services[call->service].sigv4_token);
  if (call->is_lookup) return;
  add_header(transfer, "Content-Type", BYTES("application/json"));
  add_header(transfer, "Idempotency-Key", call->key);
  add_header(transfer, "Callback-URL", call->callback_url);
  if (client->options.services[call->service].sigv4_scope)
    return; /* libcurl would sign what it does not send */
  struct curl_slist *longer = curl_slist_append(transfer->headers, "Expect:");
  if (!longer) panic("out of memory");
  transfer->headers = longer;
}

static void set_options(struct services_http *client, struct transfer *transfer,
                        const struct service_call *call) {
  CURL *easy = transfer->easy;
  struct bytes url = arena_printf(transfer->arena, "%s%.*s", client->options.services[call->service].url,
                                  BYTES_PRINTF(call->path));
  int64_t timeout_ms = client->options.services[call->service].timeout_ms;
  bool alone = client->options.services[call->service].resend_is_harmful;
  curl_easy_setopt(easy, CURLOPT_URL, url.data);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "spillway/" SPILLWAY_VERSION);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   (long)(timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, alone ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, alone ? 1L : 0L);
  if (client->options.services[call->service].sigv4_scope) {
    curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, client->options.services[call->service].sigv4_scope);
    curl_easy_setopt(easy, CURLOPT_USERPWD, client->options.services[call->service].sigv4_credentials);
  }
  if (call->is_lookup) return;
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.data);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.size);
}

void services_http_start(struct services_http *client, const struct service_call *call, struct arena *arena,
                         void *tag) {
  struct transfer *transfer = take_transfer(client);
  transfer->arena = arena;
  transfer->tag = tag;
  set_headers(client, transfer, call);
  set_options(client, transfer, call);
  transfer->newer = client->under_way;
  transfer->to_newer = &client->under_way;
  if (client->under_way) client->under_way->to_newer = &transfer->newer;
  client->under_way = transfer;
  ensure(curl_multi_add_handle(client->multi, transfer->easy) == CURLM_OK);
}

/* Retry-After as a delay (RFC 9110 section 10.2.3): seconds, or a date. */
static void read_retry_after(struct transfer *transfer, struct service_answer *answer) {
  struct curl_header *header;
  unsigned long long seconds;
  int64_t at_ms;
  if (curl_easy_header(transfer->easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return;
  struct bytes value = bytes_trim(bytes_of(header->value));
  if (bytes_to_uint64(value, &seconds)) {
    answer->has_retry_after = true;
    answer->retry_after_ms = seconds > 365ULL * 86400 ? INT64_C(365) * 86400000 : (int64_t)seconds * 1000;
  } else if (time_parse_http_date(value, &at_ms)) {
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    answer->has_retry_after = true;
    answer->retry_after_ms = at_ms > now_ms ? at_ms - now_ms : 0;
  }
}

static void read_answer(struct transfer *transfer, CURLcode code) {
  struct service_answer *answer = &transfer->answer;
  long status = 0, sent_bytes = 0;
  curl_off_t elapsed_us = 0;
  *answer = (struct service_answer){.transport = TRANSPORT_BROKEN};
  curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &elapsed_us);
  curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
  answer->elapsed_us = elapsed_us;
  if (code == CURLE_OK) {
    answer->transport = TRANSPORT_ANSWERED;
    answer->status = (int)status;
    answer->body = arena_copy(transfer->arena, text_view(&transfer->body));
    read_retry_after(transfer, answer);
    return;
  }
  /* request_size counts all that went out, also on a reused connection that broke and was replaced. */
  if (sent_bytes == 0) answer->transport = TRANSPORT_NOT_SENT;
  answer->failure =
      transfer->too_large ? BYTES("the answer is larger than 64 KiB") : bytes_of(curl_easy_strerror(code));
}

static void no_longer_under_way(struct services_http *client, struct transfer *transfer) {
  curl_multi_remove_handle(client->multi, transfer->easy);
  *transfer->to_newer = transfer->newer;
  if (transfer->newer) transfer->newer->to_newer = transfer->to_newer;
}

static void collect_ended(struct services_http *client) {
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left));) {
    char *private;
    if (message->msg != CURLMSG_DONE) continue;
    CURL *easy = message->easy_handle;
    CURLcode code = message->data.result;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct transfer *transfer = (struct transfer *)(void *)private;
    read_answer(transfer, code);
    no_longer_under_way(client, transfer);
    transfer->next = NULL;
    if (client->ended_last)
      client->ended_last->next = transfer;
    else
      client->ended_first = transfer;
    client->ended_last = transfer;
  }
}

size_t services_http_poll(struct services_http *client, int64_t timeout_ms,
                          struct services_http_answered *ret_answered, size_t most) {
  int running;
  size_t count = 0;
  curl_multi_perform(client->multi, &running);
  collect_ended(client);
  if (!client->ended_first && timeout_ms > 0) {
    curl_multi_poll(client->multi, NULL, 0, (int)(timeout_ms < 60000 ? timeout_ms : 60000), NULL);
    curl_multi_perform(client->multi, &running);
    collect_ended(client);
  }
  while (count < most && client->ended_first) {
    struct transfer *transfer = client->ended_first;
    client->ended_first = transfer->next;
    if (!client->ended_first) client->ended_last = NULL;
    ret_answered[count++] = (struct services_http_answered){transfer->tag, transfer->answer};
    return_transfer(client, transfer);
  }
  return count;
}

void services_http_wake(struct services_http *client) { curl_multi_wakeup(client->multi); }

static void call_all(struct services *services, const struct service_call *calls, size_t count,
                     struct arena *arena, struct service_answer *ret_answers) {
  struct services_http *client = (struct services_http *)services;
  struct services_http_answered answered[64];
  for (size_t i = 0; i < count; i++) services_http_start(client, &calls[i], arena, &ret_answers[i]);
  for (size_t done = 0; done < count;) {
    size_t ended = services_http_poll(client, 1000, answered, 64);
    for (size_t i = 0; i < ended; i++) *(struct service_answer *)answered[i].tag = answered[i].answer;
    done += ended;
  }
}

bool services_http_open(const struct services_http_options *options, struct services_http **ret_client,
                        struct failure *ret_failure) {
  static const struct services_operations operations = {.call = call_all};
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return failure_set(ret_failure, "libcurl could not be started");
  struct services_http *client = calloc(1, sizeof *client);
  if (!client || !(client->multi = curl_multi_init())) panic("out of memory");
  client->port.operations = &operations;
  client->options = *options;
  long connections = 0;
  for (int i = 0; i < SERVICE_COUNT; i++) connections += (long)options->services[i].connections_max;
  curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, connections > 0 ? connections : 64L);
  *ret_client = client;
  return true;
}

static void free_all(struct transfer *first) {
  while (first) {
    struct transfer *transfer = first;
    first = transfer->next;
    free_transfer(transfer);
  }
}

void services_http_close(struct services_http *client) {
  while (client->under_way) {
    struct transfer *transfer = client->under_way;
    no_longer_under_way(client, transfer);
    free_transfer(transfer);
  }
  free_all(client->idle);
  free_all(client->ended_first);
  curl_multi_cleanup(client->multi);
  free(client);
}

struct services *services_http_port(struct services_http *client) {
  return &client->port;
}
