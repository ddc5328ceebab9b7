/* SPDX-License-Identifier: Apache-2.0
 * Targets that are left alone for a while: see shun.h. Call thread. */
#include "trunk/shun.h"

#include "base/list.h"
#include "base/map.h"

#include <stdio.h>

enum { KEY_BYTES = CONF_NAME_BYTES + ADDR_TEXT_BYTES + 8 };

struct entry {
  struct list node;
  char key[KEY_BYTES];
  enum shun_state state;
  uint64_t until_us;
};

struct shun {
  struct map *map;
  struct list entries; /* the oldest first */
};

static struct slice key_make(char *dst, const struct shun_target *t) {
  char addr[ADDR_TEXT_BYTES];
  snprintf(dst, KEY_BYTES, "%s|%u|%s", t->trunk, t->transport, addr_text(&t->addr, addr, sizeof addr));
  return slice_of(dst);
}

int shun_new(struct shun **ret) {
  own(shun) s = calloc(1, sizeof *s);
  if (!s)
    return -ENOMEM;
  list_init(&s->entries);
  int e = map_new(&s->map, SHUN_MAX);
  if (e == 0)
    *ret = take(s);
  return e;
}

static void entry_drop(struct shun *s, struct entry *e) {
  map_del(s->map, slice_of(e->key));
  list_del(&e->node);
  free(e);
}

struct shun *shun_free(struct shun *s) {
  if (!s)
    return NULL;
  LIST_EACH_SAFE(&s->entries, at)
    entry_drop(s, CONTAINER_OF(at, struct entry, node));
  map_free(s->map);
  free(s);
  return NULL;
}

void shun_add(struct shun *s, const struct shun_target *t, enum shun_state state, uint32_t for_s,
              uint64_t now_us) {
  struct entry *e = calloc(1, sizeof *e);
  shun_release(s, t);
  if (!e)
    return;
  struct slice key = key_make(e->key, t);
  e->state = state;
  e->until_us = now_us + (uint64_t)for_s * 1000000;
  if (map_count(s->map) >= SHUN_MAX)
    entry_drop(s, CONTAINER_OF(s->entries.next, struct entry, node));
  if (map_put(s->map, key, e) < 0) {
    free(e);
    return;
  }
  list_add_tail(&s->entries, &e->node);
}

enum shun_state shun_of(const struct shun *s, const struct shun_target *t, uint64_t now_us,
                        uint32_t *ret_left_s) {
  char key[KEY_BYTES];
  const struct entry *e = map_get(s->map, key_make(key, t));
  bool is_over = !e || now_us >= e->until_us;
  *ret_left_s = is_over ? 0 : (uint32_t)((e->until_us - now_us + 999999) / 1000000);
  return is_over ? SHUN_NOT : e->state;
}

void shun_release(struct shun *s, const struct shun_target *t) {
  char key[KEY_BYTES];
  struct entry *e = map_get(s->map, key_make(key, t));
  if (e)
    entry_drop(s, e);
}

uint32_t shun_count(const struct shun *s) { return (uint32_t)map_count(s->map); }
