/* SPDX-License-Identifier: Apache-2.0
 * Units of flow/dtls: our two roles against one another over a wire that loses, and OpenSSL's own
 * old client. */
#include "flow/flow.h"
#include "base/rand.h"
#include "wire/bytes.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>

enum { S = 1000000 };

static struct dtlscert *cert_s, *cert_c;
static struct dtls *server, *client;

static struct dtls_fingerprint fingerprint_of(const struct dtlscert *c) {
  struct dtls_fingerprint f = {.bytes = 32};
  memcpy(f.value, dtlscert_sha256(c), 32);
  return f;
}

static void begin(void) {
  cr_assert_eq(dtlscert_new(&cert_s), 0);
  cr_assert_eq(dtlscert_new(&cert_c), 0);
  cr_assert_eq(dtls_new(&server, cert_s, DTLS_SERVER), 0);
  cr_assert_eq(dtls_new(&client, cert_c, DTLS_CLIENT), 0);
}

static void end(void) {
  dtls_free(server);
  dtls_free(client);
  dtlscert_free(cert_s);
  dtlscert_free(cert_c);
}
TestSuite(dtls, .init = begin, .fini = end);

static void expect_both(void) {
  struct dtls_fingerprint fs = fingerprint_of(cert_s), fc = fingerprint_of(cert_c);
  dtls_expect(server, &fc, S);
  dtls_expect(client, &fs, S);
}

/* Moves what is ready both ways; loss(k) tells whether the k-th datagram is lost. */
static unsigned moved;
static void move(bool (*is_lost)(unsigned k)) {
  uint8_t buf[DTLS_DATAGRAM_BYTES];
  size_t n;
  bool more = true;
  while (more) {
    more = false;
    while ((n = dtls_output(client, buf, sizeof(buf)))) {
      more = true;
      if (!is_lost || !is_lost(moved++))
        cr_assert_eq(dtls_input(server, buf, n, S), DROP_NONE);
    }
    while ((n = dtls_output(server, buf, sizeof(buf)))) {
      more = true;
      if (!is_lost || !is_lost(moved++)) {
        enum drop d = dtls_input(client, buf, n, S);
        cr_assert_eq(d, DROP_NONE, "%s", drop_text(d));
      }
    }
  }
}

static void same_keys(void) {
  struct srtp_key cs, cr, ss, sr;
  cr_assert_eq(dtls_state(server), DTLS_UP);
  cr_assert_eq(dtls_state(client), DTLS_UP);
  cr_assert_eq(dtls_keys(client, &cs, &cr), 0);
  cr_assert_eq(dtls_keys(server, &ss, &sr), 0);
  cr_assert_eq(cs.suite, SUITE_AEAD_AES_256_GCM);
  cr_assert_arr_eq(&cs, &sr, sizeof(cs));
  cr_assert_arr_eq(&cr, &ss, sizeof(cs));
  cr_assert_neq(memcmp(&cs, &cr, sizeof(cs)), 0);
  dtls_keys_wipe(client);
  cr_assert_eq(dtls_keys(client, &cs, &cr), -EAGAIN);
}

Test(dtls, handshake_and_close) {
  struct srtp_key k;
  cr_assert_eq(dtls_state(client), DTLS_WAITING);
  cr_assert_eq(dtls_next_us(client, S), UINT64_MAX);
  cr_assert_eq(dtls_keys(client, &k, &k), -EAGAIN);
  expect_both();
  move(NULL);
  same_keys();
  cr_assert_eq(dtls_next_us(server, S), UINT64_MAX);
  dtls_close(client);
  cr_assert_eq(dtls_state(client), DTLS_CLOSED);
  move(NULL);
  cr_assert_eq(dtls_state(server), DTLS_CLOSED);
}

Test(dtls, the_keys_carry_media) {
  struct srtp_key send, receive, s2, r2;
  uint8_t p[256] = {0x80, 0};
  expect_both();
  move(NULL);
  cr_assert_eq(suite_start(), 0);
  cr_assert_eq(dtls_keys(client, &send, &receive), 0);
  cr_assert_eq(dtls_keys(server, &s2, &r2), 0);
  {
    own(sealer) s = NULL;
    own(opener) o = NULL;
    size_t n = 100;
    cr_assert_eq(sealer_new(&s, &send, 7), 0);
    cr_assert_eq(opener_new(&o, &r2), 0);
    cr_assert_eq(seal_rtp_next(s, p, &n, sizeof(p)), DROP_NONE);
    cr_assert_eq(open_rtp(o, p, &n, S), DROP_NONE);
  }
  suite_stop();
}

