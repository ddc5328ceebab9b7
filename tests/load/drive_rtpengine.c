/* SPDX-License-Identifier: Apache-2.0
 * The load generator's driver of rtpengine: offer and answer with SDES by its ng protocol (bencode
 * over UDP). A offers its one suite, B takes its own from what rtpengine offers. */
#include "base/rand.h"
#include "gen.h"

#include <openssl/evp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

enum { TEXT = 8192 };

struct text {
  char s[TEXT];
  size_t n;
};

static int fd = -1;

static printf_like(2, 3) void add(struct text *t, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(t->s + t->n, TEXT - t->n, format, ap);
  va_end(ap);
  t->n += n > 0 && (size_t)n < TEXT - t->n ? (size_t)n : 0;
}

static void add_string(struct text *t, const char *key, const char *value) {
  add(t, "%zu:%s%zu:%s", strlen(key), key, strlen(value), value);
}

static int engine_start(struct gen *g) {
  struct addr to;
  int error = addr_parse_port(&to, slice_of(g->control));
  if (error)
    return error;
  fd = socket(addr_family(&to), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return fd < 0 || connect(fd, &to.sa, addr_len(&to)) < 0 ? -errno : 0;
}

/* Sends the dictionary (without its "d" and "e") under a cookie; the SDP of the answer into t. */
static int ask(struct text *t) {
  struct text m = {.n = 0};
  struct pollfd p = {.fd = fd, .events = POLLIN};
  char cookie[9], *sdp;
  rand_text(cookie, 8);
  add(&m, "%s d%se", cookie, t->s);
  if (send(fd, m.s, m.n, 0) < 0)
    return -errno;
  do {
    if (poll(&p, 1, 5000) <= 0)
      return -ETIMEDOUT;
    ssize_t n = recv(fd, t->s, TEXT - 1, 0);
    if (n < 0)
      return -errno;
    t->s[n] = 0;
  } while (strncmp(t->s, cookie, 8) != 0);
  if (!strstr(t->s, "6:result2:ok")) {
    fprintf(stderr, "rtpengine: %s\n", t->s);
    return strstr(t->s, "load limit") ? -EBUSY : -EPROTO;
  }
  sdp = strstr(t->s, "3:sdp");
  t->n = strlen(t->s);
  if (sdp)
    memmove(t->s, sdp, strlen(sdp) + 1);
  return 0;
}

static void add_crypto(struct text *sdp, unsigned tag, const struct srtp_key *k) {
  uint8_t b64[80];
  if (!k->suite)
    return;
  EVP_EncodeBlock(
      b64, k->bytes,
      (int)(suite_key_bytes((enum srtp_suite)k->suite) + suite_salt_bytes((enum srtp_suite)k->suite)));
  add(sdp, "a=crypto:%u %s inline:%s\r\n", tag, suite_name((enum srtp_suite)k->suite), (char *)b64);
}

static void describe(struct text *sdp, const struct addr *at, const struct srtp_key *k, unsigned tag) {
  char ip[ADDR_TEXT_BYTES];
  addr_ip_text(at, ip, sizeof(ip));
  const char *kind = addr_family(at) == AF_INET6 ? "IP6" : "IP4";
  add(sdp, "v=0\r\no=- 1 1 IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\nm=audio %u RTP/%s 0\r\n", kind, ip,
      kind, ip, addr_port(at), k->suite ? "SAVP" : "AVP");
  add_crypto(sdp, tag, k);
  add(sdp, "a=rtpmap:0 PCMU/8000\r\na=rtcp-mux\r\na=sendrecv\r\n");
}

/* The port and the key of a suite out of rtpengine's description. */
static int description_read(const char *s, const struct gen *g, struct leg *l, unsigned *ret_tag) {
  const char *m = strstr(s, "m=audio "), *c = strstr(s, "c=IN IP");
  char ip[ADDR_TEXT_BYTES], suite[64], b64[128];
  uint8_t key[96];
  unsigned port, tag;
  if (!m || !c || sscanf(m, "m=audio %u", &port) != 1 || sscanf(c, "c=IN IP%*c %63s", ip) != 1 ||
      addr_parse(&l->target, slice_of(ip), (uint16_t)port) < 0)
    return -EPROTO;
  if (!g->suite[l->index % 2])
    return 0;
  for (const char *a = s; (a = strstr(a, "a=crypto:")); a++) {
    if (sscanf(a, "a=crypto:%u %63s inline:%127[A-Za-z0-9+/=]", &tag, suite, b64) != 3 ||
        suite_of(slice_of(suite)) != g->suite[l->index % 2])
      continue;
    while (strlen(b64) % 4 && strlen(b64) + 1 < sizeof(b64))
      strcat(b64, "=");
    if (EVP_DecodeBlock(key, (const uint8_t *)b64, (int)strlen(b64)) < 0)
      return -EPROTO;
    memcpy(l->rx_key.bytes, key, sizeof(l->rx_key.bytes));
    *ret_tag = tag;
    return 0;
  }
  return -ENOENT;
}

static void head(struct text *t, const char *command, const struct call *c) {
  add_string(t, "command", command);
  add_string(t, "call-id", c->name);
  add_string(t, "from-tag", "a");
}

static int engine_open(struct gen *g, struct call *c) {
  struct text t = {.n = 0}, sdp = {.n = 0};
  unsigned tag = 1;
  describe(&sdp, &g->at[0], &c->leg[0].tx_key, 1);
  head(&t, "offer", c);
  add_string(&t, "sdp", sdp.s);
  add_string(&t, "ICE", "remove");
  add_string(&t, "transport-protocol", g->suite[1] ? "RTP/SAVP" : "RTP/AVP");
  add(&t, "5:flagsl13:trust-addresse8:rtcp-muxl7:require6:accepte");
  int error = ask(&t);
  if (!error)
    error = description_read(t.s, g, &c->leg[1], &tag);
  if (error)
    return error;
  t.n = sdp.n = 0;
  describe(&sdp, &g->at[1], &c->leg[1].tx_key, tag);
  head(&t, "answer", c);
  add_string(&t, "to-tag", "b");
  add_string(&t, "sdp", sdp.s);
  add(&t, "5:flagsl13:trust-addresse");
  error = ask(&t);
  if (!error)
    error = description_read(t.s, g, &c->leg[0], &tag);
  c->leg[0].rx_ssrc = c->leg[1].ssrc;
  c->leg[1].rx_ssrc = c->leg[0].ssrc;
  return error;
}

static void engine_close(struct gen *g, struct call *c) {
  struct text t = {.n = 0};
  (void)g;
  head(&t, "delete", c);
  (void)!ask(&t);
}

const struct driver drive_rtpengine = {"rtpengine", false, engine_start,
                                       engine_open, NULL,  engine_close};
