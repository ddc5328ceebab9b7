/* SPDX-License-Identifier: Apache-2.0
 * What a member of a room says: its packets wait in a buffer, whether they are decoded or not, and how
 * loud they are is known without decoding: by the level that each carries (RFC 6464), by a few octets
 * of G.711, by the size of an Opus packet. Where they are decoded, that is corrected by what is heard:
 * who says louder than he is is believed less. Loudness is 0 (silence) to 127 (overload), in dB. An
 * engine: time is given, no I/O; it may allocate. A DSP thread's. */
#pragma once
#include "codec/coder.h"
#include "codec/jitter.h"
#include "codec/resample.h"
#include "media/xcode.h"

enum {
  TALKER_NO_LEVEL = 255,
  TALKER_STEP_MS = 10,
  TALKER_FRESH = 3, /* so many frames decoded at a stretch are a proof. */
};

struct room_packet {
  uint64_t ext; /* ext is the extended sequence number, without those of other kinds of payload. */
  uint32_t ts, clock_hz, ssrc;
  uint8_t kind;  /* kind is an enum codec_kind, CODEC_CN too. */
  uint8_t level; /* level is what it says of itself, 0-127 below overload; TALKER_NO_LEVEL. */
};

struct talker {
  uint32_t rate_hz; /* rate_hz of the samples that are asked for. */
  struct jitter *jitter;
  struct decoder *decoder;
  struct resampler *resampler;
  uint32_t ssrc, clock_hz, coder_hz; /* coder_hz of the samples that the decoder makes. */
  uint8_t kind;
  bool is_fed, is_decoded; /* is_decoded: somebody listens. */
  bool is_exact;           /* is_exact: heard is a level, not a guess. */
  uint8_t empty_steps;
  unsigned fresh;    /* fresh counts the frames decoded at a stretch. */
  float heard, bias; /* loudness by the packets, and how much more that is than what was decoded. */
  uint64_t put_us, decode_us; /* when the last packet came, and when it was last decoded */
  size_t have, room;          /* have samples of coder_hz wait in pcm. */
  int16_t *pcm;
  uint64_t decoded; /* decoded counts frames. */
};

void talker_init(struct talker *t, uint32_t rate_hz);
void talker_done(struct talker *t);
/* Samples of another rate from now on; what waits in the buffer stays. */
void talker_rate(struct talker *t, uint32_t rate_hz);
/* false: a kind that is not spoken here, or too late, or no memory. */
bool talker_put(struct talker *t, const struct room_packet *p, const uint8_t *payload, size_t n,
                uint64_t now_us);
/* From now on samples are wanted, or no more. */
void talker_decode(struct talker *t, bool is_wanted, uint64_t now_us);
/* The next 10 ms, n samples of rate_hz; silence where it is not decoded. */
void talker_step(struct talker *t, uint64_t now_us, int16_t *dst, size_t n);
float talker_loudness(const struct talker *t);
void talker_age(struct talker *t, uint64_t now_us); /* each 10 ms: what was said is long ago */
/* Is it known to be so loud, not only said? */
static inline bool talker_is_proven(const struct talker *t) {
  return t->is_exact || t->fresh >= TALKER_FRESH;
}
