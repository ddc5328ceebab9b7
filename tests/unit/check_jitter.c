/* SPDX-License-Identifier: Apache-2.0
 * Units of the jitter buffer, in virtual time: a sender and a network on one side, play-out in ticks of
 * 10 ms on the other, whose clocks may differ. */
#include "codec/jitter.h"

#include <criterion/criterion.h>
#include <math.h>

enum { HZ = 8000, TICK_US = 10000, IN_FLIGHT = 512 };

struct net {
  uint64_t seed;
  struct jitter *j;
  uint64_t now_us;
  /* the sender */
  uint64_t ext, sent_us; /* sent_us is when the next is made. */
  uint32_t ts, units;
  double ppm;
  /* the network: delay_us + up to jitter_us, loss and doubles in 1,000 */
  uint32_t delay_us, jitter_us, loss, doubles;
  struct {
    uint64_t at_us, ext;
    uint32_t ts, units;
  } flight[IN_FLIGHT];
  /* play-out */
  int64_t queued_us;
  uint64_t arrived;
  uint64_t last_ext, frames, lost, empty, gap, fec, most_empty, run_empty;
  uint32_t most_delay_us;
  bool has_last, is_quiet;
};

static uint32_t draw(struct net *n, uint32_t below) {
  n->seed = n->seed * 6364136223846793005u + 1442695040888963407u;
  return below ? (uint32_t)(n->seed >> 33) % below : 0;
}

static void fly(struct net *n, uint64_t at_us) {
  for (unsigned i = 0; i < IN_FLIGHT; i++)
    if (!n->flight[i].at_us) {
      n->flight[i].at_us = at_us;
      n->flight[i].ext = n->ext;
      n->flight[i].ts = n->ts;
      n->flight[i].units = n->units;
      return;
    }
  cr_assert_fail("the network is full");
}

static void send_one(struct net *n) {
  if (draw(n, 1000) >= n->loss)
    fly(n, n->sent_us + n->delay_us + draw(n, n->jitter_us));
  if (draw(n, 1000) < n->doubles)
    fly(n, n->sent_us + n->delay_us + draw(n, n->jitter_us));
  n->ext++;
  n->ts += n->units;
}

static uint64_t period_us(const struct net *n) {
  return (uint64_t)llround(n->units * 1e6 / HZ * (1 - n->ppm / 1e6));
}

static void arrive(struct net *n) {
  static uint8_t payload[480];
  for (;;) {
    unsigned first = IN_FLIGHT;
    for (unsigned i = 0; i < IN_FLIGHT; i++)
      if (n->flight[i].at_us && n->flight[i].at_us <= n->now_us &&
          (first == IN_FLIGHT || n->flight[i].at_us < n->flight[first].at_us))
        first = i;
    if (first == IN_FLIGHT)
      return;
    memcpy(payload, &n->flight[first].ext, 8);
    struct jitter_packet p = {.ext = n->flight[first].ext,
                              .ts = n->flight[first].ts,
                              .units = n->flight[first].units,
                              .payload = payload,
                              .bytes = n->flight[first].units};
    (void)jitter_put(n->j, &p, n->flight[first].at_us);
    n->arrived++;
    n->flight[first].at_us = 0;
  }
}

static void take_frame(struct net *n, const struct jitter_frame *f) {
  uint64_t inside;
  struct jitter_figures g;
  memcpy(&inside, f->packet.payload, 8);
  cr_assert_eq(inside, f->packet.ext, "another packet's payload");
  cr_assert(!n->has_last || f->packet.ext > n->last_ext, "%lu after %lu", f->packet.ext, n->last_ext);
  n->last_ext = f->packet.ext;
  n->has_last = true;
  n->frames++;
  jitter_figures(n->j, &g);
  n->most_delay_us = g.delay_us > n->most_delay_us ? g.delay_us : n->most_delay_us;
}

static void play_out(struct net *n) {
  struct jitter_frame f;
  while (n->queued_us < TICK_US) {
    jitter_quiet(n->j, n->is_quiet);
    enum jitter_verdict v = jitter_get(n->j, n->now_us, &f);
    n->queued_us += v == JITTER_FRAME || v == JITTER_LOST ? f.units * 1000000ll / HZ : TICK_US;
    n->lost += v == JITTER_LOST;
    n->fec += v == JITTER_LOST && f.next.payload;
    n->empty += v == JITTER_EMPTY;
    n->gap += v == JITTER_GAP;
    n->run_empty = v == JITTER_EMPTY ? n->run_empty + 1 : 0;
    n->most_empty = n->run_empty > n->most_empty ? n->run_empty : n->most_empty;
    if (v == JITTER_FRAME)
      take_frame(n, &f);
  }
  n->queued_us -= TICK_US;
}

