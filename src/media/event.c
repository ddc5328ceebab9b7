/* SPDX-License-Identifier: Apache-2.0
 * Receiving telephone-events: see event.h. */
#include "media/event.h"

enum { SEGMENT_FULL = 0xff00, GAPS_A_S = 25, LATE_S = 10 };

uint32_t event_duration(const struct event *e) { return e->segments + e->duration; }

static void tell_end(struct event *e, struct event_told *ret) {
  e->is_live = false;
  char c = telev_char(e->code);
  if (!c || ret->digits == COUNT_OF(ret->digit))
    return;
  ret->digit[ret->digits].digit = c;
  ret->digit[ret->digits++].ms =
      e->clock_hz ? (uint32_t)((uint64_t)event_duration(e) * 1000u / e->clock_hz) : 0;
}

/* A tone longer than 16 bits go on is sent in segments of 0xffff, each with its own timestamp. Of the
 * one before the last 150 ms may be lost; one that was seen nearly full may be a bit shorter. */
static bool is_next_segment(const struct event *e, const struct rtp *p, const struct telev *t) {
  uint32_t since = p->ts - e->ts;
  bool is_exact = since == 0xffff && since <= e->duration + e->clock_hz * 3 / 20;
  bool is_near = e->duration >= SEGMENT_FULL && since >= SEGMENT_FULL && since <= 0xffff;
  return !e->has_end && t->event == e->code && (is_exact || is_near);
}

/* An end stamped anew: later than the event began, but sooner than the same key can be pressed again
 * (40 ms after it was let go). */
static bool is_end_stamped_anew(const struct event *e, const struct rtp *p, const struct telev *t,
                                uint32_t clock_hz) {
  uint32_t since = p->ts - e->ts, lasted = e->duration > t->duration ? e->duration : t->duration;
  return t->end && t->event == e->code && since != 0 && since <= lasted + clock_hz / GAPS_A_S;
}

static bool is_past(const struct event *e, const struct rtp *p, const struct telev *t,
                    uint32_t clock_hz) {
  for (unsigned i = 0; i < e->n_past; i++)
    if (e->past[i].ts == p->ts && e->past[i].code == t->event)
      return true;
  return (int32_t)(p->ts - e->ts) < 0 && e->ts - p->ts < LATE_S * clock_hz;
}

static void begin(struct event *e, const struct rtp *p, const struct telev *t, uint32_t clock_hz) {
  if (!e->has_any || e->ssrc != p->ssrc)
    e->n_past = 0;
  for (unsigned i = EVENT_PAST - 1; i > 0; i--)
    e->past[i] = e->past[i - 1];
  e->past[0] = (struct event_name){e->ts, e->code};
  if (e->has_any && e->ssrc == p->ssrc && e->n_past < EVENT_PAST)
    e->n_past++;
  e->is_live = e->has_any = true;
  e->has_end = false;
  e->ssrc = p->ssrc;
  e->ts = p->ts;
  e->clock_hz = clock_hz;
  e->code = t->event;
  e->segments = e->duration = 0;
}

static void other_event(struct event *e, const struct rtp *p, const struct telev *t, uint32_t clock_hz,
                        struct event_told *ret) {
  if (e->is_live)
    tell_end(e, ret);
  begin(e, p, t, clock_hz);
  ret->is_begin = true;
}

/* Another timestamp or code of the same source, soon after the last packet. Done with: true. */
static bool belongs_to_known(struct event *e, const struct rtp *p, const struct telev *t,
                             uint32_t clock_hz, struct event_told *ret) {
  if (is_next_segment(e, p, t)) {
    e->segments += p->ts - e->ts;
    e->ts = p->ts;
    e->duration = 0;
    return false;
  }
  if (is_end_stamped_anew(e, p, t, clock_hz)) {
    ret->is_stamped_anew = true;
    return false;
  }
  ret->is_old = is_past(e, p, t, clock_hz);
  if (!ret->is_old)
    other_event(e, p, t, clock_hz, ret);
  return ret->is_old;
}

void event_input(struct event *e, const struct rtp *p, const struct telev *t, uint32_t clock_hz,
                 uint64_t now_us, struct event_told *ret) {
  *ret = (struct event_told){0};
  bool is_ours = e->has_any && p->ssrc == e->ssrc;
  bool is_soon = is_ours && now_us - e->heard_us < EVENT_OLD_US;
  if (is_soon && (p->ts != e->ts || t->event != e->code)) {
    if (belongs_to_known(e, p, t, clock_hz, ret))
      return;
  } else if (!is_ours || p->ts != e->ts || t->event != e->code) {
    other_event(e, p, t, clock_hz, ret);
  }
  e->heard_us = now_us;
  if (t->duration > e->duration)
    e->duration = t->duration;
  e->has_end |= t->end;
  if (t->end && e->is_live)
    tell_end(e, ret);
}

bool event_tick(struct event *e, uint64_t now_us, struct event_told *ret) {
  *ret = (struct event_told){0};
  if (!e->is_live || now_us - e->heard_us < EVENT_SILENT_US)
    return false;
  tell_end(e, ret);
  return true;
}
