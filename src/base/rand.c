/* SPDX-License-Identifier: Apache-2.0
 * Random bytes: see rand.h. Small requests are served from a buffer of the thread, wiped as used. */
#include "base/rand.h"

#include <sys/random.h>

static void from_kernel(uint8_t *p, size_t n) {
  while (n) {
    ssize_t got = getrandom(p, n, 0);
    if (got < 0) {
      if (errno == EINTR)
        continue;
      abort();
    }
    p += got;
    n -= (size_t)got;
  }
}

void rand_bytes(void *p, size_t n) {
  static _Thread_local uint8_t stock[256];
  static _Thread_local size_t left;
  if (n > sizeof(stock)) {
    from_kernel(p, n);
    return;
  }
  if (left < n) {
    from_kernel(stock, sizeof(stock));
    left = sizeof(stock);
  }
  uint8_t *at = stock + sizeof(stock) - left;
  memcpy(p, at, n);
  explicit_bzero(at, n);
  left -= n;
}

uint64_t rand_u64(void) {
  uint64_t v;
  rand_bytes(&v, sizeof(v));
  return v;
}

uint32_t rand_u32(void) {
  uint32_t v;
  rand_bytes(&v, sizeof(v));
  return v;
}

uint32_t rand_below(uint32_t bound) {
  if (bound == 0)
    return 0;
  uint32_t floor = (uint32_t)-bound % bound, v;
  do
    v = rand_u32();
  while (v < floor);
  return v % bound;
}

void rand_text(char *dst, size_t n) {
  static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  for (size_t i = 0; i < n; i++)
    dst[i] = set[rand_below(sizeof(set) - 1)];
  dst[n] = 0;
}
