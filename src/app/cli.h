/* SPDX-License-Identifier: Apache-2.0
 * The operators' command, sallyport: a table of verbs. A verb reads its own words by argp, prints to
 * stdout, and gives the exit status. */
#pragma once

enum {
  CLI_OK = 0,
  CLI_NO = 1,        /* the answer is no: no route, refused */
  CLI_USAGE = 2,     /* wrong words, or a file that cannot be read or has errors */
  CLI_AWAY = 3,      /* the gateway cannot be reached */
  CLI_FORBIDDEN = 4, /* who asks is not known, or may not */
};

struct cli_verb {
  const char *name, *about;
  int (*run)(int argc, char **argv); /* argv[0] is the verb's name. */
};

/* The configuration's file: as given, else $SALLYPORT_CONFIG, else run/sallyport.yaml beside the program
 * (where
 * ./run writes it), else the system's. */
const char *cli_config(const char *given);

/* Each: the exit status. */
int routetest_run(int argc, char **argv);
/* Words for the shell to complete with: sallyport completion bash|zsh */
int complete_run(int argc, char **argv);
int restore_run(int argc, char **argv);
