/* SPDX-License-Identifier: Apache-2.0
 * Offers within a dialog, both ways: re-INVITE and UPDATE of the peer answered by the call model
 * (leg_reoffer), our re-INVITE that tells hold and resume. Crossing ones: 491 and the wait of RFC 3261
 * 14.1, overlapping ones 500 (14.2); a refused one leaves all as it was (RFC 6141). RFC 3311. */
#include "base/rand.h"
#include "trunk/inner.h"

#include <stdio.h>

static int reinvite_ack(nta_incoming_magic_t *magic, nta_incoming_t *irq, const sip_t *sip);

static void answer_now(struct dialog *d, nta_incoming_t *irq, int status, int retry_after_s) {
  struct reply r;
  reply_init(&r, status);
  if (status >= 200 && status < 300)
    dialog_contact(d, r.contact, sizeof r.contact);
  if (retry_after_s >= 0 && status == 500)
    snprintf(r.retry_after, sizeof r.retry_after, "%d", retry_after_s);
  dialog_reply(d, irq, &r);
}

static int answer_verdict(struct dialog *d, nta_incoming_t *irq, const struct verdict *v) {
  struct reply r;
  reply_refusal(&r, v, dialog_host(d));
  dialog_reply(d, irq, &r);
  return r.status;
}

/* May the peer offer now? 0, or the status that says no. */
static int status_of_turn(struct dialog *d, const struct leg *l, bool has_offer) {
  if (d->offer_in)
    return 500;
  if (d->state != DIALOG_UP && d->is_uas && !d->is_late)
    return has_offer ? 500 : 0; /* its own offer is still unanswered: RFC 3261 14.2, RFC 3311 5.2 */
  if (d->state != DIALOG_UP)
    return has_offer ? 491 : 0;
  if (d->offer_out || (has_offer && l->offer_pending))
    return 491;
  if (d->invite_in && d->is_late)
    return 491; /* the answer in the ACK of our 200 is still due */
  return d->ack_in && d->offer_in_is_late ? 491 : 0;
}

/* A new target must be of the same kind as the first. */
static struct verdict target_take(struct dialog *d, nta_incoming_t *irq, const sip_t *sip) {
  struct ask_hosts none = {.n = 0}, subjects = {.n = 0};
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  if (!sip->sip_contact)
    return verdict_pass();
  if (!contact_is_sane(sip->sip_contact))
    return verdict_refuse(REFUSE_MALFORMED, "Contact: expected a sip or sips URI");
  msg_t *msg = nta_incoming_getrequest(irq);
  ask_subjects(&subjects, d->agent, msg);
  msg_destroy(msg);
  struct verdict v = trunk ? guard_answer_chain(d->t->env.guard, trunk, &none,
                                                slice_of(sip->sip_contact->m_url->url_host), &subjects)
                           : verdict_pass();
  if (verdict_is_pass(&v))
    nta_leg_server_route(d->nta, NULL, sip->sip_contact);
  return v;
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

int reinvite_in(struct dialog *d, nta_incoming_t *irq, const sip_t *sip, bool is_update) {
  struct leg *l = dialog_leg(d);
  struct desc offer;
  bool has = false;
  struct verdict v = body_desc(sip, &offer, &has);
  int status = verdict_is_pass(&v) ? status_of_turn(d, l, has || !is_update) : 0;
  if (status == 491)
    count_one(&trunk_counters, TRUNKCOUNT_glare);
  if (verdict_is_pass(&v) && !status)
    v = target_take(d, irq, sip);
  if (!verdict_is_pass(&v))
    status = answer_verdict(d, irq, &v);
  else if (status)
    answer_now(d, irq, status, (int)rand_below(11));
  else if (is_update && !has)
    answer_now(d, irq, status = 200, -1); /* a refresh: nothing to agree on */
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
    dialog_contact(d, r.contact, sizeof r.contact);
    r.allow = ALLOW;
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
    dialog_end(d, END_TIMEOUT, BY_GATEWAY, 408, 0, "the answer was never acknowledged");
    return 0;
  }
  bool is_late = d->offer_in_is_late;
  d->offer_in_is_late = false;
  if (l && is_late)
    late_answer_take(d, l, sip);
  d = dialog_get(magic);
  if (d && d->has_wish && dialog_leg(d))
    reinvite_out(d, d->wish_on);
  return 0;
}

/* Ours ------------------------------------------------------------------------------------------ */

/* RFC 3261 14.1: who made the Call-ID waits 2.1 to 4 s, the other up to 2 s. */
static void retry_arm(struct dialog *d) {
  uint64_t ms = d->is_uas ? 10 * (uint64_t)rand_below(201) : 2100 + 10 * (uint64_t)rand_below(191);
  d->has_wish = true;
  if (++d->retries > 10)
    return;
  d->retry.fn = reinvite_retry;
  d->retry.arg = dialog_magic(d);
  loop_arm(d->t->env.loop, &d->retry, ms * 1000);
}

