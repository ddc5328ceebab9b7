/* SPDX-License-Identifier: Apache-2.0
 * Legs that go to another call. A blind transfer: the party that is transferred becomes the caller of
 * a new call and hears it ring, who asked waits alone in the old one; answered, the old call ends,
 * else the party comes back. An attended one and a replacement: two legs change places. Directions
 * and holds are made anew by bridge_apply, never copied. RFC 5589, 3891. */
#include "call/transfer.h"

#include "base/log.h"
#include "call/inner.h"

#include <stdio.h>

/* Of the new call: where its caller came from. */
struct transfer {
  pool_handle asker, moved;
  enum leg_role asker_was, moved_was;
  uint64_t op;
  char target[CONF_NAME_BYTES];
};

/* Places ------------------------------------------------------------------------------------------ */

/* By whose limits the leg of that role is counted. */
static const struct conf_trunk **slot_of(struct call *c, enum leg_role role) {
  return role == LEG_CALLER ? &call_in(c)->in_trunk : &call_in(c)->out_trunk;
}

static void slots_swap(const struct conf_trunk **a, const struct conf_trunk **b) {
  const struct conf_trunk *was = *a;
  *a = *b;
  *b = was;
}

static void leave(struct leg *l) {
  struct call *c = l->call;
  struct call_inner *in = call_in(c);
  if (c->caller == l)
    c->caller = NULL;
  if (c->callee == l)
    c->callee = NULL;
  if (in->bridged == l)
    in->bridged = NULL;
  in->ends_pending -= leg_in(l)->ends_pending;
  list_del(&leg_in(l)->node);
}

static void sit(struct leg *l, enum leg_role role) {
  struct call *c = l->call;
  l->role = role;
  if (role == LEG_CALLER)
    c->caller = l;
  else
    c->callee = call_in(c)->bridged = l;
}

static void join(struct leg *l, struct call *c, enum leg_role role) {
  l->call = c;
  l->early_media = false;
  list_add_tail(&c->legs, &leg_in(l)->node);
  call_in(c)->ends_pending += leg_in(l)->ends_pending;
  sit(l, role);
  timeline_leg(l);
}

static void swap(struct leg *a, struct leg *b) {
  struct call *ca = a->call, *cb = b->call;
  enum leg_role ra = a->role, rb = b->role;
  slots_swap(slot_of(ca, ra), slot_of(cb, rb));
  leave(a);
  leave(b);
  join(a, cb, rb);
  join(b, ca, ra);
}

static bool is_talking(const struct leg *l) { return l->state == LEG_LIVE || l->state == LEG_ANSWERED; }

static void tell_moved(struct leg *l) {
  if (l && !leg_is_over(l) && l->door->moved)
    l->door->moved(l->door_arg, l);
}

static struct cause transferred(const struct leg *by) {
  return cause_make(END_TRANSFERRED, by->role == LEG_CALLER ? BY_CALLER : BY_CALLEE, "");
}

/* Blind ------------------------------------------------------------------------------------------- */

int transfer_begin(struct call *c, struct leg *l) {
  struct call *home = l->call;
  struct leg *asker = leg_far(l);
  struct transfer *t = calloc(1, sizeof(*t));
  if (!t || !asker) {
    free(t);
    return -ENOMEM;
  }
  *t = (struct transfer){asker->id, l->id, asker->role, l->role, 0, ""};
  rec_keep(home);
  slots_swap(slot_of(home, l->role), slot_of(c, LEG_CALLER));
  leave(l);
  leave(asker);
  join(asker, home, LEG_CALLER);
  join(l, c, LEG_CALLER);
  call_in(home)->is_waiting = true;
  call_in(c)->depth = call_in(home)->depth + 1;
  call_in(c)->is_moved = true;
  call_in(c)->transfer = t;
  return 0;
}

void transfer_free(struct call *c) {
  free(call_in(c)->transfer);
  free(call_in(c)->referred);
  call_in(c)->transfer = call_in(c)->referred = NULL;
}

