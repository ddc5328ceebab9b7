/* SPDX-License-Identifier: Apache-2.0
 * Receive statistics: see strm.h. */
#include "media/strm.h"

enum { NO_BAD_SEQ = 0x10000, TRANSIT_JUMP_S = 5 };

void strm_init(struct strm *s, uint32_t ssrc, uint32_t clock_hz) {
  *s = (struct strm){.ssrc = ssrc, .is_used = true, .clock_hz = clock_hz, .bad_seq = NO_BAD_SEQ};
}

static void begin(struct strm *s, uint16_t seq) {
  s->max_ext = 0x10000u + seq; /* one cycle ahead, so that an earlier packet has a number too */
  s->expected = 1;
  s->seen = s->window = 1;
}

static void settle(struct strm *s, unsigned bit) {
  if (s->seen >> bit & 1)
    burst_add_came(&s->burst);
  else
    burst_add_lost(&s->burst);
}

/* The oldest step numbers leave the window: what has not come by now is lost. */
static void settle_oldest(struct strm *s, unsigned step) {
  for (unsigned i = 0; i < step && i < STRM_WINDOW; i++)
    if (STRM_WINDOW - 1 - i < s->window)
      settle(s, STRM_WINDOW - 1 - i);
  for (unsigned i = STRM_WINDOW; i < step; i++)
    burst_add_lost(&s->burst);
}

/* What comes from now on has nothing to do with what came before, but for being of one source. */
static void restart(struct strm *s) {
  settle_oldest(s, STRM_WINDOW);
  s->expected++;
  s->seen = s->window = 1;
  s->has_transit = false;
}

static void advance(struct strm *s, unsigned step) {
  s->max_ext += step;
  if (step > STRM_JUMP) {
    restart(s);
    return;
  }
  settle_oldest(s, step);
  s->expected += step;
  s->seen = step < STRM_WINDOW ? s->seen << step | 1 : 1;
  s->window = s->window + step < STRM_WINDOW ? (uint8_t)(s->window + step) : STRM_WINDOW;
}

/* A number before the highest: in the window it may fill a hole; two in a row far behind are a
 * source that began anew. */
static enum drop behind(struct strm *s, uint16_t seq, unsigned back) {
  if (back >= s->window && back < STRM_WINDOW)
    s->expected += back + 1u - s->window; /* before the first one that came */
  if (back < STRM_WINDOW) {
    uint64_t bit = 1ull << back;
    if (s->seen & bit) {
      s->duplicate++;
      return DROP_DUPLICATE;
    }
    s->seen |= bit;
    s->window = s->window > back ? s->window : (uint8_t)(back + 1);
    s->reordered++;
    return DROP_NONE;
  }
  if (seq != s->bad_seq) {
    s->bad_seq = (uint16_t)(seq + 1);
    s->late++;
    return DROP_LATE;
  }
  s->bad_seq = NO_BAD_SEQ;
  s->max_ext += 0x10000u - back;
  restart(s);
  return DROP_NONE;
}

/* A.8. Ringback that gives way to speech, a source that was held: its timestamps begin anew, and that
 * is no delay on the way. */
static void measure_jitter(struct strm *s, uint32_t ts, bool marker, uint64_t now_us) {
  uint32_t arrival = (uint32_t)(now_us * s->clock_hz / 1000000u), transit = arrival - ts;
  int64_t d = (int32_t)(transit - s->transit), hz = s->clock_hz;
  s->transit = transit;
  if (!s->has_transit || llabs(d) > (marker ? hz * STRM_TALK_MS / 1000 : hz * TRANSIT_JUMP_S)) {
    s->has_transit = true;
    s->clock_ms = (uint32_t)(now_us / 1000);
    s->drift = 0;
    s->is_settled = false;
    return;
  }
  s->drift += (int32_t)d;
  if (!s->is_settled && (uint32_t)(now_us / 1000) - s->clock_ms >= STRM_SETTLE_MS) {
    s->is_settled = true;
    s->clock_ms = (uint32_t)(now_us / 1000);
    s->drift = 0;
  }
  s->jitter_q4 += (uint32_t)(llabs(d) - ((s->jitter_q4 + 8) >> 4));
  uint32_t us = strm_jitter_us(s);
  if (us > s->max_jitter_us)
    s->max_jitter_us = us;
}

enum drop strm_input(struct strm *s, const struct rtp *p, bool has_clock, uint32_t clock_hz,
                     uint64_t now_us, uint64_t *ret_ext) {
  enum drop d = DROP_NONE;
  uint16_t step = (uint16_t)(p->seq - (uint16_t)s->max_ext);
  *ret_ext = s->max_ext;
  if (!s->expected)
    begin(s, p->seq);
  else if (step && step < 0x8000)
    advance(s, step);
  else
    d = behind(s, p->seq, (uint16_t)((uint16_t)s->max_ext - p->seq));
  if (d)
    return d;
  *ret_ext = s->max_ext - (uint16_t)((uint16_t)s->max_ext - p->seq);
  s->heard_us = now_us;
  s->packets++;
  s->bytes += p->payload_bytes;
  if (has_clock && clock_hz != s->clock_hz) {
    s->clock_hz = clock_hz;
    s->has_transit = false;
    s->jitter_q4 = 0;
  }
  if (has_clock)
    measure_jitter(s, p->ts, p->marker, now_us);
  return DROP_NONE;
}

uint64_t strm_lost(const struct strm *s) {
  return s->expected > s->packets ? s->expected - s->packets : 0;
}

uint32_t strm_jitter_us(const struct strm *s) {
  return s->clock_hz ? (uint32_t)((uint64_t)(s->jitter_q4 >> 4) * 1000000u / s->clock_hz) : 0;
}

int32_t strm_drift_ppm(const struct strm *s) {
  enum { LEAST_MS = 2900, MOST_PPM = 2000000000 };
  uint32_t ms = (uint32_t)(s->heard_us / 1000) - s->clock_ms;
  if (!s->is_settled || ms < LEAST_MS || !s->clock_hz)
    return 0;
  double ppm = (double)s->drift * 1e9 / ((double)s->clock_hz * (double)ms);
  return ppm > MOST_PPM ? MOST_PPM : ppm < -MOST_PPM ? -MOST_PPM : (int32_t)ppm;
}

void strm_sender_report(struct strm *s, const struct rtcp_sender *r, uint64_t now_us) {
  s->sr_middle = (uint32_t)(r->ntp >> 16);
  s->sr_us = now_us;
}

void strm_block(struct strm *s, uint64_t now_us, struct rtcp_block *ret) {
  uint64_t expected = s->expected - s->expected_prior, got = s->packets - s->packets_prior;
  uint64_t lost = strm_lost(s);
  *ret = (struct rtcp_block){
      .ssrc = s->ssrc,
      .fraction = expected && expected > got ? (uint8_t)(((expected - got) << 8) / expected > 255
                                                             ? 255
                                                             : ((expected - got) << 8) / expected)
                                             : 0,
      .lost = lost > 0x7fffff ? 0x7fffff : (int32_t)lost,
      .max_seq = (uint32_t)(s->max_ext - 0x10000u),
      .jitter = s->jitter_q4 >> 4,
      .lsr = s->sr_middle,
      .dlsr = s->sr_middle ? (uint32_t)((now_us - s->sr_us) * 65536u / 1000000u) : 0,
  };
  s->expected_prior = s->expected;
  s->packets_prior = s->packets;
}
