/* The table of settings as a page for people: --help, and a part of docs/settings.md. */
#include <stdio.h>

#include "base/text.h"
#include "settings/options.h"

enum { PAGE_COLUMNS = 80 };

/* Prints words between `indent` and the edge of the page; line feeds in the text stay. */
static void print_wrapped(struct bytes text, size_t indent) {
  struct bytes lines = text, line, word;
  while (bytes_next_part(&lines, '\n', &line)) {
    size_t column = 0;
    while (bytes_next_part(&line, ' ', &word)) {
      if (word.size == 0) continue;
      if (column && column + 1 + word.size > PAGE_COLUMNS) {
        putchar('\n');
        column = 0;
      }
      if (column)
        column += (size_t)printf(" %.*s", BYTES_PRINTF(word));
      else
        column = (size_t)printf("%*s%.*s", (int)indent, "", BYTES_PRINTF(word));
    }
    putchar('\n');
  }
}

/* The position after the first sentence: a full stop followed by a space, a line feed or the end. */
static size_t first_sentence(struct bytes text) {
  for (size_t i = 0; i < text.size; i++)
    if (text.data[i] == '.' && (i + 1 == text.size || text.data[i + 1] == ' ' || text.data[i + 1] == '\n'))
      return i + 1;
  return text.size;
}

static const char *value_name(const struct option *option) {
  if (option->value_name) return option->value_name;
  switch (option->type) {
    case OPTION_INTEGER:
      return "N";
    case OPTION_DECIMAL:
      return "NUMBER";
    case OPTION_DURATION:
      return "DURATION";
    case OPTION_SIZE:
      return "SIZE";
    case OPTION_URL:
      return "URL";
    case OPTION_ADDRESS:
      return "ADDRESS:PORT";
    case OPTION_NAME:
      return "NAME";
    case OPTION_WORDS:
      return "WORD…";
    case OPTION_TEXT:
    case OPTION_FLAG:
      break;
  }
  return "TEXT";
}

/* What may be given, where the value's name alone does not say it: "one of a, b", "1 to 200". */
static void append_values(struct text *text, const struct option *option) {
  if (option->names) {
    text_append_string(text, option->type == OPTION_WORDS ? "Any of " : "One of ");
    for (int i = 0; option->names[i]; i++) text_printf(text, "%s%s", i ? ", " : "", option->names[i]);
    text_append_string(text, ". ");
  }
  bool limited = option->least || option->most;
  if (limited && option->type != OPTION_DURATION && option->type != OPTION_SIZE && option->most != INT64_MAX)
    text_printf(text, "From %lld to %lld. ", (long long)option->least, (long long)option->most);
  if (option->type == OPTION_WORDS) text_append_string(text, "May be given several times. ");
}

static void print_option(const struct option *option) {
  struct arena arena;
  struct text text;
  arena_init(&arena);
  text_init(&text, &arena);
  printf("    --%s", option->name);
  if (option->type != OPTION_FLAG) printf(" %s", value_name(option));
  putchar('\n');
  if (option->help) text_printf(&text, "%s ", option->help);
  append_values(&text, option);
  if (option->required)
    text_append_string(&text, "Required. ");
  else if (option->default_text)
    text_printf(&text, "Default: %s. ", option->default_text);
  print_wrapped(text_view(&text), 8);
  if (!option->no_variable) printf("        Variable: %s\n", option_variable(option));
  putchar('\n');
  arena_release(&arena);
}

void options_print_help(const struct option_table *table) {
  struct bytes summary = bytes_of(table->summary);
  size_t sentence = first_sentence(summary);
  printf("NAME\n    spillway %s - %.*s\n\n", table->command, BYTES_PRINTF(bytes_slice(summary, 0, sentence)));
  printf("SYNOPSIS\n    %s\n\n", table->synopsis);
  struct bytes description = bytes_trim(bytes_slice(summary, sentence, summary.size));
  if (description.size) {
    printf("DESCRIPTION\n");
    print_wrapped(description, 4);
    putchar('\n');
  }
  if (table->count) printf("OPTIONS\n");
  for (size_t i = 0; i < table->count; i++) print_option(&table->options[i]);
  if (table->epilogue) printf("%s\n", table->epilogue);
  if (!table->epilogue || !strstr(table->epilogue, "EXIT STATUS"))
    printf("EXIT STATUS\n    0 good, 1 it ran and the answer is bad, 2 used wrongly.\n");
}

/* A cell of a Markdown table must not hold a bar. */
static void print_cell(struct bytes text) {
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] == '|') putchar('\\');
    putchar(text.data[i] == '\n' ? ' ' : text.data[i]);
  }
}

void options_print_markdown(const struct option_table *table) {
  printf("| Variable | Flag | Meaning | Default |\n|---|---|---|---|\n");
  for (size_t i = 0; i < table->count; i++) {
    const struct option *option = &table->options[i];
    struct arena arena;
    struct text text;
    arena_init(&arena);
    text_init(&text, &arena);
    if (option->help) text_printf(&text, "%s ", option->help);
    append_values(&text, option);
    printf("| %s | `--%s%s%s` | ", option->no_variable ? "" : option_variable(option), option->name,
           option->type == OPTION_FLAG ? "" : " ", option->type == OPTION_FLAG ? "" : value_name(option));
    print_cell(bytes_trim(text_view(&text)));
    printf(" | %s |\n", option->required ? "required" : option->default_text ? option->default_text : "");
    arena_release(&arena);
  }
}
