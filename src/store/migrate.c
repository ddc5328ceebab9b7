/* SPDX-License-Identifier: Apache-2.0
 * Steps from an older schema to the newest: see migrate.h. */
#include "store/migrate.h"

#include <stdio.h>

int sql_exec(sqlite3 *file, const char *sql) {
  return sqlite3_exec(file, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

int sql_number(sqlite3 *file, const char *sql, int64_t *ret) {
  sqlite3_stmt *st = NULL;
  int r = -EIO;
  if (sqlite3_prepare_v2(file, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
    *ret = sqlite3_column_int64(st, 0);
    r = 0;
  }
  sqlite3_finalize(st);
  return r;
}

static int step_run(sqlite3 *file, const struct migration *m) {
  char sql[64];
  int r = m->sql ? sql_exec(file, m->sql) : 0;
  if (r == 0 && m->fn)
    r = m->fn(file);
  snprintf(sql, sizeof(sql), "PRAGMA user_version=%lld", (long long)m->version);
  return r == 0 ? sql_exec(file, sql) : r;
}

static int steps_run(sqlite3 *file, const struct migration *steps, size_t n, int64_t version) {
  int r = sql_exec(file, "BEGIN IMMEDIATE");
  for (size_t i = 0; r == 0 && i < n; i++)
    if (steps[i].version > version)
      r = step_run(file, &steps[i]);
  if (r == 0)
    r = sql_exec(file, "COMMIT");
  if (r < 0 && !sqlite3_get_autocommit(file))
    (void)!sql_exec(file, "ROLLBACK");
  return r;
}

int migrate_run(sqlite3 *file, const struct migration *steps, size_t n, int64_t *ret_was) {
  int64_t version = 0;
  int r = sql_number(file, "PRAGMA user_version", &version);
  if (ret_was)
    *ret_was = version;
  if (r < 0 || version == steps[n - 1].version)
    return r;
  return version > steps[n - 1].version ? -EPROTO : steps_run(file, steps, n, version);
}
