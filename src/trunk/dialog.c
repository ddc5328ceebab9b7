/* SPDX-License-Identifier: Apache-2.0
 * One SIP dialog: its life, its requests in and out, ACK and BYE. nta keeps tags, route set, CSeq and
 * retransmits a 2xx until its ACK or 64*T1; magic in sofia is the dialog's handle, so that a late
 * callback finds nothing. In-dialog requests count only from the dialog's own peer. RFC 3261 12-15. */
#include "trunk/hops.h"

#include <stdio.h>

struct dialog *dialog_get(const void *magic) {
  if (!the_trunks)
    return NULL;
  loop_freshen(the_trunks->env.loop);
  return pool_get(the_trunks->dialogs, (pool_handle)(uintptr_t)magic);
}

struct dialog *dialog_new(struct trunks *t, struct agent *a, const struct conf_trunk *trunk) {
  pool_handle id;
  struct dialog *d = pool_add(t->dialogs, &id);
  struct watch_trunk *w = watch_find(t, trunk->name);
  if (!d)
    return NULL;
  d->id = id;
  d->t = t;
  d->agent = a;
  d->max_forwards = MAX_FORWARDS;
  d->answer_timeout_s = trunk->answer_timeout_s;
  d->allow = allow_of(trunk);
  d->has_replaces = replaces_may(trunk);
  expires_init(d, trunk);
  slice_copy(d->trunk, sizeof d->trunk, slice_of(trunk->name));
  slice_copy(d->fqdn, sizeof d->fqdn, slice_of(trunk->fqdn));
  if (w)
    w->health.calls++;
  count_set(&trunk_counters, TRUNKCOUNT_dialogs, pool_count(t->dialogs));
  return d;
}

void dialog_drop(struct dialog *d) {
  struct trunks *t = d->t;
  struct watch_trunk *w = watch_find(t, d->trunk);
  loop_disarm(t->env.loop, &d->timer);
  reinvite_done(d);
  wish_done(d);
  expires_done(d);
  info_done(d);
  prack_done(d);
  refer_done(d);
  free(take(d->forks));
  free(take(d->redirect));
  hops_end(t, d->hops);
  text_free(take(d->offer));
  text_free(take(d->passports));
  text_free(take(d->location));
  if (d->ack_in)
    nta_incoming_destroy(take(d->ack_in));
  if (d->invite_in)
    nta_incoming_destroy(take(d->invite_in));
  if (d->invite_out)
    nta_outgoing_destroy(take(d->invite_out));
  if (d->nta)
    nta_leg_destroy(take(d->nta));
  if (w && w->health.calls)
    w->health.calls--;
  pool_del(t->dialogs, d->id);
  count_set(&trunk_counters, TRUNKCOUNT_dialogs, pool_count(t->dialogs));
}

struct leg *dialog_leg(const struct dialog *d) {
  return d->leg ? leg_get(d->t->env.calls, d->leg) : NULL;
}

const char *dialog_host(const struct dialog *d) { return *d->fqdn ? d->fqdn : d->agent->host; }

char *dialog_contact(const struct dialog *d, char *dst, size_t bytes) {
  char uri[URI_BYTES];
  header_uri(uri, sizeof uri, d->user, dialog_host(d), d->agent->port, agent_transport(d->agent));
  snprintf(dst, bytes, "<%s>", uri);
  return dst;
}

/* Kept here, because the dialog may have to say more when the call is over. */
char *dialog_session(struct dialog *d, char *dst, size_t bytes) {
  const struct leg *l = dialog_leg(d);
  if (l)
    slice_copy(d->session_local, sizeof d->session_local, slice_of(l->call->session_local));
  return header_session(dst, bytes, d->session_local, d->session_remote);
}

char *dialog_session_line(struct dialog *d, char *dst, size_t bytes) {
  char value[80];
  dialog_session(d, value, sizeof value);
  snprintf(dst, bytes, "%s%s", *value ? "Session-ID: " : "", value);
  return dst;
}

/* The last word counts: the peer may change in the dialog (RFC 7989 9). */
void dialog_session_take(struct dialog *d, const sip_t *sip) {
  char uuid[SESSION_ID_BYTES];
  const char *value = header_unknown(sip, "Session-ID");
  if (value && header_session_read(slice_of(value), uuid))
    memcpy(d->session_remote, uuid, sizeof uuid);
}

void dialog_reply(struct dialog *d, nta_incoming_t *irq, struct reply *r) {
  if (!*r->session && r->status > 100)
    dialog_session(d, r->session, sizeof r->session);
  reply_to(d->agent, irq, r);
}

