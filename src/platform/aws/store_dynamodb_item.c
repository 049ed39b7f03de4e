/* Orders as items. Attribute names are short and numbers relative, since a write costs by the kilobyte of
 * the whole item: a usual retail order stays below one to its end. The forms are stored data: what is
 * written once must stay readable. Fields are separated by "|"; in texts "\" and "|" are escaped.
 *
 *   s  state: <channel><paid>|<status><target>|<version>|<updated>|<reason>, then for each command that is
 *      not idle |<command><state><flags>|<attempts>|<dispatch>|<since>|<deadline>|<reference>|<reason>
 *   e  history, a list: <at>|<type>|<status>|<detail>; the place in the list is the sequence. A type is
 *      o<status> for "order.…", <command><state> for a command's, =<type>,<step> for any other
 *   o  outbox: <kind><command>|<dispatch>|<due>|<deadline> a message
 *   p  traceparent · t  creation time and sort key · n  revision · b  content · z  digest of a content that
 *   is an item of its own · h  digests of the claims · v  a bar: the order must not be made (create) */
#include <stdlib.h>

#include "base/digest.h"
#include "base/encode.h"
#include "order/content.h"
#include "order/content_parts.h"
#include "order/step.h"
#include "platform/aws/store_dynamodb_internal.h"

enum {
  ITEM_BYTES_CHEAP = 1024,
  ITEM_STATE_BYTES = 500, /* what state, history, keys and the other attributes take at their largest */
  CLAIM_DIGEST_CHARACTERS = 8,
  FLAG_UNSETTLED = 1,
  FLAG_BY_HAND = 2,
  FLAG_REFUSED = 4
};
#define NUMBER_MAX (UINT64_C(1) << 60)

bool content_is_inline(const struct order *order) {
  return order->content_json.size + order->customer.size + ITEM_STATE_BYTES <= ITEM_BYTES_CHEAP;
}

struct bytes content_digest(struct bytes content_json, struct arena *arena) {
  uint8_t digest[SHA256_BYTES];
  sha256(content_json, digest);
  return base64url_encode(bytes_from((char *)digest, 16), arena);
}

static struct bytes claim_digest(struct bytes claim, struct arena *arena) {
  uint8_t digest[SHA256_BYTES];
  sha256(claim, digest);
  return base64url_encode(bytes_from((char *)digest, CLAIM_DIGEST_CHARACTERS * 3 / 4), arena);
}

struct bytes claims_digest(const struct bytes *claims, size_t count, struct arena *arena) {
  struct text text;
  text_init(&text, arena);
  for (size_t i = 0; i < count; i++) text_append(&text, claim_digest(claims[i], arena));
  return text_view(&text);
}

bool claims_digest_has(struct bytes digests, struct bytes claim, struct arena *arena) {
  struct bytes digest = claim_digest(claim, arena);
  for (size_t i = 0; i + digest.size <= digests.size; i += digest.size)
    if (bytes_equal(bytes_slice(digests, i, i + digest.size), digest)) return true;
  return false;
}

struct bytes sort_key(int64_t created_ms, struct bytes id, struct arena *arena) {
  return arena_printf(arena, "%0*lld%.*s", CREATED_DIGITS, (long long)created_ms,
                      BYTES_PRINTF(bytes_slice(id, 4, 4 + SORT_ID_CHARACTERS)));
}

/* --- writing --------------------------------------------------------------------------------------- */

static void put_text(struct text *text, struct bytes value) {
  text_append_char(text, '|');
  for (size_t i = 0; i < value.size; i++) {
    char c = value.data[i];
    if (c == '|' || c == '\\') text_append_char(text, '\\');
    text_append_char(text, c == '|' ? 'p' : c);
  }
}

/* Zero takes no room. */
static void put_number(struct text *text, int64_t value) {
  text_append_char(text, '|');
  if (value != 0) text_append_int64(text, value);
}

static bool slot_is_default(const struct order_slot *slot) {
  return slot->state == SLOT_IDLE && !slot->unsettled && !slot->by_hand && !slot->refused &&
         slot->attempts == 0 && slot->dispatch_version == 0 && slot->since_ms == 0 && slot->deadline_ms == 0 &&
         slot->reference.size == 0 && slot->reason.size == 0;
}

