/* SPDX-License-Identifier: Apache-2.0
 * Units of guard: the chain rule as a table, peers, limits, hairpins, refusals. */
#include "guard/guard.h"
#include "guard/part.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct conf_errors errors;

static struct conf *config(void) {
  char path[600];
  struct conf *c = NULL;
  const char *dir = getenv("SRCDIR");
  snprintf(path, sizeof(path), "%s/tests/unit/data/guard.yaml", dir ? dir : SRCDIR);
  int r = conf_load(&c, path, true, &errors);
  cr_assert_eq(r, 0, "line %u: %s", errors.list[0].line, errors.list[0].text);
  return c;
}

/* "a b c" as hosts */
static struct ask_hosts hosts(const char *words) {
  struct ask_hosts h = {0};
  struct slice rest = slice_of(words);
  while (rest.n) {
    struct slice word = slice_cut(&rest, ' ');
    if (h.n < ASK_HOSTS_MAX)
      slice_copy(h.host[h.n], ASK_HOST_BYTES, word);
    h.n++;
  }
  return h;
}

static struct ask ask_of(const struct conf *c, const char *trunk, const char *subjects, const char *vias,
                         const char *routes, const char *paths, const char *contact) {
  struct ask a = {.trunk = conf_trunk_find(c, slice_of(trunk)), .max_forwards = 70};
  cr_assert_not_null(a.trunk);
  a.subjects = hosts(subjects);
  a.vias = hosts(vias);
  a.record_routes = hosts(routes);
  a.paths = hosts(paths);
  slice_copy(a.contact_host, sizeof(a.contact_host), slice_of(contact));
  snprintf(a.caller, sizeof(a.caller), "+15550100001");
  snprintf(a.called, sizeof(a.called), "+15550100002");
  return a;
}

