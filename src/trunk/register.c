/* SPDX-License-Identifier: Apache-2.0
 * Our registrations with carriers: REGISTER sent when the machine (registration.h) says, its answer
 * read, where it lives remembered: calls go there, by its Service-Route. One Call-ID a registration,
 * CSeq rising. RFC 3261 10.2, 3608, 6140 (Require: gin, bnc), 5626 4.5. */
#include "base/clock.h"
#include "base/rand.h"
#include "trunk/regist.h"

#include <stdio.h>

static void line_due(void *arg);

static const struct conf_trunk *trunk_of(const struct line *l) {
  return conf_trunk_find(l->t->env.conf, slice_of(l->trunk));
}

static void arm(struct line *l) {
  uint64_t now = loop_now_us(l->t->env.loop), at = l->engine.next_us;
  if (l->out || l->job) {
    loop_arm(l->t->env.loop, &l->timer, (uint64_t)TRY_S * 1000000);
  } else if (at == UINT64_MAX) {
    loop_disarm(l->t->env.loop, &l->timer);
  } else {
    loop_arm(l->t->env.loop, &l->timer, at > now ? at - now : 0);
  }
}

static void look_end(struct line *l) {
  if (l->job && l->t->resolver)
    resolver_cancel(l->t->resolver, l->job);
  l->job = 0;
}

static void line_done(struct line *l) {
  loop_disarm(l->t->env.loop, &l->timer);
  hops_pin(l->t, l->trunk, NULL, 0);
  look_end(l);
  if (l->out)
    nta_outgoing_destroy(take(l->out));
  if (l->leg)
    nta_leg_destroy(take(l->leg));
  uint64_t run = l->run;
  explicit_bzero(l, sizeof *l);
  l->run = run;
}

static void gauge(struct trunks *t) {
  uint64_t n = 0, now = loop_now_us(t->env.loop);
  for (unsigned i = 0; i < LINES_MAX; i++)
    n += *t->regist->lines[i].trunk && registration_is_up(&t->regist->lines[i].engine, now);
  count_set(&trunk_counters, TRUNKCOUNT_registered, n);
}

/* Sending --------------------------------------------------------------------------------------- */

static void contact_write(const struct line *l, const struct agent *a, const char *host, char *dst,
                          size_t bytes) {
  char uri[URI_BYTES], user[CONF_NAME_BYTES] = "";
  const struct conf_attach *c = &l->attach;
  struct slice aor = slice_of(c->registration.aor + strlen("sip:"));
  if (!c->registration.bnc && *c->registration.contact_user)
    slice_copy(user, sizeof user, slice_of(c->registration.contact_user));
  else if (!c->registration.bnc)
    slice_copy(user, sizeof user, slice_cut(&aor, '@'));
  header_uri(uri, sizeof uri, user, host, a->port, agent_transport(a));
  snprintf(dst, bytes, "<%s%s>", uri, c->registration.bnc ? ";bnc" : "");
}

static nta_leg_t *leg_make(const struct line *l, const struct agent *a) {
  char party[CONF_PATH_BYTES + 2];
  snprintf(party, sizeof party, "<%s>", l->attach.registration.aor);
  nta_leg_t *leg = nta_leg_tcreate(a->nta, dialog_request, NULL, SIPTAG_FROM_STR(party),
                                   SIPTAG_TO_STR(party), TAG_END());
  if (leg)
    nta_leg_tag(leg, NULL);
  return leg;
}

/* magic: the place of the line and its run, so that a late answer finds nothing. */
static void *magic_of(const struct line *l) {
  return (void *)(uintptr_t)(l->run << 16 | (uint64_t)(l - l->t->regist->lines)); // NOLINT
}

static struct line *line_of(const void *magic) {
  uint64_t m = (uintptr_t)magic, slot = m & 0xffff;
  if (!the_trunks || !the_trunks->regist || slot >= LINES_MAX)
    return NULL;
  struct line *l = &the_trunks->regist->lines[slot];
  loop_freshen(the_trunks->env.loop);
  return *l->trunk && l->run == m >> 16 ? l : NULL;
}

static int register_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip);

