/* SPDX-License-Identifier: Apache-2.0
 * OPTIONS: answered to a known peer, sent to each trunk that asks for it, once an interval. Toward a
 * direct-routing SBC nothing is sent before its own first one (requirements O-1 to O-3): then to where
 * its Record-Route, or else its Contact, says. In the SBC's role we start, toward each of the hub's
 * names. RFC 3261 11. */
#include "base/clock.h"
#include "base/rand.h"
#include "trunk/hops.h"
#include "trunk/inner.h"
#include "trunk/tls.h"

#include <stdio.h>

enum { UNSENT_MAX = 5 };

static void options_due(void *arg);

static const struct conf_trunk *trunk_of(const struct watch_trunk *w) {
  return conf_trunk_find(w->t->env.conf, slice_of(w->trunk));
}

static void options_arm(struct watch_trunk *w, uint64_t in_us) {
  w->timer.fn = options_due;
  w->timer.arg = w;
  loop_arm(w->t->env.loop, &w->timer, in_us);
}

/* The interval, give or take a tenth, so that trunks do not march in step. */
static uint64_t interval_us(const struct conf_trunk *trunk) {
  uint64_t us = (uint64_t)(trunk->options_interval_s ? trunk->options_interval_s : 60) * 1000000;
  return us - us / 10 + rand_below((uint32_t)(us / 5 > UINT32_MAX ? UINT32_MAX : us / 5));
}

static void answer_take(struct watch_trunk *w, uint32_t goal, int status, bool is_good) {
  const struct conf_trunk *trunk = trunk_of(w);
  if (!trunk)
    return;
  struct health_rule r = health_rule_of(trunk);
  w->health.last_status = status;
  if (is_good)
    w->health.answered++;
  else
    w->health.failed++;
  health_answer(&w->engine, &r, goal, is_good);
  watch_tell(w, trunk);
}

/* What the other end of a connection proved. */
static void link_note(struct watch_trunk *w, struct agent *a, msg_t *msg) {
  struct link_facts facts;
  tport_t *tp = msg ? tport_delivered_by(nta_agent_tports(a->nta), msg) : NULL;
  if (tp && tport_has_tls(tp) && link_facts_of(tp, &facts) == 0 && facts.peer_expiry_s)
    w->health.peer_expiry_s = facts.peer_expiry_s;
}

/* magic: slot of the watch, the probe and the run, so that an answer after a reload finds nothing. */
static void *magic_of(const struct watch_trunk *w, uint32_t probe) {
  uint64_t slot = (uint64_t)(w - w->t->watches);
  return (void *)(uintptr_t)(w->run << 16 | slot << 4 | probe); // NOLINT
}

static struct watch_trunk *watch_of_magic(const void *magic, uint32_t *ret_probe) {
  uint64_t m = (uintptr_t)magic, slot = m >> 4 & 0xfff;
  struct trunks *t = the_trunks;
  *ret_probe = m & 0xf;
  if (!t || slot >= t->n_watches || t->watches[slot].run != m >> 16 ||
      !t->watches[slot].probe[*ret_probe].is_pending)
    return NULL;
  loop_freshen(t->env.loop);
  return &t->watches[slot];
}

/* One resolved target told. Its goal is good when one of its targets is, bad when all of them are. */
static void probe_done(struct watch_trunk *w, uint32_t i, int status, bool is_good) {
  struct watch_probe *p = &w->probe[i];
  const struct hop hop = {.addr = p->addr, .transport = p->transport};
  bool is_last = true, was_good = false;
  p->is_pending = false;
  p->is_good = is_good;
  if (addr_family(&p->addr) != AF_UNSPEC)
    hops_mark(w->t, w->trunk, &hop, is_good);
  for (uint32_t k = 0; k < w->n_probes; k++)
    if (k != i && w->probe[k].goal == p->goal) {
      is_last = is_last && !w->probe[k].is_pending;
      was_good = was_good || w->probe[k].is_good;
    }
  if ((is_good && !was_good) || (!is_good && is_last && !was_good))
    answer_take(w, p->goal, status, is_good);
}

