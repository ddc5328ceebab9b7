/* SPDX-License-Identifier: Apache-2.0
 * Units of codec: G.711, tones, levels. */
#include "codec/level.h"
#include "codec/tone.h"

#include <criterion/criterion.h>

Test(g711, known_values) {
  g711_start();
  cr_assert_eq(g711_expand(G711_ULAW, 0xff), 0);
  cr_assert_eq(g711_expand(G711_ULAW, 0x80), 32124);
  cr_assert_eq(g711_expand(G711_ULAW, 0x00), -32124);
  cr_assert_eq(g711_expand(G711_ALAW, 0xd5), 8);
  cr_assert_eq(g711_expand(G711_ALAW, 0x55), -8);
  cr_assert_eq(g711_expand(G711_ALAW, 0xaa), 32256);
  cr_assert_eq(g711_compress(G711_ULAW, 0), 0xff);
  cr_assert_eq(g711_compress(G711_ALAW, 0), 0xd5);
}

Test(g711, every_octet_comes_back_but_a_second_zero) {
  g711_start();
  for (int law = 0; law < 2; law++)
    for (int i = 0; i < 256; i++) {
      int16_t v = g711_expand((enum g711_law)law, (uint8_t)i);
      cr_assert_eq(g711_expand((enum g711_law)law, g711_compress((enum g711_law)law, v)), v,
                   "law %d octet %d", law, i);
    }
}

Test(g711, conversion_is_near_and_keeps_the_sign) {
  g711_start();
  for (int i = 0; i < 256; i++)
    for (int law = 0; law < 2; law++) {
      uint8_t in = (uint8_t)i, out;
      g711_convert((enum g711_law)law, &out, &in, 1);
      int a = g711_expand((enum g711_law)law, in), b = g711_expand(law ? G711_ULAW : G711_ALAW, out);
      cr_assert(abs(a - b) <= 8 + abs(a) / 24, "%d octet %d: %d %d", law, i, a, b);
      cr_assert(a == 0 || b == 0 || (a < 0) == (b < 0));
    }
  uint8_t silence = 0xff, out;
  g711_convert(G711_ULAW, &out, &silence, 1);
  cr_assert_eq(out, 0xd5);
}

Test(tone, is_at_1004_hz_and_continuous) {
  uint8_t octets[1600];
  struct tone t;
  tone_start();
  for (int law = 0; law < 2; law++) {
    tone_init(&t, TONE_1004);
    for (int i = 0; i < 10; i++)
      tone_fill(&t, (enum g711_law)law, octets + 160 * i, 160);
    cr_assert_gt(level_share((enum g711_law)law, octets, sizeof(octets), 1004), 0.97);
    cr_assert_lt(level_share((enum g711_law)law, octets, sizeof(octets), 1504), 0.01);
    double db = level_dbm0((enum g711_law)law, octets, sizeof(octets));
    cr_assert(db > -10 && db < -8, "%f", db);
  }
}

Test(tone, silence_and_cadence) {
  uint8_t octets[800];
  struct tone t;
  tone_start();
  tone_init(&t, TONE_SILENCE);
  tone_fill(&t, G711_ULAW, octets, sizeof(octets));
  cr_assert_lt(level_dbm0(G711_ULAW, octets, sizeof(octets)), -60);
  tone_init(&t, TONE_BUSY);
  for (int i = 0; i < 20; i++) { /* 0.5 s on, 0.5 s off */
    tone_fill(&t, G711_ULAW, octets, sizeof(octets));
    double db = level_dbm0(G711_ULAW, octets, sizeof(octets));
    cr_assert(i % 10 < 5 ? db > -25 : db < -60, "%d: %f", i, db);
  }
}
