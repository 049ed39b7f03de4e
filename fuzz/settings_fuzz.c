/* Settings (settings/options.h): the input is the text of one setting of every type. What is accepted is within
 * its limits; what is refused leaves the setting as it was and says why. */
#include <math.h>

#include "fuzz.h"
#include "settings/address.h"
/* Its texts live as long as the process; here they are given back after each input. */
#include "settings/options_value.c"

struct settings {
  const char *text, *url, *address, *words, *free_words;
  int64_t integer, small, duration, size;
  double decimal;
  bool flag;
  int name;
};

static const char *const names[] = {"key", "lookup", "none", NULL};
#define AT(member) offsetof(struct settings, member)
static const struct option options[] = {
    {.name = "text", .type = OPTION_TEXT, .offset_bytes = AT(text)},
    {.name = "url", .type = OPTION_URL, .offset_bytes = AT(url)},
    {.name = "address", .type = OPTION_ADDRESS, .offset_bytes = AT(address)},
    {.name = "words", .type = OPTION_WORDS, .offset_bytes = AT(words), .names = names},
    {.name = "free-words", .type = OPTION_WORDS, .offset_bytes = AT(free_words)},
    {.name = "integer", .type = OPTION_INTEGER, .offset_bytes = AT(integer)},
    {.name = "small", .type = OPTION_INTEGER, .offset_bytes = AT(small), .least = -5, .most = 9},
    {.name = "duration", .type = OPTION_DURATION, .offset_bytes = AT(duration), .least = 1, .most = 86400000},
    {.name = "size", .type = OPTION_SIZE, .offset_bytes = AT(size), .least = 1, .most = INT64_MAX},
    {.name = "decimal", .type = OPTION_DECIMAL, .offset_bytes = AT(decimal), .least = 0, .most = 1},
    {.name = "flag", .type = OPTION_FLAG, .offset_bytes = AT(flag)},
    {.name = "name", .type = OPTION_NAME, .offset_bytes = AT(name), .names = names},
};

static void check_url(const char *url) {
  struct bytes text = bytes_of(url);
  size_t colon = bytes_find(text, ':', 0);
  struct bytes scheme = bytes_slice(text, 0, colon);
  ensure(bytes_equal_string(scheme, "http") || bytes_equal_string(scheme, "https"));
  for (size_t i = 0; i < text.size; i++) ensure(text.data[i] > ' ' && text.data[i] <= '~');
  size_t end = bytes_find(text, '/', colon + 3);
  ensure(end > colon + 3 && bytes_find(bytes_slice(text, 0, end), '@', 0) == end);
}

static void check_value(const struct option *option, const struct settings *settings) {
  struct sockaddr_storage address;
  socklen_t size;
  if (option->type == OPTION_URL) check_url(settings->url);
  if (option->type == OPTION_ADDRESS) ensure(address_parse(bytes_of(settings->address), &address, &size));
  if (option->type == OPTION_DECIMAL)
    ensure(isfinite(settings->decimal) && settings->decimal >= 0 && settings->decimal <= 1);
  if (option->type == OPTION_NAME) ensure(settings->name >= 0 && settings->name < 3);
  if (option->type == OPTION_WORDS) {
    const char *words = strcmp(option->name, "words") == 0 ? settings->words : settings->free_words;
    ensure(words && !strstr(words, "  ") && words[0] != ' ');
  }
  int64_t number = option->type == OPTION_DURATION     ? settings->duration
                   : option->type == OPTION_SIZE       ? settings->size
                   : AT(small) == option->offset_bytes ? settings->small
                                                       : settings->integer;
  if (option->type == OPTION_DURATION || option->type == OPTION_SIZE || option->type == OPTION_INTEGER)
    ensure(number >= option->least && (option->most == 0 || number <= option->most));
}

FUZZ_TARGET(input, arena) {
  char *text = arena_string(arena, input);
  for (size_t i = 0; i < COUNT_OF(options); i++) {
    struct settings settings, before;
    struct bytes complaint = {NULL, 0};
    memset(&settings, 0, sizeof settings);
    memcpy(&before, &settings, sizeof settings);
    if (option_set(&options[i], text, &settings, &complaint)) {
      check_value(&options[i], &settings);
    } else {
      ensure(memcmp(&before, &settings, sizeof settings) == 0);
      ensure(complaint.size > 0);
    }
    ensure(bytes_starts_with(bytes_of(option_variable(&options[i])), BYTES("SPILLWAY_")));
    arena_reset(&option_texts);
  }
}
