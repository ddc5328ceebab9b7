/* SPDX-License-Identifier: Apache-2.0
 * Quality of a leg: see quality.h. */
#include "media/quality.h"

enum { SEQ_JUMP = 0x8000, MS_MAX = 65535 };

void quality_init(struct quality *q, uint64_t now_us) { *q = (struct quality){.at_us = now_us}; }

uint16_t quality_centi(const struct quality_mean *m) {
  return m->n ? (uint16_t)((m->sum_centi + m->n / 2) / m->n) : 0;
}

static double score(uint8_t codec, double loss, double burst, double delay_ms) {
  struct mos_in in = {(enum codec_kind)codec, loss, burst, delay_ms};
  return mos_score(mos_rating(&in));
}

static void add(struct quality_mean *m, double mos) {
  m->sum_centi += (uint32_t)(mos * 100 + 0.5);
  m->n++;
}

static void tick_up(struct quality *q, const struct quality_in *in, struct quality_way *ret) {
  uint64_t due = in->expected - q->expected, came = in->packets - q->packets;
  uint64_t lost = in->lost - q->lost, runs = in->runs - q->runs;
  q->expected = in->expected;
  q->packets = in->packets;
  q->lost = in->lost;
  q->runs = in->runs;
  if (!due || due > UINT32_MAX)
    return;
  double loss = came < due ? (double)(due - came) / (double)due : 0;
  double delay_ms = mos_delay_ms(in->report->rtt_us, in->jitter_us, in->ptime_ms);
  *ret = (struct quality_way){
      true, loss, score(in->rx_codec, loss, mos_burst_ratio(lost, runs, loss), delay_ms), in->jitter_us};
  add(&q->up, ret->mos);
}

/* The share lost since the last interval, by the cumulative figures; where there is no earlier block,
 * or its numbers began anew, by the block's own. */
static double remote_loss(struct quality *q, const struct report *r) {
  uint32_t due = r->remote_max_seq - q->remote_max_seq, lost = r->remote_lost - q->remote_lost;
  bool is_good =
      q->has_prior && due && due < SEQ_JUMP && r->remote_lost >= q->remote_lost && lost <= due;
  q->remote_max_seq = r->remote_max_seq;
  q->remote_lost = r->remote_lost;
  q->has_prior = true;
  return is_good ? (double)lost / due : r->remote_fraction / 256.0;
}

/* The peer's VoIP metrics know how its losses clustered: within a burst, a loss follows a loss with the
 * chance that is the burst's density. So the mean run is 1 / (1 - density), that of random loss is
 * 1 / (1 - loss). */
static double remote_burst(const struct report *r, double loss) {
  if (!r->xr.ssrc || !r->xr.burst_ms)
    return 1;
  return (1 - loss) / (1 - r->xr.burst_density / 256.0);
}

static void tick_down(struct quality *q, const struct quality_in *in, struct quality_way *ret) {
  struct report *r = in->report;
  if (!r->has_remote)
    return;
  r->has_remote = false;
  double loss = remote_loss(q, r);
  double delay_ms = mos_delay_ms(r->rtt_us, in->remote_jitter_us, in->ptime_ms);
  if (r->xr.ssrc && r->xr.end_delay_ms > in->ptime_ms)
    delay_ms = r->rtt_us / 2000.0 + in->ptime_ms + r->xr.end_delay_ms;
  *ret = (struct quality_way){true, loss, score(in->tx_codec, loss, remote_burst(r, loss), delay_ms),
                              in->remote_jitter_us};
  add(&q->down, ret->mos);
}

static void end_silence(struct quality *q, uint64_t now_us, struct quality_told *ret) {
  if (!q->silent_us)
    return;
  q->silence_us += now_us - q->silent_us;
  ret->is_oneway_told = true;
  ret->since_ms = (uint32_t)((now_us - q->silent_us) / 1000);
  q->silent_us = 0;
}

/* Silent since the last packet, or since one was to come, whichever is later. */
static void tick_oneway(struct quality *q, const struct quality_in *in, uint64_t now_us,
                        struct quality_told *ret) {
  bool is_awaited = in->is_open && in->sent_us && now_us - in->sent_us < QUALITY_FLOW_US;
  if (!is_awaited)
    q->awaited_us = 0;
  else if (!q->awaited_us)
    q->awaited_us = now_us;
  uint64_t since_us = in->heard_us > q->awaited_us ? in->heard_us : q->awaited_us;
  if (!is_awaited || now_us - since_us < QUALITY_SILENT_US) {
    end_silence(q, now_us, ret);
    return;
  }
  if (q->silent_us && now_us - q->told_us < QUALITY_AGAIN_US)
    return;
  if (!q->silent_us)
    q->silent_us = since_us;
  q->told_us = now_us;
  ret->is_oneway_told = ret->is_silent = true;
  ret->since_ms = (uint32_t)((now_us - q->silent_us) / 1000);
}

void quality_tick(struct quality *q, const struct quality_in *in, uint64_t now_us,
                  struct quality_told *ret) {
  *ret = (struct quality_told){0};
  tick_oneway(q, in, now_us, ret);
  if (now_us - q->at_us < QUALITY_US)
    return;
  q->at_us = now_us;
  tick_up(q, in, &ret->up);
  tick_down(q, in, &ret->down);
}

static uint8_t tenths(double mos) { return (uint8_t)(mos * 10 + 0.5); }
static uint8_t share(uint64_t part, uint64_t whole) {
  return !whole ? 0 : part >= whole ? 255 : (uint8_t)(part * 256 / whole);
}

/* We keep no jitter buffer here and decode nothing: what came too late counts as discarded, buffer,
 * concealment and levels are unknown. */
void quality_metrics(const struct strm *s, const struct quality_in *in, struct rtcpxr_voip *ret) {
  struct burst_figures b;
  uint64_t lost = strm_lost(s);
  uint32_t rtt_ms = in->report->rtt_us / 1000;
  double loss = s->expected ? (double)lost / (double)s->expected : 0;
  struct mos_in m = {(enum codec_kind)in->rx_codec, loss,
                     mos_burst_ratio(s->burst.lost, s->burst.runs, loss), 0};
  double listening = mos_rating(&m);
  burst_read(&s->burst, in->ptime_ms, &b);
  m.delay_ms = mos_delay_ms(in->report->rtt_us, strm_jitter_us(s), in->ptime_ms);
  double conversational = mos_rating(&m);
  *ret = (struct rtcpxr_voip){
      .ssrc = s->ssrc,
      .loss = share(lost > s->late ? lost - s->late : 0, s->expected),
      .discard = share(s->late, s->expected),
      .burst_density = b.burst_density,
      .gap_density = b.gap_density,
      .burst_ms = b.burst_ms,
      .gap_ms = b.gap_ms,
      .round_trip_ms = (uint16_t)(rtt_ms < MS_MAX ? rtt_ms : MS_MAX),
      .end_delay_ms = (uint16_t)in->ptime_ms,
      .signal = RTCPXR_UNKNOWN,
      .noise = RTCPXR_UNKNOWN,
      .rerl = RTCPXR_UNKNOWN,
      .gmin = BURST_GMIN,
      .r_factor = (uint8_t)(conversational + 0.5),
      .r_external = RTCPXR_UNKNOWN,
      .mos_listening = tenths(mos_score(listening)),
      .mos_conversational = tenths(mos_score(conversational)),
  };
}
