/* SPDX-License-Identifier: Apache-2.0
 * What the rooms of the coders share: a row of functions for each kind. */
#pragma once
#include "codec/coder.h"
#include "codec/conceal.h"

struct coder_ops {
  int (*decoder_init)(struct decoder *d);
  void (*decoder_done)(struct decoder *d);
  size_t (*decode)(struct decoder *d, const uint8_t *payload, size_t n, int16_t *dst);
  size_t (*samples)(const struct decoder *d, const uint8_t *payload, size_t n);
  /* NULL: by conceal.h */
  size_t (*conceal)(struct decoder *d, size_t samples, const uint8_t *next, size_t n_next, int16_t *dst);
  int (*encoder_init)(struct encoder *e);
  void (*encoder_done)(struct encoder *e);
  size_t (*encode)(struct encoder *e, const int16_t *src, size_t samples, uint8_t *dst, size_t room);
  size_t (*delay)(const struct encoder *e);              /* NULL: 0 */
  void (*set_loss)(struct encoder *e, unsigned percent); /* NULL: does not care */
};

extern const struct coder_ops coder_g711, coder_g722, coder_opus;

struct decoder {
  const struct coder_ops *ops;
  struct coder_format format;
  void *state;             /* state is the library's; NULL for G.711. */
  struct conceal *conceal; /* conceal is NULL where the library conceals. */
};

struct encoder {
  const struct coder_ops *ops;
  struct coder_format format;
  void *state; /* state is the library's; NULL for G.711. */
};
