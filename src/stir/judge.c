/* SPDX-License-Identifier: Apache-2.0
 * Claims of PASSporTs against an INVITE. See judge.h. */
#include "stir/judge.h"

#include "conf/host.h"

static bool is_url_text(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if ((unsigned char)s.p[i] <= 0x20 || (unsigned char)s.p[i] >= 0x7f ||
        strchr("<>\"\\@#^`{|}", s.p[i]))
      return false;
  return s.n < PASSPORT_URL_BYTES;
}

bool x5u_is_allowed(const struct conf_names *hosts, struct slice url) {
  struct slice host;
  struct addr ip;
  uint16_t port = 0;
  if (!slice_istarts(url, SLICE("https://")) || !is_url_text(url))
    return false;
  url = slice_from(url.p + 8, url.n - 8);
  size_t n = 0;
  while (n < url.n && url.p[n] != '/' && url.p[n] != '?')
    n++;
  if (host_split(slice_from(url.p, n), &host, &port, &ip) < 0)
    return false;
  port = port ? port : 443;
  for (uint32_t i = 0; i < hosts->n; i++) {
    struct host_rule rule;
    if (host_rule_parse(&rule, slice_of(hosts->text[i])) < 0)
      continue;
    bool is_port = rule.port ? rule.port == port : port == 443 || port == 8443;
    rule.port = 0;
    if (is_port && host_rule_has(&rule, slice_from(url.p, n), 443))
      return true;
  }
  return false;
}

/* Its parts are in the call: From, To, Date. RFC 8224 4.1.1. */
static bool compact_read(struct case_token *t, const struct identity_field *f,
                         const struct stir_ask *ask) {
  struct passport *p = &t->claims;
  *p = (struct passport){.kind = PASSPORT_BASE, .iat_s = ask->date_s, .n_dest = 1};
  slice_copy(p->orig, sizeof p->orig, slice_of(ask->caller[0]));
  slice_copy(p->dest[0], sizeof p->dest[0], slice_of(ask->called[0]));
  return !f->ppt.p && *p->orig && *p->dest[0] && slice_copy(p->x5u, sizeof p->x5u, f->info) == 0 &&
         passport_read_compact(f->token, t->signature) == 0 &&
         passport_write(p, t->text, sizeof t->text) == 0;
}

static bool full_read(struct case_token *t, const struct identity_field *f) {
  static const char *const ppts[] = {"", "shaken", "div"};
  struct slice text;
  return passport_read(f->token, &t->claims, &text, t->signature) == 0 &&
         slice_eq(f->info, slice_of(t->claims.x5u)) && slice_copy(t->text, sizeof t->text, text) == 0 &&
         (!f->ppt.p || slice_eq(f->ppt, slice_of(ppts[t->claims.kind])));
}

/* Others' extensions say nothing of the caller's number. */
static bool is_ours(const struct identity_field *f) {
  return !f->ppt.p || slice_eq(f->ppt, SLICE("shaken")) || slice_eq(f->ppt, SLICE("div"));
}

static enum stir_outcome token_check(const struct passport *p, const struct stir_rules *rules,
                                     int64_t now_s, const char **ret_why) {
  int64_t age_s = now_s > p->iat_s ? now_s - p->iat_s : p->iat_s - now_s;
  if (p->iat_s < 0 || age_s > rules->freshness_s)
    return *ret_why = "iat is not within stir.freshness_s of now", STIR_STALE;
  if (!x5u_is_allowed(&rules->hosts, slice_of(p->x5u)))
    return *ret_why = "x5u is not https on a host of stir.x5u_hosts", STIR_INFO;
  return STIR_VALID;
}

static enum stir_outcome fields_read(struct stir_case *ret, const struct stir_ask *ask,
                                     const struct stir_rules *rules, int64_t now_s,
                                     const char **ret_why) {
  for (uint32_t i = 0; i < ask->n && i < STIR_FIELDS_MAX; i++) {
    struct identity_field f;
    struct case_token *t = &ret->token[ret->n];
    if (identity_field_read(slice_of(ask->field[i]), &f) < 0)
      return *ret_why = "an Identity header field is malformed, or not of ES256", STIR_INVALID;
    if (!is_ours(&f))
      continue;
    bool is_compact = slice_starts(f.token, SLICE(".."));
    if (is_compact ? !compact_read(t, &f, ask) : !full_read(t, &f))
      return *ret_why = "a PASSporT is malformed, or not what its header field says", STIR_INVALID;
    enum stir_outcome o = token_check(&t->claims, rules, now_s, ret_why);
    if (o != STIR_VALID)
      return o;
    ret->n++;
  }
  return STIR_VALID;
}

static bool is_for_called(const struct passport *p, const struct stir_ask *ask) {
  return passport_is_for(p, ask->called[0]) || passport_is_for(p, ask->called[1]);
}

/* From the token of the caller by those of diversions to whom the call is for now. */
static bool path_find(struct stir_case *c, const struct stir_ask *ask) {
  const struct passport *at = &c->token[c->main].claims;
  c->token[c->main].is_needed = true;
  while (!is_for_called(at, ask)) {
    uint32_t i = 0;
    while (i < c->n && (c->token[i].is_needed || c->token[i].claims.kind != PASSPORT_DIV ||
                        strcmp(c->token[i].claims.orig, at->orig) != 0 ||
                        !passport_is_for(at, c->token[i].claims.div)))
      i++;
    if (i == c->n)
      return false;
    c->token[i].is_needed = true;
    at = &c->token[i].claims;
  }
  return true;
}

enum stir_outcome case_read(struct stir_case *ret, const struct stir_ask *ask,
                            const struct stir_rules *rules, int64_t now_s, const char **ret_why) {
  ret->n = ret->main = 0;
  for (uint32_t i = 0; i < STIR_FIELDS_MAX; i++)
    ret->token[i].is_needed = false;
  enum stir_outcome o = fields_read(ret, ask, rules, now_s, ret_why);
  if (o != STIR_VALID)
    return o;
  while (ret->main < ret->n && ret->token[ret->main].claims.kind != PASSPORT_SHAKEN)
    ret->main++;
  for (uint32_t i = 0; ret->main == ret->n && i < ret->n; i++)
    if (ret->token[i].claims.kind == PASSPORT_BASE)
      ret->main = i;
  if (ret->main == ret->n)
    return *ret_why = "no PASSporT is of the caller", STIR_INVALID;
  const struct passport *p = &ret->token[ret->main].claims;
  if (!*p->orig || (strcmp(p->orig, ask->caller[0]) != 0 && strcmp(p->orig, ask->caller[1]) != 0))
    return *ret_why = "orig is not the number of From or P-Asserted-Identity", STIR_INVALID;
  if (!path_find(ret, ask))
    return *ret_why = "dest is not the number of To or the Request-URI", STIR_INVALID;
  return STIR_VALID;
}
