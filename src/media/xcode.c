/* SPDX-License-Identifier: Apache-2.0
 * The transcoder: see xcode.h. It goes by steps of 10 ms: each fills 10 ms more of samples (from the
 * buffer, by concealment, noise or a tone), and as many as make the packet time are encoded. */
#include "media/xcode.h"

#include "base/rand.h"
#include "codec/cn.h"
#include "codec/coder.h"
#include "codec/jitter.h"
#include "codec/tone.h"
#include "codec/vad.h"

#include <math.h>

enum {
  STEP_US = 10000,
  GAIN_ONE = 4096,
  CONCEAL_STEPS = 6,     /* so long a hole is concealed, then noise takes over */
  BEHIND_US = 100000,    /* further behind, time is skipped and not made up for */
  TONE_WAIT_US = 120000, /* a tone waits so long after the last packet */
  CN_LEVEL_LOUD = 55,    /* -dBov that the noise in silence that nobody described has at most */
  QUIET_LEVEL = 40,      /* louder than this, in -dBov, is no silence */
};

struct xcode {
  struct xcode_form form;
  uint32_t rate_hz, in_clock_hz;
  struct encoder *encoder;
  struct decoder *decoder; /* decoder is of in_kind; NULL: nothing came yet. */
  struct jitter *jitter;
  uint8_t in_kind;
  bool is_running, is_silent; /* is_silent: the next frame begins a talk spurt. */
  bool is_cn, has_cn;         /* is_cn: comfort noise holds now; has_cn: one is to be passed on. */
  bool is_own;                /* is_own: a tone is in the frame being made. */
  uint8_t cn[32], n_cn;
  unsigned empty_steps, steps; /* steps of the frame being made */
  struct cn noise;             /* noise in place of silence, */
  struct vad vad;              /* as loud as vad's floor where nobody described it. */
  int tone;                    /* tone is an enum tone_kind; -1: none. */
  struct tone tone_state;
  const struct prompts *prompts; /* prompts is NULL while no file is played, in place of tone_state. */
  struct xcode_play play;
  size_t play_at;
  int32_t play_gain; /* play_gain is in 4096ths. */
  bool has_played;
  int play_error;
  uint64_t next_us, fed_us, ext;
  uint32_t ts, loss_percent;
  size_t have, room; /* have samples wait in pcm. */
  int16_t *pcm;
};

static const struct {
  uint8_t coder;
  uint32_t wide_hz;              /* wide_hz is the most that it carries. */
  uint32_t encode_us, decode_us; /* of a second at 8 kHz */
} kinds[] = {
    [CODEC_PCMU] = {CODER_PCMU, 8000, 60, 150},
    [CODEC_PCMA] = {CODER_PCMA, 8000, 60, 150},
    [CODEC_G722] = {CODER_G722, 16000, 600, 700},
    [CODEC_OPUS] = {CODER_OPUS, 16000, 1300, 500},
};

bool xcode_may(uint8_t kind) { return kind < COUNT_OF(kinds) && kinds[kind].wide_hz; }

unsigned xcode_coder(uint8_t kind) { return kinds[kind].coder; }

static uint32_t narrower(uint8_t a, uint8_t b) {
  uint32_t hz = xcode_may(a) ? kinds[a].wide_hz : 8000;
  return hz < kinds[b].wide_hz ? hz : kinds[b].wide_hz;
}

uint32_t xcode_cost_us(const struct xcode_form *f) {
  uint32_t us = 100;
  if (xcode_may(f->in_kind))
    us += kinds[f->in_kind].decode_us;
  if (xcode_may(f->kind))
    us += kinds[f->kind].encode_us;
  if (f->kind == CODEC_OPUS)
    us += f->complexity * 500u;
  return xcode_may(f->kind) && narrower(f->in_kind, f->kind) > 8000 ? us * 9 / 5 : us;
}

static uint32_t clock_of(const struct xcode *x) { return coder_clock_hz(kinds[x->form.kind].coder); }

