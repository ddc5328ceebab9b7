/* SPDX-License-Identifier: Apache-2.0
 * One DTLS association for SRTP keys (RFC 5763, 5764, 6347): DTLS 1.2, use_srtp, the peer's
 * certificate checked against the fingerprint of its description. No socket: datagrams in, datagrams
 * out. An association belongs to one thread at a time and can be handed to a handshake thread whole;
 * a certificate is read-only and shared. */
#pragma once
#include "base/slice.h"
#include "flow/drop.h"
#include "wire/srtpkey.h"

enum {
  DTLS_DATAGRAM_BYTES = 1200, /* no datagram of ours is longer */
  DTLS_OUT_MAX = 16,          /* datagrams waiting to be taken */
  DTLS_EARLY_MAX = 4,         /* datagrams kept until the fingerprint is known */
  DTLS_ATTEMPTS = 2,      /* handshakes side by side: a forged ClientHello must not end the true one */
  DTLS_ATTEMPTS_A_S = 20, /* handshakes begun in a second */
  DTLS_COOKIE_EVERY_MS = 10, /* a request for a cookie goes out at most so often */
  DTLS_INPUT_BYTES = 4096,   /* no datagram of the peer may be longer */
  DTLS_DEADLINE_S = 30,      /* from the first datagram, fingerprint known */
  DTLSCERT_RENEW_S = 86400,  /* make a new certificate for new sessions after this */
};

struct dtlscert;
/* ECDSA P-256, self-signed, in memory only. 0, -ENOMEM or -EIO. */
int dtlscert_new(struct dtlscert **ret) must_check;
struct dtlscert *dtlscert_free(struct dtlscert *c); /* associations made with it live on */
OWN_DEFINE(dtlscert)
const uint8_t *dtlscert_sha256(const struct dtlscert *c); /* 32 bytes: the fingerprint */

/* "sha-256 AB:CD:…" of a description: sha-256, sha-384 or sha-512. */
struct dtls_fingerprint {
  uint32_t bytes; /* bytes is 32, 48 or 64 and names the hash. */
  uint8_t value[64];
};
int dtls_fingerprint_parse(struct dtls_fingerprint *ret,
                           struct slice text) must_check; /* 0 or -EINVAL */
/* Text "sha-256 AB:…" into buf (208 bytes suffice); returns buf. */
char *dtls_fingerprint_text(const struct dtls_fingerprint *f, char *buf, size_t bytes);

enum dtls_role {
  DTLS_SERVER,
  DTLS_CLIENT
}; /* SERVER is setup:passive. Sticky: a new role is a new association. */
enum dtls_state {
  DTLS_WAITING, /* nothing happened, or the fingerprint is not known yet */
  DTLS_CONNECTING,
  DTLS_UP,     /* keys are there */
  DTLS_CLOSED, /* close_notify came or was sent */
  DTLS_FAILED, /* not up at the deadline: what an unauthenticated peer does ends nothing earlier */
};

struct dtls;
/* cert may go before it. 0 or -ENOMEM. */
int dtls_new(struct dtls **ret, const struct dtlscert *cert, enum dtls_role role) must_check;
struct dtls *dtls_free(struct dtls *d); /* wipes keys */
OWN_DEFINE(dtls)
/* The fingerprint is known: what waited is worked off; a client begins. Once; later calls are ignored.
 */
void dtls_expect(struct dtls *d, const struct dtls_fingerprint *f, uint64_t now_us);
/* One datagram from the verified pair. Not DROP_NONE: it changed nothing (TOO_LONG, DTLS_EARLY,
 * MALFORMED, ALERT, VERSION, HELLO, COOKIE, STRAY, FAILED, RATE). Before the fingerprint is known
 * DTLS_EARLY_MAX datagrams are kept. Afterwards ask dtls_state(), and send what dtls_output() has. */
enum drop dtls_input(struct dtls *d, const uint8_t *p, size_t n, uint64_t now_us) must_check;
/* Somebody sends forged ClientHellos: from now on a handshake begins only with our cookie, which is
 * asked for by a HelloVerifyRequest (one more round trip). A server comes to that by itself at the
 * second ClientHello that differs, or at one without a suite of ours. */
void dtls_be_wary(struct dtls *d);
/* The next datagram to send, to be called until 0; buf holds DTLS_DATAGRAM_BYTES. */
size_t dtls_output(struct dtls *d, uint8_t *buf, size_t room);
/* When dtls_tick() is due; UINT64_MAX: never. Retransmission times (250 ms, doubled up to 1 s) are
 * measured by OpenSSL's own clock: ask anew after each call; a tick that comes early does nothing. */
uint64_t dtls_next_us(const struct dtls *d, uint64_t now_us);
void dtls_tick(struct dtls *d, uint64_t now_us);
enum dtls_state dtls_state(const struct dtls *d);
const char *dtls_failure(const struct dtls *d); /* why it failed: a literal; "" else */
/* Keys of both directions, in state UP. 0 or -EAGAIN. The caller wipes them. */
int dtls_keys(const struct dtls *d, struct srtp_key *ret_send, struct srtp_key *ret_receive) must_check;
/* Wipes our copy of the keys: call when opener and sealer have them. */
void dtls_keys_wipe(struct dtls *d);
void dtls_close(struct dtls *d); /* close_notify goes to the output if the handshake was done */

/* True if the first record is a ClientHello (any version): the demultiplexer's question. */
bool dtls_is_hello(const uint8_t *p, size_t n);
