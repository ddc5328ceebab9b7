/* SPDX-License-Identifier: Apache-2.0
 * The audit's chain as a whole: is it as it was written, and what is too old goes. See ledger.h. */
#include "store/ledgerpart.h"

#include <stdio.h>

enum { WALK_ROWS = 500, PRUNE_ROWS = 1000 };

/* Up to 500 rows at once, so that nobody waits long for the lock: 0 when the chain ends here. */
static int chain_walk(struct ledger *l, uint64_t *seq, uint8_t hash[32], uint64_t *broken_at) {
  uint8_t want[32];
  int n = 0;
  sqlite3_stmt *st =
      ledger_ask(l, "SELECT " AUDIT_COLUMNS " FROM audit WHERE seq>?1 ORDER BY seq LIMIT ?2", "ii",
                 (int64_t)*seq, (int64_t)WALK_ROWS);
  for (; st && !*broken_at && sqlite3_step(st) == SQLITE_ROW; n++) {
    struct audit_row r;
    bool ok = audit_row_read(st, &r) && r.seq == *seq + 1 && audit_row_hash(hash, &r, want) == 0 &&
              memcmp(want, r.hash, 32) == 0;
    audit_row_done(&r);
    ++*seq;
    if (!ok)
      *broken_at = *seq;
    memcpy(hash, r.hash, 32);
  }
  sqlite3_finalize(st);
  return st ? n : -EIO;
}

/* The end against the seal, once no row is broken. */
static void end_check(struct audit_found *f, const struct seal *s, bool is_ours, uint64_t seq,
                      const uint8_t hash[32]) {
  if (is_ours && s->seq == seq && memcmp(s->hash, hash, 32) == 0)
    return;
  f->fault = AUDIT_HEAD;
  f->broken_at = s->seq > seq ? seq + 1 : seq ? seq : 1;
}

/* The next stretch: as long as rows are left. Those that were pruned meanwhile are passed over. */
static int stretch_verify(struct ledger *l, struct audit_found *f, uint64_t *seq, uint8_t hash[32]) {
  struct seal s;
  bool is_ours;
  int n = seal_read(l, &s, &is_ours);
  if (n < 0)
    return n;
  if (!f->first || s.floor_seq > *seq) {
    *seq = s.floor_seq;
    f->first = s.floor_seq + 1;
    memcpy(hash, s.floor_hash, 32);
  }
  n = chain_walk(l, seq, hash, &f->broken_at);
  if (f->broken_at)
    f->fault = AUDIT_ROW;
  else if (n == 0)
    end_check(f, &s, is_ours, *seq, hash);
  if (n == 0 && !f->fault && s.since > f->first) {
    f->fault = AUDIT_SINCE;
    f->broken_at = s.since - 1;
  }
  return n;
}

int audit_verify(struct ledger *l, struct audit_found *ret) {
  uint64_t seq = 0;
  uint8_t hash[32] = {0};
  int n = 1;
  memset(ret, 0, sizeof(*ret));
  while (n > 0 && !ret->broken_at) {
    pthread_mutex_lock(&l->lock);
    n = stretch_verify(l, ret, &seq, hash);
    pthread_mutex_unlock(&l->lock);
  }
  ret->rows = seq >= ret->first ? seq - ret->first + 1 : 0;
  return n < 0 ? n : 0;
}

/* How far the oldest rows may go, at most PRUNE_ROWS on: the last one's hash is in the seal then. */
static uint64_t prune_to(struct ledger *l, struct seal *s, uint64_t before_ms, uint64_t keep_rows) {
  uint64_t from = s->floor_seq;
  sqlite3_stmt *st =
      ledger_ask(l, "SELECT seq, at_ms, hash FROM audit WHERE seq>?1 ORDER BY seq LIMIT ?2", "ii",
                 (int64_t)from, (int64_t)PRUNE_ROWS);
  while (st && sqlite3_step(st) == SQLITE_ROW) {
    uint64_t seq = (uint64_t)sqlite3_column_int64(st, 0), at_ms = (uint64_t)sqlite3_column_int64(st, 1);
    if (seq != s->floor_seq + 1 || (at_ms >= before_ms && seq + keep_rows > s->seq))
      break;
    s->floor_seq = seq;
    ledger_digest(st, 2, s->floor_hash);
  }
  sqlite3_finalize(st);
  return s->floor_seq - from;
}

static int prune_locked(struct ledger *l, uint64_t before_ms, uint64_t keep_rows, uint64_t *ret_n) {
  struct seal s;
  bool is_ours;
  int r = ledger_run(l, "BEGIN IMMEDIATE", "") < 0 ? -EIO : seal_read(l, &s, &is_ours);
  *ret_n = r == 0 && is_ours ? prune_to(l, &s, before_ms, keep_rows) : 0;
  if (r == 0 && *ret_n)
    r = ledger_run(l, "DELETE FROM audit WHERE seq<=?", "i", (int64_t)s.floor_seq) < 0 ? -EIO
                                                                                       : seal_put(l, &s);
  return ledger_end(l, r);
}

int audit_prune(struct ledger *l, uint64_t before_ms, uint64_t keep_rows, uint64_t *ret_n) {
  pthread_mutex_lock(&l->lock);
  int r = prune_locked(l, before_ms, keep_rows, ret_n);
  pthread_mutex_unlock(&l->lock);
  return r;
}
