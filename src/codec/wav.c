/* SPDX-License-Identifier: Apache-2.0
 * WAV files: see wav.h. Chunks of a name, a little-endian length and a body padded to even. */
#include "codec/wav.h"
#include "codec/g711.h"

enum {
  PCM = 1,
  ALAW = 6,
  ULAW = 7,
  EXTENSIBLE = 0xfffe,
  FMT_BYTES = 16,
  EXTENSIBLE_BYTES = 40,
  UNKNOWN = 0
};

static uint16_t le16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t le32(const uint8_t *p) { return le16(p) | (uint32_t)le16(p + 2) << 16; }

static uint8_t *put16(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)v;
  p[1] = (uint8_t)(v >> 8);
  return p + 2;
}
static uint8_t *put32(uint8_t *p, uint32_t v) { return put16(put16(p, v & 0xffff), v >> 16); }
static uint8_t *put_name(uint8_t *p, const char *name) {
  memcpy(p, name, 4);
  return p + 4;
}

void wav_head(uint8_t dst[WAV_HEAD_BYTES], unsigned channels, uint32_t rate_hz, uint64_t data_bytes) {
  uint64_t most = UINT32_MAX - WAV_HEAD_BYTES;
  uint32_t frame = 2 * channels, data = (uint32_t)(data_bytes < most ? data_bytes : most);
  uint8_t *p = put_name(dst, "RIFF");
  p = put32(p, data + WAV_HEAD_BYTES - 8);
  p = put_name(put_name(p, "WAVE"), "fmt ");
  p = put32(p, FMT_BYTES);
  p = put16(put16(p, PCM), channels);
  p = put32(put32(p, rate_hz), rate_hz * frame);
  p = put16(put16(p, frame), 16);
  put32(put_name(p, "data"), data);
}

/* The two bytes that tell the coding, then 14 that each coding of the same name ends with (RFC 2361). */
static unsigned extended_coding(const uint8_t *body) {
  static const uint8_t rest[14] = {0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80,
                                   0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71};
  return memcmp(body + 26, rest, sizeof(rest)) == 0 ? le16(body + 24) : UNKNOWN;
}

static int read_format(struct wav *w, const uint8_t *body, uint32_t n) {
  if (n < FMT_BYTES)
    return -EBADMSG;
  unsigned coding = le16(body), bits = le16(body + 14);
  if (coding == EXTENSIBLE)
    coding = n >= EXTENSIBLE_BYTES ? extended_coding(body) : UNKNOWN;
  if (!(coding == PCM && bits == 16) && !((coding == ALAW || coding == ULAW) && bits == 8))
    return -ENOTSUP;
  w->coding = coding == PCM ? WAV_PCM16 : coding == ALAW ? WAV_ALAW : WAV_ULAW;
  w->rate_hz = le32(body + 4);
  if (le16(body + 2) < 1 || le16(body + 2) > 2 || w->rate_hz < WAV_HZ_MIN || w->rate_hz > WAV_HZ_MAX)
    return -ENOTSUP;
  w->channels = (uint8_t)le16(body + 2);
  w->frame_bytes = w->channels * bits / 8;
  return le16(body + 12) == w->frame_bytes ? 0 : -EBADMSG;
}

static int read_data(struct wav *w, uint64_t at, uint32_t bytes, uint64_t file_bytes) {
  if (w->frame_bytes == 0 || at >= file_bytes)
    return -EBADMSG;
  uint64_t left = file_bytes - at;
  w->data_at = at;
  w->data_bytes = bytes == 0 || bytes > left ? left : bytes;
  w->data_bytes -= w->data_bytes % w->frame_bytes;
  return w->data_bytes ? 0 : -EBADMSG;
}

int wav_parse(struct wav *ret, const uint8_t *p, size_t n, uint64_t file_bytes) {
  struct wav w = {0};
  if (n > file_bytes)
    n = (size_t)file_bytes;
  if (n < 12 || memcmp(p, "RIFF", 4) != 0 || memcmp(p + 8, "WAVE", 4) != 0)
    return -EBADMSG;
  for (size_t at = 12; n - at >= 8;) {
    uint32_t bytes = le32(p + at + 4);
    const uint8_t *body = p + at + 8;
    size_t left = n - at - 8;
    int r = 0;
    if (memcmp(p + at, "data", 4) == 0) {
      r = read_data(&w, at + 8, bytes, file_bytes);
      if (r == 0)
        *ret = w;
      return r;
    }
    if (bytes > left || (bytes & 1 && bytes == left))
      return -EBADMSG;
    if (memcmp(p + at, "fmt ", 4) == 0)
      r = w.frame_bytes ? -EBADMSG : read_format(&w, body, bytes); /* one is enough */
    if (r < 0)
      return r;
    at += 8 + bytes + (bytes & 1);
  }
  return -EBADMSG;
}

static int sample(const struct wav *w, const uint8_t *p, unsigned channel) {
  if (w->coding == WAV_PCM16)
    return (int16_t)le16(p + (size_t)2 * channel);
  return g711_expand(w->coding == WAV_ULAW ? G711_ULAW : G711_ALAW, p[channel]);
}

size_t wav_samples(const struct wav *w, const uint8_t *raw, size_t n, int16_t *dst, size_t room) {
  size_t frames = n / w->frame_bytes;
  if (frames > room)
    frames = room;
  if (w->coding != WAV_PCM16)
    g711_start();
  for (size_t i = 0; i < frames; i++) {
    const uint8_t *p = raw + i * w->frame_bytes;
    int v = sample(w, p, 0);
    dst[i] = (int16_t)(w->channels == 2 ? (v + sample(w, p, 1)) / 2 : v);
  }
  return frames;
}
