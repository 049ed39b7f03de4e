#include "platform/aws/settings.h"

#include <stdlib.h>
#include <unistd.h>

#include "platform/net/system.h"
#include "settings/common_options.h"

static const char *const authorizer_names[] = {"none", "gateway", NULL};

#define AT(member) offsetof(struct aws_settings, member)

#define QUEUE_OPTION(lower, service, channel_name, channel)                                  \
  {                                                                                          \
    .name = lower "-" channel_name "-queue-url", .type = OPTION_URL,                         \
    .offset_bytes = AT(queue_urls) + sizeof(char *) * ((service)*CHANNEL_COUNT + (channel)), \
    .value_name = "URL", .help = "The queue of " channel_name " commands for " lower "."     \
  }

#define CONCURRENCY_OPTION(lower, service, channel_name, channel)                                 \
  {                                                                                               \
    .name = lower "-" channel_name "-concurrency", .type = OPTION_INTEGER,                        \
    .offset_bytes = AT(services[service].concurrency[channel]), .default_text = "10", .least = 1, \
    .most = 1000, .value_name = "N",                                                              \
    .help = "Functions at once that work on " channel_name " commands for " lower                 \
            ": each calls at its part of the rate."                                               \
  }

#define SERVICE_OPTIONS(lower, index, Title)                                                                   \
  {.name = lower "-url",                                                                                       \
   .type = OPTION_TEXT,                                                                                        \
   .offset_bytes = AT(services[index].url),                                                                    \
   .value_name = "URL",                                                                                        \
   .help =                                                                                                     \
       Title ": where its commands go: https://…, http://…, lambda:<function name or ARN>, sqs:<queue URL>."}, \
      OPTION_SERVICE_RATE(lower, Title, AT(services[index].rate), ", over all functions"),                     \
      OPTION_SERVICE_TIMEOUT(lower, Title, AT(services[index].timeout_ms), "; less than call-time"),           \
      OPTION_SERVICE_DEADLINE(lower, Title, AT(services[index].deadline_ms)),                                  \
      OPTION_SERVICE_IDEMPOTENCY(lower, Title, AT(services[index].idempotency)),                               \
      {.name = lower "-token-file",                                                                            \
       .type = OPTION_TEXT,                                                                                    \
       .offset_bytes = AT(services[index].token_file),                                                         \
       .value_name = "SECRET",                                                                                 \
       .help = Title ": the bearer token sent with each call."},                                               \
      QUEUE_OPTION(lower, index, "retail", CHANNEL_RETAIL),                                                    \
      QUEUE_OPTION(lower, index, "wholesale", CHANNEL_WHOLESALE),                                              \
      CONCURRENCY_OPTION(lower, index, "retail", CHANNEL_RETAIL),                                              \
      CONCURRENCY_OPTION(lower, index, "wholesale", CHANNEL_WHOLESALE)