Test(dtls, a_client_hello_waits_for_the_fingerprint) {
  uint8_t buf[DTLS_DATAGRAM_BYTES];
  struct dtls_fingerprint fs = fingerprint_of(cert_s), fc = fingerprint_of(cert_c);
  dtls_expect(client, &fs, S);
  size_t n = dtls_output(client, buf, sizeof(buf));
  cr_assert(dtls_is_hello(buf, n));
  for (int i = 0; i < DTLS_EARLY_MAX; i++)
    cr_assert_eq(dtls_input(server, buf, n, S), DROP_NONE);
  cr_assert_eq(dtls_input(server, buf, n, S), DROP_DTLS_EARLY);
  cr_assert_eq(dtls_state(server), DTLS_WAITING);
  cr_assert_eq(dtls_output(server, buf, sizeof(buf)), 0);
  dtls_expect(server, &fc, S);
  move(NULL);
  same_keys();
}

Test(dtls, a_wrong_certificate_does_not_get_through) {
  struct dtls_fingerprint fs = fingerprint_of(cert_s), wrong = fingerprint_of(cert_s);
  dtls_expect(server, &wrong, S);
  dtls_expect(client, &fs, S);
  move(NULL);
  cr_assert_eq(dtls_state(server), DTLS_CONNECTING);
  cr_assert_str_eq(dtls_failure(server), "fingerprint");
  cr_assert_eq(dtls_state(client), DTLS_CONNECTING, "no Finished, no keys");
  dtls_tick(server, S + (uint64_t)DTLS_DEADLINE_S * S);
  cr_assert_eq(dtls_state(server), DTLS_FAILED);
  cr_assert_str_eq(dtls_failure(server), "fingerprint");
  cr_assert_eq(dtls_input(server, (const uint8_t *)"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\0", 13, S),
               DROP_DTLS_FAILED);
}

Test(dtls, a_wrong_server_does_not_get_through) {
  struct dtls_fingerprint fc = fingerprint_of(cert_c);
  dtls_expect(server, &fc, S);
  dtls_expect(client, &fc, S);
  move(NULL);
  cr_assert_neq(dtls_state(client), DTLS_UP);
  cr_assert_neq(dtls_state(server), DTLS_UP);
  cr_assert_str_eq(dtls_failure(client), "fingerprint");
}

/* Retransmission by OpenSSL's timer: real time, 250 ms and its double. */
static bool lose_some(unsigned k) { return k == 0 || k == 2 || k == 4; }
Test(dtls, loss_is_made_good, .timeout = 20) {
  expect_both();
  moved = 0;
  move(lose_some);
  for (unsigned i = 0; i < 100 && (dtls_state(server) != DTLS_UP || dtls_state(client) != DTLS_UP);
       i++) {
    uint64_t due = dtls_next_us(client, S);
    cr_assert_leq(due, S + 4 * S);
    usleep(50000);
    dtls_tick(client, S);
    dtls_tick(server, S);
    move(lose_some);
  }
  same_keys();
  cr_assert_gt(moved, 5);
}

/* Nothing unauthenticated ends a handshake (A1, A1b). */
Test(dtls, garbage_does_not_end_a_handshake) {
  uint8_t buf[DTLS_DATAGRAM_BYTES], x[DTLS_DATAGRAM_BYTES];
  static const uint8_t alert[] = "\x15\xfe\xfd\0\0\0\0\0\0\0\0\0\x02\x02\x28";
  uint8_t forged[DTLS_DATAGRAM_BYTES];
  expect_both();
  cr_assert_eq(dtls_input(server, (const uint8_t *)"\x16\xfe\xfd", 3, S), DROP_DTLS_MALFORMED);
  cr_assert_eq(dtls_input(server, alert, sizeof(alert) - 1, S), DROP_DTLS_ALERT);
  size_t n = dtls_output(client, buf, sizeof(buf));
  /* a forged hello comes first: another random */
  memcpy(x, buf, n);
  x[30] ^= 1;
  cr_assert_eq(dtls_input(server, x, n, S), DROP_NONE);
  while (dtls_output(server, forged, sizeof(forged)))
    ; /* the forged one's answer would spoil the client's handshake: here it is lost */
  cr_assert_eq(dtls_input(server, buf, n, S), DROP_DTLS_COOKIE);
  for (unsigned i = 0; i < 50; i++) {
    x[30]++;
    x[31] ^= 3;
    enum drop d = dtls_input(server, x, n, S);
    cr_assert(d == DROP_DTLS_RATE, "%s", drop_text(d));
  }
  cr_assert_eq(dtls_input(server, alert, sizeof(alert) - 1, S), DROP_DTLS_ALERT);
  cr_assert_eq(dtls_input(client, alert, sizeof(alert) - 1, S), DROP_DTLS_ALERT);
  move(NULL);
  same_keys();
  cr_assert_eq(dtls_input(server, x, n, S), DROP_DTLS_HELLO);
  cr_assert_eq(dtls_state(server), DTLS_UP);
}

