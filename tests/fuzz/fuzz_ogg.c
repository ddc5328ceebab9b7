/* SPDX-License-Identifier: Apache-2.0
 * Fuzz: Opus in Ogg, fed in pieces. The first octet: bit 0 mends the pages' checksums first (a fuzzer
 * cannot), the rest is the size of a piece. What comes out goes through a decoder. */
#include "codec/ogg.h"

#include <ogg/ogg.h>

static void mend(uint8_t *p, size_t n) {
  for (size_t at = 0; at + 27 <= n; at++) {
    if (memcmp(p + at, "OggS", 4) != 0)
      continue;
    size_t head = 27u + p[at + 26], body = 0;
    for (size_t i = 27; i < head && at + head <= n; i++)
      body += p[at + i];
    if (at + head + body > n)
      return;
    ogg_page page = {
        .header = p + at, .header_len = (long)head, .body = p + at + head, .body_len = (long)body};
    ogg_page_checksum_set(&page);
  }
}

static struct decoder *decoder;

static bool drain(struct oggin *o) {
  static int16_t samples[CODER_SAMPLES_MAX];
  struct slice packet;
  uint32_t units;
  enum oggin_verdict v;
  while ((v = oggin_next(o, &packet, &units)) == OGGIN_PACKET) {
    if (packet.n == 0 || packet.n > CODER_PAYLOAD_MAX || units == 0 || units > CODER_SAMPLES_MAX ||
        !oggin_head(o)->is_known)
      abort();
    if (decoder_samples(decoder, (const uint8_t *)packet.p, packet.n) != units)
      abort();
    (void)decoder_decode(decoder, (const uint8_t *)packet.p, packet.n, samples, CODER_SAMPLES_MAX);
  }
  return v == OGGIN_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct coder_format f = {.kind = CODER_OPUS, .rate_hz = 48000};
  struct oggin *o = NULL;
  if (n < 2)
    return 0;
  uint8_t *copy = malloc(n - 1);
  if (!copy || oggin_new(&o) < 0 || decoder_new(&decoder, &f) < 0)
    abort();
  memcpy(copy, data + 1, n - 1);
  size_t piece = 1 + (size_t)(data[0] >> 1) * 64, at = 0;
  if (data[0] & 1)
    mend(copy, n - 1);
  while (at < n - 1 && drain(o)) {
    size_t part = n - 1 - at < piece ? n - 1 - at : piece;
    if (oggin_feed(o, copy + at, part) < 0)
      abort();
    at += part;
  }
  decoder = decoder_free(decoder);
  oggin_free(o);
  free(copy);
  return 0;
}
