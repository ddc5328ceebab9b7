/* SPDX-License-Identifier: Apache-2.0
 * telephone-event: see telev.h. */
#include "wire/telev.h"

#include "wire/bytes.h"

enum { SEGMENT = 0xffff };

static const char digits[TELEV_DIGITS + 1] = "0123456789*#ABCD";

bool telev_parse(struct telev *ret, const uint8_t *p, size_t n) {
  if (n < TELEV_BYTES)
    return false;
  *ret = (struct telev){
      .event = p[0], .volume = p[1] & 0x3f, .end = p[1] >> 7, .duration = bytes_u16(p + 2)};
  return true;
}

size_t telev_put(uint8_t *dst, const struct telev *t) {
  dst[0] = t->event;
  dst[1] = (uint8_t)((t->end ? 0x80 : 0) | (t->volume & 0x3f));
  bytes_put_u16(dst + 2, t->duration);
  return TELEV_BYTES;
}

char telev_char(uint8_t event) { return event < TELEV_DIGITS ? digits[event] : 0; }

int telev_event(char digit) {
  const char *p =
      digit ? strchr(digits, digit >= 'a' && digit <= 'd' ? digit - 'a' + 'A' : digit) : NULL;
  return p ? (int)(p - digits) : -EINVAL;
}

uint32_t telev_scale(uint32_t duration, uint32_t from_hz, uint32_t to_hz) {
  if (!from_hz)
    return 0;
  uint64_t v = ((uint64_t)duration * to_hz + from_hz / 2) / from_hz;
  return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

uint32_t telev_cut(struct telev_cut *c, uint32_t duration, struct telev *t) {
  uint32_t at = c->offset;
  if (duration > at && duration - at > SEGMENT) { /* the segment's whole length is shown once */
    t->duration = SEGMENT;
    t->end = false;
    c->offset += SEGMENT;
    return at;
  }
  t->duration = duration > at ? (uint16_t)(duration - at) : 0;
  return at;
}
