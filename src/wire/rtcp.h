/* SPDX-License-Identifier: Apache-2.0
 * Compound RTCP (RFC 3550 section 6, reduced size by RFC 5506, feedback by RFC 4585): a walk over
 * the packets of a datagram, readers of those that we act on, a writer of our own reports.
 * Bounds-checked, allocation-free, pure. */
#pragma once
#include "base/slice.h"

enum rtcp_type {
  RTCP_SR = 200,
  RTCP_RR = 201,
  RTCP_SDES = 202,
  RTCP_BYE = 203,
  RTCP_APP = 204,
  RTCP_RTPFB = 205, /* NACK and others */
  RTCP_PSFB = 206,  /* PLI and others */
  RTCP_XR = 207,
};
enum { RTCP_BLOCKS_MAX = 31, RTCP_CNAME_MAX_BYTES = 255, RTCP_FB_NACK = 1, RTCP_FB_PLI = 1 };

struct rtcp_packet {   /* one packet of a compound */
  uint8_t type;        /* type is an enum rtcp_type, or another 192-223. */
  uint8_t count;       /* count is the 5-bit field: blocks, sources, or the feedback format. */
  const uint8_t *body; /* body is what follows the 4-byte head, without padding. */
  size_t body_bytes;
};

struct rtcp_walk {
  const uint8_t *p;
  size_t n;
};

/* The whole datagram's form: version, lengths that add up, padding only in the last packet. */
bool rtcp_is_sound(const uint8_t *p, size_t n);
static inline struct rtcp_walk rtcp_walk_of(const uint8_t *p, size_t n) {
  return (struct rtcp_walk){p, n};
}
/* The next packet; false at the end or at the first malformed one. */
bool rtcp_next(struct rtcp_walk *w, struct rtcp_packet *ret);

struct rtcp_sender { /* of an SR */
  uint32_t ssrc;
  uint64_t ntp; /* ntp is the 64-bit NTP timestamp. */
  uint32_t ts, packets, octets;
};
struct rtcp_block {   /* a report block of SR or RR */
  uint32_t ssrc;      /* ssrc is the source that is reported on. */
  uint8_t fraction;   /* fraction is the loss since the last report, of 256. */
  int32_t lost;       /* lost is cumulative, 24 bits, signed. */
  uint32_t max_seq;   /* max_seq is extended by the cycles. */
  uint32_t jitter;    /* jitter is in timestamp units. */
  uint32_t lsr, dlsr; /* lsr is the middle of the last SR's NTP time, dlsr since then, 1/65536 s. */
};
bool rtcp_sender(const struct rtcp_packet *p, struct rtcp_sender *ret); /* false if p is no SR */
/* The i-th report block of an SR or RR; false past the last. */
bool rtcp_block(const struct rtcp_packet *p, unsigned i, struct rtcp_block *ret);
/* The i-th lost sequence number of a generic NACK is not needed by audio: only that one came. */
bool rtcp_is_nack(const struct rtcp_packet *p);
bool rtcp_is_pli(const struct rtcp_packet *p);
/* CNAME of the first chunk; empty if absent. */
struct slice rtcp_cname(const struct rtcp_packet *p);

/* Our own compound: SR when sender is given, else RR; up to n blocks; SDES with the CNAME; BYE when
 * asked. Returns its length, 0 if it does not fit. */
size_t rtcp_put(uint8_t *dst, size_t dst_bytes, uint32_t ssrc, const struct rtcp_sender *sender,
                const struct rtcp_block *blocks, unsigned n, struct slice cname, bool bye);
size_t rtcp_put_bye(uint8_t *dst, size_t room, uint32_t ssrc); /* 8, or 0 */
