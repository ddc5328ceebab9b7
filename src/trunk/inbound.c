/* SPDX-License-Identifier: Apache-2.0
 * Calls from a carrier: INVITE to struct ask to call_place, then 180, 183, 200, and the ACK. Nothing
 * is allocated for what is refused but the transaction that answers. RFC 3261 8.2, 13.3; RFC 3264. */
#include "base/clock.h"
#include "base/rand.h"
#include "trunk/identity.h"
#include "trunk/location.h"
#include "trunk/vouch.h"

#include <stdio.h>

enum { EXPIRES_MAX_S = 3600 }; /* longer is as good as never: ringing ends before */

static int inbound_ack(nta_incoming_magic_t *magic, nta_incoming_t *irq, const sip_t *sip);

static struct verdict inspect(const sip_t *sip, const struct conf_trunk *trunk) {
  if (!contact_is_sane(sip->sip_contact))
    return verdict_refuse(REFUSE_MALFORMED, "Contact: expected a sip or sips URI");
  if (!routes_are_sane(sip->sip_record_route))
    return verdict_refuse(REFUSE_MALFORMED, "Record-Route: expected sip or sips URIs, at most %d",
                          ASK_HOSTS_MAX);
  if (trunk->prack == PRACK_REQUIRED && !agent_knows(sip, "100rel"))
    return verdict_refuse(REFUSE_PRACK, "trunks[%s].prack is required: expected Supported: 100rel",
                          trunk->name);
  return identity_check(sip);
}

static void refuse(struct agent *a, msg_t *msg, sip_t *sip, const struct conf_trunk *trunk,
                   const struct verdict *v) {
  struct reply r;
  reply_refusal(&r, v, *trunk->fqdn ? trunk->fqdn : a->host);
  log_info(trunk, "trunk %s: call refused by rule %s: %s", trunk->name, refusal_row(v->refusal)->rule,
           v->detail);
  if (r.status == 422)
    snprintf(r.min_se, sizeof r.min_se, "%u", trunk->session_min_s);
  if (r.status == 503)
    reply_stateless(a, msg, &r);
  else
    reply_once(a, msg, sip, &r);
}

/* The caller said how long it waits: RFC 3261 13.3.1. */
static void invite_expired(void *arg) {
  struct dialog *d = dialog_get(arg);
  if (d && d->state == DIALOG_NEW)
    dialog_end(d, END_CANCELED, BY_CALLER, 487, 0, "the INVITE expired");
}

static void expiry_arm(struct dialog *d, const sip_t *sip) {
  const sip_expires_t *e = sip->sip_expires;
  if (!e || e->ex_date || !e->ex_delta || e->ex_delta > EXPIRES_MAX_S)
    return;
  d->timer.fn = invite_expired;
  d->timer.arg = dialog_magic(d);
  loop_arm(d->t->env.loop, &d->timer, (uint64_t)e->ex_delta * 1000000);
}

/* The dialog of a call that was admitted; takes msg. False: the call could not be kept. */
static bool inbound_take(struct dialog *d, msg_t *msg, sip_t *sip) {
  struct agent *a = d->agent;
  struct reply trying;
  d->nta = nta_leg_tcreate(a->nta, dialog_request, dialog_magic(d), SIPTAG_CALL_ID(sip->sip_call_id),
                           SIPTAG_FROM(sip->sip_to), SIPTAG_TO(sip->sip_from),
                           NTATAG_REMOTE_CSEQ(sip->sip_cseq->cs_seq), TAG_END());
  if (!d->nta || !nta_leg_tag(d->nta, NULL) ||
      nta_leg_server_route(d->nta, sip->sip_record_route, sip->sip_contact) < 0) {
    nta_msg_treply(a->nta, msg, SIP_500_INTERNAL_SERVER_ERROR, TAG_END());
    return false;
  }
  d->invite_in = nta_incoming_create(a->nta, d->nta, msg, sip, TAG_END());
  if (!d->invite_in)
    return false;
  nta_incoming_bind(d->invite_in, inbound_ack, dialog_magic(d));
  reply_init(&trying, 100);
  reply_to(a, d->invite_in, &trying);
  expiry_arm(d, sip);
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  prack_start(d, sip, trunk);
  d->has_pem = trunk && trunk->p_early_media && header_unknown(sip, "P-Early-Media");
  expires_take(d, sip, &d->asked);
  return true;
}

