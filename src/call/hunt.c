/* SPDX-License-Identifier: Apache-2.0
 * The walk over the steps of a plan: see hunt.h. An attempt that is over is followed by the next one
 * only a turn later, so that whoever told its end has finished. Call thread. */
#include "call/lineup.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/q850.h"

#include <stdio.h>

static void go_on(struct hunt *h);
static void step_begin(struct hunt *h);

static struct hunt_frame *frame_of(struct hunt *h) { return &h->frames[h->n_frames - 1]; }

const struct route_step *hunt_step(const struct hunt *h) {
  const struct hunt_frame *f = &h->frames[h->n_frames - 1];
  return &f->steps[f->at];
}

bool hunt_leads_out(const struct hunt *h) { return hunt_step(h)->action == ROUTE_TRUNK; }

/* Making ------------------------------------------------------------------------------------------- */

struct verdict hunt_refusal(const struct route_decision *d) {
  struct verdict v;
  if (!d->rule[0])
    return verdict_refuse(REFUSE_NO_ROUTE, "no rule of the dialplan matches");
  const char *why = d->fault ? d->fault : d->n_steps ? d->steps[0].reason : "";
  v = verdict_refuse(d->sip == 404 ? REFUSE_NO_ROUTE : REFUSE_PLAN, "rule %s refuses with %d%s%s",
                     d->rule, d->sip, why[0] ? ": " : "", why);
  v.sip = d->sip;
  v.q850 = d->sip == 404 ? 0 : q850_of_status(d->sip);
  return v;
}

/* A decision without steps (a user named by who calls) is one step. */
static void step_of_decision(struct route_step *s, const struct route_decision *d) {
  const char *name = d->action == ROUTE_TRUNK ? d->trunk : d->user;
  s->action = d->action;
  s->n = d->action == ROUTE_TRUNK || d->action == ROUTE_USER;
  slice_copy(s->to[0].name, sizeof(s->to[0].name), slice_of(name));
}

struct verdict hunt_push(struct hunt *h, const struct route_decision *d) {
  struct hunt_frame *f = &h->frames[h->n_frames];
  uint32_t n = d->n_steps ? d->n_steps : 1;
  if (d->action == ROUTE_REFUSE)
    return hunt_refusal(d);
  if (h->n_frames == HUNT_FRAMES)
    return verdict_refuse(REFUSE_LOOP, "more than %d forwards of one call", HUNT_FORWARDS_MAX);
  *f = (struct hunt_frame){.n = n, .timeout_s = d->timeout_s, .n_row = d->n_row};
  memcpy(f->row, d->row, sizeof(f->row));
  f->steps = calloc(n, sizeof(*f->steps));
  if (!f->steps)
    return verdict_refuse(REFUSE_INTERNAL, "no memory");
  if (d->n_steps)
    memcpy(f->steps, d->steps, n * sizeof(*f->steps));
  else
    step_of_decision(f->steps, d);
  h->n_frames++;
  return verdict_pass();
}

void hunt_pop(struct hunt *h) { free(h->frames[--h->n_frames].steps); }

struct verdict hunt_new(struct hunt **ret, struct calls *cs, const struct route_decision *d) {
  struct hunt *h = calloc(1, sizeof(*h));
  if (!h)
    return verdict_refuse(REFUSE_INTERNAL, "no memory");
  h->cs = cs;
  h->is_emergency = d->emergency;
  struct verdict v = hunt_push(h, d);
  if (verdict_is_pass(&v))
    *ret = h;
  else
    free(h);
  return v;
}

void hunt_asked(struct hunt *h, const char *called, const char *caller) {
  slice_copy(h->called, sizeof(h->called), slice_of(called));
  slice_copy(h->caller, sizeof(h->caller), slice_of(caller));
}

struct hunt *hunt_free(struct hunt *h) {
  if (!h)
    return NULL;
  loop_disarm(h->cs->env.loop, &h->limit);
  loop_disarm(h->cs->env.loop, &h->next_ring);
  loop_disarm(h->cs->env.loop, &h->go);
  if (h->admitted)
    guard_leave(h->cs->env.guard, h->admitted);
  while (h->n_frames)
    hunt_pop(h);
  free(h);
  return NULL;
}

/* Attempts ----------------------------------------------------------------------------------------- */

static bool is_demoted(const struct hunt *h, const struct hunt_try *t) {
  const struct conf_trunk *trunk = conf_trunk_find(h->cs->env.conf, slice_of(t->name));
  const struct door *d = h->cs->doors[LEG_TRUNK].door;
  return t->kind == LEG_TRUNK && trunk && d && d->rank && d->rank(h->cs->doors[LEG_TRUNK].arg, trunk);
}

