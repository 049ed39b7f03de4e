#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "wire/trace.h"

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define FRESH_ID "000102030405060708090a0b0c0d0e0f"
#define FRESH_PARENT "1011121314151617"

static const struct {
  const char *incoming;
  const char *made;
} cases[] = {
    {"00-" ID "-" PARENT "-01", "00-" ID "-" FRESH_PARENT "-01"},
    {"  00-" ID "-" PARENT "-00 ", "00-" ID "-" FRESH_PARENT "-00"},
    {"00-" ID "-" PARENT "-ff", "00-" ID "-" FRESH_PARENT "-ff"},
    /* later versions: the first 55 characters, the sampled flag only */
    {"01-" ID "-" PARENT "-01", "00-" ID "-" FRESH_PARENT "-01"},
    {"cc-" ID "-" PARENT "-03-what-ever", "00-" ID "-" FRESH_PARENT "-01"},
    {"cc-" ID "-" PARENT "-fe-", "00-" ID "-" FRESH_PARENT "-00"},
    {"cc-" ID "-" PARENT "-0b", "00-" ID "-" FRESH_PARENT "-01"},
    {"cc-" ID "-" PARENT "-01.more", NULL},
    {"cc-" ID "-" PARENT "-012", NULL},
    /* refused: a new trace */
    {"", NULL},
    {"00-" ID "-" PARENT, NULL},
    {"00-" ID "-" PARENT "-0", NULL},
    {"00-" ID "-" PARENT "-01-", NULL},
    {"00-" ID "-" PARENT "-01-more", NULL},
    {"ff-" ID "-" PARENT "-01", NULL},
    {"0g-" ID "-" PARENT "-01", NULL},
    {"00-00000000000000000000000000000000-" PARENT "-01", NULL},
    {"00-" ID "-0000000000000000-01", NULL},
    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", NULL},
    {"00-" ID "-00F067AA0BA902B7-01", NULL},
    {"00-" ID "-" PARENT "-0A", NULL},
    {"00-" ID "-" PARENT "-0x", NULL},
    {"00_" ID "-" PARENT "-01", NULL},
    {"00-" ID "_" PARENT "-01", NULL},
    {"00-" ID "-" PARENT "_01", NULL},
    {"00-4bf92f3577b34da6a3ce929d0e0e473\xff-" PARENT "-01", NULL},
};

static void test_table(void **state) {
  (void)state;
  uint8_t random[TRACE_RANDOM_BYTES];
  for (size_t i = 0; i < sizeof random; i++) random[i] = (uint8_t)i;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char made[TRACEPARENT_CHARACTERS + 1];
    bool continued = trace_continue(bytes_of(cases[i].incoming), random, made);
    if (continued != (cases[i].made != NULL)) fail_msg("%s", cases[i].incoming);
    assert_string_equal(made, cases[i].made ? cases[i].made : "00-" FRESH_ID "-" FRESH_PARENT "-00");
    assert_true(bytes_equal_string(trace_id(bytes_of(made)), cases[i].made ? ID : FRESH_ID));
  }
}

static void test_zero_entropy_makes_no_zero_id(void **state) {
  (void)state;
  const uint8_t random[TRACE_RANDOM_BYTES] = {0};
  char made[TRACEPARENT_CHARACTERS + 1];
  assert_false(trace_continue(BYTES(""), random, made));
  assert_string_equal(made, "00-00000000000000000000000000000001-0000000000000001-00");
  assert_int_equal(trace_id(BYTES("00-short")).size, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table),
                                     cmocka_unit_test(test_zero_entropy_makes_no_zero_id)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
