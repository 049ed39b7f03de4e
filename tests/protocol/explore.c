#include "protocol/explore.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"
#include "platform/aws/store_dynamodb_internal.h"
#include "protocol/client.h"

enum { GRACE_MS = 3001, TRIES_MAX = 8, WAITS_MAX = 20, STEPS_MAX = 500, OPTIONS_MAX = 512 };

enum option_kind { CARRY_OUT, WAKE, TIME_OVER, JUMP };

struct option {
  enum option_kind kind;
  size_t index; /* of the request or the actor */
  enum mishap mishap;
};

static const char *const mishap_names[MISHAP_COUNT] = {"",
                                                       "the answer is lost",
                                                       "the answer is lost, no time is left",
                                                       "late",
                                                       "late, no time is left",
                                                       "throttled",
                                                       "collided",
                                                       "dies",
                                                       "dies after it",
                                                       "torn",
                                                       "stale"};

/* --- telling --------------------------------------------------------------------------------------- */

void run_violate(struct run *run, const char *rule, const char *format, ...) {
  va_list values;
  if (run->violated) return;
  run->violated = rule;
  va_start(values, format);
  vsnprintf(run->violation, sizeof run->violation, format, values);
  va_end(values);
  run_tell(run, "VIOLATED %s: %s", rule, run->violation);
}

void run_tell(struct run *run, const char *format, ...) {
  va_list values;
  if (!run->told) return;
  printf("%6lld  ", (long long)run->sim.now_ms);
  va_start(values, format);
  vprintf(format, values);
  va_end(values);
  putchar('\n');
}

/* "orders claim:pay 1 order:ord_a" */
static void describe(const struct json *json, struct text *text) {
  const struct json *k = json_member(json, "k"), *r = json_member(json, "r");
  if (json->type == JSON_OBJECT && k && r && json_member(k, "S")) {
    struct bytes key = json_member_text(k, "S");
    if (bytes_starts_with(key, BYTES("ord_"))) key = bytes_slice(key, 0, 5);
    text_printf(text, " %.*s/%.1s", BYTES_PRINTF(key), json_member_text(r, "S").data);
    if (item_text(json, "i").size) text_printf(text, " for %.5s", item_text(json, "i").data);
    return;
  }
  for (const struct json *one = json->first; one; one = one->next) describe(one, text);
  struct bytes holder = json_member_text(json_member(json, ":i"), "S");
  struct bytes condition = json_member_text(json, "ConditionExpression");
  if (holder.size) text_printf(text, " i=%.5s", holder.data);
  if (condition.size) text_printf(text, " if %.*s", BYTES_PRINTF(condition));
}

static void tell_request(struct run *run, const struct pending *pending, enum mishap mishap,
                         const struct aws_answer *answer) {
  if (!run->told) return;
  struct bytes ended = !answer                       ? BYTES("nothing yet")
                       : answer->outcome == AWS_DONE ? BYTES("done")
                                                     : answer->error;
  struct json *root;
  struct bytes detail;
  struct text text;
  text_init(&text, &run->arena);
  if (json_parse(pending->request.body, &run->arena, &root, &detail)) describe(root, &text);
  run_tell(run, "%c%s %s%.*s -> %.*s%s%s", 'A' + pending->by, pending->actor ? "" : " (nobody waits for it)",
           pending->request.operation, BYTES_PRINTF(text_view(&text)), BYTES_PRINTF(ended), mishap ? ", " : "",
           mishap_names[mishap]);
}

/* --- choices --------------------------------------------------------------------------------------- */

static size_t choose(struct choices *choices, size_t of) {
  ensure(choices->count < CHOICES_MAX);
  size_t taken = 0, at = choices->count++;
  if (at < choices->fixed) {
    taken = choices->taken[at];
  } else if (choices->by_chance) {
    uint64_t z = (choices->random += 0x9e3779b97f4a7c15ULL);
    taken = (size_t)(((unsigned __int128)sim_name(z, 1) * of) >> 64);
  }
  ensure(taken < of);
  choices->taken[at] = taken;
  choices->of[at] = of;
  return taken;
}

bool choices_next(struct choices *choices) {
  while (choices->count > 0 && choices->taken[choices->count - 1] + 1 >= choices->of[choices->count - 1])
    choices->count--;
  if (choices->count == 0) return false;
  choices->taken[choices->count - 1]++;
  choices->fixed = choices->count;
  choices->count = 0;
  return true;
}

/* --- what the store's client does ------------------------------------------------------------------ */

