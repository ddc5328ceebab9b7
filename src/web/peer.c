/* SPDX-License-Identifier: Apache-2.0
 * Client certificates. The library asks for one and looks at nothing: chain, time, purpose and use of
 * the key are judged here, for each connection anew every few seconds (RFC 5280, RFC 8446 4.4.2). Web
 * threads. */
#include "web/peer.h"

#include "base/clock.h"
#include "base/hmac.h"
#include "web/crl.h"
#include "web/server.h"

#include <gnutls/x509.h>

#define JUDGED_US 10000000u

static bool name_ok(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
      return false;
  return s.n > 0;
}

/* A name that is not whole is none. */
static void name_add(struct web_peer *p, enum web_peer_kind kind, struct slice text) {
  if (p->names_n < WEB_PEER_NAMES_MAX && name_ok(text) &&
      slice_copy(p->names[p->names_n].text, WEB_PEER_NAME_BYTES, text) == 0)
    p->names[p->names_n++].kind = kind;
}

static void names_read(struct web_peer *p, gnutls_x509_crt_t x) {
  char text[WEB_PEER_NAME_BYTES];
  for (unsigned i = 0; i < 4 * WEB_PEER_NAMES_MAX; i++) {
    size_t n = sizeof(text);
    int type = gnutls_x509_crt_get_subject_alt_name(x, i, text, &n, NULL);
    if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
      break;
    struct slice name = slice_from(text, n);
    if (type == GNUTLS_SAN_DNSNAME)
      name_add(p, WEB_PEER_DNS, name);
    else if (type == GNUTLS_SAN_URI)
      name_add(p, WEB_PEER_URI, name);
    else if (type == GNUTLS_SAN_RFC822NAME)
      name_add(p, WEB_PEER_EMAIL, name);
  }
}

/* The common name, where there is one and only one. */
static void common_name_read(struct web_peer *p, gnutls_x509_crt_t x) {
  char text[WEB_PEER_NAME_BYTES], second[WEB_PEER_NAME_BYTES];
  size_t n = sizeof(text), more = sizeof(second);
  if (gnutls_x509_crt_get_dn_by_oid(x, GNUTLS_OID_X520_COMMON_NAME, 0, 0, text, &n) == 0 &&
      gnutls_x509_crt_get_dn_by_oid(x, GNUTLS_OID_X520_COMMON_NAME, 1, 0, second, &more) ==
          GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
    name_add(p, WEB_PEER_CN, slice_from(text, n));
}

static bool key_may_sign(gnutls_x509_crt_t x) {
  unsigned usage = 0;
  int r = gnutls_x509_crt_get_key_usage(x, &usage, NULL);
  return r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE || (r >= 0 && usage & GNUTLS_KEY_DIGITAL_SIGNATURE);
}

static int web_peer_read(struct web_peer *ret, struct slice der) {
  gnutls_x509_crt_t x;
  gnutls_datum_t bytes = {(unsigned char *)(uintptr_t)der.p, (unsigned)der.n};
  memset(ret, 0, sizeof(*ret));
  if (gnutls_x509_crt_init(&x) < 0)
    return -EINVAL;
  bool ok = gnutls_x509_crt_import(x, &bytes, GNUTLS_X509_FMT_DER) == 0 && key_may_sign(x);
  time_t until_s = ok ? gnutls_x509_crt_get_expiration_time(x) : 0;
  if (ok) {
    hash_sha256(der, ret->digest);
    names_read(ret, x);
    common_name_read(ret, x);
  }
  gnutls_x509_crt_deinit(x);
  ret->until_ms = until_s > 0 ? (uint64_t)until_s * 1000u : 0;
  return ok && until_s > 0 ? 0 : -EINVAL;
}

static gnutls_session_t session_of(const struct req *q) {
  const union MHD_ConnectionInfo *i =
      MHD_get_connection_info(q->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  return i ? i->tls_session : NULL;
}

/* Verified against the authorities of the listener, for clients. */
static bool chain_ok(gnutls_session_t session) {
  unsigned status = GNUTLS_CERT_INVALID;
  gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID,
                                   (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT, 0};
  return gnutls_certificate_verify_peers(session, &purpose, 1, &status) == 0 && status == 0;
}

/* True: *peer is good. *shown: there was a certificate. */
static bool peer_judge(const struct req *q, struct web_peer *peer, bool *shown) {
  unsigned n = 0;
  gnutls_session_t session = session_of(q);
  const gnutls_datum_t *chain = session ? gnutls_certificate_get_peers(session, &n) : NULL;
  *shown = chain && n;
  return *shown && chain_ok(session) &&
         (!q->web->crl || !crl_judge(q->web->crl, chain, n, clock_now_us())) &&
         web_peer_read(peer, slice_from((const char *)chain[0].data, chain[0].size)) == 0;
}

uint64_t web_lists(struct web *w) { return w->crl ? crl_generation(w->crl, clock_now_us()) : 0; }

const struct web_peer *req_peer(struct req *q) {
  struct conn *c = q->conn;
  uint64_t now_us = clock_now_us();
  bool shown = false;
  if (!q->web->client_ca)
    return NULL;
  uint64_t lists = web_lists(q->web);
  if (c->peer_until_us > now_us && c->peer_lists == lists)
    return c->cert;
  struct web_peer *peer = malloc(sizeof(*peer));
  bool ok = peer && peer_judge(q, peer, &shown);
  if (!ok && shown)
    count_one(&q->web->counts, SERVER_certificate);
  if (!ok)
    free(take(peer));
  else
    peer->lists = lists;
  free(c->cert);
  c->cert = peer;
  c->peer_lists = lists;
  c->peer_until_us = now_us + JUDGED_US;
  return peer;
}
