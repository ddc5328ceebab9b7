/* SPDX-License-Identifier: Apache-2.0
 * The E-model: see mos.h. */
#include "media/mos.h"

#include <math.h>

/* Of G.107, table 2. */
#define RLR 2.0   /* receive loudness */
#define TELR 65.0 /* loudness of talker echo: clients and carriers cancel it */
#define WEPL 110.0
#define NO (-61.18)     /* noise, dBm0p, of the defaults */
#define RO 94.77        /* 15 - 1.5 (SLR + NO) */
#define UNDELAYED 93.35 /* Ro - Is of the defaults: 93.2 once listener echo at no delay is taken off */
#define BURST_MAX 8.0   /* beyond, the model was never tested */

/* Ie and Bpl. G.711: G.113 appendix I (with concealment of G.711 appendix I). G.722: as G.711, on the
 * narrow-band scale (assumed). Opus: its narrow band at 11 kbit/s as measured by Al-Ahmadi, Pocta and
 * Melvin (2021), the lowest rate in use; higher ones are not worse. Others: without concealment. */
static const struct {
  double ie, bpl;
} codecs[] = {
    [CODEC_OTHER] = {0, 4.3}, [CODEC_PCMU] = {0, 25.1}, [CODEC_PCMA] = {0, 25.1},
    [CODEC_G722] = {0, 25.1}, [CODEC_OPUS] = {2, 16.0},
};

/* Too long a delay: G.107 (7-27), with the default sensitivity. */
static double absolute(double ms) {
  if (ms <= 100)
    return 0;
  double x = log2(ms / 100);
  return 25 * (pow(1 + pow(x, 6), 1 / 6.0) - 3 * pow(1 + pow(x / 3, 6), 1 / 6.0) + 2);
}

/* Echo of the talker, (7-20) to (7-23), and of the listener, (7-25) and (7-26). */
static double talker_echo(double ms) {
  double terv = TELR - 40 * log10((1 + ms / 10) / (1 + ms / 150)) + 6 * exp(-0.3 * ms * ms);
  double half = (-1.5 * (NO - RLR) - (80 + 2.5 * (terv - 14))) / 2;
  return (half + sqrt(half * half + 100) - 1) * (1 - exp(-ms));
}

static double listener_echo(double round_ms) {
  double half = (RO - 10.5 * (WEPL + 7) * pow(round_ms + 1, -0.25)) / 2;
  return half + sqrt(half * half + 169);
}

static double equipment(const struct mos_in *in) {
  enum codec_kind k = (unsigned)in->codec < COUNT_OF(codecs) ? in->codec : CODEC_OTHER;
  double ppl = 100 * fmin(fmax(in->loss, 0), 1), burst = fmin(fmax(in->burst_ratio, 1), BURST_MAX);
  return codecs[k].ie + (95 - codecs[k].ie) * ppl / (ppl / burst + codecs[k].bpl);
}

double mos_rating(const struct mos_in *in) {
  double ms = fmax(in->delay_ms, 0);
  double r = UNDELAYED - talker_echo(ms) - listener_echo(2 * ms) - absolute(ms) - equipment(in);
  return fmin(fmax(r, 0), 100);
}

double mos_score(double r) {
  if (r <= 0)
    return 1;
  if (r >= 100)
    return 4.5;
  return fmax(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}

double mos_delay_ms(uint32_t rtt_us, uint32_t jitter_us, uint32_t ptime_ms) {
  return rtt_us / 2000.0 + ptime_ms + fmax(2 * jitter_us / 1000.0, ptime_ms);
}

double mos_burst_ratio(uint64_t lost, uint64_t runs, double loss) {
  if (!lost || !runs)
    return 1;
  return fmin(fmax((double)lost / (double)runs * (1 - loss), 1), BURST_MAX);
}
