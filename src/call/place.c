/* SPDX-License-Identifier: Apache-2.0
 * Placing a call: every check before anything is made (admission, route, limits, description), then
 * the call, its caller leg and the command that opens its media. */
#include "call/hunt.h"
#include "call/transfer.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

/* What is known of an attempt before a call is made of it. */
struct attempt {
  char called[ROUTE_NUMBER_BYTES], caller[ROUTE_NUMBER_BYTES]; /* as the trunk's numbers are read */
  struct route_decision route;
  struct hunt *hunt;
  const struct conf_trunk *in_trunk; /* admitted, to leave */
  const struct conf_user *user;      /* the user who is called */
  struct caps_hold caps;             /* counted, to leave */
};

static bool refusal_is_limit(enum refusal r) {
  return r == REFUSE_TRUNK_CALLS || r == REFUSE_TRUNK_RATE || r == REFUSE_NODE_CALLS ||
         r == REFUSE_CALLER_RANGE || r == REFUSE_ANONYMOUS;
}

static void number_read(const struct calls *cs, const struct ask *ask, enum route_direction way,
                        const char *number, char *dst) {
  const char *trunk = ask->trunk ? ask->trunk->name : "";
  if (route_number(cs->env.plan, trunk, way, slice_of(number), dst, ROUTE_NUMBER_BYTES) < 0)
    slice_copy(dst, ROUTE_NUMBER_BYTES, slice_of(number));
}

static void numbers_read(const struct calls *cs, const struct ask *ask, struct attempt *a) {
  number_read(cs, ask, ROUTE_IN_CALLED, ask->called, a->called);
  number_read(cs, ask, ROUTE_IN_CALLER, ask->caller, a->caller);
}

/* The routing number says whose the called number is now. */
static struct slice asked_for(const struct calls *cs, const struct ask *ask, const struct attempt *a,
                              char rn[ROUTE_NUMBER_BYTES]) {
  if (!ask->lnp.rn[0] || !ask->trunk || ask->trunk->numbers.portability != PORTABILITY_USE)
    return slice_of(a->called);
  number_read(cs, ask, ROUTE_IN_CALLED, ask->lnp.rn, rn);
  return slice_of(rn);
}

static void decide(struct calls *cs, const struct place *p, struct attempt *a) {
  struct route_facts f = {.from_kind = p->ask ? SLICE("trunk") : SLICE("native"),
                          .tenant = p->tenant,
                          .called = p->to,
                          .caller = p->from,
                          .identity = p->identity,
                          .verified = p->verifies ? SLICE("pending") : SLICE(""),
                          .anonymous = p->ask ? p->ask->anonymous : p->anonymous,
                          .wall_s = clock_wall_ms() / 1000};
  char rn[ROUTE_NUMBER_BYTES];
  if (p->ask) {
    f.trunk = p->ask->trunk ? slice_of(p->ask->trunk->name) : SLICE("");
    numbers_read(cs, p->ask, a);
    f.called = asked_for(cs, p->ask, a, rn);
    f.caller = slice_of(a->caller);
  }
  if (p->replaces) {
    a->route.action = ROUTE_TONE; /* nobody is asked, and no tone is heard */
    return;
  }
  if (p->to_trunk) {
    a->route.action = ROUTE_TRUNK;
    slice_copy(a->route.trunk, sizeof(a->route.trunk), slice_of(p->to_trunk->name));
    return;
  }
  if (p->to_user.n == 0) {
    a->route = route_decide(cs->env.plan, &f);
    if (p->ask && slice_eq(f.called, slice_of(a->route.called)))
      memcpy(a->route.called, a->called, sizeof(a->route.called)); /* also where rn stood for it */
    return;
  }
  a->route.action = ROUTE_USER;
  slice_copy(a->route.user, sizeof(a->route.user), p->to_user);
  slice_copy(a->route.caller, sizeof(a->route.caller), p->from);
}

static struct verdict check_admit(struct calls *cs, const struct place *p, struct attempt *a) {
  if (!p->ask)
    return verdict_pass();
  struct verdict v = guard_admit(cs->env.guard, p->ask, clock_now_us());
  if (verdict_is_pass(&v))
    a->in_trunk = p->ask->trunk;
  else if (a->route.emergency && refusal_is_limit(v.refusal))
    return verdict_pass(); /* not counted as live, so nothing to leave */
  return v;
}

