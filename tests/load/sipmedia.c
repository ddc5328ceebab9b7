/* SPDX-License-Identifier: Apache-2.0
 * Audio of sipgen's calls: see sipmedia.h. */
#define _GNU_SOURCE
#include "sipmedia.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  BATCH = 64,
  PACKET_BYTES = 172,
  ROOM = 256,
  PERIOD_US = 20000,
  SETTLE_US = 300000,
  DELAYS_MAX = 8000000,
  SOCKET_BYTES = 16 << 20
};

struct leg {
  struct sockaddr_in to;
  uint64_t due_us;
  uint16_t seq;
  bool is_known;
};

struct window {
  uint64_t sent, received, behind;
  uint32_t *delays;
  size_t n;
};

static struct {
  unsigned legs_n;
  struct leg *legs; /* 2 * call + side */
  int fd[2];
  uint16_t port[2];
  unsigned window;
  uint64_t ends_us; /* ends_us: the window before is told then; 0: none is due */
  struct window windows[2];
} m;

static uint64_t wall_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static int socket_open(enum media_side side, const struct sockaddr_in *at) {
  struct sockaddr_in me = *at;
  socklen_t n = sizeof(me);
  int one = 1, bytes = SOCKET_BYTES;
  me.sin_port = 0;
  m.fd[side] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (m.fd[side] < 0 || bind(m.fd[side], (struct sockaddr *)&me, sizeof(me)) < 0 ||
      getsockname(m.fd[side], (struct sockaddr *)&me, &n) < 0 ||
      setsockopt(m.fd[side], SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) < 0)
    return -errno;
  if (setsockopt(m.fd[side], SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
    (void)setsockopt(m.fd[side], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  m.port[side] = ntohs(me.sin_port);
  return 0;
}

int media_open(unsigned calls, const struct sockaddr_in *caller, const struct sockaddr_in *callee) {
  m.legs_n = 2 * calls;
  m.legs = calloc(m.legs_n, sizeof(*m.legs));
  m.windows[0].delays = malloc(DELAYS_MAX * sizeof(uint32_t));
  m.windows[1].delays = malloc(DELAYS_MAX * sizeof(uint32_t));
  if (!m.legs || !m.windows[0].delays || !m.windows[1].delays)
    return -ENOMEM;
  int r = socket_open(MEDIA_CALLER, caller);
  return r < 0 ? r : socket_open(MEDIA_CALLEE, callee);
}

unsigned media_port(enum media_side side) { return m.port[side]; }
int media_fd(enum media_side side) { return m.fd[side]; }

void media_learn(unsigned call, enum media_side side, const char *message) {
  const char *c = strstr(message, "\r\nc=IN IP4 "), *a = strstr(message, "\r\nm=audio ");
  char host[20] = "";
  unsigned index = 2 * call + side;
  if (index >= m.legs_n || !c || !a || m.legs[index].is_known || sscanf(c + 11, "%19[0-9.]", host) != 1)
    return;
  struct leg *l = &m.legs[index];
  l->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(a + 10))};
  l->is_known = l->to.sin_port && inet_pton(AF_INET, host, &l->to.sin_addr) == 1;
}

/* Packets that wait to be sent from one side. */
struct out {
  unsigned n;
  struct mmsghdr head[BATCH];
  struct iovec iov[BATCH];
  uint8_t bytes[BATCH][PACKET_BYTES];
};

static void out_flush(struct out *out, int fd) {
  for (unsigned done = 0; done < out->n;) {
    int n = sendmmsg(fd, out->head + done, out->n - done, 0);
    if (n <= 0)
      break; /* counted as lost */
    done += (unsigned)n;
  }
  out->n = 0;
}

static void out_add(struct out *out, int fd, struct leg *l, unsigned index) {
  uint8_t *p = out->bytes[out->n];
  uint64_t at_us = wall_us();
  uint32_t words[3] = {htonl(0x80000000u | l->seq), htonl(l->seq * 160u), htonl(0x10000u + index)};
  memset(p, 0xff, PACKET_BYTES);
  memcpy(p, words, 12);
  memcpy(p + 12, &at_us, 8);
  memcpy(p + 20, &m.window, 4);
  out->iov[out->n] = (struct iovec){p, PACKET_BYTES};
  out->head[out->n].msg_hdr = (struct msghdr){
      .msg_name = &l->to, .msg_namelen = sizeof(l->to), .msg_iov = &out->iov[out->n], .msg_iovlen = 1};
  l->seq++;
  m.windows[m.window % 2].sent++;
  if (++out->n == BATCH)
    out_flush(out, fd);
}

static void send_due(enum media_side side, uint64_t now_us) {
  static struct out out;
  for (unsigned i = side; i < m.legs_n; i += 2) {
    struct leg *l = &m.legs[i];
    if (!l->is_known || !m.legs[i ^ 1].is_known)
      continue;
    if (!l->due_us)
      l->due_us = now_us + (uint64_t)PERIOD_US * i / m.legs_n;
    if (l->due_us > now_us)
      continue;
    m.windows[m.window % 2].behind += now_us > l->due_us + 10000;
    l->due_us += PERIOD_US;
    out_add(&out, m.fd[side], l, i);
  }
  out_flush(&out, m.fd[side]);
}

static uint64_t stamp_us(struct msghdr *h) {
  struct timespec t;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
      memcpy(&t, CMSG_DATA(c), sizeof(t));
      return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
    }
  return wall_us();
}

