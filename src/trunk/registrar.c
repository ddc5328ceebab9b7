/* SPDX-License-Identifier: Apache-2.0
 * REGISTER of a peer whose trunk accepts it: proof first (trunk/challenge), then its Contacts, all or
 * none, at most BINDINGS_MAX. Calls to the trunk go to the newest, through its NAT. RFC 3261 10.3,
 * RFC 3327 (Path), RFC 6140 (bnc). Call thread. */
#include "trunk/registrar.h"

#include "trunk/regist.h"

#include <stdio.h>

enum { CONTACTS_TEXT_BYTES = BINDINGS_MAX * (BINDING_URI_BYTES + 32) };

static void sweep_due(void *arg);

static struct registry *registry_find(struct trunks *t, const char *trunk) {
  for (uint32_t i = 0; i < CONF_TRUNKS_MAX; i++)
    if (!strcmp(t->regist->registries[i].trunk, trunk))
      return &t->regist->registries[i];
  return NULL;
}

const struct registry *registrar_list(struct trunks *t, const char *trunk) {
  struct registry *r = t->regist && *trunk ? registry_find(t, trunk) : NULL;
  if (r)
    registry_sweep(r, loop_now_us(t->env.loop));
  return r;
}

const struct binding *registrar_binding(struct trunks *t, const char *trunk, uint32_t key) {
  const struct registry *r = registrar_list(t, trunk);
  for (uint32_t i = 0; r && i < r->n; i++)
    if (!key || r->list[i].key == key)
      return &r->list[i];
  return NULL;
}

static bool hop_of(struct hop *ret, const struct binding *b, uint8_t transport) {
  struct resolve_want want = {.port = 0};
  struct slice host = slice_of(b->host); /* without the port, which stands behind ] or alone */
  const char *end = memchr(host.p, ']', host.n);
  host.n = end ? (size_t)(end - host.p) : strcspn(host.p, ":");
  (void)!slice_copy(want.host, sizeof want.host, end ? slice_from(host.p + 1, host.n - 1) : host);
  *ret = (struct hop){.addr = b->source, .transport = transport, .key = b->key};
  if ((size_t)snprintf(ret->uri, sizeof ret->uri, "sip:%s", b->host) >= sizeof ret->uri)
    return false;
  hops_route(ret, &want);
  return true;
}

/* Calls go to each in turn. */
static void pin(struct trunks *t, const struct registry *r) {
  const struct conf_trunk *trunk = conf_trunk_find(t->env.conf, slice_of(r->trunk));
  const struct agent *a = trunk ? agent_find(t, trunk->listener) : NULL;
  struct hop list[BINDINGS_MAX];
  uint32_t n = 0;
  for (uint32_t i = 0; a && i < r->n; i++)
    n += hop_of(&list[n], &r->list[i], a->transport);
  hops_pin(t, r->trunk, list, n);
}

/* The timer stands at the next end of all. */
static void arm(struct trunks *t) {
  uint64_t now = loop_now_us(t->env.loop), next = UINT64_MAX, n = 0;
  for (uint32_t i = 0; i < CONF_TRUNKS_MAX; i++) {
    struct registry *r = &t->regist->registries[i];
    bool had = r->n > 0;
    uint64_t at = registry_sweep(r, now);
    next = at < next ? at : next;
    n += r->n;
    if (*r->trunk)
      pin(t, r);
    if (had && !r->n)
      log_info(trunk, "trunk %s: its last registration has ended", r->trunk);
  }
  count_set(&trunk_counters, TRUNKCOUNT_bindings, n);
  t->regist->sweep.fn = sweep_due;
  t->regist->sweep.arg = t;
  if (next == UINT64_MAX)
    loop_disarm(t->env.loop, &t->regist->sweep);
  else
    loop_arm(t->env.loop, &t->regist->sweep, next - now);
}

static void sweep_due(void *arg) { arm(arg); }

/* Seconds of one Contact; the default where neither it nor Expires says. */
static uint32_t expires_of(const sip_t *sip, const sip_contact_t *m) {
  uint64_t s;
  if (m->m_expires && slice_u64(slice_of(m->m_expires), UINT32_MAX, &s) == 0)
    return (uint32_t)s;
  return sip->sip_expires && !sip->sip_expires->ex_date ? (uint32_t)sip->sip_expires->ex_delta
                                                        : BINDING_MAX_S;
}

