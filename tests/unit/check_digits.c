/* SPDX-License-Identifier: Apache-2.0
 * Property of telephone-events: digits are told exactly as they were pressed, in their order and
 * number, whatever the habits of the sender and through 5 % loss, duplicates and reordering; also after
 * we have sent them on in another clock. A failure prints its seed. */
#include "media/event.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { DIGITS = 40, PACKETS = 40000, MS = 1000 };

struct wire { /* a packet and when it comes */
  uint64_t at_us;
  uint32_t ts;
  struct telev t;
};

struct world {
  struct event_out out;
  uint64_t seed, dice, at_us; /* at_us is the sender's time. */
  uint32_t hz, ts0, step_ms, ends;
  bool no_end, anew, overlaps;
  char pressed[DIGITS + 1], told[4 * DIGITS + 1];
  uint32_t pressed_ms[DIGITS], told_ms[4 * DIGITS];
  unsigned n_told;
  struct wire wire[PACKETS], onward[PACKETS];
  unsigned n, n_onward;
};

static uint64_t roll(struct world *w, uint64_t sides) {
  w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
  return (w->dice >> 33) % sides;
}

static uint32_t ts_at(const struct world *w, uint64_t at_us) {
  return w->ts0 + (uint32_t)(at_us * w->hz / 1000000u);
}

/* Sender -----------------------------------------------------------------------------------------------
 */
static void put(struct world *w, uint64_t at_us, uint32_t ts, struct telev t) {
  cr_assert(w->n < PACKETS);
  w->wire[w->n++] = (struct wire){at_us, ts, t};
}

/* One key held for so long, by RFC 4733, with the habits of this sender. */
static uint64_t press(struct world *w, uint8_t code, uint32_t held_ms) {
  uint32_t ts = ts_at(w, w->at_us), whole = held_ms * (w->hz / 1000);
  uint64_t at_us = w->at_us;
  struct telev_cut cut = {0};
  for (uint32_t lasted = w->step_ms * (w->hz / 1000); lasted < whole;
       lasted += w->step_ms * (w->hz / 1000)) {
    struct telev t = {.event = code, .volume = 10};
    at_us += w->step_ms * MS;
    uint32_t offset = telev_cut(&cut, lasted, &t);
    put(w, at_us, ts + offset, t);
  }
  for (unsigned i = 0; i < (w->no_end ? 0 : w->ends); i++) {
    struct telev t = {.event = code, .volume = 10, .end = true};
    at_us += i && w->hz == 8000 ? 5 * MS : w->step_ms * MS;
    uint32_t offset = telev_cut(&cut, whole, &t);
    put(w, at_us, ts + offset + (w->anew && !cut.offset ? i * 10 * (w->hz / 1000) : 0), t);
  }
  return at_us;
}

static void sender_run(struct world *w) {
  static const uint32_t steps[] = {10, 20, 20, 20, 30};
  w->hz = roll(w, 2) ? 8000 : 48000;
  w->ts0 = (uint32_t)roll(w, 1ull << 32);
  w->step_ms = steps[roll(w, COUNT_OF(steps))];
  w->no_end = roll(w, 6) == 0;
  w->anew = roll(w, 6) == 0;
  w->overlaps = roll(w, 6) == 0;
  w->ends = 3;
  w->at_us = 1000000;
  for (unsigned i = 0; i < DIGITS; i++) {
    uint32_t held_ms = 6 * w->step_ms + (uint32_t)roll(w, 200);
    if (roll(w, 10) == 0)
      held_ms = (uint32_t)roll(w, w->hz == 8000 ? 20000 : 6000) + 300;
    uint8_t code = (uint8_t)roll(w, i && roll(w, 3) == 0 ? 1 : TELEV_DIGITS);
    w->pressed[i] = telev_char(code);
    w->pressed_ms[i] = held_ms;
    uint64_t ended_us = press(w, code, held_ms);
    bool is_over = w->overlaps && roll(w, 2) && held_ms < 400;
    w->at_us += held_ms * MS + (is_over ? 0 : 45 * MS + roll(w, 300) * MS);
    if (!is_over && w->at_us < ended_us)
      w->at_us = ended_us + 10 * MS;
  }
}

/* Network
 * ------------------------------------------------------------------------------------------------ */
