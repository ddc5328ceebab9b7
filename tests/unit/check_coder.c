/* SPDX-License-Identifier: Apache-2.0
 * Units of codec's coders: a tone through each at each rate, holes, FEC, what is malformed. */
#include "codec/coder.h"

#include <criterion/criterion.h>
#include <math.h>

enum { HZ = 1004, LEVEL = 8000 };

static void sine(int16_t *dst, size_t n, uint32_t rate_hz, size_t at, double hz) {
  for (size_t i = 0; i < n; i++)
    dst[i] = (int16_t)lround(LEVEL * sin(2 * M_PI * hz * (double)(at + i) / rate_hz));
}

static double power(const int16_t *s, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += (double)s[i] * s[i];
  return n ? sum / (double)n : 0;
}

/* dB of a sine of hz (any phase, any level) over all else. */
static double tone_snr_db(const int16_t *s, size_t n, uint32_t rate_hz, double hz) {
  double a = 0, b = 0, rest = 0, w = 2 * M_PI * hz / rate_hz;
  for (size_t i = 0; i < n; i++) {
    a += s[i] * cos(w * (double)i) * 2 / (double)n;
    b += s[i] * sin(w * (double)i) * 2 / (double)n;
  }
  for (size_t i = 0; i < n; i++) {
    double e = s[i] - a * cos(w * (double)i) - b * sin(w * (double)i);
    rest += e * e / (double)n;
  }
  return 10 * log10((a * a + b * b) / 2 / (rest + 1e-9));
}

static struct coder_format format(enum coder_kind kind, uint32_t rate_hz) {
  return (struct coder_format){.kind = (uint8_t)kind, .rate_hz = rate_hz, .complexity = 5};
}

/* 500 ms of the tone, by frames of ms; the last 250 ms are in dst (rate_hz / 4 samples). */
static void through(enum coder_kind kind, uint32_t rate_hz, unsigned ms, int16_t *dst) {
  struct coder_format f = format(kind, rate_hz);
  own(encoder) e = NULL;
  own(decoder) d = NULL;
  size_t frame = rate_hz / 1000 * ms, total = 0, half = rate_hz / 4;
  int16_t in[CODER_SAMPLES_MAX], out[24000 + CODER_SAMPLES_MAX];
  uint8_t payload[CODER_PAYLOAD_MAX];
  cr_assert_eq(encoder_new(&e, &f), 0);
  cr_assert_eq(decoder_new(&d, &f), 0);
  for (; total < 2 * half; total += frame) {
    sine(in, frame, rate_hz, total, HZ);
    size_t n = encoder_encode(e, in, frame, payload, sizeof(payload));
    cr_assert_gt(n, 0, "kind %d rate %u ms %u", kind, rate_hz, ms);
    cr_assert_eq(decoder_samples(d, payload, n), frame);
    cr_assert_eq(decoder_decode(d, payload, n, out + total, frame), frame);
  }
  memcpy(dst, out + half, half * sizeof(*dst));
}

Test(coder, a_tone_comes_through_each) {
  static const struct {
    enum coder_kind kind;
    uint32_t rate_hz;
    double snr_db;
  } rows[] = {{CODER_PCMU, 8000, 35},  {CODER_PCMA, 8000, 35}, {CODER_G722, 8000, 30},
              {CODER_G722, 16000, 30}, {CODER_OPUS, 8000, 15}, {CODER_OPUS, 16000, 15},
              {CODER_OPUS, 48000, 15}};
  static const unsigned ms[] = {10, 20, 40, 60};
  static int16_t out[12000];
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    for (size_t k = 0; k < COUNT_OF(ms); k++) {
      size_t n = rows[i].rate_hz / 4;
      through(rows[i].kind, rows[i].rate_hz, ms[k], out);
      double db = tone_snr_db(out, n, rows[i].rate_hz, HZ);
      cr_expect_gt(db, rows[i].snr_db, "row %zu, %u ms: %.1f dB", i, ms[k], db);
      double level_db = 10 * log10(power(out, n) / (LEVEL * LEVEL / 2.0));
      cr_expect(fabs(level_db) < 1.5, "row %zu, %u ms: level off by %.1f dB", i, ms[k], level_db);
    }
}

Test(coder, clocks_and_rates) {
  struct decoder *d = NULL;
  struct encoder *e = NULL;
  cr_assert_eq(coder_clock_hz(CODER_PCMU), 8000);
  cr_assert_eq(coder_clock_hz(CODER_G722), 8000);
  cr_assert_eq(coder_clock_hz(CODER_OPUS), 48000);
  cr_assert(coder_takes(CODER_G722, 8000) && coder_takes(CODER_OPUS, 48000));
  cr_assert(!coder_takes(CODER_PCMU, 16000) && !coder_takes(CODER_OPUS, 44100) &&
            !coder_takes(CODER_COUNT_, 8000));
  cr_assert(!coder_takes(CODER_PCMU, 0));
  struct coder_format bad = format(CODER_PCMA, 48000), none = format(CODER_COUNT_, 8000);
  cr_assert_eq(decoder_new(&d, &bad), -EINVAL);
  cr_assert_eq(encoder_new(&e, &none), -EINVAL);
  struct coder_format rate = format(CODER_OPUS, 8000);
  rate.complexity = 11;
  cr_assert_eq(encoder_new(&e, &rate), -EINVAL);
  cr_assert_null(d);
  cr_assert_null(e);
}

