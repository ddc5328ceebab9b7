/* SPDX-License-Identifier: Apache-2.0
 * The tick thread of a server: resumes streams that have something to say, several milliseconds
 * together, beats their hearts, cuts connections past their deadline, answers what the owner forgot. */
#include "web/server.h"

#include "base/clock.h"

#include <poll.h>
#include <sys/eventfd.h>

#define TICK_SCAN_US 100000u
#define TICK_GATHER_MS 5
#define TICK_HEAR_SCANS 5
#define TICK_SLICE 256

static bool tick_drain(struct web *w) {
  uint64_t n;
  return read(w->tick_fd, &n, sizeof(n)) == sizeof(n);
}

/* The lock is let go between some and the next: the owner may be waiting for it. */
static void tick_streams(struct web *w, uint64_t now_us) {
  uint32_t beat = 0, heard = 0, rests = 0;
  bool more = true, owes = true, hears = w->scans % TICK_HEAR_SCANS == 0;
  while (more) {
    pthread_mutex_lock(&w->lock);
    more = streams_beat(w, &beat, TICK_SLICE, now_us);
    pthread_mutex_unlock(&w->lock);
  }
  while (owes) {
    pthread_mutex_lock(&w->lock);
    owes = fan_rests(w, &rests, TICK_SLICE, now_us);
    pthread_mutex_unlock(&w->lock);
  }
  while (hears) {
    pthread_mutex_lock(&w->lock);
    hears = streams_hear(w, &heard);
    pthread_mutex_unlock(&w->lock);
  }
}

/* False when the server stops. */
static bool tick_scan(struct web *w, uint64_t *next_us) {
  bool is_due = false;
  uint64_t now_us = clock_now_us();
  pthread_mutex_lock(&w->lock);
  bool go = !w->stopping;
  if (go && now_us >= *next_us) {
    *next_us = now_us + TICK_SCAN_US;
    conns_expire(w, now_us);
    asks_expire(w, now_us);
    w->scans++;
    is_due = true;
  }
  pthread_mutex_unlock(&w->lock);
  if (is_due)
    tick_streams(w, now_us);
  return go;
}

/* Who has something to say or to hear, some hundreds a millisecond: neither the lock nor a web thread is
 * theirs for long, however many they are. */
static void tick_resume(struct web *w) {
  bool more, first = true;
  fan_news(w);
  do {
    if (!first)
      (void)poll(NULL, 0, 1);
    first = false;
    pthread_mutex_lock(&w->lock);
    more = streams_resume(w, TICK_SLICE);
    pthread_mutex_unlock(&w->lock);
  } while (more);
}

static void *tick_run(void *arg) {
  struct web *w = arg;
  uint64_t next_us = 0;
  do {
    struct pollfd p = {w->tick_fd, POLLIN, 0};
    (void)poll(&p, 1, TICK_SCAN_US / 1000u);
    if (tick_drain(w))
      (void)poll(NULL, 0, TICK_GATHER_MS); /* what comes now goes out together */
    tick_resume(w);
  } while (tick_scan(w, &next_us));
  return NULL;
}

void tick_wake(struct web *w) {
  uint64_t one = 1;
  (void)!write(w->tick_fd, &one, sizeof(one));
}

int tick_start(struct web *w) {
  w->tick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (w->tick_fd < 0)
    return -errno;
  int r = pthread_create(&w->tick, NULL, tick_run, w);
  w->tick_on = r == 0;
  return -r;
}

/* After w->stopping was set. */
void tick_stop(struct web *w) {
  if (w->tick_on) {
    tick_wake(w);
    pthread_join(w->tick, NULL);
    w->tick_on = false;
  }
  if (w->tick_fd >= 0)
    close(w->tick_fd);
  w->tick_fd = -1;
}
