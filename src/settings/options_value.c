/* One setting: its text checked by type and limits, and put where it belongs. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/time.h"
#include "settings/address.h"
#include "settings/options.h"

/* Texts made here (joined words, complaints, variable names) live as long as the process. */
static struct arena option_texts;

static bool complain(struct bytes *ret_complaint, const char *text, const char *what) {
  *ret_complaint = arena_printf(&option_texts, "\"%s\" is not %s", text, what);
  return false;
}

static void *place_of(const struct option *option, void *settings) {
  return (char *)settings + option->offset_bytes;
}

static void limits_of(const struct option *option, int64_t *ret_least, int64_t *ret_most) {
  bool unlimited = option->least == 0 && option->most == 0;
  *ret_least = option->least;
  *ret_most = unlimited ? INT64_MAX : option->most;
}

/* A limit as the user would write it. */
static const char *limit_text(const struct option *option, int64_t limit) {
  char text[25];
  if (option->type == OPTION_DURATION) {
    duration_format(limit, text);
    return arena_printf(&option_texts, "%s", text).data;
  }
  return arena_printf(&option_texts, "%lld", (long long)limit).data;
}

static bool check_limits(const struct option *option, const char *text, int64_t value,
                         struct bytes *ret_complaint) {
  int64_t least, most;
  limits_of(option, &least, &most);
  if (value >= least && value <= most) return true;
  if (most == INT64_MAX)
    *ret_complaint =
        arena_printf(&option_texts, "\"%s\" is too small: at least %s", text, limit_text(option, least));
  else
    *ret_complaint = arena_printf(&option_texts, "\"%s\" is out of range: %s to %s", text,
                                  limit_text(option, least), limit_text(option, most));
  return false;
}

static bool parse_integer(const char *text, int64_t *ret_value) {
  bool negative = *text == '-';
  unsigned long long value;
  if (!bytes_to_uint64(bytes_of(text + negative), &value) || value > INT64_MAX) return false;
  *ret_value = negative ? -(int64_t)value : (int64_t)value;
  return true;
}

static bool set_number(const struct option *option, const char *text, void *place,
                       struct bytes *ret_complaint) {
  int64_t value;
  if (option->type == OPTION_INTEGER && !parse_integer(text, &value))
    return complain(ret_complaint, text, "a whole number");
  if (option->type == OPTION_DURATION && !duration_parse(bytes_of(text), &value))
    return complain(ret_complaint, text, "a duration like 250ms, 5s, 10m or 24h");
  if (option->type == OPTION_SIZE && !size_parse(bytes_of(text), &value))
    return complain(ret_complaint, text, "a size like 512, 256KiB or 8MiB");
  if (!check_limits(option, text, value, ret_complaint)) return false;
  memcpy(place, &value, sizeof value);
  return true;
}

static bool set_decimal(const struct option *option, const char *text, void *place,
                        struct bytes *ret_complaint) {
  size_t plain = strspn(text, "0123456789.-");
  char *end;
  errno = 0;
  double value = strtod(text, &end);
  if (*text == '\0' || text[plain] != '\0' || *end != '\0' || errno != 0 || !isfinite(value))
    return complain(ret_complaint, text, "a number like 0.25");
  int64_t least, most;
  limits_of(option, &least, &most);
  if (value < (double)least || value > (double)most) {
    if (most == INT64_MAX)
      *ret_complaint =
          arena_printf(&option_texts, "\"%s\" is too small: at least %lld", text, (long long)least);
    else
      *ret_complaint = arena_printf(&option_texts, "\"%s\" is out of range: %lld to %lld", text,
                                    (long long)least, (long long)most);
    return false;
  }
  memcpy(place, &value, sizeof value);
  return true;
}

static bool set_flag(const char *text, void *place, struct bytes *ret_complaint) {
  bool on = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
  if (!on && strcmp(text, "0") != 0 && strcmp(text, "false") != 0)
    return complain(ret_complaint, text, "true or false");
  memcpy(place, &on, sizeof on);
  return true;
}

