/* The rate limit and the cache of tokens: two bounded tables. */
#include <stdio.h>

#include "fake/testing.h"
#include "gateway/limit.h"
#include "gateway/token_cache.h"

enum { SECOND_US = 1000000 };

static void test_burst_then_rate(void **state) {
  (void)state;
  struct rate_limiter *limiter = rate_limiter_make(2, 5);
  int64_t now_us = 7 * SECOND_US;
  for (int i = 4; i >= 0; i--) {
    struct rate_state taken = rate_limiter_take(limiter, BYTES("ada"), now_us);
    assert_true(taken.allowed);
    assert_int_equal(taken.remaining, i);
  }
  struct rate_state refused = rate_limiter_take(limiter, BYTES("ada"), now_us);
  assert_false(refused.allowed);
  assert_int_equal(refused.remaining, 0);
  assert_int_equal(refused.wait_seconds, 1);
  assert_true(rate_limiter_take(limiter, BYTES("bob"), now_us).allowed);
  assert_false(rate_limiter_take(limiter, BYTES("ada"), now_us + SECOND_US / 2 - 1).allowed);
  assert_true(rate_limiter_take(limiter, BYTES("ada"), now_us + SECOND_US / 2).allowed);
  assert_false(rate_limiter_take(limiter, BYTES("ada"), now_us + SECOND_US / 2).allowed);
  /* A long pause fills the bucket, and no more than that. */
  struct rate_state full = rate_limiter_take(limiter, BYTES("ada"), INT64_MAX);
  assert_true(full.allowed);
  assert_int_equal(full.remaining, 4);
  rate_limiter_free(limiter);
}

/* Whatever the pattern, in any span no more than burst + rate × time is let through; and a clock that
 * goes back gives nothing away. */
static void test_never_more_than_promised(void **state) {
  (void)state;
  struct rate_limiter *limiter = rate_limiter_make(10, 20);
  uint64_t random = 3;
  int64_t now_us = 0, latest_us = 0, allowed = 0;
  for (int i = 0; i < 20000; i++) {
    if (next_random(&random, 50) == 0) now_us -= (int64_t)next_random(&random, 1000);
    now_us += (int64_t)next_random(&random, 20000);
    if (now_us < 0) now_us = 0;
    if (now_us > latest_us) latest_us = now_us;
    allowed += rate_limiter_take(limiter, BYTES("ada"), now_us).allowed;
    assert_true(allowed <= 20 + 10 * (latest_us + 20000) / SECOND_US + 10);
  }
  assert_true(allowed > 10 * latest_us / SECOND_US * 9 / 10);
  rate_limiter_free(limiter);
  rate_limiter_free(NULL);
}

/* More customers than the table has room for: all are served, and one who is at the limit is not
 * forgotten in favour of those who are far from it. */
static void test_many_customers(void **state) {
  (void)state;
  struct rate_limiter *limiter = rate_limiter_make(1, 3);
  char name[32];
  for (int i = 0; i < 3; i++) assert_true(rate_limiter_take(limiter, BYTES("greedy"), 0).allowed);
  for (int i = 0; i < 200000; i++) {
    int size = snprintf(name, sizeof name, "customer-%d", i);
    assert_true(rate_limiter_take(limiter, bytes_from(name, (size_t)size), 0).allowed);
  }
  assert_false(rate_limiter_take(limiter, BYTES("greedy"), 0).allowed);
  rate_limiter_free(limiter);
}

/* --- tokens ----------------------------------------------------------------------------------------- */

static struct token_entry entry_of(uint8_t first, const char *customer) {
  struct token_entry entry = {.keys = 5, .good_until_ms = 1000, .scopes = 3};
  memset(entry.digest, first, sizeof entry.digest);
  entry.customer_size = (uint16_t)strlen(customer);
  memcpy(entry.customer, customer, entry.customer_size);
  return entry;
}

static void test_tokens(void **state) {
  (void)state;
  struct token_cache *cache = token_cache_make(16);
  struct token_entry ada = entry_of(1, "ada"), found = {.keys = 0};
  assert_false(token_cache_find(cache, ada.digest, 5, 0, &found));
  token_cache_add(cache, &ada);
  assert_true(token_cache_find(cache, ada.digest, 5, 999, &found));
  assert_text(bytes_from(found.customer, found.customer_size), "ada");
  assert_int_equal(found.scopes, 3);
  assert_false(token_cache_find(cache, ada.digest, 5, 1000, &found)); /* expired */
  assert_false(token_cache_find(cache, ada.digest, 6, 0, &found));    /* verified with other keys */
  struct token_entry other = entry_of(1, "bob");                      /* the same place, another token */
  other.digest[31] ^= 1;
  assert_false(token_cache_find(cache, other.digest, 5, 0, &found));
  token_cache_add(cache, &other);
  assert_true(token_cache_find(cache, other.digest, 5, 0, &found));
  assert_text(bytes_from(found.customer, found.customer_size), "bob");
  assert_false(token_cache_find(cache, ada.digest, 5, 0, &found)); /* the newest one wins the place */
  token_cache_free(cache);
  token_cache_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_burst_then_rate),
      cmocka_unit_test(test_never_more_than_promised),
      cmocka_unit_test(test_many_customers),
      cmocka_unit_test(test_tokens),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
