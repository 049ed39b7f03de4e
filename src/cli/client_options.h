/* Rows that the tables of several commands have (settings/options.h): which server, and with what token. `at`
 * is where the value goes; `words` the row's help. */
#ifndef CLI_CLIENT_OPTIONS_H
#define CLI_CLIENT_OPTIONS_H

#include "settings/options.h"

#define OPTION_SERVER_URL(at, words)                                                                  \
  {                                                                                                   \
    .name = "url", .type = OPTION_URL, .offset_bytes = (at), .default_text = "http://127.0.0.1:8080", \
    .help = (words)                                                                                   \
  }
#define OPTION_SECRET_FILE(at, words) \
  { .name = "secret-file", .type = OPTION_TEXT, .offset_bytes = (at), .value_name = "FILE", .help = (words) }
#define OPTION_TOKEN_FILE(at, words) \
  { .name = "token-file", .type = OPTION_TEXT, .offset_bytes = (at), .value_name = "FILE", .help = (words) }
#define OPTION_TOKEN_ISSUER(at, whose) \
  { .name = "issuer", .type = OPTION_TEXT, .offset_bytes = (at), .help = "The iss claim of " whose "." }
#define OPTION_TOKEN_AUDIENCE(at, whose) \
  { .name = "audience", .type = OPTION_TEXT, .offset_bytes = (at), .help = "The aud claim of " whose "." }

#endif
