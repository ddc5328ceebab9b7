/* SPDX-License-Identifier: Apache-2.0
 * The load generator of make bench-signaling: calls over UDP from one address to another through the
 * system under test. One thread is caller and callee; the last eight digits of the number say which
 * call a request is of, so that delays are measured whatever the system does to Call-ID and tags.
 * Nothing is sent twice: a call that is not whole within --timeout is lost.
 * Prints one JSON object, with --delays each call's delay too (us, sorted). --hold-all: prints "held" when all were answered, then waits for its end;
 * --media N gives the first N calls audio, and each line of input ends a window of it (sipmedia.h). */
#define _GNU_SOURCE
#include "sipmedia.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  PACKET_BYTES = 4096,
  BATCH = 64,
  SOCKET_BYTES = 16 << 20,
  CODES = 700,
  DELAYS_MAX = 4000000,
};

enum state { NEW, CALLING, ANSWERED, ENDING, DONE, FAILED };

struct call {
  uint64_t sent_us, arrived_us, taken_us, answered_us;
  enum state state;
  bool bye_seen, bye_answered;
  char to[160], target[160], route[320];
};

static struct options {
  struct sockaddr_in target, uac, uas;
  char target_text[32], uac_text[32], uas_text[32];
  unsigned rate, seconds, hold_ms, timeout_s;
  bool hold_all, is_secured, tells_delays;
  unsigned media;     /* so many calls have audio */
  const char *prefix; /* what numbers begin with, four digits */
  unsigned users;     /* native users: there is no callee of ours */
} o = {.rate = 10, .seconds = 5, .hold_ms = 1000, .timeout_s = 5, .prefix = "1555"};

