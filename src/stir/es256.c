/* SPDX-License-Identifier: Apache-2.0
 * Keys and certificates of PASSporTs. See es256.h. */
#include "stir/es256.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { CHAIN_MAX = 8 };
#define TN_AUTH_LIST "1.3.6.1.5.5.7.1.26"

static int der_of(const uint8_t raw[PASSPORT_SIG_BYTES], uint8_t **ret, int *ret_n) {
  ECDSA_SIG *s = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(raw, 32, NULL), *v = BN_bin2bn(raw + 32, 32, NULL);
  if (!s || !r || !v || !ECDSA_SIG_set0(s, r, v)) {
    BN_free(r);
    BN_free(v);
    ECDSA_SIG_free(s);
    return -ENOMEM;
  }
  *ret = NULL;
  *ret_n = i2d_ECDSA_SIG(s, ret);
  ECDSA_SIG_free(s);
  return *ret_n > 0 ? 0 : -ENOMEM;
}

int es256_verify(EVP_PKEY *key, struct slice text, const uint8_t signature[PASSPORT_SIG_BYTES]) {
  uint8_t *der;
  int n;
  if (der_of(signature, &der, &n) < 0)
    return -EKEYREJECTED;
  EVP_MD_CTX *c = EVP_MD_CTX_new();
  bool is_good = c && EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
                 EVP_DigestVerify(c, der, (size_t)n, (const uint8_t *)text.p, text.n) == 1;
  EVP_MD_CTX_free(c);
  OPENSSL_free(der);
  ERR_clear_error();
  return is_good ? 0 : -EKEYREJECTED;
}

static int raw_of(const uint8_t *der, size_t n, uint8_t ret[PASSPORT_SIG_BYTES]) {
  ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)n);
  bool is_good = s && BN_bn2binpad(ECDSA_SIG_get0_r(s), ret, 32) == 32 &&
                 BN_bn2binpad(ECDSA_SIG_get0_s(s), ret + 32, 32) == 32;
  ECDSA_SIG_free(s);
  return is_good ? 0 : -EKEYREJECTED;
}

int es256_sign(EVP_PKEY *key, struct slice text, uint8_t ret_signature[PASSPORT_SIG_BYTES]) {
  uint8_t der[128];
  size_t n = sizeof der;
  EVP_MD_CTX *c = EVP_MD_CTX_new();
  bool is_good = c && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
                 EVP_DigestSign(c, der, &n, (const uint8_t *)text.p, text.n) == 1;
  EVP_MD_CTX_free(c);
  return is_good ? raw_of(der, n, ret_signature) : -EKEYREJECTED;
}

static bool is_p256(const EVP_PKEY *key) {
  char group[32];
  size_t n;
  return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, group, sizeof group, &n) == 1 && !strcmp(group, "prime256v1");
}

int es256_load(EVP_PKEY **ret, const char *certificate, const char *key, char *why, size_t why_bytes) {
  FILE *fc = fopen(certificate, "re"), *fk = fopen(key, "re");
  X509 *c = fc ? PEM_read_X509(fc, NULL, NULL, NULL) : NULL;
  EVP_PKEY *k = fk ? PEM_read_PrivateKey(fk, NULL, NULL, NULL) : NULL;
  const char *fault = !c                                  ? "the certificate cannot be read"
                      : !k                                ? "the key cannot be read"
                      : !is_p256(k)                       ? "the key is not of curve P-256"
                      : X509_check_private_key(c, k) != 1 ? "the key is not the certificate's"
                                                          : NULL;
  if (fc)
    fclose(fc);
  if (fk)
    fclose(fk);
  X509_free(c);
  ERR_clear_error();
  if (!fault) {
    *ret = k;
    return 0;
  }
  EVP_PKEY_free(k);
  snprintf(why, why_bytes, "%s: %s", c ? key : certificate, fault);
  return -EINVAL;
}

X509_STORE *roots_load(const char *file) {
  X509_STORE *s = X509_STORE_new();
  if (s && X509_STORE_load_file(s, file) == 1)
    return s;
  X509_STORE_free(s);
  ERR_clear_error();
  return NULL;
}

