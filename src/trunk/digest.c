/* SPDX-License-Identifier: Apache-2.0
 * Digest: parameters of a line read by a table of places, hashes by base/hmac, lines written with
 * everything quoted that must be (RFC 7616 3.4). Pure; secrets are wiped from the stack. */
#include "trunk/digest.h"

#include "base/hmac.h"
#include "base/text.h"

#include <stdio.h>

static const struct {
  const char *text;
  uint32_t bytes; /* of the hash */
} algorithms[DIGEST_ALGORITHMS] = {{"MD5", 16}, {"SHA-256", 32}, {"SHA-512-256", 32}};

const char *digest_algorithm_text(enum digest_algorithm a) { return algorithms[a].text; }

/* Reading --------------------------------------------------------------------------------------- */

enum param {
  PARAM_REALM,
  PARAM_NONCE,
  PARAM_OPAQUE,
  PARAM_ALGORITHM,
  PARAM_QOP,
  PARAM_STALE,
  PARAM_USERNAME,
  PARAM_URI,
  PARAM_RESPONSE,
  PARAM_CNONCE,
  PARAM_NC,
  PARAM_COUNT_
};
static const char *const names[PARAM_COUNT_] = {"realm",    "nonce",  "opaque",   "algorithm",
                                                "qop",      "stale",  "username", "uri",
                                                "response", "cnonce", "nc"};

struct params {
  bool has[PARAM_COUNT_];
  char text[PARAM_COUNT_][DIGEST_TEXT_BYTES];
};

static bool is_token(char c) { return c > ' ' && c < 127 && !strchr("()<>@,;:\\\"/[]?={}", c); }

static struct slice rest_of(struct slice s, size_t n) { return slice_from(s.p + n, s.n - n); }

static struct slice token_cut(struct slice *s) {
  size_t n = 0;
  while (n < s->n && is_token(s->p[n]))
    n++;
  struct slice found = slice_from(s->p, n);
  *s = rest_of(*s, n);
  return found;
}

/* A quoted string with its escapes undone, or what stands up to the next comma. 0 or -EBADMSG. */
static int value_cut(struct slice *s, char dst[DIGEST_TEXT_BYTES]) {
  size_t i = 0, n = 0;
  bool is_quoted = s->n && s->p[0] == '"';
  for (i = is_quoted; i < s->n; i++) {
    char c = s->p[i];
    if (is_quoted ? c == '"' : c == ',' || c == ' ' || c == '\t')
      break;
    if (is_quoted && c == '\\' && ++i < s->n)
      c = s->p[i];
    if ((unsigned char)c < ' ' || c == 127 || n + 1 == DIGEST_TEXT_BYTES)
      return -EBADMSG;
    dst[n++] = c;
  }
  if (is_quoted && i++ >= s->n)
    return -EBADMSG;
  dst[n] = 0;
  *s = rest_of(*s, i);
  return is_quoted || n ? 0 : -EBADMSG;
}

static enum param param_of(struct slice name) {
  unsigned i = 0;
  while (i < PARAM_COUNT_ && !slice_ieq(slice_of(names[i]), name))
    i++;
  return (enum param)i;
}

static int param_cut(struct params *ret, struct slice *s) {
  char ignored[DIGEST_TEXT_BYTES];
  enum param p = param_of(token_cut(s));
  *s = slice_trim(*s);
  if (!s->n || s->p[0] != '=')
    return -EBADMSG;
  *s = slice_trim(rest_of(*s, 1));
  if (p != PARAM_COUNT_ && ret->has[p])
    return -EBADMSG; /* which of the two would count? */
  int e = value_cut(s, p == PARAM_COUNT_ ? ignored : ret->text[p]);
  if (p != PARAM_COUNT_)
    ret->has[p] = true;
  return e;
}

/* 0, -ENOTSUP for another scheme, -EBADMSG. */
static int params_read(struct params *ret, struct slice s) {
  memset(ret, 0, sizeof *ret);
  s = slice_trim(s);
  struct slice scheme = token_cut(&s);
  if (!slice_ieq(scheme, SLICE("Digest")))
    return scheme.n ? -ENOTSUP : -EBADMSG;
  for (;;) {
    s = slice_trim(s);
    while (s.n && s.p[0] == ',')
      s = slice_trim(rest_of(s, 1));
    if (!s.n)
      return 0;
    int e = param_cut(ret, &s);
    if (e < 0)
      return e;
    s = slice_trim(s);
    if (s.n && s.p[0] != ',')
      return -EBADMSG;
  }
}

