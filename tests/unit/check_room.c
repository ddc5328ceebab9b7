/* SPDX-License-Identifier: Apache-2.0
 * A room in virtual time: members with tones of their own, what each hears measured at each tone. */
#include "media/roomlist.h"

#include "codec/g711.h"
#include "codec/tone.h"

#include <criterion/criterion.h>
#include <math.h>

enum { FRAME_US = 20000, START_US = 1000000, MEMBERS = 200, TONES = 4 };
static const double TONE_HZ[TONES] = {500, 800, 1300, 1900};

static void setup(void) { tone_start(); }
TestSuite(room, .init = setup);

struct person {
  struct seat *seat;
  uint8_t kind, ptime_ms;
  double hz, level; /* hz 0: says nothing but silence; level is the amplitude */
  int claims;       /* claims is the level in its packets; -1: the true one, -2: none */
  bool is_dumb;     /* is_dumb: sends no packets at all. */
  struct encoder *mouth;
  struct decoder *ear;
  uint32_t ssrc, ts, clock_hz, rate_hz, next_ts;
  uint64_t ext, said, got, next_ext, gaps, odd_ts;
  double phase, sin_sum[TONES], cos_sum[TONES], power;
  uint64_t heard;
};

struct rig {
  struct room *room;
  uint64_t now_us, steps;
  unsigned n;
  struct person people[MEMBERS];
  unsigned told;
  const struct person *active;
};

static bool is_narrow(uint8_t kind) { return kind == CODEC_PCMU || kind == CODEC_PCMA; }

static struct xcode_form form_of(const struct person *p) {
  return (struct xcode_form){.kind = p->kind, .ptime_ms = p->ptime_ms, .complexity = 3};
}

static struct person *rig_join(struct rig *r, uint8_t kind, double hz, uint32_t flags) {
  struct person *p = &r->people[r->n];
  *p = (struct person){.kind = kind, .ptime_ms = 20, .hz = hz, .level = 8000, .claims = -2};
  if (flags & ROOM_LEVELS)
    p->claims = -1;
  p->rate_hz = is_narrow(kind) ? 8000 : 16000;
  p->ssrc = 1000 + r->n;
  struct coder_format f = {.kind = (uint8_t)xcode_coder(kind), .rate_hz = p->rate_hz, .complexity = 3};
  p->clock_hz = coder_clock_hz(f.kind);
  cr_assert_eq(encoder_new(&p->mouth, &f), 0);
  cr_assert_eq(decoder_new(&p->ear, &f), 0);
  struct xcode_form form = form_of(p);
  cr_assert_eq(room_join(r->room, p, &form, flags, &p->seat), 0);
  r->n++;
  return p;
}

static void rig_init(struct rig *r, uint32_t rate_hz) {
  r->now_us = START_US;
  cr_assert_eq(room_new(&r->room, rate_hz, 0, r->now_us), 0);
}

static void rig_done(struct rig *r) {
  for (unsigned i = 0; i < r->n; i++) {
    encoder_free(r->people[i].mouth);
    decoder_free(r->people[i].ear);
  }
  room_free(r->room);
  free(r);
}

static void say(struct rig *r, struct person *p) {
  int16_t pcm[320];
  uint8_t payload[XCODE_PAYLOAD_MAX];
  size_t n = p->rate_hz / 50;
  for (size_t i = 0; i < n; i++) {
    p->phase += 2 * M_PI * p->hz / p->rate_hz;
    pcm[i] = p->hz > 0 ? (int16_t)(p->level * sin(p->phase)) : (int16_t)((i * 7 + p->said) % 5);
  }
  double dbov = p->hz > 0 ? -20 * log10(p->level / 32767 / M_SQRT2) : 80;
  struct room_packet in = {.ext = p->ext++,
                           .ts = p->ts,
                           .clock_hz = p->clock_hz,
                           .ssrc = p->ssrc,
                           .kind = p->kind,
                           .level = TALKER_NO_LEVEL};
  if (p->claims != -2)
    in.level = (uint8_t)(p->claims == -1 ? dbov : p->claims);
  p->ts += p->clock_hz / 50;
  p->said++;
  size_t bytes = encoder_encode(p->mouth, pcm, n, payload, sizeof(payload));
  (void)!room_put(r->room, p->seat, &in, payload, bytes, r->now_us);
}

