/* SPDX-License-Identifier: Apache-2.0
 * A hundred secured calls under attack (docs: attacks A2 to A5, A20): bad tags at 50,000 a second on one
 * of them, corrupted packets at 100 Hz on each, replays, strangers with RTP, SRTP, STUN and
 * ClientHellos. The calls' own packets arrive, once each; strangers hear nothing; every drop has its
 * reason. Bounded in count and time; fewer calls under ThreadSanitizer. */
#include "media_rig.h"
#include "wire/bytes.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { CALLS = 10, FLOOD_A_MS = 5 };
#else
enum { CALLS = 100, FLOOD_A_MS = 50 };
#endif
enum { ENDS = 2 * CALLS, FRAME_MS = 20, PHASE_MS = 2000, PAYLOAD_BYTES = 160 };

static struct end {
  struct leg leg;
  uint64_t sent, got;
  uint8_t last[512]; /* last is what it sent last, as it was on the wire. */
  size_t last_n;
} ends[ENDS];

static int stranger = -1;
static uint64_t attacked;

static void say(struct end *e) {
  uint8_t payload[PAYLOAD_BYTES];
  memset(payload, (int)(e->sent & 0xff), sizeof(payload));
  size_t n = rtp_put(e->last, e->leg.pt, false, 0, e->leg.ts, e->leg.ssrc);
  memcpy(e->last + n, payload, sizeof(payload));
  n += sizeof(payload);
  CHECK(seal_rtp_next(e->leg.sealer, e->last, &n, sizeof(e->last)) == DROP_NONE);
  e->last_n = n;
  e->leg.ts += PAYLOAD_BYTES;
  e->sent++;
  send_to(e->leg.fd, e->last, n, &e->leg.o.rtp[0]);
}

static void hear(struct end *e) {
  struct got g;
  while (leg_take(&e->leg, 0, &g)) /* CHECKs that it opens: a replay of ours would not */
    e->got += !g.is_rtcp;
}

static void throw_at(int fd, const struct end *e, const uint8_t *p, size_t n) {
  struct addr to = e->leg.o.rtp[0];
  (void)!sendto(fd, p, n, MSG_DONTWAIT, &to.sa, addr_len(&to));
  attacked++;
}

/* Attacks: what is thrown in one millisecond
 * ------------------------------------------------------------- */
static void bad_tags(unsigned ms) {
  uint8_t p[200];
  struct end *e = &ends[0];
  for (unsigned i = 0; i < FLOOD_A_MS; i++) {
    rand_bytes(p, sizeof(p));
    rtp_put(p, e->leg.pt, false, (uint16_t)(bytes_u16(e->last + 2) + i), e->leg.ts, e->leg.ssrc);
    throw_at(ms & 1 ? e->leg.fd : stranger, e, p, 12 + PAYLOAD_BYTES + 10);
  }
}

static void corrupted(unsigned ms) {
  uint8_t p[512];
  for (unsigned i = ms % 10; i < ENDS; i += 20) { /* each call 100 times a second */
    struct end *e = &ends[i];
    size_t n = e->last_n;
    memcpy(p, e->last, n);
    if (rand_below(10) == 0)
      p[1] = (uint8_t)(200 + rand_below(8)); /* as RTCP */
    for (unsigned k = 1 + rand_below(6); k; k--)
      p[rand_below((uint32_t)n)] ^= (uint8_t)(1 + rand_below(255));
    n = rand_below(3) ? n : rand_below((uint32_t)n);
    throw_at(e->leg.fd, e, p, n);
  }
}

static void replays(unsigned ms) {
  for (unsigned i = ms % 10; i < ENDS; i += 10)
    throw_at(i & 1 ? ends[i].leg.fd : stranger, &ends[i], ends[i].last, ends[i].last_n);
}