static int algorithm_read(const struct params *p, uint8_t *ret) {
  if (!p->has[PARAM_ALGORITHM]) {
    *ret = DIGEST_MD5;
    return 0;
  }
  for (unsigned a = 0; a < DIGEST_ALGORITHMS; a++)
    if (!strcasecmp(p->text[PARAM_ALGORITHM], algorithms[a].text)) {
      *ret = (uint8_t)a;
      return 0;
    }
  return -ENOTSUP;
}

/* Is auth among the words of a qop? */
static bool qop_has_auth(const char *qop) {
  struct slice rest = slice_of(qop);
  while (rest.n)
    if (slice_ieq(slice_trim(slice_cut(&rest, ',')), SLICE("auth")))
      return true;
  return false;
}

#define COPY(dst, p, i) memcpy(dst, (p)->text[i], sizeof(dst))

int digest_challenge_read(struct digest_challenge *ret, struct slice value) {
  struct params p;
  memset(ret, 0, sizeof *ret);
  int e = params_read(&p, value);
  if (e == 0)
    e = algorithm_read(&p, &ret->algorithm);
  if (e < 0)
    return e;
  if (!p.has[PARAM_REALM] || !p.has[PARAM_NONCE] || !*p.text[PARAM_NONCE])
    return -EBADMSG;
  ret->has_qop = p.has[PARAM_QOP];
  if (ret->has_qop && !qop_has_auth(p.text[PARAM_QOP]))
    return -ENOTSUP;
  COPY(ret->realm, &p, PARAM_REALM);
  COPY(ret->nonce, &p, PARAM_NONCE);
  COPY(ret->opaque, &p, PARAM_OPAQUE);
  ret->has_opaque = p.has[PARAM_OPAQUE];
  ret->is_stale = !strcasecmp(p.text[PARAM_STALE], "true");
  return 0;
}

/* nc: exactly eight hexadecimal digits, from 1. */
static int count_read(const char *s, uint32_t *ret) {
  if (strlen(s) != 8 || strspn(s, "0123456789abcdefABCDEF") != 8)
    return -EBADMSG;
  *ret = (uint32_t)strtoul(s, NULL, 16);
  return *ret ? 0 : -EBADMSG;
}

static int response_read(const struct params *p, struct digest_credentials *ret) {
  const char *s = p->text[PARAM_RESPONSE];
  size_t n = strlen(s);
  if (n != 2 * (size_t)algorithms[ret->algorithm].bytes || strspn(s, "0123456789abcdefABCDEF") != n)
    return -EBADMSG;
  for (size_t i = 0; i <= n; i++)
    ret->response[i] = (char)(s[i] >= 'A' && s[i] <= 'F' ? s[i] | 0x20 : s[i]);
  return 0;
}

int digest_credentials_read(struct digest_credentials *ret, struct slice value) {
  struct params p;
  memset(ret, 0, sizeof *ret);
  int e = params_read(&p, value);
  if (e == 0)
    e = algorithm_read(&p, &ret->algorithm);
  if (e < 0)
    return e;
  if (!p.has[PARAM_USERNAME] || !p.has[PARAM_REALM] || !p.has[PARAM_NONCE] || !p.has[PARAM_URI])
    return -EBADMSG;
  if (p.has[PARAM_QOP] && strcasecmp(p.text[PARAM_QOP], "auth") != 0)
    return -ENOTSUP;
  ret->has_qop = p.has[PARAM_QOP];
  if (ret->has_qop && (!*p.text[PARAM_CNONCE] || count_read(p.text[PARAM_NC], &ret->nc) < 0))
    return -EBADMSG;
  COPY(ret->username, &p, PARAM_USERNAME);
  COPY(ret->realm, &p, PARAM_REALM);
  COPY(ret->nonce, &p, PARAM_NONCE);
  COPY(ret->uri, &p, PARAM_URI);
  COPY(ret->cnonce, &p, PARAM_CNONCE);
  return response_read(&p, ret);
}

/* Hashing --------------------------------------------------------------------------------------- */

static void hash_hex(enum digest_algorithm a, struct slice data, char ret[DIGEST_HEX_BYTES]) {
  uint8_t raw[32];
  if (a == DIGEST_MD5)
    hash_md5(data, raw);
  else if (a == DIGEST_SHA256)
    hash_sha256(data, raw);
  else
    hash_sha512_256(data, raw);
  for (uint32_t i = 0; i < algorithms[a].bytes; i++)
    snprintf(ret + 2 * (size_t)i, 3, "%02x", raw[i]);
  explicit_bzero(raw, sizeof raw);
}

