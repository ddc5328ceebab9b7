/* SPDX-License-Identifier: Apache-2.0
 * make bench-mix: a room of 200 members of whom three speak, over real sockets with SRTP, packets of
 * 20 ms from all of them: what of a core the whole media process takes. With levels in the packets
 * (RFC 6464) and without, PCMU and Opus. Everything that comes back is authenticated; the speakers and
 * one listener are decoded, and their tones checked. The media process is on one core, we on another. */
#include "../thread/media_rig.h"

#include "codec/coder.h"
#include "codec/tone.h"
#include "codec/vad.h"
#include "wire/bytes.h"

#include <math.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum {
  MEMBERS = 200,
  SPEAKERS = 3,
  HEARD = SPEAKERS + 1, /* members that are decoded */
  LOOP_FRAMES = 50,
  SLOTS = 20, /* members are spread over the 20 ms */
  LEVEL_EXT = 1,
  AHEAD = -15,
};
static const double TONE_HZ[SPEAKERS] = {500, 800, 1300};

struct sound { /* a second, encoded */
  uint8_t payload[LOOP_FRAMES][CODER_PAYLOAD_MAX];
  size_t n[LOOP_FRAMES];
  uint8_t level;
};

struct ear {
  struct decoder *decoder;
  double sum[SPEAKERS]; /* sum of each tone's amplitude in each of frames */
  uint64_t frames;
};

struct run {
  const char *name;
  uint8_t kind;
  bool has_levels;
  struct leg legs[MEMBERS];
  struct sound sounds[SPEAKERS + 1];
  struct ear ears[HEARD];
  uint64_t got[MEMBERS];
  bool is_measured;
  double share; /* share of a core */
};

static uint32_t rate_hz(const struct run *r) { return r->kind == CODEC_OPUS ? 16000 : 8000; }
static uint32_t clock_hz(const struct run *r) { return r->kind == CODEC_OPUS ? 48000 : 8000; }

static void pin(int nth) {
  cpu_set_t may, one;
  (void)sched_getaffinity(0, sizeof(may), &may);
  CPU_ZERO(&one);
  for (int cpu = 0, i = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &may) && i++ == nth % CPU_COUNT(&may))
      CPU_SET(cpu, &one);
  (void)sched_setaffinity(0, sizeof(one), &one);
}

/* Sound: three speak in tones that come and go like syllables, the others have a quiet room's noise. */
static void make_sound(const struct run *r, unsigned who, struct sound *s) {
  struct coder_format f = {.kind = r->kind == CODEC_OPUS ? CODER_OPUS : CODER_PCMU,
                           .rate_hz = rate_hz(r),
                           .bitrate = 24000,
                           .complexity = 5};
  struct encoder *e;
  int16_t pcm[320];
  uint64_t at = 0;
  CHECK(encoder_new(&e, &f) == 0);
  for (unsigned k = 0; k < 2 * LOOP_FRAMES; k++) {
    for (size_t i = 0; i < f.rate_hz / 50; i++, at++) {
      double t = (double)at / f.rate_hz;
      double tone = who < SPEAKERS
                        ? 5000 * (1 + 0.5 * sin(2 * M_PI * 4 * t)) * sin(2 * M_PI * TONE_HZ[who] * t)
                        : (double)(rand_below(41)) - 20;
      pcm[i] = (int16_t)tone;
    }
    s->level = vad_level(pcm, f.rate_hz / 50);
    s->n[k % LOOP_FRAMES] =
        encoder_encode(e, pcm, f.rate_hz / 50, s->payload[k % LOOP_FRAMES], CODER_PAYLOAD_MAX);
  }
  encoder_free(e);
}

/* Legs ---------------------------------------------------------------------------------------------- */
static void describe(const struct run *r, struct leg *l) {
  union mset_any m;
  mset_init(&m, MSET_REMOTE, l->id);
  m.remote.remote = 1;
  m.remote.security = MSET_SDES;
  m.remote.rtcp_mux = m.remote.send = m.remote.recv = 1;
  m.remote.level_ext = r->has_levels ? LEVEL_EXT : 0;
  m.remote.rtp = m.remote.rtcp = l->at;
  srtpkey_make(&l->theirs, SUITE_AES_CM_128_HMAC_SHA1_80);
  srtpkey_make(&l->ours, SUITE_AES_CM_128_HMAC_SHA1_80);
  m.remote.rx = l->theirs;
  m.remote.tx = l->ours;
  m.remote.codecs[0] = (struct mset_codec){.pt = l->pt, .kind = r->kind, .clock_hz = clock_hz(r)};
  m.remote.n_codecs = 1;
  CHECK(ask_ok(&m));
  CHECK(sealer_new(&l->sealer, &l->theirs, l->ssrc) == 0 && opener_new(&l->opener, &l->ours) == 0);
}

