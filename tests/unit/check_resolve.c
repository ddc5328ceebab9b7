/* SPDX-License-Identifier: Apache-2.0
 * From a URI to addresses over a fake DNS in virtual time: RFC 3263's choices, bounds, and what a dead
 * or hostile DNS does (attacks: poisoned or huge sets, TTL 0, silence). */
#include "trunk/resolve.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const struct zone {
  const char *name;
  enum dns_type type;
  uint32_t ttl_s;
  const char *data; /* ip, "PRIORITY WEIGHT PORT TARGET", "ORDER PREFERENCE FLAGS SERVICE REPLACEMENT" */
} zone[] = {
    {"naptr.t", DNS_NAPTR, 60, "20 1 s SIP+D2U _sip._udp.naptr.t"},
    {"naptr.t", DNS_NAPTR, 60, "10 1 s SIP+D2T _sip._tcp.naptr.t"},
    {"naptr.t", DNS_NAPTR, 60, "5 1 s SIPS+D2T _sips._tcp.naptr.t"},
    {"naptr.t", DNS_NAPTR, 60, "1 1 u E2U+sip elsewhere.t"},
    {"_sip._udp.naptr.t", DNS_SRV, 60, "10 1 5062 b.t"},
    {"_sip._tcp.naptr.t", DNS_SRV, 60, "10 1 5061 b.t"},
    {"_sips._tcp.naptr.t", DNS_SRV, 60, "10 1 5061 b.t"},
    {"_sip._udp.srv.t", DNS_SRV, 60, "20 5 5060 c.t"},
    {"_sip._udp.srv.t", DNS_SRV, 60, "10 60 5070 a.t"},
    {"_sip._udp.srv.t", DNS_SRV, 60, "10 40 5071 b.t"},
    {"_sip._udp.dangle.t", DNS_SRV, 60, "1 1 5060 nobody.t"},
    {"_sip._udp.dangle.t", DNS_SRV, 60, "2 1 5060 a.t"},
    {"_sip._tcp.tcponly.t", DNS_SRV, 60, "1 1 5060 a.t"},
    {"_sip._udp.gone.t", DNS_SRV, 60, "0 0 0 "},
    {"gone.t", DNS_A, 60, "192.0.2.66"},
    {"a.t", DNS_A, 60, "192.0.2.1"},
    {"a.t", DNS_AAAA, 60, "2001:db8::1"},
    {"b.t", DNS_A, 7200, "192.0.2.2"},
    {"c.t", DNS_A, 60, "192.0.2.3"},
    {"zero.t", DNS_A, 0, "192.0.2.4"},
    {"any.t", DNS_A, 60, "0.0.0.0"},
};

static struct rig {
  struct resolver *r;
  uint64_t now_us;
  unsigned asked, answered;
  uint32_t random; /* random is what below gives, modulo its bound */
  bool is_dead, is_servfail, is_later, is_huge;
  char pending[64][80];
  enum dns_type pending_type[64];
  unsigned n_pending;
  unsigned done;
  int error;
  struct resolve_list list;
} rig;

static void data_fill(struct dns_record *ret, const struct zone *z) {
  unsigned a = 0, b = 0, c = 0;
  struct addr ip;
  if (z->type == DNS_SRV) {
    sscanf(z->data, "%u %u %u %255s", &a, &b, &c, ret->srv.target);
    ret->srv.priority = (uint16_t)a, ret->srv.weight = (uint16_t)b, ret->srv.port = (uint16_t)c;
  } else if (z->type == DNS_NAPTR) {
    sscanf(z->data, "%u %u %3s %31s %255s", &a, &b, ret->naptr.flags, ret->naptr.service,
           ret->naptr.replacement);
    ret->naptr.order = (uint16_t)a, ret->naptr.preference = (uint16_t)b;
  } else {
    cr_assert_eq(addr_parse(&ip, slice_of(z->data), 0), 0);
    if (z->type == DNS_A)
      memcpy(ret->ip, &ip.in4.sin_addr, 4);
    else
      memcpy(ret->ip, &ip.in6.sin6_addr, 16);
  }
}

