/* SPDX-License-Identifier: Apache-2.0
 * Adaptive jitter buffer of payloads, before a decoder: packets go in as they come, frames are asked for
 * as play-out needs them. The delay follows the spread of transit times (99 of 100 of the last 256
 * packets in time): it grows at once and shrinks slowly, by frames left out in silence or at a hole; so
 * does a drift between the clocks. Bounded: 32 packets, 17 KB in all. Virtual time, pure; one DSP
 * thread's.
 *
 * The turn: while (queued samples < tick) { v = jitter_get(j, now_us, &f); FRAME: decode f and queue it;
 * LOST: queue f.units of concealment, by f.next if there; GAP, EMPTY: queue a tick of comfort noise or
 * concealment, stop }. */
#pragma once
#include "base/own.h"

enum {
  JITTER_PACKETS_MAX = 32,
  JITTER_BYTES_MAX = 1280, /* of a payload */
  JITTER_MIN_US = 20000,   /* the least delay */
  JITTER_START_US = 40000, /* before anything is known */
  JITTER_MAX_US = 200000,  /* the most */
};

enum jitter_verdict {
  JITTER_EMPTY, /* Nothing there: the sender stopped, or is late. Conceal; the delay grows by it. */
  JITTER_FRAME, /* The next payload. */
  JITTER_LOST,  /* A packet is missing and its time is up. */
  JITTER_GAP,   /* Nothing to be played yet, and nothing lost: DTX, or the delay is being grown. */
};

struct jitter_packet {
  uint64_t ext;   /* ext is the extended sequence number, as the stream's receive side tells it. */
  uint32_t ts;    /* ts is the RTP timestamp. */
  uint32_t units; /* units of the clock that it plays, at most a second; 0: none (comfort noise: a gap
                     begins). */
  uint8_t tag;    /* tag is the caller's, handed back: which coder it is for. */
  const uint8_t *payload;
  size_t bytes; /* bytes of payload, at most JITTER_BYTES_MAX. */
};

struct jitter_frame {
  struct jitter_packet packet; /* packet whose payload lives until the next call for j; of FRAME. */
  uint32_t units;              /* units to be made: of FRAME and of LOST. */
  struct jitter_packet
      next; /* next after a LOST, where it directly follows (its FEC); else payload NULL. */
};

struct jitter_figures {
  uint32_t delay_us;  /* delay_us that the last frame waited beyond the fastest packets' time. */
  uint32_t target_us; /* target_us is the delay wanted now (RFC 3611: JB nominal). */
  uint32_t max_us; /* max_us is the delay of the last packet that would still be in time (JB maximum). */
  uint32_t abs_max_us;   /* abs_max_us is what it can grow to (JB absolute maximum). */
  uint64_t frames, lost; /* lost counts JITTER_LOST */
  uint64_t late;         /* late: came after its time */
  uint64_t duplicate;    /* duplicate: came before */
  uint64_t discarded;    /* discarded: in time, but left out: to shrink the delay, or for want of room */
  uint64_t stretched;    /* stretched: gaps made to grow the delay */
  uint64_t underruns;    /* underruns: the buffer ran empty while playing */
};

struct jitter;

/* clock_hz of the timestamps. 0, -EINVAL or -ENOMEM. */
int jitter_new(struct jitter **ret, uint32_t clock_hz) must_check;
struct jitter *jitter_free(struct jitter *j); /* NULL */
OWN_DEFINE(jitter)
/* Another source (SSRC), or the clock changed: all forgotten but the figures' counts. */
void jitter_reset(struct jitter *j, uint32_t clock_hz);
/* Copies the payload. False: not taken (late, duplicate, too big), and counted. */
bool jitter_put(struct jitter *j, const struct jitter_packet *p, uint64_t now_us);
/* This number came, and has no audio (a telephone-event): no hole. */
void jitter_skip(struct jitter *j, uint64_t ext, uint64_t now_us);
enum jitter_verdict jitter_get(struct jitter *j, uint64_t now_us, struct jitter_frame *ret);
/* What was last played is silence (vad.h): frames may be left out or held back now. */
void jitter_quiet(struct jitter *j, bool is_quiet);
void jitter_figures(const struct jitter *j, struct jitter_figures *ret);
