/* Settings as one table: from it come the flags, the environment variables, --help, the checks and
 * docs/settings.md. A setting "listen" is the flag --listen and the variable SPILLWAY_LISTEN; the
 * flag wins. An empty variable is unset, unless the setting says otherwise. */
#ifndef SETTINGS_OPTIONS_H
#define SETTINGS_OPTIONS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/attributes.h"

enum option_type {
  OPTION_TEXT,     /* const char * */
  OPTION_INTEGER,  /* int64_t */
  OPTION_DECIMAL,  /* double, 0.25 */
  OPTION_DURATION, /* int64_t, milliseconds: 250ms, 5s, 10m, 24h */
  OPTION_SIZE,     /* int64_t, bytes: 256KiB */
  OPTION_FLAG,     /* bool: --name alone, or NAME=1/true/0/false */
  OPTION_NAME,     /* int, index into names */
  OPTION_URL,      /* const char *, http:// or https:// with a host, no credentials, no fragment */
  OPTION_ADDRESS,  /* const char *, address:port or [address]:port, numeric; port 0 means any */
  OPTION_WORDS,    /* const char *, words with one space between; the flag may be given several times */
};

struct option {
  const char *name; /* lower case with dashes */
  enum option_type type;
  size_t offset_bytes;      /* in the settings struct */
  const char *default_text; /* NULL: unset (NULL, 0, false) */
  const char *value_name;   /* for --help: FILE, URL, N … */
  const char *help;         /* one or two sentences */
  int64_t least, most;      /* INTEGER, DECIMAL, DURATION, SIZE, inclusive; both 0: not negative */
  bool required;
  bool refuse_empty;        /* an empty variable is an error rather than unset */
  bool no_variable;         /* a flag only */
  const char *const *names; /* NAME, and which words WORDS allows (NULL: any): ends with NULL */
};

struct option_table {
  const char *command;  /* "serve" */
  const char *synopsis; /* "spillway serve [OPTION]…" */
  const char *summary;  /* what it does: some sentences, for --help */
  const struct option *options;
  size_t count;
  const char *const *operands; /* names of positional arguments, ends with NULL; NULL: none */
  size_t operands_required;
  const char *epilogue; /* further sections, laid out as they shall be printed; may be NULL. Without
                           an "EXIT STATUS" in it, the usual one is added. */
};

enum options_result { OPTIONS_GOOD, OPTIONS_HELP_SHOWN, OPTIONS_BAD };

/* Fills `ret_settings` from defaults, the environment and the arguments after the command's name.
 * On OPTIONS_BAD everything that is wrong has been told on standard error, a line each. `ret_operands`
 * takes as many positional arguments as the table names (NULL for those not given); it may be NULL
 * where the table names none. Texts live as long as the process. */
enum options_result options_read(const struct option_table *table, int argument_count, char **arguments,
                                 void *ret_settings, const char **ret_operands);

/* Of a command that ends where its options were not OPTIONS_GOOD. */
int options_exit_code(enum options_result result);

/* Puts `text` into the setting, checked by the option's type and limits. False: `ret_complaint` says
 * what is wrong with it, as the end of a sentence (`"abc" is not a whole number`). For options_read
 * and its tests. */
MUST_USE bool option_set(const struct option *option, const char *text, void *settings,
                         struct bytes *ret_complaint);

/* The variable's name, SPILLWAY_LISTEN for "listen"; lives as long as the process. */
const char *option_variable(const struct option *option);

/* Prints the table as --help does, and as a Markdown table for docs/settings.md. */
void options_print_help(const struct option_table *table);
void options_print_markdown(const struct option_table *table);

#endif