/* Path as Route headers toward the peer: its own proxies only. */
static struct verdict path_take(const struct agent *a, const struct conf_trunk *trunk, const sip_t *sip,
                                msg_t *msg, const struct addr *source, char dst[BINDING_PATH_BYTES]) {
  struct ask_hosts routes = {.n = 0}, subjects = {.n = 0};
  char ip[ADDR_TEXT_BYTES], uri[URI_BYTES];
  const sip_route_t *r = (const sip_route_t *)sip->sip_path;
  size_t n = 0;
  dst[0] = 0;
  if (!r)
    return verdict_pass();
  if (!routes_are_sane(r))
    return verdict_refuse(REFUSE_MALFORMED, "Path: expected sip or sips URIs");
  ask_routes(&routes, r);
  ask_subjects(&subjects, (struct agent *)(uintptr_t)a, msg); // NOLINT: it only reads
  const char *contact = subjects.n ? subjects.host[0] : addr_ip_text(source, ip, sizeof ip);
  struct verdict v = guard_answer_chain(a->t->env.guard, trunk, &routes, slice_of(contact), &subjects);
  for (unsigned i = 0; r && verdict_is_pass(&v); r = r->r_next, i++) {
    if (url_e(uri, sizeof uri, r->r_url) < (isize_t)sizeof uri && n < BINDING_PATH_BYTES)
      n += (size_t)snprintf(dst + n, BINDING_PATH_BYTES - n, "%s<%s>", i ? ", " : "", uri);
    else
      n = BINDING_PATH_BYTES;
  }
  return n < BINDING_PATH_BYTES ? v : verdict_refuse(REFUSE_MALFORMED, "Path is too long");
}

/* Thousandths, "0.5" and the like; 1,000 where it says none or nonsense. */
static uint16_t q_of(const sip_contact_t *m) {
  const char *q = m->m_q;
  uint32_t n = 0, scale = 1000;
  if (!q || (*q != '0' && *q != '1') || (q[1] && q[1] != '.'))
    return 1000;
  n = (uint32_t)(*q - '0') * 1000;
  for (q += q[1] ? 2 : 1; *q >= '0' && *q <= '9' && scale > 1; q++)
    n += (uint32_t)(*q - '0') * (scale /= 10);
  return (uint16_t)(*q || n > 1000 ? 1000 : n);
}

static struct verdict contact_take(struct registry *r, const sip_t *sip, const sip_contact_t *m,
                                   struct binding_ask *ask, uint64_t now_us) {
  char uri[BINDING_URI_BYTES], host[BINDING_URI_BYTES];
  const url_t *u = m->m_url;
  if (!uri_is_sip(u) || url_e(uri, sizeof uri, u) >= (isize_t)sizeof uri)
    return verdict_refuse(REFUSE_MALFORMED, "Contact: expected a sip or sips URI");
  snprintf(host, sizeof host, "%s%s%s", u->url_host, u->url_port && *u->url_port ? ":" : "",
           u->url_port ? u->url_port : "");
  ask->uri = uri;
  ask->host = host;
  ask->expires_s = expires_of(sip, m);
  ask->q = q_of(m);
  ask->bnc = u->url_params && url_has_param(u, "bnc");
  if (ask->bnc && u->url_user && *u->url_user)
    return verdict_refuse(REFUSE_MALFORMED, "Contact: bnc stands with a user part");
  return registry_put(r, ask, now_us);
}

static struct verdict contacts_take(struct registry *r, struct agent *a, const struct conf_trunk *trunk,
                                    const sip_t *sip, msg_t *msg, const struct addr *source) {
  char path[BINDING_PATH_BYTES];
  const sip_contact_t *m = sip->sip_contact;
  struct binding_ask ask = {
      .call_id = sip->sip_call_id->i_id, .path = path, .cseq = sip->sip_cseq->cs_seq, .source = *source};
  struct verdict v = path_take(a, trunk, sip, msg, source, path);
  if (m && m->m_url->url_type == url_any) {
    if (m->m_next || !sip->sip_expires || sip->sip_expires->ex_delta)
      return verdict_refuse(REFUSE_MALFORMED, "Contact: * stands alone, and with Expires: 0");
    return registry_clear(r, ask.call_id, ask.cseq);
  }
  for (unsigned i = 0; m && verdict_is_pass(&v); m = m->m_next, i++)
    v = i < BINDINGS_MAX ? contact_take(r, sip, m, &ask, loop_now_us(a->t->env.loop))
                         : verdict_refuse(REFUSE_BINDINGS, "Contact: at most %d", BINDINGS_MAX);
  return v;
}

static bool is_brief(const sip_t *sip) {
  for (const sip_contact_t *m = sip->sip_contact; m; m = m->m_next) {
    uint32_t s = expires_of(sip, m);
    if (s && s < BINDING_MIN_S)
      return true;
  }
  return false;
}

