/* SPDX-License-Identifier: Apache-2.0
 * Digests and base64: see hmac.h. */
#include "base/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>

static void keyed(const EVP_MD *md, struct slice key, struct slice data, uint8_t *ret) {
  unsigned n = 0;
  if (!HMAC(md, key.p, (int)key.n, (const unsigned char *)data.p, data.n, ret, &n))
    abort();
}

void hmac_sha1(struct slice key, struct slice data, uint8_t ret[HMAC_SHA1_BYTES]) {
  keyed(EVP_sha1(), key, data, ret);
}

void hmac_sha256(struct slice key, struct slice data, uint8_t ret[HMAC_SHA256_BYTES]) {
  keyed(EVP_sha256(), key, data, ret);
}

void hash_md5(struct slice data, uint8_t ret[HASH_MD5_BYTES]) {
  unsigned n = 0;
  if (!EVP_Digest(data.p, data.n, ret, &n, EVP_md5(), NULL))
    abort();
}

/* Looked up once: EVP_sha256() is looked up in each digest, which takes as long as a short one. */
static const EVP_MD *sha256;
static pthread_key_t sha256_key;
static void sha256_end(void *context) { EVP_MD_CTX_free(context); }
static void sha256_fetch(void) {
  sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
  if (!sha256)
    sha256 = EVP_sha256();
  if (pthread_key_create(&sha256_key, sha256_end) != 0)
    abort();
}

/* Of the calling thread, made once: that takes longer than a short digest, too. The library wipes what
 * it read at the end of each. */
static EVP_MD_CTX *sha256_context(void) {
  EVP_MD_CTX *c = pthread_getspecific(sha256_key);
  if (c)
    return EVP_DigestInit_ex(c, NULL, NULL) ? c : NULL;
  c = EVP_MD_CTX_new();
  if (c && EVP_DigestInit_ex(c, sha256, NULL) && pthread_setspecific(sha256_key, c) == 0)
    return c;
  EVP_MD_CTX_free(c);
  return NULL;
}

void hash_sha256(struct slice data, uint8_t ret[HMAC_SHA256_BYTES]) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, sha256_fetch);
  EVP_MD_CTX *c = sha256_context();
  if (!c || !EVP_DigestUpdate(c, data.p, data.n) || !EVP_DigestFinal_ex(c, ret, NULL))
    abort();
}

void hash_sha512_256(struct slice data, uint8_t ret[HMAC_SHA256_BYTES]) {
  unsigned n = 0;
  if (!EVP_Digest(data.p, data.n, ret, &n, EVP_sha512_256(), NULL))
    abort();
}

static const char std_set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64_encode(char *dst, const void *src, size_t n, bool url) {
  const char *set = url ? url_set : std_set;
  const uint8_t *s = src;
  size_t o = 0;
  for (size_t i = 0; i < n; i += 3) {
    unsigned left = n - i < 3 ? (unsigned)(n - i) : 3;
    uint32_t v = (uint32_t)s[i] << 16;
    if (left > 1)
      v |= (uint32_t)s[i + 1] << 8;
    if (left > 2)
      v |= s[i + 2];
    for (unsigned k = 0; k < 4; k++) {
      if (k <= left)
        dst[o++] = set[(v >> (18 - 6 * k)) & 63];
      else if (!url)
        dst[o++] = '=';
    }
  }
  dst[o] = 0;
  return o;
}

static int digit(char c, bool url) {
  const char *set = url ? url_set : std_set;
  const char *at = c ? strchr(set, c) : NULL;
  return at ? (int)(at - set) : -1;
}

int base64_decode(struct slice text, bool url, uint8_t *dst, size_t dst_bytes, size_t *ret_n) {
  size_t o = 0, n = text.n;
  if (!url) {
    if (n % 4)
      return -EINVAL;
    for (unsigned k = 0; k < 2 && n && text.p[n - 1] == '='; k++)
      n--;
  }
  if (n % 4 == 1)
    return -EINVAL;
  if (n * 3 / 4 > dst_bytes)
    return -ENOSPC;
  for (size_t i = 0; i < n; i += 4) {
    unsigned m = n - i < 4 ? (unsigned)(n - i) : 4;
    uint32_t v = 0;
    for (unsigned k = 0; k < m; k++) {
      int d = digit(text.p[i + k], url);
      if (d < 0)
        return -EINVAL;
      v |= (uint32_t)d << (18 - 6 * k);
    }
    if ((m == 2 && (v & 0xffff)) || (m == 3 && (v & 0xff)))
      return -EINVAL;
    for (unsigned k = 0; k + 1 < m; k++)
      dst[o++] = (uint8_t)(v >> (16 - 8 * k));
  }
  *ret_n = o;
  return 0;
}
