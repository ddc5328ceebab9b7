/* SPDX-License-Identifier: Apache-2.0
 * A controller of one session, for trying the media process with any WebRTC stack without the rest:
 * mset_echo SOCKET OFFER-FILE [TONE]. Prints the answer's SDP, then "END", then each event as a line;
 * the session lives until standard input ends. TONE (an enum mset_tone) is played instead of the echo.
 */
#include "base/rand.h"
#include "mset/mset.h"
#include "wire/desc.h"

#include <poll.h>
#include <stdio.h>
#include <sys/un.h>

static int fd;
static uint64_t seq;

static bool take_message(union mset_any *m) {
  ssize_t n = recv(fd, m, sizeof(*m), 0);
  return n > 0 && mset_check(m, (size_t)n, false) == 0;
}

static void tell(const union mset_any *m) {
  if (m->h.type == MSET_STATE)
    printf("STATE ice=%u dtls=%u suite=%s\n", m->state.ice, m->state.dtls,
           suite_name((enum srtp_suite)m->state.suite));
  else if (m->h.type == MSET_DIGIT)
    printf("DIGIT %c %u\n", (char)m->digit.digit, m->digit.ms);
  else if (m->h.type == MSET_QUALITY)
    printf("QUALITY up=%u loss=%.3f jitter=%u rtt=%u mos=%.2f\n", m->quality.up, m->quality.loss,
           m->quality.jitter_ms, m->quality.rtt_ms, m->quality.mos);
  else if (m->h.type == MSET_FLOW)
    printf("FLOW %u\n", m->flow.active);
  else
    printf("%s\n", mset_name(m->h.type));
  fflush(stdout);
}

static union mset_any ask(union mset_any *m) {
  union mset_any r;
  m->h.seq = ++seq;
  if (send(fd, m, m->h.bytes, 0) < 0)
    exit(1);
  while (take_message(&r)) {
    if (r.h.seq == m->h.seq)
      return r;
    tell(&r);
  }
  exit(1);
}

static void connect_to(const char *path) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  union mset_any m;
  (void)!slice_copy(un.sun_path, sizeof(un.sun_path), slice_of(path));
  fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
    perror(path);
    exit(1);
  }
  mset_init(&m, MSET_HELLO, 0);
  m.hello.version = MSET_VERSION;
  rand_bytes(m.hello.instance, sizeof(m.hello.instance));
  if (ask(&m).h.type != MSET_WELCOME)
    exit(1);
}

static bool read_offer(const char *path, struct desc *ret) {
  static char text[DESC_TEXT_MAX_BYTES];
  struct desc_fault fault;
  FILE *f = fopen(path, "r");
  size_t n = f ? fread(text, 1, sizeof(text), f) : 0;
  if (f)
    fclose(f);
  if (desc_parse(ret, slice_from(text, n), &fault) == 0 && ret->has_audio)
    return true;
  fprintf(stderr, "offer: line %u: %s\n", fault.line, fault.rule);
  return false;
}

static void put_codecs(struct mset_remote *r, const struct desc_audio *a) {
  static const uint8_t kinds[] = {CODEC_PCMU, CODEC_PCMA, CODEC_TELEV};
  for (unsigned k = 0; k < sizeof(kinds); k++) {
    const struct desc_codec *c = desc_codec_find(a, (enum codec_kind)kinds[k], 8000);
    if (c)
      r->codecs[r->n_codecs++] =
          (struct mset_codec){.pt = c->pt, .kind = c->kind, .clock_hz = c->clock_hz};
  }
}

