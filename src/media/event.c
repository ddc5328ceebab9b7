/* SPDX-License-Identifier: Apache-2.0
 * Receiving telephone-events: see event.h. */
#include "media/event.h"

enum { SEGMENT_FULL = 0xff00 };

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

/* A tone longer than 16 bits go on is sent in segments, each with its own timestamp. */
static bool is_next_segment(const struct event *e, const struct rtp *p, const struct telev *t) {
  return e->is_live && p->ssrc == e->ssrc && t->event == e->code && e->duration >= SEGMENT_FULL &&
         p->ts - e->ts <= 0xffff && p->ts - e->ts >= SEGMENT_FULL;
}

static bool is_repeated_end(const struct event *e, const struct rtp *p, const struct telev *t,
                            uint64_t now_us) {
  return e->has_any && !e->is_live && t->end && p->ssrc == e->ssrc && t->event == e->code &&
         now_us - e->heard_us < EVENT_REPEAT_US;
}

static void begin(struct event *e, const struct rtp *p, const struct telev *t, uint32_t clock_hz) {
  *e = (struct event){.is_live = true,
                      .has_any = true,
                      .ssrc = p->ssrc,
                      .ts = p->ts,
                      .clock_hz = clock_hz,
                      .code = t->event};
}

static void other_event(struct event *e, const struct rtp *p, const struct telev *t, uint32_t clock_hz,
                        struct event_told *ret) {
  if (is_next_segment(e, p, t)) {
    e->segments += p->ts - e->ts;
    e->ts = p->ts;
    e->duration = 0;
    return;
  }
  if (e->is_live)
    tell_end(e, ret);
  begin(e, p, t, clock_hz);
  ret->is_begin = true;
}

void event_input(struct event *e, const struct rtp *p, const struct telev *t, uint32_t clock_hz,
                 uint64_t now_us, struct event_told *ret) {
  *ret = (struct event_told){0};
  bool is_same = e->has_any && p->ssrc == e->ssrc && p->ts == e->ts && t->event == e->code;
  if (!is_same && is_repeated_end(e, p, t, now_us)) {
    ret->is_stamped_anew = true;
    e->heard_us = now_us;
    return;
  }
  if (!is_same && e->has_any && p->ssrc == e->ssrc && (int32_t)(p->ts - e->ts) < 0 &&
      (int32_t)(e->ts - p->ts) < (int32_t)(10 * clock_hz)) {
    ret->is_old = true;
    return;
  }
  if (!is_same)
    other_event(e, p, t, clock_hz, ret);
  e->heard_us = now_us;
  if (t->duration > e->duration)
    e->duration = t->duration;
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
