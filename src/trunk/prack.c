/* SPDX-License-Identifier: Apache-2.0
 * Reliable provisional responses, both roles: ours to a caller, retransmitted by the library until their
 * PRACK, the 200 held back while one with a description is due; a callee's, acknowledged in their order
 * over the route of their own early dialog. RFC 3262; offers and answers in them RFC 6337. */
#include "trunk/inner.h"

#include <sofia-sip/sip_util.h>
#include <stdio.h>

/* To a caller ------------------------------------------------------------------------------------ */

void prack_start(struct dialog *d, const sip_t *sip, const struct conf_trunk *trunk) {
  d->prack.is_on = trunk && trunk->prack != PRACK_OFF && agent_knows(sip, "100rel");
}

static void prack_answer(struct dialog *d, nta_incoming_t *irq, int status, const struct verdict *v) {
  struct reply r;
  if (v && !verdict_is_pass(v))
    reply_refusal(&r, v, dialog_host(d));
  else
    reply_init(&r, status);
  dialog_reply(d, irq, &r);
  nta_incoming_destroy(irq);
}

/* The PRACK of our offer brings the answer, or the call is over. */
static void answer_take(struct dialog *d, struct leg *l, nta_incoming_t *irq, const struct desc *answer,
                        struct verdict v) {
  if (verdict_is_pass(&v) && !answer)
    v = verdict_refuse(REFUSE_SDP, "the PRACK has no session description, but our offer is due one");
  else if (verdict_is_pass(&v))
    v = leg_take_answer(l, 1, answer, true);
  prack_answer(d, irq, 200, &v);
  if (!verdict_is_pass(&v))
    dialog_end(d, END_MEDIA_FAILURE, dialog_by_peer(d), refusal_row(v.refusal)->sip,
               refusal_row(v.refusal)->q850, v.detail);
}

/* A PRACK may bring a new offer, once ours was an answer: it goes the way of an UPDATE. */
static void prack_take(struct dialog *d, struct leg *l, nta_incoming_t *irq, const sip_t *sip,
                       bool is_of_sdp) {
  struct desc desc;
  bool has = false, is_answer = d->prack.has_offer && is_of_sdp;
  struct verdict v = body_desc(sip, &desc, &has);
  if (is_of_sdp)
    d->prack.is_agreed = true;
  if (is_answer)
    answer_take(d, l, irq, has ? &desc : NULL, v);
  else if (!verdict_is_pass(&v) || !has)
    prack_answer(d, irq, 200, &v);
  else if (reinvite_in(d, irq, sip, true))
    nta_incoming_destroy(irq);
  if (has)
    desc_wipe(&desc);
}

/* irq NULL: it never came, or the final response has made it needless. */
static int on_prack(nta_incoming_magic_t *magic, nta_reliable_t *rel, nta_incoming_t *irq,
                    const sip_t *sip) {
  struct dialog *d = dialog_get(magic);
  bool is_of_sdp = d && d->prack.sdp_due == rel;
  nta_reliable_destroy(rel);
  if (d && d->prack.n_due)
    d->prack.n_due--;
  if (is_of_sdp)
    d->prack.sdp_due = NULL;
  if (!irq) {
    if (d)
      d->prack.is_late = true;
    return 0;
  }
  struct leg *l = d && dialog_is_peer(d, irq, sip) ? dialog_leg(d) : NULL;
  if (!l) {
    nta_incoming_treply(irq, SIP_481_NO_TRANSACTION, TAG_END());
    nta_incoming_destroy(irq);
    return 0;
  }
  prack_take(d, l, irq, sip, is_of_sdp);
  d = dialog_get(magic);
  if (d && d->prack.answer_waits && !d->prack.sdp_due && dialog_leg(d)) {
    d->prack.answer_waits = false;
    inbound_answered(d, dialog_leg(d));
  }
  return 0;
}

