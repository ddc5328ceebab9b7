/* SPDX-License-Identifier: Apache-2.0
 * DTMF in the audio itself (ITU-T Q.23, Q.24): a detector of what is heard (spandsp), at any rate of
 * ours, that tells begin, end and duration of each digit; and a source of digits. Digits are of
 * "0123456789*#ABCD". Pure; a DSP thread's. */
#pragma once
#include "base/own.h"

enum { INBAND_EVENTS_MAX = 8 };

struct inband_event {
  char digit;
  bool is_end;    /* is_end: the digit is over; else it was just recognized (after 25-38 ms of it). */
  uint32_t ms;    /* ms that it lasts, or lasted, to the 13 ms of a block. */
  uint32_t at_ms; /* at_ms is where it begins, from the first sample fed; wraps after 49 days. */
};

struct inband;

/* rate_hz 8000, 16000 or 48000. 0, -EINVAL or -ENOMEM. */
int inband_new(struct inband **ret, uint32_t rate_hz) must_check;
struct inband *inband_free(struct inband *d); /* NULL */
OWN_DEFINE(inband)
/* The next samples, at most 60 ms; returns how many events stand in ret. A hole is fed as what conceals
 * it. */
size_t inband_feed(struct inband *d, const int16_t *samples, size_t n,
                   struct inband_event ret[INBAND_EVENTS_MAX]);

struct inband_tone {
  float phase[2], step[2], amplitude[2]; /* of the low and the high tone */
  uint32_t at, samples, edge;            /* at of samples that it lasts; edge is faded at both ends. */
};

/* A digit of so many ms; level of the low tone in dBm0 (-10 is usual), the high one twist_db louder (2
 * is usual). False: no digit. */
bool inband_begin(struct inband_tone *t, char digit, uint32_t rate_hz, uint32_t ms, float level_dbm0,
                  float twist_db);
/* The next n samples, silence behind its end. Returns how many of them are of the digit. */
size_t inband_fill(struct inband_tone *t, int16_t *dst, size_t n);