/* Coders ------------------------------------------------------------------------------------------- */
static int make_encoder(struct xcode *x, const struct xcode_form *f, uint32_t rate_hz) {
  struct coder_format c = {.kind = kinds[f->kind].coder,
                           .rate_hz = rate_hz,
                           .bitrate = f->bitrate,
                           .complexity = f->complexity,
                           .loss_percent = (uint8_t)x->loss_percent,
                           .fec = f->fec,
                           .dtx = f->dtx};
  struct encoder *made;
  int error = encoder_new(&made, &c);
  if (error)
    return error;
  encoder_free(x->encoder);
  x->encoder = made;
  return 0;
}

static int make_pcm(struct xcode *x, uint32_t rate_hz) {
  size_t room = (size_t)rate_hz / 1000 * (CODER_FRAME_MS_MAX + XCODE_PTIME_MAX_MS);
  if (room > x->room) {
    int16_t *pcm = realloc(x->pcm, room * sizeof(*pcm));
    if (!pcm)
      return -ENOMEM;
    x->pcm = pcm;
    x->room = room;
  }
  x->have = 0;
  x->steps = 0;
  return 0;
}

static int set_rate(struct xcode *x, const struct xcode_form *f, uint32_t rate_hz) {
  int error = make_encoder(x, f, rate_hz);
  if (!error)
    error = make_pcm(x, rate_hz);
  if (error)
    return error;
  if (x->rate_hz)
    x->play_at = (size_t)((uint64_t)x->play_at * rate_hz / x->rate_hz);
  x->rate_hz = rate_hz;
  x->decoder = decoder_free(x->decoder);
  return 0;
}

/* What comes changed its codec: the buffer begins anew, what goes out goes on. */
static int set_in(struct xcode *x, const struct xcode_packet *p) {
  uint32_t rate_hz = narrower(p->kind, x->form.kind);
  int error = rate_hz != x->rate_hz ? set_rate(x, &x->form, rate_hz) : 0;
  struct coder_format c = {.kind = kinds[p->kind].coder, .rate_hz = x->rate_hz};
  struct decoder *made;
  if (!error)
    error = decoder_new(&made, &c);
  if (!error && !x->jitter) {
    error = jitter_new(&x->jitter, p->clock_hz);
    if (error)
      decoder_free(made);
  }
  if (error)
    return error;
  decoder_free(x->decoder);
  x->decoder = made;
  x->in_kind = p->kind;
  x->in_clock_hz = p->clock_hz;
  jitter_reset(x->jitter, p->clock_hz);
  return 0;
}

static bool is_form(const struct xcode_form *f) {
  return xcode_may(f->kind) && f->ptime_ms >= 10 && f->ptime_ms <= XCODE_PTIME_MAX_MS &&
         f->ptime_ms % 10 == 0 && !(f->kind == CODEC_OPUS && (f->ptime_ms == 30 || f->ptime_ms == 50));
}

int xcode_new(struct xcode **ret, const struct xcode_form *f) {
  if (!is_form(f))
    return -ENOTSUP;
  own(xcode) x = calloc(1, sizeof(*x));
  if (!x)
    return -ENOMEM;
  x->form = *f;
  x->tone = -1;
  x->is_silent = true;
  cn_init(&x->noise, rand_u32());
  vad_init(&x->vad);
  int error = set_rate(x, f, narrower(f->in_kind, f->kind));
  if (error)
    return error;
  *ret = take(x);
  return 0;
}

struct xcode *xcode_free(struct xcode *x) {
  if (!x)
    return NULL;
  encoder_free(x->encoder);
  decoder_free(x->decoder);
  jitter_free(x->jitter);
  free(x->pcm);
  free(x);
  return NULL;
}

