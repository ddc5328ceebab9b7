/* SPDX-License-Identifier: Apache-2.0
 * PASSporTs. See passport.h. */
#include "stir/passport.h"

#include "base/hmac.h"

#include <jansson.h>

static const char *const ppts[] = {"", "shaken", "div"};

int passport_number(char dst[PASSPORT_TN_BYTES], struct slice number) {
  size_t n = 0;
  for (size_t i = 0; i < number.n; i++) {
    char c = number.p[i];
    if ((c == '+' && i == 0) || strchr("-.() ", c))
      continue;
    if (!((c >= '0' && c <= '9') || c == '*' || c == '#') || n + 1 == PASSPORT_TN_BYTES)
      return dst[0] = 0, -EINVAL;
    dst[n++] = c;
  }
  dst[n] = 0;
  return n ? 0 : -EINVAL;
}

static struct slice unquoted(struct slice s) {
  s = slice_trim(s);
  return s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"' ? slice_from(s.p + 1, s.n - 2) : s;
}

/* token;info=<URL>;alg=ES256;ppt="shaken", parameters in any order, each once. */
int identity_field_read(struct slice value, struct identity_field *ret) {
  struct slice alg = {NULL, 0};
  *ret = (struct identity_field){.token = slice_trim(slice_cut(&value, ';'))};
  while (value.p) {
    struct slice v = slice_cut(&value, ';'), key = slice_trim(slice_cut(&v, '='));
    struct slice *to = slice_ieq(key, SLICE("info"))  ? &ret->info
                       : slice_ieq(key, SLICE("alg")) ? &alg
                       : slice_ieq(key, SLICE("ppt")) ? &ret->ppt
                                                      : NULL;
    if (to && to->p)
      return -EBADMSG;
    if (to)
      *to = unquoted(v);
  }
  if (ret->info.n < 3 || ret->info.p[0] != '<' || ret->info.p[ret->info.n - 1] != '>')
    return -EBADMSG;
  ret->info = slice_from(ret->info.p + 1, ret->info.n - 2);
  return ret->token.n && (!alg.p || slice_eq(alg, SLICE("ES256"))) ? 0 : -EBADMSG;
}

static json_t *part_json(struct slice base64) {
  uint8_t bytes[PASSPORT_TEXT_BYTES];
  size_t n;
  if (base64_decode(base64, true, bytes, sizeof bytes, &n) < 0)
    return NULL;
  json_t *o = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, NULL);
  if (o && !json_is_object(o)) {
    json_decref(o);
    return NULL;
  }
  return o;
}

static struct slice text_of(const json_t *o, const char *name) {
  const json_t *j = json_object_get(o, name);
  return json_is_string(j) ? slice_from(json_string_value(j), json_string_length(j))
                           : slice_from(NULL, 0);
}

static int kind_of(struct slice ppt, bool has) {
  for (int i = has ? 1 : 0; i < (has ? 3 : 1); i++)
    if (slice_eq(ppt, slice_of(ppts[i])))
      return i;
  return -EBADMSG;
}

static int head_read(struct slice base64, struct passport *ret) {
  json_t *o = part_json(base64);
  int kind = kind_of(text_of(o, "ppt"), json_object_get(o, "ppt") != NULL);
  struct slice url = text_of(o, "x5u");
  bool is_good = o && kind >= 0 && slice_eq(text_of(o, "alg"), SLICE("ES256")) &&
                 slice_eq(text_of(o, "typ"), SLICE("passport")) && !json_object_get(o, "crit") &&
                 url.n && !memchr(url.p, 0, url.n) && slice_copy(ret->x5u, sizeof ret->x5u, url) == 0;
  if (is_good)
    ret->kind = (enum passport_kind)kind;
  json_decref(o);
  return is_good ? 0 : -EBADMSG;
}

/* {"tn":"12155551212"}; a URI instead is taken, and matches nothing. */
static bool tn_read(const json_t *o, char dst[PASSPORT_TN_BYTES]) {
  dst[0] = 0;
  if (!json_is_object(o) || json_object_size(o) != 1)
    return false;
  if (json_is_string(json_object_get(o, "uri")))
    return true;
  return passport_number(dst, text_of(o, "tn")) == 0;
}

static bool dest_read(const json_t *o, struct passport *ret) {
  const json_t *tns = json_object_get(o, "tn"), *uris = json_object_get(o, "uri");
  if ((!json_is_array(tns) && !json_is_array(uris)) || json_array_size(tns) > PASSPORT_TNS)
    return false;
  for (size_t i = 0; i < json_array_size(tns); i++) {
    const json_t *tn = json_array_get(tns, i);
    if (!json_is_string(tn) ||
        passport_number(ret->dest[i], slice_from(json_string_value(tn), json_string_length(tn))) < 0)
      return false;
    ret->n_dest++;
  }
  return ret->n_dest || json_array_size(uris);
}

