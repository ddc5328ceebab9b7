/* SPDX-License-Identifier: Apache-2.0
 * The verbs that are one request: the table cli_rows.def, and how a row is read and run. */
#pragma once
#include "app/cli_api.h"

#include <stdio.h>

struct cli_row {
  const char *words, *method, *path, *arguments, *options, *fixed, *view, *match, *about;
};
extern const struct cli_row cli_rows[];
extern const unsigned cli_rows_n;

/* The row that the first one or two words name, and how many they are; NULL: none. */
const struct cli_row *cli_row_find(int argc, char **argv, int *ret_words);
/* argv are the words after those. The exit status. */
int cli_row_run(const struct cli_row *row, int argc, char **argv);

/* One name of arguments or options. kind: 't' text, 'i' number, 'b' flag, '@' file's text, 'j' file's
 * JSON,
 * '+' list by commas, '.' words key=value, '*' the whole body of a JSON file. */
struct cli_name {
  char name[32], kind;
};
/* The next of the list at *at; false at its end. */
bool cli_name_next(const char **at, struct cli_name *ret);