static void carry_out(void *context, const struct aws_request *const *requests, size_t count,
                      struct arena *arena, struct aws_answer *const *answers) {
  struct actor *actor = context;
  struct run *run = actor->run;
  size_t left = count;
  for (size_t i = 0; i < count && !sim_is_ghost(&run->sim); i++) {
    struct pending *pending = ARENA_NEW(&run->arena, struct pending);
    *pending = (struct pending){
        .actor = actor, .request = *requests[i], .answer = answers[i], .arena = arena, .left = &left};
    pending->request.body = arena_copy(&run->arena, requests[i]->body);
    pending->by = actor->number;
    pending->is_read = bytes_equal_string(bytes_of(pending->request.operation), "BatchGetItem");
    pending->hash = text_hash(pending->request.body);
    ensure(run->pending_count < PENDING_MAX);
    run->pending[run->pending_count++] = pending;
  }
  actor->task = sim_self(&run->sim);
  if (!sim_is_ghost(&run->sim)) sim_park(&run->sim);
  for (size_t i = 0; i < count && sim_is_ghost(&run->sim); i++)
    *answers[i] = (struct aws_answer){.outcome = AWS_UNREACHED, .error = BYTES("dead")};
}

static bool pause_for(void *context, int64_t most_ms) {
  struct actor *actor = context;
  struct run *run = actor->run;
  (void)most_ms;
  if (sim_is_ghost(&run->sim) || actor->is_over) return false;
  actor->paused = true;
  actor->saw_writes = table_writes(run->table);
  actor->task = sim_self(&run->sim);
  sim_park(&run->sim);
  return !sim_is_ghost(&run->sim) && !actor->is_over;
}

static bool is_over(void *context) {
  struct actor *actor = context;
  return actor->is_over || sim_is_ghost(&actor->run->sim);
}

/* --- one wish's ports ------------------------------------------------------------------------------ */

static void set_context(struct actor *actor, struct store *store, struct function_context *ret_context) {
  struct run *run = actor->run;
  *ret_context = (struct function_context){
      .store = store, .clock = &run->sim.clock, .entropy = &run->sim.entropy, .telemetry = &run->telemetry};
  for (size_t i = 0; i < SERVICE_COUNT; i++) ret_context->rules.deadline_ms[i] = 3600000;
  ret_context->rules.attempts_unstored = true;
}

static bool wish_carry_out(struct actor *actor, const struct wish *wish) {
  struct run *run = actor->run;
  struct function_context context;
  struct aws_client *client = client_make(
      &(struct client_world){.carry_out = carry_out, .pause = pause_for, .is_over = is_over, .context = actor});
  struct store_dynamodb *store = store_dynamodb_open(&(struct store_dynamodb_options){
      .client = client, .clock = &run->sim.clock, .entropy = &run->sim.entropy, .table = "orders"});
  set_context(actor, store_dynamodb_port(store), &context);
  bool definite = wish_with(actor, wish, &context);
  store_dynamodb_close(store);
  aws_client_close(client);
  return definite;
}

/* --- actors ---------------------------------------------------------------------------------------- */

static const struct wish *wish_of(const struct actor *actor) {
  const struct scenario *scenario = actor->run->scenario;
  const struct wish *wishes = actor->run->alone ? scenario->first : scenario->wishes[actor->number];
  return actor->wish < WISHES_MAX && wishes[actor->wish].kind != WISH_NOTHING ? &wishes[actor->wish] : NULL;
}

/* A customer, or a queue, which comes again until something definite is said. */
static void act(struct sim *sim, void *context) {
  struct actor *actor = context;
  struct run *run = actor->run;
  for (const struct wish *wish; (wish = wish_of(actor)) && !run->violated;) {
    actor->is_over = false;
    bool definite = wish_carry_out(actor, wish);
    if (sim_is_ghost(sim)) return;
    if (definite) {
      actor->wish++;
      actor->tries = 0;
    } else if (++actor->tries == TRIES_MAX) {
      run_violate(run, "liveness", "%c gets no definite answer", 'A' + actor->number);
    }
  }
  actor->ended = true;
}

static void start(struct actor *actor) {
  actor->environment = ++actor->run->environments;
  actor->paused = false;
  sim_spawn(&actor->run->sim, actor->environment, 0, act, actor);
}

/* What an actor does next follows from what it was told, and when. */
static void note(struct actor *actor, uint64_t what) {
  actor->history = sim_name(actor->history ^ what, (uint64_t)actor->run->sim.now_ms);
}

/* What it had sent may still arrive; reads are of no use to anybody. */
static void die(struct run *run, struct actor *actor) {
  size_t kept = 0;
  for (size_t i = 0; i < run->pending_count; i++) {
    struct pending *pending = run->pending[i];
    if (pending->actor == actor && pending->is_read) continue;
    if (pending->actor == actor) pending->actor = NULL;
    run->pending[kept++] = pending;
  }
  run->pending_count = kept;
  sim_kill(&run->sim, actor->environment);
  sim_run(&run->sim, run->sim.now_ms);
  note(actor, 1);
  start(actor);
}

/* --- steps ----------------------------------------------------------------------------------------- */

