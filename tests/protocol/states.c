/* What was gone through already. */
#include <stdlib.h>

#include "base/panic.h"
#include "protocol/explore.h"

uint64_t text_hash(struct bytes text) {
  uint64_t hash = 14695981039346656037ULL;
  for (size_t i = 0; i < text.size; i++) hash = (hash ^ (uint8_t)text.data[i]) * 1099511628211ULL;
  return hash;
}

static uint64_t *seen;
static size_t seen_count, seen_room;

void seen_forget(void) {
  if (seen_room) memset(seen, 0, seen_room * sizeof *seen);
  seen_count = 0;
}

static void see_all_again(size_t room) {
  uint64_t *before = seen;
  size_t before_room = seen_room;
  seen = calloc(room, sizeof *seen);
  if (!seen) panic("out of memory");
  seen_room = room;
  for (size_t i = 0; i < before_room; i++) {
    if (!before[i]) continue;
    size_t at = before[i] & (room - 1);
    while (seen[at]) at = (at + 1) & (room - 1);
    seen[at] = before[i];
  }
  free(before);
}

/* True where it was there before. */
static bool see(uint64_t state) {
  if (2 * seen_count >= seen_room) see_all_again(seen_room ? seen_room * 2 : 1 << 16);
  if (state == 0) state = 1;
  size_t at = state & (seen_room - 1);
  for (; seen[at]; at = (at + 1) & (seen_room - 1))
    if (seen[at] == state) return true;
  seen[at] = state;
  seen_count++;
  return false;
}

/* All that what may still happen depends on. Two orders of the same steps that come to the same are one. */
static uint64_t state_of(const struct run *run) {
  uint64_t state = sim_name(table_hash(run->table), (uint64_t)run->sim.now_ms), requests = 0;
  state = sim_name(state, (uint64_t)run->limits.mishaps << 32 | (uint64_t)run->limits.jumps << 16 | run->waits);
  for (size_t i = 0; i < ACTORS_MAX; i++) {
    const struct actor *actor = &run->actors[i];
    bool has_news = actor->saw_writes != table_writes(run->table);
    state = sim_name(state, actor->history);
    state = sim_name(state, actor->wish << 16 | (uint64_t)actor->tries << 8 | (uint64_t)actor->ended << 4 |
                                (uint64_t)actor->paused << 3 | (uint64_t)actor->is_over << 2 |
                                (uint64_t)(actor->paused && has_news) << 1 | actor->has_read);
  }
  for (size_t i = 0; i < run->pending_count; i++) {
    const struct pending *pending = run->pending[i];
    uint64_t part = pending->keys_read ? text_hash(pending->answer->body) : 0;
    uint64_t whose = pending->actor ? (uint64_t)pending->actor->number + 1 : 0;
    requests += sim_name(pending->hash ^ part, whose << 8 | (pending->actor && pending->answer->in_doubt));
  }
  return sim_name(state, requests);
}

bool was_here_before(struct run *run) {
  struct choices *choices = run->choices;
  if (run->alone || run->told || choices->by_chance || choices->count < choices->fixed) return false;
  return see(state_of(run));
}
