/* SPDX-License-Identifier: Apache-2.0
 * Recordings: the engine in virtual time (two legs with clocks of their own, jitter, loss, another
 * source, pauses), and the thread with real files. */
#include "media/disk.h"
#include "media/record.h"
#include "media/sound.h"

#include "base/clock.h"
#include "codec/coder.h"
#include "codec/g711.h"
#include "codec/ogg.h"
#include "codec/wav.h"
#include "wire/desc.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>

enum { START_US = 5000000, FRAME = 160 };

static void setup(void) { g711_start(); }
TestSuite(record, .init = setup);
TestSuite(disk, .init = setup);
TestSuite(sound, .init = setup);

static uint32_t seed = 1;
static uint32_t next_random(void) { return seed = seed * 1664525u + 1013904223u; }

/* A sender: clicks at each whole second of true time, by a clock that is ppm too fast, or a tone. */
struct sender {
  double ppm, hz; /* hz of a tone; 0: clicks */
  unsigned jitter_us, loss_percent;
  enum record_side side;
  uint64_t source, ext, n;
  uint32_t ts;
  bool is_lossy;
};

static uint64_t due_us(const struct sender *s) {
  return START_US + (uint64_t)((double)s->n * 20000.0 / (1 + s->ppm / 1e6));
}

static int16_t sample_at(const struct sender *s, uint64_t i) {
  double t = (double)i / 8000 / (1 + s->ppm / 1e6);
  if (s->hz > 0)
    return (int16_t)(8000 * sin(2 * M_PI * s->hz * t));
  double since = t - floor(t);
  return since < 0.005 ? 12000 : 0;
}

static void send_frame(struct sender *s, struct record *r) {
  uint8_t payload[FRAME];
  for (unsigned i = 0; i < FRAME; i++)
    payload[i] = g711_compress(G711_ULAW, sample_at(s, s->n * FRAME + i));
  uint64_t at = due_us(s) + 20000 + (s->jitter_us ? next_random() % s->jitter_us : 0);
  struct track_packet p = {s->source, s->ext, at, s->ts, 8000, CODEC_PCMU};
  s->n++;
  s->ext++;
  s->ts += FRAME;
  if (s->loss_percent && next_random() / 7 % 100 < s->loss_percent)
    return;
  (void)record_put(r, s->side, &p, payload, sizeof(payload));
}

/* Both senders and the clock, until a time. */
static void run_both(struct record *r, struct sender *a, struct sender *b, uint64_t until_us) {
  uint64_t tick = START_US;
  for (;;) {
    struct sender *s = due_us(a) <= due_us(b) ? a : b;
    if (due_us(s) >= until_us)
      return;
    for (; tick < due_us(s); tick += 50000)
      record_tick(r, tick);
    send_frame(s, r);
  }
}

/* Where clicks begin, on each side; by the count of clicks. */
struct clicks {
  uint32_t rate_hz;
  uint64_t at, last[2], n[2];
  uint64_t worst, apart; /* samples */
  uint64_t first_worst;
  double power[2], cross[2][2];
  double hz[2];
};

static void hear(void *arg, const void *bytes, size_t n) {
  struct clicks *c = arg;
  const uint8_t *p = bytes;
  for (size_t i = 0; i + 4 <= n; i += 4, c->at++)
    for (unsigned k = 0; k < 2; k++) {
      int16_t v = (int16_t)(p[i + 2 * k] | p[i + 2 * k + 1] << 8);
      double a = 2 * M_PI * c->hz[k] * (double)c->at / c->rate_hz;
      c->power[k] += (double)v * v;
      c->cross[k][0] += v * sin(a);
      c->cross[k][1] += v * cos(a);
      if (v > 5000 && c->at - c->last[k] > c->rate_hz / 2) {
        c->last[k] = c->at;
        c->n[k]++;
        uint64_t other = c->last[!k], apart = c->at - other;
        if (apart < c->rate_hz / 4 && c->at > 10 * c->rate_hz && apart > c->worst)
          c->worst = apart;
      }
    }
}

static double share(const struct clicks *c, unsigned k) {
  double n = (double)c->at;
  return c->power[k] > 0
             ? 2 * (c->cross[k][0] * c->cross[k][0] + c->cross[k][1] * c->cross[k][1]) / n / c->power[k]
             : 0;
}

