/* SPDX-License-Identifier: Apache-2.0
 * Units of flow/suite, open and seal, against the SRTP library used directly as the peer. */
#include "flow/flow.h"
#include "wire/bytes.h"

#include <criterion/criterion.h>
#include <srtp2/cipher.h>
#include <srtp2/srtp.h>
#include <stdio.h>

extern const srtp_cipher_type_t suite_icm_128, suite_gcm_128, suite_gcm_256;

enum { ROOM = 512, PAYLOAD = 160, RTP = 12 + PAYLOAD };

static const enum srtp_suite all[] = {SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AES_CM_128_HMAC_SHA1_32,
                                      SUITE_AEAD_AES_128_GCM,        SUITE_AEAD_AES_256_GCM,
                                      SUITE_AES_256_CM_HMAC_SHA1_80, SUITE_AES_256_CM_HMAC_SHA1_32};

/* The peer: the library itself, whatever primitives it has at the time. */
static void peer_policy(srtp_policy_t *p, struct srtp_key *key, srtp_ssrc_type_t type, uint32_t ssrc) {
  memset(p, 0, sizeof(*p));
  p->ssrc.type = type;
  p->ssrc.value = ssrc;
  p->key = key->bytes;
  p->window_size = 128;
  static const srtp_profile_t profiles[] = {
      [SUITE_AES_CM_128_HMAC_SHA1_80] = srtp_profile_aes128_cm_sha1_80,
      [SUITE_AES_CM_128_HMAC_SHA1_32] = srtp_profile_aes128_cm_sha1_32,
      [SUITE_AEAD_AES_128_GCM] = srtp_profile_aead_aes_128_gcm,
      [SUITE_AEAD_AES_256_GCM] = srtp_profile_aead_aes_256_gcm};
  if (key->suite == SUITE_AES_256_CM_HMAC_SHA1_80 || key->suite == SUITE_AES_256_CM_HMAC_SHA1_32) {
    srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtcp); /* no DTLS profile names them */
    if (suite_is_short(key->suite))
      srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(&p->rtp);
    else
      p->rtp = p->rtcp;
    return;
  }
  srtp_crypto_policy_set_from_profile_for_rtp(&p->rtp, profiles[key->suite]);
  if (key->suite == SUITE_AES_CM_128_HMAC_SHA1_32)
    srtp_crypto_policy_set_rtcp_default(&p->rtcp);
  else
    srtp_crypto_policy_set_from_profile_for_rtcp(&p->rtcp, profiles[key->suite]);
}

static srtp_t peer_new(struct srtp_key *key, srtp_ssrc_type_t type, uint32_t ssrc) {
  srtp_policy_t p;
  srtp_t t = NULL;
  peer_policy(&p, key, type, ssrc);
  cr_assert_eq(srtp_create(&t, &p), srtp_err_status_ok);
  return t;
}

static size_t rtp_make(uint8_t *p, uint32_t ssrc, uint16_t seq) {
  memset(p, (int)(seq & 0xff), RTP);
  p[0] = 0x80;
  p[1] = 0;
  bytes_put_u16(p + 2, seq);
  bytes_put_u32(p + 4, seq * 160u);
  bytes_put_u32(p + 8, ssrc);
  return RTP;
}

static size_t rtcp_make(uint8_t *p, uint32_t ssrc) {
  static const uint8_t head[] = {0x80, 201, 0, 1};
  memcpy(p, head, 4);
  bytes_put_u32(p + 4, ssrc);
  return 8;
}

static size_t peer_seal(srtp_t t, uint8_t *p, uint32_t ssrc, uint16_t seq) {
  int n = (int)rtp_make(p, ssrc, seq);
  cr_assert_eq(srtp_protect(t, p, &n), srtp_err_status_ok, "seq %u", seq);
  return (size_t)n;
}

static void is_plain(const uint8_t *p, size_t n, uint32_t ssrc, uint16_t seq) {
  uint8_t want[ROOM];
  cr_assert_eq(n, rtp_make(want, ssrc, seq));
  cr_assert_arr_eq(p, want, n);
}

static void start(void) { cr_assert_eq(suite_start(), 0); }
static void stop(void) { suite_stop(); }
TestSuite(srtp, .init = start, .fini = stop);

