/* SPDX-License-Identifier: Apache-2.0
 * The certificate of DTLS associations, made in memory, and fingerprints (RFC 8122). A certificate is
 * read-only after dtlscert_new(): any thread. */
#include "flow/dtls_inside.h"

#include "base/rand.h"
#include "wire/bytes.h"

#include <openssl/ec.h>
#include <openssl/x509.h>
#include <stdio.h>

struct dtlscert {
  SSL_CTX *ctx;
  uint8_t sha256[32];
};

/* Seconds before and behind now in which a certificate is valid; peers look at the fingerprint. */
enum { SINCE_S = -86400, UNTIL_S = 30 * 86400 };

static int cert_fill(X509 *x, EVP_PKEY *key) {
  char name[17];
  rand_text(name, sizeof(name) - 1);
  X509_NAME *subject = X509_get_subject_name(x);
  if (X509_set_version(x, 2) != 1 ||
      ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), rand_u64() >> 1) != 1 ||
      !X509_gmtime_adj(X509_getm_notBefore(x), SINCE_S) ||
      !X509_gmtime_adj(X509_getm_notAfter(x), UNTIL_S) ||
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) !=
          1 ||
      X509_set_issuer_name(x, subject) != 1 || X509_set_pubkey(x, key) != 1 ||
      !X509_sign(x, key, EVP_sha256()))
    return -EIO;
  return 0;
}

static int cert_make(struct dtlscert *c) {
  unsigned n = 0;
  X509 *x = X509_new();
  EVP_PKEY *key = EVP_EC_gen("P-256");
  int e = x && key ? cert_fill(x, key) : -ENOMEM;
  if (e == 0 && (X509_digest(x, EVP_sha256(), c->sha256, &n) != 1 ||
                 SSL_CTX_use_certificate(c->ctx, x) != 1 || SSL_CTX_use_PrivateKey(c->ctx, key) != 1))
    e = -EIO;
  X509_free(x);
  EVP_PKEY_free(key);
  return e;
}

int dtlscert_new(struct dtlscert **ret) {
  own(dtlscert) c = calloc(1, sizeof(*c));
  if (!c || !(c->ctx = dtls_ctx_new()))
    return -ENOMEM;
  int e = cert_make(c);
  if (e < 0)
    return e;
  *ret = take(c);
  return 0;
}

struct dtlscert *dtlscert_free(struct dtlscert *c) {
  if (c)
    SSL_CTX_free(c->ctx);
  free(c);
  return NULL;
}

const uint8_t *dtlscert_sha256(const struct dtlscert *c) { return c->sha256; }
SSL_CTX *dtlscert_ctx(const struct dtlscert *c) { return c->ctx; }

/* Fingerprints ----------------------------------------------------------------------------------- */
static const struct {
  const char *name;
  uint32_t bytes;
} hashes[] = {{"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}};

static int hex(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int dtls_fingerprint_parse(struct dtls_fingerprint *ret, struct slice text) {
  struct slice rest = slice_trim(text), name = slice_cut(&rest, ' ');
  memset(ret, 0, sizeof(*ret));
  for (size_t i = 0; i < COUNT_OF(hashes); i++)
    if (slice_ieq(name, slice_of(hashes[i].name)))
      ret->bytes = hashes[i].bytes;
  if (!ret->bytes || rest.n != ret->bytes * 3 - 1)
    return -EINVAL;
  for (size_t i = 0; i < ret->bytes; i++) {
    int high = hex(rest.p[3 * i]), low = hex(rest.p[3 * i + 1]);
    if (high < 0 || low < 0 || (i + 1 < ret->bytes && rest.p[3 * i + 2] != ':'))
      return -EINVAL;
    ret->value[i] = (uint8_t)(high << 4 | low);
  }
  return 0;
}

char *dtls_fingerprint_text(const struct dtls_fingerprint *f, char *buf, size_t bytes) {
  const char *name = f->bytes == 48 ? "sha-384" : f->bytes == 64 ? "sha-512" : "sha-256";
  size_t n = (size_t)snprintf(buf, bytes, "%s", name);
  for (size_t i = 0; i < f->bytes && i < sizeof(f->value) && n + 4 <= bytes; i++)
    n += (size_t)snprintf(buf + n, bytes - n, "%c%02X", i ? ':' : ' ', f->value[i]);
  return buf;
}

bool dtls_fingerprint_fits(const struct dtls_fingerprint *f, const X509 *x) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  const EVP_MD *md = f->bytes == 32   ? EVP_sha256()
                     : f->bytes == 48 ? EVP_sha384()
                     : f->bytes == 64 ? EVP_sha512()
                                      : NULL;
  return md && x && X509_digest(x, md, digest, &n) == 1 && n == f->bytes &&
         memcmp(digest, f->value, n) == 0;
}
