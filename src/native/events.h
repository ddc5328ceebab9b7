/* SPDX-License-Identifier: Apache-2.0
 * The bounded ring of events of one identity (256 events or 120 s), for replay by Last-Event-ID. Ids are
 * decimal, below 2^53, strictly increasing, also over a restart of the gateway (they start at the wall
 * clock). Engine: takes now. */
#pragma once
#include "base/slice.h"

enum { EVENTS_MAX = 256, EVENTS_KEEP_S = 120 };

struct event {
  uint64_t id, at_us;
  char *text;      /* text is the whole event as it goes over the wire; NULL: not kept, only the id. */
  char device[72]; /* device it is for; "" for all. */
};

struct event_ring {
  struct event slot[EVENTS_MAX];
  unsigned head, count;
  uint64_t next_id;
  uint64_t lost_id; /* lost_id is the greatest id that can not be replayed any more. */
};

void event_ring_init(struct event_ring *r, uint64_t wall_ms);
void event_ring_done(struct event_ring *r);
uint64_t event_ring_take_id(struct event_ring *r);
/* Takes the text (heap). */
void event_ring_add(struct event_ring *r, uint64_t id, const char *device, char *text, uint64_t now_us);
uint64_t event_ring_oldest(struct event_ring *r,
                           uint64_t now_us); /* the oldest id that can be replayed */
/* True if everything after last_id can be replayed; then *ret_from is the first slot index to look at.
 */
bool event_ring_covers(struct event_ring *r, uint64_t last_id, uint64_t now_us);
/* The nameless device ("~…") of the newest kept event up to that id; NULL if none. */
const char *event_ring_nameless(const struct event_ring *r, uint64_t id);
/* The first kept event after last_id that is for the device; NULL at the end. */
const struct event *event_ring_next(const struct event_ring *r, uint64_t last_id, const char *device);
