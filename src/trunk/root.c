/* SPDX-License-Identifier: Apache-2.0
 * sofia's root with the house's loop hung into it, and sofia's clock set to base/clock: monotonic plus
 * a fixed epoch, so that neither a step of the wall clock nor a test's virtual time surprises it. */
#include "base/clock.h"
#include "trunk/inner.h"

struct root {
  su_root_t *su;
  struct loop *loop;
  su_wait_t wait;
  int registered;
};

/* sofia exports these pointers and declares them in no header. */
extern void (*_su_time)(su_time_t *tv);
extern su_time64_t (*_su_nanotime)(su_time64_t *ret);

static uint64_t epoch_us; /* what is added to the monotonic clock: NTP's 1900 */

/* Whole milliseconds: sofia waits in those, and would turn without a pause through the part of one that
 * is left to a timer; with hundreds of calls a second that is a third of the processor. */
static uint64_t time_ms(void) { return (epoch_us + clock_now_us()) / 1000; }

static void time_get(su_time_t *tv) {
  uint64_t ms = time_ms();
  tv->tv_sec = (unsigned long)(ms / 1000);
  tv->tv_usec = (unsigned long)(ms % 1000 * 1000);
}

static su_time64_t nanotime_get(su_time64_t *ret) { return *ret = time_ms() * 1000000; }

static void time_take(void) {
  if (epoch_us)
    return;
  epoch_us = clock_wall_ms() * 1000 + SU_TIME_EPOCH * (uint64_t)1000000 - clock_now_us();
  _su_time = time_get;
  _su_nanotime = nanotime_get;
}

static int loop_ready(struct root *r, su_wait_t *w, su_wakeup_arg_t *arg) {
  (void)r, (void)w;
  loop_turn(((struct root *)(void *)arg)->loop, 0);
  return 0;
}

int root_new(struct root **ret, struct loop *loop) {
  own(root) r = calloc(1, sizeof *r);
  if (!r)
    return -ENOMEM;
  time_take();
  if (su_init() != 0)
    return -ENOMEM;
  r->loop = loop;
  r->su = su_root_create(NULL);
  if (!r->su)
    return -ENOMEM;
  su_root_threading(r->su, 0);
  su_wait_init(&r->wait);
  if (su_wait_create(&r->wait, loop_fd(loop), SU_WAIT_IN) < 0)
    return -ENOMEM;
  r->registered = su_root_register(r->su, &r->wait, loop_ready, (void *)r, 0);
  if (r->registered < 0)
    return -ENOMEM;
  *ret = take(r);
  return 0;
}

struct root *root_free(struct root *r) {
  if (!r)
    return NULL;
  if (r->su) {
    if (r->registered > 0)
      su_root_deregister(r->su, r->registered);
    su_root_destroy(r->su);
    su_deinit();
  }
  free(r);
  return NULL;
}

void root_last(struct root *r) {
  if (r->registered > 0)
    su_root_deregister(r->su, r->registered);
  r->registered = 0;
  su_root_step(r->su, 0);
}

su_root_t *root_su(const struct root *r) { return r->su; }

void root_turn(struct root *r, int timeout_ms) {
  loop_settle(r->loop);
  su_root_step(r->su, loop_is_due(r->loop) ? 0 : timeout_ms);
  loop_settle(r->loop);
  if (loop_is_due(r->loop))
    loop_turn(r->loop, 0);
}