/* Any final answer but these shows that the peer lives. */
static bool is_alive(int status, bool is_own) {
  return !is_own && status != 408 && status != 503 && status != 504 && status != 502 && status != 500;
}

static int options_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
  uint32_t i;
  struct watch_trunk *w = watch_of_magic(magic, &i);
  if (status < 200)
    return 0;
  const struct conf_trunk *trunk = w ? trunk_of(w) : NULL;
  struct agent *a = trunk ? agent_find(w->t, trunk->listener) : NULL;
  bool is_own = !sip || nta_sip_is_internal(sip);
  msg_t *msg = a && !is_own ? nta_outgoing_getresponse(orq) : NULL;
  if (msg)
    link_note(w, a, msg);
  msg_destroy(msg);
  struct proof p = {.trunk = trunk, .agent = a, .fn = options_response, .magic = magic};
  if (a && !is_own && proof_again(&p, &orq, sip))
    return 0;
  nta_outgoing_destroy(orq);
  if (w)
    probe_done(w, i, status, is_alive(status, is_own));
  return 0;
}

/* The Request-URI bare, sip:HOST:PORT, as direct routing shows it; the route says how. */
static void bare_uri(char *dst, size_t bytes, const char *uri) {
  struct slice rest = slice_of(uri), bare = slice_cut(&rest, ';');
  snprintf(dst, bytes, "%.*s", SLICE_ARG(bare));
}

static nta_outgoing_t *options_out(struct watch_trunk *w, const struct conf_trunk *trunk,
                                   struct agent *a, uint32_t i, const char *uri, const char *route) {
  char from[URI_BYTES], to[URI_BYTES + 2], contact[URI_BYTES + 2], own[URI_BYTES], bare[URI_BYTES];
  const char *host = *trunk->fqdn ? trunk->fqdn : a->host;
  bare_uri(bare, sizeof bare, uri);
  snprintf(from, sizeof from, "<%s>", header_uri(own, sizeof own, "", host, 0, NULL));
  snprintf(to, sizeof to, "<%s>", bare);
  snprintf(contact, sizeof contact, "<%s>",
           header_uri(own, sizeof own, "", host, a->port, agent_transport(a)));
  nta_leg_t *leg =
      nta_leg_tcreate(a->nta, dialog_request, NULL, SIPTAG_FROM_STR(from), SIPTAG_TO_STR(to), TAG_END());
  if (!leg)
    return NULL;
  nta_leg_tag(leg, NULL);
  nta_outgoing_t *orq = via_create(
      a, host, leg, options_response, magic_of(w, i), URL_STRING_MAKE(route), SIP_METHOD_OPTIONS,
      URL_STRING_MAKE(bare), SIPTAG_CONTACT_STR(contact), SIPTAG_ALLOW_STR(allow_of(trunk)),
      SIPTAG_ACCEPT_STR(SDP_TYPE), SIPTAG_USER_AGENT_STR(w->t->product), TAG_END());
  nta_leg_destroy(leg);
  return orq;
}

static void probe_send(struct watch_trunk *w, const struct conf_trunk *trunk, struct agent *a,
                       uint32_t i, const char *uri, const char *route) {
  w->probe[i].is_pending = true;
  w->probe[i].is_good = false;
  w->health.sent++;
  w->health.last_sent_ms = clock_wall_ms();
  count_one(&trunk_counters, TRUNKCOUNT_options_out);
  if (!options_out(w, trunk, a, i, uri, route))
    probe_done(w, i, 0, false);
}

/* The peer's own Contact, where that is another place than the target of calls. */
static bool is_elsewhere(const struct watch_trunk *w, const struct conf_trunk *trunk) {
  char contact[URI_BYTES], target[URI_BYTES];
  bare_uri(contact, sizeof contact, w->contact);
  bare_uri(target, sizeof target, trunk->target);
  return *w->contact && (*w->route || strcasecmp(contact, target) != 0);
}

