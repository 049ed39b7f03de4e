#include "protocol/explore.h"

#define CREATE(o, c, ...)                                                        \
  {                                                                              \
    .kind = WISH_CREATE, .order = (o), .content = (c), .claims = { __VA_ARGS__ } \
  }
#define LARGE(o, c, ...)                                                                        \
  {                                                                                             \
    .kind = WISH_CREATE, .order = (o), .content = (c), .large = true, .claims = { __VA_ARGS__ } \
  }
#define DO(what, o) \
  { .kind = (what), .order = (o) }

const struct scenario scenarios[] = {
    {.name = "two-orders-one-payment", .wishes = {{CREATE(0, 0, "pay 1")}, {CREATE(1, 0, "pay 1")}}},
    {.name = "one-order-twice", .wishes = {{CREATE(0, 0, "pay 1")}, {CREATE(0, 0, "pay 1")}}},
    {.name = "one-key-two-contents", .wishes = {{CREATE(0, 0, "pay 1")}, {CREATE(0, 1, "pay 1")}}},
    {.name = "one-key-two-payments", .wishes = {{CREATE(0, 0, "pay 1")}, {CREATE(0, 1, "pay 2")}}},
    /* The second payment's claim names an order that was made with another one: it must be free for others. */
    {.name = "a-claim-of-another-content",
     .first = {CREATE(0, 0, "pay 1")},
     .wishes = {{CREATE(0, 1, "pay 2")}, {CREATE(1, 0, "pay 2")}}},
    {.name = "crossed-claims", .wishes = {{CREATE(0, 0, "pay 1", "po 1")}, {CREATE(1, 0, "pay 2", "po 1")}}},
    {.name = "two-orders-two-claims",
     .wishes = {{CREATE(0, 0, "pay 1", "po 1")}, {CREATE(1, 0, "pay 1", "po 1")}}},
    {.name = "swapped-claims", .wishes = {{CREATE(0, 0, "pay 1", "po 1")}, {CREATE(1, 0, "po 1", "pay 1")}}},
    {.name = "large-contents", .wishes = {{LARGE(0, 0, "pay 1")}, {LARGE(0, 1, "pay 1")}}},
    /* A refusal leaves the first claim behind; who comes next takes it over. */
    {.name = "a-claim-left-behind",
     .first = {CREATE(2, 0, "po 1")},
     .wishes = {{CREATE(0, 0, "pay 1", "po 1"), CREATE(0, 1, "pay 1")}, {CREATE(1, 0, "pay 1")}}},
    {.name = "contested", .wishes = {{CREATE(0, 0, "pay 1")}, {DO(WISH_CONTEST, 1), DO(WISH_CANCEL, 1)}}},
    {.name = "contested-twice", .wishes = {{DO(WISH_CONTEST, 1)}, {DO(WISH_CONTEST, 1), DO(WISH_CANCEL, 1)}}},
    {.name = "changed-while-it-is-sent-again",
     .wishes = {{CREATE(0, 0, "pay 1"), DO(WISH_CANCEL, 0)}, {CREATE(0, 0, "pay 1")}}},
    {.name = "cancelled-while-it-is-reserved",
     .first = {CREATE(0, 0, "pay 1")},
     .wishes = {{DO(WISH_RESERVED, 0)}, {DO(WISH_CANCEL, 0)}}},
    {.name = "cancelled-while-it-comes-to-attention",
     .first = {CREATE(0, 0, "pay 1")},
     .wishes = {{DO(WISH_RESERVE_FAILED, 0)}, {DO(WISH_CANCEL, 0)}}},
    {.name = "two-answers",
     .first = {CREATE(0, 0, "pay 1")},
     .wishes = {{DO(WISH_RESERVED, 0)}, {DO(WISH_RESERVE_FAILED, 0)}}},
    /* Three at once: by chance only. */
    {.name = "three-orders-one-payment",
     .wishes = {{CREATE(0, 0, "pay 1")}, {CREATE(1, 0, "pay 1")}, {CREATE(2, 0, "pay 1")}}},
    {.name = "three-with-crossed-claims",
     .wishes = {{CREATE(0, 0, "pay 1", "po 1")},
                {CREATE(1, 0, "po 1", "pay 2")},
                {CREATE(2, 0, "pay 2", "pay 1")}}},
    {.name = "three-contents-two-keys",
     .wishes = {{CREATE(0, 0, "pay 1"), CREATE(0, 2, "pay 2")},
                {CREATE(0, 1, "pay 2")},
                {CREATE(1, 0, "pay 2")}}},
    {.name = "created-changed-and-sent-again",
     .wishes = {{CREATE(0, 0, "pay 1"), DO(WISH_CANCEL, 0)},
                {CREATE(0, 0, "pay 1"), DO(WISH_RESERVED, 0)},
                {CREATE(1, 0, "pay 1")}}},
    {.name = NULL}};
