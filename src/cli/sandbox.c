/* spillway sandbox: stand-ins for the three downstream services. */
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/sandbox_server.h"
#include "settings/options.h"

struct settings {
  const char *listen, *ignore_keys, *only;
  int64_t stock, seed, slow_ms, hang_ms, callback_delay_ms, connections;
  struct fault_rates rates;
};

static const char *const service_words[] = {"inventory", "accounting", "fulfilment", NULL};

#define AT(member) offsetof(struct settings, member)
#define RATE(flag, member, text)                                                                     \
  {                                                                                                  \
    .name = (flag), .type = OPTION_DECIMAL, .offset_bytes = AT(rates.member), .least = 0, .most = 1, \
    .default_text = "0", .value_name = "RATE", .no_variable = true, .help = (text)                   \
  }
static const struct option options[] = {
    {.name = "listen",
     .type = OPTION_ADDRESS,
     .offset_bytes = AT(listen),
     .default_text = "127.0.0.1:9090",
     .no_variable = true,
     .help = "Where to listen; port 0 takes any free port and prints it."},
    {.name = "stock",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(stock),
     .default_text = "1000000000",
     .no_variable = true,
     .help = "How many there are of each SKU. A reserve of more is refused: out_of_stock."},
    {.name = "connections",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(connections),
     .default_text = "4096",
     .least = 1,
     .most = 100000,
     .no_variable = true,
     .help = "Connections held at once; more wait to be accepted."},
    {.name = "seed",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(seed),
     .default_text = "1",
     .no_variable = true,
     .help = "Of the faults: the same seed and order of calls give the same faults."},
    RATE("fail-rate", fail, "Answers 503 with nothing applied; every other one with Retry-After."),
    RATE("timeout-rate", timeout,
         "Never answers: closes the connection after --timeout-for; half of these are applied."),
    {.name = "timeout-for",
     .type = OPTION_DURATION,
     .offset_bytes = AT(hang_ms),
     .default_text = "60s",
     .no_variable = true,
     .help = "How long such a connection is held."},
    RATE("slow-rate", slow, "Answers late, by --slow-for."),
    {.name = "slow-for",
     .type = OPTION_DURATION,
     .offset_bytes = AT(slow_ms),
     .default_text = "2s",
     .no_variable = true,
     .help = "How late a slow answer is."},
    RATE("lost-rate", lost, "Applies, then closes the connection without an answer."),
    RATE("pending-rate", pending,
         "Answers 202 and tells the outcome at Callback-URL later, again until it is 2xx or 4xx, now and then "
         "twice."),
    {.name = "callback-delay",
     .type = OPTION_DURATION,
     .offset_bytes = AT(callback_delay_ms),
     .default_text = "500ms",
     .no_variable = true,
     .help = "How much later."},
    RATE("refuse-rate", refuse, "Refuses with 409 declined, the first time a key comes; never an undo."),
    {.name = "only",
     .type = OPTION_WORDS,
     .offset_bytes = AT(only),
     .names = service_words,
     .value_name = "SERVICE…",
     .no_variable = true,
     .help = "Only these services have faults. All have them otherwise."},
    {.name = "ignore-keys",
     .type = OPTION_WORDS,
     .offset_bytes = AT(ignore_keys),
     .names = service_words,
     .value_name = "SERVICE…",
     .no_variable = true,
     .help = "These services do not honour Idempotency-Key and apply every attempt."},
};

static const struct option_table table = {
    .command = "sandbox",
    .synopsis = "spillway sandbox [OPTION]…",
    .summary =
        "stands in for inventory, accounting and fulfilment. All three are in one process, with finite stock, "
        "honouring keys, and with faults on request. A key that comes again gets its first answer again, "
        "whatever body comes with it. What was applied is kept in memory until the process ends.\n"
        "Routes: POST /inventory/reserve, /inventory/release, /accounting/record, /accounting/refund, "
        "/fulfilment/ship, /fulfilment/recall; GET /{service}/commands/{key}; GET /ledger, one JSON line for "
        "each "
        "applied effect; GET /healthz; POST /faults, new rates at once: {\"fail\": 0.5, \"services\": "
        "[\"accounting\"]}, each of fail, timeout, slow, lost, pending, refuse from 0 to 1.",
    .options = options,
    .count = COUNT_OF(options),
    .epilogue =
        "EXAMPLES\n    spillway sandbox --stock 100000 --fail-rate 0.05 --lost-rate 0.02 --pending-rate 0.1\n"
        "    spillway serve --inventory-url http://127.0.0.1:9090/inventory \\\n"
        "        --accounting-url http://127.0.0.1:9090/accounting \\\n"
        "        --fulfilment-url http://127.0.0.1:9090/fulfilment …\n"
        "    curl http://127.0.0.1:9090/ledger\n",
};

static unsigned service_bits(const char *words) {
  unsigned bits = 0;
  struct bytes rest = bytes_of(words), word;
  while (bytes_next_part(&rest, ' ', &word))
    for (unsigned i = 0; service_words[i]; i++)
      if (bytes_equal_string(word, service_words[i])) bits |= 1U << i;
  return bits;
}

/* SIGTERM and SIGINT arrive as something to read; blocked before any thread starts. */
static int stop_descriptor_open(void) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(const struct settings *settings) {
  unsigned only = service_bits(settings->only);
  struct sandbox sandbox = {
      .settings = {.listen = settings->listen,
                   .connections_max = settings->connections,
                   .slow_ms = settings->slow_ms,
                   .hang_ms = settings->hang_ms,
                   .callback_delay_ms = settings->callback_delay_ms,
                   .ignoring = service_bits(settings->ignore_keys)},
      .faults = {.rates = settings->rates,
                 .services = only ? only : (1U << SERVICE_COUNT) - 1,
                 .state = (uint64_t)settings->seed},
  };
  struct failure failure;
  int stop = stop_descriptor_open();
  raise_descriptor_limit();
  bool good = callbacks_start(&sandbox.callbacks, &failure);
  if (good) {
    sandbox.core = sandbox_core_new(settings->stock, sandbox.settings.ignoring);
    arena_init(&sandbox.scratch);
    good = sandbox_serve(&sandbox, stop, &failure);
    callbacks_stop(sandbox.callbacks);
    sandbox_core_free(sandbox.core);
    arena_release(&sandbox.scratch);
  }
  close(stop);
  if (!good) fprintf(stderr, "spillway sandbox: %s\n", failure.text);
  return good ? 0 : 2;
}

int command_sandbox(int argument_count, char **arguments) {
  struct settings settings = {0};
  enum options_result read = options_read(&table, argument_count, arguments, &settings, NULL);
  if (read != OPTIONS_GOOD) return options_exit_code(read);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  int code = run(&settings);
  curl_global_cleanup();
  return code;
}
