/* SPDX-License-Identifier: Apache-2.0
 * The ring of events: see events.h. */
#include "native/events.h"

void event_ring_init(struct event_ring *r, uint64_t wall_ms) {
  memset(r, 0, sizeof(*r));
  r->next_id = wall_ms * 1000;
  r->lost_id = r->next_id - 1; /* what an earlier instance gave is lost */
}

static void drop_head(struct event_ring *r) {
  struct event *e = &r->slot[r->head];
  r->lost_id = e->id;
  free(e->text);
  memset(e, 0, sizeof(*e));
  r->head = (r->head + 1) % EVENTS_MAX;
  r->count--;
}

void event_ring_done(struct event_ring *r) {
  while (r->count)
    drop_head(r);
}

uint64_t event_ring_take_id(struct event_ring *r) { return r->next_id++; }

static void sweep(struct event_ring *r, uint64_t now_us) {
  while (r->count && r->slot[r->head].at_us + EVENTS_KEEP_S * 1000000ull <= now_us)
    drop_head(r);
}

void event_ring_add(struct event_ring *r, uint64_t id, const char *device, char *text, uint64_t now_us) {
  sweep(r, now_us);
  if (r->count == EVENTS_MAX)
    drop_head(r);
  struct event *e = &r->slot[(r->head + r->count++) % EVENTS_MAX];
  e->id = id;
  e->at_us = now_us;
  e->text = text;
  slice_copy(e->device, sizeof(e->device), slice_of(device));
}

uint64_t event_ring_oldest(struct event_ring *r, uint64_t now_us) {
  sweep(r, now_us);
  return r->count ? r->slot[r->head].id : r->next_id;
}

bool event_ring_covers(struct event_ring *r, uint64_t last_id, uint64_t now_us) {
  sweep(r, now_us);
  uint64_t first = r->lost_id; /* ids up to here cannot be replayed */
  return last_id >= first && last_id < r->next_id;
}

const struct event *event_ring_next(const struct event_ring *r, uint64_t last_id, const char *device) {
  for (unsigned i = 0; i < r->count; i++) {
    const struct event *e = &r->slot[(r->head + i) % EVENTS_MAX];
    if (e->id > last_id && (!e->device[0] || strcmp(e->device, device) == 0))
      return e;
  }
  return NULL;
}

const char *event_ring_nameless(const struct event_ring *r, uint64_t id) {
  const char *found = NULL;
  for (unsigned i = 0; i < r->count; i++) {
    const struct event *e = &r->slot[(r->head + i) % EVENTS_MAX];
    if (e->id <= id && e->device[0] == '~')
      found = e->device;
  }
  return found;
}
