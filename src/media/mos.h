/* SPDX-License-Identifier: Apache-2.0
 * The E-model (ITU-T G.107, 06/2015, narrow band, default values but for what is measured): a rating R
 * of 0-93.2 from codec, loss, how it clusters, and mouth-to-ear delay; a mean opinion score from R
 * (annex B). Wideband codecs are rated on the same scale, so that figures of one call compare. Pure. */
#pragma once
#include "wire/desc.h"

struct mos_in {
  enum codec_kind codec;
  double loss;        /* loss is the share of packets that were lost or came too late, 0-1. */
  double burst_ratio; /* burst_ratio: mean run of losses over that of random loss; 1 is random. */
  double delay_ms;    /* delay_ms is one way, mouth to ear, as far as it is known. */
};

double mos_rating(const struct mos_in *in); /* R, 0-100; delay 0 gives the listening quality */
double mos_score(double rating);            /* 1-4.5 */
/* One way: half the round trip, a frame, and a buffer of twice the jitter (a frame at least). */
double mos_delay_ms(uint32_t rtt_us, uint32_t jitter_us, uint32_t ptime_ms);
/* Of so many losses in so many runs among packets that were lost with that share; 1 where unknown. */
double mos_burst_ratio(uint64_t lost, uint64_t runs, double loss);