static void answer(const char *name, enum dns_type type) {
  struct dns_answer a = {0};
  a.rcode = rig.is_servfail ? 2 : 0;
  for (size_t i = 0; i < COUNT_OF(zone) && !a.rcode; i++)
    if (zone[i].type == type && !strcmp(zone[i].name, name)) {
      a.ttl_s = zone[i].ttl_s;
      data_fill(&a.list[a.n++], &zone[i]);
    }
  for (unsigned i = 0; rig.is_huge && i < DNS_RECORDS_MAX; i++) {
    a.n = i + 1;
    if (type == DNS_SRV)
      a.list[i].srv = (struct dns_srv){.port = 5060}, sprintf(a.list[i].srv.target, "h%u.t", i);
    else if (type == DNS_A)
      a.list[i] = (struct dns_record){.ip = {10, (uint8_t)i, (uint8_t)name[1], 1}};
    else
      a.n = 0;
  }
  rig.answered++;
  resolver_answer(rig.r, name, type, 0, &a, rig.now_us);
}

static int ask(void *arg, const char *name, enum dns_type type) {
  (void)arg;
  rig.asked++;
  if (rig.is_dead)
    return 0;
  if (rig.is_later) {
    snprintf(rig.pending[rig.n_pending], 80, "%s", name);
    rig.pending_type[rig.n_pending++] = type;
    return 0;
  }
  answer(name, type);
  return 0;
}

static void answer_pending(void) {
  while (rig.n_pending) {
    char name[80];
    snprintf(name, sizeof name, "%s", rig.pending[--rig.n_pending]);
    answer(name, rig.pending_type[rig.n_pending]);
  }
}

static uint32_t below(uint32_t bound) { return bound ? rig.random % bound : 0; }

static void on_done(void *arg, uint64_t magic, int error, const struct resolve_list *list) {
  (void)arg;
  cr_expect_eq(magic, 77);
  rig.done++;
  rig.error = error;
  rig.list = *list;
}

static void begin(void) {
  memset(&rig, 0, sizeof rig);
  rig.now_us = 1000000;
  cr_assert_eq(resolver_new(&rig.r, &(struct resolver_env){.ask = ask, .below = below}), 0);
}
static void end(void) { rig.r = resolver_free(rig.r); }
TestSuite(resolve, .init = begin, .fini = end);

static int look(const char *host, uint16_t port, uint8_t transport, uint8_t allowed, int family) {
  pool_handle job;
  struct resolve_want want = {
      .port = port, .transport = transport, .allowed = allowed, .family = family};
  want.preferred = allowed & 1 ? TRANSPORT_UDP : allowed & 2 ? TRANSPORT_TCP : TRANSPORT_TLS;
  slice_copy(want.host, sizeof want.host, slice_of(host));
  return resolver_look(rig.r, &want, rig.now_us, on_done, NULL, 77, &job, &rig.list);
}

/* "udp 192.0.2.1:5060, …" */
static const char *hits(void) {
  static char text[1024];
  static const char *const names[] = {"udp", "tcp", "tls"};
  char one[ADDR_TEXT_BYTES];
  size_t n = 0;
  text[0] = 0;
  for (uint32_t i = 0; i < rig.list.n; i++)
    n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %s", i ? ", " : "",
                          names[rig.list.hits[i].transport],
                          addr_text(&rig.list.hits[i].addr, one, sizeof one));
  return text;
}

enum { UDP = 1 << TRANSPORT_UDP, TCP = 1 << TRANSPORT_TCP, TLS = 1 << TRANSPORT_TLS };

