/* SPDX-License-Identifier: Apache-2.0
 * A leg with ICE whose peer is no longer heard (RFC 7675): the far side is held in between; it ends 30 s
 * later, a native one while an event stream is open, else service.stream_lost_s after the stream was
 * lost. */
#include "call/inner.h"

#include "base/clock.h"

static uint64_t due_us(const struct leg *l) {
  const struct leg_inner *in = leg_in(l);
  uint32_t keep_s = leg_calls(l)->env.conf->service.stream_lost_s;
  if (in->stream_lost)
    return in->stream_lost_us + (keep_s ? keep_s : 120) * UINT64_C(1000000);
  uint64_t from = in->ice_lost_us > in->stream_back_us ? in->ice_lost_us : in->stream_back_us;
  return from + CONSENT_WAIT_US;
}

void consent_check(struct leg *l) {
  struct leg_inner *in = leg_in(l);
  struct calls *cs = leg_calls(l);
  if (leg_is_over(l))
    return;
  if (!in->ice_lost) {
    loop_disarm(cs->env.loop, &in->consent);
    return;
  }
  uint64_t due = due_us(l), now = clock_now_us();
  if (due <= now)
    leg_end(l, cause_fault(END_MEDIA_FAILURE, WHY_FAULT_CONSENT,
                           l->kind == LEG_NATIVE ? "the client's media were lost"
                                                 : "the trunk's media were lost"));
  else
    calls_arm(cs, &in->consent, due - now);
}

void consent_set(struct leg *l, bool lost) {
  struct leg_inner *in = leg_in(l);
  if (in->ice_lost == lost)
    return;
  in->ice_lost = lost;
  in->ice_lost_us = clock_now_us();
  bridge_apply(l->call);
  consent_check(l);
  if (lost && !leg_is_over(l) && l->door->restart)
    l->door->restart(l->door_arg, l, "loss");
}

void leg_stream_lost(struct leg *l, bool lost) {
  struct leg_inner *in = leg_in(l);
  if (leg_is_over(l) || in->stream_lost == lost)
    return;
  in->stream_lost = lost;
  if (lost)
    in->stream_lost_us = clock_now_us();
  else
    in->stream_back_us = clock_now_us();
  consent_check(l);
}
