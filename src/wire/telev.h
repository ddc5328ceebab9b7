/* SPDX-License-Identifier: Apache-2.0
 * The payload of telephone-event (RFC 4733): four bytes. Pure. */
#pragma once
#include "base/own.h"

enum { TELEV_BYTES = 4, TELEV_DIGITS = 16 };

struct telev {
  uint8_t event;  /* event is 0-15 for the digits; others are tones and flash. */
  uint8_t volume; /* volume is in -dBm0, 0-63. */
  bool end;
  uint16_t duration; /* duration is in units of the payload type's clock. */
};

bool telev_parse(struct telev *ret, const uint8_t *payload, size_t n) must_check;
size_t telev_put(uint8_t *dst, const struct telev *t); /* TELEV_BYTES */
char telev_char(uint8_t event);                        /* '0'-'9' '*' '#' 'A'-'D', or 0 */
int telev_event(char digit);                           /* 0-15, or -EINVAL */
/* A duration in another clock, rounded. */
uint32_t telev_scale(uint32_t duration, uint32_t from_hz, uint32_t to_hz);

/* One event on its way out, of any length: in segments of 0xffff, each with a timestamp of its own
 * (RFC 4733 2.5.1.3). Zero it where the event begins. */
struct telev_cut {
  uint32_t offset; /* offset is where the current segment begins, after the event's timestamp. */
};
/* Puts what a packet shows of an event that has lasted so long into t (duration; end, which waits until
 * the last segment is shown), and returns what to add to the event's timestamp. */
uint32_t telev_cut(struct telev_cut *c, uint32_t duration, struct telev *t);
