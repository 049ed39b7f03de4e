#include "order/codec.h"

#include "base/attributes.h"
#include "order/step.h"
#include "wire/json.h"
#include "wire/json_write.h"

/* A member that is written only where it differs from zero, false or the empty text. */
struct field {
  const char *name;
  enum { FIELD_INT64, FIELD_TEXT, FIELD_FLAG } type;
  size_t offset_bytes;
};

static const struct field state_fields[] = {
    {"v", FIELD_INT64, offsetof(struct order, version)},
    {"u", FIELD_INT64, offsetof(struct order, updated_ms)},
    {"r", FIELD_TEXT, offsetof(struct order, reason)},
};

static const struct field slot_fields[] = {
    {"n", FIELD_INT64, offsetof(struct order_slot, attempts)},
    {"d", FIELD_INT64, offsetof(struct order_slot, dispatch_version)},
    {"at", FIELD_INT64, offsetof(struct order_slot, since_ms)},
    {"by", FIELD_INT64, offsetof(struct order_slot, deadline_ms)},
    {"ref", FIELD_TEXT, offsetof(struct order_slot, reference)},
    {"why", FIELD_TEXT, offsetof(struct order_slot, reason)},
    {"open", FIELD_FLAG, offsetof(struct order_slot, unsettled)},
    {"hand", FIELD_FLAG, offsetof(struct order_slot, by_hand)},
    {"no", FIELD_FLAG, offsetof(struct order_slot, refused)},
};

static const struct field event_fields[] = {
    {"n", FIELD_INT64, offsetof(struct order_event, sequence)},
    {"at", FIELD_INT64, offsetof(struct order_event, at_ms)},
    {"t", FIELD_TEXT, offsetof(struct order_event, type)},
    {"p", FIELD_TEXT, offsetof(struct order_event, step)},
    {"d", FIELD_TEXT, offsetof(struct order_event, detail)},
};

static void write_fields(const struct field *fields, size_t count, const void *of, struct json_writer *json) {
  for (size_t i = 0; i < count; i++) {
    const char *at = (const char *)of + fields[i].offset_bytes;
    int64_t integer;
    struct bytes text;
    bool flag;
    switch (fields[i].type) {
      case FIELD_INT64:
        memcpy(&integer, at, sizeof integer);
        if (integer != 0) json_write_int64(json, fields[i].name, integer);
        break;
      case FIELD_TEXT:
        memcpy(&text, at, sizeof text);
        if (text.size > 0) json_write_text(json, fields[i].name, text);
        break;
      case FIELD_FLAG:
        memcpy(&flag, at, sizeof flag);
        if (flag) json_write_boolean(json, fields[i].name, true);
        break;
    }
  }
}

/* False where no field has the member's name, or the member is not of its type. */
static bool read_field(const struct field *fields, size_t count, const struct json *member, void *of) {
  for (size_t i = 0; i < count; i++) {
    if (!bytes_equal_string(member->name, fields[i].name)) continue;
    char *at = (char *)of + fields[i].offset_bytes;
    int64_t integer;
    switch (fields[i].type) {
      case FIELD_INT64:
        if (!json_to_int64(member, &integer)) return false;
        memcpy(at, &integer, sizeof integer);
        return true;
      case FIELD_TEXT:
        if (member->type != JSON_STRING) return false;
        memcpy(at, &member->text, sizeof member->text);
        return true;
      case FIELD_FLAG:
        if (member->type != JSON_BOOLEAN) return false;
        memcpy(at, &member->boolean, sizeof member->boolean);
        return true;
    }
  }
  return false;
}

static bool read_status(const struct json *member, enum order_status *ret_status) {
  return member->type == JSON_STRING && order_status_parse(member->text, ret_status);
}

static bool slot_is_default(const struct order_slot *slot) {
  return slot->state == SLOT_IDLE && !slot->unsettled && !slot->by_hand && !slot->refused &&
         slot->attempts == 0 && slot->dispatch_version == 0 && slot->since_ms == 0 && slot->deadline_ms == 0 &&
         slot->reference.size == 0 && slot->reason.size == 0;
}

