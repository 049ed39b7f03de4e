/* Customers and operators: orders, the same again, the same key with other content, another order for one
 * payment, cancels at any moment, looks at others' orders; and persons who decide what waits for them. */
#include <stdlib.h>
#include <string.h>

#include "order/content.h"
#include "order/step.h"
#include "simulator/world.h"
#include "wire/id.h"
#include "wire/json.h"

struct customer {
  struct world *world;
  int number;
  size_t orders;
  struct arena arena;
};

struct attempt {
  struct bytes key, body, canonical;
  char id[ORDER_ID_CHARACTERS];
  struct record *record;
  bool is_bad; /* it must be refused */
  struct bytes payment, purchase_order;
};

/* The content as it must be stored, by the program's own reading; what is asked is whether it stays so. */
static struct bytes canonical_of(struct bytes body, struct arena *arena, struct order_content *ret_content,
                                 bool *ret_bad) {
  struct json *root;
  struct bytes detail;
  struct problem_errors errors;
  problem_errors_init(&errors, arena);
  *ret_bad = !json_parse(body, arena, &root, &detail);
  if (*ret_bad) return (struct bytes){NULL, 0};
  order_content_read(root, false, arena, ret_content, &errors);
  *ret_bad = errors.count > 0;
  if (*ret_bad) return (struct bytes){NULL, 0};
  return order_content_write(ret_content, arena);
}

/* What inventory counts of it. */
static void count_units(struct record *record, const struct order_content *content) {
  for (size_t i = 0; i < content->lines.count; i++) {
    const struct order_line *line = &content->lines.items[i];
    size_t sku = line->sku.size == 2 && line->sku.data[0] == 'S' ? (size_t)(line->sku.data[1] - '0') : i;
    record->units[sku % SKUS] += 1 + line->quantity % 9;
  }
}

static void note_used(struct world *world, int customer, struct attempt *attempt,
                      const struct order_content *content) {
  if (world->used_count == world->used_room) {
    world->used_room = world->used_room ? world->used_room * 2 : 256;
    world->used = realloc(world->used, world->used_room * sizeof *world->used);
    if (!world->used) abort();
  }
  attempt->purchase_order = arena_copy(&world->arena, content->purchase_order);
  if (content->payment) attempt->payment = arena_copy(&world->arena, content->payment->reference);
  struct used *used = &world->used[world->used_count++];
  *used = (struct used){customer, "", attempt->payment, attempt->purchase_order};
  memcpy(used->id, attempt->id, ORDER_ID_CHARACTERS);
}

/* Another order wanted its payment, or its customer's purchase order. */
static bool has_rival(const struct world *world, int customer, const struct attempt *attempt) {
  for (size_t i = 0; i < world->used_count; i++) {
    const struct used *used = &world->used[i];
    if (memcmp(used->id, attempt->id, ORDER_ID_CHARACTERS) == 0) continue;
    if (attempt->payment.size && bytes_equal(used->payment, attempt->payment)) return true;
    if (attempt->purchase_order.size && used->customer == customer &&
        bytes_equal(used->purchase_order, attempt->purchase_order))
      return true;
  }
  return false;
}

static void note_attempt(struct world *world, int customer, struct attempt *attempt, struct arena *arena) {
  struct order_content content;
  attempt->canonical = canonical_of(attempt->body, arena, &content, &attempt->is_bad);
  id_derive(world->functions.id_secret, arena_printf(arena, "customer-%d", customer), attempt->key,
            attempt->id);
  struct record *record = attempt->record = record_make(world, bytes_from(attempt->id, ORDER_ID_CHARACTERS));
  record->customer = customer;
  if (attempt->is_bad) return;
  note_used(world, customer, attempt, &content);
  for (size_t i = 0; i < record->body_count; i++)
    if (bytes_equal(record->bodies[i], attempt->canonical)) return;
  if (record->body_count < sizeof record->bodies / sizeof *record->bodies)
    record->bodies[record->body_count++] = arena_copy(&record->arena, attempt->canonical);
  if (record->body_count > 1) return;
  world->attempted++;
  record->key = arena_copy(&record->arena, attempt->key);
  count_units(record, &content);
  record->on_terms = content.payment == NULL;
  record->total = content.total;
  if (content.payment) record->payment = arena_copy(&record->arena, content.payment->reference);
}