static void put_slot(struct text *text, size_t command, const struct order_slot *slot, int64_t created_ms) {
  unsigned flags = (slot->unsettled ? FLAG_UNSETTLED : 0U) | (slot->by_hand ? FLAG_BY_HAND : 0U) |
                   (slot->refused ? FLAG_REFUSED : 0U);
  text_printf(text, "|%zu%d%u", command, (int)slot->state, flags);
  put_number(text, slot->attempts);
  put_number(text, slot->dispatch_version);
  put_number(text, slot->since_ms ? slot->since_ms - created_ms + 1 : 0);
  put_number(text, slot->deadline_ms ? slot->deadline_ms - slot->since_ms : 0);
  put_text(text, slot->reference);
  put_text(text, slot->reason);
}

struct bytes item_state(const struct order *order, struct arena *arena) {
  struct text text;
  text_init(&text, arena);
  text_printf(&text, "%d%d|%d%d", order->content.channel, order->content.payment != NULL, (int)order->status,
              (int)order->target);
  put_number(&text, order->version);
  put_number(&text, order->updated_ms - order->created_ms);
  put_text(&text, order->reason);
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    if (!slot_is_default(&order->slots[i])) put_slot(&text, i, &order->slots[i], order->created_ms);
  return text_view(&text);
}

static const char *step_of(enum order_command command) { return step_rules[command_rules[command].step].name; }

static void put_type(struct text *text, const struct order_event *event) {
  struct bytes rest = event->type, subject;
  text_append_char(text, '|');
  if (bytes_next_part(&rest, '.', &subject) && rest.data) {
    enum order_status status;
    enum order_command command;
    enum slot_state state;
    if (bytes_equal_string(subject, "order") && order_status_parse(rest, &status) && event->step.size == 0) {
      text_printf(text, "o%d", (int)status);
      return;
    }
    if (order_command_parse(subject, &command) && order_slot_state_parse(rest, &state) &&
        bytes_equal_string(event->step, step_of(command))) {
      text_printf(text, "%d%d", (int)command, (int)state);
      return;
    }
  }
  text_printf(text, "=%.*s,%.*s", BYTES_PRINTF(event->type), BYTES_PRINTF(event->step));
}

void item_write_events(struct json_writer *json, const char *name, const struct decision *decision,
                       struct arena *arena) {
  json_open_object(json, name);
  json_open_array(json, "L");
  for (size_t i = 0; i < decision->event_count; i++) {
    const struct order_event *event = &decision->events[i];
    struct text text;
    text_init(&text, arena);
    text_append_int64(&text, event->at_ms - decision->next.created_ms);
    put_type(&text, event);
    text_printf(&text, "|%d", (int)event->status);
    put_text(&text, event->detail);
    attribute_text(json, NULL, text_view(&text));
  }
  json_close_array(json);
  json_close_object(json);
}

struct bytes item_outbox(const struct decision *decision, struct arena *arena) {
  struct text text;
  text_init(&text, arena);
  for (size_t i = 0; i < decision->message_count; i++) {
    const struct order_message *message = &decision->messages[i];
    text_printf(&text, "%s%d%d|%lld|%lld|%lld", i ? "|" : "", (int)message->kind, (int)message->slot,
                (long long)message->dispatch_version, (long long)(message->due_ms - decision->next.created_ms),
                (long long)(message->deadline_ms - message->due_ms));
  }
  return text_view(&text);
}

void item_write_order(struct json_writer *json, const struct store_commit *commit, struct arena *arena) {
  const struct decision *decision = commit->decision;
  const struct order *order = &decision->next;
  attribute_text(json, "k", order->id);
  attribute_text(json, "r", BYTES("o"));
  attribute_text(json, "c", order->customer);
  attribute_text(json, "t", sort_key(order->created_ms, order->id, arena));
  if (order->traceparent.size) attribute_text(json, "p", order->traceparent);
  attribute_number(json, "n", order->revision);
  attribute_text(json, "s", item_state(order, arena));
  item_write_events(json, "e", decision, arena);
  if (decision->message_count) attribute_text(json, "o", item_outbox(decision, arena));
  if (commit->claim_count) attribute_text(json, "h", claims_digest(commit->claims, commit->claim_count, arena));
  if (content_is_inline(order))
    attribute_text(json, "b", order->content_json);
  else
    attribute_text(json, "z", content_digest(order->content_json, arena));
}

