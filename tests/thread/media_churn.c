/* SPDX-License-Identifier: Apache-2.0
 * A hundred live calls for a while, each at some time ended and begun anew, described anew with other
 * keys, another codec or another remote, linked elsewhere, given tones and digits; on one worker and
 * between two, some transcoded. Under ThreadSanitizer that is the point; else nothing may be lost of the
 * calls' count, and audio flows to the end. A plain program, like media_calls. */
#include "codec/coder.h"
#include "codec/tone.h"
#include "media_rig.h"

enum { CALLS = 100, CHURN_US = 12000000, STEP_US = 60000, OPUS_PT = 111 };

static struct call {
  struct leg leg[2];
  bool is_open;
  unsigned links; /* links counts those that it was given. */
} calls[CALLS];
static uint8_t opus_frame[CODER_PAYLOAD_MAX];
static size_t opus_bytes;
static uint64_t taken, ended, begun;

static enum srtp_suite any_suite(void) {
  static const enum srtp_suite suites[] = {SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AES_CM_128_HMAC_SHA1_32,
                                           SUITE_AEAD_AES_128_GCM, SUITE_AEAD_AES_256_GCM};
  return suites[rand_below(COUNT_OF(suites))];
}

static void set_codec(struct leg *l, bool is_opus) {
  l->kind = is_opus ? CODEC_OPUS : rand_below(2) ? CODEC_PCMU : CODEC_PCMA;
  l->pt = l->kind == CODEC_OPUS ? OPUS_PT : l->kind == CODEC_PCMU ? 0 : 8;
}

static bool describe(struct leg *l, uint32_t number) {
  sealer_free(l->sealer);
  opener_free(l->opener);
  l->sealer = NULL;
  l->opener = NULL;
  l->ssrc = rand_u32();
  return leg_describe(l, number, any_suite(), rand_below(2) ? 8000 : 48000, MSET_SYMMETRIC_OFF);
}

/* Every other call on one worker, each fifth transcoded. */
static void begin(struct call *c, unsigned i) {
  c->is_open = leg_open(&c->leg[0], MSET_TRUNK_LEG, 0) &&
               leg_open(&c->leg[1], MSET_TRUNK_LEG, i % 2 ? c->leg[0].id : 0);
  set_codec(&c->leg[0], false);
  set_codec(&c->leg[1], i % 5 == 0);
  CHECK(c->is_open && describe(&c->leg[0], 1) && describe(&c->leg[1], 1), "call %u", i);
  CHECK(link_legs(c->leg[0].id, c->leg[1].id), "call %u", i);
  begun++;
}

static void end(struct call *c) {
  leg_close(&c->leg[0]);
  leg_close(&c->leg[1]);
  c->is_open = false;
  ended++;
}

static void play(uint64_t id, uint32_t tone) {
  union mset_any m;
  mset_init(&m, MSET_PLAY, id);
  m.play.tone = tone;
  CHECK(ask_ok(&m));
}

static void digits(uint64_t id) {
  union mset_any m;
  mset_init(&m, MSET_DIGITS, id);
  m.digits.op = rand_u32() | 1u;
  (void)!slice_copy(m.digits.digits, sizeof(m.digits.digits), SLICE("19#"));
  (void)ask(&m); /* full at times */
}

static void drop_second(const struct leg *l) {
  union mset_any m;
  mset_init(&m, MSET_DROP, l->id);
  m.pick.remote = 2;
  CHECK(ask_ok(&m));
}

static void change(unsigned i) {
  struct call *c = &calls[i], *other = &calls[rand_below(CALLS)];
  struct leg *l = &c->leg[rand_below(2)];
  switch (rand_below(8)) {
  case 0:
    end(c);
    begin(c, i);
    break;
  case 1: /* other keys */
    CHECK(describe(l, 1));
    break;
  case 2: /* another codec */
    set_codec(l, rand_below(3) == 0);
    CHECK(describe(l, 1));
    break;
  case 3: /* linked with a leg of another call, whose partner is alone; then back */
    CHECK(link_legs(l->id, other->leg[0].id));
    CHECK(link_legs(c->leg[0].id, c->leg[1].id));
    if (other != c)
      CHECK(link_legs(other->leg[0].id, other->leg[1].id));
    break;
  case 4:
    play(l->id, 1 + rand_below(MSET_TONE_BUSY));
    break;
  case 5:
    digits(l->id);
    break;
  case 6: /* a second remote for a while */
    CHECK(describe(l, 2));
    drop_second(l);
    CHECK(describe(l, 1));
    break;
  default:
    play(l->id, MSET_TONE_NONE);
    CHECK(link_legs(l->id, 0));
    CHECK(link_legs(c->leg[0].id, c->leg[1].id));
    break;
  }
}

static void send_all(void) {
  uint8_t law[160];
  for (unsigned i = 0; i < CALLS; i++)
    for (unsigned k = 0; k < 2; k++) {
      struct leg *l = &calls[i].leg[k];
      bool is_opus = l->kind == CODEC_OPUS;
      memset(law, (int)i, sizeof(law));
      leg_send(l, l->pt, false, l->ts, is_opus ? opus_frame : law, is_opus ? opus_bytes : sizeof(law));
      l->ts += is_opus ? 960 : 160;
    }
}

