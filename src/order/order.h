/* The order: what a customer sent (the content, which never changes) and how far it has come (the
 * state, which only order_decide changes). Pure data; all views point into the arena the order was
 * made in. Money is int64_t in the currency's minor unit. */
#ifndef ORDER_ORDER_H
#define ORDER_ORDER_H

#include <stdint.h>

#include "base/arena.h"

enum {
  ORDER_ID_CHARACTERS = 36, /* "ord_" and 32 characters of base32 */
  ORDER_RETAIL_LINES_MAX = 100,
  ORDER_WHOLESALE_LINES_MAX = 1000,
};

enum order_channel { CHANNEL_RETAIL, CHANNEL_WHOLESALE, CHANNEL_COUNT };

enum order_status {
  ORDER_ACCEPTED,   /* durable, not yet worked on */
  ORDER_PROCESSING, /* a command was sent, or is about to be */
  ORDER_COMPLETED,  /* final: every step is done */
  ORDER_REVERSING,  /* refused or cancelled; what was done is being undone */
  ORDER_REJECTED,   /* final: a service refused */
  ORDER_CANCELLED,  /* final: the customer asked */
  ORDER_ATTENTION,  /* a person must decide about at least one command */
  ORDER_STATUS_COUNT
};

enum service { SERVICE_INVENTORY, SERVICE_ACCOUNTING, SERVICE_FULFILMENT, SERVICE_COUNT };

/* The steps, and the two commands of each: order/step.h has the table. */
enum step { STEP_RESERVE, STEP_RECORD, STEP_SHIP, STEP_COUNT };
enum order_command {
  COMMAND_RESERVE,
  COMMAND_RELEASE,
  COMMAND_RECORD,
  COMMAND_REFUND,
  COMMAND_SHIP,
  COMMAND_RECALL,
  COMMAND_COUNT
};

/* How far one command of one order has come. */
enum slot_state {
  SLOT_IDLE,      /* an undo that nothing asks for */
  SLOT_WAITING,   /* to be sent; never sent so far, or surely not applied */
  SLOT_RUNNING,   /* may have been sent */
  SLOT_PENDING,   /* the service said 202 and will call back */
  SLOT_DONE,      /* applied */
  SLOT_REFUSED,   /* refused, nothing applied */
  SLOT_SKIPPED,   /* a person said: go on without its effect */
  SLOT_ATTENTION, /* a person must decide */
  SLOT_STATE_COUNT
};

struct order_slot {
  enum slot_state state;
  bool unsettled;           /* an attempt was made whose outcome is not known */
  bool by_hand;             /* a person said how it ended */
  bool refused;             /* the service's answer was a refusal, also where a person must decide */
  int64_t attempts;         /* made so far, as of the last transition */
  int64_t dispatch_version; /* of the order when its message was made; 0: no message is out */
  int64_t since_ms;         /* when it was dispatched, last begun, or came to attention */
  int64_t deadline_ms;      /* of this dispatch; 0 where none is out */
  struct bytes reference;   /* the service's */
  struct bytes reason;      /* of a refusal, or what brought it to attention */
};

struct order_line {
  struct bytes sku;
  int64_t quantity;
  int64_t unit_price;
};

struct order_payment {
  struct bytes reference;
  struct bytes receipt; /* a JWS; empty where the setting is off */
};

struct order_address {
  struct bytes name, line1, line2, city, region, postcode, country;
};

struct order_lines { /* laid out as wire/bind.h's struct bind_list */
  struct order_line *items;
  size_t count;
};

struct order_content {
  int channel; /* enum order_channel */
  struct bytes currency;
  struct order_lines lines;
  int64_t discount, shipping, tax, total;
  struct bytes coupon;
  const struct order_payment *payment; /* NULL: none */
  struct bytes purchase_order;
  int64_t terms_days;
  const struct order_address *ship_to;
};

struct order {
  struct bytes id;
  struct bytes customer;
  struct order_content content;
  struct bytes content_json; /* the content's canonical JSON; equal bytes are equal contents */
  struct bytes traceparent;  /* of the request that made the order (W3C Trace Context) */

  enum order_status status;
  enum order_status target; /* ORDER_ACCEPTED while it goes forward, else how it will end */
  int64_t version;          /* sequence of the newest event, from 1 */
  int64_t revision;         /* counts stored writes: what a conditional write compares */
  struct bytes reason;      /* why it is reversing or was rejected or cancelled */
  struct order_slot slots[COMMAND_COUNT];
  int64_t created_ms, updated_ms;
};

/* One entry of an order's history: one transition of the order or of a step. */
struct order_event {
  int64_t sequence;
  struct bytes type; /* "order.accepted", "reserve.done", "refund.running" … */
  int64_t at_ms;
  enum order_status status; /* of the order after it */
  struct bytes step;        /* "reserve", "record", "ship"; empty for the order's own */
  struct bytes detail;
};

const char *order_status_name(enum order_status status);
bool order_status_parse(struct bytes name, enum order_status *ret_status);
const char *order_slot_state_name(enum slot_state state);
bool order_slot_state_parse(struct bytes name, enum slot_state *ret_state);
const char *order_channel_name(int channel);
extern const char *const order_channel_names[]; /* by enum order_channel, ends with NULL */
bool order_status_is_final(enum order_status status);

/* Of a content what order_decide and a store need of an order that exists: the channel, and whether there is a
 * payment (its texts are empty). */
struct order_content order_content_outline(int channel, bool has_payment);

/* An order with the outline of its content. Texts are copied into the arena. */
struct order *order_copy_state(const struct order *order, struct arena *arena);

/* Sum of quantity × unit_price; false on overflow. */
bool order_subtotal(const struct order_content *content, int64_t *ret_subtotal);

#endif
