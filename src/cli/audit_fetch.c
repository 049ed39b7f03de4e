#include "cli/audit_fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/panic.h"
#include "base/time.h"
#include "cli/remote.h"

enum { POLL_US = 20000, AGAIN_US = 200000, AT_ONCE = 64, PAGE = 200, QUIET_POLL_US = 250000 };

static int64_t monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_final_answer(int status) {
  return status >= 200 && status < 500 && status != 408 && status != 425 && status != 429;
}

static void write_request(struct audit_fetch *fetch, struct bytes path, struct text *text) {
  struct bytes host = client_host(fetch->client), base = client_base_path(fetch->client);
  text_printf(text, "GET %.*s%.*s HTTP/1.1\r\nHost: %.*s\r\n", BYTES_PRINTF(base), BYTES_PRINTF(path),
              BYTES_PRINTF(host));
  if (fetch->token.size) text_printf(text, "Authorization: Bearer %.*s\r\n", BYTES_PRINTF(fetch->token));
  text_append_string(text, "\r\n");
}

struct single {
  bool told;
  int status;
  const char *failure;
  struct text *body;
};

static void take_single(void *context, const struct client_answer *answer) {
  struct single *single = context;
  single->told = true;
  single->status = answer->status;
  single->failure = answer->failure;
  text_append(single->body, answer->body);
}

bool audit_get(struct audit_fetch *fetch, struct bytes path, int *ret_status, struct text *ret_body,
               struct failure *ret_failure) {
  struct text message;
  struct single single;
  int64_t end_ms = monotonic_ms() + fetch->patience_ms;
  text_init(&message, NULL);
  text_init(ret_body, NULL);
  write_request(fetch, path, &message);
  for (;;) {
    single = (struct single){.body = ret_body};
    client_send(fetch->client, text_view(&message), take_single, &single);
    while (!single.told) client_poll(fetch->client, POLL_US);
    if (is_final_answer(single.status) || monotonic_ms() > end_ms) break;
    ret_body->size = 0;
    usleep(AGAIN_US);
  }
  text_release(&message);
  *ret_status = single.status;
  if (is_final_answer(single.status)) return true;
  if (single.status == 0)
    return failure_set(ret_failure, "no answer to GET %.*s: %s", BYTES_PRINTF(path), single.failure);
  return failure_set(ret_failure, "GET %.*s answered %d", BYTES_PRINTF(path), single.status);
}

/* The same, but it must be 200 and JSON; the tree lives in the world's scratch arena, with the path. */
static bool get_json(struct audit_fetch *fetch, struct bytes path, const struct json **ret_json,
                     struct failure *ret_failure) {
  int status;
  struct text body;
  struct json *json = NULL;
  struct bytes detail;
  bool good = audit_get(fetch, path, &status, &body, ret_failure);
  if (good) {
    bool parsed = json_parse(text_view(&body), &fetch->world->scratch, &json, &detail);
    if (status != 200) {
      struct bytes why = parsed ? json_member_text(json, "detail") : detail;
      good =
          failure_set(ret_failure, "GET %.*s answered %d: %.*s", BYTES_PRINTF(path), status, BYTES_PRINTF(why));
    } else if (!parsed) {
      good = failure_set(ret_failure, "GET %.*s: the answer is no JSON: %.*s", BYTES_PRINTF(path),
                         BYTES_PRINTF(detail));
    }
  }
  text_release(&body);
  *ret_json = json;
  return good;
}

static struct bytes list_path(struct audit_fetch *fetch, const char *rest) {
  char from[TIME_TEXT_BYTES + 1];
  time_format(fetch->world->started_ms, from);
  struct bytes encoded = percent_encode(bytes_of(from), &fetch->world->scratch);
  return arena_printf(&fetch->world->scratch, "/v1/orders?from=%.*s%s", BYTES_PRINTF(encoded), rest);
}

