/* What must hold in the table after every effect, for whoever looks at that moment. */
#include <stdlib.h>

#include "platform/aws/store_dynamodb_internal.h"
#include "protocol/explore.h"

#define NAME(order) 5, wish_order_id(order).data

static int64_t number_of(const struct table *table, size_t index, const char *name) {
  unsigned long long value;
  return bytes_to_uint64(table_text(table, index, name), &value) ? (int64_t)value : 0;
}

/* The index of the order's item; table_count where it was not made. A bar alone makes none. */
static size_t find_order(const struct table *table, struct bytes id) {
  size_t index = table_find(table, id, BYTES("o"));
  return index < table_count(table) && table_text(table, index, "s").size > 0 ? index : table_count(table);
}

static bool exists(const struct table *table, int order) {
  return find_order(table, wish_order_id(order)) < table_count(table);
}

static bool has_content(struct run *run, int order, struct bytes content) {
  const struct table *table = run->table;
  size_t index = find_order(table, wish_order_id(order));
  if (index == table_count(table)) return false;
  struct bytes inline_content = table_text(table, index, "b"), digest = table_text(table, index, "z");
  if (inline_content.size) return bytes_equal(inline_content, content);
  size_t own =
      table_find(table, wish_order_id(order), arena_printf(&run->arena, "b%.*s", BYTES_PRINTF(digest)));
  return own < table_count(table) && bytes_equal(table_text(table, own, "b"), content);
}

/* Every claim that the scenario knows. */
static size_t list_claims(const struct scenario *scenario, const char **ret_claims) {
  size_t count = 0;
  for (int i = 0; i <= ACTORS_MAX; i++)
    for (int j = 0; j < WISHES_MAX; j++)
      for (int k = 0; k < CLAIMS_MAX; k++) {
        const struct wish *wish = i < ACTORS_MAX ? &scenario->wishes[i][j] : &scenario->first[j];
        if (wish->claims[k]) ret_claims[count++] = wish->claims[k];
      }
  return count;
}

static void check_claims(struct run *run) {
  const char *claims[(ACTORS_MAX + 1) * WISHES_MAX * CLAIMS_MAX];
  size_t count = list_claims(run->scenario, claims);
  for (size_t i = 0; i < count; i++) {
    struct bytes claim = bytes_of(claims[i]);
    int holders = 0;
    for (int order = 0; order < ORDERS_MAX; order++) {
      size_t at = find_order(run->table, wish_order_id(order));
      if (at == table_count(run->table) ||
          !claims_digest_has(table_text(run->table, at, "h"), claim, &run->arena))
        continue;
      holders++;
      size_t held = table_find(run->table, claim, BYTES("h"));
      if (held == table_count(run->table) ||
          !bytes_equal(table_text(run->table, held, "i"), wish_order_id(order)))
        run_violate(run, "claims-agree", "%.*s names %s, which does not name it", NAME(order), claims[i]);
    }
    if (holders > 1) run_violate(run, "one-payment-one-order", "%s has made %d orders", claims[i], holders);
  }
}

static void check_acknowledged(struct run *run) {
  for (size_t i = 0; i < run->acknowledged_count; i++) {
    const struct acknowledged *one = &run->acknowledged[i];
    const struct wish small = {.order = one->order, .content = one->content};
    const struct wish large = {.order = one->order, .content = one->content, .large = true};
    if (!exists(run->table, one->order))
      run_violate(run, "acknowledged-is-stored", "%.*s is not there", NAME(one->order));
    else if (!has_content(run, one->order, wish_content(&small)) &&
             !has_content(run, one->order, wish_content(&large)))
      run_violate(run, "one-content-a-key", "%.*s has another content than was acknowledged", NAME(one->order));
  }
}