static void try_close(struct hunt *h, struct hunt_try *t, const struct cause *why) {
  if (!t->is_live)
    return;
  t->is_live = false;
  t->ended_ms = call_time_ms(h->call);
  t->reason = why->reason;
  t->sip = why->sip;
  t->q850 = why->q850;
  t->fault = why->fault;
  t->is_peer = why->by == BY_CALLEE;
  t->tries = why->tries;
  t->target = why->target;
  t->is_demoted = is_demoted(h, t);
  h->n_live--;
  if (t->kind == LEG_TRUNK)
    hunt_leave_trunk(h);
  trace_note(h->call->trace, TRACE_GATEWAY, TRACE_STATE, "attempt %u, %s %s: %s %d %s",
             (unsigned)(t - h->tries) + 1, t->kind == LEG_TRUNK ? "trunk" : "user", t->name,
             end_reason_word(why->reason), why->sip, why->detail);
  log_info(call, "%s: attempt %u, %s %s: %s %d %s", h->call->id, (unsigned)(t - h->tries) + 1,
           t->kind == LEG_TRUNK ? "trunk" : "user", t->name, end_reason_word(why->reason), why->sip,
           why->detail);
}

static struct hunt_try *try_find(struct hunt *h, enum leg_kind kind, const char *name) {
  for (uint32_t i = 0; i < h->n_tries; i++)
    if (h->tries[i].is_live && h->tries[i].kind == kind &&
        (!name || strcmp(h->tries[i].name, name) == 0))
      return &h->tries[i];
  return NULL;
}

static struct hunt_try *try_add(struct hunt *h, enum leg_kind kind, const char *name) {
  if (h->n_tries == HUNT_TRIES_MAX)
    return NULL;
  struct hunt_try *t = &h->tries[h->n_tries++];
  *t = (struct hunt_try){.kind = kind, .is_live = true, .started_ms = call_time_ms(h->call)};
  slice_copy(t->name, sizeof(t->name), slice_of(name));
  h->n_live++;
  return t;
}

/* What the caller is told if nothing follows: of a group's members the most certain word. */
static void tell(struct hunt *h, const struct cause *why) {
  bool is_group = hunt_step(h)->action == ROUTE_USER && h->has_word;
  h->last = is_group ? outcome_worse(&h->last, why) : *why;
  h->has_word = true;
}

/* Asks the door for it. What could not be asked is over at once, with its cause in h->last. */
static bool try_ring(struct hunt *h, const struct target *target) {
  struct calls *cs = h->cs;
  const struct door *d = cs->doors[target->kind].door;
  struct hunt_try *t = try_add(h, target->kind, target->trunk ? target->trunk->name : target->user);
  struct verdict v =
      verdict_refuse(REFUSE_INTERNAL, t ? "no door leads there" : "more than 16 attempts");
  call_in(h->call)->target = *target;
  trace_note(h->call->trace, TRACE_GATEWAY, TRACE_STATE, "attempt %u: %s %s", h->n_tries,
             target->kind == LEG_TRUNK ? "trunk" : "user",
             target->trunk ? target->trunk->name : target->user);
  if (t && d)
    v = d->ring(cs->doors[target->kind].arg, h->call, target);
  h->has_rung[target->kind] |= verdict_is_pass(&v); /* a door that refused has nothing to stop */
  if (verdict_is_pass(&v))
    return true;
  struct cause why = cause_of_verdict(&v);
  tell(h, &why);
  if (t)
    try_close(h, t, &why);
  return false;
}

static void doors_stop(struct hunt *h) {
  for (uint32_t kind = 0; kind < COUNT_OF(h->cs->doors); kind++) {
    const struct door *d = h->cs->doors[kind].door;
    if (h->has_rung[kind] && d && d->ring_stop)
      d->ring_stop(h->cs->doors[kind].arg, h->call);
    h->has_rung[kind] = false;
  }
}

/* Ends all that rings: at a time limit, and before the call is led elsewhere. */
void hunt_give_up(struct hunt *h, const struct cause *why) {
  struct call *c = h->call;
  h->is_quiet = true;
  for (uint32_t i = 0; i < h->n_tries; i++)
    try_close(h, &h->tries[i], why);
  for (struct leg *l = call_next_leg(c, NULL); l; l = call_next_leg(c, l))
    if (l != c->caller && !leg_is_over(l))
      leg_end(l, *why);
  doors_stop(h);
  h->is_quiet = false;
}

