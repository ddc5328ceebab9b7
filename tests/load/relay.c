/* SPDX-License-Identifier: Apache-2.0
 * The bare relay: what a packet costs on kernel sockets with nothing around it. One thread, a socket
 * for all A legs and one for all B legs, recvmmsg and sendmmsg of 64, libsrtp2 with our primitives,
 * 500 us of coalescing when busy; no policy, no reports, no counters. The floor of bench-media. */
#include "base/map.h"
#include "floor.h"
#include "flow/suite.h"
#include "wire/bytes.h"

#include <poll.h>
#include <signal.h>
#include <srtp2/srtp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <time.h>

enum { BATCH = 64, ROOM = 512, LEGS_MAX = 40000, COALESCE_US = 500, BUSY = 8 };

struct half { /* what comes from one leg: how it is opened, how sealed, where it goes */
  srtp_t in, out;
  struct addr to;
};

static struct map *by_ssrc;
static int sockets[2];
static struct mmsghdr head[2][BATCH];
static struct iovec iov[2][BATCH];
static uint8_t bytes[2][BATCH][ROOM];
static struct addr to[2][BATCH];

static srtp_t context_make(const struct srtp_key *k, uint32_t ssrc) {
  static const srtp_profile_t profiles[SUITE_COUNT_] = {
      [SUITE_AES_CM_128_HMAC_SHA1_80] = srtp_profile_aes128_cm_sha1_80,
      [SUITE_AES_CM_128_HMAC_SHA1_32] = srtp_profile_aes128_cm_sha1_32,
      [SUITE_AEAD_AES_128_GCM] = srtp_profile_aead_aes_128_gcm,
      [SUITE_AEAD_AES_256_GCM] = srtp_profile_aead_aes_256_gcm};
  uint8_t key[SRTPKEY_MAX_BYTES];
  srtp_policy_t p = {.ssrc = {ssrc_specific, ssrc}, .key = key, .window_size = 128};
  srtp_t s = NULL;
  if (!k->suite)
    return NULL;
  memcpy(key, k->bytes, sizeof(key));
  srtp_crypto_policy_set_from_profile_for_rtp(&p.rtp, profiles[k->suite]);
  srtp_crypto_policy_set_from_profile_for_rtcp(&p.rtcp, profiles[k->suite]);
  if (srtp_create(&s, &p) != srtp_err_status_ok)
    abort();
  return s;
}

/* The half that an SSRC feeds, made when either leg is told first. */
static struct half *half_of(uint32_t ssrc) {
  struct half *h = map_get(by_ssrc, slice_from(&ssrc, sizeof(ssrc)));
  if (h)
    return h;
  h = calloc(1, sizeof(*h));
  if (!h || map_put(by_ssrc, slice_from(&ssrc, sizeof(ssrc)), h) < 0)
    abort();
  return h;
}

static void leg_add(const struct floor_leg *f) {
  half_of(f->ssrc)->in = context_make(&f->from_key, f->ssrc);
  struct half *h = half_of(f->rx_ssrc);
  h->out = context_make(&f->to_key, f->rx_ssrc);
  h->to = f->to;
}

/* False: the generator is gone. */
static bool control_turn(int fd) {
  union {
    struct floor_leg leg;
    char any[sizeof(struct floor_leg)];
  } m;
  ssize_t n = recv(fd, &m, sizeof(m), MSG_DONTWAIT);
  if (n == sizeof(m.leg)) {
    leg_add(&m.leg);
    (void)!send(fd, "+", 1, 0);
  } else if (n == 1) {
    struct addr at[2] = {0};
    for (unsigned i = 0; i < 2; i++) {
      socklen_t len = sizeof(at[i]);
      (void)getsockname(sockets[i], &at[i].sa, &len);
    }
    (void)!send(fd, at, sizeof(at), 0);
  }
  return n > 0 || (n < 0 && errno == EAGAIN);
}

