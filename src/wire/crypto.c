/* SPDX-License-Identifier: Apache-2.0
 * a=crypto (RFC 4568, suites of RFC 7714): see crypto.h. Copies of keys are wiped. */
#include "wire/crypto.h"

#include "base/hmac.h"
#include "wire/line.h"

enum { KEY_TEXT_MAX = 64 };

/* Padding may be left out by the writer: it is put back before the strict decoder sees the text. */
static int key_decode(struct srtp_key *k, enum srtp_suite suite, struct slice text) {
  char padded[KEY_TEXT_MAX + 4] = "";
  uint8_t raw[KEY_TEXT_MAX];
  size_t n = 0, want = suite_key_bytes(suite) + suite_salt_bytes(suite);
  int r = -EBADMSG;
  if (text.n > 0 && text.n <= KEY_TEXT_MAX) {
    memcpy(padded, text.p, text.n);
    size_t len = text.n;
    while (len % 4)
      padded[len++] = '=';
    r = base64_decode(slice_from(padded, len), false, raw, sizeof(raw), &n);
  }
  if (r == 0 && n == want)
    memcpy(k->bytes, raw, n);
  explicit_bzero(padded, sizeof(padded));
  explicit_bzero(raw, sizeof(raw));
  return r == 0 && n == want ? 0 : -EBADMSG;
}

/* "2^31" or a decimal number of packets, 1 to 2^48. */
static int lifetime_check(struct slice s) {
  uint64_t v;
  if (slice_starts(s, SLICE("2^")))
    return slice_u64(slice_from(s.p + 2, s.n - 2), 48, &v);
  if (slice_u64(s, 1ull << 48, &v) < 0 || v == 0)
    return -EINVAL;
  return 0;
}

/* "value:length in bytes"; values past 32 bits are not served. */
static int mki_parse(struct srtp_key *k, struct slice s) {
  uint64_t value, bytes;
  struct slice number = slice_cut(&s, ':');
  if (slice_u64(number, UINT32_MAX, &value) < 0 || slice_u64(s, SRTPKEY_MKI_MAX_BYTES, &bytes) < 0 ||
      bytes == 0)
    return -EINVAL;
  if (bytes < 4 && value >> (8 * bytes))
    return -EINVAL;
  k->mki_bytes = (uint32_t)bytes;
  for (unsigned i = 0; i < 4; i++)
    k->mki[i] = (uint8_t)(value >> (8 * (3 - i)));
  return 0;
}

static int key_params_parse(struct srtp_key *k, enum srtp_suite suite, struct slice s) {
  if (!slice_istarts(s, SLICE("inline:")) || memchr(s.p, ';', s.n))
    return -EINVAL;
  s = slice_from(s.p + 7, s.n - 7);
  if (key_decode(k, suite, slice_cut(&s, '|')) < 0)
    return -EINVAL;
  for (unsigned field = 0; s.p; field++) {
    struct slice part = slice_cut(&s, '|');
    bool is_mki = part.n && memchr(part.p, ':', part.n);
    if (is_mki ? mki_parse(k, part) < 0 || s.p : field > 0 || lifetime_check(part) < 0)
      return -EINVAL;
  }
  return 0;
}

/* Session parameters that change nothing: a window hint, a key derivation rate of 0, and those
 * that their writer marked optional with "-". Any other makes the line unusable (RFC 4568 6.3.7). */
static bool is_harmless(struct slice param) {
  uint64_t v;
  if (param.p[0] == '-' && param.n > 1)
    return true;
  if (slice_istarts(param, SLICE("WSH=")))
    return slice_u64(slice_from(param.p + 4, param.n - 4), 1u << 16, &v) == 0 && v >= 64;
  return slice_ieq(param, SLICE("KDR=0"));
}

static int usable_parse(struct desc_crypto *c, struct slice keys, struct slice params) {
  enum srtp_suite suite = suite_of(slice_of(c->suite_text));
  if (suite == SUITE_NONE || key_params_parse(&c->key, suite, keys) < 0)
    return -EINVAL;
  for (struct slice p = line_word(&params); p.n; p = line_word(&params))
    if (!is_harmless(p))
      return -EINVAL;
  c->key.suite = suite;
  slice_copy(c->suite_text, sizeof(c->suite_text), slice_of(suite_name(suite)));
  return 0;
}

int crypto_parse(struct desc_crypto *ret, struct slice value) {
  uint64_t tag;
  struct slice tag_text = line_word(&value), suite = line_word(&value), keys = line_word(&value);
  memset(ret, 0, sizeof(*ret));
  if (slice_u64(tag_text, 999999999, &tag) < 0 || tag_text.n > 9 || keys.n == 0 ||
      !line_is_token(suite, 128))
    return -EBADMSG;
  ret->tag = (uint32_t)tag;
  slice_copy(ret->suite_text, sizeof(ret->suite_text), suite);
  if (usable_parse(ret, keys, value) < 0)
    srtpkey_wipe(&ret->key);
  return 0;
}

bool crypto_write(struct text *t, const struct desc_crypto *c) {
  char key[KEY_TEXT_MAX + 1];
  enum srtp_suite suite = (enum srtp_suite)c->key.suite;
  if (suite == SUITE_NONE || suite >= SUITE_COUNT_)
    return false;
  base64_encode(key, c->key.bytes, suite_key_bytes(suite) + suite_salt_bytes(suite), false);
  text_add(t, "%u %s inline:%s|2^31", c->tag, suite_name(suite), key);
  explicit_bzero(key, sizeof(key));
  if (c->key.mki_bytes) {
    const uint8_t *m = c->key.mki;
    uint32_t value = (uint32_t)m[0] << 24 | (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3];
    text_add(t, "|%u:%u", value, c->key.mki_bytes);
  }
  return true;
}
