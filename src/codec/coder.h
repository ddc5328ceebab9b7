/* SPDX-License-Identifier: Apache-2.0
 * Coders: RTP payloads <-> int16 mono samples, one decoder a source and one encoder a sink, each with
 * state. G.711 (g711.h), G.722 (spandsp), Opus (libopus, RFC 7587). Not packet path: a DSP thread's;
 * after x_new nothing allocates. Memory, measured: G.711 under 2 KB each way; G.722 2 KB; Opus 18 KB a
 * decoder, 44 KB an encoder; and libopus takes up to 60 KB of stack in a call. Pure, no clock. */
#pragma once
#include "base/own.h"

enum coder_kind { CODER_PCMU, CODER_PCMA, CODER_G722, CODER_OPUS, CODER_COUNT_ };
enum {
  CODER_FRAME_MS_MAX = 120,                    /* the longest Opus packet, and our limit for all */
  CODER_SAMPLES_MAX = 48 * CODER_FRAME_MS_MAX, /* samples in it at 48,000 Hz */
  CODER_PAYLOAD_MAX = 1280,                    /* bytes of a payload that we take or make */
};

struct coder_format {
  uint8_t kind;       /* kind is an enum coder_kind. */
  uint32_t rate_hz;   /* rate_hz of the samples on our side: see coder_takes(). */
  uint32_t bitrate;   /* bitrate of an Opus encoder, 6,000-128,000; 0: 24,000 from 8 kHz, else 32,000. */
  uint8_t complexity; /* complexity of an Opus encoder, 0-10. */
  uint8_t loss_percent; /* loss_percent expected at the far side, for FEC. */
  uint8_t
      channels;  /* channels of an Opus encoder for a recording: 2 of interleaved samples; 0, 1: mono. */
  bool fec, dtx; /* of Opus: in-band FEC; nothing sent in silence. */
};

struct decoder;
struct encoder;

/* The clock of its RTP timestamps: G.722 says 8,000 (RFC 3551 4.5.2), Opus 48,000. */
uint32_t coder_clock_hz(enum coder_kind kind);
/* Whether it makes and takes samples at rate_hz: G.711 8,000; G.722 8,000 and 16,000; Opus 8,000, 16,000
 * and 48,000. Any other rate is the resampler's (resample.h). */
bool coder_takes(enum coder_kind kind, uint32_t rate_hz);

/* 0, -EINVAL (a kind or a rate that it does not take) or -ENOMEM. */
int decoder_new(struct decoder **ret, const struct coder_format *f) must_check;
struct decoder *decoder_free(struct decoder *d); /* NULL */
OWN_DEFINE(decoder)
/* Samples written to dst; 0: malformed, longer than 120 ms, or more than room. Stereo Opus is mixed
 * down. */
size_t decoder_decode(struct decoder *d, const uint8_t *payload, size_t n, int16_t *dst, size_t room);
/* Fills a hole of so many samples (at most 120 ms), continuing what was heard and fading out. next is
 * the payload after the hole if it is here already, else NULL: its FEC then gives the end of the hole
 * (Opus; it must be decoded itself afterwards). Returns samples; Opus only makes whole 2.5 ms. */
size_t decoder_conceal(struct decoder *d, size_t samples, const uint8_t *next, size_t n_next,
                       int16_t *dst);
/* How many samples a payload holds, without decoding; 0: malformed. */
size_t decoder_samples(const struct decoder *d, const uint8_t *payload, size_t n);

/* 0, -EINVAL (a rate or channels that it does not take), -ENOMEM. */
int encoder_new(struct encoder **ret, const struct coder_format *f) must_check;
struct encoder *encoder_free(struct encoder *e); /* NULL */
OWN_DEFINE(encoder)
/* samples are of each channel. Bytes written to dst; 0: nothing to send (Opus in DTX), or room too
 * small, or a length that the coder does not take (Opus: 2.5, 5, 10, 20, 40 or 60 ms; G.722: an even
 * number at 16,000 Hz). */
size_t encoder_encode(struct encoder *e, const int16_t *src, size_t samples, uint8_t *dst, size_t room);
/* Samples by which what it makes is behind what it took (Opus's look-ahead). */
size_t encoder_delay(const struct encoder *e);
void encoder_set_loss(struct encoder *e,
                      unsigned percent); /* what the far side reports; Opus alone cares */
