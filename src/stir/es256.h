/* SPDX-License-Identifier: Apache-2.0
 * Keys and certificates of PASSporTs: ES256 with raw signatures, a certificate's chain to the
 * operator's roots, what numbers it speaks for. Inside stir. Any thread, each object one at a time.
 * RFC 7518 3.4, RFC 8226. */
#pragma once
#include "stir/passport.h"

#include <openssl/x509.h>

/* 0 or -EKEYREJECTED */
int es256_verify(EVP_PKEY *key, struct slice text,
                 const uint8_t signature[PASSPORT_SIG_BYTES]) must_check;
int es256_sign(EVP_PKEY *key, struct slice text, uint8_t ret_signature[PASSPORT_SIG_BYTES]) must_check;
/* The key of PEM files, which must be on P-256 and the certificate's. -EINVAL and a sentence. */
int es256_load(EVP_PKEY **ret, const char *certificate, const char *key, char *why,
               size_t why_bytes) must_check;
X509_STORE *roots_load(const char *file); /* NULL: cannot be read, or holds none */
/* Its first certificate's TNAuthList, for tnauth_covers(); on the heap, NULL: none. */
char *chain_numbers(struct slice pem, size_t *ret_n) must_check;
/* The first certificate of a PEM text, with the others as its chain, led to the roots at that time: its
 * key, when it ends. It must have a TNAuthList (RFC 8226). 0; -EBADMSG no certificates; -EKEYREJECTED
 * with a word in *ret_why. */
int chain_key(struct slice pem, X509_STORE *roots, int64_t at_s, EVP_PKEY **ret_key, int64_t *ret_end_s,
              const char **ret_why) must_check;
