/* SPDX-License-Identifier: Apache-2.0
 * Concealment: see conceal.h. The pitch is the lag of 5-15 ms whose period of the last 20 ms is most
 * alike (normalized correlation); one period, smoothed where its end meets its begin, is read in a
 * circle. */
#include "codec/conceal.h"

#include <math.h>

enum {
  LAG_MIN_MS = 5,
  LAG_MAX_MS = 15,
  SPAN_MS = 20, /* compared for the pitch */
  HISTORY_MS = LAG_MAX_MS + SPAN_MS,
  HOLD_MS = 10, /* at full level, */
  FADE_MS = 50, /* then down to nothing. */
  MEET_MS = 4,  /* cross-fade into what is heard again */
  MS_MAX = 16,  /* samples a millisecond */
};

struct conceal {
  unsigned ms;      /* ms is samples a millisecond: 8 or 16. */
  unsigned missing; /* missing counts samples made since the last one heard. */
  unsigned pitch;   /* pitch is the length of period. */
  unsigned at;      /* at is where period is read next. */
  int16_t history[HISTORY_MS * MS_MAX];
  int16_t period[LAG_MAX_MS * MS_MAX];
};

int conceal_new(struct conceal **ret, uint32_t rate_hz) {
  if (rate_hz != 8000 && rate_hz != 16000)
    return -EINVAL;
  struct conceal *c = calloc(1, sizeof(*c));
  if (!c)
    return -ENOMEM;
  c->ms = rate_hz / 1000;
  *ret = c;
  return 0;
}

struct conceal *conceal_free(struct conceal *c) {
  free(c);
  return NULL;
}

static void remember(struct conceal *c, const int16_t *samples, size_t n) {
  size_t room = (size_t)HISTORY_MS * c->ms;
  if (n > room) {
    samples += n - room;
    n = room;
  }
  memmove(c->history, c->history + n, (room - n) * sizeof(*samples));
  memcpy(c->history + room - n, samples, n * sizeof(*samples));
}

/* How alike the last 20 ms and those lag before them are; at most 1. Every other sample is enough. */
static float likeness(const struct conceal *c, size_t lag) {
  const int16_t *now = c->history + (size_t)LAG_MAX_MS * c->ms, *then = now - lag;
  float product = 0, power = 1, power_now = 1;
  for (size_t i = 0; i < (size_t)SPAN_MS * c->ms; i += 2) {
    product += (float)now[i] * (float)then[i];
    power += (float)then[i] * (float)then[i];
    power_now += (float)now[i] * (float)now[i];
  }
  return product / sqrtf(power * power_now);
}

static unsigned find_pitch(const struct conceal *c) {
  unsigned best = LAG_MAX_MS * c->ms;
  float most = -2;
  for (unsigned lag = LAG_MIN_MS * c->ms; lag <= LAG_MAX_MS * c->ms; lag++) {
    float alike = likeness(c, lag);
    if (alike > most + 0.001f) { /* the shortest of equals: no multiple of the period */
      most = alike;
      best = lag;
    }
  }
  return best;
}

/* The last period, whose last quarter is mixed with what stood before it, so that it closes a circle. */
static void cut_period(struct conceal *c) {
  const int16_t *end = c->history + (size_t)HISTORY_MS * c->ms;
  c->pitch = find_pitch(c);
  c->at = 0;
  memcpy(c->period, end - c->pitch, c->pitch * sizeof(*c->period));
  unsigned mix = c->pitch / 4, from = c->pitch - mix;
  for (unsigned i = 0; i < mix; i++) {
    int before = end[-(ptrdiff_t)(c->pitch + mix) + i];
    c->period[from + i] = (int16_t)((c->period[from + i] * (int)(mix - i) + before * (int)i) / (int)mix);
  }
}

static int16_t next_sample(struct conceal *c) {
  unsigned hold = HOLD_MS * c->ms, fade = FADE_MS * c->ms;
  int v = c->period[c->at];
  c->at = c->at + 1 == c->pitch ? 0 : c->at + 1;
  if (c->missing >= hold + fade)
    return 0;
  if (c->missing >= hold)
    v = v * (int)(hold + fade - c->missing) / (int)fade;
  c->missing++;
  return (int16_t)v;
}

void conceal_make(struct conceal *c, int16_t *dst, size_t n) {
  if (c->missing == 0 && n)
    cut_period(c);
  for (size_t i = 0; i < n; i++)
    dst[i] = next_sample(c);
  remember(c, dst, n);
}

void conceal_heard(struct conceal *c, int16_t *samples, size_t n) {
  size_t meet = (size_t)MEET_MS * c->ms;
  for (size_t i = 0; c->missing && i < meet && i < n; i++)
    samples[i] = (int16_t)((samples[i] * (int)i + next_sample(c) * (int)(meet - i)) / (int)meet);
  c->missing = 0;
  remember(c, samples, n);
}
