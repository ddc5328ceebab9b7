/* SPDX-License-Identifier: Apache-2.0
 * A recording: the received media of two legs in step by one clock of ours, left and right of one
 * file, WAV (PCM16) or Opus in Ogg. A pause takes the same time out of both. What is to be written is
 * given to the caller. An engine: time is given, no I/O; it may allocate. */
#pragma once
#include "media/track.h"

enum record_format { RECORD_WAV, RECORD_OGG };
enum record_side { RECORD_LEFT, RECORD_RIGHT };
enum { RECORD_BITRATE = 48000 };

struct record_form {
  uint8_t format;                                        /* format is an enum record_format. */
  uint32_t rate_hz;                                      /* 8000 or 16000 */
  uint32_t serial;                                       /* serial of the Ogg stream, at random */
  const char *comment;                                   /* comment in an Ogg file, or NULL */
  void (*write)(void *arg, const void *bytes, size_t n); /* the file's next bytes; WAV: after its head */
  void *arg;
};

struct record;
int record_new(struct record **ret, const struct record_form *f, uint64_t start_us) must_check;
struct record *record_free(struct record *r);
OWN_DEFINE(record)
bool record_put(struct record *r, enum record_side side, const struct track_packet *p,
                const uint8_t *payload, size_t n);            /* false: not taken */
void record_tick(struct record *r, uint64_t now_us);          /* writes what is old enough */
void record_pause(struct record *r, bool on, uint64_t at_us); /* twice is once */
void record_end(struct record *r, uint64_t at_us);            /* writes all; nothing may follow */
uint64_t record_ms(const struct record *r);                   /* that were written */
struct track_figures record_figures(const struct record *r, enum record_side side);
