/* spillway: a table of commands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/attributes.h"
#include "cli/commands.h"

static const struct cli_command commands[] = {
    {"serve", "takes orders over HTTP and carries them out", command_serve},
    {"orders", "lists, shows, cancels orders; retries and skips steps, against a running server",
     command_orders},
    {"sandbox", "stand-ins for inventory, accounting and fulfilment, with faults on request", command_sandbox},
    {"surge", "a coupon spike of real orders, as load", command_surge},
    {"audit", "holds what a surge sent against what the server and the services did", command_audit},
    {"token", "mints a development token", command_token},
    {"version", "prints the version and those of its libraries", command_version},
};

static const struct cli_command *command_find(const char *name) {
  for (size_t i = 0; i < COUNT_OF(commands); i++)
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  return NULL;
}

static int print_help(void) {
  printf(
      "NAME\n    spillway - takes orders, keeps every one, and carries it through three services\n\n"
      "SYNOPSIS\n    spillway COMMAND [OPTION]…\n    spillway help COMMAND\n\nCOMMANDS\n");
  for (size_t i = 0; i < COUNT_OF(commands); i++)
    printf("    %-9s %s\n", commands[i].name, commands[i].summary);
  printf(
      "\nSettings come from flags (--listen) or the environment (SPILLWAY_LISTEN); the flag wins.\n"
      "\nEXAMPLES\n    spillway sandbox &\n    spillway help serve\n"
      "\nEXIT STATUS\n    0 good, 1 it ran and the answer is bad, 2 used wrongly.\n");
  return 0;
}

static int unknown(const char *name) {
  fprintf(stderr, "spillway: \"%s\" is not a command; spillway --help lists them\n", name);
  return 2;
}

static int print_command_help(const char *name) {
  const struct cli_command *command = command_find(name);
  char help[] = "--help";
  return command ? command->run(1, (char *[]){help, NULL}) : unknown(name);
}

int main(int argument_count, char **arguments) {
  /* A reader that went away (a closed pipe, a dropped connection) is an error code, not the end. */
  signal(SIGPIPE, SIG_IGN);
  if (argument_count < 2) {
    fprintf(stderr, "spillway: no command given; spillway --help lists them\n");
    return 2;
  }
  const char *name = arguments[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return print_help();
  if (strcmp(name, "help") == 0) return argument_count > 2 ? print_command_help(arguments[2]) : print_help();
  if (strcmp(name, "--version") == 0) return command_version(0, arguments + 2);
  const struct cli_command *command = command_find(name);
  return command ? command->run(argument_count - 2, arguments + 2) : unknown(name);
}
