/* SPDX-License-Identifier: Apache-2.0
 * A binary heap of timers: see timer.h. */
#include "base/timer.h"

static void place(struct timers *ts, uint32_t i, struct timer *t) {
  ts->heap[i] = t;
  t->heap_slot = i + 1;
}

static void sift_up(struct timers *ts, uint32_t i) {
  struct timer *t = ts->heap[i];
  while (i && ts->heap[(i - 1) / 2]->at_us > t->at_us) {
    place(ts, i, ts->heap[(i - 1) / 2]);
    i = (i - 1) / 2;
  }
  place(ts, i, t);
}

static void sift_down(struct timers *ts, uint32_t i) {
  struct timer *t = ts->heap[i];
  for (;;) {
    uint32_t kid = 2 * i + 1;
    if (kid >= ts->count)
      break;
    if (kid + 1 < ts->count && ts->heap[kid + 1]->at_us < ts->heap[kid]->at_us)
      kid++;
    if (ts->heap[kid]->at_us >= t->at_us)
      break;
    place(ts, i, ts->heap[kid]);
    i = kid;
  }
  place(ts, i, t);
}

void timers_done(struct timers *ts) {
  for (uint32_t i = 0; i < ts->count; i++)
    ts->heap[i]->heap_slot = 0;
  free(ts->heap);
  *ts = (struct timers){0};
}

int timer_arm(struct timers *ts, struct timer *t, uint64_t at_us) {
  if (t->heap_slot)
    timer_cancel(ts, t);
  if (ts->count == ts->room) {
    uint32_t room = ts->room ? ts->room * 2 : 64;
    struct timer **heap = realloc(ts->heap, room * sizeof(*heap));
    if (!heap)
      return -ENOMEM;
    ts->heap = heap;
    ts->room = room;
  }
  t->at_us = at_us;
  place(ts, ts->count++, t);
  sift_up(ts, ts->count - 1);
  return 0;
}

void timer_cancel(struct timers *ts, struct timer *t) {
  if (!t->heap_slot)
    return;
  uint32_t i = t->heap_slot - 1;
  struct timer *last = ts->heap[--ts->count];
  t->heap_slot = 0;
  if (last == t)
    return;
  place(ts, i, last);
  sift_up(ts, i);
  sift_down(ts, last->heap_slot - 1);
}

uint64_t timers_next_us(const struct timers *ts) { return ts->count ? ts->heap[0]->at_us : UINT64_MAX; }

void timers_run(struct timers *ts, uint64_t now_us) {
  while (ts->count && ts->heap[0]->at_us <= now_us) {
    struct timer *t = ts->heap[0];
    timer_cancel(ts, t);
    t->fn(t->arg);
  }
}
