/* SPDX-License-Identifier: Apache-2.0
 * The throttle of logins: see throttle.h. */
#include "admin/throttle.h"

#include "base/list.h"
#include "base/map.h"

enum { DOUBLINGS = 8 };
#define FORGET_US 3600000000ull

struct failing {
  struct list node; /* node is in order of the last failure, oldest first. */
  unsigned failures;
  uint64_t last_us;
  size_t key_bytes;
  char key[];
};

struct throttle {
  struct map *by_key;
  struct list order;
  size_t max;
};

int throttle_new(struct throttle **ret, size_t max_keys) {
  own(throttle) t = calloc(1, sizeof *t);
  if (!t)
    return -ENOMEM;
  list_init(&t->order);
  t->max = max_keys;
  int r = map_new(&t->by_key, max_keys);
  if (r == 0)
    *ret = take(t);
  return r;
}

static void failing_drop(struct throttle *t, struct failing *f) {
  map_del(t->by_key, slice_from(f->key, f->key_bytes));
  list_del(&f->node);
  free(f);
}

struct throttle *throttle_free(struct throttle *t) {
  if (!t)
    return NULL;
  LIST_EACH_SAFE(&t->order, n)
    failing_drop(t, CONTAINER_OF(n, struct failing, node));
  map_free(t->by_key);
  free(t);
  return NULL;
}

bool throttle_has(struct throttle *t, struct slice key) { return map_get(t->by_key, key); }

uint64_t throttle_wait_us(struct throttle *t, struct slice key, unsigned free_failures,
                          uint64_t now_us) {
  struct failing *f = map_get(t->by_key, key);
  if (f && now_us > f->last_us + FORGET_US) {
    failing_drop(t, f);
    f = NULL;
  }
  if (!f || f->failures < free_failures)
    return 0;
  unsigned twice = f->failures - free_failures < DOUBLINGS ? f->failures - free_failures : DOUBLINGS;
  uint64_t until_us = f->last_us + (1000000ull << twice);
  return until_us > now_us ? until_us - now_us : 0;
}

static struct failing *failing_make(struct throttle *t, struct slice key) {
  if (map_count(t->by_key) >= t->max)
    failing_drop(t, CONTAINER_OF(t->order.next, struct failing, node));
  struct failing *f = calloc(1, sizeof *f + key.n);
  if (!f)
    return NULL;
  memcpy(f->key, key.p, key.n);
  f->key_bytes = key.n;
  if (map_put(t->by_key, key, f) == 0)
    return f;
  free(f);
  return NULL;
}

void throttle_fail(struct throttle *t, struct slice key, uint64_t now_us) {
  struct failing *f = map_get(t->by_key, key);
  if (!f)
    f = failing_make(t, key);
  if (!f)
    return;
  f->failures++;
  f->last_us = now_us;
  list_del(&f->node);
  list_add_tail(&t->order, &f->node);
}

void throttle_forgive(struct throttle *t, struct slice key, unsigned failures) {
  struct failing *f = map_get(t->by_key, key);
  if (f && f->failures > failures)
    f->failures -= failures;
  else if (f)
    failing_drop(t, f);
}

unsigned throttle_clear(struct throttle *t, struct slice key) {
  struct failing *f = map_get(t->by_key, key);
  unsigned failures = f ? f->failures : 0;
  if (f)
    failing_drop(t, f);
  return failures;
}