static void tell(struct leg *asker, const struct transfer *t, struct transfer_news news) {
  if (!asker || leg_is_over(asker) || !asker->door->transferred)
    return;
  news.op = t->op;
  news.target = t->target;
  asker->door->transferred(asker->door_arg, asker, &news);
}

void transfer_told(struct call *c, int sip) {
  struct call_inner *in = call_in(c);
  if (!in->is_moved || c->answered || in->ending)
    return;
  in->rings_moved = true;
  if (sip == 180)
    bridge_apply(c);
  if (in->transfer)
    tell(leg_get(in->cs, in->transfer->asker), in->transfer,
         (struct transfer_news){.state = TRANSFER_PROGRESS, .sip = sip, .new_call = c->id});
}

/* The target answered: the party stays where it is now, and who asked is let go. */
void transfer_done(struct call *c) {
  struct call_inner *in = call_in(c);
  struct transfer *t = take(in->transfer);
  struct leg *asker = t ? leg_get(in->cs, t->asker) : NULL;
  if (!in->is_moved) {
    free(t);
    return;
  }
  in->is_moved = in->rings_moved = false;
  c->answered = true;
  loop_disarm(in->cs->env.loop, &in->answer);
  bridge_apply(c);
  if (t)
    tell(asker, t, (struct transfer_news){.state = TRANSFER_DONE, .sip = 200, .new_call = c->id});
  if (asker && !leg_is_over(asker))
    call_end(asker->call, transferred(asker));
  free(t);
  if (in->ending)
    return;
  rec_put(c, RECORD_LIVE);
  tell_moved(c->caller);
  call_check_connected(c);
}

static void go_home(struct call *c, struct leg *l, struct leg *asker, const struct transfer *t) {
  struct call *home = asker->call;
  struct call_inner *in = call_in(home);
  slots_swap(slot_of(home, t->moved_was), slot_of(c, LEG_CALLER));
  rec_keep(c);
  leave(l);
  leave(asker);
  join(asker, home, t->asker_was);
  join(l, home, t->moved_was);
  in->is_waiting = false;
  free(take(in->kept));
  bridge_apply(home);
}

/* It hung up while the target rang: then who asked has nobody left. */
static void party_gone(struct leg *asker, struct cause why) {
  if (why.by == BY_CALLER)
    why.by = BY_CALLEE;
  if (why.reason == END_CANCELED)
    why.reason = END_COMPLETED;
  call_end(asker->call, why);
}

void transfer_undone(struct call *c, const struct cause *why) {
  struct call_inner *in = call_in(c);
  struct transfer *t = take(in->transfer);
  struct leg *l = t ? leg_get(in->cs, t->moved) : NULL, *asker = t ? leg_get(in->cs, t->asker) : NULL;
  bool is_gone = !l || leg_is_over(l) || l->call != c;
  if (asker && !leg_is_over(asker)) {
    if (!is_gone)
      go_home(c, l, asker, t);
    int sip = why->sip >= 300 ? why->sip : end_reason_sip(why->reason);
    tell(asker, t,
         (struct transfer_news){
             .state = TRANSFER_FAILED, .sip = sip < 300 ? 487 : sip, .new_call = c->id, .cause = *why});
    if (is_gone && !leg_is_over(asker))
      party_gone(asker, *why);
  }
  free(t);
}

static void on_ask(void *arg) { call_ask(arg); }

static struct verdict may_transfer(const struct leg *l) {
  const struct call_inner *in = call_in(l->call);
  const struct leg *far = leg_far(l);
  if (!is_talking(l) || !far || !is_talking(far) || in->is_moved || in->is_waiting || in->referred)
    return verdict_refuse(REFUSE_STATE, "only an answered call can be transferred, one at a time");
  if (in->depth >= TRANSFER_DEPTH_MAX)
    return verdict_refuse(REFUSE_TRANSFER_DEPTH, "this call is the outcome of %d transfers",
                          TRANSFER_DEPTH_MAX);
  return verdict_pass();
}

/* How the trunk of who is transferred has it done. */
static struct verdict may_move(const struct leg *far) {
  if (far->trunk && far->trunk->transfer == TRANSFERS_REFUSE)
    return verdict_refuse(REFUSE_TRANSFER, "trunk %s has transfer: refuse", far->trunk->name);
  return verdict_pass();
}

