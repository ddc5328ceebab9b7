/* SPDX-License-Identifier: Apache-2.0
 * One side of a recording: see track.h. */
#include "media/track.h"

#include "codec/coder.h"
#include "codec/resample.h"
#include "wire/desc.h"

enum { LATE_RUN_MAX = 10, STRETCH_SHARE = 160, STRETCH_ROOM = 512 };

struct waiting {
  struct track_packet packet;
  uint16_t n;
  uint8_t payload[CODER_PAYLOAD_MAX];
};

struct track {
  uint32_t rate_hz;
  uint64_t origin_us;
  struct decoder *decoder;
  struct resampler *resampler; /* resampler is NULL where the decoder makes our rate. */
  uint32_t decoder_hz;
  uint8_t kind;
  bool has_decoder, is_placed;
  uint64_t source, next_ext;
  uint32_t ts; /* ts of the last packet is at pos; what was added to it is in pos. */
  int64_t pos;
  int64_t end;   /* end is where the last samples ended, */
  int64_t taken; /* taken where what was handed out ended. */
  int64_t least; /* least is by how many samples the fastest packet of the window came later than its
                    place, */
  int64_t debt;  /* debt what the stream has still to be moved by. */
  uint64_t window_us, at_us; /* at_us is when the last packet came. */
  unsigned late_run, n_waiting;
  struct track_figures figures;
  struct waiting waiting[TRACK_PACKETS_MAX]; /* in order */
  int64_t room;
  int16_t *ring;
  int16_t decoded[CODER_SAMPLES_MAX];
  int16_t pcm[CODER_SAMPLES_MAX + STRETCH_ROOM], stretched[CODER_SAMPLES_MAX + STRETCH_ROOM];
};

int track_new(struct track **ret, uint32_t rate_hz, uint64_t origin_us) {
  if (rate_hz != 8000 && rate_hz != 16000)
    return -EINVAL;
  own(track) t = calloc(1, sizeof(*t));
  if (!t)
    return -ENOMEM;
  t->rate_hz = rate_hz;
  t->origin_us = origin_us;
  t->room = (int64_t)rate_hz * TRACK_RING_MS / 1000;
  t->ring = calloc((size_t)t->room, sizeof(*t->ring));
  if (!t->ring)
    return -ENOMEM;
  *ret = take(t);
  return 0;
}

struct track *track_free(struct track *t) {
  if (!t)
    return NULL;
  decoder_free(t->decoder);
  resampler_free(t->resampler);
  free(t->ring);
  free(t);
  return NULL;
}

void track_restart(struct track *t, uint64_t origin_us) {
  t->origin_us = origin_us;
  t->is_placed = false;
  t->n_waiting = 0;
  t->end = t->taken;
}

struct track_figures track_figures(const struct track *t) {
  return t->figures;
}

static int64_t pos_of(const struct track *t, uint64_t at_us) {
  return (int64_t)(at_us - t->origin_us) * t->rate_hz / 1000000;
}

/* Decoders ----------------------------------------------------------------------------------------- */
static const struct {
  uint8_t coder;
  uint8_t is_wide;
} kinds[] = {
    [CODEC_PCMU] = {CODER_PCMU, 0},
    [CODEC_PCMA] = {CODER_PCMA, 0},
    [CODEC_G722] = {CODER_G722, 1},
    [CODEC_OPUS] = {CODER_OPUS, 1},
};

static bool may(uint8_t kind) {
  return kind == CODEC_PCMU || kind == CODEC_PCMA || kind == CODEC_G722 || kind == CODEC_OPUS;
}

static bool set_kind(struct track *t, uint8_t kind) {
  if (t->has_decoder && t->kind == kind)
    return true;
  struct coder_format f = {.kind = kinds[kind].coder,
                           .rate_hz = kinds[kind].is_wide ? t->rate_hz : 8000};
  t->decoder = decoder_free(t->decoder);
  t->resampler = resampler_free(t->resampler);
  t->has_decoder = false;
  if (decoder_new(&t->decoder, &f) < 0)
    return false;
  if (f.rate_hz != t->rate_hz && resampler_new(&t->resampler, f.rate_hz, t->rate_hz) < 0)
    return false;
  t->decoder_hz = f.rate_hz;
  t->kind = kind;
  t->has_decoder = true;
  return true;
}

