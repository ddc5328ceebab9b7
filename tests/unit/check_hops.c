/* SPDX-License-Identifier: Apache-2.0
 * An INVITE over the targets of its trunk: sockets on loopback for targets that are silent, refuse, are
 * busy or answer; names are told to the resolver before; virtual time. */
#include "trunkfake.h"

#include "trunk/hops.h"
#include "trunk/shun.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define SDP \
  "v=0\r\no=- 5 5 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"

enum { PEERS = 3 };
static struct peer {
  int fd;
  uint16_t port;
} peers[PEERS];
static char text[16000], invites[PEERS][8000];

static void use(unsigned i) {
  rig_socket = peers[i].fd;
  rig_peer_port = peers[i].port;
}

static void peer_open(struct peer *p) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  cr_assert(bind(p->fd, (struct sockaddr *)&a, n) == 0 &&
            getsockname(p->fd, (struct sockaddr *)&a, &n) == 0);
  p->port = ntohs(a.sin_port);
}

static void tell(const char *name, enum dns_type type, const struct dns_answer *a) {
  resolver_answer(rig_trunks->resolver, name, type, 0, a, loop_now_us(rig_trunks->env.loop));
}

/* hop.test: a service of n targets on loopback, in order. */
static void names_tell(unsigned n) {
  struct dns_answer none = {.n = 0}, srv = {.n = n, .ttl_s = 3600}, a = {.n = 1, .ttl_s = 3600};
  for (unsigned i = 0; i < n; i++) {
    srv.list[i].srv = (struct dns_srv){.priority = (uint16_t)i, .port = peers[i].port};
    strcpy(srv.list[i].srv.target, "a.hop.test");
  }
  memcpy(a.list[0].ip, "\x7f\0\0\1", 4);
  tell("hop.test", DNS_NAPTR, &none);
  tell("_sip._udp.hop.test", DNS_SRV, &srv);
  tell("a.hop.test", DNS_A, &a);
}

static void shape(struct conf *c) {
  strcpy(c->trunks[0].target, "sip:hop.test");
  c->trunks[0].udp_to_tcp = true;
}

/* The watch of the trunk learns of its targets. */
static void trunks_retarget(void) {
  char why[256];
  cr_assert_eq(trunks_reload(rig_trunks, &rig_conf, why, sizeof why), 0);
}

static void begin(void) {
  rig_shape = shape;
  rig_start();
  peers[0] = (struct peer){rig_socket, rig_peer_port};
  for (unsigned i = 1; i < PEERS; i++)
    peer_open(&peers[i]);
  names_tell(PEERS);
}
static void end(void) {
  use(0);
  for (unsigned i = 1; i < PEERS; i++)
    if (peers[i].fd >= 0)
      close(peers[i].fd);
  rig_stop();
}
TestSuite(hops, .init = begin, .fini = end, .timeout = 30);

static struct fake_leg *ring(void) {
  struct leg *l = rig_ring("+15551234");
  cr_assert(l);
  for (unsigned i = 0; i < FAKE_LEGS; i++)
    if (&fake.legs[i].leg == l)
      return &fake.legs[i];
  cr_assert(false);
  return NULL;
}

/* The INVITE that came to that peer; NULL if none did. */
static const char *heard(unsigned i) {
  use(i);
  const char *m = rig_hear_method("INVITE");
  if (m)
    snprintf(invites[i], sizeof invites[i], "%s", m);
  return m ? invites[i] : NULL;
}

static void say(unsigned i, int status, const char *tag, const char *extra, const char *body) {
  const char *m = invites[i];
  use(i);
  snprintf(text, sizeof text,
           "SIP/2.0 %d Text\nVia: %s\nFrom: %s\nTo: %s%s%s\nCall-ID: %s\nCSeq: %s\n"
           "Contact: <sip:bob@127.0.0.1:$P>\n%s%s\n%s",
           status, rig_header(m, "Via"), rig_header(m, "From"), rig_header(m, "To"), *tag ? ";tag=" : "",
           tag, rig_header(m, "Call-ID"), rig_header(m, "CSeq"), extra,
           *body ? "Content-Type: application/sdp\n" : "", body);
  rig_say(text);
}

