/* The program's commands: a table in main.c, a file each. Every one takes the arguments after its
 * name and returns the exit code: 0 good, 1 it ran and the answer is bad, 2 used wrongly. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

struct cli_command {
  const char *name;
  const char *summary; /* one line */
  int (*run)(int argument_count, char **arguments);
};

int command_serve(int argument_count, char **arguments);
int command_sandbox(int argument_count, char **arguments);
int command_surge(int argument_count, char **arguments);
int command_audit(int argument_count, char **arguments);
int command_orders(int argument_count, char **arguments);
int command_token(int argument_count, char **arguments);
int command_version(int argument_count, char **arguments);

#endif
