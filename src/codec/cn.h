/* SPDX-License-Identifier: Apache-2.0
 * Comfort noise (RFC 3389): a payload is the level in -dBov and up to 10 reflection coefficients of the
 * spectrum, of an octet each. Made from samples of noise, and noise made from it. Any rate. Pure. */
#pragma once
#include "base/own.h"

enum { CN_ORDER_MAX = 10, CN_BYTES_MAX = 1 + CN_ORDER_MAX, CN_SAMPLES_MIN = 80 };

/* The payload for noise like these samples (at least 80), with order coefficients (0-10; 0: the level
 * alone). Returns bytes, 1 + order; the level alone for silence or too few samples. */
size_t cn_make(const int16_t *samples, size_t n, unsigned order, uint8_t dst[CN_BYTES_MAX]);

struct cn {
  uint32_t seed;  /* seed of the noise. */
  unsigned order; /* order is how many of reflect count. */
  float rms;      /* rms of the noise, in sample values, and */
  float now_rms;  /* now_rms that it has by now: changes are slid to. */
  float reflect[CN_ORDER_MAX];
  float back[CN_ORDER_MAX + 1]; /* back is the lattice's memory. */
};

void cn_init(struct cn *c, uint32_t seed); /* silence */
/* From a payload; coefficients past the tenth are passed over. False: empty (unchanged). */
bool cn_set(struct cn *c, const uint8_t *payload, size_t n);
void cn_set_level(struct cn *c, uint8_t level); /* white noise of this level in -dBov; 127: silence */
void cn_fill(struct cn *c, int16_t *dst, size_t n);