Test(hops, the_first_answers) {
  struct fake_leg *f = ring();
  cr_assert(heard(0));
  cr_expect(strstr(invites[0], "INVITE sip:+15551234@hop.test"), "the name stays: %.60s", invites[0]);
  cr_expect_null(strstr(invites[0], "maddr"));
  cr_expect_null(strstr(invites[0], "Route:"));
  say(0, 200, "a", "", SDP);
  cr_assert(f->answered);
  cr_assert(rig_hear_method("ACK"));
  cr_expect_null(heard(1));
}

Test(hops, silence_is_two_seconds) {
  struct fake_leg *f = ring();
  cr_assert(heard(0));
  rig_run(1900);
  cr_assert_null(heard(1));
  rig_run(200);
  cr_assert(heard(1), "on to the next");
  cr_expect_str_eq(rig_header(invites[0], "Call-ID"), rig_header(invites[1], "Call-ID"));
  cr_expect_str_neq(rig_header(invites[0], "Via"), rig_header(invites[1], "Via"));
  cr_expect_str_eq(rig_body(invites[0]), rig_body(invites[1]), "the same offer");
  say(1, 200, "b", "", SDP);
  cr_assert(f->answered);
  cr_assert(rig_hear_method("ACK"));
  ring();
  cr_assert(heard(1), "the silent one is not first any more");
  rig_run(10);
  cr_expect_null(heard(2));
}

/* A carrier that says 100 and nothing more. */
Test(hops, progress_has_time) {
  struct fake_leg *f = ring();
  cr_assert(heard(0));
  say(0, 100, "", "", "");
  rig_run(30000);
  cr_assert_not(f->is_over, "as long as it likes");
}

Test(hops, progress_is_due_in_the_time_of_its_setting) {
  rig_conf.trunks[0].progress_s = 15;
  struct fake_leg *f = ring();
  cr_assert(heard(0));
  rig_run(1000);
  say(0, 100, "", "", "");
  rig_run(14500);
  cr_assert_not(f->is_over);
  rig_run(1000);
  cr_assert(f->is_over);
  cr_expect_eq(f->leg.cause.sip, 408);
  cr_expect_null(heard(1), "who said 100 has the call");
}

Test(hops, who_speaks_too_late_is_told) {
  ring();
  cr_assert(heard(0));
  rig_run(2100);
  cr_assert(heard(1));
  say(0, 180, "a", "", "");
  use(0);
  cr_assert(rig_hear_method("CANCEL"));
  say(0, 200, "a", "", SDP);
  use(0);
  cr_assert(rig_hear_method("ACK"));
  cr_assert(rig_hear_method("BYE"));
  say(1, 200, "b", "", SDP);
  cr_assert(rig_hear_method("ACK"));
  cr_assert_null(rig_hear_method("BYE"));
}

Test(hops, all_are_silent) {
  struct fake_leg *f = ring();
  rig_run(9900);
  cr_assert_not(f->is_over);
  cr_assert(heard(0) && heard(1) && heard(2));
  rig_run(200);
  cr_assert(f->is_over, "the trunk's time");
  cr_expect_eq(f->leg.cause.sip, 408);
  cr_expect_eq(fake.done, 1);
  f = ring();
  cr_assert(heard(0), "all of them shunned is as good as none");
}

Test(hops, busy_with_a_time) {
  ring();
  cr_assert(heard(0));
  say(0, 503, "a", "Retry-After: 120\n", "");
  cr_assert(rig_hear_method("ACK"));
  cr_assert(heard(1), "at once");
  say(1, 503, "b", "Retry-After: 7200\n", "");
  cr_assert(heard(2));
  say(2, 180, "c", "", "");
  ring();
  cr_assert(heard(2), "the others are left alone");
  say(2, 503, "c", "Retry-After: 60\n", "");
  cr_assert_null(heard(0));
  struct fake_leg *f = ring();
  cr_assert(f->is_over, "all asked for quiet: refused at once");
  cr_expect_eq(f->leg.cause.sip, 503);
  cr_expect_eq(f->leg.cause.by, BY_CALLEE);
  rig_run(60000);
  names_tell(PEERS);
  while (heard(2)) {
  }
  ring();
  cr_assert(heard(2), "its time is over");
}

Test(hops, busy_without_a_time) {
  ring();
  cr_assert(heard(0));
  say(0, 503, "a", "", "");
  cr_assert(heard(1));
  say(1, 486, "b", "", "");
  ring();
  cr_assert(heard(1));
  say(1, 486, "b", "", "");
  cr_assert_null(heard(0));
  rig_run(33000);
  names_tell(PEERS); /* their time is over, too */
  ring();
  cr_assert(heard(0), "32 s later it is the first again");
}

