/* SPDX-License-Identifier: Apache-2.0
 * Token buckets by key: see limit.h. A bucket is one number: the time at which it is full again. */
#include "web/limit.h"

#include "base/list.h"
#include "base/map.h"

struct bucket {
  struct list node; /* node is in order of last use, oldest first. */
  uint64_t full_us; /* full_us is when the bucket is full again. */
  size_t key_bytes;
  char key[];
};

struct limit {
  struct map *buckets;
  struct list used;
  uint64_t each_us, burst_us;
  size_t max_keys;
};

int limit_new(struct limit **ret_limit, uint32_t rate_hz, uint32_t burst, size_t max_keys) {
  own(limit) l = calloc(1, sizeof(*l));
  if (!l)
    return -ENOMEM;
  list_init(&l->used);
  l->each_us = 1000000u / (rate_hz ? rate_hz : 1);
  l->burst_us = l->each_us * (burst ? burst : 1);
  l->max_keys = max_keys ? max_keys : 1;
  int r = map_new(&l->buckets, l->max_keys);
  if (r < 0)
    return r;
  *ret_limit = take(l);
  return 0;
}

struct limit *limit_free(struct limit *l) {
  if (!l)
    return NULL;
  LIST_EACH_SAFE(&l->used, n)
    free(CONTAINER_OF(n, struct bucket, node));
  map_free(l->buckets);
  free(l);
  return NULL;
}

static void bucket_drop(struct limit *l, struct bucket *b) {
  (void)map_del(l->buckets, slice_from(b->key, b->key_bytes));
  list_del(&b->node);
  free(b);
}

/* Looks at the longest unused ones only: a bounded step for each new key. */
static void limit_make_room(struct limit *l, uint64_t now_us) {
  for (int i = 0; i < 8 && !list_is_empty(&l->used); i++) {
    struct bucket *b = CONTAINER_OF(l->used.next, struct bucket, node);
    if (b->full_us > now_us)
      break;
    bucket_drop(l, b);
  }
  if (map_count(l->buckets) >= l->max_keys)
    bucket_drop(l, CONTAINER_OF(l->used.next, struct bucket, node));
}

static struct bucket *bucket_add(struct limit *l, struct slice key, uint64_t now_us) {
  if (map_count(l->buckets) >= l->max_keys)
    limit_make_room(l, now_us);
  struct bucket *b = calloc(1, sizeof(*b) + key.n);
  if (!b)
    return NULL;
  b->key_bytes = key.n;
  if (key.n)
    memcpy(b->key, key.p, key.n);
  if (map_put(l->buckets, slice_from(b->key, b->key_bytes), b) < 0) {
    free(b);
    return NULL;
  }
  list_add_tail(&l->used, &b->node);
  return b;
}

uint64_t limit_take(struct limit *l, struct slice key, uint64_t now_us) {
  struct bucket *b = map_get(l->buckets, key);
  if (!b && !(b = bucket_add(l, key, now_us)))
    return l->each_us; /* no memory: the careful answer */
  list_del(&b->node);
  list_add_tail(&l->used, &b->node);
  uint64_t full_us = b->full_us > now_us ? b->full_us : now_us;
  if (full_us + l->each_us > now_us + l->burst_us)
    return full_us + l->each_us - now_us - l->burst_us;
  b->full_us = full_us + l->each_us;
  return 0;
}

size_t limit_count(const struct limit *l) { return map_count(l->buckets); }