/* To each resolved target; names that are not known yet are, a moment later. False: nothing was sent. */
static bool round_send(struct watch_trunk *w, const struct conf_trunk *trunk, struct agent *a) {
  struct hop hops[PROBES_MAX];
  if (is_elsewhere(w, trunk)) {
    w->n_probes = 1;
    w->probe[0] = (struct watch_probe){.goal = 0};
    probe_send(w, trunk, a, 0, w->contact, *w->route ? w->route : w->contact);
    return true;
  }
  uint32_t n = hops_list(w->t, trunk, hops, PROBES_MAX);
  w->n_probes = n;
  for (uint32_t i = 0; i < n; i++)
    w->probe[i] = (struct watch_probe){
        .addr = hops[i].addr, .transport = hops[i].transport, .goal = hops[i].goal, .is_pending = true};
  for (uint32_t i = 0; i < n; i++)
    probe_send(w, trunk, a, i, hops[i].uri, hops[i].route);
  return n > 0;
}

static bool is_under_way(const struct watch_trunk *w) {
  for (uint32_t i = 0; i < w->n_probes; i++)
    if (w->probe[i].is_pending)
      return true;
  return false;
}

static void options_due(void *arg) {
  struct watch_trunk *w = arg;
  const struct conf_trunk *trunk = trunk_of(w);
  struct agent *a = trunk ? agent_find(w->t, trunk->listener) : NULL;
  if (!trunk || !a)
    return;
  bool may_start = !health_rule_of(trunk).hears || w->health.received, was_sent = true;
  if (may_start && trunk->enabled && !is_under_way(w))
    was_sent = round_send(w, trunk, a);
  watch_tell(w, trunk);
  w->n_unsent = was_sent ? 0 : w->n_unsent + 1;
  if (w->n_unsent == UNSENT_MAX) /* the name leads nowhere */
    for (uint32_t i = 0; i < w->engine.n; i++)
      answer_take(w, i, 0, false);
  options_arm(w, was_sent || w->n_unsent >= UNSENT_MAX ? interval_us(trunk) : 1000000);
  if (w->n_unsent >= UNSENT_MAX)
    w->n_unsent = 0;
}

static bool is_asked(const struct conf_trunk *trunk) {
  return trunk->options && (*trunk->target || health_rule_of(trunk).hears);
}

static void watch_start(struct watch_trunk *w, struct trunks *t, const struct conf_trunk *trunk) {
  w->t = t;
  if (!w->run)
    w->told_own = w->told_peer = EXPIRY_NEVER;
  w->n_probes = 0;
  w->run += CONF_TRUNKS_MAX;
  w->timer = (struct timer){0};
  if (w->engine.n != conf_trunk_targets(trunk))
    w->engine = (struct health){.n = conf_trunk_targets(trunk)};
  slice_copy(w->trunk, sizeof w->trunk, slice_of(trunk->name));
  if (is_asked(trunk))
    options_arm(w, 100000 + rand_below(400000));
}

/* Keeps what was known of a trunk that stays. */
void options_start(struct trunks *t) {
  const struct conf *conf = t->env.conf;
  struct watch_trunk *old = calloc(CONF_TRUNKS_MAX, sizeof *old);
  uint32_t n_old = t->n_watches;
  if (!old)
    abort();
  memcpy(old, t->watches, n_old * sizeof *old);
  memset(t->watches, 0, sizeof t->watches);
  t->n_watches = 0;
  for (uint32_t i = 0; i < conf->n_trunks && i < CONF_TRUNKS_MAX; i++) {
    struct watch_trunk *w = &t->watches[t->n_watches++];
    for (uint32_t k = 0; k < n_old; k++)
      if (!strcmp(old[k].trunk, conf->trunks[i].name))
        *w = old[k];
    watch_start(w, t, &conf->trunks[i]);
  }
  free(old);
}

void options_stop(struct trunks *t) {
  for (uint32_t i = 0; i < t->n_watches; i++)
    loop_disarm(t->env.loop, &t->watches[i].timer);
}