/* Whether there is an order of that status. A page may be empty and still have more behind it. */
static bool has_any(struct audit_fetch *fetch, const char *status, bool *ret_any, struct failure *ret_failure) {
  char rest[2048];
  int size = snprintf(rest, sizeof rest, "&limit=%d&status=%s", PAGE, status);
  for (*ret_any = false; !*ret_any;) {
    const struct json *page;
    arena_reset(&fetch->world->scratch);
    if (!get_json(fetch, list_path(fetch, rest), &page, ret_failure)) return false;
    const struct json *orders = json_member(page, "orders");
    *ret_any = orders && orders->count > 0;
    struct bytes cursor = percent_encode(json_member_text(page, "next_cursor"), &fetch->world->scratch);
    if (cursor.size == 0) return true;
    size = snprintf(rest, sizeof rest, "&limit=%d&status=%s&cursor=%.*s", PAGE, status, BYTES_PRINTF(cursor));
    if (size < 0 || (size_t)size >= sizeof rest)
      return failure_set(ret_failure, "the server's cursor is too long");
  }
  return true;
}

static bool is_quiet(struct audit_fetch *fetch, bool *ret_quiet, struct failure *ret_failure) {
  static const char *const unfinished[] = {"accepted", "processing", "reversing"};
  *ret_quiet = true;
  for (size_t i = 0; *ret_quiet && i < COUNT_OF(unfinished); i++) {
    bool any;
    if (!has_any(fetch, unfinished[i], &any, ret_failure)) return false;
    *ret_quiet = !any;
  }
  return true;
}

bool audit_wait(struct audit_fetch *fetch, int64_t wait_ms, struct failure *ret_failure) {
  int64_t end_ms = monotonic_ms() + wait_ms;
  for (;;) {
    bool quiet;
    if (!is_quiet(fetch, &quiet, ret_failure)) return false;
    if (quiet || monotonic_ms() >= end_ms) return true;
    usleep(QUIET_POLL_US);
  }
}

static void take_page(struct audit_fetch *fetch, const struct json *page) {
  const struct json *orders = json_member(page, "orders");
  for (const struct json *order = orders ? orders->first : NULL; order; order = order->next) {
    struct bytes id = json_member_text(order, "id");
    if (id.size) (void)audit_order_of(fetch->world, id);
  }
}

bool audit_fetch_ids(struct audit_fetch *fetch, struct failure *ret_failure) {
  struct audit_world *world = fetch->world;
  char rest[2048] = "&limit=200";
  for (bool more = true; more;) {
    const struct json *page;
    arena_reset(&world->scratch);
    if (!get_json(fetch, list_path(fetch, rest), &page, ret_failure)) return false;
    take_page(fetch, page);
    struct bytes cursor = percent_encode(json_member_text(page, "next_cursor"), &world->scratch);
    more = cursor.size > 0;
    int size = snprintf(rest, sizeof rest, "&limit=%d&cursor=%.*s", PAGE, BYTES_PRINTF(cursor));
    if (size < 0 || (size_t)size >= sizeof rest)
      return failure_set(ret_failure, "the server's cursor is too long");
  }
  for (size_t i = 0; i < world->attempt_count; i++)
    if (world->attempts[i].id.size) (void)audit_order_of(world, world->attempts[i].id);
  return true;
}

/* Many orders at once: each slot asks for one after the other. */
struct slot {
  struct crowd *crowd;
  size_t order;
  struct text message;
};

struct crowd {
  struct audit_fetch *fetch;
  struct slot slots[AT_ONCE];
  size_t next, busy;
  size_t *again; /* those without a good answer, for another round */
  size_t again_count;
  int last_status;
  bool refused; /* an answer that asking again will not better: a wrong token, mostly */
  struct arena arena;
};

static void take_one(void *context, const struct client_answer *answer);

static void ask_next(struct slot *slot, const size_t *orders, size_t count) {
  struct crowd *crowd = slot->crowd;
  struct bytes id;
  if (crowd->next == count || crowd->refused) return;
  slot->order = orders ? orders[crowd->next] : crowd->next;
  crowd->next++;
  crowd->busy++;
  id = crowd->fetch->world->orders[slot->order].id;
  arena_reset(&crowd->arena);
  slot->message.size = 0;
  write_request(crowd->fetch, arena_printf(&crowd->arena, "/v1/orders/%.*s", BYTES_PRINTF(id)), &slot->message);
  client_send(crowd->fetch->client, text_view(&slot->message), take_one, slot);
}