Test(hops, other_finals_are_the_answer) {
  static const int finals[] = {404, 408, 480, 486, 500, 600, 603};
  for (unsigned i = 0; i < sizeof finals / sizeof finals[0]; i++) {
    struct fake_leg *f = ring();
    cr_assert(heard(0));
    say(0, finals[i], "a", "", "");
    cr_assert(rig_hear_method("ACK"));
    cr_expect(f->is_over);
    cr_expect_eq(f->leg.cause.sip, finals[i]);
    cr_expect_null(heard(1), "%d", finals[i]);
  }
}

Test(hops, none_after_a_provisional) {
  struct fake_leg *f = ring();
  cr_assert(heard(0));
  say(0, 180, "a", "", "");
  rig_run(20000);
  cr_expect_null(heard(1));
  say(0, 503, "a", "", "");
  cr_expect(f->is_over);
  cr_expect_eq(f->leg.cause.sip, 503);
  cr_expect_null(heard(1));
}

Test(hops, a_100_is_a_sign_of_life) {
  struct fake_leg *f = ring();
  cr_assert(heard(0));
  say(0, 100, "", "", "");
  rig_run(20000);
  cr_expect_null(heard(1));
  cr_expect_not(f->is_over);
  say(0, 503, "a", "", "");
  cr_expect(heard(1), "but no more than that");
}

Test(hops, refused_at_once) {
  close(peers[0].fd);
  peers[0].fd = -1;
  struct fake_leg *f = ring();
  rig_run(100);
  cr_assert(heard(1));
  say(1, 200, "b", "", SDP);
  cr_assert(f->answered);
  use(1);
  struct fake_leg *g = ring();
  cr_assert(heard(1));
  cr_expect_not(g->is_over);
  peer_open(&peers[0]); /* for the end */
}

Test(hops, canceled_while_it_goes_on) {
  struct fake_leg *f = ring();
  cr_assert(heard(0));
  leg_end(&f->leg, (struct cause){.reason = END_CANCELED, .by = BY_CALLER});
  rig_run(40000);
  cr_expect_null(heard(1));
  cr_expect(trunks_is_idle(rig_trunks));
}

Test(hops, canceled_before_the_address_is_known) {
  strcpy(rig_conf.trunks[0].target, "sip:unknown.test");
  struct fake_leg *f = ring();
  leg_end(&f->leg, (struct cause){.reason = END_CANCELED, .by = BY_CALLER});
  rig_settle();
  cr_expect(trunks_is_idle(rig_trunks), "nothing is out, nothing lingers");
}

Test(hops, no_address) {
  struct dns_answer none = {.n = 0};
  strcpy(rig_conf.trunks[0].target, "sip:nobody.test:5060");
  struct fake_leg *f = ring();
  tell("nobody.test", DNS_A, &none);
  rig_settle();
  cr_assert(f->is_over);
  cr_expect_eq(f->leg.cause.sip, 502);
  cr_expect_eq(f->leg.cause.reason, END_TRUNK_FAILURE);
  f = ring();
  cr_expect(f->is_over, "remembered");
  strcpy(rig_conf.trunks[0].target, "sip:hop.test");
  ring();
  cr_expect(heard(0));
}

Test(hops, the_next_uri) {
  struct dns_answer none = {.n = 0};
  struct conf_names *t = &rig_conf.trunks[0].targets;
  t->n = 3;
  strcpy(t->text[0], "sip:nobody.test:5060");
  strcpy(t->text[1], "sip:hop.test");
  snprintf(t->text[2], sizeof t->text[2], "sip:127.0.0.1:%u", peers[2].port);
  tell("nobody.test", DNS_A, &none);
  names_tell(1);
  trunks_retarget();
  ring();
  cr_assert(heard(0), "a name without an address is passed by");
  cr_expect(strstr(invites[0], "INVITE sip:+15551234@hop.test"));
  say(0, 503, "a", "", "");
  cr_assert(heard(2));
  cr_expect_null(strstr(invites[2], "hop.test"), "nor in To: %s", rig_header(invites[2], "To"));
  say(2, 200, "b", "", SDP);
  cr_expect(rig_hear_method("ACK"));
}

