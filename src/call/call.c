/* SPDX-License-Identifier: Apache-2.0
 * The life of a call once it is placed: asking the far side, the first answer, the held 200, media
 * deadlines, and its end, exactly once for each leg. */
#include "call/hunt.h"
#include "call/transfer.h"

#include "base/clock.h"
#include "base/log.h"

void call_ask(struct call *c) {
  struct call_inner *in = call_in(c);
  in->may_ask = true;
  if (in->ending || in->asked || in->verifies)
    return;
  in->asked = true;
  hunt_begin(c);
  if (!in->ending && in->replaces)
    transfer_take_place(c);
}

void leg_verified(struct leg *l, const char *verified, const struct verdict *v) {
  struct call *c = l->call;
  struct call_inner *in = call_in(c);
  if (l->role != LEG_CALLER || !in->verifies || in->ending)
    return;
  in->verifies = false;
  slice_copy(c->verified, sizeof(c->verified), slice_of(verified));
  if (!verdict_is_pass(v) && !in->emergency)
    call_end(c, cause_of_verdict(v));
  else if (in->may_ask)
    call_ask(c);
}

/* The answer -------------------------------------------------------------------------------------- */

static void on_held_answer(void *arg) { call_answer_caller(arg); }

static void on_media_late(void *arg) {
  struct call *c = arg;
  call_end(c, cause_fault(END_MEDIA_FAILURE, WHY_FAULT_MEDIA_LATE, "no media came up within 10 s of the answer"));
}

static void end_others(struct call *c, const struct leg *winner) {
  for (struct leg *l = call_next_leg(c, NULL); l; l = call_next_leg(c, l))
    if (l != winner && l->role == LEG_CALLEE && !leg_is_over(l))
      leg_end(l, cause_make(END_ANSWERED_ELSEWHERE, BY_CALLEE, ""));
}

/* Of a group, whose call it is now. */
static void note_user(struct call *c, const struct leg *l) {
  struct call_inner *in = call_in(c);
  const struct conf_user *u = conf_user_find(in->cs->env.conf, slice_of(l->identity));
  if (l->kind != LEG_NATIVE || !u)
    return;
  slice_copy(c->to_user, sizeof(c->to_user), slice_of(u->name));
  if (c->caller->kind != LEG_TRUNK)
    return;
  slice_copy(in->identity, sizeof(in->identity), slice_of(u->name));
  slice_copy(in->tenant, sizeof(in->tenant), slice_of(u->tenant));
}

/* The first callee that answers is it; the caller learns it when media are up, or soon. */
void call_answered_by(struct leg *l) {
  struct call *c = l->call;
  struct call_inner *in = call_in(c);
  if (c->answered) {
    leg_end(l, cause_make(END_ANSWERED_ELSEWHERE, BY_CALLEE, ""));
    return;
  }
  c->answered = true;
  c->callee = in->bridged = l;
  note_user(c, l);
  l->answered_ms = call_time_ms(l->call);
  count_one(&in->cs->counts, CALLS_ANSWERED);
  hunt_stop(c);
  end_others(c, l);
  bridge_apply(c);
  if (leg_is_over(l))
    return;
  in->answer.fn = on_held_answer;
  in->answer.arg = c;
  calls_arm(in->cs, &in->answer, HELD_ANSWER_US);
  if (leg_is_up(l))
    (void)fsm_fire(l, EVENT_UP);
}

void call_answer_caller(struct call *c) {
  struct call_inner *in = call_in(c);
  enum leg_state s = c->caller->state;
  if (!in->ending && in->is_moved)
    transfer_done(c);
  if (in->ending || s >= LEG_ANSWERED)
    return;
  c->answered = true;
  hunt_stop(c);
  loop_disarm(in->cs->env.loop, &in->answer);
  in->media.fn = on_media_late;
  in->media.arg = c;
  calls_arm(in->cs, &in->media, MEDIA_WAIT_US);
  (void)fsm_fire(c->caller, EVENT_ANSWER);
  if (in->ending)
    return;
  bridge_apply(c);
  rec_put(c, RECORD_LIVE);
}

