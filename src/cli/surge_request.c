#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"
#include "cli/random.h"
#include "cli/secret.h"
#include "cli/surge.h"

enum { TOKEN_LIFE_MS = 24 * 3600 * 1000, TERMS_DAYS = 30 };

/* Minted once a customer. */
static struct bytes token_of(struct surge *surge, struct bytes customer) {
  if (surge->token.size) return surge->token;
  int64_t number = key_index_find(&surge->customers, customer);
  if (number != KEY_INDEX_NONE) return surge->tokens[number];
  struct token_claims claims = {
      .customer = customer,
      .scope = BYTES("orders:read orders:write orders:wholesale"),
      .issuer = bytes_of(surge->settings.issuer),
      .audience = bytes_of(surge->settings.audience),
      .issued_ms = surge->started_ms,
      .expires_ms = surge->started_ms + TOKEN_LIFE_MS,
  };
  size_t count = surge->customers.count;
  if (count == surge->token_capacity) {
    surge->token_capacity = count ? count * 2 : 1024;
    surge->tokens = reallocarray(surge->tokens, surge->token_capacity, sizeof *surge->tokens);
    if (!surge->tokens) panic("out of memory");
  }
  surge->tokens[count] = token_mint(surge->secret, &claims, &surge->arena);
  key_index_add(&surge->customers, customer, count);
  return surge->tokens[count];
}

static void write_head(struct surge *surge, struct surge_request *request, const char *path, size_t body_size) {
  const struct retail_invoice *invoice = &surge->retail.invoices[surge->actions[request->action].invoice];
  struct bytes host = client_host(surge->client), base = client_base_path(surge->client);
  struct bytes token = token_of(surge, invoice->customer);
  text_printf(&request->message,
              "POST %.*s%s HTTP/1.1\r\nHost: %.*s\r\nAuthorization: Bearer %.*s\r\n"
              "Idempotency-Key: \"%s\"\r\nContent-Length: %zu\r\n%s\r\n",
              BYTES_PRINTF(base), path, BYTES_PRINTF(host), BYTES_PRINTF(token), request->key, body_size,
              body_size ? "Content-Type: application/json\r\n" : "");
  request->body_at = request->message.size;
}

/* Every second wholesale order is paid on terms, without a payment. */
static void write_order(struct surge *surge, struct surge_request *request) {
  const struct surge_action *action = &surge->actions[request->action];
  const struct retail_invoice *invoice = &surge->retail.invoices[action->invoice];
  bool on_terms = invoice->wholesale && request->action % 2 == 0;
  struct retail_order order = {
      .coupon = !invoice->wholesale && random_chance(&surge->random, surge->settings.coupon_rate),
      .terms_days = on_terms ? TERMS_DAYS : 0};
  if (!on_terms) order.payment = arena_printf(&surge->scratch, "pay-%s-%zu", surge->run, request->action);
  if (invoice->wholesale)
    order.purchase_order = arena_printf(&surge->scratch, "PO-%s-%zu", surge->run, request->action);
  struct text body;
  text_init(&body, &surge->scratch);
  retail_order_write(&surge->retail, invoice, &order, &body);
  write_head(surge, request, "/v1/orders", body.size);
  text_append(&request->message, text_view(&body));
  arena_reset(&surge->scratch);
}

static void write_cancel(struct surge *surge, struct surge_request *request) {
  char path[SURGE_ID_BYTES + 32];
  snprintf(path, sizeof path, "/v1/orders/%s/cancel",
           surge->actions[surge->actions[request->action].target].id);
  write_head(surge, request, path, 0);
}

/* False where a cancellation cannot be sent (now). */
static bool may_be_sent(struct surge *surge, size_t action) {
  int64_t target = surge->actions[action].target;
  if (target < 0) return true;
  struct surge_action *order = &surge->actions[target];
  if (order->progress == SURGE_ACKNOWLEDGED) return true;
  if (order->progress == SURGE_GIVEN_UP)
    surge->counts.cancels_skipped++;
  else
    order->cancelled_by = (int64_t)action;
  return false;
}

struct surge_request *surge_request_new(struct surge *surge, size_t action, int64_t intended_us) {
  if (!may_be_sent(surge, action)) return NULL;
  struct surge_request *request = calloc(1, sizeof *request);
  if (!request) panic("out of memory");
  request->action = action;
  request->is_cancel = surge->actions[action].target >= 0;
  request->intended_us = request->due_us = intended_us;
  request->surge = surge;
  text_init(&request->message, NULL);
  snprintf(request->key, sizeof request->key, "%s-%zu", surge->run, action);
  if (request->is_cancel) {
    write_cancel(surge, request);
    surge->counts.cancels_sent++;
  } else {
    write_order(surge, request);
    surge->counts.sent++;
    surge->actions[action].progress = SURGE_SENT;
  }
  request->after = surge->first_under_way;
  if (request->after) request->after->before = request;
  surge->first_under_way = request;
  surge->under_way++;
  return request;
}

void surge_request_free(struct surge_request *request) {
  struct surge *surge = request->surge;
  if (request->before)
    request->before->after = request->after;
  else
    surge->first_under_way = request->after;
  if (request->after) request->after->before = request->before;
  surge->under_way--;
  text_release(&request->message);
  free(request);
}
