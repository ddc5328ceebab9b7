/* SPDX-License-Identifier: Apache-2.0
 * The backends of packets on real sockets, each by the same tests, and the rule of coalescing in
 * virtual time. */
#include "media/coalesce.h"
#include "media/io.h"
#include "media/overload.h"
#include "media/session.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>

enum { FEW = 8, PORTS = 80 };

static struct rig {
  struct io *io;
  int wake_fd, peer;
  struct addr peer_at;
  struct port ports[PORTS];
  unsigned n, refused;
  struct packet last;
  uint8_t bytes[IO_PACKET_BYTES];
} rig;

static void on_packet(void *arg, struct packet *p) {
  (void)arg;
  rig.n++;
  rig.last = *p;
  memcpy(rig.bytes, p->bytes, p->n);
}

static void on_refused(void *arg, uint64_t owner, const struct addr *to, int error) {
  (void)arg;
  rig.refused++;
  cr_assert_eq(owner, 77);
  cr_assert_eq(addr_port(to), 9);
  cr_assert_neq(error, 0);
}

static int udp(const char *host, struct addr *ret) {
  socklen_t n = sizeof(*ret);
  cr_assert_eq(addr_parse(ret, slice_of(host), 0), 0);
  int fd = socket(ret->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  cr_assert(fd >= 0 && bind(fd, &ret->sa, addr_len(ret)) == 0 && getsockname(fd, &ret->sa, &n) == 0);
  return fd;
}

static void port_add(unsigned i, const char *host, uint32_t dscp) {
  struct addr at;
  struct port_options o = {.dscp = dscp, .is_stamped = true};
  cr_assert_eq(addr_parse(&at, slice_of(host), 0), 0);
  cr_assert_eq(port_open(&rig.ports[i], &at, &at, &o), 0);
  cr_assert_eq(io_add(rig.io, &rig.ports[i]), 0);
}

static bool begin(const char *backend) {
  memset(&rig, 0, sizeof(rig));
  rig.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  struct io_options o = {.wake_fd = rig.wake_fd, .ports_max = PORTS};
  int error = io_new(&rig.io, backend, &o);
  if (error == -EPERM || error == -ENOSYS || (error == -EINVAL && strcmp(backend, "epoll") != 0)) {
    printf("%s: not allowed here (%s)\n", backend, strerror(-error));
    close(rig.wake_fd);
    return false;
  }
  cr_assert_eq(error, 0, "%s: %d", backend, error);
  rig.peer = udp("127.0.0.1", &rig.peer_at);
  for (unsigned i = 0; i < PORTS; i++)
    rig.ports[i].fd = -1;
  return true;
}

static void end(void) {
  rig.io = io_free(rig.io);
  for (unsigned i = 0; i < PORTS; i++)
    port_close(&rig.ports[i]);
  close(rig.peer);
  close(rig.wake_fd);
}

static void peer_send(unsigned port, const void *p, size_t n) {
  const struct addr *to = &rig.ports[port].local;
  cr_assert_eq(sendto(rig.peer, p, n, 0, &to->sa, addr_len(to)), (ssize_t)n);
}

/* Turns until so many came in all; at most a second. */
static void turn_until(unsigned n, uint32_t gather_us) {
  for (int i = 0; i < 100 && rig.n < n; i++) {
    io_wait(rig.io, gather_us, 10);
    io_receive(rig.io, on_packet, NULL);
  }
  cr_assert_eq(rig.n, n, "%u of %u", rig.n, n);
}

static void check_receive(void) {
  struct timespec now;
  port_add(0, "127.0.0.1", 46);
  peer_send(0, "hello", 5);
  turn_until(1, 0);
  cr_assert_eq(rig.last.n, 5);
  cr_assert_eq(rig.last.port, &rig.ports[0]);
  cr_assert(addr_eq(&rig.last.from, &rig.peer_at));
  cr_assert_eq(memcmp(rig.bytes, "hello", 5), 0);
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t now_us = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
  cr_assert(rig.last.at_wall_us <= now_us && now_us - rig.last.at_wall_us < 2000000);
}

static void check_lengths(void) {
  static uint8_t big[IO_DATAGRAM_MAX + 1];
  memset(big, 7, sizeof(big));
  peer_send(0, big, sizeof(big)); /* too long */
  peer_send(0, big, IO_DATAGRAM_MAX);
  turn_until(2, 0);
  cr_assert_eq(rig.last.n, IO_DATAGRAM_MAX);
  cr_assert_eq(rig.io->too_long, 1);
}

static void check_order(void) { /* of one flow, in and out, more than a batch holds */
  uint8_t got[64];
  for (uint32_t i = 0; i < 600; i++) {
    uint8_t *p = io_slot(rig.io);
    memcpy(p, &i, sizeof(i));
    io_send(rig.io, &rig.ports[0], &rig.peer_at, sizeof(i), 1);
    if (i % 100 == 99) {
      io_flush(rig.io, on_refused, NULL);
      for (uint32_t k = i - 99; k <= i; k++) {
        cr_assert_eq(recv(rig.peer, got, sizeof(got), 0), 4, "%u", k);
        cr_assert_eq(memcmp(got, &k, 4), 0);
      }
    }
  }
  for (uint32_t i = 0; i < 300; i++) {
    peer_send(0, &i, sizeof(i));
    if (i % 50 == 49)
      turn_until(2 + i + 1, i % 100 == 49 ? 200 : 0);
    uint32_t last;
    memcpy(&last, rig.bytes, 4);
    cr_assert(i % 50 != 49 || last == i);
  }
  cr_assert_eq(rig.refused, 0);
}

static void check_refused(void) { /* an address that no IPv4 socket takes */
  struct addr to;
  cr_assert_eq(addr_parse(&to, SLICE("::1"), 9), 0);
  memset(io_slot(rig.io), 0, 4);
  io_send(rig.io, &rig.ports[0], &to, 4, 77);
  io_flush(rig.io, on_refused, NULL);
  io_wait(rig.io, 0, 0);
  io_receive(rig.io, on_packet, NULL);
  cr_assert_eq(rig.refused, 1);
  cr_assert_eq(rig.io->refused, 1);
}

static void check_ports_come_and_go(void) {
  unsigned had = rig.n;
  for (unsigned round = 0; round < 50; round++) {
    port_add(1, "127.0.0.1", 0);
    peer_send(1, "old", 3);
    if (round % 2)
      turn_until(++had, 0);
    io_del(rig.io, &rig.ports[1]); /* what waits on it comes no more */
    port_close(&rig.ports[1]);
    port_add(2, "127.0.0.1", 0);
    peer_send(2, "new!", 4);
    turn_until(++had, 0);
    cr_assert_eq(rig.last.port, &rig.ports[2]);
    cr_assert_eq(rig.last.n, 4);
    io_del(rig.io, &rig.ports[2]);
    port_close(&rig.ports[2]);
  }
}

static void check_wake(void) {
  uint64_t one = 1, count;
  for (unsigned i = 0; i < 3; i++) {
    cr_assert_eq(write(rig.wake_fd, &one, sizeof(one)), 8);
    struct pollfd p = {.fd = rig.wake_fd, .events = POLLIN};
    for (unsigned k = 0; k < 10 && poll(&p, 1, 0) > 0; k++) {
      io_wait(rig.io, 0, 5000);
      io_receive(rig.io, on_packet, NULL);
    }
    cr_assert_eq(read(rig.wake_fd, &count, sizeof(count)), -1);
  }
}

/* What came on many ports while nobody looked is taken in one turn. */
static void check_harvest(void) {
  unsigned had = rig.n;
  for (unsigned i = FEW; i < PORTS; i++)
    port_add(i, "127.0.0.1", 0);
  io_flush(rig.io, on_refused, NULL);
  for (unsigned i = FEW; i < PORTS; i++)
    peer_send(i, "many", 4);
  io_wait(rig.io, 200, 10);
  io_receive(rig.io, on_packet, NULL);
  cr_assert_eq(rig.n - had, PORTS - FEW, "%u in one turn", rig.n - had);
}

/* What leaves carries the DSCP of the port. */
static int dscp_of(int fd, bool is_v6) {
  uint8_t bytes[64];
  char control[128];
  struct iovec iov = {bytes, sizeof(bytes)};
  struct msghdr m = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  if (recvmsg(fd, &m, 0) < 0)
    return -1;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    int tos = 0;
    if (c->cmsg_type != (is_v6 ? IPV6_TCLASS : IP_TOS))
      continue;
    memcpy(&tos, CMSG_DATA(c), is_v6 ? sizeof(int) : 1);
    return tos >> 2;
  }
  return -1;
}

