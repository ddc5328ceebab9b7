/* SPDX-License-Identifier: Apache-2.0
 * Calls to a carrier: INVITE with our offer, the 2xx with its ACK, CANCEL
 * and what crosses it. A chain with a stranger in it, a Contact that is no SIP URI, a 2xx without the
 * session description that is due: ACK, then BYE. RFC 3261 13.2, 9.1; RFC 3264; RFC 3325. */
#include "trunk/edits.h"
#include "trunk/history.h"
#include "trunk/hops.h"
#include "trunk/identity.h"
#include "trunk/location.h"
#include "trunk/tls.h"
#include "trunk/vouch.h"

#include <stdio.h>

static int callee_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip);
static void cancel_send(struct dialog *d);

/* The hops that a call may still make: those of the caller's INVITE, less this one. */
static int forwards_of(struct trunks *t, const struct call *c) {
  const struct leg *caller = c->caller;
  const struct dialog *from =
      caller && caller->kind == LEG_TRUNK ? pool_get(t->dialogs, caller->magic) : NULL;
  return from ? from->max_forwards - 1 : MAX_FORWARDS;
}

struct verdict callee_ring(struct trunks *t, struct call *c, const struct target *target) {
  const struct conf_trunk *trunk = target->trunk;
  struct agent *a = agent_find(t, trunk->listener);
  if (a && regist_rank(t, trunk) < 0)
    return verdict_refuse(REFUSE_TRUNK_DOWN, "trunk %s: %s", trunk->name,
                          trunk->attach.accept_register ? "its peer is not registered with us"
                                                        : "we are not registered with it");
  if (!a ||
      (!*trunk->target && !trunk->attach.accept_register && !trunk->attach.registration.registrars.n))
    return verdict_refuse(REFUSE_TRUNK_DOWN, "trunk %s has no target to send calls to", trunk->name);
  if (forwards_of(t, c) < 1)
    return verdict_refuse(REFUSE_HOPS, "no hop is left for trunk %s", trunk->name);
  struct dialog *d = dialog_new(t, a, trunk);
  if (!d)
    return verdict_refuse(REFUSE_NODE_CALLS, "too many dialogs");
  d->max_forwards = forwards_of(t, c);
  slice_copy(d->called, sizeof d->called, slice_of(*target->called ? target->called : c->to));
  slice_copy(d->caller, sizeof d->caller, slice_of(*target->caller ? target->caller : c->from));
  slice_copy(d->user, sizeof d->user, slice_of(c->anonymous ? "anonymous" : d->caller));
  struct leg *l =
      call_add_callee(c, &trunk_door, t, d->id, trunk, slice_from(NULL, 0), slice_from(NULL, 0));
  if (!l) {
    dialog_drop(d);
    return verdict_refuse(REFUSE_TRUNK_CALLS, "trunk %s takes no further call", trunk->name);
  }
  d->leg = l->id;
  return verdict_pass();
}

void callee_fail(struct dialog *d, struct cause c) {
  struct leg *l = dialog_leg(d);
  if (!l)
    return;
  struct call *call = l->call;
  if (c.sip >= 300 && c.sip < 400 && redirect_follow(d, &c))
    return;
  c.had_progress = d->had_progress;
  leg_end(l, c);
  call_target_done(call, c);
}

static void callee_fail_for(struct dialog *d, enum end_reason reason, enum end_by by, int sip, int q850,
                            const char *detail) {
  struct cause c = {.reason = reason, .by = by, .sip = sip, .q850 = q850};
  snprintf(c.detail, sizeof c.detail, "%s", detail);
  callee_fail(d, c);
}

static void callee_timeout(void *arg) {
  struct dialog *d = dialog_get(arg);
  if (d && d->state == DIALOG_CALLING)
    callee_fail_for(d, END_NO_ANSWER, BY_GATEWAY, 408, 0, "no final response within answer_timeout_s");
}

/* Between the number and the @, where the trunk takes it. */
static void lnp_insert(const struct dialog *d, char party[URI_BYTES]) {
  const struct conf_trunk *t = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  const struct leg *l = dialog_leg(d);
  char text[LNP_TEXT_BYTES], *at = strchr(party, '@');
  if (!t || !l || !at || t->numbers.portability == PORTABILITY_DROP)
    return;
  size_t n = strlen(lnp_write(&l->call->lnp, text)), rest = strlen(at) + 1;
  if ((size_t)(at - party) + n + rest > URI_BYTES)
    return;
  memmove(at + n, at, rest);
  memcpy(at, text, n);
}

