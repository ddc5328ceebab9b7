/* SPDX-License-Identifier: Apache-2.0
 * A test's TLS handshake: see probetls.h. RFC 8446, RFC 5922. */
#include "trunk/probetls.h"
#include "base/clock.h"
#include "trunk/creds.h"
#include "trunk/peername.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

enum { DEADLINE_MS = 6000, SLICE_MS = 50, AFTER_MS = 300 };

struct probetls {
  struct probetls_order order;
  pthread_t thread;
  atomic_bool is_stopped, is_over;
  struct probe_tls r;
  uint64_t begin_us;
  int fd;
};

static uint32_t since_ms(const struct probetls *p) {
  return (uint32_t)((clock_now_us() - p->begin_us) / 1000);
}

/* Waits for the socket. 0, -ETIMEDOUT, -ECANCELED. */
static int await(struct probetls *p, short events, uint32_t until_ms) {
  struct pollfd f = {.fd = p->fd, .events = events};
  while (since_ms(p) < until_ms && !atomic_load(&p->is_stopped))
    if (poll(&f, 1, SLICE_MS) > 0)
      return 0;
  return atomic_load(&p->is_stopped) ? -ECANCELED : -ETIMEDOUT;
}

static int reach(struct probetls *p) {
  p->fd = socket(addr_family(&p->order.addr), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (p->fd < 0)
    return -errno;
  if (connect(p->fd, &p->order.addr.sa, addr_len(&p->order.addr)) < 0 && errno != EINPROGRESS)
    return -errno;
  int e = await(p, POLLOUT, DEADLINE_MS), error = 0;
  socklen_t bytes = sizeof error;
  if (e == 0 && getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0)
    e = -error;
  p->r.connect_ms = since_ms(p);
  p->r.is_connected = e == 0;
  return e;
}

static int go_past(int is_good, X509_STORE_CTX *store) {
  (void)is_good, (void)store;
  return 1;
}

/* The server asks who we are. */
static int on_cert_asked(SSL *ssl, void *arg) {
  struct probetls *p = arg;
  (void)ssl;
  p->r.wants_cert = true;
  return 1;
}

static int64_t seconds_of(const ASN1_TIME *t) {
  struct tm tm;
  return t && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void cert_read(struct probetls *p, SSL *ssl) {
  X509 *cert = SSL_get1_peer_certificate(ssl);
  struct peernames names = {.n = 0};
  size_t at = 0;
  if (!cert)
    return;
  X509_NAME_oneline(X509_get_subject_name(cert), p->r.subject, sizeof p->r.subject);
  X509_NAME_oneline(X509_get_issuer_name(cert), p->r.issuer, sizeof p->r.issuer);
  p->r.begin_s = seconds_of(X509_get0_notBefore(cert));
  p->r.end_s = seconds_of(X509_get0_notAfter(cert));
  if (peernames_read(&names, cert) == 0) {
    p->r.is_named = peernames_have(&names, slice_of(p->order.name));
    for (size_t i = 0; i < names.n && at < sizeof p->r.names; i++)
      at += (size_t)snprintf(p->r.names + at, sizeof p->r.names - at, "%s%s", at ? ", " : "",
                             names.name[i]);
    peernames_done(&names);
  }
  X509_free(cert);
}

/* With TLS 1.3 a server says no to our certificate only after the handshake. */
static bool is_still_open(struct probetls *p, SSL *ssl) {
  char byte;
  uint32_t until = since_ms(p) + AFTER_MS;
  for (;;) {
    int n = SSL_read(ssl, &byte, 1), e = SSL_get_error(ssl, n);
    if (n > 0)
      return true;
    if (e != SSL_ERROR_WANT_READ)
      return false;
    if (await(p, POLLIN, until) < 0)
      return true;
  }
}

static void words(struct probetls *p, const char *text) {
  snprintf(p->r.error, sizeof p->r.error, "%s", text);
}

static bool shake(struct probetls *p, SSL *ssl) {
  for (;;) {
    int n = SSL_do_handshake(ssl), e = SSL_get_error(ssl, n);
    if (n == 1)
      return true;
    if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) {
      unsigned long why = ERR_peek_last_error();
      const char *text = why ? ERR_reason_error_string(why) : NULL;
      words(p, text ? text : "the peer closed the connection in the handshake");
      return false;
    }
    if (await(p, e == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, DEADLINE_MS) < 0) {
      words(p, "the handshake took longer than six seconds");
      return false;
    }
  }
}

static void look(struct probetls *p, SSL *ssl) {
  SSL_set_fd(ssl, p->fd);
  SSL_set_verify(ssl, SSL_VERIFY_PEER, go_past);
  SSL_set_cert_cb(ssl, on_cert_asked, p);
  if (p->order.has_sni && addr_family(&p->order.addr) != AF_UNSPEC)
    SSL_set_tlsext_host_name(ssl, p->order.name);
  bool is_up = shake(p, ssl);
  p->r.ms = since_ms(p);
  snprintf(p->r.protocol, sizeof p->r.protocol, "%s", SSL_get_version(ssl));
  cert_read(p, ssl);
  if (!is_up)
    return;
  long verdict = SSL_get_verify_result(ssl);
  p->r.is_trusted = verdict == X509_V_OK;
  p->r.is_weak = verdict == X509_V_ERR_EE_KEY_TOO_SMALL || verdict == X509_V_ERR_CA_KEY_TOO_SMALL ||
                 verdict == X509_V_ERR_CA_MD_TOO_WEAK;
  p->r.is_unfit = verdict == X509_V_ERR_INVALID_PURPOSE;
  if (!p->r.is_trusted)
    words(p, X509_verify_cert_error_string(verdict));
  snprintf(p->r.cipher, sizeof p->r.cipher, "%s", SSL_get_cipher_name(ssl));
  bool is_open = is_still_open(p, ssl);
  p->r.took_cert = p->r.wants_cert && is_open;
  p->r.is_up = is_open && p->r.is_trusted && p->r.is_named;
  SSL_shutdown(ssl);
}

static void *probetls_run(void *arg) {
  struct probetls *p = arg;
  uint64_t one = 1;
  int e = reach(p);
  SSL *ssl = e == 0 ? creds_ssl(p->order.creds, false, p->order.own_name) : NULL;
  if (ssl)
    look(p, ssl);
  else
    words(p, e < 0 ? strerror(-e) : "no memory");
  SSL_free(ssl);
  if (p->fd >= 0)
    close(p->fd);
  p->fd = -1;
  ERR_clear_error();
  atomic_store(&p->is_over, true);
  if (write(p->order.event_fd, &one, sizeof one) < 0)
    return NULL; /* its counter cannot be full */
  return NULL;
}

int probetls_new(struct probetls **ret, const struct probetls_order *o) {
  struct probetls *p = calloc(1, sizeof *p);
  if (!p)
    return -ENOMEM;
  p->order = *o;
  p->fd = -1;
  p->begin_us = clock_now_us();
  int e = pthread_create(&p->thread, NULL, probetls_run, p);
  if (e) {
    free(p);
    return -e;
  }
  *ret = p;
  return 0;
}

bool probetls_result(struct probetls *p, struct probe_tls *ret) {
  if (!atomic_load(&p->is_over))
    return false;
  *ret = p->r;
  return true;
}

struct probetls *probetls_free(struct probetls *p) {
  if (!p)
    return NULL;
  atomic_store(&p->is_stopped, true);
  pthread_join(p->thread, NULL);
  creds_free(p->order.creds);
  free(p);
  return NULL;
}