static void check_dscp(void) {
  struct addr at;
  int on = 1, fd = udp("::1", &at);
  setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on));
  setsockopt(rig.peer, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
  port_add(3, "::1", 46);
  memset(io_slot(rig.io), 0, 4);
  io_send(rig.io, &rig.ports[3], &at, 4, 1);
  memset(io_slot(rig.io), 0, 4);
  io_send(rig.io, &rig.ports[0], &rig.peer_at, 4, 1);
  io_flush(rig.io, on_refused, NULL);
  cr_assert_eq(dscp_of(fd, true), 46);
  cr_assert_eq(dscp_of(rig.peer, false), 46);
  close(fd);
}

static void check_all(const char *backend) {
  if (!begin(backend))
    return;
  check_receive();
  check_lengths();
  check_order();
  check_refused();
  check_ports_come_and_go();
  check_wake();
  check_dscp();
  check_harvest();
  end();
}

Test(io, epoll) { check_all("epoll"); }
Test(io, uring) { check_all("io_uring"); }

Test(io, the_table) {
  struct io_options o = {-1, 1};
  struct io *io = NULL;
  cr_assert_eq(io_new(&io, "carrier-pigeon", &o), -EINVAL);
  cr_assert_str_eq(io_name(0), "io_uring");
  cr_assert_null(io_name(99));
  cr_assert_eq(io_new(&io, "af_xdp", &o), -ENODEV); /* no interface was given to it */
  cr_assert(begin("auto"));
  end();
}

