#include "cli/sandbox_faults.h"

#include <stdlib.h>

#include "cli/random.h"
#include "order/step.h"

static const double callback_twice_rate = 0.1;

struct fault_plan faults_draw(struct faults *faults, enum service service) {
  if (!(faults->services & (1U << service))) return (struct fault_plan){0};
  const struct fault_rates *rates = &faults->rates;
  uint64_t *state = &faults->state;
  struct fault_plan plan;
  plan.fail = random_chance(state, rates->fail);
  plan.retry_after = random_chance(state, 0.5);
  plan.hang = random_chance(state, rates->timeout);
  plan.hang_applies = random_chance(state, 0.5);
  plan.slow = random_chance(state, rates->slow);
  plan.lost = random_chance(state, rates->lost);
  plan.pending = random_chance(state, rates->pending);
  plan.refuse = random_chance(state, rates->refuse);
  plan.callback_twice = random_chance(state, callback_twice_rate);
  return plan;
}

static double *rate_named(struct fault_rates *rates, struct bytes name) {
  const struct {
    const char *name;
    double *rate;
  } names[] = {
      {"fail", &rates->fail}, {"timeout", &rates->timeout}, {"slow", &rates->slow},
      {"lost", &rates->lost}, {"pending", &rates->pending}, {"refuse", &rates->refuse},
  };
  for (size_t i = 0; i < COUNT_OF(names); i++)
    if (bytes_equal_string(name, names[i].name)) return names[i].rate;
  return NULL;
}

static bool read_rate(const struct json *value, double *ret_rate) {
  char text[32] = "";
  if (value->type != JSON_NUMBER || value->text.size >= sizeof text) return false;
  memcpy(text, value->text.data, value->text.size);
  double rate = strtod(text, NULL);
  if (!(rate >= 0 && rate <= 1)) return false;
  *ret_rate = rate;
  return true;
}

static bool read_services(const struct json *value, unsigned *ret_services) {
  unsigned services = 0;
  if (value->type != JSON_ARRAY) return false;
  for (const struct json *name = value->first; name; name = name->next) {
    unsigned bit = 0;
    for (unsigned i = 0; i < SERVICE_COUNT; i++)
      if (name->type == JSON_STRING && bytes_equal_string(name->text, service_names[i])) bit = 1U << i;
    if (!bit) return false;
    services |= bit;
  }
  *ret_services = services ? services : (1U << SERVICE_COUNT) - 1;
  return true;
}

bool faults_change(struct faults *faults, const struct json *change, const char **ret_complaint) {
  struct faults changed = *faults;
  *ret_complaint = "a JSON object is wanted: {\"fail\": 0.5, \"services\": [\"accounting\"]}";
  if (!change || change->type != JSON_OBJECT) return false;
  for (const struct json *member = change->first; member; member = member->next) {
    double *rate = rate_named(&changed.rates, member->name);
    *ret_complaint = "a rate is a number from 0 to 1, services a list of inventory, accounting, fulfilment";
    if (rate && !read_rate(member, rate)) return false;
    if (rate) continue;
    if (!bytes_equal_string(member->name, "services")) {
      *ret_complaint = "members are fail, timeout, slow, lost, pending, refuse, services";
      return false;
    }
    if (!read_services(member, &changed.services)) return false;
  }
  *faults = changed;
  return true;
}