Test(chain, table) {
  static const struct {
    const char *trunk, *subjects, *vias, *routes, *paths, *contact;
    enum refusal refusal;
    const char *detail;
  } rows[] = {
      /* A carrier that is known by address. */
      {"plain", "", "198.51.100.1:5060", "", "", "198.51.100.1:5060", REFUSE_NONE, ""},
      {"plain", "", "198.51.100.1", "", "", "198.51.100.2", REFUSE_NONE, ""},
      {"plain", "", "198.51.100.9", "", "", "198.51.100.1", REFUSE_PROXY,
       "proxy 198.51.100.9 is not allowed"},
      {"plain", "", "198.51.100.1 203.0.113.9", "", "", "198.51.100.1", REFUSE_PROXY,
       "the host behind a proxy 203.0.113.9 is not allowed; to allow it: trunks[plain].peers += "
       "'203.0.113.9' "
       "(guard.yaml line 19)"},
      {"plain", "", "198.51.100.1 203.0.113.9 198.51.100.2", "", "", "198.51.100.1", REFUSE_PROXY,
       "trunks[plain].proxies += '203.0.113.9'"},
      /* Both are peers, but the first one forwarded the second one's request: a proxy. */
      {"plain", "", "198.51.100.1 198.51.100.2", "", "", "198.51.100.2", REFUSE_PROXY,
       "proxy 198.51.100.1 is not allowed; to allow it: trunks[plain].proxies += '198.51.100.1' "
       "(guard.yaml line 19)"},
      {"plain", "", "198.51.100.1", "203.0.113.9", "", "198.51.100.1", REFUSE_PROXY,
       "Record-Route 203.0.113.9 is not allowed"},
      {"plain", "", "198.51.100.1", "198.51.100.1:5060", "", "198.51.100.1", REFUSE_NONE, ""},
      {"plain", "", "198.51.100.1", "", "203.0.113.9", "198.51.100.1", REFUSE_PROXY,
       "Path or Service-Route"},
      {"plain", "", "198.51.100.1", "", "", "203.0.113.9", REFUSE_CONTACT,
       "trunks[plain].peers += '203.0.113.9'"},
      {"plain", "", "198.51.100.1", "", "", "host.stranger.example", REFUSE_CONTACT,
       "host.stranger.example"},
      {"plain", "", "198.51.100.1", "", "", "", REFUSE_MALFORMED, "Contact"},
      {"plain", "", "", "", "", "198.51.100.1", REFUSE_MALFORMED, "Via"},
      {"plain", "", "198.51.100.1 10.0.0.1", "", "", "198.51.100.1", REFUSE_PROXY, "10.0.0.1"},
      {"plain", "", "198.51.100.1", "", "", "evil\"\r\nX: y", REFUSE_CONTACT, "evil\\x22\\x0d\\x0aX: y"},
      {"plain", "", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "", "", "198.51.100.1", REFUSE_PROXY,
       "17 Via headers"},
      {"plain", "", "192.0.2.1:5060", "", "", "198.51.100.1", REFUSE_LOOP,
       "Via 1 is this gateway itself"},
      {"plain", "", "198.51.100.1 gw.example", "", "", "198.51.100.1", REFUSE_LOOP, "Via 2"},
      {"plain", "", "198.51.100.1 192.0.2.1:5099", "", "", "198.51.100.1", REFUSE_PROXY,
       "192.0.2.1:5099"},
      /* A proxy that is allowed. */
      {"proxied", "", "198.51.100.20 198.51.100.30", "198.51.100.20", "", "198.51.100.30", REFUSE_NONE,
       ""},
      {"proxied", "", "198.51.100.20 UA.example:5062", "198.51.100.20", "", "ua.example", REFUSE_NONE,
       ""},
      {"proxied", "", "198.51.100.20 203.0.113.9", "198.51.100.20", "", "198.51.100.30", REFUSE_PROXY,
       "trunks[proxied].peers += '203.0.113.9'"},
      {"proxied", "", "198.51.100.20 203.0.113.8 198.51.100.30", "", "", "198.51.100.30", REFUSE_PROXY,
       "trunks[proxied].proxies += '203.0.113.8'"},
      {"proxied", "", "198.51.100.30 198.51.100.20", "", "", "198.51.100.30", REFUSE_PROXY,
       "trunks[proxied].proxies += '198.51.100.30'"},
      {"proxied", "", "198.51.100.30", "", "", "198.51.100.30", REFUSE_NONE, ""},
      /* Private addresses below the first Via, by setting. */
      {"inner", "", "198.51.100.40 10.9.0.1 192.168.0.4", "", "", "198.51.100.40", REFUSE_NONE, ""},
      {"inner", "", "198.51.100.40 10.1.0.1 10.1.0.2", "", "", "10.1.0.2", REFUSE_NONE, ""},
      {"inner", "", "198.51.100.40 10.9.0.1 10.9.0.2 10.9.0.3", "", "", "198.51.100.40", REFUSE_PROXY,
       "inner hop 10.9.0.3 is not allowed; to allow it: trunks[inner].inner_hops: 3 (guard.yaml line "
       "29)"},
      {"inner", "", "10.9.0.1", "", "", "198.51.100.40", REFUSE_PROXY, "10.9.0.1"},
      {"inner", "", "198.51.100.40 203.0.113.9", "", "", "198.51.100.40", REFUSE_PROXY, "203.0.113.9"},
      {"inner", "", "198.51.100.40 10.9.0.1", "203.0.113.9", "", "198.51.100.40", REFUSE_PROXY,
       "203.0.113.9"},
      {"inner", "", "198.51.100.40", "", "", "192.168.7.7", REFUSE_NONE, ""},
      /* Everything on one address, told apart by port: a real proxy before a user agent. */
      {"loop", "", "127.0.0.1:5090 127.0.0.1:5080", "127.0.0.1:5090", "", "127.0.0.1:5080", REFUSE_PROXY,
       "proxy 127.0.0.1:5090 is not allowed; to allow it: trunks[loop].proxies += '127.0.0.1:5090'"},
      {"loop", "", "127.0.0.1:5080", "", "", "127.0.0.1:5080", REFUSE_NONE, ""},
      {"loop", "", "127.0.0.1:5080", "", "", "127.0.0.1:5081", REFUSE_CONTACT, "127.0.0.1:5081"},
      {"loop", "", "127.0.0.1:5070", "", "", "127.0.0.1:5080", REFUSE_LOOP, ""},
      {"loopproxy", "", "127.0.0.2:5090 127.0.0.2:5080", "127.0.0.2:5090", "", "127.0.0.2:5080",
       REFUSE_NONE, ""},
      {"loopproxy", "", "127.0.0.2:5090 127.0.0.2:5081", "127.0.0.2:5090", "", "127.0.0.2:5080",
       REFUSE_PROXY, "trunks[loopproxy].peers += '127.0.0.2:5081'"},
      {"loopproxy", "", "127.0.0.2:5090 127.0.0.3:6000 127.0.0.2:5080", "127.0.0.2:5090", "",
       "127.0.0.2:5080", REFUSE_PROXY, "trunks[loopproxy].proxies += '127.0.0.3:6000'"},
      /* A carrier over TLS. */
      {"carrier", "carrier.example", "sip7.Carrier.example:5061", "", "", "carrier.example", REFUSE_NONE,
       ""},
      {"carrier", "carrier.example", "a.b.carrier.example", "", "", "carrier.example", REFUSE_PROXY,
       "a.b.carrier"},
      {"carrier", "carrier.example", "198.51.100.50", "", "", "198.51.100.50", REFUSE_NONE, ""},
      {"carrier", "carrier.example", "carrier.example", "notcarrier.example", "", "carrier.example",
       REFUSE_PROXY, "notcarrier.example"},
      /* Direct routing: one Via, the certificate's name in Contact, no address literals. */
      {"direct", "sbc.customer.example", "10.0.0.7:5061", "", "", "sbc.customer.example", REFUSE_NONE,
       ""},
      {"direct", "*.wild.example", "x", "", "", "a.wild.example:5061", REFUSE_NONE, ""},
      {"direct", "*.wild.example", "x", "", "", "a.b.wild.example", REFUSE_CONTACT, "(*.wild.example)"},
      {"direct", "sbc.customer.example", "x", "", "", "other.example", REFUSE_CONTACT,
       "Contact other.example is not the name in the certificate (sbc.customer.example)"},
      {"direct", "sbc.customer.example", "x", "", "", "198.51.100.1", REFUSE_CONTACT, "names only"},
      {"direct", "sbc.customer.example", "x", "198.51.100.1", "", "sbc.customer.example", REFUSE_PROXY,
       "names only"},
      {"direct", "sbc.customer.example", "x", "sbc.customer.example", "", "sbc.customer.example",
       REFUSE_NONE, ""},
      {"direct", "sbc.customer.example", "x", "k.example", "", "sbc.customer.example", REFUSE_PROXY,
       "k.example"},
      {"direct", "sbc.customer.example", "x", "", "k.example", "sbc.customer.example", REFUSE_PROXY,
       "k.example"},
      {"direct", "sbc.customer.example", "sbc.customer.example k.example", "", "",
       "sbc.customer.example", REFUSE_PROXY, "k.example"},
      {"direct", "sbc.customer.example", "k.example sbc.customer.example", "", "",
       "sbc.customer.example", REFUSE_PROXY, "trunks[direct].proxies += 'k.example'"},
      {"direct", "native.example", "native.example sbc.customer.example", "native.example", "",
       "sbc.customer.example", REFUSE_NONE, ""},
      {"direct", "native.example", "native.example sbc.customer.example", "native.example", "",
       "stranger.example", REFUSE_CONTACT, "stranger.example"},
  };
  own(guard) g = NULL;
  own(conf) c = config();
  cr_assert_eq(guard_new(&g, c), 0);
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct ask a = ask_of(c, rows[i].trunk, rows[i].subjects, rows[i].vias, rows[i].routes,
                          rows[i].paths, rows[i].contact);
    uint64_t before = count_get(guard_counts(g), rows[i].refusal);
    struct verdict v = guard_admit(g, &a, (i + 1) * 1000000);
    cr_assert_eq(v.refusal, rows[i].refusal, "row %zu: %s: %s", i, refusal_row(v.refusal)->rule,
                 v.detail);
    cr_assert(strstr(v.detail, rows[i].detail), "row %zu: %s", i, v.detail);
    if (v.refusal == REFUSE_NONE)
      guard_leave(g, a.trunk);
    else
      cr_assert_eq(count_get(guard_counts(g), rows[i].refusal), before + 1, "row %zu is counted", i);
    cr_assert_eq(guard_live(g, NULL), 0, "row %zu: a refusal allocates nothing", i);
  }
}

