/* SPDX-License-Identifier: Apache-2.0
 * The sending end of a link: maps what comes from a source (another leg's stream, our tone, our
 * digits) onto our one outgoing stream. Sequence numbers and timestamps are ours: they go on over
 * changes of source, gaps and hold, and never back. A loss on the way in stays visible as a gap, a
 * late packet may fill exactly the hole it left. Media worker; no clock. */
#pragma once
#include "flow/flow.h"

enum {
  SINK_CLOCK_HZ = 8000, /* until sink_set_clock() says another */
  SINK_GAP_MAX = 100,   /* a larger step of the source's sequence is not passed on */
  SINK_TS_JUMP_S = 2,   /* a timestamp further ahead than the time that passed is re-anchored */
  SINK_FRAME_MS = 20,   /* of what we make ourselves */
};

struct sink {
  uint64_t next; /* next is the index (48 bits) after the highest that was given out. */
  uint64_t
      holes; /* holes has bit i set when index next - 1 - i was left out for a packet that may come. */
  uint64_t source;    /* source is whose numbers are being mapped; 0: none, SINK_OWN: ours. */
  uint64_t seq_shift; /* seq_shift is added to the source's extended sequence, modulo 2^64. */
  uint32_t ts_shift;  /* ts_shift is added to the source's timestamp. */
  uint32_t last_ts;   /* last_ts is the newest timestamp given out, */
  uint64_t last_us;   /* at last_us. */
  bool is_started;    /* is_started: last_ts is meant. */
  uint32_t clock_hz;  /* clock_hz is of the timestamps that go out. */
};
#define SINK_OWN UINT64_MAX

struct sink_in {
  uint64_t source; /* source names the stream that it comes from; not 0, not SINK_OWN. */
  uint64_t ext;    /* ext is the extended sequence number in it. */
  uint32_t ts;
  bool marker;
  bool is_event; /* is_event: a telephone-event; its timestamp may lie behind the audio's. */
};
struct sink_out {
  uint64_t index; /* index is what the packet is sent with. */
  uint32_t ts;
  bool marker;
};

void sink_init(struct sink *k, uint64_t first_index, uint32_t first_ts);
/* A new stream begins there (another SSRC); timestamps go on. */
void sink_restart(struct sink *k, uint64_t first_index);
/* DROP_NONE and *ret, or LATE: its place was given away. */
enum drop sink_map(struct sink *k, const struct sink_in *in, uint64_t now_us,
                   struct sink_out *ret) must_check;
/* A packet of the source that is not to be sent at all: leaves no gap. */
void sink_skip(struct sink *k, uint64_t source);
/* A packet between those of the source, with a place but no time of its own (a telephone-event while
 * the audio comes from elsewhere): the source's packets go on after it without a gap. */
void sink_insert(struct sink *k, uint32_t ts, uint64_t now_us, struct sink_out *ret);
/* The clock of what is sent from now on. Sequence and timestamp go on; who sends is mapped anew. */
void sink_set_clock(struct sink *k, uint32_t clock_hz);
/* A packet of our own, is_clocked: a frame of audio (20 ms), else with the time of now. */
void sink_own(struct sink *k, bool is_clocked, uint64_t now_us, struct sink_out *ret);
uint32_t sink_ts(const struct sink *k, uint64_t now_us); /* what a packet made now is stamped with */
