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

/* As far as we know it: where we decode, the buffer is ours, else it is the far end's, and a guess. */
static double delay_of(const struct quality_in *in, uint32_t jitter_us) {
  uint32_t rtt_us = in->report->rtt_us;
  return in->buffer_ms ? rtt_us / 2000.0 + in->ptime_ms + in->buffer_ms
                       : mos_delay_ms(rtt_us, jitter_us, in->ptime_ms);
}

/* The buffer's count begins anew with the buffer. */
static uint32_t late_of(const struct quality *q, const struct quality_in *in) {
  return in->buffer_ms && in->discards > q->discards ? in->discards - q->discards : 0;
}

/* What went missing in the interval, in the net or in the buffer. */
static double up_loss(const struct quality *q, const struct quality_in *in, uint64_t due, uint32_t late) {
  uint64_t came = in->packets - q->packets;
  uint64_t gone = (came < due ? due - came : 0) + late;
  return gone < due ? (double)gone / (double)due : 1;
}

static void tick_up(struct quality *q, const struct quality_in *in, struct quality_way *ret) {
  uint64_t due = in->expected - q->expected;
  uint32_t late = late_of(q, in);
  if (due && due < UINT32_MAX) {
    double loss = up_loss(q, in, due, late);
    double burst = mos_burst_ratio(in->lost - q->lost, in->runs - q->runs, loss);
    *ret = (struct quality_way){
        true, loss, score(in->rx_codec, loss, burst, delay_of(in, in->jitter_us)), in->jitter_us};
    add(&q->up, ret->mos);
  }
  q->expected = in->expected;
  q->packets = in->packets;
  q->discarded = (q->discarded + late) & INT32_MAX;
  if (in->buffer_ms)
    q->discards = in->discards;
  q->lost = in->lost;
  q->runs = in->runs;
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

/* Concealed by G.711's appendix I, PLC of libopus or the like; the buffer adapts (4.7.6). */
enum { CONFIG_ENHANCED_ADAPTIVE = 0xb0 };

static uint16_t ms16(uint32_t ms) { return (uint16_t)(ms < MS_MAX ? ms : MS_MAX); }

static void put_scores(const struct strm *s, const struct quality_in *in, struct rtcpxr_voip *ret) {
  uint64_t gone = strm_lost(s) + in->discards;
  double loss = s->expected > gone ? (double)gone / (double)s->expected : s->expected > 0;
  struct mos_in m = {(enum codec_kind)in->rx_codec, loss,
                     mos_burst_ratio(s->burst.lost, s->burst.runs, loss), 0};
  double listening = mos_rating(&m);
  m.delay_ms = delay_of(in, strm_jitter_us(s));
  double conversational = mos_rating(&m);
  ret->r_factor = (uint8_t)(conversational + 0.5);
  ret->r_external = RTCPXR_UNKNOWN;
  ret->mos_listening = tenths(mos_score(listening));
  ret->mos_conversational = tenths(mos_score(conversational));
}

/* Where nothing is decoded we keep no jitter buffer: only what came after its place was given away
 * counts as discarded. */
static void put_buffer(const struct strm *s, const struct quality_in *in, struct rtcpxr_voip *ret) {
  uint64_t late = s->late + in->discards, lost = strm_lost(s);
  ret->loss = share(lost > s->late ? lost - s->late : 0, s->expected);
  ret->discard = share(late, s->expected);
  ret->end_delay_ms = ms16(in->ptime_ms + in->buffer_ms);
  if (!in->buffer_ms)
    return;
  ret->config = CONFIG_ENHANCED_ADAPTIVE;
  ret->buffer_ms = ms16(in->buffer_ms);
  ret->buffer_max_ms = ms16(in->buffer_max_ms);
  ret->buffer_abs_ms = QUALITY_BUFFER_MS;
}

void quality_metrics(const struct strm *s, const struct quality_in *in, struct rtcpxr_voip *ret) {
  struct burst_figures b;
  burst_read(&s->burst, in->ptime_ms, &b);
  *ret = (struct rtcpxr_voip){
      .ssrc = s->ssrc,
      .burst_density = b.burst_density,
      .gap_density = b.gap_density,
      .burst_ms = b.burst_ms,
      .gap_ms = b.gap_ms,
      .round_trip_ms = ms16(in->report->rtt_us / 1000),
      .signal = RTCPXR_UNKNOWN,
      .noise = RTCPXR_UNKNOWN,
      .rerl = RTCPXR_UNKNOWN,
      .gmin = BURST_GMIN,
  };
  put_buffer(s, in, ret);
  put_scores(s, in, ret);
}
