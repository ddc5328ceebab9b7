/* SPDX-License-Identifier: Apache-2.0
 * Rooms that are open: see roomlist.h. */
#include "media/roomlist.h"

#include "base/list.h"

struct listed {
  struct list node;
  uint64_t id;
  uint32_t rate_hz, speakers, thread, members;
  bool is_closed; /* is_closed: it goes with its last member. */
};

struct roomlist {
  struct dsps *dsps;
  struct list rooms;
  uint32_t count;
};

/* A closed one is found by its members alone. */
static struct listed *find(const struct roomlist *l, uint64_t id, bool is_closed_too) {
  LIST_EACH(&l->rooms, node) {
    struct listed *r = CONTAINER_OF(node, struct listed, node);
    if (r->id == id && (is_closed_too || !r->is_closed))
      return r;
  }
  return NULL;
}

static void forget(struct roomlist *l, struct listed *r) {
  dsps_release(l->dsps, r->thread, ROOM_COST_US + r->members * ROOM_MEMBER_COST_US);
  list_del(&r->node);
  free(r);
  l->count--;
}

int roomlist_open(struct roomlist *l, const struct mset_room *m) {
  if (find(l, m->room, true))
    return -EEXIST;
  if (l->count == ROOMS_MAX)
    return -ENOSPC;
  struct listed *r = calloc(1, sizeof(*r));
  if (!r)
    return -ENOMEM;
  int error = dsps_admit(l->dsps, ROOM_COST_US, &r->thread);
  if (error) {
    free(r);
    return error;
  }
  r->id = m->room;
  r->rate_hz = m->rate_hz;
  r->speakers = m->speakers;
  list_add_tail(&l->rooms, &r->node);
  l->count++;
  return 0;
}

static int join(struct roomlist *l, struct mset_room *m) {
  struct listed *r = find(l, m->room, false);
  if (!r)
    return -ENOENT;
  if (r->members == ROOM_MEMBERS_MAX)
    return -ENOSPC;
  int error = dsps_admit_at(l->dsps, r->thread, ROOM_MEMBER_COST_US);
  if (error)
    return error;
  r->members++;
  m->rate_hz = r->rate_hz;
  m->speakers = r->speakers;
  m->h.pad = r->thread;
  return 0;
}

void roomlist_leave(struct roomlist *l, uint64_t *at) {
  struct listed *r = *at ? find(l, *at, true) : NULL;
  *at = 0;
  if (!r || !r->members)
    return;
  r->members--;
  dsps_release(l->dsps, r->thread, ROOM_MEMBER_COST_US);
  if (r->is_closed && !r->members)
    forget(l, r);
}

int roomlist_take(struct roomlist *l, union mset_any *c, uint64_t *at) {
  if (c->h.type == MSET_ROOM_JOIN) {
    int error = *at ? -EEXIST : join(l, &c->room);
    *at = error ? *at : c->room.room;
    return error;
  }
  if (*at != c->room.room)
    return -ENOENT;
  if (c->h.type == MSET_ROOM_LEAVE)
    roomlist_leave(l, at);
  return 0;
}

static void close_one(struct roomlist *l, struct listed *r) {
  r->is_closed = true;
  if (!r->members)
    forget(l, r);
}

int roomlist_close(struct roomlist *l, uint64_t room) {
  struct listed *r = find(l, room, false);
  if (!r)
    return -ENOENT;
  close_one(l, r);
  return 0;
}

void roomlist_orphan(struct roomlist *l) {
  LIST_EACH_SAFE(&l->rooms, node)
    close_one(l, CONTAINER_OF(node, struct listed, node));
}

int roomlist_new(struct roomlist **ret, struct dsps *dsps) {
  struct roomlist *l = calloc(1, sizeof(*l));
  if (!l)
    return -ENOMEM;
  l->dsps = dsps;
  list_init(&l->rooms);
  *ret = l;
  return 0;
}

struct roomlist *roomlist_free(struct roomlist *l) {
  if (!l)
    return NULL;
  LIST_EACH_SAFE(&l->rooms, node)
    forget(l, CONTAINER_OF(node, struct listed, node));
  free(l);
  return NULL;
}
