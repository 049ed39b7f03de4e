/* The services of the story: what each command of each order is answered, and what it applies. */
#include "disk/machine.h"
#include "wire/id.h"

const char *const story_keys[STORY_COUNT] = {"usual",   "large", "refused", "refused-late", "cancelled",
                                             "invalid", "lost",  "busy",    "later"};

struct bytes story_id(enum story_order which, struct arena *arena) {
  char id[ID_CHARACTERS];
  id_derive(BYTES("an id secret of thirty-two bytes"), BYTES(STORY_CUSTOMER), bytes_of(story_keys[which]), id);
  return arena_copy(arena, bytes_from(id, sizeof id));
}

enum story_order story_order_of(struct bytes id) {
  struct arena arena;
  arena_init(&arena);
  int which = 0;
  while (which < STORY_COUNT && !bytes_equal(story_id((enum story_order)which, &arena), id)) which++;
  arena_release(&arena);
  return (enum story_order)which;
}

static void apply(struct known *known, enum order_command command, struct arena *arena,
                  struct service_answer *ret_answer) {
  known->applied[command] = 1; /* the key is honoured */
  ret_answer->status = 200;
  ret_answer->body = arena_printf(arena, "{\"reference\":\"%s\"}", command_rules[command].name);
}

static void answer(struct known *known, enum story_order which, enum order_command command, struct arena *arena,
                   struct service_answer *ret_answer) {
  bool first = known->asked[command]++ == 0;
  if (known->applied[command]) {
    apply(known, command, arena, ret_answer);
    return;
  }
  if ((which == STORY_REFUSED && command == COMMAND_RESERVE) ||
      (which == STORY_REFUSED_LATE && command == COMMAND_SHIP))
    *ret_answer =
        (struct service_answer){.status = 409, .body = BYTES("{\"reason\":\"out_of_stock\",\"detail\":\"\"}")};
  else if (which == STORY_INVALID && command == COMMAND_SHIP && first)
    ret_answer->status = 400;
  else if (which == STORY_BUSY && first)
    ret_answer->status = 503;
  else if (which == STORY_LATER && command == COMMAND_RECORD)
    ret_answer->status = 202;
  else
    apply(known, command, arena, ret_answer);
  if (which == STORY_LOST && first)
    *ret_answer = (struct service_answer){.transport = TRANSPORT_BROKEN, .failure = BYTES("cut off")};
}

void services_answer(struct world *world, const struct service_call *call, struct arena *arena,
                     struct service_answer *ret_answer) {
  struct bytes id = bytes_slice(call->key, 0, ORDER_ID_CHARACTERS);
  struct bytes name = bytes_slice(call->key, ORDER_ID_CHARACTERS + 1, call->key.size);
  struct known *known = world_find(world, id);
  enum order_command command;
  *ret_answer = (struct service_answer){.elapsed_us = 1500};
  world->calls++;
  if (!known || !order_command_parse(name, &command))
    world_violate(world, "agreed-key", "%.*s", BYTES_PRINTF(call->key));
  else if (known->done.revision == 0)
    world_violate(world, "stored-before-sent", "%.*s", BYTES_PRINTF(call->key));
  else
    answer(known, story_order_of(id), command, arena, ret_answer);
}

void services_call_back(struct known *known, enum order_command command) { known->applied[command] = 1; }
