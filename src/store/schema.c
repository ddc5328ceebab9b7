/* SPDX-License-Identifier: Apache-2.0
 * The tables of records: `records`, a row a call, its columns by field.def; `keys`, what it is found by.
 * Versions 1 to 4 had a row named by its id only and an index a column. */
#include "store/schema.h"

#include "store/field.h"
#include "store/key.h"

#include <stdio.h>

#define SQL_BYTES 16384

static const char *column_type(const struct field *f) {
  return f->is_text ? "TEXT NOT NULL DEFAULT ''" : "INTEGER NOT NULL DEFAULT 0";
}

/* `row` is the record's name in other tables: a number that no VACUUM changes. */
static int tables_make(sqlite3 *file) {
  char sql[SQL_BYTES];
  size_t at = (size_t)snprintf(sql, sizeof(sql), "CREATE TABLE records (row INTEGER PRIMARY KEY, ");
  for (size_t i = 0; i < fields_n; i++)
    at += (size_t)snprintf(sql + at, sizeof(sql) - at, "%s %s%s, ", fields[i].column,
                           column_type(&fields[i]), i ? "" : " UNIQUE");
  snprintf(sql + at, sizeof(sql) - at,
           "written_ms INTEGER NOT NULL DEFAULT 0);"
           "CREATE INDEX records_started ON records (started_ms);"
           "CREATE TABLE keys (kind INTEGER NOT NULL, value TEXT NOT NULL, started_ms INTEGER NOT NULL,"
           "row INTEGER NOT NULL, PRIMARY KEY (kind, value, started_ms, row)) WITHOUT ROWID;");
  return sql_exec(file, sql);
}

static int has_column(sqlite3 *file, const char *table, const char *column, int64_t *ret_n) {
  char sql[160];
  snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info('%s') WHERE name='%s'", table,
           column);
  return sql_number(file, sql, ret_n);
}

static int rows_copy(sqlite3 *file) {
  char sql[2 * SQL_BYTES], columns[SQL_BYTES / 2];
  size_t at = 0;
  for (size_t i = 0; i < fields_n; i++) {
    int64_t n = 0;
    int r = has_column(file, "records_old", fields[i].column, &n);
    if (r < 0)
      return r;
    if (n)
      at += (size_t)snprintf(columns + at, sizeof(columns) - at, "%s, ", fields[i].column);
  }
  snprintf(sql, sizeof(sql),
           "INSERT INTO records (%swritten_ms) SELECT %swritten_ms FROM records_old ORDER BY started_ms,"
           "id; DROP TABLE records_old",
           columns, columns);
  return sql_exec(file, sql);
}

static int keys_fill(sqlite3 *file) {
  char sql[SQL_BYTES], columns[SQL_BYTES / 2];
  struct keys *k = NULL;
  sqlite3_stmt *st = NULL;
  static _Thread_local struct record rec;
  int step = SQLITE_ERROR, r = keys_new(&k, file);
  snprintf(sql, sizeof(sql), "SELECT %s, row FROM records", field_columns(columns, sizeof(columns)));
  if (r == 0 && sqlite3_prepare_v2(file, sql, -1, &st, NULL) != SQLITE_OK)
    r = -EIO;
  while (r == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
    fields_read(st, &rec);
    r = keys_swap(k, sqlite3_column_int64(st, (int)fields_n), NULL, &rec);
  }
  sqlite3_finalize(st);
  keys_free(k);
  return r == 0 && step != SQLITE_DONE ? -EIO : r;
}

static int columns_grow(sqlite3 *file) {
  char sql[200];
  int r = 0;
  for (size_t i = 0; r == 0 && i < fields_n; i++) {
    int64_t n = 0;
    r = has_column(file, "records", fields[i].column, &n);
    snprintf(sql, sizeof(sql), "ALTER TABLE records ADD COLUMN %s %s", fields[i].column,
             column_type(&fields[i]));
    if (r == 0 && n == 0)
      r = sql_exec(file, sql);
  }
  return r;
}

static int to_5(sqlite3 *file) {
  int64_t old = 0;
  int r = has_column(file, "records", "id", &old);
  if (r == 0 && old)
    r = sql_exec(file,
                 "ALTER TABLE records RENAME TO records_old; DROP INDEX IF EXISTS records_started");
  if (r == 0)
    r = tables_make(file);
  if (r < 0 || !old)
    return r;
  r = rows_copy(file);
  return r == 0 ? keys_fill(file) : r;
}

static const struct migration steps[] = {
    {.version = 5, .fn = to_5},
    /* 6: what waits for the receiver of records */
    {.version = 6,
     .sql = "CREATE TABLE spool (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL,"
            "at_ms INTEGER NOT NULL)"},
    /* 7: those that have a cause, whatever it is (KEY_CAUSE) */
    {.version = SCHEMA_VERSION,
     .sql = "INSERT OR IGNORE INTO keys SELECT kind, 'any', started_ms, row FROM keys WHERE kind=9"},
};

int schema_open(sqlite3 *file) {
  int r = migrate_run(file, steps, COUNT_OF(steps), NULL);
  if (r < 0)
    return r;
  r = sql_exec(file, "BEGIN IMMEDIATE");
  if (r == 0)
    r = columns_grow(file);
  if (r == 0)
    r = sql_exec(file, "COMMIT");
  if (r < 0 && !sqlite3_get_autocommit(file))
    (void)!sql_exec(file, "ROLLBACK");
  return r;
}
