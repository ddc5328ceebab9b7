/* SPDX-License-Identifier: Apache-2.0
 * What dtls.c, dtlscert.c and dtlsbio.c share; inside flow only. */
#pragma once
#include "flow/dtls.h"

#include <openssl/ssl.h>

struct dtls_datagram {
  struct dtls_datagram *next;
  size_t n;
  uint8_t bytes[];
};

/* Datagrams in a row, with their borders; at most max of them. */
struct dtls_queue {
  struct dtls_datagram *first, *last;
  size_t count, max;
};
bool dtls_queue_put(struct dtls_queue *q, const void *p, size_t n); /* false: full, or no memory */
struct dtls_datagram *dtls_queue_take(struct dtls_queue *q); /* the caller frees it; NULL: empty */
void dtls_queue_clear(struct dtls_queue *q);

/* The cookie of an association under suspicion (dtlscookie.c). */
enum { DTLS_COOKIE_BYTES = 16 };
void dtls_cookie_make(uint8_t cookie[DTLS_COOKIE_BYTES]);
bool dtls_cookie_fits(const uint8_t cookie[DTLS_COOKIE_BYTES], struct slice shown);
size_t dtls_cookie_request(const uint8_t cookie[DTLS_COOKIE_BYTES], uint8_t *buf, size_t room);
/* A ClientHello without a cookie: what a server object has to see before the one with. */
size_t dtls_cookie_first_hello(uint8_t *buf, size_t room);

/* A BIO over two queues: reads are datagrams of in, writes become datagrams of out. */
BIO *dtls_bio_new(struct dtls_queue *in, struct dtls_queue *out);
SSL_CTX *dtls_ctx_new(void); /* without a certificate; NULL on failure */
SSL_CTX *dtlscert_ctx(const struct dtlscert *c);
bool dtls_fingerprint_fits(const struct dtls_fingerprint *f, const X509 *x);