static const char *contact_said = "";

static const char *trunk_at(const struct guard *g, const char *listener, const char *source,
                            const char *subjects, const char *to) {
  struct addr a;
  struct ask_hosts s = hosts(subjects);
  cr_assert_eq(addr_parse_port(&a, slice_of(source)), 0);
  const struct conf_trunk *t =
      guard_peer_trunk(g, listener, &a, &s, slice_of(contact_said), slice_of(to));
  return t ? t->name : "";
}

static bool knows(const struct guard *g, const char *listener, const char *source) {
  struct addr a;
  cr_assert_eq(addr_parse_port(&a, slice_of(source)), 0);
  return guard_knows_source(g, listener, &a);
}

Test(peer, by_address_and_by_certificate) {
  own(guard) g = NULL;
  own(conf) c = config();
  cr_assert_eq(guard_new(&g, c), 0);
  cr_assert_str_eq(trunk_at(g, "udp", "198.51.100.1:5060", "", ""), "plain");
  cr_assert_str_eq(trunk_at(g, "udp", "198.51.100.20:40000", "", ""), "proxied");
  cr_assert_str_eq(trunk_at(g, "udp", "203.0.113.9:5060", "", ""), "");
  cr_assert_str_eq(trunk_at(g, "lab", "127.0.0.1:5080", "", ""), "loop");
  cr_assert_str_eq(trunk_at(g, "lab", "127.0.0.1:5081", "", ""), "", "a port in the rule counts on UDP");
  cr_assert_str_eq(trunk_at(g, "lab", "198.51.100.1:5060", "", ""), "", "of another listener");
  cr_assert_str_eq(trunk_at(g, "tls", "203.0.113.9:40000", "x.carrier.example", ""), "carrier");
  cr_assert_str_eq(trunk_at(g, "tls", "203.0.113.9:40000", "x.y.carrier.example", ""), "");
  cr_assert_str_eq(trunk_at(g, "tls", "198.51.100.50:40000", "other.example", ""), "",
                   "an address proves nothing on TLS");
  cr_assert_str_eq(trunk_at(g, "tls", "198.51.100.50:40000", "", ""), "");
  cr_assert_str_eq(trunk_at(g, "dr", "203.0.113.9:40000", "*.wild.example", ""), "direct");
  cr_assert_str_eq(trunk_at(g, "dr", "203.0.113.9:40000", "native.example", ""), "direct");
  cr_assert_eq(count_get(guard_counts(g), REFUSE_UNKNOWN_SOURCE), 6);
  cr_assert(knows(g, "udp", "198.51.100.1:1"));
  cr_assert_not(knows(g, "udp", "203.0.113.9:5060"));
  cr_assert(knows(g, "tls", "203.0.113.9:5060"));
  cr_assert_not(knows(g, "nowhere", "198.51.100.1:5060"));
}

