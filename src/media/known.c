/* SPDX-License-Identifier: Apache-2.0
 * The sessions as the control thread knows them: which worker has them, with whom they are linked on
 * another one, when a lost controller's end. See control.h. */
#include "media/control.h"

#include "media/recorder.h"
#include "media/roomlist.h"
#include "media/worker.h"

static struct slice id_key(const uint64_t *id) { return slice_from(id, sizeof(*id)); }

struct known *known_find(const struct media *m, uint64_t id) {
  return map_get(m->by_id, id_key(&id));
}

/* Half of a LINK: the far session's worker is told, and does not answer. peer NULL: no more. */
static bool tell_half(struct media *m, const struct known *far, const struct known *peer) {
  union mset_any c;
  if (!m->workers[far->worker]) /* all ends */
    return false;
  mset_init(&c, MSET_LINK, far->id);
  c.link.peer = peer ? peer->id : 0;
  c.h.pad = XLINK_SILENT | (peer ? peer->worker + 1 : 0);
  return worker_put(m->workers[far->worker], &c);
}

void known_part(struct media *m, struct known *k) {
  struct known *far = k->far ? known_find(m, k->far) : NULL;
  if (far && far->far == k->id) {
    far->far = 0;
    (void)tell_half(m, far, NULL); /* lost: what it sends finds nobody */
  }
  k->far = 0;
}

struct known *known_free(struct media *m, struct known *k) {
  if (!k)
    return NULL;
  known_part(m, k);
  roomlist_leave(m->rooms, &k->room);
  recorder_gone(m->recorder, k->id, loop_now_us(m->loop));
  (void)map_del(m->by_id, id_key(&k->id));
  m->live[k->worker]--;
  list_del(&k->node);
  free(k);
  return NULL;
}

static uint32_t least_loaded(const struct media *m) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < m->options.workers; i++)
    if (m->live[i] < m->live[best])
      best = i;
  return best;
}

int known_new(struct media *m, const struct mset_open *o, struct known **ret) {
  const struct known *beside = o->beside ? known_find(m, o->beside) : NULL;
  struct known *k = calloc(1, sizeof(*k));
  if (!k)
    return -ENOMEM;
  k->id = o->h.session;
  k->worker = beside ? beside->worker : least_loaded(m);
  memcpy(k->call, o->call, sizeof(k->call));
  int error = k->id ? map_put(m->by_id, id_key(&k->id), k) : -EINVAL;
  if (error) {
    free(k);
    return error;
  }
  m->live[k->worker]++;
  list_add_tail(&m->sessions, &k->node);
  *ret = k;
  return 0;
}

void known_expire(struct media *m, uint64_t now_us) {
  LIST_EACH(&m->sessions, node) {
    struct known *k = CONTAINER_OF(node, struct known, node);
    union mset_any c;
    if (!k->orphan_at_us || k->orphan_at_us > now_us)
      continue;
    mset_init(&c, MSET_END, k->id);
    c.h.pad = MSET_END_ORPHAN;
    if (worker_put(m->workers[k->worker], &c))
      k->orphan_at_us = UINT64_MAX; /* asked; ENDED takes it away */
  }
}

/* A LINK between two workers goes to both; the session's own answers. */
int known_link(struct media *m, union mset_any *c, struct known *k) {
  struct known *peer = c->link.peer ? known_find(m, c->link.peer) : NULL;
  if (c->link.peer && !peer)
    return -ENOENT;
  known_part(m, k);
  roomlist_leave(m->rooms, &k->room);
  if (!peer)
    return 0;
  known_part(m, peer);
  roomlist_leave(m->rooms, &peer->room);
  if (peer->worker == k->worker)
    return 0;
  if (!tell_half(m, peer, k))
    return -EAGAIN;
  c->h.pad = peer->worker + 1;
  k->far = peer->id;
  peer->far = k->id;
  return 0;
}
