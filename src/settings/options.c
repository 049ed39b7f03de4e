/* Settings from defaults, environment and flags; everything wrong is told at once. */
#include "settings/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"

enum { OPTIONS_MAX = 128, OPERANDS_MAX = 8, SIMILAR_DISTANCE = 2, NAME_BYTES_MAX = 48 };

struct reader {
  const struct option_table *table;
  void *settings;
  bool given[OPTIONS_MAX]; /* by a flag or a variable */
  const char *operands[OPERANDS_MAX];
  size_t operand_count;
  size_t complaints;
};

__attribute__((format(printf, 2, 3))) static void complain(struct reader *reader, const char *format, ...) {
  va_list values;
  va_start(values, format);
  fprintf(stderr, "spillway %s: ", reader->table->command);
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
  va_end(values);
  reader->complaints++;
}

static const struct option *find(const struct reader *reader, struct bytes name) {
  for (size_t i = 0; i < reader->table->count; i++)
    if (bytes_equal_string(name, reader->table->options[i].name)) return &reader->table->options[i];
  return NULL;
}

/* Levenshtein's distance, for "did you mean"; names longer than the buffer are far from everything. */
static size_t distance(struct bytes a, const char *b) {
  size_t rows[2][NAME_BYTES_MAX + 1], width = strlen(b);
  if (width > NAME_BYTES_MAX || a.size > NAME_BYTES_MAX) return SIZE_MAX;
  for (size_t j = 0; j <= width; j++) rows[0][j] = j;
  for (size_t i = 1; i <= a.size; i++) {
    size_t *above = rows[(i - 1) % 2], *row = rows[i % 2];
    row[0] = i;
    for (size_t j = 1; j <= width; j++) {
      size_t best = above[j - 1] + (a.data[i - 1] != b[j - 1]);
      if (above[j] + 1 < best) best = above[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      row[j] = best;
    }
  }
  return rows[a.size % 2][width];
}

static void complain_unknown(struct reader *reader, struct bytes name) {
  const struct option *nearest = NULL;
  size_t least = SIMILAR_DISTANCE + 1;
  for (size_t i = 0; i < reader->table->count; i++) {
    const char *known = reader->table->options[i].name;
    size_t far = distance(name, known);
    if (name.size >= 3 && bytes_starts_with(bytes_of(known), name)) far = 1; /* cut short: --cust */
    if (far >= least) continue;
    least = far;
    nearest = &reader->table->options[i];
  }
  if (nearest)
    complain(reader, "--%.*s: no such option; did you mean --%s?", BYTES_PRINTF(name), nearest->name);
  else
    complain(reader, "--%.*s: no such option; see spillway %s --help", BYTES_PRINTF(name),
             reader->table->command);
}

static void set(struct reader *reader, const struct option *option, const char *text, const char *prefix,
                const char *source) {
  struct bytes complaint;
  reader->given[option - reader->table->options] = true;
  if (!option_set(option, text, reader->settings, &complaint))
    complain(reader, "%s%s: %.*s", prefix, source, BYTES_PRINTF(complaint));
}

/* Reads the flag at `arguments[at]` and gives the place after it and its value. */
static int read_flag(struct reader *reader, int count, char **arguments, int at) {
  struct bytes flag = bytes_of(arguments[at] + 2);
  size_t equals = bytes_find(flag, '=', 0);
  struct bytes name = bytes_slice(flag, 0, equals);
  const char *value = equals < flag.size ? flag.data + equals + 1 : NULL;
  const struct option *option = find(reader, name);
  if (!option) {
    complain_unknown(reader, name);
    /* What follows an unknown flag is most likely its value: one mistake, one line. */
    bool takes_next = !value && at + 1 < count && arguments[at + 1][0] != '-';
    return at + (takes_next ? 2 : 1);
  }
  if (option->type == OPTION_FLAG && !value) value = "true";
  if (!value && ++at == count) {
    complain(reader, "--%s: needs a value (%s)", option->name,
             option->value_name ? option->value_name : "VALUE");
    reader->given[option - reader->table->options] = true;
    return at;
  }
  set(reader, option, value ? value : arguments[at], "--", option->name);
  return at + 1;
}

static void add_operand(struct reader *reader, const char *operand) {
  size_t room = 0;
  while (reader->table->operands && reader->table->operands[room]) room++;
  if (reader->operand_count < room && room <= OPERANDS_MAX)
    reader->operands[reader->operand_count++] = operand;
  else
    complain(reader, "\"%s\": one argument too many; see spillway %s --help", operand, reader->table->command);
}

/* False where help was asked for. */
static bool read_arguments(struct reader *reader, int count, char **arguments) {
  bool only_operands = false;
  for (int at = 0; at < count;) {
    const char *argument = arguments[at];
    if (only_operands || argument[0] != '-' || argument[1] == '\0') {
      add_operand(reader, argument);
      at++;
    } else if (strcmp(argument, "--") == 0) {
      only_operands = true;
      at++;
    } else if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
      return false;
    } else if (argument[1] != '-') {
      complain(reader, "%s: no such option; options begin with two dashes", argument);
      at++;
    } else {
      at = read_flag(reader, count, arguments, at);
    }
  }
  return true;
}

static void read_variable(struct reader *reader, const struct option *option) {
  const char *variable = option_variable(option);
  const char *value = option->no_variable ? NULL : getenv(variable);
  if (!value) return;
  if (*value != '\0') {
    set(reader, option, value, "", variable);
  } else if (option->refuse_empty) {
    complain(reader, "%s: is set but empty; unset it or give it a value", variable);
    reader->given[option - reader->table->options] = true;
  }
}

/* What no flag gave: the variable, else the default, else it had better not be required. */
static void fill_rest(struct reader *reader) {
  for (size_t i = 0; i < reader->table->count; i++) {
    const struct option *option = &reader->table->options[i];
    if (!reader->given[i]) read_variable(reader, option);
    if (reader->given[i]) continue;
    struct bytes complaint;
    if (option->default_text) ensure(option_set(option, option->default_text, reader->settings, &complaint));
    if (!option->required) continue;
    if (option->no_variable)
      complain(reader, "--%s: is required", option->name);
    else
      complain(reader, "--%s (or %s): is required", option->name, option_variable(option));
  }
  for (size_t i = reader->operand_count; i < reader->table->operands_required; i++)
    complain(reader, "%s: is required; see spillway %s --help", reader->table->operands[i],
             reader->table->command);
}

enum options_result options_read(const struct option_table *table, int argument_count, char **arguments,
                                 void *ret_settings, const char **ret_operands) {
  struct reader reader = {.table = table, .settings = ret_settings};
  ensure(table->count <= OPTIONS_MAX);
  if (!read_arguments(&reader, argument_count, arguments)) {
    options_print_help(table);
    return OPTIONS_HELP_SHOWN;
  }
  fill_rest(&reader);
  for (size_t i = 0; table->operands && table->operands[i]; i++) ret_operands[i] = reader.operands[i];
  return reader.complaints ? OPTIONS_BAD : OPTIONS_GOOD;
}

int options_exit_code(enum options_result result) { return result == OPTIONS_BAD ? 2 : 0; }
