/* SPDX-License-Identifier: Apache-2.0
 * Questions over real sockets on loopback: a server that answers, one that is silent, one that is not
 * there, forged answers, answers too long for a datagram. */
#include "trunk/asker.h"

#include "base/clock.h"
#include "wire/bytes.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

static struct loop *loop;
static struct asker *asker;
static int udp, tcp;
static struct addr server;
static unsigned done;
static int error;
static struct dns_answer got;

static void on_answer(void *arg, const char *name, enum dns_type type, int e,
                      const struct dns_answer *answer) {
  (void)arg, (void)name, (void)type;
  done++;
  error = e;
  if (!e)
    got = *answer;
}

static void begin(void) {
  socklen_t len = sizeof server;
  done = 0;
  cr_assert_eq(loop_new(&loop), 0);
  udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  cr_assert_eq(addr_parse(&server, SLICE("127.0.0.1"), 0), 0);
  cr_assert_eq(bind(udp, &server.sa, addr_len(&server)), 0);
  cr_assert_eq(getsockname(udp, &server.sa, &len), 0);
  cr_assert(bind(tcp, &server.sa, addr_len(&server)) == 0 && listen(tcp, 4) == 0);
}
static void end(void) {
  asker = asker_free(asker);
  loop_free(loop);
  close(udp);
  close(tcp);
}
TestSuite(asker, .init = begin, .fini = end);

static void start(const struct addr *servers, uint32_t n) {
  cr_assert_eq(asker_new(&asker, loop, servers, n, on_answer, NULL), 0);
}

static void run(unsigned ms) {
  uint64_t until = clock_now_us() + ms * 1000ULL;
  while (!done && clock_now_us() < until)
    loop_turn(loop, 10);
}

static size_t hear(uint8_t *buf, size_t bytes, struct addr *from) {
  struct sockaddr_storage ss;
  socklen_t len = sizeof ss;
  ssize_t n = recvfrom(udp, buf, bytes, 0, (struct sockaddr *)&ss, &len);
  cr_assert_gt(n, 12);
  addr_from(from, (struct sockaddr *)&ss);
  return (size_t)n;
}

/* The question as an answer with one A record. */
static size_t answer(uint8_t *q, size_t n, uint16_t flags, uint16_t records) {
  struct writer w = writer_of(q + n, 16UL * records);
  bytes_put_u16(q + 2, flags);
  bytes_put_u16(q + 6, records);
  for (unsigned i = 0; i < records; i++) {
    writer_u16(&w, 0xc00c);
    writer_u32(&w, 0x00010001);
    writer_u32(&w, 60);
    writer_u16(&w, 4);
    writer_u32(&w, 0xc0000201 + i);
  }
  return n + writer_bytes(&w);
}

Test(asker, answered) {
  uint8_t q[1024];
  struct addr from;
  start(&server, 1);
  cr_assert_eq(asker_ask(asker, "sbc.test", DNS_A), 0);
  size_t n = hear(q, sizeof q, &from);
  n = answer(q, n, 0x8180, 1);
  q[0] ^= 1;
  cr_assert_gt(sendto(udp, q, n, 0, &from.sa, addr_len(&from)),
               0); /* a wrong id: a guess of somebody's */
  run(50);
  cr_assert_eq(done, 0);
  q[0] ^= 1;
  int other = socket(AF_INET, SOCK_DGRAM, 0); /* the right id from a wrong address */
  sendto(other, q, n, 0, &from.sa, addr_len(&from));
  run(50);
  close(other);
  cr_assert_eq(done, 0);
  cr_assert_gt(sendto(udp, q, n, 0, &from.sa, addr_len(&from)), 0);
  run(1000);
  cr_assert(done == 1 && error == 0 && got.n == 1);
}

Test(asker, each_try_from_another_port_with_another_id) {
  uint8_t a[512], b[512];
  struct addr from_a, from_b;
  start(&server, 1);
  cr_assert_eq(asker_ask(asker, "sbc.test", DNS_A), 0);
  hear(a, sizeof a, &from_a);
  run(1200);
  hear(b, sizeof b, &from_b);
  cr_expect(memcmp(a, b, 2) || addr_port(&from_a) != addr_port(&from_b));
}