Test(peer, equal_peers_are_told_apart_by_our_name) {
  own(guard) g = NULL;
  own(conf) c = config();
  c->trunks[1].peers = c->trunks[0].peers;
  cr_assert_eq(guard_new(&g, c), 0);
  cr_assert_str_eq(trunk_at(g, "udp", "198.51.100.1:5060", "", "proxied.example:5060"), "proxied");
  cr_assert_str_eq(trunk_at(g, "udp", "198.51.100.1:5060", "", "x.example"), "plain");
}

/* Tenants of one certificate: by the Contact's whole name, then by its parent domain (I-4, I-5). */
Test(peer, tenants_are_told_apart_by_contact) {
  own(guard) g = NULL;
  own(conf) c = config();
  struct ask a;
  struct verdict v;
  struct addr source;
  cr_assert_eq(addr_parse_port(&source, SLICE("203.0.113.9:40000")), 0);
  struct conf_trunk *base = (struct conf_trunk *)(uintptr_t)conf_trunk_find(c, SLICE("direct"));
  struct conf_trunk *tenant = &c->trunks[c->n_trunks++];
  *tenant = *base;
  slice_copy(tenant->name, sizeof(tenant->name), SLICE("tenant"));
  slice_copy(tenant->fqdn, sizeof(tenant->fqdn), SLICE("other.example"));
  tenant->peers.n = 1;
  slice_copy(tenant->peers.text[0], CONF_NAME_BYTES, SLICE("sbc1.wild.example"));
  cr_assert_eq(guard_new(&g, c), 0);
  const struct ask_hosts subjects = hosts("*.wild.example");
  contact_said = "sbc1.wild.example";
  cr_expect_str_eq(trunk_at(g, "dr", "203.0.113.9:40000", "*.wild.example", ""), "tenant");
  contact_said = "sbc2.wild.example:5061";
  cr_expect_str_eq(trunk_at(g, "dr", "203.0.113.9:40000", "*.wild.example", ""), "direct");
  cr_expect_str_eq(trunk_at(g, "dr", "203.0.113.9:40000", "*.wild.example", "other.example"), "direct",
                   "the name of the tenant is before ours");
  contact_said = "";
  cr_expect_str_eq(trunk_at(g, "dr", "203.0.113.9:40000", "*.wild.example", "other.example"), "tenant");
  cr_expect(guard_is_peer(g, base, &source, &subjects) && guard_is_peer(g, tenant, &source, &subjects));
  a = ask_of(c, "tenant", "*.wild.example", "sbc1.wild.example", "", "", "sbc1.wild.example");
  v = guard_admit(g, &a, 1);
  cr_expect_eq(v.refusal, REFUSE_NONE, "%s", v.detail);
  a = ask_of(c, "tenant", "*.wild.example", "sbc9.wild.example", "", "", "sbc9.wild.example");
  v = guard_admit(g, &a, 1);
  cr_expect_eq(v.refusal, REFUSE_CONTACT, "the certificate's name is not enough");
}

