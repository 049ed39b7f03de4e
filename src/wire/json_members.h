/* A walk over the members of a JSON object that this program has written or checked before: each value
 * is given as its text, and nothing is decoded. For sending stored JSON on without parsing it. */
#ifndef WIRE_JSON_MEMBERS_H
#define WIRE_JSON_MEMBERS_H

#include "base/bytes.h"

struct json_members {
  struct bytes text; /* of the object */
  size_t at;
  bool malformed; /* what was met is no object of members; never so where a strict reader took the text */
};

/* Before the first member. White space between members is not expected. */
void json_members_init(struct json_members *members, struct bytes object);

/* The next member; views into the object's text. The name is as it is written between its quotes. False
 * behind the last one, and where the text turned out to be malformed. Never reads beyond the text. */
bool json_members_next(struct json_members *members, struct bytes *ret_name, struct bytes *ret_value);

/* The same where it is known what stands behind the member: `following`, such as `,"total":`, with no other
 * member of that name before it. The value is not looked into then, however long it is. Such a text cannot
 * stand within a string: there a quote has a backslash before it, and behind the one that ends it no name. */
bool json_members_next_before(struct json_members *members, struct bytes following, struct bytes *ret_name,
                              struct bytes *ret_value);

/* A string's text between its quotes, escapes as they are; the empty view where the value is no string. */
struct bytes json_members_string(struct bytes value);

#endif
