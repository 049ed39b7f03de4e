/* What only SQL can tell of the store's database, in one place: whether it is whole, and whether what it
 * keeps twice agrees. */
#ifndef TESTS_DISK_DATABASE_H
#define TESTS_DISK_DATABASE_H

#include "order/order.h"

struct database;
struct database *database_open(const char *folder);
void database_close(struct database *database);

/* Each gives the text of what is wrong, or NULL; valid until the next call. */

/* PRAGMA integrity_check; counters against rows; no claim, content, history or attention without its order,
 * and none missing; no message twice. */
const char *database_check(struct database *database);
/* The commands that are out have the messages that carry them on. */
const char *database_check_messages(struct database *database, const struct order *order);
int64_t database_count_claims(struct database *database, struct bytes order_id);

#endif
