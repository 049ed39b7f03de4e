/* For the tests of the event readers: the sample events of tests/aws/events, whole and damaged. */
#ifndef PLATFORM_AWS_EVENT_TEST_TOOLS_H
#define PLATFORM_AWS_EVENT_TEST_TOOLS_H

#include <stdio.h>

#include "base/failure.h"
#include "base/text.h"
#include "fake/testing.h"

static inline struct bytes event_sample(const char *name, struct arena *arena) {
  struct bytes path = arena_printf(arena, "tests/aws/events/%s.json", name);
  FILE *file = fopen(path.data, "r");
  if (!file) fail_msg("%s can't be opened", path.data);
  struct text text;
  text_init(&text, arena);
  size_t size;
  do {
    size = fread(text_reserve(&text, 4096), 1, 4096, file);
    text.size += size;
  } while (size > 0);
  fclose(file);
  return text_view(&text);
}

/* The sample with the first `from` replaced. */
static inline struct bytes event_sample_with(const char *name, const char *from, const char *to,
                                             struct arena *arena) {
  struct bytes sample = event_sample(name, arena);
  const char *at = memmem(sample.data, sample.size, from, strlen(from));
  if (!at) fail_msg("%s has no %s", name, from);
  size_t before = (size_t)(at - sample.data);
  struct text text;
  text_init(&text, arena);
  text_append(&text, bytes_slice(sample, 0, before));
  text_append_string(&text, to);
  text_append(&text, bytes_slice(sample, before + strlen(from), sample.size));
  return text_view(&text);
}

typedef bool event_reader(struct bytes event, struct arena *arena, struct failure *ret_failure);

static inline void read_damaged(event_reader *reader, struct bytes event) {
  struct arena arena;
  arena_init(&arena);
  struct failure failure = {0};
  if (!reader(event, &arena, &failure) && failure.text[0] == 0) fail_msg("refused without a reason");
  arena_release(&arena);
}

/* Cut short anywhere, with any byte changed, with any value made another type: the reader gives an event or
 * a reason. */
static inline void event_reader_is_total(event_reader *reader, const char *name) {
  static const char *const values[] = {"null", "[]", "{}", "7", "\"\"", "true", "[null]", "{\"a\":[[]]}"};
  struct arena arena;
  arena_init(&arena);
  struct bytes sample = event_sample(name, &arena);
  char *copy = arena_string(&arena, sample);
  uint64_t random = 42;
  for (size_t size = 0; size < sample.size; size += 7) read_damaged(reader, bytes_slice(sample, 0, size));
  for (int i = 0; i < 2000; i++) {
    size_t at = (size_t)next_random(&random, sample.size);
    char was = copy[at];
    copy[at] = (char)next_random(&random, 256);
    read_damaged(reader, bytes_from(copy, sample.size));
    copy[at] = was;
  }
  /* The samples have one member a line. */
  for (size_t at = 0; at < sample.size; at = bytes_find(sample, '\n', at) + 1) {
    size_t end = bytes_find(sample, '\n', at);
    size_t colon = bytes_find(sample, ':', at);
    if (colon >= end || sample.data[end - 1] == '{' || sample.data[end - 1] == '[') continue;
    bool comma = sample.data[end - 1] == ',';
    for (size_t i = 0; i < COUNT_OF(values); i++) {
      struct text text;
      text_init(&text, NULL);
      text_append(&text, bytes_slice(sample, 0, colon + 1));
      text_append_string(&text, values[i]);
      text_append(&text, bytes_slice(sample, end - comma, sample.size));
      read_damaged(reader, text_view(&text));
      text_release(&text);
    }
  }
  arena_release(&arena);
}

#endif
