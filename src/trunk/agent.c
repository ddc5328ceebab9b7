/* SPDX-License-Identifier: Apache-2.0
 * The door's life and its nta agents: one for each listener, each with a message callback and no
 * default leg, so that everything outside of a dialog arrives raw. Call thread. RFC 3261 8.2. */
#include "trunk/vouch.h"
#include "trunk/hops.h"
#include "trunk/line.h"
#include "trunk/probe.h"
#include "trunk/tls.h"

#include <stdio.h>

enum {
  UDP_REQUEST_BYTES = 1300, /* longer ones go by TCP */
  UDP_RECEIVE_BYTES = 1 << 20
}; /* a flood of strangers is to be read before peers' datagrams are lost */

struct trunks *the_trunks;

static _Atomic uint64_t values[TRUNKCOUNT_COUNT_];
static const struct count_row rows[] = {
#define COUNT(id, kind, name, labels, help) {name, labels, help, COUNT_##kind},
#include "trunk/count.def"
#undef COUNT
};
struct counts trunk_counters = {rows, COUNT_OF(rows), values};
const struct counts *trunks_counts(void) { return &trunk_counters; }
const struct counts *trunks_transport_counts(void) { return &owntls_counts; }

struct agent *agent_find(struct trunks *t, const char *listener) {
  for (uint32_t i = 0; i < t->n_agents; i++)
    if (!strcmp(t->agents[i].listener, listener))
      return &t->agents[i];
  return NULL;
}

static const char *transport_name(uint8_t transport) {
  return transport == TRANSPORT_TLS ? "tls" : transport == TRANSPORT_TCP ? "tcp" : "udp";
}

const char *agent_transport(const struct agent *a) {
  return a->transport == TRANSPORT_UDP ? NULL : transport_name(a->transport);
}

uint8_t agent_transports(const struct agent *a) { return (uint8_t)(1U << a->transport); }

void agent_source(const msg_t *msg, struct addr *ret) {
  su_sockaddr_t *su = msg_addr((msg_t *)(uintptr_t)msg); // NOLINT: it only reads
  memset(ret, 0, sizeof *ret);
  addr_from(ret, &su->su_sa);
}

/* The name that is meant: the Request-URI's host, or To's where that is a bare address. */
static struct slice meant_host(const sip_t *sip) {
  struct addr literal;
  const char *host = sip->sip_request->rq_url->url_host, *to = sip->sip_to->a_url->url_host;
  bool is_bare = !host || addr_parse(&literal, slice_of(host), 0) == 0;
  return slice_of(is_bare && to ? to : host);
}

const struct conf_trunk *agent_peer(struct agent *a, msg_t *msg, const sip_t *sip,
                                    struct addr *ret_source) {
  struct ask_hosts subjects = {.n = 0};
  const sip_contact_t *m = sip->sip_contact; /* of several only the first counts (C-11) */
  agent_source(msg, ret_source);
  ask_subjects(&subjects, a, msg);
  const struct conf_trunk *found =
      guard_peer_trunk(a->t->env.guard, a->listener, ret_source, &subjects,
                       slice_of(m && m->m_url->url_host ? m->m_url->url_host : ""), meant_host(sip));
  return found ? regist_pick(a, found, ret_source, &subjects, sip) : NULL;
}

/* Requests outside of a dialog. */
static int status_out_of_dialog(const sip_t *sip) {
  switch (sip->sip_request->rq_method) {
  case sip_method_invite:
  case sip_method_options:
    return sip->sip_to->a_tag ? 481 : 0;
  case sip_method_bye:
  case sip_method_cancel:
  case sip_method_prack:
  case sip_method_info:
  case sip_method_update:
  case sip_method_notify:
    return 481;
  case sip_method_unknown:
    return 501;
  case sip_method_invalid:
  case sip_method_ack:
  case sip_method_register:
  case sip_method_message:
  case sip_method_subscribe:
  case sip_method_refer:
  case sip_method_publish:
  default:
    return 405;
  }
}

/* Header fields that may stand once only, and do. The parser chains those that come again. */
static bool has_twins(const sip_t *sip) {
  return sip->sip_from->a_next || sip->sip_to->a_next || sip->sip_call_id->i_next ||
         sip->sip_cseq->cs_next || (sip->sip_max_forwards && sip->sip_max_forwards->mf_next) ||
         (sip->sip_content_type && sip->sip_content_type->c_next) ||
         (sip->sip_content_length && sip->sip_content_length->l_next);
}

