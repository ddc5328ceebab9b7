/* SPDX-License-Identifier: Apache-2.0
 * Fixed pools with generation handles: see pool.h. */
#include "base/pool.h"

enum { CHUNK = 64, LINE_BYTES = 64 };

struct slot {
  uint32_t generation; /* generation is odd while the slot is in use. */
  uint32_t next_free;  /* next_free is the next free slot + 1. */
};

struct pool {
  size_t object_bytes;
  uint32_t capacity, made, count, free_head;
  struct slot *slots;
  char **chunks;
};

int pool_new(struct pool **ret_pool, size_t object_bytes, uint32_t capacity) {
  own(pool) p = calloc(1, sizeof(*p));
  if (!p)
    return -ENOMEM;
  size_t align = object_bytes < 4 * LINE_BYTES ? 16 : LINE_BYTES;
  p->object_bytes = (object_bytes + align - 1) & ~(align - 1);
  p->capacity = capacity;
  p->slots = calloc(capacity ? capacity : 1, sizeof(*p->slots));
  p->chunks = calloc(capacity / CHUNK + 1, sizeof(*p->chunks));
  if (!p->slots || !p->chunks)
    return -ENOMEM;
  *ret_pool = take(p);
  return 0;
}

struct pool *pool_free(struct pool *p) {
  if (!p)
    return NULL;
  for (uint32_t i = 0; p->chunks && i <= p->capacity / CHUNK; i++)
    free(p->chunks[i]);
  free(p->chunks);
  free(p->slots);
  free(p);
  return NULL;
}

/* Objects of several cache lines begin with one. */
static void *object(const struct pool *p, uint32_t slot) {
  uintptr_t first = ((uintptr_t)p->chunks[slot / CHUNK] + LINE_BYTES - 1) & ~(uintptr_t)(LINE_BYTES - 1);
  return (char *)first + (slot % CHUNK) * p->object_bytes;
}

static int take_slot(struct pool *p, uint32_t *ret_slot) {
  if (p->free_head) {
    *ret_slot = p->free_head - 1;
    p->free_head = p->slots[*ret_slot].next_free;
    return 0;
  }
  if (p->made == p->capacity)
    return -ENOSPC;
  char **chunk = &p->chunks[p->made / CHUNK];
  if (!*chunk && !(*chunk = calloc(1, CHUNK * p->object_bytes + LINE_BYTES)))
    return -ENOMEM;
  *ret_slot = p->made++;
  return 0;
}

void *pool_add(struct pool *p, pool_handle *ret_handle) {
  uint32_t slot;
  if (take_slot(p, &slot) < 0)
    return NULL;
  uint32_t g = ++p->slots[slot].generation;
  p->count++;
  *ret_handle = (uint64_t)g << 32 | slot;
  return object(p, slot);
}

void *pool_get(const struct pool *p, pool_handle h) {
  uint32_t slot = (uint32_t)h, g = (uint32_t)(h >> 32);
  if (slot >= p->made || !(g & 1) || p->slots[slot].generation != g)
    return NULL;
  return object(p, slot);
}

void pool_del(struct pool *p, pool_handle h) {
  void *o = pool_get(p, h);
  if (!o)
    return;
  uint32_t slot = (uint32_t)h;
  explicit_bzero(o, p->object_bytes);
  p->slots[slot].generation++;
  p->slots[slot].next_free = p->free_head;
  p->free_head = slot + 1;
  p->count--;
}

uint32_t pool_count(const struct pool *p) { return p->count; }

void *pool_next(const struct pool *p, uint32_t *slot, pool_handle *ret_handle) {
  while (*slot < p->made) {
    uint32_t s = (*slot)++;
    if (p->slots[s].generation & 1) {
      if (ret_handle)
        *ret_handle = (uint64_t)p->slots[s].generation << 32 | s;
      return object(p, s);
    }
  }
  return NULL;
}