static bool has_progress(const struct hunt *h) {
  bool has = false;
  for (struct leg *l = call_next_leg(h->call, NULL); l; l = call_next_leg(h->call, l))
    has = has || (l != h->call->caller && !leg_is_over(l) && l->state >= LEG_RINGING);
  return has;
}

static uint32_t limit_s(const struct hunt *h) {
  const struct hunt_frame *f = &h->frames[h->n_frames - 1];
  uint32_t step_s = f->steps[f->at].timeout_s;
  return step_s ? step_s : f->timeout_s ? f->timeout_s : h->call->ring_timeout_s;
}

static void arm_limit(struct hunt *h) { calls_arm(h->cs, &h->limit, limit_s(h) * UINT64_C(1000000)); }

/* Users -------------------------------------------------------------------------------------------- */

static struct verdict user_check(const struct hunt *h, const char *name) {
  uint32_t most = h->cs->env.conf->service.calls_per_identity;
  if (!conf_user_find(h->cs->env.conf, slice_of(name)))
    return verdict_refuse(REFUSE_NO_USER, "no user is configured by the name %s", name);
  if (most && !h->is_emergency && calls_of_identity(h->cs, name) >= most)
    return verdict_refuse(REFUSE_CALLS_IDENTITY, "service.calls_per_identity is %u", most);
  return verdict_pass();
}

static bool user_ring(struct hunt *h, const char *name) {
  struct target target = {.kind = LEG_NATIVE};
  struct verdict v = user_check(h, name);
  slice_copy(target.user, sizeof(target.user), slice_of(name));
  if (!verdict_is_pass(&v)) {
    struct cause why = cause_of_verdict(&v);
    tell(h, &why);
    return false;
  }
  slice_copy(h->call->to_user, sizeof(h->call->to_user), slice_of(name));
  return try_ring(h, &target);
}

static bool rings_one_by_one(const struct route_step *s) { return s->in_turn || s->next_after_s; }

/* The next of a group who can be asked; false: none is left. */
static bool users_next(struct hunt *h) {
  const struct route_step *s = hunt_step(h);
  while (h->next < s->n)
    if (user_ring(h, s->to[h->next++].name)) {
      if (s->next_after_s && h->next < s->n)
        calls_arm(h->cs, &h->next_ring, s->next_after_s * UINT64_C(1000000));
      if (!s->next_after_s)
        arm_limit(h);
      return true;
    }
  return false;
}

static void users_begin(struct hunt *h) {
  const struct route_step *s = hunt_step(h);
  h->next = 0;
  arm_limit(h);
  bool any = users_next(h);
  while (!rings_one_by_one(s) && h->next < s->n)
    any |= users_next(h);
  if (!any)
    go_on(h);
}

static void on_next_ring(void *arg) {
  struct hunt *h = arg;
  (void)users_next(h);
}

/* Trunks ------------------------------------------------------------------------------------------- */

/* So that guard knows the call when it comes back by another way (S21). */
static void note_out(struct hunt *h, const struct conf_trunk *t) {
  const struct call *c = h->call;
  guard_note_out(h->cs->env.guard, t, slice_of(c->from), slice_of(c->to), slice_of(c->session_local),
                 clock_now_us());
  h->is_noted = true;
}

/* A pattern that ran into its limits, a number that is too long: it goes out as it is. */
static void numbers_write(const struct hunt *h, struct target *t) {
  const struct call *c = h->call;
  const struct plan *p = h->cs->env.plan;
  if (route_number(p, t->trunk->name, ROUTE_OUT_CALLED, slice_of(c->to), t->called, sizeof(t->called)) <
      0)
    slice_copy(t->called, sizeof(t->called), slice_of(c->to));
  if (route_number(p, t->trunk->name, ROUTE_OUT_CALLER, slice_of(c->from), t->caller,
                   sizeof(t->caller)) < 0)
    slice_copy(t->caller, sizeof(t->caller), slice_of(c->from));
}

static bool trunks_next(struct hunt *h) {
  struct target target = {.kind = LEG_TRUNK};
  while (h->next < h->n_order) {
    struct verdict v = verdict_pass();
    if (*lineup_slot(h))
      target.trunk = *lineup_slot(h); /* the first one, when the call was placed */
    else
      v = lineup_pick(h, &target.trunk);
    if (!verdict_is_pass(&v)) {
      h->last = cause_of_verdict(&v);
      return false;
    }
    h->next++;
    note_out(h, target.trunk);
    numbers_write(h, &target);
    arm_limit(h);
    if (try_ring(h, &target))
      return true;
    hunt_leave_trunk(h); /* of an attempt that was none */
  }
  return false;
}

