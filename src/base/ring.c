/* SPDX-License-Identifier: Apache-2.0
 * SPSC ring: see ring.h. */
#include "base/ring.h"

int ring_init(struct ring *r, size_t message_bytes, size_t capacity) {
  memset(r, 0, sizeof(*r));
  if (!capacity || (capacity & (capacity - 1)))
    return -EINVAL;
  r->slots = calloc(capacity, message_bytes);
  if (!r->slots)
    return -ENOMEM;
  r->bytes = message_bytes;
  r->mask = capacity - 1;
  return 0;
}

void ring_done(struct ring *r) {
  free(r->slots);
  r->slots = NULL;
}

bool ring_put(struct ring *r, const void *message) {
  size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
  if (tail - atomic_load_explicit(&r->head, memory_order_acquire) > r->mask)
    return false;
  memcpy(r->slots + (tail & r->mask) * r->bytes, message, r->bytes);
  atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
  return true;
}

bool ring_get(struct ring *r, void *ret_message) {
  size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
  if (head == atomic_load_explicit(&r->tail, memory_order_acquire))
    return false;
  memcpy(ret_message, r->slots + (head & r->mask) * r->bytes, r->bytes);
  explicit_bzero(r->slots + (head & r->mask) * r->bytes, r->bytes);
  atomic_store_explicit(&r->head, head + 1, memory_order_release);
  return true;
}
