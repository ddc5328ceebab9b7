/* SPDX-License-Identifier: Apache-2.0
 * The transcoder in virtual time: a network of our own between two coders. */
#include "media/xcode.h"

#include "codec/coder.h"
#include "codec/g711.h"
#include "codec/tone.h"

#include <criterion/criterion.h>
#include <math.h>

enum { FRAMES = 4000, START_US = 1000000 };

static void setup(void) { tone_start(); }
TestSuite(xcode, .init = setup);

struct made { /* all that came out */
  unsigned n, own, noise, markers;
  uint64_t at_us[FRAMES];
  struct xcode_frame frame[FRAMES];
  size_t samples;
  double power, at_hz; /* of 8 kHz samples: mean square, and the share at 1004 Hz */
};

struct rig {
  struct xcode *x;
  struct encoder *far;  /* far is the sender's coder, */
  struct decoder *near; /* near the listener's. */
  uint8_t kind, out_kind, ptime_ms;
  uint32_t clock_hz, rate_hz, out_hz, phase, ts;
  uint64_t now_us, ext, sent_us;
  struct made made;
  double sin_sum, cos_sum, sum, least; /* least is the rms of the quietest frame. */
  size_t heard;
};

static uint8_t coder_of(uint8_t kind) {
  return kind == CODEC_PCMU   ? CODER_PCMU
         : kind == CODEC_PCMA ? CODER_PCMA
         : kind == CODEC_G722 ? CODER_G722
                              : CODER_OPUS;
}

static uint32_t wide_hz(uint8_t kind) { return kind == CODEC_PCMU || kind == CODEC_PCMA ? 8000 : 16000; }

static void rig_in(struct rig *r, uint8_t kind) {
  struct coder_format f = {.kind = coder_of(kind), .rate_hz = wide_hz(kind), .complexity = 5};
  encoder_free(r->far);
  cr_assert_eq(encoder_new(&r->far, &f), 0);
  r->kind = kind;
  r->rate_hz = f.rate_hz;
  r->clock_hz = coder_clock_hz(f.kind);
}

static void rig_out(struct rig *r, const struct xcode_form *form) {
  struct coder_format f = {.kind = coder_of(form->kind), .rate_hz = 8000};
  decoder_free(r->near);
  cr_assert_eq(decoder_new(&r->near, &f), 0);
  r->out_kind = form->kind;
  r->out_hz = coder_clock_hz(f.kind);
}

static void rig_open(struct rig *r, uint8_t in, const struct xcode_form *form) {
  memset(r, 0, sizeof(*r));
  cr_assert_eq(xcode_new(&r->x, form), 0);
  rig_in(r, in);
  rig_out(r, form);
  r->ptime_ms = 20;
  r->now_us = r->sent_us = START_US;
  r->ext = 70000;
}

static void rig_close(struct rig *r) {
  xcode_free(r->x);
  encoder_free(r->far);
  decoder_free(r->near);
}

static void hear(struct rig *r, const int16_t *pcm, size_t n) {
  double before = r->sum;
  for (size_t i = 0; i < n; i++, r->heard++) {
    double a = 2 * M_PI * 1004 * (double)r->heard / 8000;
    r->sin_sum += sin(a) * pcm[i];
    r->cos_sum += cos(a) * pcm[i];
    r->sum += (double)pcm[i] * pcm[i];
  }
  double one = sqrt((r->sum - before) / (double)n);
  r->least = one < r->least ? one : r->least;
}

static void listen_on(struct rig *r) {
  r->sin_sum = r->cos_sum = r->sum = 0, r->heard = 0, r->least = 1e9;
}
static double rms(const struct rig *r) { return r->heard ? sqrt(r->sum / (double)r->heard) : 0; }
static double share_1004(const struct rig *r) {
  double n = (double)r->heard;
  return r->sum > 0 ? 2 * (r->sin_sum * r->sin_sum + r->cos_sum * r->cos_sum) / n / r->sum : 0;
}

static void take_all(struct rig *r) {
  struct xcode_frame f;
  uint8_t payload[XCODE_PAYLOAD_MAX];
  static int16_t pcm[CODER_SAMPLES_MAX];
  while (xcode_get(r->x, r->now_us, &f, payload)) {
    cr_assert_lt(r->made.n, FRAMES);
    cr_assert_gt(f.n, 0);
    r->made.noise += f.kind == CODEC_CN;
    r->made.own += f.is_own;
    if (!f.is_own)
      cr_assert(f.buffer.delay_ms >= 20 && f.buffer.delay_ms <= 200 &&
                    f.buffer.max_ms >= f.buffer.delay_ms,
                "a buffer of %u to %u ms", f.buffer.delay_ms, f.buffer.max_ms);
    r->made.markers += f.marker;
    if (f.kind != CODEC_CN) {
      cr_assert_eq(f.kind, r->out_kind);
      size_t n = decoder_decode(r->near, payload, f.n, pcm, COUNT_OF(pcm));
      cr_assert_gt(n, 0);
      hear(r, pcm, n);
    }
    r->made.at_us[r->made.n] = r->now_us;
    r->made.frame[r->made.n++] = f;
  }
}

