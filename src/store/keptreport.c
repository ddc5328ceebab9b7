/* SPDX-License-Identifier: Apache-2.0
 * Reports of Trunk Doctor on the disk, in the operators' database. See ledger.h. */
#include "store/ledgerpart.h"

int kept_report_put(struct ledger *l, const char *id, const char *text, uint64_t wall_ms) {
  pthread_mutex_lock(&l->lock);
  int r = ledger_run(
      l, "INSERT INTO reports VALUES (?,?,?) ON CONFLICT (id) DO UPDATE SET text=excluded.text", "sis",
      id, (int64_t)wall_ms, text);
  if (r >= 0)
    r = ledger_run(l,
                   "DELETE FROM reports WHERE rowid NOT IN "
                   "(SELECT rowid FROM reports ORDER BY at_ms DESC, rowid DESC LIMIT ?)",
                   "i", (int64_t)KEPT_REPORTS_MAX);
  pthread_mutex_unlock(&l->lock);
  return r < 0 ? r : 0;
}

int kept_report_del(struct ledger *l, const char *id) {
  pthread_mutex_lock(&l->lock);
  int r = ledger_run(l, "DELETE FROM reports WHERE id=?", "s", id);
  pthread_mutex_unlock(&l->lock);
  return r < 0 ? r : 0;
}

void kept_reports(struct ledger *l, void (*each)(void *arg, const char *text), void *arg) {
  pthread_mutex_lock(&l->lock);
  sqlite3_stmt *st = ledger_ask(l, "SELECT text FROM reports ORDER BY at_ms, rowid", "");
  while (st && sqlite3_step(st) == SQLITE_ROW)
    each(arg, (const char *)sqlite3_column_text(st, 0));
  sqlite3_finalize(st);
  pthread_mutex_unlock(&l->lock);
}
