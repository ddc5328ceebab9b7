/* SPDX-License-Identifier: Apache-2.0
 * Units of the service door's engines: the ring of events, idempotency keys, tickets. */
#include "base/clock.h"
#include "native/events.h"
#include "native/idem.h"
#include "native/telemetry.h"
#include "native/inner.h"
#include "native/ticket.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

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

static struct client_told figures(const char *text) {
  struct client_told f;
  json_t *body = json_loads(text, 0, NULL);
  cr_assert_not_null(body, "%s", text);
  telemetry_figures(body, &f);
  json_decref(body);
  return f;
}

Test(telemetry, figures_that_say_why_a_call_sounds_bad) {
  struct client_told f = figures(
      "{\"selected_pair\":\"P\",\"stats\":[7,{\"type\":\"media-source\",\"audioLevel\":0.5,"
      "\"totalAudioEnergy\":1.5},{\"type\":\"inbound-rtp\",\"kind\":\"video\",\"packetsReceived\":9},"
      "{\"type\":\"inbound-rtp\",\"kind\":\"audio\",\"packetsReceived\":300,\"totalSamplesReceived\":"
      "1000,\"concealedSamples\":200,\"silentConcealedSamples\":50},{\"type\":\"candidate-pair\",\"id\":"
      "\"P\",\"localCandidateId\":\"L\",\"currentRoundTripTime\":0.31},{\"type\":\"local-candidate\","
      "\"id\":\"L\",\"candidateType\":\"relay\"}]}");
  cr_assert(f.has_mic && f.has_play && f.is_relayed);
  cr_assert(f.mic_level > 0.4 && f.mic_energy > 1.4);
  cr_assert(f.received == 300 && f.played == 1000 && f.concealed == 150);
  cr_assert_eq(f.rtt_ms, 310);
}

Test(telemetry, figures_of_who_says_nothing_or_nonsense) {
  struct client_told f = figures("{\"stats\":[]}");
  cr_assert(!f.has_mic && !f.has_play && !f.is_relayed && !f.rtt_ms && !f.is_muted);
  cr_assert(!figures("{\"stats\":[],\"muted\":\"yes\"}").is_muted);
  cr_assert(figures("{\"stats\":[],\"muted\":true}").is_muted);
  f = figures("{\"stats\":[{\"type\":\"inbound-rtp\",\"packetsReceived\":-5,\"totalSamplesReceived\":10,"
              "\"concealedSamples\":1e300},{\"type\":\"candidate-pair\",\"nominated\":true,\"state\":"
              "\"succeeded\",\"currentRoundTripTime\":1e8,\"localCandidateId\":[]},{\"type\":3},"
              "{\"type\":\"media-source\",\"audioLevel\":\"x\"}]}");
  cr_assert(f.received == 0 && f.played == 10 && f.concealed == 0 && f.rtt_ms == 0 && !f.has_mic);
  f = figures("{\"stats\":[{\"type\":\"inbound-rtp\",\"totalSamplesReceived\":10,"
              "\"concealedSamples\":1000}]}");
  cr_assert_eq(f.concealed, 10);
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

Test(credential, is_signed_as_coturn_signs) {
  static const struct {
    const char *username, *secret, *password;
  } rows[] = {
      /* the first is the well-known vector of HMAC-SHA1; the others by openssl dgst -sha1 -hmac */
      {"The quick brown fox jumps over the lazy dog", "key", "3nybhbi3iqa8ino29wqQcBydtNk="},
      {"1735689600:alice", "0123456789abcdef", "vQJ7Xx0V9FKdVNQV/ziDLrf8Ik8="},
      {"1:x", "a-secret-of-32-characters-in-all", "sB/IUS2rbV29bvziPuPUFgTV2Ms="}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct credential c = {0};
    slice_copy(c.username, sizeof(c.username), slice_of(rows[i].username));
    credential_sign(&c, slice_of(rows[i].secret));
    cr_assert_str_eq(c.password, rows[i].password, "row %zu: %s", i, c.password);
  }
}

Test(credential, one_pseudonym_an_identity_and_nothing_of_its_name) {
  struct relay_secret s = {.n = 2, .text = {"0123456789abcdef", "fedcba9876543210"}};
  struct credential a, b, c, d, signed_by_first;
  credential_make(&a, &s, "default", "alice", 1735689600);
  credential_make(&b, &s, "default", "alice", 1735689700);
  credential_make(&c, &s, "default", "bob", 1735689600);
  credential_make(&d, &s, "other", "alice", 1735689600);
  cr_assert_eq(strncmp(a.username, "1735689600:", 11), 0);
  cr_assert_eq(strlen(a.username), 11 + 16);
  cr_assert_str_eq(a.username + 11, b.username + 11);
  cr_assert_str_neq(a.password, b.password);
  cr_assert_str_neq(a.username, c.username);
  cr_assert_str_neq(a.username, d.username);
  cr_assert_null(strstr(a.username, "alice"));
  signed_by_first = a;
  credential_sign(&signed_by_first, SLICE("0123456789abcdef"));
  cr_assert_str_eq(a.password, signed_by_first.password);
}

Test(credential, secrets_are_one_or_two_lines) {
  static const struct {
    const char *text;
    uint32_t n;
  } rows[] = {{"0123456789abcdef\n", 1},
              {"0123456789abcdef", 1},
              {"\r\n0123456789abcdef\r\nfedcba9876543210\n\n", 2},
              {"", 0},
              {"\n\n", 0},
              {"too-short\n", 0},
              {"0123456789 abcdef\n", 0},
              {"0123456789abcdef\nx\n", 0},
              {"0123456789abcde#\n", 0},
              {"0123456789abcdef\n0123456789abcdef\n0123456789abcdef\n", 0}};
  struct relay_secret s;
  char long_line[RELAY_SECRET_BYTES + 1];
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int r = relay_secret_parse(&s, slice_of(rows[i].text));
    cr_assert(r == (rows[i].n ? 0 : -EINVAL) && s.n == rows[i].n, "row %zu: %d, %u", i, r, s.n);
  }
  memset(long_line, 'x', sizeof(long_line));
  cr_assert_eq(relay_secret_parse(&s, slice_from(long_line, RELAY_SECRET_BYTES - 1)), 0);
  cr_assert_eq(relay_secret_parse(&s, slice_from(long_line, RELAY_SECRET_BYTES)), -EINVAL);
  cr_assert_eq(relay_secret_read(&s, "/nowhere/at/all"), -ENOENT);
}

