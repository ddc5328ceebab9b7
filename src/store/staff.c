/* SPDX-License-Identifier: Apache-2.0
 * Operators' users, API tokens and sessions: see ledger.h. */
#include "store/ledgerpart.h"

#define USER_COLUMNS "name, role, hash, created_ms, last_login_ms, locked"
#define TOKEN_COLUMNS "id, name, role, by, digest, created_ms, expires_ms, last_used_ms"

uint64_t staff_generation(const struct ledger *l) { return atomic_load(&l->generation); }

/* Under the lock: one more change; what a change of n rows means. */
static int changed(struct ledger *l, int n) {
  if (n > 0)
    atomic_fetch_add(&l->generation, 1);
  return n < 0 ? n : n == 0 ? -ENOENT : 0;
}

static void user_read(sqlite3_stmt *st, struct staff_user *u) {
  memset(u, 0, sizeof(*u));
  ledger_text(st, 0, u->name, sizeof(u->name));
  ledger_text(st, 1, u->role, sizeof(u->role));
  ledger_text(st, 2, u->hash, sizeof(u->hash));
  u->created_ms = (uint64_t)sqlite3_column_int64(st, 3);
  u->last_login_ms = (uint64_t)sqlite3_column_int64(st, 4);
  u->locked = sqlite3_column_int(st, 5) != 0;
}

int staff_user_add(struct ledger *l, const struct staff_user *u) {
  pthread_mutex_lock(&l->lock);
  int r = -ENOSPC;
  if (ledger_number(l, "SELECT count(*) FROM users") < STAFF_USERS_MAX)
    r = changed(l, ledger_run(l, "INSERT INTO users (" USER_COLUMNS ") VALUES (?,?,?,?,?,?)", "sssiii",
                              u->name, u->role, u->hash, (int64_t)u->created_ms,
                              (int64_t)u->last_login_ms, (int64_t)u->locked));
  pthread_mutex_unlock(&l->lock);
  return r;
}

int staff_user_set(struct ledger *l, const struct staff_user *u) {
  pthread_mutex_lock(&l->lock);
  int r = changed(l, ledger_run(l, "UPDATE users SET role=?2, hash=?3, locked=?4 WHERE name=?1", "sssi",
                                u->name, u->role, u->hash, (int64_t)u->locked));
  pthread_mutex_unlock(&l->lock);
  return r;
}

int staff_user_del(struct ledger *l, const char *name) {
  pthread_mutex_lock(&l->lock);
  int r = changed(l, ledger_run(l, "DELETE FROM users WHERE name=?", "s", name));
  if (r == 0 && ledger_run(l, "DELETE FROM sessions WHERE user=?", "s", name) < 0)
    r = -EIO;
  pthread_mutex_unlock(&l->lock);
  return r;
}

int staff_user_get(struct ledger *l, const char *name, struct staff_user *ret) {
  pthread_mutex_lock(&l->lock);
  sqlite3_stmt *st = ledger_ask(l, "SELECT " USER_COLUMNS " FROM users WHERE name=?", "s", name);
  int r = st && sqlite3_step(st) == SQLITE_ROW ? 0 : -ENOENT;
  if (r == 0)
    user_read(st, ret);
  sqlite3_finalize(st);
  pthread_mutex_unlock(&l->lock);
  return r;
}

void staff_user_seen(struct ledger *l, const char *name, uint64_t wall_ms) {
  pthread_mutex_lock(&l->lock);
  (void)!ledger_run(l, "UPDATE users SET last_login_ms=?2 WHERE name=?1", "si", name, (int64_t)wall_ms);
  pthread_mutex_unlock(&l->lock);
}

int staff_users(struct ledger *l, struct staff_user **ret, size_t *ret_n) {
  struct staff_user *list = calloc(STAFF_USERS_MAX, sizeof(*list));
  size_t n = 0;
  if (!list)
    return -ENOMEM;
  pthread_mutex_lock(&l->lock);
  sqlite3_stmt *st = ledger_ask(l, "SELECT " USER_COLUMNS " FROM users ORDER BY name", "");
  while (st && n < STAFF_USERS_MAX && sqlite3_step(st) == SQLITE_ROW)
    user_read(st, &list[n++]);
  sqlite3_finalize(st);
  pthread_mutex_unlock(&l->lock);
  *ret = list;
  *ret_n = n;
  return 0;
}

static void token_read(sqlite3_stmt *st, struct staff_token *t) {
  memset(t, 0, sizeof(*t));
  ledger_text(st, 0, t->id, sizeof(t->id));
  ledger_text(st, 1, t->name, sizeof(t->name));
  ledger_text(st, 2, t->role, sizeof(t->role));
  ledger_text(st, 3, t->by, sizeof(t->by));
  ledger_digest(st, 4, t->digest);
  t->created_ms = (uint64_t)sqlite3_column_int64(st, 5);
  t->expires_ms = (uint64_t)sqlite3_column_int64(st, 6);
  t->last_used_ms = (uint64_t)sqlite3_column_int64(st, 7);
}

int staff_token_add(struct ledger *l, const struct staff_token *t) {
  pthread_mutex_lock(&l->lock);
  int r = -ENOSPC;
  if (ledger_number(l, "SELECT count(*) FROM tokens") < STAFF_TOKENS_MAX)
    r = changed(l, ledger_run(l, "INSERT INTO tokens (" TOKEN_COLUMNS ") VALUES (?,?,?,?,?,?,?,?)",
                              "ssssbiii", t->id, t->name, t->role, t->by, t->digest,
                              (int64_t)t->created_ms, (int64_t)t->expires_ms, (int64_t)t->last_used_ms));
  pthread_mutex_unlock(&l->lock);
  return r;
}

