/* SPDX-License-Identifier: Apache-2.0
 * Extended reports (RFC 3611): VoIP metrics (4.7), receiver reference time (4.4) and the answer to it
 * (DLRR, 4.5): bytes <-> values. Other blocks are passed over by their length. Bounds-checked,
 * allocation-free, pure. */
#pragma once
#include "wire/rtcp.h"

enum rtcpxr_kind { RTCPXR_OTHER = 0, RTCPXR_RRT = 4, RTCPXR_DLRR = 5, RTCPXR_VOIP = 7 };
enum { RTCPXR_UNKNOWN = 127, RTCPXR_VOIP_BYTES = 36, RTCPXR_MAX_BYTES = 8 + 36 + 12 + 16 };

struct rtcpxr_voip {
  uint32_t ssrc;                                          /* ssrc is the source that is reported on. */
  uint8_t loss, discard, burst_density, gap_density;      /* shares of 256 */
  uint16_t burst_ms, gap_ms, round_trip_ms, end_delay_ms; /* 65535: that long, or longer */
  uint8_t signal, noise, rerl;                            /* dBm0 as two's complement, dB; 127 unknown */
  uint8_t gmin;                                           /* 16 as a rule */
  uint8_t r_factor, r_external;                           /* 0-100; 127 unknown */
  uint8_t mos_listening, mos_conversational;              /* ten times 1-5; 127 unknown */
  uint8_t config;                                         /* concealment and jitter buffer, 4.7.6 */
  uint16_t buffer_ms, buffer_max_ms, buffer_abs_ms;       /* jitter buffer: now, now at most, ever */
};

struct rtcpxr_dlrr {  /* one sub-block */
  uint32_t ssrc;      /* ssrc is the receiver whose reference time is answered. */
  uint32_t lrr, dlrr; /* the middle of its NTP time, and 1/65536 s since it came */
};

struct rtcpxr_block {
  uint8_t kind;        /* kind is an enum rtcpxr_kind, or the number of another block. */
  const uint8_t *body; /* body is what follows the block's 4-byte head. */
  size_t body_bytes;
};

struct rtcpxr_walk {
  const uint8_t *p;
  size_t n;
};

/* Of an XR packet; *ret_ssrc is its sender. False: no XR. */
bool rtcpxr_walk_of(const struct rtcp_packet *p, uint32_t *ret_ssrc, struct rtcpxr_walk *ret) must_check;
/* The next block; false at the end or at one that does not fit. */
bool rtcpxr_next(struct rtcpxr_walk *w, struct rtcpxr_block *ret);
bool rtcpxr_read_voip(const struct rtcpxr_block *b,
                      struct rtcpxr_voip *ret); /* false: not such a block */
bool rtcpxr_read_rrt(const struct rtcpxr_block *b, uint64_t *ret_ntp);
bool rtcpxr_read_dlrr(const struct rtcpxr_block *b, unsigned i, struct rtcpxr_dlrr *ret); /* the i-th */

struct rtcpxr_out { /* what goes into one XR packet; NULL, 0: without it */
  uint32_t ssrc;
  const struct rtcpxr_voip *voip;
  const struct rtcpxr_dlrr *dlrr;
  uint64_t rrt_ntp;
};
/* Its length; 0: nothing to say, or no room. */
size_t rtcpxr_put(uint8_t *dst, size_t room, const struct rtcpxr_out *o);
