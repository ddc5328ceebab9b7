/* SPDX-License-Identifier: Apache-2.0
 * Brings a database to the newest schema: steps in order, each with the version that it leads to, all in
 * one transaction, so that a file is wholly old or wholly new whatever stops us. The version stands in
 * PRAGMA user_version; an empty file has 0. A newer program's file is left alone. */
#pragma once
#include "base/own.h"

#include <sqlite3.h>

struct migration {
  int64_t version;          /* version that the file has after the step; they rise. */
  const char *sql;          /* sql, NULL: none. */
  int (*fn)(sqlite3 *file); /* fn runs after sql, NULL: none. 0 or -EIO */
};

/* ret_was (may be NULL) is the version that was found. 0, -EIO, or -EPROTO: the file is of a newer
 * program. */
int migrate_run(sqlite3 *file, const struct migration *steps, size_t n, int64_t *ret_was) must_check;

/* Short forms for steps: 0 or -EIO. */
int sql_exec(sqlite3 *file, const char *sql) must_check;
int sql_number(sqlite3 *file, const char *sql,
               int64_t *ret) must_check; /* first column of the first row */
