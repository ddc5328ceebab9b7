/* SPDX-License-Identifier: Apache-2.0
 * The list of sinks: see link.h. */
#include "media/session.h"

void link_add(struct link *l, const struct link_ops *ops, struct session *from) {
  l->ops = ops;
  l->from = from;
  if (ops->is_last)
    list_add_tail(&from->links, &l->node);
  else
    list_add_tail(from->links.next, &l->node); /* before the first one */
}

void link_remove(struct link *l) {
  const struct link_ops *ops = l->ops;
  if (!ops)
    return;
  list_del(&l->node);
  l->ops = NULL;
  if (ops->close)
    ops->close(l);
}

enum drop link_audio(const struct heard *h, struct packet *p) {
  enum drop d = DROP_NO_SINK;
  LIST_EACH_SAFE(&h->session->links, node) {
    struct link *l = CONTAINER_OF(node, struct link, node);
    if (l->ops->audio)
      d = l->ops->audio(l, h, p);
  }
  return d;
}

enum drop link_event(const struct heard *h, const struct telev *t, const struct event_told *told) {
  enum drop d = DROP_NO_SINK;
  LIST_EACH_SAFE(&h->session->links, node) {
    struct link *l = CONTAINER_OF(node, struct link, node);
    if (l->ops->event)
      d = l->ops->event(l, h, t, told);
  }
  return d;
}

void link_digit(struct session *s, char digit, uint32_t ms, bool by_sound) {
  LIST_EACH_SAFE(&s->links, node) {
    struct link *l = CONTAINER_OF(node, struct link, node);
    if (l->ops->digit)
      l->ops->digit(l, digit, ms, by_sound);
  }
}

void link_skip(const struct heard *h) {
  LIST_EACH_SAFE(&h->session->links, node) {
    struct link *l = CONTAINER_OF(node, struct link, node);
    if (l->ops->skip)
      l->ops->skip(l, h);
  }
}

static void retarget_own(struct session *s) {
  LIST_EACH_SAFE(&s->links, node) {
    struct link *l = CONTAINER_OF(node, struct link, node);
    if (l->ops->retarget)
      l->ops->retarget(l);
  }
}

void link_retarget(struct session *s) {
  struct session *peer = session_peer(s);
  retarget_own(s);
  if (peer && peer != s)
    retarget_own(peer);
}

void link_close(struct session *s) {
  while (!list_is_empty(&s->links))
    link_remove(CONTAINER_OF(s->links.next, struct link, node));
}