static struct call *calls;
static unsigned n_calls, n_sent, n_bye, n_checked, n_done, n_failed, n_answered, n_late;
static unsigned codes[CODES];
static uint32_t *delays;
static unsigned n_delays;
static int uac_fd, uas_fd;
static unsigned nonce; /* of this run: in tags, branches and Call-IDs */

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void die(const char *what) {
  fprintf(stderr, "sipgen: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* Text ---------------------------------------------------------------------------------------------- */
struct text {
  char bytes[PACKET_BYTES];
  size_t n;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(t->bytes + t->n, sizeof(t->bytes) - t->n, format, ap);
  va_end(ap);
  if (n > 0 && t->n + (size_t)n < sizeof(t->bytes))
    t->n += (size_t)n;
}

static void send_to(int fd, const struct text *t, const struct sockaddr_in *to) {
  if (sendto(fd, t->bytes, t->n, 0, (const struct sockaddr *)to, sizeof(*to)) < 0 && errno != EAGAIN)
    die("sendto");
}

/* The next line of head, without its end; NULL at the empty one. */
static const char *line_next(const char **at, size_t *n) {
  const char *line = *at, *end = strstr(line, "\r\n");
  if (!end || end == line)
    return NULL;
  *n = (size_t)(end - line);
  *at = end + 2;
  return line;
}

static bool line_is(const char *line, size_t n, const char *name) {
  size_t m = strlen(name);
  return n > m && line[m] == ':' && strncasecmp(line, name, m) == 0;
}

static const char *value_of(const char *line, size_t n, size_t *ret) {
  const char *v = memchr(line, ':', n), *end = line + n;
  for (v++; v < end && *v == ' ';)
    v++;
  *ret = (size_t)(end - v);
  return v;
}

static void copy(char *dst, size_t bytes, const char *src, size_t n) {
  n = n < bytes ? n : bytes - 1;
  memcpy(dst, src, n);
  dst[n] = 0;
}

static void put_sdp(struct text *t, unsigned i, bool answers) {
  struct text body = {.n = 0};
  bool speaks = i < o.media;
  char ip[INET_ADDRSTRLEN] = "127.0.0.1";
  unsigned port = speaks ? media_port(answers ? MEDIA_CALLEE : MEDIA_CALLER)
                         : (answers ? 40000 : 20000) + 2 * (i % 10000);
  if (speaks)
    (void)inet_ntop(AF_INET, answers ? &o.uas.sin_addr : &o.uac.sin_addr, ip, sizeof(ip));
  put(&body,
      "v=0\r\no=gen 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %u RTP/%s 0 8 101\r\n"
      "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
      "a=fmtp:101 0-15\r\na=ptime:20\r\n%s%s",
      ip, ip, port, o.is_secured ? "SAVP" : "AVP",
      !o.is_secured ? ""
      : answers
          ? "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:Q2FsbGVlQ2FsbGVlQ2FsbGVlQ2FsbGVlQ2FsbGVl\r\n"
          : "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:Q2FsbGVyQ2FsbGVyQ2FsbGVyQ2FsbGVyQ2FsbGVy\r\n",
      "a=sendrecv\r\n");
  put(t, "Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s", body.n, body.bytes);
}

/* Caller -------------------------------------------------------------------------------------------- */
static void number_of(unsigned i, char dst[24]) {
  if (o.users)
    snprintf(dst, 24, "+16%02u%08u", i % o.users, i);
  else
    snprintf(dst, 24, "+%s%08u", o.prefix, i);
}

static void invite(unsigned i) {
  struct text t = {.n = 0};
  char number[24];
  number_of(i, number);
  put(&t,
      "INVITE sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKi%08x%08x;rport\r\nMax-Forwards: "
      "70\r\n"
      "From: <sip:+1444%07u@%s>;tag=c%08x%08x\r\nTo: <sip:%s@%s>\r\nCall-ID: g%08xx%08x@gen\r\nCSeq: 1 "
      "INVITE\r\n"
      "Contact: <sip:gen@%s>\r\nUser-Agent: sipgen\r\n",
      number, o.target_text, o.uac_text, nonce, i, i % 1000, o.uac_text, nonce, i, number, o.target_text,
      i, nonce, o.uac_text);
  put_sdp(&t, i, false);
  calls[i].sent_us = now_us();
  calls[i].state = CALLING;
  send_to(uac_fd, &t, &o.target);
}

static void request(unsigned i, const char *method, unsigned cseq) {
  const struct call *c = &calls[i];
  struct text t = {.n = 0};
  put(&t,
      "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%c%08x%08x;rport\r\nMax-Forwards: 70\r\n%s"
      "From: <sip:+1444%07u@%s>;tag=c%08x%08x\r\nTo: %s\r\nCall-ID: g%08xx%08x@gen\r\nCSeq: %u %s\r\n"
      "Content-Length: 0\r\n\r\n",
      method, c->target, o.uac_text, method[0] | 0x20, nonce, i, c->route, i % 1000, o.uac_text, nonce,
      i, c->to, i, nonce, cseq, method);
  send_to(uac_fd, &t, &o.target);
}

static void fail(unsigned i, unsigned code) {
  if (calls[i].state >= DONE)
    return;
  calls[i].state = FAILED;
  n_failed++;
  codes[code < CODES ? code : 0]++;
}

/* What of a 2xx makes the dialog: To, Contact, Record-Route in the order of Route. */
static void dialog_take(struct call *c, const char *head) {
  const char *at = strstr(head, "\r\n") + 2, *line;
  size_t n, m;
  c->route[0] = 0;
  while ((line = line_next(&at, &n))) {
    const char *v = value_of(line, n, &m);
    if (line_is(line, n, "To") || line_is(line, n, "t")) {
      copy(c->to, sizeof(c->to), v, m);
    } else if (line_is(line, n, "Contact") || line_is(line, n, "m")) {
      const char *open = memchr(v, '<', m),
                 *shut = open ? memchr(open, '>', (size_t)(v + m - open)) : NULL;
      if (shut)
        copy(c->target, sizeof(c->target), open + 1, (size_t)(shut - open - 1));
    } else if (line_is(line, n, "Record-Route")) {
      struct text t = {.n = 0};
      put(&t, "Route: %.*s\r\n%s", (int)m, v, c->route);
      copy(c->route, sizeof(c->route), t.bytes, t.n);
    }
  }
}

static void on_answer(unsigned i, const char *head) {
  struct call *c = &calls[i];
  if (c->state == CALLING) {
    c->answered_us = now_us();
    c->state = ANSWERED;
    n_answered++;
    dialog_take(c, head);
    if (i < o.media)
      media_learn(i, MEDIA_CALLER, head);
    if (n_delays < DELAYS_MAX && c->arrived_us)
      delays[n_delays++] = (uint32_t)(c->arrived_us - c->sent_us + c->answered_us - c->taken_us);
  }
  request(i, "ACK", 1);
}

static void ack_failed(unsigned i, const char *head) {
  struct call *c = &calls[i];
  char target[200];
  dialog_take(c, head);
  char number[24];
  number_of(i, number);
  snprintf(target, sizeof(target), "sip:%s@%s", number, o.target_text);
  struct text t = {.n = 0};
  put(&t,
      "ACK %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKi%08x%08x;rport\r\nMax-Forwards: 70\r\n"
      "From: <sip:+1444%07u@%s>;tag=c%08x%08x\r\nTo: %s\r\nCall-ID: g%08xx%08x@gen\r\nCSeq: 1 ACK\r\n"
      "Content-Length: 0\r\n\r\n",
      target, o.uac_text, nonce, i, i % 1000, o.uac_text, nonce, i, c->to, i, nonce);
  send_to(uac_fd, &t, &o.target);
}

/* Whole: the BYE arrived, and the caller knows. */
static void finish(struct call *c) {
  if (c->state == ENDING && (c->bye_seen || o.users) && c->bye_answered) {
    c->state = DONE;
    n_done++;
  }
}

static void on_response(unsigned i, unsigned status, bool is_invite, const char *head) {
  struct call *c = &calls[i];
  if (is_invite && status >= 200 && status < 300) {
    on_answer(i, head);
  } else if (is_invite && status >= 300) {
    ack_failed(i, head);
    fail(i, status);
  } else if (!is_invite && status >= 200 && c->state == ENDING) {
    c->bye_answered = status == 200;
    if (c->bye_answered)
      finish(c);
    else
      fail(i, status);
  }
}

/* Callee -------------------------------------------------------------------------------------------- */
static void respond(const char *head, const char *status, const struct sockaddr_in *to, unsigned i,
                    bool with_sdp) {
  struct text t = {.n = 0};
  const char *at = strstr(head, "\r\n") + 2, *line;
  size_t n;
  put(&t, "SIP/2.0 %s\r\n", status);
  while ((line = line_next(&at, &n))) {
    bool is_to = line_is(line, n, "To") || line_is(line, n, "t");
    if (is_to || line_is(line, n, "Via") || line_is(line, n, "v") || line_is(line, n, "From") ||
        line_is(line, n, "f") || line_is(line, n, "Call-ID") || line_is(line, n, "i") ||
        line_is(line, n, "CSeq") || line_is(line, n, "Record-Route"))
      put(&t, "%.*s%s\r\n", (int)n, line, is_to && !memmem(line, n, ";tag=", 5) ? ";tag=uas" : "");
  }
  put(&t, "Contact: <sip:gen@%s>\r\n", o.uas_text);
  if (with_sdp)
    put_sdp(&t, i, true);
  else
    put(&t, "Content-Length: 0\r\n\r\n");
  send_to(uas_fd, &t, to);
}

/* The eight digits before the first '@' of the request line, or of To. */
static bool index_of(const char *text, const char *end, unsigned *ret) {
  const char *at = memchr(text, '@', (size_t)(end - text));
  if (!at || at - text < 8)
    return false;
  *ret = 0;
  for (const char *p = at - 8; p < at; p++) {
    if (*p < '0' || *p > '9')
      return false;
    *ret = *ret * 10 + (unsigned)(*p - '0');
  }
  return *ret < n_calls;
}

/* A BYE names its call by To, whose number the system did not change. */
static bool index_of_to(const char *head, unsigned *ret) {
  const char *at = strstr(head, "\r\n") + 2, *line;
  size_t n;
  while ((line = line_next(&at, &n)))
    if (line_is(line, n, "To") || line_is(line, n, "t"))
      return index_of(line, line + n, ret);
  return false;
}

static void on_request(char *head, const struct sockaddr_in *from) {
  unsigned i;
  if (!strncmp(head, "ACK ", 4))
    return;
  if (!strncmp(head, "INVITE ", 7) && index_of(head, strstr(head, "\r\n"), &i)) {
    struct call *c = &calls[i];
    if (!c->arrived_us)
      c->arrived_us = now_us();
    if (i < o.media)
      media_learn(i, MEDIA_CALLEE, head);
    respond(head, "180 Ringing", from, i, false);
    if (!c->taken_us)
      c->taken_us = now_us();
    respond(head, "200 OK", from, i, true);
  } else {
    if (!strncmp(head, "BYE ", 4) && index_of_to(head, &i)) {
      calls[i].bye_seen = true;
      finish(&calls[i]);
    }
    respond(head, "200 OK", from, 0, false);
  }
}

/* Turns ----------------------------------------------------------------------------------------------
 */
static void on_message(char *head, const struct sockaddr_in *from) {
  if (!strstr(head, "\r\n"))
    return;
  if (strncmp(head, "SIP/2.0 ", 8) != 0) {
    on_request(head, from);
    return;
  }
  const char *id = strcasestr(head, "\r\nCall-ID: g");
  const char *cseq = strcasestr(head, "\r\nCSeq: ");
  if (!id)
    id = strstr(head, "\r\ni: g");
  if (!id || !cseq)
    return;
  char *end;
  unsigned i = (unsigned)strtoul(strchr(id, 'g') + 1, &end, 16);
  if (i < n_calls && *end == 'x' && strtoul(end + 1, NULL, 16) == nonce)
    on_response(i, (unsigned)atoi(head + 8), strncmp(cseq + 8, "1 INVITE", 8) == 0, head);
}

static unsigned receive(int fd) {
  static char bytes[BATCH][PACKET_BYTES];
  static struct sockaddr_in from[BATCH];
  static struct iovec iov[BATCH];
  static struct mmsghdr m[BATCH];
  for (unsigned i = 0; i < BATCH; i++) {
    iov[i] = (struct iovec){bytes[i], PACKET_BYTES - 1};
    m[i].msg_hdr = (struct msghdr){
        .msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &iov[i], .msg_iovlen = 1};
  }
  int n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
  for (int i = 0; i < n; i++) {
    bytes[i][m[i].msg_len] = 0;
    on_message(bytes[i], &from[i]);
  }
  return n < 0 ? 0 : (unsigned)n;
}

static void place_due(uint64_t begin, uint64_t now) {
  uint64_t due = (now - begin) * o.rate / 1000000u + 1;
  for (unsigned k = 0; n_sent < n_calls && n_sent < due && k < 200; k++) {
    uint64_t at = begin + (uint64_t)n_sent * 1000000u / o.rate;
    n_late += now > at + 10000;
    invite(n_sent++);
  }
}

static void end_due(uint64_t now) {
  while (n_bye < n_sent && calls[n_bye].sent_us + o.hold_ms * 1000u <= now) {
    if (calls[n_bye].state == ANSWERED) {
      calls[n_bye].state = ENDING;
      request(n_bye, "BYE", 2);
    } else if (calls[n_bye].state == CALLING && calls[n_bye].sent_us + o.timeout_s * 1000000u > now) {
      return; /* answered later than it should have ended */
    }
    n_bye++;
  }
}

static void check_due(uint64_t now) {
  uint64_t wait_us = o.timeout_s * 1000000u + o.hold_ms * 1000u;
  while (n_checked < n_sent &&
         (calls[n_checked].state >= DONE || calls[n_checked].sent_us + wait_us <= now))
    fail(n_checked++, 0);
}

/* A line of input ends a window. */
static void media_look(uint64_t now) {
  struct pollfd p = {.fd = 0, .events = POLLIN};
  char line[64];
  media_turn(now);
  if (poll(&p, 1, 0) > 0 && read(0, line, sizeof(line)) > 0)
    media_mark(now);
}

static void run(void) {
  uint64_t begin = now_us();
  bool told = false;
  while (n_checked < n_calls) {
    struct pollfd p[4] = {{uac_fd, POLLIN, 0},
                          {uas_fd, POLLIN, 0},
                          {media_fd(MEDIA_CALLER), POLLIN, 0},
                          {media_fd(MEDIA_CALLEE), POLLIN, 0}};
    uint64_t now = now_us();
    place_due(begin, now);
    if (!o.hold_all) {
      end_due(now);
      check_due(now);
    }
    if (o.hold_all && !told && n_answered + n_failed == n_calls) {
      told = true;
      printf("held %u\n", n_answered);
      fflush(stdout);
    }
    if (o.media)
      media_look(now);
    poll(p, o.media ? 4 : 2, 1);
    for (unsigned k = 0; k < 8 && receive(uas_fd) + receive(uac_fd) > 0; k++)
      ;
  }
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static unsigned percentile(unsigned permille) {
  return n_delays ? delays[(uint64_t)(n_delays - 1) * permille / 1000] : 0;
}

static void tell(void) {
  qsort(delays, n_delays, sizeof(*delays), by_size);
  printf("{\"offered\": %u, \"completed\": %u, \"failed\": %u, \"behind\": %.6f, \"p50_us\": %u, "
         "\"p99_us\": %u, "
         "\"p999_us\": %u, \"codes\": {",
         n_calls, n_done, n_failed, (double)n_late / n_calls, percentile(500), percentile(990),
         percentile(999));
  bool first = true;
  for (unsigned i = 0; i < CODES; i++)
    if (codes[i]) {
      printf("%s\"%u\": %u", first ? "" : ", ", i, codes[i]);
      first = false;
    }
  printf("}");
  for (unsigned i = 0; o.tells_delays && i < n_delays; i++)
    printf("%s%u", i ? ", " : ", \"delays_us\": [", delays[i]);
  printf("%s}\n", o.tells_delays && n_delays ? "]" : "");
}

static void address(const char *text, struct sockaddr_in *ret, char kept[32]) {
  char host[24] = "";
  const char *colon = strchr(text, ':');
  if (!colon || (size_t)(colon - text) >= sizeof(host))
    die("expected IP:PORT");
  memcpy(host, text, (size_t)(colon - text));
  *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
  if (inet_pton(AF_INET, host, &ret->sin_addr) != 1)
    die(text);
  snprintf(kept, 32, "%s", text);
}

static int bound(const struct sockaddr_in *at) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), bytes = SOCKET_BYTES;
  if (fd < 0 || bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0)
    die("bind");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  return fd;
}

static void take_options(int argc, char **argv) {
  static const struct option names[] = {{"target", 1, 0, 't'},
                                        {"uac", 1, 0, 'c'},
                                        {"uas", 1, 0, 's'},
                                        {"rate", 1, 0, 'r'},
                                        {"seconds", 1, 0, 'n'},
                                        {"hold", 1, 0, 'h'},
                                        {"timeout", 1, 0, 'o'},
                                        {"hold-all", 0, 0, 'a'},
                                        {"srtp", 0, 0, 'x'},
                                        {"delays", 0, 0, 'd'},
                                        {"native", 1, 0, 'u'},
                                        {"media", 1, 0, 'm'},
                                        {"prefix", 1, 0, 'p'},
                                        {0, 0, 0, 0}};
  for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    switch (c) {
    case 't':
      address(optarg, &o.target, o.target_text);
      break;
    case 'c':
      address(optarg, &o.uac, o.uac_text);
      break;
    case 's':
      address(optarg, &o.uas, o.uas_text);
      break;
    case 'r':
      o.rate = (unsigned)atoi(optarg);
      break;
    case 'n':
      o.seconds = (unsigned)atoi(optarg);
      break;
    case 'h':
      o.hold_ms = (unsigned)atoi(optarg);
      break;
    case 'o':
      o.timeout_s = (unsigned)atoi(optarg);
      break;
    case 'a':
      o.hold_all = true;
      break;
    case 'p':
      o.prefix = optarg;
      break;
    case 'm':
      o.media = (unsigned)atoi(optarg);
      break;
    case 'u':
      o.users = (unsigned)atoi(optarg);
      break;
    case 'd':
      o.tells_delays = true;
      break;
    case 'x':
      o.is_secured = true;
      break;
    default:
      exit(2);
    }
  }
  if (!o.rate || !o.seconds || !o.target.sin_port || !o.uac.sin_port || !o.uas.sin_port) {
    fprintf(
        stderr,
        "usage: sipgen --target IP:PORT --uac IP:PORT --uas IP:PORT --rate N --seconds N [--hold MS]\n");
    exit(2);
  }
}

int main(int argc, char **argv) {
  take_options(argc, argv);
  n_calls = o.rate * o.seconds;
  nonce = (unsigned)now_us();
  calls = calloc(n_calls, sizeof(*calls));
  delays = calloc(n_calls, sizeof(*delays));
  if (!calls || !delays)
    die("calls");
  uac_fd = bound(&o.uac);
  uas_fd = bound(&o.uas);
  if (o.media && media_open(o.media, &o.uac, &o.uas) < 0)
    die("media");
  run();
  tell();
  return 0;
}
