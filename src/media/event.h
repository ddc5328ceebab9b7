/* SPDX-License-Identifier: Apache-2.0
 * Telephone-events as they are received (RFC 4733): what belongs to one event, one digit for each,
 * at its end, even when its end packets are lost, repeated, out of order, or stamped anew. An event is
 * named by source number, timestamp and code; the marker bit is not relied on. Media worker; no clock.
 */
#pragma once
#include "wire/rtp.h"
#include "wire/telev.h"

enum {
  EVENT_SILENT_US = 300000, /* an event without end ends when nothing came for so long */
  EVENT_OLD_US = 2000000,   /* what comes so much later is of no earlier event */
  EVENT_PAST = 3,           /* events before the current one whose late packets are known */
};

struct event_name {
  uint32_t ts;
  uint8_t code;
};

struct event {
  bool is_live; /* is_live: not told yet. */
  bool has_any; /* has_any: the fields below are meant. */
  bool has_end; /* has_end: an end packet came. */
  uint8_t code, n_past;
  uint32_t ssrc, ts, clock_hz;
  uint32_t segments; /* segments is the duration of the segments before this one (RFC 4733 2.5.1.3). */
  uint32_t duration;
  uint64_t heard_us;
  struct event_name past[EVENT_PAST];
};

struct event_out { /* an event on its way out, kept by who sends it on */
  uint32_t ts;     /* ts is the timestamp that it goes on with, cut its segments. */
  struct telev_cut cut;
};

struct event_told {
  bool is_begin;        /* is_begin: the first packet of an event. */
  bool is_old;          /* is_old: of an event before the current one; not to be sent on. */
  bool is_stamped_anew; /* is_stamped_anew: a repeated end with another timestamp: event_out.ts stays. */
  unsigned digits;      /* digits that ended by this packet, 0-2 */
  struct {
    char digit;
    uint32_t ms;
  } digit[2];
};

void event_input(struct event *e, const struct rtp *p, const struct telev *t, uint32_t clock_hz,
                 uint64_t now_us, struct event_told *ret);
/* True and the digit when the event ended by silence. */
bool event_tick(struct event *e, uint64_t now_us, struct event_told *ret);
uint32_t event_duration(const struct event *e); /* with its segments, in its clock */