static struct record *open_record(struct clicks *c, uint32_t rate_hz) {
  struct record *r;
  struct record_form f = {RECORD_WAV, rate_hz, 1, NULL, hear, c};
  *c = (struct clicks){.rate_hz = rate_hz};
  cr_assert_eq(record_new(&r, &f, START_US), 0);
  return r;
}

static void run_long(uint32_t rate_hz, unsigned jitter_us, unsigned s) {
  struct clicks c;
  struct record *r = open_record(&c, rate_hz);
  struct sender a = {.ppm = 100, .side = RECORD_LEFT, .source = 5, .ext = 1000, .jitter_us = jitter_us},
                b = {.ppm = -100,
                     .side = RECORD_RIGHT,
                     .source = 6,
                     .ext = 9,
                     .ts = 0xffff0000u,
                     .jitter_us = jitter_us};
  uint64_t end = START_US + s * UINT64_C(1000000);
  run_both(r, &a, &b, end);
  record_end(r, end);
  cr_assert_eq(record_ms(r), s * 1000);
  cr_assert(c.n[0] + 1 >= s && c.n[1] + 1 >= s && c.n[0] <= s + 1, "%llu %llu clicks",
            (unsigned long long)c.n[0], (unsigned long long)c.n[1]);
  printf("%u Hz, jitter %u us: at worst %.2f ms apart in %u s\n", rate_hz, jitter_us,
         1000.0 * (double)c.worst / rate_hz, s);
  cr_assert_lt(c.worst, 5 * rate_hz / 1000);
  cr_assert_eq(record_figures(r, RECORD_LEFT).placed, 1);
  cr_assert_eq(record_figures(r, RECORD_LEFT).late, 0);
  record_free(r);
}

Test(record, legs_stay_together_for_an_hour) { run_long(8000, 0, 3600); }
Test(record, legs_stay_together_through_jitter) { run_long(8000, 30000, 3600); }
Test(record, legs_stay_together_at_16_khz) { run_long(16000, 15000, 300); }

Test(record, two_tones_on_two_sides) {
  struct clicks c;
  struct record *r = open_record(&c, 16000);
  c.hz[0] = 440, c.hz[1] = 1000;
  struct sender a = {.hz = 440, .side = RECORD_LEFT, .source = 5},
                b = {.hz = 1000, .side = RECORD_RIGHT, .source = 6};
  run_both(r, &a, &b, START_US + 20000000);
  record_end(r, START_US + 20000000);
  cr_assert_eq(record_ms(r), 20000);
  cr_assert_gt(share(&c, 0), 0.95, "%f", share(&c, 0));
  cr_assert_gt(share(&c, 1), 0.95, "%f", share(&c, 1));
  record_free(r);
}

Test(record, another_source_and_loss_stay_in_step) {
  struct clicks c;
  struct record *r = open_record(&c, 8000);
  struct sender a = {.side = RECORD_LEFT, .source = 5, .jitter_us = 15000, .loss_percent = 3},
                b = {.side = RECORD_RIGHT, .source = 6, .jitter_us = 15000};
  for (unsigned i = 1; i <= 30; i++) {
    run_both(r, &a, &b, START_US + i * UINT64_C(10000000));
    a.source += 2; /* numbers and times begin anew */
    a.ext = next_random();
    a.ts = next_random();
    if (i % 3 == 0) {
      b.ts += 50000; /* a jump in one stream */
    }
  }
  record_end(r, START_US + 300000000);
  printf("sources change: at worst %.2f ms apart\n", (double)c.worst / 8);
  cr_assert_eq(record_ms(r), 300000);
  cr_assert(c.n[0] >= 280 && c.n[1] >= 290, "%llu %llu", (unsigned long long)c.n[0],
            (unsigned long long)c.n[1]);
  cr_assert_lt(c.worst, 8 * 25); /* a new stream is placed as its first packets come */
  record_free(r);
}

Test(record, a_pause_is_cut_out_of_both) {
  struct clicks c;
  struct record *r = open_record(&c, 8000);
  struct sender a = {.side = RECORD_LEFT, .source = 5}, b = {.side = RECORD_RIGHT, .source = 6};
  run_both(r, &a, &b, START_US + 20000000);
  record_pause(r, true, START_US + 20000000);
  uint64_t before = c.n[0];
  run_both(r, &a, &b, START_US + 50000000);
  cr_assert_leq(c.n[0], before + 1);
  record_pause(r, false, START_US + 50000000);
  record_pause(r, false, START_US + 51000000);
  run_both(r, &a, &b, START_US + 60000000);
  record_end(r, START_US + 60000000);
  cr_assert(record_ms(r) >= 29960 && record_ms(r) <= 30000, "%llu", (unsigned long long)record_ms(r));
  cr_assert(c.n[0] >= 29 && c.n[0] <= 31 && c.n[1] >= 29 && c.n[1] <= 31);
  cr_assert_lt(c.worst, 8 * 5);
  record_free(r);
}

