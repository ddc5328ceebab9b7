/* SPDX-License-Identifier: Apache-2.0
 * Another sample rate (speexdsp, quality 3 of 10: 1-2 ms of delay, aliases under -50 dB). Between 8,000,
 * 16,000 and 48,000 Hz a frame of whole milliseconds gives a frame of as many; other rates are for
 * files. State of one direction; nothing allocates after resampler_new(). Pure, a DSP thread's. */
#pragma once
#include "base/own.h"

enum { RESAMPLER_HZ_MIN = 4000, RESAMPLER_HZ_MAX = 192000 };

struct resampler;

int resampler_new(struct resampler **ret, uint32_t from_hz,
                  uint32_t to_hz) must_check;          /* 0, -EINVAL, -ENOMEM */
struct resampler *resampler_free(struct resampler *r); /* NULL */
OWN_DEFINE(resampler)
/* The most samples that n can give. */
size_t resampler_room(const struct resampler *r, size_t n);
/* All of src into dst, which has resampler_room(); returns samples. Equal rates copy. dst is not src. */
size_t resampler_run(struct resampler *r, const int16_t *src, size_t n, int16_t *dst);