static struct verdict check_route(struct calls *cs, const struct place *p, struct attempt *a) {
  const struct route_decision *r = &a->route;
  if (r->action == ROUTE_REFUSE && !r->rule[0] && !p->ask && p->to.n && p->to.p[0] != '+')
    return verdict_refuse(REFUSE_NOT_DIALABLE, "the dialplan does not know this dial string");
  struct verdict v = hunt_new(&a->hunt, cs, r);
  if (!verdict_is_pass(&v))
    return v;
  if (p->verifies)
    hunt_asked(a->hunt, a->called, a->caller);
  if (r->action == ROUTE_USER)
    a->user = conf_user_find(cs->env.conf, slice_of(r->user));
  if (r->action == ROUTE_USER && !a->user)
    return verdict_refuse(REFUSE_NO_USER, "no user is configured by this name");
  if (r->action == ROUTE_TRUNK && !p->ask && p->from.n == 0 && !r->emergency)
    return verdict_refuse(REFUSE_CALLER_ID, "the identity has no number to call from");
  return v;
}

static struct verdict check_identity(struct calls *cs, struct slice identity, const struct attempt *a) {
  char name[CONF_NAME_BYTES];
  uint32_t most = cs->env.conf->service.calls_per_identity;
  if (most == 0 || a->route.emergency || slice_copy(name, sizeof(name), identity) < 0 || !name[0])
    return verdict_pass();
  if (calls_of_identity(cs, name) >= most)
    return verdict_refuse(REFUSE_CALLS_IDENTITY, "service.calls_per_identity is %u", most);
  return verdict_pass();
}

static struct verdict check_limits(struct calls *cs, const struct place *p, struct attempt *a) {
  if (!calls_is_ready(cs))
    return verdict_refuse(REFUSE_NO_MEDIA, "the media process is not connected");
  if (a->route.emergency)
    return verdict_pass();
  if (cs->draining)
    return verdict_refuse(REFUSE_DRAIN, "the gateway is draining");
  if (!medium_has_room(cs->medium))
    return verdict_refuse(REFUSE_NODE_CALLS, "the media process has all that it can do");
  if (calls_count(cs) >= cs->env.conf->node.max_calls)
    return verdict_refuse(REFUSE_NODE_CALLS, "node.max_calls is %u", cs->env.conf->node.max_calls);
  struct verdict v = check_identity(cs, p->identity, a);
  if (verdict_is_pass(&v) && a->user)
    v = check_identity(cs, slice_of(a->user->name), a);
  return v;
}

static bool has_family(const struct conf *conf, const struct desc *offer) {
  int f = offer->audio.is_zero_addr ? AF_UNSPEC : addr_family(&offer->audio.rtp);
  for (uint32_t i = 0; i < conf->media.n_addresses; i++)
    if (conf->media.addresses[i].side != SIDE_APPS &&
        addr_family(&conf->media.addresses[i].address) == f)
      return true;
  return f == AF_UNSPEC || conf->media.n_addresses == 0;
}

static struct verdict check_offer(struct calls *cs, const struct place *p, struct attempt *a) {
  (void)a;
  if (p->moved)
    return verdict_pass();
  if (p->deny_relays_only)
    return verdict_refuse(REFUSE_RELAY, "all candidates are relays that are not native, or of a VPN");
  if (!p->offer && !p->ask)
    return verdict_refuse(REFUSE_SDP, "an offer is required");
  if (!p->offer)
    return verdict_pass();
  if (p->ask && !has_family(cs->env.conf, p->offer))
    return verdict_refuse(REFUSE_SDP, "media.addresses has none of the address family of the c= line");
  return leg_check_offer(cs, p->door->kind, p->ask ? p->ask->trunk : NULL, p->offer);
}

static struct verdict check_out(struct calls *cs, const struct place *p, struct attempt *a) {
  (void)cs, (void)p;
  return hunt_admit(a->hunt);
}

/* The last, for it counts. */
static struct verdict check_caps(struct calls *cs, const struct place *p, struct attempt *a) {
  const struct route_decision *r = &a->route;
  struct slice called = p->ask ? slice_of(a->called) : p->to;
  struct caps_facts f = {.called = r->called[0] ? slice_of(r->called) : called,
                         .caller = p->ask ? slice_of(a->caller) : p->from,
                         .trunk = p->ask && p->ask->trunk ? slice_of(p->ask->trunk->name) : SLICE(""),
                         .tenant = p->ask && a->user ? slice_of(a->user->tenant) : p->tenant};
  if (r->emergency)
    return verdict_pass();
  return guard_caps(cs->env.guard, &f, clock_now_us(), &a->caps);
}

