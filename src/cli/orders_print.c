#include "cli/orders_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

/* Digits after the point (ISO 4217's exponent); two for those in neither list. */
static int money_exponent(struct bytes currency) {
  static const char none[] = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
  static const char three[] = "BHD IQD JOD KWD LYD OMR TND";
  static const char four[] = "CLF UYW";
  char code[4] = "";
  if (currency.size != 3) return 2;
  memcpy(code, currency.data, 3);
  return strstr(none, code) ? 0 : strstr(three, code) ? 3 : strstr(four, code) ? 4 : 2;
}

/* 1530 GBP as "15.30 GBP", by the currency's exponent. */
static const char *money_text(const struct json *order, const char *member, struct arena *arena) {
  struct bytes currency = json_member_text(order, "currency");
  int64_t amount = json_member_int64(order, member, 0);
  int exponent = money_exponent(currency);
  int64_t unit = 1;
  for (int i = 0; i < exponent; i++) unit *= 10;
  int64_t whole = amount / unit, part = amount % unit;
  if (exponent == 0) return arena_printf(arena, "%" PRId64 " %.*s", whole, BYTES_PRINTF(currency)).data;
  return arena_printf(arena, "%s%" PRId64 ".%0*" PRId64 " %.*s", amount < 0 && whole == 0 ? "-" : "", whole,
                      exponent, part < 0 ? -part : part, BYTES_PRINTF(currency))
      .data;
}

/* Texts of others go to a terminal: control characters would be obeyed by it. */
static struct bytes shown(const struct json *object, const char *name) {
  struct bytes text = json_member_text(object, name);
  return bytes_have_control_characters(text) ? BYTES("(unprintable)") : text;
}

void orders_print_list_header(void) {
  printf("%-36s  %-10s  %-9s  %15s  %-24s\n", "ORDER", "STATUS", "CHANNEL", "TOTAL", "CREATED");
}

void orders_print_list(const struct json *orders, struct arena *arena) {
  for (const struct json *order = orders ? orders->first : NULL; order; order = order->next)
    printf("%-36.*s  %-10.*s  %-9.*s  %15s  %.*s\n", BYTES_PRINTF(shown(order, "id")),
           BYTES_PRINTF(shown(order, "status")), BYTES_PRINTF(shown(order, "channel")),
           money_text(order, "total", arena), BYTES_PRINTF(shown(order, "created_at")));
}

void orders_print_attention_header(void) {
  printf("%-36s  %-8s  %-8s  %-24s  %s\n", "ORDER", "STEP", "COMMAND", "SINCE", "WHY");
}

void orders_print_attention(const struct json *orders) {
  for (const struct json *entry = orders ? orders->first : NULL; entry; entry = entry->next)
    printf("%-36.*s  %-8.*s  %-8.*s  %-24.*s  %.*s\n", BYTES_PRINTF(shown(entry, "id")),
           BYTES_PRINTF(shown(entry, "step")), BYTES_PRINTF(shown(entry, "command")),
           BYTES_PRINTF(shown(entry, "since")), BYTES_PRINTF(shown(entry, "detail")));
}

static void print_member(const struct json *order, const char *name) {
  struct bytes value = shown(order, name);
  if (value.size) printf("%-12s %.*s\n", name, BYTES_PRINTF(value));
}

static void print_lines(const struct json *order, struct arena *arena) {
  const struct json *lines = json_member(order, "lines");
  printf("\n%-20s  %9s  %12s\n", "SKU", "QUANTITY", "MINOR UNITS");
  for (const struct json *line = lines ? lines->first : NULL; line; line = line->next) {
    printf("%-20.*s  %9" PRId64 "  %12" PRId64 "\n", BYTES_PRINTF(shown(line, "sku")),
           json_member_int64(line, "quantity", 0), json_member_int64(line, "unit_price", 0));
  }
  printf("%-12s %s\n", "total", money_text(order, "total", arena));
}

static void print_steps(const struct json *order) {
  const struct json *steps = json_member(order, "steps"), *refund = json_member(order, "refund");
  printf("\n%-8s  %-10s  %-9s  %8s  %-20s  %-20s  %s\n", "STEP", "SERVICE", "STATE", "ATTEMPTS", "REFERENCE",
         "UNDONE BY", "REASON");
  for (const struct json *step = steps ? steps->first : NULL; step; step = step->next)
    printf("%-8.*s  %-10.*s  %-9.*s  %8" PRId64 "  %-20.*s  %-20.*s  %.*s\n", BYTES_PRINTF(shown(step, "name")),
           BYTES_PRINTF(shown(step, "service")), BYTES_PRINTF(shown(step, "state")),
           json_member_int64(step, "attempts", 0), BYTES_PRINTF(shown(step, "reference")),
           BYTES_PRINTF(shown(step, "undo_reference")), BYTES_PRINTF(shown(step, "reason")));
  if (refund && refund->type == JSON_OBJECT)
    printf("refund    %.*s %.*s\n", BYTES_PRINTF(shown(refund, "state")),
           BYTES_PRINTF(shown(refund, "reference")));
}

static void print_events(const struct json *events) {
  printf("\n%8s  %-24s  %-20s  %-10s  %s\n", "SEQUENCE", "AT", "TYPE", "STATUS", "DETAIL");
  for (const struct json *event = events->first; event; event = event->next)
    printf("%8" PRId64 "  %-24.*s  %-20.*s  %-10.*s  %.*s\n", json_member_int64(event, "sequence", 0),
           BYTES_PRINTF(shown(event, "at")), BYTES_PRINTF(shown(event, "type")),
           BYTES_PRINTF(shown(event, "status")), BYTES_PRINTF(shown(event, "detail")));
}

void orders_print_one(const struct json *order, const struct json *events, struct arena *arena) {
  static const char *const members[] = {"id",         "customer",   "status",         "reason", "channel",
                                        "created_at", "updated_at", "purchase_order", NULL};
  for (size_t i = 0; members[i]; i++) print_member(order, members[i]);
  const struct json *payment = json_member(order, "payment");
  if (payment && payment->type == JSON_OBJECT)
    printf("%-12s %.*s\n", "payment", BYTES_PRINTF(shown(payment, "reference")));
  print_lines(order, arena);
  print_steps(order);
  if (events && events->type == JSON_ARRAY) print_events(events);
}
