/* What every unit test needs of cmocka, and assertions on views. */
#ifndef TESTS_FAKE_TESTING_H
#define TESTS_FAKE_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "base/bytes.h"

/* Fails with both texts at the caller's line where they differ. */
#define assert_text(view, expected) check_text((view), bytes_of(expected), __FILE__, __LINE__)
#define assert_views_equal(a, b) check_text((a), (b), __FILE__, __LINE__)
/* The view holds the text somewhere. */
#define assert_holds(view, expected) check_holds((view), (expected), true, __FILE__, __LINE__)
#define assert_lacks(view, expected) check_holds((view), (expected), false, __FILE__, __LINE__)

void check_text(struct bytes given, struct bytes expected, const char *file, int line);
void check_holds(struct bytes given, const char *part, bool wanted, const char *file, int line);

/* A sequence that is the same in every run (xorshift). `state` is not 0; the result is below `below`. */
uint64_t next_random(uint64_t *state, uint64_t below);

#endif
