#include "cli/sandbox_core.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/panic.h"

enum { BLOCK_EFFECTS = 16 * 1024, ORDER_BYTES_MAX = 512 };

struct sandbox_core {
  struct arena arena; /* records, keys, lines, SKUs: they stay as long as the process */
  int64_t stock;
  unsigned ignoring;
  struct key_index keys[SERVICE_COUNT];
  struct sandbox_record **records;
  size_t record_count, record_capacity;
  struct sandbox_effect **blocks;
  size_t block_count;
  uint64_t effect_count;
  struct key_index skus;
  int64_t *left; /* by SKU number */
  size_t sku_capacity;
};

struct sandbox_core *sandbox_core_new(int64_t stock, unsigned ignoring) {
  struct sandbox_core *core = calloc(1, sizeof *core);
  if (!core) panic("out of memory");
  arena_init(&core->arena);
  core->stock = stock;
  core->ignoring = ignoring;
  return core;
}

void sandbox_core_free(struct sandbox_core *core) {
  for (size_t i = 0; i < core->block_count; i++) free(core->blocks[i]);
  for (int i = 0; i < SERVICE_COUNT; i++) key_index_release(&core->keys[i]);
  key_index_release(&core->skus);
  free(core->blocks);
  free(core->records);
  free(core->left);
  arena_release(&core->arena);
  free(core);
}

/* Room for one more item; the array doubles. */
static void *grown(void *items, size_t count, size_t *capacity, size_t item_size_bytes) {
  if (count < *capacity) return items;
  *capacity = *capacity ? *capacity * 2 : 64;
  items = reallocarray(items, *capacity, item_size_bytes);
  if (!items) panic("out of memory");
  return items;
}

static uint32_t sku_number(struct sandbox_core *core, struct bytes sku) {
  int64_t found = key_index_find(&core->skus, sku);
  if (found != KEY_INDEX_NONE) return (uint32_t)found;
  size_t number = core->skus.count;
  core->left = grown(core->left, number, &core->sku_capacity, sizeof *core->left);
  core->left[number] = core->stock;
  key_index_add(&core->skus, arena_copy(&core->arena, sku), number);
  return (uint32_t)number;
}

/* The order's id is the key up to its last dot; the body's id where the key is of another form. */
static struct bytes order_of(struct sandbox_core *core, struct bytes key, const struct json *body) {
  size_t dot = key.size;
  while (dot > 0 && key.data[dot - 1] != '.') dot--;
  if (dot > 1) return bytes_slice(key, 0, dot - 1);
  return arena_copy(&core->arena, json_member_text(body, "id"));
}

static void read_lines(struct sandbox_core *core, struct sandbox_record *record, const struct json *body) {
  const struct json *lines = json_member(body, "lines");
  if (!lines || lines->type != JSON_ARRAY) return;
  record->lines = ARENA_ARRAY(&core->arena, lines->count, struct sandbox_line);
  for (const struct json *line = lines->first; line; line = line->next)
    record->lines[record->line_count++] = (struct sandbox_line){sku_number(core, json_member_text(line, "sku")),
                                                                json_member_int64(line, "quantity", 0)};
}

static struct sandbox_record *record_new(struct sandbox_core *core, const struct sandbox_command *command) {
  struct sandbox_record *record = ARENA_NEW(&core->arena, struct sandbox_record);
  record->key = arena_copy(&core->arena, command->key);
  record->order = order_of(core, record->key, command->body);
  record->command = command->command;
  if (command->command == COMMAND_RESERVE) read_lines(core, record, command->body);
  core->records = grown(core->records, core->record_count, &core->record_capacity, sizeof *core->records);
  core->records[core->record_count] = record;
  key_index_add(&core->keys[command_service(command->command)], record->key, core->record_count++);
  return record;
}

struct sandbox_record *sandbox_core_find(const struct sandbox_core *core, enum service service,
                                         struct bytes key) {
  int64_t found = key_index_find(&core->keys[service], key);
  return found == KEY_INDEX_NONE ? NULL : core->records[found];
}

static void give_back(struct sandbox_core *core, const struct sandbox_line *lines, size_t count) {
  for (size_t i = 0; i < count; i++) core->left[lines[i].sku] += lines[i].quantity;
}

