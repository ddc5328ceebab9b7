/* SPDX-License-Identifier: Apache-2.0
 * The mixer: see room.h. It goes by steps of 10 ms. Who speaks is chosen in roompick.c. */
#include "media/roompart.h"

enum { BEHIND_US = 100000, KNEE = 24576 };

/* Members ------------------------------------------------------------------------------------------- */
static struct mouth *common_of(const struct room *r, const struct xcode_form *f) {
  for (uint32_t i = 0; i < r->n_mouths; i++)
    if (mouth_is(r->mouths[i], f))
      return r->mouths[i];
  return NULL;
}

/* Encoders that nobody needs go. */
static void sweep(struct room *r) {
  for (uint32_t i = 0; i < r->n_mouths;) {
    bool is_needed = false;
    for (uint32_t k = 0; k < r->n_seats && !is_needed; k++)
      is_needed = mouth_is(r->mouths[i], &r->seats[k]->form);
    if (is_needed) {
      i++;
      continue;
    }
    mouth_free(r->mouths[i]);
    r->mouths[i] = r->mouths[--r->n_mouths];
  }
}

static int ensure_common(struct room *r, const struct xcode_form *f) {
  if (common_of(r, f))
    return 0;
  if (r->n_mouths == ROOM_MOUTHS_MAX)
    sweep(r);
  if (r->n_mouths == ROOM_MOUTHS_MAX)
    return -ENOSPC;
  struct mouth *m;
  int error = mouth_new(&m, f, r->rate_hz);
  if (error)
    return error;
  /* Its packets end where all of that packet time end. */
  for (uint32_t at = r->steps % (f->ptime_ms / ROOM_STEP_MS); at; at--)
    mouth_add(m, r->silence, r->rate_hz / 1000 * ROOM_STEP_MS);
  r->mouths[r->n_mouths++] = m;
  return 0;
}

/* All coders are of the new rate; what waits in buffers stays. */
static int set_rate(struct room *r, uint32_t rate_hz) {
  r->rate_hz = rate_hz;
  while (r->n_mouths)
    mouth_free(r->mouths[--r->n_mouths]);
  int error = 0;
  for (uint32_t i = 0; i < r->n_seats; i++) {
    struct seat *s = r->seats[i];
    s->own = mouth_free(s->own);
    talker_rate(&s->talker, rate_hz);
    error = error ? error : ensure_common(r, &s->form);
  }
  return error;
}

static bool is_wide(uint8_t kind) { return kind == CODEC_OPUS || kind == CODEC_G722; }

static int seat_form(struct room *r, struct seat *s, const struct xcode_form *form) {
  struct xcode_form f;
  int error = mouth_form(form, &f);
  if (!error && !r->is_fixed && is_wide(f.kind) && r->rate_hz < ROOM_WIDE_HZ)
    error = set_rate(r, ROOM_WIDE_HZ);
  if (!error)
    error = ensure_common(r, &f);
  if (error)
    return error;
  if (s->own && !mouth_is(s->own, &f))
    s->own = mouth_free(s->own);
  s->form = f;
  return 0;
}

int room_join(struct room *r, void *owner, const struct xcode_form *form, uint32_t flags,
              struct seat **ret) {
  if (r->n_seats == ROOM_MEMBERS_MAX)
    return -ENOSPC;
  struct seat *s = calloc(1, sizeof(*s));
  if (!s)
    return -ENOMEM;
  int error = seat_form(r, s, form);
  if (error) {
    free(s);
    return error;
  }
  s->owner = owner;
  s->flags = flags;
  s->is_begin = true;
  talker_init(&s->talker, r->rate_hz);
  r->seats[r->n_seats++] = s;
  *ret = s;
  return 0;
}

int room_alter(struct room *r, struct seat *s, const struct xcode_form *form, uint32_t flags) {
  s->flags = flags;
  return seat_form(r, s, form);
}

static void seat_free(struct seat *s) {
  talker_done(&s->talker);
  mouth_free(s->own);
  free(s);
}