Test(record, silence_where_nothing_comes) {
  struct clicks c;
  struct record *r = open_record(&c, 8000);
  struct sender a = {.side = RECORD_LEFT, .source = 5}, b = {.side = RECORD_RIGHT, .source = 6};
  run_both(r, &a, &b, START_US + 10000000);
  for (unsigned i = 0; i < 500; i++) { /* hold of 10 s: numbers go on without a gap, times too */
    a.n++, b.n++;
    b.ts += FRAME; /* the other one is silent without saying so */
  }
  run_both(r, &a, &b, START_US + 30000000);
  record_end(r, START_US + 30000000);
  cr_assert_eq(record_ms(r), 30000);
  cr_assert(c.n[0] >= 19 && c.n[0] <= 21 && c.n[1] == c.n[0], "%llu %llu", (unsigned long long)c.n[0],
            (unsigned long long)c.n[1]);
  cr_assert_lt(c.worst, 8 * 5);
  record_free(r);
}

/* The thread --------------------------------------------------------------------------------------- */
struct rig {
  struct disk *d;
  int event;
  char path[64];
  uint64_t now_us;
};

static void rig_open(struct rig *r) {
  r->event = eventfd(0, EFD_NONBLOCK);
  cr_assert_eq(disk_new(&r->d, 1, NULL, r->event), 0);
  cr_assert_eq(disk_start(r->d), 0);
  snprintf(r->path, sizeof(r->path), "/tmp/check_record.%d.%u", (int)getpid(), next_random());
}

static void rig_close(struct rig *r) {
  disk_free(r->d);
  close(r->event);
  unlink(r->path);
}

static struct disk_done rig_done(struct rig *r) {
  struct pollfd p = {.fd = r->event, .events = POLLIN};
  struct disk_done done = {0};
  cr_assert_eq(poll(&p, 1, 5000), 1);
  cr_assert(disk_result(r->d, &done));
  return done;
}

static void order(struct rig *r, enum disk_op op, int fd, uint32_t format, uint64_t max) {
  struct disk_order o = {UINT64_C(1) << 32 | 3, clock_now_us(), max, op, fd, format, 8000};
  cr_assert(disk_order(r->d, &o));
}

static void say(struct rig *r, unsigned frames) {
  for (unsigned i = 0; i < frames; i++) {
    uint8_t payload[FRAME];
    for (unsigned k = 0; k < 2; k++) {
      struct disk_packet p = {.file = UINT64_C(1) << 32 | 3,
                              .packet = {7 + k, i, clock_now_us(), i * FRAME, 8000, CODEC_PCMU},
                              .side = k};
      struct sender s = {.hz = k ? 1000 : 440};
      for (unsigned j = 0; j < FRAME; j++)
        payload[j] = g711_compress(G711_ULAW, sample_at(&s, i * FRAME + j));
      enum drop d = disk_put(r->d, 0, &p, payload, sizeof(payload));
      cr_assert_eq(d, DROP_NONE);
    }
    usleep(20000);
  }
}

static size_t read_back(const char *path, uint8_t *dst, size_t room) {
  FILE *f = fopen(path, "rb");
  cr_assert(f);
  size_t n = fread(dst, 1, room, f);
  fclose(f);
  return n;
}

static uint8_t file_bytes[1 << 20];

