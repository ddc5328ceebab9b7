/* SPDX-License-Identifier: Apache-2.0
 * One thread's event loop: epoll and timers. loop_fd() is itself pollable (an epoll descriptor with
 * a timerfd inside), so that the call thread can hang it into sofia's su_root and everything that
 * is not SIP stays free of sofia. A handler that runs longer than 500 ms is counted (slow). */
#pragma once
#include "base/timer.h"

#include <sys/epoll.h>

struct loop;

struct watch {
  int fd;
  void (*fn)(void *arg, uint32_t events); /* fn gets EPOLLIN, EPOLLOUT, … */
  void *arg;
  bool on; /* on is true while watched. */
};

int loop_new(struct loop **ret_loop) must_check;
struct loop *loop_free(struct loop *l);
OWN_DEFINE(loop)
int loop_fd(const struct loop *l);
/* Level-triggered. The watch is the caller's and must live until loop_unwatch. 0 or -errno. */
int loop_watch(struct loop *l, struct watch *w, uint32_t events) must_check;
int loop_rewatch(struct loop *l, struct watch *w, uint32_t events);
void loop_unwatch(struct loop *l, struct watch *w); /* before its fd is closed; also inside a handler */
/* Now, as read at the begin of this turn (monotonic microseconds). */
uint64_t loop_now_us(const struct loop *l);
void loop_arm(struct loop *l, struct timer *t, uint64_t in_us); /* from loop_now_us */
void loop_disarm(struct loop *l, struct timer *t);
/* Waits at most timeout_ms (-1 without end), runs what is ready and due. */
void loop_turn(struct loop *l, int timeout_ms);
/* Reads now anew: first thing in a callback of another loop that this one hangs in. */
void loop_freshen(struct loop *l);
/* Must be called after timers were armed outside a turn, so that loop_fd() wakes in time. */
void loop_settle(struct loop *l);
/* After that: a timer is due already. loop_fd() does not tell of it: turn the loop. */
bool loop_is_due(const struct loop *l);
