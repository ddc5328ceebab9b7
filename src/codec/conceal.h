/* SPDX-License-Identifier: Apache-2.0
 * Concealment of holes for coders that know none (G.711, G.722), on samples of 8,000 or 16,000 Hz: the
 * last pitch period is repeated and faded out within 60 ms, and what follows the hole is faded in, in
 * the manner of G.711 Appendix I but without its delay. Pure; a DSP thread's. */
#pragma once
#include "base/own.h"

struct conceal;

int conceal_new(struct conceal **ret, uint32_t rate_hz) must_check; /* 0, -EINVAL or -ENOMEM */
struct conceal *conceal_free(struct conceal *c);                    /* NULL */
OWN_DEFINE(conceal)
/* What was decoded; behind a hole its first 4 ms are mixed with the end of what was made up. */
void conceal_heard(struct conceal *c, int16_t *samples, size_t n);
/* The next n samples of the hole. */
void conceal_make(struct conceal *c, int16_t *dst, size_t n);