/* The shipped primitives and ours make the same packets. */
Test(suite, same_packets_as_the_shipped_primitives) {
  uint8_t theirs[COUNT_OF(all)][ROOM], ours[ROOM], report[COUNT_OF(all)][ROOM];
  size_t n_theirs[COUNT_OF(all)];
  int n_report[COUNT_OF(all)];
  struct srtp_key keys[COUNT_OF(all)];
  cr_assert_eq(srtp_init(), srtp_err_status_ok);
  for (size_t i = 0; i < COUNT_OF(all); i++) {
    srtpkey_make(&keys[i], all[i]);
    srtp_t t = peer_new(&keys[i], ssrc_specific, 77);
    n_theirs[i] = peer_seal(t, theirs[i], 77, 1000);
    n_report[i] = (int)rtcp_make(report[i], 77);
    cr_assert_eq(srtp_protect_rtcp(t, report[i], &n_report[i]), srtp_err_status_ok);
    srtp_dealloc(t);
  }
  srtp_shutdown();
  cr_assert_eq(suite_start(), 0);
  cr_assert_eq(suite_start(), 0);
  for (size_t i = 0; i < COUNT_OF(all); i++) {
    srtp_t t = peer_new(&keys[i], ssrc_specific, 77);
    cr_assert_eq(peer_seal(t, ours, 77, 1000), n_theirs[i]);
    cr_assert_arr_eq(ours, theirs[i], n_theirs[i]);
    int n = (int)rtcp_make(ours, 77);
    cr_assert_eq(srtp_protect_rtcp(t, ours, &n), srtp_err_status_ok);
    cr_assert_eq(n, n_report[i]);
    cr_assert_arr_eq(ours, report[i], (size_t)n);
    srtp_dealloc(t);
  }
  suite_stop();
}

/* RFC 3711 B.3: the cipher key of that master key and salt. */
Test(srtp, key_derivation_of_rfc_3711) {
  static const uint8_t master[] = "\xe1\xf9\x7a\x0d\x3e\x01\x8b\xe0\xd6\x4f\xa3\x2c\x06\xde\x41\x39"
                                  "\x0e\xc6\x75\xad\x49\x8a\xfe\xeb\xb6\x96\x0b\x3a\xab\xe6";
  static const uint8_t auth_key[] =
      "\xce\xbe\x32\x1f\x6f\xf7\x71\x6b\x6f\xd4\xab\x49\xaf\x25\x6a\x15\x6d\x38\xba\xa4";
  uint8_t iv[16] = {0}, out[20] = {0};
  srtp_cipher_t *c = NULL;
  unsigned n = 16;
  cr_assert_eq(srtp_cipher_type_alloc(&suite_icm_128, &c, 30, 0), srtp_err_status_ok);
  cr_assert_eq(srtp_cipher_init(c, master), srtp_err_status_ok);
  cr_assert_eq(srtp_cipher_set_iv(c, iv, srtp_direction_encrypt), srtp_err_status_ok);
  cr_assert_eq(srtp_cipher_encrypt(c, out, &n), srtp_err_status_ok);
  cr_assert_arr_eq(out, "\xc6\x1e\x7a\x93\x74\x4f\x39\xee\x10\x73\x4a\xfe\x3f\xf7\xa0\x87", 16);
  iv[7] = 1; /* label 1 */
  memset(out, 0, sizeof(out));
  n = 20;
  cr_assert_eq(srtp_cipher_set_iv(c, iv, srtp_direction_encrypt), srtp_err_status_ok);
  cr_assert_eq(srtp_cipher_encrypt(c, out, &n), srtp_err_status_ok);
  cr_assert_arr_eq(out, auth_key, 20);
  srtp_cipher_dealloc(c);
}

