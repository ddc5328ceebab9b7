/* SPDX-License-Identifier: Apache-2.0
 * Opus by libopus (RFC 6716, RFC 7587): mono at 8, 16 or 48 kHz on our side, whatever the packets are.
 * A hole is filled by the FEC of the packet behind it where it has some, else by the decoder itself. */
#include "codec/coderpart.h"

#include <opus.h>

enum { DTX_BYTES = 2 }; /* a packet of so few bytes need not be sent (opus_encode's contract) */

static int decoder_init(struct decoder *d) {
  int error = 0;
  d->state = opus_decoder_create((opus_int32)d->format.rate_hz, 1, &error);
  return d->state ? 0 : error == OPUS_BAD_ARG ? -EINVAL : -ENOMEM;
}

static void decoder_done(struct decoder *d) {
  if (d->state)
    opus_decoder_destroy(d->state);
}

static size_t samples_of(const struct decoder *d, const uint8_t *payload, size_t n) {
  int samples = opus_packet_get_nb_samples(payload, (opus_int32)n, (opus_int32)d->format.rate_hz);
  return samples > 0 ? (size_t)samples : 0;
}

static size_t decode(struct decoder *d, const uint8_t *payload, size_t n, int16_t *dst) {
  int room = (int)samples_of(d, payload, n);
  int made = opus_decode(d->state, payload, (opus_int32)n, dst, room, 0);
  return made > 0 ? (size_t)made : 0;
}

static size_t conceal(struct decoder *d, size_t samples, const uint8_t *next, size_t n_next,
                      int16_t *dst) {
  size_t step = d->format.rate_hz / 400; /* 2.5 ms */
  samples -= samples % step;
  if (samples == 0)
    return 0;
  bool has_next = next && n_next && n_next <= CODER_PAYLOAD_MAX && samples_of(d, next, n_next);
  int made = -1;
  if (has_next)
    made = opus_decode(d->state, next, (opus_int32)n_next, dst, (int)samples, 1);
  if (made <= 0)
    made = opus_decode(d->state, NULL, 0, dst, (int)samples, 0);
  return made > 0 ? (size_t)made : 0;
}

static void set_loss(struct encoder *e, unsigned percent) {
  opus_encoder_ctl(e->state, OPUS_SET_PACKET_LOSS_PERC((opus_int32)percent));
}

static size_t delay(const struct encoder *e) {
  opus_int32 samples = 0;
  opus_encoder_ctl(e->state, OPUS_GET_LOOKAHEAD(&samples));
  return samples > 0 ? (size_t)samples : 0;
}

static int tune(struct encoder *e) {
  const struct coder_format *f = &e->format;
  opus_int32 bitrate = f->bitrate ? (opus_int32)f->bitrate : f->rate_hz == 8000 ? 24000 : 32000;
  if (opus_encoder_ctl(e->state, OPUS_SET_BITRATE(bitrate)) != OPUS_OK ||
      opus_encoder_ctl(e->state, OPUS_SET_COMPLEXITY(f->complexity)) != OPUS_OK ||
      opus_encoder_ctl(e->state, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE)) != OPUS_OK ||
      opus_encoder_ctl(e->state, OPUS_SET_INBAND_FEC(f->fec)) != OPUS_OK ||
      opus_encoder_ctl(e->state, OPUS_SET_DTX(f->dtx)) != OPUS_OK)
    return -EINVAL;
  set_loss(e, f->loss_percent > 100 ? 100 : f->loss_percent);
  return 0;
}

static int encoder_init(struct encoder *e) {
  int error = 0;
  e->state = opus_encoder_create((opus_int32)e->format.rate_hz, e->format.channels == 2 ? 2 : 1,
                                 OPUS_APPLICATION_VOIP, &error);
  if (!e->state)
    return error == OPUS_BAD_ARG ? -EINVAL : -ENOMEM;
  return tune(e);
}

static void encoder_done(struct encoder *e) {
  if (e->state)
    opus_encoder_destroy(e->state);
}

static size_t encode(struct encoder *e, const int16_t *src, size_t samples, uint8_t *dst, size_t room) {
  int made = opus_encode(e->state, src, (int)samples, dst, (opus_int32)room);
  return made > (e->format.dtx ? DTX_BYTES : 0) ? (size_t)made : 0;
}

const struct coder_ops coder_opus = {
    .decoder_init = decoder_init,
    .decoder_done = decoder_done,
    .decode = decode,
    .samples = samples_of,
    .conceal = conceal,
    .encoder_init = encoder_init,
    .encoder_done = encoder_done,
    .encode = encode,
    .delay = delay,
    .set_loss = set_loss,
};