static const struct option options[] = {
    {.name = "table",
     .type = OPTION_TEXT,
     .offset_bytes = AT(table),
     .value_name = "NAME",
     .help = "The DynamoDB table."},
    {.name = "intake-queue-url",
     .type = OPTION_URL,
     .offset_bytes = AT(intake_queue_url),
     .value_name = "URL",
     .help = "Where accepted orders wait that the table cannot take."},
    {.name = "id-secret-file",
     .type = OPTION_TEXT,
     .offset_bytes = AT(id_secret_file),
     .value_name = "SECRET",
     .help = "The key of order ids and callback tokens, at least 32 bytes. It must never change."},
    {.name = "authorizer",
     .type = OPTION_NAME,
     .offset_bytes = AT(authorizer),
     .default_text = "none",
     .names = authorizer_names,
     .value_name = "WHICH",
     .help = "gateway: believe the claims of the JWT authoriser in front. none: check tokens here."},
    {.name = "jwt-secret-file",
     .type = OPTION_TEXT,
     .offset_bytes = AT(jwt_secret_file),
     .value_name = "SECRET",
     .help = "The secret of HS256 access tokens, at least 32 bytes."},
    {.name = "jwks",
     .type = OPTION_TEXT,
     .offset_bytes = AT(jwks),
     .value_name = "SECRET|URL",
     .help = "The keys of RS256, PS256, ES256 and EdDSA access tokens; an https URL is read again when a "
             "token names an unknown key."},
    {.name = "jwt-issuer",
     .type = OPTION_TEXT,
     .offset_bytes = AT(jwt_issuer),
     .refuse_empty = true,
     .value_name = "TEXT",
     .help = "What the iss of an access token must be. Default: not checked."},
    {.name = "jwt-audience",
     .type = OPTION_TEXT,
     .offset_bytes = AT(jwt_audience),
     .refuse_empty = true,
     .value_name = "TEXT",
     .help = "What the aud of an access token must hold. Default: not checked."},
    {.name = "receipt-jwks",
     .type = OPTION_TEXT,
     .offset_bytes = AT(receipt_jwks),
     .value_name = "SECRET|URL",
     .help = "The payment gateway's keys: payment.receipt is then required."},
    {.name = "public-url",
     .type = OPTION_URL,
     .offset_bytes = AT(public_url),
     .value_name = "URL",
     .help = "What callback URLs start with."},
    {.name = "cors-origins",
     .type = OPTION_TEXT,
     .offset_bytes = AT(cors_origins),
     .value_name = "ORIGIN[,ORIGIN…]",
     .help = "Origins whose pages may call the API."},
    OPTION_RETRY_FIRST(AT(retry_first_ms)),
    OPTION_RETRY_MAX(AT(retry_max_ms)),
    {.name = "call-time",
     .type = OPTION_DURATION,
     .offset_bytes = AT(call_time_ms),
     .default_text = "65s",
     .least = 1000,
     .most = INT64_C(1000000),
     .value_name = "TIME",
     .help =
         "How long an attempt may be under way, at most: the time-out of the functions that call services, and "
         "some seconds for clocks that differ. The same for all functions."},
    {.name = "spill-after",
     .type = OPTION_DURATION,
     .offset_bytes = AT(spill_after_ms),
     .default_text = "800ms",
     .least = 50,
     .most = 20000,
     .value_name = "TIME",
     .help = "How long the table is given to take an order before it goes to the intake."},
    OPTION_LOG_LEVEL(AT(log_level)),
    SERVICE_OPTIONS("inventory", SERVICE_INVENTORY, "Inventory"),
    SERVICE_OPTIONS("accounting", SERVICE_ACCOUNTING, "Accounting"),
    SERVICE_OPTIONS("fulfilment", SERVICE_FULFILMENT, "Fulfilment"),
};

const struct option_table aws_option_table = {
    .command = "bootstrap",
    .synopsis = "bootstrap (run by AWS Lambda)",
    .summary =
        "The functions of Spillway on AWS. A SECRET is a path, ssm:<parameter name> or "
        "secretsmanager:<secret id>.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

bool aws_settings_read(struct aws_settings *ret_settings, struct failure *ret_failure) {
  *ret_settings = (struct aws_settings){.table = NULL};
  if (options_read(&aws_option_table, 0, NULL, ret_settings, NULL) == OPTIONS_GOOD) return true;
  return failure_set(ret_failure, "a setting is wrong: the lines before this one in the log say which");
}

static const char *given(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

void aws_settings_client(struct aws_client_options *ret_options) {
  static const char *const names[AWS_SERVICE_COUNT] = {
      [AWS_DYNAMODB] = "AWS_ENDPOINT_URL_DYNAMODB",
      [AWS_DYNAMODB_STREAMS] = "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
      [AWS_SQS] = "AWS_ENDPOINT_URL_SQS",
      [AWS_LAMBDA] = "AWS_ENDPOINT_URL_LAMBDA",
      [AWS_SSM] = "AWS_ENDPOINT_URL_SSM",
      [AWS_SECRETS_MANAGER] = "AWS_ENDPOINT_URL_SECRETS_MANAGER"};
  static const char *const bundles[] = {"/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/certs/ca-certificates.crt"};
  *ret_options = (struct aws_client_options){.clock = system_clock(),
                                             .entropy = system_entropy(),
                                             .region = given("AWS_REGION"),
                                             .access_key = given("AWS_ACCESS_KEY_ID"),
                                             .secret_key = given("AWS_SECRET_ACCESS_KEY"),
                                             .session_token = given("AWS_SESSION_TOKEN"),
                                             .ca_file = given("AWS_CA_BUNDLE")};
  for (size_t i = 0; i < AWS_SERVICE_COUNT; i++) {
    ret_options->endpoints[i] = given(names[i]);
    if (!ret_options->endpoints[i]) ret_options->endpoints[i] = given("AWS_ENDPOINT_URL");
  }
  for (size_t i = 0; i < sizeof bundles / sizeof *bundles && !ret_options->ca_file; i++)
    if (access(bundles[i], R_OK) == 0) ret_options->ca_file = bundles[i];
}
