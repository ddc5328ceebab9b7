/* SPDX-License-Identifier: Apache-2.0
 * Rows of client certificates: see cert.h. */
#include "admin/cert.h"

static const char *const kinds[] = {
    [WEB_PEER_DNS] = "dns", [WEB_PEER_URI] = "uri", [WEB_PEER_EMAIL] = "email", [WEB_PEER_CN] = "cn"};

static int nibble(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  char low = (char)(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static int digest_read(uint8_t ret[32], struct slice hex) {
  size_t n = 0;
  for (size_t i = 0; i < hex.n; i++) {
    if (hex.p[i] == ':')
      continue;
    int v = nibble(hex.p[i]);
    if (v < 0 || n == 64)
      return -EINVAL;
    ret[n / 2] = (uint8_t)(n % 2 ? ret[n / 2] | v : v << 4);
    n++;
  }
  return n == 64 ? 0 : -EINVAL;
}

int cert_row_read(struct cert_row *ret, const char *name, const char *match, const char *role) {
  struct slice value = slice_of(match), kind = slice_cut(&value, ':');
  memset(ret, 0, sizeof *ret);
  if (slice_copy(ret->name, sizeof ret->name, slice_of(name)) < 0 ||
      !role_find(slice_of(role), &ret->role))
    return -EINVAL;
  ret->is_digest = slice_eq(kind, SLICE("sha256"));
  if (ret->is_digest)
    return digest_read(ret->digest, value);
  for (size_t k = 0; k < COUNT_OF(kinds); k++)
    if (slice_eq(kind, slice_of(kinds[k])) && value.n) {
      ret->kind = (enum web_peer_kind)k;
      return slice_copy(ret->mark, sizeof ret->mark, value) < 0 ? -EINVAL : 0;
    }
  return -EINVAL;
}

static bool mail_same(struct slice a, struct slice b) {
  struct slice user_a = slice_cut(&a, '@'), user_b = slice_cut(&b, '@');
  return slice_eq(user_a, user_b) && slice_ieq(a, b);
}

static bool name_same(const struct cert_row *a, const struct web_peer_name *b) {
  struct slice x = slice_of(a->mark), y = slice_of(b->text);
  if (a->kind != b->kind)
    return false;
  if (a->kind == WEB_PEER_DNS)
    return slice_ieq(x, y);
  return a->kind == WEB_PEER_EMAIL ? mail_same(x, y) : slice_eq(x, y);
}

bool cert_row_fits(const struct cert_row *r, const struct web_peer *p) {
  if (r->is_digest)
    return memcmp(r->digest, p->digest, sizeof r->digest) == 0;
  for (size_t i = 0; i < p->names_n; i++)
    if (name_same(r, &p->names[i]))
      return true;
  return false;
}

bool cert_row_same(const struct cert_row *a, const struct cert_row *b) {
  return a->role == b->role && strcmp(a->name, b->name) == 0 && a->is_digest == b->is_digest &&
         memcmp(a->digest, b->digest, sizeof a->digest) == 0 && a->kind == b->kind &&
         strcmp(a->mark, b->mark) == 0;
}