Test(asker, silence_is_bounded) {
  start(&server, 1);
  uint64_t began = clock_now_us();
  cr_assert_eq(asker_ask(asker, "sbc.test", DNS_A), 0);
  run(5000);
  cr_expect(done == 1 && error == -ETIMEDOUT);
  cr_expect_leq(clock_now_us() - began, 3500000);
}

Test(asker, refused_goes_on_at_once) {
  struct addr servers[2] = {server, server};
  int none = socket(AF_INET, SOCK_DGRAM, 0);
  socklen_t len = sizeof servers[0];
  addr_set_port(&servers[0], 0);
  cr_assert_eq(bind(none, &servers[0].sa, addr_len(&servers[0])), 0);
  cr_assert_eq(getsockname(none, &servers[0].sa, &len), 0);
  close(none);
  start(servers, 2);
  uint8_t q[512];
  struct addr from;
  uint64_t began = clock_now_us();
  cr_assert_eq(asker_ask(asker, "sbc.test", DNS_A), 0);
  run(100);
  size_t n = hear(q, sizeof q, &from);
  n = answer(q, n, 0x8180, 1);
  cr_assert_gt(sendto(udp, q, n, 0, &from.sa, addr_len(&from)), 0);
  run(1000);
  cr_expect(done == 1 && error == 0);
  cr_expect_leq(clock_now_us() - began, 500000);
}

Test(asker, too_long_for_a_datagram) {
  uint8_t q[2048];
  struct addr from;
  start(&server, 1);
  cr_assert_eq(asker_ask(asker, "sbc.test", DNS_A), 0);
  size_t n = answer(q, hear(q, sizeof q, &from), 0x8380, 0);
  cr_assert_gt(sendto(udp, q, n, 0, &from.sa, addr_len(&from)), 0);
  run(200);
  int fd = accept(tcp, NULL, NULL);
  cr_assert_geq(fd, 0);
  run(50);
  ssize_t head = recv(fd, q, sizeof q - 400, 0);
  cr_assert_gt(head, 14);
  n = answer(q + 2, (size_t)head - 2, 0x8180, 20);
  bytes_put_u16(q, (uint16_t)n);
  cr_assert_eq(send(fd, q, 100, 0), 100);
  run(20);
  cr_assert_eq(done, 0);
  cr_assert_eq(send(fd, q + 100, n + 2 - 100, 0), (ssize_t)n + 2 - 100);
  run(1000);
  close(fd);
  cr_expect(done == 1 && error == 0 && got.n == DNS_RECORDS_MAX);
}

Test(asker, names_and_bounds) {
  start(&server, 1);
  cr_expect_eq(asker_ask(asker, "a b", DNS_A), -EINVAL);
  for (unsigned i = 0; i < ASKER_OPEN_MAX; i++)
    cr_assert_eq(asker_ask(asker, "a.test", DNS_A), 0);
  cr_expect_eq(asker_ask(asker, "a.test", DNS_A), -ENOSPC);
}

Test(asker, servers_of_the_system) {
  char path[] = "/tmp/check_asker-XXXXXX";
  struct addr list[ASKER_SERVERS_MAX];
  static const char text[] =
      "# nameserver 192.0.2.9\nsearch x\nnameserver 192.0.2.1\nnameserver name\n"
      "nameserver ::1\nnameserver 192.0.2.3\nnameserver 192.0.2.4\nnameserver 192.0.2.5\n";
  int fd = mkstemp(path);
  cr_assert_eq(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
  close(fd);
  cr_expect_eq(asker_servers(path, list, ASKER_SERVERS_MAX), ASKER_SERVERS_MAX);
  cr_expect(addr_family(&list[1]) == AF_INET6 && addr_port(&list[0]) == 53);
  unlink(path);
}