static void undo(struct calls *cs, struct attempt *a) {
  guard_caps_leave(cs->env.guard, &a->caps, 0, clock_now_us());
  if (a->in_trunk)
    guard_leave(cs->env.guard, a->in_trunk);
  a->in_trunk = NULL;
  a->hunt = hunt_free(a->hunt);
}

/* The ordered list: the first refusal ends it. */
static struct verdict check_all(struct calls *cs, const struct place *p, struct attempt *a) {
  static struct verdict (*const checks[])(struct calls *, const struct place *, struct attempt *) = {
      check_admit, check_route, check_offer, check_limits, check_out, check_caps,
  };
  struct verdict v = verdict_pass();
  decide(cs, p, a);
  for (size_t i = 0; i < COUNT_OF(checks) && verdict_is_pass(&v); i++)
    v = checks[i](cs, p, a);
  return v;
}

/* Refused ------------------------------------------------------------------------------------------ */

static void record_ask(struct record *r, const struct ask *ask) {
  r->direction = RECORD_IN;
  r->caller.kind = RECORD_LEG_TRUNK;
  if (ask->trunk)
    snprintf(r->caller.peer, sizeof(r->caller.peer), "%s", ask->trunk->name);
  snprintf(r->caller.sip_call_id, sizeof(r->caller.sip_call_id), "%.*s",
           (int)sizeof(r->caller.sip_call_id) - 1, ask->sip_call_id);
  addr_text(&ask->source, r->caller.remote_addr, sizeof(r->caller.remote_addr));
  snprintf(r->from, sizeof(r->from), "%s", ask->caller);
  snprintf(r->to, sizeof(r->to), "%s", ask->called);
  snprintf(r->session_id_remote, sizeof(r->session_id_remote), "%s", ask->session_id);
}

static void record_verdict(struct record *r, const struct verdict *v) {
  struct cause c = cause_of_verdict(v);
  const struct refusal_row *row = refusal_row(v->refusal);
  r->state = RECORD_REFUSED;
  r->ended_ms = r->started_ms;
  snprintf(r->rule, sizeof(r->rule), "%s", row->rule);
  snprintf(r->reason, sizeof(r->reason), "%s", end_reason_word(c.reason));
  snprintf(r->end_by, sizeof(r->end_by), "gateway");
  r->sip_status = (uint16_t)verdict_sip(v);
  r->q850 = (uint16_t)verdict_q850(v);
  snprintf(r->detail, sizeof(r->detail), "%s", v->detail[0] ? v->detail : row->title);
}

static void timeline_refused(struct trace *t, const struct verdict *v, const struct record *r) {
  const struct refusal_row *row = refusal_row(v->refusal);
  trace_note(t, TRACE_GATEWAY, TRACE_RULE, "refused by rule %s: %s", row->rule,
             v->detail[0] ? v->detail : row->title);
  trace_end(t, true, r->cause_text);
}

static uint8_t asked_flags(const struct place *p) {
  bool is_anonymous = p->ask ? p->ask->anonymous : p->anonymous;
  bool is_unasked = p->to_user.n || p->to_trunk || p->replaces || p->moved;
  return (uint8_t)((is_anonymous ? RECORD_ANONYMOUS : 0) | (is_unasked ? RECORD_UNASKED : 0));
}

static void refused(struct calls *cs, const struct place *p, const struct verdict *v, char ret_id[40]) {
  struct record r;
  rec_start(&r, cs, ret_id[0] ? ret_id : NULL);
  trace_name(p->trace, r.id);
  r.direction = RECORD_OUT;
  if (p->ask)
    record_ask(&r, p->ask);
  if (!p->ask) {
    r.caller.kind = RECORD_LEG_NATIVE;
    slice_copy(r.caller.peer, sizeof(r.caller.peer), p->identity);
    slice_copy(r.caller.device, sizeof(r.caller.device), p->device);
    if (p->peer)
      addr_text(p->peer, r.caller.remote_addr, sizeof(r.caller.remote_addr));
    slice_copy(r.identity, sizeof(r.identity), p->identity);
    slice_copy(r.tenant, sizeof(r.tenant), p->tenant);
    slice_copy(r.from, sizeof(r.from), p->from);
    slice_copy(r.to, sizeof(r.to), p->to.n ? p->to : p->to_user);
  }
  r.asked_flags = asked_flags(p);
  record_verdict(&r, v);
  blame_refusal(cs, &r, v);
  timeline_refused(p->trace, v, &r);
  rec_store(cs, &r);
  count_one(&cs->counts, CALLS_REFUSED);
  memcpy(ret_id, r.id, sizeof(r.id));
}

