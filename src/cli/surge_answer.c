/* What an answer means: acknowledged, refused, or the same request again. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/random.h"
#include "cli/surge_ledger.h"
#include "wire/json.h"

enum { BACK_OFF_FIRST_US = 100000, BACK_OFF_MAX_US = 5000000, RETRY_AFTER_MAX_S = 60 };

static void count_code(struct surge *surge, struct bytes code) {
  struct surge_code *found = NULL;
  for (size_t i = 0; i < surge->code_count && !found; i++)
    if (bytes_equal_string(code, surge->codes[i].code)) found = &surge->codes[i];
  if (!found && surge->code_count == SURGE_CODES_MAX) found = &surge->codes[SURGE_CODES_MAX - 1];
  if (!found) {
    found = &surge->codes[surge->code_count++];
    snprintf(found->code, sizeof found->code, "%.*s", (int)(code.size < 40 ? code.size : 40), code.data);
  }
  found->count++;
}

/* Exponential, between half and all of it by chance; at least what Retry-After says. */
static int64_t back_off_us(struct surge *surge, const struct surge_request *request, int64_t retry_after_s) {
  int64_t full_us = request->tries > 6 ? BACK_OFF_MAX_US : BACK_OFF_FIRST_US << (request->tries - 1);
  if (full_us > BACK_OFF_MAX_US) full_us = BACK_OFF_MAX_US;
  int64_t wait_us = full_us / 2 + (int64_t)(random_unit(&surge->random) * (double)full_us / 2);
  if (retry_after_s > RETRY_AFTER_MAX_S) retry_after_s = RETRY_AFTER_MAX_S;
  return retry_after_s * 1000000 > wait_us ? retry_after_s * 1000000 + wait_us / 2 : wait_us;
}

static bool worth_another_try(int status) {
  return status == 0 || status == 408 || status == 425 || status == 429 || status >= 500;
}

/* The cancellation that waited for the order's outcome. */
static void wake_cancellation(struct surge *surge, const struct surge_action *action) {
  if (action->cancelled_by < 0) return;
  struct surge_request *request = surge_request_new(surge, (size_t)action->cancelled_by, surge_now_us());
  if (request) surge_schedule(surge, request);
}

static void end_order(struct surge_request *request, int status, struct bytes id, struct bytes code) {
  struct surge *surge = request->surge;
  struct surge_action *action = &surge->actions[request->action];
  int64_t took_us = surge_now_us() - request->intended_us;
  action->progress = SURGE_GIVEN_UP;
  if (status >= 200 && status < 300 && id.size < sizeof action->id) {
    action->progress = SURGE_ACKNOWLEDGED;
    memcpy(action->id, id.data, id.size);
    surge->counts.acknowledged++;
    if (request->tries == 1) histogram_add(&surge->admitted, took_us);
  } else if (worth_another_try(status)) {
    surge->counts.unanswered++;
  } else {
    surge->counts.refused++;
    count_code(surge, code);
  }
  histogram_add(&surge->all, took_us);
  histogram_add(&surge->recent, took_us);
  wake_cancellation(surge, action);
}

static void end_cancel(struct surge_request *request, int status) {
  struct surge_counts *counts = &request->surge->counts;
  if (status >= 200 && status < 300)
    counts->cancels_taken++;
  else if (status == 409)
    counts->cancels_late++;
  else if (worth_another_try(status))
    counts->cancels_unanswered++;
  else
    counts->cancels_refused++;
}

static void count_trouble(struct surge *surge, int status) {
  if (status == 0)
    surge->counts.broken++;
  else if (status == 503 || status == 429)
    surge->counts.overloaded++;
  else if (status >= 500)
    surge->counts.failed++;
}

void surge_answered(void *context, const struct client_answer *answer) {
  struct surge_request *request = context;
  struct surge *surge = request->surge;
  struct json *json = NULL;
  struct bytes detail, id = {0}, code = {0};
  char fallback[16];
  bool success = answer->status >= 200 && answer->status < 300;
  if (answer->body.size && json_parse(answer->body, &surge->scratch, &json, &detail)) {
    if (success) id = json_member_text(json, "id");
    if (!success) code = json_member_text(json, "code");
  }
  if (!success && answer->status && code.size == 0) {
    snprintf(fallback, sizeof fallback, "http-%d", answer->status);
    code = bytes_of(fallback);
  }
  surge_ledger_answer(surge, request, answer, id, code);
  count_trouble(surge, answer->status);
  if (worth_another_try(answer->status) && request->tries <= surge->settings.retries && !surge->interrupted) {
    surge->counts.retried++;
    request->due_us = surge_now_us() + back_off_us(surge, request, answer->retry_after_s);
    surge_schedule(surge, request);
  } else {
    if (request->is_cancel)
      end_cancel(request, answer->status);
    else
      end_order(request, answer->status, id, code);
    surge_request_free(request);
  }
  arena_reset(&surge->scratch);
}