static enum refusal admit(struct guard *g, const struct conf *c, const char *trunk, const char *peer,
                          uint64_t now_us) {
  struct ask a = ask_of(c, trunk, "", peer, "", "", peer);
  struct verdict v = guard_admit(g, &a, now_us);
  cr_assert(v.refusal == REFUSE_NONE || refusal_row(v.refusal)->sip != 503 || v.retry_after_s > 0);
  return v.refusal;
}

Test(admit, callers_of_the_trunk) {
  own(guard) g = NULL;
  own(conf) c = config();
  struct conf_trunk *plain = &c->trunks[conf_trunk_find(c, SLICE("plain")) - c->trunks];
  cr_assert_eq(guard_new(&g, c), 0);
  struct ask a = ask_of(c, "plain", "", "198.51.100.1", "", "", "198.51.100.1");
  strcpy(a.caller, "+15550001");
  strcpy(plain->numbers_allowed.text[0], "+1900*");
  plain->numbers_allowed.n = 1;
  struct verdict v = guard_admit(g, &a, 1);
  cr_assert_eq(v.refusal, REFUSE_CALLER_RANGE);
  cr_assert(strstr(v.detail, "From: +15550001") && strstr(v.detail, "numbers_allowed"), "%s", v.detail);
  a.anonymous = true;
  a.caller[0] = 0;
  v = guard_admit(g, &a, 1);
  cr_assert(verdict_is_pass(&v));
  a.history.is_over = true;
  v = guard_admit(g, &a, 1);
  cr_assert_eq(v.refusal, REFUSE_LOOP);
  a.history.is_over = false;
  plain->anonymous = ANONYMOUS_REFUSE;
  v = guard_admit(g, &a, 1);
  cr_assert_eq(v.refusal, REFUSE_ANONYMOUS);
  cr_assert_eq(verdict_sip(&v), 433);
}

