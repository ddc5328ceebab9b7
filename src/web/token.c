/* SPDX-License-Identifier: Apache-2.0
 * Issuer and judge of access tokens: see token.h. Keys are read-only after start; the list of revoked
 * ids has a lock. */
#include "web/token.h"

#include "base/clock.h"
#include "base/hmac.h"
#include "base/rand.h"
#include "web/jwt.h"
#include "web/revoked.h"
#include "web/signkey.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

struct tokens {
  char *issuer;
  struct signkey *key;
  struct revoked *revoked;
  pthread_mutex_t lock; /* lock is for revoked. */
};

static const char *const known_scopes[] = {"call.place",  "call.receive", "call.control",  "group.join",
                                           "relay.issue", "events.read",  "tenant.control"};

static const char *const fault_texts[] = {
    [TOKEN_OK] = "good",
    [TOKEN_MALFORMED] = "malformed",
    [TOKEN_ALGORITHM] = "not the algorithm of its key",
    [TOKEN_UNKNOWN_KEY] = "signed by an unknown key",
    [TOKEN_BAD_SIGNATURE] = "the signature does not verify",
    [TOKEN_WRONG_ISSUER] = "of another issuer",
    [TOKEN_WRONG_AUDIENCE] = "for another audience",
    [TOKEN_EXPIRED] = "expired",
    [TOKEN_NOT_YET] = "not valid yet",
    [TOKEN_TOO_LONG_A_LIFE] = "valid for more than a day",
    [TOKEN_REVOKED] = "revoked",
};

const char *token_fault_text(enum token_fault f) { return fault_texts[f]; }

bool claims_has_scope(const struct claims *c, const char *scope) {
  struct slice rest = slice_of(c->scopes), want = slice_of(scope);
  while (rest.n)
    if (slice_eq(slice_cut(&rest, ' '), want))
      return true;
  return false;
}

bool claims_identity_ok(struct slice text) {
  if (!text.n || text.n > 64)
    return false;
  for (size_t i = 0; i < text.n; i++) {
    char c = text.p[i];
    if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
        !memchr("._@+-", c, 5))
      return false;
  }
  return true;
}

bool claims_scopes_ok(const char *text) {
  struct slice rest = slice_of(text);
  do {
    struct slice one = slice_cut(&rest, ' ');
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(known_scopes); i++)
      found = found || slice_eq(one, slice_of(known_scopes[i]));
    if (!found)
      return false;
  } while (rest.p);
  return true;
}

int tokens_new(struct tokens **ret_tokens, const char *issuer, const char *key_file,
               const char *revoked_file) {
  own(tokens) t = calloc(1, sizeof(*t));
  if (!t)
    return -ENOMEM;
  pthread_mutex_init(&t->lock, NULL);
  t->issuer = slice_dup(slice_of(issuer));
  if (!t->issuer)
    return -ENOMEM;
  int r = signkey_load(&t->key, key_file);
  if (r == 0)
    r = revoked_new(&t->revoked, revoked_file, clock_wall_ms() / 1000u);
  if (r < 0)
    return r;
  *ret_tokens = take(t);
  return 0;
}

struct tokens *tokens_free(struct tokens *t) {
  if (!t)
    return NULL;
  pthread_mutex_destroy(&t->lock);
  signkey_free(t->key);
  revoked_free(t->revoked);
  free(t->issuer);
  free(t);
  return NULL;
}

static bool claims_ok(const struct claims *c) {
  if (!claims_identity_ok(slice_of(c->identity)) || !claims_identity_ok(slice_of(c->tenant)) ||
      !claims_scopes_ok(c->scopes) || c->numbers_n > TOKEN_NUMBERS_MAX)
    return false;
  for (unsigned i = 0; i < c->numbers_n; i++)
    if (!jwt_number_ok(slice_of(c->numbers[i])))
      return false;
  return true;
}

/* The id tells when it may be forgotten. */
static void claims_stamp(struct claims *c, uint32_t ttl_s, uint64_t wall_ms) {
  char random[17];
  rand_text(random, 16);
  c->issued_s = wall_ms / 1000u;
  c->expires_s = c->issued_s + ttl_s;
  snprintf(c->jti, sizeof(c->jti), "t%08" PRIx32 "_%s", (uint32_t)c->expires_s, random);
}

