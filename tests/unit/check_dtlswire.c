/* SPDX-License-Identifier: Apache-2.0
 * flow/dtls over wires that lose, cut, reorder and forge, in virtual time: OpenSSL measures its
 * retransmissions by gettimeofday(), which is ours here. */
#include "flow/flow.h"
#include "base/rand.h"
#include "wire/bytes.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <sys/time.h>

enum { S = 1000000, MS = 1000, HELLO_AT = 25 };

static uint64_t now = 1000 * (uint64_t)S;
int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
  (void)zone;
  *tv = (struct timeval){(time_t)(now / S), (suseconds_t)(now % S)};
  return 0;
}

static struct dtlscert *cert_s, *cert_c;
static struct dtls *server, *client;
static uint32_t dice;

static struct dtls_fingerprint fingerprint_of(const struct dtlscert *c) {
  struct dtls_fingerprint f = {.bytes = 32};
  memcpy(f.value, dtlscert_sha256(c), 32);
  return f;
}

static void pair_new(void) {
  struct dtls_fingerprint fs = fingerprint_of(cert_s), fc = fingerprint_of(cert_c);
  cr_assert_eq(dtls_new(&server, cert_s, DTLS_SERVER), 0);
  cr_assert_eq(dtls_new(&client, cert_c, DTLS_CLIENT), 0);
  dtls_expect(server, &fc, now);
  dtls_expect(client, &fs, now);
}
static void pair_free(void) {
  server = dtls_free(server);
  client = dtls_free(client);
}

static void begin(void) {
  cr_assert_eq(dtlscert_new(&cert_s), 0);
  cr_assert_eq(dtlscert_new(&cert_c), 0);
  pair_new();
  dice = 1;
}
static void end(void) {
  pair_free();
  dtlscert_free(cert_s);
  dtlscert_free(cert_c);
}
TestSuite(dtlswire, .init = begin, .fini = end, .timeout = 60);

static bool is_lost(unsigned percent) {
  dice = dice * 1664525u + 1013904223u;
  return (dice >> 16) % 100 < percent;
}

static void carry(struct dtls *from, struct dtls *to, unsigned loss_percent) {
  uint8_t buf[DTLS_DATAGRAM_BYTES];
  size_t n;
  while ((n = dtls_output(from, buf, sizeof(buf))))
    if (!is_lost(loss_percent))
      (void)!dtls_input(to, buf, n, now);
}

/* Until both are up; how long that took, or 0. */
static uint64_t run(unsigned loss_percent) {
  uint64_t began = now;
  for (; now - began < DTLS_DEADLINE_S * (uint64_t)S; now += 10 * MS) {
    carry(client, server, loss_percent);
    carry(server, client, loss_percent);
    if (dtls_state(client) == DTLS_UP && dtls_state(server) == DTLS_UP)
      return now - began + 1;
    if (dtls_next_us(client, now) <= now + 10 * MS)
      dtls_tick(client, now);
    if (dtls_next_us(server, now) <= now + 10 * MS)
      dtls_tick(server, now);
  }
  return 0;
}

static void same_keys(void) {
  struct srtp_key cs, cr, ss, sr;
  cr_assert_eq(dtls_keys(client, &cs, &cr), 0);
  cr_assert_eq(dtls_keys(server, &ss, &sr), 0);
  cr_assert_arr_eq(&cs, &sr, sizeof(cs));
  cr_assert_arr_eq(&cr, &ss, sizeof(cs));
}

/* The last flight may be lost, too: the one that is up answers to what it gets once more. */
Test(dtlswire, a_third_of_the_datagrams_may_be_lost) {
  uint64_t worst = 0, all = 0;
  for (unsigned i = 0; i < 60; i++) {
    uint64_t took = run(30);
    cr_assert_neq(took, 0, "handshake %u: %d %d", i, dtls_state(client), dtls_state(server));
    same_keys();
    worst = took > worst ? took : worst;
    all += took;
    pair_free();
    pair_new();
  }
  cr_assert_lt(all / 60, 3 * (uint64_t)S, "mean %u ms", (unsigned)(all / 60 / MS));
  cr_assert_lt(worst, 25 * (uint64_t)S);
}

/* Fragments ---------------------------------------------------------------------------------------- */
static size_t fragment(uint8_t *to, const uint8_t *hello, size_t from, size_t n, uint8_t record) {
  memcpy(to, hello, HELLO_AT);
  to[10] = record;
  bytes_put_u16(to + 11, (uint16_t)(12 + n));
  to[19] = 0;
  bytes_put_u16(to + 20, (uint16_t)from);
  to[22] = 0;
  bytes_put_u16(to + 23, (uint16_t)n);
  memcpy(to + HELLO_AT, hello + HELLO_AT + from, n);
  return HELLO_AT + n;
}

