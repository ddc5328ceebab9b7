/* SPDX-License-Identifier: Apache-2.0
 * What comes to a line of the trunk's tests: answers, each told as one word; requests of the peer within
 * the dialog, answered here. A 2xx of a stranger's chain gets its ACK and is told as wrong. Call thread.
 * RFC 3261 12.2, 13.2.2; RFC 3262; RFC 6141. */
#include "trunk/line.h"
#include "trunk/hops.h"
#include "trunk/tls.h"

#include <stdio.h>

enum { SECONDS_1900_1970 = 2208988800 }; /* sofia counts from 1900 */

struct said { /* what a word's texts point to */
  char allow[PROBE_TEXT_BYTES], supported[PROBE_TEXT_BYTES], contact[PROBE_TEXT_BYTES];
  char warning[PROBE_TEXT_BYTES], why[PROBE_TEXT_BYTES], transport[16];
};

/* The items of a list header and of those that follow it: Allow, Supported. */
static void items_text(const msg_list_t *list, char *dst, size_t bytes) {
  size_t n = 0;
  dst[0] = 0;
  for (; list; list = list->k_next)
    for (const msg_param_t *p = (const msg_param_t *)list->k_items; p && *p && n < bytes; p++)
      n += (size_t)snprintf(dst + n, bytes - n, "%s%s", n ? ", " : "", *p);
}

static void session_read(struct line *l, const sip_t *sip, struct probe_word *w) {
  const char *value = header_unknown(sip, "Session-ID"),
             *remote = value ? strstr(value, "remote=") : NULL;
  w->has_session = value && header_session_read(slice_of(value), l->session_remote);
  w->keeps_session = remote && !strncasecmp(remote + 7, l->session, 32);
}

static void headers_read(const sip_t *sip, struct said *s, struct probe_word *w) {
  struct refresh_fields f;
  items_text((const msg_list_t *)sip->sip_allow, s->allow, sizeof s->allow);
  items_text((const msg_list_t *)sip->sip_supported, s->supported, sizeof s->supported);
  if (sip->sip_contact && sip->sip_contact->m_url->url_host)
    snprintf(s->contact, sizeof s->contact, "%s", sip->sip_contact->m_url->url_host);
  if (sip->sip_contact && sip->sip_contact->m_url->url_params &&
      url_param(sip->sip_contact->m_url->url_params, "transport", s->transport, sizeof s->transport) > 0)
    w->transport = s->transport;
  if (sip->sip_contact && sip->sip_contact->m_url->url_type == url_sips) /* whatever it names */
    w->transport = "tls";
  if (sip->sip_warning && sip->sip_warning->w_text)
    snprintf(s->warning, sizeof s->warning, "%s", sip->sip_warning->w_text);
  expires_read(sip, &f);
  struct reason r = reason_read(sip);
  w->expires_s = f.expires_s;
  w->min_s = f.min_s;
  w->q850 = r.q850;
  w->q850_sip = r.sip;
  w->has_tag = sip->sip_to && sip->sip_to->a_tag;
  w->date_s = sip->sip_date ? (int64_t)sip->sip_date->d_time - SECONDS_1900_1970 : 0;
  w->allow = s->allow;
  w->supported = s->supported;
  w->contact = s->contact;
  w->warning = s->warning;
  if (sip->sip_status)
    w->phrase = sip->sip_status->st_phrase;
  w->agent = sip->sip_server && sip->sip_server->g_string           ? sip->sip_server->g_string
             : sip->sip_user_agent && sip->sip_user_agent->g_string ? sip->sip_user_agent->g_string
                                                                    : "";
}

static void link_read(struct line *l, msg_t *msg, struct probe_word *w) {
  struct link_facts facts;
  struct addr from;
  agent_source(msg, &from);
  addr_text(&from, w->peer, sizeof w->peer);
  tport_t *tp = tport_delivered_by(nta_agent_tports(l->agent->nta), msg);
  w->by_stream = tp && tport_is_stream(tp);
  if (tp && tport_has_tls(tp) && link_facts_of(tp, &facts) == 0) {
    w->tls = facts.protocol;
    w->cipher = facts.cipher;
  }
}

static void tell(struct line *l, const struct probe_word *w) {
  if (l->user.word)
    l->user.word(l->user.arg, l->id, w);
}

