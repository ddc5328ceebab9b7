/* SPDX-License-Identifier: Apache-2.0
 * Inside of the operators' database. */
#pragma once
#include "store/ledger.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

struct ledger {
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