Test(coder, bounds) {
  struct coder_format f = format(CODER_OPUS, 48000), g = format(CODER_PCMU, 8000),
                      w = format(CODER_G722, 16000);
  own(decoder) opus = NULL;
  own(decoder) pcmu = NULL;
  own(encoder) g722 = NULL;
  own(encoder) to_opus = NULL;
  static int16_t samples[CODER_SAMPLES_MAX];
  static uint8_t payload[CODER_PAYLOAD_MAX + 1];
  cr_assert_eq(decoder_new(&opus, &f), 0);
  cr_assert_eq(decoder_new(&pcmu, &g), 0);
  cr_assert_eq(encoder_new(&g722, &w), 0);
  cr_assert_eq(encoder_new(&to_opus, &f), 0);
  static const uint8_t past[] = {0xfb, 0xff, 1, 2}; /* code 3, 63 frames of 20 ms */
  cr_assert_eq(decoder_samples(opus, past, sizeof(past)), 0);
  cr_assert_eq(decoder_decode(opus, past, sizeof(past), samples, CODER_SAMPLES_MAX), 0);
  cr_assert_eq(decoder_decode(opus, payload, 0, samples, CODER_SAMPLES_MAX), 0);
  cr_assert_eq(decoder_samples(pcmu, payload, 961), 0, "over 120 ms");
  cr_assert_eq(decoder_decode(pcmu, payload, 160, samples, 159), 0, "no room");
  cr_assert_eq(decoder_decode(pcmu, payload, CODER_PAYLOAD_MAX + 1, samples, CODER_SAMPLES_MAX), 0);
  cr_assert_eq(encoder_encode(g722, samples, 321, payload, sizeof(payload)), 0, "half an octet");
  cr_assert_eq(encoder_encode(g722, samples, 320, payload, 159), 0, "no room");
  cr_assert_eq(encoder_encode(to_opus, samples, 961, payload, sizeof(payload)), 0, "no frame of Opus");
}

/* A hole of one frame of 20 ms in the tone; returns how loud it is against the tone, in dB. */
static double hole_db(enum coder_kind kind, uint32_t rate_hz, unsigned frames, double *ret_snr_db) {
  struct coder_format f = format(kind, rate_hz);
  own(encoder) e = NULL;
  own(decoder) d = NULL;
  size_t frame = rate_hz / 50;
  int16_t in[960], out[960];
  uint8_t payload[CODER_PAYLOAD_MAX];
  cr_assert_eq(encoder_new(&e, &f), 0);
  cr_assert_eq(decoder_new(&d, &f), 0);
  for (size_t i = 0; i < 10; i++) {
    sine(in, frame, rate_hz, i * frame, 200);
    size_t n = encoder_encode(e, in, frame, payload, sizeof(payload));
    cr_assert_eq(decoder_decode(d, payload, n, out, frame), frame);
  }
  for (unsigned i = 0; i < frames; i++)
    cr_assert_eq(decoder_conceal(d, frame, NULL, 0, out), frame);
  *ret_snr_db = tone_snr_db(out, frame, rate_hz, 200);
  return 10 * log10((power(out, frame) + 1e-9) / (LEVEL * LEVEL / 2.0));
}

Test(coder, a_hole_is_filled_and_fades) {
  static const struct {
    enum coder_kind kind;
    uint32_t rate_hz;
  } rows[] = {{CODER_PCMU, 8000},  {CODER_PCMA, 8000}, {CODER_G722, 8000},
              {CODER_G722, 16000}, {CODER_OPUS, 8000}, {CODER_OPUS, 48000}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    double snr_db, db = hole_db(rows[i].kind, rows[i].rate_hz, 1, &snr_db);
    cr_expect(db > -4 && db < 1, "row %zu: the hole is at %.1f dB", i, db);
    cr_expect_gt(snr_db, 10, "row %zu: and unlike the tone: %.1f dB", i, snr_db);
    db = hole_db(rows[i].kind, rows[i].rate_hz, 20, &snr_db);
    cr_expect_lt(db, -20, "row %zu: still at %.1f dB after 400 ms", i, db);
  }
}

