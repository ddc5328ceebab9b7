/* SPDX-License-Identifier: Apache-2.0
 * A recording: see record.h. */
#include "media/record.h"

#include "codec/coder.h"
#include "codec/ogg.h"

enum {
  FRAME_MS = 20,
  FRAME_SAMPLES_MAX = 16 * FRAME_MS,
  BEHIND_US = (TRACK_RING_MS - TRACK_AHEAD_MS - CODER_FRAME_MS_MAX) * 1000,
};

struct record {
  struct record_form form;
  struct track *tracks[2];
  struct encoder *encoder; /* encoder and ogg are of RECORD_OGG. */
  struct oggout *ogg;
  uint64_t origin_us, paused_us; /* paused_us is when the pause began, 0: none. */
  uint64_t samples;              /* samples of each side were taken. */
  size_t frame;                  /* frame is how many are taken at once. */
  bool is_over;
};

static void give_pages(struct record *r) {
  struct slice page[2];
  while (oggout_page(r->ogg, page))
    for (unsigned i = 0; i < 2; i++)
      r->form.write(r->form.arg, page[i].p, page[i].n);
}

static int make_ogg(struct record *r) {
  struct coder_format c = {.kind = CODER_OPUS,
                           .rate_hz = r->form.rate_hz,
                           .bitrate = RECORD_BITRATE,
                           .complexity = 3,
                           .channels = 2};
  int error = encoder_new(&r->encoder, &c);
  if (error)
    return error;
  struct oggout_format o = {.channels = 2,
                            .pre_skip =
                                (uint16_t)(encoder_delay(r->encoder) * (OGG_CLOCK_HZ / r->form.rate_hz)),
                            .rate_hz = r->form.rate_hz,
                            .serial = r->form.serial,
                            .vendor = "sallyport",
                            .comment = r->form.comment};
  error = oggout_new(&r->ogg, &o);
  if (!error)
    give_pages(r);
  return error;
}

int record_new(struct record **ret, const struct record_form *f, uint64_t start_us) {
  own(record) r = calloc(1, sizeof(*r));
  if (!r)
    return -ENOMEM;
  r->form = *f;
  r->origin_us = start_us;
  r->frame = f->rate_hz / 1000 * FRAME_MS;
  int error = f->format > RECORD_OGG ? -EINVAL : 0;
  for (unsigned i = 0; !error && i < 2; i++)
    error = track_new(&r->tracks[i], f->rate_hz, start_us);
  if (!error && f->format == RECORD_OGG)
    error = make_ogg(r);
  if (error)
    return error;
  *ret = take(r);
  return 0;
}

struct record *record_free(struct record *r) {
  if (!r)
    return NULL;
  track_free(r->tracks[0]);
  track_free(r->tracks[1]);
  encoder_free(r->encoder);
  oggout_free(r->ogg);
  free(r);
  return NULL;
}

uint64_t record_ms(const struct record *r) { return r->samples * 1000 / r->form.rate_hz; }

struct track_figures record_figures(const struct record *r, enum record_side side) {
  return track_figures(r->tracks[side]);
}

static void give_opus(struct record *r, const int16_t *both) {
  uint8_t payload[CODER_PAYLOAD_MAX];
  size_t n = encoder_encode(r->encoder, both, r->frame, payload, sizeof(payload));
  if (n && oggout_packet(r->ogg, payload, n) == 0)
    give_pages(r);
}

static void give_pcm(const struct record *r, const int16_t *both) {
  uint8_t bytes[FRAME_SAMPLES_MAX * 4];
  for (size_t i = 0; i < 2 * r->frame; i++) {
    bytes[2 * i] = (uint8_t)both[i];
    bytes[2 * i + 1] = (uint8_t)((uint16_t)both[i] >> 8);
  }
  r->form.write(r->form.arg, bytes, r->frame * 4);
}

static void step(struct record *r) {
  int16_t side[2][FRAME_SAMPLES_MAX], both[2 * FRAME_SAMPLES_MAX];
  for (unsigned k = 0; k < 2; k++)
    track_take(r->tracks[k], side[k], r->frame);
  for (size_t i = 0; i < r->frame; i++) {
    both[2 * i] = side[0][i];
    both[2 * i + 1] = side[1][i];
  }
  r->samples += r->frame;
  if (r->form.format == RECORD_OGG)
    give_opus(r, both);
  else
    give_pcm(r, both);
}

static void advance(struct record *r, uint64_t to_us) {
  if (to_us <= r->origin_us)
    return;
  uint64_t to = (to_us - r->origin_us) * r->form.rate_hz / 1000000;
  while (r->samples + r->frame <= to)
    step(r);
}

bool record_put(struct record *r, enum record_side side, const struct track_packet *p,
                const uint8_t *payload, size_t n) {
  if (r->is_over || r->paused_us || p->at_us < r->origin_us)
    return false;
  if (p->at_us > BEHIND_US) /* the caller was held up: room for it */
    advance(r, p->at_us - BEHIND_US);
  return track_put(r->tracks[side], p, payload, n);
}

void record_tick(struct record *r, uint64_t now_us) {
  if (r->is_over || r->paused_us)
    return;
  track_tick(r->tracks[0], now_us);
  track_tick(r->tracks[1], now_us);
  if (now_us > TRACK_HOLD_US)
    advance(r, now_us - TRACK_HOLD_US);
}

static void flush(struct record *r, uint64_t at_us) {
  track_tick(r->tracks[0], UINT64_MAX);
  track_tick(r->tracks[1], UINT64_MAX);
  advance(r, at_us);
}

/* The clock stands still for both sides: its sample 0 moves on by what the pause took. */
void record_pause(struct record *r, bool on, uint64_t at_us) {
  if (r->is_over || on == (r->paused_us != 0))
    return;
  if (on) {
    flush(r, at_us);
    r->paused_us = at_us;
    return;
  }
  r->paused_us = 0;
  r->origin_us = at_us - r->samples * 1000000 / r->form.rate_hz;
  track_restart(r->tracks[0], r->origin_us);
  track_restart(r->tracks[1], r->origin_us);
}

void record_end(struct record *r, uint64_t at_us) {
  if (r->is_over)
    return;
  if (!r->paused_us)
    flush(r, at_us);
  r->is_over = true;
  if (r->form.format == RECORD_OGG && oggout_end(r->ogg, 0) == 0)
    give_pages(r);
}
