/* SPDX-License-Identifier: Apache-2.0
 * The trunks of a step: in which order they are tried, which of them guard takes, and the place that
 * guard keeps for the one that is tried. See lineup.h. Call thread. */
#include "call/lineup.h"

#include "base/clock.h"
#include "base/rand.h"
#include "wire/q850.h"

static const struct route_target *targets_of(const struct hunt *h, uint32_t *ret_n) {
  const struct route_step *s = hunt_step(h);
  const struct hunt_frame *f = &h->frames[h->n_frames - 1];
  *ret_n = s->is_table ? f->n_row : s->n;
  return s->is_table ? f->row : s->to;
}

static int rank_of(const struct calls *cs, const struct conf_trunk *t) {
  const struct door *d = cs->doors[LEG_TRUNK].door;
  if (!t)
    return -ENOENT;
  return d && d->rank ? d->rank(cs->doors[LEG_TRUNK].arg, t) : 0;
}

void lineup_order(struct hunt *h) {
  int ranks[ROUTE_TARGETS_MAX];
  uint32_t n;
  const struct route_target *to = targets_of(h, &n);
  for (uint32_t i = 0; i < n; i++)
    ranks[i] = rank_of(h->cs, conf_trunk_find(h->cs->env.conf, slice_of(to[i].name)));
  h->n_order = route_order(to, ranks, n, rand_below, h->order);
  h->next = 0;
}

static bool is_limit(enum refusal r) {
  return r == REFUSE_TRUNK_CALLS || r == REFUSE_TRUNK_RATE || r == REFUSE_NODE_CALLS;
}

/* Whom guard counts the call on: the call keeps it, as its legs may go to other calls. */
const struct conf_trunk **lineup_slot(struct hunt *h) {
  return h->call ? &call_in(h->call)->out_trunk : &h->admitted;
}

void hunt_seat(struct hunt *h, struct call *c) {
  h->call = c;
  call_in(c)->out_trunk = take(h->admitted);
}

static struct verdict admit(struct hunt *h, const struct conf_trunk *t) {
  struct verdict v = guard_admit_out(h->cs->env.guard, t, clock_now_us());
  if (verdict_is_pass(&v))
    *lineup_slot(h) = t;
  else if (h->is_emergency && is_limit(v.refusal))
    return verdict_pass(); /* not counted as live, so nothing to leave */
  return v;
}

/* The next trunk of the order that guard takes: *ret, at h->next. */
struct verdict lineup_pick(struct hunt *h, const struct conf_trunk **ret) {
  struct verdict v = verdict_refuse(REFUSE_TRUNK_DOWN, "no trunk of the plan's step takes calls now");
  uint32_t n;
  const struct route_target *to = targets_of(h, &n);
  for (*ret = NULL; h->next < h->n_order; h->next++) {
    const struct conf_trunk *t = conf_trunk_find(h->cs->env.conf, slice_of(to[h->order[h->next]].name));
    if (t)
      v = admit(h, t);
    if (t && verdict_is_pass(&v)) {
      *ret = t;
      return v;
    }
  }
  return v;
}

static struct verdict unregistered(const struct calls *cs, const struct conf_trunk *t) {
  const struct door *d = cs->doors[LEG_TRUNK].door;
  char words[80] = "";
  const char *more =
      d->unregistered ? d->unregistered(cs->doors[LEG_TRUNK].arg, t, words, sizeof(words)) : "";
  return verdict_refuse(REFUSE_TRUNK_DISABLED, "trunk %s is not registered%s", t->name, more);
}

/* Why none of a list may be tried: a single trunk is named. */
struct verdict lineup_refusal(struct hunt *h) {
  uint32_t n;
  const struct route_target *to = targets_of(h, &n);
  if (n == 1 && !conf_trunk_find(h->cs->env.conf, slice_of(to[0].name)))
    return verdict_refuse(REFUSE_NO_ROUTE, "the plan leads to a trunk that is not configured");
  if (n == 1 && rank_of(h->cs, conf_trunk_find(h->cs->env.conf, slice_of(to[0].name))) == -ENOTCONN)
    return unregistered(h->cs, conf_trunk_find(h->cs->env.conf, slice_of(to[0].name)));
  return verdict_refuse(REFUSE_TRUNK_DISABLED, "no trunk of the plan's step takes new calls");
}

/* The next step may follow where no trunk of this one can be tried. */
static bool is_passed(const struct hunt *h) {
  const struct hunt_frame *f = &h->frames[h->n_frames - 1];
  return f->at + 1 < f->n && (f->steps[f->at].on & OUTCOME_UNREACHABLE);
}

struct verdict hunt_admit(struct hunt *h) {
  const struct conf_trunk *t;
  struct verdict v = verdict_pass();
  while (hunt_leads_out(h)) {
    lineup_order(h);
    h->is_ordered = true;
    v = h->n_order ? lineup_pick(h, &t) : lineup_refusal(h);
    if (verdict_is_pass(&v) || !is_passed(h))
      return v;
    h->frames[h->n_frames - 1].at++;
    h->is_ordered = false;
    h->outcome = OUTCOME_UNREACHABLE;
    h->last = cause_of_verdict(&v);
  }
  const struct route_step *s = hunt_step(h);
  if (s->action != ROUTE_REFUSE)
    return verdict_pass();
  v = verdict_refuse(REFUSE_TRUNK_DOWN, "no trunk takes the call: %s", s->reason);
  v.sip = s->sip;
  v.q850 = q850_of_status(s->sip);
  return v;
}

static void forget_note(struct hunt *h) {
  if (h->is_noted)
    guard_forget_out(h->cs->env.guard, slice_of(h->call->session_local));
  h->is_noted = false;
}

void hunt_leave_trunk(struct hunt *h) {
  const struct conf_trunk **slot = lineup_slot(h);
  if (*slot)
    guard_leave(h->cs->env.guard, *slot);
  *slot = NULL;
  forget_note(h);
}