/* n samples of decoded at our rate in pcm. */
static size_t convert(struct track *t, size_t n) {
  if (t->resampler && resampler_room(t->resampler, n) <= COUNT_OF(t->pcm))
    return resampler_run(t->resampler, t->decoded, n, t->pcm);
  memcpy(t->pcm, t->decoded, n * sizeof(*t->pcm));
  return n;
}

/* The ring ----------------------------------------------------------------------------------------- */
static void lay(struct track *t, int64_t pos, const int16_t *src, size_t n) {
  int64_t end = pos + (int64_t)n;
  for (int64_t at = pos < t->taken ? t->taken : pos; at < end && at < t->taken + t->room; at++)
    t->ring[at % t->room] = src[at - pos];
  if (end > t->end)
    t->end = end;
}

void track_take(struct track *t, int16_t *dst, size_t n) {
  for (size_t i = 0; i < n; i++, t->taken++) {
    int16_t *at = &t->ring[t->taken % t->room];
    dst[i] = *at;
    *at = 0;
  }
}

/* Places ------------------------------------------------------------------------------------------- */
static void place_anew(struct track *t, const struct track_packet *p) {
  int64_t pos = pos_of(t, p->at_us);
  t->pos = pos > t->end ? pos : t->end;
  t->ts = p->ts;
  t->source = p->source;
  t->is_placed = true;
  t->least = INT64_MAX;
  t->debt = 0;
  t->window_us = p->at_us;
  t->late_run = 0;
  t->figures.placed++;
}

static int64_t place_by_ts(const struct track *t, const struct track_packet *p) {
  return t->pos + (int64_t)(int32_t)(p->ts - t->ts) * t->rate_hz / p->clock_hz;
}

static void look_anew(struct track *t, uint64_t at_us) {
  t->least = INT64_MAX;
  t->window_us = at_us;
}

/* How the stream's clock goes: what the fastest packets of a while say. */
static void follow(struct track *t, const struct track_packet *p, int64_t delay) {
  t->least = delay < t->least ? delay : t->least;
  if ((int64_t)(p->at_us - t->window_us) < TRACK_WINDOW_US) /* a packet out of order came earlier */
    return;
  int64_t dead = t->rate_hz / 1000;
  if (!t->debt && (t->least > dead || t->least < -dead))
    t->debt = t->least;
  look_anew(t, p->at_us);
}

static void place(struct track *t, const struct track_packet *p) {
  if (!t->is_placed || p->source != t->source) {
    place_anew(t, p);
    return;
  }
  int64_t pos = place_by_ts(t, p), delay = pos_of(t, p->at_us) - pos;
  bool is_late = pos<t->taken, was_quiet = p->at_us> t->at_us + TRACK_HOLD_US;
  t->late_run = is_late ? t->late_run + 1 : 0;
  if (delay < -(int64_t)t->rate_hz * TRACK_AHEAD_MS / 1000 || t->late_run > LATE_RUN_MAX ||
      (is_late && was_quiet)) {
    place_anew(t, p);
    return;
  }
  t->figures.late += is_late;
  t->pos = pos;
  t->ts = p->ts;
  follow(t, p, delay);
}

/* n samples of pcm become as many more or less as the debt wants, by straight lines between them. */
static size_t stretch(struct track *t, size_t n) {
  int64_t most = (int64_t)n / STRETCH_SHARE, by = t->debt;
  by = by > most ? most : by < -most ? -most : by;
  size_t to = (size_t)((int64_t)n + by);
  if (!by || to < 2 || to > COUNT_OF(t->stretched)) {
    memcpy(t->stretched, t->pcm, n * sizeof(*t->pcm));
    return n;
  }
  for (size_t i = 0; i < to; i++) {
    uint64_t at = (uint64_t)i * (n - 1) * 65536 / (to - 1);
    size_t low = at >> 16, high = low + 1 < n ? low + 1 : low;
    int64_t part = at & 65535;
    t->stretched[i] = (int16_t)(t->pcm[low] + ((t->pcm[high] - t->pcm[low]) * part >> 16));
  }
  t->debt -= by;
  t->pos += by;
  if (!t->debt) /* what was seen before it was paid would be paid twice */
    look_anew(t, t->at_us);
  return to;
}

