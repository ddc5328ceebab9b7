/* SPDX-License-Identifier: Apache-2.0
 * A leg: its making, its media sessions, and what its peer does as its door tells it. */
#include "call/inner.h"
#include "call/transfer.h"
#include "call/trunkice.h"

#include "base/clock.h"
#include "base/log.h"
#include "conf/host.h"

#include <stdio.h>

void leg_set_desc(struct desc **to, const struct desc *d) {
  struct desc *was = *to, *is = d ? desc_keep(d) : NULL;
  if (d && !is)
    return; /* no memory: as before */
  *to = is;
  (void)desc_drop(was);
}

/* Making ------------------------------------------------------------------------------------------ */

static void on_consent_over(void *arg) { consent_check(arg); }
static void on_fresh_late(void *arg) { leg_fresh_drop(arg, "the new association did not come up"); }

struct leg *leg_new(struct call *c, enum leg_kind kind, enum leg_role role, const struct door *d,
                    void *arg, uint64_t magic) {
  struct calls *cs = call_in(c)->cs;
  struct leg_inner *in = calloc(1, sizeof(*in));
  struct leg **slot = in ? pool_add(cs->legs, &in->leg.id) : NULL;
  if (!slot) {
    free(in);
    return NULL;
  }
  struct leg *l = *slot = &in->leg;
  l->inner = in;
  l->call = c;
  l->kind = kind;
  l->role = role;
  l->door = d;
  l->door_arg = arg;
  l->magic = magic;
  l->created_ms = call_time_ms(c);
  in->dialog = 1;
  in->consent = (struct timer){.fn = on_consent_over, .arg = l};
  in->fresh_late = (struct timer){.fn = on_fresh_late, .arg = l};
  list_add_tail(&c->legs, &in->node);
  return l;
}

/* The family that a trunk is reached by: that of its target, else of its listener. */
static int trunk_family(const struct conf *conf, const struct conf_trunk *t) {
  const struct conf_listener *l = conf_listener_find(conf, slice_of(t->listener));
  struct slice target = slice_of(t->target), host;
  struct addr ip;
  uint16_t port;
  slice_cut(&target, ':');
  if (host_split(slice_cut(&target, ';'), &host, &port, &ip) == 0 && addr_family(&ip) != AF_UNSPEC)
    return addr_family(&ip);
  return l ? addr_family(&l->address) : AF_UNSPEC;
}

/* The family of the side's first address, or of any that is the trunk's own. */
int leg_callee_family(const struct conf *conf, enum leg_kind kind, const struct conf_trunk *trunk) {
  enum conf_side others = kind == LEG_TRUNK ? SIDE_APPS : SIDE_TRUNKS;
  int wanted = trunk ? trunk_family(conf, trunk) : AF_UNSPEC, found = AF_UNSPEC;
  for (uint32_t i = 0; i < conf->media.n_addresses; i++) {
    int f = addr_family(&conf->media.addresses[i].address);
    if (conf->media.addresses[i].side != others && (found == AF_UNSPEC || f == wanted))
      found = f;
  }
  return found == AF_INET6 ? AF_INET6 : AF_INET;
}

struct leg *call_add_callee(struct call *c, const struct door *d, void *arg, uint64_t magic,
                            const struct conf_trunk *trunk, struct slice identity, struct slice device) {
  struct call_inner *in = call_in(c);
  if (in->ending || c->answered || in->n_callees >= CALLEES_MAX || !calls_is_ready(in->cs))
    return NULL;
  struct leg *l = leg_new(c, d->kind, LEG_CALLEE, d, arg, magic);
  if (!l)
    return NULL;
  l->trunk = trunk;
  slice_copy(l->identity, sizeof(l->identity), identity);
  slice_copy(l->device, sizeof(l->device), device);
  if (leg_open(l, leg_callee_family(in->cs->env.conf, d->kind, trunk), d->kind == LEG_TRUNK, false) <
      0) {
    leg_free(l);
    return NULL;
  }
  in->n_callees++;
  timeline_leg(l);
  if (d->kind == LEG_TRUNK)
    c->callee = l;
  return l;
}

/* Sessions ----------------------------------------------------------------------------------------- */