/* May who answered so stand in a dialog? */
static struct verdict chain_check(struct line *l, msg_t *msg, const sip_t *sip) {
  struct ask_hosts routes = {.n = 0}, subjects = {.n = 0};
  const struct conf_trunk *trunk = line_trunk(l);
  if (!trunk || !contact_is_sane(sip->sip_contact))
    return verdict_refuse(REFUSE_CONTACT, "the answer's Contact is no sip or sips URI");
  if (!routes_are_sane(sip->sip_record_route))
    return verdict_refuse(REFUSE_PROXY, "the answer's Record-Route holds something else than sip URIs");
  if (msg)
    ask_subjects(&subjects, l->agent, msg);
  ask_routes(&routes, sip->sip_record_route);
  return guard_answer_chain(l->t->env.guard, trunk, &routes, slice_of(sip->sip_contact->m_url->url_host),
                            &subjects);
}

/* The 2xx of an INVITE: our ACK, with the answer where the 2xx brings the offer. */
static void invite_up(struct line *l, const sip_t *sip, const struct desc *offer, bool is_sane) {
  struct desc answer;
  char *body = NULL;
  if (offer && l->is_late && l->user.offered && l->user.offered(l->user.arg, l->id, offer, &answer)) {
    body = desc_text(&answer);
    desc_wipe(&answer);
  }
  if (sip->sip_to->a_tag)
    nta_leg_rtag(l->nta, sip->sip_to->a_tag);
  if (is_sane)
    nta_leg_client_reroute(l->nta, sip->sip_record_route, sip->sip_contact, !l->is_up);
  line_ack(l, sip->sip_cseq->cs_seq, body);
  text_free(body);
  l->is_up = true;
}

static bool is_reliable(const struct line *l, const sip_t *sip, int status) {
  return status > 100 && status < 200 && sip->sip_rseq && sip->sip_rseq->rs_response &&
         sip->sip_require && agent_knows(sip, "100rel") && sip->sip_to->a_tag &&
         contact_is_sane(sip->sip_contact) && routes_are_sane(sip->sip_record_route) &&
         (uint32_t)sip->sip_rseq->rs_response != l->rseq;
}

/* What the answer says beyond its status, into w; then what the protocol demands. */
static void answer_take(struct line *l, nta_outgoing_t *orq, const sip_t *sip, struct probe_word *w) {
  struct said s = {.allow = ""};
  struct desc desc;
  bool has = false, is_up = w->method == PROBE_INVITE && w->status >= 200 && w->status < 300;
  msg_t *msg = nta_outgoing_getresponse(orq);
  struct verdict v = body_desc(sip, &desc, &has);
  headers_read(sip, &s, w);
  session_read(l, sip, w);
  if (msg)
    link_read(l, msg, w);
  if (is_up || (has && verdict_is_pass(&v))) {
    struct verdict chain = is_up ? chain_check(l, msg, sip) : verdict_pass();
    w->is_bad_route = !verdict_is_pass(&chain);
    w->is_bad_contact = chain.refusal == REFUSE_CONTACT;
    v = w->is_bad_route ? chain : v;
  }
  msg_destroy(msg);
  snprintf(s.why, sizeof s.why, "%s", v.detail);
  w->why = verdict_is_pass(&v) ? NULL : s.why;
  w->desc = has ? &desc : NULL;
  w->has_100rel = is_reliable(l, sip, w->status);
  if (w->has_100rel) {
    l->rseq = (uint32_t)sip->sip_rseq->rs_response;
    line_prack(l, sip);
  }
  void *magic = line_magic(l);
  if (is_up)
    invite_up(l, sip, w->desc,
              contact_is_sane(sip->sip_contact) && routes_are_sane(sip->sip_record_route));
  l = line_get(magic);
  if (l)
    tell(l, w);
  if (has)
    desc_wipe(&desc);
}

static nta_outgoing_t **place_of(struct line *l, const nta_outgoing_t *orq, struct probe_word *w) {
  uint64_t now = loop_now_us(l->t->env.loop);
  if (orq == l->invite) {
    w->method = PROBE_INVITE;
    w->ms = (uint32_t)((now - l->invite_us) / 1000);
    return &l->invite;
  }
  w->method = orq == l->prack ? PROBE_PRACK : (enum probe_method)l->other_method;
  w->ms = (uint32_t)((now - l->other_us) / 1000);
  return orq == l->prack ? &l->prack : orq == l->other ? &l->other : NULL;
}