/* Play --------------------------------------------------------------------------------------------- */
static void conceal(struct track *t, const struct track_packet *p, const uint8_t *payload, size_t n) {
  int64_t hole = place_by_ts(t, p) - t->end;
  if (hole <= 0 || hole > (int64_t)t->rate_hz * TRACK_CONCEAL_MS / 1000)
    return;
  size_t want = (size_t)hole * t->decoder_hz / t->rate_hz;
  size_t made = decoder_conceal(t->decoder, want, payload, n, t->decoded);
  lay(t, t->end, t->pcm, convert(t, made));
}

static bool play(struct track *t, const struct track_packet *p, const uint8_t *payload, size_t n) {
  bool is_same = t->is_placed && p->source == t->source;
  bool is_known = t->has_decoder && t->kind == p->kind;
  if (is_same && p->ext > t->next_ext) {
    t->figures.lost += p->ext - t->next_ext;
    if (is_known)
      conceal(t, p, payload, n);
  }
  t->next_ext = p->ext + 1;
  if (!set_kind(t, p->kind))
    return false;
  size_t made = decoder_decode(t->decoder, payload, n, t->decoded, COUNT_OF(t->decoded));
  if (!made)
    return false;
  place(t, p);
  t->at_us = p->at_us;
  int64_t pos = t->pos;
  size_t to = stretch(t, convert(t, made));
  lay(t, pos, t->stretched, to);
  t->figures.packets++;
  return true;
}

/* Order -------------------------------------------------------------------------------------------- */
static void play_first(struct track *t) {
  struct waiting *w = &t->waiting[0];
  (void)play(t, &w->packet, w->payload, w->n);
  t->n_waiting--;
  memmove(w, w + 1, t->n_waiting * sizeof(*w));
}

static void play_due(struct track *t) {
  while (t->n_waiting && t->waiting[0].packet.ext <= t->next_ext)
    play_first(t);
}

static bool keep(struct track *t, const struct track_packet *p, const uint8_t *payload, size_t n) {
  unsigned at = t->n_waiting;
  while (at && t->waiting[at - 1].packet.ext > p->ext)
    at--;
  if (at && t->waiting[at - 1].packet.ext == p->ext)
    return false;
  memmove(&t->waiting[at + 1], &t->waiting[at], (t->n_waiting - at) * sizeof(*t->waiting));
  t->waiting[at].packet = *p;
  t->waiting[at].n = (uint16_t)n;
  memcpy(t->waiting[at].payload, payload, n);
  t->n_waiting++;
  return true;
}

bool track_put(struct track *t, const struct track_packet *p, const uint8_t *payload, size_t n) {
  if (!may(p->kind) || !p->clock_hz || !n || n > CODER_PAYLOAD_MAX)
    return false;
  if (!t->is_placed || p->source != t->source) {
    while (t->n_waiting)
      play_first(t);
    return play(t, p, payload, n);
  }
  if (p->ext < t->next_ext && t->next_ext - p->ext < 1000) {
    t->figures.late++;
    return false;
  }
  if (p->ext > t->next_ext && p->ext - t->next_ext < 1000) {
    if (t->n_waiting == TRACK_PACKETS_MAX) {
      play_first(t);
      play_due(t);
    }
    return keep(t, p, payload, n);
  }
  bool done = play(t, p, payload, n);
  play_due(t);
  return done;
}

void track_tick(struct track *t, uint64_t now_us) {
  while (t->n_waiting && t->waiting[0].packet.at_us + TRACK_REORDER_US <= now_us) {
    play_first(t);
    play_due(t);
  }
}