static void packet_take(const uint8_t *p, size_t n, uint64_t came_us) {
  uint64_t sent_us;
  uint32_t window;
  if (n != PACKET_BYTES || (p[1] & 0x7f) != 0)
    return; /* a report, comfort noise */
  memcpy(&sent_us, p + 12, 8);
  memcpy(&window, p + 20, 4);
  if (window != m.window && window + 1 != m.window)
    return;
  struct window *w = &m.windows[window % 2];
  w->received++;
  if (w->n < DELAYS_MAX)
    w->delays[w->n++] = came_us > sent_us ? (uint32_t)(came_us - sent_us) : 0;
}

static int take_some(int fd) {
  static uint8_t bytes[BATCH][ROOM];
  static char control[BATCH][64];
  static struct iovec iov[BATCH];
  static struct mmsghdr head[BATCH];
  for (unsigned i = 0; i < BATCH; i++) {
    iov[i] = (struct iovec){bytes[i], ROOM};
    head[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
                                      .msg_iovlen = 1,
                                      .msg_control = control[i],
                                      .msg_controllen = sizeof(control[i])};
  }
  int n = recvmmsg(fd, head, BATCH, MSG_DONTWAIT, NULL);
  for (int i = 0; i < n; i++)
    packet_take(bytes[i], head[i].msg_len, stamp_us(&head[i].msg_hdr));
  return n;
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static unsigned percentile(const struct window *w, unsigned permille) {
  return w->n ? w->delays[(w->n - 1) * permille / 1000] : 0;
}

static void window_tell(struct window *w) {
  qsort(w->delays, w->n, sizeof(*w->delays), by_size);
  printf("{\"sent\": %llu, \"received\": %llu, \"behind\": %llu, \"p50_us\": %u, \"p99_us\": %u, "
         "\"p999_us\": "
         "%u, \"max_us\": %u}\n",
         (unsigned long long)w->sent, (unsigned long long)w->received, (unsigned long long)w->behind,
         percentile(w, 500), percentile(w, 990), percentile(w, 999), percentile(w, 1000));
  fflush(stdout);
  w->sent = w->received = w->behind = 0;
  w->n = 0;
}

void media_turn(uint64_t now_us) {
  send_due(MEDIA_CALLER, now_us);
  send_due(MEDIA_CALLEE, now_us);
  for (unsigned k = 0; k < 8 && take_some(m.fd[0]) + take_some(m.fd[1]) > 0; k++)
    ;
  if (m.ends_us && now_us >= m.ends_us) {
    m.ends_us = 0;
    window_tell(&m.windows[(m.window + 1) % 2]);
  }
}

void media_mark(uint64_t now_us) {
  m.window++;
  m.ends_us = now_us + SETTLE_US;
}
