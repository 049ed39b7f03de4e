/* spillway orders: what people do with a running server. */
#include <curl/curl.h>
#include <stdio.h>

#include "cli/client_options.h"
#include "cli/commands.h"
#include "cli/operator_token.h"
#include "cli/orders_print.h"
#include "cli/remote.h"
#include "wire/json_write.h"

enum { PAGE_ORDERS_MAX = 200 };

struct settings {
  const char *url, *token_file, *secret_file, *issuer, *audience;
  const char *status, *channel, *customer, *reason, *reference;
  int64_t limit;
  bool all, json, applied, events;
};

struct request {
  const struct settings *settings;
  struct remote remote; /* its arena holds one answer, in a list one page */
  struct arena *arena;  /* for as long as the command runs */
  const char *id, *step;
  struct failure failure;
};

#define AT(member) offsetof(struct settings, member)
#define TEXT(flag, member, value, words)                                                    \
  {                                                                                         \
    .name = (flag), .type = OPTION_TEXT, .offset_bytes = AT(member), .value_name = (value), \
    .no_variable = true, .help = (words)                                                    \
  }
#define FLAG(flag, member, words) \
  { .name = (flag), .type = OPTION_FLAG, .offset_bytes = AT(member), .no_variable = true, .help = (words) }
static const struct option options[] = {
    OPTION_SERVER_URL(AT(url), "The server."),
    OPTION_TOKEN_FILE(AT(token_file), "A token with the scope orders:operate, or a customer's."),
    OPTION_SECRET_FILE(AT(secret_file), "The server's JWT secret: an operator token is minted with it."),
    OPTION_TOKEN_ISSUER(AT(issuer), "a minted token"),
    OPTION_TOKEN_AUDIENCE(AT(audience), "a minted token"),
    TEXT("status", status, "STATUS",
         "list: only these (accepted, processing, completed, reversing, rejected, "
         "cancelled, attention)."),
    TEXT("channel", channel, "CHANNEL", "list: only these (retail, wholesale)."),
    TEXT("customer", customer, "ID", "list: only this customer's; for operators."),
    {.name = "limit",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(limit),
     .default_text = "50",
     .least = 1,
     .most = 200,
     .no_variable = true,
     .help = "list: how many."},
    FLAG("all", all, "list, attention: every page."),
    FLAG("events", events, "show: with the order's history."),
    TEXT("reason", reason, "TEXT", "skip: why; it is kept in the order's history."),
    FLAG("applied", applied,
         "skip: the step was done by hand, and is undone like any other. Otherwise it counts as "
         "done without an effect."),
    TEXT("reference", reference, "TEXT", "skip: the service's reference of what was done by hand."),
    FLAG("json", json, "Prints the server's JSON, a document a line, rather than tables."),
};

static const char *const operands[] = {"ACTION", "ID", "STEP", NULL};

static const struct option_table table = {
    .command = "orders",
    .synopsis =
        "spillway orders list|attention [OPTION]…\n    spillway orders show|cancel ID [OPTION]…\n"
        "    spillway orders retry ID STEP [OPTION]…\n"
        "    spillway orders skip ID STEP --reason TEXT [--applied [--reference TEXT]] [OPTION]…",
    .summary =
        "lists, shows and cancels orders, and settles what waits for a person. It talks to a running server. "
        "STEP is reserve, record or ship. retry sends the waiting command again; skip goes on without it.",
    .options = options,
    .count = COUNT_OF(options),
    .operands = operands,
    .operands_required = 1,
    .epilogue =
        "EXAMPLES\n    spillway orders list --status attention --secret-file secret\n"
        "    spillway orders retry ord_… ship --secret-file secret\n"
        "    spillway orders skip ord_… ship --reason \"sent by courier\" --applied --reference C-17\n\n"
        "EXIT STATUS\n    0 done, 1 the server refused or did not answer, 2 used wrongly.\n",
};

static void print_json(struct bytes body) { printf("%.*s\n", BYTES_PRINTF(body)); }

static void add_filter(struct text *path, const char *name, const char *value, struct arena *arena) {
  if (!value) return;
  struct bytes encoded = percent_encode(bytes_of(value), arena);
  text_printf(path, "&%s=%.*s", name, BYTES_PRINTF(encoded));
}

static void print_page(struct request *request, const struct remote_answer *answer, bool is_attention,
                       bool is_first) {
  const struct json *orders = json_member(answer->json, "orders");
  if (request->settings->json) {
    print_json(answer->body);
  } else if (is_attention) {
    if (is_first) orders_print_attention_header();
    orders_print_attention(orders);
  } else {
    if (is_first) orders_print_list_header();
    orders_print_list(orders, request->remote.arena);
  }
}

/* Pages through `path` (ending in a query) and prints each. */
static bool page_through(struct request *request, struct text *path, bool is_attention) {
  size_t first_size = path->size;
  for (bool is_first = true;; is_first = false) {
    struct remote_answer answer;
    arena_reset(request->remote.arena);
    if (!remote_ask_well(&request->remote, "GET", text_view(path), (struct bytes){0}, &answer,
                         &request->failure))
      return false;
    print_page(request, &answer, is_attention, is_first);
    struct bytes cursor = json_member_text(answer.json, "next_cursor");
    if (cursor.size == 0 || !request->settings->all) return true;
    struct bytes encoded = percent_encode(cursor, request->arena);
    path->size = first_size;
    text_printf(path, "&cursor=%.*s", BYTES_PRINTF(encoded));
  }
}

