/* SPDX-License-Identifier: Apache-2.0
 * Event tickets: see ticket.h. */
#include "native/ticket.h"

#include "base/list.h"
#include "base/map.h"
#include "base/rand.h"

struct entry {
  struct list node;
  uint64_t at_us;
  struct claims claims;
  char text[TICKET_CHARS + 1];
};

struct tickets {
  struct map *map;
  struct list order;
};

int tickets_new(struct tickets **ret, size_t max) {
  struct tickets *t = calloc(1, sizeof(*t));
  if (!t)
    return -ENOMEM;
  list_init(&t->order);
  int r = map_new(&t->map, max);
  if (r < 0) {
    free(t);
    return r;
  }
  *ret = t;
  return 0;
}

static void entry_drop(struct tickets *t, struct entry *e) {
  map_del(t->map, slice_of(e->text));
  list_del(&e->node);
  explicit_bzero(e, sizeof(*e));
  free(e);
}

struct tickets *tickets_free(struct tickets *t) {
  if (!t)
    return NULL;
  LIST_EACH_SAFE(&t->order, at)
    entry_drop(t, CONTAINER_OF(at, struct entry, node));
  map_free(t->map);
  free(t);
  return NULL;
}

static void sweep(struct tickets *t, uint64_t now_us) {
  LIST_EACH_SAFE(&t->order, at) {
    struct entry *e = CONTAINER_OF(at, struct entry, node);
    if (now_us < e->at_us + TICKET_LIFE_S * 1000000ull)
      break;
    entry_drop(t, e);
  }
}

int ticket_make(struct tickets *t, const struct claims *c, uint64_t now_us,
                char ret_text[TICKET_CHARS + 1]) {
  sweep(t, now_us);
  struct entry *e = calloc(1, sizeof(*e));
  if (!e)
    return -ENOSPC;
  e->at_us = now_us;
  e->claims = *c;
  rand_text(e->text, TICKET_CHARS);
  if (map_put(t->map, slice_of(e->text), e) < 0) {
    free(e);
    return -ENOSPC;
  }
  list_add_tail(&t->order, &e->node);
  memcpy(ret_text, e->text, sizeof(e->text));
  return 0;
}

int ticket_use(struct tickets *t, struct slice text, uint64_t now_us, struct claims *ret) {
  sweep(t, now_us);
  struct entry *e = map_get(t->map, text);
  if (!e)
    return -ENOENT;
  *ret = e->claims;
  entry_drop(t, e);
  return 0;
}
