/* SPDX-License-Identifier: Apache-2.0
 * RTCP of a leg: see report.h. */
#include "media/report.h"

#include "base/rand.h"

enum { NTP_EPOCH_S = 2208988800u, RTT_MAX_US = 10000000 };

static uint64_t epoch_us; /* epoch_us is what makes a monotonic time one since 1900. */

void report_set_epoch(uint64_t now_us, uint64_t wall_ms) {
  epoch_us = wall_ms * 1000u + (uint64_t)NTP_EPOCH_S * 1000000u - now_us;
}

uint64_t report_ntp(uint64_t now_us) {
  uint64_t us = now_us + epoch_us;
  return (us / 1000000u) << 32 | ((us % 1000000u) << 32) / 1000000u;
}

void report_init(struct report *r, uint64_t now_us) {
  *r = (struct report){.next_us = now_us + REPORT_FIRST_US + rand_below(REPORT_FIRST_US)};
}

static void take_block(struct report *r, const struct rtcp_block *b, uint64_t now_us) {
  r->remote_lost = b->lost > 0 ? (uint32_t)b->lost : 0;
  r->remote_fraction = b->fraction;
  r->remote_jitter = b->jitter;
  r->has_remote = true;
  if (!b->lsr)
    return;
  uint32_t middle = (uint32_t)(report_ntp(now_us) >> 16);
  int32_t rtt = (int32_t)(middle - b->lsr - b->dlsr); /* 1/65536 s */
  uint64_t us = rtt > 0 ? (uint64_t)rtt * 1000000u / 65536u : 1;
  if (us < RTT_MAX_US)
    r->rtt_us = (uint32_t)us;
}

static void take_packet(struct report *r, const struct rtcp_packet *p, uint32_t our_ssrc,
                        struct strm *strms, unsigned n_strms, uint64_t now_us) {
  struct rtcp_sender sender;
  struct rtcp_block b;
  if (rtcp_sender(p, &sender))
    for (unsigned i = 0; i < n_strms; i++)
      if (strms[i].is_used && strms[i].ssrc == sender.ssrc)
        strm_sender_report(&strms[i], &sender, now_us);
  for (unsigned i = 0; rtcp_block(p, i, &b); i++)
    if (b.ssrc == our_ssrc)
      take_block(r, &b, now_us);
}

bool report_input(struct report *r, const uint8_t *p, size_t n, uint32_t our_ssrc, struct strm *strms,
                  unsigned n_strms, uint64_t now_us) {
  if (!rtcp_is_sound(p, n))
    return false;
  struct rtcp_walk w = rtcp_walk_of(p, n);
  struct rtcp_packet one;
  r->rtcp_rx++;
  while (rtcp_next(&w, &one))
    take_packet(r, &one, our_ssrc, strms, n_strms, now_us);
  return true;
}

size_t report_put(struct report *r, const struct report_ours *ours, struct strm *strms, unsigned n_strms,
                  bool bye, uint64_t now_us, uint8_t *dst, size_t room) {
  struct rtcp_block blocks[OPENER_SSRCS_MAX];
  struct rtcp_sender sender = {.ssrc = ours->ssrc,
                               .ntp = report_ntp(now_us),
                               .ts = ours->ts,
                               .packets = (uint32_t)ours->packets,
                               .octets = (uint32_t)ours->octets};
  unsigned n = 0;
  bool is_sender = ours->packets != r->sent_prior;
  for (unsigned i = 0; i < n_strms && n < COUNT_OF(blocks); i++)
    if (strms[i].is_used && now_us - strms[i].heard_us < 2 * (uint64_t)REPORT_INTERVAL_US)
      strm_block(&strms[i], now_us, &blocks[n++]);
  r->next_us = now_us + REPORT_INTERVAL_US / 2 + rand_below(REPORT_INTERVAL_US);
  r->sent_prior = ours->packets;
  size_t bytes =
      rtcp_put(dst, room, ours->ssrc, is_sender ? &sender : NULL, blocks, n, ours->cname, bye);
  r->rtcp_tx += bytes > 0;
  return bytes;
}

double report_mos(double loss, uint32_t jitter_ms, uint32_t rtt_ms) {
  double delay = rtt_ms / 2.0 + 2.0 * jitter_ms + 20, percent = loss * 100;
  double id = 0.024 * delay + (delay > 177.3 ? 0.11 * (delay - 177.3) : 0);
  double ie = 95 * percent / (percent + 25.1); /* G.711 with concealment */
  double r = 93.2 - id - ie;
  if (r <= 0)
    return 1;
  double mos = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
  return mos < 1 ? 1 : mos > 4.5 ? 4.5 : mos;
}
