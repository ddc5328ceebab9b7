/* SPDX-License-Identifier: Apache-2.0
 * A transcoder: packets of any codec in, a steady stream of another codec and packet time out. An
 * adaptive buffer, concealment, noise where the far end is silent (DTX, comfort noise), or a tone of
 * ours while nothing else comes. An engine: time is given, no I/O; it may allocate. Between G.711 and
 * Opus all goes at 8 kHz: the narrower side decides, no resampler. */
#pragma once
#include "base/own.h"
#include "media/prompts.h"
#include "wire/desc.h"

enum {
  XCODE_PAYLOAD_MAX = 1400,
  XCODE_PTIME_MAX_MS = 60,
  XCODE_IDLE_US = 2000000, /* nothing came for so long, and no comfort noise: it falls silent */
};

struct xcode_form {        /* what goes out */
  uint8_t kind;            /* kind is an enum codec_kind: PCMU, PCMA, G722 or OPUS. */
  uint8_t in_kind;         /* in_kind is the codec that is expected, to size by. */
  uint8_t ptime_ms;        /* 10-60, a multiple of 10 */
  uint8_t complexity;      /* complexity of Opus, 0-10 */
  uint32_t bitrate;        /* bitrate of Opus, 0: as the rate asks */
  bool fec, dtx, takes_cn; /* takes_cn: the far end took comfort noise (RFC 3389). */
};

struct xcode_packet {
  uint64_t ext; /* ext is the extended sequence number, without those of other kinds of payload. */
  uint32_t ts, clock_hz;
  uint8_t kind; /* kind is an enum codec_kind, CODEC_CN too. */
  bool marker;
};

struct xcode_buffer {        /* how its jitter buffer does */
  uint16_t delay_ms, max_ms; /* what it wants to wait now; what would still be in time */
  uint32_t discards;         /* packets that came too late for it, or that it left out; never less */
};

struct xcode_frame {
  uint64_t ext; /* ext and ts are numbers of its own stream: they go on, whatever happens. */
  uint32_t ts;  /* in the clock of what goes out: 48000 for Opus, else 8000 */
  uint16_t n;
  uint8_t kind; /* kind is an enum codec_kind; CODEC_CN: comfort noise. */
  bool marker;
  bool is_own; /* is_own: a tone. */
  struct xcode_buffer buffer;
};

struct xcode;
int xcode_new(struct xcode **ret, const struct xcode_form *f) must_check; /* -ENOTSUP, -ENOMEM */
struct xcode *xcode_free(struct xcode *x);
OWN_DEFINE(xcode)
int xcode_alter(struct xcode *x, const struct xcode_form *f) must_check; /* on error as it was */
/* false: a payload that does not decode, or there was no room. */
bool xcode_put(struct xcode *x, const struct xcode_packet *p, const uint8_t *payload, size_t n,
               uint64_t now_us);
void xcode_rest(struct xcode *x); /* what it was fed goes another way: nothing more of it goes out */
void xcode_tone(struct xcode *x, int tone, uint64_t now_us); /* an enum tone_kind, -1: none */
struct xcode_play {
  uint32_t number, repeat; /* number is a file of prompts; repeat 0: for ever */
  int32_t level_db;
};
/* A file in place of a tone; prompts must outlive it. Silence while it is not loaded. */
void xcode_play(struct xcode *x, const struct prompts *prompts, const struct xcode_play *p,
                uint64_t now_us);
/* Once after a file's end: true, and 0 or why it was not played. */
bool xcode_played(struct xcode *x, int *ret_error);
void xcode_loss(struct xcode *x, uint32_t percent); /* as the far end reports it */
/* When it has something to do next; UINT64_MAX: when something comes. */
uint64_t xcode_next_us(const struct xcode *x);
/* What is due; false: nothing (more). dst has XCODE_PAYLOAD_MAX. */
bool xcode_get(struct xcode *x, uint64_t now_us, struct xcode_frame *ret, uint8_t *dst);
/* What a second of it costs, in microseconds of a core of 2020: for admission. */
uint32_t xcode_cost_us(const struct xcode_form *f);
bool xcode_may(uint8_t kind); /* can this kind be coded? */
unsigned xcode_coder(uint8_t kind); /* its enum coder_kind, of one that may */
