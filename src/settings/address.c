#include "settings/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>

/* Splits at the last colon; false where there is no port. */
static bool split(struct bytes text, struct bytes *ret_host, unsigned long long *ret_port) {
  size_t colon = text.size;
  while (colon > 0 && text.data[colon - 1] != ':') colon--;
  if (colon == 0) return false;
  *ret_host = bytes_slice(text, 0, colon - 1);
  return bytes_to_uint64(bytes_slice(text, colon, text.size), ret_port) && *ret_port <= 65535;
}

bool address_parse(struct bytes text, struct sockaddr_storage *ret_address, socklen_t *ret_size_bytes) {
  struct bytes host;
  unsigned long long port;
  char numeric[INET6_ADDRSTRLEN + 1];
  if (!split(text, &host, &port)) return false;
  bool bracketed = host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
  if (bracketed) host = bytes_slice(host, 1, host.size - 1);
  if (host.size == 0 || host.size >= sizeof numeric) return false;
  memcpy(numeric, host.data, host.size);
  numeric[host.size] = '\0';
  memset(ret_address, 0, sizeof *ret_address);
  if (bracketed) {
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;
    *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    *ret_size_bytes = sizeof *six;
    return inet_pton(AF_INET6, numeric, &six->sin6_addr) == 1;
  }
  struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
  *four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  *ret_size_bytes = sizeof *four;
  return inet_pton(AF_INET, numeric, &four->sin_addr) == 1;
}

void address_format(const struct sockaddr_storage *address, char ret_text[ADDRESS_TEXT_BYTES]) {
  char numeric[INET6_ADDRSTRLEN] = "?";
  if (address->ss_family == AF_INET6) {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    inet_ntop(AF_INET6, &six->sin6_addr, numeric, sizeof numeric);
    snprintf(ret_text, ADDRESS_TEXT_BYTES, "[%s]:%u", numeric, (unsigned)ntohs(six->sin6_port));
    return;
  }
  const struct sockaddr_in *four = (const struct sockaddr_in *)address;
  inet_ntop(AF_INET, &four->sin_addr, numeric, sizeof numeric);
  snprintf(ret_text, ADDRESS_TEXT_BYTES, "%s:%u", numeric, (unsigned)ntohs(four->sin_port));
}
