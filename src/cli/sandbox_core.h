/* The three services' own logic, without HTTP: what was applied under which key, and the stock.
 * One thread only, but for record->told.
 *
 * Promises: a service that honours keys applies a key once, and gives the first result again
 * whatever body comes with it (a key is looked up within its service). A refusal applies nothing.
 * A reserve takes all its lines or none; a release gives back what its order's reserve took; one for
 * an order that holds nothing is applied all the same and changes no stock, for an undo must not
 * fail. Memory is bounded by the number of keys, lines and effects: about 400 bytes a key with its effect. */
#ifndef CLI_SANDBOX_CORE_H
#define CLI_SANDBOX_CORE_H

#include <stdatomic.h>

#include "base/key_index.h"
#include "order/step.h"
#include "wire/json.h"

struct sandbox_line {
  uint32_t sku;
  int64_t quantity;
};

/* All that came with one key. */
struct sandbox_record {
  struct bytes key, order;
  enum order_command command;
  bool refused;
  const char *reason; /* of a refusal */
  uint64_t sequence;  /* of its first effect; 0: none */
  uint32_t attempts;
  uint32_t held; /* reserve: how often its lines are taken out of stock at present */
  struct sandbox_line *lines;
  size_t line_count;
  bool pending;      /* 202 was said, and the outcome is told by callback */
  _Atomic bool told; /* set by the callback thread once that callback came through */
};

/* One thing done; its sequence is its place, from 1. */
struct sandbox_effect {
  int64_t at_ms;
  const struct sandbox_record *record;
  enum { RECORDED_UNSAID, RECORDED_NO, RECORDED_YES } recorded; /* what a refund said */
};

struct sandbox_core;

/* `stock`: how much there is of each SKU at first. `ignoring`: bits of the services that do not
 * honour keys and apply every attempt. */
struct sandbox_core *sandbox_core_new(int64_t stock, unsigned ignoring);
void sandbox_core_free(struct sandbox_core *core);

struct sandbox_command {
  enum order_command command;
  struct bytes key;        /* "<order>.<command>" or any other text */
  const struct json *body; /* the order; a reserve's `lines`, a refund's `recorded` are read */
  int64_t now_ms;
  bool refuse; /* a fault: refuse unless the key has a result already */
};

struct sandbox_result {
  struct sandbox_record *record;
  bool refused;
  const char *reason;
  uint64_t sequence; /* of the effect where it was not refused: names the reference */
  bool repeated;     /* the key's first result again, nothing applied by this attempt */
};

struct sandbox_result sandbox_core_apply(struct sandbox_core *core, const struct sandbox_command *command);

/* What is known under a key; NULL where it never came. */
struct sandbox_record *sandbox_core_find(const struct sandbox_core *core, enum service service,
                                         struct bytes key);

uint64_t sandbox_core_effect_count(const struct sandbox_core *core);
/* `sequence` from 1 to the count. */
const struct sandbox_effect *sandbox_core_effect(const struct sandbox_core *core, uint64_t sequence);
/* How much is left of a SKU. */
int64_t sandbox_core_stock(const struct sandbox_core *core, struct bytes sku);

enum { SANDBOX_REFERENCE_BYTES = 32 };
/* "res-17", by command and sequence; NUL-terminated. */
void sandbox_reference(enum order_command command, uint64_t sequence, char ret_text[SANDBOX_REFERENCE_BYTES]);

#endif
