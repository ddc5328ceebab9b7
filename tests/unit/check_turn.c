/* SPDX-License-Identifier: Apache-2.0
 * Units of flow/turn: against a small server of our own in virtual time, and against coturn on the
 * loopback where it is installed. */
#include "flow/flow.h"
#include "base/hmac.h"
#include "wire/bytes.h"
#include "wire/stun.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

enum { S = 1000000 };

static struct addr addr_at(const char *text) {
  struct addr a;
  cr_assert_eq(addr_parse_port(&a, slice_of(text)), 0);
  return a;
}

/* The server --------------------------------------------------------------------------------------- */
static struct server {
  const char *nonce; /* nonce is the one in force. */
  unsigned refuse;   /* refuse: this error to the next signed request. */
  uint16_t refuse_method;
  unsigned asks[16]; /* by method */
  unsigned last_lifetime;
  bool is_forging; /* is_forging: answers are not signed right. */
  bool is_silent;
} srv;
static struct turn *t;
static uint64_t now;
static unsigned events;

static void key_of(uint8_t key[16]) { hash_md5(SLICE("us:realm.example:pw"), key); }

static void answer(const struct stunmsg *m, unsigned error) {
  uint8_t buf[1024], key[16];
  struct stunmsg_out o;
  struct addr relayed = addr_at("192.0.2.9:50000"), mapped = addr_at("198.51.100.1:1234");
  struct turn_data data;
  unsigned told;
  key_of(key);
  stunmsg_begin(&o, buf, sizeof(buf), error ? STUNMSG_ERROR : STUNMSG_SUCCESS, m->id);
  stunmsg_set_method(&o, m->method);
  if (error)
    stunmsg_put_error(&o, error);
  if (error == 401 || error == 438) {
    stunmsg_put(&o, STUNATTR_REALM, SLICE("realm.example"));
    stunmsg_put(&o, STUNATTR_NONCE, slice_of(srv.nonce));
  } else {
    if (m->method == 3 && !error) {
      stunmsg_put_xored(&o, 0x16, &relayed);
      stunmsg_put_mapped(&o, &mapped);
    }
    if (m->method <= 4 && !error)
      stunmsg_put_u32(&o, 0x0d, srv.last_lifetime);
    stunmsg_put_integrity(&o, srv.is_forging ? SLICE("another key") : slice_from(key, 16));
  }
  enum drop d = turn_input(t, buf, stunmsg_end(&o), now, &data, &told);
  cr_assert_eq(d, srv.is_forging && error != 401 ? DROP_ICE_INTEGRITY : DROP_NONE, "%s", drop_text(d));
  events |= told;
}

static void serve(const uint8_t *p, size_t n) {
  struct stunmsg m;
  uint8_t key[16];
  key_of(key);
  cr_assert_eq(stunmsg_parse(&m, p, n), 0);
  cr_assert_lt(m.method, 16);
  srv.asks[m.method]++;
  struct slice lifetime = stunmsg_find(&m, 0x0d), nonce = stunmsg_find(&m, STUNATTR_NONCE);
  if (lifetime.n == 4)
    srv.last_lifetime = bytes_u32((const uint8_t *)lifetime.p);
  if (srv.is_silent)
    return;
  unsigned refuse = srv.refuse && (!srv.refuse_method || srv.refuse_method == m.method) ? srv.refuse : 0;
  if (!m.has_integrity || !stunmsg_is_intact(&m, slice_from(key, 16)))
    answer(&m, 401);
  else if (!slice_eq(nonce, slice_of(srv.nonce)))
    answer(&m, 438);
  else
    answer(&m, refuse);
}

static void run(uint64_t span_us) {
  uint8_t buf[TURN_DATAGRAM_BYTES];
  size_t n;
  for (uint64_t end = now + span_us; now < end; now += 100000) {
    if (turn_next_us(t) <= now)
      events |= turn_tick(t, now);
    while ((n = turn_output(t, buf, sizeof(buf))))
      serve(buf, n);
  }
}