Test(admit, limits_of_trunk_rate_and_node) {
  own(guard) g = NULL;
  own(conf) c = config();
  const struct conf_trunk *plain = conf_trunk_find(c, SLICE("plain")),
                          *proxied = conf_trunk_find(c, SLICE("proxied"));
  cr_assert_eq(guard_new(&g, c), 0);
  cr_assert_eq(admit(g, c, "plain", "198.51.100.1", 1), REFUSE_NONE);
  cr_assert_eq(admit(g, c, "plain", "198.51.100.1", 1), REFUSE_NONE);
  cr_assert_eq(admit(g, c, "plain", "198.51.100.1", 1), REFUSE_TRUNK_CALLS);
  cr_assert_eq(admit(g, c, "plain", "198.51.100.1", 1), REFUSE_TRUNK_RATE);
  guard_leave(g, plain);
  cr_assert_eq(admit(g, c, "plain", "198.51.100.1", 2000000), REFUSE_NONE);
  cr_assert_eq(guard_live(g, plain), 2);
  for (unsigned i = 0; i < 4; i++) {
    struct verdict v = guard_admit_out(g, proxied, 3000000);
    cr_assert(verdict_is_pass(&v));
  }
  struct verdict v = guard_admit_out(g, proxied, 3000000);
  cr_assert_eq(v.refusal, REFUSE_NODE_CALLS);
  guard_admit_emergency(g, proxied);
  cr_assert_eq(guard_live(g, NULL), 7);
  cr_assert_eq(admit(g, c, "off", "198.51.100.60", 1), REFUSE_TRUNK_DISABLED);
}

Test(refuse, every_503_says_when_to_come_back) {
  for (int r = REFUSE_NONE; r < REFUSE_COUNT_; r++) {
    struct verdict v = verdict_refuse((enum refusal)r, "x");
    cr_assert_eq(v.retry_after_s > 0, refusal_row(v.refusal)->sip == 503, "%s",
                 refusal_row(v.refusal)->rule);
  }
}

Test(admit, max_forwards_and_unknown) {
  own(guard) g = NULL;
  own(conf) c = config();
  cr_assert_eq(guard_new(&g, c), 0);
  struct ask a = ask_of(c, "plain", "", "198.51.100.1", "", "", "198.51.100.1");
  a.max_forwards = 0;
  cr_assert_eq(guard_admit(g, &a, 1).refusal, REFUSE_HOPS);
  a.max_forwards = -1;
  cr_assert_eq(guard_admit(g, &a, 1).refusal, REFUSE_NONE);
  a.trunk = NULL;
  cr_assert_eq(guard_admit(g, &a, 1).refusal, REFUSE_UNKNOWN_SOURCE);
}

Test(admit, live_calls_outlive_a_reload) {
  own(guard) g = NULL;
  own(conf) c = config();
  own(conf) d = config();
  cr_assert_eq(guard_new(&g, c), 0);
  cr_assert_eq(admit(g, c, "plain", "198.51.100.1", 1), REFUSE_NONE);
  cr_assert_eq(admit(g, c, "plain", "198.51.100.1", 1), REFUSE_NONE);
  guard_reload(g, d);
  cr_assert_eq(admit(g, d, "plain", "198.51.100.1", 1), REFUSE_TRUNK_CALLS);
  guard_leave(g, conf_trunk_find(c, SLICE("plain")));
  cr_assert_eq(guard_live(g, conf_trunk_find(d, SLICE("plain"))), 1);
}

#define OURS "0123456789abcdef0123456789abcdef"

Test(hairpin, own_call_that_comes_back) {
  own(guard) g = NULL;
  own(conf) c = config();
  cr_assert_eq(guard_new(&g, c), 0);
  const struct conf_trunk *t = conf_trunk_find(c, SLICE("inner"));
  guard_note_out(g, t, SLICE("+15550100001"), SLICE("+15550100002"), SLICE(OURS), 1000000);
  struct ask a = ask_of(c, "inner", "", "198.51.100.40", "", "", "198.51.100.40");
  cr_assert_eq(guard_admit(g, &a, 5000000).refusal, REFUSE_HAIRPIN, "same caller, called and trunk");
  snprintf(a.caller, sizeof(a.caller), "0015550100001");
  cr_assert_eq(guard_admit(g, &a, 5000000).refusal, REFUSE_HAIRPIN, "another spelling of the number");
  cr_assert_eq(guard_admit(g, &a, 11000001).refusal, REFUSE_NONE, "10 s later");
  snprintf(a.session_id, sizeof(a.session_id), OURS);
  cr_assert_eq(guard_admit(g, &a, 900000000).refusal, REFUSE_HAIRPIN,
               "its Session-ID, as long as it lives");
  guard_forget_out(g, SLICE(OURS));
  cr_assert_eq(guard_admit(g, &a, 900000000).refusal, REFUSE_NONE);
}