static void check_accepted(struct world *world, const struct attempt *attempt, struct bytes answer,
                           bool replayed, struct arena *arena) {
  struct record *record = attempt->record;
  struct json *root;
  struct bytes detail;
  if (!json_parse(answer, arena, &root, &detail) ||
      !bytes_equal(json_member_text(root, "id"), bytes_from(attempt->id, ORDER_ID_CHARACTERS)))
    world_violate(world, "answer", "a 202 is not for the order that was sent: %.*s", BYTES_PRINTF(answer));
  world_mark(world, replayed ? MARK_REPLAYED : MARK_ACCEPTED);
  if (record->acknowledged) {
    /* Where one of them went into the intake, both may be acknowledged; function/admit keeps both. */
    if (!bytes_equal(record->content_json, attempt->canonical) && world->options.shape == SHAPE_AWS) return;
    if (!bytes_equal(record->content_json, attempt->canonical))
      world_violate(world, "one-content-a-key", "%.*s: two contents were acknowledged", ORDER_ID_CHARACTERS,
                    record->id);
    /* Through the intake, the time of a replay may be that of the order that came to the table first. */
    else if (world->options.shape == SHAPE_LOCAL && !bytes_equal(record->first_answer, answer))
      world_violate(world, "replay-is-the-same", "%.*s: %.*s, before %.*s", ORDER_ID_CHARACTERS, record->id,
                    BYTES_PRINTF(answer), BYTES_PRINTF(record->first_answer));
    return;
  }
  record->acknowledged = true;
  record->content_json = arena_copy(&record->arena, attempt->canonical);
  record->first_answer = arena_copy(&record->arena, answer);
  world->acknowledged++;
}

static void note_answer(struct customer *customer, struct attempt *attempt, int status, struct bytes answer,
                        bool replayed, struct arena *arena) {
  struct world *world = customer->world;
  if (attempt->is_bad && status == 202)
    world_violate(world, "invalid-is-refused", "%.*s", ORDER_ID_CHARACTERS, attempt->id);
  else if (status == 202)
    check_accepted(world, attempt, answer, replayed, arena);
  if (status == 422) world_mark(world, attempt->is_bad ? MARK_REFUSED_INVALID : MARK_KEY_REUSED);
  if (status == 422 && !attempt->is_bad && attempt->record->body_count < 2)
    world_violate(world, "valid-is-accepted", "%.*s: %.*s", ORDER_ID_CHARACTERS, attempt->id,
                  BYTES_PRINTF(answer));
  if (status == 409) world_mark(world, MARK_PAYMENT_USED);
  /* An order that was named is the customer's own. */
  if (status != 409) return;
  if (!has_rival(world, customer->number, attempt))
    world_violate(world, "refused-for-a-reason", "%.*s: %.*s", ORDER_ID_CHARACTERS, attempt->id,
                  BYTES_PRINTF(answer));
  struct bytes name = BYTES("has made the order ");
  const char *at = memmem(answer.data, answer.size, name.data, name.size);
  world_mark(world, at ? MARK_PURCHASE_ORDER_USED : MARK_PAYMENT_OF_ANOTHER);
  const struct record *first = at ? record_find(world, bytes_from(at + name.size, ORDER_ID_CHARACTERS)) : NULL;
  if (at && (!first || first->customer != customer->number))
    world_violate(world, "no-foreign-eyes", "%.*s names another's order", ORDER_ID_CHARACTERS, attempt->id);
}

/* Sends it until there is an answer; the last status, 0 where the customer gave up. */
static int send(struct customer *customer, struct attempt *attempt) {
  struct world *world = customer->world;
  struct arena arena;
  int status = 0;
  arena_init(&arena);
  note_attempt(world, customer->number, attempt, &arena);
  for (int tries = 0; tries < 40 && !world->violated; tries++) {
    struct bytes answer;
    bool replayed = false;
    status = world_request(world, "POST", BYTES("/v1/orders"), customer->number, attempt->key, attempt->body,
                           &arena, &answer, &replayed);
    world_tell(world, attempt->id, "POST: %d%s", status, replayed ? ", replayed" : "");
    note_answer(customer, attempt, status, answer, replayed, &arena);
    if (status == 503) world_mark(world, MARK_REFUSED_EARLY);
    if (status != 0 && status != 503) break;
    if (tries > 2 && sim_below(&world->sim, 12) == 0) break; /* gives up: unanswered */
    sim_sleep(&world->sim, 50 + (int64_t)sim_below(&world->sim, 2000));
  }
  arena_release(&arena);
  return status;
}