static void drop(struct run *run, size_t index) {
  run->pending_count--;
  memmove(&run->pending[index], &run->pending[index + 1],
          (run->pending_count - index) * sizeof(struct pending *));
}

static void answer(struct run *run, struct pending *pending, const struct aws_answer *answer) {
  bool in_doubt = pending->answer->in_doubt;
  pending->actor->has_read = pending->is_read;
  note(pending->actor, text_hash(answer->body) ^ (uint64_t)answer->outcome << 1 ^ (uint64_t)in_doubt);
  note(pending->actor, text_hash(answer->error) ^ pending->hash);
  *pending->answer = *answer;
  pending->answer->in_doubt = in_doubt;
  if (--*pending->left == 0) sim_wake(&run->sim, pending->actor->task);
}

static struct aws_answer failed(enum aws_outcome outcome, struct bytes error) {
  return (struct aws_answer){
      .outcome = outcome, .status = outcome == AWS_UNAVAILABLE ? 0 : 400, .error = error};
}

/* A transaction that is told so names a reason for each of its items. */
static struct aws_answer collision(struct run *run, const struct pending *pending) {
  if (!bytes_equal_string(bytes_of(pending->request.operation), "TransactWriteItems"))
    return failed(AWS_REFUSED, BYTES("TransactionConflictException"));
  struct aws_answer answer = failed(AWS_REFUSED, BYTES("TransactionCanceledException"));
  answer.body = BYTES("{\"CancellationReasons\":[{\"Code\":\"TransactionConflict\"},{\"Code\":\"None\"}]}");
  (void)run;
  return answer;
}

static void carry_out_pending(struct run *run, size_t index, enum mishap mishap) {
  struct pending *pending = run->pending[index];
  struct actor *actor = pending->actor;
  struct arena *arena = actor ? pending->arena : &run->arena;
  struct aws_answer of_table = {.outcome = AWS_DONE};
  bool has_effect = mishap == WELL || mishap == LOST || mishap == LOST_LAST || mishap == DIED_AFTER;
  if (mishap == TORN) {
    table_read_batch(run->table, &pending->request, 0, 1, false, arena, pending->answer);
    pending->keys_read = 1;
    tell_request(run, pending, mishap, NULL);
    return;
  }
  if (mishap == STALE) {
    table_read_batch(run->table, &pending->request, 0, SIZE_MAX, true, arena, &of_table);
  } else if (pending->keys_read > 0) {
    of_table.body = pending->answer->body;
    table_read_batch(run->table, &pending->request, pending->keys_read, SIZE_MAX, false, arena, &of_table);
  } else if (has_effect) {
    table_carry_out(run->table, &pending->request, arena, &of_table);
  }
  tell_request(run, pending, mishap, has_effect ? &of_table : NULL);
  rules_check(run);
  if (mishap == DIED) {
    die(run, actor);
    return;
  }
  if (mishap == LATE || mishap == LATE_LAST) {
    struct pending *late = ARENA_NEW(&run->arena, struct pending);
    *late = *pending;
    late->actor = NULL;
    run->pending[index] = late;
  } else {
    drop(run, index);
  }
  if (!actor) return;
  if (mishap == DIED_AFTER) {
    die(run, actor);
    return;
  }
  if (mishap == LOST_LAST || mishap == LATE_LAST) actor->is_over = true;
  if (mishap == THROTTLED)
    of_table = failed(AWS_THROTTLED, BYTES("ThrottlingException"));
  else if (mishap == COLLIDED)
    of_table = collision(run, pending);
  else if (mishap != WELL && mishap != STALE)
    of_table = failed(AWS_UNAVAILABLE, BYTES("no answer"));
  answer(run, pending, &of_table);
}

static bool may_befall(const struct pending *pending, enum mishap mishap, struct arena *arena) {
  if (!pending->is_read) return mishap < TORN;
  if (pending->keys_read > 0) return false;
  if (mishap == TORN) return table_batch_keys(&pending->request, arena) > 1;
  if (mishap == STALE) {
    struct bytes body = pending->request.body, eventual = BYTES("\"ConsistentRead\":false");
    for (size_t i = 0; i + eventual.size <= body.size; i++)
      if (memcmp(body.data + i, eventual.data, eventual.size) == 0) return true;
    return false;
  }
  return mishap == THROTTLED || mishap == DIED;
}

/* Everything that may happen next. What goes well comes first, so that the first runs are the plain ones.
 * Who waits for another that it has read of need not look again before something has changed. */
