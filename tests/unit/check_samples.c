/* SPDX-License-Identifier: Apache-2.0
 * Units of codec on samples: resampling, comfort noise, levels and speech, DTMF in the band, tones. */
#include "codec/cn.h"
#include "codec/inband.h"
#include "codec/resample.h"
#include "codec/tone.h"
#include "codec/vad.h"

#include <criterion/criterion.h>
#include <math.h>

static const uint32_t rates[] = {8000, 16000, 48000};

static void sine(int16_t *dst, size_t n, uint32_t rate_hz, size_t at, double hz, double level) {
  for (size_t i = 0; i < n; i++)
    dst[i] = (int16_t)lround(level * sin(2 * M_PI * hz * (double)(at + i) / rate_hz));
}

static double power(const int16_t *s, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += (double)s[i] * s[i];
  return n ? sum / (double)n : 0;
}

/* The power of s at hz. */
static double power_at(const int16_t *s, size_t n, uint32_t rate_hz, double hz) {
  double a = 0, b = 0, w = 2 * M_PI * hz / rate_hz;
  for (size_t i = 0; i < n; i++) {
    a += s[i] * cos(w * (double)i) * 2 / (double)n;
    b += s[i] * sin(w * (double)i) * 2 / (double)n;
  }
  return (a * a + b * b) / 2;
}

static uint32_t seed = 1;
static double even(void) { /* -1 … 1 */
  seed = seed * 1664525u + 1013904223u;
  return (int32_t)seed / 2147483648.0;
}

/* Resampling ----------------------------------------------------------------------------------- */

/* A second of a tone of hz by frames of 20 ms; the power of the last half second and that at hz. */
static void resampled(uint32_t from, uint32_t to, double hz, double *ret_all, double *ret_tone) {
  static int16_t out[48000 + 2000];
  int16_t in[960];
  own(resampler) r = NULL;
  size_t total = 0;
  cr_assert_eq(resampler_new(&r, from, to), 0);
  for (size_t i = 0; i < 50; i++) {
    sine(in, from / 50, from, i * from / 50, hz, 8000);
    size_t n = resampler_run(r, in, from / 50, out + total);
    cr_assert_leq(n, resampler_room(r, from / 50));
    cr_assert(i == 0 || n == to / 50, "%u to %u: frame %zu has %zu", from, to, i, n);
    total += n;
  }
  *ret_all = power(out + total - to / 2, to / 2);
  *ret_tone = power_at(out + total - to / 2, to / 2, to, hz);
}

Test(resample, each_pair_keeps_a_tone) {
  double all, tone;
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < 3; k++) {
      resampled(rates[i], rates[k], 1004, &all, &tone);
      cr_expect_gt(10 * log10(tone / (all - tone + 1e-9)), 40, "%u to %u", rates[i], rates[k]);
      cr_expect(fabs(10 * log10(all / 32e6)) < 0.3, "%u to %u: level", rates[i], rates[k]);
    }
}

Test(resample, what_has_no_place_is_cut) {
  double all, tone;
  resampled(48000, 8000, 6500, &all, &tone);
  cr_assert_lt(10 * log10(all / 32e6), -45);
  resampled(16000, 8000, 6500, &all, &tone);
  cr_assert_lt(10 * log10(all / 32e6), -45);
}

Test(resample, bounds) {
  struct resampler *r = NULL;
  cr_assert_eq(resampler_new(&r, 0, 8000), -EINVAL);
  cr_assert_eq(resampler_new(&r, 8000, 200000), -EINVAL);
  cr_assert_null(r);
}

/* Levels ----------------------------------------------------------------------------------------- */

Test(vad, levels_are_of_rfc_6464) {
  int16_t s[480];
  memset(s, 0, sizeof(s));
  cr_assert_eq(vad_level(s, 480), 127);
  for (size_t i = 0; i < 480; i++)
    s[i] = i % 2 ? 32767 : -32768;
  cr_assert_eq(vad_level(s, 480), 0);
  sine(s, 480, 48000, 0, 1000, 32767);
  cr_assert_eq(vad_level(s, 480), 3);
  sine(s, 480, 48000, 0, 1000, 327.67);
  cr_assert_eq(vad_level(s, 480), 43);
  cr_assert_eq(vad_level(s, 0), 127);
}

