/* SPDX-License-Identifier: Apache-2.0
 * A copy of the running database by SQLite's online backup, and the way back, with the program stopped.
 * Any thread. */
#include "store/migrate.h"
#include "store/schema.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define STEP_PAGES 512

static int open_read(sqlite3 **ret, const char *file) {
  return sqlite3_open_v2(file, ret, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK
             ? 0
             : -EIO;
}

/* The target is ours alone from the first byte. */
static int file_make(const char *file) {
  own_fd fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  return fd < 0 ? -errno : 0;
}

static int file_sync(const char *file) {
  own_fd fd = open(file, O_RDONLY | O_CLOEXEC);
  return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Page by page in one read transaction: the writer goes on meanwhile. */
static int pages_copy(sqlite3 *to, sqlite3 *from) {
  sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
  int code = SQLITE_NOMEM, tries = 0;
  while (b && ((code = sqlite3_backup_step(b, STEP_PAGES)) == SQLITE_OK ||
               ((code == SQLITE_BUSY || code == SQLITE_LOCKED) && tries++ < 100)))
    if (code != SQLITE_OK)
      (void)sqlite3_sleep(20);
  return sqlite3_backup_finish(b) == SQLITE_OK && code == SQLITE_DONE ? 0 : -EIO;
}

static bool is_sound(sqlite3 *file) {
  sqlite3_stmt *st = NULL;
  bool sound = sqlite3_prepare_v2(file, "PRAGMA quick_check(1)", -1, &st, NULL) == SQLITE_OK &&
               sqlite3_step(st) == SQLITE_ROW &&
               strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;
  sqlite3_finalize(st);
  return sound;
}

int store_backup_check(const char *file, struct store_backup_facts *ret) {
  sqlite3 *db = NULL;
  int64_t version = 0, n = 0, newest = 0;
  struct stat st;
  if (stat(file, &st) < 0)
    return -errno;
  int r = open_read(&db, file);
  if (r == 0)
    r = sql_number(db, "PRAGMA user_version", &version);
  if (r == 0 && (version < 1 || !is_sound(db)))
    r = -EBADMSG;
  if (r == 0 && version > SCHEMA_VERSION)
    r = -EPROTO;
  if (r == 0)
    r = sql_number(db, "SELECT count(*) FROM records", &n);
  if (r == 0)
    r = sql_number(db, "SELECT coalesce(max(started_ms),0) FROM records", &newest);
  sqlite3_close(db);
  *ret = (struct store_backup_facts){(unsigned)version, (uint64_t)n, (uint64_t)st.st_size,
                                     (uint64_t)newest};
  return r == -EIO ? -EBADMSG : r;
}

/* From any sound database into a new file; half a copy is taken away. */
static int copy(const char *from_file, const char *to_file, bool wal) {
  sqlite3 *from = NULL, *to = NULL;
  int r = file_make(to_file);
  if (r < 0)
    return r;
  r = open_read(&from, from_file);
  if (r == 0 &&
      sqlite3_open_v2(to_file, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
    r = -EIO;
  if (r == 0)
    r = pages_copy(to, from);
  if (r == 0) /* one file, whole without a -wal beside it */
    r = sql_exec(to, wal ? "PRAGMA journal_mode=WAL" : "PRAGMA journal_mode=DELETE");
  sqlite3_close(from);
  sqlite3_close(to);
  if (r == 0)
    r = file_sync(to_file);
  if (r < 0)
    unlink(to_file);
  return r;
}

int store_backup(const char *file, const char *to_file, struct store_backup_facts *ret) {
  int r = copy(file, to_file, false);
  if (r == 0)
    r = store_backup_check(to_file, ret);
  return r;
}

static void beside(char *dst, size_t bytes, const char *file, const char *end) {
  snprintf(dst, bytes, "%s%s", file, end);
}

int store_restore(const char *backup, const char *file, struct store_backup_facts *ret) {
  static const char *const ends[] = {"-wal", "-shm"};
  char fresh[4200], before[4200], path[4200];
  int r = store_backup_check(backup, ret);
  if (r < 0)
    return r;
  beside(fresh, sizeof(fresh), file, ".restoring");
  beside(before, sizeof(before), file, ".before-restore");
  (void)unlink(fresh);
  r = copy(backup, fresh, false);
  if (r < 0)
    return r;
  (void)unlink(before);
  /* what is there is kept whole: its log is folded in first */
  sqlite3 *db = NULL;
  if (access(file, F_OK) == 0) {
    if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
      (void)!sql_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(db);
    if (rename(file, before) < 0)
      return -errno;
  }
  for (size_t i = 0; i < COUNT_OF(ends); i++) {
    beside(path, sizeof(path), file, ends[i]);
    (void)unlink(path);
  }
  return rename(fresh, file) < 0 ? -errno : 0;
}

char *store_schema(const char *file) {
  static const char sql[] =
      "SELECT 'PRAGMA user_version=' || user_version || ';' FROM pragma_user_version "
      "UNION ALL SELECT sql || ';' FROM sqlite_master WHERE sql IS NOT NULL";
  sqlite3 *db = NULL;
  sqlite3_stmt *st = NULL;
  char *text = NULL;
  size_t bytes;
  FILE *f = open_memstream(&text, &bytes);
  if (!f)
    return NULL;
  if (open_read(&db, file) == 0 && sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK)
    while (sqlite3_step(st) == SQLITE_ROW)
      fprintf(f, "%s\n", (const char *)sqlite3_column_text(st, 0));
  sqlite3_finalize(st);
  sqlite3_close(db);
  return fclose(f) == 0 ? text : NULL;
}