static void trunks_begin(struct hunt *h) {
  if (!h->is_ordered)
    lineup_order(h);
  h->is_ordered = false;
  if (!h->n_order) {
    struct verdict v = lineup_refusal(h);
    h->last = cause_of_verdict(&v);
  }
  if (!trunks_next(h))
    go_on(h);
}

/* Forwards ----------------------------------------------------------------------------------------- */

static void forward_begin(struct hunt *h) {
  const struct route_step *s = hunt_step(h); /* one of a redirect may name a trunk */
  bool is_voicemail = s->is_voicemail;
  struct verdict v =
      hunt_forward(h, slice_of(s->number), outcome_status(h->outcome), s->n ? s->to[0].name : "");
  h->outcome = 0;
  if (verdict_is_pass(&v)) {
    h->call->is_voicemail = is_voicemail;
    step_begin(h);
    return;
  }
  h->last = cause_of_verdict(&v);
  go_on(h);
}

/* The walk ----------------------------------------------------------------------------------------- */

static void refuse_end(struct hunt *h) {
  const struct route_step *s = hunt_step(h);
  struct cause why = cause_of_sip(s->sip, q850_of_status(s->sip), BY_GATEWAY);
  slice_copy(why.detail, sizeof(why.detail), slice_of(s->reason));
  call_end(h->call, why);
}

static void answer_self(struct hunt *h) {
  call_in(h->call)->action = hunt_step(h)->action;
  bridge_apply(h->call); /* the gateway itself is the far side: an echo or a tone */
  call_answer_caller(h->call);
}

static void announce(struct hunt *h) { announce_begin(h->call, hunt_step(h)); }

static void step_begin(struct hunt *h) {
  static void (*const begins[])(struct hunt *) = {
      [ROUTE_REFUSE] = refuse_end, [ROUTE_USER] = users_begin, [ROUTE_TRUNK] = trunks_begin,
      [ROUTE_ECHO] = answer_self,  [ROUTE_TONE] = answer_self, [ROUTE_FORWARD] = forward_begin,
      [ROUTE_ANNOUNCE] = announce,
  };
  call_in(h->call)->action = hunt_step(h)->action;
  h->has_word = h->goes_on = false;
  begins[hunt_step(h)->action](h);
}

/* The step is over: the next one that may follow, here or below where a forward asked; else the end. */
static void step_over(struct hunt *h, enum route_outcome outcome) {
  loop_disarm(h->cs->env.loop, &h->limit);
  loop_disarm(h->cs->env.loop, &h->next_ring);
  h->outcome = outcome;
  for (;;) {
    struct hunt_frame *f = frame_of(h);
    if (f->at + 1 < f->n && (f->steps[f->at].on & outcome)) {
      f->at++;
      h->goes_on = false;
      calls_arm(h->cs, &h->go, 0);
      return;
    }
    if (h->n_frames == 1)
      break;
    hunt_pop(h);
  }
  call_end(h->call, h->last);
}

/* Nothing rings: the next target of the step, or its end. */
static void go_on(struct hunt *h) {
  const struct route_step *s = hunt_step(h);
  if (h->n_live)
    return;
  bool has_next = s->action == ROUTE_USER    ? rings_one_by_one(s) && h->next < s->n
                  : s->action == ROUTE_TRUNK ? h->goes_on && h->next < h->n_order
                                             : false;
  if (has_next && h->n_tries < HUNT_TRIES_MAX) {
    h->goes_on = true;
    calls_arm(h->cs, &h->go, 0);
    return;
  }
  bool all_failed = s->action == ROUTE_TRUNK && h->goes_on;
  step_over(h, all_failed ? OUTCOME_UNREACHABLE : outcome_of(&h->last));
}

static void on_go(void *arg) {
  struct hunt *h = arg;
  if (call_in(h->call)->ending || h->call->answered)
    return;
  doors_stop(h);
  if (!h->goes_on) {
    step_begin(h);
    return;
  }
  if (hunt_step(h)->action == ROUTE_TRUNK ? !trunks_next(h) : !users_next(h))
    go_on(h);
}

/* A trunk that did nothing within the time is silent; who rang did not answer. */
static void on_limit(void *arg) {
  struct hunt *h = arg;
  struct cause why = cause_make(END_NO_ANSWER, BY_GATEWAY, "nobody answered in time");
  bool is_trunk = hunt_leads_out(h), rang = has_progress(h);
  if (h->call->answered)
    return;
  loop_disarm(h->cs->env.loop, &h->next_ring);
  h->goes_on = is_trunk && !rang;
  hunt_give_up(h, &why);
  tell(h, &why);
  if (!hunt_step(h)->in_turn && !is_trunk)
    h->next = hunt_step(h)->n; /* the time is the whole step's */
  if (!call_in(h->call)->ending)
    go_on(h);
}

