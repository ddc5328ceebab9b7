/* SPDX-License-Identifier: Apache-2.0
 * The audit: rows that are only added, each hashed together with the one before, and read by what they
 * say. See ledger.h, seal.c, chain.c. */
#include "store/ledgerpart.h"

#include "base/hmac.h"

#include <stdio.h>

enum { STRETCH_ROWS = 20000 };

static void put_number(FILE *f, uint64_t v) {
  for (int i = 0; i < 8; i++)
    fputc((int)(v >> (8 * i) & 0xff), f);
}

static void put_text(FILE *f, const char *text) {
  put_number(f, strlen(text));
  fputs(text, f);
}

int audit_row_hash(const uint8_t before[32], const struct audit_row *r, uint8_t ret[32]) {
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

static int row_put(struct ledger *l, const struct audit_row *r) {
  int n = ledger_run(l, "INSERT INTO audit (" AUDIT_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                     "iisssssssib", (int64_t)r->seq, (int64_t)r->at_ms, r->who, r->role, r->from,
                     r->verb, r->what, r->before, r->after, (int64_t)r->status, r->hash);
  return n < 0 ? -EIO : 0;
}

int ledger_end(struct ledger *l, int r) {
  if (r == 0 && ledger_run(l, "COMMIT", "") < 0)
    r = -EIO;
  if (r < 0 && !sqlite3_get_autocommit(l->sql))
    (void)sqlite3_exec(l->sql, "ROLLBACK", NULL, NULL, NULL);
  if (r < 0)
    atomic_store(&l->well, false);
  return r;
}

static int add_locked(struct ledger *l, struct audit_row *row) {
  struct seal s;
  if (ledger_run(l, "BEGIN IMMEDIATE", "") < 0)
    return -EIO;
  int r = seal_take(l, &s);
  row->seq = s.seq + 1;
  if (r == 0)
    r = audit_row_hash(s.hash, row, row->hash);
  if (r == 0)
    r = row_put(l, row);
  s.seq = row->seq;
  memcpy(s.hash, row->hash, 32);
  if (r == 0)
    r = seal_put(l, &s);
  return ledger_end(l, r);
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

bool audit_row_read(sqlite3_stmt *st, struct audit_row *r) {
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

void audit_row_done(struct audit_row *r) {
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
    audit_row_done(&rows[i]);
  free(rows);
  return NULL;
}

/* Rows of seq in [low, high) that fit; a stretch at a time, so that nobody waits long for the lock. */
static bool stretch_read(struct ledger *l, const struct audit_query *q, int64_t low, int64_t high,
                         struct audit_row *rows, size_t *n) {
  bool ok = true;
  pthread_mutex_lock(&l->lock);
  sqlite3_stmt *st = ledger_ask(
      l,
      "SELECT " AUDIT_COLUMNS " FROM audit WHERE seq>=?1 AND seq<?2 AND at_ms>=?3 AND at_ms<?4"
      " AND (?5='' OR who=?5) AND (?6='' OR verb=?6) AND (?7='' OR instr(what,?7)>0)"
      " ORDER BY seq DESC LIMIT ?8",
      "iiiisssi", low, high, (int64_t)q->since_ms, q->until_ms ? (int64_t)q->until_ms : INT64_MAX,
      q->who ? q->who : "", q->verb ? q->verb : "", q->what ? q->what : "", (int64_t)(q->limit - *n));
  while (ok && st && *n < q->limit && sqlite3_step(st) == SQLITE_ROW)
    ok = audit_row_read(st, &rows[(*n)++]);
  sqlite3_finalize(st);
  pthread_mutex_unlock(&l->lock);
  return ok && st;
}

static int64_t bound(struct ledger *l, const char *sql) {
  pthread_mutex_lock(&l->lock);
  int64_t n = ledger_number(l, sql);
  pthread_mutex_unlock(&l->lock);
  return n;
}

int audit_list(struct ledger *l, const struct audit_query *q, struct audit_row **ret, size_t *ret_n) {
  struct audit_row *rows = calloc(q->limit ? q->limit : 1, sizeof(*rows));
  int64_t low = bound(l, "SELECT min(seq) FROM audit"),
          high = bound(l, "SELECT max(seq) FROM audit") + 1;
  size_t n = 0;
  bool ok = rows;
  if (q->before_seq && (int64_t)q->before_seq < high)
    high = (int64_t)q->before_seq;
  for (; ok && low && high > low && n < q->limit; high -= STRETCH_ROWS)
    ok = stretch_read(l, q, high - STRETCH_ROWS, high, rows, &n);
  if (!ok) {
    audit_rows_free(rows, n);
    return -ENOMEM;
  }
  *ret = rows;
  *ret_n = n;
  return 0;
}
