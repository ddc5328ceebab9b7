/* SPDX-License-Identifier: Apache-2.0
 * SRTP suites (IANA "SRTP Crypto Suite Registrations", RFC 4568, RFC 7714) and the keys of one
 * direction. Keys are secrets: wipe with srtpkey_wipe, never log. Pure. */
#pragma once
#include "base/slice.h"

enum srtp_suite {
  SUITE_NONE,
  SUITE_AES_CM_128_HMAC_SHA1_80,
  SUITE_AES_CM_128_HMAC_SHA1_32,
  SUITE_AEAD_AES_128_GCM,
  SUITE_AEAD_AES_256_GCM,
  SUITE_AES_256_CM_HMAC_SHA1_80, /* RFC 6188 */
  SUITE_AES_256_CM_HMAC_SHA1_32,
  SUITE_COUNT_
};

enum { SRTPKEY_MAX_BYTES = 46, SRTPKEY_MKI_MAX_BYTES = 128 };

struct srtp_key {
  uint32_t suite;                   /* suite is an enum srtp_suite. */
  uint32_t mki_bytes;               /* mki_bytes is the length of the MKI, 0 for none. */
  uint8_t mki[4];                   /* mki is its value, big endian, in the last bytes of 4 used. */
  uint8_t bytes[SRTPKEY_MAX_BYTES]; /* bytes is the master key, then the master salt. */
};

/* The tag of RTP has 32 bits only, that of RTCP 80. */
static inline bool suite_is_short(uint32_t s) {
  return s == SUITE_AES_CM_128_HMAC_SHA1_32 || s == SUITE_AES_256_CM_HMAC_SHA1_32;
}
const char *suite_name(enum srtp_suite s);                  /* "AES_CM_128_HMAC_SHA1_80"; "none" */
enum srtp_suite suite_of(struct slice name);                /* SUITE_NONE if unknown; case matters not */
size_t suite_key_bytes(enum srtp_suite s);                  /* master key: 16 or 32 */
size_t suite_salt_bytes(enum srtp_suite s);                 /* master salt: 14 or 12 */
void srtpkey_make(struct srtp_key *ret, enum srtp_suite s); /* fresh from getrandom, no MKI */
void srtpkey_wipe(struct srtp_key *k);