Test(vad, speech_is_what_stands_out) {
  struct vad v;
  int16_t s[160];
  unsigned speech[3] = {0};
  vad_init(&v);
  for (unsigned i = 0; i < 1500; i++) { /* 10 s of noise at -50 dBov, 10 s with bursts, 10 s of noise */
    double level = i / 500 == 1 && i % 50 < 25 ? 6000 : 180;
    for (size_t k = 0; k < 160; k++)
      s[k] = (int16_t)lround(level * even());
    speech[i / 500] += vad_run(&v, s, 160, 8000);
  }
  cr_assert_lt(speech[0], 300, "%u: the floor is learnt", speech[0]);
  cr_assert(speech[1] >= 250 && speech[1] <= 400, "%u", speech[1]);
  cr_assert_lt(speech[2], 20, "%u", speech[2]);
  memset(s, 0, sizeof(s));
  for (unsigned i = 0; i < 20; i++)
    (void)vad_run(&v, s, 160, 8000);
  cr_assert(!v.is_speech);
  cr_assert_eq(v.level, 127);
}

/* Comfort noise ------------------------------------------------------------------------------------ */

/* Noise at -35 dBov, duller than white by a pole at p. */
static void noise(int16_t *s, size_t n, double p) {
  static double last;
  for (size_t i = 0; i < n; i++) {
    last = p * last + even() * sqrt(3 * (1 - p * p));
    s[i] = (int16_t)lround(last * 583);
  }
}

Test(cn, a_payload_is_of_rfc_3389) {
  int16_t s[1600];
  uint8_t p[CN_BYTES_MAX];
  noise(s, 1600, 0.9);
  cr_assert_eq(cn_make(s, 1600, 0, p), 1);
  cr_assert(p[0] >= 33 && p[0] <= 37, "%u", p[0]);
  cr_assert_eq(cn_make(s, 1600, 2, p), 3);
  double k = 258 * (p[1] - 127) / 32768.0;
  cr_assert(k < -0.85 && k > -0.95, "the pole is at 0.9, the coefficient is %f", k);
  cr_assert(abs(p[2] - 127) < 15, "%u", p[2]);
  cr_assert_eq(cn_make(s, 1600, 40, p), CN_BYTES_MAX);
  memset(s, 0, sizeof(s));
  cr_assert_eq(cn_make(s, 1600, 10, p), 1);
  cr_assert_eq(p[0], 127);
}

Test(cn, noise_has_the_level_and_the_colour) {
  static int16_t in[8000], out[8000];
  static const double poles[] = {0, 0.9, -0.7};
  for (size_t i = 0; i < COUNT_OF(poles); i++) {
    uint8_t p[CN_BYTES_MAX];
    struct cn c;
    noise(in, 8000, poles[i]);
    size_t n = cn_make(in, 8000, 6, p);
    cn_init(&c, 5);
    cr_assert(cn_set(&c, p, n));
    for (size_t k = 0; k < 50; k++)
      cn_fill(&c, out + 160 * k, 160);
    int level = vad_level(out, 8000);
    cr_expect(abs(level - p[0]) <= 1, "pole %f: %d for %u", poles[i], level, p[0]);
    double product[2] = {0}, pole[2];
    for (size_t k = 1; k < 8000; k++) {
      product[0] += in[k] * in[k - 1];
      product[1] += out[k] * out[k - 1];
    }
    pole[0] = product[0] / 8000 / power(in, 8000);
    pole[1] = product[1] / 8000 / power(out, 8000);
    cr_expect(fabs(pole[0] - pole[1]) < 0.05, "%f became %f", pole[0], pole[1]);
  }
}