/* To the address in hand. */
static void line_send(struct line *l, const struct conf_trunk *trunk, struct agent *a) {
  char contact[URI_BYTES + 8], domain[CONF_PATH_BYTES], expires[12];
  const struct conf_attach *c = &l->attach;
  struct hop hop = {.addr = l->list.hits[l->hit].addr, .transport = l->list.hits[l->hit].transport};
  hops_route(&hop, &l->want);
  contact_write(l, a, trunk && *trunk->fqdn ? trunk->fqdn : a->host, contact, sizeof contact);
  snprintf(domain, sizeof domain, "sip:%s", strchr(c->registration.aor, '@') + 1);
  snprintf(expires, sizeof expires, "%u", l->engine.asked_s);
  l->run++;
  if (!l->leg)
    l->leg = leg_make(l, a);
  if (l->leg)
    l->out = nta_outgoing_tcreate(
        l->leg, register_response, magic_of(l), URL_STRING_MAKE(hop.route), SIP_METHOD_REGISTER,
        URL_STRING_MAKE(domain), SIPTAG_CONTACT_STR(contact), SIPTAG_EXPIRES_STR(expires),
        TAG_IF(c->registration.bnc, SIPTAG_REQUIRE_STR("gin")),
        TAG_IF(c->registration.bnc, SIPTAG_PROXY_REQUIRE_STR("gin")), SIPTAG_SUPPORTED_STR("path"),
        SIPTAG_ALLOW_STR(ALLOW), SIPTAG_USER_AGENT_STR(l->t->product), TAG_END());
  count_one(&trunk_counters, TRUNKCOUNT_registers_out);
}

/* Answers --------------------------------------------------------------------------------------- */

static void no_matter(void *arg, uint64_t magic, int error, const struct resolve_list *list) {
  (void)arg, (void)magic, (void)error, (void)list;
}

/* How long our own Contact lives, 0: it is not there, or says nothing. */
static uint32_t given_of(const struct agent *a, const char *host, const sip_t *sip) {
  const sip_contact_t *m = sip->sip_contact;
  for (unsigned i = 0; m && i < 64; m = m->m_next, i++) {
    const url_t *u = m->m_url;
    uint64_t s = 0;
    if (!uri_is_sip(u) || strcasecmp(u->url_host, host) != 0 ||
        (u->url_port && *u->url_port ? atoi(u->url_port) : 0) != a->port)
      continue;
    if (m->m_expires && slice_u64(slice_of(m->m_expires), UINT32_MAX, &s) == 0 && s)
      return (uint32_t)s;
  }
  return sip->sip_expires && !sip->sip_expires->ex_date ? (uint32_t)sip->sip_expires->ex_delta : 0;
}

/* Route headers for what we send to it; none where a stranger stands among them. */
static void service_route_take(struct line *l, const struct agent *a, const struct conf_trunk *trunk,
                               const sip_t *sip, msg_t *msg) {
  struct ask_hosts routes = {.n = 0}, subjects = {.n = 0};
  char ip[ADDR_TEXT_BYTES], value[SERVICE_ROUTE_BYTES] = "";
  const sip_route_t *r = (const sip_route_t *)sip->sip_service_route;
  size_t n = 0;
  l->service_route[0] = 0;
  if (!r || !routes_are_sane(r))
    return;
  ask_routes(&routes, r);
  ask_subjects(&subjects, (struct agent *)(uintptr_t)a, msg); // NOLINT: it only reads
  const char *contact = subjects.n ? subjects.host[0] : addr_ip_text(&l->pinned, ip, sizeof ip);
  struct verdict v = guard_answer_chain(l->t->env.guard, trunk, &routes, slice_of(contact), &subjects);
  for (unsigned i = 0; r && verdict_is_pass(&v); r = r->r_next, i++) {
    char uri[URI_BYTES];
    if (i == SERVICE_ROUTES_MAX || url_e(uri, sizeof uri, r->r_url) >= (isize_t)sizeof uri)
      return;
    n += (size_t)snprintf(value + n, sizeof value - n, "%s<%s>", i ? ", " : "", uri);
    if (n >= sizeof value)
      return;
  }
  if (verdict_is_pass(&v))
    memcpy(l->service_route, value, sizeof value);
  else
    log_warn(trunk, "trunk %s: Service-Route is not used, rule %s: %s", l->trunk,
             refusal_row(v.refusal)->rule, v.detail);
}

