/* SPDX-License-Identifier: Apache-2.0
 * WAV files (RIFF, WAVE): the head of a recording, and what is needed to play one: PCM of 16 bits, µ-law
 * or A-law, 1 or 2 channels. No I/O: heads and samples are in the caller's memory. Strict: what is not
 * understood is refused, never guessed. Pure. */
#pragma once
#include "base/own.h"

enum wav_coding { WAV_PCM16, WAV_ULAW, WAV_ALAW };
enum {
  WAV_HEAD_BYTES = 44,
  WAV_LOOK_BYTES = 4096, /* how much of a file's begin wav_parse() should be given */
  WAV_HZ_MIN = 4000,
  WAV_HZ_MAX = 192000,
};

struct wav {
  uint8_t coding; /* coding is an enum wav_coding. */
  uint8_t channels;
  uint32_t rate_hz;
  uint32_t frame_bytes; /* frame_bytes is one sample of each channel. */
  uint64_t data_at;     /* data_at is where the samples begin in the file. */
  uint64_t data_bytes;  /* data_bytes of samples, whole frames. */
};

/* The head of a PCM16 file with so many bytes of samples, WAV_HEAD_BYTES. Written first with 0 for a
 * recording that grows, and over itself when its length is known (past 4 GiB it says the most it can).
 */
void wav_head(uint8_t dst[WAV_HEAD_BYTES], unsigned channels, uint32_t rate_hz, uint64_t data_bytes);
/* From the first n bytes of a file of file_bytes. Where the length was never filled in, or the file is
 * cut short, the samples end with the file. 0, -EBADMSG (no WAV, or nothing to play in it, or its
 * samples begin past n), -ENOTSUP (another coding, 3 channels). */
int wav_parse(struct wav *ret, const uint8_t *p, size_t n, uint64_t file_bytes) must_check;
/* Whole frames of raw as mono samples (two channels are mixed); at most room. Returns samples; each
 * took frame_bytes. */
size_t wav_samples(const struct wav *w, const uint8_t *raw, size_t n, int16_t *dst, size_t room);
