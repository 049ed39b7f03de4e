#include "platform/net/key_fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/panic.h"

bool key_location_is_url(const char *location) { return strstr(location, "://") != NULL; }

/* 127.0.0.0/8, ::1, and localhost, which libcurl never looks up elsewhere. */
static bool is_loopback(const char *host) {
  struct in_addr four;
  if (inet_pton(AF_INET, host, &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  return strcmp(host, "[::1]") == 0 || strcmp(host, "localhost") == 0;
}

/* The URL is taken apart by libcurl itself, so that what is checked here is what is called. */
static const char *check_parts(CURLU *parts, bool *ret_loopback) {
  char *scheme = NULL, *host = NULL, *user = NULL;
  const char *problem = "it is not a URL";
  if (curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
    *ret_loopback = is_loopback(host);
    bool https = strcmp(scheme, "https") == 0, http = strcmp(scheme, "http") == 0;
    problem = https || (http && *ret_loopback) ? NULL : "it must be https (http only on loopback)";
    if (!problem && curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK)
      problem = "it must not carry credentials";
  }
  curl_free(scheme);
  curl_free(host);
  curl_free(user);
  return problem;
}

static bool check(const char *url, bool *ret_loopback, struct failure *ret_failure) {
  CURLU *parts = curl_url();
  if (!parts) panic("out of memory");
  const char *problem = "it is not a URL";
  if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK) problem = check_parts(parts, ret_loopback);
  curl_url_cleanup(parts);
  /* Not the URL itself: it may hold the credentials that are complained of. */
  return problem ? failure_set(ret_failure, "the JWKS URL cannot be used: %s", problem) : true;
}

bool key_url_check(const char *url, struct failure *ret_failure) {
  bool loopback;
  return check(url, &loopback, ret_failure);
}

bool key_fetch_file(const char *path, size_t most_bytes, struct text *ret_text, struct failure *ret_failure) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not stop the start */
  if (fd < 0) return failure_set(ret_failure, "cannot read the JWKS file %s: %s", path, strerror(errno));
  struct stat about;
  if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
    close(fd);
    return failure_set(ret_failure, "cannot read the JWKS file %s: it is not a regular file", path);
  }
  ssize_t size = 0;
  do {
    char *place = text_reserve(ret_text, 64 * 1024);
    size = read(fd, place, 64 * 1024);
    if (size > 0) ret_text->size += (size_t)size;
  } while ((size > 0 && ret_text->size <= most_bytes) || (size < 0 && errno == EINTR));
  int problem = errno;
  close(fd);
  if (size < 0) return failure_set(ret_failure, "cannot read the JWKS file %s: %s", path, strerror(problem));
  if (ret_text->size > most_bytes)
    return failure_set(ret_failure, "the JWKS file %s is larger than %zu bytes", path, most_bytes);
  return true;
}

struct receiver {
  struct text *text;
  size_t most_bytes;
};

static size_t receive(char *data, size_t one, size_t size, void *context) {
  (void)one; /* always 1 */
  struct receiver *receiver = context;
  if (receiver->text->size + size > receiver->most_bytes) return 0; /* libcurl gives up then */
  text_append(receiver->text, bytes_from(data, size));
  return size;
}

static void set_options(CURL *curl, const char *url, bool loopback, int64_t timeout_ms,
                        struct receiver *receiver, char *error) {
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)receiver->most_bytes);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "spillway/" SPILLWAY_VERSION);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, receiver);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  if (loopback) curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* a proxy's loopback is another machine's */
}

bool key_fetch_url(const char *url, int64_t timeout_ms, size_t most_bytes, struct text *ret_text,
                   struct failure *ret_failure) {
  bool loopback = false;
  if (!check(url, &loopback, ret_failure)) return false;
  CURL *curl = curl_easy_init();
  if (!curl) panic("out of memory");
  char error[CURL_ERROR_SIZE] = "";
  struct receiver receiver = {.text = ret_text, .most_bytes = most_bytes};
  set_options(curl, url, loopback, timeout_ms, &receiver, error);
  CURLcode result = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_cleanup(curl);
  if (result == CURLE_WRITE_ERROR || result == CURLE_FILESIZE_EXCEEDED)
    return failure_set(ret_failure, "the JWKS of %s is larger than %zu bytes", url, most_bytes);
  if (result != CURLE_OK)
    return failure_set(ret_failure, "cannot fetch the JWKS of %s: %s", url,
                       error[0] ? error : curl_easy_strerror(result));
  if (status != 200) return failure_set(ret_failure, "cannot fetch the JWKS of %s: status %ld", url, status);
  return true;
}
