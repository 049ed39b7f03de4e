#include <math.h>
#include <stdlib.h>

#include "wire/jwt.h"

enum { SUBJECT_CHARACTERS_MAX = 128, NUMBER_BYTES_MAX = 64 };

static const double instant_ms_most = 9e15; /* the year 287,000; exact in a double */

/* NumericDate (RFC 7519 section 2): seconds since 1970, a fraction is allowed. What lies beyond any
 * use is clamped, so that no arithmetic overflows. */
static bool read_instant(const struct json *value, int64_t *ret_instant_ms) {
  if (value->type != JSON_NUMBER || value->text.size >= NUMBER_BYTES_MAX) return false;
  int64_t seconds;
  if (json_to_int64(value, &seconds) && seconds >= 0 && seconds <= (int64_t)(instant_ms_most / 1000)) {
    *ret_instant_ms = seconds * 1000; /* nearly every token's */
    return true;
  }
  char text[NUMBER_BYTES_MAX] = {0};
  memcpy(text, value->text.data, value->text.size);
  double milliseconds = floor(strtod(text, NULL) * 1000.0); /* overflow gives infinity, clamped too */
  if (milliseconds > instant_ms_most) milliseconds = instant_ms_most;
  if (milliseconds < -instant_ms_most) milliseconds = -instant_ms_most;
  *ret_instant_ms = (int64_t)milliseconds;
  return true;
}

static const char *check_times(const struct json *payload, int64_t now_ms, int64_t *ret_expires_ms) {
  const struct json *expires = json_member(payload, "exp"), *not_before = json_member(payload, "nbf");
  int64_t not_before_ms;
  if (!expires) return "the token has no exp";
  if (!read_instant(expires, ret_expires_ms)) return "the token's exp is not a time";
  if (now_ms >= *ret_expires_ms + JWT_LEEWAY_MS) return "the token has expired";
  if (!not_before) return NULL;
  if (!read_instant(not_before, &not_before_ms)) return "the token's nbf is not a time";
  if (now_ms < not_before_ms - JWT_LEEWAY_MS) return "the token is not valid yet";
  return NULL;
}

/* RFC 7519 section 4.1.3: one string, or an array of strings. */
static bool names_audience(const struct json *value, struct bytes audience) {
  if (!value) return false;
  if (value->type == JSON_STRING) return bytes_equal(value->text, audience);
  if (value->type != JSON_ARRAY) return false;
  bool found = false;
  for (const struct json *one = value->first; one; one = one->next) {
    if (one->type != JSON_STRING) return false;
    found = found || bytes_equal(one->text, audience);
  }
  return found;
}

bool jwt_subject_is_good(struct bytes subject) {
  size_t characters;
  return bytes_count_code_points(subject, &characters) && characters >= 1 &&
         characters <= SUBJECT_CHARACTERS_MAX && !bytes_have_control_characters(subject);
}

static const char *check_subject(const struct json *payload, struct bytes *ret_subject) {
  const struct json *subject = json_member(payload, "sub");
  if (!subject) return "the token has no sub";
  if (subject->type != JSON_STRING || !jwt_subject_is_good(subject->text))
    return "the token's sub is not a text of 1 to 128 characters";
  *ret_subject = subject->text;
  return NULL;
}

static const char *check_all(const struct json *payload, const struct jwt_policy *policy, int64_t now_ms,
                             struct jwt_claims *ret_claims) {
  const char *detail = check_times(payload, now_ms, &ret_claims->expires_ms);
  if (detail) return detail;
  if (policy->issuer.size > 0 && !bytes_equal(json_member_text(payload, "iss"), policy->issuer))
    return "the token is from another issuer";
  if (policy->audience.size > 0 && !names_audience(json_member(payload, "aud"), policy->audience))
    return "the token is for another audience";
  detail = check_subject(payload, &ret_claims->subject);
  if (detail) return detail;
  const struct json *scope = json_member(payload, "scope"); /* RFC 8693 section 4.2 */
  if (scope && scope->type != JSON_STRING) return "the token's scope is not a text";
  if (scope) ret_claims->scope = scope->text;
  return NULL;
}

bool jwt_check_claims(const struct json *payload, const struct jwt_policy *policy, int64_t now_ms,
                      struct jwt_claims *ret_claims, const char **ret_detail) {
  struct jwt_claims claims = {0};
  const char *detail = check_all(payload, policy, now_ms, &claims);
  if (detail) {
    *ret_detail = detail;
    return false;
  }
  *ret_claims = claims;
  return true;
}

bool jwt_scope_has(struct bytes scope, const char *name) {
  struct bytes part;
  if (scope.size == 0) return false;
  while (bytes_next_part(&scope, ' ', &part))
    if (part.size > 0 && bytes_equal_string(part, name)) return true;
  return false;
}
