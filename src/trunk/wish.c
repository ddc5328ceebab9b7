/* SPDX-License-Identifier: Apache-2.0
 * What we wish to tell the peer within a dialog, one request at a time: hold and resume by re-INVITE,
 * and that the session goes on (expires.c).
 * A wish waits while an offer of either side is under way; after a 491 it is told again after the wait
 * of RFC 3261 14.1. A refused one leaves all as it was (RFC 6141). */
#include "base/rand.h"
#include "trunk/inner.h"

enum { RETRIES_MAX = 10 }; /* 491s in a row, then the peer is left alone */

static void retry_due(void *arg) {
  struct dialog *d = dialog_get(arg);
  if (d)
    wish_next(d);
}

/* RFC 3261 14.1: who made the Call-ID waits 2.1 to 4 s, the other up to 2 s. */
static void retry_arm(struct dialog *d, bool is_wish) {
  uint64_t ms = d->is_uas ? 10 + 10 * (uint64_t)rand_below(200) : 2100 + 10 * (uint64_t)rand_below(191);
  d->has_wish = d->has_wish || is_wish;
  if (++d->retries > RETRIES_MAX)
    return;
  d->retry.fn = retry_due;
  d->retry.arg = dialog_magic(d);
  loop_arm(d->t->env.loop, &d->retry, ms * 1000);
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
  dialog_retarget(d, d->offer_out, sip);
  expires_agreed(d, sip);
  dialog_ack(d, sip->sip_cseq->cs_seq, branch, NULL);
  nta_outgoing_destroy(take(d->offer_out));
  d->retries = 0;
  d->was_cut = false;
  struct verdict v = answer_take(d, l, sip);
  if (verdict_is_pass(&v))
    return;
  leg_drop_offer(l);
  dialog_end(d, END_MEDIA_FAILURE, dialog_by_peer(d), 0, refusal_row(v.refusal)->q850, v.detail);
}

/* The connection went from under it: once more, over a new one. */
static bool is_cut(struct dialog *d, int status, const sip_t *sip) {
  bool was_cut = d->was_cut;
  d->was_cut = status == 503 && (!sip || nta_sip_is_internal(sip));
  return d->was_cut && !was_cut;
}

static void offer_refused(struct dialog *d, struct leg *l, int status, const sip_t *sip) {
  bool is_again = expires_raised(d, status, sip) || is_cut(d, status, sip);
  nta_outgoing_destroy(take(d->offer_out));
  leg_drop_offer(l);
  if (status == 491) {
    count_one(&trunk_counters, TRUNKCOUNT_glare);
    d->owes_refresh = d->out_is_refresh;
    retry_arm(d, !d->out_is_refresh);
  } else if (status == 481 || status == 408) {
    dialog_fault(d, WHY_FAULT_FORGOTTEN, END_TRUNK_FAILURE, status, "the peer knows the call no more");
  } else if (d->out_is_refresh) {
    d->owes_refresh = is_again;
    if (!is_again)
      expires_failed(d);
  } else if (is_again) {
    d->has_wish = true;
  } else {
    log_info(trunk, "trunk %s: our hold or resume was answered %d", d->trunk, status);
  }
}

/* The call is over meanwhile: nothing but the ACK is owed. */
static void offer_closed(struct dialog *d, int status, const sip_t *sip) {
  if (status < 300 && sip)
    dialog_ack(d, sip->sip_cseq->cs_seq, nta_outgoing_branch(d->offer_out), NULL);
  dialog_drop(d);
}

static int wish_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  struct dialog *d = dialog_get(magic);
  int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
  if (!d || d->offer_out != orq || status < 200)
    return 0;
  struct leg *l = dialog_leg(d);
  if (d->state == DIALOG_CLOSING) {
    offer_closed(d, status, sip);
    return 0;
  }
  if (l && dialog_proof(d, &d->offer_out, sip, wish_response))
    return 0;
  if (status < 300 && sip && l)
    offer_accepted(d, l, sip);
  else if (l)
    offer_refused(d, l, status, sip);
  d = dialog_get(magic);
  if (d)
    wish_next(d);
  return 0;
}

static nta_outgoing_t *wish_send(struct dialog *d, const char *body) {
  char contact[URI_BYTES + 2], session[96];
  struct expires_text x;
  expires_ask(d, &x);
  dialog_contact(d, contact, sizeof contact);
  dialog_session_line(d, session, sizeof session);
  return nta_outgoing_tcreate(d->nta, wish_response, dialog_magic(d), dialog_hop(d), SIP_METHOD_INVITE,
                              *d->target ? URL_STRING_MAKE(d->target) : NULL,
                              SIPTAG_CONTACT_STR(contact), SIPTAG_ALLOW_STR(d->allow),
                              SIPTAG_USER_AGENT_STR(d->t->product), EXPIRES_TAGS(&x),
                              TAG_IF(*session, SIPTAG_HEADER_STR(session)),
                              SIPTAG_CONTENT_TYPE_STR(SDP_TYPE), SIPTAG_PAYLOAD_STR(body), TAG_END());
}

static bool is_free(const struct dialog *d) {
  return d->state == DIALOG_UP && d->is_acked && !d->offer_in && !d->offer_out && !d->ack_in;
}

void wish_hold(struct dialog *d, bool on) {
  d->has_wish = true;
  d->wish_on = on;
  wish_next(d);
}

static void offer_send(struct dialog *d, struct leg *l) {
  const struct desc *offer = NULL;
  struct verdict v = d->out_is_refresh ? leg_make_refresh(l, &offer) : leg_make_reoffer(l, &offer);
  char *body = verdict_is_pass(&v) ? desc_text(offer) : NULL;
  if (body)
    d->offer_out = wish_send(d, body);
  text_free(body);
  if (d->offer_out)
    count_one(&trunk_counters, TRUNKCOUNT_reinvites_out);
  else if (body)
    leg_drop_offer(l);
  else if (v.refusal == REFUSE_GLARE)
    retry_arm(d, !d->out_is_refresh);
}

void wish_next(struct dialog *d) {
  struct leg *l = dialog_leg(d);
  if (!l || !(d->has_wish || d->owes_refresh) || !is_free(d) || timer_is_armed(&d->retry))
    return; /* told when what is under way has ended */
  d->out_is_refresh = !d->has_wish;
  d->has_wish = false;
  if (d->out_is_refresh && expires_update(d)) {
    d->owes_refresh = false;
    return;
  }
  d->owes_refresh = d->owes_refresh && !d->out_is_refresh;
  offer_send(d, l);
}

void wish_done(struct dialog *d) {
  loop_disarm(d->t->env.loop, &d->retry);
  d->has_wish = false;
  if (d->offer_out)
    nta_outgoing_destroy(take(d->offer_out));
}