/* RFC 7714 16.1.1: a packet under that session key. */
Test(srtp, gcm_packet_of_rfc_7714) {
  static const uint8_t key[28] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  static const uint8_t head[] = "\x80\x40\xf1\x7b\x80\x41\xf8\xd3\x55\x01\xa0\xb2";
  static const uint8_t want[] =
      "\xf2\x4d\xe3\xa3\xfb\x34\xde\x6c\xac\xba\x86\x1c\x9d\x7e\x4b\xca\xbe\x63\x3b\xd5\x0d\x29"
      "\x4e\x6f\x42\xa5\xf4\x7a\x51\xc7\xd1\x9b\x36\xde\x3a\xdf\x88\x33\x89\x9d\x7f\x27\xbe\xb1"
      "\x6a\x91\x52\xcf\x76\x5e\xe4\x39\x0c\xce";
  uint8_t iv[12] = {0x51, 0x75, 0x3c, 0x65, 0x80, 0xc2, 0x72, 0x6f, 0x20, 0x71, 0x84, 0x14};
  uint8_t text[64] = "Gallia est omnis divisa in partes tres";
  srtp_cipher_t *c = NULL;
  unsigned n = 38, tag = 16;
  cr_assert_eq(srtp_cipher_type_alloc(&suite_gcm_128, &c, 28, 16), srtp_err_status_ok);
  cr_assert_eq(srtp_cipher_init(c, key), srtp_err_status_ok);
  cr_assert_eq(srtp_cipher_set_iv(c, iv, srtp_direction_encrypt), srtp_err_status_ok);
  cr_assert_eq(srtp_cipher_set_aad(c, head, 12), srtp_err_status_ok);
  cr_assert_eq(srtp_cipher_encrypt(c, text, &n), srtp_err_status_ok);
  cr_assert_eq(srtp_cipher_get_tag(c, text + n, &tag), srtp_err_status_ok);
  cr_assert_eq(n + tag, sizeof(want) - 1);
  cr_assert_arr_eq(text, want, n + tag);
  srtp_cipher_dealloc(c);
}

Test(srtp, both_ways_with_the_library_as_peer) {
  uint8_t p[ROOM];
  for (size_t i = 0; i < COUNT_OF(all); i++) {
    struct srtp_key key;
    own(opener) o = NULL;
    own(sealer) s = NULL;
    srtpkey_make(&key, all[i]);
    cr_assert_eq(opener_new(&o, &key), 0);
    cr_assert_eq(sealer_new(&s, &key, 42), 0);
    cr_assert_eq(opener_suite(o), all[i]);
    srtp_t in = peer_new(&key, ssrc_any_inbound, 0), out = peer_new(&key, ssrc_specific, 99);
    for (unsigned k = 0; k < 10; k++) {
      size_t n = peer_seal(out, p, 99, (uint16_t)(65530 + k));
      cr_assert_eq(open_rtp(o, p, &n, 1), DROP_NONE);
      is_plain(p, n, 99, (uint16_t)(65530 + k));
      uint16_t seq = (uint16_t)sealer_next_index(s);
      n = rtp_make(p, 1, seq);
      cr_assert_eq(seal_rtp(s, p, &n, ROOM), DROP_NONE);
      int m = (int)n;
      cr_assert_eq(srtp_unprotect(in, p, &m), srtp_err_status_ok);
      is_plain(p, (size_t)m, 42, seq);
      n = rtcp_make(p, 42);
      cr_assert_eq(seal_rtcp(s, p, &n, ROOM), DROP_NONE);
      m = (int)n;
      cr_assert_eq(srtp_unprotect_rtcp(in, p, &m), srtp_err_status_ok);
      cr_assert_eq(m, 8);
      m = (int)rtcp_make(p, 99);
      cr_assert_eq(srtp_protect_rtcp(out, p, &m), srtp_err_status_ok);
      n = (size_t)m;
      uint8_t again[ROOM];
      memcpy(again, p, n);
      cr_assert_eq(open_rtcp(o, p, &n, 1), DROP_NONE);
      cr_assert_eq(n, 8);
      n = (size_t)m;
      cr_assert_eq(open_rtcp(o, again, &n, 1), DROP_REPLAY);
    }
    uint64_t index;
    cr_assert(opener_index(o, 99, &index));
    cr_assert_eq(index, 65539);
    srtp_dealloc(in);
    srtp_dealloc(out);
  }
}