static struct dialog *inbound_dialog(struct agent *a, const struct conf_trunk *trunk,
                                     const struct ask *ask) {
  struct dialog *d = dialog_new(a->t, a, trunk);
  if (!d)
    return NULL;
  d->is_uas = true;
  d->peer = ask->source;
  if (ask->max_forwards >= 0 && ask->max_forwards < MAX_FORWARDS)
    d->max_forwards = ask->max_forwards;
  slice_copy(d->user, sizeof d->user, slice_of(ask->called));
  slice_copy(d->session_remote, sizeof d->session_remote, slice_of(ask->session_id));
  return d;
}

static struct verdict place_dialog(struct dialog *d, const struct ask *ask, const struct desc *offer,
                                   pool_handle replaces, struct trace *trace, struct leg **ret_leg) {
  char id[40];
  struct trunks *t = d->t;
  struct place p = {.door = &trunk_door,
                    .door_arg = t,
                    .magic = d->id,
                    .ask = ask,
                    .trace = trace,
                    .offer = offer,
                    .replaces = replaces,
                    .verifies = !replaces && vouch_is_due(ask->trunk),
                    .session_id = ask->session_id};
  d->is_late = !offer;
  d->is_placing = true;
  struct verdict v = call_place(t->env.calls, &p, ret_leg, id);
  d->is_placing = false;
  return v;
}

static void inbound_place(struct agent *a, msg_t *msg, sip_t *sip, const struct ask *ask,
                          const struct desc *offer, pool_handle replaces, struct trace *trace) {
  struct leg *l = NULL;
  struct dialog *d = inbound_dialog(a, ask->trunk, ask);
  struct verdict v = d ? place_dialog(d, ask, offer, replaces, trace, &l)
                       : verdict_refuse(REFUSE_NODE_CALLS, "too many dialogs");
  if (!d || !l || !verdict_is_pass(&v)) {
    refuse(a, msg, sip, ask->trunk, &v);
    trace_end(trace, true, NULL);
    if (d)
      dialog_drop(d);
    return;
  }
  d->leg = l->id;
  location_take(d, ask->trunk, sip);
  if (!inbound_take(d, msg, sip))
    dialog_end(d, END_TRUNK_FAILURE, BY_GATEWAY, 500, 0, "no transaction");
  else if (d->was_ended)
    inbound_ended(d, &l->cause);
  else if (vouch_is_due(ask->trunk))
    vouch_start(d, l, sip);
}

/* What this server asks of a client that knows how to give way: RFC 7339 4.1, 5.6. */
static void overload_tell(struct agent *a, msg_t *msg, sip_t *sip) {
  const struct shed *s = &a->t->shed;
  char oc[24], serial[32];
  if (!sip->sip_via || !msg_params_find(sip->sip_via->v_params, "oc"))
    return;
  snprintf(oc, sizeof oc, "oc=%u", shed_percent(s));
  snprintf(serial, sizeof serial, "oc-seq=%u.0", s->serial);
  const char *const words[] = {oc, "oc-algo=\"loss\"", "oc-validity=1000", serial};
  for (size_t i = 0; i < COUNT_OF(words); i++)
    msg_header_replace_param(msg_home(msg), sip->sip_via->v_common, su_strdup(msg_home(msg), words[i]));
}

/* Without state, and without a record: what cannot be done in time is not made more. */
static bool overload_refuse(struct agent *a, msg_t *msg, sip_t *sip, const struct ask *ask) {
  struct place p = {.ask = ask};
  bool is_emergency = a->t->shed.is_on && calls_is_emergency(a->t->env.calls, &p);
  if (!shed_invite(&a->t->shed, is_emergency, loop_now_us(a->t->env.loop)))
    return false;
  struct verdict v =
      verdict_refuse(REFUSE_OVERLOAD, "requests wait for more than %d ms", SHED_LATE_US / 1000);
  struct reply r;
  v.retry_after_s = 5 + (int)rand_below(31);
  guard_count(a->t->env.guard, v.refusal);
  overload_tell(a, msg, sip);
  reply_refusal(&r, &v, *ask->trunk->fqdn ? ask->trunk->fqdn : a->host);
  reply_stateless(a, msg, &r);
  return true;
}

