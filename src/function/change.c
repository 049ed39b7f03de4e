#include "function/change.h"

enum { CHANGE_TRIES_MAX = 8, CHANGE_BATCH_MAX = 256 };

static void decide(const struct function_context *context, struct change *change, int64_t now_ms,
                   struct arena *arena) {
  change->decision = ARENA_NEW(arena, struct decision);
  change->verdict =
      order_decide(change->order, &change->command, &context->rules, now_ms, arena, change->decision);
}

/* Loads what is not known, all that may save in the same way as one call. */
static void load(const struct function_context *context, struct change *const *open, size_t count, unsigned how,
                 struct arena *arena) {
  struct bytes *ids = ARENA_ARRAY(arena, count, struct bytes);
  struct store_loaded *loaded = ARENA_ARRAY(arena, count, struct store_loaded);
  size_t asked = 0;
  for (size_t i = 0; i < count; i++)
    if (!open[i]->known && open[i]->how == how) ids[asked++] = open[i]->id;
  if (asked == 0) return;
  store_load(context->store, ids, asked, how, arena, loaded);
  asked = 0;
  for (size_t i = 0; i < count; i++) {
    struct change *change = open[i];
    if (change->known || change->how != how) continue;
    change->unavailable = loaded[asked].status == LOAD_FAILED;
    change->order = loaded[asked].status == LOAD_FOUND ? loaded[asked].order : NULL;
    asked++;
  }
}

static bool is_usable(enum verdict verdict) {
  return verdict == VERDICT_DECIDED || verdict == VERDICT_UNCHANGED || verdict == VERDICT_SEND ||
         verdict == VERDICT_LOOK_UP || verdict == VERDICT_WAIT;
}

/* What an order of some moments ago does not settle is decided on the newest. */
static void load_and_decide(const struct function_context *context, struct change *const *open, size_t count,
                            struct arena *arena) {
  struct change *again[CHANGE_BATCH_MAX];
  size_t again_count = 0;
  for (unsigned how = STORE_LOAD_WHOLE; how < STORE_LOAD_COUNT; how++) load(context, open, count, how, arena);
  int64_t now_ms = clock_now_ms(context->clock);
  for (size_t i = 0; i < count; i++) {
    struct change *change = open[i];
    if (change->known) {
      change->order = change->known;
      change->unavailable = false;
    }
    if (change->unavailable) continue;
    decide(context, change, now_ms, arena);
    bool newest = !change->known && !(change->how & STORE_LOAD_RECENT);
    change->known = NULL;
    change->how &= ~(unsigned)STORE_LOAD_RECENT;
    if (!newest && !is_usable(change->verdict)) again[again_count++] = change;
  }
  if (again_count > 0) load_and_decide(context, again, again_count, arena);
}

/* Commits what was decided; gives how many must be tried again, moved to the front of `open`. */
static size_t commit_decided(const struct function_context *context, struct change **open, size_t count,
                             struct arena *arena) {
  struct store_commit *commits = ARENA_ARRAY(arena, count, struct store_commit);
  struct store_result *results = ARENA_ARRAY(arena, count, struct store_result);
  struct change **committed = ARENA_ARRAY(arena, count, struct change *);
  size_t commit_count = 0, again = 0;
  for (size_t i = 0; i < count; i++) {
    if (open[i]->unavailable || open[i]->verdict != VERDICT_DECIDED) continue;
    commits[commit_count].decision = open[i]->decision;
    committed[commit_count++] = open[i];
  }
  if (commit_count == 0) return 0;
  store_commit(context->store, commits, commit_count, results);
  for (size_t i = 0; i < commit_count; i++) {
    struct change *change = committed[i];
    if (results[i].status == COMMIT_DONE) {
      change->order = &change->decision->next;
    } else {
      change->unavailable = true;
      if (results[i].status == COMMIT_CONFLICT) open[again++] = change;
    }
  }
  return again;
}

void change_run(const struct function_context *context, struct change *const *changes, size_t count,
                struct arena *arena) {
  for (size_t done = 0; done < count; done += CHANGE_BATCH_MAX) {
    size_t left = count - done < CHANGE_BATCH_MAX ? count - done : CHANGE_BATCH_MAX;
    struct change *open[CHANGE_BATCH_MAX];
    memcpy(open, changes + done, left * sizeof *open);
    for (int tries = 0; left > 0 && tries < CHANGE_TRIES_MAX; tries++) {
      load_and_decide(context, open, left, arena);
      left = commit_decided(context, open, left, arena);
    }
  }
}