static void measure(struct person *p, const int16_t *pcm, size_t n) {
  for (size_t i = 0; i < n; i++, p->heard++) {
    double t = 2 * M_PI * (double)p->heard / p->rate_hz;
    p->power += (double)pcm[i] * pcm[i];
    for (unsigned k = 0; k < TONES; k++) {
      p->sin_sum[k] += pcm[i] * sin(t * TONE_HZ[k]);
      p->cos_sum[k] += pcm[i] * cos(t * TONE_HZ[k]);
    }
  }
}

static void on_give(void *arg, void *owner, const struct xcode_frame *f, const uint8_t *payload) {
  struct person *p = owner;
  int16_t pcm[CODER_SAMPLES_MAX];
  (void)arg;
  cr_assert_eq(f->kind, p->kind);
  p->gaps += f->ext != p->next_ext;
  p->odd_ts += p->got && f->ts != p->next_ts;
  p->next_ext = f->ext + 1;
  p->next_ts = f->ts + p->clock_hz / 1000 * p->ptime_ms;
  p->got++;
  size_t n = decoder_decode(p->ear, payload, f->n, pcm, CODER_SAMPLES_MAX);
  cr_assert_eq(n, p->rate_hz / 1000 * p->ptime_ms);
  measure(p, pcm, n);
}

static void on_speaker(void *arg, const struct room_told *told) {
  struct rig *r = arg;
  r->told++;
  r->active = told->owner;
}

static void forget(struct rig *r) {
  for (unsigned i = 0; i < r->n; i++) {
    struct person *p = &r->people[i];
    memset(p->sin_sum, 0, sizeof(p->sin_sum));
    memset(p->cos_sum, 0, sizeof(p->cos_sum));
    p->power = 0;
    p->heard = p->got = 0;
  }
}

static void rig_run(struct rig *r, unsigned ms) {
  struct room_ops ops = {on_give, on_speaker, r};
  for (uint64_t until = r->now_us + ms * 1000u; r->now_us < until; r->now_us += 10000) {
    if (r->steps++ % 2 == 0)
      for (unsigned i = 0; i < r->n; i++)
        if (r->people[i].seat && !r->people[i].is_dumb)
          say(r, &r->people[i]);
    room_run(r->room, r->now_us, &ops);
  }
}

/* The amplitude at that tone of what was heard. */
static double at(const struct person *p, unsigned tone) {
  return 2 * hypot(p->sin_sum[tone], p->cos_sum[tone]) / (double)(p->heard ? p->heard : 1);
}

/* Those named by bits are heard, the others are not. */
static void check_hears(const struct person *p, unsigned bits) {
  for (unsigned k = 0; k < TONES; k++)
    if (bits >> k & 1)
      cr_expect(at(p, k) > 4000 && at(p, k) < 12000, "kind %u tone %u: %f", p->kind, k, at(p, k));
    else
      cr_expect(at(p, k) < 250, "kind %u tone %u: %f", p->kind, k, at(p, k));
}

/* Each hears the others and not itself, over codecs and packet times. */
Test(room, three_talkers_and_a_listener) {
  static const uint8_t kinds[] = {CODEC_PCMU, CODEC_G722, CODEC_OPUS, CODEC_PCMA};
  struct rig *r = calloc(1, sizeof(*r));
  rig_init(r, 0);
  for (unsigned i = 0; i < 4; i++)
    (void)!rig_join(r, kinds[i], i < 3 ? TONE_HZ[i] : 0, i == 2 ? ROOM_LEVELS : 0);
  cr_assert_eq(room_rate_hz(r->room), 16000);
  rig_run(r, 3000);
  forget(r);
  rig_run(r, 2000);
  for (unsigned i = 0; i < 4; i++) {
    check_hears(&r->people[i], 7u & ~(1u << i));
    cr_expect_eq(r->people[i].got, 100);
    cr_expect(r->people[i].gaps == 0 && r->people[i].odd_ts == 0);
  }
  rig_done(r);
}

