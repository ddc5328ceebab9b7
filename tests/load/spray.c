/* SPDX-License-Identifier: Apache-2.0
 * Sprays datagrams made from a template over a range of ports of this machine, from several sockets or
 * with a borrowed source address, at a rate, for at most 120 s, and counts what comes back. For the
 * attack scenarios; it takes loopback and the private addresses of test namespaces only. */
#include "base/clock.h"
#include "base/rand.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  BATCH = 32,
  ROOM = 4096,
  SOCKETS = 16,
  HEADS = sizeof(struct iphdr) + sizeof(struct udphdr),
  FIELDS = 4
};

static const char usage[] = "Usage: spray --template FILE --to IP:PORT[-PORT] [--from IP | --spoof "
                            "IP:PORT] [--rate N] [--seconds S]\n"
                            "             [--count OFFSET]… [--random OFFSET:BYTES]… [--sockets N]\n"
                            "  --count   a big-endian 16 bit number there counts up; \"@@@@@@@@\" "
                            "becomes eight hex digits anyway\n";

struct spray {
  uint8_t template[ROOM];
  size_t n;
  struct sockaddr_in to, from;
  unsigned port_last, rate, n_sockets, n_count, n_random;
  size_t count[FIELDS], random[FIELDS], random_bytes[FIELDS];
  double seconds;
  bool is_spoof;
  int fd[SOCKETS];
  uint64_t sent, failed, answers, answer_bytes;
  unsigned n_marks;
  size_t mark[8];
};

static int address_read(struct sockaddr_in *ret, const char *text, unsigned *ret_last) {
  char ip[64];
  unsigned first = 0, last = 0;
  int n = sscanf(text, "%63[0-9.]:%u-%u", ip, &first, &last);
  ret->sin_family = AF_INET;
  ret->sin_port = htons((uint16_t)first);
  if (ret_last)
    *ret_last = n == 3 ? last : first;
  uint32_t host =
      n >= 1 && inet_pton(AF_INET, ip, &ret->sin_addr) == 1 ? ntohl(ret->sin_addr.s_addr) : 0;
  if (!ret_last)
    return host ? 0 : -1;
  return host >> 24 == 127 || host >> 24 == 10 || host >> 20 == 0xac1 || host >> 16 == 0xc0a8 ? 0 : -1;
}

static int template_read(struct spray *s, const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f)
    return -1;
  s->n = fread(s->template, 1, sizeof(s->template), f);
  fclose(f);
  for (size_t i = 0; i + 8 <= s->n && s->n_marks < 8; i++)
    if (memcmp(s->template + i, "@@@@@@@@", 8) == 0)
      s->mark[s->n_marks++] = i;
  return s->n ? 0 : -1;
}

static int options_read(struct spray *s, int argc, char **argv) {
  static const struct option longs[] = {{"template", 1, NULL, 't'}, {"to", 1, NULL, 'd'},
                                        {"from", 1, NULL, 'f'},     {"spoof", 1, NULL, 's'},
                                        {"rate", 1, NULL, 'r'},     {"seconds", 1, NULL, 'x'},
                                        {"count", 1, NULL, 'c'},    {"random", 1, NULL, 'z'},
                                        {"sockets", 1, NULL, 'n'},  {0}};
  int bad = 0;
  for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
    if (c == 't')
      bad |= template_read(s, optarg);
    else if (c == 'd')
      bad |= address_read(&s->to, optarg, &s->port_last);
    else if (c == 'f' || c == 's')
      bad |= address_read(&s->from, optarg, NULL), s->is_spoof = c == 's';
    else if (c == 'r')
      s->rate = (unsigned)atoi(optarg);
    else if (c == 'x')
      s->seconds = atof(optarg);
    else if (c == 'n')
      s->n_sockets = (unsigned)atoi(optarg);
    else if (c == 'c' && s->n_count < FIELDS)
      s->count[s->n_count++] = (size_t)atoi(optarg);
    else if (c == 'z' && s->n_random < FIELDS) {
      bad |= sscanf(optarg, "%zu:%zu", &s->random[s->n_random], &s->random_bytes[s->n_random]) != 2;
      s->n_random++;
    } else
      bad = 1;
  }
  for (unsigned i = 0; i < s->n_count; i++)
    bad |= s->count[i] + 2 > s->n;
  for (unsigned i = 0; i < s->n_random; i++)
    bad |= s->random[i] + s->random_bytes[i] > s->n;
  return bad || !s->n || !s->to.sin_port || !s->rate || s->n_sockets < 1 || s->n_sockets > SOCKETS ||
         s->seconds > 120;
}