/* A packet that does not open is as it was, so that another opener may try it. */
Test(srtp, a_failed_try_leaves_the_packet_alone) {
  uint8_t p[ROOM], copy[ROOM];
  for (size_t i = 0; i < COUNT_OF(all); i++) {
    struct srtp_key right, wrong;
    own(opener) yes = NULL;
    own(opener) no = NULL;
    srtpkey_make(&right, all[i]);
    srtpkey_make(&wrong, all[i]);
    cr_assert_eq(opener_new(&yes, &right), 0);
    cr_assert_eq(opener_new(&no, &wrong), 0);
    srtp_t out = peer_new(&right, ssrc_specific, 99);
    for (uint16_t seq = 1; seq < 30; seq++) {
      size_t n = peer_seal(out, p, 99, seq), was = n;
      memcpy(copy, p, n);
      cr_assert_neq(open_rtp(no, p, &n, 1), DROP_NONE);
      cr_assert_eq(n, was);
      cr_assert_arr_eq(p, copy, n);
      cr_assert_eq(open_rtp(yes, p, &n, 1), DROP_NONE);
    }
    int m = (int)rtcp_make(p, 99);
    cr_assert_eq(srtp_protect_rtcp(out, p, &m), srtp_err_status_ok);
    size_t n = (size_t)m;
    memcpy(copy, p, n);
    cr_assert_eq(open_rtcp(no, p, &n, 1), DROP_AUTH);
    cr_assert_arr_eq(p, copy, n);
    cr_assert_eq(open_rtcp(yes, p, &n, 1), DROP_NONE);
    cr_assert_eq(opener_counts(no)->packets, 0);
    cr_assert_leq(opener_counts(no)->searches, OPENER_SEARCHES_A_S);
    srtp_dealloc(out);
  }
}

Test(srtp, replays_and_flipped_bits_are_dropped) {
  uint8_t p[ROOM], first[ROOM], x[ROOM];
  for (size_t i = 0; i < COUNT_OF(all); i++) {
    struct srtp_key key;
    own(opener) o = NULL;
    srtpkey_make(&key, all[i]);
    cr_assert_eq(opener_new(&o, &key), 0);
    srtp_t out = peer_new(&key, ssrc_specific, 5);
    size_t n0 = peer_seal(out, first, 5, 1);
    for (size_t bit = 0; bit < n0 * 8; bit += 7) {
      size_t n = n0;
      memcpy(x, first, n);
      x[bit / 8] ^= (uint8_t)(1 << bit % 8);
      cr_assert_neq(open_rtp(o, x, &n, 1), DROP_NONE, "bit %zu", bit);
    }
    for (uint16_t seq = 2; seq < 300; seq++) {
      size_t n = n0;
      memcpy(x, first, n);
      if (seq > 2)
        cr_assert_eq(open_rtp(o, x, &n, 1), seq == 3 ? DROP_NONE : DROP_REPLAY, "seq %u", seq);
      n = peer_seal(out, p, 5, seq);
      cr_assert_eq(open_rtp(o, p, &n, 1), DROP_NONE);
    }
    srtp_dealloc(out);
  }
}

Test(srtp, cut_packets) {
  uint8_t p[ROOM], x[ROOM];
  for (size_t i = 0; i < COUNT_OF(all); i++) {
    struct srtp_key key;
    own(opener) o = NULL;
    srtpkey_make(&key, all[i]);
    cr_assert_eq(opener_new(&o, &key), 0);
    srtp_t out = peer_new(&key, ssrc_specific, 5);
    size_t whole = peer_seal(out, p, 5, 1);
    for (size_t cut = 0; cut < whole; cut++) {
      size_t n = cut;
      memcpy(x, p, whole);
      enum drop d = open_rtp(o, x, &n, 1);
      cr_assert_neq(d, DROP_NONE, "%zu", cut);
      if (cut < 12)
        cr_assert_eq(d, DROP_SHORT);
      n = cut;
      cr_assert_neq(open_rtcp(o, x, &n, 1), DROP_NONE);
    }
    srtp_dealloc(out);
  }
}

