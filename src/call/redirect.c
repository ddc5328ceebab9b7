/* SPDX-License-Identifier: Apache-2.0
 * A call that rings is sent elsewhere: to several targets in turn, each through plan, limits and guard
 * as a forward is, or back to its caller's trunk by 302. RFC 3261 8.1.3.4, 16.7. */
#include "call/hunt.h"

/* Each target a step: who declines ends it, as 6xx ends a search (RFC 3261 16.7). */
static void steps_of_redirect(struct route_step *s, const struct redirect *r) {
  for (uint32_t i = 0; i < r->n; i++) {
    s[i].action = r->to[i].is_user ? ROUTE_USER : ROUTE_FORWARD;
    s[i].on = OUTCOME_ALWAYS & ~(uint32_t)OUTCOME_DECLINED;
    s[i].n = r->to[i].is_user || r->trunk;
    const char *to = r->to[i].is_user ? r->to[i].name : r->trunk ? r->trunk->name : "";
    slice_copy(s[i].to[0].name, sizeof(s[i].to[0].name), slice_of(to));
    slice_copy(s[i].number, sizeof(s[i].number), slice_of(r->to[i].name));
  }
}

struct verdict call_redirect(struct call *c, const struct redirect *r) {
  struct hunt *h = call_in(c)->hunt;
  if (!hunt_may_forward(c) || !r->n)
    return verdict_refuse(REFUSE_STATE, "only a call that rings can be led elsewhere");
  if (r->n == 1 && !r->to[0].is_user && !r->trunk)
    return call_forward(c, slice_of(r->to[0].name), r->status);
  struct route_step *steps = calloc(r->n, sizeof(*steps));
  if (!steps)
    return verdict_refuse(REFUSE_INTERNAL, "no memory");
  steps_of_redirect(steps, r);
  struct route_decision d = {.action = steps[0].action, .steps = steps, .n_steps = r->n};
  struct verdict v = hunt_push(h, &d);
  free(steps);
  if (verdict_is_pass(&v))
    hunt_lead_on(h);
  return v;
}

struct verdict call_deflect(struct call *c, const struct redirect *r) {
  const struct conf_trunk *t = c->caller ? c->caller->trunk : NULL;
  bool has_user = false;
  for (uint32_t i = 0; i < r->n; i++)
    has_user |= r->to[i].is_user;
  if (!t || t->redirect != REDIRECT_302 || has_user)
    return call_redirect(c, r);
  if (!hunt_may_forward(c))
    return verdict_refuse(REFUSE_STATE, "only a call that rings can be led elsewhere");
  free(c->redirect);
  c->redirect = malloc(sizeof(*c->redirect));
  if (!c->redirect)
    return verdict_refuse(REFUSE_INTERNAL, "no memory");
  *c->redirect = *r;
  struct cause why = cause_make(END_TRANSFERRED, BY_CALLEE, "");
  why.sip = 302;
  why.q850 = 23;
  call_end(c, why);
  return verdict_pass();
}
