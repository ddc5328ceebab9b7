/* SPDX-License-Identifier: Apache-2.0
 * sallyport, the operators' command: sallyport VERB … */
#include "app/cli.h"
#include "app/cli_rows.h"

#include "base/own.h"
#include "config.h"

#include <stdio.h>
#include <unistd.h>

static const struct cli_verb verbs[] = {
    {"route-test", "shows which rule of the dialplan takes a number, and why", routetest_run},
    {"completion", "what bash or zsh need to complete words: completion bash|zsh", complete_run},
    {"restore", "puts a backup of the call records into the database's place", restore_run},
};

static void usage(FILE *to) {
  fputs("Usage: sallyport VERB [OPTION…]\n\n", to);
  for (size_t i = 0; i < COUNT_OF(verbs); i++)
    fprintf(to, "  %-18s %s\n", verbs[i].name, verbs[i].about);
  for (size_t i = 0; i < cli_rows_n; i++)
    fprintf(to, "  %-18s %s\n", cli_rows[i].words, cli_rows[i].about);
  fputs("\nExit status: 0 done, 1 refused or no, 2 wrong words, 3 not reachable, 4 not allowed.\n"
        "sallyport VERB --help tells the options of a verb; sallyport --version the version.\n",
        to);
}

const char *cli_config(const char *given) {
  static char beside[512];
  const char *named = given ? given : getenv("SALLYPORT_CONFIG");
  if (named && *named)
    return named;
  ssize_t n = readlink("/proc/self/exe", beside, sizeof(beside) - 32);
  char *slash = n > 0 ? memrchr(beside, '/', (size_t)n) : NULL;
  if (slash) {
    memcpy(slash, "/run/sallyport.yaml", sizeof("/run/sallyport.yaml"));
    if (access(beside, R_OK) == 0)
      return beside;
  }
  return SYSCONFDIR "/sallyport/sallyport.yaml";
}

/* The verbs that begin with that word; else where to look. */
static int not_a_verb(int argc, char **argv) {
  size_t n = strlen(argv[1]);
  bool is_any = false;
  fputs("sallyport: there is no verb '", stderr);
  for (int i = 1; i < argc && i < 3 && argv[i][0] != '-'; i++)
    fprintf(stderr, "%s%.40s", i > 1 ? " " : "", argv[i]);
  fputs("'\n", stderr);
  for (size_t i = 0; i < cli_rows_n; i++)
    if (strncmp(cli_rows[i].words, argv[1], n) == 0 && cli_rows[i].words[n] == ' ') {
      fprintf(stderr, "  %-18s %s\n", cli_rows[i].words, cli_rows[i].about);
      is_any = true;
    }
  if (!is_any)
    fputs("sallyport --help lists them\n", stderr);
  return CLI_USAGE;
}

static int run(int argc, char **argv) {
  const char *word = argc > 1 ? argv[1] : "";
  char shown[48];
  for (size_t i = 0; i < COUNT_OF(verbs); i++)
    if (strcmp(word, verbs[i].name) == 0) {
      snprintf(shown, sizeof(shown), "sallyport %s", verbs[i].name);
      argv[1] = shown; /* what usage and errors are headed by */
      return verbs[i].run(argc - 1, argv + 1);
    }
  int words = 0;
  const struct cli_row *row = cli_row_find(argc - 1, argv + 1, &words);
  if (row)
    return cli_row_run(row, argc - 1 - words, argv + 1 + words);
  if (strcmp(word, "--version") == 0) {
    puts("sallyport " PACKAGE_VERSION);
    return CLI_OK;
  }
  bool is_help = strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
  if (argc > 1 && word[0] != '-')
    return not_a_verb(argc, argv);
  usage(is_help ? stdout : stderr);
  return is_help ? CLI_OK : CLI_USAGE;
}

/* What could not be written (a full disk, a closed pipe) was not done. */
int main(int argc, char **argv) {
  int status = run(argc, argv);
  bool is_written = !ferror(stdout) && fflush(stdout) == 0;
  if (is_written)
    return status;
  fprintf(stderr, "sallyport: the standard output cannot be written: %s\n", strerror(errno));
  return CLI_NO;
}
