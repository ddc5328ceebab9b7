/* SPDX-License-Identifier: Apache-2.0
 * See zrun.h. A packed block is steps {u16 literal bytes, u16 zeros}, each followed by its literals. */
#include "base/zrun.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_BYTES = 4, WORTH = STEP_BYTES + 1, RUN_MAX = 65535 };

struct run {
  size_t literals, zeros;
};

static size_t zeros_at(const uint8_t *p, size_t n) {
  static const uint8_t none[64];
  size_t i = 0;
  while (n - i >= sizeof(none) && memcmp(p + i, none, sizeof(none)) == 0)
    i += sizeof(none);
  while (i < n && p[i] == 0)
    i++;
  return i;
}

static size_t literals_at(const uint8_t *p, size_t n) {
  const uint8_t *zero = memchr(p, 0, n);
  return zero ? (size_t)(zero - p) : n;
}

/* The next step of what is left: literals up to a run of zeros that is worth a step, and that run. */
static struct run run_next(const uint8_t *p, size_t n) {
  struct run r = {0};
  while (r.literals < n && r.literals < RUN_MAX) {
    if (p[r.literals] == 0) {
      r.zeros = zeros_at(p + r.literals, n - r.literals);
      if (r.zeros >= WORTH || r.literals + r.zeros == n)
        break;
      r.literals += r.zeros;
      r.zeros = 0;
    } else {
      r.literals += literals_at(p + r.literals, n - r.literals);
    }
  }
  if (r.literals > RUN_MAX)
    return (struct run){.literals = RUN_MAX};
  if (r.zeros > RUN_MAX)
    r.zeros = RUN_MAX;
  return r;
}

static size_t runs_bytes(const uint8_t *p, size_t n) {
  size_t bytes = 0;
  for (size_t at = 0; at < n;) {
    struct run r = run_next(p + at, n - at);
    bytes += STEP_BYTES + r.literals;
    at += r.literals + r.zeros;
  }
  return bytes;
}

void *zrun_pack(const void *src, size_t n, size_t *ret_bytes) {
  const uint8_t *p = src;
  size_t bytes = runs_bytes(p, n);
  uint8_t *packed = malloc(bytes ? bytes : 1), *to = packed;
  if (!packed)
    return NULL;
  for (size_t at = 0; at < n;) {
    struct run r = run_next(p + at, n - at);
    uint16_t step[2] = {(uint16_t)r.literals, (uint16_t)r.zeros};
    memcpy(to, step, STEP_BYTES);
    memcpy(to + STEP_BYTES, p + at, r.literals);
    to += STEP_BYTES + r.literals;
    at += r.literals + r.zeros;
  }
  *ret_bytes = bytes;
  return packed;
}

int zrun_unpack(const void *packed, size_t packed_bytes, void *dst, size_t n) {
  const uint8_t *p = packed;
  uint8_t *to = dst;
  size_t left = packed_bytes, room = n;
  while (left >= STEP_BYTES) {
    uint16_t step[2];
    memcpy(step, p, STEP_BYTES);
    p += STEP_BYTES;
    left -= STEP_BYTES;
    if (step[0] > left || (size_t)step[0] + step[1] > room)
      return -EBADMSG;
    memcpy(to, p, step[0]);
    memset(to + step[0], 0, step[1]);
    p += step[0];
    left -= step[0];
    to += step[0] + step[1];
    room -= (size_t)step[0] + step[1];
  }
  return left == 0 && room == 0 ? 0 : -EBADMSG;
}
