/* SPDX-License-Identifier: Apache-2.0
 * Does a private key belong to a certificate? For --check-config; the server itself would find out at
 * its start. Any thread. */
#include "web/web.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

static FILE *file_open(const char *path, char *why, size_t why_bytes) {
  FILE *f = fopen(path, "re");
  if (!f)
    snprintf(why, why_bytes, "%s: %s", path, strerror(errno));
  return f;
}

static X509 *cert_read(const char *path, char *why, size_t why_bytes) {
  FILE *f = file_open(path, why, why_bytes);
  X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
  if (f && !x)
    snprintf(why, why_bytes, "%s: no certificate in PEM", path);
  if (f)
    fclose(f);
  return x;
}

static EVP_PKEY *key_read(const char *path, char *why, size_t why_bytes) {
  FILE *f = file_open(path, why, why_bytes);
  EVP_PKEY *k = f ? PEM_read_PrivateKey(f, NULL, NULL, (void *)"") : NULL;
  if (f && !k)
    snprintf(why, why_bytes, "%s: no private key in PEM, or an encrypted one", path);
  if (f)
    fclose(f);
  return k;
}

int web_ca_check(const char *file, char *why, size_t why_bytes) {
  X509 *x = cert_read(file, why, why_bytes);
  int r = x ? 0 : -EINVAL;
  X509_free(x);
  return r;
}

int web_pair_check(const char *cert_file, const char *key_file, char *why, size_t why_bytes) {
  X509 *x = cert_read(cert_file, why, why_bytes);
  EVP_PKEY *k = x ? key_read(key_file, why, why_bytes) : NULL;
  int r = x && k ? 0 : -EINVAL;
  if (r == 0 && X509_check_private_key(x, k) != 1) {
    snprintf(why, why_bytes, "%s is not the key of %s", key_file, cert_file);
    r = -EINVAL;
  }
  EVP_PKEY_free(k);
  X509_free(x);
  return r;
}
