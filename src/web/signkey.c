/* SPDX-License-Identifier: Apache-2.0
 * Signing keys on libcrypto: see signkey.h. */
#include "web/signkey.h"

#include "base/hmac.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>

struct signkey {
  EVP_PKEY *pkey;
  bool is_ec;
  char id[SIGNKEY_ID_BYTES];
  char x[48], y[48]; /* x and y are the public coordinates in base64url; y "" for Ed25519. */
};

struct signkey *signkey_free(struct signkey *k) {
  if (!k)
    return NULL;
  EVP_PKEY_free(k->pkey);
  free(k);
  return NULL;
}

static int pem_write(int fd, EVP_PKEY *pkey) {
  FILE *f = fdopen(fd, "w");
  if (!f) {
    close(fd);
    return -ENOMEM;
  }
  int ok = PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL) && fflush(f) == 0 && fsync(fd) == 0;
  return fclose(f) == 0 && ok ? 0 : -EIO;
}

/* Under a name of its own first, so that a crash leaves no half key. */
static int signkey_make(const char *file) {
  char tmp[4096];
  if (snprintf(tmp, sizeof(tmp), "%s.new", file) >= (int)sizeof(tmp))
    return -ENAMETOOLONG;
  EVP_PKEY *pkey = EVP_EC_gen("P-256");
  if (!pkey)
    return -EIO;
  (void)unlink(tmp);
  int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  int r = fd < 0 ? -errno : pem_write(fd, pkey);
  EVP_PKEY_free(pkey);
  if (r == 0 && rename(tmp, file) < 0)
    r = -errno;
  return r;
}

static int signkey_read(struct signkey *k, const char *file) {
  struct stat st;
  FILE *f = fopen(file, "re");
  if (!f)
    return -errno;
  if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || st.st_mode & 077) {
    fclose(f);
    return -EPERM;
  }
  k->pkey = PEM_read_PrivateKey(f, NULL, NULL, NULL);
  fclose(f);
  if (!k->pkey)
    return -EINVAL;
  k->is_ec = EVP_PKEY_is_a(k->pkey, "EC");
  return k->is_ec || EVP_PKEY_is_a(k->pkey, "ED25519") ? 0 : -EINVAL;
}

static int signkey_point(struct signkey *k) {
  uint8_t pub[65];
  size_t n = sizeof(pub);
  char group[32] = "";
  if (!k->is_ec) {
    if (!EVP_PKEY_get_raw_public_key(k->pkey, pub, &n) || n != 32)
      return -EINVAL;
    base64_encode(k->x, pub, 32, true);
    return 0;
  }
  if (!EVP_PKEY_get_utf8_string_param(k->pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL) ||
      strcmp(group, "prime256v1") != 0 ||
      !EVP_PKEY_get_octet_string_param(k->pkey, OSSL_PKEY_PARAM_PUB_KEY, pub, sizeof(pub), &n) ||
      n != 65 || pub[0] != 4)
    return -EINVAL;
  base64_encode(k->x, pub + 1, 32, true);
  base64_encode(k->y, pub + 33, 32, true);
  return 0;
}

/* RFC 7638: the required members in lexical order. */
static void signkey_name(struct signkey *k) {
  char text[200];
  uint8_t hash[HMAC_SHA256_BYTES];
  if (k->is_ec)
    snprintf(text, sizeof(text), "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", k->x,
             k->y);
  else
    snprintf(text, sizeof(text), "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", k->x);
  hash_sha256(slice_of(text), hash);
  base64_encode(k->id, hash, 24, true); /* 192 bits name a key well enough */
}

int signkey_load(struct signkey **ret_key, const char *file) {
  own(signkey) k = calloc(1, sizeof(*k));
  if (!k)
    return -ENOMEM;
  int r = signkey_read(k, file);
  if (r == -ENOENT) {
    r = signkey_make(file);
    if (r == 0)
      r = signkey_read(k, file);
  }
  if (r == 0)
    r = signkey_point(k);
  if (r < 0)
    return r;
  signkey_name(k);
  *ret_key = take(k);
  return 0;
}

const char *signkey_algorithm(const struct signkey *k) { return k->is_ec ? "ES256" : "EdDSA"; }
const char *signkey_id(const struct signkey *k) { return k->id; }

/* DER to the two fixed 32-byte numbers of RFC 7518. */
static int es256_raw(const uint8_t *der, size_t n, uint8_t ret[SIGNKEY_SIGNATURE_BYTES]) {
  ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
  if (!sig)
    return -EIO;
  int ok = BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, 32) == 32 &&
           BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + 32, 32) == 32;
  ECDSA_SIG_free(sig);
  return ok ? 0 : -EIO;
}

static size_t es256_der(const uint8_t *raw, uint8_t *der) {
  ECDSA_SIG *sig = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(raw, 32, NULL), *s = BN_bin2bn(raw + 32, 32, NULL);
  int n = 0;
  if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
    r = s = NULL;
    n = i2d_ECDSA_SIG(sig, &der);
  }
  BN_free(r);
  BN_free(s);
  ECDSA_SIG_free(sig);
  return n > 0 ? (size_t)n : 0;
}

int signkey_sign(const struct signkey *k, struct slice text, uint8_t ret[SIGNKEY_SIGNATURE_BYTES]) {
  uint8_t out[80];
  size_t n = sizeof(out);
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  int ok = ctx && EVP_DigestSignInit(ctx, NULL, k->is_ec ? EVP_sha256() : NULL, NULL, k->pkey) == 1 &&
           EVP_DigestSign(ctx, out, &n, (const uint8_t *)text.p, text.n) == 1;
  EVP_MD_CTX_free(ctx);
  if (!ok)
    return -EIO;
  if (k->is_ec)
    return es256_raw(out, n, ret);
  if (n != SIGNKEY_SIGNATURE_BYTES)
    return -EIO;
  memcpy(ret, out, n);
  return 0;
}

bool signkey_verify(const struct signkey *k, struct slice text, struct slice signature) {
  uint8_t der[80];
  const uint8_t *sig = (const uint8_t *)signature.p;
  size_t n = signature.n;
  if (n != SIGNKEY_SIGNATURE_BYTES)
    return false;
  if (k->is_ec) {
    n = es256_der(sig, der);
    sig = der;
  }
  EVP_MD_CTX *ctx = n ? EVP_MD_CTX_new() : NULL;
  bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, k->is_ec ? EVP_sha256() : NULL, NULL, k->pkey) == 1 &&
            EVP_DigestVerify(ctx, sig, n, (const uint8_t *)text.p, text.n) == 1;
  EVP_MD_CTX_free(ctx);
  return ok;
}

json_t *signkey_jwk(const struct signkey *k) {
  json_t *j = json_object();
  json_object_set_new(j, "kty", json_string(k->is_ec ? "EC" : "OKP"));
  json_object_set_new(j, "crv", json_string(k->is_ec ? "P-256" : "Ed25519"));
  json_object_set_new(j, "x", json_string(k->x));
  if (k->is_ec)
    json_object_set_new(j, "y", json_string(k->y));
  json_object_set_new(j, "use", json_string("sig"));
  json_object_set_new(j, "alg", json_string(signkey_algorithm(k)));
  json_object_set_new(j, "kid", json_string(k->id));
  return j;
}
