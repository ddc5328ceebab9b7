/* SPDX-License-Identifier: Apache-2.0
 * SRTP suites and keys: see srtpkey.h. */
#include "wire/srtpkey.h"

#include "base/rand.h"

static const struct {
  const char *name;
  uint8_t key_bytes, salt_bytes;
} suites[SUITE_COUNT_] = {
    [SUITE_NONE] = {"none", 0, 0},
    [SUITE_AES_CM_128_HMAC_SHA1_80] = {"AES_CM_128_HMAC_SHA1_80", 16, 14},
    [SUITE_AES_CM_128_HMAC_SHA1_32] = {"AES_CM_128_HMAC_SHA1_32", 16, 14},
    [SUITE_AEAD_AES_128_GCM] = {"AEAD_AES_128_GCM", 16, 12},
    [SUITE_AEAD_AES_256_GCM] = {"AEAD_AES_256_GCM", 32, 12},
    [SUITE_AES_256_CM_HMAC_SHA1_80] = {"AES_256_CM_HMAC_SHA1_80", 32, 14},
    [SUITE_AES_256_CM_HMAC_SHA1_32] = {"AES_256_CM_HMAC_SHA1_32", 32, 14},
};

const char *suite_name(enum srtp_suite s) { return suites[s < SUITE_COUNT_ ? s : SUITE_NONE].name; }

enum srtp_suite suite_of(struct slice name) {
  for (unsigned s = SUITE_NONE + 1; s < SUITE_COUNT_; s++)
    if (slice_ieq(name, slice_of(suites[s].name)))
      return (enum srtp_suite)s;
  return SUITE_NONE;
}

size_t suite_key_bytes(enum srtp_suite s) { return s < SUITE_COUNT_ ? suites[s].key_bytes : 0; }
size_t suite_salt_bytes(enum srtp_suite s) { return s < SUITE_COUNT_ ? suites[s].salt_bytes : 0; }

void srtpkey_make(struct srtp_key *ret, enum srtp_suite s) {
  memset(ret, 0, sizeof(*ret));
  ret->suite = s;
  rand_bytes(ret->bytes, suite_key_bytes(s) + suite_salt_bytes(s));
}

void srtpkey_wipe(struct srtp_key *k) { explicit_bzero(k, sizeof(*k)); }
