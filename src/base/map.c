/* SPDX-License-Identifier: Apache-2.0
 * Chained hash map with SipHash-1-3-like keyed mixing: see map.h. */
#include "base/map.h"

#include "base/rand.h"

struct entry {
  struct entry *next; /* next is the following entry of the same bucket. */
  void *value;
  uint64_t hash;
  size_t n; /* n is the length of the key. */
  char key[];
};

struct map {
  struct entry **buckets;
  size_t mask, count, max;
  uint64_t k0, k1; /* k0, k1 are the secret of this map. */
};

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static void sip_round(uint64_t v[4]) {
  v[0] += v[1], v[1] = ROTL(v[1], 13), v[1] ^= v[0], v[0] = ROTL(v[0], 32);
  v[2] += v[3], v[3] = ROTL(v[3], 16), v[3] ^= v[2];
  v[0] += v[3], v[3] = ROTL(v[3], 21), v[3] ^= v[0];
  v[2] += v[1], v[1] = ROTL(v[1], 17), v[1] ^= v[2], v[2] = ROTL(v[2], 32);
}

static uint64_t keyed_hash(const struct map *m, struct slice key) {
  uint64_t v[4] = {m->k0 ^ 0x736f6d6570736575u, m->k1 ^ 0x646f72616e646f6du, m->k0 ^ 0x6c7967656e657261u,
                   m->k1 ^ 0x7465646279746573u};
  for (size_t i = 0; i <= key.n; i += 8) {
    uint64_t w = 0;
    size_t n = key.n - i < 8 ? key.n - i : 8;
    if (n)
      memcpy(&w, key.p + i, n);
    if (n < 8)
      w |= (uint64_t)key.n << 56;
    v[3] ^= w;
    sip_round(v);
    v[0] ^= w;
  }
  v[2] ^= 0xff;
  for (unsigned i = 0; i < 3; i++)
    sip_round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int map_new(struct map **ret_map, size_t max_entries) {
  own(map) m = calloc(1, sizeof(*m));
  if (!m)
    return -ENOMEM;
  m->mask = 15;
  m->max = max_entries;
  m->k0 = rand_u64();
  m->k1 = rand_u64();
  m->buckets = calloc(m->mask + 1, sizeof(*m->buckets));
  if (!m->buckets)
    return -ENOMEM;
  *ret_map = take(m);
  return 0;
}

struct map *map_free(struct map *m) {
  if (!m)
    return NULL;
  for (size_t i = 0; m->buckets && i <= m->mask; i++) {
    for (struct entry *e = m->buckets[i], *next; e; e = next) {
      next = e->next;
      free(e);
    }
  }
  free(m->buckets);
  free(m);
  return NULL;
}

static struct entry **find(const struct map *m, struct slice key, uint64_t hash) {
  struct entry **at = &m->buckets[hash & m->mask];
  while (*at && !((*at)->hash == hash && slice_eq(slice_from((*at)->key, (*at)->n), key)))
    at = &(*at)->next;
  return at;
}

static void grow(struct map *m) {
  size_t mask = m->mask * 2 + 1;
  struct entry **wide = calloc(mask + 1, sizeof(*wide));
  if (!wide)
    return; /* longer chains, still right */
  for (size_t i = 0; i <= m->mask; i++) {
    for (struct entry *e = m->buckets[i], *next; e; e = next) {
      next = e->next;
      e->next = wide[e->hash & mask];
      wide[e->hash & mask] = e;
    }
  }
  free(m->buckets);
  m->buckets = wide;
  m->mask = mask;
}

int map_put(struct map *m, struct slice key, void *value) {
  uint64_t hash = keyed_hash(m, key);
  if (*find(m, key, hash))
    return -EEXIST;
  if (m->count >= m->max)
    return -ENOSPC;
  struct entry *e = malloc(sizeof(*e) + key.n);
  if (!e)
    return -ENOMEM;
  *e = (struct entry){.value = value, .hash = hash, .n = key.n};
  if (key.n)
    memcpy(e->key, key.p, key.n);
  if (m->count > m->mask)
    grow(m);
  e->next = m->buckets[hash & m->mask];
  m->buckets[hash & m->mask] = e;
  m->count++;
  return 0;
}

void *map_get(const struct map *m, struct slice key) {
  struct entry *e = *find(m, key, keyed_hash(m, key));
  return e ? e->value : NULL;
}

void *map_del(struct map *m, struct slice key) {
  struct entry **at = find(m, key, keyed_hash(m, key)), *e = *at;
  if (!e)
    return NULL;
  void *value = e->value;
  *at = e->next;
  m->count--;
  free(e);
  return value;
}

size_t map_count(const struct map *m) { return m->count; }

void map_each(struct map *m, void (*fn)(void *arg, struct slice key, void *value), void *arg) {
  for (size_t i = 0; i <= m->mask; i++) {
    for (struct entry *e = m->buckets[i], *next; e; e = next) {
      next = e->next;
      fn(arg, slice_from(e->key, e->n), e->value);
    }
  }
}