void prack_reply(struct dialog *d, const struct reply *r) {
  nta_reliable_t *rel =
      d->prack.is_on ? reply_reliable(d->agent, d->invite_in, r, on_prack, dialog_magic(d)) : NULL;
  if (!rel) {
    reply_to(d->agent, d->invite_in, r);
    return;
  }
  d->prack.n_due++;
  if (r->body)
    d->prack.sdp_due = rel;
}

bool prack_holds_answer(struct dialog *d) {
  if (d->prack.sdp_due)
    d->prack.answer_waits = true;
  return d->prack.answer_waits;
}

/* Of a callee ------------------------------------------------------------------------------------ */

bool prack_is_reliable(const struct dialog *d, const sip_t *sip) {
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  return trunk && trunk->prack != PRACK_OFF && sip->sip_rseq && sip->sip_rseq->rs_response &&
         sip->sip_require && agent_knows(sip, "100rel") && sip->sip_to->a_tag;
}

bool prack_is_news(struct fork *f, const sip_t *sip) {
  uint32_t rseq = (uint32_t)sip->sip_rseq->rs_response;
  if (f->rseq && rseq != f->rseq + 1)
    return false;
  f->rseq = rseq;
  return true;
}

/* The route set of an early dialog, RFC 3261 12.1.2, with the strict form of 12.2.1.1. NULL: none. */
sip_route_t *prack_route(su_home_t *home, const sip_t *sip, const url_t **target) {
  sip_route_t *route = sip_route_reverse(home, sip->sip_record_route), *last = route, one[1];
  if (!route || url_has_param(route->r_url, "lr"))
    return route;
  while (last->r_next)
    last = last->r_next;
  *sip_route_init(one)->r_url = **target;
  last->r_next = sip_route_dup(home, one);
  *target = route->r_url;
  return route->r_next;
}

static int prack_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  struct dialog *d = dialog_get(magic);
  int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
  for (uint32_t i = 0; d && status >= 200 && i < d->n_forks; i++) {
    struct fork *f = &d->forks[i];
    if (f->prack_out != orq || dialog_proof(d, &f->prack_out, sip, prack_response))
      continue;
    if (status >= 300)
      log_info(trunk, "trunk %s: our PRACK was answered %d", d->trunk, status);
    nta_outgoing_destroy(take(f->prack_out));
  }
  return 0;
}

void prack_done(struct dialog *d) {
  for (uint32_t i = 0; i < d->n_forks; i++)
    if (d->forks[i].prack_out)
      nta_outgoing_destroy(take(d->forks[i].prack_out));
}

void prack_send(struct dialog *d, struct fork *f, const sip_t *sip, const char *body) {
  su_home_t home[1] = {SU_HOME_INIT(home)};
  char rack[64], session[96];
  const url_t *target = sip->sip_contact->m_url;
  sip_route_t *route = prack_route(home, sip, &target);
  snprintf(rack, sizeof rack, "%lu %u INVITE", (unsigned long)sip->sip_rseq->rs_response,
           sip->sip_cseq->cs_seq);
  dialog_session_line(d, session, sizeof session);
  if (f->prack_out)
    nta_outgoing_destroy(take(f->prack_out)); /* goes on by itself */
  f->prack_out = nta_outgoing_tcreate(
      d->nta, prack_response, dialog_magic(d), dialog_hop(d), SIP_METHOD_PRACK,
      (const url_string_t *)target, SIPTAG_TO(sip->sip_to), TAG_IF(route, SIPTAG_ROUTE(route)),
      SIPTAG_RACK_STR(rack), TAG_IF(*session, SIPTAG_HEADER_STR(session)),
      SIPTAG_USER_AGENT_STR(d->t->product), TAG_IF(body, SIPTAG_CONTENT_TYPE_STR(SDP_TYPE)),
      TAG_IF(body, SIPTAG_PAYLOAD_STR(body)), TAG_END());
  if (!f->prack_out)
    log_warn(sip, "trunk %s: the PRACK could not be sent", d->trunk);
  su_home_deinit(home);
}