int xcode_alter(struct xcode *x, const struct xcode_form *f) {
  if (!is_form(f))
    return -ENOTSUP;
  const struct xcode_form *was = &x->form;
  uint8_t in = x->decoder ? x->in_kind : f->in_kind;
  uint32_t rate_hz = narrower(in, f->kind);
  int error = 0;
  if (rate_hz != x->rate_hz)
    error = set_rate(x, f, rate_hz);
  else if (f->kind != was->kind || f->complexity != was->complexity || f->bitrate != was->bitrate ||
           f->fec != was->fec || f->dtx != was->dtx)
    error = make_encoder(x, f, rate_hz);
  if (error)
    return error;
  x->form = *f;
  if (x->steps >= f->ptime_ms / 10u)
    x->steps = f->ptime_ms / 10u - 1;
  return 0;
}

/* What comes ---------------------------------------------------------------------------------------- */
/* Time that passed without frames passes in the timestamps, too. */
static void start(struct xcode *x, uint64_t now_us) {
  if (x->is_running)
    return;
  if (x->next_us && now_us > x->next_us)
    x->ts += (uint32_t)((now_us - x->next_us) / 1000 * (clock_of(x) / 1000));
  x->is_running = true;
  x->is_silent = true;
  x->next_us = now_us;
}

bool xcode_put(struct xcode *x, const struct xcode_packet *p, const uint8_t *payload, size_t n,
               uint64_t now_us) {
  bool is_cn = p->kind == CODEC_CN;
  if (!is_cn && !xcode_may(p->kind))
    return false;
  if (!x->decoder || (!is_cn && (p->kind != x->in_kind || p->clock_hz != x->in_clock_hz))) {
    struct xcode_packet first = *p;
    first.kind = is_cn ? CODEC_PCMU : p->kind; /* noise before any sound */
    if (set_in(x, &first) < 0)
      return false;
  }
  size_t samples = is_cn ? 0 : decoder_samples(x->decoder, payload, n);
  if (!is_cn && !samples)
    return false;
  struct jitter_packet j = {.ext = p->ext,
                            .ts = p->ts,
                            .units = (uint32_t)((uint64_t)samples * p->clock_hz / x->rate_hz),
                            .tag = p->kind,
                            .payload = payload,
                            .bytes = n};
  (void)jitter_put(x->jitter, &j, now_us);
  x->fed_us = now_us;
  start(x, now_us);
  return true;
}

void xcode_rest(struct xcode *x) {
  if (x->jitter)
    jitter_reset(x->jitter, x->in_clock_hz);
  x->is_cn = x->has_cn = false;
  x->fed_us = 0;
  x->have = 0;
  x->steps = 0;
  x->is_running = x->is_running && x->tone >= 0;
  x->is_silent = true;
}

static int32_t gain_of(int32_t db) { return (int32_t)lround(GAIN_ONE * pow(10, db / 20.0)); }

void xcode_play(struct xcode *x, const struct prompts *prompts, const struct xcode_play *p,
                uint64_t now_us) {
  xcode_tone(x, TONE_SILENCE, now_us);
  x->prompts = prompts;
  x->play = *p;
  x->play_at = 0;
  x->play_gain = gain_of(p->level_db);
}

bool xcode_played(struct xcode *x, int *ret_error) {
  bool has = x->has_played;
  *ret_error = x->play_error;
  x->has_played = false;
  return has;
}

void xcode_tone(struct xcode *x, int tone, uint64_t now_us) {
  x->prompts = NULL;
  x->has_played = false;
  x->tone = tone >= 0 && tone < TONE_COUNT_ ? tone : -1;
  if (x->tone < 0)
    return;
  tone_init(&x->tone_state, (enum tone_kind)x->tone);
  start(x, now_us);
}

void xcode_loss(struct xcode *x, uint32_t percent) {
  x->loss_percent = percent > 100 ? 100 : percent;
  encoder_set_loss(x->encoder, x->loss_percent);
}

/* Samples ------------------------------------------------------------------------------------------- */
static void add_noise(struct xcode *x, size_t n) {
  int floor = -x->vad.floor_centi / 100;
  if (!x->is_cn)
    cn_set_level(&x->noise, (uint8_t)(floor < CN_LEVEL_LOUD ? CN_LEVEL_LOUD : floor));
  cn_fill(&x->noise, x->pcm + x->have, n);
  x->have += n;
}

