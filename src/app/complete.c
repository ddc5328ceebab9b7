/* SPDX-License-Identifier: Apache-2.0
 * sallyport completion: a function for bash or zsh, made of the table of verbs. */
#include "app/cli.h"
#include "app/cli_rows.h"
#include "base/own.h"

static const char bash_head[] =
    "_sallyport() {\n"
    "  local cur=${COMP_WORDS[COMP_CWORD]} line=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\"\n"
    "  case \"$line\" in\n";
static const char bash_tail[] = "  esac\n"
                                "}\n"
                                "complete -o default -F _sallyport sallyport\n";

static void options_put(const struct cli_row *row) {
  struct cli_name n;
  for (const char *at = row->options; cli_name_next(&at, &n);)
    printf("--%s ", n.name);
  fputs("--json --url --token-file --ca --cert --key --config --help", stdout);
}

/* The first words, each once. */
static void firsts_put(void) {
  const char *last = "";
  for (unsigned i = 0; i < cli_rows_n; i++) {
    int n = (int)strcspn(cli_rows[i].words, " ");
    if (strncmp(last, cli_rows[i].words, (size_t)n + 1) != 0)
      printf("%.*s ", n, cli_rows[i].words);
    last = cli_rows[i].words;
  }
}

/* The second words of one first. */
static void seconds_put(const char *first, size_t bytes) {
  for (unsigned i = 0; i < cli_rows_n; i++)
    if (strncmp(cli_rows[i].words, first, bytes) == 0 && cli_rows[i].words[bytes] == ' ')
      printf("%s ", cli_rows[i].words + bytes + 1);
}

static void cases_put(void) {
  for (unsigned i = 0; i < cli_rows_n; i++) {
    const char *words = cli_rows[i].words;
    size_t n = strcspn(words, " ");
    printf("    \"%s\"*) COMPREPLY=($(compgen -W \"", words);
    options_put(&cli_rows[i]);
    puts("\" -- \"$cur\")) ;;");
    bool is_last = i + 1 == cli_rows_n || strncmp(cli_rows[i + 1].words, words, n + 1) != 0;
    if (words[n] && is_last) {
      printf("    \"%.*s\") COMPREPLY=($(compgen -W \"", (int)n, words);
      seconds_put(words, n);
      puts("\" -- \"$cur\")) ;;");
    }
  }
}

int complete_run(int argc, char **argv) {
  const char *shell = argc > 1 ? argv[1] : "";
  if (strcmp(shell, "zsh") == 0)
    puts("autoload -U +X bashcompinit && bashcompinit");
  else if (strcmp(shell, "bash") != 0) {
    fputs("Usage: sallyport completion bash|zsh\n", stderr);
    return CLI_USAGE;
  }
  fputs(bash_head, stdout);
  fputs("    \"\") COMPREPLY=($(compgen -W \"route-test completion restore ", stdout);
  firsts_put();
  puts("\" -- \"$cur\")) ;;");
  cases_put();
  fputs(bash_tail, stdout);
  return CLI_OK;
}
