/* SPDX-License-Identifier: Apache-2.0
 * The writer's connection to SQLite: WAL, each commit synced. One thread: the store's writer. */
#include "store/db.h"

#include "store/field.h"
#include "store/key.h"
#include "store/schema.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#define SQL_BYTES 24576
#define PURGE_ROWS 500
enum { BUSY_MS = 1000, FOLD_TRY_MS = 300, FOLD_TRIES = 8 };

struct db {
  sqlite3 *sql;
  sqlite3_stmt *get, *put;
  sqlite3_stmt *spool;
  bool spools, spools_live; /* somebody gets records; interim ones too */
  struct keys *keys;
  int gone;              /* gone counts the rows that a purge took. */
  struct record was, at; /* was: as the row that is replaced; at: the row that a walk stands at. */
};

struct db *db_free(struct db *d) {
  if (!d)
    return NULL;
  sqlite3_finalize(d->get);
  sqlite3_finalize(d->put);
  sqlite3_finalize(d->spool);
  keys_free(d->keys);
  sqlite3_close(d->sql);
  free(d);
  return NULL;
}

static int statements_make(struct db *d) {
  char sql[SQL_BYTES], columns[SQL_BYTES / 3];
  field_columns(columns, sizeof(columns));
  snprintf(sql, sizeof(sql), "SELECT %s, row FROM records WHERE id=?1", columns);
  if (sqlite3_prepare_v2(d->sql, sql, -1, &d->get, NULL) != SQLITE_OK)
    return -EIO;
  size_t at =
      (size_t)snprintf(sql, sizeof(sql), "INSERT INTO records (%s, written_ms) VALUES (", columns);
  for (size_t i = 0; i < fields_n; i++)
    at += (size_t)snprintf(sql + at, sizeof(sql) - at, "?,");
  at += (size_t)snprintf(sql + at, sizeof(sql) - at, "?) ON CONFLICT (id) DO UPDATE SET ");
  for (size_t i = 1; i < fields_n; i++)
    at += (size_t)snprintf(sql + at, sizeof(sql) - at, "%s=excluded.%s,", fields[i].column,
                           fields[i].column);
  snprintf(sql + at, sizeof(sql) - at, "written_ms=excluded.written_ms");
  if (sqlite3_prepare_v2(d->sql, sql, -1, &d->put, NULL) != SQLITE_OK)
    return -EIO;
  if (sqlite3_prepare_v2(d->sql, "INSERT INTO spool (id, at_ms) VALUES (?1,?2)", -1, &d->spool, NULL) !=
      SQLITE_OK)
    return -EIO;
  return keys_new(&d->keys, d->sql);
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

const char *db_why(const struct db *d) { return sqlite3_errstr(sqlite3_extended_errcode(d->sql)); }

bool db_is_broken(const struct db *d) {
  int code = sqlite3_errcode(d->sql);
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

/* A file of another kind, which somebody named by mistake, is not ours to put aside. */
static bool is_ours(const char *file) {
  static const char head[16] = "SQLite format 3", none[16];
  char bytes[16] = "";
  own_fd fd = open(file, O_RDONLY | O_CLOEXEC);
  return fd >= 0 && read(fd, bytes, sizeof(bytes)) == sizeof(bytes) &&
         (memcmp(bytes, head, sizeof(bytes)) == 0 || memcmp(bytes, none, sizeof(bytes)) == 0);
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
  sqlite3_busy_timeout(d->sql, BUSY_MS);
  r = sql_exec(d->sql, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;"
                       "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-16384;"
                       "PRAGMA secure_delete=ON;"); /* what is written over is gone: see store_erase */
  if (r == 0)
    r = schema_open(d->sql);
  if (r == 0)
    r = statements_make(d);
  if (r == 0)
    *ret_db = take(d);
  else if (r == -EIO && db_is_broken(d) && is_ours(file))
    r = -EBADMSG;
  return r == -EPROTO ? -EIO : r;
}

int db_begin(struct db *d) { return sql_exec(d->sql, "BEGIN IMMEDIATE"); }
int db_commit(struct db *d) { return sql_exec(d->sql, "COMMIT"); }

void db_rollback(struct db *d) {
  if (!sqlite3_get_autocommit(d->sql))
    (void)!sql_exec(d->sql, "ROLLBACK");
}

/* The row of that id as it is, into d->was: its number, 0: none, -EIO. */
static int64_t row_get(struct db *d, const char *id) {
  int64_t row = -EIO;
  if (sqlite3_bind_text(d->get, 1, id, -1, SQLITE_STATIC) == SQLITE_OK) {
    int step = sqlite3_step(d->get);
    if (step == SQLITE_ROW)
      fields_read(d->get, &d->was);
    row = step == SQLITE_ROW    ? sqlite3_column_int64(d->get, (int)fields_n)
          : step == SQLITE_DONE ? 0
                                : -EIO;
  }
  sqlite3_reset(d->get);
  sqlite3_clear_bindings(d->get);
  return row;
}

static int row_put(struct db *d, const struct record *r, uint64_t wall_ms) {
  int bad = 0, n = (int)fields_n;
  for (int i = 0; i < n; i++)
    bad |= field_bind(d->put, i + 1, &fields[i], r);
  bad |= sqlite3_bind_int64(d->put, n + 1, (int64_t)wall_ms);
  int done = bad ? SQLITE_ERROR : sqlite3_step(d->put);
  sqlite3_reset(d->put);
  sqlite3_clear_bindings(d->put);
  return done == SQLITE_DONE ? 0 : -EIO;
}

void db_spool(struct db *d, bool spools, bool interim) {
  d->spools = spools;
  d->spools_live = interim;
}

static int spool_put(struct db *d, const struct record *r, uint64_t wall_ms) {
  if (!d->spools || (r->state == RECORD_LIVE && !d->spools_live))
    return 0;
  int bad = sqlite3_bind_text(d->spool, 1, r->id, -1, SQLITE_STATIC) |
            sqlite3_bind_int64(d->spool, 2, (int64_t)wall_ms);
  int done = bad ? SQLITE_ERROR : sqlite3_step(d->spool);
  sqlite3_reset(d->spool);
  sqlite3_clear_bindings(d->spool);
  return done == SQLITE_DONE ? 0 : -EIO;
}

int db_put(struct db *d, const struct record *r, uint64_t wall_ms) {
  int64_t row = row_get(d, r->id);
  if (row < 0 || row_put(d, r, wall_ms) < 0)
    return -EIO;
  if (!row)
    row = -sqlite3_last_insert_rowid(d->sql);
  if (spool_put(d, r, wall_ms) < 0)
    return -EIO;
  return keys_swap(d->keys, row > 0 ? row : -row, row > 0 ? &d->was : NULL, r);
}

/* What an earlier instance left: the latest time known of it is its end. */
static int live_close(struct db *d, uint64_t written_ms) {
  struct record *r = &d->at;
  r->state = RECORD_ENDED;
  snprintf(r->reason, sizeof(r->reason), "gateway_restart");
  snprintf(r->cause_id, sizeof(r->cause_id), "restart");
  snprintf(r->cause_text, sizeof(r->cause_text),
           "the gateway ended while the call was up, and was started again");
  snprintf(r->end_by, sizeof(r->end_by), "gateway");
  const uint64_t times[] = {r->started_ms, r->ringing_ms, r->answered_ms, written_ms};
  r->ended_ms = 0;
  for (size_t i = 0; i < COUNT_OF(times); i++)
    if (times[i] > r->ended_ms)
      r->ended_ms = times[i];
  return db_put(d, r, r->ended_ms);
}

/* Runs "SELECT <columns>, written_ms, row FROM records " + where, one row at a time, each at d->at. */
static int rows_walk(struct db *d, const char *where, int (*fn)(struct db *d, sqlite3_stmt *st)) {
  char sql[SQL_BYTES], columns[SQL_BYTES / 3];
  sqlite3_stmt *st = NULL;
  int step = SQLITE_ERROR, r = 0;
  snprintf(sql, sizeof(sql), "SELECT %s, written_ms, row FROM records %s",
           field_columns(columns, sizeof(columns)), where);
  if (sqlite3_prepare_v2(d->sql, sql, -1, &st, NULL) != SQLITE_OK)
    return -EIO;
  while (r == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
    fields_read(st, &d->at);
    r = fn(d, st);
  }
  sqlite3_finalize(st);
  return r == 0 && step != SQLITE_DONE ? -EIO : r;
}

static int on_live(struct db *d, sqlite3_stmt *st) {
  return live_close(d, (uint64_t)sqlite3_column_int64(st, (int)fields_n));
}

static int on_old(struct db *d, sqlite3_stmt *st) {
  char sql[80];
  int64_t row = sqlite3_column_int64(st, (int)fields_n + 1);
  snprintf(sql, sizeof(sql), "DELETE FROM records WHERE row=%lld", (long long)row);
  int r = keys_swap(d->keys, row, &d->at, NULL);
  d->gone++;
  return r == 0 ? sql_exec(d->sql, sql) : r;
}

static int walk_committed(struct db *d, const char *where, int (*fn)(struct db *d, sqlite3_stmt *st)) {
  int r = db_begin(d);
  if (r == 0)
    r = rows_walk(d, where, fn);
  if (r == 0)
    r = db_commit(d);
  if (r < 0)
    db_rollback(d);
  return r;
}

/* The rows are chosen before any of them is changed. */
int db_close_live(struct db *d) {
  return walk_committed(
      d, "WHERE row IN (SELECT row FROM keys WHERE kind=6 AND value='live' ORDER BY row)", on_live);
}

/* "(SELECT …)" of rows that go: how many went. */
static int rows_purge(struct db *d, const char *rows) {
  char where[256];
  snprintf(where, sizeof(where), "WHERE row IN (%s LIMIT %d)", rows, PURGE_ROWS);
  d->gone = 0;
  int r = walk_committed(d, where, on_old);
  return r < 0 ? r : d->gone;
}

int db_purge(struct db *d, uint64_t before_ms) {
  char rows[160];
  snprintf(rows, sizeof(rows),
           "SELECT row FROM records WHERE state<>%d AND started_ms<%lld ORDER BY started_ms",
           (int)RECORD_LIVE, (long long)before_ms);
  return rows_purge(d, rows);
}

int db_shrink(struct db *d, uint64_t max_bytes) {
  int64_t pages = 0, unused = 0, page_bytes = 0;
  if (sql_number(d->sql, "PRAGMA page_count", &pages) < 0 ||
      sql_number(d->sql, "PRAGMA freelist_count", &unused) < 0 ||
      sql_number(d->sql, "PRAGMA page_size", &page_bytes) < 0)
    return -EIO;
  if ((uint64_t)((pages - unused) * page_bytes) <= max_bytes)
    return 0;
  return rows_purge(d, "SELECT row FROM records WHERE state<>0 ORDER BY started_ms");
}

int db_get(struct db *d, const char *id, struct record *ret) {
  int64_t row = row_get(d, id);
  *ret = d->was;
  return row > 0 ? 0 : row < 0 ? -EIO : -ENOENT;
}

#define OF_PERSON \
  "FROM records WHERE row IN (SELECT row FROM keys WHERE kind IN (1,2) AND value=?1) AND state"

int db_find(struct db *d, const char *who, char (*ret_ids)[40], int max) {
  sqlite3_stmt *st = NULL;
  int n = 0, step = SQLITE_ERROR;
  if (sqlite3_prepare_v2(d->sql, "SELECT id " OF_PERSON "<>0", -1, &st, NULL) == SQLITE_OK &&
      sqlite3_bind_text(st, 1, who, -1, SQLITE_STATIC) == SQLITE_OK)
    while (n < max && (step = sqlite3_step(st)) == SQLITE_ROW)
      snprintf(ret_ids[n++], 40, "%s", (const char *)sqlite3_column_text(st, 0));
  sqlite3_finalize(st);
  return step == SQLITE_ROW || step == SQLITE_DONE ? n : -EIO;
}

int db_live_of(struct db *d, const char *who, uint64_t *ret_n) {
  sqlite3_stmt *st = NULL;
  int r = -EIO;
  if (sqlite3_prepare_v2(d->sql, "SELECT count(*) " OF_PERSON "=0", -1, &st, NULL) == SQLITE_OK &&
      sqlite3_bind_text(st, 1, who, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
    *ret_n = (uint64_t)sqlite3_column_int64(st, 0);
    r = 0;
  }
  sqlite3_finalize(st);
  return r;
}

/* A reader may hold the log: short tries, so that the writer does not wait long behind one. */
int db_fold(struct db *d) {
  int busy = 1;
  sqlite3_busy_timeout(d->sql, FOLD_TRY_MS);
  for (int i = 0; i < FOLD_TRIES && busy; i++) {
    int64_t said = 1;
    if (i)
      (void)poll(NULL, 0, FOLD_TRY_MS);
    busy = sql_number(d->sql, "PRAGMA wal_checkpoint(TRUNCATE)", &said) < 0 || said;
  }
  sqlite3_busy_timeout(d->sql, BUSY_MS);
  return busy ? -EBUSY : 0;
}