static int name_index(const struct option *option, struct bytes name) {
  for (int i = 0; option->names[i]; i++)
    if (bytes_equal_string(name, option->names[i])) return i;
  return -1;
}

static bool refuse_name(const struct option *option, struct bytes name, struct bytes *ret_complaint) {
  struct text text;
  text_init(&text, &option_texts);
  text_printf(&text, "\"%.*s\" is none of ", BYTES_PRINTF(name));
  for (int i = 0; option->names[i]; i++) text_printf(&text, "%s%s", i ? ", " : "", option->names[i]);
  *ret_complaint = text_view(&text);
  return false;
}

static bool set_name(const struct option *option, const char *text, void *place, struct bytes *ret_complaint) {
  int index = name_index(option, bytes_of(text));
  if (index < 0) return refuse_name(option, bytes_of(text), ret_complaint);
  memcpy(place, &index, sizeof index);
  return true;
}

static bool set_words(const struct option *option, const char *text, void *place, struct bytes *ret_complaint) {
  const char *before;
  memcpy(&before, place, sizeof before);
  struct text joined;
  text_init(&joined, &option_texts);
  if (before) text_append_string(&joined, before);
  struct bytes rest = bytes_of(text), word;
  while (bytes_next_part(&rest, ' ', &word)) {
    if (word.size == 0) continue;
    if (option->names && name_index(option, word) < 0) return refuse_name(option, word, ret_complaint);
    if (joined.size) text_append_char(&joined, ' ');
    text_append(&joined, word);
  }
  text_append_char(&joined, '\0');
  const char *after = joined.data;
  memcpy(place, &after, sizeof after);
  return true;
}

static bool is_url(const char *text) {
  struct bytes url = bytes_of(text);
  size_t scheme = bytes_starts_with(url, BYTES("http://"))    ? 7
                  : bytes_starts_with(url, BYTES("https://")) ? 8
                                                              : 0;
  if (!scheme) return false;
  for (size_t i = 0; i < url.size; i++)
    if (url.data[i] <= ' ' || url.data[i] == '#' || (unsigned char)url.data[i] >= 0x7f) return false;
  struct bytes authority = bytes_slice(url, scheme, bytes_find(url, '/', scheme));
  return authority.size > 0 && authority.data[0] != ':' && bytes_find(authority, '@', 0) == authority.size;
}

static bool set_text(const struct option *option, const char *text, void *place, struct bytes *ret_complaint) {
  struct sockaddr_storage address;
  socklen_t size;
  if (option->type == OPTION_URL && !is_url(text))
    return complain(ret_complaint, text,
                    "a URL like http://127.0.0.1:9090/inventory (http or https, without credentials or #)");
  if (option->type == OPTION_ADDRESS && !address_parse(bytes_of(text), &address, &size))
    return complain(ret_complaint, text,
                    "address:port or [address]:port, for example 127.0.0.1:8080 or [::1]:8080");
  memcpy(place, &text, sizeof text);
  return true;
}

bool option_set(const struct option *option, const char *text, void *settings, struct bytes *ret_complaint) {
  void *place = place_of(option, settings);
  switch (option->type) {
    case OPTION_INTEGER:
    case OPTION_DURATION:
    case OPTION_SIZE:
      return set_number(option, text, place, ret_complaint);
    case OPTION_DECIMAL:
      return set_decimal(option, text, place, ret_complaint);
    case OPTION_FLAG:
      return set_flag(text, place, ret_complaint);
    case OPTION_NAME:
      return set_name(option, text, place, ret_complaint);
    case OPTION_WORDS:
      return set_words(option, text, place, ret_complaint);
    case OPTION_TEXT:
    case OPTION_URL:
    case OPTION_ADDRESS:
      break;
  }
  return set_text(option, text, place, ret_complaint);
}

const char *option_variable(const struct option *option) {
  struct bytes name = arena_printf(&option_texts, "SPILLWAY_%s", option->name);
  char *variable = arena_string(&option_texts, name);
  for (char *c = variable; *c; c++) {
    if (*c == '-') *c = '_';
    if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
  }
  return variable;
}
