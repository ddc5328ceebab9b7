/* SPDX-License-Identifier: Apache-2.0
 * One side of a recording: packets of any codec in, samples at their place on a clock of ours out. A
 * stream is placed by its timestamps from where it was first heard; how early its fastest packets come
 * says how its clock drifts from ours, and its packets are stretched by a sample or so to follow.
 * What is late, lost, or silent leaves silence in its place. An engine: time is given; no I/O. */
#pragma once
#include "base/own.h"

enum {
  TRACK_RING_MS = 2000,      /* what is kept until it is taken */
  TRACK_HOLD_US = 500000,    /* what should pass before it is taken: the latest packets come so late */
  TRACK_REORDER_US = 100000, /* a missing packet is waited for so long */
  TRACK_PACKETS_MAX = 16,    /* that wait for an earlier one */
  TRACK_CONCEAL_MS = 60,     /* a longer hole is silence */
  TRACK_AHEAD_MS = 250,      /* timestamps further ahead of the time that passed are placed anew */
  TRACK_WINDOW_US = 2000000, /* the drift is looked at so often */
};

struct track_packet {
  uint64_t source; /* source names the stream: another one is placed anew. */
  uint64_t ext;    /* ext is the extended sequence number, without those of other kinds of payload. */
  uint64_t at_us;  /* at_us is when it came. */
  uint32_t ts, clock_hz;
  uint8_t kind; /* kind is an enum codec_kind. */
};

struct track_figures {
  uint64_t packets, late, lost, placed; /* placed counts how often a stream was placed anew. */
};

struct track;
int track_new(struct track **ret, uint32_t rate_hz, uint64_t origin_us) must_check; /* 8000 or 16000 */
struct track *track_free(struct track *t);
OWN_DEFINE(track)
/* The clock's sample 0 is at origin_us from now on; streams are placed anew. */
void track_restart(struct track *t, uint64_t origin_us);
/* false: no room, or it does not decode. */
bool track_put(struct track *t, const struct track_packet *p, const uint8_t *payload, size_t n);
void track_tick(struct track *t, uint64_t now_us); /* missing packets are given up in time */
/* The next n samples of the clock; what comes later for them is too late. */
void track_take(struct track *t, int16_t *dst, size_t n);
struct track_figures track_figures(const struct track *t);