Test(disk, a_wav_that_plays_before_its_end) {
  struct rig r;
  struct wav w;
  rig_open(&r);
  order(&r, DISK_OPEN, open(r.path, O_RDWR | O_CREAT | O_EXCL, 0600), RECORD_WAV, 0);
  say(&r, 110);
  size_t n = read_back(r.path, file_bytes, sizeof(file_bytes)); /* as if we were killed now */
  cr_assert_gt(n, 20000);
  uint32_t said = (uint32_t)(file_bytes[40] | file_bytes[41] << 8 | file_bytes[42] << 16);
  cr_assert_eq(said, n - WAV_HEAD_BYTES, "the head says %u of %zu", said, n - WAV_HEAD_BYTES);
  order(&r, DISK_CLOSE, -1, 0, 0);
  struct disk_done done = rig_done(&r);
  cr_assert_eq(done.error, 0);
  cr_assert(done.ms > 2000 && done.ms < 3500, "%llu ms", (unsigned long long)done.ms);
  n = read_back(r.path, file_bytes, sizeof(file_bytes));
  cr_assert_eq(n, done.bytes);
  cr_assert_eq(wav_parse(&w, file_bytes, n, n), 0);
  cr_assert_eq(w.channels, 2);
  cr_assert_eq(w.data_bytes, done.bytes - WAV_HEAD_BYTES);
  struct clicks c = {.rate_hz = 8000, .hz = {440, 1000}};
  hear(&c, file_bytes + w.data_at + 8000 * 4, 8000 * 4);
  /* In real time: on a machine with other work a packet may come too late for its place. */
  cr_assert(share(&c, 0) > 0.75 && share(&c, 1) > 0.75, "%f %f", share(&c, 0), share(&c, 1));
  rig_close(&r);
}

Test(disk, opus_in_ogg) {
  struct rig r;
  struct oggin *in;
  struct slice packet;
  uint32_t units, sum = 0;
  enum oggin_verdict v;
  rig_open(&r);
  order(&r, DISK_OPEN, open(r.path, O_RDWR | O_CREAT | O_EXCL, 0600), RECORD_OGG, 0);
  say(&r, 60);
  order(&r, DISK_CLOSE, -1, 0, 0);
  struct disk_done done = rig_done(&r);
  size_t n = read_back(r.path, file_bytes, sizeof(file_bytes));
  cr_assert_eq(n, done.bytes);
  cr_assert_eq(oggin_new(&in), 0);
  cr_assert_eq(oggin_next(in, &packet, &units), OGGIN_MORE);
  cr_assert_eq(oggin_feed(in, file_bytes, n), 0);
  while ((v = oggin_next(in, &packet, &units)) == OGGIN_PACKET)
    sum += units;
  cr_assert_eq(v, OGGIN_END);
  cr_assert_eq(oggin_head(in)->channels, 2);
  cr_assert(sum >= done.ms * 47 && sum <= done.ms * 48, "%u units of %llu ms", sum,
            (unsigned long long)done.ms);
  oggin_free(in);
  rig_close(&r);
}

Test(disk, a_queue_that_is_full_is_counted) {
  struct disk *d;
  uint8_t payload[FRAME] = {0};
  struct disk_packet p = {.file = 1};
  enum drop last = DROP_NONE;
  unsigned n = 0;
  cr_assert_eq(disk_new(&d, 1, NULL, -1), 0); /* nobody takes anything out */
  while (!last && n++ < 100000)
    last = disk_put(d, 0, &p, payload, sizeof(payload));
  cr_assert_eq(last, DROP_QUEUE_FULL);
  cr_assert(n > 5000 && n < 20000, "%u packets", n);
  cr_assert_eq(disk_drops(d), 1);
  disk_free(d);
}

Test(disk, a_full_disk_ends_it) {
  struct rig r;
  rig_open(&r);
  order(&r, DISK_OPEN, open("/dev/full", O_RDWR), RECORD_WAV, 0);
  cr_assert_eq(rig_done(&r).error, -ENOSPC);
  rig_close(&r);
}

Test(disk, as_much_as_it_may) {
  struct rig r;
  struct wav w;
  rig_open(&r);
  order(&r, DISK_OPEN, open(r.path, O_RDWR | O_CREAT | O_EXCL, 0600), RECORD_WAV, 32000);
  say(&r, 100);
  struct disk_done done = rig_done(&r);
  cr_assert_eq(done.error, -EFBIG);
  size_t n = read_back(r.path, file_bytes, sizeof(file_bytes));
  cr_assert_eq(wav_parse(&w, file_bytes, n, n), 0);
  cr_assert(n > 30000 && n <= 32000 + WAV_HEAD_BYTES && w.data_bytes == n - WAV_HEAD_BYTES, "%zu", n);
  rig_close(&r);
}

