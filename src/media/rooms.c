/* SPDX-License-Identifier: Apache-2.0
 * A DSP thread's rooms: see rooms.h. */
#include "media/rooms.h"

#include "base/list.h"

struct hall { /* a room and who is in it */
  struct list node, members;
  uint64_t id;
  struct room *room;
  struct rooms *all;
  const struct rooms_ops *ops; /* ops while it runs */
};

struct member {
  struct list node;
  uint64_t session;
  uint32_t worker;
  struct hall *hall;
  struct seat *seat;
  struct member **place; /* place points here. */
};

struct rooms {
  uint32_t workers, sessions_max, count;
  struct list halls;
  struct member **members; /* by worker, and the slot of the session */
};

static struct member **place(struct rooms *r, uint32_t worker, uint64_t session) {
  uint32_t slot = (uint32_t)session;
  return worker < r->workers && slot < r->sessions_max
             ? &r->members[(size_t)worker * r->sessions_max + slot]
             : NULL;
}

static struct member *find(struct rooms *r, uint32_t worker, uint64_t session) {
  struct member **at = place(r, worker, session);
  return at && *at && (*at)->session == session ? *at : NULL;
}

/* Rooms --------------------------------------------------------------------------------------------- */
static struct hall *hall_free(struct hall *h) {
  if (h->node.next)
    h->all->count--;
  list_del(&h->node);
  room_free(h->room);
  free(h);
  return NULL;
}

static int hall_of(struct rooms *r, const struct room_form *f, uint64_t now_us, struct hall **ret) {
  LIST_EACH(&r->halls, node) {
    *ret = CONTAINER_OF(node, struct hall, node);
    if ((*ret)->id == f->room)
      return 0;
  }
  struct hall *h = calloc(1, sizeof(*h));
  if (!h)
    return -ENOMEM;
  h->all = r;
  h->id = f->room;
  list_init(&h->members);
  int error = room_new(&h->room, f->rate_hz, f->speakers, now_us);
  if (error) {
    hall_free(h);
    return error;
  }
  list_add_tail(&r->halls, &h->node);
  r->count++;
  *ret = h;
  return 0;
}

/* Members ------------------------------------------------------------------------------------------- */
static void member_free(struct member *m) {
  struct hall *h = m->hall;
  *m->place = NULL;
  list_del(&m->node);
  room_leave(h->room, m->seat);
  free(m);
  if (list_is_empty(&h->members))
    hall_free(h);
}

static int add(struct member **at, uint32_t worker, uint64_t session, const struct room_form *f,
               struct hall *h) {
  struct member *m = calloc(1, sizeof(*m));
  if (!m)
    return -ENOMEM;
  *m = (struct member){.session = session, .worker = worker, .hall = h, .place = at};
  int error = room_join(h->room, m, &f->sent, f->flags, &m->seat);
  if (error) {
    free(m);
    return error;
  }
  list_add_tail(&h->members, &m->node);
  *at = m;
  return 0;
}

int rooms_join(struct rooms *r, uint32_t worker, uint64_t session, const struct room_form *f,
               uint64_t now_us) {
  struct member **at = place(r, worker, session);
  struct hall *h = NULL;
  if (!at)
    return -EINVAL;
  if (*at && ((*at)->session != session || (*at)->hall->id != f->room))
    member_free(*at); /* what was there before, and its leaving got lost */
  if (*at)
    return room_alter((*at)->hall->room, (*at)->seat, &f->sent, f->flags);
  int error = hall_of(r, f, now_us, &h);
  if (!error)
    error = add(at, worker, session, f, h);
  if (error && h && list_is_empty(&h->members))
    hall_free(h);
  return error;
}

bool rooms_put(struct rooms *r, uint32_t worker, uint64_t session, const struct room_packet *p,
               const uint8_t *payload, size_t n, uint64_t now_us) {
  struct member *m = find(r, worker, session);
  return m && room_put(m->hall->room, m->seat, p, payload, n, now_us);
}

void rooms_leave(struct rooms *r, uint32_t worker, uint64_t session) {
  struct member *m = find(r, worker, session);
  if (m)
    member_free(m);
}

/* Out ----------------------------------------------------------------------------------------------- */
static void give(void *arg, void *owner, const struct xcode_frame *f, const uint8_t *payload) {
  const struct hall *h = arg;
  const struct member *m = owner;
  h->ops->give(h->ops->arg, m->worker, m->session, h->id, f, payload);
}

static void speaker(void *arg, const struct room_told *told) {
  const struct hall *h = arg;
  const struct member *m = told->owner;
  if (!m)
    m = CONTAINER_OF(h->members.next, struct member, node);
  h->ops->speaker(h->ops->arg, m->worker, m->session, h->id, told->level, !told->owner);
}

void rooms_run(struct rooms *r, uint64_t now_us, const struct rooms_ops *ops) {
  LIST_EACH(&r->halls, node) {
    struct hall *h = CONTAINER_OF(node, struct hall, node);
    h->ops = ops;
    room_run(h->room, now_us, &(struct room_ops){give, speaker, h});
  }
}

/* Life ---------------------------------------------------------------------------------------------- */
int rooms_new(struct rooms **ret, uint32_t workers, uint32_t sessions_max) {
  struct rooms *r = calloc(1, sizeof(*r));
  if (!r)
    return -ENOMEM;
  list_init(&r->halls);
  r->workers = workers;
  r->sessions_max = sessions_max;
  r->members = calloc((size_t)workers * sessions_max, sizeof(struct member *));
  if (!r->members) {
    free(r);
    return -ENOMEM;
  }
  *ret = r;
  return 0;
}

struct rooms *rooms_free(struct rooms *r) {
  if (!r)
    return NULL;
  for (size_t i = 0; i < (size_t)r->workers * r->sessions_max; i++)
    if (r->members[i])
      member_free(r->members[i]);
  free(r->members);
  free(r);
  return NULL;
}

uint32_t rooms_count(const struct rooms *r) { return r->count; }
