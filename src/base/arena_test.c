/* Arenas and growing texts. */
#include <signal.h>
#include <stdalign.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/text.h"
#include "fake/testing.h"

static void test_memory_is_zeroed_aligned_and_apart(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena);
  uint64_t random = 1;
  unsigned char *given[500];
  size_t sizes[500];
  for (size_t i = 0; i < COUNT_OF(given); i++) {
    sizes[i] = (size_t)next_random(&random, 3000);
    given[i] = arena_allocate(&arena, sizes[i]);
    assert_int_equal((uintptr_t)given[i] % alignof(max_align_t), 0);
    for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(given[i][j], 0);
    memset(given[i], (int)i, sizes[i]);
  }
  for (size_t i = 0; i < COUNT_OF(given); i++)
    for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(given[i][j], (unsigned char)i);
  arena_release(&arena);
  assert_null(arena.blocks);
}

static void test_reset_keeps_one_block_and_zeroes_again(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena);
  arena_reset(&arena); /* nothing there yet */
  for (int i = 0; i < 100; i++) memset(arena_allocate(&arena, 1000), 'x', 1000);
  arena_reset(&arena);
  assert_int_equal(arena.total_bytes, 0);
  const struct arena_block *kept = arena.blocks;
  assert_non_null(kept);
  const char *again = arena_allocate(&arena, 1000);
  for (int i = 0; i < 1000; i++) assert_int_equal(again[i], 0);
  assert_ptr_equal(arena.blocks, kept);
  /* A block of unusual size is not kept: one large request must not cost memory for good. */
  memset(arena_allocate(&arena, 1024 * 1024), 'x', 1024 * 1024);
  arena_reset(&arena);
  assert_null(arena.blocks);
  assert_non_null(arena_allocate(&arena, 0));
  arena_release(&arena);
}

/* Runs it in a child, which must end by SIGABRT. */
static void assert_panics(void (*body)(struct arena *arena)) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct arena arena;
    close(STDERR_FILENO);
    signal(SIGABRT, SIG_DFL);
    arena_init(&arena);
    body(&arena);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void allocate_too_much(struct arena *arena) { arena_allocate(arena, SIZE_MAX / 2); }
static void allocate_overflow(struct arena *arena) { arena_allocate_array(arena, SIZE_MAX / 4, 8); }

static void test_impossible_sizes_end_the_process(void **state) {
  (void)state;
  assert_panics(allocate_too_much);
  assert_panics(allocate_overflow);
}

static void test_copies(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena);
  char source[] = "a\0b";
  struct bytes copy = arena_copy(&arena, bytes_from(source, 3));
  source[0] = 'z';
  assert_int_equal(copy.size, 3);
  assert_memory_equal(copy.data, "a\0b\0", 4);
  assert_string_equal(arena_string(&arena, (struct bytes){NULL, 0}), "");
  assert_text(arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
  /* Of every size, so that some fit the block's rest to the byte, and some only just do not. */
  for (int size = 0; size < 3000; size++) {
    struct bytes text = arena_printf(&arena, "%0*d|", size, 1);
    assert_int_equal(text.size, size < 1 ? 2 : size + 1);
    assert_int_equal(text.data[text.size - 1], '|');
    assert_int_equal(text.data[text.size], 0);
    memset(arena_allocate_unset(&arena, 16), 'z', 16);
    assert_int_equal(text.data[text.size - 1], '|');
  }
  arena_release(&arena);
}

static void check_text_growth(struct arena *arena) {
  struct text text;
  text_init(&text, arena);
  assert_int_equal(text_view(&text).size, 0);
  for (int i = 0; i < 2000; i++) {
    text_append_int64(&text, i % 10);
    text_append(&text, (struct bytes){NULL, 0});
  }
  assert_int_equal(text.size, 2000);
  for (int i = 0; i < 2000; i++) assert_int_equal(text.data[i], '0' + i % 10);
  text_append_string(&text, "end");
  text_append_char(&text, '!');
  text_printf(&text, "%0*d", 3000, 5);
  assert_int_equal(text.size, 5004);
  assert_memory_equal(text.data + 2000, "end!0000", 8);
  assert_int_equal(text.data[5003], '5');
  text_release(&text);
  assert_int_equal(text.size, 0);
}

static void test_text_grows(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena);
  check_text_growth(&arena);
  check_text_growth(NULL);
  arena_release(&arena);
}

static void test_text_of_integers(void **state) {
  (void)state;
  static const struct {
    int64_t value;
    const char *text;
  } cases[] = {{0, "0"},
               {-1, "-1"},
               {10, "10"},
               {INT64_MAX, "9223372036854775807"},
               {INT64_MIN, "-9223372036854775808"}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct text text;
    text_init(&text, NULL);
    text_append_int64(&text, cases[i].value);
    assert_text(text_view(&text), cases[i].text);
    text_release(&text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory_is_zeroed_aligned_and_apart),
      cmocka_unit_test(test_reset_keeps_one_block_and_zeroes_again),
      cmocka_unit_test(test_impossible_sizes_end_the_process),
      cmocka_unit_test(test_copies),
      cmocka_unit_test(test_text_grows),
      cmocka_unit_test(test_text_of_integers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