static enum drop feed(const uint8_t *hello, size_t from, size_t n, uint8_t record) {
  uint8_t part[DTLS_DATAGRAM_BYTES];
  size_t k = fragment(part, hello, from, n, record);
  return dtls_input(server, part, k, now);
}

Test(dtlswire, fragments_that_overlap) {
  uint8_t hello[DTLS_DATAGRAM_BYTES];
  size_t body = dtls_output(client, hello, sizeof(hello)) - HELLO_AT;
  cr_assert_eq(feed(hello, 0, 80, 32), DROP_NONE);
  cr_assert_eq(feed(hello, 60, 50, 33), DROP_NONE);
  cr_assert_eq(feed(hello, 60, 50, 34), DROP_NONE, "the same once more");
  cr_assert_eq(feed(hello, 100, body - 100, 35), DROP_NONE);
  cr_assert_neq(run(0), 0);
  same_keys();
}

Test(dtlswire, fragments_in_another_order) {
  uint8_t hello[DTLS_DATAGRAM_BYTES];
  size_t body = dtls_output(client, hello, sizeof(hello)) - HELLO_AT;
  cr_assert_eq(feed(hello, 120, body - 120, 34), DROP_DTLS_STRAY, "nothing began yet");
  cr_assert_eq(feed(hello, 0, 60, 32), DROP_NONE);
  cr_assert_eq(feed(hello, 120, body - 120, 35), DROP_NONE);
  cr_assert_eq(feed(hello, 60, 60, 33), DROP_NONE);
  cr_assert_neq(run(0), 0);
  same_keys();
}

/* Fragments that lie about the length, or point outside, end nothing. */
Test(dtlswire, fragments_of_a_forger) {
  uint8_t hello[DTLS_DATAGRAM_BYTES], part[DTLS_DATAGRAM_BYTES];
  size_t body = dtls_output(client, hello, sizeof(hello)) - HELLO_AT;
  cr_assert_eq(feed(hello, 0, 60, 32), DROP_NONE);
  size_t n = fragment(part, hello, 60, 40, 33);
  bytes_put_u16(part + 20, 0xfff0); /* offset */
  (void)!dtls_input(server, part, n, now);
  n = fragment(part, hello, 60, 40, 34);
  part[14] = 0x7f; /* length of the whole */
  (void)!dtls_input(server, part, n, now);
  cr_assert_eq(dtls_state(server), DTLS_CONNECTING);
  cr_assert_eq(feed(hello, 0, 60, 35), DROP_NONE);
  (void)!feed(hello, 60, body - 60, 36);
  cr_assert_neq(run(0), 0);
  same_keys();
}

/* Another stack as the client ----------------------------------------------------------------------- */
struct other {
  SSL_CTX *ctx;
  SSL *ssl;
};

static int any_certificate(X509_STORE_CTX *store, void *arg) {
  (void)store, (void)arg;
  return 1;
}

/* With our client's certificate, which the server expects. */
static struct other other_new(const char *use_srtp, unsigned mtu, const char *name) {
  struct other o = {.ctx = SSL_CTX_new(DTLS_client_method())};
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *x = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -1000000000);
  X509_gmtime_adj(X509_getm_notAfter(x), 1000000000);
  X509_set_pubkey(x, key);
  X509_sign(x, key, EVP_sha256());
  SSL_CTX_use_certificate(o.ctx, x);
  SSL_CTX_use_PrivateKey(o.ctx, key);
  SSL_CTX_set_cert_verify_callback(o.ctx, any_certificate, NULL);
  if (use_srtp)
    SSL_CTX_set_tlsext_use_srtp(o.ctx, use_srtp);
  struct dtls_fingerprint f = {.bytes = 32};
  unsigned n = sizeof(f.value);
  X509_digest(x, EVP_sha256(), f.value, &n);
  server = dtls_free(server);
  cr_assert_eq(dtls_new(&server, cert_s, DTLS_SERVER), 0);
  dtls_expect(server, &f, now);
  o.ssl = SSL_new(o.ctx);
  SSL_set_bio(o.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_options(o.ssl, SSL_OP_NO_QUERY_MTU);
  SSL_set_mtu(o.ssl, mtu);
  if (name)
    SSL_set_tlsext_host_name(o.ssl, name);
  SSL_set_connect_state(o.ssl);
  X509_free(x);
  EVP_PKEY_free(key);
  return o;
}

static void other_free(struct other *o) {
  SSL_free(o->ssl);
  SSL_CTX_free(o->ctx);
}