static void tell_connected(struct leg *l) {
  struct leg_inner *in = leg_in(l);
  if (in->told_connected || leg_is_over(l))
    return;
  in->told_connected = true;
  l->connected_ms = call_time_ms(l->call);
  if (l->door->connected)
    l->door->connected(l->door_arg, l);
}

static void on_longest(void *arg) {
  call_end(arg, cause_make(END_MAX_DURATION, BY_GATEWAY, "node.max_call_s"));
}

static void longest_arm(struct call *c) {
  struct call_inner *in = call_in(c);
  uint64_t most_s = in->cs->env.conf->node.max_call_s;
  in->longest.fn = on_longest;
  in->longest.arg = c;
  if (most_s && !in->emergency)
    calls_arm(in->cs, &in->longest, most_s * 1000000);
}

void call_check_connected(struct call *c) {
  struct call_inner *in = call_in(c);
  struct leg *far = in->bridged;
  if (c->caller->state != LEG_LIVE || (far && far->state != LEG_LIVE))
    return;
  loop_disarm(in->cs->env.loop, &in->media);
  if (!in->connected_us) {
    in->connected_us = clock_now_us();
    longest_arm(c);
    fold_soon(c);
  }
  tell_connected(c->caller);
  if (far)
    tell_connected(far);
}

/* The end ------------------------------------------------------------------------------------------- */

void call_stop_timers(struct call *c) {
  struct call_inner *in = call_in(c);
  struct loop *loop = in->cs->env.loop;
  loop_disarm(loop, &in->answer);
  loop_disarm(loop, &in->media);
  loop_disarm(loop, &in->interim);
  loop_disarm(loop, &in->longest);
}

static void leave_guard(struct call *c) {
  struct call_inner *in = call_in(c);
  if (in->in_trunk)
    guard_leave(in->cs->env.guard, in->in_trunk);
  in->in_trunk = NULL;
  guard_caps_leave(in->cs->env.guard, &in->caps,
                   in->connected_us ? clock_now_us() - in->connected_us : 0, clock_now_us());
  hunt_leave(c);
}

/* A caller that hangs up before the answer has canceled, whatever word its door had for it. */
static struct cause cause_before_answer(const struct call *c, struct cause why) {
  if (!c->answered && why.reason == END_COMPLETED && why.by == BY_CALLER)
    why.reason = END_CANCELED;
  return why;
}

void call_end(struct call *c, struct cause why) {
  struct call_inner *in = call_in(c);
  if (in->ending)
    return;
  in->ending = true;
  if (in->is_folded)
    fold_open(c); /* a timer ends it */
  why = in->why = cause_before_answer(c, why);
  blame_note(c);
  transfer_undone(c, &why);
  for (struct leg *l = call_next_leg(c, NULL); l; l = call_next_leg(c, l)) {
    if (leg_is_over(l))
      continue;
    l->cause = why;
    (void)fsm_fire(l, EVENT_END);
  }
  hunt_stop(c);
  call_stop_timers(c);
  leave_guard(c);
  call_keep_ended(c);
  log_info(call, "%s ended: %s %s", c->id, end_reason_word(why.reason), why.detail);
  call_leg_unended(c);
}

void call_leg_unended(struct call *c) {
  struct call_inner *in = call_in(c);
  if (c->ended_ms && in->ends_pending == 0 && !in->recorded) {
    rec_put(c, RECORD_ENDED);
    call_forget_ended(c);
  }
}

void call_leg_over(struct leg *l) {
  struct call *c = l->call;
  struct call_inner *in = call_in(c);
  if (in->ending)
    return;
  bool was_bridged = in->bridged == l;
  if (l == c->caller || (c->answered && was_bridged)) {
    in->is_caller_faulty = l == c->caller;
    call_end(c, l->cause);
    return;
  }
  if (was_bridged) { /* an early one gave up, others may still answer */
    in->bridged = NULL;
    bridge_apply(c);
  }
  if (!c->answered && !in->ending)
    hunt_leg_over(l);
}
