/* spillway serve: puts the order backend together on one machine, and takes it apart again. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/secret.h"
#include "cli/serve_keys.h"
#include "cli/serve_secret.h"
#include "cli/serve_settings.h"
#include "cli/tls_files.h"
#include "gateway/config.h"
#include "gateway/openapi.h"
#include "gateway/tell.h"
#include "platform/local/http_server.h"
#include "platform/local/metrics.h"
#include "platform/local/runner.h"
#include "platform/local/store_sqlite.h"
#include "platform/local/telemetry_prometheus.h"
#include "platform/net/system.h"

enum { STOP_REQUESTS_MS = 4000, STOP_CALLS_MS = 3000 };

struct server {
  struct serve_settings settings;
  struct arena arena; /* secrets and texts, for as long as it runs */
  struct telemetry *telemetry;
  struct store_sqlite *store;
  struct function_context functions;
  struct serve_keys *secret_keys, *jwks_keys, *receipt_keys;
  struct gateway *gateway, *admin_gateway;
  struct http_server *http, *admin_http;
  struct runner *runner;
  struct metrics_sources metrics;
};

static void end_at_once(void *context, const char *text) {
  (void)context;
  log_event(LOG_ERROR, "store_failed", LOG_STRING("detail", text));
  _exit(1);
}

/* --- what follows from commits --- */

static void on_committed(void *context, const struct decision *const *decisions, size_t count) {
  struct server *server = context;
  struct bytes final[64];
  size_t final_count = 0;
  for (size_t i = 0; i < count; i++) {
    const struct decision *decision = decisions[i];
    if (!tell_commit(server->telemetry, decision)) continue;
    if (!order_status_is_final(decision->next.status)) continue;
    final[final_count++] = decision->next.id;
    if (final_count < COUNT_OF(final)) continue;
    http_server_order_final(server->http, final, final_count);
    final_count = 0;
  }
  if (final_count > 0) http_server_order_final(server->http, final, final_count);
}

static void on_message(void *context) { runner_wake(((struct server *)context)->runner); }

static void write_metrics(void *platform, struct text *text) {
  metrics_write(&((struct server *)platform)->metrics, text);
}

/* --- putting together --- */

static bool open_store(struct server *server, struct failure *ret_failure) {
  const struct store_sqlite_options options = {
      .data_folder = server->settings.data, .telemetry = server->telemetry, .on_fatal = end_at_once};
  struct store_sqlite_statistics statistics;
  if (!store_sqlite_open(&options, &server->store, ret_failure)) return false;
  store_sqlite_statistics(server->store, &statistics);
  int64_t orders = 0;
  for (size_t i = 0; i < ORDER_STATUS_COUNT; i++) orders += statistics.orders[i];
  return id_secret_load(server->settings.id_secret_file, server->settings.data, orders == 0, &server->arena,
                        &server->functions.id_secret, ret_failure);
}

static void set_functions(struct server *server) {
  struct function_context *functions = &server->functions;
  functions->store = store_sqlite_store(server->store);
  functions->clock = system_clock();
  functions->entropy = system_entropy();
  functions->telemetry = server->telemetry;
  functions->retry_first_ms = server->settings.retry_first_ms;
  functions->retry_max_ms = server->settings.retry_max_ms;
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    functions->rules.idempotency[i] = (enum idempotency)server->settings.services[i].idempotency;
    functions->rules.deadline_ms[i] = server->settings.services[i].deadline_ms;
  }
  server->metrics = (struct metrics_sources){
      .telemetry = server->telemetry, .store = server->store, .clock = functions->clock};
}

static bool load_keys(struct server *server, struct failure *ret_failure) {
  const struct serve_settings *settings = &server->settings;
  return (!settings->jwt_secret_file ||
          serve_keys_from_secret_file(settings->jwt_secret_file, &server->secret_keys, ret_failure)) &&
         (!settings->jwks || serve_keys_from_jwks(settings->jwks, &server->jwks_keys, ret_failure)) &&
         (!settings->receipt_jwks ||
          serve_keys_from_jwks(settings->receipt_jwks, &server->receipt_keys, ret_failure));
}