/* Its memory BIO joins datagrams; records are cut out of it again. Returns how many went. */
static unsigned other_send(struct other *o) {
  uint8_t buf[4096];
  unsigned records = 0;
  while (BIO_ctrl_pending(SSL_get_wbio(o->ssl)) >= 13) {
    cr_assert_eq(BIO_read(SSL_get_wbio(o->ssl), buf, 13), 13);
    int n = bytes_u16(buf + 11);
    cr_assert_eq(BIO_read(SSL_get_wbio(o->ssl), buf + 13, n), n);
    (void)!dtls_input(server, buf, 13 + (size_t)n, now);
    records++;
  }
  return records;
}

static bool other_run(struct other *o, unsigned *ret_first) {
  uint8_t buf[DTLS_DATAGRAM_BYTES];
  size_t n;
  *ret_first = 0;
  for (unsigned i = 0; i < 10; i++) {
    (void)SSL_do_handshake(o->ssl);
    unsigned records = other_send(o);
    *ret_first = *ret_first ? *ret_first : records;
    while ((n = dtls_output(server, buf, sizeof(buf)))) {
      BIO_write(SSL_get_rbio(o->ssl), buf, (int)n);
      (void)SSL_do_handshake(o->ssl);
    }
  }
  return dtls_state(server) == DTLS_UP;
}

Test(dtlswire, a_big_hello_of_another_stack_in_fragments) {
  unsigned first;
  char name[241];
  for (unsigned i = 0; i < 240; i++)
    name[i] = i % 60 == 59 ? '.' : 'x';
  name[239] = 'x';
  name[240] = 0;
  struct other o = other_new("SRTP_AEAD_AES_128_GCM", 256, name);
  cr_assert(other_run(&o, &first));
  cr_assert_geq(first, 2, "%u records", first);
  other_free(&o);
}

Test(dtlswire, without_use_srtp_there_is_no_association) {
  unsigned first;
  struct other o = other_new(NULL, 1200, NULL);
  cr_assert_not(other_run(&o, &first));
  cr_assert_str_eq(dtls_failure(server), "use_srtp");
  cr_assert_neq(dtls_state(server), DTLS_UP);
  other_free(&o);
}

Test(dtlswire, an_srtp_profile_that_is_not_ours_is_none) {
  unsigned first;
  struct other o = other_new("SRTP_AES128_CM_SHA1_32", 1200, NULL);
  cr_assert_not(other_run(&o, &first));
  cr_assert_str_eq(dtls_failure(server), "use_srtp");
  other_free(&o);
}

Test(dtlswire, the_agreed_profile_is_the_best_of_both) {
  unsigned first;
  struct srtp_key tx, rx;
  struct other o = other_new("SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM", 1200, NULL);
  cr_assert(other_run(&o, &first));
  cr_assert_eq(dtls_keys(server, &tx, &rx), 0);
  cr_assert_eq(tx.suite, SUITE_AEAD_AES_128_GCM);
  other_free(&o);
}

/* A forger with the peer's very address ------------------------------------------------------------ */
static void forge(uint8_t *forged, const uint8_t *hello, size_t n) {
  memcpy(forged, hello, n);
  rand_bytes(forged + HELLO_AT + 2, 32);
}

/* His hello comes before the true one, and what it is answered with reaches the true client. */
static bool survives(bool is_wary) {
  uint8_t hello[DTLS_DATAGRAM_BYTES], forged[DTLS_DATAGRAM_BYTES];
  size_t n = dtls_output(client, hello, sizeof(hello));
  if (is_wary)
    dtls_be_wary(server);
  forge(forged, hello, n);
  (void)!dtls_input(server, forged, n, now);
  carry(server, client, 0);
  now += 20 * MS;
  (void)!dtls_input(server, hello, n, now);
  for (unsigned i = 0; i < 20; i++) {
    carry(server, client, 0);
    forge(forged, hello, n);
    now += 20 * MS;
    (void)!dtls_input(server, forged, n, now);
    carry(client, server, 0);
  }
  return run(0) != 0;
}

Test(dtlswire, with_cookies_a_forged_hello_spoils_nothing) {
  for (unsigned i = 0; i < 10; i++) {
    cr_assert(survives(true));
    same_keys();
    pair_free();
    pair_new();
  }
}

/* The reason for media.dtls_cookie: always. Without suspicion the first hello is answered at once, and a
 * client takes an answer to a forger's hello for its own: the signature does not fit, it ends. */
Test(dtlswire, without_cookies_the_first_forged_hello_costs_the_handshake) {
  cr_assert_not(survives(false), "if this holds now, the setting has lost its reason");
}