static bool shaken_read(const json_t *o, struct passport *ret) {
  struct slice attest = text_of(o, "attest"), origid = text_of(o, "origid");
  if (attest.n != 1 || attest.p[0] < 'A' || attest.p[0] > 'C' || !origid.n)
    return false;
  ret->attest = attest.p[0];
  return slice_copy(ret->origid, sizeof ret->origid, origid) == 0;
}

static int body_read(struct slice base64, struct passport *ret) {
  json_t *o = part_json(base64);
  const json_t *iat = json_object_get(o, "iat");
  bool is_good = o && json_is_integer(iat) && tn_read(json_object_get(o, "orig"), ret->orig) &&
                 dest_read(json_object_get(o, "dest"), ret);
  if (is_good && ret->kind == PASSPORT_SHAKEN)
    is_good = shaken_read(o, ret);
  if (is_good && ret->kind == PASSPORT_DIV)
    is_good = tn_read(json_object_get(o, "div"), ret->div) && ret->div[0];
  ret->iat_s = json_integer_value(iat);
  json_decref(o);
  return is_good ? 0 : -EBADMSG;
}

static int signature_read(struct slice base64, uint8_t ret[PASSPORT_SIG_BYTES]) {
  size_t n;
  return base64_decode(base64, true, ret, PASSPORT_SIG_BYTES, &n) == 0 && n == PASSPORT_SIG_BYTES
             ? 0
             : -EBADMSG;
}

int passport_read(struct slice token, struct passport *ret, struct slice *ret_signed,
                  uint8_t ret_signature[PASSPORT_SIG_BYTES]) {
  struct slice rest = token, head = slice_cut(&rest, '.'), body = slice_cut(&rest, '.');
  *ret = (struct passport){0};
  if (!head.n || !body.n || !rest.n || token.n > PASSPORT_TEXT_BYTES)
    return -EBADMSG;
  *ret_signed = slice_from(token.p, (size_t)(rest.p - token.p) - 1);
  if (signature_read(rest, ret_signature) < 0 || head_read(head, ret) < 0)
    return -EBADMSG;
  return body_read(body, ret);
}

int passport_read_compact(struct slice token, uint8_t ret_signature[PASSPORT_SIG_BYTES]) {
  if (!slice_starts(token, SLICE("..")))
    return -EBADMSG;
  return signature_read(slice_from(token.p + 2, token.n - 2), ret_signature);
}

/* Members in lexicographic order, no blanks: RFC 8225 9. Values are ours or were read by the above. */
static void body_write(const struct passport *p, struct text *t) {
  text_add(t, "{");
  if (p->kind == PASSPORT_SHAKEN)
    text_add(t, "\"attest\":\"%c\",", p->attest);
  text_add(t, "\"dest\":{\"tn\":[");
  for (uint32_t i = 0; i < p->n_dest; i++)
    text_add(t, "%s\"%s\"", i ? "," : "", p->dest[i]);
  text_add(t, "]},");
  if (p->kind == PASSPORT_DIV)
    text_add(t, "\"div\":{\"tn\":\"%s\"},", p->div);
  text_add(t, "\"iat\":%lld,\"orig\":{\"tn\":\"%s\"}", (long long)p->iat_s, p->orig);
  if (p->kind == PASSPORT_SHAKEN)
    text_add(t, ",\"origid\":\"%s\"", p->origid);
  text_add(t, "}");
}

int passport_write(const struct passport *p, char *dst, size_t bytes) {
  char head[PASSPORT_URL_BYTES + 128], body[640];
  struct text t;
  size_t n_head, n_body;
  text_init(&t, head, sizeof head);
  text_add(&t, "{\"alg\":\"ES256\",");
  if (p->kind != PASSPORT_BASE)
    text_add(&t, "\"ppt\":\"%s\",", ppts[p->kind]);
  text_add(&t, "\"typ\":\"passport\",\"x5u\":\"%s\"}", p->x5u);
  if (text_end(&t, &n_head) < 0)
    return -ENOSPC;
  text_init(&t, body, sizeof body);
  body_write(p, &t);
  if (text_end(&t, &n_body) < 0 || (n_head + n_body) * 4 / 3 + 16 > bytes)
    return -ENOSPC;
  size_t at = base64_encode(dst, head, n_head, true);
  dst[at++] = '.';
  base64_encode(dst + at, body, n_body, true);
  return 0;
}

bool passport_is_for(const struct passport *p, const char *tn) {
  for (uint32_t i = 0; i < p->n_dest; i++)
    if (*tn && !strcmp(p->dest[i], tn))
      return true;
  return false;
}