Test(srtp, mki_both_ways) {
  uint8_t p[ROOM];
  static const uint32_t lengths[] = {1, 2, 4, 8, 128};
  for (size_t i = 0; i < COUNT_OF(all); i++)
    for (size_t k = 0; k < COUNT_OF(lengths); k++) {
      struct srtp_key key, other;
      own(opener) o = NULL;
      own(sealer) s = NULL;
      srtpkey_make(&key, all[i]);
      key.mki_bytes = lengths[k];
      key.mki[3] = 7;
      cr_assert_eq(sealer_new(&s, &key, 1), 0);
      cr_assert_eq(opener_new(&o, &key), 0);
      size_t n = rtp_make(p, 1, 0), plain = n;
      cr_assert_eq(seal_rtp_next(s, p, &n, ROOM), DROP_NONE);
      bool is_gcm = all[i] == SUITE_AEAD_AES_128_GCM || all[i] == SUITE_AEAD_AES_256_GCM;
      size_t tag = is_gcm ? 16 : suite_is_short(all[i]) ? 4 : 10;
      cr_assert_eq(n, plain + tag + lengths[k]);
      other = key;
      other.mki[3] = 8;
      own(opener) deaf = NULL;
      cr_assert_eq(opener_new(&deaf, &other), 0);
      cr_assert_eq(open_rtp(deaf, p, &n, 1), DROP_MKI);
      cr_assert_eq(open_rtp(o, p, &n, 1), DROP_NONE);
      cr_assert_eq(n, plain);
      n = rtcp_make(p, 1);
      cr_assert_eq(seal_rtcp(s, p, &n, ROOM), DROP_NONE);
      enum drop d = open_rtcp(o, p, &n, 1);
      cr_assert_eq(d, DROP_NONE, "%s mki %u: %s", suite_name(all[i]), lengths[k], drop_text(d));
      cr_assert_eq(n, 8);
    }
}

Test(srtp, our_sequence_never_goes_back) {
  uint8_t p[ROOM];
  static const enum srtp_suite suites[] = {SUITE_NONE, SUITE_AEAD_AES_128_GCM};
  for (size_t i = 0; i < COUNT_OF(suites); i++) {
    struct srtp_key key, next;
    own(sealer) s = NULL;
    srtpkey_make(&key, suites[i]);
    srtpkey_make(&next, SUITE_AES_CM_128_HMAC_SHA1_80);
    cr_assert_eq(sealer_new(&s, &key, 9), 0);
    uint16_t first = (uint16_t)sealer_next_index(s);
    cr_assert(first > 0 && first < 0x8000);
    for (unsigned k = 0; k < 200; k++) {
      if (k == 198)
        continue; /* late, below */
      size_t n = rtp_make(p, 9, (uint16_t)(first + k));
      cr_assert_eq(seal_rtp(s, p, &n, ROOM), DROP_NONE);
    }
    size_t n = rtp_make(p, 9, (uint16_t)(first + 197));
    cr_assert_eq(seal_rtp(s, p, &n, ROOM), DROP_OLD_SEQ);
    n = rtp_make(p, 9, (uint16_t)(first + 198));
    cr_assert_eq(seal_rtp(s, p, &n, ROOM), DROP_NONE);
    n = rtp_make(p, 9, (uint16_t)(first + 198));
    cr_assert_eq(seal_rtp(s, p, &n, ROOM), DROP_OLD_SEQ);
    n = rtp_make(p, 9, (uint16_t)(first + 10));
    cr_assert_eq(seal_rtp(s, p, &n, ROOM), DROP_OLD_SEQ);
    if (suites[i] != SUITE_NONE)
      cr_assert_eq(sealer_rekey(s, &next), 0);
    n = rtp_make(p, 9, (uint16_t)(first + 199));
    cr_assert_eq(seal_rtp(s, p, &n, ROOM), DROP_OLD_SEQ, "a new key does not make it new");
    cr_assert_eq(sealer_next_index(s), (uint64_t)first + 200);
    n = rtp_make(p, 9, first);
    cr_assert_eq(seal_rtp(s, p, &n, n + 3), suites[i] == SUITE_NONE ? DROP_OLD_SEQ : DROP_TOO_LONG);
  }
}

Test(srtp, an_ssrc_never_comes_back_under_one_key) {
  struct srtp_key key;
  own(sealer) s = NULL;
  srtpkey_make(&key, SUITE_AES_CM_128_HMAC_SHA1_80);
  cr_assert_eq(sealer_new(&s, &key, 1), 0);
  for (uint32_t ssrc = 2; ssrc <= 8; ssrc++) {
    cr_assert_eq(sealer_set_ssrc(s, ssrc), 0);
    cr_assert_lt(sealer_next_index(s), 0x8000);
    cr_assert_eq(sealer_set_ssrc(s, 1), -EEXIST);
  }
  cr_assert_eq(sealer_set_ssrc(s, 9), -ENOSPC);
  srtpkey_make(&key, SUITE_AES_CM_128_HMAC_SHA1_80);
  cr_assert_eq(sealer_rekey(s, &key), 0);
  cr_assert_eq(sealer_set_ssrc(s, 1), 0);
  cr_assert_eq(sealer_ssrc(s), 1);
}

