/* SPDX-License-Identifier: Apache-2.0
 * The plan asked again for a call that exists: a forward to another number, by the plan or by who was
 * called, and the caller's signature when it was looked at. Call thread. */
#include "call/hunt.h"

#include "base/clock.h"
#include "base/log.h"

static struct route_decision decide_forward(const struct hunt *h, struct slice number,
                                            const char *trunk) {
  const struct call *c = h->call;
  const struct call_inner *in = call_in(c);
  struct route_facts f = {.from_kind = SLICE("forward"),
                          .trunk = in->in_trunk ? slice_of(in->in_trunk->name) : SLICE(""),
                          .tenant = slice_of(in->tenant),
                          .called = number,
                          .caller = slice_of(c->from),
                          .identity = slice_of(in->identity),
                          .anonymous = c->anonymous,
                          .wall_s = clock_wall_ms() / 1000};
  struct route_decision by_trunk = {.action = ROUTE_TRUNK};
  slice_copy(by_trunk.trunk, sizeof(by_trunk.trunk), slice_of(trunk));
  return *trunk ? by_trunk : route_decide(h->cs->env.plan, &f);
}

static struct verdict forward_note(struct hunt *h, struct slice number, uint16_t status) {
  struct call *c = h->call;
  struct slice from = slice_of(c->to[0] ? c->to : c->to_user);
  if (h->n_forwards == HUNT_FORWARDS_MAX)
    return verdict_refuse(REFUSE_LOOP, "more than %d forwards of one call", HUNT_FORWARDS_MAX);
  if (slice_eq(from, number) || history_has(&c->history, number))
    return verdict_refuse(REFUSE_LOOP, "the call was at that number already");
  if (history_add(&c->history, from, status, false) < 0)
    return verdict_refuse(REFUSE_LOOP, "more than %d diversions of one call", HISTORY_MAX);
  h->n_forwards++;
  return verdict_pass();
}

/* A decision for the number above the step that asks for it; the caller's side is told. */
struct verdict hunt_forward(struct hunt *h, struct slice number, uint16_t status, const char *trunk) {
  struct call *c = h->call;
  struct verdict v = forward_note(h, number, status);
  if (!verdict_is_pass(&v))
    return v;
  struct route_decision d = decide_forward(h, number, trunk);
  v = hunt_push(h, &d);
  if (!verdict_is_pass(&v))
    return v;
  c->is_voicemail = false;
  slice_copy(c->to, sizeof(c->to), d.called[0] ? slice_of(d.called) : number);
  if (d.caller[0])
    slice_copy(c->from, sizeof(c->from), slice_of(d.caller));
  log_info(call, "%s: forwarded to %s by rule %s", c->id, c->to, d.rule);
  if (c->caller && !leg_is_over(c->caller) && c->caller->door->forwarded)
    c->caller->door->forwarded(c->caller->door_arg, c->caller);
  return v;
}

bool hunt_may_forward(const struct call *c) {
  const struct hunt *h = call_in(c)->hunt;
  return !call_in(c)->ending && !c->answered && h && h->is_begun;
}

/* What rings is given up for what was pushed. */
void hunt_lead_on(struct hunt *h) {
  struct cause why = cause_make(END_TRANSFERRED, BY_CALLEE, "");
  loop_disarm(h->cs->env.loop, &h->limit);
  loop_disarm(h->cs->env.loop, &h->next_ring);
  hunt_give_up(h, &why);
  h->goes_on = false;
  h->outcome = 0;
  calls_arm(h->cs, &h->go, 0);
}

struct verdict call_forward(struct call *c, struct slice number, int status) {
  struct hunt *h = call_in(c)->hunt;
  if (!hunt_may_forward(c))
    return verdict_refuse(REFUSE_STATE, "only a call that rings can be led elsewhere");
  struct verdict v = hunt_forward(h, number, (uint16_t)status, "");
  if (verdict_is_pass(&v))
    hunt_lead_on(h);
  return v;
}

static struct slice verified_word(const char *verified) {
  static const char *const words[] = {"A", "B", "C", "V", "none"};
  for (size_t i = 0; i < COUNT_OF(words); i++)
    if (strcmp(verified, words[i]) == 0)
      return slice_of(words[i]);
  return SLICE("failed");
}

/* The plan anew, when it is known what the caller's signature is worth; another rule may take the call.
 */
struct verdict hunt_decide_again(struct hunt *h) {
  struct call *c = h->call;
  const struct call_inner *in = call_in(c);
  struct route_facts f = {.from_kind = SLICE("trunk"),
                          .trunk = in->in_trunk ? slice_of(in->in_trunk->name) : SLICE(""),
                          .called = slice_of(h->called),
                          .caller = slice_of(h->caller),
                          .verified = verified_word(c->verified),
                          .anonymous = c->anonymous,
                          .wall_s = clock_wall_ms() / 1000};
  struct route_decision d = route_decide(h->cs->env.plan, &f);
  if (d.action != ROUTE_REFUSE && strcmp(d.rule, c->rule) == 0)
    return verdict_pass();
  if (d.action == ROUTE_REFUSE)
    return hunt_refusal(&d);
  hunt_leave_trunk(h);
  h->is_ordered = false;
  hunt_pop(h);
  slice_copy(c->rule, sizeof(c->rule), slice_of(d.rule));
  struct verdict v = hunt_push(h, &d);
  if (!verdict_is_pass(&v))
    return v;
  slice_copy(c->to, sizeof(c->to), slice_of(d.called[0] ? d.called : h->called));
  slice_copy(c->from, sizeof(c->from), slice_of(d.caller[0] ? d.caller : h->caller));
  return v;
}
