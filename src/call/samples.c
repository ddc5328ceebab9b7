/* SPDX-License-Identifier: Apache-2.0
 * Once a second what each leg of a traced call received and was sent, from the media process' table into
 * the call's timeline. A round goes over all calls in small steps, so that no turn is long; without
 * timelines there is none. */
#include "call/inner.h"

#include "base/clock.h"

enum {
  ROUND_US = 1000000,
  STEP_US = 100000,
  STEPS = 8,     /* of a round: the rest is rest */
  STEP_MIN = 16, /* calls of a step, at least */
  LEVEL_UNKNOWN = 1,
};

static uint32_t since(uint32_t *was, uint64_t now) {
  uint32_t n = (uint32_t)now, more = n >= *was ? n - *was : 0; /* less: losses that came after all */
  *was = n;
  return more;
}

static uint16_t capped(uint32_t n) { return n < UINT16_MAX ? (uint16_t)n : UINT16_MAX; }
static uint8_t capped8(uint32_t n) { return n < UINT8_MAX ? (uint8_t)n : UINT8_MAX; }

static int8_t level_db(uint8_t dbov, bool is_heard) {
  return is_heard && dbov <= 127 ? (int8_t)-dbov : LEVEL_UNKNOWN;
}

static void take_leg(struct leg *l, uint32_t t_s) {
  struct sampled *was = &leg_in(l)->sampled;
  struct mset_facts f;
  if (!leg_facts(l, &f))
    return;
  bool is_first = was->session != l->media.session; /* a fresh session counts from 0 */
  if (is_first)
    *was = (struct sampled){.session = l->media.session};
  struct trace_point rx = {.t_s = t_s,
                           .packets = capped(since(&was->rx, f.rx.packets)),
                           .lost = capped(since(&was->rx_lost, f.rx.lost)),
                           .auth_failures = capped8(since(&was->auth, f.rx.auth_failures)),
                           .wrong_source = capped8(since(&was->wrong, f.rx.wrong_source)),
                           .jitter_ms = capped(f.rx.jitter_us / 1000)};
  struct trace_point tx = {.t_s = t_s,
                           .packets = capped(since(&was->tx, f.tx.packets)),
                           .lost = capped(since(&was->tx_lost, f.remote_lost)),
                           .jitter_ms = capped(f.remote_jitter_us / 1000),
                           .level_db = LEVEL_UNKNOWN};
  rx.level_db = level_db(f.level_rx_dbov, rx.packets > 0);
  trace_media(l->call->trace, l->lane, TRACE_RX, &rx);
  trace_media(l->call->trace, l->lane, TRACE_TX, &tx);
}

static void sample(struct call *c) {
  uint64_t now_ms = call_time_ms(c);
  uint32_t t_s = now_ms > c->created_ms ? (uint32_t)((now_ms - c->created_ms) / 1000) : 0;
  for (struct leg *l = call_next_leg(c, NULL); l; l = call_next_leg(c, l))
    if (!leg_is_over(l) && l->media.session)
      take_leg(l, t_s);
}

static void on_step(void *arg) {
  struct calls *cs = arg;
  struct sampler *s = &cs->sampler;
  uint32_t n = calls_count(cs) / STEPS + STEP_MIN;
  struct call *c = NULL;
  while (n-- && (c = calls_next(cs, &s->cursor)))
    if (c->trace) {
      s->has_any = true;
      sample(c);
    }
  if (c) {
    calls_arm(cs, &s->timer, STEP_US);
    return;
  }
  uint64_t took_us = clock_now_us() - s->round_us;
  s->is_on = s->has_any;
  s->has_any = false;
  s->cursor = 0;
  s->round_us += took_us < 2 * ROUND_US ? ROUND_US : took_us;
  if (s->is_on)
    calls_arm(cs, &s->timer, took_us < ROUND_US ? ROUND_US - took_us : 0);
}

void samples_begin(struct call *c) {
  struct calls *cs = call_in(c)->cs;
  struct sampler *s = &cs->sampler;
  if (!c->trace)
    return;
  s->has_any = true; /* its place may be behind this round */
  if (s->is_on)
    return;
  s->is_on = true;
  s->round_us = clock_now_us();
  s->timer = (struct timer){.fn = on_step, .arg = cs};
  calls_arm(cs, &s->timer, ROUND_US);
  s->round_us += ROUND_US;
}

void samples_end(struct calls *cs) { loop_disarm(cs->env.loop, &cs->sampler.timer); }