Test(room, packet_times_are_each_members_own) {
  static const uint8_t ptimes[] = {10, 20, 30, 40, 60};
  struct rig *r = calloc(1, sizeof(*r));
  rig_init(r, 0);
  struct person *talker = rig_join(r, CODEC_PCMU, TONE_HZ[0], 0);
  for (unsigned i = 0; i < COUNT_OF(ptimes); i++) {
    struct person *p = rig_join(r, CODEC_PCMA, i == 4 ? TONE_HZ[1] : 0, 0);
    p->ptime_ms = ptimes[i];
    struct xcode_form f = form_of(p);
    cr_assert_eq(room_alter(r->room, p->seat, &f, 0), 0);
  }
  cr_assert_eq(room_rate_hz(r->room), 8000);
  rig_run(r, 600);
  forget(r);
  rig_run(r, 1200);
  for (unsigned i = 0; i < COUNT_OF(ptimes); i++) {
    cr_expect_eq(r->people[i + 1].got, 1200 / ptimes[i], "%u ms: %lu", ptimes[i], r->people[i + 1].got);
    check_hears(&r->people[i + 1], i == 4 ? 1 : 3);
    cr_expect(r->people[i + 1].gaps == 0 && r->people[i + 1].odd_ts == 0);
  }
  check_hears(talker, 2);
  rig_done(r);
}

/* The room is full: only three are heard, the loudest; all who listen share encoders. */
Test(room, two_hundred) {
  struct rig *r = calloc(1, sizeof(*r));
  struct room_figures f;
  rig_init(r, 0);
  for (unsigned i = 0; i < MEMBERS; i++) {
    struct person *p = rig_join(r, i & 1 ? CODEC_PCMU : CODEC_PCMA, i < TONES ? TONE_HZ[i] : 0, 0);
    if (i == 0)
      p->phase = -2 * M_PI * p->hz / p->rate_hz; /* each eighth sample is zero. */
    if (i == 3)
      p->level = 2000; /* the fourth is not loud enough. */
  }
  struct xcode_form form = form_of(&r->people[0]);
  struct seat *none;
  cr_assert_eq(room_join(r->room, r, &form, 0, &none), -ENOSPC);
  rig_run(r, 1000);
  forget(r);
  room_figures(r->room, &f);
  uint64_t before = f.decoded, encoded = f.encoded;
  rig_run(r, 1000);
  for (unsigned i = 0; i < MEMBERS; i++)
    check_hears(&r->people[i], i < 3 ? 7u & ~(1u << i) : 7u);
  room_figures(r->room, &f);
  cr_expect_eq(f.mouths, 2 + 3);
  cr_expect_eq(f.encoded - encoded, 5 * 50);
  cr_expect(f.decoded - before >= 150 && f.decoded - before <= 200, "%lu", f.decoded - before);
  rig_done(r);
}

/* Nothing says how loud they are: decoded in turn, those who speak are found, and few are decoded. */
Test(room, talkers_are_found_among_silent_opus) {
  struct rig *r = calloc(1, sizeof(*r));
  struct room_figures f;
  rig_init(r, 0);
  for (unsigned i = 0; i < 60; i++)
    (void)!rig_join(r, CODEC_OPUS, 0, 0);
  rig_run(r, 1000);
  r->people[20].hz = TONE_HZ[0];
  r->people[40].hz = TONE_HZ[1];
  rig_run(r, 1500);
  forget(r);
  room_figures(r->room, &f);
  uint64_t before = f.decoded;
  rig_run(r, 1000);
  check_hears(&r->people[0], 3);
  check_hears(&r->people[20], 2);
  check_hears(&r->people[40], 1);
  room_figures(r->room, &f);
  cr_expect(f.decoded - before < 50 * 20, "%lu", f.decoded - before);
  rig_done(r);
}

/* One that says it is the loudest and is silent has no place for long, and the others keep theirs. */
Test(room, a_lying_level_loses_its_place) {
  struct rig *r = calloc(1, sizeof(*r));
  struct room_figures f;
  rig_init(r, 16000);
  for (unsigned i = 0; i < 3; i++)
    rig_join(r, CODEC_OPUS, TONE_HZ[i], ROOM_LEVELS)->is_dumb = i == 2;
  struct person *liar = rig_join(r, CODEC_OPUS, 0, ROOM_LEVELS);
  (void)!rig_join(r, CODEC_PCMU, 0, ROOM_LEVELS);
  liar->claims = 0;
  rig_run(r, 1000);
  room_figures(r->room, &f);
  cr_expect_eq(f.speaking, 2, "%u", f.speaking);
  cr_expect(r->active && r->active != liar);
  r->people[2].is_dumb = false; /* the third place is free for one who speaks */
  rig_run(r, 400);
  for (unsigned s = 0; s < 10; s++) {
    forget(r);
    rig_run(r, 1000);
    check_hears(&r->people[4], 7);
  }
  rig_done(r);
}

