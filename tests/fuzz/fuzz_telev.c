/* SPDX-License-Identifier: Apache-2.0
 * telephone-events of a peer who means harm: the input is packets of 9 bytes (time that went by, source
 * and clock, step of the timestamp, the payload of RFC 4733). Digits are never more than packets, an old
 * packet tells nothing, and what goes on in another clock is well-formed. */
#include "media/event.h"
#include "wire/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool c) {
  if (!c)
    abort();
}

static void onward(const struct event *e, struct event_out *o, const struct event_told *told,
                   const struct telev *t, uint32_t hz) {
  struct telev out = *t, again;
  uint8_t payload[TELEV_BYTES];
  if (told->is_begin)
    o->cut.offset = 0;
  uint32_t lasted = telev_scale(e->segments + t->duration, hz, hz == 8000 ? 48000 : 8000);
  uint32_t before = o->cut.offset, offset = telev_cut(&o->cut, lasted, &out);
  must(offset == before && offset % 0xffff == 0 && o->cut.offset - before <= 0xffff);
  must(!out.end || t->end);
  must(telev_put(payload, &out) == TELEV_BYTES && telev_parse(&again, payload, sizeof(payload)));
  must(again.duration == out.duration && again.end == out.end && again.event == out.event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct event e = {0};
  struct event_out o = {0};
  struct event_told told;
  struct reader r = reader_of(data, n);
  struct rtp p = {.ssrc = 1};
  uint64_t now_us = 1000000;
  size_t packets = 0, digits = 0;
  while (reader_left(&r) >= 9) {
    uint8_t wait = reader_u8(&r), source = reader_u8(&r), payload[TELEV_BYTES];
    uint16_t step = reader_u16(&r);
    reader_skip(&r, 1);
    bytes_put_u32(payload, reader_u32(&r));
    uint32_t hz = source & 1 ? 48000 : 8000;
    struct telev t;
    now_us += wait * 2000u;
    p.ssrc = source >> 6;
    p.ts += (uint32_t)(int16_t)step * (source & 2 ? 16 : 1);
    must(telev_parse(&t, payload, sizeof(payload)));
    if (event_tick(&e, now_us, &told))
      digits += told.digits;
    event_input(&e, &p, &t, hz, now_us, &told);
    packets++;
    digits += told.digits;
    must(told.digits <= COUNT_OF(told.digit) && !(told.is_old && told.digits));
    for (unsigned i = 0; i < told.digits; i++)
      must(telev_event(told.digit[i].digit) >= 0);
    if (!told.is_old)
      onward(&e, &o, &told, &t, hz);
  }
  digits += event_tick(&e, now_us + EVENT_SILENT_US, &told) ? told.digits : 0;
  must(digits <= packets);
  return 0;
}