/* By the leg's role: a transfer may have changed it. */
enum end_by dialog_by_peer(const struct dialog *d) {
  const struct leg *l = dialog_leg(d);
  return (l ? l->role == LEG_CALLER : d->is_uas) ? BY_CALLER : BY_CALLEE;
}

char *desc_text(const struct desc *d) {
  size_t n;
  char *text = malloc(SDP_BYTES);
  if (text && d && desc_write(d, text, SDP_BYTES, &n) == 0)
    return text;
  text_free(text);
  return NULL;
}

void text_free(char *text) {
  if (text)
    explicit_bzero(text, strlen(text));
  free(text);
}

/* Is the message from the trunk's own peer: the same trunk, or the very address that the dialog is with?
 */
static bool is_from_peer(const struct dialog *d, msg_t *msg, const sip_t *sip) {
  struct addr source;
  struct ask_hosts subjects = {.n = 0};
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  agent_source(msg, &source);
  ask_subjects(&subjects, d->agent, msg);
  if (trunk && guard_is_peer(d->t->env.guard, trunk, &source, &subjects))
    return true;
  trunk = agent_peer(d->agent, msg, sip, &source);
  return trunk && addr_eq_ip(&source, &d->peer);
}

bool dialog_is_peer(struct dialog *d, nta_incoming_t *irq, const sip_t *sip) {
  msg_t *msg = nta_incoming_getrequest(irq);
  bool is_peer = msg && is_from_peer(d, msg, sip);
  msg_destroy(msg);
  return is_peer;
}

static int refuse_plain(struct dialog *d, nta_incoming_t *irq, int status) {
  struct reply r;
  reply_init(&r, status);
  dialog_reply(d, irq, &r);
  return status;
}

/* An extension that we do not know: 420. A BYE ends the call all the same. */
static bool refuse_extension(struct dialog *d, nta_incoming_t *irq, const sip_t *sip) {
  char unsupported[256];
  struct reply r;
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  if (!agent_requires(sip, trunk, unsupported, sizeof unsupported))
    return false;
  reply_init(&r, 420);
  r.unsupported = unsupported;
  dialog_reply(d, irq, &r);
  return true;
}

static int bye_in(struct dialog *d, nta_incoming_t *irq, const sip_t *sip) {
  struct reason why = reason_read(sip);
  void *magic = dialog_magic(d);
  struct leg *l;
  refuse_plain(d, irq, 200);
  if (d->state == DIALOG_CLOSING)
    return 200;
  d->got_bye = true;
  refer_taken(d); /* may end it */
  d = dialog_get(magic);
  l = d ? dialog_leg(d) : NULL;
  if (l)
    leg_end(l, cause_of_bye(why.sip, why.q850, dialog_by_peer(d)));
  return 200;
}

int dialog_request(nta_leg_magic_t *magic, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip) {
  struct dialog *d = dialog_get(magic);
  sip_method_t method = sip->sip_request->rq_method;
  (void)leg;
  if (method == sip_method_ack) {
    count_one(&trunk_counters, TRUNKCOUNT_stray);
    return 200;
  }
  if (!d || !dialog_is_peer(d, irq, sip))
    return 481;
  if (method == sip_method_bye)
    return bye_in(d, irq, sip);
  if (d->state == DIALOG_CLOSING || !dialog_leg(d))
    return 481;
  if (refuse_extension(d, irq, sip))
    return 420;
  if (method == sip_method_invite || method == sip_method_update)
    return reinvite_in(d, irq, sip, method == sip_method_update);
  if (method == sip_method_refer)
    return refer_in(d, irq, sip);
  if (method == sip_method_notify)
    return refer_notified(d, irq, sip);
  if (method == sip_method_info)
    return info_in(d, irq, sip);
  if (method == sip_method_options)
    return refuse_plain(d, irq, 200);
  return refuse_plain(d, irq,
                      method == sip_method_cancel || method == sip_method_prack /* none of ours is due */
                          ? 481
                          : method == sip_method_unknown ? 501 : 405);
}

/* The library puts a strict router into the Request-URI, and then sends to the route after it. */
static const url_string_t *strict_hop(const struct dialog *d) {
  const sip_route_t *route = NULL;
  const sip_contact_t *target = NULL;
  nta_leg_get_route(d->nta, &route, &target);
  return route && !url_has_param(route->r_url, "lr") ? (const url_string_t *)route->r_url : NULL;
}

const url_string_t *dialog_hop(struct dialog *d) {
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  char ip[ADDR_TEXT_BYTES];
  const char *transport = agent_transport(d->agent);
  if (!trunk || trunk->next_hop != NEXT_HOP_SOURCE || addr_family(&d->peer) == AF_UNSPEC)
    return strict_hop(d);
  header_uri(d->hop, sizeof d->hop, "", addr_ip_text(&d->peer, ip, sizeof ip), addr_port(&d->peer),
             transport ? transport : "udp");
  return URL_STRING_MAKE(d->hop);
}

