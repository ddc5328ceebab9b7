/* SPDX-License-Identifier: Apache-2.0
 * Headers of traced calls' packets, as the media process tells them, into the timelines; and an
 * operator's wish for all of them for a while, bounded for a call and in all. */
#include "call/inner.h"

#include "base/clock.h"
#include "flow/flow.h"

#include <stdio.h>

enum { LEG_PACKETS_MAX = 12000 }; /* both ways of 60 s at 20 ms are 6,000 */

static const char *drop_word(unsigned drop) {
  static const char *const words[] = {
#define DROP(id, text) text,
#include "flow/drop.def"
#undef DROP
  };
  return drop < COUNT_OF(words) ? words[drop] : "unknown";
}

/* The first of each reason is a line of its own. */
static void note_drop(struct leg *l, const struct mset_header *h) {
  struct leg_inner *in = leg_in(l);
  char from[ADDR_TEXT_BYTES];
  if (!h->drop || h->drop > 63 || in->drops_told & UINT64_C(1) << h->drop)
    return;
  in->drops_told |= UINT64_C(1) << h->drop;
  trace_note(l->call->trace, l->lane, TRACE_FLOW, "the first packet dropped as %s: %s from %s",
             drop_word(h->drop), h->flags & MSET_HEADER_RTCP ? "RTCP" : "RTP",
             addr_text(&h->from, from, sizeof(from)));
}

void captured_take(struct calls *cs, const struct mset_headers *m) {
  for (uint32_t i = 0; i < m->n; i++) {
    const struct mset_header *h = &m->header[i];
    struct leg *l =
        map_get(cs->by_session, slice_from(&h->session, sizeof(h->session))); /* folded or not */
    if (!l || !l->call->trace)
      continue;
    trace_packet(l->call->trace, l->lane,
                 &(struct trace_packet){.at_us = h->at_us,
                                        .from = h->from,
                                        .to = h->to,
                                        .is_out = h->flags & MSET_HEADER_OUT,
                                        .is_rtcp = h->flags & MSET_HEADER_RTCP,
                                        .n = h->n,
                                        .drop = h->drop,
                                        .bytes = h->bytes,
                                        .head = h->header});
    note_drop(l, h);
  }
}

/* A place among those that run; of this call the one that it has. */
static struct capturing *place_for(struct calls *cs, const struct call *c, uint64_t now_us) {
  struct capturing *is_free = NULL;
  for (size_t i = 0; i < COUNT_OF(cs->capturing); i++) {
    struct capturing *p = &cs->capturing[i];
    if (p->until_us > now_us && strcmp(p->id, c->id) == 0)
      return p;
    if (p->until_us <= now_us)
      is_free = p;
  }
  return is_free;
}

static int ask(struct leg *l, uint64_t session, uint32_t seconds) {
  union mset_any m;
  if (!session)
    return 0;
  mset_init(&m, MSET_CAPTURE, session);
  m.capture.ms = seconds * 1000;
  m.capture.packets = LEG_PACKETS_MAX;
  return medium_send(leg_calls(l)->medium, &m, NULL, 0, 0);
}

int call_capture(struct call *c, uint32_t seconds) {
  struct calls *cs = call_in(c)->cs;
  uint64_t now_us = clock_now_us();
  if (c->ended_ms || !c->trace)
    return c->ended_ms ? -ENOENT : -ENODATA;
  struct capturing *p = place_for(cs, c, now_us);
  if (!p)
    return -EBUSY;
  int n = 0;
  for (struct leg *l = call_next_leg(c, NULL); l; l = call_next_leg(c, l))
    if (!leg_is_over(l))
      n += ask(l, l->media.session, seconds) == 0;
  if (!n)
    return -EAGAIN;
  snprintf(p->id, sizeof(p->id), "%s", c->id);
  p->until_us = now_us + seconds * UINT64_C(1000000);
  trace_note(c->trace, TRACE_GATEWAY, TRACE_NOTE, "headers of all packets are kept for %u s", seconds);
  return 0;
}
