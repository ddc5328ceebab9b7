/* SPDX-License-Identifier: Apache-2.0
 * Event loop: see loop.h. The timerfd makes the epoll descriptor wake for timers when it is nested
 * in another loop. */
#include "base/loop.h"

#include "base/clock.h"

#include <sys/timerfd.h>

enum { BATCH = 64, SLOW_US = 500000 };

struct loop {
  int epoll_fd, timer_fd;
  struct timers timers;
  uint64_t now_us, armed_us, slow;
  bool is_due;                     /* is_due: a timer wants a turn at once, for which nothing was set. */
  struct epoll_event ready[BATCH]; /* ready is the batch in work; unwatch clears entries in it. */
  int n_ready;
};

int loop_new(struct loop **ret_loop) {
  own(loop) l = calloc(1, sizeof(*l));
  if (!l)
    return -ENOMEM;
  l->timer_fd = -1;
  l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (l->epoll_fd < 0)
    return -errno;
  l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (l->timer_fd < 0)
    return -errno;
  struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->timer_fd, &ev) < 0)
    return -errno;
  l->armed_us = UINT64_MAX;
  l->now_us = clock_now_us();
  *ret_loop = take(l);
  return 0;
}

struct loop *loop_free(struct loop *l) {
  if (!l)
    return NULL;
  timers_done(&l->timers);
  if (l->timer_fd >= 0)
    close(l->timer_fd);
  if (l->epoll_fd >= 0)
    close(l->epoll_fd);
  free(l);
  return NULL;
}

int loop_fd(const struct loop *l) { return l->epoll_fd; }
uint64_t loop_now_us(const struct loop *l) { return l->now_us; }
bool loop_is_due(const struct loop *l) { return l->is_due; }
int loop_watch(struct loop *l, struct watch *w, uint32_t events) {
  struct epoll_event ev = {.events = events, .data.ptr = w};
  if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev) < 0)
    return -errno;
  w->on = true;
  return 0;
}

int loop_rewatch(struct loop *l, struct watch *w, uint32_t events) {
  struct epoll_event ev = {.events = events, .data.ptr = w};
  return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev) < 0 ? -errno : 0;
}

void loop_unwatch(struct loop *l, struct watch *w) {
  if (!w->on)
    return;
  w->on = false;
  epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
  for (int i = 0; i < l->n_ready; i++)
    if (l->ready[i].data.ptr == w)
      l->ready[i].data.ptr = NULL;
}

void loop_arm(struct loop *l, struct timer *t, uint64_t in_us) {
  if (timer_arm(&l->timers, t, l->now_us + in_us) < 0)
    abort(); /* the heap is one pointer a timer: without it nothing can go on */
}

void loop_freshen(struct loop *l) { l->now_us = clock_now_us(); }

void loop_disarm(struct loop *l, struct timer *t) { timer_cancel(&l->timers, t); }

/* When the next one moved further away, nothing is set: one wake-up for nothing is cheaper. */
void loop_settle(struct loop *l) {
  uint64_t next = timers_next_us(&l->timers);
  if (next >= l->armed_us)
    return;
  l->is_due = next <= clock_now_us();
  if (l->is_due)
    return;
  l->armed_us = next;
  struct itimerspec at = {0};
  if (next != UINT64_MAX) {
    at.it_value.tv_sec = (time_t)(next / 1000000);
    at.it_value.tv_nsec = (long)(next % 1000000) * 1000;
    if (next == 0)
      at.it_value.tv_nsec = 1;
  }
  timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void loop_turn(struct loop *l, int timeout_ms) {
  uint64_t expirations;
  bool is_timer = false;
  loop_settle(l);
  int n = epoll_wait(l->epoll_fd, l->ready, BATCH, l->is_due ? 0 : timeout_ms);
  l->is_due = false;
  l->now_us = clock_now_us();
  l->n_ready = n < 0 ? 0 : n;
  for (int i = 0; i < l->n_ready; i++) {
    struct watch *w = l->ready[i].data.ptr;
    if (w)
      w->fn(w->arg, l->ready[i].events);
    else
      is_timer = true;
  }
  l->n_ready = 0;
  if (is_timer && read(l->timer_fd, &expirations, sizeof(expirations)) > 0)
    l->armed_us = UINT64_MAX;
  timers_run(&l->timers, l->now_us);
  if (clock_now_us() - l->now_us > SLOW_US)
    l->slow++;
  loop_settle(l);
}
