/* Order ids, callback tokens (wire/id.h), traceparent (wire/trace.h) and socket addresses: only what was made
 * here passes as made here, and what is read is written and read again the same. */
#include "base/encode.h"
#include "fuzz.h"
#include "settings/address.h"
#include "wire/id.h"
#include "wire/trace.h"

static const struct bytes secret = BYTES("an id secret of thirty-two bytes");
enum { NOW_MS = 1000, EXPIRES_MS = 5000 };

static void check_id(struct bytes input) {
  uint8_t data[20];
  char again[32];
  if (id_belongs_to(secret, input, BYTES("ada"))) ensure(id_is_well_formed(input));
  if (!id_is_well_formed(input)) return;
  ensure(input.size == ID_CHARACTERS && bytes_starts_with(input, BYTES("ord_")));
  ensure(base32_decode(bytes_slice(input, 4, input.size), data));
  base32_encode(data, sizeof data, again);
  ensure(bytes_equal(bytes_from(again, sizeof again), bytes_slice(input, 4, input.size)));
}

/* One order's token for one command, and nothing else, is good. */
static void check_token(struct bytes input, struct arena *arena) {
  char id[ID_CHARACTERS];
  id_derive(secret, BYTES("ada"), BYTES("k1"), id);
  struct bytes order = bytes_from(id, sizeof id), other = BYTES("ord_00000000000000000000000000000000");
  struct bytes made = callback_token_make(secret, order, BYTES("reserve"), EXPIRES_MS, arena);
  ensure(made.size == CALLBACK_TOKEN_CHARACTERS);
  bool good = callback_token_check(secret, order, BYTES("reserve"), input, NOW_MS, arena);
  ensure(good == bytes_equal(input, made));
  ensure(!callback_token_check(secret, order, BYTES("reserve"), input, EXPIRES_MS + 1, arena));
  ensure(!callback_token_check(secret, order, BYTES("ship"), input, NOW_MS, arena));
  ensure(!callback_token_check(secret, other, BYTES("reserve"), input, NOW_MS, arena));
  ensure(callback_token_check(secret, order, BYTES("reserve"), made, NOW_MS, arena));
}

static void check_trace(struct bytes input) {
  uint8_t random[TRACE_RANDOM_BYTES];
  char first[TRACEPARENT_CHARACTERS + 1], second[TRACEPARENT_CHARACTERS + 1];
  memset(random, 7, sizeof random);
  bool continued = trace_continue(input, random, first);
  ensure(strlen(first) == TRACEPARENT_CHARACTERS);
  if (continued) ensure(fuzz_holds(input, trace_id(bytes_of(first))));
  ensure(trace_continue(bytes_of(first), random, second) && strcmp(first, second) == 0);
}

static void check_address(struct bytes input) {
  struct sockaddr_storage address;
  socklen_t size;
  char first[ADDRESS_TEXT_BYTES], second[ADDRESS_TEXT_BYTES];
  if (!address_parse(input, &address, &size)) return;
  address_format(&address, first);
  ensure(address_parse(bytes_of(first), &address, &size));
  address_format(&address, second);
  ensure(strcmp(first, second) == 0);
}

FUZZ_TARGET(input, arena) {
  check_id(input);
  check_token(input, arena);
  check_trace(input);
  check_address(input);
}