/* with_sender: it sends; else its clock goes on in silence (DTX: the timestamp moves, the number not).
 */
static void run(struct net *n, uint64_t ms, bool with_sender) {
  uint64_t end_us = n->now_us + ms * 1000;
  while (n->now_us < end_us) {
    n->now_us += TICK_US;
    while (n->sent_us <= n->now_us) {
      if (with_sender)
        send_one(n);
      else
        n->ts += n->units;
      n->sent_us += period_us(n);
    }
    arrive(n);
    play_out(n);
  }
}

static void net_init(struct net *n) {
  *n = (struct net){.seed = 7,
                    .now_us = 1000000,
                    .sent_us = 1003000,
                    .ext = 70000,
                    .ts = 0xffff0000u,
                    .units = 160,
                    .delay_us = 30000};
  cr_assert_eq(jitter_new(&n->j, HZ), 0);
}

static struct jitter_figures figures(struct net *n) {
  struct jitter_figures g;
  jitter_figures(n->j, &g);
  return g;
}

static void counts_start(struct net *n) {
  n->frames = n->lost = n->empty = n->gap = n->fec = n->most_empty = 0;
}

Test(jitter, a_steady_stream_is_whole_and_soon) {
  struct net n;
  net_init(&n);
  run(&n, 60000, true); /* over a wrap of the timestamp */
  struct jitter_figures g = figures(&n);
  cr_assert_eq(n.lost, 0);
  cr_assert_eq(g.underruns, 0);
  cr_assert_eq(g.late + g.duplicate, 0);
  cr_assert_geq(n.frames, 2990);
  cr_assert(g.target_us == 20000, "%u", g.target_us);
  n.is_quiet = true;
  run(&n, 5000, true);
  g = figures(&n);
  cr_assert_leq(g.delay_us, 40000, "%u", g.delay_us);
  jitter_free(n.j);
}

Test(jitter, the_delay_follows_the_spread_and_shrinks_slowly) {
  struct net n;
  net_init(&n);
  n.is_quiet = true;
  n.jitter_us = 80000;
  run(&n, 20000, true);
  struct jitter_figures g = figures(&n);
  cr_assert(g.target_us >= 70000 && g.target_us <= 90000, "%u", g.target_us);
  counts_start(&n);
  uint64_t late = g.late;
  run(&n, 60000, true);
  g = figures(&n);
  cr_assert_lt(g.late - late, 3000 * 15 / 1000, "%lu late", g.late - late);
  n.jitter_us = 2000;
  run(&n, 8000, true);
  cr_assert_gt(figures(&n).target_us, 40000, "not at once");
  run(&n, 30000, true);
  g = figures(&n);
  cr_assert_eq(g.target_us, 20000);
  cr_assert_leq(g.delay_us, 50000, "%u", g.delay_us);
  cr_assert_gt(g.discarded, 0);
  jitter_free(n.j);
}

Test(jitter, reordering_and_doubles_lose_nothing) {
  struct net n;
  net_init(&n);
  n.jitter_us = 50000; /* packets overtake one another */
  n.doubles = 100;
  run(&n, 10000, true);
  counts_start(&n);
  struct jitter_figures before = figures(&n);
  run(&n, 60000, true);
  struct jitter_figures g = figures(&n);
  cr_assert_gt(n.frames, 2900, "%lu", n.frames);
  cr_assert_gt(g.duplicate - before.duplicate, 200);
  cr_assert_lt(g.late - before.late, 45);
  jitter_free(n.j);
}

Test(jitter, losses_are_told_with_the_packet_behind) {
  struct net n;
  net_init(&n);
  n.loss = 50;
  run(&n, 60000, true);
  cr_assert(n.lost > 110 && n.lost < 200, "%lu lost of about 150", n.lost);
  cr_assert_gt(n.fec, n.lost * 8 / 10, "%lu of %lu have what follows", n.fec, n.lost);
  cr_assert_lt(n.empty, 60, "%lu", n.empty);
  jitter_free(n.j);
}

Test(jitter, dtx_is_a_gap_and_no_loss) {
  struct net n;
  net_init(&n);
  for (int i = 0; i < 30; i++) {
    run(&n, 1000, true);
    run(&n, 1500, false);
  }
  struct jitter_figures g = figures(&n);
  cr_assert_eq(n.lost, 0);
  cr_assert_eq(g.lost, 0);
  cr_assert_eq(g.late, 0);
  cr_assert_geq(n.frames, 1490);
  cr_assert_leq(g.delay_us, 50000, "%u", g.delay_us);
  jitter_free(n.j);
}

