/* SPDX-License-Identifier: Apache-2.0
 * Timers in a binary heap, sans clock: the owner passes now. Embedded struct timer, no allocation
 * for each arm but the heap's own growth. One owner thread. */
#pragma once
#include "base/own.h"

struct timer {
  uint64_t at_us;        /* at_us is when it fires, monotonic. */
  uint32_t heap_slot;    /* heap_slot is its place + 1; 0 while not armed. */
  void (*fn)(void *arg); /* fn is called once; it may arm the timer anew or free it. */
  void *arg;
};

struct timers {
  struct timer **heap;
  uint32_t count, room;
};

void timers_done(struct timers *ts); /* timers still armed are forgotten */
/* Arms or moves; 0 or -ENOMEM. */
int timer_arm(struct timers *ts, struct timer *t, uint64_t at_us);
void timer_cancel(struct timers *ts, struct timer *t);
static inline bool timer_is_armed(const struct timer *t) { return t->heap_slot != 0; }
uint64_t timers_next_us(const struct timers *ts); /* UINT64_MAX when none */
void timers_run(struct timers *ts, uint64_t now_us);
