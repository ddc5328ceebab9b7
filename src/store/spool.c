/* SPDX-License-Identifier: Apache-2.0
 * What waits for the receiver of records: see store.h. Rows are put by the writer, in the transaction of
 * the record itself. */
#include "store/migrate.h"
#include "store/store.h"

#include <stdio.h>
#include <sys/stat.h>

struct spool {
  sqlite3 *sql;
  char *file;
  ino_t inode; /* inode is of the file that it has open; the writer may begin a new one. */
};

struct spool *spool_free(struct spool *s) {
  if (!s)
    return NULL;
  sqlite3_close(s->sql);
  free(s->file);
  free(s);
  return NULL;
}

/* The log is the writer's: closing the last connection of a file that was put aside would delete, by its
 * name, the log of the one that came after. */
static int file_open(struct spool *s) {
  struct stat st;
  int keeps_log = 1;
  if (sqlite3_open_v2(s->file, &s->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
          SQLITE_OK ||
      sqlite3_file_control(s->sql, "main", SQLITE_FCNTL_PERSIST_WAL, &keeps_log) != SQLITE_OK ||
      stat(s->file, &st) < 0)
    return -EIO;
  s->inode = st.st_ino;
  sqlite3_busy_timeout(s->sql, 2000);
  return sql_exec(s->sql, "PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;");
}

/* Before each question: a broken file was put aside since the last one? */
static int file_look(struct spool *s) {
  struct stat st;
  if (s->sql && stat(s->file, &st) == 0 && st.st_ino == s->inode)
    return 0;
  sqlite3_close(s->sql);
  s->sql = NULL;
  return file_open(s);
}

int spool_new(struct spool **ret_spool, const char *file) {
  own(spool) s = calloc(1, sizeof(*s));
  if (!s || !(s->file = strdup(file)))
    return -ENOMEM;
  int r = file_open(s);
  if (r == 0)
    *ret_spool = take(s);
  return r;
}

int spool_next(struct spool *s, struct spool_item *ret, unsigned max) {
  sqlite3_stmt *st = NULL;
  int n = 0, step = SQLITE_ERROR;
  if (file_look(s) == 0 &&
      sqlite3_prepare_v2(s->sql, "SELECT seq, at_ms, id FROM spool ORDER BY seq LIMIT ?1", -1, &st,
                         NULL) == SQLITE_OK &&
      sqlite3_bind_int64(st, 1, max) == SQLITE_OK)
    while ((step = sqlite3_step(st)) == SQLITE_ROW && n < (int)max) {
      struct spool_item *i = &ret[n++];
      i->seq = (uint64_t)sqlite3_column_int64(st, 0);
      i->at_ms = (uint64_t)sqlite3_column_int64(st, 1);
      snprintf(i->id, sizeof(i->id), "%s", (const char *)sqlite3_column_text(st, 2));
    }
  sqlite3_finalize(st);
  return step == SQLITE_DONE || step == SQLITE_ROW ? n : -EIO;
}

int spool_done(struct spool *s, uint64_t seq) {
  char sql[80];
  snprintf(sql, sizeof(sql), "DELETE FROM spool WHERE seq<=%lld", (long long)seq);
  return file_look(s) == 0 ? sql_exec(s->sql, sql) : -EIO;
}

int64_t spool_limit(struct spool *s, uint64_t before_ms, uint64_t max) {
  char sql[256];
  snprintf(sql, sizeof(sql),
           "DELETE FROM spool WHERE at_ms<%lld OR seq<=(SELECT seq FROM spool ORDER BY seq DESC LIMIT 1 "
           "OFFSET %lld)",
           (long long)before_ms, (long long)max);
  return file_look(s) < 0 || sql_exec(s->sql, sql) < 0 ? -EIO : sqlite3_changes(s->sql);
}

int64_t spool_count(struct spool *s) {
  int64_t n = -EIO;
  int r = file_look(s) < 0 ? -EIO : sql_number(s->sql, "SELECT count(*) FROM spool", &n);
  return r < 0 ? r : n;
}