Test(jitter, drift_for_an_hour) {
  static const struct {
    double ppm;
    bool is_quiet;
  } rows[] = {{200, true}, {-200, true}, {200, false}, {-200, false}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct net n;
    net_init(&n);
    n.ppm = rows[i].ppm;
    n.is_quiet = rows[i].is_quiet;
    n.jitter_us = 8000;
    run(&n, 1000, true);
    counts_start(&n);
    run(&n, 3600000, true);
    struct jitter_figures g = figures(&n);
    cr_expect_gt(n.frames, 179900, "row %zu: %lu frames", i, n.frames);
    cr_expect_lt(n.most_delay_us, 160000, "row %zu: %u", i, n.most_delay_us);
    cr_expect_lt(g.discarded, 60, "row %zu: %lu left out, 36 are due", i, g.discarded);
    cr_expect_lt(g.late + n.lost, 60, "row %zu: %lu late, %lu lost", i, g.late, n.lost);
    cr_expect_lt(n.most_empty, 6);
    jitter_free(n.j);
  }
}

Test(jitter, ptime_changes_in_mid_call) {
  static const uint32_t units[] = {160, 80, 240, 480, 160, 320};
  struct net n;
  net_init(&n);
  for (size_t i = 0; i < COUNT_OF(units); i++) {
    n.units = units[i];
    run(&n, 3000, true);
  }
  struct jitter_figures g = figures(&n);
  cr_assert_eq(n.lost, 0);
  cr_assert_eq(g.late, 0);
  cr_assert_lt(n.empty, 30, "%lu", n.empty);
  jitter_free(n.j);
}

Test(jitter, timestamps_jump) {
  static const uint32_t jumps[] = {0x40000000u, 0xc0000000u, 8000 * 60, (uint32_t)(-8000 * 60),
                                   0x7fffffffu};
  struct net n;
  net_init(&n);
  run(&n, 3000, true);
  for (size_t i = 0; i < COUNT_OF(jumps); i++) {
    counts_start(&n);
    n.ts += jumps[i];
    run(&n, 3000, true);
    cr_expect_geq(n.frames, 150, "jump %zu: %lu frames", i, n.frames);
    cr_expect_eq(n.lost + n.empty, 0, "jump %zu: %lu, %lu", i, n.lost, n.empty);
  }
  jitter_free(n.j);
}

/* Held for 30 s, and the timestamps stood still. */
Test(jitter, a_pause_without_timestamps) {
  struct net n;
  net_init(&n);
  run(&n, 3000, true);
  uint32_t ts = n.ts;
  run(&n, 30000, false);
  n.ts = ts;
  counts_start(&n);
  run(&n, 3000, true);
  cr_assert_geq(n.frames, 145, "%lu", n.frames);
  cr_assert_leq(figures(&n).delay_us, 60000, "%u", figures(&n).delay_us);
  jitter_free(n.j);
}

/* The network holds all back for 400 ms, then lets it go at once. */
Test(jitter, a_stall_and_its_burst) {
  struct net n;
  net_init(&n);
  n.is_quiet = true;
  run(&n, 3000, true);
  for (unsigned i = 0; i < 20; i++) {
    n.delay_us = 430000 - i * 20000;
    run(&n, 20, true);
  }
  n.delay_us = 30000;
  run(&n, 1000, true);
  struct jitter_figures g = figures(&n);
  cr_assert_leq(g.delay_us, 300000, "%u", g.delay_us);
  run(&n, 60000, true);
  g = figures(&n);
  cr_assert_leq(g.delay_us, 50000, "%u", g.delay_us);
  jitter_free(n.j);
}

Test(jitter, another_source_begins_anew) {
  struct net n;
  net_init(&n);
  run(&n, 1000, true);
  jitter_reset(n.j, HZ);
  memset(n.flight, 0, sizeof(n.flight));
  n.ext = 5; /* lower than before */
  n.ts = 77;
  n.has_last = false;
  counts_start(&n);
  run(&n, 1000, true);
  cr_assert_geq(n.frames, 45);
  cr_assert_eq(figures(&n).late, 0);
  jitter_free(n.j);
}

static bool put(struct jitter *j, uint64_t ext, uint32_t ts, uint32_t units, size_t bytes,
                uint64_t now_us) {
  static const uint8_t payload[JITTER_BYTES_MAX];
  struct jitter_packet p = {.ext = ext, .ts = ts, .units = units, .payload = payload, .bytes = bytes};
  return jitter_put(j, &p, now_us);
}