static void room_do(enum mset_type type, uint64_t session, uint32_t flags) {
  union mset_any m;
  mset_init(&m, type, session);
  m.room.room = 1;
  m.room.flags = flags;
  CHECK(ask_ok(&m));
}

static void say(const struct run *r, unsigned who, unsigned frame) {
  struct leg *l = (struct leg *)(uintptr_t)&r->legs[who];
  const struct sound *s = &r->sounds[who < SPEAKERS ? who : SPEAKERS];
  unsigned k = (frame + (who < SPEAKERS ? 0 : who)) % LOOP_FRAMES;
  uint8_t p[2048];
  size_t at = rtp_put(p, l->pt, false, 0, l->ts, l->ssrc);
  if (r->has_levels) {
    const uint8_t ext[8] = {
        0xbe, 0xde, 0, 1, LEVEL_EXT << 4, (uint8_t)(who < SPEAKERS ? 0x80 | s->level : s->level)};
    p[0] |= 0x10;
    memcpy(p + at, ext, sizeof(ext));
    at += sizeof(ext);
  }
  memcpy(p + at, s->payload[k], s->n[k]);
  at += s->n[k];
  l->ts += clock_hz(r) / 50;
  if (seal_rtp_next(l->sealer, p, &at, sizeof(p)))
    CHECK(false, "sealing");
  send_to(l->fd, p, at, &l->o.rtp[0]);
}

static void listen_to(struct run *r, struct ear *e, const struct got *g) {
  int16_t pcm[CODER_SAMPLES_MAX];
  size_t n = decoder_decode(e->decoder, g->rtp.payload, g->rtp.payload_bytes, pcm, CODER_SAMPLES_MAX);
  CHECK(n == rate_hz(r) / 50, "%zu samples", n);
  for (unsigned k = 0; r->is_measured && k < SPEAKERS; k++) {
    double sin_sum = 0, cos_sum = 0, turn = 2 * M_PI * TONE_HZ[k] / rate_hz(r);
    for (size_t i = 0; i < n; i++) {
      sin_sum += pcm[i] * sin(turn * (double)i);
      cos_sum += pcm[i] * cos(turn * (double)i);
    }
    e->sum[k] += 2 * hypot(sin_sum, cos_sum) / (double)n;
  }
  e->frames += r->is_measured;
}

static void hear(struct run *r, unsigned who) {
  struct got g;
  while (leg_take(&r->legs[who], 0, &g)) {
    if (g.is_rtcp)
      continue;
    r->got[who] += r->is_measured;
    if (who < HEARD)
      listen_to(r, &r->ears[who], &g);
  }
}

static void go_on(struct run *r, unsigned frames, unsigned *frame) {
  uint64_t next_us = clock_now_us();
  for (unsigned f = 0; f < frames * SLOTS; f++, next_us += 20000 / SLOTS) {
    unsigned slot = f % SLOTS;
    for (unsigned i = slot; i < MEMBERS; i += SLOTS) {
      say(r, i, *frame);
      hear(r, (i + MEMBERS / 2) % MEMBERS);
    }
    *frame += slot == SLOTS - 1;
    uint64_t now_us = clock_now_us();
    if (now_us < next_us + 20000 / SLOTS)
      (void)usleep((useconds_t)(next_us + 20000 / SLOTS - now_us));
  }
}

/* The media process --------------------------------------------------------------------------------- */
static pid_t start(void) {
  pid_t parent = getpid(), pid = fork();
  const char *text = "";
  if (pid)
    return pid;
  (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent)
    _exit(1);
  pin(0);
  if (media_new(&media, &options, &text) < 0) {
    printf("start: %s\n", text);
    _exit(1);
  }
  media_run(media);
  _exit(0);
}

