/* SPDX-License-Identifier: Apache-2.0
 * The AF_XDP backend on a veth pair between two network namespaces of the test's own, both families.
 * Needs root, and a kernel that has it: else it says so and passes. */
#include "media/io.h"
#include "media/xdp.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>

static struct rig {
  int ours, far, wake_fd; /* the namespaces */
  struct xdp *xdp;
  struct loop *loop;
  struct io *io;
  struct port port;
  int peer; /* a socket of the far namespace */
  struct addr peer_at;
  unsigned n, n_past; /* datagrams; those that came past the kernel */
  struct packet last;
  uint8_t bytes[IO_PACKET_BYTES];
} rig;

static const char *const hosts[][2] = {{"10.81.0.1", "10.81.0.2"}, {"fd81::1", "fd81::2"}};

static void on_packet(void *arg, struct packet *p) {
  (void)arg;
  const uint8_t *frames = rig.xdp->queues[0]->frames;
  rig.n++;
  rig.n_past += p->bytes > frames && p->bytes < frames + (size_t)XSK_FRAMES_IN * XSK_FRAME_BYTES;
  rig.last = *p;
  memcpy(rig.bytes, p->bytes, p->n);
}

static void enter(int ns) { cr_assert_eq(setns(ns, CLONE_NEWNET), 0); }