Test(jitter, digits_make_no_hole_and_comfort_noise_begins_a_gap) {
  struct jitter *j = NULL;
  struct jitter_frame f;
  uint64_t t = 1000000;
  cr_assert_eq(jitter_new(&j, HZ), 0);
  cr_assert(put(j, 10, 0, 160, 160, t));
  jitter_skip(j, 11, t + 20000);
  cr_assert(put(j, 12, 320, 160, 160, t + 40000));
  cr_assert(put(j, 13, 480, 0, 1, t + 60000)); /* comfort noise */
  cr_assert_eq(jitter_get(j, t + 30000, &f), JITTER_EMPTY, "not yet");
  cr_assert_eq(jitter_get(j, t + 40000, &f), JITTER_FRAME);
  cr_assert_eq(f.packet.ext, 10);
  cr_assert_eq(jitter_get(j, t + 60000, &f), JITTER_GAP, "the digit's time");
  cr_assert_eq(jitter_get(j, t + 80000, &f), JITTER_FRAME);
  cr_assert_eq(f.packet.ext, 12);
  cr_assert_eq(jitter_get(j, t + 120000, &f), JITTER_FRAME);
  cr_assert_eq(f.packet.bytes, 1);
  cr_assert_eq(f.units, 0);
  for (int i = 0; i < 100; i++)
    cr_assert_eq(jitter_get(j, t + 140000 + (uint64_t)i * 10000, &f), JITTER_GAP);
  struct jitter_figures g;
  jitter_figures(j, &g);
  cr_assert_eq(g.lost + g.underruns, 0);
  jitter_free(j);
}

Test(jitter, is_bounded) {
  struct jitter *j = NULL;
  struct jitter_frame f;
  struct jitter_figures g;
  cr_assert_eq(jitter_new(&j, HZ), 0);
  for (unsigned i = 0; i < 200; i++)
    cr_assert(put(j, i, i * 160, 160, i % 3 ? 160 : JITTER_BYTES_MAX, 1000000 + i * 20000));
  cr_assert(!put(j, 200, 0, 160, JITTER_BYTES_MAX + 1, 1000000));
  unsigned frames = 0;
  for (unsigned i = 0; i < 100; i++)
    frames += jitter_get(j, 5000000 + i * 20000, &f) == JITTER_FRAME;
  cr_assert(frames > 5 && frames <= JITTER_PACKETS_MAX, "%u", frames);
  jitter_figures(j, &g);
  cr_assert_geq(g.discarded + frames, 200);
  cr_assert(!put(j, 100, 0, 160, 160, 3000000), "long past");
  jitter_free(j);
  cr_assert_eq(jitter_new(&j, 0), -EINVAL);
}

/* Any order of all of it: numbers ascend, payloads are their own (take_frame()), the delay stays
 * bounded, and each packet that came is given, or told as late, doubled or discarded. */
Test(jitter, any_order_of_troubles) {
  static const uint32_t units[] = {80, 160, 240, 320, 480};
  for (uint64_t seed = 1; seed <= 40; seed++) {
    struct net n;
    net_init(&n);
    n.seed = seed;
    for (unsigned i = 0; i < 40; i++) {
      n.units = units[draw(&n, COUNT_OF(units))];
      n.jitter_us = draw(&n, 3) ? draw(&n, 20000) : draw(&n, 180000);
      n.delay_us = 20000 + draw(&n, 60000);
      n.loss = draw(&n, 2) ? 0 : draw(&n, 200);
      n.doubles = draw(&n, 2) ? 0 : draw(&n, 200);
      n.ppm = (double)draw(&n, 400) - 200;
      n.is_quiet = draw(&n, 2);
      if (draw(&n, 8) == 0)
        n.ts += draw(&n, 0x7fffffff);
      if (draw(&n, 8) == 0)
        n.ext += draw(&n, 1000);
      run(&n, 500 + draw(&n, 4000), draw(&n, 4) != 0);
    }
    run(&n, 1000, false); /* all is played */
    struct jitter_figures g = figures(&n);
    cr_assert_eq(g.frames, n.frames);
    cr_assert_eq(g.frames + g.late + g.duplicate + g.discarded, n.arrived, "seed %lu", seed);
    cr_assert(n.most_delay_us < 800000, "seed %lu: %u", seed, n.most_delay_us);
    n.jitter_us = n.loss = n.doubles = 0;
    n.ppm = 0;
    n.units = 160;
    n.is_quiet = true;
    n.delay_us = 40000;
    run(&n, 60000, true);
    counts_start(&n);
    run(&n, 10000, true);
    g = figures(&n);
    cr_assert(n.frames >= 499 && n.lost == 0 && g.delay_us < 60000, "seed %lu: %lu frames, %u", seed,
              n.frames, g.delay_us);
    jitter_free(n.j);
  }
}
