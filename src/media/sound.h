/* SPDX-License-Identifier: Apache-2.0
 * A sound file in memory, decoded once, at the two rates that encoders take: WAV (PCM16, µ-law, A-law)
 * or Opus in Ogg, mixed to mono. Pure: the file's bytes are given. */
#pragma once
#include "base/own.h"

enum {
  SOUND_MS_MAX = 600000,     /* a longer one is refused */
  SOUND_FILE_MAX = 64 << 20, /* bytes of a file */
};

struct sound {
  size_t n; /* n samples at 8,000 Hz, twice as many at 16,000. */
  int16_t *narrow, *wide;
};

/* 0, -EBADMSG, -ENOTSUP (another coding), -EFBIG, -ENOMEM. */
int sound_new(struct sound **ret, const uint8_t *bytes, size_t n) must_check;
struct sound *sound_free(struct sound *s);
OWN_DEFINE(sound)
size_t sound_bytes(const struct sound *s); /* of memory */
/* n samples at rate_hz (8000 or 16000) from *at on, which goes on; past the end it begins anew where
 * repeat allows: *repeat counts down, 0 is for ever, and 1 the last time. Returns how many there were.
 */
size_t sound_take(const struct sound *s, uint32_t rate_hz, size_t *at, uint32_t *repeat, int16_t *dst,
                  size_t n);
