/* SPDX-License-Identifier: Apache-2.0
 * Units of the service door's engines: the ring of events, idempotency keys, tickets. */
#include "native/events.h"
#include "native/idem.h"
#include "native/telemetry.h"
#include "native/inner.h"
#include "native/ticket.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define S 1000000ull

Test(events, replays_what_came_after) {
  static struct event_ring r;
  event_ring_init(&r, 1000);
  uint64_t a = event_ring_take_id(&r), b = event_ring_take_id(&r), c = event_ring_take_id(&r);
  cr_assert(a < b && b < c);
  event_ring_add(&r, a, "", strdup("a"), 1 * S);
  event_ring_add(&r, b, "tab1", strdup("b"), 1 * S);
  event_ring_add(&r, c, "", strdup("c"), 1 * S);
  cr_assert(event_ring_covers(&r, a, 2 * S));
  cr_assert_str_eq(event_ring_next(&r, a, "tab1")->text, "b");
  cr_assert_str_eq(event_ring_next(&r, a, "tab2")->text, "c");
  cr_assert_null(event_ring_next(&r, c, "tab1"));
  event_ring_done(&r);
}

Test(events, knows_the_nameless_device_that_was_told_last) {
  static struct event_ring r;
  event_ring_init(&r, 1000);
  uint64_t a = event_ring_take_id(&r), b = event_ring_take_id(&r), c = event_ring_take_id(&r);
  cr_assert_null(event_ring_nameless(&r, c));
  event_ring_add(&r, a, "~7", strdup("a"), 1 * S);
  event_ring_add(&r, b, "tab", strdup("b"), 1 * S);
  event_ring_add(&r, c, "~9", strdup("c"), 1 * S);
  cr_assert_str_eq(event_ring_nameless(&r, b), "~7");
  cr_assert_str_eq(event_ring_nameless(&r, c), "~9");
  cr_assert_null(event_ring_nameless(&r, a - 1));
  event_ring_done(&r);
}

Test(events, says_what_it_cannot_replay) {
  static struct event_ring r;
  event_ring_init(&r, 1000);
  uint64_t first = event_ring_take_id(&r);
  event_ring_add(&r, first, "", strdup("x"), 1 * S);
  cr_assert_not(event_ring_covers(&r, first + 1, 2 * S), "a future id");
  cr_assert_not(event_ring_covers(&r, 5, 2 * S), "an id of an earlier instance");
  cr_assert(event_ring_covers(&r, first - 1, 2 * S));
  cr_assert_not(event_ring_covers(&r, first - 1, 1 * S + EVENTS_KEEP_S * S), "aged out");
  cr_assert(event_ring_covers(&r, first, 1 * S + EVENTS_KEEP_S * S), "nothing after it was lost");
  cr_assert_eq(event_ring_oldest(&r, 300 * S), first + 1);
}

Test(events, is_bounded) {
  static struct event_ring r;
  event_ring_init(&r, 1);
  uint64_t first = 0, id = 0;
  for (int i = 0; i < EVENTS_MAX + 10; i++) {
    id = event_ring_take_id(&r);
    first = first ? first : id;
    event_ring_add(&r, id, "", strdup("x"), 1 * S);
  }
  cr_assert_eq(r.count, EVENTS_MAX);
  cr_assert_not(event_ring_covers(&r, first, 1 * S));
  cr_assert(event_ring_covers(&r, first + 9, 1 * S));
  event_ring_done(&r);
}

Test(idem, same_key_same_body_is_the_stored_answer) {
  own(idem) i = NULL;
  uint64_t id, other;
  struct web_answer got = {0}, a = {.status = 201};
  cr_assert_eq(idem_new(&i, 4), 0);
  cr_assert_eq(idem_begin(i, SLICE("alice"), SLICE("k"), SLICE("{}"), S, &id, &got), IDEM_NEW);
  cr_assert_eq(idem_begin(i, SLICE("alice"), SLICE("k"), SLICE("{}"), S, &other, &got), IDEM_IN_FLIGHT);
  cr_assert_eq(web_answer_text(&a, 201, "text/plain", SLICE("made")), 0);
  idem_finish(i, id, &a, S);
  cr_assert_eq(idem_begin(i, SLICE("alice"), SLICE("k"), SLICE("{}"), 2 * S, &other, &got), IDEM_REPLAY);
  cr_assert(got.status == 201 && got.replayed && got.body_bytes == 4);
  web_answer_done(&got);
  cr_assert_eq(idem_begin(i, SLICE("alice"), SLICE("k"), SLICE("{ }"), 2 * S, &other, &got),
               IDEM_OTHER_BODY);
  cr_assert_eq(idem_begin(i, SLICE("bob"), SLICE("k"), SLICE("{}"), 2 * S, &other, &got), IDEM_NEW);
  cr_assert_eq(idem_begin(i, SLICE("alice"), SLICE("k"), SLICE("{}"), 601 * S, &other, &got), IDEM_NEW,
               "10 minutes");
  web_answer_done(&a);
}

Test(idem, a_failure_of_ours_is_not_kept) {
  own(idem) i = NULL;
  uint64_t id;
  struct web_answer got = {0}, a = {.status = 503};
  cr_assert_eq(idem_new(&i, 4), 0);
  cr_assert_eq(idem_begin(i, SLICE("a"), SLICE("k"), SLICE(""), S, &id, &got), IDEM_NEW);
  idem_finish(i, id, &a, S);
  cr_assert_eq(idem_begin(i, SLICE("a"), SLICE("k"), SLICE(""), S, &id, &got), IDEM_NEW);
}