void room_leave(struct room *r, struct seat *s) {
  uint32_t i = 0;
  while (r->seats[i] != s)
    i++;
  r->seats[i] = r->seats[--r->n_seats];
  if (r->active == s)
    r->active = NULL;
  seat_free(s);
  sweep(r);
}

bool room_put(struct room *r, struct seat *s, const struct room_packet *p, const uint8_t *payload,
              size_t n, uint64_t now_us) {
  struct room_packet in = *p;
  (void)r;
  if (s->flags & (ROOM_MUTED | ROOM_LISTENS))
    return true; /* unheard */
  if (!(s->flags & ROOM_LEVELS))
    in.level = TALKER_NO_LEVEL;
  return talker_put(&s->talker, &in, payload, n, now_us);
}

/* The mix ------------------------------------------------------------------------------------------- */
/* Up to three quarters as it is, above that ever less: sums of loud speakers bend, and do not wrap. */
static int16_t limit(int32_t x) {
  int32_t size = x < 0 ? -x : x;
  if (size <= KNEE)
    return (int16_t)x;
  int32_t over = size - KNEE, left = 32767 - KNEE;
  int32_t bent = KNEE + (int32_t)((int64_t)over * left / (over + left));
  return (int16_t)(x < 0 ? -bent : bent);
}

static void fade(int16_t *pcm, size_t n, bool is_in) {
  for (size_t i = 0; i < n; i++)
    pcm[i] = (int16_t)(pcm[i] * (int32_t)(is_in ? i : n - 1 - i) / (int32_t)n);
}

/* What a member says now; is_heard: it is part of the mix. */
static void hear(struct room *r, struct seat *s, uint64_t now_us, size_t n) {
  bool was_heard = s->is_heard;
  if (s->flags & (ROOM_MUTED | ROOM_LISTENS)) {
    memset(s->pcm, 0, n * sizeof(*s->pcm));
  } else {
    talker_step(&s->talker, now_us, s->pcm, n);
    talker_age(&s->talker, now_us);
  }
  s->is_heard = s->is_speaker;
  s->is_mixed = s->is_heard || was_heard;
  if (s->is_mixed && s->is_heard != was_heard)
    fade(s->pcm, n, s->is_heard);
  for (size_t i = 0; s->is_mixed && i < n; i++)
    r->sum[i] += s->pcm[i];
}

/* A speaker's encoder goes on where the common one is. */
static struct mouth *own_of(struct room *r, struct seat *s) {
  const struct mouth *common = common_of(r, &s->form);
  if (!s->own && common && mouth_new(&s->own, &s->form, r->rate_hz) == 0)
    mouth_join(s->own, common);
  return s->own;
}

static void add_own(struct room *r, struct seat *s, size_t n) {
  int16_t pcm[ROOM_STEP_SAMPLES_MAX];
  struct mouth *m = own_of(r, s);
  if (!m)
    return;
  for (size_t i = 0; i < n; i++)
    pcm[i] = limit(r->sum[i] - s->pcm[i]);
  mouth_add(m, pcm, n);
}

static void mix(struct room *r, uint64_t now_us) {
  size_t n = r->rate_hz / 1000 * ROOM_STEP_MS;
  int16_t pcm[ROOM_STEP_SAMPLES_MAX];
  memset(r->sum, 0, sizeof(r->sum));
  for (uint32_t i = 0; i < r->n_seats; i++)
    hear(r, r->seats[i], now_us, n);
  for (uint32_t i = 0; i < r->n_seats; i++)
    if (r->seats[i]->is_mixed)
      add_own(r, r->seats[i], n);
    else if (r->seats[i]->own && r->seats[i]->own->have == 0)
      r->seats[i]->own = mouth_free(r->seats[i]->own);
    else if (r->seats[i]->own)
      add_own(r, r->seats[i], n); /* till its packet is full */
  for (size_t i = 0; i < n; i++)
    pcm[i] = limit(r->sum[i]);
  for (uint32_t i = 0; i < r->n_mouths; i++)
    mouth_add(r->mouths[i], pcm, n);
}

