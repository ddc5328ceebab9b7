/* SPDX-License-Identifier: Apache-2.0
 * Certificates for tests, made on the spot: roots, leaves with any subject alternative names, files. */
#pragma once
#include "base/own.h"

#include <openssl/x509.h>

struct certmake {
  X509 *cert;
  EVP_PKEY *key;
};

struct certmake_wish {
  const char *san;   /* san is OpenSSL's text, "DNS:a.test,IP:127.0.0.1"; NULL: none, with cn only. */
  const char *cn;    /* cn is the common name; NULL: "test". */
  const char *usage; /* usage is an extended key usage, "clientAuth"; NULL: none. */
  bool ca;
  long start_s, end_s; /* from now; 0, 0: an hour ago to a day ahead */
};

/* issuer NULL: self-signed. Aborts when OpenSSL does: it is a test. */
struct certmake certmake(const struct certmake *issuer, const struct certmake_wish *w);
void certmake_done(struct certmake *c);
/* dir/name.pem (the certificate, then the others up to a NULL) and, with key, dir/name.key (mode). */
void certmake_chain(const char *dir, const char *name, const struct certmake *const *chain);
void certmake_key(const char *dir, const char *name, const struct certmake *c, unsigned mode);
/* A path in a buffer that is reused after eight calls. */
const char *certmake_path(const char *dir, const char *name, const char *suffix);
