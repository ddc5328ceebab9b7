/* SPDX-License-Identifier: Apache-2.0
 * Identity header fields: those of a trunk's INVITE go to stir, and the call waits for the verdict;
 * those toward a trunk are what came and was good, a div for whom it went on from there, or our own. RFC
 * 8224, 8588, 8946. */
#include "trunk/vouch.h"

#include "base/hmac.h"
#include "trunk/identity.h"

#include <stdio.h>

#define SIP_EPOCH_S INT64_C(2208988800) /* sofia's times begin in 1900 */

bool vouch_is_due(const struct conf_trunk *t) { return t->stir.verify != VERIFY_OFF; }

static void number_put(char dst[STIR_NUMBER_BYTES], const char *user) {
  char plain[ASK_NUMBER_BYTES];
  if (header_number(plain, sizeof plain, slice_of(user)) < 0 || stir_number(dst, slice_of(plain)) < 0)
    dst[0] = 0;
}

static uint64_t call_of(const sip_t *sip) {
  uint8_t hash[HMAC_SHA256_BYTES];
  uint64_t v;
  hash_sha256(slice_of(sip->sip_call_id->i_id), hash);
  memcpy(&v, hash, sizeof v);
  return v;
}

/* False: more fields, or longer ones, than any call needs. */
static bool fields_take(struct stir_ask *ask, const sip_t *sip) {
  for (const sip_unknown_t *u = sip->sip_unknown; u; u = u->un_next) {
    if (!u->un_name || !u->un_value ||
        (strcasecmp(u->un_name, "Identity") && strcasecmp(u->un_name, "y")))
      continue;
    if (ask->n == STIR_FIELDS_MAX ||
        slice_copy(ask->field[ask->n++], STIR_FIELD_BYTES, slice_of(u->un_value)) < 0)
      return false;
  }
  return true;
}

static bool ask_make(struct stir_ask *ask, const struct dialog *d, const sip_t *sip) {
  char asserted[ASK_NUMBER_BYTES];
  ask->cookie = d->id;
  ask->call = call_of(sip);
  if (sip->sip_date)
    ask->date_s = (int64_t)sip->sip_date->d_time - SIP_EPOCH_S;
  number_put(ask->caller[0], sip->sip_from->a_url->url_user);
  if (identity_asserted(sip, asserted, sizeof asserted) &&
      stir_number(ask->caller[1], slice_of(asserted)) < 0)
    ask->caller[1][0] = 0;
  number_put(ask->called[0], sip->sip_to->a_url->url_user);
  number_put(ask->called[1], sip->sip_request->rq_url->url_user);
  return fields_take(ask, sip);
}

/* The fields as they came, to be passed on if they are good. */
static char *fields_keep(const struct stir_ask *ask) {
  struct text t;
  size_t n;
  char *all = malloc(VOUCH_LINES_BYTES);
  if (!all)
    return NULL;
  text_init(&t, all, VOUCH_LINES_BYTES);
  for (uint32_t i = 0; i < ask->n; i++)
    text_add(&t, "Identity: %s\r\n", ask->field[i]);
  if (text_end(&t, &n) < 0)
    all[0] = 0;
  return all;
}

static enum refusal refusal_of(enum stir_outcome o) {
  static const enum refusal rows[] = {
      [STIR_NONE] = REFUSE_STIR_INFO,   [STIR_VALID] = REFUSE_NONE,
      [STIR_STALE] = REFUSE_STIR_STALE, [STIR_INFO] = REFUSE_STIR_INFO,
      [STIR_CERT] = REFUSE_STIR_CERT,   [STIR_INVALID] = REFUSE_STIR_INVALID};
  return rows[o];
}

