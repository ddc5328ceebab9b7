/* SPDX-License-Identifier: Apache-2.0
 * The table of fsm.def and its actions: what a leg's event means for it and, through the call, for
 * the other side. */
#include "call/inner.h"
#include "call/transfer.h"

#include "base/clock.h"

static struct verdict act_nothing(struct leg *l) {
  (void)l;
  return verdict_pass();
}

static struct verdict act_refused(struct leg *l) {
  (void)l;
  return verdict_refuse(REFUSE_STATE, "not possible in this state of the call");
}

static struct verdict act_opened(struct leg *l) {
  leg_on_opened(l);
  return verdict_pass();
}

/* Rung for the first time: a caller's door says so to its peer, a callee's ringing rings the caller. */
static struct verdict act_ring(struct leg *l) {
  if (l->ringing_ms)
    return verdict_pass();
  l->ringing_ms = call_time_ms(l->call);
  if (l->role == LEG_CALLEE) {
    transfer_told(l->call, 180);
    return fsm_fire(l->call->caller, EVENT_RING);
  }
  bridge_ringback(l->call);
  if (l->door->ringing)
    l->door->ringing(l->door_arg, l);
  return verdict_pass();
}

static struct verdict act_early(struct leg *l) {
  if (l->role == LEG_CALLER && l->door->progress)
    l->door->progress(l->door_arg, l);
  return verdict_pass();
}

static struct verdict act_answer(struct leg *l) {
  if (l->role == LEG_CALLEE) {
    call_answered_by(l);
    return verdict_pass();
  }
  l->answered_ms = call_time_ms(l->call);
  l->early_media = false;
  if (l->door->answered)
    l->door->answered(l->door_arg, l);
  if (leg_is_up(l))
    return fsm_fire(l, EVENT_UP);
  return verdict_pass();
}

static struct verdict act_up(struct leg *l) {
  if (l->role == LEG_CALLEE && l->call->answered)
    call_answer_caller(l->call);
  call_check_connected(l->call);
  return verdict_pass();
}

static struct verdict act_end(struct leg *l) {
  struct calls *cs = leg_calls(l);
  struct leg_inner *in = leg_in(l);
  loop_disarm(cs->env.loop, &in->consent);
  loop_disarm(cs->env.loop, &in->fresh_late);
  l->offer_pending = false;
  if (l->fresh)
    leg_close_session(l, l->fresh);
  leg_close_session(l, &l->media);
  calls_reap_later(cs, l);
  if (l->door->ended)
    l->door->ended(l->door_arg, l);
  call_leg_over(l);
  return verdict_pass();
}

static const struct {
  struct verdict (*act)(struct leg *l);
  enum leg_state next;
} cells[LEG_STATES][EVENT_COUNT_] = {
#define EDGE(state, event, next, action) [LEG_##state][EVENT_##event] = {act_##action, LEG_##next},
#include "call/fsm.def"
#undef EDGE
};

struct verdict fsm_fire(struct leg *l, enum leg_event e) {
  enum leg_state was = l->state;
  l->state = cells[was][e].next;
  if (l->call->trace && l->state != was)
    timeline_state(l, was);
  return cells[was][e].act(l);
}

bool fsm_cell(enum leg_state s, enum leg_event e, enum leg_state *ret_next) {
  *ret_next = cells[s][e].next;
  return cells[s][e].act != NULL;
}