/* Calls go to who holds the registration, unless another target is set; by the first Service-Route
 * where that is an address. */
static void pin(struct line *l, const struct conf_trunk *trunk) {
  struct hop hop = {.addr = l->pinned, .transport = l->list.hits[l->hit].transport};
  const char *registrar = l->attach.registration.registrars.text[l->engine.at];
  struct resolve_want want;
  struct resolve_list list;
  pool_handle job = 0;
  char first[SERVICE_ROUTE_BYTES];
  size_t n = strcspn(registrar, ";");
  if (*trunk->target &&
      (strncasecmp(trunk->target, registrar, n) != 0 || strcspn(trunk->target, ";") != n)) {
    hops_pin(l->t, l->trunk, NULL, 0);
    return;
  }
  snprintf(hop.uri, sizeof hop.uri, "sip:%s", strchr(l->attach.registration.aor, '@') + 1);
  if (*trunk->target)
    slice_copy(hop.uri, sizeof hop.uri, slice_of(trunk->target));
  snprintf(first, sizeof first, "%.*s", (int)strcspn(l->service_route + !!*l->service_route, ">"),
           l->service_route + !!*l->service_route);
  if (*first && hops_want(l->t, trunk, first, &want) == 0 &&
      resolver_look(l->t->resolver, &want, loop_now_us(l->t->env.loop), no_matter, NULL, 0, &job,
                    &list) == 1) {
    hop.addr = list.hits[0].addr;
    hop.transport = list.hits[0].transport;
    hops_route(&hop, &want);
  } else {
    if (job)
      resolver_cancel(l->t->resolver, job);
    hops_route(&hop, &l->want);
  }
  hops_pin(l->t, l->trunk, &hop, 1);
}

static void success_take(struct line *l, const struct agent *a, const struct conf_trunk *trunk,
                         const sip_t *sip) {
  msg_t *msg = nta_outgoing_getresponse(l->out);
  if (!msg)
    return;
  agent_source(msg, &l->pinned);
  if (trunk && l->engine.state == REGISTRATION_TRYING) {
    service_route_take(l, a, trunk, sip, msg);
    pin(l, trunk);
  }
  msg_destroy(msg);
}

static void tell(const struct line *l, enum registration_state before) {
  char at[CONF_NAME_BYTES];
  bool is_up = registration_is_up(&l->engine, loop_now_us(l->t->env.loop));
  slice_copy(at, sizeof at, slice_of(l->attach.registration.registrars.text[l->engine.at]));
  if (l->engine.state == REGISTRATION_UP && before != REGISTRATION_UP)
    log_info(trunk, "trunk %s is registered with %s", l->trunk, at);
  else if (l->engine.last_status >= 300)
    log_warn(trunk, "trunk %s: registration was answered %d, it is %s, next try in %lu s", l->trunk,
             l->engine.last_status, is_up ? "still valid" : "not registered",
             l->engine.next_us == UINT64_MAX
                 ? 0
                 : (unsigned long)((l->engine.next_us - loop_now_us(l->t->env.loop)) / 1000000));
}

/* Another address of the same registrar, when this one is dead. */
static bool next_address(struct line *l, int status) {
  const struct conf_trunk *trunk = trunk_of(l);
  struct agent *a = trunk ? agent_find(l->t, trunk->listener) : NULL;
  if ((status != 408 && status != 503) || l->engine.state != REGISTRATION_TRYING || !a)
    return false;
  while (!l->out && l->hit + 1 < l->list.n) {
    l->hit++;
    line_send(l, trunk, a);
  }
  arm(l);
  return l->out != NULL;
}

