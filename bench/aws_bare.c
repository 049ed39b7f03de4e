/* The least that can ask Lambda for its first invocation: what bench/aws measures a start against. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
  const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
  const char *colon = api ? strchr(api, ':') : NULL;
  if (!colon) return 2;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)strtol(colon + 1, NULL, 10))};
  char host[16] = {0};
  if (colon - api >= (long)sizeof host) return 2;
  memcpy(host, api, (size_t)(colon - api));
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) return 2;
  if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0) return 1;
  char text[256];
  int size =
      snprintf(text, sizeof text, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", api);
  if (write(connection, text, (size_t)size) != size) return 1;
  return read(connection, text, sizeof text) >= 0 ? 0 : 1;
}