static void look(struct customer *customer, const struct attempt *attempt, bool foreign) {
  struct world *world = customer->world;
  struct arena arena;
  struct bytes answer;
  arena_init(&arena);
  int who = foreign ? (customer->number + 1) % CUSTOMERS : customer->number;
  struct bytes target = arena_printf(&arena, "/v1/orders/%.*s", ORDER_ID_CHARACTERS, attempt->id);
  int status = world_request(world, "GET", target, who, (struct bytes){NULL, 0}, (struct bytes){NULL, 0},
                             &arena, &answer, NULL);
  if (foreign) {
    world_mark(world, MARK_FOREIGN_ASKED);
    if (status != 0 && status != 404)
      world_violate(world, "no-foreign-eyes", "%.*s was shown to another: %d", ORDER_ID_CHARACTERS, attempt->id,
                    status);
  } else if (status == 404 && attempt->record->acknowledged) {
    world_violate(world, "acknowledged-is-found", "%.*s: 404 after its 202", ORDER_ID_CHARACTERS, attempt->id);
  }
  arena_release(&arena);
}

static void cancel(struct customer *customer, const struct attempt *attempt) {
  struct world *world = customer->world;
  struct arena arena;
  struct bytes answer;
  arena_init(&arena);
  struct bytes target = arena_printf(&arena, "/v1/orders/%.*s/cancel", ORDER_ID_CHARACTERS, attempt->id);
  for (int tries = 0; tries < 5; tries++) {
    int status = world_request(world, "POST", target, customer->number, (struct bytes){NULL, 0},
                               (struct bytes){NULL, 0}, &arena, &answer, NULL);
    world_tell(world, attempt->id, "cancel: %d", status);
    if (status == 409) world_mark(world, MARK_CANCEL_TOO_LATE);
    if (status != 0 && status != 503) break;
    sim_sleep(&world->sim, 500);
  }
  arena_release(&arena);
}

/* An order's body; with `variant` it has other content. Sometimes the payment is one that another has used, or
 * the purchase order one of before. */
static struct bytes make_body(struct customer *customer, size_t number, int variant) {
  struct world *world = customer->world;
  struct sim *sim = &world->sim;
  struct arena *arena = &customer->arena;
  bool wholesale = sim_below(sim, 4) == 0, has_payment = !wholesale || sim_below(sim, 2) == 0;
  bool shared = sim_below(sim, 10) == 0, is_real = world->options.invoices && sim_below(sim, 12) == 0;
  struct bytes none = {NULL, 0};
  struct bytes payment = shared ? arena_printf(arena, "shared-%zu", number / 2)
                                : arena_printf(arena, "pay-%d-%zu", customer->number, number);
  struct bytes purchase =
      arena_printf(arena, "po-%zu", shared ? number / 3 : 1000 + number); /* of this customer alone */
  if (is_real) world_mark(world, MARK_REAL_ORDER);
  if (is_real) return order_body_real(world, payment, purchase, arena);
  return order_body(world, wholesale, has_payment ? payment : none, wholesale ? purchase : none, variant,
                    arena);
}

static void buy(struct customer *customer, size_t number, struct attempt *last) {
  struct world *world = customer->world;
  struct sim *sim = &world->sim;
  struct attempt attempt = {.key = arena_printf(&customer->arena, "k-%d-%zu", customer->number, number)};
  attempt.body = make_body(customer, number, 0);
  send(customer, &attempt);
  switch (sim_below(sim, 12)) {
    case 0: /* once more, as it was */
      send(customer, &attempt);
      break;
    case 1: { /* the same key, another order */
      struct attempt other = attempt;
      other.body = make_body(customer, number, 7);
      send(customer, &other);
      break;
    }
    case 2: { /* the same payment, another key */
      struct attempt other = attempt;
      other.key = arena_printf(&customer->arena, "k-%d-%zu-again", customer->number, number);
      send(customer, &other);
      break;
    }
    case 3:
    case 4:
      sim_sleep(sim, (int64_t)sim_below(sim, 3000));
      cancel(customer, &attempt);
      break;
    case 5:
      look(customer, &attempt, sim_below(sim, 2));
      break;
    default:
      break;
  }
  *last = attempt;
}

static void shop(struct sim *sim, void *context) {
  struct customer *customer = context;
  struct world *world = customer->world;
  struct attempt last = {.record = NULL};
  for (size_t i = 0; i < customer->orders && !world->violated; i++) {
    sim_chapter(sim, i);
    int64_t pause_ms = (int64_t)sim_below(sim, 200);
    if (world->options.left_out && world->options.left_out[customers_place(customer->number, i)]) continue;
    sim_sleep(sim, world->options.prompt ? 0 : pause_ms);
    buy(customer, i, &last);
  }
  if (last.record) look(customer, &last, false);
  world->customers_busy--;
  arena_release(&customer->arena);
  free(customer);
}

/* --- operators ------------------------------------------------------------------------------------- */

