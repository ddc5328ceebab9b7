/* SPDX-License-Identifier: Apache-2.0
 * Units of the client of the media process: numbers, deadlines, a full socket, strangers on the line. */
#include "call/medium.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/un.h>

static struct loop *loop;
static struct medium *medium;
static char path[64];
static int listener, peer, ready, replies, nones, events;
static uint64_t now_us = 5000000, last_op;

static void on_ready(void *arg, bool on) { (void)arg, ready += on ? 1 : -1; }
static void on_event(void *arg, const union mset_any *m) { (void)arg, (void)m, events++; }
static MEDIUM_REPLY(on_reply) {
  (void)arg, (void)ctx;
  replies += m != NULL;
  nones += m == NULL;
  last_op = op;
}

static void turn(void) {
  for (int i = 0; i < 4; i++)
    loop_turn(loop, 0);
}

static void start(void) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  static const struct medium_user user = {NULL, on_ready, on_event};
  snprintf(path, sizeof(path), "/tmp/sallyport-medium-%d.sock", (int)getpid());
  snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
  unlink(path);
  clock_fake(now_us, 1700000000000);
  listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  cr_assert_eq(bind(listener, (struct sockaddr *)&un, sizeof(un)), 0);
  cr_assert_eq(listen(listener, 1), 0);
  cr_assert_eq(loop_new(&loop), 0);
  cr_assert_eq(medium_new(&medium, loop, path, "00112233445566778899aabbccddeeff", &user), 0);
  turn();
  peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  cr_assert_geq(peer, 0);
}

static void stop(void) {
  medium_free(medium);
  close(peer);
  close(listener);
  unlink(path);
  loop_free(loop);
}
TestSuite(medium, .init = start, .fini = stop);

static union mset_any get(void) {
  union mset_any m = {0};
  cr_assert_gt(recv(peer, &m, sizeof(m), 0), 0);
  return m;
}

static void put(enum mset_type type, uint64_t session, uint64_t seq) {
  union mset_any m;
  mset_init(&m, type, session);
  m.h.seq = seq;
  if (type == MSET_WELCOME)
    m.welcome.version = MSET_VERSION;
  cr_assert_gt(send(peer, &m, m.h.bytes, MSG_NOSIGNAL), 0);
  turn();
}

static void welcome(void) {
  union mset_any m = get();
  cr_assert_eq(m.h.type, MSET_HELLO);
  cr_assert_eq(m.hello.instance[1], 0x11);
  put(MSET_WELCOME, 0, m.h.seq);
  cr_assert_eq(ready, 1);
}

static int ping(uint64_t op) {
  union mset_any m;
  mset_init(&m, MSET_PING, 0);
  return medium_send(medium, &m, on_reply, 1, op);
}

Test(medium, nothing_is_sent_before_welcome) {
  cr_assert_eq(ping(1), -EAGAIN);
  cr_assert_not(medium_is_ready(medium));
  welcome();
  cr_assert_eq(ping(1), 0);
}

Test(medium, replies_find_their_command_once) {
  welcome();
  cr_assert_eq(ping(1), 0);
  cr_assert_eq(ping(2), 0);
  uint64_t one = get().h.seq, two = get().h.seq;
  put(MSET_OK, 0, two);
  cr_assert_eq(last_op, 2);
  put(MSET_OK, 0, two);
  put(MSET_OK, 0, one + 4096); /* the slot is the same, the command is not */
  cr_assert_eq(replies, 1);
  put(MSET_OK, 0, one);
  cr_assert_eq(last_op, 1);
}

Test(medium, deadlines) {
  welcome();
  cr_assert_eq(ping(1), 0);
  clock_fake(now_us += 1000000, 1);
  turn();
  cr_assert_eq(ping(2), 0);
  clock_fake(now_us += 1000001, 1);
  turn();
  cr_assert_eq(nones, 1);
  cr_assert_eq(last_op, 1);
  uint64_t late = get().h.seq;
  put(MSET_OK, 0, late); /* too late */
  cr_assert_eq(replies, 0);
  clock_fake(now_us += 1000000, 1);
  turn();
  cr_assert_eq(nones, 2);
  cr_assert_eq(ready, 1, "a slow process is not a lost one");
}

Test(medium, a_full_socket_never_blocks_and_ends_are_sent_later) {
  int sent = 0, ended = 0;
  welcome();
  while (ping(1) == 0)
    cr_assert_lt(++sent, 100000);
  cr_assert_eq(medium_end(medium, 42, on_reply, 1, 1), 1);
  union mset_any m;
  for (int i = 0; i < 50; i++) {
    while (recv(peer, &m, sizeof(m), 0) > 0) {
      ended += m.h.type == MSET_END && m.h.session == 42;
      if (m.h.type == MSET_PING) {
        union mset_any ok;
        mset_init(&ok, MSET_OK, 0);
        ok.h.seq = m.h.seq;
        (void)!send(peer, &ok, ok.h.bytes, MSG_NOSIGNAL);
      }
    }
    turn();
  }
  cr_assert_eq(ended, 1);
  cr_assert_eq(ping(1), 0);
}

static void pass_s(unsigned s) {
  clock_fake(now_us += s * UINT64_C(1000000), 1);
  turn();
}

Test(medium, one_that_hangs_is_lost_after_four_pings) {
  union mset_any m;
  welcome();
  for (int i = 0; i < 10; i++) { /* while it answers it lives */
    pass_s(2);
    m = get();
    cr_assert_eq(m.h.type, MSET_PING);
    put(MSET_OK, 0, m.h.seq);
  }
  pass_s(60); /* we stood still, not it */
  cr_assert_eq(ready, 1);
  for (int i = 0; i < 4; i++) {
    cr_assert_eq(ready, 1, "ping %d", i);
    pass_s(2);
  }
  cr_assert_eq(ready, 0);
  cr_assert_eq(medium_lost_count(medium), 1);
}

Test(medium, sessions_of_an_earlier_controller_end) {
  welcome();
  put(MSET_LIVE, 77, 0);
  union mset_any m = get();
  cr_assert_eq(m.h.type, MSET_END);
  cr_assert_eq(m.h.session, 77);
}

Test(medium, loss_is_told_to_who_waits_and_then_it_connects_again) {
  welcome();
  cr_assert_eq(ping(1), 0);
  close(peer);
  turn();
  cr_assert_eq(nones, 1);
  cr_assert_eq(ready, 0);
  cr_assert_eq(medium_lost_count(medium), 1);
  clock_fake(now_us += 300000, 1);
  turn();
  peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  welcome();
}

Test(medium, a_malformed_message_is_a_loss) {
  welcome();
  cr_assert_gt(send(peer, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 40, 0), 0);
  turn();
  cr_assert_eq(ready, 0);
}

Test(medium, another_version_is_no_media_process) {
  union mset_any m, hello = get();
  mset_init(&m, MSET_WELCOME, 0);
  m.h.seq = hello.h.seq;
  m.welcome.version = MSET_VERSION + 1;
  cr_assert_gt(send(peer, &m, m.h.bytes, 0), 0);
  turn();
  cr_assert_not(medium_is_ready(medium));
  cr_assert_eq(ready, 0);
}

Test(medium, no_welcome_in_time_is_tried_again) {
  clock_fake(now_us += 2100000, 1);
  turn();
  clock_fake(now_us += 300000, 1);
  turn();
  close(peer);
  peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  cr_assert_geq(peer, 0);
  welcome();
}
