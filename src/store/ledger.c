/* SPDX-License-Identifier: Apache-2.0
 * The operators' database: schema and statements. See ledger.h. */
#include "store/ledgerpart.h"
#include "store/migrate.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

static const struct migration steps[] = {
    {.version = 1,
     .sql =
         "CREATE TABLE users (name TEXT PRIMARY KEY, role TEXT NOT NULL, hash TEXT NOT NULL,"
         " created_ms INTEGER NOT NULL, last_login_ms INTEGER NOT NULL, locked INTEGER NOT NULL) STRICT;"
         "CREATE TABLE tokens (id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL,"
         " by TEXT NOT NULL, digest BLOB NOT NULL UNIQUE, created_ms INTEGER NOT NULL,"
         " expires_ms INTEGER NOT NULL, last_used_ms INTEGER NOT NULL) STRICT;"
         "CREATE TABLE sessions (digest BLOB PRIMARY KEY, user TEXT NOT NULL, origin BLOB NOT NULL,"
         " created_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL) STRICT;"
         "CREATE INDEX sessions_user ON sessions (user);"
         "CREATE TABLE audit (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, who TEXT NOT NULL,"
         " role TEXT NOT NULL, from_addr TEXT NOT NULL, verb TEXT NOT NULL, what TEXT NOT NULL,"
         " before TEXT NOT NULL, after TEXT NOT NULL, status INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;"
         "CREATE TABLE audit_head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL,"
         " hash BLOB NOT NULL) STRICT"},
    /* 2: what operators see that outlives a restart */
    {.version = 2,
     .sql = "CREATE TABLE bans (address TEXT PRIMARY KEY, why TEXT NOT NULL, by TEXT NOT NULL,"
            " until_ms INTEGER NOT NULL, hits INTEGER NOT NULL, by_hand INTEGER NOT NULL) STRICT;"
            "CREATE TABLE alarms (id TEXT PRIMARY KEY, kind TEXT NOT NULL, what TEXT NOT NULL,"
            " severity TEXT NOT NULL, text TEXT NOT NULL, raised_ms INTEGER NOT NULL,"
            " cleared_ms INTEGER NOT NULL, acked_by TEXT NOT NULL) STRICT"},
    /* 3: the head of the audit becomes a seal, which is signed once the file is whole */
    {.version = 3,
     .sql = "CREATE TABLE audit_seal (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL,"
            " hash BLOB NOT NULL, floor_seq INTEGER NOT NULL, floor_hash BLOB NOT NULL,"
            " since INTEGER NOT NULL, mac BLOB NOT NULL) STRICT;"
            "INSERT INTO audit_seal SELECT 1, seq, hash, 0, zeroblob(32), 1, zeroblob(32) FROM audit_head;"
            "INSERT OR IGNORE INTO audit_seal VALUES (1, 0, zeroblob(32), 0, zeroblob(32), 1, zeroblob(32));"
            "DROP TABLE audit_head"},
    /* 4: reports of Trunk Doctor */
    {.version = 4,
     .sql = "CREATE TABLE reports (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, text TEXT NOT NULL) STRICT"},
};
enum { SEALED_SINCE = 3 };

