/* SPDX-License-Identifier: Apache-2.0
 * The audit: rows that are only added, each hashed together with the one before, and the head of the
 * chain beside them. See ledger.h. */
#include "store/ledgerpart.h"

#include "base/hmac.h"

#include <stdio.h>

#define COLUMNS "seq, at_ms, who, role, from_addr, verb, what, before, after, status, hash"

static void put_number(FILE *f, uint64_t v) {
  for (int i = 0; i < 8; i++)
    fputc((int)(v >> (8 * i) & 0xff), f);
}

static void put_text(FILE *f, const char *text) {
  put_number(f, strlen(text));
  fputs(text, f);
}

/* The row's hash after that of the row before. */
static int row_hash(const uint8_t before[32], const struct audit_row *r, uint8_t ret[32]) {
  own_mem char *text = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&text, &n);
  if (!f)
    return -ENOMEM;
  fwrite(before, 1, 32, f);
  put_number(f, r->seq);
  put_number(f, r->at_ms);
  put_number(f, r->status);
  const char *const texts[] = {r->who, r->role, r->from, r->verb, r->what, r->before, r->after};
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    put_text(f, texts[i]);
  if (fclose(f) != 0)
    return -ENOMEM;
  hash_sha256(slice_from(text, n), ret);
  return 0;
}

static void head_read(struct ledger *l, uint64_t *ret_seq, uint8_t ret_hash[32]) {
  sqlite3_stmt *st = ledger_ask(l, "SELECT seq, hash FROM audit_head WHERE one=1", "");
  *ret_seq = 0;
  memset(ret_hash, 0, 32);
  if (st && sqlite3_step(st) == SQLITE_ROW) {
    *ret_seq = (uint64_t)sqlite3_column_int64(st, 0);
    ledger_digest(st, 1, ret_hash);
  }
  sqlite3_finalize(st);
}

static int row_put(struct ledger *l, const struct audit_row *r) {
  int n = ledger_run(l, "INSERT INTO audit (" COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?)", "iisssssssib",
                     (int64_t)r->seq, (int64_t)r->at_ms, r->who, r->role, r->from, r->verb, r->what,
                     r->before, r->after, (int64_t)r->status, r->hash);
  if (n == 1)
    n = ledger_run(l, "INSERT OR REPLACE INTO audit_head (one, seq, hash) VALUES (1, ?, ?)", "ib",
                   (int64_t)r->seq, r->hash);
  return n < 0 ? -EIO : 0;
}

static int add_locked(struct ledger *l, struct audit_row *row) {
  uint8_t before[32];
  int r = ledger_run(l, "BEGIN IMMEDIATE", "");
  if (r < 0)
    return -EIO;
  head_read(l, &row->seq, before);
  row->seq++;
  r = row_hash(before, row, row->hash);
  if (r == 0)
    r = row_put(l, row);
  if (r == 0 && ledger_run(l, "COMMIT", "") < 0)
    r = -EIO;
  if (r < 0 && !sqlite3_get_autocommit(l->sql))
    (void)sqlite3_exec(l->sql, "ROLLBACK", NULL, NULL, NULL);
  if (r < 0)
    atomic_store(&l->well, false);
  return r;
}

int audit_add(struct ledger *l, struct audit_row *row) {
  pthread_mutex_lock(&l->lock);
  int r = add_locked(l, row);
  pthread_mutex_unlock(&l->lock);
  return r;
}

static char *text_take(sqlite3_stmt *st, int column) {
  const char *p = (const char *)sqlite3_column_text(st, column);
  return slice_dup(slice_from(p ? p : "", p ? (size_t)sqlite3_column_bytes(st, column) : 0));
}

static bool row_read(sqlite3_stmt *st, struct audit_row *r) {
  const char **const texts[] = {&r->who, &r->role, &r->from, &r->verb, &r->what, &r->before, &r->after};
  bool ok = true;
  memset(r, 0, sizeof(*r));
  r->seq = (uint64_t)sqlite3_column_int64(st, 0);
  r->at_ms = (uint64_t)sqlite3_column_int64(st, 1);
  r->status = (unsigned)sqlite3_column_int64(st, 9);
  ledger_digest(st, 10, r->hash);
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    ok = (*texts[i] = text_take(st, (int)i + 2)) && ok;
  return ok;
}

static void row_done(struct audit_row *r) {
  free((char *)(uintptr_t)r->who);
  free((char *)(uintptr_t)r->role);
  free((char *)(uintptr_t)r->from);
  free((char *)(uintptr_t)r->verb);
  free((char *)(uintptr_t)r->what);
  free((char *)(uintptr_t)r->before);
  free((char *)(uintptr_t)r->after);
}

struct audit_row *audit_rows_free(struct audit_row *rows, size_t n) {
  for (size_t i = 0; rows && i < n; i++)
    row_done(&rows[i]);
  free(rows);
  return NULL;
}

int audit_list(struct ledger *l, uint64_t before_seq, unsigned limit, struct audit_row **ret,
               size_t *ret_n) {
  struct audit_row *rows = calloc(limit ? limit : 1, sizeof(*rows));
  size_t n = 0;
  bool ok = rows;
  pthread_mutex_lock(&l->lock);
  sqlite3_stmt *st = ledger_ask(l, "SELECT " COLUMNS " FROM audit WHERE seq<? ORDER BY seq DESC LIMIT ?",
                                "ii", before_seq ? (int64_t)before_seq : INT64_MAX, (int64_t)limit);
  while (ok && st && n < limit && sqlite3_step(st) == SQLITE_ROW)
    ok = row_read(st, &rows[n++]);
  sqlite3_finalize(st);
  pthread_mutex_unlock(&l->lock);
  if (!ok) {
    audit_rows_free(rows, n);
    return -ENOMEM;
  }
  *ret = rows;
  *ret_n = n;
  return 0;
}

/* Up to 500 rows at once, so that nobody waits long for the lock: 0 when the chain ends here. */
static int chain_walk(struct ledger *l, uint64_t *seq, uint8_t hash[32], uint64_t *broken_at) {
  uint8_t want[32];
  int n = 0;
  sqlite3_stmt *st = ledger_ask(l, "SELECT " COLUMNS " FROM audit WHERE seq>? ORDER BY seq LIMIT 500",
                                "i", (int64_t)*seq);
  for (; st && !*broken_at && sqlite3_step(st) == SQLITE_ROW; n++) {
    struct audit_row r;
    bool ok = row_read(st, &r) && r.seq == *seq + 1 && row_hash(hash, &r, want) == 0 &&
              memcmp(want, r.hash, 32) == 0;
    row_done(&r);
    ++*seq;
    if (!ok)
      *broken_at = *seq;
    memcpy(hash, r.hash, 32);
  }
  sqlite3_finalize(st);
  return st ? n : -EIO;
}

int audit_verify(struct ledger *l, uint64_t *ret_rows, uint64_t *ret_broken_at) {
  uint64_t seq = 0, head;
  uint8_t hash[32] = {0}, head_hash[32];
  int n = 1;
  *ret_broken_at = 0;
  while (n > 0 && !*ret_broken_at) {
    pthread_mutex_lock(&l->lock);
    n = chain_walk(l, &seq, hash, ret_broken_at);
    head_read(l, &head, head_hash);
    pthread_mutex_unlock(&l->lock);
    if (n == 0 && (head != seq || memcmp(head_hash, hash, 32) != 0))
      *ret_broken_at = head > seq ? seq + 1 : seq ? seq : 1;
  }
  *ret_rows = seq;
  return n < 0 ? n : 0;
}