Test(srtp, eight_sources_live_and_the_silent_one_goes) {
  uint8_t p[ROOM], old[ROOM];
  struct srtp_key key;
  own(opener) o = NULL;
  srtp_t peers[10];
  size_t n_old = 0;
  srtpkey_make(&key, SUITE_AES_CM_128_HMAC_SHA1_80);
  cr_assert_eq(opener_new(&o, &key), 0);
  for (uint32_t i = 0; i < 10; i++) {
    peers[i] = peer_new(&key, ssrc_specific, i + 1);
    size_t n = peer_seal(peers[i], p, i + 1, 100);
    if (i == 0)
      memcpy(old, p, n_old = n);
    cr_assert_eq(open_rtp(o, p, &n, 1000 + i), DROP_NONE);
  }
  cr_assert_eq(opener_counts(o)->ssrcs, 10);
  cr_assert_eq(opener_counts(o)->evicted, 2);
  size_t n = n_old;
  cr_assert_eq(open_rtp(o, old, &n, 2000), DROP_REPLAY, "eviction opens no door to replays");
  n = peer_seal(peers[0], p, 1, 101);
  cr_assert_eq(open_rtp(o, p, &n, 2000), DROP_NONE);
  is_plain(p, n, 1, 101);
  for (uint32_t i = 0; i < 10; i++)
    srtp_dealloc(peers[i]);
}

/* The peer is far along in its counter when we come: after a rekey, or when an SSRC returns. */
Test(srtp, a_returning_source_is_found_again) {
  uint8_t p[ROOM];
  for (size_t i = 0; i < COUNT_OF(all); i++) {
    struct srtp_key key;
    own(opener) o = NULL;
    srtpkey_make(&key, all[i]);
    cr_assert_eq(opener_new(&o, &key), 0);
    srtp_t a = peer_new(&key, ssrc_specific, 1);
    uint32_t at = 0;
    size_t n;
    for (; at < 3 * 65536u; at += 20000) {
      n = peer_seal(a, p, 1, (uint16_t)at);
      cr_assert_eq(open_rtp(o, p, &n, 1), DROP_NONE);
    }
    /* 65536 packets that we never saw */
    for (uint32_t end = at + 65536; at < end; at += 16384)
      n = peer_seal(a, p, 1, (uint16_t)at);
    cr_assert_eq(open_rtp(o, p, &n, 2000000), DROP_NONE);
    cr_assert_eq(opener_counts(o)->found, 1);
    for (uint32_t end = at + 70000; at < end; at += 9999) {
      n = peer_seal(a, p, 1, (uint16_t)at);
      cr_assert_eq(open_rtp(o, p, &n, 3000000), DROP_NONE);
      is_plain(p, n, 1, (uint16_t)at);
    }
    cr_assert_eq(opener_counts(o)->found, 1);
    srtp_dealloc(a);
  }
}

