/* SPDX-License-Identifier: Apache-2.0
 * Credential sets: see creds.h. Made and swapped on the call thread or a reload's, read by the
 * handshake threads. TLS 1.2 with ECDHE and AEAD, or 1.3; no renegotiation, no resumption: trunks
 * connect rarely, and each connection then proves its certificate. RFC 9325. */
#include "trunk/creds.h"

#include "trunk/peername.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 1 << 20, CHAIN_MAX = 8 };
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

struct creds {
  atomic_int holders;
  struct creds_limits limits;
  bool tls13_only;
  size_t n; /* n counts ctx; one without a certificate if there is none */
  bool blank;
  SSL_CTX *ctx[PROFILE_CERTS];
  struct peernames names[PROFILE_CERTS];
  int64_t ends_s[PROFILE_CERTS]; /* ends_s is when each of ctx's certificates ends. */
  X509_STORE *roots;
  STACK_OF(X509_NAME) * root_names;
  int64_t expiry_s;
};

static int fail(int error, char *why, size_t bytes, const char *format, ...) printf_like(4, 5);
static int fail(int error, char *why, size_t bytes, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  if (why && bytes)
    vsnprintf(why, bytes, format, ap);
  va_end(ap);
  ERR_clear_error();
  return error;
}

/* A regular file as a memory BIO: what is checked is what is read. */
static int file_read(BIO **ret, const char *path, bool secret, char *why, size_t bytes) {
  struct stat st;
  own_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0)
    return fail(errno == EACCES ? -EACCES : -EINVAL, why, bytes, "%s: %s", path, strerror(errno));
  if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX)
    return fail(-EINVAL, why, bytes, "%s: not a regular file of at most 1 MiB", path);
  if (secret && (st.st_mode & 077))
    return fail(-EACCES, why, bytes, "%s: a private key that others may read (mode %04o, expected 0600)",
                path, (unsigned)(st.st_mode & 07777));
  size_t size = (size_t)st.st_size;
  char *text = malloc(size + 1);
  ssize_t got = text ? read(fd, text, size) : -1;
  BIO *b = got > 0 ? BIO_new(BIO_s_secmem()) : NULL;
  if (b && BIO_write(b, text, (int)got) != (int)got) {
    BIO_free(b);
    b = NULL;
  }
  if (text)
    explicit_bzero(text, size);
  free(text);
  if (!b)
    return fail(-EINVAL, why, bytes, "%s: empty or not readable", path);
  *ret = b;
  return 0;
}

static int no_password(char *buf, int size, int write, void *arg) {
  (void)buf, (void)size, (void)write;
  *(bool *)arg = true;
  return -1;
}

static int key_load(EVP_PKEY **ret, const char *path, char *why, size_t bytes) {
  BIO *b = NULL;
  bool encrypted = false;
  int r = file_read(&b, path, true, why, bytes);
  if (r)
    return r;
  *ret = PEM_read_bio_PrivateKey(b, NULL, no_password, &encrypted);
  BIO_free(b);
  if (*ret)
    return 0;
  return fail(-EINVAL, why, bytes, "%s: %s", path,
              encrypted ? "an encrypted private key (expected one without a password)"
                        : "no private key in PEM form");
}

static int chain_load(STACK_OF(X509) * *ret, const char *path, char *why, size_t bytes) {
  BIO *b = NULL;
  X509 *cert;
  int r = file_read(&b, path, false, why, bytes);
  if (r)
    return r;
  STACK_OF(X509) *all = sk_X509_new_null();
  while (all && sk_X509_num(all) <= CHAIN_MAX && (cert = PEM_read_bio_X509(b, NULL, NULL, NULL)))
    if (!sk_X509_push(all, cert))
      X509_free(cert);
  BIO_free(b);
  bool clean = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (all && clean && sk_X509_num(all) > 0 && sk_X509_num(all) <= CHAIN_MAX) {
    *ret = all;
    return 0;
  }
  sk_X509_pop_free(all, X509_free);
  return fail(-EINVAL, why, bytes, "%s: expected 1 to %d certificates in PEM form", path, CHAIN_MAX);
}

