/* The same server behind TLS, with a certificate made for the test, and libcurl as the client. */
#include "platform/local/http_server_test_tools.h"

#include <curl/curl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct identity {
  char certificate[4096], key[4096];
};

static void copy_out(BIO *bio, char ret_text[4096]) {
  int size = BIO_read(bio, ret_text, 4095);
  assert_true(size > 0);
  ret_text[size] = '\0';
  BIO_free(bio);
}

static void make_identity(struct identity *ret_identity) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             (const unsigned char *)"localhost", -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  X509_EXTENSION *name = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  X509_add_ext(certificate, name, -1);
  X509_EXTENSION_free(name);
  assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
  BIO *bio = BIO_new(BIO_s_mem());
  assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
  copy_out(bio, ret_identity->certificate);
  bio = BIO_new(BIO_s_mem());
  assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
  copy_out(bio, ret_identity->key);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

static struct identity identity;

static void use_identity(struct http_server_settings *settings) {
  settings->certificate_pem = bytes_of(identity.certificate);
  settings->key_pem = bytes_of(identity.key);
  settings->connections_max = 20;
  settings->header_timeout_ms = 400;
}

static size_t keep(char *data, size_t one, size_t size, void *context) {
  (void)one;
  struct bytes *body = context;
  static char text[4096];
  assert_true(body->size + size < sizeof text);
  memcpy(text + body->size, data, size);
  body->data = text;
  body->size += size;
  return size;
}

static CURL *new_client(const struct http_server *server, const char *path) {
  char url[200];
  snprintf(url, sizeof url, "https://127.0.0.1:%d%s", http_server_port(server), path);
  CURL *curl = curl_easy_init();
  struct curl_blob roots = {identity.certificate, strlen(identity.certificate), CURL_BLOB_COPY};
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &roots);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
  return curl;
}

static long ask(CURL *curl, const char *expected) {
  struct bytes body = {NULL, 0};
  long status = 0;
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  CURLcode result = curl_easy_perform(curl);
  if (result != CURLE_OK) fail_msg("%s", curl_easy_strerror(result));
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (expected) assert_true(bytes_equal_string(body, expected));
  return status;
}

static void test_https(void **state) {
  (void)state;
  struct http_server *server = start_server(use_identity);
  CURL *curl = new_client(server, "/serve");
  assert_int_equal(ask(curl, "GET /serve? 0\n"), 200);
  static char body[200000];
  memset(body, 'x', sizeof body);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)sizeof body);
  for (int i = 0; i < 5; i++) assert_int_equal(ask(curl, "POST /serve? 200000\n"), 200);
  long connects = -1;
  curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connects);
  assert_int_equal(connects, 0); /* kept alive */
  curl_easy_cleanup(curl);
  curl = new_client(server, "/hold/x?short");
  assert_int_equal(ask(curl, "GET /hold/x?short 0 open\n"), 200);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_1 | (long)CURL_SSLVERSION_MAX_TLSv1_1);
  curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
  assert_int_not_equal(curl_easy_perform(curl), CURLE_OK); /* too old */
  curl_easy_cleanup(curl);
  http_server_free(server);
}

static void test_not_tls(void **state) {
  (void)state;
  struct http_server *server = start_server(use_identity);
  int fd = client_connect(server);
  assert_int_not_equal(client_ask(fd, GET("/now"))->status, 200);
  close(fd);
  fd = client_connect(server); /* says nothing: the handshake has the header's deadline */
  int64_t from_ms = now_ms();
  assert_true(client_sees_end(fd));
  assert_in_range(now_ms() - from_ms, 300, 1000);
  close(fd);
  int fds[25];
  for (int i = 0; i < 25; i++) fds[i] = client_connect(server); /* beyond the limit: closed */
  for (int i = 20; i < 25; i++) assert_true(client_sees_end(fds[i]));
  for (int i = 0; i < 25; i++) close(fds[i]);
  assert_int_equal(fake.opened, 0);
  http_server_free(server);
}

int main(void) {
  make_identity(&identity);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_https), cmocka_unit_test(test_not_tls)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