/* A forger sends good ClientHellos with the peer's address all the time (A1b). */
static void flood(const uint8_t *hello, size_t n, unsigned count, uint64_t now_us) {
  uint8_t x[DTLS_DATAGRAM_BYTES];
  memcpy(x, hello, n);
  for (unsigned i = 0; i < count; i++) {
    rand_bytes(x + 27, 32);
    enum drop d = dtls_input(server, x, n, now_us);
    cr_assert(d == DROP_DTLS_COOKIE || d == DROP_DTLS_RATE || d == DROP_DTLS_HELLO, "%s", drop_text(d));
  }
}

Test(dtls, under_suspicion_only_a_cookie_begins_a_handshake) {
  uint8_t buf[DTLS_DATAGRAM_BYTES], out[DTLS_DATAGRAM_BYTES];
  uint64_t now = S;
  expect_both();
  dtls_be_wary(server);
  size_t n = dtls_output(client, buf, sizeof(buf)), k;
  flood(buf, n, 100, now);
  cr_assert_eq(dtls_state(server), DTLS_WAITING, "nothing was begun");
  cr_assert_leq(dtls_output(server, out, sizeof(out)), 13u + 12u + 3u + 16u);
  cr_assert_eq(dtls_output(server, out, sizeof(out)), 0, "one request in 10 ms");
  now += 10000;
  cr_assert_eq(dtls_input(server, buf, n, now), DROP_DTLS_COOKIE);
  for (unsigned turn = 0; turn < 8; turn++) {
    flood(buf, n, 10, now += 10000);
    while ((k = dtls_output(server, out, sizeof(out))))
      (void)!dtls_input(client, out, k, now);
    flood(buf, n, 10, now);
    while ((k = dtls_output(client, out, sizeof(out))))
      cr_assert_eq(dtls_input(server, out, k, now), DROP_NONE);
  }
  same_keys();
}

Test(dtls, a_wrong_cookie_begins_nothing) {
  uint8_t buf[DTLS_DATAGRAM_BYTES];
  size_t n;
  expect_both();
  dtls_be_wary(server);
  n = dtls_output(client, buf, sizeof(buf));
  cr_assert_eq(dtls_input(server, buf, n, S), DROP_DTLS_COOKIE);
  n = dtls_output(server, buf, sizeof(buf));
  buf[n - 1] ^= 1;
  cr_assert_eq(dtls_input(client, buf, n, S), DROP_NONE);
  n = dtls_output(client, buf, sizeof(buf));
  cr_assert_eq(dtls_input(server, buf, n, S + 20000), DROP_DTLS_COOKIE);
  cr_assert_eq(dtls_state(server), DTLS_WAITING);
}

/* A part of the hello in a record of its own, numbered so that it is no replay of the client's next
 * ones. */
static size_t fragment(uint8_t *to, const uint8_t *hello, size_t from, size_t n, uint8_t record) {
  memcpy(to, hello, 25);
  to[10] = record;
  bytes_put_u16(to + 11, (uint16_t)(12 + n));
  to[19] = 0;
  bytes_put_u16(to + 20, (uint16_t)from);
  to[22] = 0;
  bytes_put_u16(to + 23, (uint16_t)n);
  memcpy(to + 25, hello + 25 + from, n);
  return 25 + n;
}

Test(dtls, a_client_hello_in_fragments) {
  uint8_t buf[DTLS_DATAGRAM_BYTES], part[DTLS_DATAGRAM_BYTES];
  expect_both();
  size_t n = dtls_output(client, buf, sizeof(buf)), body = n - 25, k;
  k = fragment(part, buf, 60, body - 60, 32);
  cr_assert_eq(dtls_input(server, part, k, S), DROP_DTLS_STRAY, "the second part alone begins nothing");
  k = fragment(part, buf, 0, 60, 33);
  cr_assert_eq(dtls_input(server, part, k, S), DROP_NONE);
  cr_assert_eq(dtls_output(server, part, sizeof(part)), 0);
  k = fragment(part, buf, 60, body - 60, 34);
  cr_assert(dtls_is_hello(part, k));
  cr_assert_eq(dtls_input(server, part, k, S), DROP_NONE);
  move(NULL);
  same_keys();
}