static void start(const char *user, const char *password) {
  struct addr server = addr_at("192.0.2.1:3478");
  srv = (struct server){.nonce = "n1"};
  now = S;
  events = 0;
  cr_assert_eq(turn_new(&t, &server, AF_INET, user, password), 0);
}
static void begin(void) { start("us", "pw"); }
static void end(void) { turn_free(t); }
TestSuite(turn, .init = begin, .fini = end);

Test(turn, allocates_with_credentials) {
  struct addr relayed = addr_at("192.0.2.9:50000"), mapped = addr_at("198.51.100.1:1234");
  cr_assert_eq(turn_state(t), TURN_ASKING);
  run(S);
  cr_assert_eq(turn_state(t), TURN_UP);
  cr_assert_eq(events, TURN_EVENT_UP);
  cr_assert_eq(srv.asks[3], 2, "401, then with credentials");
  cr_assert(addr_eq(turn_relayed(t), &relayed) && addr_eq(turn_mapped(t), &mapped));
  cr_assert_eq(srv.last_lifetime, TURN_LIFETIME_S);
}

Test(turn, refreshes_and_gives_back) {
  uint8_t buf[TURN_DATAGRAM_BYTES];
  struct stunmsg m;
  run(S);
  run(3600 * (uint64_t)S);
  cr_assert_eq(turn_state(t), TURN_UP);
  cr_assert(srv.asks[4] >= 6 && srv.asks[4] <= 8, "%u", srv.asks[4]);
  turn_close(t);
  cr_assert_eq(stunmsg_parse(&m, buf, turn_output(t, buf, sizeof(buf))), 0);
  cr_assert_eq(m.method, 4);
  cr_assert_eq(bytes_u32((const uint8_t *)stunmsg_find(&m, 0x0d).p), 0);
  cr_assert_eq(turn_next_us(t), UINT64_MAX);
  cr_assert_eq(turn_state(t), TURN_CLOSED);
}

Test(turn, a_stale_nonce_is_replaced) {
  struct addr peer = addr_at("203.0.113.5:40000");
  run(S);
  srv.nonce = "n2";
  cr_assert_eq(turn_permit(t, &peer, false), 0);
  run(S);
  cr_assert_eq(srv.asks[8], 2);
  cr_assert(turn_may_send(t, &peer));
}

Test(turn, a_wrong_password_fails) {
  turn_free(t);
  start("us", "wrong");
  run(5 * S);
  cr_assert_eq(turn_state(t), TURN_FAILED);
  cr_assert_eq(turn_error(t), 401);
  cr_assert_eq(events, TURN_EVENT_FAILED);
  cr_assert_eq(srv.asks[3], 2);
  cr_assert_eq(turn_next_us(t), UINT64_MAX);
}