/* All bindings there are now, for the 200. */
static void contacts_write(const struct registry *r, uint64_t now_us, char *dst, size_t bytes) {
  size_t n = 0;
  dst[0] = 0;
  for (uint32_t i = 0; i < r->n && n < bytes; i++)
    n += (size_t)snprintf(dst + n, bytes - n, "%s<%s>;expires=%lu", i ? ", " : "", r->list[i].uri,
                          (unsigned long)((r->list[i].until_us - now_us) / 1000000));
}

/* With a transaction as long as there are not too many: what is repeated is answered the same then. */
static void answer(struct agent *a, msg_t *msg, sip_t *sip, int status, const char *contacts,
                   const char *min) {
  struct trunks *t = a->t;
#define ANSWER_TAGS \
  TAG_IF(*contacts, SIPTAG_CONTACT_STR(contacts)), TAG_IF(*min, SIPTAG_MIN_EXPIRES_STR(min)), \
      TAG_IF(status == 200 && sip->sip_path, SIPTAG_PATH(sip->sip_path)), \
      SIPTAG_SERVER_STR(t->product), TAG_END()
  if (!bucket_take(&t->once, ONCE_PER_S, loop_now_us(t->env.loop))) {
    nta_msg_treply(a->nta, msg, status, sip_status_phrase(status), ANSWER_TAGS);
    return;
  }
  nta_incoming_t *irq = nta_incoming_create(a->nta, NULL, msg, sip, TAG_END());
  if (!irq)
    return;
  nta_incoming_treply(irq, status, sip_status_phrase(status), ANSWER_TAGS);
  nta_incoming_destroy(irq);
#undef ANSWER_TAGS
}

static void take_all(struct agent *a, msg_t *msg, sip_t *sip, const struct conf_trunk *trunk,
                     const struct addr *source, struct registry *r) {
  char contacts[CONTACTS_TEXT_BYTES], ip[ADDR_TEXT_BYTES];
  struct registry next = *r;
  struct reply reply;
  registry_sweep(&next, loop_now_us(a->t->env.loop));
  struct verdict v = contacts_take(&next, a, trunk, sip, msg, source);
  if (!verdict_is_pass(&v)) {
    guard_count(a->t->env.guard, v.refusal);
    log_info(trunk, "trunk %s: REGISTER refused by rule %s: %s", trunk->name,
             refusal_row(v.refusal)->rule, v.detail);
    reply_refusal(&reply, &v, *trunk->fqdn ? trunk->fqdn : a->host);
    reply_once(a, msg, sip, &reply);
    return;
  }
  if (next.n != r->n)
    log_info(trunk, "trunk %s: %u registrations now, by a REGISTER from %s", trunk->name, next.n,
             addr_ip_text(source, ip, sizeof ip));
  *r = next;
  slice_copy(r->trunk, sizeof r->trunk, slice_of(trunk->name));
  contacts_write(r, loop_now_us(a->t->env.loop), contacts, sizeof contacts);
  answer(a, msg, sip, 200, contacts, "");
  arm(a->t);
}

void registrar_in(struct agent *a, msg_t *msg, sip_t *sip, const struct conf_trunk *trunk,
                  const struct addr *source) {
  char min[12];
  struct reply reply;
  count_one(&trunk_counters, TRUNKCOUNT_registers_in);
  if (!challenge_pass(a, msg, sip, trunk, source))
    return;
  struct registry *r = registry_find(a->t, trunk->name);
  if (!r)
    r = registry_find(a->t, "");
  snprintf(min, sizeof min, "%d", BINDING_MIN_S);
  if (is_brief(sip)) {
    answer(a, msg, sip, 423, "", min);
  } else if (!trunk->enabled || !r || a->t->draining) {
    reply_init(&reply, 503);
    snprintf(reply.retry_after, sizeof reply.retry_after, "30");
    reply_stateless(a, msg, &reply);
  } else {
    take_all(a, msg, sip, trunk, source, r);
  }
}

/* Registries of trunks that are gone, or accept none any more, are forgotten. */
void registrar_start(struct trunks *t) {
  for (uint32_t i = 0; i < CONF_TRUNKS_MAX; i++) {
    struct registry *r = &t->regist->registries[i];
    const struct conf_trunk *trunk = *r->trunk ? conf_trunk_find(t->env.conf, slice_of(r->trunk)) : NULL;
    if (*r->trunk && (!trunk || !trunk->attach.accept_register))
      hops_pin(t, r->trunk, NULL, 0);
    if (!trunk || !trunk->attach.accept_register)
      memset(r, 0, sizeof *r);
  }
  arm(t);
}

void registrar_stop(struct trunks *t) { loop_disarm(t->env.loop, &t->regist->sweep); }
