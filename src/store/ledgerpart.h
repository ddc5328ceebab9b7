/* SPDX-License-Identifier: Apache-2.0
 * Inside of the operators' database. */
#pragma once
#include "store/ledger.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum { SEAL_KEY_BYTES = 32 };

struct ledger {
  uint8_t key[SEAL_KEY_BYTES];
  sqlite3 *sql;         /* lock */
  pthread_mutex_t lock; /* taken by every function of the door */
  _Atomic bool well;
  _Atomic uint64_t generation;
};

/* Prepared and bound: types has a letter for each value, s text, i int64_t, b 32 bytes. NULL: SQLite
 * said no. Lock held; sqlite3_finalize() it. */
sqlite3_stmt *ledger_ask(struct ledger *l, const char *sql, const char *types, ...);
/* The same carried out: the number of rows changed, -EEXIST, or -EIO. */
int ledger_run(struct ledger *l, const char *sql, const char *types, ...) must_check;
int64_t ledger_number(struct ledger *l, const char *sql); /* one number; 0 if there is none */
void ledger_text(sqlite3_stmt *st, int column, char *dst, size_t bytes);
void ledger_digest(sqlite3_stmt *st, int column, uint8_t dst[32]); /* zeros for another length */
/* The end of what BEGIN began: 0, or r after all was taken back. */
int ledger_end(struct ledger *l, int r) must_check;

/* --- audit.c, seal.c; lock held but for the key --- */
#define AUDIT_COLUMNS "seq, at_ms, who, role, from_addr, verb, what, before, after, status, hash"
/* The row's hash after that of the row before. */
int audit_row_hash(const uint8_t before[32], const struct audit_row *r, uint8_t ret[32]) must_check;
bool audit_row_read(sqlite3_stmt *st, struct audit_row *r); /* texts on the heap: */
void audit_row_done(struct audit_row *r);

/* The chain goes from after floor to seq. Rows from since on were written under this key and found whole
 * each time that one was added. */
struct seal {
  uint64_t seq, floor_seq, since;
  uint8_t hash[32], floor_hash[32];
};
/* Made (0600) when absent. 0, -EPERM (others may read it), -EINVAL, or -errno. */
int seal_key_open(const char *file, uint8_t ret[SEAL_KEY_BYTES], bool *ret_is_new) must_check;
int seal_read(struct ledger *l, struct seal *ret,
              bool *ret_is_ours) must_check; /* zeros where there is none */
int seal_put(struct ledger *l, const struct seal *s) must_check;
/* The seal to go on from: where it is not ours or not that of the last row, since says so for good. */
int seal_take(struct ledger *l, struct seal *ret) must_check;