static void try_over(struct hunt *h, struct hunt_try *t, const struct cause *why, bool had_progress) {
  const struct conf_trunk *trunk = conf_trunk_find(h->cs->env.conf, slice_of(t->name));
  t->had_progress = had_progress;
  try_close(h, t, why);
  h->goes_on = t->kind == LEG_TRUNK && outcome_fails_over(trunk, why, had_progress);
  tell(h, why);
  go_on(h);
}

/* A device's decline is its user's: nothing of that user rings any more. */
static void user_over(struct hunt *h, struct hunt_try *t, const struct cause *why) {
  h->is_quiet = true;
  for (struct leg *l = call_next_leg(h->call, NULL); l; l = call_next_leg(h->call, l))
    if (l != h->call->caller && l->kind == LEG_NATIVE && !leg_is_over(l) &&
        strcmp(l->identity, t->name) == 0)
      leg_end(l, *why);
  h->is_quiet = false;
  try_over(h, t, why, true);
}

void hunt_leg_over(struct leg *l) {
  struct hunt *h = call_in(l->call)->hunt;
  if (!h || h->is_quiet || !h->is_begun)
    return;
  struct hunt_try *t = try_find(h, l->kind, l->trunk ? l->trunk->name : l->identity);
  if (t && l->kind == LEG_NATIVE && l->cause.reason == END_DECLINED)
    user_over(h, t, &l->cause);
  else if (t && l->kind == LEG_TRUNK)
    try_over(h, t, &l->cause, l->ringing_ms || leg_in(l)->dialogs || l->cause.had_progress);
}

void call_target_done(struct call *c, struct cause why) {
  struct hunt *h = call_in(c)->hunt;
  struct hunt_try *t = h && h->n_live == 1 ? try_find(h, LEG_TRUNK, NULL) : NULL;
  if (!t && h && h->n_live == 1)
    t = try_find(h, LEG_NATIVE, NULL);
  if (t && !c->answered && !call_in(c)->ending)
    try_over(h, t, &why, why.had_progress);
}

void call_user_done(struct call *c, const char *user, struct cause why) {
  struct hunt *h = call_in(c)->hunt;
  struct hunt_try *t = h ? try_find(h, LEG_NATIVE, user) : NULL;
  if (t && !c->answered && !call_in(c)->ending)
    user_over(h, t, &why);
}

void hunt_begin(struct call *c) {
  struct hunt *h = call_in(c)->hunt;
  h->limit = (struct timer){.fn = on_limit, .arg = h};
  h->next_ring = (struct timer){.fn = on_next_ring, .arg = h};
  h->go = (struct timer){.fn = on_go, .arg = h};
  h->is_begun = true;
  struct verdict v =
      c->verified[0] && !call_in(c)->replaces && c->caller->kind == LEG_TRUNK && h->called[0]
          ? hunt_decide_again(h)
          : verdict_pass();
  if (verdict_is_pass(&v))
    step_begin(h);
  else
    call_end(c, cause_of_verdict(&v));
}

static bool is_winner(const struct call *c, const struct hunt_try *t) {
  const struct leg *l = c->answered ? c->callee : NULL;
  return l && l->kind == t->kind && strcmp(l->trunk ? l->trunk->name : l->identity, t->name) == 0;
}

static void tries_settle(struct hunt *h) {
  for (uint32_t i = 0; i < h->n_tries; i++) {
    struct hunt_try *t = &h->tries[i];
    if (!t->is_live)
      continue;
    bool won = is_winner(h->call, t);
    t->is_live = false;
    t->ended_ms = call_time_ms(h->call);
    t->reason = won ? END_COMPLETED : h->call->answered ? END_ANSWERED_ELSEWHERE : END_CANCELED;
    t->sip = won ? 200 : 487;
  }
  h->n_live = 0;
}

void hunt_stop(struct call *c) {
  struct hunt *h = call_in(c)->hunt;
  if (!h || !h->is_begun)
    return;
  loop_disarm(h->cs->env.loop, &h->limit);
  loop_disarm(h->cs->env.loop, &h->next_ring);
  loop_disarm(h->cs->env.loop, &h->go);
  doors_stop(h);
  tries_settle(h);
}

void hunt_leave(struct call *c) {
  struct hunt *h = call_in(c)->hunt;
  if (h && h->call)
    hunt_leave_trunk(h);
}

bool hunt_rings(const struct call *c, const char *identity) {
  struct hunt *h = call_in(c)->hunt;
  return h && try_find(h, LEG_NATIVE, identity);
}
