/* Orders as tables for people. */
#ifndef CLI_ORDERS_PRINT_H
#define CLI_ORDERS_PRINT_H

#include "base/arena.h"
#include "wire/json.h"

void orders_print_list_header(void);
/* The orders of one page of GET /v1/orders. */
void orders_print_list(const struct json *orders, struct arena *arena);
void orders_print_attention_header(void);
/* The entries of GET /v1/attention. */
void orders_print_attention(const struct json *orders);
/* One order with its steps, and its events where given (may be NULL). */
void orders_print_one(const struct json *order, const struct json *events, struct arena *arena);

#endif