static int sockets_open(struct spray *s) {
  int bytes = 1 << 20;
  if (s->is_spoof) {
    s->n_sockets = 1;
    s->fd[0] = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    return s->fd[0] < 0 ? -1 : 0;
  }
  for (unsigned i = 0; i < s->n_sockets; i++) {
    s->fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (s->fd[i] < 0 || bind(s->fd[i], (struct sockaddr *)&s->from, sizeof(s->from)) < 0)
      return -1;
    setsockopt(s->fd[i], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  }
  return 0;
}

static void body_make(const struct spray *s, uint64_t number, uint8_t *to) {
  char hex[9];
  memcpy(to, s->template, s->n);
  for (unsigned i = 0; i < s->n_random; i++)
    rand_bytes(to + s->random[i], s->random_bytes[i]);
  for (unsigned i = 0; i < s->n_count; i++) {
    unsigned was = (unsigned)s->template[s->count[i]] << 8 | s->template[s->count[i] + 1];
    was += (unsigned)number;
    to[s->count[i]] = (uint8_t)(was >> 8);
    to[s->count[i] + 1] = (uint8_t)was;
  }
  snprintf(hex, sizeof(hex), "%08x", (unsigned)number);
  for (unsigned i = 0; i < s->n_marks; i++)
    memcpy(to + s->mark[i], hex, 8);
}

/* IP and UDP heads with the borrowed source; the kernel fills in the IP checksum, UDP goes without. */
static void heads_make(const struct spray *s, const struct sockaddr_in *to, uint8_t *p) {
  struct iphdr ip = {.version = 4,
                     .ihl = 5,
                     .ttl = 64,
                     .protocol = IPPROTO_UDP,
                     .saddr = s->from.sin_addr.s_addr,
                     .daddr = to->sin_addr.s_addr,
                     .tot_len = htons((uint16_t)(HEADS + s->n))};
  struct udphdr udp = {
      .source = s->from.sin_port, .dest = to->sin_port, .len = htons((uint16_t)(sizeof(udp) + s->n))};
  memcpy(p, &ip, sizeof(ip));
  memcpy(p + sizeof(ip), &udp, sizeof(udp));
}

static void batch_send(struct spray *s, unsigned n) {
  static uint8_t room[BATCH][ROOM + HEADS];
  struct mmsghdr m[BATCH] = {0};
  struct iovec v[BATCH];
  struct sockaddr_in to[BATCH];
  unsigned span = s->port_last - ntohs(s->to.sin_port) + 1, heads = s->is_spoof ? HEADS : 0;
  for (unsigned i = 0; i < n; i++) {
    to[i] = s->to;
    to[i].sin_port = htons((uint16_t)(ntohs(s->to.sin_port) + (s->sent + i) % span));
    body_make(s, s->sent + i, room[i] + heads);
    if (heads)
      heads_make(s, &to[i], room[i]);
    v[i] = (struct iovec){room[i], s->n + heads};
    m[i].msg_hdr = (struct msghdr){
        .msg_name = &to[i], .msg_namelen = sizeof(to[i]), .msg_iov = &v[i], .msg_iovlen = 1};
  }
  int r = sendmmsg(s->fd[s->sent / BATCH % s->n_sockets], m, n, 0);
  s->failed += r < 0;
  s->sent += r < 0 ? 1 : (unsigned)r;
}

static void answers_read(struct spray *s) {
  uint8_t room[ROOM];
  for (unsigned i = 0; !s->is_spoof && i < s->n_sockets; i++)
    for (ssize_t n; (n = recv(s->fd[i], room, sizeof(room), MSG_DONTWAIT)) >= 0;) {
      s->answers++;
      s->answer_bytes += (uint64_t)n;
    }
}

int main(int argc, char **argv) {
  static struct spray s = {.rate = 1000, .seconds = 1, .n_sockets = SOCKETS, .from.sin_family = AF_INET};
  if (options_read(&s, argc, argv)) {
    fputs(usage, stderr);
    return 2;
  }
  if (sockets_open(&s) < 0) {
    perror("spray: socket");
    return 3;
  }
  uint64_t begin = clock_now_us(), end = begin + (uint64_t)(s.seconds * 1e6), now;
  while ((now = clock_now_us()) < end) {
    uint64_t due = (now - begin) * s.rate / 1000000;
    if (due > s.sent)
      batch_send(&s, due - s.sent > BATCH ? BATCH : (unsigned)(due - s.sent));
    else
      usleep(500);
    answers_read(&s);
  }
  usleep(200000);
  answers_read(&s);
  printf("{\"sent\": %llu, \"failed\": %llu, \"answers\": %llu, \"answer_bytes\": %llu}\n",
         (unsigned long long)s.sent, (unsigned long long)s.failed, (unsigned long long)s.answers,
         (unsigned long long)s.answer_bytes);
  return 0;
}