Test(turn, a_server_that_always_wants_another_nonce) {
  static const char *const nonces[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  uint8_t buf[TURN_DATAGRAM_BYTES];
  size_t n;
  unsigned k = 0;
  for (; now < 60 * (uint64_t)S; now += 100000) {
    if (turn_next_us(t) <= now)
      events |= turn_tick(t, now);
    while ((n = turn_output(t, buf, sizeof(buf)))) {
      srv.nonce = nonces[k++ % COUNT_OF(nonces)];
      serve(buf, n);
    }
  }
  cr_assert_eq(turn_state(t), TURN_FAILED);
  cr_assert_leq(srv.asks[3], 2 + TURN_STALE_MAX);
}

Test(turn, errors_are_told) {
  srv.refuse = 486;
  run(S);
  cr_assert_eq(turn_state(t), TURN_FAILED);
  cr_assert_eq(turn_error(t), 486);
}

Test(turn, a_silent_server_is_asked_seven_times) {
  srv.is_silent = true;
  run(120 * (uint64_t)S);
  cr_assert_eq(srv.asks[3], TURN_TRIES);
  cr_assert_eq(turn_state(t), TURN_FAILED);
  cr_assert_eq(turn_error(t), 408);
}

Test(turn, an_allocation_that_is_not_refreshed_ends) {
  run(S);
  events = 0;
  srv.is_silent = true;
  run(700 * (uint64_t)S);
  cr_assert_eq(turn_state(t), TURN_FAILED);
  cr_assert_eq(events, TURN_EVENT_FAILED);
}

Test(turn, forged_answers_do_not_count) {
  struct addr peer = addr_at("203.0.113.5:40000");
  run(S);
  srv.is_forging = true;
  cr_assert_eq(turn_permit(t, &peer, false), 0);
  run(S);
  cr_assert_gt(srv.asks[8], 0);
  cr_assert_not(turn_may_send(t, &peer));
}

Test(turn, permissions_and_channels_are_kept_fresh) {
  struct addr one = addr_at("203.0.113.5:40000"), two = addr_at("203.0.113.6:40000");
  run(S);
  cr_assert_eq(turn_permit(t, &one, false), 0);
  cr_assert_eq(turn_permit(t, &two, true), 0);
  cr_assert_eq(turn_permit(t, &two, true), 0);
  cr_assert_not(turn_may_send(t, &one));
  for (unsigned i = 0; i < 20; i++) {
    run(60 * (uint64_t)S);
    cr_assert(turn_may_send(t, &one) && turn_may_send(t, &two));
  }
  cr_assert(srv.asks[8] >= 5 && srv.asks[8] <= 7, "%u", srv.asks[8]);
  cr_assert(srv.asks[9] >= 5 && srv.asks[9] <= 7, "%u", srv.asks[9]);
}

Test(turn, a_refused_channel_becomes_a_permission) {
  struct addr peer = addr_at("203.0.113.5:40000");
  uint8_t buf[200] = {1};
  srv.refuse = 400;
  srv.refuse_method = 9;
  run(S);
  cr_assert_eq(turn_permit(t, &peer, true), 0);
  run(S);
  cr_assert(turn_may_send(t, &peer));
  cr_assert_eq(turn_wrap(t, &peer, buf, 100, sizeof(buf)), 136);
}

Test(turn, a_refused_peer_is_not_sent_to) {
  struct addr peer = addr_at("203.0.113.5:40000");
  uint8_t buf[200];
  run(S);
  srv.refuse = 403;
  cr_assert_eq(turn_permit(t, &peer, false), 0);
  run(100 * (uint64_t)S);
  cr_assert_not(turn_may_send(t, &peer));
  cr_assert_eq(turn_wrap(t, &peer, buf, 100, sizeof(buf)), 0);
  cr_assert_leq(srv.asks[8], 4);
  cr_assert_eq(turn_state(t), TURN_UP);
}

Test(turn, peers_are_limited) {
  struct addr peer = addr_at("203.0.113.5:1");
  for (unsigned i = 0; i < TURN_PEERS_MAX; i++) {
    addr_set_port(&peer, (uint16_t)(1 + i));
    cr_assert_eq(turn_permit(t, &peer, false), 0);
  }
  addr_set_port(&peer, 999);
  cr_assert_eq(turn_permit(t, &peer, false), -ENOSPC);
}

Test(turn, texts_have_their_lengths) {
  struct turn *x = NULL;
  char text[TURN_TEXT_MAX + 2];
  struct addr server = addr_at("192.0.2.1:3478");
  memset(text, 'x', sizeof(text));
  text[TURN_TEXT_MAX + 1] = 0;
  cr_assert_eq(turn_new(&x, &server, AF_INET, text, "pw"), -EINVAL);
  cr_assert_eq(turn_new(&x, &server, AF_INET, "us", text), -EINVAL);
  cr_assert_eq(turn_new(&x, &server, AF_INET, "", "pw"), -EINVAL);
  cr_assert_null(x);
}

Test(turn, a_wrapped_indication_is_well_formed) {
  struct addr peer = addr_at("203.0.113.5:40000"), seen;
  uint8_t buf[160];
  struct stunmsg m;
  run(S);
  cr_assert_eq(turn_permit(t, &peer, false), 0);
  run(S);
  for (size_t n = 0; n <= 100; n++) {
    memset(buf, 0xab, n);
    size_t all = turn_wrap(t, &peer, buf, n, sizeof(buf));
    cr_assert_leq(all, n + TURN_OVERHEAD_BYTES);
    cr_assert_eq(stunmsg_parse(&m, buf, all), 0);
    cr_assert(m.class == STUNMSG_INDICATION && m.method == 6);
    cr_assert_eq(stunmsg_address(&m, stunmsg_find(&m, 0x12), &seen), 0);
    cr_assert(addr_eq(&seen, &peer));
    struct slice data = stunmsg_find(&m, 0x13);
    cr_assert_eq(data.n, n);
    for (size_t i = 0; i < n; i++)
      cr_assert_eq((uint8_t)data.p[i], 0xab);
  }
  cr_assert_eq(turn_wrap(t, &peer, buf, 100, 135), 0);
}

/* Only peers that we asked for come through, of whatever the server sends. */
Test(turn, data_of_others_is_dropped) {
  struct addr peer = addr_at("203.0.113.5:40000"), other = addr_at("203.0.113.66:40000");
  struct turn_data data;
  struct stunmsg_out o;
  uint8_t buf[200], channel[] = {0x40, 0, 0, 3, 1, 2, 3, 0};
  unsigned told;
  run(S);
  cr_assert_eq(turn_permit(t, &peer, true), 0);
  run(S);
  const struct addr *from[] = {&peer, &other};
  for (unsigned i = 0; i < 2; i++) {
    stunmsg_begin(&o, buf, sizeof(buf), STUNMSG_INDICATION, (const uint8_t *)"0123456789ab");
    stunmsg_set_method(&o, 7);
    stunmsg_put_xored(&o, 0x12, from[i]);
    stunmsg_put(&o, 0x13, SLICE("hello"));
    enum drop d = turn_input(t, buf, stunmsg_end(&o), now, &data, &told);
    cr_assert_eq(d, i ? DROP_WRONG_SOURCE : DROP_NONE);
    cr_assert_eq(data.n, i ? 0 : 5);
  }
  cr_assert_eq(turn_input(t, channel, sizeof(channel), now, &data, &told), DROP_NONE);
  cr_assert(data.n == 3 && data.bytes[2] == 3 && addr_eq(&data.peer, &peer));
  channel[1] = 1;
  cr_assert_eq(turn_input(t, channel, sizeof(channel), now, &data, &told), DROP_WRONG_SOURCE);
  channel[0] = 0x7f;
  cr_assert_eq(turn_input(t, channel, sizeof(channel), now, &data, &told), DROP_WRONG_SOURCE);
  channel[0] = 0x40, channel[1] = 0, channel[3] = 5;
  cr_assert_eq(turn_input(t, channel, sizeof(channel), now, &data, &told), DROP_STUN_MALFORMED);
  cr_assert_eq(turn_input(t, channel, 3, now, &data, &told), DROP_NOT_FOR_US);
  for (size_t n = 0; n < stunmsg_end(&o); n++)
    cr_assert_neq(turn_input(t, buf, n, now, &data, &told), DROP_NONE);
}

/* coturn ------------------------------------------------------------------------------------------- */
static int udp_at(struct addr *ret) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  socklen_t len = sizeof(*ret);
  *ret = addr_at("127.0.0.1:0");
  cr_assert_eq(bind(fd, &ret->sa, addr_len(ret)), 0);
  cr_assert_eq(getsockname(fd, &ret->sa, &len), 0);
  return fd;
}