/* The negative control: a PSTN caller is transferred by the SBC to a second user of ours. */
Test(hairpin, transfer_to_a_second_user_passes) {
  own(guard) g = NULL;
  own(conf) c = config();
  cr_assert_eq(guard_new(&g, c), 0);
  const struct conf_trunk *t = conf_trunk_find(c, SLICE("inner"));
  struct ask first = ask_of(c, "inner", "", "198.51.100.40", "", "", "198.51.100.40");
  snprintf(first.caller, sizeof(first.caller), "+4930123456");
  snprintf(first.session_id, sizeof(first.session_id), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
  cr_assert_eq(guard_admit(g, &first, 1000000).refusal, REFUSE_NONE);
  struct ask second = first;
  snprintf(second.called, sizeof(second.called), "+15550100003");
  cr_assert_eq(guard_admit(g, &second, 2000000).refusal, REFUSE_NONE,
               "also with the caller's own Session-ID");
  /* A user calls out; the one called is then transferred by the SBC to a second user. */
  guard_note_out(g, t, SLICE("+15550100001"), SLICE("+4930123456"), SLICE(OURS), 3000000);
  snprintf(second.session_id, sizeof(second.session_id), "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
  cr_assert_eq(guard_admit(g, &second, 4000000).refusal, REFUSE_NONE);
  /* PSTN to PSTN by a forwarding user: out with the caller's number, to a third. */
  guard_note_out(g, t, SLICE("+4930123456"), SLICE("+4940123456"), SLICE(""), 4000000);
  cr_assert_eq(guard_admit(g, &second, 5000000).refusal, REFUSE_NONE);
  guard_note_out(g, t, SLICE(""), SLICE("+15550100003"), SLICE("00000000000000000000000000000000"),
                 5000000);
  snprintf(second.session_id, sizeof(second.session_id), "00000000000000000000000000000000");
  cr_assert_eq(guard_admit(g, &second, 5000000).refusal, REFUSE_NONE, "the nil UUID names no call");
}

Test(hairpin, notes_are_bounded) {
  own(guard) g = NULL;
  own(conf) c = config();
  char number[32], id[33];
  cr_assert_eq(guard_new(&g, c), 0);
  for (unsigned i = 0; i < 3 * GUARD_NOTES_MAX; i++) {
    snprintf(number, sizeof(number), "+1%09u", i);
    snprintf(id, sizeof(id), "%032x", i + 1);
    guard_note_out(g, &c->trunks[0], SLICE("+15550100001"), slice_of(number), slice_of(id), i);
  }
  cr_assert_eq(map_count(g->by_session), GUARD_NOTES_MAX);
  cr_assert_eq(map_count(g->by_pair), GUARD_NOTES_MAX);
}

Test(answer, chain) {
  own(guard) g = NULL;
  own(conf) c = config();
  cr_assert_eq(guard_new(&g, c), 0);
  const struct conf_trunk *plain = conf_trunk_find(c, SLICE("plain")),
                          *carrier = conf_trunk_find(c, SLICE("carrier"));
  struct ask_hosts none = {0}, stranger = hosts("k.example"), own_rr = hosts("198.51.100.1"),
                   name = hosts("carrier.example");
  cr_assert_eq(guard_answer_chain(g, plain, &none, SLICE("198.51.100.1:5060"), &none).refusal,
               REFUSE_NONE);
  cr_assert_eq(guard_answer_chain(g, plain, &own_rr, SLICE("198.51.100.1"), &none).refusal, REFUSE_NONE);
  cr_assert_eq(guard_answer_chain(g, plain, &stranger, SLICE("198.51.100.1"), &none).refusal,
               REFUSE_PROXY);
  cr_assert_eq(guard_answer_chain(g, plain, &none, SLICE("203.0.113.9"), &none).refusal, REFUSE_CONTACT);
  cr_assert_eq(guard_answer_chain(g, carrier, &none, SLICE("out.carrier.example"), &name).refusal,
               REFUSE_NONE);
  cr_assert_eq(count_get(guard_counts(g), REFUSE_PROXY), 1);
}

Test(relay, native_and_vpn) {
  static const struct {
    const char *address;
    bool native, vpn;
  } rows[] = {{"198.51.100.7:49152", true, false},
              {"203.0.113.5:1", true, false},
              {"198.51.100.8:1", false, false},
              {"192.0.2.77:50001", true, false},
              {"10.8.3.4:1", false, true}};
  own(guard) g = NULL;
  own(conf) c = config();
  cr_assert_eq(guard_new(&g, c), 0);
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct addr a;
    cr_assert_eq(addr_parse_port(&a, slice_of(rows[i].address)), 0);
    cr_assert_eq(guard_relay_is_native(g, &a), rows[i].native, "row %zu", i);
    cr_assert_eq(guard_is_vpn(g, &a), rows[i].vpn, "row %zu", i);
  }
}

Test(bucket, rate_and_burst) {
  struct bucket b = {0};
  unsigned passed = 0;
  for (uint64_t now = 1; now < 10000000; now += 1000)
    passed += bucket_take(&b, 10, now);
  cr_assert(passed >= 108 && passed <= 110, "%u", passed);
  struct bucket slow = {0};
  cr_assert(bucket_take(&slow, 0, 5));
  cr_assert_not(bucket_take(&slow, 0, 5));
  cr_assert_not(bucket_take(&slow, 0, 4), "time does not go back");
  cr_assert(bucket_take(&slow, 0, UINT64_MAX));
}

Test(refuse, rows_are_whole) {
  for (unsigned r = 1; r < REFUSE_COUNT_; r++) {
    const struct refusal_row *row = refusal_row((enum refusal)r);
    cr_assert(row->rule[0] && row->code[0] && row->title[0], "row %u", r);
    cr_assert(row->sip == 0 || (row->sip >= 400 && row->sip < 700), "row %u", r);
    cr_assert(row->http >= 400 && row->http < 600 && row->q850 > 0 && row->q850 < 128, "row %u", r);
    if (strncmp(row->code, "policy:", 7) == 0)
      cr_assert_str_eq(row->code + 7, row->rule, "row %u", r);
  }
}

Test(ban, ten_failures_a_minute_and_for_five) {
  own(conf) c = config();
  own(guard) g = NULL;
  struct addr a, b;
  uint64_t now = 1000000000;
  cr_assert_eq(guard_new(&g, c), 0);
  cr_assert_eq(addr_parse(&a, SLICE("2001:db8::1"), 1), 0);
  cr_assert_eq(addr_parse(&b, SLICE("2001:db8::ffff"), 2), 0);
  for (unsigned i = 0; i < 30; i++, now += 7000000)
    cr_assert_not(guard_note_failure(g, &a, now), "spread over time, number %u", i);
  now += 61000000;
  for (unsigned i = 0; i < 9; i++)
    cr_assert_not(guard_note_failure(g, &a, now));
  cr_assert_not(guard_is_banned(g, &a, now));
  cr_assert(guard_note_failure(g, &b, now), "the network of a /64 is one");
  cr_assert(guard_is_banned(g, &a, now + 299000000));
  cr_assert_not(guard_is_banned(g, &a, now + 301000000));
  cr_assert_eq(addr_parse(&b, SLICE("192.0.2.1"), 2), 0);
  cr_assert_not(guard_is_banned(g, &b, now));
}

/* What is kept has a limit: the oldest is forgotten. */
Test(ban, many_sources) {
  own(conf) c = config();
  own(guard) g = NULL;
  struct addr a;
  cr_assert_eq(guard_new(&g, c), 0);
  for (unsigned i = 0; i < 5000; i++) {
    char ip[32];
    snprintf(ip, sizeof ip, "10.0.%u.%u", i / 256, i % 256);
    cr_assert_eq(addr_parse(&a, slice_of(ip), 1), 0);
    for (unsigned k = 0; k < 10; k++)
      guard_note_failure(g, &a, 1000);
    cr_assert(guard_is_banned(g, &a, 1000), "%u", i);
  }
  cr_assert_eq(addr_parse(&a, SLICE("10.0.0.0"), 1), 0);
  cr_assert_not(guard_is_banned(g, &a, 1000));
}