void digest_ha1(enum digest_algorithm a, const char *username, const char *realm, const char *password,
                char ret[DIGEST_HEX_BYTES]) {
  char line[4 * DIGEST_TEXT_BYTES];
  int n = snprintf(line, sizeof line, "%s:%s:%s", username, realm, password);
  hash_hex(a, slice_from(line, n > 0 && (size_t)n < sizeof line ? (size_t)n : 0), ret);
  explicit_bzero(line, sizeof line);
}

static void response_hash(enum digest_algorithm a, const struct digest_credentials *c, const char *ha1,
                          const char *method, char ret[DIGEST_HEX_BYTES]) {
  char line[2 * DIGEST_HEX_BYTES + 2 * DIGEST_TEXT_BYTES + 32], ha2[DIGEST_HEX_BYTES];
  snprintf(line, sizeof line, "%s:%s", method, c->uri);
  hash_hex(a, slice_of(line), ha2);
  if (c->has_qop)
    snprintf(line, sizeof line, "%s:%s:%08x:%s:auth:%s", ha1, c->nonce, c->nc, c->cnonce, ha2);
  else
    snprintf(line, sizeof line, "%s:%s:%s", ha1, c->nonce, ha2);
  hash_hex(a, slice_of(line), ret);
  explicit_bzero(line, sizeof line);
}

bool digest_is_right(const struct digest_credentials *c, const char *ha1, const char *method) {
  char want[DIGEST_HEX_BYTES];
  response_hash(c->algorithm, c, ha1, method, want);
  bool is_right = slice_eq_secret(slice_of(want), slice_of(c->response));
  explicit_bzero(want, sizeof want);
  return is_right;
}

/* Writing --------------------------------------------------------------------------------------- */

static void quoted_add(struct text *t, const char *name, const char *value) {
  text_add(t, "%s=\"", name);
  for (const char *c = value; *c; c++) {
    if ((unsigned char)*c < ' ' || *c == 127)
      t->error = t->error ? t->error : -EINVAL;
    text_add(t, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
  }
  text_add(t, "\"");
}

static void field_add(struct text *t, const char *name, const char *value) {
  text_add(t, ", ");
  quoted_add(t, name, value);
}

static int response_of(const struct digest_challenge *c, const struct digest_answer *a,
                       char ret[DIGEST_HEX_BYTES]) {
  struct digest_credentials k = {.algorithm = c->algorithm, .has_qop = c->has_qop, .nc = a->nc};
  char ha1[DIGEST_HEX_BYTES];
  memcpy(k.nonce, c->nonce, sizeof k.nonce);
  if (slice_copy(k.uri, sizeof k.uri, slice_of(a->uri)) < 0 ||
      slice_copy(k.cnonce, sizeof k.cnonce, slice_of(a->cnonce)) < 0)
    return -ENOSPC;
  digest_ha1(c->algorithm, a->username, c->realm, a->password, ha1);
  response_hash(c->algorithm, &k, ha1, a->method, ret);
  explicit_bzero(ha1, sizeof ha1);
  return 0;
}

int digest_answer_write(char *dst, size_t bytes, const struct digest_challenge *c,
                        const struct digest_answer *a) {
  struct text t;
  size_t n;
  char response[DIGEST_HEX_BYTES];
  dst[0] = 0;
  int e = response_of(c, a, response);
  if (e < 0)
    return e;
  text_init(&t, dst, bytes);
  text_add(&t, "Digest ");
  quoted_add(&t, "username", a->username);
  field_add(&t, "realm", c->realm);
  field_add(&t, "nonce", c->nonce);
  field_add(&t, "uri", a->uri);
  field_add(&t, "response", response);
  text_add(&t, ", algorithm=%s", algorithms[c->algorithm].text);
  if (c->has_opaque)
    field_add(&t, "opaque", c->opaque);
  if (c->has_qop) {
    text_add(&t, ", qop=auth, nc=%08x", a->nc);
    field_add(&t, "cnonce", a->cnonce);
  }
  return text_end(&t, &n);
}

int digest_challenge_write(char *dst, size_t bytes, const char *realm, const char *nonce,
                           enum digest_algorithm a, bool is_stale) {
  struct text t;
  size_t n;
  text_init(&t, dst, bytes);
  text_add(&t, "Digest ");
  quoted_add(&t, "realm", realm);
  field_add(&t, "nonce", nonce);
  text_add(&t, ", algorithm=%s", algorithms[a].text);
  field_add(&t, "qop", "auth");
  if (is_stale)
    text_add(&t, ", stale=true");
  return text_end(&t, &n);
}