static void check_revisions(struct run *run) {
  for (int order = 0; order < ORDERS_MAX; order++) {
    size_t at = find_order(run->table, wish_order_id(order));
    int64_t revision = at < table_count(run->table) ? number_of(run->table, at, "n") : 0;
    size_t entries = at < table_count(run->table) ? table_list_count(run->table, at, "e") : 0;
    if (revision != run->revisions[order] && revision != run->revisions[order] + 1)
      run_violate(run, "revisions-by-one", "%.*s: %lld after %lld", NAME(order), (long long)revision,
                  (long long)run->revisions[order]);
    if (entries < run->entries[order]) run_violate(run, "history-only-grows", "%.*s", NAME(order));
    run->revisions[order] = revision;
    run->entries[order] = entries;
  }
}

/* What waits for a person stands in the list of attention, and nothing else does. */
static void check_attention(struct run *run) {
  size_t listed = 0, waiting = 0;
  for (size_t i = 0; i < table_count(run->table); i++)
    listed += bytes_equal_string(table_text(run->table, i, "k"), "attention");
  for (int order = 0; order < ORDERS_MAX; order++) {
    size_t at = find_order(run->table, wish_order_id(order));
    struct order state;
    if (at == table_count(run->table)) continue;
    if (!item_read_order(table_item(run->table, at, &run->arena), false, &run->arena, &state)) {
      run_violate(run, "orders-are-readable", "%.*s", NAME(order));
      continue;
    }
    if (state.version != (int64_t)table_list_count(run->table, at, "e"))
      run_violate(run, "history-is-complete", "%.*s: %zu entries at version %lld", NAME(order),
                  table_list_count(run->table, at, "e"), (long long)state.version);
    for (size_t i = 0; i < COMMAND_COUNT; i++) waiting += state.slots[i].state == SLOT_ATTENTION;
  }
  if (listed != waiting) run_violate(run, "attention-agrees", "%zu are listed, %zu wait", listed, waiting);
}

void rules_check(struct run *run) {
  if (table_writes(run->table) == run->checked_writes) return;
  run->checked_writes = table_writes(run->table);
  check_claims(run);
  check_acknowledged(run);
  check_revisions(run);
  check_attention(run);
}

void rules_check_end(struct run *run) {
  rules_check(run);
  for (int order = 0; order < ORDERS_MAX; order++) {
    int64_t writes = run->revisions[order] - 1;
    if (writes < 0) continue;
    /* Of a change whose answer was lost the function may only see that it is so. */
    int64_t hidden = run->changes_unknown[order];
    for (int i = LOST; i <= LATE_LAST; i++) hidden += (int64_t)run->struck[i];
    if (writes < run->changes_done[order] || writes > run->changes_done[order] + hidden)
      run_violate(run, "a-change-is-done-once", "%.*s: %d were done, %lld are unknown, and %lld stored",
                  NAME(order), run->changes_done[order], (long long)hidden, (long long)writes);
  }
}

void rules_note_result(struct run *run, const struct wish *wish, const struct store_result *result) {
  struct bytes content = wish_content(wish);
  size_t holder;
  switch (result->status) {
    case COMMIT_DONE:
    case COMMIT_EXISTS_SAME:
      if (run->acknowledged_count < ACKNOWLEDGED_MAX)
        run->acknowledged[run->acknowledged_count++] = (struct acknowledged){wish->order, wish->content};
      check_acknowledged(run);
      return;
    case COMMIT_EXISTS_OTHER:
      if (!exists(run->table, wish->order) || has_content(run, wish->order, content))
        run_violate(run, "refused-for-a-reason", "%.*s: no other content is there", NAME(wish->order));
      return;
    case COMMIT_CLAIM_TAKEN:
      holder = find_order(run->table, bytes_from(result->holder_id, ORDER_ID_CHARACTERS));
      bool names_one = false;
      for (size_t i = 0; i < CLAIMS_MAX && holder < table_count(run->table); i++)
        names_one |= wish->claims[i] && claims_digest_has(table_text(run->table, holder, "h"),
                                                          bytes_of(wish->claims[i]), &run->arena);
      if (!names_one)
        run_violate(run, "refused-for-a-reason", "%.*s: %.5s has none of its claims", NAME(wish->order),
                    result->holder_id);
      return;
    case COMMIT_CONFLICT:
    case COMMIT_THROTTLED:
    case COMMIT_FAILED:
      return; /* says nothing */
  }
}