void dialog_retarget(struct dialog *d, nta_outgoing_t *orq, const sip_t *sip) {
  struct ask_hosts none = {.n = 0}, subjects = {.n = 0};
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  msg_t *msg = nta_outgoing_getresponse(orq);
  if (msg)
    ask_subjects(&subjects, d->agent, msg);
  msg_destroy(msg);
  if (!contact_is_sane(sip->sip_contact))
    return;
  struct verdict v = trunk ? guard_answer_chain(d->t->env.guard, trunk, &none,
                                                slice_of(sip->sip_contact->m_url->url_host), &subjects)
                           : verdict_pass();
  if (verdict_is_pass(&v))
    nta_leg_client_reroute(d->nta, NULL, sip->sip_contact, 0);
  else
    log_warn(trunk, "trunk %s: a new Contact is not followed: %s", d->trunk, v.detail);
}

void dialog_ack(struct dialog *d, uint32_t cseq, const char *branch, const char *body) {
  char cseq_text[32], session[96];
  dialog_session_line(d, session, sizeof session);
  snprintf(cseq_text, sizeof cseq_text, "%u ACK", cseq);
  nta_outgoing_t *ack = nta_outgoing_tcreate(
      d->nta, NULL, NULL, dialog_hop(d), SIP_METHOD_ACK, *d->target ? URL_STRING_MAKE(d->target) : NULL,
      SIPTAG_CSEQ_STR(cseq_text), NTATAG_ACK_BRANCH(branch),
      TAG_IF(*session, SIPTAG_HEADER_STR(session)), SIPTAG_USER_AGENT_STR(d->t->product),
      TAG_IF(body, SIPTAG_CONTENT_TYPE_STR(SDP_TYPE)), TAG_IF(body, SIPTAG_PAYLOAD_STR(body)),
      TAG_END());
  if (!ack)
    log_warn(sip, "trunk %s: the ACK could not be sent", d->trunk);
  nta_outgoing_destroy(ack);
}

void dialog_bye(struct dialog *d, const struct cause *c) {
  char reason[200], session[96];
  reason_write(reason, sizeof reason, c);
  dialog_session_line(d, session, sizeof session);
  nta_outgoing_magic_t *magic;
  nta_response_f *fn = farewell_fn(d, &magic);
  nta_outgoing_t *bye = nta_outgoing_tcreate(
      d->nta, fn, magic, dialog_hop(d), SIP_METHOD_BYE, *d->target ? URL_STRING_MAKE(d->target) : NULL,
      TAG_IF(*reason, SIPTAG_REASON_STR(reason)), TAG_IF(*session, SIPTAG_HEADER_STR(session)),
      SIPTAG_USER_AGENT_STR(d->t->product), TAG_END());
  if (!bye)
    log_warn(sip, "trunk %s: the BYE could not be sent", d->trunk);
  if (!fn)
    nta_outgoing_destroy(bye);
}

void dialog_end(struct dialog *d, enum end_reason reason, enum end_by by, int sip, int q850,
                const char *detail) {
  struct cause c = {.reason = reason, .by = by, .sip = sip, .q850 = q850};
  struct leg *l = dialog_leg(d);
  if (l) {
    snprintf(c.detail, sizeof c.detail, "%s", detail);
    leg_end(l, c);
  }
}

void dialog_fault(struct dialog *d, enum why_fault fault, enum end_reason reason, int sip,
                  const char *detail) {
  struct cause c = {.reason = reason, .by = BY_GATEWAY, .sip = sip, .fault = fault};
  struct leg *l = dialog_leg(d);
  if (l) {
    snprintf(c.detail, sizeof c.detail, "%s", detail);
    leg_end(l, c);
  }
}

/* A re-INVITE of ours that the end crosses is still to be answered and acknowledged: RFC 5407 3.2.1. */
void dialog_over(struct dialog *d) {
  if (d->offer_out)
    dialog_linger(d);
  else
    dialog_drop(d);
}

static void linger_over(void *arg) {
  struct dialog *d = dialog_get(arg);
  if (d)
    dialog_drop(d);
}

void dialog_linger(struct dialog *d) {
  reinvite_done(d);
  info_done(d);
  loop_disarm(d->t->env.loop, &d->retry);
  d->has_wish = false;
  d->state = DIALOG_CLOSING;
  expires_done(d);
  d->leg = 0;
  d->timer.fn = linger_over;
  d->timer.arg = dialog_magic(d);
  loop_arm(d->t->env.loop, &d->timer, (uint64_t)(T1X64_MS + 4000) * 1000);
}
