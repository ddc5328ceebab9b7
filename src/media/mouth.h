/* SPDX-License-Identifier: Apache-2.0
 * An encoder of a room's sound, for one member or for all that hear the same and take it in the same
 * form. It gathers steps of 10 ms until the packet time is full. An engine; a DSP thread's. */
#pragma once
#include "codec/coder.h"
#include "codec/resample.h"
#include "media/xcode.h"

struct mouth {
  struct xcode_form form;
  uint32_t rate_hz, coder_hz; /* of the samples that come, and that the encoder takes */
  struct encoder *encoder;
  struct resampler *resampler; /* NULL: the rates are equal. */
  size_t have;                 /* have samples of coder_hz wait in pcm. */
  int16_t *pcm;
};

/* The form of a room's encoders: what members have of their own is left out, or cut to a few steps, so
 * that many share one. -ENOTSUP: no such codec. */
int mouth_form(const struct xcode_form *asked, struct xcode_form *ret) must_check;
bool mouth_is(const struct mouth *m, const struct xcode_form *f);
int mouth_new(struct mouth **ret, const struct xcode_form *f, uint32_t rate_hz) must_check;
struct mouth *mouth_free(struct mouth *m);
OWN_DEFINE(mouth)
/* Goes on in the middle of what from gathered: both are full at once. Of one form. */
void mouth_join(struct mouth *m, const struct mouth *from);
void mouth_add(struct mouth *m, const int16_t *pcm, size_t n); /* 10 ms */
/* Bytes in dst, which has XCODE_PAYLOAD_MAX, of a packet time that is full; 0: nothing is to be sent. */
size_t mouth_take(struct mouth *m, uint8_t *dst);
uint32_t mouth_clock_hz(const struct mouth *m);
