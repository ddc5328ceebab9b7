/* SPDX-License-Identifier: Apache-2.0
 * Mailbox: see mbox.h. A mutex and a ring: cold paths only; packets go by ring.h. */
#include "base/mbox.h"

#include <pthread.h>
#include <sys/eventfd.h>

struct mbox {
  pthread_mutex_t lock;
  size_t bytes, capacity, head, count;
  int fd;
  char *ring;
};

int mbox_new(struct mbox **ret_mbox, size_t message_bytes, size_t capacity) {
  struct mbox *b = calloc(1, sizeof(*b));
  if (!b)
    return -ENOMEM;
  pthread_mutex_init(&b->lock, NULL);
  b->bytes = message_bytes;
  b->capacity = capacity;
  b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  b->ring = calloc(capacity, message_bytes);
  if (b->fd < 0 || !b->ring) {
    int r = b->fd < 0 ? -errno : -ENOMEM;
    mbox_free(b);
    return r;
  }
  *ret_mbox = b;
  return 0;
}

struct mbox *mbox_free(struct mbox *b) {
  if (!b)
    return NULL;
  pthread_mutex_destroy(&b->lock);
  if (b->fd >= 0)
    close(b->fd);
  free(b->ring);
  free(b);
  return NULL;
}

int mbox_fd(const struct mbox *b) { return b->fd; }

int mbox_put(struct mbox *b, const void *message) {
  int r = -EAGAIN;
  bool was_empty = false;
  pthread_mutex_lock(&b->lock);
  if (b->count < b->capacity) {
    was_empty = b->count == 0;
    memcpy(b->ring + (b->head + b->count) % b->capacity * b->bytes, message, b->bytes);
    b->count++;
    r = 0;
  }
  pthread_mutex_unlock(&b->lock);
  if (was_empty) {
    uint64_t one = 1;
    (void)!write(b->fd, &one, sizeof(one));
  }
  return r;
}

bool mbox_get(struct mbox *b, void *ret_message) {
  bool got = false;
  pthread_mutex_lock(&b->lock);
  if (b->count) {
    memcpy(ret_message, b->ring + b->head * b->bytes, b->bytes);
    explicit_bzero(b->ring + b->head * b->bytes, b->bytes);
    b->head = (b->head + 1) % b->capacity;
    b->count--;
    got = true;
  }
  if (!b->count) {
    uint64_t n;
    (void)!read(b->fd, &n, sizeof(n));
  }
  pthread_mutex_unlock(&b->lock);
  return got;
}