static void add_hole(struct xcode *x, size_t n, const struct jitter_packet *next) {
  bool has_next = next && next->payload && next->tag == x->in_kind;
  size_t made = decoder_conceal(x->decoder, n, has_next ? next->payload : NULL,
                                has_next ? next->bytes : 0, x->pcm + x->have);
  x->have += made;
  if (made < n)
    add_noise(x, n - made);
}

/* Nobody speaks, or what was said is late. */
static void add_pause(struct xcode *x, bool is_gap, size_t n) {
  bool has_own_noise = x->in_kind == CODEC_OPUS && is_gap; /* its decoder makes it */
  x->empty_steps++;
  if (x->is_cn || (x->empty_steps > CONCEAL_STEPS && !has_own_noise))
    add_noise(x, n);
  else
    add_hole(x, n, NULL);
}

static void tell_quiet(struct xcode *x, const int16_t *pcm, size_t n) {
  bool is_speech = vad_run(&x->vad, pcm, n, x->rate_hz);
  jitter_quiet(x->jitter, !is_speech && x->vad.level >= QUIET_LEVEL);
}

static void add_frame(struct xcode *x, const struct jitter_packet *p, size_t step) {
  if (p->tag == CODEC_CN) {
    x->n_cn = (uint8_t)(p->bytes < sizeof(x->cn) ? p->bytes : sizeof(x->cn));
    memcpy(x->cn, p->payload, x->n_cn);
    x->is_cn = x->has_cn = cn_set(&x->noise, x->cn, x->n_cn);
    return;
  }
  size_t n = decoder_decode(x->decoder, p->payload, p->bytes, x->pcm + x->have, x->room - x->have);
  x->is_cn = x->has_cn = false;
  x->empty_steps = 0;
  if (!n) {
    add_hole(x, step, NULL);
    return;
  }
  tell_quiet(x, x->pcm + x->have, n);
  x->have += n;
}

static size_t samples_of(const struct xcode *x, uint32_t units) {
  uint64_t n = (uint64_t)units * x->rate_hz / x->in_clock_hz,
           most = x->rate_hz / 1000u * CODER_FRAME_MS_MAX;
  return (size_t)(n > most ? most : n);
}

static void fill(struct xcode *x, uint64_t now_us, size_t need, size_t step) {
  struct jitter_frame f;
  while (x->have < need) {
    enum jitter_verdict v = jitter_get(x->jitter, now_us, &f);
    if (v == JITTER_FRAME)
      add_frame(x, &f.packet, step);
    else if (v == JITTER_LOST && samples_of(x, f.units))
      add_hole(x, samples_of(x, f.units), &f.next);
    else
      add_pause(x, v == JITTER_GAP, need - x->have);
  }
}

static void set_gain(struct xcode *x, int16_t *pcm, size_t n) {
  for (size_t i = 0; x->play_gain != GAIN_ONE && i < n; i++) {
    int32_t v = (int32_t)((int64_t)pcm[i] * x->play_gain / GAIN_ONE);
    pcm[i] = (int16_t)(v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v);
  }
}

static void end_file(struct xcode *x, int error) {
  x->has_played = true;
  x->play_error = error;
  x->prompts = NULL;
  x->tone = TONE_SILENCE; /* until another order comes */
}

static void fill_file(struct xcode *x, int16_t *dst, size_t n) {
  int error;
  const struct sound *s = prompts_get(x->prompts, x->play.number, &error);
  size_t done = s ? sound_take(s, x->rate_hz, &x->play_at, &x->play.repeat, dst, n) : 0;
  set_gain(x, dst, done);
  memset(dst + done, 0, (n - done) * sizeof(*dst));
  if (error || (s && done < n))
    end_file(x, error);
}

static void fill_tone(struct xcode *x, size_t need) {
  if (x->have < need && x->prompts)
    fill_file(x, x->pcm + x->have, need - x->have);
  else if (x->have < need)
    tone_make(&x->tone_state, x->rate_hz, x->pcm + x->have, need - x->have);
  x->have = x->have < need ? need : x->have;
}

