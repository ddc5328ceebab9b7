/* SPDX-License-Identifier: Apache-2.0
 * A sound file in memory: see sound.h. */
#include "media/sound.h"

#include "codec/coder.h"
#include "codec/ogg.h"
#include "codec/resample.h"
#include "codec/wav.h"

enum { WIDE_HZ = 16000, NARROW_HZ = 8000, CHUNK = 4096, FEED_BYTES = 65536 };
#define WIDE_MAX ((size_t)SOUND_MS_MAX * (WIDE_HZ / 1000))

struct growing {
  int16_t *pcm;
  size_t n, room;
};

static int add(struct growing *g, const int16_t *src, size_t n) {
  if (!n)
    return 0;
  if (g->n + n > WIDE_MAX)
    return -EFBIG;
  if (g->n + n > g->room) {
    size_t room = 2 * g->room + n + WIDE_HZ;
    int16_t *pcm = realloc(g->pcm, room * sizeof(*pcm));
    if (!pcm)
      return -ENOMEM;
    g->pcm = pcm;
    g->room = room;
  }
  memcpy(g->pcm + g->n, src, n * sizeof(*src));
  g->n += n;
  return 0;
}

/* At another rate, behind what is there. */
static int convert(struct growing *g, const int16_t *src, size_t n, uint32_t from_hz, uint32_t to_hz) {
  own(resampler) r = NULL;
  int error = resampler_new(&r, from_hz, to_hz);
  int16_t *made = NULL;
  if (!error && !(made = malloc((resampler_room(r, CHUNK) + 1) * sizeof(*made))))
    error = -ENOMEM;
  for (size_t at = 0; !error && at < n; at += CHUNK) {
    size_t k = n - at < CHUNK ? n - at : CHUNK;
    error = add(g, made, resampler_run(r, src + at, k, made));
  }
  free(made);
  return error;
}

static int read_wav(struct growing *wide, const uint8_t *bytes, size_t n) {
  struct wav w;
  int error = wav_parse(&w, bytes, n < WAV_LOOK_BYTES ? n : WAV_LOOK_BYTES, n);
  if (error)
    return error;
  size_t frames = (size_t)(w.data_bytes / w.frame_bytes);
  if (frames > (uint64_t)w.rate_hz * (SOUND_MS_MAX / 1000))
    return -EFBIG;
  own_mem int16_t *mono = malloc((frames + 1) * sizeof(*mono));
  if (!mono)
    return -ENOMEM;
  frames = wav_samples(&w, bytes + w.data_at, (size_t)w.data_bytes, mono, frames);
  return convert(wide, mono, frames, w.rate_hz, WIDE_HZ);
}

static int take_packets(struct growing *wide, struct oggin *in, struct decoder *d,
                        enum oggin_verdict *ret) {
  int16_t pcm[WIDE_HZ / 1000 * CODER_FRAME_MS_MAX];
  struct slice packet;
  uint32_t units;
  int error = 0;
  while (!error && (*ret = oggin_next(in, &packet, &units)) == OGGIN_PACKET) {
    size_t n = decoder_decode(d, (const uint8_t *)packet.p, packet.n, pcm, COUNT_OF(pcm));
    error = add(wide, pcm, n);
  }
  return error;
}

static int read_ogg(struct growing *wide, const uint8_t *bytes, size_t n) {
  own(oggin) in = NULL;
  own(decoder) d = NULL;
  struct coder_format f = {.kind = CODER_OPUS, .rate_hz = WIDE_HZ};
  enum oggin_verdict v = OGGIN_MORE;
  int error = oggin_new(&in);
  if (!error)
    error = decoder_new(&d, &f);
  for (size_t at = 0; !error; at += FEED_BYTES) {
    error = take_packets(wide, in, d, &v);
    if (error || v != OGGIN_MORE || at >= n)
      break;
    error = oggin_feed(in, bytes + at, n - at < FEED_BYTES ? n - at : FEED_BYTES);
  }
  if (error || !oggin_head(in)->is_known)
    return error ? error : -EBADMSG;
  if (!wide->n)
    return -EBADMSG;
  size_t skip = oggin_head(in)->pre_skip / (OGG_CLOCK_HZ / WIDE_HZ);
  skip = skip < wide->n ? skip : wide->n;
  wide->n -= skip;
  memmove(wide->pcm, wide->pcm + skip, wide->n * sizeof(*wide->pcm));
  return 0;
}

int sound_new(struct sound **ret, const uint8_t *bytes, size_t n) {
  struct growing wide = {0}, narrow = {0};
  int error = n < 4                           ? -EBADMSG
              : memcmp(bytes, "OggS", 4) == 0 ? read_ogg(&wide, bytes, n)
                                              : read_wav(&wide, bytes, n);
  if (!error && wide.n < WIDE_HZ / 100)
    error = -EBADMSG;
  if (!error)
    error = convert(&narrow, wide.pcm, wide.n, WIDE_HZ, NARROW_HZ);
  struct sound *s = error ? NULL : calloc(1, sizeof(*s));
  if (!s) {
    free(wide.pcm);
    free(narrow.pcm);
    return error ? error : -ENOMEM;
  }
  s->n = narrow.n < wide.n / 2 ? narrow.n : wide.n / 2;
  s->wide = wide.pcm;
  s->narrow = narrow.pcm;
  *ret = s;
  return 0;
}

struct sound *sound_free(struct sound *s) {
  if (!s)
    return NULL;
  free(s->wide);
  free(s->narrow);
  free(s);
  return NULL;
}

size_t sound_bytes(const struct sound *s) { return 3 * s->n * sizeof(int16_t); }

size_t sound_take(const struct sound *s, uint32_t rate_hz, size_t *at, uint32_t *repeat, int16_t *dst,
                  size_t n) {
  const int16_t *src = rate_hz == WIDE_HZ ? s->wide : s->narrow;
  size_t end = rate_hz == WIDE_HZ ? 2 * s->n : s->n, done = 0;
  while (done < n) {
    if (*at >= end) {
      if (*repeat == 1)
        break;
      *repeat -= *repeat > 1;
      *at = 0;
    }
    size_t k = end - *at < n - done ? end - *at : n - done;
    memcpy(dst + done, src + *at, k * sizeof(*dst));
    *at += k;
    done += k;
  }
  return done;
}