/* coalesce ----------------------------------------------------------------------------------------- */
/* A second of harvests at that rate; the wait after them. */
static uint32_t wait_at(struct coalesce *c, uint64_t *now_us, uint32_t a_second) {
  uint64_t until_us = *now_us + 1000000;
  for (uint64_t due = 0; *now_us < until_us; *now_us += 500, due += a_second) {
    coalesce_harvest(c, (uint32_t)(due / 2000), *now_us);
    due %= 2000;
  }
  coalesce_harvest(c, 0, *now_us);
  return coalesce_wait_us(c, *now_us);
}

Test(coalesce, nobody_waits_when_few_come) {
  struct coalesce c = {0};
  uint64_t now_us = 5000000;
  cr_assert_eq(coalesce_wait_us(&c, now_us), 0);
  cr_assert_eq(wait_at(&c, &now_us, 100), 0);
  cr_assert_eq(wait_at(&c, &now_us, COALESCE_FROM_A_S), 0);
}

Test(coalesce, more_wait_longer_up_to_half_a_millisecond) {
  struct coalesce c = {0};
  uint64_t now_us = 5000000;
  uint32_t some = wait_at(&c, &now_us, 8000), more = wait_at(&c, &now_us, 16000);
  cr_assert(some > 80 && some < 160, "%u", some);
  cr_assert(more > 320 && more < 420, "%u", more);
  cr_assert_eq(wait_at(&c, &now_us, 35000), COALESCE_MAX_US);
  cr_assert_eq(wait_at(&c, &now_us, 500000), COALESCE_MAX_US);
  cr_assert_eq(wait_at(&c, &now_us, 1000), 0); /* and back */
}

Test(coalesce, harvests_are_paced_and_not_delayed) {
  struct coalesce c = {0};
  uint64_t now_us = 5000000;
  cr_assert_eq(wait_at(&c, &now_us, 100000), COALESCE_MAX_US);
  cr_assert_eq(coalesce_wait_us(&c, now_us + 200), COALESCE_MAX_US - 200);
  cr_assert_eq(coalesce_wait_us(&c, now_us + COALESCE_MAX_US), 0);
  cr_assert_eq(coalesce_wait_us(&c, now_us + 5000), 0); /* a long turn is followed at once */
}

/* memory ------------------------------------------------------------------------------------------- */
/* A secured leg costs 6 to 7 KB of the library's before ours comes to it; a call has two, and 20 KB. */
Test(memory, a_leg_is_small) {
  cr_expect_leq(sizeof(struct session), 2048, "%zu", sizeof(struct session));
  cr_expect_leq(sizeof(struct remote), 704, "%zu", sizeof(struct remote));
  cr_expect_leq(offsetof(struct session, rx), 512, "%zu",
                offsetof(struct session, rx)); /* the hot part */
}

/* overload ----------------------------------------------------------------------------------------- */
enum { SECOND_US = 1000000 };

struct load { /* of one second */
  uint32_t packets, late, age_us, busy_permille, sessions;
};