Test(cn, any_payload_is_bounded) {
  struct cn c;
  int16_t out[160];
  uint8_t p[40];
  cn_init(&c, 9);
  cr_assert(!cn_set(&c, p, 0));
  cn_fill(&c, out, 160);
  cr_assert_eq(vad_level(out, 160), 127);
  for (unsigned i = 0; i < 2000; i++) {
    for (size_t k = 0; k < sizeof(p); k++)
      p[k] = i % 3 ? (uint8_t)((even() + 1) * 127) : i % 2 ? 254 : 0;
    cr_assert(cn_set(&c, p, 1 + i % sizeof(p)));
    cn_fill(&c, out, 160);
  }
  cn_set_level(&c, 30);
  for (unsigned i = 0; i < 100; i++)
    cn_fill(&c, out, 160);
  int level = vad_level(out, 160);
  cr_assert(abs(level - 30) <= 1, "%d after all that", level);
}

/* DTMF ----------------------------------------------------------------------------------------- */

struct heard {
  unsigned begun, ended;
  char digit;
  uint32_t ms, at_ms;
};

static void listen(struct inband *d, const int16_t *s, size_t n, struct heard *h) {
  struct inband_event e[INBAND_EVENTS_MAX];
  size_t count = inband_feed(d, s, n, e);
  for (size_t i = 0; i < count; i++) {
    h->begun += !e[i].is_end;
    h->ended += e[i].is_end;
    h->digit = e[i].digit;
    h->ms = e[i].ms;
    h->at_ms = e[i].at_ms;
  }
}

/* 100 ms of silence, the digit, 100 ms of silence, by frames of 20 ms, with some noise. */
static struct heard dialled(char digit, uint32_t rate_hz, uint32_t ms, float level, float twist) {
  struct heard h = {0};
  struct inband_tone t;
  own(inband) d = NULL;
  int16_t s[960];
  size_t frame = rate_hz / 50;
  cr_assert_eq(inband_new(&d, rate_hz), 0);
  cr_assert(inband_begin(&t, digit, rate_hz, ms, level, twist));
  for (unsigned at = 0; at < 200 + ms; at += 20) {
    memset(s, 0, sizeof(s));
    if (at >= 100)
      (void)inband_fill(&t, s, frame);
    for (size_t i = 0; i < frame; i++)
      s[i] = (int16_t)(s[i] + lround(20 * even()));
    listen(d, s, frame, &h);
  }
  return h;
}

Test(inband, each_digit_level_and_twist) {
  static const float levels[] = {-3, -10, -18, -25}, twists[] = {0, 2, 4, -4, 6, -6};
  static const uint32_t ms[] = {40, 45, 60, 100, 500};
  for (const char *c = "0123456789*#ABCD"; *c; c++)
    for (size_t l = 0; l < COUNT_OF(levels); l++)
      for (size_t k = 0; k < COUNT_OF(ms); k++) {
        float twist = twists[(l + k) % COUNT_OF(twists)];
        float level = levels[l] + twist > -3 ? -3 - twist : levels[l]; /* no clipping */
        struct heard h = dialled(*c, 8000, ms[k], level, twist);
        cr_expect(h.begun == 1 && h.ended == 1 && h.digit == *c,
                  "%c, %.0f dBm0, twist %.0f, %u ms: %u %c", *c, level, twist, ms[k], h.begun, h.digit);
        cr_expect(abs((int)h.ms - (int)ms[k]) <= 20, "%c of %u ms was %u", *c, ms[k], h.ms);
        cr_expect(abs((int)h.at_ms - 100) <= 15, "%c begins at %u", *c, h.at_ms);
      }
}

Test(inband, at_each_rate) {
  for (size_t i = 0; i < COUNT_OF(rates); i++)
    for (const char *c = "19*D"; *c; c++) {
      struct heard h = dialled(*c, rates[i], 80, -10, 2);
      cr_expect(h.begun == 1 && h.ended == 1 && h.digit == *c, "%u Hz %c: %u", rates[i], *c, h.begun);
    }
}