static int by_time(const void *a, const void *b) {
  const struct wire *x = a, *y = b;
  return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

static void network_run(struct world *w, struct wire *list, unsigned *n, unsigned loss) {
  unsigned out = 0, were = *n;
  for (unsigned i = 0; i < were; i++) {
    struct wire p = list[i];
    if (roll(w, 100) < loss)
      continue;
    p.at_us += roll(w, 12) * MS + (roll(w, 50) == 0 ? 35 * MS : 0);
    list[out++] = p;
  }
  for (unsigned i = 0, until = out; i < until; i++)
    if (roll(w, 50) == 0 && out < PACKETS) { /* duplicated */
      list[out] = list[i];
      list[out++].at_us += roll(w, 60) * MS;
    }
  *n = out;
  qsort(list, *n, sizeof(*list), by_time);
}

/* Gateway
 * ------------------------------------------------------------------------------------------------ */
static void note(struct world *w, const struct event_told *told) {
  for (unsigned i = 0; i < told->digits && w->n_told < 4 * DIGITS; i++) {
    w->told_ms[w->n_told] = told->digit[i].ms;
    w->told[w->n_told++] = told->digit[i].digit;
  }
}

/* As the bridge does where the clocks differ. */
static void pass_on(struct world *w, struct event *e, const struct wire *p,
                    const struct event_told *told, uint32_t to_hz) {
  struct telev t = p->t;
  if (told->is_old || w->n_onward == PACKETS)
    return;
  if (told->is_begin) {
    w->out.cut.offset = 0;
    w->out.ts = 77 + (uint32_t)(p->at_us * to_hz / 1000000u);
  }
  uint32_t offset = telev_cut(&w->out.cut, telev_scale(e->segments + t.duration, w->hz, to_hz), &t);
  w->onward[w->n_onward++] = (struct wire){p->at_us, w->out.ts + offset, t};
}

static void gateway_run(struct world *w, const struct wire *list, unsigned n, uint32_t hz,
                        bool sends_on) {
  struct event e = {0};
  struct event_told told;
  w->n_told = 0;
  uint64_t tick_us = 0;
  for (unsigned i = 0; i < n; i++) {
    struct rtp r = {.ssrc = 9, .ts = list[i].ts};
    for (; tick_us < list[i].at_us; tick_us += 200 * MS)
      if (event_tick(&e, tick_us, &told))
        note(w, &told);
    event_input(&e, &r, &list[i].t, hz, list[i].at_us, &told);
    note(w, &told);
    if (sends_on)
      pass_on(w, &e, &list[i], &told, hz == 8000 ? 48000 : 8000);
  }
  if (event_tick(&e, tick_us + 1000 * MS, &told))
    note(w, &told);
  w->told[w->n_told] = 0;
}

static void is_exact(const struct world *w, const char *where) {
  cr_assert_str_eq(w->told, w->pressed, "seed %lu, %s (%u Hz, step %u ms%s%s%s): pressed %s, told %s",
                   w->seed, where, w->hz, w->step_ms, w->no_end ? ", no ends" : "",
                   w->anew ? ", ends stamped anew" : "", w->overlaps ? ", overlapping" : "", w->pressed,
                   w->told);
  for (unsigned i = 0; i < DIGITS; i++) /* not more than were lost at its end */
    cr_assert(w->told_ms[i] + 300 >= w->pressed_ms[i], "seed %lu, %s: digit %u lasted %u ms, told %u",
              w->seed, where, i, w->pressed_ms[i], w->told_ms[i]);
  for (unsigned i = 0; i < DIGITS; i++)
    cr_assert(w->told_ms[i] <= w->pressed_ms[i] + 1, "seed %lu, %s: digit %u lasted %u ms, told %u",
              w->seed, where, i, w->pressed_ms[i], w->told_ms[i]);
}

static void world_run(struct world *w, uint64_t seed, unsigned loss) {
  memset(w, 0, offsetof(struct world, wire));
  w->n = w->n_onward = 0;
  w->seed = seed;
  w->dice = seed * 7919 + 1;
  sender_run(w);
  network_run(w, w->wire, &w->n, loss);
  gateway_run(w, w->wire, w->n, w->hz, true);
  is_exact(w, "here");
  network_run(w, w->onward, &w->n_onward, loss);
  gateway_run(w, w->onward, w->n_onward, w->hz == 8000 ? 48000 : 8000, false);
  is_exact(w, "at the far end");
}

/* Two keys that began at one moment: an event is its timestamp and its code. */
Test(digits_property, two_codes_of_one_timestamp) {
  static const struct {
    uint8_t code;
    bool end;
  } packets[] = {{1, false}, {2, false}, {1, false}, {2, false}, {1, true},
                 {2, true},  {1, true},  {2, true},  {2, true}};
  struct event e = {0};
  struct event_told told;
  char digits[16] = "";
  for (unsigned i = 0; i < COUNT_OF(packets); i++) {
    struct rtp r = {.ssrc = 9, .ts = 4000};
    struct telev t = {
        .event = packets[i].code, .end = packets[i].end, .duration = (uint16_t)(160 * (i + 1))};
    event_input(&e, &r, &t, 8000, i * 20 * MS, &told);
    for (unsigned k = 0; k < told.digits; k++)
      strncat(digits, &told.digit[k].digit, 1);
  }
  cr_assert_str_eq(digits, "12");
}

Test(digits_property, exact_through_loss_and_habits, .timeout = 60) {
  static struct world w;
  const char *first = getenv("DIGIT_SEED"), *text = getenv("DIGIT_SEEDS");
  uint64_t from = first ? strtoull(first, NULL, 10) : 1, n = first ? 1 : 1500;
  n = text ? strtoull(text, NULL, 10) : n;
  for (uint64_t seed = from; seed < from + n; seed++)
    world_run(&w, seed, 5);
  printf("seeds %lu-%lu: %lu digits, each told once, here and at the far end\n", from, from + n - 1,
         n * DIGITS);
}
