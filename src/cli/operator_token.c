#include "cli/operator_token.h"

#include <time.h>

#include "cli/secret.h"
#include "wire/jwt.h"

enum { TOKEN_LIFE_S = 24 * 3600 };

bool operator_token(const char *token_file, const char *secret_file, const char *issuer, const char *audience,
                    struct arena *arena, struct bytes *ret_token, struct failure *ret_failure) {
  if (!token_file == !secret_file)
    return failure_set(ret_failure,
                       "give either --token-file (a token) or --secret-file (the server's secret)");
  if (token_file) return secret_read(token_file, 1, arena, ret_token, ret_failure);
  struct bytes secret;
  if (!secret_read(secret_file, JWT_SECRET_BYTES_MIN, arena, &secret, ret_failure)) return false;
  int64_t now_s = (int64_t)time(NULL);
  struct token_claims claims = {
      .customer = BYTES("spillway-cli"),
      .scope = BYTES("orders:read orders:write orders:wholesale orders:operate"),
      .issuer = bytes_of(issuer),
      .audience = bytes_of(audience),
      .issued_ms = now_s * 1000,
      .expires_ms = (now_s + TOKEN_LIFE_S) * 1000,
  };
  *ret_token = token_mint(secret, &claims, arena);
  return true;
}