static int choose_by_name(SSL *ssl, int *alert, void *arg) {
  (void)alert, (void)arg;
  const struct creds *c = SSL_get_app_data(ssl);
  const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  for (size_t i = 0; c && host && i < c->n; i++)
    if (peernames_have(&c->names[i], slice_of(host))) {
      SSL_set_SSL_CTX(ssl, c->ctx[i]);
      break;
    }
  return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *ctx_new(const struct creds *c) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_method());
  if (!ctx)
    return NULL;
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_tlsext_servername_callback(ctx, choose_by_name);
  if (!SSL_CTX_set_min_proto_version(ctx, c->tls13_only ? TLS1_3_VERSION : TLS1_2_VERSION) ||
      !SSL_CTX_set_cipher_list(ctx, CIPHERS_12) || !SSL_CTX_set_num_tickets(ctx, 0)) {
    SSL_CTX_free(ctx);
    return NULL;
  }
  SSL_CTX_set1_cert_store(ctx, c->roots);
  return ctx;
}

static int64_t expiry_of(const X509 *cert) {
  struct tm tm;
  return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) ? (int64_t)timegm(&tm) : 0;
}

/* Takes nothing over: OpenSSL counts its holds of the leaf, the key and the chain. */
static int cert_add(struct creds *c, X509 *leaf, EVP_PKEY *key, STACK_OF(X509) * rest) {
  SSL_CTX *ctx = ctx_new(c);
  if (!ctx)
    return -ENOMEM;
  c->ctx[c->n++] = ctx;
  int64_t end = expiry_of(leaf);
  c->ends_s[c->n - 1] = end;
  if (!c->expiry_s || end < c->expiry_s)
    c->expiry_s = end;
  if (SSL_CTX_use_cert_and_key(ctx, leaf, key, rest, 1) != 1)
    return -EINVAL;
  return peernames_read(&c->names[c->n - 1], leaf);
}

static int cert_load(struct creds *c, const struct profile_cert *f, char *why, size_t bytes) {
  STACK_OF(X509) *chain = NULL;
  EVP_PKEY *key = NULL;
  int r = chain_load(&chain, f->chain_file, why, bytes);
  if (!r)
    r = key_load(&key, f->key_file, why, bytes);
  if (!r) {
    X509 *leaf = sk_X509_shift(chain);
    if (X509_check_private_key(leaf, key) != 1)
      r = fail(-EINVAL, why, bytes, "%s: is not the key of the first certificate in %s", f->key_file,
               f->chain_file);
    else if ((r = cert_add(c, leaf, key, chain)))
      fail(r, why, bytes, "%s: OpenSSL refuses it (too weak, or no memory)", f->chain_file);
    X509_free(leaf);
  }
  sk_X509_pop_free(chain, X509_free);
  EVP_PKEY_free(key);
  return r;
}

static int roots_load(struct creds *c, const char *path, char *why, size_t bytes) {
  BIO *b = NULL;
  X509 *cert;
  int r = path ? file_read(&b, path, false, why, bytes) : 0, n = 0;
  c->roots = X509_STORE_new();
  c->root_names = sk_X509_NAME_new_null();
  if (r || !path || !c->roots || !c->root_names) {
    BIO_free(b);
    return r ? r : c->roots && c->root_names ? 0 : -ENOMEM;
  }
  while ((cert = PEM_read_bio_X509(b, NULL, NULL, NULL))) {
    X509_NAME *name = X509_NAME_dup(X509_get_subject_name(cert));
    if (name && !sk_X509_NAME_push(c->root_names, name))
      X509_NAME_free(name);
    n += X509_STORE_add_cert(c->roots, cert);
    X509_free(cert);
  }
  BIO_free(b);
  bool clean = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  return n && clean ? 0 : fail(-EINVAL, why, bytes, "%s: no trusted roots in PEM form", path);
}

static struct creds *creds_new(const struct profile_settings *s) {
  struct creds *c = calloc(1, sizeof(*c));
  if (!c)
    return NULL;
  atomic_init(&c->holders, 1);
  c->tls13_only = s->tls13_only;
  c->limits = (struct creds_limits){
      .mtls = s->mtls,
      .deadline_us = (s->handshake_ms ? s->handshake_ms : 5000) * UINT64_C(1000),
      .max_shakes = s->max_shakes ? s->max_shakes : 256,
      .max_shakes_source = s->max_shakes_source ? s->max_shakes_source : 16,
  };
  return c;
}

/* The client certificate without one is a context of its own. */
static int blank_add(struct creds *c) {
  if (c->n)
    return 0;
  c->blank = true;
  c->ctx[0] = ctx_new(c);
  c->n = c->ctx[0] ? 1 : 0;
  return c->n ? 0 : -ENOMEM;
}