static const char *unready(void *platform) {
  const struct server *server = platform;
  if (server->jwks_keys && !serve_keys_ready(server->jwks_keys))
    return "the keys of access tokens have not been fetched";
  if (server->receipt_keys && !serve_keys_ready(server->receipt_keys))
    return "the keys of receipts have not been fetched";
  return NULL;
}

static bool make_gateways(struct server *server, struct failure *ret_failure) {
  const struct serve_settings *settings = &server->settings;
  struct gateway_config config = {
      .functions = &server->functions,
      .token_policy = {.issuer = bytes_of(settings->jwt_issuer), .audience = bytes_of(settings->jwt_audience)},
      .customer_rate = settings->customer_rate,
      .customer_burst = settings->customer_burst,
      .cors_origins = bytes_of(settings->cors_origins),
      .openapi = openapi_document,
      .serves_api = true,
      .serves_admin = settings->admin_listen == NULL,
      .platform = server,
      .write_metrics = write_metrics,
      .unready = unready,
  };
  if (!load_keys(server, ret_failure)) return false;
  if (server->secret_keys)
    config.token_keys[config.token_keys_count++] = serve_keys_for_gateway(server->secret_keys);
  if (server->jwks_keys)
    config.token_keys[config.token_keys_count++] = serve_keys_for_gateway(server->jwks_keys);
  if (server->receipt_keys) config.receipt_keys = serve_keys_for_gateway(server->receipt_keys);
  server->gateway = gateway_make(&config);
  if (!settings->admin_listen) return true;
  config.serves_api = false;
  config.serves_admin = true;
  server->admin_gateway = gateway_make(&config);
  return true;
}

static bool read_pem(struct server *server, const char *path, struct bytes *ret_pem,
                     struct failure *ret_failure) {
  return !path || secret_read(path, 1, &server->arena, ret_pem, ret_failure);
}

static const char *scheme_of(const struct serve_settings *settings) {
  return settings->tls_certificate_file ? "https" : "http";
}

static bool start_http(struct server *server, struct failure *ret_failure) {
  const struct serve_settings *settings = &server->settings;
  struct http_server_settings http;
  http_server_settings_init(&http);
  http.address = settings->listen;
  http.workers = (size_t)settings->workers;
  http.connections_max = (size_t)settings->connections;
  http.waiting_max = (size_t)settings->waiting;
  http.header_timeout_ms = settings->header_timeout_ms;
  http.body_timeout_ms = settings->body_timeout_ms;
  http.idle_timeout_ms = settings->idle_timeout_ms;
  if (!read_pem(server, settings->tls_certificate_file, &http.certificate_pem, ret_failure) ||
      !read_pem(server, settings->tls_key_file, &http.key_pem, ret_failure) ||
      (settings->tls_key_file && !tls_files_check(settings->tls_certificate_file, http.certificate_pem,
                                                  settings->tls_key_file, http.key_pem, ret_failure)) ||
      !http_server_start(&http, server->gateway, &server->http, ret_failure))
    return false;
  server->functions.public_url =
      settings->public_url
          ? bytes_of(settings->public_url)
          : arena_printf(&server->arena, "%s://%s", scheme_of(settings), http_server_address(server->http));
  if (!settings->admin_listen) return true;
  http_server_settings_init(&http);
  http.address = settings->admin_listen;
  http.workers = 1;
  http.connections_max = 100;
  return http_server_start(&http, server->admin_gateway, &server->admin_http, ret_failure);
}