static bool accepts_sdp(const sip_t *sip) {
  const sip_accept_t *a = sip->sip_accept;
  for (; a; a = a->ac_next)
    if (a->ac_type && (!strcasecmp(a->ac_type, SDP_TYPE) || !strcmp(a->ac_type, "*/*") ||
                       !strcasecmp(a->ac_type, "application/*")))
      return true;
  return !sip->sip_accept;
}

static bool has_option(const msg_param_t *list, const char *option) {
  for (; list && *list; list++)
    if (!strcasecmp(*list, option))
      return true;
  return false;
}

bool agent_knows(const sip_t *sip, const char *option) {
  return (sip->sip_supported && has_option((const msg_param_t *)sip->sip_supported->k_items, option)) ||
         (sip->sip_require && has_option((const msg_param_t *)sip->sip_require->k_items, option));
}

static bool is_served(const char *option, const struct conf_trunk *trunk) {
  return trunk && ((trunk->prack != PRACK_OFF && !strcasecmp(option, "100rel")) ||
                   (trunk->session_timer_s && !strcasecmp(option, "timer")) ||
                   (trunk->accept_refer && !strcasecmp(option, "norefersub")) ||
                   (replaces_may(trunk) && !strcasecmp(option, "replaces")));
}

bool agent_requires(const sip_t *sip, const struct conf_trunk *trunk, char *unsupported, size_t bytes) {
  const msg_param_t *p = sip->sip_require ? (const msg_param_t *)sip->sip_require->k_items : NULL;
  size_t n = 0;
  unsupported[0] = 0;
  for (; p && *p; p++)
    if (n < bytes && !is_served(*p, trunk))
      n += (size_t)snprintf(unsupported + n, bytes - n, "%s%s", n ? ", " : "", *p);
  return n > 0;
}

/* Form, scheme, extensions, RFC 3261 8.2.2. */
static int status_of_inspection(const sip_t *sip, const struct conf_trunk *trunk, char *unsupported,
                                size_t bytes) {
  const url_t *u = sip->sip_request->rq_url;
  unsigned type = (unsigned char)u->url_type;
  if (type != url_sip && type != url_sips && type != url_tel)
    return 416;
  if (u->url_headers || has_twins(sip))
    return 400;
  if (agent_requires(sip, trunk, unsupported, bytes))
    return 420;
  return sip->sip_request->rq_method == sip_method_invite && !accepts_sdp(sip) ? 406 : 0;
}

/* Without state but to an INVITE: what is asked again is answered again, and a flood leaves nothing. */
static void answer_plain(struct agent *a, msg_t *msg, sip_t *sip, int status, const char *unsupported) {
  struct reply r;
  reply_init(&r, status);
  r.unsupported = unsupported;
  if (sip->sip_request->rq_method == sip_method_invite)
    reply_once(a, msg, sip, &r);
  else
    reply_stateless(a, msg, &r);
}

/* RFC 5923: the peer takes our requests by this connection, and says where they would go else. */
static void alias_note(const struct agent *a, const struct conf_trunk *trunk, msg_t *msg,
                       const sip_t *sip) {
  const sip_via_t *v = sip->sip_via;
  if (!trunk->connection_reuse || a->transport != TRANSPORT_TLS || !v || v->v_next ||
      !has_option(v->v_params, "alias"))
    return;
  tport_t *tp = tport_delivered_by(nta_agent_tports(a->nta), msg);
  if (tp)
    link_alias(tp, v->v_port ? (uint16_t)atoi(v->v_port) : 5061);
}

int agent_message(struct agent *a, nta_agent_t *nta, msg_t *msg, sip_t *sip) {
  struct addr source;
  char unsupported[256] = "";
  loop_freshen(a->t->env.loop);
  if (!sip->sip_request || sip->sip_request->rq_method == sip_method_ack) {
    count_one(&trunk_counters, TRUNKCOUNT_stray);
    nta_msg_discard(nta, msg);
    return 0;
  }
  const struct conf_trunk *trunk = agent_peer(a, msg, sip, &source);
  if (!trunk) {
    count_one(&trunk_counters, TRUNKCOUNT_strangers);
    nta_msg_discard(nta, msg);
    return 0;
  }
  alias_note(a, trunk, msg, sip);
  bool is_register = trunk->attach.accept_register && sip->sip_request->rq_method == sip_method_register;
  int status = is_register ? 0 : status_out_of_dialog(sip);
  if (!status)
    status = status_of_inspection(sip, trunk, unsupported, sizeof unsupported);
  if (is_register && status == 420 && !strcmp(unsupported, "gin"))
    status = 0; /* RFC 6140 */
  if (status)
    answer_plain(a, msg, sip, status, *unsupported ? unsupported : NULL);
  else if (is_register)
    registrar_in(a, msg, sip, trunk, &source);
  else if (sip->sip_request->rq_method == sip_method_invite) {
    if (trunk->attach.auth != AUTH_DIGEST || challenge_pass(a, msg, sip, trunk, &source))
      inbound_invite(a, msg, sip, trunk, &source);
  } else
    options_in(a, msg, sip, trunk);
  return 0;
}

