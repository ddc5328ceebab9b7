/* SPDX-License-Identifier: Apache-2.0
 * Which packets' headers a traced session tells: the first, those after changes, some of those that are
 * dropped, all on demand; within its bounds, never of the payload. */
#include "media/capture.h"
#include "media/session.h"

#include <criterion/criterion.h>

static struct worker *w;
static struct session *s;
static struct port port;
static struct addr peer;
static uint8_t bytes[400];

static void setup(void) {
  w = aligned_alloc(_Alignof(struct worker), sizeof(*w));
  s = aligned_alloc(_Alignof(struct session) > 16 ? _Alignof(struct session) : 16,
                    (sizeof(*s) + 63) / 64 * 64);
  cr_assert(w && s);
  memset(w, 0, sizeof(*w));
  memset(s, 0, sizeof(*s));
  cr_assert_eq(ring_init(&w->headers, sizeof(struct mset_header), WORKER_HEADERS), 0);
  w->now_us = 5000000;
  s->w = w;
  s->id = 77;
  cr_assert_eq(addr_parse_port(&port.shown, SLICE("192.0.2.1:4000")), 0);
  cr_assert_eq(addr_parse_port(&peer, SLICE("192.0.2.9:6000")), 0);
  memcpy(bytes, "\x80\x08\0\1\0\0\0\xa0\x12\x34\x56\x78PAYLOAD", 19);
}

static void teardown(void) {
  capture_close(s);
  ring_done(&w->headers);
  free(w);
  free(s);
}

static void see(unsigned times, bool is_out, enum drop d) {
  for (unsigned i = 0; i < times; i++)
    capture_take(s, &(struct capture_packet){&peer, &port, bytes, 172, is_out, false, d});
}

static unsigned told(struct mset_headers *ret) {
  unsigned n = 0;
  while (capture_batch(w, ret))
    n += ret->n;
  return n;
}

Test(capture, first_ones_of_each_way_then_after_changes, .init = setup, .fini = teardown) {
  struct mset_headers m;
  cr_assert_eq(capture_open(s), 0);
  see(100, false, DROP_NONE);
  see(100, true, DROP_NONE);
  cr_assert_eq(told(&m), 2 * CAPTURE_FIRST);
  bytes[11]++; /* another stream */
  see(100, false, DROP_NONE);
  cr_assert_eq(told(&m), CAPTURE_AFTER);
  bytes[1] = 0; /* another payload type */
  see(100, false, DROP_NONE);
  cr_assert_eq(told(&m), CAPTURE_AFTER);
  addr_set_port(&peer, 6002);
  see(100, false, DROP_NONE);
  cr_assert_eq(told(&m), CAPTURE_AFTER);
  capture_renew(s);
  see(100, false, DROP_NONE);
  see(100, true, DROP_NONE);
  cr_assert_eq(told(&m), 2 * CAPTURE_AFTER);
}

Test(capture, of_each_reason_to_drop_some, .init = setup, .fini = teardown) {
  struct mset_headers m;
  cr_assert_eq(capture_open(s), 0);
  see(30, false, DROP_AUTH);
  see(30, false, DROP_WRONG_SOURCE);
  cr_assert_eq(capture_batch(w, &m), true);
  cr_assert_eq(m.n, 2 * CAPTURE_DROPS);
  cr_assert_eq(m.header[0].drop, DROP_AUTH);
  cr_assert_eq(m.header[7].drop, DROP_WRONG_SOURCE);
  see(30, false, DROP_NONE); /* strangers took nothing of the peer's */
  cr_assert_eq(told(&m), CAPTURE_FIRST);
}

Test(capture, headers_only_as_they_were, .init = setup, .fini = teardown) {
  struct mset_headers m;
  cr_assert_eq(capture_open(s), 0);
  see(1, false, DROP_NONE);
  memcpy(bytes + 12, "\xbe\xde\0\1abcd", 8);
  bytes[0] = 0x90;
  see(1, true, DROP_NONE);
  bytes[0] = 0x9f; /* sources and an extension that say they are longer than the bound */
  memset(bytes + 72, 255, 4);
  see(1, true, DROP_NONE);
  capture_take(s, &(struct capture_packet){&peer, &port, bytes, 40, false, true, DROP_NONE});
  capture_take(s, &(struct capture_packet){&peer, &port, bytes, 7, false, true, DROP_NONE});
  capture_take(s, &(struct capture_packet){&peer, &port, bytes, 11, false, false, DROP_NONE});
  cr_assert_eq(capture_batch(w, &m), true);
  cr_assert_eq(m.n, 4);
  const struct mset_header *h = m.header;
  cr_assert(h->session == 77 && h->at_us == 5000000 && h->bytes == 172 && h->n == 12 && !h->flags);
  cr_assert(addr_eq(&h->from, &peer) && addr_eq(&h->to, &port.shown));
  cr_assert_eq(memcmp(h->header, "\x80\x08\0\1\0\0\0\xa0\x12\x34\x56\x78\0\0\0\0", 16), 0);
  cr_assert(h[1].n == 20 && h[1].flags == MSET_HEADER_OUT && addr_eq(&h[1].from, &port.shown));
  cr_assert_eq(h[2].n, MSET_HEADER_BYTES);
  cr_assert(h[3].n == 8 && h[3].flags == MSET_HEADER_RTCP);
  cr_assert_eq(mset_check(&m, sizeof(m), false), 0);
  m.header[0].n = MSET_HEADER_BYTES + 1;
  cr_assert_eq(mset_check(&m, sizeof(m), false), -EBADMSG);
}

Test(capture, all_on_demand_within_time_and_number, .init = setup, .fini = teardown) {
  struct mset_headers m;
  struct mset_capture ask = {.ms = 1000, .packets = 50};
  cr_assert_eq(capture_ask(s, &ask), 0); /* of one that was not traced */
  see(100, false, DROP_NONE);
  cr_assert_eq(told(&m), 50 + CAPTURE_FIRST);
  ask.packets = 1000;
  cr_assert_eq(capture_ask(s, &ask), 0);
  see(100, false, DROP_NONE);
  w->now_us += 1000000;
  see(100, false, DROP_NONE);
  cr_assert_eq(told(&m), 100);
  ask.ms = 0;
  cr_assert_eq(capture_ask(s, &ask), 0);
  see(100, false, DROP_NONE);
  cr_assert_eq(told(&m), 0);
}

Test(capture, a_session_s_bound_and_a_full_ring, .init = setup, .fini = teardown) {
  struct mset_headers m;
  cr_assert_eq(capture_open(s), 0);
  for (unsigned i = 0; i < 1000; i++) {
    bytes[11]++;
    see(1, false, DROP_NONE);
  }
  cr_assert_eq(told(&m), CAPTURE_MAX);
  struct mset_capture ask = {.ms = 60000, .packets = MSET_CAPTURE_MAX};
  cr_assert_eq(capture_ask(s, &ask), 0);
  see(3000, false, DROP_NONE);
  cr_assert(capture_is_due(w) && w->has_told);
  cr_assert_eq(told(&m), WORKER_HEADERS);
  cr_assert_eq(m.lost, 3000 - WORKER_HEADERS);
}