static void take_one(void *context, const struct client_answer *answer) {
  struct slot *slot = context;
  struct crowd *crowd = slot->crowd;
  struct audit_world *world = crowd->fetch->world;
  struct json *json;
  struct bytes detail;
  crowd->busy--;
  if (answer->status == 200) {
    arena_reset(&world->scratch);
    if (json_parse(answer->body, &world->scratch, &json, &detail))
      audit_take_order(world, slot->order, json);
    else
      world->orders[slot->order].found = true; /* and not readable */
  } else if (!is_final_answer(answer->status)) {
    crowd->again[crowd->again_count++] = slot->order;
  } else if (answer->status != 404) {
    crowd->refused = true;
    crowd->last_status = answer->status;
  }
  slot->order = SIZE_MAX; /* free */
}

/* One round over `orders` (NULL: all). Slots are filled here, not in take_one: no recursion where
 * connecting fails at once. */
static void ask_all(struct crowd *crowd, const size_t *orders, size_t count) {
  crowd->next = 0;
  crowd->again_count = 0;
  while ((crowd->next < count && !crowd->refused) || crowd->busy > 0) {
    for (size_t i = 0; i < AT_ONCE; i++)
      if (crowd->slots[i].order == SIZE_MAX) ask_next(&crowd->slots[i], orders, count);
    client_poll(crowd->fetch->client, POLL_US);
  }
}

bool audit_fetch_orders(struct audit_fetch *fetch, struct failure *ret_failure) {
  struct audit_world *world = fetch->world;
  struct crowd *crowd = calloc(1, sizeof *crowd);
  size_t *round = calloc(world->order_count + 1, sizeof *round);
  size_t *again = calloc(world->order_count + 1, sizeof *again);
  if (!crowd || !round || !again) panic("out of memory");
  *crowd = (struct crowd){.fetch = fetch, .again = again};
  arena_init(&crowd->arena);
  for (size_t i = 0; i < AT_ONCE; i++) {
    crowd->slots[i].crowd = crowd;
    crowd->slots[i].order = SIZE_MAX;
    text_init(&crowd->slots[i].message, NULL);
  }
  int64_t end_ms = monotonic_ms() + fetch->patience_ms;
  ask_all(crowd, NULL, world->order_count);
  while (crowd->again_count && !crowd->refused && monotonic_ms() < end_ms) {
    usleep(AGAIN_US);
    size_t count = crowd->again_count;
    memcpy(round, again, count * sizeof *round);
    ask_all(crowd, round, count);
  }
  size_t left = crowd->again_count;
  bool refused = crowd->refused;
  if (refused) failure_set(ret_failure, "GET /v1/orders/{id} answered %d", crowd->last_status);
  if (!refused && left) failure_set(ret_failure, "%zu orders could not be read: no good answer", left);
  for (size_t i = 0; i < AT_ONCE; i++) text_release(&crowd->slots[i].message);
  arena_release(&crowd->arena);
  free(crowd);
  free(round);
  free(again);
  return !refused && left == 0;
}

bool audit_fetch_effects(struct audit_fetch *fetch, struct failure *ret_failure) {
  int status;
  struct text body;
  bool good = audit_get(fetch, BYTES("/ledger"), &status, &body, ret_failure);
  if (good && status != 200) good = failure_set(ret_failure, "the sandbox's GET /ledger answered %d", status);
  struct bytes rest = text_view(&body), line;
  while (good && bytes_next_part(&rest, '\n', &line))
    if (line.size && !audit_take_effect(fetch->world, line))
      good = failure_set(ret_failure, "the sandbox's ledger has a line that is none: %.*s",
                         (int)(line.size < 80 ? line.size : 80), line.data);
  text_release(&body);
  return good;
}