/* What goes out ------------------------------------------------------------------------------------- */
struct made {
  size_t n;
  uint8_t payload[XCODE_PAYLOAD_MAX];
};

static void give(struct room *r, struct seat *s, const struct mouth *m, const struct made *made,
                 const struct room_ops *ops) {
  if (!made->n) { /* DTX */
    s->is_begin = true;
    return;
  }
  struct xcode_frame f = {.ext = s->ext++,
                          .ts = (uint32_t)((uint64_t)r->steps * (mouth_clock_hz(m) / 100)),
                          .n = (uint16_t)made->n,
                          .kind = m->form.kind,
                          .marker = s->is_begin};
  s->is_begin = false;
  ops->give(ops->arg, s->owner, &f, made->payload);
}

static void send_common(struct room *r, struct mouth *m, const struct room_ops *ops) {
  struct made made = {.n = mouth_take(m, made.payload)};
  r->encoded++;
  for (uint32_t i = 0; i < r->n_seats; i++)
    if (!r->seats[i]->own && mouth_is(m, &r->seats[i]->form))
      give(r, r->seats[i], m, &made, ops);
}

static void send_all(struct room *r, const struct room_ops *ops) {
  struct made made;
  for (uint32_t i = 0; i < r->n_mouths; i++)
    if (r->steps % (r->mouths[i]->form.ptime_ms / ROOM_STEP_MS) == 0)
      send_common(r, r->mouths[i], ops);
  for (uint32_t i = 0; i < r->n_seats; i++) {
    struct seat *s = r->seats[i];
    if (!s->own || r->steps % (s->form.ptime_ms / ROOM_STEP_MS))
      continue;
    made.n = mouth_take(s->own, made.payload);
    r->encoded++;
    give(r, s, s->own, &made, ops);
  }
}

/* Time ---------------------------------------------------------------------------------------------- */
void room_run(struct room *r, uint64_t now_us, const struct room_ops *ops) {
  if (r->next_us + BEHIND_US < now_us) {                               /* held up: no burst */
    uint64_t skipped = (now_us - r->next_us) / ROOM_STEP_US / 12 * 12; /* whole packets of any time */
    r->next_us += skipped * ROOM_STEP_US;
    r->steps += skipped;
  }
  for (; r->next_us <= now_us; r->next_us += ROOM_STEP_US) {
    if (r->steps % 2 == 0)
      room_pick(r, r->next_us, ops);
    mix(r, r->next_us);
    r->steps++;
    send_all(r, ops);
  }
}

/* Life ---------------------------------------------------------------------------------------------- */
int room_new(struct room **ret, uint32_t rate_hz, uint32_t speakers, uint64_t now_us) {
  if ((rate_hz && rate_hz != ROOM_NARROW_HZ && rate_hz != ROOM_WIDE_HZ) || speakers > ROOM_SPEAKERS_MAX)
    return -EINVAL;
  struct room *r = calloc(1, sizeof(*r));
  if (!r)
    return -ENOMEM;
  r->is_fixed = rate_hz != 0;
  r->rate_hz = rate_hz ? rate_hz : ROOM_NARROW_HZ;
  r->speakers = speakers ? speakers : ROOM_SPEAKERS_DEFAULT;
  r->next_us = now_us;
  *ret = r;
  return 0;
}

struct room *room_free(struct room *r) {
  if (!r)
    return NULL;
  while (r->n_seats)
    seat_free(r->seats[--r->n_seats]);
  while (r->n_mouths)
    mouth_free(r->mouths[--r->n_mouths]);
  free(r);
  return NULL;
}

uint32_t room_rate_hz(const struct room *r) { return r->rate_hz; }

void room_figures(const struct room *r, struct room_figures *ret) {
  *ret = (struct room_figures){.mouths = r->n_mouths, .encoded = r->encoded};
  for (uint32_t i = 0; i < r->n_seats; i++) {
    ret->mouths += r->seats[i]->own != NULL;
    ret->speaking += r->seats[i]->is_speaker;
    ret->decoded += r->seats[i]->talker.decoded;
  }
}
