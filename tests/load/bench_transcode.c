/* SPDX-License-Identifier: Apache-2.0
 * How many calls between Opus and G.711 a DSP core carries (jitter buffers, both coders, queues and
 * threads as in the media process), beside libopus alone: an encode and a decode for each call, the
 * same frames and settings, in the same run. The last line is JSON. make bench-transcode */
#include "base/clock.h"
#include "codec/coder.h"
#include "codec/g711.h"
#include "codec/tone.h"
#include "media/dsp.h"

#include <malloc.h>
#include <math.h>
#include <opus/opus.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { FRAMES = 250, SAMPLES = 160, ROUNDS = 5, CALLS_MAX = 2000, CALLS_PROBE = 100, WAIT_US = 60000 };

static struct { /* five seconds of something like speech */
  int16_t pcm[FRAMES][SAMPLES];
  uint8_t law[FRAMES][SAMPLES], opus[FRAMES][CODER_PAYLOAD_MAX];
  size_t opus_bytes[FRAMES];
} speech;
static int complexity = 5;

static double cpu_s(clockid_t which) {
  struct timespec ts;
  clock_gettime(which, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void pin(int core) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  if (sched_setaffinity(0, sizeof(one), &one) < 0)
    perror("affinity");
}

static OpusEncoder *encoder(void) {
  int error;
  OpusEncoder *e = opus_encoder_create(8000, 1, OPUS_APPLICATION_VOIP, &error);
  opus_encoder_ctl(e, OPUS_SET_BITRATE(24000));
  opus_encoder_ctl(e, OPUS_SET_COMPLEXITY(complexity));
  return e;
}

/* Syllables of harmonics over a little noise. */
static void speak(void) {
  uint32_t seed = 7;
  OpusEncoder *e = encoder();
  for (int i = 0; i < FRAMES * SAMPLES; i++) {
    double t = i / 8000.0, v = 0,
           envelope = fabs(sin(2 * M_PI * 2.1 * t)) * (sin(2 * M_PI * 0.3 * t) > -0.5);
    double pitch = 115 + 25 * sin(2 * M_PI * 0.7 * t);
    for (int k = 1; k < 12; k++)
      v += sin(2 * M_PI * pitch * k * t) / k * (1 + cos(2 * M_PI * (k * pitch - 700) / 2400));
    seed = seed * 1664525u + 1013904223u;
    speech.pcm[i / SAMPLES][i % SAMPLES] = (int16_t)(2500 * v * envelope + (seed >> 16) / 400.0 - 80);
  }
  for (int i = 0; i < FRAMES; i++) {
    for (int k = 0; k < SAMPLES; k++)
      speech.law[i][k] = g711_compress(G711_ULAW, speech.pcm[i][k]);
    speech.opus_bytes[i] =
        (size_t)opus_encode(e, speech.pcm[i], SAMPLES, speech.opus[i], CODER_PAYLOAD_MAX);
  }
  opus_encoder_destroy(e);
}

/* libopus alone: share of a core that a call takes. */
static double floor_share(unsigned calls, double seconds) {
  OpusEncoder *e[CALLS_MAX];
  OpusDecoder *d[CALLS_MAX];
  uint8_t out[CODER_PAYLOAD_MAX];
  int16_t pcm[SAMPLES];
  int error;
  unsigned frames = 0;
  for (unsigned i = 0; i < calls; i++) {
    e[i] = encoder();
    d[i] = opus_decoder_create(8000, 1, &error);
  }
  double begin = cpu_s(CLOCK_THREAD_CPUTIME_ID), used = 0;
  for (; used < seconds; frames++, used = cpu_s(CLOCK_THREAD_CPUTIME_ID) - begin)
    for (unsigned i = 0; i < calls; i++) {
      unsigned at = (frames + i * 7) % FRAMES;
      (void)!opus_encode(e[i], speech.pcm[at], SAMPLES, out, sizeof(out));
      (void)!opus_decode(d[i], speech.opus[at], (opus_int32)speech.opus_bytes[at], pcm, SAMPLES, 0);
    }
  for (unsigned i = 0; i < calls; i++) {
    opus_encoder_destroy(e[i]);
    opus_decoder_destroy(d[i]);
  }
  return used / (calls * frames * 0.02);
}

/* Ours ------------------------------------------------------------------------------------------------
 */
struct ours {
  struct dsps *dsps;
  unsigned calls;
  uint64_t sent, made, late;
  uint64_t last_us[2 * CALLS_MAX]; /* last_us is when a stream's last frame came. */
};

static uint64_t session_of(unsigned i) { return 1ull << 32 | i; }

static void open_all(struct ours *o) {
  for (unsigned i = 0; i < 2 * o->calls; i++) {
    struct dsp_input in = {.session = session_of(i), .op = DSP_FORM};
    in.form = (struct xcode_form){.kind = i % 2 ? CODEC_PCMU : CODEC_OPUS,
                                  .in_kind = i % 2 ? CODEC_OPUS : CODEC_PCMU,
                                  .ptime_ms = 20,
                                  .complexity = (uint8_t)complexity,
                                  .bitrate = 24000};
    if (!dsps_put(o->dsps, 0, 0, &in, NULL))
      fprintf(stderr, "the queue is full\n");
  }
}

static void send_one(struct ours *o, unsigned i, unsigned frame) {
  unsigned at = (frame + i / 2 * 7) % FRAMES;
  struct dsp_input in = {.session = session_of(i), .now_us = clock_now_us(), .op = DSP_PACKET};
  bool is_opus = i % 2;
  in.n = (uint16_t)(is_opus ? speech.opus_bytes[at] : SAMPLES);
  in.packet = (struct xcode_packet){.ext = 1000 + frame,
                                    .ts = frame * (is_opus ? 960 : 160),
                                    .clock_hz = is_opus ? 48000 : 8000,
                                    .kind = is_opus ? CODEC_OPUS : CODEC_PCMU};
  o->sent += dsps_put(o->dsps, 0, 0, &in, is_opus ? speech.opus[at] : speech.law[at]);
}

static void take_all(struct ours *o) {
  const struct dsp_output *out;
  const uint8_t *payload;
  while ((out = dsps_get(o->dsps, 0, &payload))) {
    uint32_t i = (uint32_t)out->session;
    uint64_t now_us = clock_now_us();
    o->made++;
    o->late += o->last_us[i] && now_us - o->last_us[i] > WAIT_US;
    o->last_us[i] = now_us;
  }
}

/* In real time, streams spread evenly over 20 ms; share of the core that a call takes. */
static double run_ours(unsigned calls, unsigned seconds, int dsp_core, int other_core,
                       double *ret_kept) {
  static struct ours o;
  struct dsps_options options = {.threads = 1, .workers = 1, .sessions_max = 2 * calls};
  o = (struct ours){.calls = calls};
  int fd = eventfd(0, EFD_NONBLOCK);
  if (fd < 0 || dsps_new(&o.dsps, &options) < 0)
    exit(1);
  dsps_set_wake(o.dsps, 0, fd);
  pin(dsp_core);
  if (dsps_start(o.dsps) < 0)
    exit(1);
  pin(other_core);
  open_all(&o);
  uint64_t begin_us = clock_now_us() + 200000;
  double from_s = 0;
  for (unsigned frame = 0; frame < 50 * seconds; frame++)
    for (unsigned i = 0; i < 2 * calls; i++) {
      uint64_t due_us = begin_us + frame * 20000ull + i * 10000ull / calls;
      while (clock_now_us() < due_us) {
        take_all(&o);
        struct timespec ts = {0, 200000};
        nanosleep(&ts, NULL);
      }
      if (frame == 50 && i == 0) { /* it runs now */
        from_s = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_s(CLOCK_THREAD_CPUTIME_ID);
        o.sent = o.made = o.late = 0;
      }
      send_one(&o, i, frame);
    }
  double used = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_s(CLOCK_THREAD_CPUTIME_ID) - from_s;
  take_all(&o);
  dsps_free(o.dsps);
  close(fd);
  *ret_kept = (double)(o.made > o.late ? o.made - o.late : 0) / (double)o.sent;
  return used / ((seconds - 1) * calls);
}

/* What a transcoded call adds: both directions, running. */
static size_t call_bytes(void) {
  struct xcode *x[2];
  struct xcode_form f = {
      .kind = CODEC_OPUS, .in_kind = CODEC_PCMU, .ptime_ms = 20, .complexity = (uint8_t)complexity};
  struct xcode_packet p = {.ext = 1, .clock_hz = 8000, .kind = CODEC_PCMU};
  size_t before = mallinfo2().uordblks;
  int error = xcode_new(&x[0], &f);
  f.kind = CODEC_PCMU;
  f.in_kind = CODEC_OPUS;
  error = error ? error : xcode_new(&x[1], &f);
  if (error || !xcode_put(x[0], &p, speech.law[0], SAMPLES, 1))
    return 0;
  p.kind = CODEC_OPUS;
  p.clock_hz = 48000;
  if (!xcode_put(x[1], &p, speech.opus[0], speech.opus_bytes[0], 1))
    return 0;
  size_t bytes = mallinfo2().uordblks - before;
  xcode_free(x[0]);
  xcode_free(x[1]);
  return bytes;
}

/* Ahead of what else this machine does. */
static void go_ahead(void) {
  pid_t child = fork();
  int status = 1;
  if (child > 0) {
    (void)waitpid(child, &status, 0);
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  FILE *group = setsid() > 0 ? fopen("/proc/self/autogroup", "w") : NULL;
  if (group && (fputs("-15", group) < 0 || fclose(group) < 0))
    perror("autogroup");
  if (setpriority(PRIO_PROCESS, 0, -15) < 0)
    perror("nice");
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *v, size_t n) {
  qsort(v, n, sizeof(*v), by_value);
  return v[n / 2];
}

int main(int argc, char **argv) {
  double ours[ROUNDS], bare[ROUNDS], kept[ROUNDS], ratios[ROUNDS];
  cpu_set_t may;
  int core[2] = {0, 0}, n = 0;
  unsigned seconds = getenv("BENCH_QUICK") ? 3 : 6;
  complexity = argc > 1 ? atoi(argv[1]) : 5;
  sched_getaffinity(0, sizeof(may), &may);
  for (int c = 0; c < CPU_SETSIZE && n < 2; c++)
    if (CPU_ISSET(c, &may))
      core[n++] = c;
  go_ahead();
  tone_start();
  speak();
  pin(core[0]);
  unsigned calls = (unsigned)(0.8 / floor_share(CALLS_PROBE, 1)); /* media.dsp_share */
  calls = calls > CALLS_MAX ? CALLS_MAX : calls;
  for (unsigned i = 0; i < ROUNDS; i++) {
    pin(core[0]);
    bare[i] = floor_share(calls, 2);
    ours[i] = run_ours(calls, seconds, core[0], core[1], &kept[i]);
    ratios[i] = bare[i] / ours[i];
    printf("complexity %d, %u calls: libopus alone %.0f us a call and second, ours %.0f; %.4f of the "
           "frames in time\n",
           complexity, calls, bare[i] * 1e6, ours[i] * 1e6, kept[i]);
  }
  double share = median(ours, ROUNDS), floor = median(bare, ROUNDS), in_time = median(kept, ROUNDS);
  double ratio = median(ratios, ROUNDS);
  printf(
      "{\"bench\": \"transcode\", \"ours\": {\"calls_a_core\": %.0f, \"call_us_a_second\": %.0f, "
      "\"in_time\": %.4f, \"call_bytes\": %zu}, \"peer\": {}, "
      "\"floor\": {\"calls_a_core\": %.0f, \"call_us_a_second\": %.0f}, \"ratio\": {\"calls\": %.3f}, "
      "\"goal\": {\"calls\": {\"min\": 0.9}, \"in_time\": {\"min\": 0.99}}, \"held\": %s}\n",
      1 / share, share * 1e6, in_time, call_bytes(), 1 / floor, floor * 1e6, ratio,
      ratio >= 0.9 && in_time >= 0.99 ? "true" : "false");
  return 0;
}