static void tick(struct rig *r) {
  take_all(r);
  r->now_us += 10000;
}

static size_t sine_frame(struct rig *r, uint8_t *payload, double amplitude) {
  int16_t pcm[16 * 60];
  size_t n = r->rate_hz / 1000 * r->ptime_ms;
  for (size_t i = 0; i < n; i++, r->phase++)
    pcm[i] = (int16_t)(amplitude * sin(2 * M_PI * 1004 * r->phase / r->rate_hz));
  return encoder_encode(r->far, pcm, n, payload, 1280);
}

static void send_frame(struct rig *r, const uint8_t *payload, size_t n) {
  struct xcode_packet p = {.ext = r->ext, .ts = r->ts, .clock_hz = r->clock_hz, .kind = r->kind};
  cr_assert(xcode_put(r->x, &p, payload, n, r->now_us));
}

/* Speech for so long; each packet is lost where lose(number) says so. */
static void speak(struct rig *r, unsigned ms, unsigned lose_every) {
  uint8_t payload[1280];
  uint64_t end_us = r->now_us + ms * 1000ull;
  r->sent_us = r->now_us;
  while (r->now_us < end_us) {
    while (r->sent_us <= r->now_us) {
      size_t n = sine_frame(r, payload, 8000);
      if (!lose_every || r->ext % lose_every)
        send_frame(r, payload, n);
      r->ext++;
      r->ts += r->clock_hz / 1000 * r->ptime_ms;
      r->sent_us += r->ptime_ms * 1000u;
    }
    tick(r);
  }
}

static void pause_for(struct rig *r, unsigned ms) {
  for (unsigned i = 0; i < ms / 10; i++)
    tick(r);
  r->ts += r->clock_hz / 1000 * ms;
}

/* Numbers go by one, timestamps by the time, always ahead. */
static void steady(const struct rig *r, unsigned from, unsigned ptime_ms) {
  for (unsigned i = from + 1; i < r->made.n; i++) {
    const struct xcode_frame *a = &r->made.frame[i - 1], *b = &r->made.frame[i];
    cr_assert_eq(b->ext, a->ext + 1, "%u", i);
    cr_assert_eq(b->ts - a->ts, r->out_hz / 1000 * ptime_ms, "%u: %u", i, b->ts - a->ts);
  }
}

static const uint8_t all[] = {CODEC_PCMU, CODEC_PCMA, CODEC_G722, CODEC_OPUS};

Test(xcode, any_pair_carries_a_tone) {
  struct rig r;
  for (unsigned in = 0; in < COUNT_OF(all); in++)
    for (unsigned out = 0; out < COUNT_OF(all); out++) {
      struct xcode_form f = {.kind = all[out], .in_kind = all[in], .ptime_ms = 20, .complexity = 5};
      rig_open(&r, all[in], &f);
      speak(&r, 500, 0);
      listen_on(&r);
      speak(&r, 1000, 0);
      cr_assert_geq(r.made.n, 70, "%u to %u: %u", all[in], all[out], r.made.n);
      cr_assert(rms(&r) > 4500 && rms(&r) < 7000, "%u to %u: %.0f", all[in], all[out], rms(&r));
      cr_assert_gt(share_1004(&r), 0.95, "%u to %u: %.3f", all[in], all[out], share_1004(&r));
      steady(&r, 0, 20);
      cr_assert_eq(r.made.markers, 1);
      cr_assert(r.made.frame[0].marker);
      rig_close(&r);
    }
}

