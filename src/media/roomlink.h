/* SPDX-License-Identifier: Apache-2.0
 * The sink to a room (rooms.h): what the session says goes to its DSP thread, and what it hears there
 * comes back in a later turn. Internal to media; worker's thread. */
#pragma once
#include "media/dsp.h"
#include "media/link.h"

struct worker;
/* JOIN: the control thread put the DSP thread into the head's pad. The form of what it is sent follows
 * the session's remotes. 0, -ENOMEM, or -EAGAIN (the queue is full). */
int roomlink_open(struct session *s, const struct mset_room *m) must_check;
int roomlink_set(struct session *s,
                 const struct mset_room *m) must_check; /* flags; -ENOENT: not in it */
uint64_t roomlink_room(const struct session *s);        /* 0: in none */
void roomlink_close(struct session *s);                 /* safe on one that is in no room */
enum drop roomlink_take(struct worker *w, const struct dsp_output *out,
                        const uint8_t *payload) must_check; /* MIX or SPEAKER */