void call_note_unplaced(struct calls *cs, const struct place *p, const struct verdict *v,
                        char ret_id[40]) {
  ret_id[0] = 0;
  refused(cs, p, v, ret_id);
}

bool calls_is_emergency(struct calls *cs, const struct place *p) {
  struct attempt a = {0};
  decide(cs, p, &a);
  return a.route.emergency;
}

void call_note_refused(struct calls *cs, const struct ask *ask, const struct verdict *v,
                       struct trace *t) {
  struct record r;
  rec_start(&r, cs, NULL);
  trace_name(t, r.id);
  record_ask(&r, ask);
  record_verdict(&r, v);
  blame_refusal(cs, &r, v);
  timeline_refused(t, v, &r);
  rec_store(cs, &r);
  count_one(&cs->counts, CALLS_REFUSED);
}

/* Placed ------------------------------------------------------------------------------------------- */

static bool keeps_lnp(const struct ask *ask) {
  return ask->trunk && ask->trunk->numbers.portability != PORTABILITY_DROP;
}

static void fill_numbers(struct call *c, const struct place *p, const struct attempt *a) {
  struct slice from = p->ask ? slice_of(a->caller) : p->from;
  struct slice display = p->ask ? slice_of(p->ask->caller_display) : p->from_display;
  struct slice to = p->ask ? slice_of(a->called) : p->to;
  slice_copy(c->from, sizeof(c->from), a->route.caller[0] ? slice_of(a->route.caller) : from);
  slice_copy(c->to, sizeof(c->to), a->route.called[0] ? slice_of(a->route.called) : to);
  slice_copy(c->from_display, sizeof(c->from_display), display);
  snprintf(c->to_user, sizeof(c->to_user), "%s", a->user ? a->user->name : "");
  c->anonymous = p->ask ? p->ask->anonymous : p->anonymous;
  if (p->ask)
    c->history = p->ask->history;
  if (p->ask && keeps_lnp(p->ask))
    c->lnp = p->ask->lnp;
}

static void fill_asked(struct call_inner *in, const struct place *p) {
  slice_copy(in->asked_called, sizeof(in->asked_called), p->ask ? slice_of(p->ask->called) : p->to);
  slice_copy(in->asked_caller, sizeof(in->asked_caller), p->ask ? slice_of(p->ask->caller) : p->from);
  in->asked_flags = asked_flags(p);
}

static void fill_session(struct call *c, const struct place *p) {
  const char *theirs = p->ask ? p->ask->session_id : p->session_id;
  sessionid_make(c->session_local);
  if (theirs && sessionid_is_good(slice_of(theirs)))
    slice_copy(c->session_remote, sizeof(c->session_remote), slice_of(theirs));
  else
    memset(c->session_remote, '0', 32);
}

static void fill_call(struct call *c, const struct place *p, struct attempt *a) {
  struct call_inner *in = call_in(c);
  const struct conf *conf = in->cs->env.conf;
  uint32_t timeouts[] = {p->ring_timeout_s, a->route.timeout_s, conf->service.ring_timeout_s, 60};
  for (size_t i = 0; i < COUNT_OF(timeouts) && c->ring_timeout_s == 0; i++)
    c->ring_timeout_s = timeouts[i];
  fill_numbers(c, p, a);
  fill_asked(in, p);
  fill_session(c, p);
  c->metadata = p->metadata && *p->metadata ? strdup(p->metadata) : NULL;
  snprintf(c->rule, sizeof(c->rule), "%s", a->route.rule);
  in->action = a->route.action;
  in->hunt = take(a->hunt);
  in->target.kind = hunt_leads_out(in->hunt) ? LEG_TRUNK : LEG_NATIVE;
  hunt_seat(in->hunt, c);
  in->emergency = a->route.emergency;
  in->ringback = p->ringback;
  in->replaces = p->replaces;
  in->is_waiting = p->replaces != 0;
  in->verifies = p->verifies;
  in->caps = a->caps;
  in->in_trunk = a->in_trunk;
  slice_copy(in->identity, sizeof(in->identity),
             p->ask && a->user ? slice_of(a->user->name) : p->identity);
  slice_copy(in->tenant, sizeof(in->tenant), p->ask && a->user ? slice_of(a->user->tenant) : p->tenant);
}

