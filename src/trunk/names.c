/* SPDX-License-Identifier: Apache-2.0
 * The memory of answers: see names.h. Entries stand in a list, the oldest first, and in a map by type
 * and name. Call thread. */
#include "trunk/names.h"

#include "base/list.h"
#include "base/map.h"
#include "trunk/resolve.h"

#include <ctype.h>
#include <stdio.h>

enum { KEY_BYTES = DNS_NAME_BYTES + 24 };

struct entry {
  struct list node;
  char key[KEY_BYTES];
  bool is_asked;
  int error;
  uint64_t got_us, ends_us;
  uint32_t n;
  struct dns_record list[];
};

struct names {
  struct map *map;
  struct list entries;
  uint32_t max;
};

static struct slice key_make(char *dst, const char *name, enum dns_type type) {
  size_t n = strlen(name);
  if (n && name[n - 1] == '.')
    n--;
  snprintf(dst, KEY_BYTES, "%u:%.*s", (unsigned)type, (int)n, name);
  for (char *c = dst; *c; c++)
    *c = (char)tolower((unsigned char)*c);
  return slice_of(dst);
}

int names_new(struct names **ret, uint32_t max) {
  own(names) n = calloc(1, sizeof *n);
  if (!n)
    return -ENOMEM;
  n->max = max;
  list_init(&n->entries);
  int e = map_new(&n->map, max);
  if (e == 0)
    *ret = take(n);
  return e;
}

static void entry_drop(struct names *n, struct entry *e) {
  map_del(n->map, slice_of(e->key));
  list_del(&e->node);
  free(e);
}

struct names *names_free(struct names *n) {
  if (!n)
    return NULL;
  LIST_EACH_SAFE(&n->entries, at)
    entry_drop(n, CONTAINER_OF(at, struct entry, node));
  map_free(n->map);
  free(n);
  return NULL;
}

int names_get(const struct names *n, const char *name, enum dns_type type, uint64_t began_us,
              uint64_t now_us, struct dns_answer *ret) {
  char key[KEY_BYTES];
  const struct entry *e = map_get(n->map, key_make(key, name, type));
  ret->n = ret->ttl_s = 0;
  ret->rcode = 0;
  ret->is_truncated = false;
  if (!e)
    return -ENOENT;
  if (e->is_asked)
    return -EINPROGRESS;
  if (now_us >= e->ends_us && e->got_us < began_us)
    return -ENOENT;
  ret->n = e->n;
  memcpy(ret->list, e->list, e->n * sizeof e->list[0]);
  return e->error;
}

static struct entry *entry_new(struct names *n, const char *name, enum dns_type type, uint32_t records) {
  char key[KEY_BYTES];
  struct entry *old = map_get(n->map, key_make(key, name, type));
  if (old)
    entry_drop(n, old);
  if (map_count(n->map) >= n->max)
    entry_drop(n, CONTAINER_OF(n->entries.next, struct entry, node));
  struct entry *e = calloc(1, sizeof *e + records * sizeof e->list[0]);
  if (!e)
    return NULL;
  memcpy(e->key, key, sizeof key);
  if (map_put(n->map, slice_of(e->key), e) < 0) {
    free(e);
    return NULL;
  }
  list_add_tail(&n->entries, &e->node);
  return e;
}

void names_await(struct names *n, const char *name, enum dns_type type) {
  struct entry *e = entry_new(n, name, type, 0);
  if (e)
    e->is_asked = true;
}

static uint32_t hold_s(int error, const struct dns_answer *answer) {
  if (error)
    return RESOLVE_FAILED_S;
  if (answer->n == 0)
    return RESOLVE_NOTHING_S;
  if (answer->ttl_s < RESOLVE_TTL_MIN_S)
    return RESOLVE_TTL_MIN_S;
  return answer->ttl_s > RESOLVE_TTL_MAX_S ? RESOLVE_TTL_MAX_S : answer->ttl_s;
}

void names_put(struct names *n, const char *name, enum dns_type type, int error,
               const struct dns_answer *answer, uint64_t now_us) {
  uint32_t records = error ? 0 : answer->n;
  struct entry *e = entry_new(n, name, type, records);
  if (!e)
    return;
  e->error = error && error != -ETIMEDOUT ? -EIO : error;
  e->got_us = now_us;
  e->ends_us = now_us + (uint64_t)hold_s(error, answer) * 1000000;
  e->n = records;
  if (records)
    memcpy(e->list, answer->list, records * sizeof e->list[0]);
}

uint32_t names_count(const struct names *n) { return (uint32_t)map_count(n->map); }
