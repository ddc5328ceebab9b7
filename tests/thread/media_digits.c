/* SPDX-License-Identifier: Apache-2.0
 * Digits through the media plane with packets lost: as telephone-events, and between a leg that has them
 * in its sound and one that has telephone-events. Exactly those that were pressed come out. */
#include "codec/g711.h"
#include "codec/inband.h"
#include "media/event.h"
#include "media_rig.h"
#include "wire/telev.h"

/* Digits between a leg that has them in its sound and one that has telephone-events. -------------------
 */
static const char pressed[] = "1234567890*#ABCD5511";
enum { TONE_MS = 100, PAUSE_MS = 80 };

static bool sound_pair(struct leg *a, struct leg *b) {
  if (!leg_open(a, MSET_TRUNK_LEG, 0) || !leg_open(b, MSET_TRUNK_LEG, a->id))
    return false;
  a->dtmf = MSET_DTMF_INBAND;
  b->pt = a->pt = 0;
  b->kind = a->kind = CODEC_PCMU;
  return leg_describe(a, 1, SUITE_AEAD_AES_128_GCM, 8000, MSET_SYMMETRIC_AUTO) &&
         leg_describe(b, 1, SUITE_NONE, 8000, MSET_SYMMETRIC_OFF) && link_legs(a->id, b->id);
}

/* A packet that never comes. */
static void leg_lose(struct leg *l) {
  uint8_t p[64];
  size_t n = rtp_put(p, l->pt, false, 0, l->ts, l->ssrc);
  CHECK(seal_rtp_next(l->sealer, p, &n, sizeof(p)) == DROP_NONE);
  l->ts += 160;
}

/* The next 20 ms of the digits as sound, in real time. */
static void press_sound(struct leg *l, struct inband_tone *tone, unsigned frame) {
  enum { FRAMES = (TONE_MS + PAUSE_MS) / 20 };
  int16_t pcm[160];
  uint8_t payload[160];
  if (frame % FRAMES == 0)
    inband_begin(tone, pressed[frame / FRAMES], 8000, TONE_MS, -10, 2);
  inband_fill(tone, pcm, 160);
  for (unsigned i = 0; i < 160; i++)
    payload[i] = g711_compress(G711_ULAW, pcm[i]);
  if (frame % 20 == 19) { /* 5 % are lost */
    leg_lose(l);
    return;
  }
  leg_send(l, l->pt, false, l->ts, payload, sizeof(payload));
  l->ts += 160;
}

static void told_digits(uint64_t session, char *ret, size_t room) {
  union mset_any m;
  size_t n = 0;
  while (n + 1 < room && event_wait(MSET_DIGIT, session, 400, &m))
    ret[n++] = (char)m.digit.digit;
  ret[n] = 0;
}

static void put_event(struct leg *l, struct got *g, struct event *e, uint32_t hz, char sent[64],
                      unsigned *n) {
  struct event_told t;
  struct telev v;
  if (!leg_take(l, 1, g) || g->is_rtcp || g->rtp.pt != 101 || !telev_parse(&v, g->rtp.payload, 4))
    return;
  event_input(e, &g->rtp, &v, hz, clock_now_us(), &t);
  for (unsigned i = 0; i < t.digits && *n < 63; i++)
    sent[(*n)++] = t.digit[i].digit;
}

static void digits_out_of_sound(void) {
  struct leg a, b;
  struct got g;
  struct event e = {0};
  struct inband_tone tone = {0};
  char told[64], sent[64] = "";
  unsigned n = 0;
  CHECK(sound_pair(&a, &b));
  for (unsigned frame = 0; frame < (sizeof(pressed) - 1) * (TONE_MS + PAUSE_MS) / 20 + 40; frame++) {
    uint64_t until_us = clock_now_us() + 20000;
    if (frame < (sizeof(pressed) - 1) * (TONE_MS + PAUSE_MS) / 20)
      press_sound(&a, &tone, frame);
    while (clock_now_us() < until_us)
      put_event(&b, &g, &e, 8000, sent, &n);
  }
  told_digits(a.id, told, sizeof(told));
  CHECK(strcmp(told, pressed) == 0, "told %s", told);
  CHECK(strcmp(sent, pressed) == 0, "sent on %s", sent);
  leg_close(&a);
  leg_close(&b);
}