Test(xcode, packet_times_change_both_ways_and_in_mid_call) {
  static const uint8_t ptimes[] = {10, 20, 30, 40, 60};
  struct rig r;
  for (unsigned in = 0; in < COUNT_OF(ptimes); in++)
    for (unsigned out = 0; out < COUNT_OF(ptimes); out++) {
      struct xcode_form f = {.kind = CODEC_PCMA, .in_kind = CODEC_PCMU, .ptime_ms = ptimes[out]};
      rig_open(&r, CODEC_PCMU, &f);
      r.ptime_ms = ptimes[in];
      speak(&r, 1000, 0);
      for (unsigned i = 0; i < r.made.n; i++)
        cr_assert_eq(r.made.frame[i].n, ptimes[out] * 8);
      steady(&r, 0, ptimes[out]);
      unsigned before = r.made.n;
      r.ptime_ms = ptimes[COUNT_OF(ptimes) - 1 - in];
      speak(&r, 1000, 0);
      steady(&r, 0, ptimes[out]);
      cr_assert_geq((r.made.n - before + 1) * ptimes[out], 990);
      f.ptime_ms = 20;
      cr_assert_eq(xcode_alter(r.x, &f), 0);
      before = r.made.n;
      speak(&r, 1000, 0);
      steady(&r, before, 20);
      cr_assert_gt(share_1004(&r), 0.9, "%u to %u: %.3f", ptimes[in], ptimes[out], share_1004(&r));
      rig_close(&r);
    }
}

Test(xcode, loss_is_concealed) {
  struct rig r;
  struct xcode_form f = {.kind = CODEC_PCMU, .in_kind = CODEC_OPUS, .ptime_ms = 20};
  for (unsigned k = 0; k < COUNT_OF(all); k++) {
    f.kind = all[k] == CODEC_PCMU ? CODEC_PCMA : CODEC_PCMU;
    f.in_kind = all[k];
    rig_open(&r, all[k], &f);
    speak(&r, 500, 0);
    listen_on(&r);
    speak(&r, 2000, 10);
    steady(&r, 0, 20);
    cr_assert_gt(r.least, 800, "%u: %.0f", all[k], r.least);
    cr_assert_gt(share_1004(&r), 0.65, "%u: %.3f", all[k], share_1004(&r));
    rig_close(&r);
  }
}

Test(xcode, comfort_noise_fills_or_is_passed) {
  struct rig r;
  uint8_t cn = 40;
  for (unsigned takes = 0; takes < 2; takes++) {
    struct xcode_form f = {.kind = CODEC_PCMA, .in_kind = CODEC_PCMU, .ptime_ms = 20, .takes_cn = takes};
    rig_open(&r, CODEC_PCMU, &f);
    speak(&r, 500, 0);
    r.kind = CODEC_CN;
    send_frame(&r, &cn, 1);
    r.kind = CODEC_PCMU;
    r.ext++;
    pause_for(&r, 300); /* what was still to be heard */
    unsigned before = r.made.n;
    listen_on(&r);
    pause_for(&r, 5000);
    cr_assert_eq(r.made.n - before, takes ? 0 : 250, "%u", r.made.n - before);
    cr_assert_eq(r.made.noise, takes);
    if (!takes)
      cr_assert(rms(&r) > 305 && rms(&r) < 350, "%.0f", rms(&r)); /* -40 dBov is 328 */
    before = r.made.n;
    speak(&r, 500, 0);
    cr_assert_geq(r.made.n, before + 20);
    cr_assert_eq(r.made.markers, takes ? 2 : 1);
    for (unsigned i = 1; i < r.made.n; i++) {
      uint64_t passed_us = r.made.at_us[i] - r.made.at_us[i - 1];
      cr_assert_eq(r.made.frame[i].ts - r.made.frame[i - 1].ts, passed_us * 8 / 1000, "%u", i);
    }
    rig_close(&r);
  }
}

Test(xcode, opus_dtx_is_filled) {
  struct rig r;
  struct xcode_form f = {.kind = CODEC_PCMU, .in_kind = CODEC_OPUS, .ptime_ms = 20};
  rig_open(&r, CODEC_OPUS, &f);
  speak(&r, 500, 0);
  unsigned before = r.made.n;
  for (unsigned i = 0; i < 10; i++) { /* a packet each 400 ms */
    pause_for(&r, 380);
    speak(&r, 20, 0);
  }
  cr_assert_geq(r.made.n - before, 190);
  steady(&r, 0, 20);
  pause_for(&r, 4000);
  before = r.made.n;
  pause_for(&r, 1000);
  cr_assert_eq(r.made.n, before, "who is gone is not heard");
  speak(&r, 200, 0);
  cr_assert(r.made.frame[before].marker);
  cr_assert_gt(r.made.frame[before].ts - r.made.frame[before - 1].ts, 8000);
  rig_close(&r);
}