void order_state_write(const struct order *order, struct text *text) {
  struct json_writer json;
  json_writer_init(&json, text);
  json_open_object(&json, NULL);
  json_write_string(&json, "s", order_status_name(order->status));
  if (order->target != ORDER_ACCEPTED) json_write_string(&json, "t", order_status_name(order->target));
  write_fields(state_fields, COUNT_OF(state_fields), order, &json);
  json_open_object(&json, "c");
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    const struct order_slot *slot = &order->slots[i];
    if (slot_is_default(slot)) continue;
    json_open_object(&json, command_rules[i].name);
    json_write_string(&json, "s", order_slot_state_name(slot->state));
    write_fields(slot_fields, COUNT_OF(slot_fields), slot, &json);
    json_close_object(&json);
  }
  json_close_object(&json);
  json_close_object(&json);
}

static bool read_slot(const struct json *json, struct order_slot *ret_slot) {
  if (json->type != JSON_OBJECT) return false;
  bool has_state = false;
  for (const struct json *member = json->first; member; member = member->next) {
    if (read_field(slot_fields, COUNT_OF(slot_fields), member, ret_slot)) continue;
    if (!bytes_equal(member->name, BYTES("s")) || member->type != JSON_STRING) return false;
    has_state = order_slot_state_parse(member->text, &ret_slot->state);
    if (!has_state) return false;
  }
  return has_state;
}

static bool read_slots(const struct json *json, struct order_slot *ret_slots) {
  if (json->type != JSON_OBJECT) return false;
  for (const struct json *member = json->first; member; member = member->next) {
    enum order_command command;
    if (!order_command_parse(member->name, &command)) return false;
    if (!read_slot(member, &ret_slots[command])) return false;
  }
  return true;
}

bool order_state_read(struct bytes json, struct arena *arena, struct order *ret_order) {
  struct json *root;
  struct bytes detail;
  if (!json_parse(json, arena, &root, &detail) || root->type != JSON_OBJECT) return false;
  struct order state = {.target = ORDER_ACCEPTED};
  bool has_status = false, has_slots = false;
  for (const struct json *member = root->first; member; member = member->next) {
    if (read_field(state_fields, COUNT_OF(state_fields), member, &state)) continue;
    bool good = false;
    if (bytes_equal(member->name, BYTES("s"))) good = has_status = read_status(member, &state.status);
    if (bytes_equal(member->name, BYTES("t"))) good = read_status(member, &state.target);
    if (bytes_equal(member->name, BYTES("c"))) good = has_slots = read_slots(member, state.slots);
    if (!good) return false;
  }
  if (!has_status || !has_slots || state.version < 1) return false;
  ret_order->status = state.status;
  ret_order->target = state.target;
  ret_order->version = state.version;
  ret_order->reason = state.reason;
  ret_order->updated_ms = state.updated_ms;
  memcpy(ret_order->slots, state.slots, sizeof state.slots);
  return true;
}

void order_events_write(const struct order_event *events, size_t count, struct text *text) {
  struct json_writer json;
  json_writer_init(&json, text);
  json_open_array(&json, NULL);
  for (size_t i = 0; i < count; i++) {
    json_open_object(&json, NULL);
    json_write_string(&json, "s", order_status_name(events[i].status));
    write_fields(event_fields, COUNT_OF(event_fields), &events[i], &json);
    json_close_object(&json);
  }
  json_close_array(&json);
}

static bool read_event(const struct json *json, struct order_event *ret_event) {
  if (json->type != JSON_OBJECT) return false;
  bool has_status = false;
  for (const struct json *member = json->first; member; member = member->next) {
    if (read_field(event_fields, COUNT_OF(event_fields), member, ret_event)) continue;
    if (!bytes_equal(member->name, BYTES("s")) || !read_status(member, &ret_event->status)) return false;
    has_status = true;
  }
  return has_status && ret_event->sequence >= 1 && ret_event->type.size > 0;
}

bool order_events_read(struct bytes json, struct arena *arena, struct order_event **ret_events,
                       size_t *ret_count) {
  struct json *root;
  struct bytes detail;
  if (!json_parse(json, arena, &root, &detail) || root->type != JSON_ARRAY) return false;
  struct order_event *events = ARENA_ARRAY(arena, root->count, struct order_event);
  size_t count = 0;
  for (const struct json *item = root->first; item; item = item->next)
    if (!read_event(item, &events[count++])) return false;
  *ret_events = events;
  *ret_count = count;
  return true;
}
