/* SPDX-License-Identifier: Apache-2.0
 * Figures for the controller: see facts.h. */
#include "media/facts.h"

#include <fcntl.h>
#include <sys/mman.h>

static size_t bytes_of(uint32_t slots) {
  return (size_t)slots * sizeof(struct mset_facts) + MSET_COUNTS_MAX * sizeof(uint64_t);
}

int facts_init(struct facts *f, uint32_t slots) {
  size_t bytes = bytes_of(slots);
  *f = (struct facts){.fd = -1, .slots = slots};
  f->fd = memfd_create("sallyport-facts", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (f->fd < 0 || ftruncate(f->fd, (off_t)bytes) < 0)
    return -errno;
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
  if (p == MAP_FAILED)
    return -errno;
  f->table = p;
  f->counts = (void *)(f->table + slots);
  return fcntl(f->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0
             ? -errno
             : 0;
}

void facts_done(struct facts *f) {
  if (f->table)
    munmap(f->table, bytes_of(f->slots));
  if (f->fd >= 0)
    close(f->fd);
  *f = (struct facts){.fd = -1};
}

void facts_write(struct facts *f, uint32_t slot, const struct mset_facts *now) {
  if (slot >= f->slots)
    return;
  struct mset_facts *to = &f->table[slot];
  uint32_t seq = to->seq;
  (void)__atomic_exchange_n(&to->seq, seq + 1, __ATOMIC_ACQ_REL); /* what follows stays behind it */
  memcpy((char *)to + sizeof(to->seq), (const char *)now + sizeof(now->seq),
         sizeof(*to) - sizeof(to->seq));
  __atomic_store_n(&to->seq, seq + 2, __ATOMIC_RELEASE);
}

void facts_count(struct facts *f, uint32_t i, uint64_t n) {
  if (i < MSET_COUNTS_MAX)
    __atomic_store_n(&f->counts[i], n, __ATOMIC_RELAXED);
}
