/* SPDX-License-Identifier: Apache-2.0
 * G.711: see g711.h. Segments of 16 steps: µ-law works on 14 bits with a bias of 33, A-law on 13;
 * the linear side is 16 bits. */
#include "codec/g711.h"

static int16_t linear[2][256];
static uint8_t other[2][256];       /* other[law] turns that law's octet into the other law's. */
static uint8_t encoded[2][1 << 13]; /* encoded[law] by the upper 13 bits of the sample, offset. */

static int16_t ulaw_linear(uint8_t u) {
  int v = (uint8_t)~u, t = ((v & 15) << 3) + 0x84;
  t = (t << ((v & 0x70) >> 4)) - 0x84;
  return (int16_t)(v & 0x80 ? -t : t);
}

static int16_t alaw_linear(uint8_t a) {
  int v = a ^ 0x55, segment = (v & 0x70) >> 4, t = (v & 15) << 4;
  t = segment ? (t + 0x108) << (segment - 1) : t + 8;
  return (int16_t)(v & 0x80 ? t : -t);
}

/* The octet whose value is nearest; a sign is kept for zero so that each law has its own silence. */
static uint8_t nearest(enum g711_law law, int sample) {
  int best = 1 << 20;
  uint8_t octet = 0;
  for (int i = 0; i < 256; i++) {
    uint8_t c = (uint8_t)(255 - i); /* 255 first: positive values win ties */
    int d = abs(linear[law][c] - sample);
    if (d < best) {
      best = d;
      octet = c;
    }
  }
  return octet;
}

/* µ-law's fine steps near zero are halves of A-law's: sign decides, not the tie. */
static uint8_t across(enum g711_law from, uint8_t octet) {
  enum g711_law to = from == G711_ULAW ? G711_ALAW : G711_ULAW;
  int v = linear[from][octet];
  if (from == G711_ULAW && v == 0)
    return octet & 0x80 ? 0xd5 : 0x55;
  return nearest(to, v);
}

void g711_start(void) {
  static bool done;
  if (done)
    return;
  for (int i = 0; i < 256; i++) {
    linear[G711_ULAW][i] = ulaw_linear((uint8_t)i);
    linear[G711_ALAW][i] = alaw_linear((uint8_t)i);
  }
  for (int i = 0; i < 256; i++)
    for (int law = 0; law < 2; law++)
      other[law][i] = across((enum g711_law)law, (uint8_t)i);
  for (int i = 0; i < 1 << 13; i++)
    for (int law = 0; law < 2; law++)
      encoded[law][i] = nearest((enum g711_law)law, (i - 4096) * 8 + (i >= 4096 ? 4 : 3));
  done = true;
}

int16_t g711_expand(enum g711_law law, uint8_t sample) { return linear[law][sample]; }

uint8_t g711_compress(enum g711_law law, int16_t sample) {
  if (sample >= 0 && sample < 2)
    return g711_silence(law); /* the table's cell is 8 wide: exact silence stays silence */
  return encoded[law][(sample >> 3) + 4096];
}

void g711_convert(enum g711_law from, uint8_t *dst, const uint8_t *src, size_t n) {
  const uint8_t *t = other[from];
  for (size_t i = 0; i < n; i++)
    dst[i] = t[src[i]];
}
