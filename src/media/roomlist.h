/* SPDX-License-Identifier: Apache-2.0
 * The rooms that are open, as the control thread knows them: on which DSP thread each is, how many are
 * in it, and what that costs. A room's cost is admitted when it is opened, each member's when it joins.
 * Internal to media; control thread. */
#pragma once
#include "media/dsp.h"
#include "mset/mset.h"

enum { ROOMS_MAX = 256 };

struct roomlist;
int roomlist_new(struct roomlist **ret, struct dsps *dsps) must_check;
struct roomlist *roomlist_free(struct roomlist *l);
OWN_DEFINE(roomlist)
/* 0, -EEXIST, -ENOSPC (ROOMS_MAX), -EBUSY (no time on any DSP thread), -ENOMEM. */
int roomlist_open(struct roomlist *l, const struct mset_room *m) must_check;
/* The commands of a session's own: JOIN, SET and LEAVE. at is the room that it is in, 0: none. JOIN is
 * filled with what the worker needs to know. 0, -ENOENT, -EEXIST, -ENOSPC, -EBUSY. */
static inline bool roomlist_knows(uint32_t type) {
  return type == MSET_ROOM_JOIN || type == MSET_ROOM_SET || type == MSET_ROOM_LEAVE;
}
/* ROOM_JOIN, ROOM_SET or ROOM_LEAVE of a session that is in room *at (0: in none), which follows. 0,
 * -EEXIST (it is in one), -ENOENT (not in that one), -ENOSPC, -ENOMEM or -EBUSY (no DSP thread has
 * room). */
int roomlist_take(struct roomlist *l, union mset_any *c, uint64_t *at) must_check;
void roomlist_leave(struct roomlist *l, uint64_t *at);            /* it is in none any more */
int roomlist_close(struct roomlist *l, uint64_t room) must_check; /* who is in it leaves later */
/* All that are there now close when they are empty: their controller is gone. */
void roomlist_orphan(struct roomlist *l);
