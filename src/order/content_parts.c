#include "order/content_parts.h"

#include "wire/json_members.h"

static const struct part {
  const char *name;
  size_t offset_bytes;
  bool required;
  const char *followed_by; /* what stands behind it; NULL: that is found by looking into it */
} parts[] = {
    {"channel", offsetof(struct order_content_parts, channel), true, NULL},
    {"currency", offsetof(struct order_content_parts, currency), true, NULL},
    {"lines", offsetof(struct order_content_parts, lines), true, ",\"discount\":"},
    {"discount", offsetof(struct order_content_parts, discount), true, NULL},
    {"coupon", offsetof(struct order_content_parts, coupon), true, NULL},
    {"shipping", offsetof(struct order_content_parts, shipping), true, NULL},
    {"tax", offsetof(struct order_content_parts, tax), true, NULL},
    {"total", offsetof(struct order_content_parts, total), true, NULL},
    {"payment", offsetof(struct order_content_parts, payment), false, NULL},
    {"purchase_order", offsetof(struct order_content_parts, purchase_order), false, NULL},
    {"terms_days", offsetof(struct order_content_parts, terms_days), false, NULL},
    {"ship_to", offsetof(struct order_content_parts, ship_to), true, NULL},
};

/* They come in the table's order. The lines, which may be long, are not looked into. */
bool order_content_split(struct bytes json, struct order_content_parts *ret_parts) {
  struct order_content_parts found = {0};
  struct json_members members;
  struct bytes name, value;
  size_t part = 0;
  json_members_init(&members, json);
  while (part < COUNT_OF(parts) &&
         json_members_next_before(&members, bytes_of(parts[part].followed_by), &name, &value)) {
    while (part < COUNT_OF(parts) && !bytes_equal_string(name, parts[part].name))
      if (parts[part++].required) return false;
    if (part == COUNT_OF(parts)) return false;
    memcpy((char *)&found + parts[part++].offset_bytes, &value, sizeof value);
  }
  while (part < COUNT_OF(parts))
    if (parts[part++].required) return false;
  if (members.malformed || json_members_next(&members, &name, &value)) return false;
  *ret_parts = found;
  return true;
}

bool order_content_is_stored_form(struct bytes json) {
  struct order_content_parts split;
  return order_content_split(json, &split);
}

bool order_content_read_outline(struct bytes json, struct order_content *ret_content) {
  struct order_content_parts split;
  if (!order_content_split(json, &split)) return false;
  for (int channel = 0; channel < CHANNEL_COUNT; channel++) {
    if (!bytes_equal_string(json_members_string(split.channel), order_channel_name(channel))) continue;
    *ret_content = order_content_outline(channel, split.payment.size > 0);
    return true;
  }
  return false;
}