/* All lines or none: a SKU may repeat, so what was taken is given back where a later line fails. */
static bool take(struct sandbox_core *core, const struct sandbox_record *record) {
  for (size_t i = 0; i < record->line_count; i++) {
    const struct sandbox_line *line = &record->lines[i];
    if (line->quantity <= core->left[line->sku]) {
      core->left[line->sku] -= line->quantity;
      continue;
    }
    give_back(core, record->lines, i);
    return false;
  }
  return true;
}

static void release(struct sandbox_core *core, struct bytes order) {
  char key[ORDER_BYTES_MAX];
  const char *suffix = command_rules[COMMAND_RESERVE].name;
  if (order.size + strlen(suffix) + 2 > sizeof key) return;
  int size = snprintf(key, sizeof key, "%.*s.%s", BYTES_PRINTF(order), suffix);
  struct sandbox_record *reserve = sandbox_core_find(core, SERVICE_INVENTORY, bytes_from(key, (size_t)size));
  if (!reserve || reserve->held == 0) return;
  reserve->held--;
  give_back(core, reserve->lines, reserve->line_count);
}

static uint64_t add_effect(struct sandbox_core *core, const struct sandbox_record *record,
                           const struct sandbox_command *command) {
  if (core->effect_count == core->block_count * BLOCK_EFFECTS) {
    core->blocks = reallocarray(core->blocks, core->block_count + 1, sizeof *core->blocks);
    if (!core->blocks) panic("out of memory");
    struct sandbox_effect *block = calloc(BLOCK_EFFECTS, sizeof *block);
    if (!block) panic("out of memory");
    core->blocks[core->block_count++] = block;
  }
  const struct json *said = json_member(command->body, "recorded");
  struct sandbox_effect *effect = &core->blocks[core->block_count - 1][core->effect_count % BLOCK_EFFECTS];
  *effect = (struct sandbox_effect){.at_ms = command->now_ms, .record = record};
  if (record->command == COMMAND_REFUND && said && said->type == JSON_BOOLEAN)
    effect->recorded = said->boolean ? RECORDED_YES : RECORDED_NO;
  return ++core->effect_count;
}

static struct sandbox_result apply_new(struct sandbox_core *core, struct sandbox_record *record,
                                       const struct sandbox_command *command) {
  struct sandbox_result result = {.record = record};
  if (command->refuse && !command_rules[record->command].is_undo)
    result.reason = "declined";
  else if (record->command == COMMAND_RESERVE && !take(core, record))
    result.reason = "out_of_stock";
  result.refused = result.reason != NULL;
  record->refused = result.refused;
  record->reason = result.reason;
  if (result.refused) return result;
  if (record->command == COMMAND_RESERVE) record->held++;
  if (record->command == COMMAND_RELEASE) release(core, record->order);
  result.sequence = add_effect(core, record, command);
  if (record->sequence == 0) record->sequence = result.sequence;
  return result;
}

struct sandbox_result sandbox_core_apply(struct sandbox_core *core, const struct sandbox_command *command) {
  enum service service = command_service(command->command);
  struct sandbox_record *record = sandbox_core_find(core, service, command->key);
  bool is_new = !record;
  if (is_new) record = record_new(core, command);
  record->attempts++;
  if (!is_new && !(core->ignoring & (1U << service)))
    return (struct sandbox_result){record, record->refused, record->reason, record->sequence, true};
  return apply_new(core, record, command);
}

uint64_t sandbox_core_effect_count(const struct sandbox_core *core) { return core->effect_count; }

const struct sandbox_effect *sandbox_core_effect(const struct sandbox_core *core, uint64_t sequence) {
  ensure(sequence >= 1 && sequence <= core->effect_count);
  return &core->blocks[(sequence - 1) / BLOCK_EFFECTS][(sequence - 1) % BLOCK_EFFECTS];
}

int64_t sandbox_core_stock(const struct sandbox_core *core, struct bytes sku) {
  int64_t found = key_index_find(&core->skus, sku);
  return found == KEY_INDEX_NONE ? core->stock : core->left[found];
}

void sandbox_reference(enum order_command command, uint64_t sequence, char ret_text[SANDBOX_REFERENCE_BYTES]) {
  static const char *const prefixes[COMMAND_COUNT] = {
      [COMMAND_RESERVE] = "res", [COMMAND_RELEASE] = "rel", [COMMAND_RECORD] = "rec",
      [COMMAND_REFUND] = "ref",  [COMMAND_SHIP] = "shp",    [COMMAND_RECALL] = "rcl",
  };
  snprintf(ret_text, SANDBOX_REFERENCE_BYTES, "%s-%llu", prefixes[command], (unsigned long long)sequence);
}
