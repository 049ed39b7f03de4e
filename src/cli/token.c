/* spillway token: a development token on standard output. */
#include <stdio.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/secret.h"
#include "settings/options.h"
#include "wire/jwt.h"

struct settings {
  const char *secret_file, *customer, *scope, *issuer, *audience;
  int64_t ttl_ms;
};

#define AT(member) offsetof(struct settings, member)
static const struct option options[] = {
    {.name = "secret-file",
     .type = OPTION_TEXT,
     .offset_bytes = AT(secret_file),
     .value_name = "FILE",
     .required = true,
     .help = "The secret that the server checks tokens with (its --jwt-secret-file): at least 32 bytes, one "
             "trailing newline is dropped."},
    {.name = "customer",
     .type = OPTION_TEXT,
     .offset_bytes = AT(customer),
     .value_name = "ID",
     .required = true,
     .no_variable = true,
     .help = "Whom the token speaks for (sub): 1 to 128 characters."},
    {.name = "scope",
     .type = OPTION_WORDS,
     .offset_bytes = AT(scope),
     .value_name = "SCOPE…",
     .no_variable = true,
     .default_text = "orders:read orders:write",
     .help = "What it may do: orders:read, orders:write, orders:wholesale, orders:operate."},
    {.name = "ttl",
     .type = OPTION_DURATION,
     .offset_bytes = AT(ttl_ms),
     .default_text = "1h",
     .no_variable = true,
     .least = 1000,
     .most = INT64_C(366) * 24 * 3600 * 1000,
     .help = "How long it is valid."},
    {.name = "issuer",
     .type = OPTION_TEXT,
     .offset_bytes = AT(issuer),
     .help = "The iss claim.",
     .no_variable = true},
    {.name = "audience",
     .type = OPTION_TEXT,
     .offset_bytes = AT(audience),
     .help = "The aud claim.",
     .no_variable = true},
};

static const struct option_table table = {
    .command = "token",
    .synopsis = "spillway token --secret-file FILE --customer ID [OPTION]…",
    .summary =
        "mints a development token. It is an HS256 JSON Web Token, printed on standard output. In "
        "production tokens come from an identity provider, and the server is given its keys (--jwks).",
    .options = options,
    .count = COUNT_OF(options),
    .epilogue =
        "EXAMPLES\n    openssl rand -hex 32 > secret\n"
        "    curl -H \"Authorization: Bearer $(spillway token --secret-file secret --customer ada)\" \\\n"
        "        http://127.0.0.1:8080/v1/orders\n",
};

static bool check_customer(const char *customer) {
  size_t characters;
  struct bytes text = bytes_of(customer);
  return bytes_count_code_points(text, &characters) && characters >= 1 && characters <= 128 &&
         !bytes_have_control_characters(text);
}

static bool is_utf8(const char *text) {
  size_t characters;
  return !text || bytes_count_code_points(bytes_of(text), &characters);
}

static int mint(const struct settings *settings, struct arena *arena) {
  struct bytes secret;
  struct failure failure;
  if (!secret_read(settings->secret_file, JWT_SECRET_BYTES_MIN, arena, &secret, &failure)) {
    fprintf(stderr, "spillway token: --secret-file: %s\n", failure.text);
    return 2;
  }
  int64_t now_ms = (int64_t)time(NULL) * 1000;
  struct token_claims claims = {
      .customer = bytes_of(settings->customer),
      .scope = bytes_of(settings->scope),
      .issuer = bytes_of(settings->issuer),
      .audience = bytes_of(settings->audience),
      .issued_ms = now_ms,
      .expires_ms = now_ms + settings->ttl_ms,
  };
  struct bytes token = token_mint(secret, &claims, arena);
  printf("%.*s\n", BYTES_PRINTF(token));
  return fflush(stdout) == 0 ? 0 : 1;
}

int command_token(int argument_count, char **arguments) {
  struct settings settings = {0};
  enum options_result read = options_read(&table, argument_count, arguments, &settings, NULL);
  if (read != OPTIONS_GOOD) return options_exit_code(read);
  if (!check_customer(settings.customer)) {
    fprintf(stderr, "spillway token: --customer: 1 to 128 characters of UTF-8, no control characters\n");
    return 2;
  }
  if (!is_utf8(settings.scope) || !is_utf8(settings.issuer) || !is_utf8(settings.audience)) {
    fprintf(stderr, "spillway token: --scope, --issuer and --audience must be UTF-8\n");
    return 2;
  }
  struct arena arena;
  arena_init(&arena);
  int code = mint(&settings, &arena);
  arena_release(&arena);
  return code;
}