static pid_t coturn_start(uint16_t port) {
  char p[16];
  snprintf(p, sizeof(p), "%u", port);
  pid_t pid = fork();
  if (pid == 0) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, 1);
    dup2(null, 2);
    execlp("turnserver", "turnserver", "-n", "-L", "127.0.0.1", "-E", "127.0.0.1", "-p", p, "-a", "-u",
           "us:pw", "-r", "realm.example", "--no-tls", "--no-dtls", "--no-tcp", "--no-cli",
           "--allow-loopback-peers", "--no-stdout-log", "--log-file", "/dev/null", "--pidfile",
           "/dev/null", "--userdb", "/nonexistent/turndb", (char *)NULL);
    _exit(127);
  }
  return pid;
}

static uint64_t real_us(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * S + (uint64_t)ts.tv_nsec / 1000;
}

static size_t fetch(int fd, uint8_t *buf, size_t room, struct addr *from) {
  socklen_t len = sizeof(*from);
  ssize_t n = recvfrom(fd, buf, room, 0, &from->sa, &len);
  return n > 0 ? (size_t)n : 0;
}

/* One turn of the client's socket; returns the bytes of data that came. */
static size_t client_turn(int fd, const struct addr *server, struct addr *ret_peer, uint8_t *buf,
                          size_t room) {
  struct turn_data data = {.n = 0};
  struct addr from;
  unsigned told;
  size_t n;
  if (turn_next_us(t) <= real_us())
    (void)turn_tick(t, real_us());
  while ((n = turn_output(t, buf, room)))
    (void)!sendto(fd, buf, n, 0, &server->sa, addr_len(server));
  struct pollfd p = {.fd = fd, .events = POLLIN};
  poll(&p, 1, 20);
  n = fetch(fd, buf, room, &from);
  if (!n || turn_input(t, buf, n, real_us(), &data, &told) != DROP_NONE)
    return 0;
  *ret_peer = data.peer;
  if (data.n)
    memmove(buf, data.bytes, data.n);
  return data.n;
}