static MEDIUM_REPLY(on_open) {
  struct calls *cs = arg;
  struct leg *l = leg_get(cs, ctx);
  bool busy = m && m->h.type == MSET_FAULT && m->fault.error == -EBUSY;
  struct verdict v = busy ? verdict_refuse(REFUSE_NODE_CALLS, "the media process has all that it can do")
                          : verdict_refuse(REFUSE_NO_MEDIA, "the media process opened no session");
  bool good = m && m->h.type == MSET_OPENED && m->opened.n_addrs > 0;
  if (!l || leg_is_over(l))
    return; /* ended meanwhile: END is on its way */
  if (op == leg_fresh(l)) {
    if (good)
      leg_on_fresh_opened(l, &m->opened);
    else
      leg_fresh_drop(l, "no session could be opened");
    return;
  }
  if (op != l->media.session)
    return;
  if (!good) {
    leg_fail(l, &v);
    return;
  }
  l->media.opened = m->opened;
  (void)fsm_fire(l, EVENT_OPENED);
}

/* On whose worker: the other side of the call, else another live call of the same user. */
static uint64_t beside_of(const struct leg *l) {
  struct calls *cs = leg_calls(l);
  uint32_t cursor = 0;
  if (l->media.session)
    return l->media.session;
  if (l->role == LEG_CALLEE)
    return l->call->caller->media.session;
  for (struct call *c = calls_next(cs, &cursor); c && l->identity[0]; c = calls_next(cs, &cursor))
    if (c != l->call && strcmp(call_in(c)->identity, l->identity) == 0 && c->caller)
      return c->caller->media.session;
  return 0;
}

/* Whose packets are whose is proven by their tags. With ICE media leaves the flag aside. */
static bool can_share(const struct conf_trunk *t) {
  return t && t->media_ports == PORTS_SHARED && t->srtp != SRTP_OFF && t->key_exchange == KEYS_SDES;
}

int leg_open(struct leg *l, int family, bool rtcp_pair, bool fresh) {
  struct calls *cs = leg_calls(l);
  if (fresh && !l->fresh && !(l->fresh = calloc(1, sizeof(*l->fresh))))
    return -EAGAIN;
  struct leg_media *to = fresh ? l->fresh : &l->media;
  uint64_t session = cs->next_session++;
  union mset_any m;
  mset_init(&m, MSET_OPEN, session);
  m.open.kind = l->kind == LEG_NATIVE ? MSET_NATIVE_LEG : MSET_TRUNK_LEG;
  m.open.family = (uint32_t)family;
  m.open.beside = beside_of(l);
  m.open.rtcp_pair = rtcp_pair;
  if (l->kind == LEG_TRUNK)
    m.open.flags = trunkice_flags(l->trunk, l->role == LEG_CALLER ? l->remote : NULL);
  if (can_share(l->trunk))
    m.open.flags |= MSET_OPEN_SHARED;
  if (l->call->trace)
    m.open.flags |= MSET_OPEN_TRACED;
  if (call_in(l->call)->emergency)
    m.open.flags |= MSET_OPEN_URGENT;
  m.open.media_timeout_s = l->trunk ? l->trunk->media_timeout_s : 0;
  snprintf(m.open.call, sizeof(m.open.call), "%s", l->call->id);
  if (map_put(cs->by_session, slice_from(&session, sizeof(session)), l) < 0)
    return -EAGAIN;
  int r = medium_send(cs->medium, &m, on_open, l->id, session);
  if (r < 0)
    map_del(cs->by_session, slice_from(&session, sizeof(session)));
  else
    to->session = session;
  return r;
}

static void forget_session(struct calls *cs, uint64_t session) {
  map_del(cs->by_session, slice_from(&session, sizeof(session)));
}

static MEDIUM_REPLY(on_end) {
  struct calls *cs = arg;
  struct leg *l = calls_leg_of_session(cs, ctx);
  struct mset_facts f;
  if (!l)
    return;
  forget_session(cs, ctx);
  if (m && m->h.type == MSET_ENDED)
    rec_facts(l, &m->ended.facts);
  else if (medium_facts(cs->medium, (uint32_t)op, ctx, &f))
    rec_facts(l, &f);
  call_in(l->call)->ends_pending--;
  leg_in(l)->ends_pending--;
  call_leg_unended(l->call);
}

/* Facts come with the reply; where none will come, what the table holds must do. */
void leg_close_session(struct leg *l, struct leg_media *m) {
  struct calls *cs = leg_calls(l);
  struct mset_facts f;
  uint64_t session = m->session;
  if (!session)
    return;
  m->session = 0;
  if (medium_end(cs->medium, session, on_end, session, m->opened.facts_slot) == 0) {
    call_in(l->call)->ends_pending++;
    leg_in(l)->ends_pending++;
    return;
  }
  if (medium_facts(cs->medium, m->opened.facts_slot, session, &f))
    rec_facts(l, &f);
  forget_session(cs, session);
}