static sqlite3_stmt *ask(struct ledger *l, const char *sql, const char *types, va_list ap) {
  sqlite3_stmt *st = NULL;
  int bad = sqlite3_prepare_v2(l->sql, sql, -1, &st, NULL);
  for (int i = 0; bad == SQLITE_OK && types[i]; i++) {
    if (types[i] == 'i')
      bad = sqlite3_bind_int64(st, i + 1, va_arg(ap, int64_t));
    else if (types[i] == 'b')
      bad = sqlite3_bind_blob(st, i + 1, va_arg(ap, const void *), 32, SQLITE_TRANSIENT);
    else
      bad = sqlite3_bind_text(st, i + 1, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
  }
  if (bad == SQLITE_OK)
    return st;
  sqlite3_finalize(st);
  return NULL;
}

sqlite3_stmt *ledger_ask(struct ledger *l, const char *sql, const char *types, ...) {
  va_list ap;
  va_start(ap, types);
  sqlite3_stmt *st = ask(l, sql, types, ap);
  va_end(ap);
  return st;
}

int ledger_run(struct ledger *l, const char *sql, const char *types, ...) {
  va_list ap;
  va_start(ap, types);
  sqlite3_stmt *st = ask(l, sql, types, ap);
  va_end(ap);
  int step = st ? sqlite3_step(st) : SQLITE_ERROR;
  sqlite3_finalize(st);
  bool ok = step == SQLITE_DONE || step == SQLITE_ROW;
  bool twice = step == SQLITE_CONSTRAINT;
  if (!twice)
    atomic_store(&l->well, ok);
  return ok ? sqlite3_changes(l->sql) : twice ? -EEXIST : -EIO;
}

int64_t ledger_number(struct ledger *l, const char *sql) {
  sqlite3_stmt *st = ledger_ask(l, sql, "");
  int64_t n = st && sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
  sqlite3_finalize(st);
  return n;
}

void ledger_text(sqlite3_stmt *st, int column, char *dst, size_t bytes) {
  const char *text = (const char *)sqlite3_column_text(st, column);
  if (slice_copy(dst, bytes, slice_of(text)) < 0)
    dst[0] = 0;
}

void ledger_digest(sqlite3_stmt *st, int column, uint8_t dst[32]) {
  const void *p = sqlite3_column_blob(st, column);
  memset(dst, 0, 32);
  if (p && sqlite3_column_bytes(st, column) == 32)
    memcpy(dst, p, 32);
}

static int file_make(const char *file) {
  struct stat st;
  own_fd fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 || fstat(fd, &st) < 0)
    return -errno;
  return S_ISREG(st.st_mode) && !(st.st_mode & 077) ? 0 : -EPERM;
}

/* Rows from before there was a key are vouched for where the key is new too: else who can write the file
 * would only have to make it look old. */
static int seal_begin(struct ledger *l, bool key_is_new) {
  struct seal s;
  bool is_ours;
  int r = seal_read(l, &s, &is_ours);
  s.since = key_is_new ? 1 : s.seq + 1;
  return r < 0 ? r : seal_put(l, &s);
}

static int schema_check(struct ledger *l, bool key_is_new) {
  int64_t was = 0;
  int r = migrate_run(l->sql, steps, COUNT_OF(steps), &was);
  if (r < 0)
    return r;
  return was < SEALED_SINCE ? seal_begin(l, key_is_new) : 0;
}

/* Beside the database. */
static int key_take(struct ledger *l, const char *file, bool *ret_is_new) {
  char path[4096];
  const char *slash = strrchr(file, '/');
  int n = snprintf(path, sizeof(path), "%.*saudit.key", slash ? (int)(slash - file) + 1 : 0, file);
  return n < (int)sizeof(path) ? seal_key_open(path, l->key, ret_is_new) : -ENAMETOOLONG;
}

int ledger_new(struct ledger **ret_ledger, const char *file) {
  bool key_is_new = false;
  int r = file_make(file);
  if (r < 0)
    return r;
  own(ledger) l = calloc(1, sizeof(*l));
  if (!l)
    return -ENOMEM;
  pthread_mutex_init(&l->lock, NULL);
  atomic_store(&l->well, true);
  r = key_take(l, file, &key_is_new);
  if (r < 0)
    return r;
  if (sqlite3_open_v2(file, &l->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
    return -EIO;
  sqlite3_busy_timeout(l->sql, 1000);
  if (sqlite3_exec(l->sql,
                   "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;"
                   "PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; PRAGMA journal_size_limit=8388608;",
                   NULL, NULL, NULL) != SQLITE_OK)
    return -EIO;
  r = schema_check(l, key_is_new);
  if (r == 0)
    *ret_ledger = take(l);
  return r == -EPROTO ? -EIO : r;
}

struct ledger *ledger_free(struct ledger *l) {
  if (!l)
    return NULL;
  sqlite3_close(l->sql);
  explicit_bzero(l->key, sizeof(l->key));
  pthread_mutex_destroy(&l->lock);
  free(l);
  return NULL;
}

bool ledger_is_well(const struct ledger *l) { return atomic_load(&l->well); }

bool ledger_probe(struct ledger *l) {
  if (!ledger_is_well(l)) {
    pthread_mutex_lock(&l->lock);
    (void)!ledger_run(l, "UPDATE audit_seal SET one=1", "");
    pthread_mutex_unlock(&l->lock);
  }
  return ledger_is_well(l);
}
