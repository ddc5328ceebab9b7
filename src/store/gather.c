/* SPDX-License-Identifier: Apache-2.0
 * Alike refusals in one row: see gather.h. */
#include "store/gather.h"

#include "base/list.h"
#include "base/map.h"

#include <stdio.h>

enum { KEY_BYTES = 256, SPARE = 256 }; /* SPARE: room for rows of many sources, of a trunk and rule each */

/* What is known of one source, trunk and rule in its window. */
struct heap {
  struct list node; /* oldest window first */
  char key[KEY_BYTES];
  size_t key_bytes;
  uint64_t since_us, written_us;
  unsigned n;         /* n counts those that were records of their own. */
  struct record *row; /* row counts the others; NULL: none yet. */
  bool of_one;        /* of_one: of one source */
  bool is_new;        /* is_new: row is not on the disk as it is. */
};

struct gather {
  struct gather_limits limits;
  struct map *by_key;
  struct list heaps;
  uint64_t since_us; /* since_us is the window of n. */
  unsigned n;        /* n counts strangers' records of their own. */
  size_t n_of[2];    /* n_of counts heaps of many sources, and of one */
  size_t fresh;      /* fresh counts rows that are not on the disk as they are. */
  struct heap *done; /* done was told by gather_due() and is over. */
};

int gather_new(struct gather **ret, const struct gather_limits *l) {
  own(gather) g = calloc(1, sizeof(*g));
  if (!g)
    return -ENOMEM;
  g->limits = *l;
  list_init(&g->heaps);
  int r = map_new(&g->by_key, l->rows_max + SPARE);
  if (r == 0)
    *ret = take(g);
  return r;
}

static void heap_free(struct heap *h) {
  if (h)
    free(h->row);
  free(h);
}

struct gather *gather_free(struct gather *g) {
  if (!g)
    return NULL;
  if (g->heaps.next)
    LIST_EACH_SAFE(&g->heaps, node)
      heap_free(CONTAINER_OF(node, struct heap, node));
  heap_free(g->done);
  map_free(g->by_key);
  free(g);
  return NULL;
}

static void heap_end(struct gather *g, struct heap *h) {
  (void)map_del(g->by_key, slice_from(h->key, h->key_bytes));
  list_del(&h->node);
  g->n_of[h->of_one]--;
}

static bool is_over(const struct gather *g, const struct heap *h, uint64_t now_us) {
  return now_us >= h->since_us + g->limits.window_ms * UINT64_C(1000);
}

/* The source is without its port: a scanner has many. */
static size_t key_write(char key[KEY_BYTES], const struct record *r, bool with_source) {
  const char *colon = strrchr(r->caller.remote_addr, ':');
  size_t n = colon ? (size_t)(colon - r->caller.remote_addr) : strlen(r->caller.remote_addr);
  int all = snprintf(key, KEY_BYTES, "%.39s\n%.31s\n%.64s\n%.*s", r->rule, r->reason, r->caller.peer,
                     with_source ? (int)n : 0, r->caller.remote_addr);
  return all > 0 && all < KEY_BYTES ? (size_t)all : KEY_BYTES - 1;
}

/* Its window is over and nothing of it waits: its place may be taken. */
static void old_drop(struct gather *g, uint64_t now_us) {
  LIST_EACH_SAFE(&g->heaps, node) {
    struct heap *h = CONTAINER_OF(node, struct heap, node);
    if (!is_over(g, h, now_us))
      return;
    if (h->is_new)
      continue;
    heap_end(g, h);
    heap_free(h);
  }
}

/* One whose window is open, or NULL. */
static struct heap *heap_find(struct gather *g, struct slice key, uint64_t now_us) {
  struct heap *h = map_get(g->by_key, key);
  if (!h || !is_over(g, h, now_us) || h->is_new)
    return h;
  heap_end(g, h);
  heap_free(h);
  return NULL;
}

static struct heap *heap_make(struct gather *g, struct slice key, bool of_one, uint64_t now_us) {
  size_t max = of_one ? g->limits.rows_max : SPARE;
  if (g->n_of[of_one] >= max)
    old_drop(g, now_us);
  struct heap *h = g->n_of[of_one] < max ? calloc(1, sizeof(*h)) : NULL;
  if (!h || map_put(g->by_key, key, h) < 0) {
    free(h);
    return NULL;
  }
  memcpy(h->key, key.p, key.n);
  h->key_bytes = key.n;
  h->of_one = of_one;
  h->since_us = now_us;
  g->n_of[of_one]++;
  list_add_tail(&g->heaps, &h->node);
  return h;
}

/* The first of a row gives it its id and words. */
static enum gather_how row_count(struct gather *g, struct heap *h, const struct record *r) {
  if (h->row) {
    h->row->repeats++;
    h->row->ended_ms = r->ended_ms > r->started_ms ? r->ended_ms : r->started_ms;
  } else if ((h->row = malloc(sizeof(*h->row)))) {
    *h->row = *r;
    if (!h->of_one)
      h->row->caller.remote_addr[0] = h->row->from[0] = h->row->to[0] = 0;
  }
  g->fresh += h->row && !h->is_new;
  h->is_new = h->row != NULL;
  return h->row ? GATHER_COUNTED : GATHER_FULL;
}

/* May another stranger have a record of its own? */
static bool may_stranger(struct gather *g, uint64_t now_us) {
  if (now_us >= g->since_us + g->limits.window_ms * UINT64_C(1000)) {
    g->since_us = now_us;
    g->n = 0;
  }
  return g->n < g->limits.strangers_all;
}

static struct slice key_of(char key[KEY_BYTES], const struct record *r, bool with_source) {
  return slice_from(key, key_write(key, r, with_source));
}

enum gather_how gather_take(struct gather *g, const struct record *r, uint64_t now_us) {
  char key[KEY_BYTES];
  struct slice k = key_of(key, r, true);
  bool known = r->caller.peer[0], alone = known || may_stranger(g, now_us);
  struct heap *h = heap_find(g, k, now_us);
  if (!h && alone)
    h = heap_make(g, k, true, now_us);
  if (h && alone && h->n < (known ? g->limits.alone_known : g->limits.alone)) {
    h->n++;
    g->n += !known;
    return GATHER_ALONE;
  }
  if (h)
    return row_count(g, h, r);
  k = key_of(key, r, false); /* too many sources */
  h = heap_find(g, k, now_us);
  if (!h)
    h = heap_make(g, k, false, now_us);
  return h ? row_count(g, h, r) : GATHER_FULL;
}

const struct record *gather_due(struct gather *g, uint64_t now_us, bool all) {
  heap_free(g->done);
  g->done = NULL;
  LIST_EACH_SAFE(&g->heaps, node) {
    struct heap *h = CONTAINER_OF(node, struct heap, node);
    bool over = is_over(g, h, now_us);
    if (!h->is_new || (!all && !over && now_us < h->written_us + g->limits.write_ms * UINT64_C(1000)))
      continue;
    h->is_new = false;
    g->fresh--;
    h->written_us = now_us;
    if (!over)
      return h->row;
    heap_end(g, h);
    g->done = h;
    return h->row;
  }
  return NULL;
}

bool gather_has(const struct gather *g) { return g->fresh > 0; }
