/* SPDX-License-Identifier: Apache-2.0
 * AF_XDP sockets: see xsk.h. */
#include "media/xsk.h"

#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum {
  FRAMES = XSK_FRAMES_IN + XSK_FRAMES_OUT,
  KICKS_MAX = 2 * XSK_FRAMES_OUT / 32, /* the kernel takes 32 a call */
};

static uint32_t load(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static void store(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }

/* Reading ------------------------------------------------------------------------------------------- */
uint32_t xsk_ready(const struct xsk *k) { return load(k->in.producer) - k->in.at; }

static const struct xdp_desc *in_at(const struct xsk *k, uint32_t i) {
  return (const struct xdp_desc *)k->in.entries + ((k->in.at + i) & k->in.mask);
}

uint8_t *xsk_frame(const struct xsk *k, uint32_t i, uint32_t *ret_n) {
  const struct xdp_desc *d = in_at(k, i);
  *ret_n = d->len;
  return k->frames + d->addr;
}

void xsk_release(struct xsk *k, uint32_t n) {
  uint64_t *fill = k->fill.entries;
  for (uint32_t i = 0; i < n; i++)
    fill[k->fill.at++ & k->fill.mask] = in_at(k, i)->addr & ~(uint64_t)(XSK_FRAME_BYTES - 1);
  store(k->fill.producer, k->fill.at);
  k->in.at += n;
  store(k->in.consumer, k->in.at);
}

/* Sending ------------------------------------------------------------------------------------------- */
static void reclaim(struct xsk *k) {
  const uint64_t *done = k->done.entries;
  uint32_t end = load(k->done.producer);
  while (k->done.at != end && k->n_free < XSK_FRAMES_OUT)
    k->free[k->n_free++] = done[k->done.at++ & k->done.mask];
  store(k->done.consumer, k->done.at);
}

uint8_t *xsk_slot(struct xsk *k) {
  if (!k->n_free)
    (void)xsk_flush(k);
  return k->n_free ? k->frames + k->free[k->n_free - 1] : NULL;
}

void xsk_put(struct xsk *k, uint8_t *slot, size_t n) {
  struct xdp_desc *d = (struct xdp_desc *)k->out.entries + (k->out.at++ & k->out.mask);
  *d = (struct xdp_desc){.addr = (uint64_t)(slot - k->frames), .len = (uint32_t)n};
  k->n_free--;
}

int xsk_flush(struct xsk *k) {
  int error = 0;
  store(k->out.producer, k->out.at);
  for (int i = 0; i < KICKS_MAX && load(k->out.consumer) != k->out.at; i++)
    error = sendto(k->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN ? -errno : 0;
  reclaim(k);
  return error;
}

/* Life ------------------------------------------------------------------------------------------------
 */
static int make_memory(struct xsk *k) {
  size_t bytes = (size_t)FRAMES * XSK_FRAME_BYTES;
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    return -errno;
  k->frames = p;
  struct xdp_umem_reg reg = {.addr = (uintptr_t)p, .len = bytes, .chunk_size = XSK_FRAME_BYTES};
  return setsockopt(k->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) < 0 ? -errno : 0;
}

static int make_ring(const struct xsk *k, struct xskring *r, uint32_t n, size_t entry_bytes,
                     uint64_t at_page, const struct xdp_ring_offset *off) {
  r->map_bytes = off->desc + n * entry_bytes;
  r->map =
      mmap(NULL, r->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, k->fd, (off_t)at_page);
  if (r->map == MAP_FAILED) {
    r->map = NULL;
    return -errno;
  }
  uint8_t *p = r->map;
  r->producer = (uint32_t *)(void *)(p + off->producer);
  r->consumer = (uint32_t *)(void *)(p + off->consumer);
  r->entries = p + off->desc;
  r->mask = n - 1;
  return 0;
}

static int set_size(const struct xsk *k, int option, uint32_t n) {
  return setsockopt(k->fd, SOL_XDP, option, &n, sizeof(n)) < 0 ? -errno : 0;
}

static int make_rings(struct xsk *k) {
  const struct {
    struct xskring *ring;
    int option;
    uint32_t n;
    size_t entry_bytes, offset;
    uint64_t page;
  } rows[] = {
      {&k->fill, XDP_UMEM_FILL_RING, XSK_FRAMES_IN, 8, offsetof(struct xdp_mmap_offsets, fr),
       XDP_UMEM_PGOFF_FILL_RING},
      {&k->done, XDP_UMEM_COMPLETION_RING, XSK_FRAMES_OUT, 8, offsetof(struct xdp_mmap_offsets, cr),
       XDP_UMEM_PGOFF_COMPLETION_RING},
      {&k->in, XDP_RX_RING, XSK_FRAMES_IN, sizeof(struct xdp_desc),
       offsetof(struct xdp_mmap_offsets, rx), XDP_PGOFF_RX_RING},
      {&k->out, XDP_TX_RING, XSK_FRAMES_OUT, sizeof(struct xdp_desc),
       offsetof(struct xdp_mmap_offsets, tx), XDP_PGOFF_TX_RING},
  };
  struct xdp_mmap_offsets offsets;
  socklen_t n = sizeof(offsets);
  int error = 0;
  for (unsigned i = 0; !error && i < COUNT_OF(rows); i++)
    error = set_size(k, rows[i].option, rows[i].n);
  if (!error && getsockopt(k->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &n) < 0)
    error = -errno;
  for (unsigned i = 0; !error && i < COUNT_OF(rows); i++)
    error = make_ring(k, rows[i].ring, rows[i].n, rows[i].entry_bytes, rows[i].page,
                      (const void *)((const char *)&offsets + rows[i].offset));
  return error;
}

static void give_frames(struct xsk *k) {
  uint64_t *fill = k->fill.entries;
  for (uint32_t i = 0; i < XSK_FRAMES_IN; i++)
    fill[k->fill.at++ & k->fill.mask] = (uint64_t)i * XSK_FRAME_BYTES;
  store(k->fill.producer, k->fill.at);
  for (uint32_t i = XSK_FRAMES_IN; i < FRAMES; i++)
    k->free[k->n_free++] = (uint64_t)i * XSK_FRAME_BYTES;
}

int xsk_new(struct xsk **ret, unsigned ifindex, unsigned queue) {
  own(xsk) k = calloc(1, sizeof(*k));
  if (!k)
    return -ENOMEM;
  k->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (k->fd < 0)
    return -errno;
  int error = make_memory(k);
  if (!error)
    error = make_rings(k);
  if (error)
    return error;
  give_frames(k);
  struct sockaddr_xdp at = {.sxdp_family = AF_XDP,
                            .sxdp_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
                            .sxdp_ifindex = ifindex,
                            .sxdp_queue_id = queue};
  if (bind(k->fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
    return -errno;
  *ret = take(k);
  return 0;
}

static void unmap(struct xskring *r) {
  if (r->map)
    munmap(r->map, r->map_bytes);
}

struct xsk *xsk_free(struct xsk *k) {
  if (!k)
    return NULL;
  unmap(&k->in);
  unmap(&k->out);
  unmap(&k->fill);
  unmap(&k->done);
  if (k->fd >= 0)
    close(k->fd);
  if (k->frames)
    munmap(k->frames, (size_t)FRAMES * XSK_FRAME_BYTES);
  free(k);
  return NULL;
}