/* Names only, and those of the certificate: as for a call (C-9 to C-11, O-4). */
static struct verdict names_check(struct agent *a, msg_t *msg, const sip_t *sip,
                                  const struct conf_trunk *trunk) {
  struct ask_hosts routes = {.n = 0}, subjects = {.n = 0};
  if (!contact_is_sane(sip->sip_contact))
    return verdict_refuse(REFUSE_MALFORMED, "OPTIONS without a Contact that is a sip URI");
  if (!routes_are_sane(sip->sip_record_route))
    return verdict_refuse(REFUSE_PROXY, "the Record-Route holds something else than sip URIs");
  ask_subjects(&subjects, a, msg);
  ask_routes(&routes, sip->sip_record_route);
  return guard_answer_chain(a->t->env.guard, trunk, &routes, slice_of(sip->sip_contact->m_url->url_host),
                            &subjects);
}

static void uri_note(char *dst, size_t bytes, const struct agent *a, const url_t *u) {
  const char *port = u ? u->url_port : NULL, *transport = agent_transport(a);
  *dst = 0;
  if (u && u->url_host)
    snprintf(dst, bytes, "sip:%s%s%s%s%s", u->url_host, port ? ":" : "", port ? port : "",
             transport ? ";transport=" : "", transport ? transport : "");
}

/* The peer's own OPTIONS: it lives, and says where ours go. The first one starts ours. */
static void heard(struct watch_trunk *w, struct agent *a, msg_t *msg, const sip_t *sip,
                  const struct conf_trunk *trunk) {
  struct health_rule r = health_rule_of(trunk);
  bool was_silent = health_asked(&w->engine, &r, loop_now_us(a->t->env.loop)) != ASKED_ACTIVE;
  w->health.received++;
  w->health.last_received_ms = clock_wall_ms();
  health_heard(&w->engine, loop_now_us(a->t->env.loop));
  link_note(w, a, msg);
  if (r.hears) {
    uri_note(w->contact, sizeof w->contact, a, sip->sip_contact ? sip->sip_contact->m_url : NULL);
    uri_note(w->route, sizeof w->route, a, sip->sip_record_route ? sip->sip_record_route->r_url : NULL);
    if (was_silent && timer_is_armed(&w->timer) && !is_under_way(w))
      options_arm(w, 100000);
  }
  watch_tell(w, trunk);
}

static void options_refuse(struct agent *a, msg_t *msg, const struct verdict *v) {
  struct reply r;
  reply_refusal(&r, v, a->host);
  reply_stateless(a, msg, &r);
}

void options_in(struct agent *a, msg_t *msg, const sip_t *sip, const struct conf_trunk *of) {
  struct trunks *t = a->t;
  const struct conf_trunk *trunk = conf_trunk_base(t->env.conf, of);
  struct watch_trunk *w = watch_find(t, trunk->name);
  struct reply r;
  char uri[URI_BYTES];
  bool is_open = !t->draining && calls_is_ready(t->env.calls) && trunk->enabled;
  count_one(&trunk_counters, TRUNKCOUNT_options_in);
  if (of->kind == TRUNK_DIRECT_ROUTING && of->role == ROLE_HUB && a->transport == TRANSPORT_TLS) {
    struct verdict v = names_check(a, msg, sip, of);
    if (!verdict_is_pass(&v)) {
      options_refuse(a, msg, &v);
      return;
    }
  }
  if (w)
    heard(w, a, msg, sip, trunk);
  reply_init(&r, is_open ? 200 : 503);
  r.allow = allow_of(trunk);
  r.line = replaces_may(trunk) ? "Supported: replaces" : NULL;
  r.accept = SDP_TYPE;
  r.supported = trunk->session_timer_s ? "timer" : NULL;
  snprintf(r.contact, sizeof r.contact, "<%s>",
           header_uri(uri, sizeof uri, "", *of->fqdn ? of->fqdn : a->host, a->port, agent_transport(a)));
  if (!is_open)
    snprintf(r.retry_after, sizeof r.retry_after, "30");
  reply_stateless(a, msg, &r);
}