static STACK_OF(X509) * chain_read(struct slice pem) {
  STACK_OF(X509) *all = sk_X509_new_null();
  BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
  X509 *c;
  while (all && b && sk_X509_num(all) < CHAIN_MAX && (c = PEM_read_bio_X509(b, NULL, NULL, NULL)))
    if (!sk_X509_push(all, c))
      X509_free(c);
  BIO_free(b);
  ERR_clear_error();
  return all;
}

static const ASN1_OCTET_STRING *numbers_of(const X509 *c) {
  ASN1_OBJECT *oid = OBJ_txt2obj(TN_AUTH_LIST, 1);
  int at = oid ? X509_get_ext_by_OBJ(c, oid, -1) : -1;
  X509_EXTENSION *e = at >= 0 ? X509_get_ext(c, at) : NULL;
  const ASN1_OCTET_STRING *value = e ? X509_EXTENSION_get_data(e) : NULL;
  ASN1_OBJECT_free(oid);
  return value;
}

static bool has_numbers(const X509 *c) {
  const ASN1_OCTET_STRING *value = numbers_of(c);
  /* a SEQUENCE with at least one entry */
  return value && ASN1_STRING_length(value) > 2 && ASN1_STRING_get0_data(value)[0] == 0x30;
}

static bool leads_to(X509 *leaf, STACK_OF(X509) * all, X509_STORE *roots, int64_t at_s) {
  X509_STORE_CTX *x = X509_STORE_CTX_new();
  bool is_good = x && X509_STORE_CTX_init(x, roots, leaf, all) == 1;
  if (is_good) {
    X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(x);
    X509_VERIFY_PARAM_set_time(p, (time_t)at_s);
    X509_VERIFY_PARAM_set_depth(p, CHAIN_MAX);
    is_good = X509_verify_cert(x) == 1;
  }
  X509_STORE_CTX_free(x);
  ERR_clear_error();
  return is_good;
}

static int64_t end_of(const X509 *c) {
  struct tm tm;
  return ASN1_TIME_to_tm(X509_get0_notAfter(c), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

char *chain_numbers(struct slice pem, size_t *ret_n) {
  STACK_OF(X509) *all = chain_read(pem);
  X509 *leaf = all && sk_X509_num(all) ? sk_X509_value(all, 0) : NULL;
  const ASN1_OCTET_STRING *value = leaf ? numbers_of(leaf) : NULL;
  char *der = value ? malloc((size_t)ASN1_STRING_length(value) + 1) : NULL;
  *ret_n = der ? (size_t)ASN1_STRING_length(value) : 0;
  if (der)
    memcpy(der, ASN1_STRING_get0_data(value), *ret_n);
  sk_X509_pop_free(all, X509_free);
  return der;
}

int chain_key(struct slice pem, X509_STORE *roots, int64_t at_s, EVP_PKEY **ret_key, int64_t *ret_end_s,
              const char **ret_why) {
  STACK_OF(X509) *all = chain_read(pem);
  X509 *leaf = all && sk_X509_num(all) ? sk_X509_value(all, 0) : NULL;
  EVP_PKEY *key = leaf ? X509_get_pubkey(leaf) : NULL;
  *ret_why = !leaf                               ? "no certificate was found there"
             : !is_p256(key)                     ? "its key is not of curve P-256"
             : !has_numbers(leaf)                ? "it has no TNAuthList"
             : !leads_to(leaf, all, roots, at_s) ? "it does not lead to stir.roots, or has expired"
                                                 : NULL;
  if (*ret_why) {
    EVP_PKEY_free(key);
  } else {
    *ret_key = key;
    *ret_end_s = end_of(leaf);
  }
  bool has_leaf = leaf != NULL;
  sk_X509_pop_free(all, X509_free);
  ERR_clear_error();
  return !*ret_why ? 0 : has_leaf ? -EKEYREJECTED : -EBADMSG;
}
