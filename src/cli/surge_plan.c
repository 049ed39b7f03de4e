#include <stdlib.h>

#include "base/panic.h"
#include "cli/surge.h"

/* The file's invoices in order, from the start again where more are wanted. Cancellations without
 * an order to cancel take no time of the plan: they are counted as skipped. */
void surge_plan(struct surge *surge) {
  const struct retail *retail = &surge->retail;
  size_t wanted = surge_curve_count(&surge->curve), count = 0;
  surge->actions = calloc(wanted ? wanted : 1, sizeof *surge->actions);
  int64_t *action_of = calloc(retail->invoice_count, sizeof *action_of); /* in this cycle */
  if (!surge->actions || !action_of) panic("out of memory");
  for (size_t i = 0, skipped_in_row = 0; count < wanted && skipped_in_row < retail->invoice_count; i++) {
    size_t number = i % retail->invoice_count;
    const struct retail_invoice *invoice = &retail->invoices[number];
    bool skip = invoice->cancels && (surge->settings.no_cancels || invoice->target == RETAIL_NO_TARGET);
    if (skip) {
      surge->counts.cancels_skipped++;
      skipped_in_row++;
      continue;
    }
    skipped_in_row = 0;
    struct surge_action *action = &surge->actions[count];
    *action = (struct surge_action){.invoice = (uint32_t)number,
                                    .cycle = (uint32_t)(i / retail->invoice_count),
                                    .target = invoice->cancels ? action_of[invoice->target] : -1,
                                    .cancelled_by = -1};
    action_of[number] = (int64_t)count++;
  }
  surge->action_count = count;
  free(action_of);
}
