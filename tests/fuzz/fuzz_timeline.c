/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing of timelines: blobs as a damaged disk could give them, and redaction of any bytes, after which
 * no key that stood behind its mark is left. */
#include "trace/redact.h"
#include "trace/trace.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int count(void *arg, const struct trace_item *i) {
  struct trace_point points[64];
  uint32_t step_s;
  *(size_t *)arg += i->text_n + trace_points(i, &step_s, points, COUNT_OF(points));
  return 0;
}

static void blob_try(const uint8_t *data, size_t n) {
  struct trace_head head;
  own(trace_pcap) p = NULL;
  size_t sum = 0;
  (void)!trace_read(slice_from(data, n), &head, count, &sum);
  if (trace_pcap_new(&p) == 0)
    (void)!trace_pcap_add(p, slice_from(data, n));
}

static void redact_try(const uint8_t *data, size_t n) {
  static const char key[] = "WnD7c1ksDGs+dIefCEo8omPg4uO8DYIinNGL5yxQ";
  char out[4096], in[4096];
  if (n > 2000 || memmem(data, n, key, 8)) /* it stands there on its own */
    return;
  memcpy(in, data, n);
  int m =
      snprintf(in + n, sizeof(in) - n, "\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%s|2^20\r\n", key);
  size_t k = redact_sip(out, sizeof(out), slice_from(in, n + (size_t)m));
  if (k >= sizeof(out) || strstr(out, key))
    abort();
  k = redact_text(out, sizeof(out), slice_from(in, n + (size_t)m));
  if (k >= sizeof(out) || strstr(out, key))
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  blob_try(data, n);
  redact_try(data, n);
  return 0;
}
