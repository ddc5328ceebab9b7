/* SPDX-License-Identifier: Apache-2.0
 * The peer's offers within a dialog: re-INVITE and UPDATE, answered by the call model (leg_reoffer).
 * One that crosses ours gets 491, an overlapping one 500 (RFC 3261 14.2); a refused one leaves all as
 * it was (RFC 6141). Our own are in wish.c. RFC 3311. */
#include "base/rand.h"
#include "trunk/inner.h"

#include <stdio.h>

static int reinvite_ack(nta_incoming_magic_t *magic, nta_incoming_t *irq, const sip_t *sip);

/* Only what was accepted moves the target: RFC 3261 12.2.2, RFC 6141 4. */
static void target_move(struct dialog *d, nta_incoming_t *irq) {
  msg_t *msg = nta_incoming_getrequest(irq);
  const sip_t *sip = sip_object(msg);
  if (sip && sip->sip_contact)
    nta_leg_server_route(d->nta, NULL, sip->sip_contact);
  msg_destroy(msg);
}

static void answer_now(struct dialog *d, nta_incoming_t *irq, const struct refresh_fields *asked,
                       int status, int retry_after_s) {
  struct reply r;
  reply_init(&r, status);
  if (status >= 200 && status < 300) {
    target_move(d, irq);
    dialog_contact(d, r.contact, sizeof r.contact);
    if (d->state == DIALOG_UP) /* before that it is the INVITE's own 200 that agrees on a timer */
      expires_answer(d, asked, &r);
  }
  if (retry_after_s >= 0 && status == 500)
    snprintf(r.retry_after, sizeof r.retry_after, "%d", retry_after_s);
  dialog_reply(d, irq, &r);
}

static int answer_verdict(struct dialog *d, nta_incoming_t *irq, const struct verdict *v) {
  struct reply r;
  reply_refusal(&r, v, dialog_host(d));
  if (r.status == 422)
    snprintf(r.min_se, sizeof r.min_se, "%u", d->refresh.min_s);
  dialog_reply(d, irq, &r);
  return r.status;
}

/* May the peer offer now? 0, or the status that says no. */
static int status_of_turn(struct dialog *d, const struct leg *l, const sip_t *sip, bool has_offer) {
  if (d->offer_in)
    return has_offer ? 500 : 0;
  if (d->state != DIALOG_UP && !early_is_agreed(d, sip)) /* RFC 3311 5.2 */
    return !has_offer ? 0 : d->is_uas && !d->is_late ? 500 : 491;
  if (d->state != DIALOG_UP && has_offer && sip->sip_request->rq_method == sip_method_invite)
    return 500; /* RFC 3261 14.2: the first INVITE has no final answer */
  if (has_offer && (d->offer_out || l->offer_pending))
    return 491;
  if (has_offer && d->invite_in && d->is_late)
    return 491; /* the answer in the ACK of our 200 is still due */
  return has_offer && d->ack_in && d->offer_in_is_late ? 491 : 0;
}

/* A new target must be of the same kind as the first. */
static struct verdict target_check(struct dialog *d, nta_incoming_t *irq, const sip_t *sip) {
  struct ask_hosts none = {.n = 0}, subjects = {.n = 0};
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  if (!sip->sip_contact)
    return verdict_pass();
  if (!contact_is_sane(sip->sip_contact))
    return verdict_refuse(REFUSE_MALFORMED, "Contact: expected a sip or sips URI");
  msg_t *msg = nta_incoming_getrequest(irq);
  ask_subjects(&subjects, d->agent, msg);
  msg_destroy(msg);
  return trunk ? guard_answer_chain(d->t->env.guard, trunk, &none,
                                    slice_of(sip->sip_contact->m_url->url_host), &subjects)
               : verdict_pass();
}

static void offer_take(struct dialog *d, struct leg *l, nta_incoming_t *irq, const struct desc *offer,
                       bool is_update) {
  struct agent *a = d->agent;
  struct reply trying;
  d->offer_in = irq;
  d->offer_in_is_late = !offer;
  d->offer_in_is_update = is_update;
  d->cookie++;
  count_one(&trunk_counters, TRUNKCOUNT_reinvites_in);
  if (!is_update) {
    nta_incoming_bind(irq, reinvite_ack, dialog_magic(d));
    reply_init(&trying, 100);
    reply_to(a, irq, &trying);
  }
  leg_reoffer(l, d->cookie, offer);
}