/* What Via shows: the listener's advertised name, else the name of its first trunk, else the address. */
static void agent_name(struct agent *a, const struct conf *conf, const struct conf_listener *l) {
  char ip[ADDR_TEXT_BYTES];
  const char *name = l->advertise;
  for (uint32_t i = 0; i < conf->n_trunks && !*name; i++)
    if (!strcmp(conf->trunks[i].listener, l->name))
      name = conf->trunks[i].fqdn;
  if (!*name)
    name = addr_ip_text(&l->address, ip, sizeof ip);
  slice_copy(a->host, sizeof a->host, slice_of(name));
}

static void agent_url(char *dst, size_t bytes, const struct agent *a, const struct conf_listener *l) {
  char host[160], ip[ADDR_TEXT_BYTES], maddr[160], port[8] = "*";
  if (addr_port(&l->address))
    snprintf(port, sizeof port, "%u", addr_port(&l->address));
  header_host(maddr, sizeof maddr, addr_ip_text(&l->address, ip, sizeof ip));
  snprintf(dst, bytes, "%s:%s:%s;transport=%s;maddr=%s", l->transport == TRANSPORT_TLS ? "sips" : "sip",
           header_host(host, sizeof host, a->host), port, transport_name(l->transport), maddr);
}

/* rport only on UDP: over a stream the library would take it for where to connect when the connection
 * is gone, instead of the Via's port. */
/* Requests that are too long for a datagram leave by TCP (RFC 3261 18.1.1), where the peer takes them;
 * nobody connects to this. */
static void client_add(struct agent *a, const struct conf_listener *l) {
  char url[512], host[160], ip[ADDR_TEXT_BYTES], maddr[160];
  header_host(maddr, sizeof maddr, addr_ip_text(&l->address, ip, sizeof ip));
  snprintf(url, sizeof url, "sip:%s:*;transport=tcp;maddr=%s", header_host(host, sizeof host, a->host),
           maddr);
  if (nta_agent_add_tport(a->nta, URL_STRING_MAKE(url), TPTAG_SERVER(0), TPTAG_TIMEOUT(60000),
                          TPTAG_IDLE(1800000), TPTAG_REUSE(1), TAG_END()) < 0)
    log_warn(trunk, "listener %s: no TCP for long requests: %s", l->name, strerror(errno));
}

static int agent_open(struct agent *a, const struct conf_listener *l, char *why, size_t why_bytes) {
  char url[512], profile[CONF_NAME_BYTES + 16];
  struct trunks *t = a->t;
  agent_name(a, t->env.conf, l);
  agent_url(url, sizeof url, a, l);
  snprintf(profile, sizeof profile, "profile:%s", l->name);
  a->nta = nta_agent_create(
      root_su(t->env.root), URL_STRING_MAKE(url), agent_message, a, NTATAG_UA(1), NTATAG_MERGE_482(1),
      NTATAG_CANCEL_487(0), NTATAG_MAXSIZE(MESSAGE_MAX_BYTES), NTATAG_UDP_MTU(UDP_REQUEST_BYTES),
      NTATAG_SIP_T1X64(T1X64_MS), NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(1),
      NTATAG_SERVER_RPORT(l->transport == TRANSPORT_UDP), TPTAG_UDP_RMEM(UDP_RECEIVE_BYTES),
      TPTAG_TIMEOUT(60000), TPTAG_IDLE(1800000), TPTAG_REUSE(1), TPTAG_PONG2PING(1),
      SRESTAG_CACHE(t->names), TAG_IF(*t->resolv_conf, SRESTAG_RESOLV_CONF(t->resolv_conf)),
      TAG_IF(l->transport == TRANSPORT_TLS, TPTAG_CERTIFICATE(profile)), TAG_END());
  if (!a->nta) {
    snprintf(why, why_bytes, "listener %s: cannot bind %s: %s", l->name, url, strerror(errno));
    return -EADDRINUSE;
  }
  tport_t *tp = tport_primaries(nta_agent_tports(a->nta));
  if (tp && tport_name(tp)->tpn_port)
    a->port = (uint16_t)atoi(tport_name(tp)->tpn_port);
  log_info(trunk, "listener %s: %s, port %u, known as %s", l->name, transport_name(l->transport),
           a->port, a->host);
  if (l->transport == TRANSPORT_UDP)
    client_add(a, l);
  return 0;
}

