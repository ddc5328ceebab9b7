/* SPDX-License-Identifier: Apache-2.0
 * Shared ports of trunk legs: see shared.h. A list of those who expect an address, by address. */
#include "media/shared.h"

#include "media/trunkport.h"

enum {
  RECEIVE_BYTES = 4 << 20,
  IS_NEW = 1 << 8, /* in remote: its description was not taken yet */
};

struct expected {         /* an address of a remote */
  struct list node, twin; /* twin is among those of the same address. */
  struct session *session;
  uint32_t remote;
  struct addr from;
};

/* Padding and scope are not of the key. */
struct source {
  uint8_t ip[16];
  uint16_t port, family;
};

static struct source source_of(const struct addr *a) {
  struct source k = {.port = addr_port(a), .family = (uint16_t)addr_family(a)};
  if (k.family == AF_INET6)
    memcpy(k.ip, &a->in6.sin6_addr, sizeof(k.ip));
  else
    memcpy(k.ip, &a->in4.sin_addr, sizeof(a->in4.sin_addr));
  return k;
}

static struct slice key_of(const struct source *k) { return slice_from(k, sizeof(*k)); }

/* Any one of those who expect it stands in the map. */
static struct expected *find(const struct worker *w, const struct addr *from) {
  struct source k = source_of(from);
  return map_get(w->by_source, key_of(&k));
}

static unsigned add_once(struct session *s, struct session **list, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    if (list[i] == s)
      return n;
  if (n < SHARED_LEGS_MAX)
    list[n++] = s;
  return n;
}

static unsigned legs_of(struct expected *e, struct session **list) {
  unsigned n = e ? add_once(e->session, list, 0) : 0;
  if (!e)
    return 0;
  LIST_EACH(&e->twin, node)
    n = add_once(CONTAINER_OF(node, struct expected, twin)->session, list, n);
  return n;
}

/* Twins form a ring without a head: the one in the map is as good as any. */
static void release(struct expected *e) {
  struct source k = source_of(&e->from);
  struct worker *w = e->session->w;
  struct expected *other =
      list_is_empty(&e->twin) ? NULL : CONTAINER_OF(e->twin.next, struct expected, twin);
  if (map_get(w->by_source, key_of(&k)) == e) {
    (void)map_del(w->by_source, key_of(&k));
    if (other && map_put(w->by_source, key_of(&k), other) < 0)
      worker_drop(w, DROP_INTERNAL);
  }
  list_del(&e->twin);
  list_del(&e->node);
  free(e);
}

static bool is_full(struct session *s, struct expected *first) {
  struct session *list[SHARED_LEGS_MAX];
  unsigned n = legs_of(first, list);
  for (unsigned i = 0; i < n; i++)
    if (list[i] == s)
      return false;
  return n == SHARED_LEGS_MAX;
}

static int expect(struct session *s, uint32_t remote, const struct addr *from) {
  struct expected *first = addr_family(from) == (int)s->family ? find(s->w, from) : NULL;
  if (addr_family(from) != (int)s->family || !addr_port(from))
    return 0; /* nothing can come from there */
  if (is_full(s, first))
    return -EADDRINUSE;
  struct expected *e = calloc(1, sizeof(*e));
  if (!e)
    return -ENOMEM;
  struct source k = source_of(from);
  *e = (struct expected){.session = s, .remote = remote, .from = *from};
  list_init(&e->twin);
  int error = first ? 0 : map_put(s->w->by_source, key_of(&k), e);
  if (error) {
    free(e);
    return error;
  }
  if (first)
    list_add_tail(&first->twin, &e->twin);
  list_add_tail(&s->expected, &e->node);
  return 0;
}

void shared_forget(struct session *s, uint32_t remote) {
  LIST_EACH_SAFE(&s->expected, node) {
    struct expected *e = CONTAINER_OF(node, struct expected, node);
    if (e->remote == remote)
      release(e);
  }
}

int shared_expect(struct session *s, const struct mset_remote *m) {
  if (m->security != MSET_SDES)
    return -ENOTSUP;
  int error = expect(s, m->remote | IS_NEW, &m->rtp);
  if (!error && !m->rtcp_mux && !addr_eq(&m->rtp, &m->rtcp))
    error = expect(s, m->remote | IS_NEW, &m->rtcp);
  if (error)
    shared_forget(s, m->remote | IS_NEW);
  return error;
}

void shared_settle(struct session *s, uint32_t remote, bool is_taken) {
  if (!is_taken) {
    shared_forget(s, remote | IS_NEW);
    return;
  }
  shared_forget(s, remote);
  LIST_EACH_SAFE(&s->expected, node)
    CONTAINER_OF(node, struct expected, node)->remote &= ~(uint32_t)IS_NEW;
}

int shared_open(struct session *s) {
  struct port *pair = s->w->shared[s->family == AF_INET6];
  struct trunkport t = {&pair[0], &pair[1], s->family, NULL, RECEIVE_BYTES, true};
  int error = pair[0].fd < 0 ? trunkport_open(s->w, &t) : 0;
  if (error)
    return error;
  s->is_shared = s->is_stamped = true;
  s->rtp = pair[0];
  if (s->has_rtcp_port)
    s->rtcp = pair[1];
  return 0;
}

void shared_close(struct session *s) {
  LIST_EACH_SAFE(&s->expected, node)
    release(CONTAINER_OF(node, struct expected, node));
  s->rtp.fd = s->rtcp.fd = -1; /* the worker's */
}

enum drop shared_input(struct worker *w, struct packet *p) {
  struct session *list[SHARED_LEGS_MAX];
  unsigned n = legs_of(find(w, &p->from), list);
  return n ? session_input_first(list, n, p) : DROP_WRONG_SOURCE;
}
