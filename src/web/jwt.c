/* SPDX-License-Identifier: Apache-2.0
 * Parser and judge of JWT parts: see jwt.h. RFC 7515, 7519; refusals as RFC 8725 asks. */
#include "web/jwt.h"

#include "base/hmac.h"
#include "web/reply.h"

static int text_member(const json_t *o, const char *name, char *dst, size_t dst_bytes) {
  const json_t *j = json_object_get(o, name);
  if (!json_is_string(j))
    return j ? -EINVAL : -ENOENT;
  return slice_copy(dst, dst_bytes, slice_from(json_string_value(j), json_string_length(j)));
}

static int part_json(struct slice base64, json_t **ret) {
  uint8_t bytes[TOKEN_MAX_BYTES];
  size_t n;
  int r = base64_decode(base64, true, bytes, sizeof(bytes), &n);
  if (r == 0 && n == 0)
    r = -EINVAL; /* web_json_parse() takes nothing for {} */
  return r < 0 ? r : web_json_parse(slice_from(bytes, n), ret);
}

static bool header_read(struct slice base64, struct jwt *ret) {
  json_t *o = NULL;
  char type[16] = "JWT";
  if (part_json(base64, &o) < 0)
    return false;
  int typ = text_member(o, "typ", type, sizeof(type));
  bool ok = text_member(o, "alg", ret->algorithm, sizeof(ret->algorithm)) == 0 &&
            text_member(o, "kid", ret->key_id, sizeof(ret->key_id)) == 0 &&
            (typ == 0 || typ == -ENOENT) && slice_ieq(slice_of(type), SLICE("JWT")) &&
            !json_object_get(o, "crit") && !json_object_get(o, "b64");
  json_decref(o);
  return ok;
}

bool jwt_read(struct slice text, struct jwt *ret) {
  memset(ret, 0, sizeof(*ret));
  if (!text.n || text.n >= TOKEN_MAX_BYTES)
    return false;
  struct slice rest = text, head = slice_cut(&rest, '.'), payload = slice_cut(&rest, '.');
  if (!rest.p || !head.n || !payload.n || memchr(rest.p, '.', rest.n))
    return false;
  ret->payload_text = payload;
  ret->signed_text = slice_from(text.p, (size_t)(rest.p - text.p) - 1);
  if (base64_decode(rest, true, ret->signature, sizeof(ret->signature), &ret->signature_bytes) < 0)
    return false;
  return header_read(head, ret);
}

static bool time_member(const json_t *o, const char *name, bool required, uint64_t *ret_s) {
  const json_t *j = json_object_get(o, name);
  *ret_s = 0;
  if (!j)
    return !required;
  double v = json_is_number(j) ? json_number_value(j) : -1;
  if (!(v >= 0 && v < 4e9))
    return false;
  *ret_s = (uint64_t)v;
  return true;
}

static bool audience_ok(const json_t *aud) {
  if (json_is_string(aud))
    return strcmp(json_string_value(aud), "sallyport") == 0;
  for (size_t i = 0; i < json_array_size(aud) && i < 8; i++) {
    const char *s = json_string_value(json_array_get(aud, i));
    if (s && strcmp(s, "sallyport") == 0)
      return true;
  }
  return false;
}

bool jwt_number_ok(struct slice text) {
  bool plus = text.n && text.p[0] == '+';
  size_t n = plus ? text.n - 1 : text.n;
  if (plus ? n < 4 || n > 15 : n < 1 || n > 32)
    return false;
  for (size_t i = plus; i < text.n; i++) {
    char c = text.p[i];
    if (!(c >= '0' && c <= '9') && (plus || (c != '*' && c != '#')))
      return false;
  }
  return true;
}

static bool numbers_read(const json_t *numbers, struct claims *ret) {
  if (!numbers)
    return true;
  if (!json_is_array(numbers) || json_array_size(numbers) > TOKEN_NUMBERS_MAX)
    return false;
  for (size_t i = 0; i < json_array_size(numbers); i++) {
    struct slice s = slice_of(json_string_value(json_array_get(numbers, i)));
    if (!jwt_number_ok(s) || slice_copy(ret->numbers[i], TOKEN_NUMBER_BYTES, s) < 0)
      return false;
    ret->numbers_n++;
  }
  return true;
}

static bool id_ok(const char *s) {
  for (; *s; s++)
    if (*s <= 0x20 || *s >= 0x7f)
      return false;
  return true;
}

static bool names_read(const json_t *o, struct claims *ret) {
  int tenant = text_member(o, "tenant", ret->tenant, sizeof(ret->tenant));
  if (tenant == -ENOENT)
    memcpy(ret->tenant, "default", sizeof("default"));
  else if (tenant < 0 || !claims_identity_ok(slice_of(ret->tenant)))
    return false;
  int scope = text_member(o, "scope", ret->scopes, sizeof(ret->scopes));
  return (scope == 0 || scope == -ENOENT) &&
         text_member(o, "sub", ret->identity, sizeof(ret->identity)) == 0 &&
         claims_identity_ok(slice_of(ret->identity)) &&
         text_member(o, "jti", ret->jti, sizeof(ret->jti)) == 0 && ret->jti[0] && id_ok(ret->jti);
}

static enum token_fault times_judge(const json_t *o, uint64_t now_s, struct claims *ret) {
  uint64_t not_before_s;
  if (!time_member(o, "exp", true, &ret->expires_s) || !time_member(o, "iat", true, &ret->issued_s) ||
      !time_member(o, "nbf", false, &not_before_s))
    return TOKEN_MALFORMED;
  if (ret->expires_s > ret->issued_s + TOKEN_LIFE_MAX_S)
    return TOKEN_TOO_LONG_A_LIFE;
  if (ret->issued_s > now_s + TOKEN_SKEW_S || not_before_s > now_s + TOKEN_SKEW_S)
    return TOKEN_NOT_YET;
  return ret->expires_s <= now_s ? TOKEN_EXPIRED : TOKEN_OK; /* a stream ends at exp: no skew here */
}

static enum token_fault claims_judge(const json_t *o, const char *issuer, uint64_t now_s,
                                     struct claims *ret) {
  const char *iss = json_string_value(json_object_get(o, "iss"));
  if (!iss || strcmp(iss, issuer) != 0)
    return TOKEN_WRONG_ISSUER;
  if (!audience_ok(json_object_get(o, "aud")))
    return TOKEN_WRONG_AUDIENCE;
  if (!names_read(o, ret) || !numbers_read(json_object_get(o, "numbers"), ret))
    return TOKEN_MALFORMED;
  return times_judge(o, now_s, ret);
}

enum token_fault jwt_claims(struct slice payload, const char *issuer, uint64_t wall_ms,
                            struct claims *ret) {
  json_t *o = NULL;
  memset(ret, 0, sizeof(*ret));
  if (!payload.n || web_json_parse(payload, &o) < 0)
    return TOKEN_MALFORMED;
  enum token_fault f = claims_judge(o, issuer, wall_ms / 1000u, ret);
  json_decref(o);
  if (f != TOKEN_OK)
    memset(ret, 0, sizeof(*ret));
  return f;
}

enum token_fault jwt_payload(struct slice base64, const char *issuer, uint64_t wall_ms,
                             struct claims *ret) {
  uint8_t bytes[TOKEN_MAX_BYTES];
  size_t n;
  memset(ret, 0, sizeof(*ret));
  if (base64_decode(base64, true, bytes, sizeof(bytes), &n) < 0)
    return TOKEN_MALFORMED;
  return jwt_claims(slice_from(bytes, n), issuer, wall_ms, ret);
}