void reinvite_retry(void *arg) {
  struct dialog *d = dialog_get(arg);
  if (d && d->has_wish)
    reinvite_out(d, d->wish_on);
}

static struct verdict answer_take(struct dialog *d, struct leg *l, const sip_t *sip) {
  struct desc answer;
  bool has = false;
  struct verdict v = body_desc(sip, &answer, &has);
  if (verdict_is_pass(&v) && !has)
    v = verdict_refuse(REFUSE_SDP, "the 2xx has no session description");
  else if (verdict_is_pass(&v))
    v = leg_take_answer(l, d->fork ? d->fork : 1, &answer, true);
  if (has)
    desc_wipe(&answer);
  return v;
}

static void offer_accepted(struct dialog *d, struct leg *l, const sip_t *sip) {
  char branch[TAG_BYTES];
  slice_copy(branch, sizeof branch, slice_of(nta_outgoing_branch(d->offer_out)));
  if (contact_is_sane(sip->sip_contact))
    nta_leg_client_reroute(d->nta, NULL, sip->sip_contact, 0);
  dialog_ack(d, sip->sip_cseq->cs_seq, branch, NULL);
  nta_outgoing_destroy(take(d->offer_out));
  d->retries = 0;
  struct verdict v = answer_take(d, l, sip);
  if (verdict_is_pass(&v))
    return;
  leg_drop_offer(l);
  dialog_end(d, END_MEDIA_FAILURE, dialog_by_peer(d), 0, refusal_row(v.refusal)->q850, v.detail);
}

static void offer_refused(struct dialog *d, struct leg *l, int status) {
  nta_outgoing_destroy(take(d->offer_out));
  leg_drop_offer(l);
  if (status == 491) {
    count_one(&trunk_counters, TRUNKCOUNT_glare);
    if (!d->has_wish)
      retry_arm(d);
  } else if (status == 481 || status == 408) {
    dialog_end(d, END_TRUNK_FAILURE, BY_GATEWAY, status, 0, "the peer knows the call no more");
  } else {
    log_info(trunk, "trunk %s: our hold or resume was answered %d", d->trunk, status);
  }
}

static int reinvite_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  struct dialog *d = dialog_get(magic);
  int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
  if (!d || d->offer_out != orq || status < 200)
    return 0;
  struct leg *l = dialog_leg(d);
  if (status < 300 && sip && l)
    offer_accepted(d, l, sip);
  else if (l)
    offer_refused(d, l, status);
  d = dialog_get(magic);
  if (d && d->has_wish && !timer_is_armed(&d->retry) && !d->offer_out && dialog_leg(d))
    reinvite_out(d, d->wish_on);
  return 0;
}

static nta_outgoing_t *reinvite_send(struct dialog *d, const char *body) {
  char contact[URI_BYTES + 2], session[96];
  dialog_contact(d, contact, sizeof contact);
  dialog_session_line(d, session, sizeof session);
  return nta_outgoing_tcreate(d->nta, reinvite_response, dialog_magic(d), NULL, SIP_METHOD_INVITE,
                              *d->target ? URL_STRING_MAKE(d->target) : NULL,
                              SIPTAG_CONTACT_STR(contact), SIPTAG_ALLOW_STR(ALLOW),
                              SIPTAG_USER_AGENT_STR(d->t->product),
                              TAG_IF(*session, SIPTAG_HEADER_STR(session)),
                              SIPTAG_CONTENT_TYPE_STR(SDP_TYPE), SIPTAG_PAYLOAD_STR(body), TAG_END());
}

void reinvite_out(struct dialog *d, bool on) {
  struct leg *l = dialog_leg(d);
  const struct desc *offer = NULL;
  d->has_wish = true;
  d->wish_on = on;
  if (!l || d->state != DIALOG_UP || !d->is_acked || d->offer_in || d->offer_out || d->ack_in)
    return; /* told when what is under way has ended */
  d->has_wish = false;
  loop_disarm(d->t->env.loop, &d->retry);
  struct verdict v = leg_make_reoffer(l, &offer);
  char *body = verdict_is_pass(&v) ? desc_text(offer) : NULL;
  if (body)
    d->offer_out = reinvite_send(d, body);
  text_free(body);
  if (d->offer_out) {
    count_one(&trunk_counters, TRUNKCOUNT_reinvites_out);
    return;
  }
  if (body)
    leg_drop_offer(l);
  else if (v.refusal == REFUSE_GLARE)
    retry_arm(d);
}

void reinvite_done(struct dialog *d) {
  loop_disarm(d->t->env.loop, &d->retry);
  d->has_wish = false;
  if (d->offer_in) {
    struct reply r;
    reply_init(&r, 487);
    reply_to(d->agent, d->offer_in, &r);
    nta_incoming_destroy(take(d->offer_in));
  }
  if (d->offer_out)
    nta_outgoing_destroy(take(d->offer_out));
}