/* A configuration of two relays whose secrets lie in a file of this test. */
static struct conf *two_relays(const char *file) {
  struct conf *c = calloc(1, sizeof(*c));
  c->n_relays = 2;
  c->relays[0] = (struct conf_relay){.name = "one",
                                     .host = "relay.example",
                                     .port = 3478,
                                     .tls_port = 443,
                                     .port_min = 50000,
                                     .port_max = 50099,
                                     .allocations_per_user = 7,
                                     .allocations = 70,
                                     .bytes_per_s = 7000};
  c->relays[1] = (struct conf_relay){.name = "two", .host = "192.0.2.9", .tls_port = 5349};
  for (int i = 0; i < 2; i++) {
    slice_copy(c->relays[i].secret_file, CONF_PATH_BYTES, slice_of(file));
    cr_assert_eq(addr_parse(&c->relays[i].address, slice_of(i ? "192.0.2.9" : "192.0.2.8"), 0), 0);
  }
  c->media.n_addresses = 3;
  static const char *const media[] = {"10.0.0.5", "10.0.0.6", "2001:db8::5"};
  for (int i = 0; i < 3; i++)
    cr_assert_eq(addr_parse(&c->media.addresses[i].address, slice_of(media[i]), 0), 0);
  cr_assert_eq(addr_parse(&c->media.addresses[0].advertise, SLICE("198.51.100.5"), 0), 0);
  c->media.addresses[1].side = SIDE_TRUNKS;
  return c;
}

static void secret_write(char path[64]) {
  snprintf(path, 64, "/tmp/sallyport-secret-%d", (int)getpid());
  FILE *f = fopen(path, "w");
  cr_assert(f && fputs("0123456789abcdef\nfedcba9876543210\n", f) > 0 && fclose(f) == 0);
}

Test(relaybook, hands_out_urls_and_survives_a_reload_without_the_file) {
  char path[64];
  static struct relay_book b;
  secret_write(path);
  own(conf) c = two_relays(path);
  own(conf) again = two_relays(path);
  relay_book_load(&b, c);
  json_t *s = relay_book_servers(&b, "default", "alice", 1735689600), *urls;
  cr_assert_eq(json_array_size(s), 2);
  urls = json_object_get(json_array_get(s, 0), "urls");
  cr_assert_eq(json_array_size(urls), 3);
  cr_assert_str_eq(json_string_value(json_array_get(urls, 0)), "turn:relay.example:3478?transport=udp");
  cr_assert_str_eq(json_string_value(json_array_get(urls, 1)), "turn:relay.example:3478?transport=tcp");
  cr_assert_str_eq(json_string_value(json_array_get(urls, 2)), "turns:relay.example:443?transport=tcp");
  urls = json_object_get(json_array_get(s, 1), "urls");
  cr_assert_eq(json_array_size(urls), 1);
  cr_assert_str_eq(json_string_value(json_array_get(urls, 0)), "turns:192.0.2.9:5349?transport=tcp");
  json_decref(s);
  unlink(path);
  slice_copy(again->relays[1].name, CONF_NAME_BYTES, SLICE("new"));
  relay_book_load(&b, again);
  s = relay_book_servers(&b, "default", "alice", 1735689600);
  cr_assert_eq(json_array_size(s), 1, "the one whose secret was known");
  json_decref(s);
  relay_book_done(&b);
}

