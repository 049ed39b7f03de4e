/* Codes that money and addresses are written in. */
#ifndef ORDER_MONEY_H
#define ORDER_MONEY_H

#include "base/bytes.h"

/* An active alphabetic code of ISO 4217 that money is paid in (no XXX, XAU and the like); the
 * amounts of an order are in its minor unit, whose exponent is the client's concern. */
bool money_currency_is_known(struct bytes code);

/* An officially assigned alpha-2 code of ISO 3166-1. */
bool money_country_is_known(struct bytes code);

#endif