/* Lesson 2: after a rekey a peer goes on with its counter, or begins at 0: both are heard. */
Test(srtp, a_rekey_with_or_without_the_counter) {
  uint8_t p[ROOM];
  for (unsigned fresh = 0; fresh < 2; fresh++) {
    struct srtp_key key;
    own(opener) o = NULL;
    srtp_policy_t policy;
    size_t n;
    srtpkey_make(&key, SUITE_AEAD_AES_256_GCM);
    cr_assert_eq(opener_new(&o, &key), 0);
    srtp_t a = peer_new(&key, ssrc_specific, 1);
    for (uint32_t at = 0; at < 140000; at += 20000) {
      n = peer_seal(a, p, 1, (uint16_t)at);
      cr_assert_eq(open_rtp(o, p, &n, 1), DROP_NONE);
    }
    n = peer_seal(a, p, 1, (uint16_t)140001);
    uint8_t late[ROOM];
    size_t n_late = peer_seal(a, late, 1, (uint16_t)140002);
    srtpkey_make(&key, SUITE_AES_CM_128_HMAC_SHA1_80);
    cr_assert_eq(opener_rekey(o, &key), 0);
    cr_assert_eq(open_rtp(o, p, &n, 2), DROP_NONE, "the old key is still good");
    peer_policy(&policy, &key, ssrc_specific, 1);
    if (fresh) {
      srtp_dealloc(a);
      a = peer_new(&key, ssrc_specific, 1);
    } else {
      cr_assert_eq(srtp_update(a, &policy), srtp_err_status_ok);
    }
    n = peer_seal(a, p, 1, (uint16_t)140010);
    cr_assert_eq(open_rtp(o, p, &n, 3), DROP_NONE, "fresh %u", fresh);
    is_plain(p, n, 1, (uint16_t)140010);
    n = n_late;
    cr_assert_eq(open_rtp(o, late, &n, 3 + OPENER_OVERLAP_MS * 1000u), DROP_AUTH, "the overlap is over");
    srtp_dealloc(a);
  }
}

/* Search is bounded: a flood of bad tags costs eight a second, and a live stream goes on. */
Test(srtp, a_flood_of_bad_tags) {
  uint8_t p[ROOM];
  struct srtp_key key;
  own(opener) o = NULL;
  srtpkey_make(&key, SUITE_AES_CM_128_HMAC_SHA1_80);
  cr_assert_eq(opener_new(&o, &key), 0);
  srtp_t a = peer_new(&key, ssrc_specific, 1);
  size_t n = peer_seal(a, p, 1, 1);
  cr_assert_eq(open_rtp(o, p, &n, 0), DROP_NONE);
  for (unsigned i = 0; i < 2000; i++) {
    n = peer_seal(a, p, 1, (uint16_t)(2 + i));
    p[20] ^= 1;
    bytes_put_u32(p + 8, i % 2 ? 1 : i);
    enum drop d = open_rtp(o, p, &n, 1000 * i);
    cr_assert(d == DROP_AUTH || d == DROP_SSRC_SEARCH);
  }
  cr_assert_leq(opener_counts(o)->searches, 2 * OPENER_SEARCHES_A_S);
  cr_assert_eq(opener_counts(o)->ssrcs, 1);
  n = peer_seal(a, p, 1, 2002);
  cr_assert_eq(open_rtp(o, p, &n, 2000000), DROP_NONE);
  srtp_dealloc(a);
}

/* Lesson 3: any order of rekey, new SSRC, returning SSRC, wrap, gap and loss leaves both directions
 * open to the reference peer. ---------------------------------------------------------------------- */
struct world {
  struct opener *o;
  struct sealer *s;
  struct srtp_key key_in, key_out;
  srtp_t peer_out[2], peer_in; /* the peer's two senders (two SSRCs), its receiver */
  uint32_t at[2], ours_next;   /* at is the next index of the peer's senders. */
  uint32_t seed;
  unsigned active;
  uint64_t now_us;
};

static uint32_t dice(struct world *w, uint32_t sides) {
  w->seed = w->seed * 1664525 + 1013904223;
  return (w->seed >> 8) % sides;
}

static void world_in(struct world *w) {
  uint8_t p[ROOM];
  uint32_t ssrc = 100 + w->active, *at = &w->at[w->active];
  size_t n = peer_seal(w->peer_out[w->active], p, ssrc, (uint16_t)*at);
  if (dice(w, 20)) { /* else lost */
    enum drop d = open_rtp(w->o, p, &n, w->now_us);
    uint64_t heard = 0;
    bool known = opener_index(w->o, ssrc, &heard);
    cr_assert_eq(d, DROP_NONE, "index %u of %u: %s, heard %lu %d", *at, ssrc, drop_text(d), heard,
                 known);
    is_plain(p, n, ssrc, (uint16_t)*at);
    uint32_t roc;
    cr_assert_eq(srtp_get_stream_roc(w->peer_out[w->active], ssrc, &roc), srtp_err_status_ok);
    cr_assert_eq(heard >> 16, roc);
  }
  *at += dice(w, 10) ? 1 : 1 + dice(w, 30000);
}