Test(resolve, literals_ask_nobody) {
  cr_assert_eq(look("192.0.2.9", 0, RESOLVE_ANY, UDP, AF_INET), 1);
  cr_expect_str_eq(hits(), "udp 192.0.2.9:5060");
  cr_assert_eq(look("2001:db8::9", 0, RESOLVE_ANY, TLS, AF_INET6), 1);
  cr_expect_str_eq(hits(), "tls [2001:db8::9]:5061");
  cr_assert_eq(look("192.0.2.9", 5070, TRANSPORT_TCP, UDP | TCP, AF_INET), 1);
  cr_expect_str_eq(hits(), "tcp 192.0.2.9:5070");
  cr_expect_eq(look("192.0.2.9", 0, TRANSPORT_TLS, UDP | TCP, AF_INET), -EPROTONOSUPPORT);
  cr_expect_eq(rig.asked, 0);
}

Test(resolve, a_port_means_addresses_only) {
  cr_assert_eq(look("a.t", 5080, RESOLVE_ANY, UDP, AF_UNSPEC), 1);
  cr_expect_str_eq(hits(), "udp [2001:db8::1]:5080, udp 192.0.2.1:5080", "AAAA first");
  cr_expect_eq(rig.asked, 2);
  cr_assert_eq(look("a.t", 5080, RESOLVE_ANY, UDP, AF_INET), 1);
  cr_expect_str_eq(hits(), "udp 192.0.2.1:5080");
}

Test(resolve, naptr_chooses_the_transport) {
  cr_assert_eq(look("naptr.t", 0, RESOLVE_ANY, UDP | TCP, AF_INET), 1);
  cr_expect_str_eq(hits(), "tcp 192.0.2.2:5061, udp 192.0.2.2:5062");
  cr_assert_eq(look("naptr.t", 0, RESOLVE_ANY, UDP, AF_INET), 1);
  cr_expect_str_eq(hits(), "udp 192.0.2.2:5062");
  cr_assert_eq(look("naptr.t", 0, RESOLVE_ANY, TLS, AF_INET), 1);
  cr_expect_str_eq(hits(), "tls 192.0.2.2:5061");
}

Test(resolve, a_transport_means_no_naptr) {
  cr_assert_eq(look("naptr.t", 0, TRANSPORT_UDP, UDP | TCP, AF_INET), 1);
  cr_expect_str_eq(hits(), "udp 192.0.2.2:5062");
  cr_expect_eq(rig.asked, 3, "its services, their host, and the name itself");
}

Test(resolve, priority_then_weight) {
  rig.random = 0;
  cr_assert_eq(look("srv.t", 0, RESOLVE_ANY, UDP, AF_INET), 1);
  cr_expect_str_eq(hits(), "udp 192.0.2.1:5070, udp 192.0.2.2:5071, udp 192.0.2.3:5060");
  rig.random = 60 * 16 + 1;
  cr_assert_eq(look("srv.t", 0, RESOLVE_ANY, UDP, AF_INET), 1);
  cr_expect_str_eq(hits(), "udp 192.0.2.2:5071, udp 192.0.2.1:5070, udp 192.0.2.3:5060");
  unsigned first = 0;
  for (rig.random = 0; rig.random < 1602; rig.random++)
    if (look("srv.t", 0, RESOLVE_ANY, UDP, AF_INET) == 1)
      first += addr_port(&rig.list.hits[0].addr) == 5070;
  cr_expect_eq(first, 60 * 16 + 1, "its share of the choices");
}