static void strangers(unsigned ms) {
  static const uint8_t stun[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
  static const uint8_t hello[] = {0x16, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0,    14,  1,
                                  0,    0,    2,    0, 0, 0, 0, 0, 0, 0, 2, 0xfe, 0xfd};
  static const uint8_t bye[] = {0x81, 203, 0, 1, 1, 2, 3, 4};
  uint8_t p[200];
  for (unsigned i = ms % 10; i < ENDS; i += 10) {
    struct end *e = &ends[i];
    rand_bytes(p, sizeof(p));
    rtp_put(p, e->leg.pt, false, (uint16_t)ms, ms * 160, rand_u32());
    switch ((ms / 10 + i) % 4) {
    case 0:
      throw_at(stranger, e, p, 12 + PAYLOAD_BYTES);
      break;
    case 1:
      throw_at(stranger, e, stun, sizeof(stun));
      break;
    case 2:
      throw_at(stranger, e, hello, sizeof(hello));
      break;
    default:
      throw_at(stranger, e, bye, sizeof(bye));
    }
  }
}

/* The calls go on meanwhile
 * ------------------------------------------------------------------------------ */
static uint64_t given_up;

static void forget(void) {
  attacked = given_up = 0;
  for (unsigned i = 0; i < ENDS; i++) {
    hear(&ends[i]);
    ends[i].sent = ends[i].got = 0;
  }
}

/* What was sent and did not come yet. */
static uint64_t behind(void) {
  uint64_t n = 0;
  for (unsigned i = 0; i < ENDS; i++) {
    hear(&ends[i]);
    n += ends[i].sent - ends[i].got;
  }
  return n > given_up ? n - given_up : 0;
}

/* On a machine that does much else the sender waits for the worker, lest the sockets' queues run over. What does not
 * come within a second is lost, and waited for once. */
static void keep_pace(uint64_t most) {
  unsigned ms = 0;
  for (; behind() > most && ms < 1000; ms++)
    nap(1);
  if (ms == 1000)
    given_up += behind();
}

static void run(void (*attack)(unsigned ms), unsigned for_ms) {
  uint64_t due_us = clock_now_us();
  for (unsigned ms = 0; ms < for_ms; ms++) {
    for (unsigned i = ms % FRAME_MS; i < ENDS; i += FRAME_MS) {
      hear(&ends[i]);
      say(&ends[i]);
    }
    if (attack)
      attack(ms);
    keep_pace(ENDS);
    due_us += 1000;
    uint64_t now_us = clock_now_us();
    if (now_us < due_us)
      (void)!usleep((useconds_t)(due_us - now_us));
    else
      due_us = now_us; /* nothing is made up for */
  }
  keep_pace(0);
}

/* Every reason that counted anything since then. */
static void print_drops(const uint64_t before[DROP_COUNT_]) {
  for (unsigned d = 1; d < DROP_COUNT_; d++)
    if (drops((enum drop)d) > before[d])
      printf("  %s %llu", drop_text((enum drop)d),
             (unsigned long long)(drops((enum drop)d) - before[d]));
  printf("\n");
}

static void phase(const char *name, void (*attack)(unsigned ms), enum drop reason) {
  uint64_t sent = 0, got = 0, worst = 0;
  uint64_t all[DROP_COUNT_];
  for (unsigned d = 0; d < DROP_COUNT_; d++)
    all[d] = drops((enum drop)d);
  nap(100);
  forget();
  run(attack, PHASE_MS);
  nap(100);
  for (unsigned i = 0; i < ENDS; i++) {
    hear(&ends[i]);
    sent += ends[i].sent;
    got += ends[i].got;
    uint64_t lost = ends[i ^ 1].sent > ends[i].got ? ends[i ^ 1].sent - ends[i].got : 0;
    worst = lost > worst ? lost : worst;
  }
  printf("%s: %llu thrown, %llu good ones sent, %llu lost (at most %llu of one leg), %s %llu\n", name,
         (unsigned long long)attacked, (unsigned long long)sent, (unsigned long long)(sent - got),
         (unsigned long long)worst, drop_text(reason),
         (unsigned long long)(drops(reason) - all[reason]));
  print_drops(all);
  CHECK(got <= sent, "more than was sent: %llu", (unsigned long long)got);
  CHECK(sent - got <= sent / 50, "%s: lost", name); /* a machine that does much else */
  CHECK(drops(reason) - all[reason] >= attacked / 5, "%s: counted", name);
}

static void nobody_was_answered(void) {
  uint8_t p[64];
  CHECK(recv(stranger, p, sizeof(p), MSG_DONTWAIT) < 0, "the stranger got something");
}

static void sound_is_back_at_once(void) {
  uint64_t begin_us = clock_now_us();
  struct got g;
  hear(&ends[1]);
  say(&ends[0]);
  CHECK(leg_take_rtp(&ends[1].leg, COME_MS, &g) && clock_now_us() - begin_us < 1000000);
}

static void calls_open(void) {
  static const enum srtp_suite suites[] = {SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AEAD_AES_128_GCM,
                                           SUITE_AEAD_AES_256_GCM, SUITE_AES_256_CM_HMAC_SHA1_80};
  for (unsigned i = 0; i < ENDS; i += 2) {
    struct leg *a = &ends[i].leg, *b = &ends[i + 1].leg;
    CHECK(leg_open(a, MSET_TRUNK_LEG, 0) && leg_open(b, MSET_TRUNK_LEG, a->id));
    a->pt = b->pt = 0;
    a->kind = b->kind = CODEC_PCMU;
    CHECK(leg_describe(a, 1, suites[i / 2 % 4], 8000, MSET_SYMMETRIC_AUTO));
    CHECK(leg_describe(b, 1, suites[(i / 2 + 1) % 4], 8000, MSET_SYMMETRIC_AUTO));
    CHECK(link_legs(a->id, b->id));
  }
}

int main(void) {
  struct addr at;
  uint32_t ports = 33000 + (uint32_t)(getpid() % 40) * 600;
  options = (struct media_options){.workers = 1,
                                   .n_addresses = 1,
                                   .trunk_port_min = ports,
                                   .trunk_port_max = ports + 2 * ENDS + 9,
                                   .backend = "auto",
                                   .max_sessions = ENDS,
                                   .orphan_s = 2};
  if (!rig_start("attacks"))
    return 1;
  stranger = udp_at(&at, "127.0.0.2");
  calls_open();
  run(NULL, 200);
  phase("none", NULL, DROP_AUTH);
  phase("bad tags on one call", bad_tags, DROP_AUTH);
  phase("corrupted packets on each", corrupted, DROP_REPLAY); /* most keep a number that was seen */
  sound_is_back_at_once();
  phase("replays", replays, DROP_REPLAY);
  phase("strangers", strangers, DROP_NOT_FOR_US);
  sound_is_back_at_once();
  nobody_was_answered();
  CHECK(event_count(MSET_ENDED, 0) == 0 && drops(DROP_INTERNAL) == 0);
  for (unsigned i = 0; i < ENDS; i++)
    leg_close(&ends[i].leg);
  controller_close();
  rig_stop();
  suite_stop();
  printf("%u failures\n", failures);
  return failures > 0;
}
