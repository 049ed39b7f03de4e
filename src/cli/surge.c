#include "cli/surge.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/panic.h"
#include "cli/client_options.h"
#include "cli/commands.h"
#include "cli/secret.h"
#include "cli/surge_ledger.h"
#include "cli/surge_report.h"
#include "wire/jwt.h"

enum { RUN_BYTES = 6, ANSWER_BYTES_MAX = 4 * 1024 * 1024 };

#define AT(member) offsetof(struct surge_settings, member)
static const struct option options[] = {
    OPTION_SERVER_URL(AT(url), "The server; http:// only."),
    {.name = "orders-file",
     .type = OPTION_TEXT,
     .offset_bytes = AT(orders_file),
     .value_name = "FILE",
     .default_text = "examples/online_retail_sample.csv",
     .no_variable = true,
     .help = "Invoices as CSV, or packed by xz where the name ends in .xz. From the start again where more are "
             "wanted."},
    {.name = "ledger",
     .type = OPTION_TEXT,
     .offset_bytes = AT(ledger),
     .value_name = "FILE",
     .required = true,
     .no_variable = true,
     .help = "Each attempt is appended before it is sent, each answer after it came; "
             "spillway audit reads it."},
    OPTION_SECRET_FILE(AT(secret_file),
                       "The server's JWT secret: a token for each customer is minted with it."),
    OPTION_TOKEN_FILE(AT(token_file),
                      "One token for everything, instead: all orders are then this customer's."),
    OPTION_TOKEN_ISSUER(AT(issuer), "minted tokens"),
    OPTION_TOKEN_AUDIENCE(AT(audience), "minted tokens"),
    {.name = "base-rate",
     .type = OPTION_DECIMAL,
     .offset_bytes = AT(base_rate),
     .default_text = "100",
     .no_variable = true,
     .help = "Orders a second before and after the spike."},
    {.name = "peak-rate",
     .type = OPTION_DECIMAL,
     .offset_bytes = AT(peak_rate),
     .default_text = "1000",
     .no_variable = true,
     .help = "Orders a second at its height."},
    {.name = "scale",
     .type = OPTION_DECIMAL,
     .offset_bytes = AT(scale),
     .default_text = "1",
     .no_variable = true,
     .help = "Both rates times this."},
    {.name = "duration",
     .type = OPTION_DURATION,
     .offset_bytes = AT(duration_ms),
     .default_text = "30s",
     .least = 1,
     .most = INT64_MAX,
     .no_variable = true,
     .help = "How long the whole spike takes."},
    {.name = "orders",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(orders),
     .default_text = "0",
     .no_variable = true,
     .most = 100000000,
     .help = "So many orders and cancellations; the duration then follows from the rates. 0: as "
             "many as the duration needs."},
    {.name = "connections",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(connections),
     .default_text = "256",
     .least = 1,
     .most = 60000,
     .no_variable = true,
     .help = "Connections held at most; as many are opened before one is used again."},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .offset_bytes = AT(timeout_ms),
     .default_text = "30s",
     .least = 1,
     .most = INT64_MAX,
     .no_variable = true,
     .help = "How long to wait for one answer."},
    {.name = "retries",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(retries),
     .default_text = "100",
     .most = 1000000,
     .no_variable = true,
     .help = "How often a request without an answer, or with 408, 425, 429 or 5xx, is sent again "
             "with the same key; after Retry-After, or 100 ms doubling to 5 s."},
    {.name = "settle",
     .type = OPTION_DURATION,
     .offset_bytes = AT(settle_ms),
     .default_text = "120s",
     .no_variable = true,
     .help = "How long after the spike's end to wait for what has no answer yet."},
    {.name = "coupon-rate",
     .type = OPTION_DECIMAL,
     .offset_bytes = AT(coupon_rate),
     .default_text = "0.3",
     .least = 0,
     .most = 1,
     .no_variable = true,
     .help = "The share of retail orders with a coupon (10 % off)."},
    {.name = "no-cancels",
     .type = OPTION_FLAG,
     .offset_bytes = AT(no_cancels),
     .no_variable = true,
     .help = "Sends no cancellations."},
    {.name = "run",
     .type = OPTION_TEXT,
     .offset_bytes = AT(run),
     .value_name = "NAME",
     .no_variable = true,
     .help = "Part of all keys and payment references, at most 20 of a-z, A-Z, 0-9. Default: by chance. The "
             "same name "
             "again sends the same keys again."},
    {.name = "seed",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(seed),
     .default_text = "1",
     .no_variable = true,
     .help = "Of coupons and back-off."},
};

