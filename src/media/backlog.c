/* SPDX-License-Identifier: Apache-2.0
 * Messages that wait: see backlog.h. */
#include "media/backlog.h"

struct waiting {
  struct list node;
  union up m;
};

void backlog_init(struct backlog *b) {
  *b = (struct backlog){0};
  list_init(&b->list);
}

void backlog_drop(struct backlog *b) {
  while (b->n)
    backlog_pop(b);
}

static bool can_be_spared(const union up *u) {
  return u->h.type == MSET_FLOW || u->h.type == MSET_QUALITY;
}

bool backlog_put(struct backlog *b, const union up *u) {
  if (b->n >= BACKLOG_SPARE && can_be_spared(u)) {
    b->lost++;
    return true;
  }
  struct waiting *w = b->n < BACKLOG_MAX ? calloc(1, sizeof(*w)) : NULL;
  if (!w) {
    b->lost++;
    return false;
  }
  w->m = *u;
  list_add_tail(&b->list, &w->node);
  b->n++;
  return true;
}

const union up *backlog_first(const struct backlog *b) {
  return b->n ? &CONTAINER_OF(b->list.next, struct waiting, node)->m : NULL;
}

void backlog_pop(struct backlog *b) {
  struct waiting *w = CONTAINER_OF(b->list.next, struct waiting, node);
  list_del(&w->node);
  free(w);
  b->n--;
}
