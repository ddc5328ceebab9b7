/* SPDX-License-Identifier: Apache-2.0
 * Our answers to challenges: a request that got 401 or 407 goes again, with credentials and the next
 * CSeq, to where the challenge came from. Only to the trunk's own peer and realm, once a nonce, again
 * where it was stale; the best algorithm of those offered. RFC 3261 22.2, 22.3; RFC 7616 3.3; 8760. */
#include "base/rand.h"
#include "trunk/regist.h"

#include <stdio.h>

enum { PROOF_TRIES = 3 }; /* of one request: a peer whose nonces are always stale has an end */

char *proof_text(const msg_auth_t *au, char *dst, size_t bytes) {
  size_t n = (size_t)snprintf(dst, bytes, "%s ", au->au_scheme ? au->au_scheme : "");
  const msg_param_t *p = (const msg_param_t *)au->au_params;
  for (unsigned i = 0; p && p[i] && n < bytes; i++)
    n += (size_t)snprintf(dst + n, bytes - n, "%s%s", i ? ", " : "", p[i]);
  if (n >= bytes)
    dst[0] = 0; /* cut off is as good as malformed */
  return dst;
}

/* The strongest challenge of that realm. */
static bool challenge_pick(const msg_auth_t *au, const char *realm, struct digest_challenge *ret) {
  struct digest_challenge c;
  char line[DIGEST_LINE_BYTES];
  bool has = false;
  for (unsigned i = 0; au && i < 16; au = au->au_next, i++) {
    if (digest_challenge_read(&c, slice_of(proof_text(au, line, sizeof line))) < 0 ||
        strcmp(c.realm, realm) != 0 || (has && c.algorithm <= ret->algorithm))
      continue;
    *ret = c;
    has = true;
  }
  return has;
}

/* Which try the next one would be, 1 to PROOF_TRIES; 0: no more. The number of the last one is the end
 * of its cnonce. */
static unsigned try_next(struct account *a, const msg_auth_t *sent, const struct digest_challenge *c,
                         uint64_t now_us) {
  struct digest_credentials k;
  char line[DIGEST_LINE_BYTES];
  if (!sent)
    return 1;
  if (digest_credentials_read(&k, slice_of(proof_text(sent, line, sizeof line))) < 0 || !c->is_stale ||
      !strcmp(k.nonce, c->nonce))
    return 0;
  size_t n = strlen(k.cnonce);
  if (!n && now_us - a->bare_stale_us < 1000000)
    return 0;
  if (!n) { /* without qop there is no cnonce: one a second then */
    a->bare_stale_us = now_us;
    return PROOF_TRIES;
  }
  unsigned tried = (unsigned)(k.cnonce[n - 1] - '0');
  return tried < PROOF_TRIES ? tried + 1 : 0;
}

/* Did the trunk's own peer send it? Where it came from, too. */
static bool is_of_peer(const struct agent *a, const struct conf_trunk *trunk, msg_t *msg,
                       struct addr *ret_source) {
  struct ask_hosts subjects = {.n = 0};
  agent_source(msg, ret_source);
  ask_subjects(&subjects, (struct agent *)(uintptr_t)a, msg); // NOLINT: it only reads
  return guard_is_peer(a->t->env.guard, trunk, ret_source, &subjects);
}

static int line_write(struct account *account, const struct conf_trunk *trunk, const sip_t *request,
                      const struct digest_challenge *c, unsigned number, char *dst, size_t bytes) {
  char cnonce[DIGEST_CNONCE_CHARS + 2], uri[DIGEST_TEXT_BYTES];
  rand_text(cnonce, DIGEST_CNONCE_CHARS);
  cnonce[DIGEST_CNONCE_CHARS] = (char)('0' + number);
  cnonce[DIGEST_CNONCE_CHARS + 1] = 0;
  if (url_e(uri, sizeof uri, request->sip_request->rq_url) >= (isize_t)sizeof uri)
    return -ENOSPC;
  struct digest_answer a = {.username = trunk->attach.credentials.username,
                            .password = account->password,
                            .method = request->sip_request->rq_method_name,
                            .uri = uri,
                            .cnonce = cnonce,
                            .nc = account_nonce_count(account, c->nonce)};
  return digest_answer_write(dst, bytes, c, &a);
}

/* The request as it was, less its Via and CSeq, with the line. NULL without memory. */
static msg_t *request_again(msg_t *old, nta_leg_t *leg, bool is_proxy, const char *line) {
  msg_t *msg = msg_dup(old);
  sip_t *sip = msg ? sip_object(msg) : NULL;
  if (!sip)
    return NULL;
  uint32_t cseq = sip->sip_cseq->cs_seq + 1;
  while (sip->sip_via)
    sip_header_remove(msg, sip, (sip_header_t *)sip->sip_via);
  sip_header_remove(msg, sip, (sip_header_t *)sip->sip_cseq);
  sip_header_t *had =
      is_proxy ? (sip_header_t *)sip->sip_proxy_authorization : (sip_header_t *)sip->sip_authorization;
  if (had)
    sip_header_remove(msg, sip, had);
  int e =
      sip_add_make(msg, sip, is_proxy ? sip_proxy_authorization_class : sip_authorization_class, line);
  if (e >= 0 && leg)
    e = nta_msg_request_complete(msg, leg, sip_method_unknown, NULL, NULL);
  else if (e >= 0)
    e = sip_add_dup(msg, sip,
                    (sip_header_t *)sip_cseq_create(msg_home(msg), cseq, sip->sip_request->rq_method,
                                                    sip->sip_request->rq_method_name));
  if (e >= 0)
    return msg;
  msg_destroy(msg);
  return NULL;
}

