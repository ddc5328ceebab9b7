/* SPDX-License-Identifier: Apache-2.0
 * The writer's connection to SQLite: WAL, each commit synced. One thread: the store's writer. */
#include "store/db.h"

#include "store/field.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define SCHEMA_VERSION 4
#define SQL_BYTES 16384

struct db {
  sqlite3 *sql;
  sqlite3_stmt *put;
};

struct db *db_free(struct db *d) {
  if (!d)
    return NULL;
  sqlite3_finalize(d->put);
  sqlite3_close(d->sql);
  free(d);
  return NULL;
}

static int db_exec(struct db *d, const char *sql) {
  return sqlite3_exec(d->sql, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

static int db_number(struct db *d, const char *sql, int64_t *ret) {
  sqlite3_stmt *st = NULL;
  int r = -EIO;
  if (sqlite3_prepare_v2(d->sql, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
    *ret = sqlite3_column_int64(st, 0);
    r = 0;
  }
  sqlite3_finalize(st);
  return r;
}

static int schema_make(struct db *d) {
  char sql[SQL_BYTES];
  size_t at = (size_t)snprintf(sql, sizeof(sql), "BEGIN; CREATE TABLE records (");
  for (size_t i = 0; i < fields_n; i++)
    at += (size_t)snprintf(sql + at, sizeof(sql) - at, "%s %s NOT NULL%s, ", fields[i].column,
                           fields[i].is_text ? "TEXT" : "INTEGER", i ? "" : " PRIMARY KEY");
  snprintf(sql + at, sizeof(sql) - at,
           "written_ms INTEGER NOT NULL);"
           "CREATE INDEX records_started ON records (started_ms, id);"
           "CREATE INDEX records_from ON records (from_number, started_ms);"
           "CREATE INDEX records_to ON records (to_number, started_ms);"
           "CREATE INDEX records_state ON records (state, started_ms);"
           "PRAGMA user_version=%d; COMMIT;",
           SCHEMA_VERSION);
  return db_exec(d, sql);
}

/* An older program's file: the columns that it lacks. */
static int schema_grow(struct db *d) {
  char sql[200];
  int r = db_exec(d, "BEGIN");
  for (size_t i = 0; r == 0 && i < fields_n; i++) {
    int64_t n = 0;
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info('records') WHERE name='%s'",
             fields[i].column);
    r = db_number(d, sql, &n);
    snprintf(sql, sizeof(sql), "ALTER TABLE records ADD COLUMN %s %s", fields[i].column,
             fields[i].is_text ? "TEXT NOT NULL DEFAULT ''" : "INTEGER NOT NULL DEFAULT 0");
    if (r == 0 && n == 0)
      r = db_exec(d, sql);
  }
  snprintf(sql, sizeof(sql), "PRAGMA user_version=%d; COMMIT;", SCHEMA_VERSION);
  if (r == 0)
    r = db_exec(d, sql);
  if (r < 0)
    (void)db_exec(d, "ROLLBACK");
  return r;
}

static int schema_check(struct db *d) {
  int64_t version = 0;
  int r = db_number(d, "PRAGMA user_version", &version);
  if (r < 0 || version == SCHEMA_VERSION)
    return r;
  if (version > SCHEMA_VERSION)
    return -EIO; /* a newer program's file is left alone */
  return version == 0 ? schema_make(d) : schema_grow(d);
}

static int put_prepare(struct db *d) {
  char sql[SQL_BYTES], columns[SQL_BYTES / 2];
  size_t at =
      (size_t)snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO records (%s, written_ms) VALUES (",
                       field_columns(columns, sizeof(columns)));
  for (size_t i = 0; i < fields_n; i++)
    at += (size_t)snprintf(sql + at, sizeof(sql) - at, "?,");
  snprintf(sql + at, sizeof(sql) - at, "?)");
  return sqlite3_prepare_v2(d->sql, sql, -1, &d->put, NULL) == SQLITE_OK ? 0 : -EIO;
}

/* Made by us first, so that it is never readable for others; SQLite gives -wal and -shm the same mode.
 */
static int file_make(const char *file) {
  struct stat st;
  own_fd fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 || fstat(fd, &st) < 0)
    return -errno;
  return S_ISREG(st.st_mode) && !(st.st_mode & 022) ? 0 : -EPERM;
}

int db_open(struct db **ret_db, const char *file) {
  own(db) d = calloc(1, sizeof(*d));
  if (!d)
    return -ENOMEM;
  int r = file_make(file);
  if (r < 0)
    return r;
  if (sqlite3_open_v2(file, &d->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
    return -EIO;
  sqlite3_busy_timeout(d->sql, 1000);
  r = db_exec(d, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;"
                 "PRAGMA journal_size_limit=67108864;");
  if (r == 0)
    r = schema_check(d);
  if (r == 0)
    r = put_prepare(d);
  if (r == 0)
    *ret_db = take(d);
  return r;
}

int db_begin(struct db *d) { return db_exec(d, "BEGIN IMMEDIATE"); }
int db_commit(struct db *d) { return db_exec(d, "COMMIT"); }

void db_rollback(struct db *d) {
  if (!sqlite3_get_autocommit(d->sql))
    (void)db_exec(d, "ROLLBACK");
}

int db_put(struct db *d, const struct record *r, uint64_t wall_ms) {
  int bad = 0, n = (int)fields_n;
  for (int i = 0; i < n; i++)
    bad |= field_bind(d->put, i + 1, &fields[i], r);
  bad |= sqlite3_bind_int64(d->put, n + 1, (int64_t)wall_ms);
  int done = bad ? SQLITE_ERROR : sqlite3_step(d->put);
  sqlite3_reset(d->put);
  sqlite3_clear_bindings(d->put);
  return done == SQLITE_DONE ? 0 : -EIO;
}

int db_close_live(struct db *d) {
  char sql[512];
  snprintf(sql, sizeof(sql),
           "UPDATE records SET state=%d, reason='gateway_restart', end_by='gateway',"
           "ended_ms=MAX(started_ms, ringing_ms, answered_ms, written_ms) WHERE state=%d",
           (int)RECORD_ENDED, (int)RECORD_LIVE);
  return db_exec(d, sql);
}

int db_purge(struct db *d, uint64_t before_ms) {
  char sql[256];
  snprintf(sql, sizeof(sql),
           "DELETE FROM records WHERE id IN (SELECT id FROM records WHERE state<>%d AND started_ms<%lld "
           "LIMIT 500)",
           (int)RECORD_LIVE, (long long)before_ms);
  return db_exec(d, sql);
}
