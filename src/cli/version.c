/* spillway version: which build this is, and which libraries it runs with. */
#include <curl/curl.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>

#include "cli/commands.h"
#include "settings/options.h"

static const struct option_table table = {
    .command = "version",
    .synopsis = "spillway version",
    .summary = "prints the version and those of its libraries.",
};

int command_version(int argument_count, char **arguments) {
  char settings;
  enum options_result read = options_read(&table, argument_count, arguments, &settings, NULL);
  if (read != OPTIONS_GOOD) return options_exit_code(read);
  printf("spillway %s\n", SPILLWAY_VERSION);
  printf("libmicrohttpd %s\nSQLite %s\nlibcurl %s\n%s\n", MHD_get_version(), sqlite3_libversion(),
         curl_version_info(CURLVERSION_NOW)->version, OpenSSL_version(OPENSSL_VERSION));
  return 0;
}