/* Opens and seals in place; the length to send, 0 for nothing. */
static size_t packet_turn(uint8_t *p, size_t n, struct addr *ret_to) {
  uint32_t ssrc = n >= 12 ? bytes_u32(p + 8) : 0;
  struct half *h = n >= 12 ? map_get(by_ssrc, slice_from(&ssrc, sizeof(ssrc))) : NULL;
  int length = (int)n;
  if (!h || (h->in && srtp_unprotect(h->in, p, &length)) || (h->out && srtp_protect(h->out, p, &length)))
    return 0;
  *ret_to = h->to;
  return (size_t)length;
}

static int receive(unsigned side) {
  for (unsigned i = 0; i < BATCH; i++) {
    iov[side][i] = (struct iovec){bytes[side][i], ROOM - 64};
    head[side][i].msg_hdr = (struct msghdr){.msg_iov = &iov[side][i], .msg_iovlen = 1};
  }
  return recvmmsg(sockets[side], head[side], BATCH, MSG_DONTWAIT, NULL);
}

static unsigned relay_turn(unsigned side) {
  int got = receive(side);
  unsigned n = 0;
  for (int i = 0; i < got; i++) {
    size_t length = packet_turn(bytes[side][i], head[side][i].msg_len, &to[side][n]);
    if (!length)
      continue;
    iov[side][n] = (struct iovec){bytes[side][i], length};
    head[side][n].msg_hdr = (struct msghdr){.msg_name = &to[side][n].sa,
                                            .msg_namelen = addr_len(&to[side][n]),
                                            .msg_iov = &iov[side][n],
                                            .msg_iovlen = 1};
    n++;
  }
  for (unsigned done = 0; done < n;) {
    int sent = sendmmsg(sockets[!side], head[side] + done, n - done, 0);
    done += sent > 0 ? (unsigned)sent : 1;
  }
  return got > 0 ? (unsigned)got : 0;
}

static void serve(int control) {
  struct pollfd p[3] = {{.fd = sockets[0], .events = POLLIN},
                        {.fd = sockets[1], .events = POLLIN},
                        {.fd = control, .events = POLLIN}};
  while (poll(p, 3, 1000) >= 0) {
    if (p[2].revents && !control_turn(control))
      return;
    unsigned a = relay_turn(0), b = relay_turn(1);
    if (a + b >= BUSY && a < BATCH && b < BATCH)
      (void)nanosleep(&(struct timespec){.tv_nsec = COALESCE_US * 1000}, NULL);
  }
}

static int listen_at(const char *path) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (slice_copy(un.sun_path, sizeof(un.sun_path), slice_of(path)) < 0 || fd < 0)
    return -1;
  (void)unlink(path);
  return bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 || listen(fd, 1) < 0 ? -1 : fd;
}

static bool sockets_open(const char *ip) {
  int room = 4 << 20;
  for (unsigned i = 0; i < 2; i++) {
    struct addr a;
    if (addr_parse(&a, slice_of(ip), 0) < 0)
      return false;
    sockets[i] = socket(addr_family(&a), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sockets[i] < 0 || bind(sockets[i], &a.sa, addr_len(&a)) < 0)
      return false;
    if (setsockopt(sockets[i], SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
      (void)setsockopt(sockets[i], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
  }
  return true;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "Usage: relay SOCKET IP\n");
    return 2;
  }
  (void)prctl(PR_SET_TIMERSLACK, 1000ul, 0ul, 0ul, 0ul);
  signal(SIGPIPE, SIG_IGN);
  int fd = listen_at(argv[1]);
  if (fd < 0 || suite_start() < 0 || map_new(&by_ssrc, LEGS_MAX) < 0 || !sockets_open(argv[2])) {
    perror("relay");
    return 1;
  }
  int control = accept(fd, NULL, NULL);
  if (control >= 0)
    serve(control);
  return 0;
}
