/* SPDX-License-Identifier: Apache-2.0
 * Certificates for tests: see certmake.h. */
#include "certmake.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

static void need(bool good, const char *what) {
  if (!good) {
    fprintf(stderr, "certmake: %s\n", what);
    abort();
  }
}

static void extend(X509 *x, X509 *issuer, int nid, const char *value) {
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
  X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  need(e && X509_add_ext(x, e, -1), value);
  X509_EXTENSION_free(e);
}

struct certmake certmake(const struct certmake *issuer, const struct certmake_wish *w) {
  static long serial = 100;
  struct certmake c = {X509_new(), EVP_EC_gen("P-256")};
  need(c.cert && c.key, "no memory");
  const char *cn = w->cn ? w->cn : "test";
  X509_set_version(c.cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(c.cert), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(c.cert), w->start_s || w->end_s ? w->start_s : -3600);
  X509_gmtime_adj(X509_getm_notAfter(c.cert), w->start_s || w->end_s ? w->end_s : 86400);
  X509_set_pubkey(c.cert, c.key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(c.cert), "CN", MBSTRING_ASC,
                             (const unsigned char *)cn, -1, -1, 0);
  X509_set_issuer_name(c.cert, X509_get_subject_name(issuer ? issuer->cert : c.cert));
  if (w->ca)
    extend(c.cert, c.cert, NID_basic_constraints, "critical,CA:TRUE");
  if (w->san)
    extend(c.cert, c.cert, NID_subject_alt_name, w->san);
  if (w->usage)
    extend(c.cert, c.cert, NID_ext_key_usage, w->usage);
  need(X509_sign(c.cert, issuer ? issuer->key : c.key, EVP_sha256()) > 0, "sign");
  return c;
}

void certmake_done(struct certmake *c) {
  X509_free(c->cert);
  EVP_PKEY_free(c->key);
  *c = (struct certmake){NULL, NULL};
}

const char *certmake_path(const char *dir, const char *name, const char *suffix) {
  static char path[8][256];
  static unsigned at;
  char *p = path[at++ % 8];
  snprintf(p, sizeof(path[0]), "%s/%s%s", dir, name, suffix);
  return p;
}

void certmake_chain(const char *dir, const char *name, const struct certmake *const *chain) {
  FILE *f = fopen(certmake_path(dir, name, ".pem"), "w");
  need(f, "open");
  for (; *chain; chain++)
    need(PEM_write_X509(f, (*chain)->cert), "write");
  fclose(f);
}

void certmake_key(const char *dir, const char *name, const struct certmake *c, unsigned mode) {
  const char *path = certmake_path(dir, name, ".key");
  FILE *f = fopen(path, "w");
  need(f && PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL), "write key");
  fclose(f);
  need(!chmod(path, mode), "chmod");
}