/* Sounds ------------------------------------------------------------------------------------------- */
static size_t make_wav(uint8_t *dst, uint32_t rate_hz, unsigned ms, double hz) {
  size_t n = (size_t)rate_hz * ms / 1000;
  wav_head(dst, 1, rate_hz, 2 * n);
  for (size_t i = 0; i < n; i++) {
    int v = (int)(8000 * sin(2 * M_PI * hz * (double)i / rate_hz));
    dst[WAV_HEAD_BYTES + 2 * i] = (uint8_t)v;
    dst[WAV_HEAD_BYTES + 2 * i + 1] = (uint8_t)((unsigned)v >> 8);
  }
  return WAV_HEAD_BYTES + 2 * n;
}

Test(sound, a_wav_at_both_rates_again_and_again) {
  static int16_t pcm[64000];
  const uint32_t rates[] = {8000, 16000, 44100};
  for (unsigned i = 0; i < COUNT_OF(rates); i++) {
    struct sound *s;
    size_t n = make_wav(file_bytes, rates[i], 1000, 440), at = 0;
    cr_assert_eq(sound_new(&s, file_bytes, n), 0);
    cr_assert(s->n > 7900 && s->n <= 8000, "%zu from %u", s->n, rates[i]);
    uint32_t repeat = 3;
    cr_assert_eq(sound_take(s, 16000, &at, &repeat, pcm, COUNT_OF(pcm)), 3 * 2 * s->n);
    cr_assert_eq(repeat, 1);
    double sine = 0, cosine = 0, power = 0;
    for (unsigned k = 2000; k < 10000; k++) {
      sine += pcm[k] * sin(2 * M_PI * 440 * k / 16000);
      cosine += pcm[k] * cos(2 * M_PI * 440 * k / 16000);
      power += (double)pcm[k] * pcm[k];
    }
    cr_assert_gt(2 * (sine * sine + cosine * cosine) / 8000 / power, 0.98);
    at = 0, repeat = 0;
    cr_assert_eq(sound_take(s, 8000, &at, &repeat, pcm, COUNT_OF(pcm)), COUNT_OF(pcm));
    sound_free(s);
  }
}

Test(sound, a_recording_in_ogg_plays) {
  struct rig r;
  struct sound *s;
  rig_open(&r);
  order(&r, DISK_OPEN, open(r.path, O_RDWR | O_CREAT | O_EXCL, 0600), RECORD_OGG, 0);
  say(&r, 50);
  order(&r, DISK_CLOSE, -1, 0, 0);
  struct disk_done done = rig_done(&r);
  size_t n = read_back(r.path, file_bytes, sizeof(file_bytes));
  cr_assert_eq(sound_new(&s, file_bytes, n), 0);
  cr_assert(s->n + 800 >= done.ms * 8 && s->n <= done.ms * 8 + 8, "%zu of %llu ms", s->n,
            (unsigned long long)done.ms);
  sound_free(s);
  rig_close(&r);
}

/* Two pages of heads, and then nothing. */
static size_t heads_end(const uint8_t *ogg, size_t n) {
  unsigned pages = 0;
  for (size_t i = 0; i + 4 <= n; i++)
    if (memcmp(ogg + i, "OggS", 4) == 0 && ++pages == 3)
      return i;
  return n;
}

Test(sound, a_recording_without_sound_is_refused) {
  struct rig r;
  struct sound *s;
  rig_open(&r);
  order(&r, DISK_OPEN, open(r.path, O_RDWR | O_CREAT | O_EXCL, 0600), RECORD_OGG, 0);
  say(&r, 50);
  order(&r, DISK_CLOSE, -1, 0, 0);
  (void)rig_done(&r);
  size_t n = read_back(r.path, file_bytes, sizeof(file_bytes)), heads = heads_end(file_bytes, n);
  cr_assert_lt(heads, n);
  cr_assert_eq(sound_new(&s, file_bytes, heads), -EBADMSG);
  rig_close(&r);
}

Test(sound, refused) {
  struct sound *s;
  size_t n = make_wav(file_bytes, 8000, 1000, 440);
  cr_assert_eq(sound_new(&s, file_bytes, 3), -EBADMSG);
  cr_assert_eq(sound_new(&s, file_bytes, WAV_HEAD_BYTES), -EBADMSG);
  file_bytes[22] = 5; /* channels */
  cr_assert_eq(sound_new(&s, file_bytes, n), -ENOTSUP);
  memcpy(file_bytes, "OggS", 4);
  cr_assert_eq(sound_new(&s, file_bytes, n), -EBADMSG);
}
