/* Bodies of queue messages (platform/aws/message_json.h): what is read is written and read again, and is the
 * same. */
#include "platform/aws/message_json.h"

#include "fuzz.h"
#include "wire/id.h"

static void check_message(struct bytes input, struct arena *arena) {
  struct message message, again;
  struct bytes detail = {NULL, 0};
  if (!message_read(input, arena, &message, &detail)) {
    ensure(detail.size > 0);
    return;
  }
  ensure(id_is_well_formed(bytes_from(message.order_id, ORDER_ID_CHARACTERS)));
  ensure(message.slot < COMMAND_COUNT && message.queue >= 0 && message.queue < QUEUE_COUNT);
  ensure(memchr(message.note, 0, sizeof message.note) && fuzz_is_utf8(bytes_of(message.note)));
  struct bytes first = message_write(&message, arena);
  ensure(message_read(first, arena, &again, &detail));
  ensure(bytes_equal(first, message_write(&again, arena)));
}

static void check_intake(struct bytes input, struct arena *arena) {
  struct intake_order order, again;
  struct bytes detail = {NULL, 0};
  if (!intake_read(input, arena, &order, &detail)) {
    ensure(detail.size > 0);
    return;
  }
  ensure(id_is_well_formed(order.id) && order.customer.size > 0 && order.claim_count <= STORE_CLAIMS_MAX);
  struct bytes first = intake_write(&order, arena);
  ensure(intake_read(first, arena, &again, &detail));
  ensure(bytes_equal(first, intake_write(&again, arena)) &&
         bytes_equal(order.content_json, again.content_json));
}

FUZZ_TARGET(input, arena) {
  check_message(input, arena);
  check_intake(input, arena);
}
