/* Numeric socket addresses as text: 127.0.0.1:8080, [::1]:8080. Names are not looked up. */
#ifndef SETTINGS_ADDRESS_H
#define SETTINGS_ADDRESS_H

#include <sys/socket.h>

#include "base/attributes.h"
#include "base/bytes.h"

/* False unless it is an IPv4 address, a colon and a port, or an IPv6 address in brackets, a colon
 * and a port; ports 0 to 65535. */
MUST_USE bool address_parse(struct bytes text, struct sockaddr_storage *ret_address, socklen_t *ret_size_bytes);

enum { ADDRESS_TEXT_BYTES = 64 };

/* The reverse, NUL-terminated. */
void address_format(const struct sockaddr_storage *address, char ret_text[ADDRESS_TEXT_BYTES]);

#endif
