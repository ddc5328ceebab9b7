/* SPDX-License-Identifier: Apache-2.0
 * Digits in the sound of a leg (G.711), and their way on: the sink that hears them, on legs whose
 * remotes press them so (mset_remote.dtmf), and what each digit becomes on the peer's leg. Where
 * telephone-events come too, they count. Internal to media; worker's thread. */
#pragma once
#include "codec/inband.h"
#include "media/link.h"

enum {
  EAR_EVENTS_US = 1000000, /* a digit in the sound so soon after telephone-events is theirs */
  EAR_HOLE_MAX = 3,        /* frames that are fed again for lost ones */
};

struct ear {
  struct link link;
  struct inband *inband;
  uint64_t next; /* next is the extended sequence number that is expected. */
  uint32_t ssrc;
  bool is_hearing; /* is_hearing: a tone is on. */
};

int ear_open(struct session *s) must_check; /* once; 0 or -ENOMEM */
void ear_close(struct session *s);
/* A digit that came to to's peer, by telephone-events or by sound. */
enum drop ear_take(struct session *to, char digit, uint32_t ms, bool by_sound) must_check;
/* The peer's events replace this sound: it is not passed on. */
bool ear_mutes(const struct session *s, const struct remote *to);
