#include "wire/id.h"

#include "base/digest.h"
#include "base/encode.h"

enum { HALF_BYTES = 10, EXPIRY_BYTES = 8, TOKEN_MAC_BYTES = 24 };

static const struct bytes prefix = {"ord_", 4};

static void owner_half(struct bytes secret, const uint8_t first[HALF_BYTES], struct bytes customer,
                       uint8_t ret_half[HALF_BYTES]) {
  const struct bytes parts[] = {BYTES("order-owner"), bytes_from(first, HALF_BYTES), customer};
  uint8_t mac[SHA256_BYTES];
  hmac_sha256_parts(secret, parts, 3, mac);
  memcpy(ret_half, mac, HALF_BYTES);
}

void id_derive(struct bytes secret, struct bytes customer, struct bytes key, char ret_id[ID_CHARACTERS]) {
  const struct bytes parts[] = {BYTES("order-key"), customer, key};
  uint8_t mac[SHA256_BYTES], id[2 * HALF_BYTES];
  hmac_sha256_parts(secret, parts, 3, mac);
  memcpy(id, mac, HALF_BYTES);
  owner_half(secret, id, customer, id + HALF_BYTES);
  memcpy(ret_id, prefix.data, prefix.size);
  base32_encode(id, sizeof id, ret_id + prefix.size);
}

static bool decode(struct bytes id, uint8_t ret_raw[2 * HALF_BYTES]) {
  return id.size == ID_CHARACTERS && bytes_starts_with(id, prefix) &&
         base32_decode(bytes_slice(id, prefix.size, id.size), ret_raw);
}

bool id_is_well_formed(struct bytes id) {
  uint8_t raw[2 * HALF_BYTES];
  return decode(id, raw);
}

bool id_belongs_to(struct bytes secret, struct bytes id, struct bytes customer) {
  uint8_t raw[2 * HALF_BYTES] = {0}, expected[HALF_BYTES];
  bool well_formed = decode(id, raw);
  owner_half(secret, raw, customer, expected);
  return digest_equal(raw + HALF_BYTES, expected, HALF_BYTES) && well_formed;
}

static void token_mac(struct bytes secret, struct bytes id, struct bytes command,
                      const uint8_t expiry[EXPIRY_BYTES], uint8_t ret_mac[SHA256_BYTES]) {
  const struct bytes parts[] = {BYTES("callback"), id, command, bytes_from(expiry, EXPIRY_BYTES)};
  hmac_sha256_parts(secret, parts, 4, ret_mac);
}

struct bytes callback_token_make(struct bytes secret, struct bytes id, struct bytes command, int64_t expires_ms,
                                 struct arena *arena) {
  uint8_t raw[EXPIRY_BYTES + TOKEN_MAC_BYTES], mac[SHA256_BYTES];
  for (int i = 0; i < EXPIRY_BYTES; i++) raw[i] = (uint8_t)((uint64_t)expires_ms >> (56 - 8 * i));
  token_mac(secret, id, command, raw, mac);
  memcpy(raw + EXPIRY_BYTES, mac, TOKEN_MAC_BYTES);
  return base64url_encode(bytes_from(raw, sizeof raw), arena);
}

bool callback_token_check(struct bytes secret, struct bytes id, struct bytes command, struct bytes token,
                          int64_t now_ms, struct arena *arena) {
  struct bytes raw;
  uint8_t mac[SHA256_BYTES];
  if (token.size != CALLBACK_TOKEN_CHARACTERS || id.size > ID_CHARACTERS || command.size > 32 ||
      !base64url_decode(token, arena, &raw) || raw.size != EXPIRY_BYTES + TOKEN_MAC_BYTES)
    return false;
  const uint8_t *expiry = (const uint8_t *)raw.data;
  token_mac(secret, id, command, expiry, mac);
  if (!digest_equal(expiry + EXPIRY_BYTES, mac, TOKEN_MAC_BYTES)) return false;
  uint64_t expires_ms = 0;
  for (int i = 0; i < EXPIRY_BYTES; i++) expires_ms = expires_ms << 8 | expiry[i];
  return now_ms < (int64_t)expires_ms;
}