/* A liar that is quiet, not silent, does not push out those who are louder. */
Test(room, a_boaster_is_believed_what_it_proves) {
  struct rig *r = calloc(1, sizeof(*r));
  rig_init(r, 16000);
  for (unsigned i = 0; i < 3; i++)
    (void)!rig_join(r, CODEC_PCMU, TONE_HZ[i], ROOM_LEVELS);
  rig_run(r, 500);
  struct person *boaster = rig_join(r, CODEC_PCMU, TONE_HZ[3], ROOM_LEVELS);
  boaster->claims = 0;
  boaster->level = 1000;
  struct person *ear = rig_join(r, CODEC_PCMU, 0, ROOM_LEVELS);
  rig_run(r, 1000);
  for (unsigned s = 0; s < 10; s++) {
    forget(r);
    rig_run(r, 1000);
    check_hears(ear, 7);
  }
  rig_done(r);
}

Test(room, muted_and_listening_members_are_not_heard) {
  struct rig *r = calloc(1, sizeof(*r));
  rig_init(r, 0);
  struct person *a = rig_join(r, CODEC_PCMU, TONE_HZ[0], 0), *b = rig_join(r, CODEC_PCMU, TONE_HZ[1], 0);
  struct person *c = rig_join(r, CODEC_PCMU, TONE_HZ[2], ROOM_LISTENS);
  rig_run(r, 500);
  struct xcode_form f = form_of(a);
  cr_assert_eq(room_alter(r->room, a->seat, &f, ROOM_MUTED), 0);
  rig_run(r, 100);
  forget(r);
  rig_run(r, 1000);
  check_hears(c, 2);
  check_hears(b, 0);
  check_hears(a, 2);
  cr_assert_eq(room_alter(r->room, a->seat, &f, 0), 0);
  rig_run(r, 500);
  forget(r);
  rig_run(r, 1000);
  check_hears(b, 1);
  rig_done(r);
}

/* Members come and go while others speak: what is sent to those who stay has no gap. */
Test(room, coming_and_going) {
  struct rig *r = calloc(1, sizeof(*r));
  rig_init(r, 0);
  struct person *a = rig_join(r, CODEC_PCMU, TONE_HZ[0], 0), *b = rig_join(r, CODEC_PCMA, 0, 0);
  rig_run(r, 500);
  struct person *c = rig_join(r, CODEC_OPUS, TONE_HZ[1], 0); /* 16 kHz from now on */
  cr_assert_eq(room_rate_hz(r->room), 16000);
  rig_run(r, 1000);
  forget(r);
  rig_run(r, 1000);
  check_hears(a, 2);
  check_hears(b, 3);
  check_hears(c, 1);
  room_leave(r->room, a->seat);
  a->seat = NULL;
  rig_run(r, 100);
  forget(r);
  rig_run(r, 1000);
  check_hears(b, 2);
  check_hears(c, 0);
  cr_expect(r->active == c);
  cr_expect(b->gaps == 0 && b->odd_ts == 0 && c->gaps == 0);
  rig_done(r);
}

Test(room, another_source_of_a_member) {
  struct rig *r = calloc(1, sizeof(*r));
  rig_init(r, 0);
  struct person *a = rig_join(r, CODEC_PCMU, TONE_HZ[0], 0), *b = rig_join(r, CODEC_PCMU, 0, 0);
  rig_run(r, 500);
  a->ssrc++;
  a->ext = 7;
  a->ts += 99999999;
  rig_run(r, 200);
  forget(r);
  rig_run(r, 1000);
  check_hears(b, 1);
  check_hears(a, 0);
  rig_done(r);
}

/* Nobody speaks: packets of silence go on; the active speaker is nobody. */
Test(room, silence_goes_on) {
  struct rig *r = calloc(1, sizeof(*r));
  rig_init(r, 0);
  struct person *a = rig_join(r, CODEC_PCMU, TONE_HZ[0], 0), *b = rig_join(r, CODEC_PCMU, 0, 0);
  b->is_dumb = true;
  rig_run(r, 1000);
  cr_expect(r->active == a && r->told == 1);
  a->hz = 0;
  rig_run(r, 1500);
  cr_expect(r->active == NULL && r->told == 2, "%u", r->told);
  forget(r);
  rig_run(r, 1000);
  cr_expect_eq(b->got, 50);
  cr_expect(b->power / (double)b->heard < 100, "%f", b->power / (double)b->heard);
  cr_expect_eq(b->gaps, 0);
  rig_done(r);
}

