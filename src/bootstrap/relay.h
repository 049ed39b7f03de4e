/* What relay and sweep do with changes of the table: the messages that came with them go to their queues, and
 * new orders into the directory. */
#ifndef BOOTSTRAP_RELAY_H
#define BOOTSTRAP_RELAY_H

#include "bootstrap/ports.h"
#include "platform/aws/stream_event.h"

/* True in ret_failed for each record that was not carried out whole. What cannot be read is logged and counts
 * as done where `gives_up`, else as failed. */
void relay_records(struct ports *ports, const struct stream_record *records, size_t count, bool gives_up,
                   struct arena *arena, bool *ret_failed);

#endif