static struct verdict timer_check(struct dialog *d, const sip_t *sip) {
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  return trunk ? expires_check(trunk, sip) : verdict_pass();
}

int reinvite_in(struct dialog *d, nta_incoming_t *irq, const sip_t *sip, bool is_update) {
  struct leg *l = dialog_leg(d);
  struct refresh_fields asked = {0};
  struct desc offer;
  bool has = false;
  struct verdict v = body_desc(sip, &offer, &has);
  if (verdict_is_pass(&v))
    v = timer_check(d, sip);
  int status = verdict_is_pass(&v) ? status_of_turn(d, l, sip, has || !is_update) : 0;
  if (status == 491)
    count_one(&trunk_counters, TRUNKCOUNT_glare);
  if (verdict_is_pass(&v) && !status)
    v = target_check(d, irq, sip);
  if (verdict_is_pass(&v) && !status) {
    expires_take(d, sip, &asked);
    if (has || !is_update)
      d->asked_in = asked;
  }
  if (!verdict_is_pass(&v))
    status = answer_verdict(d, irq, &v);
  else if (status)
    answer_now(d, irq, &asked, status, (int)rand_below(11));
  else if (is_update && !has)
    answer_now(d, irq, &asked, status = 200, -1); /* a refresh: nothing to agree on */
  else
    offer_take(d, l, irq, has ? &offer : NULL, is_update);
  if (has)
    desc_wipe(&offer);
  return status;
}

void reinvite_answer(struct dialog *d, struct leg *l, uint64_t cookie, const struct verdict *v,
                     const struct desc *local) {
  struct reply r;
  (void)l;
  if (cookie != d->cookie || !d->offer_in)
    return;
  nta_incoming_t *irq = take(d->offer_in);
  char *text = verdict_is_pass(v) ? desc_text(local) : NULL;
  if (text) {
    reply_init(&r, 200);
    target_move(d, irq);
    dialog_contact(d, r.contact, sizeof r.contact);
    if (d->state == DIALOG_UP)
      expires_answer(d, &d->asked_in, &r);
    r.allow = d->allow;
    r.body = text;
  } else if (verdict_is_pass(v)) {
    reply_init(&r, 500);
  } else {
    reply_refusal(&r, v, dialog_host(d));
  }
  dialog_reply(d, irq, &r);
  text_free(text);
  if (r.status != 200 || d->offer_in_is_update) {
    nta_incoming_destroy(irq);
    return;
  }
  if (d->ack_in)
    nta_incoming_destroy(d->ack_in);
  d->ack_in = irq;
}

static void late_answer_take(struct dialog *d, struct leg *l, const sip_t *sip) {
  struct desc answer;
  bool has = false;
  struct verdict v = body_desc(sip, &answer, &has);
  if (verdict_is_pass(&v) && !has)
    v = verdict_refuse(REFUSE_SDP, "the ACK has no session description, the INVITE had none either");
  else if (verdict_is_pass(&v))
    v = leg_take_answer(l, d->fork ? d->fork : 1, &answer, true);
  if (has)
    desc_wipe(&answer);
  if (!verdict_is_pass(&v))
    dialog_end(d, END_MEDIA_FAILURE, dialog_by_peer(d), 0, refusal_row(v.refusal)->q850, v.detail);
}

static int reinvite_ack(nta_incoming_magic_t *magic, nta_incoming_t *irq, const sip_t *sip) {
  struct dialog *d = dialog_get(magic);
  if (!d || (d->ack_in != irq && d->offer_in != irq))
    return 0;
  struct leg *l = dialog_leg(d);
  if (sip && sip->sip_request->rq_method == sip_method_cancel)
    return 0; /* the answer is a matter of milliseconds: it wins */
  if (d->offer_in == irq)
    return 0;
  nta_incoming_destroy(take(d->ack_in));
  if (!sip) {
    count_one(&trunk_counters, TRUNKCOUNT_no_ack);
    dialog_fault(d, WHY_FAULT_NO_ACK, END_TIMEOUT, 408, "the answer was never acknowledged");
    return 0;
  }
  bool is_late = d->offer_in_is_late;
  d->offer_in_is_late = false;
  if (l && is_late)
    late_answer_take(d, l, sip);
  d = dialog_get(magic);
  if (d)
    wish_next(d);
  return 0;
}

void reinvite_done(struct dialog *d) {
  struct reply r;
  if (!d->offer_in)
    return;
  reply_init(&r, 487);
  reply_to(d->agent, d->offer_in, &r);
  nta_incoming_destroy(take(d->offer_in));
}
