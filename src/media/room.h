/* SPDX-License-Identifier: Apache-2.0
 * A mixer: each member hears all others that speak, and not itself. Only the loudest few speak (three,
 * unless told otherwise): chosen by what their packets say of themselves, verified by decoding, with
 * hysteresis. Those that do not speak hear one and the same: it is encoded once for each codec, packet
 * time and settings; each speaker has a mix of its own. 16 kHz, or 8 kHz while all members have G.711.
 * An engine: time is given, no I/O; it may allocate. A DSP thread's. */
#pragma once
#include "media/talker.h"

enum {
  ROOM_MEMBERS_MAX = 200,
  ROOM_SPEAKERS_DEFAULT = 3,
  ROOM_SPEAKERS_MAX = 8,
  ROOM_PROBES = 16,          /* so many more are decoded to see who is loud, where nobody says so. */
  ROOM_COST_US = 30000,      /* what a second of a room costs, in microseconds of a core of 2020, */
  ROOM_MEMBER_COST_US = 200, /* and each member more. */
};

enum room_flag { ROOM_MUTED = 1, ROOM_LISTENS = 2, ROOM_LEVELS = 4, ROOM_FLAGS_ALL_ = 7 };

struct room;
struct seat;       /* a member of a room */
struct room_told { /* who speaks */
  void *owner;     /* owner of the seat; NULL: nobody speaks. */
  uint8_t level;   /* level below overload, 0-127 */
};
struct room_ops {
  void (*give)(void *arg, void *owner, const struct xcode_frame *f, const uint8_t *payload);
  void (*speaker)(void *arg, const struct room_told *told); /* changed; NULL: not told */
  void *arg;
};

/* rate_hz 8000 or 16000, 0: by the members. speakers 0: the default. */
int room_new(struct room **ret, uint32_t rate_hz, uint32_t speakers, uint64_t now_us) must_check;
struct room *room_free(struct room *r); /* with its seats */
OWN_DEFINE(room)
uint32_t room_rate_hz(const struct room *r);
/* form: what the member is sent. -ENOSPC, -ENOTSUP, -ENOMEM. flags are of enum room_flag. */
int room_join(struct room *r, void *owner, const struct xcode_form *form, uint32_t flags,
              struct seat **ret) must_check;
int room_alter(struct room *r, struct seat *s, const struct xcode_form *form, uint32_t flags) must_check;
void room_leave(struct room *r, struct seat *s);
/* false: not taken. */
bool room_put(struct room *r, struct seat *s, const struct room_packet *p, const uint8_t *payload,
              size_t n, uint64_t now_us);
void room_run(struct room *r, uint64_t now_us, const struct room_ops *ops); /* all that is due */
struct room_figures {
  uint32_t mouths, speaking; /* encoders at work, and members that are heard */
  uint64_t decoded, encoded; /* packets */
};
void room_figures(const struct room *r, struct room_figures *ret);
