/* SPDX-License-Identifier: Apache-2.0
 * Digest of callers and registrants: a request without proof gets 401 and leaves nothing behind; a
 * nonce is signed, of one address, good for five minutes, each count once; wrong proofs feed the ban.
 * The uri of the proof is not held against the Request-URI: proxies rewrite that, and what is replayed
 * is refused by its count. RFC 3261 22, RFC 7616, RFC 8760 2.4 (the strongest first). */
#include "trunk/regist.h"

#include <stdio.h>

/* The credentials of our realm: 0, -ENOENT, -EBADMSG. */
static int credentials_find(const sip_t *sip, const char *realm, struct digest_credentials *ret) {
  char line[DIGEST_LINE_BYTES];
  const msg_auth_t *au = sip->sip_authorization;
  int e = -ENOENT;
  for (unsigned i = 0; au && i < 8; au = au->au_next, i++) {
    int r = digest_credentials_read(ret, slice_of(proof_text(au, line, sizeof line)));
    if (r == 0 && !strcmp(ret->realm, realm))
      return 0;
    if (r == -EBADMSG)
      e = r;
  }
  return e;
}

/* In about the same time for a user that is not there. */
static const struct account_user *right_user(const struct account *account,
                                             const struct digest_credentials *k, const char *method) {
  static const char nobody[DIGEST_HEX_BYTES] = "nobody";
  const struct account_user *u = account_user_find(account, k->username);
  bool has = u && *u->ha1[k->algorithm];
  bool is_right = digest_is_right(k, has ? u->ha1[k->algorithm] : nobody, method);
  return has && is_right ? u : NULL;
}

/* Is it among those of the trunk's setting (default: SHA-256, MD5), and has a user a hash of it? */
static bool offers(const struct conf_trunk *trunk, const struct account *account,
                   enum digest_algorithm a) {
  const struct conf_names *list = &trunk->attach.digest.algorithms;
  bool is_listed = !list->n && a != DIGEST_SHA512_256;
  for (uint32_t i = 0; i < list->n; i++)
    is_listed = is_listed || !strcmp(list->text[i], digest_algorithm_text(a));
  for (uint32_t i = 0; is_listed && account && i < account->n_users; i++)
    if (*account->users[i].ha1[a])
      return true;
  return false;
}

/* The i-th of the trunk's order. */
static enum digest_algorithm algorithm_at(const struct conf_trunk *trunk, unsigned i) {
  static const enum digest_algorithm order[] = {DIGEST_SHA256, DIGEST_MD5, DIGEST_SHA512_256};
  const struct conf_names *list = &trunk->attach.digest.algorithms;
  for (unsigned a = 0; list->n && a < DIGEST_ALGORITHMS; a++)
    if (!strcmp(list->text[i < list->n ? i : 0], digest_algorithm_text(a)))
      return (enum digest_algorithm)a;
  return order[i];
}

/* Takes msg. */
static void ask_proof(const struct agent *a, msg_t *msg, const struct account *account,
                      const struct conf_trunk *trunk, const struct addr *source, bool is_stale) {
  uint32_t listed = trunk->attach.digest.algorithms.n;
  char nonce[NONCE_BYTES], line[DIGEST_ALGORITHMS][DIGEST_LINE_BYTES];
  const char *realm = account_realm(trunk);
  unsigned n = 0;
  nonce_make(a->t->regist->nonces, source, realm, loop_now_us(a->t->env.loop), nonce);
  for (unsigned i = 0; i < (listed ? listed : DIGEST_ALGORITHMS) && n < DIGEST_ALGORITHMS; i++) {
    enum digest_algorithm algorithm = algorithm_at(trunk, i);
    if (offers(trunk, account, algorithm) &&
        digest_challenge_write(line[n], sizeof line[n], realm, nonce, algorithm, is_stale) == 0)
      n++;
  }
  count_one(&trunk_counters, TRUNKCOUNT_challenges_sent);
  if (n == 0) { /* nobody may: the file is missing, and the log said so at the start */
    struct reply r;
    reply_init(&r, 403);
    reply_stateless(a, msg, &r);
    return;
  }
  nta_msg_treply(a->nta, msg, SIP_401_UNAUTHORIZED, SIPTAG_WWW_AUTHENTICATE_STR(line[0]),
                 TAG_IF(n > 1, SIPTAG_WWW_AUTHENTICATE_STR(line[1])),
                 TAG_IF(n > 2, SIPTAG_WWW_AUTHENTICATE_STR(line[2])), SIPTAG_SERVER_STR(a->t->product),
                 TAG_END());
}

/* Takes msg. */
static void refuse(struct agent *a, msg_t *msg, const sip_t *sip, const struct conf_trunk *trunk,
                   const struct verdict *v) {
  struct reply r;
  guard_count(a->t->env.guard, v->refusal);
  log_info(trunk, "trunk %s: %s refused by rule %s: %s", trunk->name, sip->sip_request->rq_method_name,
           refusal_row(v->refusal)->rule, v->detail);
  reply_refusal(&r, v, *trunk->fqdn ? trunk->fqdn : a->host);
  reply_stateless(a, msg, &r);
}

static void refuse_proof(struct agent *a, msg_t *msg, const sip_t *sip, const struct conf_trunk *trunk,
                         const struct addr *source, const struct digest_credentials *k) {
  char user[128], ip[ADDR_TEXT_BYTES];
  struct trunks *t = a->t;
  slice_escape(user, sizeof user, slice_of(k->username));
  struct verdict v =
      verdict_refuse(REFUSE_DIGEST, "Authorization: wrong user or password for user \"%s\"", user);
  if (guard_note_failure(t->env.guard, source, loop_now_us(t->env.loop)))
    log_warn(trunk, "trunk %s: %s is banned for a while: it did not prove who it is too often",
             trunk->name, addr_ip_text(source, ip, sizeof ip));
  if (sip->sip_request->rq_method == sip_method_invite) {
    struct ask ask = {.trunk = trunk, .source = *source};
    ask_build(&ask, a, msg, sip);
    struct trace *trace = timeline_begin(a, msg, sip);
    call_note_refused(t->env.calls, &ask, &v, trace);
  }
  refuse(a, msg, sip, trunk, &v);
}

bool challenge_pass(struct agent *a, msg_t *msg, const sip_t *sip, const struct conf_trunk *trunk,
                    const struct addr *source) {
  struct trunks *t = a->t;
  struct digest_credentials k;
  const struct account *account = regist_account(t, trunk);
  const char *realm = account_realm(trunk);
  int e = credentials_find(sip, realm, &k);
  if (e == -EBADMSG) {
    struct verdict v = verdict_refuse(REFUSE_MALFORMED, "Authorization: expected digest credentials");
    refuse(a, msg, sip, trunk, &v);
    return false;
  }
  if (e < 0 || !account || !offers(trunk, account, k.algorithm)) {
    ask_proof(a, msg, account, trunk, source, false);
    return false;
  }
  enum nonce_state s =
      nonce_look(t->regist->nonces, k.nonce, k.nc, source, realm, loop_now_us(t->env.loop));
  const struct account_user *u = right_user(account, &k, sip->sip_request->rq_method_name);
  if (s != NONCE_GOOD) {
    ask_proof(a, msg, account, trunk, source, u != NULL);
    return false;
  }
  if (!u) {
    refuse_proof(a, msg, sip, trunk, source, &k);
    return false;
  }
  nonce_use(t->regist->nonces, k.nonce, k.nc);
  return true;
}
