/* SPDX-License-Identifier: Apache-2.0
 * Nanoseconds for one packet, sealed or opened, with 1 and 1,024 streams: the SRTP library as shipped,
 * then with our primitives in place. Not part of make check; takes some seconds. */
#include "flow/flow.h"
#include "wire/bytes.h"

#include <srtp2/srtp.h>
#include <stdio.h>
#include <time.h>

enum { STREAMS = 1024, PACKETS = 20000, BYTES = 172 };

static const struct {
  const char *name;
  srtp_profile_t profile;
} suites[] = {{"AES_CM_128_HMAC_SHA1_80", srtp_profile_aes128_cm_sha1_80},
              {"AEAD_AES_128_GCM", srtp_profile_aead_aes_128_gcm},
              {"AEAD_AES_256_GCM", srtp_profile_aead_aes_256_gcm}};

static uint64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static srtp_t session(srtp_profile_t profile, uint8_t fill) {
  uint8_t key[64];
  srtp_policy_t p = {.ssrc = {.type = ssrc_specific, .value = 1}, .key = key, .window_size = 128};
  srtp_t s = NULL;
  memset(key, fill, sizeof(key));
  srtp_crypto_policy_set_from_profile_for_rtp(&p.rtp, profile);
  srtp_crypto_policy_set_from_profile_for_rtcp(&p.rtcp, profile);
  if (srtp_create(&s, &p) != srtp_err_status_ok)
    abort();
  return s;
}

/* Seals with each stream in turn, and opens again; the time of both, halved. */
static uint64_t turn(srtp_t *out, srtp_t *in, unsigned streams) {
  uint8_t p[512] = {0x80, 0};
  uint64_t begin = now_ns();
  for (unsigned i = 0; i < PACKETS; i++) {
    int n = BYTES;
    p[0] = 0x80;
    bytes_put_u16(p + 2, (uint16_t)(i / streams + 1));
    bytes_put_u32(p + 8, 1);
    if (srtp_protect(out[i % streams], p, &n) != srtp_err_status_ok ||
        srtp_unprotect(in[i % streams], p, &n) != srtp_err_status_ok)
      abort();
  }
  return (now_ns() - begin) / PACKETS / 2;
}

static void measure(const char *with) {
  static srtp_t out[STREAMS], in[STREAMS];
  for (size_t k = 0; k < COUNT_OF(suites); k++) {
    uint64_t begin = now_ns();
    for (unsigned i = 0; i < STREAMS; i++) {
      out[i] = session(suites[k].profile, (uint8_t)i);
      in[i] = session(suites[k].profile, (uint8_t)i);
    }
    uint64_t create_ns = (now_ns() - begin) / STREAMS / 2;
    uint64_t many = turn(out, in, STREAMS);
    for (unsigned i = 0; i < STREAMS; i++) {
      srtp_dealloc(out[i]);
      srtp_dealloc(in[i]);
    }
    out[0] = session(suites[k].profile, 1);
    in[0] = session(suites[k].profile, 1);
    uint64_t one = turn(out, in, 1);
    srtp_dealloc(out[0]);
    srtp_dealloc(in[0]);
    printf("%-10s %-24s %8lu ns with 1 stream %8lu ns with %d %8lu ns a session\n", with, suites[k].name,
           (unsigned long)one, (unsigned long)many, STREAMS, (unsigned long)create_ns);
  }
}

int main(void) {
  if (srtp_init() != srtp_err_status_ok)
    return 1;
  measure("shipped");
  srtp_shutdown();
  if (suite_start() < 0)
    return 1;
  measure("libcrypto");
  suite_stop();
  return 0;
}
