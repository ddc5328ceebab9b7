/* SPDX-License-Identifier: Apache-2.0
 * What a caller hears before the answer. Not what was signaled decides but audio that really came: a
 * tone of ours (toward an app that asked for it, and toward a trunk that our 183 keeps from ringing
 * itself) sounds from a 180 until the first verified packet, and again where a later 180 finds silence.
 * RFC 3960 3.2; who may send early media at all RFC 5009. */
#include "call/inner.h"

/* Early media of that callee reach the caller now. */
static bool is_heard(const struct leg *far) {
  return far && leg_in(far)->flows && !leg_in(far)->is_barred;
}

enum mset_tone ringback_tone(const struct leg *caller) {
  const struct call_inner *in = call_in(caller->call);
  bool is_ours = caller->kind == LEG_NATIVE ? in->ringback : in->has_progress;
  if (caller->role != LEG_CALLER || caller->call->answered || !in->rings || !is_ours)
    return MSET_TONE_NONE;
  return is_heard(leg_far(caller)) ? MSET_TONE_NONE : MSET_TONE_RINGBACK;
}

bool ringback_bars(const struct leg *callee) {
  return leg_in(callee)->is_barred && !callee->call->answered;
}

/* A trunk is told again when what it heard since the first 180 was something else. */
void ringback_rang(struct leg *l) {
  struct call_inner *in = call_in(l->call);
  struct leg *caller = l->call->caller;
  bool is_again = !in->rings && caller->ringing_ms;
  if (l->role != LEG_CALLEE || leg_is_over(l) || l->call->answered)
    return;
  in->rings = true;
  if (!is_again)
    return;
  bridge_apply(l->call);
  if (caller->kind == LEG_TRUNK && !leg_is_over(caller) && caller->door->ringing)
    caller->door->ringing(caller->door_arg, caller);
}

static void tell(struct leg *callee) {
  struct call_inner *in = call_in(callee->call);
  struct leg *caller = leg_far(callee);
  bool on = is_heard(callee);
  if (callee->call->answered || callee->role != LEG_CALLEE || !caller || caller->state >= LEG_ANSWERED ||
      caller->early_media == on)
    return;
  caller->early_media = on;
  in->rings &= !on;
  in->has_progress |= on;
  if (on && !in->early_ms)
    in->early_ms = call_time_ms(callee->call);
  bridge_apply(callee->call);
  if (on && !leg_is_over(caller))
    (void)fsm_fire(caller, EVENT_EARLY); /* it may talk to it now: digits */
  if (!leg_is_over(caller) && caller->door->early)
    caller->door->early(caller->door_arg, caller, on);
}

void ringback_flow(struct leg *l, uint32_t remote, bool on) {
  uint32_t bit = remote < 32 ? 1u << remote : 0;
  leg_in(l)->flows = on ? leg_in(l)->flows | bit : leg_in(l)->flows & ~bit;
  l->media.flowing = leg_in(l)->flows != 0;
  tell(l);
}

void leg_bar_early(struct leg *l, bool on) {
  if (leg_in(l)->is_barred == on || leg_is_over(l))
    return;
  leg_in(l)->is_barred = on;
  bridge_apply(l->call);
  if (!leg_is_over(l))
    tell(l);
}