Test(dtls, suites_that_are_not_ours_begin_nothing) {
  uint8_t buf[DTLS_DATAGRAM_BYTES];
  expect_both();
  size_t n = dtls_output(client, buf, sizeof(buf));
  /* record 13, handshake 12, version 2, random 32, session id 1, cookie 1: the suites */
  size_t at = 13 + 12 + 2 + 32;
  at += 1u + buf[at];
  at += 1u + buf[at];
  for (size_t i = 0; i < bytes_u16(buf + at); i++)
    buf[at + 2 + i] = 0; /* TLS_NULL_WITH_NULL_NULL */
  cr_assert_eq(dtls_input(server, buf, n, S), DROP_DTLS_HELLO);
  cr_assert_eq(dtls_state(server), DTLS_WAITING);
  cr_assert_eq(dtls_output(server, buf, sizeof(buf)), 0);
}

/* A real client that knows no better than DTLS 1.0. */
Test(dtls, old_versions_are_refused) {
  uint8_t buf[DTLS_DATAGRAM_BYTES];
  SSL_CTX *ctx = SSL_CTX_new(DTLS_client_method());
  SSL_CTX_set_security_level(ctx, 0);
  SSL_CTX_set_min_proto_version(ctx, DTLS1_VERSION);
  SSL_CTX_set_max_proto_version(ctx, DTLS1_VERSION);
  SSL *ssl = SSL_new(ctx);
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, in, out);
  SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
  SSL_set_mtu(ssl, 1200);
  expect_both();
  SSL_connect(ssl);
  int n = BIO_read(out, buf, sizeof(buf));
  cr_assert_gt(n, 60);
  cr_assert(dtls_is_hello(buf, (size_t)n));
  cr_assert_eq(dtls_input(server, buf, (size_t)n, S), DROP_DTLS_VERSION);
  cr_assert_eq(dtls_state(server), DTLS_WAITING);
  cr_assert_eq(dtls_output(server, buf, sizeof(buf)), 0);
  SSL_free(ssl);
  SSL_CTX_free(ctx);
}

Test(dtls, a_client_takes_no_hello) {
  uint8_t buf[DTLS_DATAGRAM_BYTES];
  expect_both();
  size_t n = dtls_output(client, buf, sizeof(buf));
  cr_assert_eq(dtls_input(client, buf, n, S), DROP_DTLS_HELLO);
}

Test(dtls, the_certificate_may_go_before_the_association) {
  expect_both();
  cert_s = dtlscert_free(cert_s);
  move(NULL);
  same_keys();
}

Test(dtls, cut_and_flipped_hellos) {
  uint8_t buf[DTLS_DATAGRAM_BYTES], x[DTLS_DATAGRAM_BYTES];
  expect_both();
  size_t n = dtls_output(client, buf, sizeof(buf));
  for (size_t cut = 0; cut < n; cut++)
    cr_assert_eq(dtls_input(server, buf, cut, S), DROP_DTLS_MALFORMED);
  for (size_t bit = 0; bit < 8 * n; bit += 3) {
    memcpy(x, buf, n);
    x[bit / 8] ^= (uint8_t)(1 << bit % 8);
    enum drop d = dtls_input(server, x, n, S + bit * S);
    (void)d; /* any result but a crash; the deadline has not passed for the state machine */
    while (dtls_output(server, x, sizeof(x)))
      ;
  }
  cr_assert_neq(dtls_state(server), DTLS_UP);
}

Test(fingerprint, text_both_ways) {
  struct dtls_fingerprint f;
  char buf[208];
  static const char text[] = "sha-256 AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:"
                             "AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89";
  cr_assert_eq(dtls_fingerprint_parse(&f, slice_of(text)), 0);
  cr_assert_str_eq(dtls_fingerprint_text(&f, buf, sizeof(buf)), text);
  cr_assert_eq(dtls_fingerprint_parse(&f, SLICE("sha-256 AB:CD")), -EINVAL);
  cr_assert_eq(dtls_fingerprint_parse(&f, slice_from(text, sizeof(text) - 2)), -EINVAL);
  cr_assert_eq(dtls_fingerprint_parse(&f, SLICE("sha-1 AB")), -EINVAL);
  cr_assert_eq(dtls_fingerprint_parse(&f, SLICE("")), -EINVAL);
}
