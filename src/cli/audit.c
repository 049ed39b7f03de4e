#include "cli/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/audit_fetch.h"
#include "cli/client_options.h"
#include "cli/commands.h"
#include "cli/operator_token.h"

struct settings {
  const char *ledger, *url, *sandbox_url, *token_file, *secret_file, *issuer, *audience;
  int64_t wait_ms, patience_ms;
};

static const int64_t ledger_bytes_max = INT64_C(16) * 1024 * 1024 * 1024;

#define AT(member) offsetof(struct settings, member)
static const struct option options[] = {
    {.name = "ledger",
     .type = OPTION_TEXT,
     .offset_bytes = AT(ledger),
     .value_name = "FILE",
     .required = true,
     .no_variable = true,
     .help = "What spillway surge wrote."},
    OPTION_SERVER_URL(AT(url), "The server; http:// only."),
    {.name = "sandbox-url",
     .type = OPTION_URL,
     .offset_bytes = AT(sandbox_url),
     .default_text = "http://127.0.0.1:9090",
     .help = "The sandbox whose /ledger tells what was applied."},
    OPTION_SECRET_FILE(AT(secret_file), "The server's JWT secret: an operator token is minted with it."),
    OPTION_TOKEN_FILE(AT(token_file), "A token with the scope orders:operate, instead."),
    OPTION_TOKEN_ISSUER(AT(issuer), "a minted token"),
    OPTION_TOKEN_AUDIENCE(AT(audience), "a minted token"),
    {.name = "wait",
     .type = OPTION_DURATION,
     .offset_bytes = AT(wait_ms),
     .default_text = "60s",
     .no_variable = true,
     .help = "The quiet period: how long to wait for orders that are not final. It ends as soon as all are."},
    {.name = "patience",
     .type = OPTION_DURATION,
     .offset_bytes = AT(patience_ms),
     .default_text = "60s",
     .no_variable = true,
     .help = "How long to ask again where the server gives no answer, 429 or 5xx."},
};

static const struct option_table table = {
    .command = "audit",
    .synopsis = "spillway audit --ledger FILE --secret-file FILE [OPTION]…",
    .summary =
        "holds a surge's ledger against the server and the sandbox. It reads every order attempted and every "
        "order "
        "stored since the ledger began, compares them, and compares them with every effect the services "
        "applied.\n"
        "lost: acknowledged, but not in the store or with other content. duplicated: an effect applied twice, "
        "or two "
        "orders for one key or payment. half-finished: not final after the quiet period and not in attention, "
        "or "
        "final with effects that do not match. foreign: stored but never attempted, or stored though refused.",
    .options = options,
    .count = COUNT_OF(options),
    .epilogue =
        "EXAMPLES\n    spillway audit --ledger surge.jsonl --secret-file secret --wait 2m\n\n"
        "EXIT STATUS\n    0 the last four columns are zero, 1 they are not, 2 used wrongly or it could not "
        "ask.\n",
};

/* The last line may be cut off where the surge was killed; any other must be whole. */
static bool take_ledger(struct audit_world *world, struct bytes content, struct failure *ret_failure) {
  size_t number = 0;
  struct bytes line;
  for (struct bytes rest = content; bytes_next_part(&rest, '\n', &line);) {
    number++;
    bool last = rest.size == 0;
    if (line.size && !audit_take_line(world, line) && !last)
      return failure_set(ret_failure, "line %zu of the ledger is none that spillway surge writes", number);
  }
  if (world->started_ms == INT64_MAX) return failure_set(ret_failure, "the ledger has no run in it");
  return true;
}

/* Maps the file; it stays mapped, for the bodies point into it. */
static bool read_ledger(const char *path, struct audit_world *world, struct failure *ret_failure) {
  struct stat about;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || fstat(file, &about) != 0) {
    if (file >= 0) close(file);
    return failure_set(ret_failure, "cannot open the ledger %s: %s", path, strerror(errno));
  }
  void *content = MAP_FAILED;
  if (about.st_size > 0 && about.st_size <= ledger_bytes_max)
    content = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (content == MAP_FAILED) return failure_set(ret_failure, "cannot read the ledger %s (is it empty?)", path);
  return take_ledger(world, bytes_from(content, (size_t)about.st_size), ret_failure);
}

static bool ask_server(const struct settings *settings, struct bytes token, struct audit_world *world,
                       struct failure *ret_failure) {
  struct client_settings client = {
      .url = settings->url, .connections_max = 64, .timeout_ms = 30000, .body_bytes_max = 64 * 1024 * 1024};
  struct audit_fetch fetch = {.token = token, .world = world, .patience_ms = settings->patience_ms};
  if (!client_new(&client, &fetch.client, ret_failure)) return false;
  bool good = audit_wait(&fetch, settings->wait_ms, ret_failure) && audit_fetch_ids(&fetch, ret_failure) &&
              audit_fetch_orders(&fetch, ret_failure);
  client_free(fetch.client);
  return good;
}

static bool ask_sandbox(const struct settings *settings, struct audit_world *world,
                        struct failure *ret_failure) {
  struct client_settings client = {
      .url = settings->sandbox_url, .connections_max = 1, .timeout_ms = 300000, .body_bytes_max = SIZE_MAX / 4};
  struct audit_fetch fetch = {.world = world, .patience_ms = settings->patience_ms};
  if (!client_new(&client, &fetch.client, ret_failure)) return false;
  bool good = audit_fetch_effects(&fetch, ret_failure);
  client_free(fetch.client);
  return good;
}

static int run(const struct settings *settings, struct audit_world *world) {
  struct failure failure;
  struct bytes token;
  bool good = operator_token(settings->token_file, settings->secret_file, settings->issuer, settings->audience,
                             &world->arena, &token, &failure) &&
              read_ledger(settings->ledger, world, &failure) && ask_server(settings, token, world, &failure) &&
              ask_sandbox(settings, world, &failure);
  if (!good) {
    fprintf(stderr, "spillway audit: %s\n", failure.text);
    return 2;
  }
  struct audit_verdict verdict;
  audit_judge(world, &verdict);
  audit_print(&verdict);
  return audit_is_clean(&verdict) ? 0 : 1;
}

int command_audit(int argument_count, char **arguments) {
  struct settings settings = {0};
  enum options_result read = options_read(&table, argument_count, arguments, &settings, NULL);
  if (read != OPTIONS_GOOD) return options_exit_code(read);
  struct audit_world world;
  audit_world_init(&world);
  int code = run(&settings, &world);
  audit_world_release(&world);
  return code;
}