static void answered(struct line *l, const struct registration_answer *answer) {
  enum registration_state before = l->engine.until_us ? REGISTRATION_UP : REGISTRATION_WAITING;
  if (l->out)
    nta_outgoing_destroy(take(l->out));
  look_end(l);
  l->run++;
  if (next_address(l, answer->status))
    return;
  registration_answered(&l->engine, answer, loop_now_us(l->t->env.loop), rand_u32());
  count_one(&trunk_counters,
            answer->status < 300 ? TRUNKCOUNT_registers_taken : TRUNKCOUNT_registers_refused);
  tell(l, before);
  gauge(l->t);
  if (!registration_is_up(&l->engine, loop_now_us(l->t->env.loop)))
    hops_pin(l->t, l->trunk, NULL, 0);
  if (l->engine.state == REGISTRATION_GONE)
    line_done(l);
  else
    arm(l);
}

static struct registration_answer answer_read(const struct line *l, const struct agent *a, int status,
                                              const sip_t *sip) {
  struct registration_answer r = {.status = status > 699 ? 500 : status};
  const struct conf_trunk *trunk = trunk_of(l);
  if (!sip)
    return r;
  r.given_s = given_of(a, trunk && *trunk->fqdn ? trunk->fqdn : a->host, sip);
  r.min_s = sip->sip_min_expires ? (uint32_t)sip->sip_min_expires->me_delta : 0;
  r.retry_after_s = sip->sip_retry_after ? (uint32_t)sip->sip_retry_after->af_delta : 0;
  return r;
}

static int register_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  struct line *l = line_of(magic);
  int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
  if (!l || l->out != orq || status < 200)
    return 0;
  const struct conf_trunk *trunk = trunk_of(l);
  struct agent *a = trunk ? agent_find(l->t, trunk->listener) : NULL;
  struct proof p = {.trunk = trunk, .agent = a, .leg = l->leg, .fn = register_response, .magic = magic};
  if (proof_again(&p, &l->out, sip)) {
    arm(l);
    return 0;
  }
  struct registration_answer answer = {.status = status > 699 ? 500 : status};
  if (a)
    answer = answer_read(l, a, status, sip);
  if (a && sip && status < 300)
    success_take(l, a, trunk, sip);
  answered(l, &answer);
  return 0;
}

/* Life ------------------------------------------------------------------------------------------ */

/* Where the registration lives is asked first. */
static void list_take(struct line *l, const struct resolve_list *list) {
  l->list = *list;
  l->hit = 0;
  for (uint32_t i = 1; i < l->list.n; i++)
    if (addr_eq(&l->list.hits[i].addr, &l->pinned)) {
      struct resolve_hit first = l->list.hits[i];
      l->list.hits[i] = l->list.hits[0];
      l->list.hits[0] = first;
    }
}

static void on_found(void *arg, uint64_t magic, int error, const struct resolve_list *list) {
  struct line *l = line_of((void *)(uintptr_t)magic); // NOLINT
  const struct conf_trunk *trunk = l ? trunk_of(l) : NULL;
  struct agent *a = trunk ? agent_find(l->t, trunk->listener) : NULL;
  (void)arg;
  if (!l || !l->job)
    return;
  l->job = 0;
  if (!error && a) {
    list_take(l, list);
    line_send(l, trunk, a);
  }
  if (l->out)
    arm(l);
  else
    answered(l, &(struct registration_answer){.status = 503});
}

/* The registrar's addresses: true when they are there; else on_found() goes on, if job is set. */
static bool line_look(struct line *l, const struct conf_trunk *trunk) {
  struct trunks *t = l->t;
  struct resolve_list list;
  l->list.n = 0;
  if (hops_want(t, trunk, l->attach.registration.registrars.text[l->engine.at], &l->want) < 0)
    return false;
  l->run++;
  int r = resolver_look(t->resolver, &l->want, loop_now_us(t->env.loop), on_found, NULL,
                        (uintptr_t)magic_of(l), &l->job, &list);
  if (r != 0)
    l->job = 0;
  if (r == 1)
    list_take(l, &list);
  lookup_settle(t);
  return r == 1 && l->list.n;
}