/* --- reading --------------------------------------------------------------------------------------- */

struct fields {
  struct bytes rest;
  struct arena *arena;
  bool good;
};

static bool has_more(const struct fields *fields) { return fields->rest.data && fields->good; }

static struct bytes next_field(struct fields *fields) {
  struct bytes field = {NULL, 0};
  if (!fields->rest.data || !bytes_next_part(&fields->rest, '|', &field)) fields->good = false;
  return field;
}

static struct bytes next_text(struct fields *fields) {
  struct bytes field = next_field(fields);
  if (bytes_find(field, '\\', 0) >= field.size) return arena_copy(fields->arena, field);
  struct text text;
  text_init(&text, fields->arena);
  for (size_t i = 0; i < field.size; i++) {
    if (field.data[i] == '\\' && i + 1 < field.size)
      i++;
    else {
      text_append_char(&text, field.data[i]);
      continue;
    }
    text_append_char(&text, field.data[i] == 'p' ? '|' : field.data[i]);
  }
  return text_view(&text);
}

static int64_t number_of(struct fields *fields, struct bytes field) {
  bool negative = field.size > 0 && field.data[0] == '-';
  unsigned long long value;
  if (field.size == 0) return 0;
  if (negative) field = bytes_slice(field, 1, field.size);
  if (!bytes_to_uint64(field, &value) || value > NUMBER_MAX) { /* sums of two must not overflow */
    fields->good = false;
    return 0;
  }
  return negative ? -(int64_t)value : (int64_t)value;
}

static int64_t next_number(struct fields *fields) { return number_of(fields, next_field(fields)); }

/* `count` digits below their limits. */
static void next_digits(struct fields *fields, const int *limits, int *ret_digits, size_t count) {
  struct bytes field = next_field(fields);
  fields->good = fields->good && field.size == count;
  for (size_t i = 0; i < count; i++) {
    ret_digits[i] = fields->good ? field.data[i] - '0' : 0;
    if (ret_digits[i] < 0 || ret_digits[i] >= limits[i]) fields->good = false;
    if (!fields->good) ret_digits[i] = 0;
  }
}

static void read_slots(struct fields *fields, struct order *order) {
  while (has_more(fields)) {
    static const int limits[] = {COMMAND_COUNT, SLOT_STATE_COUNT, 8};
    int digits[3];
    next_digits(fields, limits, digits, 3);
    struct order_slot *slot = &order->slots[digits[0]];
    slot->state = (enum slot_state)digits[1];
    slot->unsettled = digits[2] & FLAG_UNSETTLED;
    slot->by_hand = digits[2] & FLAG_BY_HAND;
    slot->refused = digits[2] & FLAG_REFUSED;
    slot->attempts = next_number(fields);
    slot->dispatch_version = next_number(fields);
    int64_t since = next_number(fields), deadline = next_number(fields);
    slot->since_ms = since ? order->created_ms + since - 1 : 0;
    slot->deadline_ms = deadline ? slot->since_ms + deadline : 0;
    slot->reference = next_text(fields);
    slot->reason = next_text(fields);
  }
}

static bool read_state(struct bytes state, struct arena *arena, struct order *order, bool *ret_paid) {
  static const int channel_limits[] = {CHANNEL_COUNT, 2},
                   status_limits[] = {ORDER_STATUS_COUNT, ORDER_STATUS_COUNT};
  struct fields fields = {.rest = state, .arena = arena, .good = true};
  int channel[2], status[2];
  next_digits(&fields, channel_limits, channel, 2);
  next_digits(&fields, status_limits, status, 2);
  order->content.channel = channel[0];
  *ret_paid = channel[1];
  order->status = (enum order_status)status[0];
  order->target = (enum order_status)status[1];
  order->version = next_number(&fields);
  order->updated_ms = order->created_ms + next_number(&fields);
  order->reason = next_text(&fields);
  read_slots(&fields, order);
  return fields.good;
}

bool item_is_order(const struct json *item) { return item_text(item, "s").size > 0; }

int64_t item_created_ms(const struct json *item) {
  unsigned long long created;
  struct bytes t = item_text(item, "t");
  return t.size >= CREATED_DIGITS && bytes_to_uint64(bytes_slice(t, 0, CREATED_DIGITS), &created)
             ? (int64_t)created
             : -1;
}