/* ";target=…;cause=…" for a mailbox: whose it is, and why the call did not reach him (RFC 4458). */
static void mailbox_write(const struct dialog *d, char *dst, size_t bytes) {
  const struct leg *l = dialog_leg(d);
  const struct history *h = l && l->call->is_voicemail ? &l->call->history : NULL;
  const struct history_entry *e = h && h->n ? &h->entry[h->n - 1] : NULL;
  dst[0] = 0;
  if (!e)
    return;
  size_t plain = strspn(e->number, "+0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
  if (!e->is_private && plain && !e->number[plain])
    snprintf(dst, bytes, ";target=sip:%s%%40%s;cause=%u", e->number, dialog_host(d), e->cause);
  else
    snprintf(dst, bytes, ";cause=%u", e->cause);
}

/* sip:NUMBER@HOST:PORT of the trunk's target. 0 or -EINVAL. */
static int target_uri(struct dialog *d, const char *uri, const char *number) {
  const struct leg *l = dialog_leg(d);
  const struct call_refer *refer = l ? l->call->refer : NULL;
  if (refer && *refer->to && !strcmp(refer->trunk, d->trunk))
    return slice_copy(d->target, sizeof d->target, slice_of(refer->to));
  su_home_t home[1] = {SU_HOME_INIT(home)};
  char party[URI_BYTES], host[200], transport[16] = "", mailbox[URI_BYTES];
  url_t *u = url_make(home, uri);
  int e = u && uri_is_sip(u) ? 0 : -EINVAL;
  if (e == 0) {
    snprintf(host, sizeof host, "%s%s%s", u->url_host, u->url_port ? ":" : "",
             u->url_port ? u->url_port : "");
    header_party(party, sizeof party, number, "", host, false);
    size_t n = strlen(party);
    if (n > 2 && party[n - 1] == '>')
      party[n - 1] = 0;
    lnp_insert(d, party);
    if (d->agent->transport != TRANSPORT_UDP)
      snprintf(transport, sizeof transport, ";transport=%s", agent_transport(d->agent));
    mailbox_write(d, mailbox, sizeof mailbox);
    int length = snprintf(d->target, sizeof d->target, "%s%s%s", party + 1, mailbox, transport);
    e = length > 0 && (size_t)length < sizeof d->target ? 0 : -EINVAL;
  }
  su_home_deinit(home);
  return e;
}

static nta_leg_t *callee_leg(struct dialog *d, const struct conf_trunk *trunk, const struct call *c) {
  char from[PARTY_BYTES], to[TARGET_BYTES + 2], call_id[128];
  identity_from(from, sizeof from, d, trunk, c);
  snprintf(to, sizeof to, "<%s>", d->target);
  char *params = strstr(to, ";target=");
  params = params ? params : strstr(to, ";cause=");
  params = params ? params : strstr(to, ";transport=");
  if (params)
    memcpy(params, ">", 2);
  const char *id = timeline_call_id(d, call_id);
  nta_leg_t *leg = nta_leg_tcreate(d->agent->nta, dialog_request, dialog_magic(d), SIPTAG_FROM_STR(from),
                                   SIPTAG_TO_STR(to), TAG_IF(*id, SIPTAG_CALL_ID_STR(id)), TAG_END());
  if (leg && nta_leg_tag(leg, NULL))
    return leg;
  nta_leg_destroy(leg);
  return NULL;
}

/* What the INVITE says of the caller and of us, through the trunk's edits. */
static void invite_lines(char lines[EDIT_LINES_BYTES], struct dialog *d, const struct conf_trunk *trunk,
                         const struct call *c) {
  char identity[URI_BYTES + 128], history[2 * HISTORY_TEXT_BYTES];
  struct edit_words w = {.called = d->called,
                         .caller = c->anonymous ? "anonymous" : d->caller,
                         .trunk = trunk->name,
                         .session_id = d->session_local};
  bool refers = c->refer && *c->refer->by && !strcmp(c->refer->trunk, trunk->name);
  snprintf(lines, EDIT_LINES_BYTES, "User-Agent: %s\r\n%s%s%s%s%s", d->t->product,
           identity_lines(identity, sizeof identity, d, trunk, c),
           history_lines(history, sizeof history, d, trunk, c), refers ? "Referred-By: " : "",
           refers ? c->refer->by : "", refers ? "\r\n" : "");
  edits_apply(lines, &trunk->headers.out, &w);
}

static nta_outgoing_t *invite_send(struct dialog *d, const struct conf_trunk *trunk,
                                   const struct call *c) {
  char contact[URI_BYTES + 2], forwards[12], session[96], lines[EDIT_LINES_BYTES],
      vouched[VOUCH_LINES_BYTES];
  const char *routes = regist_routes(d->t, trunk, d->binding);
  struct expires_text x;
  expires_ask(d, &x);
  dialog_contact(d, contact, sizeof contact);
  snprintf(forwards, sizeof forwards, "%d", d->max_forwards);
  dialog_session_line(d, session, sizeof session);
  invite_lines(lines, d, trunk, c);
  vouch_lines(vouched, d, trunk, c);
  struct location_body place = location_body(d, trunk, c);
  nta_outgoing_t *orq = nta_outgoing_tcreate(
      d->nta, callee_response, dialog_magic(d), URL_STRING_MAKE(d->route), SIP_METHOD_INVITE,
      URL_STRING_MAKE(d->target), NTATAG_PASS_100(1),
      TAG_IF(trunk->prack == PRACK_SUPPORTED, SIPTAG_SUPPORTED_STR("100rel")),
      TAG_IF(trunk->prack == PRACK_REQUIRED, SIPTAG_REQUIRE_STR("100rel")),
      TAG_IF(trunk->p_early_media, SIPTAG_HEADER_STR("P-Early-Media: supported")),
      TAG_IF(replaces_may(trunk), SIPTAG_SUPPORTED_STR("replaces")), SIPTAG_CONTACT_STR(contact),
      SIPTAG_MAX_FORWARDS_STR(forwards), SIPTAG_ALLOW_STR(d->allow), EXPIRES_TAGS(&x),
      TAG_IF(*session, SIPTAG_HEADER_STR(session)), TAG_IF(*lines, SIPTAG_HEADER_STR(lines)),
      TAG_IF(*vouched, SIPTAG_HEADER_STR(vouched)), TAG_IF(place.text, SIPTAG_HEADER_STR(place.lines)),
      TAG_IF(d->offer, SIPTAG_CONTENT_TYPE_STR(place.text ? place.type : SDP_TYPE)),
      TAG_IF(*routes, SIPTAG_ROUTE_STR(routes)),
      TAG_IF(d->offer, SIPTAG_PAYLOAD_STR(place.text ? place.text : d->offer)), TAG_END());
  text_free(place.text);
  return orq;
}

/* What of a callee leg only its door knows, for the record. */
static void leg_note(struct dialog *d, struct leg *l) {
  sip_t *sip;
  msg_t *msg = nta_outgoing_getrequest(d->invite_out);
  if (!msg)
    return;
  sip = sip_object(msg);
  if (sip && sip->sip_call_id)
    slice_copy(l->sip_call_id, sizeof l->sip_call_id, slice_of(sip->sip_call_id->i_id));
  msg_destroy(msg);
}

/* The dialog toward that target: a new one when another of the trunk's URIs is meant. */
static int callee_aim(struct dialog *d, const struct conf_trunk *trunk, const struct call *c,
                      const struct hop *hop) {
  char before[TARGET_BYTES];
  memcpy(before, d->target, sizeof before);
  slice_copy(d->route, sizeof d->route, slice_of(hop->route));
  d->goal = hop->goal;
  d->binding = hop->key;
  if (target_uri(d, hop->uri, d->called) < 0)
    return -EINVAL;
  if (d->nta && strcmp(before, d->target) != 0)
    nta_leg_destroy(take(d->nta));
  if (!d->nta)
    d->nta = callee_leg(d, trunk, c);
  regist_target(d->t, trunk, hop->key, d->target, sizeof d->target);
  return d->nta ? 0 : -ENOMEM;
}

static bool invite_out(struct dialog *d, const struct conf_trunk *trunk, const struct call *c) {
  d->invite_out = invite_send(d, trunk, c);
  if (!d->invite_out)
    return false;
  slice_copy(d->invite_branch, sizeof d->invite_branch, slice_of(nta_outgoing_branch(d->invite_out)));
  count_one(&trunk_counters, TRUNKCOUNT_invites_out);
  return true;
}

/* The same INVITE once more, with the next CSeq, after a final response that asked for a change. */
static bool invite_again(struct dialog *d) {
  struct leg *l = dialog_leg(d);
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  prack_done(d);
  d->n_forks = 0;
  return l && trunk && invite_out(d, trunk, l->call);
}

static bool invite_go(void *magic, const struct hop *hop) {
  struct dialog *d = dialog_get(magic);
  struct leg *l = d ? dialog_leg(d) : NULL;
  const struct conf_trunk *trunk = d ? conf_trunk_find(d->t->env.conf, slice_of(d->trunk)) : NULL;
  if (d && d->invite_out)
    nta_outgoing_destroy(take(d->invite_out));
  if (!l || !trunk || callee_aim(d, trunk, l->call, hop) < 0)
    return false;
  l->peer[0] = 0;
  if (!invite_out(d, trunk, l->call))
    return false;
  leg_note(d, l);
  return true;
}

static void invite_abandon(void *magic) {
  struct dialog *d = dialog_get(magic);
  if (!d || !d->invite_out)
    return;
  watch_call(d->t, d->trunk, d->goal, false);
  orphan_take(d->agent, take(d->invite_out));
}

static bool invite_is_switched(void *magic) {
  struct dialog *d = dialog_get(magic);
  tport_t *tp = d && d->invite_out ? nta_outgoing_transport(d->invite_out) : NULL;
  bool is_switched = tp && d->agent->transport == TRANSPORT_UDP && tport_is_stream(tp);
  tport_unref(tp);
  return is_switched;
}

/* Was it the handshake? The library tells no more than that the request failed. */
static void tls_note(struct cause *c) {
  struct link_failure f;
  if (!link_failed(&c->target, &f))
    return;
  c->fault = f.is_name ? WHY_FAULT_TLS_NAME : WHY_FAULT_TLS;
  snprintf(c->detail, sizeof c->detail, "%s", f.text);
}

static void invite_over(void *magic, const struct hops_end *end) {
  struct dialog *d = dialog_get(magic);
  if (!d)
    return;
  d->hops = 0;
  d->got_final = true;
  if (d->invite_out)
    nta_outgoing_destroy(take(d->invite_out));
  struct cause c = cause_of_sip(end->status, d->last_q850, end->is_peer ? BY_CALLEE : BY_GATEWAY);
  c.retry_after_s = end->retry_after_s;
  if (!end->is_peer) { /* nobody on the trunk said that status */
    c.reason = end->status == 408 ? END_TIMEOUT : END_TRUNK_FAILURE;
    snprintf(c.detail, sizeof c.detail, "%s", end->why);
  }
  c.tries = end->tries;
  c.target = end->target;
  c.fault = end->fault;
  if (c.fault == WHY_FAULT_REFUSED)
    tls_note(&c);
  callee_fail(d, c);
}

static const struct hops_user invite_hops = {invite_go, invite_abandon, invite_is_switched, invite_over};

void callee_opened(struct dialog *d, struct leg *l) {
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  const struct desc *offer = NULL;
  struct verdict v = verdict_pass();
  if (d->state != DIALOG_NEW)
    return;
  d->is_late = trunk && trunk->late_offer_out;
  if (!trunk)
    v = verdict_refuse(REFUSE_TRUNK_DISABLED, "the trunk is gone");
  else if (!d->is_late)
    v = leg_make_offer(l, &offer);
  d->offer = verdict_is_pass(&v) && offer ? desc_text(offer) : NULL;
  if (!verdict_is_pass(&v) || (!d->offer && !d->is_late)) {
    callee_fail_for(d, END_TRUNK_FAILURE, BY_GATEWAY, 502, 0,
                    *v.detail ? v.detail : "the INVITE could not be sent");
    return;
  }
  d->state = DIALOG_CALLING;
  d->timer.fn = callee_timeout;
  d->timer.arg = dialog_magic(d);
  loop_arm(d->t->env.loop, &d->timer,
           (uint64_t)(d->answer_timeout_s ? d->answer_timeout_s : 180) * 1000000);
  if (hops_begin(d->t, trunk, &invite_hops, dialog_magic(d), &d->hops) < 0)
    callee_fail_for(d, END_TRUNK_FAILURE, BY_GATEWAY, 503, 0, "too many requests are under way");
}

static void callee_ack(struct dialog *d, const sip_t *sip, bool is_sane, const char *body) {
  if (sip->sip_to->a_tag)
    nta_leg_rtag(d->nta, sip->sip_to->a_tag);
  if (is_sane)
    nta_leg_client_reroute(d->nta, sip->sip_record_route, sip->sip_contact, 1);
  dialog_ack(d, sip->sip_cseq->cs_seq, d->invite_branch, body);
  nta_outgoing_destroy(take(d->invite_out));
  text_free(take(d->offer));
  d->got_final = true;
  d->state = DIALOG_UP;
  d->is_acked = true;
}

static void session_take(struct leg *l, const sip_t *sip) {
  char uuid[SESSION_ID_BYTES];
  const char *value = header_unknown(sip, "Session-ID");
  if (value && header_session_read(slice_of(value), uuid))
    leg_set_session(l, slice_of(uuid));
}

/* The description of the 2xx: the answer, or, to an INVITE without one, the offer: then *ret_body
 * answers it in the ACK. What follows an exchange that a reliable provisional completed says nothing
 * new. */
static struct verdict answer_take(struct dialog *d, struct leg *l, const sip_t *sip, char **ret_body) {
  struct desc desc;
  bool has = false;
  d->fork = early_fork(d, sip);
  struct verdict v = body_desc(sip, &desc, &has);
  bool is_done = d->fork && d->forks[d->fork - 1].is_answered;
  if (!d->fork)
    v = verdict_refuse(REFUSE_SDP, "too many early dialogs");
  else if (verdict_is_pass(&v) && !d->is_late)
    v = leg_take_answer(l, d->fork, has && !is_done ? &desc : NULL, true);
  else if (verdict_is_pass(&v) && !is_done)
    v = early_offer(d, l, d->fork, has ? &desc : NULL, ret_body);
  if (has)
    desc_wipe(&desc);
  return v;
}

static void callee_answer(struct dialog *d, const sip_t *sip) {
  struct leg *l = dialog_leg(d);
  char *body = NULL;
  struct verdict v = early_check(d, sip);
  loop_disarm(d->t->env.loop, &d->timer);
  watch_call(d->t, d->trunk, d->goal, true);
  bool is_wanted = l && !d->is_canceled;
  if (is_wanted && d->is_late && verdict_is_pass(&v))
    v = answer_take(d, l, sip, &body);
  callee_ack(d, sip, contact_is_sane(sip->sip_contact) && routes_are_sane(sip->sip_record_route), body);
  text_free(body);
  if (!is_wanted || !dialog_leg(d)) { /* it may have ended over the offer */
    struct cause c = {.reason = END_CANCELED, .by = BY_CALLER};
    count_one(&trunk_counters, TRUNKCOUNT_late_2xx);
    dialog_bye(d, &c);
    dialog_drop(d);
    return;
  }
  if (verdict_is_pass(&v) && !d->is_late)
    v = answer_take(d, l, sip, &body);
  if (verdict_is_pass(&v)) {
    session_take(l, sip);
    expires_agreed(d, sip);
    leg_answered(l);
    return;
  }
  log_warn(trunk, "trunk %s: answer refused by rule %s: %s", d->trunk, refusal_row(v.refusal)->rule,
           v.detail);
  guard_count(d->t->env.guard, v.refusal);
  callee_fail(d, cause_of_answer(&v));
}

/* What the trunk's health learns of a final response. */
static void watch_final(struct dialog *d, nta_outgoing_t *orq, const sip_t *sip, int status,
                        bool is_own) {
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  const sip_retry_after_t *again = is_own ? NULL : sip->sip_retry_after;
  watch_call(d->t, d->trunk, d->goal, !is_own);
  if (is_own || status != 503 || !trunk || (!again && trunk->role != ROLE_SBC))
    return;
  msg_t *msg = nta_outgoing_getresponse(orq);
  watch_busy(d->t, d->trunk, d->goal, again ? (uint32_t)again->af_delta : 1, msg, d->agent);
  msg_destroy(msg);
}

static void callee_final(struct dialog *d, const sip_t *sip, int status) {
  bool is_own = !sip || nta_sip_is_internal(sip);
  bool is_again = dialog_leg(d) && expires_raised(d, status, sip);
  nta_outgoing_destroy(take(d->invite_out));
  if (is_again && invite_again(d))
    return;
  d->got_final = true;
  if (!dialog_leg(d)) {
    dialog_drop(d);
    return;
  }
  struct cause c = cause_of_sip(status, reason_q850(sip), is_own ? BY_GATEWAY : BY_CALLEE);
  if (is_own) {
    c.reason =
        status == 408 ? END_TIMEOUT : END_TRUNK_FAILURE; /* nobody on the trunk said that status */
    snprintf(c.detail, sizeof c.detail, "%s",
             status == 408 ? "the trunk did not answer" : "the trunk cannot be reached");
    c.fault = status == 408 ? WHY_FAULT_SILENT : WHY_FAULT_REFUSED;
  }
  callee_fail(d, c);
}

/* Who answered, for the record. */
static void peer_note(struct leg *l, nta_outgoing_t *orq, const sip_t *sip) {
  struct addr from;
  msg_t *msg = *l->peer || nta_sip_is_internal(sip) ? NULL : nta_outgoing_getresponse(orq);
  if (!msg)
    return;
  agent_source(msg, &from);
  addr_text(&from, l->peer, sizeof l->peer);
  msg_destroy(msg);
}

static uint32_t quiet_of(const sip_t *sip) {
  unsigned long s = sip && sip->sip_retry_after ? sip->sip_retry_after->af_delta : 0;
  return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

static int callee_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  struct dialog *d = dialog_get(magic);
  int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
  if (!d || d->invite_out != orq)
    return 0;
  if (status > 699)
    status = 500; /* only streams bring such a one here, and the transaction is over */
  d->last_q850 = sip ? reason_q850(sip) : 0;
  bool is_own = !sip || nta_sip_is_internal(sip);
  if (status >= 300)
    watch_final(d, orq, sip, status, is_own);
  if (d->hops && hops_response(d->t, d->hops, status, is_own, quiet_of(sip)))
    return 0;
  struct leg *l = dialog_leg(d);
  if (l && !d->is_canceled && dialog_proof(d, &d->invite_out, sip, callee_response)) {
    slice_copy(d->invite_branch, sizeof d->invite_branch, slice_of(nta_outgoing_branch(d->invite_out)));
    return 0;
  }
  if (l && sip)
    peer_note(l, orq, sip);
  if (sip)
    dialog_session_take(d, sip);
  d->had_progress |= status > 100 && status < 200;
  if (l && status >= 300 && status < 400)
    redirect_note(d, sip);
  if (status < 200 && d->is_canceled)
    cancel_send(d);
  else if (status > 100 && status < 200 && l && sip)
    early_provisional(d, l, sip, status);
  else if (status >= 200 && status < 300 && sip)
    callee_answer(d, sip);
  else if (status >= 200)
    callee_final(d, sip, status);
  return 0;
}

/* Only once a provisional came (RFC 3261 9.1): the library would keep a CANCEL of its own back, and a
 * response to one that was not sent yet trips it. */
static void cancel_send(struct dialog *d) {
  char reason[200], session[96];
  const struct cause *c = &d->bye_cause;
  if (!d->owes_cancel || !d->invite_out || nta_outgoing_status(d->invite_out) < 100)
    return;
  d->owes_cancel = false;
  reason_write(reason, sizeof reason, c);
  dialog_session_line(d, session, sizeof session);
  nta_outgoing_tcancel(d->invite_out, NULL, NULL, TAG_IF(*reason, SIPTAG_REASON_STR(reason)),
                       TAG_IF(*session, SIPTAG_HEADER_STR(session)), TAG_END());
}

void callee_ended(struct dialog *d, const struct cause *c) {
  hops_end(d->t, d->hops);
  d->hops = 0;
  if (d->state == DIALOG_CALLING && !d->got_final && d->invite_out) {
    dialog_linger(d);
    d->is_canceled = d->owes_cancel = true;
    d->bye_cause = *c;
    cancel_send(d);
    return;
  }
  if (d->state == DIALOG_UP && !d->got_bye)
    dialog_bye(d, c);
  dialog_over(d);
}
