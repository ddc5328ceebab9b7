/* SPDX-License-Identifier: Apache-2.0
 * Reports of one leg (RFC 3550): ours, every 5 s on average, about what we send and hear; the
 * peer's, read for loss, jitter and round trip; quality as a mean opinion score (ITU-T G.107, a
 * simple form). RTCP ends here: nothing of it is ever passed on. Media worker; no clock. */
#pragma once
#include "media/strm.h"

enum { REPORT_INTERVAL_US = 5000000, REPORT_FIRST_US = 1500000 };

struct report {
  uint64_t next_us;    /* next_us is when the next one is due. */
  uint64_t sent_prior; /* sent_prior is the packets sent at the last one. */
  uint64_t rtcp_rx, rtcp_tx;
  uint32_t remote_lost, remote_jitter; /* of the peer's last block about us; jitter in clock units */
  uint8_t remote_fraction;
  bool has_remote; /* has_remote: such a block came since the last quality. */
  uint32_t rtt_us;
};

struct report_ours { /* what we send */
  uint32_t ssrc, ts; /* ts is what a packet made now would be stamped with. */
  uint64_t packets, octets;
  struct slice cname;
};

void report_init(struct report *r, uint64_t now_us);
/* NTP time of a monotonic one: the offset is set once at start, so that steps of the wall clock
 * do not disturb the round trip. */
void report_set_epoch(uint64_t now_us, uint64_t wall_ms);
uint64_t report_ntp(uint64_t now_us);
/* An authenticated compound. strms of the leg take the sender reports. False: malformed. */
bool report_input(struct report *r, const uint8_t *p, size_t n, uint32_t our_ssrc, struct strm *strms,
                  unsigned n_strms, uint64_t now_us) must_check;
/* The next compound into dst and its length; also arms the next one. 0: nothing to say yet. */
size_t report_put(struct report *r, const struct report_ours *ours, struct strm *strms, unsigned n_strms,
                  bool bye, uint64_t now_us, uint8_t *dst, size_t room);
/* Mean opinion score, 1-4.5, from loss (0-1), jitter and round trip. */
double report_mos(double loss, uint32_t jitter_ms, uint32_t rtt_ms);