void inbound_invite(struct agent *a, msg_t *msg, sip_t *sip, const struct conf_trunk *trunk,
                    const struct addr *source) {
  struct ask ask = {.trunk = trunk, .source = *source};
  struct desc offer;
  bool has_offer = false;
  pool_handle replaces = 0;
  count_one(&trunk_counters, TRUNKCOUNT_invites_in);
  struct trace *trace = timeline_begin(a, msg, sip); /* as it came */
  edits_take(msg, sip, trunk);
  ask_build(&ask, a, msg, sip);
  if (overload_refuse(a, msg, sip, &ask)) {
    trace_discard(trace);
    return;
  }
  struct verdict v = inspect(sip, trunk);
  if (verdict_is_pass(&v))
    v = expires_check(trunk, sip);
  if (verdict_is_pass(&v))
    v = replaces_check(a, sip, trunk, &replaces);
  if (verdict_is_pass(&v))
    v = body_desc(sip, &offer, &has_offer);
  if (verdict_is_pass(&v) && !has_offer && trunk->late_offer == LATE_REFUSE)
    v = verdict_refuse(REFUSE_LATE_OFFER, "trunks[%s].late_offer is refuse: expected an INVITE with SDP",
                       trunk->name);
  if (verdict_is_pass(&v)) {
    inbound_place(a, msg, sip, &ask, has_offer ? &offer : NULL, replaces, trace);
  } else {
    guard_count(a->t->env.guard, v.refusal);
    call_note_refused(a->t->env.calls, &ask, &v, trace);
    refuse(a, msg, sip, trunk, &v);
  }
  if (has_offer)
    desc_wipe(&offer);
}

void inbound_opened(struct dialog *d, struct leg *l) {
  d->was_opened = true;
  (void)l; /* the answer goes out with 183 or 200 */
}

static void reply_prepare(struct reply *r, struct dialog *d, int status) {
  reply_init(r, status);
  dialog_contact(d, r->contact, sizeof r->contact);
  dialog_session(d, r->session, sizeof r->session);
}

/* What a 183 says: our answer; to a late offer our own offer, where its PRACK can bring the answer. */
static char *early_text(struct dialog *d, struct leg *l) {
  const struct desc *offer = NULL;
  if (d->prack.is_agreed || d->prack.sdp_due)
    return NULL;
  if (!d->is_late)
    return desc_text(l->local);
  if (!d->prack.is_on || d->prack.has_offer)
    return NULL;
  struct verdict v = leg_make_offer(l, &offer);
  d->prack.has_offer = verdict_is_pass(&v);
  return d->prack.has_offer ? desc_text(offer) : NULL;
}

void inbound_provisional(struct dialog *d, struct leg *l, int status) {
  struct reply r;
  if (d->state != DIALOG_NEW || !d->invite_in || d->provisional == status ||
      d->n_provisionals == PROVISIONALS_MAX || d->prack.answer_waits)
    return;
  char *text = status == 183 ? early_text(d, l) : NULL;
  d->provisional = (uint16_t)status;
  d->n_provisionals++;
  reply_prepare(&r, d, status);
  r.body = text;
  r.line = text && d->has_pem ? "P-Early-Media: sendrecv" : NULL;
  prack_reply(d, &r);
  text_free(text);
}

/* The call is led to another number. */
void inbound_forwarded(struct dialog *d) {
  struct reply r;
  if (d->state != DIALOG_NEW || !d->invite_in || d->n_provisionals == PROVISIONALS_MAX ||
      d->prack.answer_waits)
    return;
  d->n_provisionals++;
  reply_prepare(&r, d, 181);
  prack_reply(d, &r);
}

/* The answer, or our offer where the INVITE had none; nothing more once a PRACK acknowledged it. */
static char *answer_text(struct dialog *d, struct leg *l, bool *ret_none) {
  const struct desc *offer = NULL;
  *ret_none = d->prack.is_agreed;
  if (*ret_none)
    return NULL;
  if (!d->is_late)
    return desc_text(l->local);
  struct verdict v = leg_make_offer(l, &offer);
  return verdict_is_pass(&v) ? desc_text(offer) : NULL;
}

void inbound_answered(struct dialog *d, struct leg *l) {
  struct reply r;
  bool has_none = false;
  if (d->state != DIALOG_NEW || !d->invite_in || prack_holds_answer(d))
    return;
  char *text = answer_text(d, l, &has_none);
  if (!text && !has_none) {
    dialog_end(d, END_MEDIA_FAILURE, BY_GATEWAY, 500, 0, "no session description could be made");
    return;
  }
  reply_prepare(&r, d, 200);
  expires_answer(d, &d->asked, &r);
  r.allow = d->allow;
  r.line = d->has_replaces ? "Supported: replaces" : NULL;
  r.body = text;
  d->state = DIALOG_UP;
  d->got_final = true;
  loop_disarm(d->t->env.loop, &d->timer);
  reply_to(d->agent, d->invite_in, &r);
  text_free(text);
}