/* A timer: the next try, or a registrar that says nothing. */
static void line_due(void *arg) {
  struct line *l = arg;
  const struct conf_trunk *trunk = trunk_of(l);
  struct agent *a = trunk ? agent_find(l->t, trunk->listener) : NULL;
  struct registration_answer none = {.status = 408};
  if (l->out || l->job) {
    answered(l, &none);
    return;
  }
  if (!registration_due(&l->engine, loop_now_us(l->t->env.loop)))
    return;
  if (a && line_look(l, trunk))
    line_send(l, trunk, a);
  if (l->out || l->job)
    arm(l);
  else
    answered(l, &(struct registration_answer){.status = 503});
}

static void line_leave(struct line *l) {
  const struct conf_trunk *trunk = trunk_of(l);
  struct agent *a = trunk ? agent_find(l->t, trunk->listener) : NULL;
  if (l->engine.state >= REGISTRATION_LEAVING)
    return;
  bool has_word = registration_leave(&l->engine, loop_now_us(l->t->env.loop));
  if (l->out)
    nta_outgoing_destroy(take(l->out));
  look_end(l);
  if (has_word && a && l->list.n)
    line_send(l, trunk, a);
  if (l->out)
    arm(l);
  else
    line_done(l);
}

static struct line *line_find(struct trunks *t, const char *trunk) {
  for (unsigned i = 0; i < LINES_MAX; i++)
    if (!strcmp(t->regist->lines[i].trunk, trunk) &&
        t->regist->lines[i].engine.state < REGISTRATION_LEAVING)
      return &t->regist->lines[i];
  return NULL;
}

static void line_start(struct trunks *t, const struct conf_trunk *trunk) {
  struct line *l = line_find(t, "");
  if (!l)
    return;
  l->t = t;
  memcpy(&l->attach, &trunk->attach, sizeof l->attach);
  l->timer = (struct timer){.fn = line_due, .arg = l};
  slice_copy(l->trunk, sizeof l->trunk, slice_of(trunk->name));
  registration_start(&l->engine, trunk->attach.registration.registrars.n,
                     trunk->attach.registration.expires_s, loop_now_us(t->env.loop), rand_u32());
  arm(l);
}

static bool is_wanted(const struct line *l, const struct conf *c) {
  const struct conf_trunk *trunk = conf_trunk_find(c, slice_of(l->trunk));
  return trunk && trunk->enabled && !memcmp(&trunk->attach, &l->attach, sizeof l->attach);
}

void register_prune(struct trunks *t, const struct conf *next) {
  for (unsigned i = 0; i < LINES_MAX; i++)
    if (*t->regist->lines[i].trunk && !is_wanted(&t->regist->lines[i], next))
      line_leave(&t->regist->lines[i]);
}

void register_start(struct trunks *t) {
  for (uint32_t i = 0; i < t->env.conf->n_trunks; i++) {
    const struct conf_trunk *trunk = &t->env.conf->trunks[i];
    if (trunk->enabled && trunk->attach.registration.registrars.n && !line_find(t, trunk->name))
      line_start(t, trunk);
  }
  gauge(t);
}

void register_leave(struct trunks *t) {
  for (unsigned i = 0; i < LINES_MAX; i++)
    if (*t->regist->lines[i].trunk)
      line_leave(&t->regist->lines[i]);
}

bool register_is_leaving(const struct trunks *t) {
  for (unsigned i = 0; t->regist && i < LINES_MAX; i++)
    if (t->regist->lines[i].engine.state == REGISTRATION_LEAVING)
      return true;
  return false;
}

bool register_is_up(const struct trunks *t, const char *trunk) {
  const struct line *l = register_line(t, trunk);
  return l && registration_is_up(&l->engine, loop_now_us(t->env.loop));
}

void register_free(struct trunks *t) {
  for (unsigned i = 0; i < LINES_MAX; i++)
    if (*t->regist->lines[i].trunk)
      line_done(&t->regist->lines[i]);
}

const struct line *register_line(const struct trunks *t, const char *trunk) {
  for (unsigned i = 0; t->regist && i < LINES_MAX; i++)
    if (!strcmp(t->regist->lines[i].trunk, trunk) && *trunk)
      return &t->regist->lines[i];
  return NULL;
}