/* For people: the records themselves, also of a name without an address. */
Test(resolve, seats_of_what_is_known) {
  struct resolve_seat seats[4];
  struct resolve_want want = {.transport = RESOLVE_ANY, .preferred = TRANSPORT_UDP, .allowed = 7};
  snprintf(want.host, sizeof want.host, "srv.t");
  cr_assert_eq(resolver_seats(rig.r, &want, rig.now_us, seats, 4), 0, "nothing is known");
  cr_assert_eq(rig.asked, 0);
  cr_assert_eq(look("srv.t", 0, RESOLVE_ANY, UDP | TCP | TLS, AF_UNSPEC), 1);
  cr_assert_eq(resolver_seats(rig.r, &want, rig.now_us, seats, 4), 3);
  cr_assert(seats[2].priority == 20 && seats[2].weight == 5 && seats[2].port == 5060 && seats[2].n_addrs == 1);
  cr_assert_str_eq(seats[2].name, "c.t");
  cr_assert(seats[0].priority == 10 && seats[1].priority == 10 && seats[0].n_addrs + seats[1].n_addrs == 3);
  cr_assert_eq(resolver_seats(rig.r, &want, rig.now_us, seats, 2), 2);
  cr_assert_eq(look("dangle.t", 0, RESOLVE_ANY, UDP | TCP | TLS, AF_UNSPEC), 1);
  snprintf(want.host, sizeof want.host, "dangle.t");
  cr_assert_eq(resolver_seats(rig.r, &want, rig.now_us, seats, 4), 2);
  cr_assert(!strcmp(seats[0].name, "nobody.t") && !seats[0].n_addrs && seats[1].n_addrs == 2);
}

Test(resolve, service_of_another_transport) {
  cr_assert_eq(look("tcponly.t", 0, RESOLVE_ANY, UDP | TCP, AF_INET), 1);
  cr_expect_str_eq(hits(), "tcp 192.0.2.1:5060");
}

Test(resolve, without_services_the_name_itself) {
  cr_assert_eq(look("a.t", 0, RESOLVE_ANY, UDP | TCP, AF_INET), 1);
  cr_expect_str_eq(hits(), "udp 192.0.2.1:5060");
  cr_assert_eq(look("a.t", 0, RESOLVE_ANY, TLS, AF_INET), 1);
  cr_expect_str_eq(hits(), "tls 192.0.2.1:5061");
}

Test(resolve, a_service_that_is_denied_is_not_tried) {
  cr_expect_eq(look("gone.t", 0, RESOLVE_ANY, UDP, AF_INET), -ENOENT);
  cr_expect_eq(look("nobody.t", 0, RESOLVE_ANY, UDP, AF_INET), -ENOENT);
  cr_expect_eq(look("any.t", 5060, RESOLVE_ANY, UDP, AF_INET), -ENOENT, "0.0.0.0 would be ourselves");
}

Test(resolve, what_is_known_is_not_asked_until_its_time) {
  cr_assert_eq(look("b.t", 5060, RESOLVE_ANY, UDP, AF_INET), 1);
  rig.now_us += 3599000000;
  cr_assert_eq(look("b.t", 5060, RESOLVE_ANY, UDP, AF_INET), 1);
  cr_expect_eq(rig.asked, 1, "7200 s are cut to 3600");
  rig.now_us += 1000000;
  cr_assert_eq(look("b.t", 5060, RESOLVE_ANY, UDP, AF_INET), 1);
  cr_expect_eq(rig.asked, 2);
}

Test(resolve, ttl_zero_is_five_seconds) {
  for (unsigned i = 0; i < 100; i++)
    cr_assert_eq(look("zero.t", 5060, RESOLVE_ANY, UDP, AF_INET), 1);
  cr_expect_eq(rig.asked, 1);
  rig.now_us += 5000000;
  cr_assert_eq(look("zero.t", 5060, RESOLVE_ANY, UDP, AF_INET), 1);
  cr_expect_eq(rig.asked, 2);
}

Test(resolve, answers_that_come_later) {
  rig.is_later = true;
  cr_assert_eq(look("srv.t", 0, RESOLVE_ANY, UDP, AF_INET), 0);
  cr_assert_eq(look("srv.t", 0, RESOLVE_ANY, UDP, AF_INET), 0);
  cr_expect_eq(rig.asked, 3, "one question of a kind for both");
  answer_pending();
  cr_expect_eq(rig.done, 2);
  cr_expect_eq(rig.error, 0);
  cr_expect_str_eq(hits(), "udp 192.0.2.1:5070, udp 192.0.2.2:5071, udp 192.0.2.3:5060");
  cr_expect_eq(resolver_next_us(rig.r), UINT64_MAX);
}

