#include "bootstrap/search.h"

#include "base/log.h"
#include "function/relay.h"

/* Commands that began later than so long before the search are left alone: they are not those that were lost,
 * which are older than the stream remembers, and most of them are under way. */
enum { AGE_MS = 20 * 3600 * 1000 };

/* Sends what should be out for these orders; also into the directory, which the relay writes, too. */
static bool send_again(struct ports *ports, const struct order *orders, size_t count, int64_t until_ms,
                       struct arena *arena, size_t *ret_sent) {
  struct message *messages = ARENA_ARRAY(arena, count * COMMAND_COUNT, struct message);
  struct store_dynamodb_image *images = ARENA_ARRAY(arena, count, struct store_dynamodb_image);
  bool *sent = ARENA_ARRAY(arena, count * COMMAND_COUNT, bool);
  int64_t now_ms = clock_now_ms(ports->functions.clock);
  size_t message_count = 0;
  struct failure failure;
  for (size_t i = 0; i < count; i++) {
    size_t of_order = relay_again(&orders[i], until_ms, now_ms, messages + message_count);
    message_count += of_order;
    images[i] = (struct store_dynamodb_image){
        .is_order = true, .is_new = of_order > 0, .id = orders[i].id, .created_ms = orders[i].created_ms};
  }
  relay_run(queue_sqs_port(ports->queue), messages, message_count, sent);
  for (size_t i = 0; i < message_count; i++)
    if (!sent[i]) return false;
  *ret_sent += message_count;
  return store_dynamodb_note_created(ports->store, images, count, &failure);
}

static bool begin_if_due(struct ports *ports, int64_t failed_ms, struct store_dynamodb_search *search,
                         struct arena *arena) {
  if (!search->ended) return true; /* somebody's is under way: it is finished first */
  struct store_dynamodb_search next = {.began_ms = clock_now_ms(ports->functions.clock)};
  if (next.began_ms - AGE_MS < failed_ms) return false; /* not yet */
  if (!store_dynamodb_search_write(ports->store, search, &next, arena)) return false;
  *search = next;
  return true;
}

/* One page after the other, each in the memory of the one before the last. False where one could not be read,
 * or its messages not sent; `search` is then behind the last good one. */
static bool go_on(struct ports *ports, int64_t until_ms, struct arena pages[2],
                  struct store_dynamodb_search *search, size_t *ret_sent) {
  for (int turn = 0; !search->ended && clock_now_ms(ports->functions.clock) < until_ms; turn = !turn) {
    struct store_dynamodb_search next = *search;
    struct order *orders;
    size_t count;
    arena_reset(&pages[turn]);
    if (!store_dynamodb_search_page(ports->store, &next, &pages[turn], &orders, &count) ||
        !send_again(ports, orders, count, search->began_ms - AGE_MS, &pages[turn], ret_sent))
      return false;
    *search = next; /* its key is in this page's memory */
  }
  return true;
}

bool search_unsent(struct ports *ports, int64_t failed_ms, int64_t until_ms, struct arena *arena) {
  struct store_dynamodb_search search, before;
  struct arena pages[2];
  size_t sent = 0;
  if (!store_dynamodb_search_read(ports->store, arena, &search)) return false;
  if (search.ended && search.began_ms - AGE_MS >= failed_ms) return true;
  if (!begin_if_due(ports, failed_ms, &search, arena)) return false;
  before = search;
  arena_init(&pages[0]);
  arena_init(&pages[1]);
  bool good = go_on(ports, until_ms, pages, &search, &sent);
  log_event(good ? LOG_INFO : LOG_WARN, "unsent_searched", LOG_INT("messages", sent),
            LOG_STRING("end", search.ended ? "reached" : "not yet"));
  /* Of two that search at once one cannot write; it has done nothing that does harm. */
  good = store_dynamodb_search_write(ports->store, &before, &search, arena) && search.ended &&
         search.began_ms - AGE_MS >= failed_ms;
  arena_release(&pages[0]);
  arena_release(&pages[1]);
  return good;
}
