/* SPDX-License-Identifier: Apache-2.0
 * RTCP of a leg: see report.h. */
#include "media/report.h"

#include "base/rand.h"

enum {
  NTP_EPOCH_S = 2208988800u,
  RTT_MAX_US = 10000000,
  RTT_KEEP = 4,
  STUCK_MS = 3000,
  STUCK_PACKETS = 100
};

static uint64_t epoch_us; /* epoch_us is what makes a monotonic time one since 1900. */

void report_set_epoch(uint64_t now_us, uint64_t wall_ms) {
  epoch_us = wall_ms * 1000u + (uint64_t)NTP_EPOCH_S * 1000000u - now_us;
}

static uint64_t report_ntp(uint64_t now_us) {
  uint64_t us = now_us + epoch_us;
  return (us / 1000000u) << 32 | ((us % 1000000u) << 32) / 1000000u;
}

void report_init(struct report *r, uint64_t now_us) {
  *r = (struct report){.next_us = now_us + REPORT_FIRST_US + rand_below(REPORT_FIRST_US)};
}

static void take_middle(struct report *r, uint32_t last, uint32_t delay, uint64_t now_us) {
  uint32_t middle = (uint32_t)(report_ntp(now_us) >> 16);
  int32_t rtt = (int32_t)(middle - last - delay); /* 1/65536 s */
  uint64_t us = rtt > 0 ? (uint64_t)rtt * 1000000u / 65536u : 1;
  if (!last || us >= RTT_MAX_US)
    return;
  bool is_slower = r->rtt_us && us > r->rtt_us; /* one report that was late says little of the way */
  r->rtt_us =
      is_slower ? (uint32_t)((RTT_KEEP - 1) * (uint64_t)r->rtt_us + us) / RTT_KEEP : (uint32_t)us;
}

/* Its highest number stands still although we send. */
static void note_progress(struct report *r, uint32_t max_seq, uint64_t now_us) {
  uint32_t now_ms = (uint32_t)(now_us / 1000);
  if (max_seq != r->remote_max_seq || !r->moved_ms) {
    r->moved_ms = now_ms ? now_ms : 1;
    r->moved_sent = r->sent;
  }
  r->is_stuck = now_ms - r->moved_ms >= STUCK_MS && r->sent - r->moved_sent >= STUCK_PACKETS;
}

uint64_t report_stuck_us(const struct report *r, uint64_t now_us) {
  return r->is_stuck ? now_us - (uint64_t)((uint32_t)(now_us / 1000) - r->moved_ms) * 1000 : 0;
}

static void take_block(struct report *r, const struct rtcp_block *b, uint64_t now_us) {
  r->remote_lost = b->lost > 0 ? (uint32_t)b->lost : 0;
  r->remote_fraction = b->fraction;
  note_progress(r, b->max_seq, now_us);
  r->remote_max_seq = b->max_seq;
  if (!r->events_us || now_us - r->events_us > REPORT_EVENTS_US)
    r->remote_jitter = b->jitter;
  r->has_remote = true;
  take_middle(r, b->lsr, b->dlsr, now_us);
}

static void take_sender(const struct rtcp_packet *p, struct strm *strms, unsigned n_strms,
                        uint64_t now_us) {
  struct rtcp_sender sender;
  if (!rtcp_sender(p, &sender))
    return;
  for (unsigned i = 0; i < n_strms; i++)
    if (strms[i].is_used && strms[i].ssrc == sender.ssrc)
      strm_sender_report(&strms[i], &sender, now_us);
}

static void take_dlrr(struct report *r, const struct rtcpxr_block *b, uint32_t our_ssrc,
                      uint64_t now_us) {
  struct rtcpxr_dlrr d;
  for (unsigned i = 0; i < RTCP_BLOCKS_MAX && rtcpxr_read_dlrr(b, i, &d); i++)
    if (d.ssrc == our_ssrc)
      take_middle(r, d.lrr, d.dlrr, now_us);
}

static void take_xr(struct report *r, const struct rtcp_packet *p, uint32_t our_ssrc, uint64_t now_us) {
  struct rtcpxr_walk w;
  struct rtcpxr_block b;
  struct rtcpxr_voip voip;
  uint64_t ntp;
  uint32_t from;
  if (!rtcpxr_walk_of(p, &from, &w))
    return;
  r->xr_rx++;
  while (rtcpxr_next(&w, &b)) {
    if (rtcpxr_read_voip(&b, &voip) && voip.ssrc == our_ssrc)
      r->xr = voip;
    if (rtcpxr_read_rrt(&b, &ntp)) {
      r->rrt_ssrc = from;
      r->rrt_middle = (uint32_t)(ntp >> 16);
      r->rrt_us = now_us;
    }
    take_dlrr(r, &b, our_ssrc, now_us);
  }
}

static void take_packet(struct report *r, const struct rtcp_packet *p, uint32_t our_ssrc,
                        struct strm *strms, unsigned n_strms, uint64_t now_us) {
  struct rtcp_block b;
  take_sender(p, strms, n_strms, now_us);
  for (unsigned i = 0; rtcp_block(p, i, &b); i++)
    if (b.ssrc == our_ssrc)
      take_block(r, &b, now_us);
  take_xr(r, p, our_ssrc, now_us);
  r->nacks += rtcp_is_nack(p);
  r->picture_losses += rtcp_is_pli(p);
  r->byes += p->type == RTCP_BYE;
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

static size_t put_xr(struct report *r, const struct report_ours *ours, bool is_sender, uint64_t now_us,
                     uint8_t *dst, size_t room) {
  struct rtcpxr_dlrr dlrr = {r->rrt_ssrc, r->rrt_middle,
                             (uint32_t)((now_us - r->rrt_us) * 65536u / 1000000u)};
  struct rtcpxr_out o = {.ssrc = ours->ssrc, .dlrr = r->rrt_ssrc ? &dlrr : NULL};
  if (ours->voip) { /* who takes metrics takes a reference time, where no SR is there to measure by */
    o.voip = ours->voip->ssrc ? ours->voip : NULL;
    o.rrt_ntp = is_sender ? 0 : report_ntp(now_us);
  }
  size_t n = rtcpxr_put(dst, room, &o);
  r->rrt_ssrc = 0;
  r->xr_tx += n > 0;
  return n;
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
      rtcp_put(dst, room, ours->ssrc, is_sender ? &sender : NULL, blocks, n, ours->cname, false);
  if (bytes)
    bytes += put_xr(r, ours, is_sender, now_us, dst + bytes, room - bytes);
  if (bytes && bye)
    bytes += rtcp_put_bye(dst + bytes, room - bytes, ours->ssrc);
  r->rtcp_tx += bytes > 0;
  return bytes;
}
