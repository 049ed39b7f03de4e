#include "cli/serve_settings.h"

#include <stdio.h>

#include "cli/secret.h"
#include "order/step.h"
#include "settings/common_options.h"
#include "wire/jwt.h"

#define AT(member) offsetof(struct serve_settings, member)

#define SERVICE_OPTIONS(lower, index, Title)                                                               \
  {.name = lower "-url",                                                                                   \
   .type = OPTION_URL,                                                                                     \
   .offset_bytes = AT(services[index].url),                                                                \
   .value_name = "URL",                                                                                    \
   .required = true,                                                                                       \
   .help = Title ": its commands are POSTed below this URL."},                                             \
      {.name = lower "-concurrency",                                                                       \
       .type = OPTION_INTEGER,                                                                             \
       .offset_bytes = AT(services[index].concurrency),                                                    \
       .default_text = "32",                                                                               \
       .least = 1,                                                                                         \
       .most = 1000,                                                                                       \
       .value_name = "N",                                                                                  \
       .help = Title ": calls under way at once, over both channels; neither channel can take them all."}, \
      OPTION_SERVICE_RATE(lower, Title, AT(services[index].rate), ""),                                     \
      OPTION_SERVICE_TIMEOUT(lower, Title, AT(services[index].timeout_ms), ""),                            \
      OPTION_SERVICE_DEADLINE(lower, Title, AT(services[index].deadline_ms)),                              \
      OPTION_SERVICE_IDEMPOTENCY(lower, Title, AT(services[index].idempotency)), {                         \
    .name = lower "-token-file", .type = OPTION_TEXT, .offset_bytes = AT(services[index].token_file),      \
    .value_name = "FILE", .help = Title ": the bearer token sent with each call."                          \
  }

static const struct option options[] = {
    {.name = "listen",
     .type = OPTION_ADDRESS,
     .offset_bytes = AT(listen),
     .default_text = "127.0.0.1:8080",
     .value_name = "ADDRESS:PORT",
     .help = "Where to take requests. Port 0 takes a free one and prints it."},
    {.name = "admin-listen",
     .type = OPTION_ADDRESS,
     .offset_bytes = AT(admin_listen),
     .value_name = "ADDRESS:PORT",
     .help = "Serve /healthz, /readyz and /metrics here, and no longer on --listen."},
    {.name = "data",
     .type = OPTION_TEXT,
     .offset_bytes = AT(data),
     .default_text = "./spillway-data",
     .value_name = "FOLDER",
     .help = "The folder of the embedded store. One process at a time owns it."},
    {.name = "public-url",
     .type = OPTION_URL,
     .offset_bytes = AT(public_url),
     .value_name = "URL",
     .help =
         "What callback URLs start with: how services reach this server. Default: the address listened on."},
    {.name = "tls-certificate-file",
     .type = OPTION_TEXT,
     .offset_bytes = AT(tls_certificate_file),
     .value_name = "FILE",
     .help = "PEM certificate chain: serve HTTPS. Needs --tls-key-file."},
    {.name = "tls-key-file",
     .type = OPTION_TEXT,
     .offset_bytes = AT(tls_key_file),
     .value_name = "FILE",
     .help = "PEM private key of the certificate."},
    {.name = "jwt-secret-file",
     .type = OPTION_TEXT,
     .offset_bytes = AT(jwt_secret_file),
     .value_name = "FILE",
     .refuse_empty = true,
     .help = "The secret of HS256 access tokens, at least 32 bytes. This or --jwks is required."},
    {.name = "jwks",
     .type = OPTION_TEXT,
     .offset_bytes = AT(jwks),
     .value_name = "FILE|URL",
     .help = "The keys of RS256, PS256, ES256 and EdDSA access tokens: a file, or an https URL (http on "
             "loopback)."},
    {.name = "jwt-issuer",
     .type = OPTION_TEXT,
     .offset_bytes = AT(jwt_issuer),
     .value_name = "TEXT",
     .refuse_empty = true,
     .help = "What the iss of an access token must be. Default: not checked."},
    {.name = "jwt-audience",
     .type = OPTION_TEXT,
     .offset_bytes = AT(jwt_audience),
     .value_name = "TEXT",
     .refuse_empty = true,
     .help = "What the aud of an access token must hold. Default: not checked."},
    {.name = "id-secret-file",
     .type = OPTION_TEXT,
     .offset_bytes = AT(id_secret_file),
     .value_name = "FILE",
     .help =
         "The key of order ids and callback tokens, at least 32 bytes. Default: id-secret in the data folder, "
         "made on the first start."},
    {.name = "receipt-jwks",
     .type = OPTION_TEXT,
     .offset_bytes = AT(receipt_jwks),
     .value_name = "FILE|URL",
     .help = "The payment gateway's keys: every payment then needs a signed receipt."},
    SERVICE_OPTIONS("inventory", SERVICE_INVENTORY, "Inventory"),
    SERVICE_OPTIONS("accounting", SERVICE_ACCOUNTING, "Accounting"),
    SERVICE_OPTIONS("fulfilment", SERVICE_FULFILMENT, "Fulfilment"),
    OPTION_RETRY_FIRST(AT(retry_first_ms)),
    OPTION_RETRY_MAX(AT(retry_max_ms)),
    {.name = "cors-origins",
     .type = OPTION_TEXT,
     .offset_bytes = AT(cors_origins),
     .value_name = "ORIGIN,…",
     .help = "The shop's origins, such as https://shop.example, whose pages may call the API."},
    {.name = "customer-rate",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(customer_rate),
     .default_text = "0",
     .least = 0,
     .most = 1000000,
     .value_name = "N",
     .help = "Requests a second of one customer; beyond them 429. 0 means no limit."},
    {.name = "customer-burst",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(customer_burst),
     .default_text = "20",
     .least = 1,
     .most = 1000000,
     .value_name = "N",
     .help = "Requests of one customer at once, where --customer-rate is set."},
    {.name = "connections",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(connections),
     .default_text = "12000",
     .least = 1,
     .most = 1000000,
     .value_name = "N",
     .help = "Connections at once; further ones are refused."},
    {.name = "workers",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(workers),
     .default_text = "2",
     .least = 1,
     .most = 64,
     .value_name = "N",
     .help = "Threads that serve requests."},
    {.name = "waiting",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(waiting),
     .default_text = "8192",
     .least = 1,
     .most = 1000000,
     .value_name = "N",
     .help = "Requests that may wait for a worker; beyond them 503."},
    {.name = "header-timeout",
     .type = OPTION_DURATION,
     .offset_bytes = AT(header_timeout_ms),
     .default_text = "10s",
     .least = 1,
     .most = INT64_C(3600000),
     .value_name = "TIME",
     .help = "How long a client may take to send a request's header."},
    {.name = "body-timeout",
     .type = OPTION_DURATION,
     .offset_bytes = AT(body_timeout_ms),
     .default_text = "30s",
     .least = 1,
     .most = INT64_C(3600000),
     .value_name = "TIME",
     .help = "How long a client may take to send a request's body."},
    {.name = "idle-timeout",
     .type = OPTION_DURATION,
     .offset_bytes = AT(idle_timeout_ms),
     .default_text = "60s",
     .least = 1,
     .most = INT64_C(3600000),
     .value_name = "TIME",
     .help = "How long a connection may stay open without a request."},
    OPTION_LOG_LEVEL(AT(log_level)),
};

