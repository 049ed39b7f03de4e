/* Names that carry their own proof: order ids (derived, so that no look-up is needed to know whose
 * an id is) and the tokens in callback URLs. All by HMAC-SHA-256 with one secret, each use with a
 * label of its own. */
#ifndef WIRE_ID_H
#define WIRE_ID_H

#include <stdint.h>

#include "base/arena.h"

enum {
  ID_CHARACTERS = 36,            /* "ord_" and 32 of base32 */
  CALLBACK_TOKEN_CHARACTERS = 43 /* base64url of 8 bytes expiry and 24 bytes MAC */
};

/* The id of a customer's order with this idempotency key (contract section 1, "Idempotency"). */
void id_derive(struct bytes secret, struct bytes customer, struct bytes key, char ret_id[ID_CHARACTERS]);

/* True where the text is spelled as an id is, whosesoever. */
bool id_is_well_formed(struct bytes id);

/* True where the id was derived for this customer; takes the same time either way. */
bool id_belongs_to(struct bytes secret, struct bytes id, struct bytes customer);

/* The token of the callback URL for one command of one order, valid until `expires_ms`. */
struct bytes callback_token_make(struct bytes secret, struct bytes id, struct bytes command, int64_t expires_ms,
                                 struct arena *arena);
bool callback_token_check(struct bytes secret, struct bytes id, struct bytes command, struct bytes token,
                          int64_t now_ms, struct arena *arena);

#endif