/* The ACK of a 200 that carried our offer must carry the answer. */
static bool late_answer_take(struct dialog *d, struct leg *l, const sip_t *sip) {
  struct desc answer;
  bool has = false;
  struct verdict v = body_desc(sip, &answer, &has);
  if (verdict_is_pass(&v) && has)
    v = leg_take_answer(l, 1, &answer, true);
  else if (verdict_is_pass(&v))
    v = verdict_refuse(REFUSE_SDP, "the ACK has no session description, the INVITE had none either");
  if (has)
    desc_wipe(&answer);
  if (verdict_is_pass(&v))
    return true;
  d->is_acked = true;
  dialog_end(d, END_MEDIA_FAILURE, dialog_by_peer(d), 0, refusal_row(v.refusal)->q850, v.detail);
  return false;
}

static void ack_in(struct dialog *d, const sip_t *sip) {
  struct leg *l = dialog_leg(d);
  void *magic = dialog_magic(d);
  nta_incoming_destroy(take(d->invite_in));
  d->is_acked = true;
  if (d->owes_bye) {
    dialog_bye(d, &d->bye_cause);
    dialog_drop(d);
    return;
  }
  if (!l || (d->is_late && !d->prack.has_offer && !late_answer_take(d, l, sip)))
    return;
  leg_confirmed(l);
  d = dialog_get(magic); /* leg_confirmed may have ended it */
  if (d)
    wish_next(d);
}

/* Timer H: the 2xx was never acknowledged. RFC 3261 13.3.1.4: a BYE ends it. */
static void ack_missing(struct dialog *d) {
  count_one(&trunk_counters, TRUNKCOUNT_no_ack);
  nta_incoming_destroy(take(d->invite_in));
  d->is_acked = true;
  if (d->owes_bye) {
    dialog_bye(d, &d->bye_cause);
    dialog_drop(d);
    return;
  }
  dialog_fault(d, WHY_FAULT_NO_ACK, END_TIMEOUT, 408, "the answer was never acknowledged");
}

static void cancel_in(struct dialog *d, const sip_t *sip) {
  struct reason why = reason_read(sip);
  struct leg *l = dialog_leg(d);
  if (l)
    leg_end(l, cause_of_cancel(why.sip, why.q850));
}

static int inbound_ack(nta_incoming_magic_t *magic, nta_incoming_t *irq, const sip_t *sip) {
  struct dialog *d = dialog_get(magic);
  if (!d || d->invite_in != irq)
    return 0;
  if (!sip && d->state != DIALOG_NEW)
    ack_missing(d);
  else if (!sip && d->prack.is_late)
    dialog_fault(d, WHY_FAULT_NO_PRACK, END_TIMEOUT, 504,
                 "a reliable provisional response was never acknowledged");
  else if (!sip)
    dialog_end(d, END_TRUNK_FAILURE, BY_GATEWAY, 0, 0, "the response could not be sent");
  else if (sip->sip_request->rq_method == sip_method_ack)
    ack_in(d, sip);
  else if (sip->sip_request->rq_method == sip_method_cancel)
    cancel_in(d, sip);
  return 0;
}

static void final_send(struct dialog *d, const struct cause *c) {
  struct reply r;
  char contacts[REDIRECT_MAX * URI_BYTES];
  const struct leg *l = dialog_leg(d);
  if (c->sip == 302 && l && l->call->redirect) {
    reply_init(&r, 302);
    redirect_contacts(contacts, sizeof contacts, d, l->call->redirect);
    r.contacts = contacts;
  } else if (c->reason == END_CANCELED || c->reason == END_ANSWERED_ELSEWHERE || d->got_bye) {
    reply_init(&r, 487);
  } else {
    reply_cause(&r, c);
    if (c->reason == END_POLICY)
      header_warning(r.warning, sizeof r.warning, dialog_host(d), "refused", c->detail);
  }
  dialog_session(d, r.session, sizeof r.session);
  reply_to(d->agent, d->invite_in, &r);
}

void inbound_ended(struct dialog *d, const struct cause *c) {
  if (d->is_placing) {
    d->was_ended = true;
  } else if (d->state == DIALOG_NEW) {
    if (d->invite_in)
      final_send(d, c);
    dialog_drop(d);
  } else if (d->state == DIALOG_UP && !d->is_acked && !d->got_bye) {
    d->owes_bye = true; /* not before the ACK or its time-out: RFC 3261 15 */
    d->bye_cause = *c;
    dialog_linger(d);
  } else {
    if (d->state == DIALOG_UP && !d->got_bye)
      dialog_bye(d, c);
    dialog_over(d);
  }
}