int creds_load(struct creds **ret_creds, const struct profile_settings *s, char *why, size_t why_bytes) {
  if (s->certs > PROFILE_CERTS)
    return fail(-EINVAL, why, why_bytes, "more than %d certificates", PROFILE_CERTS);
  if (s->mtls != MTLS_OFF && !s->ca_file)
    return fail(-EINVAL, why, why_bytes, "client certificates are asked for, but no roots are given");
  own(creds) c = creds_new(s);
  if (!c)
    return fail(-ENOMEM, why, why_bytes, "no memory");
  int r = roots_load(c, s->ca_file, why, why_bytes);
  for (size_t i = 0; !r && i < s->certs; i++)
    r = cert_load(c, &s->cert[i], why, why_bytes);
  if (!r && (r = blank_add(c)))
    fail(r, why, why_bytes, "no memory");
  if (!r)
    *ret_creds = take(c);
  return r;
}

static int self_sign(X509 *x, EVP_PKEY *key, const char *name) {
  char san[PEERNAME_BYTES + 8];
  snprintf(san, sizeof(san), "DNS:%s", name);
  X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
  X509_NAME *n = X509_get_subject_name(x);
  bool good =
      e && X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
      X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
      X509_gmtime_adj(X509_getm_notAfter(x), 24 * 3600) && X509_set_pubkey(x, key) &&
      X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) &&
      X509_set_issuer_name(x, n) && X509_add_ext(x, e, -1) && X509_sign(x, key, EVP_sha256());
  X509_EXTENSION_free(e);
  return good ? 0 : -EINVAL;
}

int creds_selfmade(struct creds **ret_creds, const char *name) {
  const struct profile_settings s = {.mtls = MTLS_REQUIRED};
  own(creds) c = creds_new(&s);
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *x = X509_new();
  int r = c && key && x ? self_sign(x, key, name) : -ENOMEM;
  if (!r)
    r = roots_load(c, NULL, NULL, 0);
  if (!r && !X509_STORE_add_cert(c->roots, x))
    r = -ENOMEM;
  if (!r)
    r = cert_add(c, x, key, NULL);
  X509_free(x);
  EVP_PKEY_free(key);
  if (!r)
    *ret_creds = take(c);
  return r;
}

struct creds *creds_hold(struct creds *c) {
  atomic_fetch_add(&c->holders, 1);
  return c;
}

struct creds *creds_free(struct creds *c) {
  if (!c || atomic_fetch_sub(&c->holders, 1) != 1)
    return NULL;
  for (size_t i = 0; i < c->n; i++) {
    SSL_CTX_free(c->ctx[i]);
    peernames_done(&c->names[i]);
  }
  X509_STORE_free(c->roots);
  sk_X509_NAME_pop_free(c->root_names, X509_NAME_free);
  free(c);
  return NULL;
}

const struct creds_limits *creds_limits_of(const struct creds *c) { return &c->limits; }
int64_t creds_expiry_s(const struct creds *c) { return c->expiry_s; }

/* The certificate for a name of ours; the first where none has it. */
static size_t place_of(const struct creds *c, const char *own_name) {
  for (size_t i = 0; own_name && *own_name && i < c->n; i++)
    if (peernames_have(&c->names[i], slice_of(own_name)))
      return i;
  return 0;
}

int64_t creds_name_expiry_s(const struct creds *c, const char *own_name) {
  return c->ends_s[place_of(c, own_name)];
}

bool creds_differ(const struct creds *c, const char *a, const char *b) {
  return place_of(c, a) != place_of(c, b);
}

/* Version, options and verify mode of an SSL stay when SNI switches its context. */
SSL *creds_ssl(struct creds *c, bool accepted, const char *own_name) {
  if (accepted && c->blank)
    return NULL;
  SSL *ssl = SSL_new(c->ctx[accepted ? 0 : place_of(c, own_name)]);
  if (!ssl)
    return NULL;
  SSL_set_app_data(ssl, c);
  if (!accepted) {
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_set_connect_state(ssl);
    return ssl;
  }
  SSL_set_accept_state(ssl);
  SSL_set_verify(ssl,
                 c->limits.mtls == MTLS_OFF        ? SSL_VERIFY_NONE
                 : c->limits.mtls == MTLS_REQUIRED ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                                                   : SSL_VERIFY_PEER,
                 NULL);
  /* Carriers show their server certificates as clients: the purpose is ours to judge. */
  X509_VERIFY_PARAM_set_purpose(SSL_get0_param(ssl), X509_PURPOSE_ANY);
  STACK_OF(X509_NAME) *names = c->limits.mtls == MTLS_OFF ? NULL : SSL_dup_CA_list(c->root_names);
  if (names)
    SSL_set_client_CA_list(ssl, names);
  return ssl;
}