int line_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  struct line *l = line_get(magic);
  struct probe_word w = {.status = sip && sip->sip_status ? sip->sip_status->st_status
                                                          : nta_outgoing_status(orq)};
  nta_outgoing_t **place = l ? place_of(l, orq, &w) : NULL;
  if (!place)
    return 0;
  struct proof p = {line_trunk(l), l->agent, l->nta, line_response, line_magic(l)};
  if (w.status >= 300 && proof_again(&p, place, sip)) {
    if (w.method == PROBE_INVITE)
      slice_copy(l->branch, sizeof l->branch, slice_of(nta_outgoing_branch(*place)));
    return 0;
  }
  w.is_own = !sip || nta_sip_is_internal(sip);
  bool is_final = w.status >= 200;
  if (is_final)
    *place = NULL;
  if (w.is_own)
    tell(l, &w);
  else
    answer_take(l, orq, sip, &w);
  if (is_final)
    nta_outgoing_destroy(orq);
  return 0;
}

/* Requests of the peer ---------------------------------------------------------------------------- */

static int on_ack(nta_incoming_magic_t *magic, nta_incoming_t *irq, const sip_t *sip) {
  struct line *l = line_get(magic);
  (void)sip;
  if (l && l->ack_due == irq)
    nta_incoming_destroy(take(l->ack_due));
  return 0;
}

static int offer_in(struct line *l, nta_incoming_t *irq, const sip_t *sip, bool is_update) {
  struct desc offer, ours;
  struct reply r;
  bool has = false;
  char contact[URI_BYTES];
  struct verdict v = body_desc(sip, &offer, &has);
  reply_init(&r, 200);
  char *body = NULL;
  if (!verdict_is_pass(&v))
    reply_refusal(&r, &v, line_host(l));
  else if (has || !is_update) {
    bool is_taken = l->user.offered && l->user.offered(l->user.arg, l->id, has ? &offer : NULL, &ours);
    body = is_taken ? desc_text(&ours) : NULL;
    if (is_taken)
      desc_wipe(&ours);
    if (!body)
      reply_init(&r, 488);
  }
  if (has)
    desc_wipe(&offer);
  r.body = body;
  snprintf(r.contact, sizeof r.contact, "<%s>",
           header_uri(contact, sizeof contact, l->caller, line_host(l), l->agent->port,
                      agent_transport(l->agent)));
  reply_to(l->agent, irq, &r);
  text_free(body);
  if (is_update || r.status >= 300)
    return r.status;
  if (l->ack_due)
    nta_incoming_destroy(take(l->ack_due));
  l->ack_due = irq;
  nta_incoming_bind(irq, on_ack, line_magic(l));
  return 0;
}

static enum probe_method method_of(const sip_t *sip) {
  static const struct {
    sip_method_t method;
    enum probe_method is;
  } rows[] = {{sip_method_invite, PROBE_INVITE},
              {sip_method_update, PROBE_UPDATE},
              {sip_method_bye, PROBE_BYE},
              {sip_method_info, PROBE_INFO},
              {sip_method_options, PROBE_OPTIONS}};
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    if (rows[i].method == sip->sip_request->rq_method)
      return rows[i].is;
  return PROBE_STRANGE;
}

static int request_answer(struct line *l, nta_incoming_t *irq, const sip_t *sip, struct probe_word *w) {
  uint32_t ms;
  switch (w->method) {
  case PROBE_INVITE:
  case PROBE_UPDATE:
    return offer_in(l, irq, sip, w->method == PROBE_UPDATE);
  case PROBE_BYE:
    l->is_over = true;
    return 200;
  case PROBE_INFO:
    if (sip->sip_payload && sip->sip_content_type && sip->sip_content_type->c_type &&
        header_digit(slice_from(sip->sip_payload->pl_data, sip->sip_payload->pl_len),
                     !strcasecmp(sip->sip_content_type->c_type, "application/dtmf-relay"), &w->digit,
                     &ms) < 0)
      w->digit = 0;
    return 200;
  case PROBE_OPTIONS:
    return 200;
  case PROBE_CANCEL:
  case PROBE_STRANGE:
  case PROBE_PRACK:
    break;
  }
  return 405;
}

int line_request(nta_leg_magic_t *magic, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip) {
  struct line *l = line_get(magic);
  struct said s = {.allow = ""};
  struct addr from;
  (void)leg;
  if (sip->sip_request->rq_method == sip_method_ack)
    return 200;
  msg_t *msg = nta_incoming_getrequest(irq);
  bool is_peer = l && msg && agent_peer(l->agent, msg, sip, &from);
  struct probe_word w = {.method = method_of(sip)};
  if (is_peer) {
    headers_read(sip, &s, &w);
    link_read(l, msg, &w);
  }
  msg_destroy(msg);
  if (!is_peer)
    return 481;
  int status = request_answer(l, irq, sip, &w);
  l = line_get(magic);
  if (l)
    tell(l, &w);
  return status;
}