static bool start_runner(struct server *server, struct failure *ret_failure) {
  struct runner_options options = {.functions = &server->functions, .queue = store_sqlite_queue(server->store)};
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    const struct service_settings *service = &server->settings.services[i];
    options.limits[i].concurrency = service->concurrency;
    options.limits[i].rate = service->rate;
    options.services.services[i].url = service->url;
    options.services.services[i].timeout_ms = service->timeout_ms;
    options.services.services[i].connections_max = service->concurrency;
    options.services.services[i].resend_is_harmful = service->idempotency != IDEMPOTENCY_KEY;
    if (service->token_file &&
        !secret_read(service->token_file, 1, &server->arena, &options.services.services[i].token, ret_failure))
      return false;
  }
  if (!runner_start(&options, &server->runner, ret_failure)) return false;
  server->metrics.runner = server->runner;
  const struct store_sqlite_observer observer = {
      .on_committed = on_committed, .on_message = on_message, .context = server};
  store_sqlite_observe(server->store, &observer);
  runner_wake(server->runner);
  return true;
}

/* Only once all of it runs: who reads this may rely on it. */
static void announce(const struct server *server) {
  const struct serve_settings *settings = &server->settings;
  const char *scheme = scheme_of(settings), *address = http_server_address(server->http);
  log_event(LOG_INFO, "listening", LOG_STRING("address", address), LOG_STRING("scheme", scheme),
            LOG_STRING("version", SPILLWAY_VERSION), LOG_STRING("data", settings->data));
  printf("spillway: listening on %s://%s\n", scheme, address);
  if (server->admin_http) {
    const char *admin_address = http_server_address(server->admin_http);
    log_event(LOG_INFO, "admin_listening", LOG_STRING("address", admin_address));
    printf("spillway: admin on http://%s\n", admin_address);
  }
  fflush(stdout);
}

static bool start(struct server *server, struct failure *ret_failure) {
  server->telemetry = telemetry_prometheus_make();
  if (!open_store(server, ret_failure)) return false;
  set_functions(server);
  if (!make_gateways(server, ret_failure) || !start_http(server, ret_failure) ||
      !start_runner(server, ret_failure))
    return false;
  announce(server);
  return true;
}

static void stop(struct server *server) {
  const struct store_sqlite_observer nobody = {.context = NULL};
  if (server->http) http_server_stop(server->http, STOP_REQUESTS_MS);
  if (server->admin_http) http_server_stop(server->admin_http, 0);
  if (server->store) store_sqlite_observe(server->store, &nobody);
  if (server->runner) runner_stop(server->runner, STOP_CALLS_MS);
  if (server->http) http_server_free(server->http);
  if (server->admin_http) http_server_free(server->admin_http);
  store_sqlite_close(server->store);
  if (server->gateway) gateway_free(server->gateway);
  if (server->admin_gateway) gateway_free(server->admin_gateway);
  serve_keys_free(server->secret_keys);
  serve_keys_free(server->jwks_keys);
  serve_keys_free(server->receipt_keys);
  telemetry_prometheus_free(server->telemetry);
  arena_release(&server->arena);
}

/* The signals that stop it are blocked in every thread and waited for here. */
static void wait_for_signal(const sigset_t *signals) {
  int signal_number = 0;
  while (sigwait(signals, &signal_number) != 0) continue;
  log_event(LOG_INFO, "stopping", LOG_STRING("signal", signal_number == SIGINT ? "SIGINT" : "SIGTERM"));
}

int command_serve(int argument_count, char **arguments) {
  struct server server = {.http = NULL};
  struct failure failure;
  sigset_t signals;
  enum options_result read = serve_settings_read(argument_count, arguments, &server.settings);
  if (read != OPTIONS_GOOD) return options_exit_code(read);
  log_set_level((enum log_level)server.settings.log_level);
  signal(SIGXFSZ, SIG_IGN); /* a file size limit is then an error like a full disk */
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  arena_init(&server.arena);
  bool started = start(&server, &failure);
  if (started)
    wait_for_signal(&signals);
  else
    fprintf(stderr, "spillway serve: %s\n", failure.text);
  stop(&server);
  if (started) log_event(LOG_INFO, "stopped", LOG_STRING("data", server.settings.data));
  return started ? 0 : 1;
}
