/* What a gateway is made of. */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include "base/text.h"
#include "function/context.h"
#include "gateway/gateway.h"
#include "wire/jwt.h"

/* Where verification keys come from. `acquire` gives the newest set, or NULL where there is none yet;
 * its generation, which each set of this source has for itself; and what `release` takes back, until
 * when the set is valid. `refresh` fetches a newer one and may block (NULL: the keys never change). */
struct gateway_keys {
  void *context;
  const struct jwt_keys *(*acquire)(void *context, uint64_t *ret_generation, void **ret_hold);
  void (*release)(void *hold);
  void (*refresh)(void *context);
};

enum { GATEWAY_TOKEN_KEYS_MAX = 2 };

struct gateway_config {
  const struct function_context *functions;
  struct gateway_keys token_keys[GATEWAY_TOKEN_KEYS_MAX]; /* a token is good if one of them verifies it */
  size_t token_keys_count;
  struct gateway_keys receipt_keys; /* context NULL: payment receipts are not expected */
  struct jwt_policy token_policy;
  bool believes_claims;      /* an authoriser in front verifies tokens (exchange.claims); no keys are needed */
  int64_t customer_rate;     /* requests a second of one customer; 0: no limit */
  int64_t customer_burst;    /* at once */
  struct bytes cors_origins; /* comma-separated; empty: none */
  struct bytes openapi;      /* the document that /openapi.json answers with */
  bool serves_api, serves_admin; /* which routes this gateway knows */
  void *platform;                /* for the two below */
  void (*write_metrics)(void *platform, struct text *text);
  /* NULL where the platform can take orders, else why it can't. */
  const char *(*unready)(void *platform);
};

/* The config is copied; what it points to must outlive the gateway. */
struct gateway *gateway_make(const struct gateway_config *config);
void gateway_free(struct gateway *gateway);

#endif
