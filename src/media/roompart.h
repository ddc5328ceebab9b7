/* SPDX-License-Identifier: Apache-2.0
 * A room from within, for room.c (the mix) and roompick.c (who speaks). */
#pragma once
#include "media/mouth.h"
#include "media/room.h"

enum {
  ROOM_STEP_MS = TALKER_STEP_MS,
  ROOM_STEP_US = ROOM_STEP_MS * 1000,
  ROOM_NARROW_HZ = 8000,
  ROOM_WIDE_HZ = 16000,
  ROOM_STEP_SAMPLES_MAX = ROOM_WIDE_HZ / 1000 * ROOM_STEP_MS + 2, /* a resampler may give one more */
  ROOM_MOUTHS_MAX = 64, /* there are no more forms than that of one complexity: see mouth_form() */
};

struct seat {
  void *owner;
  struct xcode_form form; /* form is what mouth_form() made of what it takes. */
  uint32_t flags;
  struct talker talker;
  struct mouth *own; /* own is a speaker's; NULL: it hears what all hear. */
  uint64_t ext;      /* ext is the number of its next frame. */
  bool is_begin;     /* is_begin: the next frame begins a talk spurt. */
  bool is_speaker;   /* is_speaker: it has a place, since_us, and was last loud at loud_us; */
  bool is_heard;     /* is_heard: and is in the mix since the last step. */
  bool is_mixed;     /* is_mixed: it is in sum now. */
  bool is_probed;    /* is_probed: decoded to see how loud it is. */
  uint64_t since_us, loud_us;
  float slow; /* slow is its loudness over half a second. */
  int16_t pcm[ROOM_STEP_SAMPLES_MAX];
};

struct room {
  uint32_t rate_hz, speakers;
  bool is_fixed; /* is_fixed: the rate was ordered. */
  uint64_t next_us, steps, encoded;
  uint32_t n_seats, n_mouths;
  struct seat *seats[ROOM_MEMBERS_MAX];
  struct mouth *mouths[ROOM_MOUTHS_MAX]; /* those of what all hear */
  const struct seat *active;             /* active is who was told to speak, at told_us. */
  uint64_t told_us;
  int32_t sum[ROOM_STEP_SAMPLES_MAX];
  int16_t silence[ROOM_STEP_SAMPLES_MAX];
};

void room_pick(struct room *r, uint64_t now_us, const struct room_ops *ops); /* each 20 ms */