static void tell(struct dialog *d, struct leg *l, enum stir_outcome o, char attest, struct verdict v) {
  static const char *const words[] = {"none", "", "stale", "bad_info", "bad_certificate", "invalid"};
  const struct conf_trunk *t = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  char word[2] = {attest ? attest : 'V', 0};
  if (!verdict_is_pass(&v))
    log_info(trunk, "trunk %s: caller not vouched for: %s: %s", d->trunk, refusal_row(v.refusal)->rule,
             v.detail);
  if (!verdict_is_pass(&v) && t && t->stir.verify == VERIFY_REQUIRE)
    guard_count(d->t->env.guard, v.refusal);
  else
    v = verdict_pass();
  leg_verified(l, o == STIR_VALID ? word : words[o], &v);
}

void vouch_done(void *arg, const struct stir_result *r) {
  struct trunks *t = arg;
  struct dialog *d = pool_get(t->dialogs, r->cookie);
  struct leg *l = d ? dialog_leg(d) : NULL;
  if (!l)
    return;
  struct verdict v = verdict_pass();
  if (r->outcome != STIR_VALID) {
    v = verdict_refuse(refusal_of(r->outcome), "Identity: %s", r->detail);
    text_free(take(d->passports));
  }
  tell(d, l, r->outcome, r->attest, v);
}

void vouch_start(struct dialog *d, struct leg *l, const sip_t *sip) {
  struct stir_ask ask = {0};
  bool fits = ask_make(&ask, d, sip);
  if (!fits)
    tell(d, l, STIR_INVALID, 0, verdict_refuse(REFUSE_STIR_INVALID, "Identity: too many or too long"));
  else if (!ask.n)
    tell(d, l, STIR_NONE, 0, verdict_refuse(REFUSE_STIR_MISSING, "Identity: is missing"));
  else if (d->t->stir && stir_verify(d->t->stir, &ask) == 0)
    d->passports = fields_keep(&ask);
  else
    tell(d, l, STIR_NONE, 0, verdict_refuse(REFUSE_STIR_INFO, "Identity: too many are being verified"));
}

/* Signing --------------------------------------------------------------------------------------------
 */

static void sign(struct text *lines, const struct dialog *d, const struct conf_trunk *t,
                 const struct stir_call *c) {
  char value[STIR_HEADER_BYTES];
  int r = stir_sign(d->t->stir, t, c, value, sizeof value);
  if (r == 0)
    text_add(lines, "Identity: %s\r\n", value);
  else
    log_info(trunk, "trunk %s: the call is not signed: %s", t->name,
             r == -EINVAL ? "caller or called is no number" : strerror(-r));
}

static bool is_same(const char *a, const char *b) {
  char x[STIR_NUMBER_BYTES], y[STIR_NUMBER_BYTES];
  return stir_number(x, slice_of(a)) == 0 && stir_number(y, slice_of(b)) == 0 && !strcmp(x, y);
}

/* A withheld number is signed only where it is shown to the trunk anyway. */
static bool may_sign(const struct conf_trunk *t, const struct call *c) {
  return t->stir.sign && *c->from && (!c->anonymous || t->forward_pai != PAI_OFF);
}

char *vouch_lines(char dst[VOUCH_LINES_BYTES], const struct dialog *d, const struct conf_trunk *t,
                  const struct call *c) {
  const struct leg *caller = c->caller;
  bool is_own = !caller || caller->kind != LEG_TRUNK;
  const struct dialog *from = is_own ? NULL : pool_get(d->t->dialogs, caller->magic);
  struct stir_call call = {.orig = c->from, .dest = c->to, .origid = c->session_local};
  struct text lines;
  size_t n;
  text_init(&lines, dst, VOUCH_LINES_BYTES);
  call.attest = is_own ? (char)('A' + t->stir.attest) : 'C';
  if (may_sign(t, c) && d->t->stir) {
    bool has = from && from->passports && *from->passports;
    if (has)
      text_add(&lines, "%s", from->passports);
    if (has)
      call.div = from->user; /* whom it came for */
    if (!has || !is_same(from->user, c->to))
      sign(&lines, d, t, &call);
  }
  if (text_end(&lines, &n) < 0)
    dst[0] = 0;
  return dst;
}
