/* SPDX-License-Identifier: Apache-2.0
 * The receive side of one source number (SSRC): extended sequence, what is lost, late, doubled or
 * out of order, jitter by RFC 3550 A.8, the last sender report. Only authenticated packets come here.
 * Media worker; no clock. */
#pragma once
#include "flow/flow.h"
#include "media/burst.h"
#include "wire/rtcp.h"
#include "wire/rtp.h"

enum {
  STRM_WINDOW = 64,      /* so far behind, a packet is out of order; beyond, late */
  STRM_JUMP = 3000,      /* a larger step ahead is a restart and not a loss */
  STRM_SETTLE_MS = 1000, /* after it its timestamps are held against time */
  STRM_TALK_MS = 250,    /* a marked packet whose timestamp jumped further begins its clock anew */
};

struct strm {
  uint32_t ssrc;
  bool is_used;
  uint64_t heard_us; /* heard_us is when the last packet came. */
  uint64_t max_ext;  /* max_ext is the highest sequence number, with its cycles. */
  uint64_t expected; /* expected counts the numbers from the first to the highest, without restarts. */
  uint64_t packets, bytes; /* packets and payload bytes taken (without duplicates and late ones) */
  uint32_t late, duplicate, reordered;
  int32_t drift;      /* drift is by how much its clock fell behind ours since clock_ms, in its units. */
  uint64_t seen;      /* seen has bit i set when max_ext - i came. */
  uint8_t window;     /* window is how many of seen's numbers exist: 1-64 once begun. */
  struct burst burst; /* burst is told of each number that left the window. */
  uint32_t bad_seq;   /* bad_seq is the number after one that was far behind; 0x10000: none. */
  uint32_t transit;   /* transit of the last packet, in units of the clock. */
  bool has_transit, is_settled; /* is_settled: clock_ms is past the burst that streams may begin with. */
  uint32_t clock_ms;            /* clock_ms is when its clock began: at first, and after a jump. */
  uint32_t clock_hz, jitter_q4, max_jitter_us; /* jitter_q4 is 16 times the jitter in clock units. */
  uint64_t expected_prior, packets_prior;      /* at the last report */
  uint32_t sr_middle; /* sr_middle is the middle of the last SR's NTP time; 0: none came. */
  uint64_t sr_us;
};

void strm_init(struct strm *s, uint32_t ssrc, uint32_t clock_hz);
/* One packet. DROP_NONE and its extended sequence number, or DUPLICATE, LATE. has_clock: its
 * timestamp tells when it was made (audio; not telephone-events, whose timestamps stand still). */
enum drop strm_input(struct strm *s, const struct rtp *p, bool has_clock, uint32_t clock_hz,
                     uint64_t now_us, uint64_t *ret_ext) must_check;
uint64_t strm_lost(const struct strm *s);
uint32_t strm_jitter_us(const struct strm *s);
/* By how much its timestamps run slower than time, in millionths; less than 0: faster. 0 where its clock
 * is known for less than 4 s. */
int32_t strm_drift_ppm(const struct strm *s);
void strm_sender_report(struct strm *s, const struct rtcp_sender *r, uint64_t now_us);
/* The report block for it, and the begin of the next interval. */
void strm_block(struct strm *s, uint64_t now_us, struct rtcp_block *ret);