/* A person asks the service what it did, and says so. */
static void decide(struct world *world, const struct json *entry, struct arena *arena) {
  struct bytes id = json_member_text(entry, "id"), step = json_member_text(entry, "step"), answer;
  struct record *record = record_find(world, id);
  enum order_command command;
  if (!record || !order_command_parse(json_member_text(entry, "command"), &command)) return;
  bool applied = record->commands[command].applied > 0, skip = applied || sim_below(&world->sim, 3) == 0;
  if (record->commands[command].pending) return; /* the service still works on it */
  const struct stored *stored = store_sim_find(world->store, id);
  if (!stored || stored->order.slots[command].state != SLOT_ATTENTION)
    return; /* it has been settled meanwhile */
  struct bytes target = arena_printf(arena, "/v1/orders/%.*s/steps/%.*s/%s", BYTES_PRINTF(id),
                                     BYTES_PRINTF(step), skip ? "skip" : "retry");
  struct bytes body = skip ? arena_printf(arena, "{\"reason\":\"asked\",\"applied\":%s,\"reference\":\"%s\"}",
                                          applied ? "true" : "false", record->commands[command].reference)
                           : (struct bytes){NULL, 0};
  int status =
      world_request(world, "POST", target, CUSTOMERS, (struct bytes){NULL, 0}, body, arena, &answer, NULL);
  world_tell(world, record->id, "operator: %s %s: %d", skip ? "skip" : "retry", command_rules[command].name,
             status);
  if (status != 202) return;
  world_mark(world, !skip ? MARK_RETRIED_BY_HAND : applied ? MARK_SKIPPED_AS_APPLIED : MARK_SKIPPED_UNAPPLIED);
}

static void operate(struct sim *sim, void *context) {
  struct world *world = context;
  struct arena arena;
  arena_init(&arena);
  while (world->customers_busy > 0 && !world->violated) {
    struct bytes answer, detail;
    struct json *root;
    sim_sleep(sim, 60000 + (int64_t)sim_below(sim, 60000));
    int status = world_request(world, "GET", BYTES("/v1/attention?limit=20"), CUSTOMERS,
                               (struct bytes){NULL, 0}, (struct bytes){NULL, 0}, &arena, &answer, NULL);
    if (status == 200 && json_parse(answer, &arena, &root, &detail)) {
      const struct json *list = json_member(root, "orders");
      /* Long enough that no attempt of before can still be under way. */
      sim_sleep(sim, 150000);
      for (const struct json *entry = list ? list->first : NULL; entry; entry = entry->next)
        if (sim_below(sim, 3) > 0) decide(world, entry, &arena);
    }
    arena_reset(&arena);
  }
  arena_release(&arena);
}

void customers_start(struct world *world) {
  for (int i = 0; i < CUSTOMERS; i++) {
    struct customer *customer = calloc(1, sizeof *customer);
    if (!customer) abort();
    customer->world = world;
    customer->number = i;
    customer->orders = (world->options.orders + CUSTOMERS - 1) / CUSTOMERS;
    arena_init(&customer->arena);
    world->customers_busy++;
    sim_spawn(&world->sim, world_environment(world), (int64_t)i, shop, customer);
  }
  if (world->options.operators) sim_spawn(&world->sim, world_environment(world), 0, operate, world);
}

/* --- lists ----------------------------------------------------------------------------------------- */

static void list_all(struct sim *sim, void *context) {
  struct world *world = context;
  struct arena arena;
  struct bytes cursor = {NULL, 0};
  size_t found = 0;
  (void)sim;
  arena_init(&arena);
  for (size_t pages = 0; pages <= store_sim_count(world->store) && !world->violated; pages++) {
    struct bytes answer, detail;
    struct json *root;
    struct bytes target = cursor.size
                              ? arena_printf(&arena, "/v1/orders?limit=7&cursor=%.*s", BYTES_PRINTF(cursor))
                              : BYTES("/v1/orders?limit=7");
    if (world_request(world, "GET", target, CUSTOMERS, (struct bytes){NULL, 0}, (struct bytes){NULL, 0}, &arena,
                      &answer, NULL) != 200 ||
        !json_parse(answer, &arena, &root, &detail)) {
      world_violate(world, "lists-are-complete", "a page was not answered");
      break;
    }
    found += json_member(root, "orders") ? json_member(root, "orders")->count : 0;
    cursor = json_member_text(root, "next_cursor");
    if (cursor.size == 0) break;
  }
  if (found != store_sim_count(world->store))
    world_violate(world, "lists-are-complete", "%zu of %zu orders are listed", found,
                  store_sim_count(world->store));
  arena_release(&arena);
}

void customers_list_all(struct world *world) {
  sim_spawn(&world->sim, world_environment(world), 0, list_all, world);
}
