/* SPDX-License-Identifier: Apache-2.0
 * Fuzz: RTP and telephone-event. What parses lies within the packet. */
#include "wire/rtp.h"
#include "wire/telev.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct rtp r;
  struct telev t;
  if (!rtp_parse(&r, data, n))
    return 0;
  if (r.payload < data + RTP_HEAD_BYTES || r.payload + r.payload_bytes > data + n || r.pt > RTP_PT_MAX)
    abort();
  for (unsigned id = 0; id < 256; id++) {
    size_t bytes = 0;
    const uint8_t *e = rtp_ext_find(&r, (uint8_t)id, &bytes);
    if (e && (e < r.ext || e + bytes > r.ext + r.ext_bytes || e + bytes > r.payload))
      abort();
  }
  unsigned sum = 0;
  for (size_t i = 0; i < r.payload_bytes; i++)
    sum += r.payload[i];
  if (telev_parse(&t, r.payload, r.payload_bytes) && t.volume > 63)
    abort();
  return (int)(sum & 0);
}
