/* SPDX-License-Identifier: Apache-2.0
 * The load generator's driver of the bare relay (relay.c). */
#include "floor.h"
#include "gen.h"

#include <poll.h>
#include <sys/un.h>

static int fd = -1;
static struct addr at[2];

/* A datagram answered by the same socket: n bytes, or -errno. */
static ssize_t ask(const void *p, size_t n, void *reply, size_t room) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  if (send(fd, p, n, 0) < 0)
    return -errno;
  if (poll(&poll_fd, 1, 5000) <= 0)
    return -ETIMEDOUT;
  ssize_t got = recv(fd, reply, room, 0);
  return got < 0 ? -errno : got;
}

static int relay_start(struct gen *g) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  int error = slice_copy(un.sun_path, sizeof(un.sun_path), slice_of(g->control));
  if (error)
    return error;
  fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
    return -errno;
  return ask("?", 1, at, sizeof(at)) == sizeof(at) ? 0 : -EPROTO;
}

static int relay_open(struct gen *g, struct call *c) {
  char done;
  for (unsigned i = 0; i < 2; i++) {
    struct leg *l = &c->leg[i];
    l->target = at[i];
    l->rx_ssrc = c->leg[!i].ssrc;
    struct floor_leg f = {.side = i,
                          .ssrc = l->ssrc,
                          .rx_ssrc = l->rx_ssrc,
                          .to = g->at[i],
                          .from_key = l->tx_key,
                          .to_key = l->rx_key};
    if (ask(&f, sizeof(f), &done, 1) != 1)
      return -EPROTO;
  }
  return 0;
}

static void relay_close(struct gen *g, struct call *c) {
  (void)g;
  (void)c;
}

const struct driver drive_relay = {"relay", false, relay_start, relay_open, NULL, relay_close};
