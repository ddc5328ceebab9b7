/* SPDX-License-Identifier: Apache-2.0
 * A BIO that keeps datagram borders: libcrypto's memory BIO joins records. One owner thread. */
#include "flow/dtls_inside.h"

#include <openssl/bio.h>
#include <pthread.h>

struct ends {
  struct dtls_queue *in, *out;
};

bool dtls_queue_put(struct dtls_queue *q, const void *p, size_t n) {
  struct dtls_datagram *d = q->count < q->max ? malloc(sizeof(*d) + n) : NULL;
  if (!d)
    return false;
  d->next = NULL;
  d->n = n;
  memcpy(d->bytes, p, n);
  if (q->last)
    q->last->next = d;
  else
    q->first = d;
  q->last = d;
  q->count++;
  return true;
}

struct dtls_datagram *dtls_queue_take(struct dtls_queue *q) {
  struct dtls_datagram *d = q->first;
  if (!d)
    return NULL;
  q->first = d->next;
  if (!q->first)
    q->last = NULL;
  q->count--;
  return d;
}

void dtls_queue_clear(struct dtls_queue *q) {
  struct dtls_datagram *d;
  while ((d = dtls_queue_take(q)))
    free(d);
}

/* A datagram longer than the buffer is cut, as recv() would. */
static int bio_read(BIO *b, char *buf, int room) {
  struct ends *e = BIO_get_data(b);
  BIO_clear_retry_flags(b);
  struct dtls_datagram *d = dtls_queue_take(e->in);
  if (!d) {
    BIO_set_retry_read(b);
    return -1;
  }
  size_t n = d->n < (size_t)room ? d->n : (size_t)room;
  memcpy(buf, d->bytes, n);
  free(d);
  return (int)n;
}

/* What finds no room is lost, as on a wire. */
static int bio_write(BIO *b, const char *p, int n) {
  struct ends *e = BIO_get_data(b);
  BIO_clear_retry_flags(b);
  if (n > 0)
    dtls_queue_put(e->out, p, (size_t)n);
  return n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr) {
  (void)ptr;
  (void)num;
  struct ends *e = BIO_get_data(b);
  switch (cmd) {
  case BIO_CTRL_FLUSH:
    return 1;
  case BIO_CTRL_PENDING:
    return e->in->first ? (long)e->in->first->n : 0;
  case BIO_CTRL_DGRAM_QUERY_MTU:
  case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
    return DTLS_DATAGRAM_BYTES;
  default:
    return 0;
  }
}

static int bio_destroy(BIO *b) {
  free(BIO_get_data(b));
  BIO_set_data(b, NULL);
  return 1;
}

/* The table of functions above: made once, never freed, as BIOs may live to the end. */
static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static void bio_method_make(void) {
  BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
  if (!m)
    return;
  BIO_meth_set_read(m, bio_read);
  BIO_meth_set_write(m, bio_write);
  BIO_meth_set_ctrl(m, bio_ctrl);
  BIO_meth_set_destroy(m, bio_destroy);
  bio_method = m;
}

BIO *dtls_bio_new(struct dtls_queue *in, struct dtls_queue *out) {
  pthread_once(&bio_once, bio_method_make);
  struct ends *e = malloc(sizeof(*e));
  BIO *b = e && bio_method ? BIO_new(bio_method) : NULL;
  if (!b) {
    free(e);
    return NULL;
  }
  *e = (struct ends){in, out};
  BIO_set_data(b, e);
  BIO_set_init(b, 1);
  return b;
}
