/* SPDX-License-Identifier: Apache-2.0
 * Reports of one leg (RFC 3550, 3611, 4585): ours, every 5 s on average, about what we send and hear;
 * the peer's, read for loss, jitter, round trip and VoIP metrics. RTCP ends here: nothing of it is ever
 * passed on. Reduced size (RFC 5506) is read always and never sent. Feedback is counted: we keep no
 * packets to send again (NACK) and no pictures (PLI). Media worker; no clock. */
#pragma once
#include "media/strm.h"
#include "wire/rtcpxr.h"

enum {
  REPORT_INTERVAL_US = 5000000,
  REPORT_FIRST_US = 1500000,
  REPORT_EVENTS_US = 2000000, /* so long after telephone-events the peer's jitter says nothing */
};

struct report {
  uint64_t next_us;    /* next_us is when the next one is due. */
  uint64_t sent_prior; /* sent_prior is the packets sent at the last one. */
  uint64_t rtcp_rx, rtcp_tx;
  uint32_t xr_rx, xr_tx;
  uint32_t nacks, picture_losses, byes; /* what the peer sent of these */
  /* remote_*: of the peer's last block about us. Jitter is in clock units, and of the last block that
   * was not about telephone-events: their timestamps stand still, which peers take for jitter. */
  uint32_t remote_lost, remote_jitter, remote_max_seq;
  uint8_t remote_fraction;
  bool is_stuck;      /* is_stuck: none came there since moved_ms. */
  bool has_remote;    /* has_remote: such a block came since the last quality. */
  uint64_t events_us; /* events_us is when we last sent a telephone-event; 0: never. */
  uint32_t rtt_us;
  /* sent is the packets that we sent till now, moved_ms when a block last said that one came there, and
   * moved_sent what was sent by then; all modulo 2^32. */
  uint32_t sent, moved_ms, moved_sent;
  struct rtcpxr_voip xr;         /* xr is the peer's last VoIP metrics about us; xr.ssrc 0: none. */
  uint32_t rrt_ssrc, rrt_middle; /* of the peer's reference time that we owe an answer; 0: none */
  uint64_t rrt_us;
};

/* Since when nothing comes there, by its blocks; 0: it does. */
uint64_t report_stuck_us(const struct report *r, uint64_t now_us);
struct report_ours { /* what we send */
  uint32_t ssrc, ts; /* ts is what a packet made now would be stamped with. */
  uint64_t packets, octets;
  struct slice cname;
  const struct rtcpxr_voip *voip; /* voip is our metrics; NULL: the peer takes none. */
};

void report_init(struct report *r, uint64_t now_us);
/* NTP time of a monotonic one: the offset is set once at start, so that steps of the wall clock
 * do not disturb the round trip. */
void report_set_epoch(uint64_t now_us, uint64_t wall_ms);
/* An authenticated compound, or a single packet. strms of the leg take the sender reports. False:
 * malformed. */
bool report_input(struct report *r, const uint8_t *p, size_t n, uint32_t our_ssrc, struct strm *strms,
                  unsigned n_strms, uint64_t now_us) must_check;
/* The next compound into dst and its length; also arms the next one. 0: nothing to say yet. */
size_t report_put(struct report *r, const struct report_ours *ours, struct strm *strms, unsigned n_strms,
                  bool bye, uint64_t now_us, uint8_t *dst, size_t room);
