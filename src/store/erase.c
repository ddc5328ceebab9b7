/* SPDX-License-Identifier: Apache-2.0
 * A person is taken out of the records: numbers and names that are theirs are replaced, what may tell
 * more of them goes. A connection of its own, a few records a transaction, so that the writer goes on.
 */
#include "store/db.h"
#include "store/field.h"
#include "store/key.h"
#include "store/migrate.h"

#include <stdio.h>

#define ERASE_BATCH 200
#define ERASED "erased"

/* Free text, which may name anybody. */
static const char *const talkative[] = {"telemetry", "metadata", "detail", "attempts"};

static bool is_talkative(const struct field *f) {
  for (size_t i = 0; i < COUNT_OF(talkative); i++)
    if (strcmp(f->column, talkative[i]) == 0)
      return true;
  return false;
}

static void leg_forget(struct record_leg *l, const char *who) {
  if (l->kind != RECORD_LEG_NATIVE || strcmp(l->peer, who) != 0)
    return;
  l->device[0] = l->remote_addr[0] = l->media_addr[0] = 0;
}

/* The same value can stand within more: sip:+1…@host, attempts. Ids stay. */
static void record_forget(struct record *r, const char *who) {
  leg_forget(&r->caller, who);
  leg_forget(&r->callee, who);
  for (size_t i = 2; i < fields_n; i++) {
    char *text = (char *)r + fields[i].at;
    if (!fields[i].is_text || !strstr(text, who))
      continue;
    memset(text, 0, fields[i].bytes);
    if (!is_talkative(&fields[i]))
      snprintf(text, fields[i].bytes, "%s", ERASED);
  }
  r->telemetry[0] = r->metadata[0] = 0;
  r->asked_called[0] = r->asked_caller[0] = 0; /* other writings of the same numbers */
}

/* One batch: how many were changed, -errno. Live calls are left: they are written again. */
static int batch_erase(struct db *d, const char *who, uint64_t wall_ms, char (*ids)[40]) {
  static _Thread_local struct record rec;
  int n = db_find(d, who, ids, ERASE_BATCH), r = 0;
  for (int i = 0; r == 0 && i < n; i++) {
    r = db_get(d, ids[i], &rec);
    record_forget(&rec, who);
    if (r == 0)
      r = db_put(d, &rec, wall_ms);
  }
  return r < 0 ? r : n;
}

int store_erase(const char *file, const char *who, uint64_t wall_ms,
                void (*gone)(void *arg, const char *id), void *arg, struct store_erased *ret) {
  char ids[ERASE_BATCH][40];
  own(db) d = NULL;
  int n = 1;
  *ret = (struct store_erased){0};
  if (strlen(who) < 2)
    return -EINVAL;
  int r = db_open(&d, file);
  while (r == 0 && n > 0) {
    r = db_begin(d);
    n = r == 0 ? batch_erase(d, who, wall_ms, ids) : r;
    if (r == 0)
      r = n < 0 ? n : db_commit(d);
    if (r < 0)
      db_rollback(d);
    else
      ret->records += (uint64_t)n;
    for (int i = 0; gone && r == 0 && i < n; i++)
      gone(arg, ids[i]);
  }
  if (r == 0)
    r = db_live_of(d, who, &ret->live);
  return r == 0 ? db_fold(d) : r; /* the log beside the file has the old rows still */
}
