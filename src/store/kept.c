/* SPDX-License-Identifier: Apache-2.0
 * Bans and alarms on the disk, in the operators' database: few rows, written whole. See ledger.h. */
#include "store/ledgerpart.h"

static int ban_put(struct ledger *l, const struct kept_ban *b) {
  int r = ledger_run(l, "INSERT OR REPLACE INTO bans VALUES (?,?,?,?,?,?)", "sssiii", b->address, b->why,
                     b->by, (int64_t)b->until_ms, (int64_t)b->hits, (int64_t)b->by_hand);
  return r < 0 ? r : 0;
}

int kept_bans_put(struct ledger *l, const struct kept_ban *list, size_t n) {
  pthread_mutex_lock(&l->lock);
  int r = ledger_run(l, "BEGIN IMMEDIATE", "");
  if (r >= 0) {
    r = ledger_run(l, "DELETE FROM bans", "");
    for (size_t i = 0; i < n && r >= 0; i++)
      r = ban_put(l, &list[i]);
    r = ledger_end(l, r < 0 ? r : 0);
  }
  pthread_mutex_unlock(&l->lock);
  return r < 0 ? r : 0;
}

static int alarm_put(struct ledger *l, const struct kept_alarm *a) {
  int r = ledger_run(l, "INSERT OR REPLACE INTO alarms VALUES (?,?,?,?,?,?,?,?)", "sssssiis", a->id,
                     a->kind, a->what, a->severity, a->text, (int64_t)a->raised_ms,
                     (int64_t)a->cleared_ms, a->acked_by);
  return r < 0 ? r : 0;
}

int kept_alarms_put(struct ledger *l, const struct kept_alarm *list, size_t n) {
  pthread_mutex_lock(&l->lock);
  int r = ledger_run(l, "BEGIN IMMEDIATE", "");
  if (r >= 0) {
    r = ledger_run(l, "DELETE FROM alarms", "");
    for (size_t i = 0; i < n && r >= 0; i++)
      r = alarm_put(l, &list[i]);
    r = ledger_end(l, r < 0 ? r : 0);
  }
  pthread_mutex_unlock(&l->lock);
  return r < 0 ? r : 0;
}

static void ban_read(sqlite3_stmt *st, struct kept_ban *b) {
  memset(b, 0, sizeof(*b));
  ledger_text(st, 0, b->address, sizeof(b->address));
  ledger_text(st, 1, b->why, sizeof(b->why));
  ledger_text(st, 2, b->by, sizeof(b->by));
  b->until_ms = (uint64_t)sqlite3_column_int64(st, 3);
  b->hits = (uint64_t)sqlite3_column_int64(st, 4);
  b->by_hand = sqlite3_column_int(st, 5) != 0;
}

size_t kept_bans(struct ledger *l, struct kept_ban *list) {
  size_t n = 0;
  pthread_mutex_lock(&l->lock);
  sqlite3_stmt *st = ledger_ask(
      l, "SELECT address, why, by, until_ms, hits, by_hand FROM bans ORDER BY by_hand DESC", "");
  while (st && n < KEPT_BANS_MAX && sqlite3_step(st) == SQLITE_ROW)
    ban_read(st, &list[n++]);
  sqlite3_finalize(st);
  pthread_mutex_unlock(&l->lock);
  return n;
}

static void alarm_read(sqlite3_stmt *st, struct kept_alarm *a) {
  memset(a, 0, sizeof(*a));
  ledger_text(st, 0, a->id, sizeof(a->id));
  ledger_text(st, 1, a->kind, sizeof(a->kind));
  ledger_text(st, 2, a->what, sizeof(a->what));
  ledger_text(st, 3, a->severity, sizeof(a->severity));
  ledger_text(st, 4, a->text, sizeof(a->text));
  a->raised_ms = (uint64_t)sqlite3_column_int64(st, 5);
  a->cleared_ms = (uint64_t)sqlite3_column_int64(st, 6);
  ledger_text(st, 7, a->acked_by, sizeof(a->acked_by));
}

size_t kept_alarms(struct ledger *l, struct kept_alarm *list) {
  size_t n = 0;
  pthread_mutex_lock(&l->lock);
  sqlite3_stmt *st = ledger_ask(l,
                                "SELECT id, kind, what, severity, text, raised_ms, cleared_ms, acked_by "
                                "FROM alarms ORDER BY raised_ms",
                                "");
  while (st && n < KEPT_ALARMS_MAX && sqlite3_step(st) == SQLITE_ROW)
    alarm_read(st, &list[n++]);
  sqlite3_finalize(st);
  pthread_mutex_unlock(&l->lock);
  return n;
}
