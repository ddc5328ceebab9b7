/* SPDX-License-Identifier: Apache-2.0
 * Unprotecting what anybody sends: the first byte picks the suite and the kind, the rest is the
 * packet, which is tried as it is and with a right tag made by a sealer of the same key. */
#include "flow/flow.h"
#include "wire/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { ROOM = 4096 };

static void key_of(struct srtp_key *k, unsigned pick) {
  static const enum srtp_suite all[] = {SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AES_CM_128_HMAC_SHA1_32,
                                        SUITE_AEAD_AES_128_GCM,        SUITE_AEAD_AES_256_GCM,
                                        SUITE_AES_256_CM_HMAC_SHA1_80, SUITE_AES_256_CM_HMAC_SHA1_32};
  *k = (struct srtp_key){.suite = all[(pick & 3) + (pick & 16 ? 2 : 0)],
                         .mki_bytes = pick & 4 ? 2 : 0,
                         .mki = {0, 0, 0, 1}};
  memset(k->bytes, 0x5a, sizeof(k->bytes));
}

/* A packet that does not open must be as it was. */
static void try_open(struct opener *o, bool rtcp, const uint8_t *data, size_t n) {
  uint8_t p[ROOM];
  size_t left = n;
  memcpy(p, data, n);
  enum drop d = rtcp ? open_rtcp(o, p, &left, 1) : open_rtp(o, p, &left, 1);
  if (d != DROP_NONE && (left != n || memcmp(p, data, n) != 0))
    abort();
  if (left > n)
    abort();
}

static void try_sealed(struct opener *o, struct sealer *s, bool rtcp, const uint8_t *data, size_t n) {
  uint8_t p[ROOM];
  size_t left = n;
  memcpy(p, data, n);
  if (rtcp && n >= 8)
    bytes_put_u32(p + 4, sealer_ssrc(s));
  enum drop d = rtcp ? seal_rtcp(s, p, &left, ROOM) : seal_rtp(s, p, &left, ROOM);
  if (d != DROP_NONE)
    return;
  d = rtcp ? open_rtcp(o, p, &left, 1) : open_rtp(o, p, &left, 1);
  if (d != DROP_NONE || left != n)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static bool started;
  struct srtp_key key;
  own(opener) o = NULL;
  own(sealer) s = NULL;
  if (!started && suite_start() < 0)
    abort();
  started = true;
  if (n < 1 || n > 2048)
    return 0;
  key_of(&key, data[0]);
  if (opener_new(&o, &key) < 0 || sealer_new(&s, &key, 0x0a0b0c0d) < 0)
    abort();
  bool rtcp = data[0] & 8;
  try_open(o, rtcp, data + 1, n - 1);
  try_sealed(o, s, rtcp, data + 1, n - 1);
  try_open(o, rtcp, data + 1, n - 1);
  return 0;
}