/* The number as the trunk is to call it, where it is set to do that itself and the plan leads there. */
static bool is_trunks_own(const struct leg *far, const struct transfer_order *o,
                          struct route_decision *ret) {
  struct calls *cs = leg_calls(far);
  struct route_facts f = {.from_kind = SLICE("native"),
                          .tenant = o->tenant,
                          .called = o->to,
                          .caller = o->from,
                          .identity = o->identity};
  if (o->ask || !o->to.n || !far->trunk || far->trunk->transfer != TRANSFERS_REFER || !far->door->refer)
    return false;
  *ret = route_decide(cs->env.plan, &f);
  return ret->action == ROUTE_TRUNK && !ret->emergency && strcmp(ret->trunk, far->trunk->name) == 0;
}

static struct verdict refer(struct leg *l, struct leg *far, const struct transfer_order *o,
                            const struct route_decision *to) {
  struct transfer *t = calloc(1, sizeof(*t));
  char called[CONF_NAME_BYTES], by[CONF_NAME_BYTES];
  if (!t)
    return verdict_refuse(REFUSE_INTERNAL, "out of memory");
  slice_copy(called, sizeof(called), to->called[0] ? slice_of(to->called) : o->to);
  slice_copy(by, sizeof(by), o->from);
  *t = (struct transfer){.asker = l->id, .moved = far->id, .op = o->op};
  slice_copy(t->target, sizeof(t->target), o->to);
  call_in(l->call)->referred = t;
  struct verdict v = far->door->refer(far->door_arg, far, called, by);
  if (!verdict_is_pass(&v))
    free(take(call_in(l->call)->referred));
  return v;
}

void call_referred(struct leg *l, int sip, bool is_last) {
  struct call *c = l->call;
  struct transfer *t = call_in(c)->referred;
  struct leg *asker = t ? leg_get(leg_calls(l), t->asker) : NULL;
  struct transfer_news news = {.state = TRANSFER_PROGRESS, .sip = sip, .new_call = ""};
  if (!asker || asker->call != c || (!is_last && sip <= 100))
    return;
  if (is_last) {
    call_in(c)->referred = NULL;
    news.state = sip < 300 ? TRANSFER_DONE : TRANSFER_FAILED;
    news.cause = cause_of_sip(sip, 0, BY_CALLEE);
  }
  tell(asker, t, news);
  if (news.state == TRANSFER_DONE)
    call_end(c, transferred(asker));
  if (is_last)
    free(t);
}

/* A user is shown who is really there; a carrier the number of the party that it is counted on. */
static void show_party(struct call *c, const struct call *home, bool was_caller) {
  if (call_in(c)->target.kind != LEG_NATIVE)
    return;
  const char *number = was_caller ? home->from : home->to[0] ? home->to : home->to_user;
  slice_copy(c->from, sizeof(c->from), slice_of(number));
  snprintf(c->from_display, sizeof(c->from_display), "%s", was_caller ? home->from_display : "");
  c->anonymous = was_caller && home->anonymous;
}

struct verdict call_transfer(struct leg *l, const struct transfer_order *o) {
  struct verdict v = may_transfer(l);
  struct leg *far = leg_far(l), *moved;
  struct call *home = l->call;
  char id[40];
  if (verdict_is_pass(&v))
    v = may_move(far);
  if (!verdict_is_pass(&v))
    return v;
  struct route_decision own;
  if (is_trunks_own(far, o, &own)) {
    v = refer(l, far, o, &own);
    if (v.refusal != REFUSE_METHOD) /* that peer takes none: then it is done here */
      return v;
  }
  bool was_caller = far->role == LEG_CALLER;
  struct place p = {.door = l->door,
                    .door_arg = l->door_arg,
                    .ask = o->ask,
                    .identity = o->identity,
                    .tenant = o->tenant,
                    .from = o->from,
                    .to = o->to,
                    .to_user = o->to_user,
                    .to_trunk = o->to_trunk,
                    .moved = far};
  v = call_place(leg_calls(l), &p, &moved, id);
  if (!verdict_is_pass(&v))
    return v;
  struct call *c = moved->call;
  struct call_inner *in = call_in(c);
  struct slice target = o->ask ? slice_of(o->ask->called) : o->to.n ? o->to : o->to_user;
  in->transfer->op = o->op;
  c->refer = o->words ? malloc(sizeof(*c->refer)) : NULL;
  if (c->refer)
    *c->refer = *o->words;
  slice_copy(in->transfer->target, sizeof(in->transfer->target), target);
  show_party(c, home, was_caller);
  bridge_apply(home);
  bridge_apply(c);
  in->answer = (struct timer){.fn = on_ask, .arg = c}; /* after its answer to who asked is out */
  calls_arm(in->cs, &in->answer, 0);
  log_info(call, "%s is transferred: %s", home->id, c->id);
  return v;
}