const struct option_table serve_options = {
    .command = "serve",
    .synopsis =
        "spillway serve --jwt-secret-file FILE --inventory-url URL --accounting-url URL --fulfilment-url URL "
        "[OPTION]…",
    .summary =
        "takes orders over HTTP, stores each before it says 202, and carries it through inventory, accounting "
        "and "
        "fulfilment. Everything lives in the data folder. SIGTERM stops it gently: admitted requests are "
        "answered, "
        "queued work stays for the next start. SIGKILL at any moment loses nothing. Log events go to standard "
        "error, "
        "one JSON line each; metrics are at /metrics.",
    .options = options,
    .count = COUNT_OF(options),
    .epilogue =
        "EXAMPLES\n"
        "    openssl rand -hex 32 > secret\n"
        "    spillway sandbox &\n"
        "    spillway serve --jwt-secret-file secret --inventory-url http://127.0.0.1:9090/inventory \\\n"
        "        --accounting-url http://127.0.0.1:9090/accounting \\\n"
        "        --fulfilment-url http://127.0.0.1:9090/fulfilment\n\n"
        "EXIT STATUS\n    0 stopped by SIGTERM or SIGINT, 1 it could not start or go on, 2 used wrongly.\n",
};

static bool complain(const char *text) {
  fprintf(stderr, "spillway serve: %s\n", text);
  return false;
}

/* A URL is used as a prefix: a slash at its end would be doubled. */
static const char *without_slash(const char *url) {
  size_t size = url ? strlen(url) : 0;
  if (size == 0 || url[size - 1] != '/') return url;
  char *copy = strdup(url);
  while (copy && size > 0 && copy[size - 1] == '/') copy[--size] = '\0';
  return copy ? copy : url;
}

/* A file that is named must be there now, and whole: better told at the start than with the first order. */
static bool check_file(const char *option, const char *path, size_t least_bytes) {
  struct arena arena;
  struct bytes content;
  struct failure failure;
  if (!path) return true;
  arena_init(&arena);
  bool good = secret_read(path, least_bytes, &arena, &content, &failure);
  if (!good) fprintf(stderr, "spillway serve: --%s: %s\n", option, failure.text);
  arena_release(&arena);
  return good;
}

static bool check_files(const struct serve_settings *settings) {
  bool good = check_file("jwt-secret-file", settings->jwt_secret_file, JWT_SECRET_BYTES_MIN);
  good &= check_file("id-secret-file", settings->id_secret_file, JWT_SECRET_BYTES_MIN);
  good &= check_file("tls-certificate-file", settings->tls_certificate_file, 1);
  good &= check_file("tls-key-file", settings->tls_key_file, 1);
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    char option[40];
    snprintf(option, sizeof option, "%s-token-file", service_names[i]);
    good &= check_file(option, settings->services[i].token_file, 1);
  }
  return good;
}

enum options_result serve_settings_read(int argument_count, char **arguments,
                                        struct serve_settings *ret_settings) {
  struct serve_settings *settings = ret_settings;
  memset(settings, 0, sizeof *settings);
  enum options_result result = options_read(&serve_options, argument_count, arguments, settings, NULL);
  if (result == OPTIONS_HELP_SHOWN) return result;
  bool good = result == OPTIONS_GOOD;
  if (!settings->jwt_secret_file && !settings->jwks)
    good = complain(
        "--jwt-secret-file (SPILLWAY_JWT_SECRET_FILE) or --jwks (SPILLWAY_JWKS) is required: who may call?");
  if (!settings->tls_certificate_file != !settings->tls_key_file)
    good = complain("--tls-certificate-file and --tls-key-file go together: give both or neither");
  if (settings->retry_first_ms > settings->retry_max_ms)
    good = complain("--retry-first must not be longer than --retry-max");
  good &= check_files(settings);
  settings->public_url = without_slash(settings->public_url);
  for (size_t i = 0; i < SERVICE_COUNT; i++)
    settings->services[i].url = without_slash(settings->services[i].url);
  return good ? OPTIONS_GOOD : OPTIONS_BAD;
}