/* What lies there. Packets sealed before the keys changed don't open: they are no fault. */
static void take_everything(void) {
  uint8_t p[2048];
  for (unsigned i = 0; i < 2 * CALLS; i++) {
    struct leg *l = &calls[i / 2].leg[i % 2];
    ssize_t got;
    while ((got = recv(l->fd, p, sizeof(p), MSG_DONTWAIT)) > 0) {
      size_t n = (size_t)got;
      if (p[1] < 192 || p[1] > 223)
        taken += open_rtp(l->opener, p, &n, clock_now_us()) == DROP_NONE;
    }
  }
  con.n_events = 0;
}

static void make_frame(void) {
  struct coder_format f = {.kind = CODER_OPUS, .rate_hz = 8000};
  struct encoder *e;
  struct tone tone;
  uint8_t law[160];
  int16_t pcm[160];
  tone_start();
  tone_init(&tone, TONE_1004);
  tone_fill(&tone, G711_ULAW, law, sizeof(law));
  for (unsigned i = 0; i < 160; i++)
    pcm[i] = g711_expand(G711_ULAW, law[i]);
  if (encoder_new(&e, &f) < 0)
    return;
  opus_bytes = encoder_encode(e, pcm, 160, opus_frame, sizeof(opus_frame));
  encoder_free(e);
}

static void churn(void) {
  uint64_t until_us = clock_now_us() + CHURN_US, next_us = 0;
  while (clock_now_us() < until_us) {
    change(rand_below(CALLS));
    if (clock_now_us() < next_us)
      continue;
    next_us = clock_now_us() + STEP_US;
    send_all();
    take_everything();
  }
}

/* When all is quiet again each call carries audio both ways. */
static void all_are_alive(void) {
  unsigned alive = 0;
  for (unsigned i = 0; i < CALLS; i++)
    for (unsigned k = 0; k < 2; k++) {
      play(calls[i].leg[k].id, MSET_TONE_NONE);
      CHECK(describe(&calls[i].leg[k], 1));
    }
  for (unsigned i = 0; i < 20; i++) { /* digits of before are through, too */
    send_all();
    nap(100);
    take_everything();
  }
  for (unsigned i = 0; i < CALLS; i++)
    for (unsigned k = 0; k < 2; k++) {
      struct leg *from = &calls[i].leg[k], *to = &calls[i].leg[1 - k];
      uint64_t before = taken;
      for (unsigned round = 0; round < 20 && taken == before; round++) {
        uint8_t law[160] = {0};
        bool is_opus = from->kind == CODEC_OPUS;
        leg_send(from, from->pt, false, from->ts, is_opus ? opus_frame : law,
                 is_opus ? opus_bytes : 160);
        from->ts += is_opus ? 960 : 160;
        nap(5);
        take_everything();
      }
      alive += taken > before;
      CHECK(taken > before, "call %u, from %u (codec %u) to %u (codec %u)", i, from->o.worker,
            from->kind, to->o.worker, to->kind);
    }
  printf("%u of %u ways carry audio\n", alive, 2 * CALLS);
}

/* Every call transcoded, and little time for it: one is refused, and the controller is told. */
static void transcoding_fills(void) {
  union mset_any m, r = {0};
  unsigned n = 0;
  for (; n < CALLS && r.h.type != MSET_FAULT; n++) {
    struct call *c = &calls[n];
    memset(c, 0, sizeof(*c));
    c->is_open =
        leg_open(&c->leg[0], MSET_TRUNK_LEG, 0) && leg_open(&c->leg[1], MSET_TRUNK_LEG, c->leg[0].id);
    set_codec(&c->leg[0], false);
    set_codec(&c->leg[1], true);
    CHECK(c->is_open && describe(&c->leg[0], 1) && describe(&c->leg[1], 1), "call %u", n);
    mset_init(&m, MSET_LINK, c->leg[0].id);
    m.link.peer = c->leg[1].id;
    r = ask(&m);
  }
  CHECK(r.h.type == MSET_FAULT && r.fault.error == -EBUSY && n > 5 && n < CALLS, "%u calls", n);
  CHECK(event_wait(MSET_LOAD, 0, 3000, &m) && m.load.dsp_permille >= 800, "not told as full");
  for (unsigned i = 0; i + 1 < n; i++)
    end(&calls[i]);
  CHECK(link_legs(calls[n - 1].leg[0].id, calls[n - 1].leg[1].id), "there is room again");
  end(&calls[n - 1]);
  CHECK(event_wait(MSET_LOAD, 0, 3000, &m), "not told as over");
}

static void start(uint32_t share) {
  uint32_t ports = 10000 + (uint32_t)(getpid() % 12) * 800;
  options = (struct media_options){.workers = 2,
                                   .n_addresses = 1,
                                   .trunk_port_min = ports,
                                   .trunk_port_max = ports + 799,
                                   .dscp = 46,
                                   .max_sessions = 512,
                                   .dsp_threads = 2,
                                   .dsp_share = share};
  if (!rig_start("churn"))
    exit(1);
}

int main(void) {
  start(100);
  make_frame();
  CHECK(opus_bytes > 0);
  for (unsigned i = 0; i < CALLS; i++)
    begin(&calls[i], i);
  churn();
  all_are_alive();
  for (unsigned i = 0; i < CALLS; i++)
    end(&calls[i]);
  CHECK(begun == ended, "%llu begun, %llu ended", (unsigned long long)begun, (unsigned long long)ended);
  CHECK(drops(DROP_INTERNAL) == 0, "%llu", (unsigned long long)drops(DROP_INTERNAL));
  controller_close();
  rig_stop();
  start(4);
  transcoding_fills();
  controller_close();
  rig_stop();
  suite_stop();
  printf("%llu calls, %llu packets taken, %u failures\n", (unsigned long long)begun,
         (unsigned long long)taken, failures);
  return failures > 0;
}