static bool may_send(const struct addr *peer) { return turn_may_send(t, peer); }
static bool is_up(const struct addr *peer) {
  (void)peer;
  return turn_state(t) == TURN_UP;
}

static bool wait_for(bool (*is)(const struct addr *), const struct addr *peer, int fd,
                     const struct addr *server) {
  uint8_t buf[2048];
  struct addr from;
  for (uint64_t give_up = real_us() + 10 * S; !is(peer) && real_us() < give_up;)
    (void)client_turn(fd, server, &from, buf, sizeof(buf));
  return is(peer);
}

static void both_ways(bool has_channel, int fd, const struct addr *server) {
  struct addr peer, from;
  uint8_t buf[2048];
  own_fd far = udp_at(&peer);
  cr_assert_eq(turn_permit(t, &peer, has_channel), 0);
  cr_assert(wait_for(may_send, &peer, fd, server));
  memcpy(buf, "over the relay", 14);
  size_t n = turn_wrap(t, &peer, buf, 14, sizeof(buf));
  cr_assert_eq(n, has_channel ? 18 : 52);
  cr_assert_eq(sendto(fd, buf, n, 0, &server->sa, addr_len(server)), (ssize_t)n);
  struct pollfd p = {.fd = far, .events = POLLIN};
  poll(&p, 1, 2000);
  cr_assert_eq(fetch(far, buf, sizeof(buf), &from), 14);
  cr_assert_arr_eq(buf, "over the relay", 14);
  cr_assert(addr_eq(&from, turn_relayed(t)));
  cr_assert_eq(sendto(far, "and back", 8, 0, &from.sa, addr_len(&from)), 8);
  n = 0;
  for (uint64_t give_up = real_us() + 2 * S; !n && real_us() < give_up;)
    n = client_turn(fd, server, &from, buf, sizeof(buf));
  cr_assert_eq(n, 8);
  cr_assert_arr_eq(buf, "and back", 8);
  cr_assert(addr_eq(&from, &peer));
}

Test(turn, coturn_relays_both_ways, .timeout = 60) {
  struct addr server, ours;
  if (system("command -v turnserver >/dev/null 2>&1") != 0)
    cr_skip_test("coturn is not installed");
  int reserve = udp_at(&server);
  close(reserve);
  own_fd fd = udp_at(&ours);
  pid_t pid = coturn_start(addr_port(&server));
  turn_free(t);
  cr_assert_eq(turn_new(&t, &server, AF_INET, "us", "pw"), 0);
  bool up = wait_for(is_up, NULL, fd, &server);
  if (up) {
    both_ways(false, fd, &server);
    both_ways(true, fd, &server);
  }
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  cr_assert(up, "error %u", turn_error(t));
}
