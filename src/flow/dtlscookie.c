/* SPDX-License-Identifier: Apache-2.0
 * HelloVerifyRequest of an association under suspicion (RFC 6347 4.2.1). A forged ClientHello with the
 * peer's address must not be answered by a ServerHello: the true peer would take it for its own and
 * fail. One cookie serves the whole association, so that the request that a forger provokes helps the
 * true peer: only who receives at the verified address knows it. */
#include "flow/dtls_inside.h"

#include "base/rand.h"
#include "wire/bytes.h"

#include <openssl/crypto.h>

enum {
  HELLO_VERIFY_REQUEST = 3,
  CLIENT_HELLO = 1,
  TYPE_HANDSHAKE = 22,
  DTLS_1_0 = 0xfeff,
  DTLS_1_2 = 0xfefd
};

/* The only record of a datagram, number 0, with the first message of a flight. */
static void heads_put(struct writer *w, uint16_t version, uint8_t message, uint32_t n) {
  writer_u8(w, TYPE_HANDSHAKE);
  writer_u16(w, version);
  writer_u64(w, 0);
  writer_u16(w, (uint16_t)(12 + n));
  writer_u8(w, message);
  writer_u24(w, n);
  writer_u16(w, 0);
  writer_u24(w, 0);
  writer_u24(w, n);
}

void dtls_cookie_make(uint8_t cookie[DTLS_COOKIE_BYTES]) { rand_bytes(cookie, DTLS_COOKIE_BYTES); }

bool dtls_cookie_fits(const uint8_t cookie[DTLS_COOKIE_BYTES], struct slice shown) {
  return shown.n == DTLS_COOKIE_BYTES && CRYPTO_memcmp(cookie, shown.p, DTLS_COOKIE_BYTES) == 0;
}

size_t dtls_cookie_request(const uint8_t cookie[DTLS_COOKIE_BYTES], uint8_t *buf, size_t room) {
  struct writer w = writer_of(buf, room);
  heads_put(&w, DTLS_1_0, HELLO_VERIFY_REQUEST, 3 + DTLS_COOKIE_BYTES);
  writer_u16(&w, DTLS_1_0);
  writer_u8(&w, DTLS_COOKIE_BYTES);
  writer_slice(&w, slice_from(cookie, DTLS_COOKIE_BYTES));
  return w.bad ? 0 : writer_bytes(&w);
}

size_t dtls_cookie_first_hello(uint8_t *buf, size_t room) {
  struct writer w = writer_of(buf, room);
  heads_put(&w, DTLS_1_0, CLIENT_HELLO, 42);
  writer_u16(&w, DTLS_1_2);
  writer_fill(&w, 0, 32); /* random */
  writer_u16(&w, 0);      /* no session id, no cookie */
  writer_u16(&w, 2);
  writer_u16(&w, 0xc02b);
  writer_u16(&w, 0x0100); /* no compression */
  return w.bad ? 0 : writer_bytes(&w);
}