/* What goes out ------------------------------------------------------------------------------------ */
uint64_t xcode_next_us(const struct xcode *x) { return x->is_running ? x->next_us : UINT64_MAX; }

static bool is_fed(const struct xcode *x, uint64_t now_us, uint64_t wait_us) {
  return x->decoder && x->fed_us && (x->is_cn || now_us < x->fed_us + wait_us);
}

static bool pass_noise(struct xcode *x, struct xcode_frame *ret, uint8_t *dst) {
  x->is_silent = true;
  if (!x->has_cn)
    return false;
  x->has_cn = false;
  *ret = (struct xcode_frame){.ext = x->ext++, .ts = x->ts, .n = x->n_cn, .kind = CODEC_CN};
  memcpy(dst, x->cn, x->n_cn);
  return true;
}

static bool encode(struct xcode *x, size_t n, struct xcode_frame *ret, uint8_t *dst) {
  size_t bytes = encoder_encode(x->encoder, x->pcm, n, dst, XCODE_PAYLOAD_MAX);
  if (!bytes) {
    x->is_silent = true;
    return false;
  }
  *ret = (struct xcode_frame){.ext = x->ext++,
                              .ts = x->ts,
                              .n = (uint16_t)bytes,
                              .kind = x->form.kind,
                              .marker = x->is_silent,
                              .is_own = x->is_own};
  x->is_silent = false;
  return true;
}

static bool finish(struct xcode *x, size_t need, struct xcode_frame *ret, uint8_t *dst) {
  bool is_noise_passed = x->is_cn && x->form.takes_cn && x->form.kind != CODEC_OPUS && !x->is_own;
  bool done = is_noise_passed ? pass_noise(x, ret, dst) : encode(x, need, ret, dst);
  x->ts += x->form.ptime_ms * (clock_of(x) / 1000);
  x->have -= need;
  memmove(x->pcm, x->pcm + need, x->have * sizeof(*x->pcm));
  x->steps = 0;
  return done;
}

static void keep_time(struct xcode *x, uint64_t now_us) {
  if (x->next_us + BEHIND_US >= now_us)
    return;
  uint64_t skipped = (now_us - x->next_us) / STEP_US;
  x->next_us += skipped * STEP_US;
  x->ts += (uint32_t)(skipped * (STEP_US / 1000) * (clock_of(x) / 1000));
  x->is_silent = true;
}

/* One step; true: a frame is in ret. */
static bool step(struct xcode *x, uint64_t now_us, struct xcode_frame *ret, uint8_t *dst) {
  size_t one = x->rate_hz / 100, need = (x->steps + 1u) * one;
  bool is_tone = x->tone >= 0 && !is_fed(x, now_us, TONE_WAIT_US);
  if (!is_tone && !is_fed(x, now_us, XCODE_IDLE_US)) {
    x->is_running = false;
    x->have = 0;
    x->steps = 0;
    return false;
  }
  if (x->steps == 0)
    x->is_own = is_tone;
  if (is_tone)
    fill_tone(x, need);
  else
    fill(x, now_us, need, one);
  x->next_us += STEP_US;
  return ++x->steps * 10u >= x->form.ptime_ms && finish(x, need, ret, dst);
}

static void note_buffer(const struct xcode *x, struct xcode_buffer *ret) {
  struct jitter_figures f = {0};
  if (x->jitter)
    jitter_figures(x->jitter, &f);
  *ret = (struct xcode_buffer){.delay_ms = (uint16_t)(f.target_us / 1000),
                               .max_ms = (uint16_t)(f.max_us / 1000),
                               .discards = (uint32_t)(f.late + f.discarded)};
}

bool xcode_get(struct xcode *x, uint64_t now_us, struct xcode_frame *ret, uint8_t *dst) {
  if (x->is_running)
    keep_time(x, now_us);
  while (x->is_running && x->next_us <= now_us)
    if (step(x, x->next_us, ret, dst)) {
      note_buffer(x, &ret->buffer);
      return true;
    }
  return false;
}