static const struct option_table table = {
    .command = "surge",
    .synopsis = "spillway surge --ledger FILE --secret-file FILE [OPTION]…",
    .summary =
        "sends a coupon spike of real orders to a server. Open loop: the times are fixed beforehand, and "
        "latency "
        "counts from them, so that a server that falls behind shows it.\n"
        "Each invoice of the file becomes an order: wholesale with 500 units or more or over 100 lines, retail "
        "otherwise; a cancellation (InvoiceNo C…) cancels the same customer's latest earlier order with one of "
        "its "
        "SKUs. Dirty rows are sent as they are and refused by the server, which counts as refused, not as an "
        "error.",
    .options = options,
    .count = COUNT_OF(options),
    .epilogue =
        "EXAMPLES\n    spillway surge --ledger surge.jsonl --secret-file secret --peak-rate 5000 --duration "
        "60s\n"
        "    spillway surge --ledger surge.jsonl --secret-file secret --orders 100000 --connections 10000 \\\n"
        "        --orders-file online_retail.csv.xz\n\n"
        "EXIT STATUS\n    0 it ran to its end, 1 it was interrupted or could not go on, 2 used wrongly.\n",
};

static bool choose_run(struct surge *surge, struct failure *ret_failure) {
  const char *name = surge->settings.run;
  uint8_t random[RUN_BYTES];
  if (!name) {
    if (RAND_bytes(random, sizeof random) != 1) panic("no random bytes");
    hex_encode(random, sizeof random, surge->run);
    return true;
  }
  size_t size = strlen(name);
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  if (size == 0 || size > 20 || strspn(name, allowed) != size)
    return failure_set(ret_failure, "--run: \"%s\" is not 1 to 20 letters and digits", name);
  memcpy(surge->run, name, size);
  return true;
}

static bool read_credentials(struct surge *surge, struct failure *ret_failure) {
  const struct surge_settings *settings = &surge->settings;
  if (!settings->secret_file == !settings->token_file)
    return failure_set(ret_failure, "give either --secret-file (the server's secret) or --token-file");
  if (settings->token_file)
    return secret_read(settings->token_file, 1, &surge->arena, &surge->token, ret_failure);
  return secret_read(settings->secret_file, JWT_SECRET_BYTES_MIN, &surge->arena, &surge->secret, ret_failure);
}

static bool prepare(struct surge *surge, struct failure *ret_failure) {
  const struct surge_settings *settings = &surge->settings;
  double base = settings->base_rate * settings->scale, peak = settings->peak_rate * settings->scale;
  if (peak <= 0 || base > peak)
    return failure_set(ret_failure, "--peak-rate: must be positive and at least --base-rate");
  if (!choose_run(surge, ret_failure) || !read_credentials(surge, ret_failure)) return false;
  if (!retail_read_file(settings->orders_file, &surge->retail, ret_failure)) return false;
  surge_curve_init(&surge->curve, base, peak, settings->duration_ms, settings->orders);
  surge_plan(surge);
  struct client_settings client = {.url = settings->url,
                                   .connections_max = (size_t)settings->connections,
                                   .timeout_ms = settings->timeout_ms,
                                   .body_bytes_max = ANSWER_BYTES_MAX};
  return client_new(&client, &surge->client, ret_failure);
}

static void release(struct surge *surge) {
  if (surge->client) client_free(surge->client);
  while (surge->first_under_way) surge_request_free(surge->first_under_way);
  retail_release(&surge->retail);
  key_index_release(&surge->customers);
  arena_release(&surge->arena);
  arena_release(&surge->scratch);
  free(surge->actions);
  free(surge->tokens);
  free(surge->retry);
  free(surge->ready);
  free(surge);
}

static int run(struct surge *surge) {
  struct failure failure;
  if (!prepare(surge, &failure)) {
    fprintf(stderr, "spillway surge: %s\n", failure.text);
    return 2;
  }
  bool good = surge_ledger_open(surge, &failure);
  if (good) {
    good = surge_run(surge, &failure);
    bool closed = surge_ledger_close(surge, &failure);
    good = good && closed;
    surge_report(surge, (double)(surge_now_us() - surge->started_us) / 1e6);
  }
  if (!good) fprintf(stderr, "spillway surge: %s\n", failure.text);
  if (surge->interrupted) fprintf(stderr, "spillway surge: interrupted; the ledger holds what was sent\n");
  return good && !surge->interrupted ? 0 : 1;
}

int command_surge(int argument_count, char **arguments) {
  struct surge *surge = calloc(1, sizeof *surge);
  if (!surge) panic("out of memory");
  arena_init(&surge->arena);
  arena_init(&surge->scratch);
  enum options_result read = options_read(&table, argument_count, arguments, &surge->settings, NULL);
  int code = options_exit_code(read);
  if (read == OPTIONS_GOOD) {
    surge->random = (uint64_t)surge->settings.seed;
    code = run(surge);
  }
  release(surge);
  return code;
}