static json_t *claims_json(const struct tokens *t, const struct claims *c) {
  json_t *numbers = json_array();
  for (unsigned i = 0; i < c->numbers_n; i++)
    json_array_append_new(numbers, json_string(c->numbers[i]));
  return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:s}", "iss", t->issuer, "aud",
                   "sallyport", "sub", c->identity, "scope", c->scopes, "tenant", c->tenant, "numbers",
                   numbers, "exp", (json_int_t)c->expires_s, "nbf", (json_int_t)c->issued_s, "iat",
                   (json_int_t)c->issued_s, "jti", c->jti);
}

/* Writes header "." payload; the length, or 0. */
static size_t token_unsigned(const struct tokens *t, const struct claims *c, char *dst) {
  char head[128];
  int n = snprintf(head, sizeof(head), "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                   signkey_algorithm(t->key), signkey_id(t->key));
  json_t *claims = claims_json(t, c);
  own_mem char *payload = claims ? json_dumps(claims, JSON_COMPACT) : NULL;
  json_decref(claims);
  if (n < 0 || !payload || strlen(payload) > (TOKEN_MAX_BYTES - 400u) / 4u * 3u)
    return 0;
  size_t at = base64_encode(dst, head, (size_t)n, true);
  dst[at++] = '.';
  return at + base64_encode(dst + at, payload, strlen(payload), true);
}

int token_mint(struct tokens *t, struct claims *c, uint32_t ttl_s, uint64_t wall_ms, char *ret_text) {
  uint8_t signature[SIGNKEY_SIGNATURE_BYTES];
  if (!c->tenant[0])
    memcpy(c->tenant, "default", sizeof("default"));
  if (!claims_ok(c) || ttl_s > TOKEN_LIFE_MAX_S)
    return -EINVAL;
  claims_stamp(c, ttl_s ? ttl_s : 3600u, wall_ms);
  size_t n = token_unsigned(t, c, ret_text);
  if (!n)
    return -E2BIG;
  int r = signkey_sign(t->key, slice_from(ret_text, n), signature);
  if (r < 0)
    return r;
  ret_text[n++] = '.';
  base64_encode(ret_text + n, signature, sizeof(signature), true);
  return 0;
}

static bool token_is_revoked(struct tokens *t, const char *jti) {
  pthread_mutex_lock(&t->lock);
  bool yes = revoked_has(t->revoked, jti);
  pthread_mutex_unlock(&t->lock);
  return yes;
}

enum token_fault token_verify(struct tokens *t, struct slice text, uint64_t wall_ms,
                              struct claims *ret_claims) {
  struct jwt j;
  memset(ret_claims, 0, sizeof(*ret_claims));
  if (!jwt_read(text, &j))
    return TOKEN_MALFORMED;
  if (strcmp(j.key_id, signkey_id(t->key)) != 0)
    return TOKEN_UNKNOWN_KEY;
  if (strcmp(j.algorithm, signkey_algorithm(t->key)) != 0)
    return TOKEN_ALGORITHM;
  if (!signkey_verify(t->key, j.signed_text, slice_from(j.signature, j.signature_bytes)))
    return TOKEN_BAD_SIGNATURE;
  enum token_fault f = jwt_payload(j.payload_text, t->issuer, wall_ms, ret_claims);
  if (f == TOKEN_OK && token_is_revoked(t, ret_claims->jti)) {
    memset(ret_claims, 0, sizeof(*ret_claims));
    f = TOKEN_REVOKED;
  }
  return f;
}

/* When the token with this id of ours expires; false for an id of another form. */
static bool jti_expires(const char *jti, uint64_t *ret_s) {
  if (strlen(jti) != 26 || jti[0] != 't' || jti[9] != '_' || strspn(jti + 1, "0123456789abcdef") != 8)
    return false;
  for (const char *p = jti + 10; *p; p++)
    if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && !(*p >= '0' && *p <= '9'))
      return false;
  *ret_s = strtoul(jti + 1, NULL, 16);
  return true;
}

int token_revoke(struct tokens *t, const char *jti, uint64_t wall_ms) {
  uint64_t expires_s, now_s = wall_ms / 1000u;
  if (!jti_expires(jti, &expires_s))
    return -EINVAL;
  if (expires_s <= now_s)
    return 0; /* dead already */
  if (expires_s > now_s + TOKEN_LIFE_MAX_S + TOKEN_SKEW_S)
    return -EINVAL; /* none of ours lives that long */
  pthread_mutex_lock(&t->lock);
  int r = revoked_add(t->revoked, jti, expires_s, now_s);
  pthread_mutex_unlock(&t->lock);
  return r;
}

json_t *tokens_jwks(struct tokens *t) {
  json_t *keys = json_array(), *doc = json_object();
  json_array_append_new(keys, signkey_jwk(t->key));
  json_object_set_new(doc, "keys", keys);
  return doc;
}