static size_t list_options(struct run *run, struct option *options) {
  size_t count = 0;
  for (size_t i = 0; i < run->pending_count; i++) options[count++] = (struct option){CARRY_OUT, i, WELL};
  if (run->alone) return count;
  for (size_t i = 0; i < ACTORS_MAX; i++)
    if (run->actors[i].paused &&
        (!run->actors[i].has_read || run->actors[i].saw_writes != table_writes(run->table)))
      options[count++] = (struct option){WAKE, i, WELL};
  if (run->limits.jumps > 0 && run->steps > 0 && count > 0) options[count++] = (struct option){JUMP, 0, WELL};
  if (run->limits.mishaps == 0) return count;
  if (run->choices->by_chance && sim_name(run->choices->random, run->steps) % 5 > 0) return count;
  for (int mishap = LOST; mishap < MISHAP_COUNT; mishap++)
    for (size_t i = 0; i < run->pending_count && count < OPTIONS_MAX; i++)
      if (run->pending[i]->actor && may_befall(run->pending[i], (enum mishap)mishap, &run->arena))
        options[count++] = (struct option){CARRY_OUT, i, (enum mishap)mishap};
  for (size_t i = 0; i < ACTORS_MAX; i++)
    if (run->actors[i].paused) options[count++] = (struct option){TIME_OVER, i, LOST_LAST};
  return count;
}

static void wake(struct run *run, struct actor *actor) {
  note(actor, actor->is_over);
  actor->paused = false;
  sim_wake(&run->sim, actor->task);
}

static void take(struct run *run, const struct option *option) {
  if (option->mishap != WELL) run->limits.mishaps--;
  run->struck[option->mishap]++;
  switch (option->kind) {
    case CARRY_OUT:
      carry_out_pending(run, option->index, option->mishap);
      return;
    case WAKE:
      wake(run, &run->actors[option->index]);
      return;
    case TIME_OVER:
      run_tell(run, "%c: no time is left", 'A' + (int)option->index);
      run->actors[option->index].is_over = true;
      wake(run, &run->actors[option->index]);
      return;
    case JUMP:
      run->limits.jumps--;
      run->sim.now_ms += GRACE_MS;
      run_tell(run, "time passes");
  }
}

/* Nothing is left to happen but that time passes, and one of those that wait looks again: their pauses are
 * short against the time after which a claim is taken over, and by chance, so they do not all look at once. */
static bool let_time_pass(struct run *run) {
  size_t paused[ACTORS_MAX], count = 0;
  for (size_t i = 0; i < ACTORS_MAX; i++)
    if (run->actors[i].paused) paused[count++] = i;
  if (count == 0) return false;
  run->sim.now_ms += GRACE_MS;
  run_tell(run, "time passes");
  if (++run->waits > WAITS_MAX) run_violate(run, "liveness", "they wait for one another");
  wake(run, &run->actors[paused[count == 1 ? 0 : choose(run->choices, count)]]);
  return true;
}

static void run_actors(struct run *run) {
  static struct option options[OPTIONS_MAX + PENDING_MAX];
  for (run->steps = 0; !run->violated; run->steps++) {
    sim_run(&run->sim, run->sim.now_ms);
    if (run->violated || (run->redundant = was_here_before(run))) break;
    size_t count = list_options(run, options);
    if (count == 0 && !let_time_pass(run)) break;
    if (run->steps > STEPS_MAX) run_violate(run, "liveness", "no end after %d steps", STEPS_MAX);
    if (count == 0) continue;
    take(run, &options[run->alone || count == 1 ? 0 : choose(run->choices, count)]);
  }
}

/* Whoever still stands somewhere gives its memory back. */
static void end_all(struct run *run) {
  for (size_t i = 0; i < ACTORS_MAX; i++) sim_kill(&run->sim, run->actors[i].environment);
  sim_run(&run->sim, INT64_MAX);
}

static void no_count(struct telemetry *telemetry, enum telemetry_metric metric, const char *a, const char *b,
                     uint64_t by) {
  (void)telemetry, (void)metric, (void)a, (void)b, (void)by;
}

bool explore_run(const struct scenario *scenario, struct limits limits, struct choices *choices, bool told,
                 struct run *run) {
  *run = (struct run){.scenario = scenario, .limits = limits, .choices = choices, .told = told};
  run->telemetry.count = no_count;
  arena_init(&run->arena);
  sim_init(&run->sim, 1);
  run->table = table_make();
  for (int i = 0; i < ACTORS_MAX; i++) run->actors[i] = (struct actor){.run = run, .number = i};
  run->alone = true;
  start(&run->actors[0]);
  run_actors(run);
  run->alone = false;
  for (int i = 0; i < ACTORS_MAX; i++) {
    run->actors[i].wish = 0;
    if (scenario->wishes[i][0].kind != WISH_NOTHING) start(&run->actors[i]);
  }
  run_actors(run);
  if (!run->violated && !run->redundant) rules_check_end(run);
  end_all(run);
  sim_release(&run->sim);
  table_free(run->table);
  arena_release(&run->arena);
  return run->violated == NULL;
}
