#include "fake/services.h"

#include "fake/testing.h"

static void call(struct services *port, const struct service_call *calls, size_t count, struct arena *arena,
                 struct service_answer *ret_answers) {
  struct fake_services *services = (struct fake_services *)port;
  for (size_t i = 0; i < count; i++) {
    assert_true(services->call_count < FAKE_CALLS_MAX);
    size_t number = services->call_count++;
    struct service_call *kept = &services->calls[number];
    *kept = calls[i];
    kept->path = arena_copy(&services->arena, kept->path);
    kept->body = arena_copy(&services->arena, kept->body);
    kept->key = arena_copy(&services->arena, kept->key);
    kept->callback_url = arena_copy(&services->arena, kept->callback_url);
    kept->traceparent = arena_copy(&services->arena, kept->traceparent);
    ret_answers[i] =
        number < services->answer_count
            ? services->answers[number]
            : (struct service_answer){.status = 200, .body = arena_printf(arena, "{\"reference\":\"ref\"}")};
    ret_answers[i].elapsed_us = 1500;
  }
}

static const struct services_operations operations = {call};

void fake_services_init(struct fake_services *services) {
  *services = (struct fake_services){.port = {&operations}};
  arena_init(&services->arena);
}

void fake_services_release(struct fake_services *services) { arena_release(&services->arena); }

void fake_services_answer_with(struct fake_services *services, const struct service_answer *answer) {
  if (services->answer_count < services->call_count) services->answer_count = services->call_count;
  assert_true(services->answer_count < FAKE_CALLS_MAX);
  services->answers[services->answer_count++] = *answer;
}

void fake_services_answer(struct fake_services *services, int status, const char *body) {
  fake_services_answer_with(services, &(struct service_answer){.status = status, .body = bytes_of(body)});
}