static int agents_open(struct trunks *t, char *why, size_t why_bytes) {
  const struct conf *conf = t->env.conf;
  for (uint32_t i = 0; i < conf->n_listeners; i++) {
    const struct conf_listener *l = &conf->listeners[i];
    struct agent *a = &t->agents[t->n_agents];
    a->t = t;
    a->transport = l->transport;
    a->family = addr_family(&l->address);
    slice_copy(a->listener, sizeof a->listener, slice_of(l->name));
    int e = l->transport == TRANSPORT_TLS ? secure_listener(conf, l, false, why, why_bytes) : 0;
    if (e == 0)
      e = agent_open(a, l, why, why_bytes);
    if (e < 0)
      return e;
    t->n_agents++;
  }
  return 0;
}

static bool has_tls(const struct conf *conf) {
  for (uint32_t i = 0; i < conf->n_listeners; i++)
    if (conf->listeners[i].transport == TRANSPORT_TLS)
      return true;
  return false;
}

int trunks_new(struct trunks **ret, const struct trunks_env *env, char *why, size_t why_bytes) {
  own(trunks) t = calloc(1, sizeof *t);
  if (!t || the_trunks)
    return t ? -EBUSY : -ENOMEM;
  t->env = *env;
  snprintf(t->product, sizeof t->product, "%s", env->product ? env->product : "Sallyport");
  int e = pool_new(&t->dialogs, sizeof(struct dialog), DIALOGS_MAX);
  if (e == 0)
    e = pool_new(&t->lines, sizeof(struct line), PROBE_LINES_MAX);
  if (e < 0)
    return e;
  e = hosts_start(t);
  if (e == 0)
    e = lookup_start(t);
  if (e < 0)
    return e;
  the_trunks = t;
  e = secure_start(t, has_tls(env->conf), why, why_bytes);
  if (e == 0)
    e = agents_open(t, why, why_bytes);
  if (e < 0)
    return e;
  e = regist_start(t);
  struct stir_settings stir = {.conf = env->conf, .loop = env->loop, .done = vouch_done, .arg = t};
  if (e == 0)
    e = stir_new(&t->stir, &stir, why, why_bytes);
  if (e < 0)
    return e;
  options_start(t);
  renewal_start(t);
  keepalive_start(t);
  calls_add_door(env->calls, &trunk_door, t);
  *ret = take(t);
  return 0;
}

struct trunks *trunks_free(struct trunks *t) {
  if (!t)
    return NULL;
  uint32_t slot = 0;
  struct dialog *d;
  options_stop(t);
  renewal_stop(t);
  keepalive_stop(t);
  while (t->dialogs && (d = pool_next(t->dialogs, &slot, NULL)))
    dialog_drop(d);
  for (pool_handle id; t->lines && (slot = 0, pool_next(t->lines, &slot, &id));)
    line_close(t, id);
  probe_stop(t);
  regist_free(t);
  stir_free(t->stir);
  for (uint32_t i = 0; i < t->n_agents; i++)
    nta_agent_destroy(t->agents[i].nta);
  if (the_trunks == t) {
    secure_stop();
    root_last(t->env.root);
    the_trunks = NULL;
  }
  pool_free(t->dialogs);
  pool_free(t->lines);
  lookup_stop(t);
  hosts_stop(t);
  free(t);
  return NULL;
}

int trunks_reload(struct trunks *t, const struct conf *conf, char *why, size_t why_bytes) {
  int result = 0;
  options_stop(t);
  regist_reload(t, conf);
  const struct conf *before = t->env.conf;
  t->env.conf = conf;
  if (regist_start(t) < 0)
    result = -ENOMEM;
  if (renewal_reload(t, before, why, why_bytes) < 0)
    result = -EINVAL;
  if (stir_reload(t->stir, conf, why, why_bytes) < 0)
    result = -EINVAL;
  options_start(t);
  return result;
}

void trunks_drain(struct trunks *t) {
  t->draining = true;
  regist_drain(t);
}

void trunks_pause(struct trunks *t, bool on) { t->draining = on; }

bool trunks_is_idle(const struct trunks *t) { return pool_count(t->dialogs) == 0 && regist_is_idle(t); }

uint16_t trunks_port(const struct trunks *t, const char *listener) {
  for (uint32_t i = 0; i < t->n_agents; i++)
    if (!strcmp(t->agents[i].listener, listener))
      return t->agents[i].port;
  return 0;
}