/* One row by a WHERE of one value. */
static int token_ask(struct ledger *l, sqlite3_stmt *st, struct staff_token *ret) {
  (void)l;
  int r = st && sqlite3_step(st) == SQLITE_ROW ? 0 : -ENOENT;
  if (r == 0)
    token_read(st, ret);
  sqlite3_finalize(st);
  return r;
}

int staff_token_del(struct ledger *l, const char *id, struct staff_token *ret) {
  pthread_mutex_lock(&l->lock);
  int r = token_ask(l, ledger_ask(l, "SELECT " TOKEN_COLUMNS " FROM tokens WHERE id=?", "s", id), ret);
  if (r == 0)
    r = changed(l, ledger_run(l, "DELETE FROM tokens WHERE id=?", "s", id));
  if (r == 0 && ledger_run(l, "DELETE FROM sessions WHERE origin=?", "b", ret->digest) < 0)
    r = -EIO;
  pthread_mutex_unlock(&l->lock);
  return r;
}

int staff_token_find(struct ledger *l, const uint8_t digest[32], struct staff_token *ret) {
  pthread_mutex_lock(&l->lock);
  int r = token_ask(l, ledger_ask(l, "SELECT " TOKEN_COLUMNS " FROM tokens WHERE digest=?", "b", digest),
                    ret);
  pthread_mutex_unlock(&l->lock);
  return r;
}

int staff_tokens(struct ledger *l, struct staff_token **ret, size_t *ret_n) {
  struct staff_token *list = calloc(STAFF_TOKENS_MAX, sizeof(*list));
  size_t n = 0;
  if (!list)
    return -ENOMEM;
  pthread_mutex_lock(&l->lock);
  sqlite3_stmt *st = ledger_ask(l, "SELECT " TOKEN_COLUMNS " FROM tokens ORDER BY created_ms, id", "");
  while (st && n < STAFF_TOKENS_MAX && sqlite3_step(st) == SQLITE_ROW)
    token_read(st, &list[n++]);
  sqlite3_finalize(st);
  pthread_mutex_unlock(&l->lock);
  *ret = list;
  *ret_n = n;
  return 0;
}

void staff_token_seen(struct ledger *l, const uint8_t digest[32], uint64_t wall_ms) {
  pthread_mutex_lock(&l->lock);
  (void)!ledger_run(l, "UPDATE tokens SET last_used_ms=?2 WHERE digest=?1", "bi", digest,
                    (int64_t)wall_ms);
  pthread_mutex_unlock(&l->lock);
}

int staff_session_add(struct ledger *l, const struct staff_session *s, uint64_t used_before_ms,
                      uint64_t created_before_ms) {
  pthread_mutex_lock(&l->lock);
  int r = ledger_run(l, "DELETE FROM sessions WHERE used_ms<? OR created_ms<?", "ii",
                     (int64_t)used_before_ms, (int64_t)created_before_ms);
  if (r >= 0)
    r = ledger_run(l,
                   "DELETE FROM sessions WHERE digest IN (SELECT digest FROM sessions ORDER BY used_ms"
                   " DESC LIMIT -1 OFFSET ?)",
                   "i", (int64_t)(STAFF_SESSIONS_MAX - 1));
  if (r >= 0)
    r = changed(l, ledger_run(l,
                              "INSERT INTO sessions (digest, user, origin, created_ms, used_ms)"
                              " VALUES (?,?,?,?,?)",
                              "bsbii", s->digest, s->user, s->origin, (int64_t)s->created_ms,
                              (int64_t)s->used_ms));
  pthread_mutex_unlock(&l->lock);
  return r < 0 ? r : 0;
}

int staff_session_find(struct ledger *l, const uint8_t digest[32], struct staff_session *ret) {
  pthread_mutex_lock(&l->lock);
  sqlite3_stmt *st = ledger_ask(
      l, "SELECT user, origin, created_ms, used_ms FROM sessions WHERE digest=?", "b", digest);
  int r = st && sqlite3_step(st) == SQLITE_ROW ? 0 : -ENOENT;
  if (r == 0) {
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->digest, digest, 32);
    ledger_text(st, 0, ret->user, sizeof(ret->user));
    ledger_digest(st, 1, ret->origin);
    ret->created_ms = (uint64_t)sqlite3_column_int64(st, 2);
    ret->used_ms = (uint64_t)sqlite3_column_int64(st, 3);
  }
  sqlite3_finalize(st);
  pthread_mutex_unlock(&l->lock);
  return r;
}

int staff_session_del(struct ledger *l, const uint8_t digest[32]) {
  pthread_mutex_lock(&l->lock);
  int r = changed(l, ledger_run(l, "DELETE FROM sessions WHERE digest=?", "b", digest));
  pthread_mutex_unlock(&l->lock);
  return r;
}

int staff_sessions_end(struct ledger *l, const char *user) {
  static const uint8_t none[32];
  pthread_mutex_lock(&l->lock);
  int r = changed(l, ledger_run(l, "DELETE FROM sessions WHERE user=? AND origin=?", "sb", user, none));
  pthread_mutex_unlock(&l->lock);
  return r == -ENOENT ? 0 : r;
}

void staff_session_seen(struct ledger *l, const uint8_t digest[32], uint64_t wall_ms) {
  pthread_mutex_lock(&l->lock);
  (void)!ledger_run(l, "UPDATE sessions SET used_ms=?2 WHERE digest=?1", "bi", digest, (int64_t)wall_ms);
  pthread_mutex_unlock(&l->lock);
}