Test(coder, what_follows_a_hole_is_met_without_a_click) {
  struct coder_format f = format(CODER_PCMU, 8000);
  own(encoder) e = NULL;
  own(decoder) d = NULL;
  int16_t in[160], out[160], last = 0;
  uint8_t payload[160];
  int most = 0;
  cr_assert_eq(encoder_new(&e, &f), 0);
  cr_assert_eq(decoder_new(&d, &f), 0);
  for (size_t i = 0; i < 60; i++) {
    sine(in, 160, 8000, i * 160, 211);
    size_t n = encoder_encode(e, in, 160, payload, sizeof(payload));
    if (i % 4 == 3)
      cr_assert_eq(decoder_conceal(d, 160, NULL, 0, out), 160);
    else
      cr_assert_eq(decoder_decode(d, payload, n, out, 160), 160);
    for (size_t k = 0; k < 160; k++) {
      int step = abs(out[k] - last);
      most = i && step > most ? step : most;
      last = out[k];
    }
  }
  cr_assert_lt(most, 1600, "a step of %d; the tone's own are at most 1,330", most);
}

/* Speech-like: a sweep of harmonics, so that the FEC has something to tell. */
static void voice(int16_t *dst, size_t n, uint32_t rate_hz, size_t at) {
  for (size_t i = 0; i < n; i++) {
    double t = (double)(at + i) / rate_hz, v = 0, pitch = 120 + 30 * sin(2 * M_PI * 1.3 * t);
    for (int h = 1; h < 12; h++)
      v += sin(2 * M_PI * h * pitch * t) / h;
    dst[i] = (int16_t)lround(4000 * v * (0.6 + 0.4 * sin(2 * M_PI * 3 * t)));
  }
}

/* The error of the frame that was lost, in dB against the frame, with and without the packet behind it.
 */
static double lost_error_db(uint32_t rate_hz, bool with_fec) {
  struct coder_format f = format(CODER_OPUS, rate_hz);
  f.fec = true;
  f.loss_percent = 20;
  own(encoder) e = NULL;
  own(decoder) whole = NULL;
  own(decoder) holed = NULL;
  size_t frame = rate_hz / 50;
  int16_t in[960], good[960], made[960];
  uint8_t packets[2][CODER_PAYLOAD_MAX];
  size_t bytes[2];
  double error = 0, all = 1;
  cr_assert_eq(encoder_new(&e, &f), 0);
  cr_assert_eq(decoder_new(&whole, &f), 0);
  cr_assert_eq(decoder_new(&holed, &f), 0);
  voice(in, frame, rate_hz, 0);
  bytes[0] = encoder_encode(e, in, frame, packets[0], CODER_PAYLOAD_MAX);
  for (size_t i = 0; i < 200; i++) {
    voice(in, frame, rate_hz, (i + 1) * frame);
    bytes[1] = encoder_encode(e, in, frame, packets[1], CODER_PAYLOAD_MAX);
    cr_assert_eq(decoder_decode(whole, packets[0], bytes[0], good, frame), frame);
    if (i % 7 != 6)
      cr_assert_eq(decoder_decode(holed, packets[0], bytes[0], made, frame), frame);
    else {
      cr_assert_eq(decoder_conceal(holed, frame, with_fec ? packets[1] : NULL, bytes[1], made), frame);
      for (size_t k = 0; k < frame; k++)
        error += pow(made[k] - good[k], 2);
      all += power(good, frame) * (double)frame;
    }
    memcpy(packets[0], packets[1], bytes[1]);
    bytes[0] = bytes[1];
  }
  return 10 * log10(error / all);
}

Test(coder, opus_fec_recovers_a_loss) {
  static const uint32_t rates[] = {8000, 16000, 48000};
  for (size_t i = 0; i < COUNT_OF(rates); i++) {
    double with = lost_error_db(rates[i], true), without = lost_error_db(rates[i], false);
    cr_expect_lt(with, without - 3, "%u Hz: %.1f dB with FEC, %.1f without", rates[i], with, without);
  }
}

Test(coder, opus_dtx_sends_nothing_in_silence) {
  struct coder_format f = format(CODER_OPUS, 16000);
  f.dtx = true;
  own(encoder) e = NULL;
  int16_t in[320];
  uint8_t payload[CODER_PAYLOAD_MAX];
  unsigned sent[2] = {0, 0};
  cr_assert_eq(encoder_new(&e, &f), 0);
  for (unsigned i = 0; i < 200; i++) {
    if (i < 100)
      voice(in, 320, 16000, i * 320);
    else
      memset(in, 0, sizeof(in));
    sent[i / 100] += encoder_encode(e, in, 320, payload, sizeof(payload)) > 0;
  }
  cr_assert_eq(sent[0], 100);
  cr_assert_lt(sent[1], 40, "%u packets of 100 in silence", sent[1]);
}

Test(coder, stereo_opus_is_mixed_down) {
  struct coder_format f = format(CODER_OPUS, 48000);
  own(decoder) d = NULL;
  int16_t out[960];
  cr_assert_eq(decoder_new(&d, &f), 0);
  static const uint8_t stereo_silence[] = {0xfc, 0xff, 0xfe}; /* CELT fullband, 20 ms, stereo */
  cr_assert_eq(decoder_samples(d, stereo_silence, 3), 960);
  cr_assert_eq(decoder_decode(d, stereo_silence, 3, out, 960), 960);
  cr_assert_lt(power(out, 960), 10);
}
