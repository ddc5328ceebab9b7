/* SPDX-License-Identifier: Apache-2.0
 * DTMF in the band: see inband.h. spandsp looks at blocks of 102 samples of 8,000 Hz and tells a digit
 * when two in a row have it; samples go to it block by block, so that each change is known to its block.
 */
#include "codec/inband.h"
#include "codec/resample.h"

#include <math.h>
#include <spandsp/telephony.h>
#include <spandsp/complex.h>
#include <spandsp/logging.h>
#include <spandsp/tone_detect.h>
#include <spandsp/tone_generate.h>
#include <spandsp/super_tone_rx.h>
#include <spandsp/dtmf.h>

enum {
  RATE_HZ = 8000,
  BLOCK = 102,
  FRAME_MS_MAX = 60,
  TWIST_DB = 8,         /* high tone louder, */
  REVERSE_TWIST_DB = 8, /* or low tone louder (Q.24: administrations differ, up to 8 and 10) */
  THRESHOLD_DBM0 = -38,
  EDGE_MS = 2,
};

struct inband {
  dtmf_rx_state_t *rx;
  struct resampler *resampler; /* resampler is NULL at 8,000 Hz. */
  uint64_t at;                 /* at counts samples of 8,000 Hz that were looked at. */
  uint64_t begin;              /* begin is where digit begins. */
  char digit;                  /* digit that lasts; 0: none. */
  unsigned filled;             /* filled samples of the block that spandsp has. */
  struct inband_event *events;
  size_t count;
};

static uint32_t ms_of(uint64_t samples) { return (uint32_t)(samples / (RATE_HZ / 1000)); }

/* spandsp decides at the end of the second of two blocks that agree: it is those earlier that it was so.
 */
static uint64_t since(const struct inband *d) { return d->at > 2 * BLOCK ? d->at - 2 * BLOCK : 0; }

static void tell(struct inband *d, bool is_end) {
  uint64_t end = is_end ? since(d) : d->at;
  if (d->count < INBAND_EVENTS_MAX)
    d->events[d->count++] = (struct inband_event){
        .digit = d->digit, .is_end = is_end, .ms = ms_of(end - d->begin), .at_ms = ms_of(d->begin)};
}

/* spandsp's: digit is 0 when there is none any more. */
static void changed(void *user, int digit, int level, int delay) {
  struct inband *d = user;
  (void)level;
  (void)delay;
  if (d->digit)
    tell(d, true);
  d->digit = (char)digit;
  d->begin = since(d);
  if (d->digit)
    tell(d, false);
}

int inband_new(struct inband **ret, uint32_t rate_hz) {
  if (rate_hz != 8000 && rate_hz != 16000 && rate_hz != 48000)
    return -EINVAL;
  own(inband) d = calloc(1, sizeof(*d));
  if (!d)
    return -ENOMEM;
  int r = rate_hz == RATE_HZ ? 0 : resampler_new(&d->resampler, rate_hz, RATE_HZ);
  if (r < 0)
    return r;
  d->rx = dtmf_rx_init(NULL, NULL, NULL);
  if (!d->rx)
    return -ENOMEM;
  dtmf_rx_parms(d->rx, 0, TWIST_DB, REVERSE_TWIST_DB, THRESHOLD_DBM0);
  dtmf_rx_set_realtime_callback(d->rx, changed, d);
  *ret = take(d);
  return 0;
}

struct inband *inband_free(struct inband *d) {
  if (!d)
    return NULL;
  if (d->rx)
    dtmf_rx_free(d->rx);
  resampler_free(d->resampler);
  free(d);
  return NULL;
}

static void feed(struct inband *d, const int16_t *samples, size_t n) {
  while (n) {
    size_t part = BLOCK - d->filled < n ? BLOCK - d->filled : n;
    d->filled = (d->filled + (unsigned)part) % BLOCK;
    d->at += part;
    dtmf_rx(d->rx, samples, (int)part);
    samples += part;
    n -= part;
  }
}

size_t inband_feed(struct inband *d, const int16_t *samples, size_t n,
                   struct inband_event ret[INBAND_EVENTS_MAX]) {
  int16_t narrow[RATE_HZ / 1000 * FRAME_MS_MAX + 2];
  d->events = ret;
  d->count = 0;
  if (d->resampler) {
    if (resampler_room(d->resampler, n) > COUNT_OF(narrow))
      return 0;
    n = resampler_run(d->resampler, samples, n, narrow);
    samples = narrow;
  }
  feed(d, samples, n);
  return d->count;
}

/* Digits --------------------------------------------------------------------------------------- */

bool inband_begin(struct inband_tone *t, char digit, uint32_t rate_hz, uint32_t ms, float level_dbm0,
                  float twist_db) {
  static const char pad[] = "123A456B789C*0#D";
  static const float low[] = {697, 770, 852, 941}, high[] = {1209, 1336, 1477, 1633};
  const char *key = digit ? strchr(pad, digit) : NULL;
  if (!key || rate_hz < RATE_HZ)
    return false;
  ptrdiff_t at = key - pad;
  float full = 32124 * powf(10, (level_dbm0 - 3.17f) / 20), turn = 2 * (float)M_PI / (float)rate_hz;
  *t = (struct inband_tone){
      .step = {low[at / 4] * turn, high[at % 4] * turn},
      .amplitude = {full, full * powf(10, twist_db / 20)},
      .samples = rate_hz / 1000 * ms,
      .edge = rate_hz / 1000 * EDGE_MS,
  };
  return true;
}

static float next_sample(struct inband_tone *t) {
  float v = 0;
  for (int i = 0; i < 2; i++) {
    v += t->amplitude[i] * sinf(t->phase[i]);
    t->phase[i] += t->step[i];
    if (t->phase[i] > 2 * (float)M_PI)
      t->phase[i] -= 2 * (float)M_PI;
  }
  uint32_t left = t->samples - t->at, near = t->at < left ? t->at : left;
  t->at++;
  return near < t->edge ? v * (float)near / (float)t->edge : v;
}

size_t inband_fill(struct inband_tone *t, int16_t *dst, size_t n) {
  size_t i = 0;
  for (; i < n && t->at < t->samples; i++) {
    float v = next_sample(t);
    dst[i] = (int16_t)(v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : lrintf(v));
  }
  memset(dst + i, 0, (n - i) * sizeof(*dst));
  return i;
}
