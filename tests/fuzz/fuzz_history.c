/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing of History-Info, Diversion and name-addrs: what was read is written, and read again as the
 * same; nothing that is written breaks a line. */
#include "wire/history.h"
#include "wire/nameaddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void again(const struct history *h, bool is_info) {
  static char out[2 * HISTORY_TEXT_BYTES];
  struct history back;
  struct text t;
  size_t got;
  text_init(&t, out, sizeof out);
  if (is_info)
    history_write_info(h, &t, "gw.test", "+1555", true);
  else
    history_write_diversion(h, &t, "gw.test", true);
  if (text_end(&t, &got) < 0 || strpbrk(out, "\r\n"))
    abort();
  int r =
      is_info ? history_read_info(&back, slice_of(out)) : history_read_diversion(&back, slice_of(out));
  if (r < 0 || back.n > h->n || (!is_info && back.n != h->n))
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct slice s = slice_from(data, n);
  struct history h;
  if (n > HISTORY_TEXT_BYTES)
    return 0;
  if (history_read_info(&h, s) == 0 && h.n > HISTORY_MAX)
    abort();
  again(&h, true);
  if (history_read_diversion(&h, s) == 0)
    again(&h, false);
  return 0;
}
