#include "cli/remote.h"

#include <curl/curl.h>

#include "base/text.h"

enum { ANSWER_BYTES_MAX = 64 * 1024 * 1024 };

static size_t receive(char *data, size_t size, size_t count, void *context) {
  struct text *text = context;
  if (text->size + size * count > ANSWER_BYTES_MAX) return 0;
  text_append(text, bytes_from(data, size * count));
  return size * count;
}

static struct curl_slist *headers_make(const struct remote *remote, bool with_body) {
  struct bytes line = arena_printf(remote->arena, "Authorization: Bearer %.*s", BYTES_PRINTF(remote->token));
  struct curl_slist *headers = curl_slist_append(NULL, line.data);
  if (with_body) headers = curl_slist_append(headers, "Content-Type: application/json");
  return curl_slist_append(headers, "Expect:");
}

bool remote_ask(const struct remote *remote, const char *method, struct bytes path, struct bytes body,
                struct remote_answer *ret_answer, struct failure *ret_failure) {
  CURL *easy = curl_easy_init();
  if (!easy) return failure_set(ret_failure, "cannot start libcurl");
  struct text text;
  text_init(&text, remote->arena);
  struct curl_slist *headers = headers_make(remote, body.size > 0);
  char detail[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(easy, CURLOPT_URL,
                   arena_printf(remote->arena, "%s%.*s", remote->url, BYTES_PRINTF(path)).data);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  if (strcmp(method, "POST") == 0) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)body.size);
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body.size ? body.data : "");
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)remote->timeout_ms);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &text);
  CURLcode code = curl_easy_perform(easy);
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_slist_free_all(headers);
  curl_easy_cleanup(easy);
  if (code != CURLE_OK)
    return failure_set(ret_failure, "no answer from %s: %s; is the server running there?", remote->url,
                       *detail ? detail : curl_easy_strerror(code));
  struct json *json = NULL;
  struct bytes complaint;
  *ret_answer = (struct remote_answer){.status = (int)status, .body = text_view(&text)};
  if (text.size && json_parse(text_view(&text), remote->arena, &json, &complaint)) ret_answer->json = json;
  return true;
}

bool remote_ask_well(const struct remote *remote, const char *method, struct bytes path, struct bytes body,
                     struct remote_answer *ret_answer, struct failure *ret_failure) {
  struct remote_answer answer;
  if (!remote_ask(remote, method, path, body, &answer, ret_failure)) return false;
  if (answer.status >= 200 && answer.status < 300) {
    *ret_answer = answer;
    return true;
  }
  struct bytes detail = json_member_text(answer.json, "detail"), code = json_member_text(answer.json, "code");
  if (detail.size == 0) detail = json_member_text(answer.json, "title");
  if (detail.size == 0) return failure_set(ret_failure, "the server answered %d", answer.status);
  return failure_set(ret_failure, "%.*s (%d %.*s)", BYTES_PRINTF(detail), answer.status, BYTES_PRINTF(code));
}

struct bytes percent_encode(struct bytes text, struct arena *arena) {
  static const char digits[] = "0123456789ABCDEF";
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  char *encoded = arena_allocate(arena, text.size * 3 + 1);
  size_t size = 0;
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c && strchr(plain, c)) {
      encoded[size++] = (char)c;
      continue;
    }
    encoded[size++] = '%';
    encoded[size++] = digits[c >> 4];
    encoded[size++] = digits[c & 15];
  }
  return bytes_from(encoded, size);
}