Test(resolve, a_dead_dns_harms_no_other_name) {
  cr_assert_eq(look("a.t", 5060, RESOLVE_ANY, UDP, AF_INET), 1);
  rig.is_dead = true;
  for (unsigned i = 0; i < 50; i++)
    cr_assert_eq(look("dead.t", 5060, RESOLVE_ANY, UDP, AF_INET), 0);
  cr_expect_eq(rig.asked, 2);
  cr_expect_eq(look("a.t", 5060, RESOLVE_ANY, UDP, AF_INET), 1);
  cr_expect_eq(resolver_next_us(rig.r), rig.now_us + RESOLVE_JOB_S * 1000000);
  rig.now_us += 3000000;
  resolver_answer(rig.r, "dead.t", DNS_A, -ETIMEDOUT, NULL, rig.now_us);
  cr_expect_eq(rig.done, 50);
  cr_expect_eq(rig.error, -ETIMEDOUT);
  cr_expect_eq(look("dead.t", 5060, RESOLVE_ANY, UDP, AF_INET), -ETIMEDOUT, "remembered");
  rig.now_us += 5000000;
  cr_expect_eq(look("dead.t", 5060, RESOLVE_ANY, UDP, AF_INET), 0, "asked again");
}

Test(resolve, a_silent_server_costs_its_time_once) {
  rig.is_dead = true;
  cr_assert_eq(look("dead.t", 0, RESOLVE_ANY, UDP, AF_INET), 0);
  cr_expect_eq(rig.asked, 3, "all at once");
  resolver_answer(rig.r, "dead.t", DNS_NAPTR, -ETIMEDOUT, NULL, rig.now_us);
  resolver_answer(rig.r, "_sip._udp.dead.t", DNS_SRV, -ETIMEDOUT, NULL, rig.now_us);
  cr_expect_eq(rig.done, 0);
  resolver_answer(rig.r, "dead.t", DNS_A, -ETIMEDOUT, NULL, rig.now_us);
  cr_expect(rig.done == 1 && rig.error == -ETIMEDOUT);
}

Test(resolve, an_answer_that_never_comes) {
  rig.is_dead = true;
  cr_assert_eq(look("dead.t", 0, RESOLVE_ANY, UDP, AF_INET), 0);
  rig.now_us += RESOLVE_JOB_S * 1000000;
  resolver_run(rig.r, rig.now_us);
  cr_expect_eq(rig.done, 1);
  cr_expect_eq(rig.error, -ETIMEDOUT);
}

Test(resolve, a_server_that_fails_is_not_the_name_s_end) {
  rig.is_servfail = true;
  cr_expect_eq(look("a.t", 0, RESOLVE_ANY, UDP, AF_INET), -EIO);
  rig.is_servfail = false;
  rig.now_us += 5000000;
  cr_expect_eq(look("a.t", 0, RESOLVE_ANY, UDP, AF_INET), 1);
}

Test(resolve, huge_sets_end_at_sixteen) {
  rig.is_huge = true;
  cr_assert_eq(look("huge.t", 0, RESOLVE_ANY, UDP, AF_INET), 1);
  cr_expect_eq(rig.list.n, RESOLVE_HITS_MAX);
  cr_expect_leq(rig.asked, 3 + DNS_RECORDS_MAX);
}

Test(resolve, memory_is_bounded) {
  char host[32];
  for (unsigned i = 0; i < 3 * RESOLVE_NAMES_MAX; i++) {
    snprintf(host, sizeof host, "n%u.t", i);
    cr_expect_eq(look(host, 5060, RESOLVE_ANY, UDP, AF_INET), -ENOENT);
  }
  cr_expect_eq(resolver_names(rig.r), RESOLVE_NAMES_MAX);
  rig.is_dead = true;
  int e = 0;
  for (unsigned i = 0; i <= RESOLVE_JOBS_MAX; i++)
    e = look("dead.t", 5060, RESOLVE_ANY, UDP, AF_INET);
  cr_expect_eq(e, -ENOSPC);
}
