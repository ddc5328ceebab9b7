/* SPDX-License-Identifier: Apache-2.0
 * Keys of a record: see key.h. */
#include "store/key.h"

struct keys {
  sqlite3_stmt *put, *del;
};

struct keylist {
  struct key *keys;
  size_t n;
};

static void add(struct keylist *l, enum key_kind kind, struct slice value) {
  if (!value.n || l->n == KEYS_MAX)
    return;
  for (size_t i = 0; i < l->n; i++)
    if (l->keys[i].kind == kind && slice_eq(l->keys[i].value, value))
      return;
  l->keys[l->n++] = (struct key){kind, value};
}

static void add_leg(struct keylist *l, const struct record_leg *leg) {
  add(l, KEY_NUMBER, slice_of(leg->local_user));
  add(l, KEY_NUMBER, slice_of(leg->remote_user));
  add(l, KEY_CALL_ID, slice_of(leg->sip_call_id));
  if (leg->kind == RECORD_LEG_TRUNK)
    add(l, KEY_TRUNK, slice_of(leg->peer));
  else if (leg->kind == RECORD_LEG_NATIVE)
    add(l, KEY_USER, slice_of(leg->peer));
}

/* The text is ours (call/attempts): names in it have nothing to escape. */
static void add_attempts(struct keylist *l, const char *attempts) {
  static const char head[] = "\"trunk\":\"";
  for (const char *at = attempts; (at = strstr(at, head));) {
    at += sizeof(head) - 1;
    size_t n = strcspn(at, "\"");
    add(l, KEY_TRUNK, slice_from(at, n));
    at += n;
  }
}

/* Each once, none empty; their number. */
static size_t record_keys(const struct record *r, struct key ret[KEYS_MAX]) {
  struct keylist l = {ret, 0};
  add(&l, KEY_STATE, slice_of(record_state_text(r->state)));
  add(&l, KEY_NUMBER, slice_of(r->from));
  add(&l, KEY_NUMBER, slice_of(r->to));
  add(&l, KEY_USER, slice_of(r->identity));
  add(&l, KEY_TENANT, slice_of(r->tenant));
  add(&l, KEY_REASON, slice_of(r->reason));
  add(&l, KEY_RULE, slice_of(r->rule));
  add(&l, KEY_CAUSE, slice_of(r->cause_id));
  add(&l, KEY_CAUSE, slice_of(r->cause_id[0] ? "any" : ""));
  add(&l, KEY_CALL_ID, slice_of(r->session_id_local));
  add(&l, KEY_CALL_ID, slice_of(r->session_id_remote));
  add_leg(&l, &r->caller);
  add_leg(&l, &r->callee);
  add_attempts(&l, r->attempts);
  return l.n;
}

struct keys *keys_free(struct keys *k) {
  if (!k)
    return NULL;
  sqlite3_finalize(k->put);
  sqlite3_finalize(k->del);
  free(k);
  return NULL;
}

int keys_new(struct keys **ret_keys, sqlite3 *file) {
  static const char put[] = "INSERT OR IGNORE INTO keys VALUES (?1,?2,?3,?4)";
  static const char del[] = "DELETE FROM keys WHERE kind=?1 AND value=?2 AND started_ms=?3 AND row=?4";
  struct keys *k = calloc(1, sizeof(*k));
  if (!k)
    return -ENOMEM;
  if (sqlite3_prepare_v2(file, put, -1, &k->put, NULL) != SQLITE_OK ||
      sqlite3_prepare_v2(file, del, -1, &k->del, NULL) != SQLITE_OK) {
    keys_free(k);
    return -EIO;
  }
  *ret_keys = k;
  return 0;
}

static int key_run(sqlite3_stmt *st, const struct key *k, uint64_t started_ms, int64_t row) {
  int bad = sqlite3_bind_int(st, 1, (int)k->kind) |
            sqlite3_bind_text(st, 2, k->value.p, (int)k->value.n, SQLITE_STATIC) |
            sqlite3_bind_int64(st, 3, (int64_t)started_ms) | sqlite3_bind_int64(st, 4, row);
  int done = bad ? SQLITE_ERROR : sqlite3_step(st);
  sqlite3_reset(st);
  sqlite3_clear_bindings(st);
  return done == SQLITE_DONE ? 0 : -EIO;
}

static bool has(const struct key *keys, size_t n, const struct key *k) {
  for (size_t i = 0; i < n; i++)
    if (keys[i].kind == k->kind && slice_eq(keys[i].value, k->value))
      return true;
  return false;
}

int keys_swap(struct keys *k, int64_t row, const struct record *was, const struct record *is) {
  struct key old[KEYS_MAX], now[KEYS_MAX];
  bool moved = was && is && was->started_ms != is->started_ms;
  size_t old_n = was ? record_keys(was, old) : 0, now_n = is ? record_keys(is, now) : 0;
  int r = 0;
  for (size_t i = 0; r == 0 && i < old_n; i++)
    if (moved || !has(now, now_n, &old[i]))
      r = key_run(k->del, &old[i], was->started_ms, row);
  for (size_t i = 0; r == 0 && i < now_n; i++)
    if (moved || !has(old, old_n, &now[i]))
      r = key_run(k->put, &now[i], is->started_ms, row);
  return r;
}