static bool describe(const struct desc_audio *a) {
  union mset_any m;
  mset_init(&m, MSET_REMOTE, 1);
  struct mset_remote *r = &m.remote;
  r->remote = 1;
  r->security = MSET_DTLS;
  r->rtcp_mux = r->send = r->recv = 1;
  r->dtls_active = a->setup == SETUP_PASSIVE;
  r->fingerprint_bytes = a->fingerprint_bytes;
  memcpy(r->fingerprint, a->fingerprint, a->fingerprint_bytes);
  (void)!slice_copy(r->ufrag, sizeof(r->ufrag), slice_of(a->ufrag));
  (void)!slice_copy(r->pwd, sizeof(r->pwd), slice_of(a->pwd));
  put_codecs(r, a);
  return ask(&m).h.type == MSET_OK;
}

static void print_codecs(const struct desc_audio *a) {
  struct mset_remote r = {0};
  put_codecs(&r, a);
  for (uint32_t i = 0; i < r.n_codecs; i++)
    printf(" %u", r.codecs[i].pt);
  for (uint32_t i = 0; i < r.n_codecs; i++)
    printf("\r\na=rtpmap:%u %s/8000", r.codecs[i].pt,
           r.codecs[i].kind == CODEC_PCMU   ? "PCMU"
           : r.codecs[i].kind == CODEC_PCMA ? "PCMA"
                                            : "telephone-event");
}

static void print_answer(const struct desc_audio *a, const struct mset_opened *o) {
  char ip[ADDR_TEXT_BYTES];
  unsigned port = addr_port(&o->rtp[0]);
  addr_ip_text(&o->rtp[0], ip, sizeof(ip));
  printf("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE %s\r\n", ip, a->mid);
  printf("m=audio %u UDP/TLS/RTP/SAVPF", port);
  print_codecs(a);
  printf("\r\nc=IN IP4 %s\r\na=mid:%s\r\na=sendrecv\r\na=rtcp-mux\r\na=setup:%s\r\n", ip, a->mid,
         a->setup == SETUP_PASSIVE ? "active" : "passive");
  printf("a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:sha-256 ", o->ufrag, o->pwd);
  for (unsigned i = 0; i < sizeof(o->fingerprint); i++)
    printf("%s%02X", i ? ":" : "", o->fingerprint[i]);
  printf("\r\na=ssrc:%u cname:%s\r\na=candidate:1 1 udp 2130706431 %s %u typ "
         "host\r\na=end-of-candidates\r\nEND\r\n",
         o->ssrc, o->cname, ip, port);
  fflush(stdout);
}

static void serve(void) {
  struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
  union mset_any m;
  char line[80];
  while (poll(p, 2, -1) > 0) {
    if (p[0].revents && !take_message(&m))
      exit(1);
    if (p[0].revents)
      tell(&m);
    if (!p[1].revents)
      continue;
    if (!fgets(line, sizeof(line), stdin))
      return;
    mset_init(&m, MSET_DIGITS, 1); /* a line is digits to send */
    (void)!slice_copy(m.digits.digits, sizeof(m.digits.digits), slice_trim(slice_of(line)));
    m = ask(&m);
  }
}

int main(int argc, char **argv) {
  static struct desc offer;
  union mset_any m;
  if (argc < 3 || !read_offer(argv[2], &offer))
    return 2;
  connect_to(argv[1]);
  mset_init(&m, MSET_OPEN, 1);
  m.open.kind = MSET_NATIVE_LEG;
  m.open.family = AF_INET;
  m = ask(&m);
  if (m.h.type != MSET_OPENED || !describe(&offer.audio))
    return 1;
  print_answer(&offer.audio, &m.opened);
  mset_init(&m, argc > 3 ? MSET_PLAY : MSET_LINK, 1);
  if (argc > 3)
    m.play.tone = (uint32_t)atoi(argv[3]) % (MSET_TONE_BUSY + 1);
  else
    m.link.peer = 1;
  ask(&m);
  serve();
  mset_init(&m, MSET_END, 1);
  m = ask(&m);
  printf("ENDED rx=%llu tx=%llu lost=%llu\n", (unsigned long long)m.ended.facts.rx.packets,
         (unsigned long long)m.ended.facts.tx.packets, (unsigned long long)m.ended.facts.rx.lost);
  return 0;
}
