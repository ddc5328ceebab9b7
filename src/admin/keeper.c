/* SPDX-License-Identifier: Apache-2.0
 * A thread for what must happen though nobody asks: twice a second, streams end whose session, token or
 * certificate has ended, refusals are written down, and bans, alarms and reports that changed go to the disk;
 * once an hour, old rows of the audit go. */
#include "admin/desk.h"

#include <signal.h>
#include <time.h>

enum { TURN_MS = 500, TRIM_TURNS = 7200, TRIM_FIRST = 120, PROBE_TURNS = 4 };

struct keeper {
  struct admin *admin;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t cond;
  bool is_over; /* lock */
};

/* False when it is over. */
static bool keeper_wait(struct keeper *k) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += TURN_MS * 1000000L;
  until.tv_sec += until.tv_nsec / 1000000000L;
  until.tv_nsec %= 1000000000L;
  pthread_mutex_lock(&k->lock);
  while (!k->is_over && pthread_cond_timedwait(&k->cond, &k->lock, &until) == 0)
    ;
  bool goes_on = !k->is_over;
  pthread_mutex_unlock(&k->lock);
  return goes_on;
}

/* What earlier instances saw today: a day's records take a while to read. */
static void today_read(struct admin *a) {
  struct reader_sums s;
  pthread_mutex_lock(&a->lock);
  uint64_t since_ms = overview_midnight_ms(&a->overview), until_ms = a->overview.started_ms;
  pthread_mutex_unlock(&a->lock);
  pthread_mutex_lock(&a->reading);
  int r = reader_sums(a->reader, since_ms, until_ms, &s);
  pthread_mutex_unlock(&a->reading);
  if (r < 0)
    return;
  pthread_mutex_lock(&a->lock);
  overview_before(&a->overview, &s);
  pthread_mutex_unlock(&a->lock);
}

static void *keeper_run(void *arg) {
  struct keeper *k = arg;
  today_read(k->admin);
  for (unsigned turn = 1; keeper_wait(k); turn++) {
    (void)web_streams_judge(k->admin->web);
    keep_turn(k->admin);
    reports_turn(k->admin);
    audit_denied_flush(k->admin);
    if (turn % PROBE_TURNS == 0)
      (void)ledger_probe(k->admin->ledger); /* it is looked whether it can be written again */
    if (turn % TRIM_TURNS == TRIM_FIRST)
      audit_trim(k->admin);
  }
  audit_denied_flush(k->admin);
  return NULL;
}

static int thread_start(struct keeper *k) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int r = pthread_create(&k->thread, NULL, keeper_run, k);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return -r;
}

int keeper_start(struct admin *a) {
  pthread_condattr_t monotonic;
  struct keeper *k = calloc(1, sizeof *k);
  if (!k)
    return -ENOMEM;
  k->admin = a;
  pthread_mutex_init(&k->lock, NULL);
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&k->cond, &monotonic);
  pthread_condattr_destroy(&monotonic);
  int r = thread_start(k);
  if (r == 0)
    a->keeper = k;
  else
    free(k);
  return r;
}

void keeper_stop(struct admin *a) {
  struct keeper *k = a->keeper;
  if (!k)
    return;
  pthread_mutex_lock(&k->lock);
  k->is_over = true;
  pthread_cond_signal(&k->cond);
  pthread_mutex_unlock(&k->lock);
  pthread_join(k->thread, NULL);
  pthread_cond_destroy(&k->cond);
  pthread_mutex_destroy(&k->lock);
  free(k);
  a->keeper = NULL;
}