bool leg_facts(const struct leg *l, struct mset_facts *ret) {
  const struct medium *m = leg_calls(l)->medium; /* NULL while the house is torn down */
  return m && l->media.session && medium_facts(m, l->media.opened.facts_slot, l->media.session, ret);
}

bool leg_is_up(const struct leg *l) {
  if (l->kind == LEG_NATIVE)
    return l->media.dtls == MSET_DTLS_UP;
  if (!l->local || !l->remote || leg_in(l)->local_is_offer)
    return false;
  return !desc_is_dtls(&l->local->audio) || l->media.dtls == MSET_DTLS_UP;
}

/* What the peer does -------------------------------------------------------------------------------- */

void leg_ringing(struct leg *l) {
  ringback_rang(l);
  if (!leg_is_over(l))
    (void)fsm_fire(l, EVENT_RING);
}

void leg_diverted(struct leg *l) {
  struct leg *caller = l->call->caller;
  if (!leg_is_over(l) && l->role == LEG_CALLEE && !l->call->answered && caller && !leg_is_over(caller) &&
      caller->door->forwarded)
    caller->door->forwarded(caller->door_arg, caller);
}

/* Not to the caller: the callee's media come up (a warm answer), but nobody hears them before the
 * answer. */
void leg_early(struct leg *l, bool to_caller) {
  struct verdict v = fsm_fire(l, EVENT_EARLY);
  struct call_inner *in = call_in(l->call);
  if (!verdict_is_pass(&v) || !to_caller)
    return;
  if (!in->bridged)
    in->bridged = l;
  in->has_progress = true;
  bridge_apply(l->call);
  if (!leg_is_over(l->call->caller))
    (void)fsm_fire(l->call->caller, EVENT_EARLY);
  transfer_told(l->call, 183);
}

/* A final answer that repeats nothing stands on the provisional one; without any there is no media. */
static bool answer_stands(struct leg *l) {
  if (l->role == LEG_CALLER || !leg_in(l)->local_is_offer)
    return true;
  struct verdict v = leg_take_answer(l, leg_in(l)->last_dialog, NULL, true);
  if (!verdict_is_pass(&v))
    leg_fail(l, &v);
  return verdict_is_pass(&v);
}

void leg_answered(struct leg *l) {
  if (l->state > LEG_OPENING && l->state < LEG_ANSWERED && answer_stands(l))
    (void)fsm_fire(l, EVENT_ANSWER);
}

void leg_confirmed(struct leg *l) {
  if (leg_is_over(l))
    return;
  if (!l->remote)
    leg_end(l, cause_make(END_MEDIA_FAILURE, BY_GATEWAY, "the ACK of a late offer has no answer"));
  else if (leg_is_up(l))
    (void)fsm_fire(l, EVENT_UP);
}

void leg_end(struct leg *l, struct cause why) {
  if (leg_is_over(l))
    return;
  if (l->role == LEG_CALLER && !l->call->answered && why.reason == END_COMPLETED && why.by != BY_GATEWAY)
    why.reason = END_CANCELED; /* who hangs up before the answer has canceled */
  l->cause = why;
  (void)fsm_fire(l, EVENT_END);
}

void leg_fail(struct leg *l, const struct verdict *v) { leg_end(l, cause_of_verdict(v)); }

void leg_set_peer(struct leg *l, const struct addr *peer) { addr_text(peer, l->peer, sizeof(l->peer)); }

void leg_set_device(struct leg *l, struct slice device, uint64_t magic) {
  slice_copy(l->device, sizeof(l->device), device);
  l->magic = magic;
}

void leg_deny(struct leg *l, const struct addr *relays, uint32_t n) {
  struct leg_inner *in = leg_in(l);
  for (uint32_t i = 0; i < n && in->n_deny < MSET_DENY_MAX; i++) {
    bool known = false;
    for (uint32_t k = 0; k < in->n_deny; k++)
      known |= addr_eq_ip(&in->deny[k], &relays[i]);
    if (!known)
      in->deny[in->n_deny++] = relays[i];
  }
  const struct leg_media *m =
      leg_fresh(l) && in->old_local ? l->fresh : &l->media; /* whom the descriptions are of */
  bool known = m->session && l->local && l->remote && in->dialogs;
  uint32_t dialog = in->local_is_offer ? in->last_dialog : in->dialog;
  if (n && known && remote_send(l, m->session, dialog, l->local, l->remote, in->is_ours_answer) < 0)
    log_warn(call, "%s: a relay could not be denied", l->call->id);
}