static void world_out(struct world *w) {
  uint8_t p[ROOM];
  uint64_t index = sealer_next_index(w->s) + (dice(w, 10) ? 0 : dice(w, 30000));
  size_t n = rtp_make(p, 0, (uint16_t)index);
  cr_assert_eq(seal_rtp(w->s, p, &n, ROOM), DROP_NONE);
  cr_assert_eq(sealer_next_index(w->s), index + 1);
  int m = (int)n;
  cr_assert_eq(srtp_unprotect(w->peer_in, p, &m), srtp_err_status_ok, "seed %u", w->seed);
  is_plain(p, (size_t)m, sealer_ssrc(w->s), (uint16_t)index);
  n = rtcp_make(p, sealer_ssrc(w->s));
  cr_assert_eq(seal_rtcp(w->s, p, &n, ROOM), DROP_NONE);
  m = (int)n;
  cr_assert_eq(srtp_unprotect_rtcp(w->peer_in, p, &m), srtp_err_status_ok);
}

static void world_rekey_in(struct world *w) {
  srtp_policy_t policy;
  srtpkey_make(&w->key_in, all[dice(w, COUNT_OF(all))]);
  cr_assert_eq(opener_rekey(w->o, &w->key_in), 0);
  for (unsigned i = 0; i < 2; i++) {
    peer_policy(&policy, &w->key_in, ssrc_specific, 100 + i);
    cr_assert_eq(srtp_update(w->peer_out[i], &policy), srtp_err_status_ok);
  }
}

static void world_rekey_out(struct world *w) {
  srtp_policy_t policy;
  srtpkey_make(&w->key_out, all[dice(w, COUNT_OF(all))]);
  cr_assert_eq(sealer_rekey(w->s, &w->key_out), 0);
  peer_policy(&policy, &w->key_out, ssrc_any_inbound, 0);
  cr_assert_eq(srtp_update(w->peer_in, &policy), srtp_err_status_ok);
}

static void world_step(struct world *w) {
  w->now_us += 1000000 + dice(w, 5000000);
  switch (dice(w, 12)) {
  case 0:
    world_rekey_in(w);
    break;
  case 1:
    world_rekey_out(w);
    break;
  case 2:
    w->active ^= 1;
    break; /* hold music's SSRC, then the old one again */
  case 3: {
    int e = sealer_set_ssrc(w->s, 1000 + dice(w, 1 << 20));
    cr_assert(e == 0 || e == -ENOSPC || e == -EEXIST);
    break;
  }
  case 4:
    w->now_us += 900000000;
    break; /* 15 min of hold */
  default:
    for (unsigned k = dice(w, 8); k > 0; k--) {
      world_in(w);
      world_out(w);
    }
  }
}

static void world_run(uint32_t seed) {
  struct world w = {.seed = seed, .at = {65000, 10}, .now_us = 1};
  srtpkey_make(&w.key_in, all[dice(&w, COUNT_OF(all))]);
  srtpkey_make(&w.key_out, all[dice(&w, COUNT_OF(all))]);
  cr_assert_eq(opener_new(&w.o, &w.key_in), 0);
  cr_assert_eq(sealer_new(&w.s, &w.key_out, 999), 0);
  w.peer_in = peer_new(&w.key_out, ssrc_any_inbound, 0);
  for (unsigned i = 0; i < 2; i++)
    w.peer_out[i] = peer_new(&w.key_in, ssrc_specific, 100 + i);
  for (unsigned i = 0; i < 400; i++)
    world_step(&w);
  srtp_dealloc(w.peer_in);
  for (unsigned i = 0; i < 2; i++)
    srtp_dealloc(w.peer_out[i]);
  opener_free(w.o);
  sealer_free(w.s);
}

Test(srtp, any_order_of_changes_stays_decryptable, .timeout = 60) {
  for (uint32_t seed = 1; seed <= 25; seed++)
    world_run(seed);
}

Test(drop, every_reason_has_its_own_text) {
  for (int i = 0; i < DROP_COUNT_; i++)
    for (int k = 0; k < i; k++)
      cr_assert_str_neq(drop_text((enum drop)i), drop_text((enum drop)k));
  cr_assert_str_eq(drop_text(DROP_COUNT_), "unknown");
}