static void put_heard(struct inband *ear, const struct got *g, char *heard, size_t room) {
  struct inband_event events[INBAND_EVENTS_MAX];
  int16_t pcm[480];
  size_t n = g->rtp.payload_bytes < 480 ? g->rtp.payload_bytes : 480;
  for (size_t i = 0; i < n; i++)
    pcm[i] = g711_expand(G711_ULAW, g->rtp.payload[i]);
  size_t count = inband_feed(ear, pcm, n, events);
  for (size_t i = 0; i < count; i++)
    if (events[i].is_end && strlen(heard) + 1 < room)
      heard[strlen(heard)] = events[i].digit; /* zeros behind */
}

/* Each digit as events of 20 ms with 5 % lost, among sound. */
static void press_events(struct leg *l, unsigned frame) {
  enum { FRAMES = (TONE_MS + PAUSE_MS) / 20, TONE = TONE_MS / 20 };
  static uint32_t ts;
  unsigned at = frame % FRAMES;
  struct telev v = {.event = (uint8_t)telev_event(pressed[frame / FRAMES]), .volume = 10};
  uint8_t payload[TELEV_BYTES];
  if (at == 0)
    ts = l->ts;
  if (frame % 20 == 13)
    return leg_lose(l);
  l->ts += 160;
  v.duration = (uint16_t)(160 * (at < TONE ? at + 1 : TONE));
  v.end = at >= TONE;
  telev_put(payload, &v);
  if (at < TONE + 3)
    leg_send(l, 101, at == 0, ts, payload, sizeof(payload));
}

static void digits_into_sound(void) {
  struct leg a, b;
  struct got g;
  own(inband) ear = NULL;
  char told[64], heard[64] = "";
  CHECK(sound_pair(&a, &b) && inband_new(&ear, 8000) == 0);
  for (unsigned frame = 0; frame < (sizeof(pressed) - 1) * (TONE_MS + PAUSE_MS) / 20 + 60; frame++) {
    uint64_t until_us = clock_now_us() + 20000;
    if (frame < (sizeof(pressed) - 1) * (TONE_MS + PAUSE_MS) / 20)
      press_events(&b, frame);
    while (clock_now_us() < until_us)
      if (leg_take(&a, 1, &g) && !g.is_rtcp) {
        CHECK(g.rtp.pt == 0, "payload type %u", g.rtp.pt);
        put_heard(ear, &g, heard, sizeof(heard));
      }
  }
  told_digits(b.id, told, sizeof(told));
  CHECK(strcmp(told, pressed) == 0, "told %s", told);
  CHECK(strcmp(heard, pressed) == 0, "heard %s", heard);
  leg_close(&a);
  leg_close(&b);
}

/* Telephone-events at 8000 Hz in, 48000 Hz out, 5 % lost on the way in: told once each, and sent on so.
 */
static void events_through_loss(void) {
  struct leg a, b;
  struct got g;
  struct event e = {0};
  char told[64], sent[64] = "";
  unsigned n = 0;
  CHECK(pair_open(&a, &b, SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AEAD_AES_256_GCM));
  for (unsigned frame = 0; frame < (sizeof(pressed) - 1) * (TONE_MS + PAUSE_MS) / 20 + 20; frame++) {
    uint64_t until_us = clock_now_us() + 20000;
    if (frame < (sizeof(pressed) - 1) * (TONE_MS + PAUSE_MS) / 20)
      press_events(&a, frame);
    while (clock_now_us() < until_us)
      put_event(&b, &g, &e, 48000, sent, &n);
  }
  told_digits(a.id, told, sizeof(told));
  CHECK(strcmp(told, pressed) == 0, "told %s", told);
  CHECK(strcmp(sent, pressed) == 0, "sent on %s", sent);
  leg_close(&a);
  leg_close(&b);
}

int main(void) {
  uint32_t ports = 20000 + (uint32_t)(getpid() % 300) * 40;
  options = (struct media_options){.workers = 2,
                                   .n_addresses = 1,
                                   .trunk_port_min = ports,
                                   .trunk_port_max = ports + 39,
                                   .backend = "auto",
                                   .max_sessions = 16,
                                   .orphan_s = 2};
  if (!rig_start("digits"))
    return 1;
  g711_start();
  digits_out_of_sound();
  digits_into_sound();
  events_through_loss();
  controller_close();
  rig_stop();
  suite_stop();
  printf("%u failures\n", failures);
  return failures > 0;
}
