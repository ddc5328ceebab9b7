/* SPDX-License-Identifier: Apache-2.0
 * Bans and alarms outlive a restart: what changed is copied here by who changed it, and written whole by
 * the keeper's turn at most every two seconds, or at once where an operator waits for it. Any thread. */
#include "admin/desk.h"

#include "base/clock.h"

#define EVERY_US 2000000u

struct keep {
  pthread_mutex_t lock;  /* for the copies; taken inside admin's lock */
  pthread_mutex_t write; /* one writes at a time; taken before lock */
  struct kept_ban bans[KEPT_BANS_MAX];
  struct kept_alarm alarms[KEPT_ALARMS_MAX];
  size_t bans_n, alarms_n;
  bool has_bans, has_alarms; /* has_…: they are other than on the disk. */
  uint64_t written_us;
  struct kept_ban bans_out[KEPT_BANS_MAX]; /* under write */
  struct kept_alarm alarms_out[KEPT_ALARMS_MAX];
};

/* How often a ban was hit is no reason to write. */
static bool bans_same(const struct kept_ban *a, const struct kept_ban *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(a[i].address, b[i].address) != 0 || a[i].until_ms / 1000u != b[i].until_ms / 1000u ||
        a[i].by_hand != b[i].by_hand || strcmp(a[i].by, b[i].by) != 0 || strcmp(a[i].why, b[i].why) != 0)
      return false;
  return true;
}

void keep_bans(struct admin *a) {
  struct keep *k = a->keep;
  if (!a->set.bans_kept)
    return;
  struct kept_ban *list = calloc(KEPT_BANS_MAX, sizeof(*list));
  size_t n = list ? a->set.bans_kept(a->set.calls_arg, list) : 0;
  if (!list)
    return;
  pthread_mutex_lock(&k->lock);
  if (n != k->bans_n || !bans_same(list, k->bans, n)) {
    memcpy(k->bans, list, n * sizeof(*list));
    k->bans_n = n;
    k->has_bans = true;
  }
  pthread_mutex_unlock(&k->lock);
  free(list);
}

static void alarm_take(struct kept_alarm *to, const struct alarm *from) {
  memset(to, 0, sizeof(*to));
  memcpy(to->id, from->id, sizeof(to->id));
  memcpy(to->kind, from->now.kind, sizeof(to->kind));
  memcpy(to->what, from->now.what, sizeof(to->what));
  memcpy(to->text, from->now.text, sizeof(to->text));
  memcpy(to->acked_by, from->acked_by, sizeof(to->acked_by));
  slice_copy(to->severity, sizeof(to->severity), slice_of(from->now.severity));
  to->raised_ms = from->raised_ms;
  to->cleared_ms = from->cleared_ms;
}

void keep_alarms(struct admin *a) {
  struct keep *k = a->keep;
  pthread_mutex_lock(&k->lock);
  k->alarms_n = 0;
  for (size_t i = 0; i < ALARMS_MAX; i++)
    if (a->alarms.list[i].raised_ms)
      alarm_take(&k->alarms[k->alarms_n++], &a->alarms.list[i]);
  k->has_alarms = true;
  pthread_mutex_unlock(&k->lock);
}

/* The disk is slow: nobody who changes something waits for it meanwhile. */
static int out_write(struct admin *a, struct keep *k) {
  pthread_mutex_lock(&k->lock);
  bool bans = k->has_bans, alarms = k->has_alarms;
  size_t bans_n = k->bans_n, alarms_n = k->alarms_n;
  if (bans)
    memcpy(k->bans_out, k->bans, bans_n * sizeof(k->bans[0]));
  if (alarms)
    memcpy(k->alarms_out, k->alarms, alarms_n * sizeof(k->alarms[0]));
  k->has_bans = k->has_alarms = false;
  pthread_mutex_unlock(&k->lock);
  bool bans_bad = bans && kept_bans_put(a->ledger, k->bans_out, bans_n) < 0;
  bool alarms_bad = alarms && kept_alarms_put(a->ledger, k->alarms_out, alarms_n) < 0;
  pthread_mutex_lock(&k->lock);
  k->has_bans |= bans_bad;
  k->has_alarms |= alarms_bad;
  k->written_us = clock_now_us();
  pthread_mutex_unlock(&k->lock);
  return bans_bad || alarms_bad ? -EIO : 0;
}

int keep_write(struct admin *a) {
  pthread_mutex_lock(&a->keep->write);
  int r = out_write(a, a->keep);
  pthread_mutex_unlock(&a->keep->write);
  return r;
}

void keep_turn(struct admin *a) {
  struct keep *k = a->keep;
  pthread_mutex_lock(&k->lock);
  bool is_due = (k->has_bans || k->has_alarms) && clock_now_us() >= k->written_us + EVERY_US;
  pthread_mutex_unlock(&k->lock);
  if (is_due)
    (void)!keep_write(a); /* tried again */
}

static void alarms_back(struct admin *a) {
  struct keep *k = a->keep;
  k->alarms_n = kept_alarms(a->ledger, k->alarms);
  for (size_t i = 0; i < k->alarms_n; i++)
    alarms_put_back(&a->alarms, &k->alarms[i], clock_wall_ms());
}

int keep_start(struct admin *a) {
  struct keep *k = calloc(1, sizeof(*k));
  if (!k)
    return -ENOMEM;
  pthread_mutex_init(&k->lock, NULL);
  pthread_mutex_init(&k->write, NULL);
  a->keep = k;
  k->bans_n = kept_bans(a->ledger, k->bans); /* the guard has them from who made it */
  alarms_back(a);
  return 0;
}

void keep_stop(struct admin *a) {
  if (!a->keep)
    return;
  if (a->keep->has_bans || a->keep->has_alarms)
    (void)!keep_write(a);
  pthread_mutex_destroy(&a->keep->lock);
  pthread_mutex_destroy(&a->keep->write);
  free(a->keep);
  a->keep = NULL;
}