static double cpu_s(pid_t pid) {
  clockid_t id;
  struct timespec ts = {0};
  if (clock_getcpuclockid(pid, &id) || clock_gettime(id, &ts))
    perror("cpu clock");
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void configure(void) {
  char text[32];
  unsigned pid = (unsigned)getpid();
  options = (struct media_options){.workers = 1,
                                   .n_addresses = 1,
                                   .trunk_port_min = 20000,
                                   .trunk_port_max = 20999,
                                   .backend = "auto",
                                   .max_sessions = 256,
                                   .opus_complexity = 5};
  snprintf(options.socket, sizeof(options.socket), "/tmp/sallyport-bench-mix.%u", pid);
  snprintf(text, sizeof(text), "127.%u.%u.9", 64 + pid / 250 % 128, 1 + pid % 250);
  (void)!addr_parse(&options.addresses[0].bind, slice_of(text), 0);
}

/* Results ------------------------------------------------------------------------------------------- */
static void check_sound(const struct run *r) {
  for (unsigned i = 0; i < HEARD; i++)
    for (unsigned k = 0; k < SPEAKERS; k++) {
      const struct ear *e = &r->ears[i];
      double level = e->sum[k] / (double)(e->frames ? e->frames : 1);
      CHECK(i == k ? level < 600 : level > 1500, "%s: member %u, tone %u: %.0f", r->name, i, k, level);
    }
}

static void check_count(const struct run *r, unsigned frames) {
  uint64_t least = UINT64_MAX, sum = 0;
  for (unsigned i = 0; i < MEMBERS; i++) {
    least = r->got[i] < least ? r->got[i] : least;
    sum += r->got[i];
  }
  CHECK(least * 100 >= frames * 97ull, "%s: a member got %lu of %u", r->name, least, frames);
  printf("%-14s %6.1f %% of a core   %lu packets in, %lu out, all of them authentic\n", r->name,
         r->share * 100, (unsigned long)frames * MEMBERS, sum);
}

static void open_all(struct run *r) {
  struct coder_format f = {.kind = r->kind == CODEC_OPUS ? CODER_OPUS : CODER_PCMU,
                           .rate_hz = rate_hz(r)};
  for (unsigned i = 0; i <= SPEAKERS; i++)
    make_sound(r, i, &r->sounds[i]);
  for (unsigned i = 0; i < HEARD; i++)
    CHECK(decoder_new(&r->ears[i].decoder, &f) == 0);
  room_do(MSET_ROOM_OPEN, 0, 0);
  for (unsigned i = 0; i < MEMBERS; i++) {
    struct leg *l = &r->legs[i];
    CHECK(leg_open(l, MSET_TRUNK_LEG, 0));
    l->kind = r->kind;
    l->pt = r->kind == CODEC_OPUS ? 111 : 0;
    describe(r, l);
    room_do(MSET_ROOM_JOIN, l->id, r->has_levels ? MSET_ROOM_LEVELS : 0);
  }
}

static void close_all(struct run *r) {
  for (unsigned i = 0; i < MEMBERS; i++) {
    sealer_free(r->legs[i].sealer);
    opener_free(r->legs[i].opener);
    close(r->legs[i].fd);
  }
  for (unsigned i = 0; i < HEARD; i++)
    decoder_free(r->ears[i].decoder);
}

static double run(const char *name, uint8_t kind, bool has_levels, unsigned frames) {
  struct run *r = calloc(1, sizeof(*r));
  unsigned frame = 0;
  *r = (struct run){.name = name, .kind = kind, .has_levels = has_levels};
  pid_t pid = start();
  bool is_up = false;
  for (unsigned i = 0; i < 100 && !is_up; i++, nap(50))
    is_up = controller_connect(1);
  CHECK(is_up, "no media process");
  open_all(r);
  go_on(r, 150, &frame);
  r->is_measured = true;
  double before = cpu_s(pid);
  uint64_t from_us = clock_now_us();
  go_on(r, frames, &frame);
  r->share = (cpu_s(pid) - before) * 1e6 / (double)(clock_now_us() - from_us);
  check_count(r, frames);
  check_sound(r);
  double share = r->share;
  close_all(r);
  controller_close();
  kill(pid, SIGTERM);
  (void)waitpid(pid, NULL, 0);
  unlink(options.socket);
  free(r);
  return share;
}

static double greater(double a, double b) { return a > b ? a : b; }

int main(void) {
  unsigned frames = getenv("BENCH_QUICK") ? 100 : 500;
  tone_start();
  CHECK(suite_start() == 0);
  configure();
  (void)setpriority(PRIO_PROCESS, 0, AHEAD); /* where it may */
  pin(1);
  printf("A room of %u, %u speaking, packets of 20 ms from all:\n", MEMBERS, SPEAKERS);
  double pcmu = run("PCMU, levels", CODEC_PCMU, true, frames);
  double pcmu_bare = run("PCMU", CODEC_PCMU, false, frames);
  double opus = run("Opus, levels", CODEC_OPUS, true, frames);
  double opus_bare = run("Opus", CODEC_OPUS, false, frames);
  double levels = greater(pcmu, opus), bare = greater(pcmu_bare, opus_bare);
  bool held = levels <= 0.5 && bare <= 1 && !failures;
  printf(
      "{\"bench\": \"mix\", \"ours\": {\"pcmu_levels\": %.3f, \"pcmu\": %.3f, \"opus_levels\": %.3f, "
      "\"opus\": %.3f}, \"peer\": {}, \"floor\": {}, \"ratio\": {\"levels\": %.3f, \"without\": %.3f}, "
      "\"goal\": {\"levels\": {\"max\": 0.5}, \"without\": {\"max\": 1.0}}, \"held\": %s}\n",
      pcmu, pcmu_bare, opus, opus_bare, levels, bare, held ? "true" : "false");
  return failures > 0;
}