Test(idem, keys_are_checked_and_bounded) {
  own(idem) i = NULL;
  uint64_t id;
  char key[160], n[16];
  struct web_answer got = {0}, a = {.status = 201};
  memset(key, 'x', sizeof(key));
  cr_assert_eq(idem_new(&i, 4), 0);
  cr_assert_eq(idem_begin(i, SLICE("a"), slice_from(key, 129), SLICE(""), S, &id, &got), IDEM_BAD_KEY);
  cr_assert_eq(idem_begin(i, SLICE("a"), SLICE("a b"), SLICE(""), S, &id, &got), IDEM_BAD_KEY);
  for (int k = 0; k < 20; k++) {
    snprintf(n, sizeof(n), "k%d", k);
    cr_assert_eq(idem_begin(i, SLICE("a"), slice_of(n), SLICE(""), S, &id, &got), IDEM_NEW);
    cr_assert_neq(id, 0);
    idem_finish(i, id, &a, S);
  }
}

Test(ticket, works_once_within_a_minute) {
  own(tickets) t = NULL;
  struct claims c = {.identity = "alice"}, got;
  char one[TICKET_CHARS + 1], two[TICKET_CHARS + 1];
  cr_assert_eq(tickets_new(&t, 2), 0);
  cr_assert_eq(ticket_make(t, &c, S, one), 0);
  cr_assert_eq(ticket_make(t, &c, S, two), 0);
  cr_assert_eq(ticket_make(t, &c, S, two), -ENOSPC);
  cr_assert_eq(ticket_use(t, slice_of(one), 2 * S, &got), 0);
  cr_assert_str_eq(got.identity, "alice");
  cr_assert_eq(ticket_use(t, slice_of(one), 2 * S, &got), -ENOENT);
  cr_assert_eq(ticket_use(t, slice_of(two), 61 * S, &got), -ENOENT);
}

Test(telemetry, what_is_short_stays_whole) {
  json_t *body = json_pack("{s:[{s:s,s:i}],s:{}}", "stats", "type", "x", "mine", 1, "selected_pair");
  own_mem char *text = telemetry_text(body, 200);
  cr_assert_str_eq(text, "{\"stats\":[{\"type\":\"x\",\"mine\":1}],\"selected_pair\":{}}");
  json_decref(body);
}

Test(telemetry, what_is_long_is_cut_to_what_tells_of_quality) {
  json_t *body =
      json_pack("{s:[{s:s,s:i,s:s,s:f},i,{s:s,s:s}]}", "stats", "type", "inbound-rtp", "packetsLost", 3,
                "trackId", "0123456789012345678901234567890123456789012345678901234567890123456789",
                "jitter", 0.5, 7, "type", "candidate-pair", "state",
                "0123456789012345678901234567890123456789012345678901234567890123456789");
  own_mem char *text = telemetry_text(body, 150), *less = telemetry_text(body, 80),
               *least = telemetry_text(body, 30);
  cr_assert_str_eq(text, "{\"stats\":[{\"type\":\"inbound-rtp\",\"packetsLost\":3,\"jitter\":0.5},"
                         "{\"type\":\"candidate-pair\"}],\"cut\":true}");
  cr_assert_str_eq(
      less, "{\"stats\":[{\"type\":\"inbound-rtp\",\"packetsLost\":3,\"jitter\":0.5}],\"cut\":true}");
  cr_assert_str_eq(least, "{\"stats\":[],\"cut\":true}");
  json_decref(body);
}

static struct desc_candidate candidate(enum cand_type type, const char *host) {
  struct desc_candidate c = {.component = 1, .type = (uint8_t)type, .is_udp = true};
  cr_assert_eq(addr_parse(&c.address, slice_of(host), 40000), 0);
  return c;
}

Test(relays, foreign_relays_and_vpn_pools_are_denied) {
  static struct conf conf = {.service = {.relays = {1, {"192.0.2.1"}}, .vpn = {1, {"10.8.0.0/16"}}}};
  static struct native n;
  own(guard) g = NULL;
  struct addr deny[4];
  bool usable;
  cr_assert_eq(guard_new(&g, &conf), 0);
  n.guard = g;
  struct desc_candidate c[] = {candidate(CAND_RELAY, "192.0.2.1"), candidate(CAND_RELAY, "192.0.2.9"),
                               candidate(CAND_HOST, "10.8.3.4"), candidate(CAND_HOST, "10.9.3.4")};
  cr_assert_eq(relay_sift(&n, c, 4, deny, 4, &usable), 2);
  cr_assert(usable && addr_eq(&deny[0], &c[1].address) && addr_eq(&deny[1], &c[2].address));
  cr_assert_eq(relay_sift(&n, c + 1, 2, deny, 4, &usable), 2);
  cr_assert_not(usable, "a foreign relay and a VPN's address carry nothing");
  cr_assert_eq(relay_sift(&n, c, 1, deny, 4, &usable), 0);
  cr_assert(usable, "a native relay");
  cr_assert_eq(relay_sift(&n, c, 0, deny, 4, &usable), 0);
  cr_assert(usable, "an offer without candidates is complete");
}