Test(relayconf, reaches_the_media_and_nothing_else) {
  char path[64], text[8192];
  secret_write(path);
  own(conf) c = two_relays(path);
  slice_copy(c->service.certificate, CONF_PATH_BYTES, SLICE("/etc/service.pem"));
  slice_copy(c->relays[1].certificate, CONF_PATH_BYTES, SLICE("/etc/relay.pem"));
  cr_assert_eq(native_relay_config(text, sizeof(text), c, &c->relays[0]), 0);
  static const char *const has[] = {
      "listening-ip=192.0.2.8\n",
      "relay-ip=192.0.2.8\n",
      "listening-port=3478\n",
      "tls-listening-port=443\n",
      "min-port=50000\nmax-port=50099\n",
      "\nuse-auth-secret\n",
      "\nno-cli\n",
      "\nno-tcp-relay\n",
      "\nno-multicast-peers\n",
      "static-auth-secret=0123456789abcdef\nstatic-auth-secret=fedcba9876543210\n",
      "user-quota=7\ntotal-quota=70\nmax-bps=7000\n",
      "denied-peer-ip=0.0.0.0-255.255.255.255\n",
      "denied-peer-ip=::-ffff:",
      "allowed-peer-ip=198.51.100.5\nallowed-peer-ip=2001:db8::5\n",
      "cert=/etc/service.pem\n"};
  for (size_t i = 0; i < COUNT_OF(has); i++)
    cr_assert(strstr(text, has[i]), "\"%s\" is not in:\n%s", has[i], text);
  cr_assert(!strstr(text, "10.0.0.") && !strstr(text, "loopback") && !strstr(text, "external-ip"), "%s",
            text);
  cr_assert_eq(addr_parse(&c->relays[1].bind, SLICE("10.0.0.9"), 0), 0);
  cr_assert_eq(addr_parse(&c->media.addresses[0].advertise, SLICE("127.0.0.1"), 0), 0);
  cr_assert_eq(native_relay_config(text, sizeof(text), c, &c->relays[1]), 0);
  static const char *const second[] = {"listening-ip=10.0.0.9\n", "external-ip=192.0.2.9/10.0.0.9\n",
                                       "no-udp\nno-tcp\n", "cert=/etc/relay.pem\n",
                                       "\nallow-loopback-peers\n"};
  for (size_t i = 0; i < COUNT_OF(second); i++)
    cr_assert(strstr(text, second[i]), "\"%s\" is not in:\n%s", second[i], text);
  cr_assert_null(strstr(text, "address-family"));
  cr_assert_eq(addr_parse(&c->relays[0].address, SLICE("2001:db8::8"), 0), 0);
  cr_assert_eq(native_relay_config(text, sizeof(text), c, &c->relays[0]), 0);
  cr_assert(strstr(text, "relay-ip=2001:db8::8\nallocation-default-address-family=ipv6\n"), "%s", text);
  unlink(path);
  cr_assert_eq(native_relay_config(text, sizeof(text), c, &c->relays[0]), -ENOENT);
}

/* Users: a table of three ------------------------------------------------------------------------------
 */

static struct user *user(struct native *n, const char *name) {
  return user_get(n, SLICE("t"), slice_of(name));
}

static void users_open(struct native *n) {
  *n = (struct native){.users_max = 3};
  clock_fake(1000000, 1800000000000);
  cr_assert_eq(loop_new(&n->loop), 0);
  cr_assert_eq(map_new(&n->users, n->users_max), 0);
  list_init(&n->user_list);
}

static void users_close(struct native *n) {
  users_free(n);
  map_free(n->users);
  loop_free(n->loop);
}

Test(users, full_table_forgets_who_is_idle) {
  struct native n;
  struct list stream, call;
  users_open(&n);
  struct user *a = user(&n, "a"), *b = user(&n, "b"), *c = user(&n, "c");
  list_add_tail(&a->streams, &stream);
  (void)user(&n, "b"); /* c is the one not seen for longest, but for a */
  struct user *d = user(&n, "d");
  cr_assert_not_null(d);
  cr_assert_eq(map_count(n.users), 3);
  cr_assert_eq(user(&n, "a"), a);
  cr_assert_eq(user(&n, "b"), b);
  (void)c;
  cr_assert_null(map_get(n.users, SLICE("t\nc")));
  list_add_tail(&b->nlegs, &call);
  d->alert_count = 1;
  cr_assert_null(user(&n, "e"), "of each something is there");
  d->alert_count = 0;
  event_ring_add(&d->ring, event_ring_take_id(&d->ring), "", strdup("x"), loop_now_us(n.loop));
  cr_assert_null(user(&n, "e"), "its event can still be asked for");
  clock_fake(1000000 + (EVENTS_KEEP_S + 1) * 1000000ull, 1800000000000);
  loop_turn(n.loop, 0);
  cr_assert_not_null(user(&n, "e"));
  cr_assert_null(map_get(n.users, SLICE("t\nd")));
  users_close(&n);
}

Test(users, idle_ones_go_by_and_by) {
  struct native n;
  users_open(&n);
  (void)user(&n, "a");
  (void)user(&n, "b");
  clock_fake(1000000 + USER_IDLE_S * 1000000ull, 1800000000000);
  loop_turn(n.loop, 0);
  (void)user(&n, "b");
  (void)user(&n, "c");
  cr_assert_null(map_get(n.users, SLICE("t\na")));
  cr_assert_eq(map_count(n.users), 2);
  users_close(&n);
}