Test(inband, too_short_too_soft_or_too_twisted_is_none) {
  cr_expect_eq(dialled('5', 8000, 15, -10, 0).begun, 0);
  cr_expect_eq(dialled('5', 8000, 100, -50, 0).begun, 0);
  cr_expect_eq(dialled('5', 8000, 100, -10, -14).begun, 0);
  cr_expect_eq(dialled('5', 8000, 100, -20, 14).begun, 0);
}

/* Voices: harmonics of a wandering pitch, formants that change each syllable, and breath. */
static void voice(int16_t *s, size_t n, size_t at) {
  static double f[3], phase;
  for (size_t i = 0; i < n; i++) {
    size_t k = at + i;
    if (k % 1600 == 0)
      for (int m = 0; m < 3; m++)
        f[m] = 300 + 500 * m + (even() + 1) * 450;
    double t = (double)k / 8000, v = 0, pitch = 140 + 60 * sin(2 * M_PI * 0.7 * t);
    phase = fmod(phase + 2 * M_PI * pitch / 8000, 2 * M_PI);
    for (int h = 1; h * pitch < 3400; h++) {
      double gain = 0.02;
      for (int m = 0; m < 3; m++)
        gain += 1 / (1 + pow((h * pitch - f[m]) / 90, 2));
      v += gain * sin(h * phase);
    }
    s[i] = (int16_t)lround(2500 * v * (0.5 + 0.5 * sin(2 * M_PI * 2.5 * t)) + 150 * even());
  }
}

Test(inband, none_in_voices_and_noise) {
  own(inband) d = NULL;
  struct heard h = {0};
  int16_t s[160];
  cr_assert_eq(inband_new(&d, 8000), 0);
  for (size_t i = 0; i < 50 * 120; i++) { /* two minutes of voices, then of noise */
    voice(s, 160, i * 160);
    listen(d, s, 160, &h);
  }
  for (size_t i = 0; i < 50 * 120; i++) {
    noise(s, 160, 0.5);
    listen(d, s, 160, &h);
  }
  cr_assert_eq(h.begun, 0, "%u digits, the last is %c", h.begun, h.digit);
}

Test(inband, digits_in_a_row) {
  static const char dialled_digits[] = "1122334455667788990*#ABCD";
  own(inband) d = NULL;
  struct inband_event e[INBAND_EVENTS_MAX];
  struct inband_tone t;
  char text[64] = "";
  size_t n = 0;
  int16_t s[160];
  cr_assert_eq(inband_new(&d, 8000), 0);
  for (const char *c = dialled_digits; *c; c++) { /* 60 ms each, 40 ms between */
    cr_assert(inband_begin(&t, *c, 8000, 60, -10, 2));
    for (int i = 0; i < 5; i++) {
      (void)inband_fill(&t, s, 160);
      size_t count = inband_feed(d, s, 160, e);
      for (size_t k = 0; k < count; k++)
        if (!e[k].is_end)
          text[n++] = e[k].digit;
    }
  }
  text[n] = 0;
  cr_assert_str_eq(text, dialled_digits);
  cr_assert(!inband_begin(&t, 'x', 8000, 60, -10, 2));
  cr_assert(!inband_begin(&t, 0, 8000, 60, -10, 2));
}

/* Tones -------------------------------------------------------------------------------------------- */

Test(tone, samples_at_each_rate) {
  static int16_t s[24000];
  tone_start();
  for (size_t i = 0; i < COUNT_OF(rates); i++) {
    struct tone t;
    size_t half = rates[i] / 2;
    tone_init(&t, TONE_1004);
    tone_make(&t, rates[i], s, half);
    cr_expect_gt(power_at(s, half, rates[i], 1004) / power(s, half), 0.99);
    tone_init(&t, TONE_BUSY);
    tone_make(&t, rates[i], s, half);
    cr_expect_gt(power(s, half), 1e6);
    tone_make(&t, rates[i], s, half);
    cr_expect_eq(power(s, half), 0, "%u Hz: half a second on, half a second off", rates[i]);
  }
}