Test(xcode, codecs_change_in_mid_call) {
  struct rig r;
  struct xcode_form f = {.kind = CODEC_OPUS, .in_kind = CODEC_PCMU, .ptime_ms = 20, .complexity = 1};
  rig_open(&r, CODEC_PCMU, &f);
  speak(&r, 500, 0);
  rig_in(&r, CODEC_G722);
  speak(&r, 500, 0);
  rig_in(&r, CODEC_PCMA);
  speak(&r, 500, 0);
  steady(&r, 0, 20);
  f.kind = CODEC_G722;
  cr_assert_eq(xcode_alter(r.x, &f), 0);
  rig_out(&r, &f);
  unsigned before = r.made.n;
  listen_on(&r);
  speak(&r, 500, 0);
  steady(&r, before, 20);
  cr_assert_gt(share_1004(&r), 0.9, "%.3f", share_1004(&r));
  cr_assert_eq(r.made.frame[before].ext, r.made.frame[before - 1].ext + 1);
  rig_close(&r);
}

Test(xcode, a_tone_of_ours_while_nothing_comes) {
  struct rig r;
  struct xcode_form f = {.kind = CODEC_OPUS, .ptime_ms = 20, .complexity = 5};
  rig_open(&r, CODEC_PCMU, &f);
  cr_assert_eq(xcode_next_us(r.x), UINT64_MAX);
  xcode_tone(r.x, TONE_1004, r.now_us);
  pause_for(&r, 1000);
  cr_assert_eq(r.made.own, 50);
  cr_assert_gt(share_1004(&r), 0.9);
  speak(&r, 500, 0);
  unsigned own = r.made.own;
  cr_assert_leq(own, 51);
  pause_for(&r, 1000);
  cr_assert_geq(r.made.own, own + 40);
  steady(&r, 0, 20);
  xcode_tone(r.x, -1, r.now_us);
  pause_for(&r, 3000);
  cr_assert_eq(xcode_next_us(r.x), UINT64_MAX);
  rig_close(&r);
}

Test(xcode, at_rest_nothing_of_it_goes_out) {
  struct rig r;
  struct xcode_form f = {.kind = CODEC_PCMA, .in_kind = CODEC_OPUS, .ptime_ms = 20};
  rig_open(&r, CODEC_OPUS, &f);
  speak(&r, 500, 0);
  unsigned before = r.made.n;
  xcode_rest(r.x);
  pause_for(&r, 1000);
  cr_assert_eq(r.made.n, before);
  r.ext += 10000; /* another stream */
  r.ts += 123456789;
  speak(&r, 500, 0);
  cr_assert_geq(r.made.n, before + 20);
  cr_assert(r.made.frame[before].marker);
  rig_close(&r);
}

Test(xcode, a_thread_that_was_held_up_makes_no_burst) {
  struct rig r;
  struct xcode_form f = {.kind = CODEC_PCMA, .in_kind = CODEC_PCMU, .ptime_ms = 20};
  rig_open(&r, CODEC_PCMU, &f);
  speak(&r, 500, 0);
  unsigned before = r.made.n;
  r.now_us += 3000000;
  tick(&r);
  cr_assert_leq(r.made.n, before + 6);
  rig_close(&r);
}

Test(xcode, refuses_what_cannot_be_coded) {
  struct xcode *x = NULL;
  static const struct xcode_form bad[] = {
      {.kind = CODEC_OTHER, .ptime_ms = 20}, {.kind = CODEC_TELEV, .ptime_ms = 20},
      {.kind = CODEC_PCMU, .ptime_ms = 0},   {.kind = CODEC_PCMU, .ptime_ms = 25},
      {.kind = CODEC_PCMU, .ptime_ms = 70},  {.kind = CODEC_OPUS, .ptime_ms = 30},
      {.kind = CODEC_CN, .ptime_ms = 20},    {.kind = 200, .ptime_ms = 20},
  };
  for (unsigned i = 0; i < COUNT_OF(bad); i++)
    cr_assert_eq(xcode_new(&x, &bad[i]), -ENOTSUP, "%u", i);
}

Test(xcode, garbage_does_no_harm) {
  struct xcode_form f = {.kind = CODEC_PCMA, .in_kind = CODEC_OPUS, .ptime_ms = 20};
  struct rig r;
  rig_open(&r, CODEC_OPUS, &f);
  srand(3);
  for (unsigned i = 0; i < 3000; i++) {
    uint8_t payload[1280];
    size_t n = (size_t)(rand() % 300);
    for (size_t k = 0; k < n; k++)
      payload[k] = (uint8_t)rand();
    struct xcode_packet p = {.ext = r.ext + (uint64_t)(rand() % 40),
                             .ts = r.ts + (uint32_t)(rand() % 100000),
                             .clock_hz = 48000,
                             .kind = (uint8_t)(rand() % 8)};
    (void)xcode_put(r.x, &p, payload, n, r.now_us);
    r.ext++;
    r.ts += 960;
    tick(&r);
    r.made.n = 0;
  }
  rig_close(&r);
}