static bool do_list(struct request *request) {
  const struct settings *settings = request->settings;
  struct arena *arena = request->arena;
  struct text path;
  text_init(&path, arena);
  text_printf(&path, "/v1/orders?limit=%lld",
              settings->all ? (long long)PAGE_ORDERS_MAX : (long long)settings->limit);
  add_filter(&path, "status", settings->status, arena);
  add_filter(&path, "channel", settings->channel, arena);
  add_filter(&path, "customer", settings->customer, arena);
  return page_through(request, &path, false);
}

static bool do_attention(struct request *request) {
  struct text path;
  text_init(&path, request->arena);
  text_printf(&path, "/v1/attention?limit=%lld",
              request->settings->all ? (long long)PAGE_ORDERS_MAX : (long long)request->settings->limit);
  return page_through(request, &path, true);
}

/* "/v1/orders/{id}" and what follows. */
static struct bytes order_path(const struct request *request, const char *rest) {
  struct bytes id = percent_encode(bytes_of(request->id), request->remote.arena);
  return arena_printf(request->remote.arena, "/v1/orders/%.*s%s", BYTES_PRINTF(id), rest);
}

static bool do_show(struct request *request) {
  struct remote_answer order, events = {0};
  if (!remote_ask_well(&request->remote, "GET", order_path(request, ""), (struct bytes){0}, &order,
                       &request->failure))
    return false;
  if (request->settings->events && !remote_ask_well(&request->remote, "GET", order_path(request, "/events"),
                                                    (struct bytes){0}, &events, &request->failure))
    return false;
  if (request->settings->json) {
    print_json(order.body);
    if (events.body.size) print_json(events.body);
  } else {
    orders_print_one(order.json, json_member(events.json, "events"), request->remote.arena);
  }
  return true;
}

static bool act(struct request *request, struct bytes path, struct bytes body) {
  struct remote_answer answer;
  if (!remote_ask_well(&request->remote, "POST", path, body, &answer, &request->failure)) return false;
  struct bytes status = json_member_text(answer.json, "status");
  if (request->settings->json)
    print_json(answer.body);
  else
    printf("%s: %.*s\n", request->id, BYTES_PRINTF(status.size ? status : BYTES("accepted")));
  return true;
}

static bool do_cancel(struct request *request) {
  return act(request, order_path(request, "/cancel"), (struct bytes){0});
}

static struct bytes step_path(const struct request *request, const char *action) {
  struct bytes step = percent_encode(bytes_of(request->step), request->remote.arena);
  return order_path(request,
                    arena_printf(request->remote.arena, "/steps/%.*s/%s", BYTES_PRINTF(step), action).data);
}

static bool do_retry(struct request *request) {
  return act(request, step_path(request, "retry"), (struct bytes){0});
}

static bool do_skip(struct request *request) {
  const struct settings *settings = request->settings;
  struct text text;
  struct json_writer writer;
  text_init(&text, request->remote.arena);
  json_writer_init(&writer, &text);
  json_open_object(&writer, NULL);
  json_write_string(&writer, "reason", settings->reason ? settings->reason : "");
  json_write_boolean(&writer, "applied", settings->applied);
  if (settings->reference) json_write_string(&writer, "reference", settings->reference);
  json_close_object(&writer);
  return act(request, step_path(request, "skip"), text_view(&text));
}

static const struct action {
  const char *name;
  bool (*run)(struct request *request);
  size_t operands; /* after the action's name */
} actions[] = {
    {"list", do_list, 0},           {"show", do_show, 1},   {"cancel", do_cancel, 1},
    {"attention", do_attention, 0}, {"retry", do_retry, 2}, {"skip", do_skip, 2},
};

static const struct action *action_find(const char *name) {
  for (size_t i = 0; i < COUNT_OF(actions); i++)
    if (strcmp(actions[i].name, name) == 0) return &actions[i];
  return NULL;
}

/* NULL where the operands are wrong, which has been told. */
static const struct action *check(const char *const given[3], const struct settings *settings) {
  const struct action *action = action_find(given[0]);
  size_t count = given[2] ? 2 : given[1] ? 1 : 0;
  if (!action)
    fprintf(stderr, "spillway orders: \"%s\" is not one of list, show, cancel, attention, retry, skip\n",
            given[0]);
  else if (count != action->operands)
    fprintf(stderr, "spillway orders: %s takes %s\n", action->name,
            action->operands == 0   ? "no order"
            : action->operands == 1 ? "an order's id"
                                    : "an order's id and a step");
  else if (action->run == do_skip && !settings->reason)
    fprintf(stderr, "spillway orders: --reason: skip needs one\n");
  else
    return action;
  return NULL;
}

int command_orders(int argument_count, char **arguments) {
  struct settings settings = {0};
  const char *given[3] = {0};
  enum options_result read = options_read(&table, argument_count, arguments, &settings, given);
  if (read != OPTIONS_GOOD) return options_exit_code(read);
  const struct action *action = check(given, &settings);
  if (!action) return 2;
  struct arena arena, answers;
  arena_init(&arena);
  arena_init(&answers);
  struct request request = {.settings = &settings, .arena = &arena, .id = given[1], .step = given[2]};
  size_t url_size = strlen(settings.url);
  while (url_size && settings.url[url_size - 1] == '/') url_size--;
  request.remote = (struct remote){
      .url = arena_string(&arena, bytes_from(settings.url, url_size)), .arena = &answers, .timeout_ms = 40000};
  bool usable = operator_token(settings.token_file, settings.secret_file, settings.issuer, settings.audience,
                               &arena, &request.remote.token, &request.failure);
  bool good = usable && action->run(&request);
  if (!good) fprintf(stderr, "spillway orders: %s\n", request.failure.text);
  arena_release(&arena);
  arena_release(&answers);
  return good ? 0 : usable ? 1 : 2;
}