Test(hops, pinned_to_one) {
  struct hop list[PEERS];
  cr_assert_eq(hops_list(rig_trunks, &rig_conf.trunks[0], list, PEERS), PEERS);
  hops_pin(rig_trunks, "lab", &list[1], 1);
  struct fake_leg *f = ring();
  cr_assert(heard(1));
  rig_run(3000);
  cr_expect_null(heard(0));
  cr_expect_null(heard(2));
  rig_run(8000);
  cr_expect(f->is_over);
  hops_pin(rig_trunks, "lab", NULL, 0);
  ring();
  cr_expect(heard(0));
}

Test(hops, marks_of_others) {
  struct hop list[PEERS];
  cr_assert_eq(hops_list(rig_trunks, &rig_conf.trunks[0], list, PEERS), PEERS);
  hops_mark(rig_trunks, "lab", &list[0], false);
  ring();
  cr_expect(heard(1));
  hops_mark(rig_trunks, "lab", &list[0], true);
  ring();
  cr_expect(heard(0));
}

Test(shun, bounded_and_by_trunk) {
  struct shun *s;
  struct shun_target t = {.trunk = "a", .transport = TRANSPORT_UDP};
  uint32_t left;
  cr_assert_eq(shun_new(&s), 0);
  for (unsigned i = 0; i < 2 * SHUN_MAX; i++) {
    cr_assert_eq(addr_parse(&t.addr, SLICE("192.0.2.1"), (uint16_t)(i + 1)), 0);
    shun_add(s, &t, SHUN_LAST, 10, 0);
  }
  cr_expect_eq(shun_count(s), SHUN_MAX);
  cr_expect_eq(shun_of(s, &t, 9000001, &left), SHUN_LAST);
  cr_expect_eq(left, 1);
  cr_expect_eq(shun_of(s, &t, 10000000, &left), SHUN_NOT);
  t.trunk = "b";
  cr_expect_eq(shun_of(s, &t, 0, &left), SHUN_NOT, "another trunk's target");
  shun_free(s);
}

/* With so many streams turned off in its offer that it is long. */
static struct fake_leg *ring_long(void) {
  fake.is_long = true;
  return ring();
}

/* A request of more than 1,300 bytes by TCP, RFC 3261 18.1.1. */
Test(hops, long_ones_go_by_tcp) {
  static char got[8000];
  cr_assert_eq(listen(rig_tcp, 2), 0);
  struct fake_leg *f = ring_long();
  rig_run(50);
  int fd = accept(rig_tcp, NULL, NULL);
  cr_assert_geq(fd, 0, "a connection");
  ssize_t n = recv(fd, got, sizeof got - 1, 0);
  cr_assert_gt(n, 1300);
  got[n] = 0;
  cr_expect(strstr(got, "Via: SIP/2.0/TCP "), "%.200s", got);
  cr_expect_null(heard(0), "not by UDP as well");
  struct sockaddr_in own = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(rig_port)};
  int stranger = socket(AF_INET, SOCK_STREAM, 0);
  cr_expect_neq(connect(stranger, (struct sockaddr *)&own, sizeof own), 0, "nobody may connect to us");
  close(stranger);
  rig_run(2100);
  cr_assert(heard(0), "no answer by TCP: the same target by UDP");
  cr_expect_null(heard(1));
  say(0, 200, "a", "", SDP);
  cr_expect(f->answered);
  cr_expect(rig_hear_method("ACK"));
  ring_long();
  cr_expect(heard(0), "at once the next time");
  close(fd);
}

Test(hops, long_ones_stay_with_udp_by_the_trunk) {
  rig_conf.trunks[0].udp_to_tcp = false;
  cr_assert_eq(listen(rig_tcp, 2), 0);
  ring_long();
  rig_run(50);
  cr_expect(heard(0));
  rig_run(1000);
  cr_expect(heard(0), "repeated by UDP, too");
  cr_expect_lt(accept(rig_tcp, NULL, NULL), 0);
}

Test(hops, long_ones_go_by_udp_where_tcp_is_refused) {
  struct fake_leg *f = ring_long();
  rig_run(50);
  cr_assert(heard(0));
  cr_expect_gt(strlen(invites[0]), 1300);
  say(0, 200, "a", "", SDP);
  cr_expect(f->answered);
}