/* To where the challenge came from: the nonce may be known there only. */
static nta_outgoing_t *send_again(const struct agent *a, msg_t *msg, msg_t *response,
                                  const struct addr *source, nta_response_f *fn, void *magic) {
  char ip[ADDR_TEXT_BYTES], host[ADDR_TEXT_BYTES + 2], to[128];
  tport_t *tp = tport_delivered_by(nta_agent_tports(a->nta), response);
  snprintf(to, sizeof to, "sip:%s:%u",
           header_host(host, sizeof host, addr_ip_text(source, ip, sizeof ip)), addr_port(source));
  if (a->transport == TRANSPORT_UDP)
    return nta_outgoing_mcreate(a->nta, fn, magic, URL_STRING_MAKE(to), msg, NTATAG_PASS_100(1),
                                TAG_END());
  return nta_outgoing_mcreate(a->nta, fn, magic, NULL, msg, NTATAG_PASS_100(1),
                              TAG_IF(tp, NTATAG_TPORT(tp)), TAG_END());
}

static nta_outgoing_t *answer(const struct proof *p, msg_t *request, msg_t *response, const sip_t *sip) {
  struct digest_challenge c;
  struct addr source;
  char line[DIGEST_LINE_BYTES];
  bool is_proxy = sip->sip_status->st_status == 407;
  const sip_t *sent = sip_object(request);
  struct account *account = regist_account(p->agent->t, p->trunk);
  const char *realm = p->trunk->attach.credentials.realm;
  if (!sent || !account || !*account->password)
    return NULL;
  if (!is_of_peer(p->agent, p->trunk, response, &source) ||
      !challenge_pick(is_proxy ? sip->sip_proxy_authenticate : sip->sip_www_authenticate, realm, &c)) {
    count_one(&trunk_counters, TRUNKCOUNT_challenges_left);
    log_info(trunk, "trunk %s: a challenge of another peer or realm is not answered", p->trunk->name);
    return NULL;
  }
  unsigned number = try_next(account, is_proxy ? sent->sip_proxy_authorization : sent->sip_authorization,
                             &c, loop_now_us(p->agent->t->env.loop));
  if (!number || line_write(account, p->trunk, sent, &c, number, line, sizeof line) < 0) {
    log_warn(trunk, "trunk %s: our credentials are not taken", p->trunk->name);
    return NULL;
  }
  msg_t *again = request_again(request, p->leg, is_proxy, line);
  count_one(&trunk_counters, TRUNKCOUNT_challenges_met);
  return again ? send_again(p->agent, again, response, &source, p->fn, p->magic) : NULL;
}

bool proof_again(const struct proof *p, nta_outgoing_t **orq, const sip_t *sip) {
  int status = sip && sip->sip_status ? sip->sip_status->st_status : 0;
  if ((status != 401 && status != 407) || nta_sip_is_internal(sip) || !p->trunk || !p->agent ||
      !*p->trunk->attach.credentials.username)
    return false;
  msg_t *request = nta_outgoing_getrequest(*orq), *response = nta_outgoing_getresponse(*orq);
  nta_outgoing_t *next = request && response ? answer(p, request, response, sip) : NULL;
  msg_destroy(request);
  msg_destroy(response);
  if (!next)
    return false;
  nta_outgoing_destroy(*orq);
  *orq = next;
  return true;
}

bool dialog_proof(struct dialog *d, nta_outgoing_t **orq, const sip_t *sip, nta_response_f *fn) {
  struct proof p = {.trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk)),
                    .agent = d->agent,
                    .leg = d->nta,
                    .fn = fn,
                    .magic = dialog_magic(d)};
  return proof_again(&p, orq, sip);
}

/* A request whose dialog may be gone by the time of its answer: magic is the place of its trunk in the
 * configuration, checked by its request's agent. */
static void *trunk_magic(const struct conf *c, const struct conf_trunk *trunk) {
  return (void *)(uintptr_t)(trunk - c->trunks + 1); // NOLINT
}

static int farewell_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  uintptr_t slot = (uintptr_t)magic;
  struct trunks *t = the_trunks;
  int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
  if (status < 200)
    return 0;
  if (t && slot && slot <= t->env.conf->n_trunks) {
    struct proof p = {.trunk = &t->env.conf->trunks[slot - 1], .fn = farewell_response, .magic = magic};
    p.agent = agent_find(t, p.trunk->listener);
    if (proof_again(&p, &orq, sip))
      return 0;
  }
  nta_outgoing_destroy(orq);
  return 0;
}

nta_response_f *farewell_fn(const struct dialog *d, nta_outgoing_magic_t **ret_magic) {
  const struct conf *c = d->t->env.conf;
  const struct conf_trunk *trunk = conf_trunk_find(c, slice_of(d->trunk));
  *ret_magic = NULL;
  if (!trunk || !*trunk->attach.credentials.username)
    return NULL;
  *ret_magic = trunk_magic(c, trunk);
  return farewell_response;
}