/* Attended, replaced ------------------------------------------------------------------------------ */

static bool is_same_party(const struct leg *a, const struct leg *b) {
  if (a->kind != b->kind)
    return false;
  return a->kind == LEG_NATIVE ? strcmp(a->identity, b->identity) == 0
                               : a->trunk && b->trunk && strcmp(a->trunk->name, b->trunk->name) == 0;
}

static struct verdict may_join(const struct leg *l, const struct leg *other) {
  struct verdict v = may_transfer(l);
  const struct call_inner *in = call_in(other->call);
  if (!verdict_is_pass(&v))
    return v;
  bool rings = other == other->call->caller && !other->call->answered && !leg_is_over(other) &&
               call_in(other->call)->asked;
  if (l->call == other->call || !is_same_party(l, other) || in->is_moved || in->is_waiting ||
      (!rings && (!is_talking(other) || !leg_far(other))))
    return verdict_refuse(REFUSE_STATE, "the other call is not one of the same party's that talks or "
                                        "rings its target");
  if (in->depth >= TRANSFER_DEPTH_MAX)
    return verdict_refuse(REFUSE_TRANSFER_DEPTH, "the other call is the outcome of %d transfers",
                          TRANSFER_DEPTH_MAX);
  return v;
}

struct verdict call_transfer_join(struct leg *l, struct leg *other, uint64_t op) {
  struct verdict v = may_join(l, other);
  if (verdict_is_pass(&v))
    v = may_move(leg_far(l));
  if (!verdict_is_pass(&v))
    return v;
  struct call *home = l->call, *c = other->call;
  struct call_inner *in = call_in(c);
  struct leg *party = leg_far(l);
  rec_keep(home);
  swap(party, other);
  in->is_moved = !c->answered;
  in->rings_moved = in->is_moved && other->ringing_ms;
  in->depth = (in->depth > call_in(home)->depth ? in->depth : call_in(home)->depth) + 1;
  log_info(call, "%s is joined to %s", home->id, c->id);
  bridge_apply(c);
  tell_moved(party);
  tell_moved(leg_far(party));
  struct transfer t = {.op = op};
  slice_copy(t.target, sizeof(t.target), slice_of(c->to[0] ? c->to : c->to_user));
  tell(l, &t, (struct transfer_news){.state = TRANSFER_DONE, .sip = 200, .new_call = c->id});
  call_end(home, transferred(l));
  if (!in->ending)
    call_check_connected(c);
  return v;
}

void transfer_take_place(struct call *own) {
  struct leg *l = own->caller, *other = leg_get(call_in(own)->cs, call_in(own)->replaces);
  struct call *c = other ? other->call : NULL;
  if (!c || c == own || !is_talking(other) || !leg_far(other) || call_in(c)->is_moved ||
      call_in(c)->is_waiting) {
    call_end(own, cause_make(END_CANCELED, BY_GATEWAY, "the call to replace is gone"));
    return;
  }
  log_info(call, "%s takes a place in %s", own->id, c->id);
  rec_keep(own);
  swap(l, other);
  call_in(own)->is_waiting = false;
  bridge_apply(c);
  tell_moved(leg_far(l));
  call_end(own, cause_make(END_REPLACED, BY_CALLER, ""));
  if (!call_in(c)->ending)
    call_check_connected(c);
}