static int new_space(void) {
  return unshare(CLONE_NEWNET) < 0 ? -1 : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void sh(const char *words) { cr_assert_eq(system(words), 0, "%s", words); }

static bool make_networks(void) {
  char line[200];
  if (geteuid() != 0 || (rig.ours = new_space()) < 0 || (rig.far = new_space()) < 0)
    return false;
  sh("ip link set lo up");
  enter(rig.ours);
  snprintf(line, sizeof(line),
           "ip link add v0 type veth peer name v1 && ip link set v1 netns /proc/%d/fd/%d", getpid(),
           rig.far);
  sh(line);
  sh("ip addr add 10.81.0.1/24 dev v0 && ip addr add fd81::1/64 dev v0 nodad && ip link set v0 up");
  enter(rig.far);
  sh("ip addr add 10.81.0.2/24 dev v1 && ip addr add fd81::2/64 dev v1 nodad && ip link set v1 up");
  sh("ip addr add 10.81.9.9/32 dev lo");
  enter(rig.ours);
  return true;
}

static bool make_xdp(void) {
  struct xdp_options o = {.interface = "v0", .n_addresses = 2, .workers = 1, .dscp = 46};
  const char *text = "";
  for (unsigned i = 0; i < 2; i++)
    cr_assert_eq(addr_parse(&o.addresses[i], slice_of(hosts[i][0]), 0), 0);
  int error = xdp_new(&rig.xdp, &o, &text);
  if (error)
    printf("no AF_XDP here: %s: %s\n", text, strerror(-error));
  return !error;
}

static bool begin(void) {
  memset(&rig, 0, sizeof(rig));
  if (!make_networks() || !make_xdp()) {
    printf("skipped: needs root and AF_XDP\n");
    return false;
  }
  cr_assert_eq(loop_new(&rig.loop), 0);
  cr_assert_eq(neigh_watch(rig.xdp->neigh, rig.loop), 0);
  rig.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  struct io_options o = {.wake_fd = rig.wake_fd, .ports_max = 8, .xdp = rig.xdp};
  cr_assert_eq(io_new(&rig.io, "af_xdp", &o), 0);
  return true;
}

static void end(void) {
  rig.io = io_free(rig.io);
  rig.xdp = xdp_free(rig.xdp);
  rig.loop = loop_free(rig.loop);
  close(rig.wake_fd);
  close(rig.ours);
  close(rig.far);
}

/* A socket of the far namespace. */
static void open_peer(const char *host) {
  socklen_t n = sizeof(rig.peer_at);
  struct timeval wait = {.tv_sec = 1};
  enter(rig.far);
  cr_assert_eq(addr_parse(&rig.peer_at, slice_of(host), 0), 0);
  rig.peer = socket(rig.peer_at.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  cr_assert_eq(bind(rig.peer, &rig.peer_at.sa, addr_len(&rig.peer_at)), 0);
  cr_assert_eq(getsockname(rig.peer, &rig.peer_at.sa, &n), 0);
  setsockopt(rig.peer, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  enter(rig.ours);
}

static void open_ends(unsigned family) {
  struct addr at;
  struct port_options o = {.dscp = 46};
  cr_assert_eq(addr_parse(&at, slice_of(hosts[family][0]), 0), 0);
  cr_assert_eq(port_open(&rig.port, &at, &at, &o), 0);
  cr_assert_eq(io_add(rig.io, &rig.port), 0);
  open_peer(hosts[family][1]);
}

static void close_ends(void) {
  io_del(rig.io, &rig.port);
  port_close(&rig.port);
  close(rig.peer);
}

static void peer_send(const void *p, size_t n) {
  const struct addr *to = &rig.port.local;
  cr_assert_eq(sendto(rig.peer, p, n, 0, &to->sa, addr_len(to)), (ssize_t)n);
}

static void turns(unsigned until, int max) {
  for (int i = 0; i < max && rig.n < until; i++) {
    io_wait(rig.io, 0, 10);
    io_receive(rig.io, on_packet, NULL);
  }
}

/* Sends one to the peer, who gets it. true: it went past the kernel. */
static bool reaches(const char *text) {
  char got[64];
  uint32_t was = rig.xdp->queues[0]->out.at;
  size_t n = strlen(text);
  io_wait(rig.io, 0, 0);
  memcpy(io_slot(rig.io), text, n);
  io_send(rig.io, &rig.port, &rig.peer_at, n, 77);
  io_flush(rig.io, NULL, NULL);
  cr_assert_eq(recv(rig.peer, got, sizeof(got), 0), (ssize_t)n, "%s: %s", text, strerror(errno));
  cr_assert_eq(memcmp(got, text, n), 0);
  for (int i = 0; i < 3; i++)
    loop_turn(rig.loop, 5);
  return rig.xdp->queues[0]->out.at != was;
}

static bool reaches_past(const char *text) {
  for (int i = 0; i < 10; i++)
    if (reaches(text))
      return true;
  return false;
}

static void check_both_ways(void) {
  peer_send("hello", 5);
  turns(1, 100);
  cr_assert_eq(rig.n, 1);
  cr_assert_eq(rig.n_past, 1);
  cr_assert(rig.last.n == 5 && memcmp(rig.bytes, "hello", 5) == 0);
  cr_assert_eq(rig.last.port, &rig.port);
  cr_assert(addr_eq(&rig.last.from, &rig.peer_at));
  cr_assert(!reaches("by the kernel"), "a hop that was not asked for");
  cr_assert(reaches_past("past the kernel"));
}

static void check_dscp(unsigned family) {
  char got[64], control[64];
  int on = 1;
  setsockopt(rig.peer, family ? IPPROTO_IPV6 : IPPROTO_IP, family ? IPV6_RECVTCLASS : IP_RECVTOS, &on,
             sizeof(on));
  struct iovec iov = {got, sizeof(got)};
  struct msghdr m = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  memcpy(io_slot(rig.io), "EF", 2);
  io_send(rig.io, &rig.port, &rig.peer_at, 2, 77);
  io_flush(rig.io, NULL, NULL);
  cr_assert_eq(recvmsg(rig.peer, &m, 0), 2);
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  cr_assert(c);
  cr_assert_eq(*CMSG_DATA(c), 46 << 2);
}

/* Fragments are the kernel's, and its sockets are read. */
static void check_fragments(void) {
  static uint8_t big[1590];
  unsigned n = rig.n, past = rig.n_past;
  memset(big, 'b', sizeof(big));
  peer_send(big, sizeof(big));
  turns(n + 1, 100);
  cr_assert_eq(rig.n, n + 1);
  cr_assert_eq(rig.n_past, past);
  cr_assert_eq(rig.last.n, sizeof(big));
}

/* The peer's MAC changes; the kernel hears of it, and so do we. */
static void check_other_mac(unsigned family) {
  enter(rig.far);
  sh("ip link set v1 address 02:00:00:00:00:99");
  sh(family ? "ip -6 neigh flush dev v1" : "ip neigh flush dev v1");
  enter(rig.ours);
  sh(family ? "ip -6 neigh replace fd81::2 lladdr 02:00:00:00:00:99 nud reachable dev v0"
            : "ip neigh replace 10.81.0.2 lladdr 02:00:00:00:00:99 nud reachable dev v0");
  for (int i = 0; i < 5; i++)
    loop_turn(rig.loop, 5);
  cr_assert(reaches("at its new place"), "by the kernel");
}

/* The neighbour is forgotten: by the kernel, until it knows again. */
static void check_forgotten(unsigned family) {
  sh(family ? "ip -6 neigh flush dev v0" : "ip neigh flush dev v0");
  for (int i = 0; i < 5; i++)
    loop_turn(rig.loop, 5);
  cr_assert(!reaches("forgotten"));
  cr_assert(reaches_past("found again"));
}

static void check_family(unsigned family) {
  if (!begin())
    return;
  open_ends(family);
  check_both_ways();
  check_dscp(family);
  check_fragments();
  check_forgotten(family);
  check_other_mac(family);
  close_ends();
  end();
}

Test(xdp, ipv4) { check_family(0); }
Test(xdp, ipv6) { check_family(1); }

/* A route to what was not reachable before: hops are looked up anew. A closed port is the kernel's. */
Test(xdp, routes_and_ports) {
  if (!begin())
    return;
  open_ends(0);
  close(rig.peer);
  open_peer("10.81.9.9");
  sh("ip route add 10.81.9.9 via 10.81.0.2");
  cr_assert(reaches_past("by a gateway"));
  sh("ip route replace unreachable 10.81.9.9");
  for (int i = 0; i < 60; i++)
    loop_turn(rig.loop, 5);
  uint32_t was = rig.xdp->queues[0]->out.at;
  io_wait(rig.io, 0, 0);
  memcpy(io_slot(rig.io), "x", 1);
  io_send(rig.io, &rig.port, &rig.peer_at, 1, 77);
  io_flush(rig.io, NULL, NULL);
  cr_assert_eq(rig.xdp->queues[0]->out.at, was, "no route, but sent");
  xdp_set_port(rig.xdp, 0, addr_port(&rig.port.local), 0);
  peer_send("hello", 5);
  turns(1, 100);
  cr_assert(rig.n == 1 && rig.n_past == 0);
  close_ends();
  end();
}

/* One program an interface; it leaves with its owner. */
Test(xdp, alone) {
  struct xdp_options o = {.interface = "v0", .n_addresses = 1, .workers = 1};
  struct xdp *second = NULL;
  const char *text = "";
  if (!begin())
    return;
  cr_assert_eq(addr_parse(&o.addresses[0], slice_of(hosts[0][0]), 0), 0);
  cr_assert_eq(xdp_new(&second, &o, &text), -EBUSY, "%s", text);
  sh("ip link show v0 | grep -q xdp");
  rig.io = io_free(rig.io);
  rig.xdp = xdp_free(rig.xdp);
  sh("ip link show v0 >/dev/null && ! ip link show v0 | grep -q xdp");
  o.interface = "none";
  cr_assert_eq(xdp_new(&second, &o, &text), -ENODEV);
  end();
}