bool item_read_order(const struct json *item, unsigned how, struct arena *arena, struct order *ret_order) {
  bool paid = false;
  *ret_order = (struct order){.id = item_text(item, "k"),
                              .customer = item_text(item, "c"),
                              .traceparent = item_text(item, "p"),
                              .revision = item_number(item, "n"),
                              .created_ms = item_created_ms(item)};
  if (ret_order->id.size != ORDER_ID_CHARACTERS || ret_order->created_ms < 0 || ret_order->revision < 1 ||
      !read_state(item_text(item, "s"), arena, ret_order, &paid))
    return false;
  ret_order->content = order_content_outline(ret_order->content.channel, paid);
  struct bytes content = item_text(item, "b");
  if (how & STORE_LOAD_STATE || content.size == 0) return true;
  ret_order->content_json = content;
  if (how & STORE_LOAD_TEXT) return order_content_is_stored_form(content);
  return order_content_read_stored(content, arena, &ret_order->content);
}

static bool read_type(struct bytes type, struct arena *arena, struct order_event *event) {
  if (type.size > 1 && type.data[0] == '=') {
    struct bytes rest = bytes_slice(type, 1, type.size);
    return bytes_next_part(&rest, ',', &event->type) && bytes_next_part(&rest, ',', &event->step);
  }
  if (type.size != 2 || type.data[1] < '0') return false;
  int second = type.data[1] - '0';
  if (type.data[0] == 'o') {
    if (second >= ORDER_STATUS_COUNT) return false;
    event->type = arena_printf(arena, "order.%s", order_status_name((enum order_status)second));
    return true;
  }
  int command = type.data[0] - '0';
  if (command < 0 || command >= COMMAND_COUNT || second >= SLOT_STATE_COUNT) return false;
  event->type =
      arena_printf(arena, "%s.%s", command_rules[command].name, order_slot_state_name((enum slot_state)second));
  event->step = bytes_of(step_of((enum order_command)command));
  return true;
}

bool item_read_events(const struct json *item, struct arena *arena, struct order_event **ret_events,
                      size_t *ret_count) {
  const struct json *list = json_member(json_member(item, "e"), "L");
  int64_t created_ms = item_created_ms(item);
  if (!list || list->type != JSON_ARRAY || created_ms < 0) return false;
  struct order_event *events = ARENA_ARRAY(arena, list->count, struct order_event);
  size_t count = 0;
  for (const struct json *entry = list->first; entry; entry = entry->next) {
    static const int limits[] = {ORDER_STATUS_COUNT};
    struct fields fields = {.rest = json_member_text(entry, "S"), .arena = arena, .good = true};
    struct order_event *event = &events[count++];
    int status = 0;
    event->sequence = (int64_t)count;
    event->at_ms = created_ms + next_number(&fields);
    struct bytes type = next_field(&fields);
    if (!read_type(type, arena, event)) return false;
    next_digits(&fields, limits, &status, 1);
    event->status = (enum order_status)status;
    event->detail = next_text(&fields);
    if (!fields.good) return false;
  }
  *ret_events = events;
  *ret_count = count;
  return true;
}

bool item_read_outbox(const struct order *order, struct bytes outbox, struct message *ret_messages,
                      size_t *ret_count) {
  static const int limits[] = {2, COMMAND_COUNT};
  struct fields fields = {.rest = outbox, .arena = NULL, .good = true};
  size_t count = 0;
  while (outbox.size > 0 && has_more(&fields)) {
    if (count == DECISION_MESSAGES_MAX) return false;
    struct message *message = &ret_messages[count++];
    int digits[2];
    next_digits(&fields, limits, digits, 2);
    *message = (struct message){.kind = (enum message_kind)digits[0], .slot = (enum order_command)digits[1]};
    memcpy(message->order_id, order->id.data, ORDER_ID_CHARACTERS);
    message->queue = queue_index(command_service(message->slot), order->content.channel);
    message->dispatch_version = next_number(&fields);
    message->created_ms = order->updated_ms;
    message->due_ms = order->created_ms + next_number(&fields);
    message->deadline_ms = message->due_ms + next_number(&fields);
  }
  *ret_count = count;
  return fields.good;
}
