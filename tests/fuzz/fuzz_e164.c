/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing of small texts of peers: numbers, Reason values, and any bytes as an event's data. */
#include "wire/e164.h"
#include "wire/q850.h"
#include "wire/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct slice s = slice_from(data, n);
  static char out[65536];
  struct text t;
  int cause = 0;
  size_t got;
  if (e164_is_dialable(s) != (e164_is_global(s) || e164_is_dial(s)) || (e164_is_dialable(s) && n > 32))
    abort();
  if (q850_parse(s, &cause) == 0 && (cause < 1 || cause > 127))
    abort();
  text_init(&t, out, sizeof(out));
  sse_event(&t, 1, "e", s);
  if (text_end(&t, &got) == 0 && !memchr(s.n ? s.p : "", 0, s.n ? s.n : 0)) {
    const char *end = strstr(out, "\n\n"); /* the event ends once, at its end */
    if (!end || end + 2 != out + got || strchr(out, '\r'))
      abort();
  }
  return 0;
}