/* The attempt that was none: what it was admitted to goes back to it, to be left. */
static void unfill_call(struct call *c, struct attempt *a) {
  hunt_leave(c);
  a->hunt = take(call_in(c)->hunt);
  a->hunt->call = NULL;
}

static void fill_caller(struct leg *l, const struct place *p) {
  if (p->ask) {
    l->trunk = p->ask->trunk;
    addr_text(&p->ask->source, l->peer, sizeof(l->peer));
    snprintf(l->sip_call_id, sizeof(l->sip_call_id), "%s", p->ask->sip_call_id);
  }
  if (p->peer)
    leg_set_peer(l, p->peer);
  leg_in(l)->network = (uint8_t)p->network;
  slice_copy(l->identity, sizeof(l->identity), p->identity);
  slice_copy(l->device, sizeof(l->device), p->device);
  leg_deny(l, p->deny, p->n_deny);
  if (p->offer)
    leg_set_desc(&l->remote, p->offer);
}

static int family_of(const struct place *p) {
  int f = AF_UNSPEC;
  if (p->ask && p->offer && !p->offer->audio.is_zero_addr)
    f = addr_family(&p->offer->audio.rtp);
  if (p->ask && f == AF_UNSPEC)
    f = addr_family(&p->ask->source);
  return f == AF_INET6 && p->ask ? AF_INET6 : AF_INET;
}

/* The call of a leg that has its media already. */
static struct leg *begin_moved(struct calls *cs, const struct place *p, struct attempt *a,
                               const char *id) {
  struct call *c = call_new(cs);
  if (!c)
    return NULL;
  snprintf(c->id, sizeof(c->id), "%s", id);
  fill_call(c, p, a);
  c->trace = p->trace;
  if (map_put(cs->by_id, slice_of(c->id), c) == 0 && transfer_begin(c, p->moved) == 0)
    return p->moved;
  unfill_call(c, a);
  call_discard(c);
  return NULL;
}

/* The call and its caller leg, with OPEN under way; NULL: nothing remains. */
static struct leg *begin(struct calls *cs, const struct place *p, struct attempt *a, const char *id) {
  struct call *c = call_new(cs);
  if (!c)
    return NULL;
  snprintf(c->id, sizeof(c->id), "%s", id);
  fill_call(c, p, a);
  struct leg *l = leg_new(c, p->door->kind, LEG_CALLER, p->door, p->door_arg, p->magic);
  c->caller = l;
  c->trace = p->trace;
  if (l)
    fill_caller(l, p);
  bool pair = p->ask && !(p->offer && p->offer->audio.rtcp_mux);
  if (l && map_put(cs->by_id, slice_of(c->id), c) == 0 && leg_open(l, family_of(p), pair, false) == 0) {
    return l;
  }
  unfill_call(c, a);
  call_discard(c);
  return NULL;
}

static struct verdict place_checked(struct calls *cs, const struct place *p, struct leg **ret_leg,
                                    char ret_id[40]) {
  struct attempt a = {0};
  struct record r;
  struct leg *l = NULL;
  *ret_leg = NULL;
  rec_start(&r, cs, NULL);
  memcpy(ret_id, r.id, sizeof(r.id));
  trace_name(p->trace, r.id);
  struct verdict v = check_all(cs, p, &a);
  timeline_placed(cs, p, &a.route, &v, p->trace);
  if (verdict_is_pass(&v)) {
    l = p->moved ? begin_moved(cs, p, &a, r.id) : begin(cs, p, &a, r.id);
    if (!l)
      v = verdict_refuse(REFUSE_NO_MEDIA, "the media process takes no more commands now");
  }
  if (!l) {
    undo(cs, &a);
    refused(cs, p, &v, ret_id);
    return v;
  }
  timeline_leg(l);
  count_one(&cs->counts, p->ask ? CALLS_IN : CALLS_OUT);
  struct slice by = p->ask ? slice_of(p->ask->trunk->name) : p->identity;
  log_info(call, "%s placed by %.*s, rule %s", l->call->id, (int)by.n, by.p, l->call->rule);
  rec_put(l->call, RECORD_LIVE);
  *ret_leg = l;
  return v;
}

/* A call that a transfer makes has a timeline of its own. */
struct verdict call_place(struct calls *cs, const struct place *p, struct leg **ret_leg,
                          char ret_id[40]) {
  struct place with = *p;
  if (p->moved)
    with.trace = trace_begin(cs->env.traces, cs->env.conf->version);
  return place_checked(cs, &with, ret_leg, ret_id);
}