/* A second of that load; what overload_close() said. */
static bool second_of(struct overload *o, uint64_t *now_us, uint64_t *cpu_us, struct load l) {
  for (uint32_t i = 0; i < l.packets; i++)
    overload_age(o, i < l.late ? l.age_us : 500);
  overload_packets(o, l.packets);
  *now_us += SECOND_US;
  *cpu_us += (uint64_t)l.busy_permille * (SECOND_US / 1000);
  cr_assert(overload_is_due(o, *now_us));
  return overload_close(o, *now_us, *cpu_us, l.sessions);
}

Test(overload, age_decides_and_it_opens_again_later_than_it_closed) {
  struct overload o = {0};
  uint64_t now = 5 * SECOND_US, cpu = 0;
  (void)overload_close(&o, now, cpu, 0);
  cr_assert(!overload_is_due(&o, now + SECOND_US / 2));
  cr_assert(!second_of(&o, &now, &cpu, (struct load){50000, 400, 90000, 500, 1000})); /* 0.8 % */
  cr_assert(overload_may_open(&o, 2));
  cr_assert(second_of(&o, &now, &cpu, (struct load){50000, 600, 25000, 500, 1000})); /* 1.2 %, 25 ms */
  cr_assert_eq(o.verdict, OVERLOAD_NO_NEW);
  cr_assert(!overload_may_open(&o, 2));
  cr_assert(!overload_is_stale(&o, 200000)); /* nothing is dropped yet */
  cr_assert(second_of(&o, &now, &cpu, (struct load){50000, 600, 15000, 500, 1000}));
  cr_assert_eq(o.verdict, OVERLOAD_NO_NEW); /* 15 ms would not have closed it */
  cr_assert(second_of(&o, &now, &cpu, (struct load){50000, 600, 5000, 500, 1000}));
  cr_assert_eq(o.verdict, OVERLOAD_OPEN); /* told once */
  cr_assert(!second_of(&o, &now, &cpu, (struct load){50000, 0, 0, 500, 1000}));
}

Test(overload, only_what_is_stale_is_shed) {
  struct overload o = {0};
  uint64_t now = 5 * SECOND_US, cpu = 0;
  (void)overload_close(&o, now, cpu, 0);
  cr_assert(second_of(&o, &now, &cpu, (struct load){90000, 2000, 80000, 1000, 2000}));
  cr_assert_eq(o.verdict, OVERLOAD_SHEDDING);
  cr_assert(overload_is_stale(&o, 60001));
  cr_assert(!overload_is_stale(&o, 60000));
}

Test(overload, a_few_calls_on_a_busy_machine_close_nothing) {
  struct overload o = {0};
  uint64_t now = 5 * SECOND_US, cpu = 0;
  (void)overload_close(&o, now, cpu, 0);
  cr_assert(!second_of(&o, &now, &cpu, (struct load){900, 900, 300000, 100, 9}));
  cr_assert(overload_may_open(&o, 2));
}

Test(overload, the_busy_share_closes_and_a_cost_is_learnt) {
  struct overload o = {0};
  uint64_t now = 5 * SECOND_US, cpu = 0;
  (void)overload_close(&o, now, cpu, 0);
  for (uint32_t i = 0; i < 1000; i++)
    overload_opened(&o);
  for (uint32_t i = 0; i < 1000; i++)
    overload_heard(&o);
  for (int i = 0; i < 20; i++)
    (void)second_of(&o, &now, &cpu, (struct load){50000, 0, 0, 400, 1000}); /* 400 millionths each */
  cr_assert_eq(o.cost, 400);
  cr_assert_eq(o.verdict, OVERLOAD_OPEN);
  unsigned opened = 0; /* sessions that say nothing yet: the limit is not the window's */
  while (overload_may_open(&o, 2) && opened < 5000) {
    overload_opened(&o);
    overload_opened(&o);
    opened += 2;
  }
  cr_assert(opened >= 1373 && opened <= 1377, "%u", opened); /* (950 - 400) * 1000 / 400 */
  for (unsigned i = 0; i < opened; i++)
    overload_forget(&o); /* gone, or held */
  cr_assert(overload_may_open(&o, 2));
  cr_assert(second_of(&o, &now, &cpu, (struct load){110000, 0, 0, 960, 2300}));
  cr_assert_eq(o.verdict, OVERLOAD_NO_NEW);
  cr_assert(second_of(&o, &now, &cpu, (struct load){110000, 0, 0, 900, 2200}));
  cr_assert_eq(o.verdict, OVERLOAD_NO_NEW);
  cr_assert(second_of(&o, &now, &cpu, (struct load){100000, 0, 0, 870, 2100}));
  cr_assert_eq(o.verdict, OVERLOAD_OPEN);
}