/* Sums do not wrap. */
Test(room, loud_sums_are_limited) {
  struct rig *r = calloc(1, sizeof(*r));
  rig_init(r, 0);
  for (unsigned i = 0; i < 3; i++)
    rig_join(r, CODEC_PCMU, TONE_HZ[i], 0)->level = 30000;
  struct person *ear = rig_join(r, CODEC_PCMU, 0, 0);
  rig_run(r, 500);
  forget(r);
  rig_run(r, 1000);
  double tones = 0;
  for (unsigned k = 0; k < 3; k++)
    tones += at(ear, k) * at(ear, k) / 2;
  cr_expect(tones / (ear->power / (double)ear->heard) > 0.85, "%f",
            tones / (ear->power / (double)ear->heard));
  rig_done(r);
}

/* The control thread's list: how many, and what they may cost. */
static int list_ask(struct roomlist *l, enum mset_type type, uint64_t room, uint64_t *at) {
  union mset_any m;
  mset_init(&m, type, 1);
  m.room.room = room;
  cr_assert_eq(mset_check(&m, m.h.bytes, true), 0);
  if (type == MSET_ROOM_OPEN)
    return roomlist_open(l, &m.room);
  return type == MSET_ROOM_CLOSE ? roomlist_close(l, room) : roomlist_take(l, &m, at);
}

Test(room, admission) {
  struct dsps_options o = {.threads = 1, .share_percent = 10, .workers = 1, .sessions_max = 4};
  uint64_t at[ROOM_MEMBERS_MAX + 1] = {0};
  own(dsps) d = NULL;
  struct roomlist *l;
  cr_assert(dsps_new(&d, &o) == 0 && roomlist_new(&l, d) == 0);
  cr_expect_eq(list_ask(l, MSET_ROOM_JOIN, 5, &at[0]), -ENOENT);
  cr_assert_eq(list_ask(l, MSET_ROOM_OPEN, 5, NULL), 0);
  cr_expect_eq(list_ask(l, MSET_ROOM_OPEN, 5, NULL), -EEXIST);
  for (unsigned i = 0; i < ROOM_MEMBERS_MAX; i++)
    cr_assert_eq(list_ask(l, MSET_ROOM_JOIN, 5, &at[i]), 0);
  cr_expect_eq(list_ask(l, MSET_ROOM_JOIN, 5, &at[ROOM_MEMBERS_MAX]), -ENOSPC);
  cr_expect_eq(list_ask(l, MSET_ROOM_JOIN, 5, &at[0]), -EEXIST);
  cr_expect_eq(list_ask(l, MSET_ROOM_SET, 6, &at[0]), -ENOENT);
  cr_assert_eq(list_ask(l, MSET_ROOM_OPEN, 6, NULL), 0);
  cr_expect_eq(list_ask(l, MSET_ROOM_OPEN, 7, NULL), -EBUSY, "10 % of a core are given away");
  /* What is closed with members in it is paid for until they left. */
  cr_assert_eq(list_ask(l, MSET_ROOM_CLOSE, 5, NULL), 0);
  cr_expect_eq(list_ask(l, MSET_ROOM_OPEN, 7, NULL), -EBUSY);
  for (unsigned i = 0; i < ROOM_MEMBERS_MAX; i++)
    roomlist_leave(l, &at[i]);
  cr_expect_eq(list_ask(l, MSET_ROOM_OPEN, 5, NULL), 0);
  cr_expect_eq(list_ask(l, MSET_ROOM_OPEN, 7, NULL), 0);
  cr_expect_eq(list_ask(l, MSET_ROOM_OPEN, 8, NULL), -EBUSY);
  roomlist_free(l);
}

Test(room, malformed_orders) {
  union mset_any m;
  mset_init(&m, MSET_ROOM_JOIN, 1);
  cr_expect_eq(mset_check(&m, m.h.bytes, true), -EBADMSG, "room 0");
  m.room.room = 1;
  cr_expect_eq(mset_check(&m, m.h.bytes, true), 0);
  m.room.flags = MSET_ROOM_ALL_ + 1;
  cr_expect_eq(mset_check(&m, m.h.bytes, true), -EBADMSG);
  mset_init(&m, MSET_ROOM_OPEN, 0);
  m.room.room = 1;
  m.room.rate_hz = 44100;
  cr_expect_eq(mset_check(&m, m.h.bytes, true), -EBADMSG);
  m.room.rate_hz = 16000;
  m.room.speakers = MSET_ROOM_SPEAKERS_MAX + 1;
  cr_expect_eq(mset_check(&m, m.h.bytes, true), -EBADMSG);
}
