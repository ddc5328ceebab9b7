/* SPDX-License-Identifier: Apache-2.0
 * One AF_XDP socket in copy mode: its memory, its four rings (linux/if_xdp.h). It belongs to one queue
 * of one interface and, once the workers run, to one worker. */
#pragma once
#include "base/own.h"
#include "base/slice.h"

enum {
  XSK_FRAMES_IN = 2048, /* powers of two */
  XSK_FRAMES_OUT = 1024,
  XSK_FRAME_BYTES = 2048,
  XSK_IN_MAX = 1700, /* a longer frame is the kernel's: it would not fit behind the headroom */
};

struct xskring {
  uint32_t *producer, *consumer;
  void *entries;
  uint32_t mask, at; /* at: how far we are, as producer or as consumer */
  void *map;
  size_t map_bytes;
};

struct xsk {
  int fd;
  uint8_t *frames;
  struct xskring in, out, fill, done;
  uint32_t n_free; /* frames to send that are free */
  uint64_t free[XSK_FRAMES_OUT];
};

/* Bound to that queue in copy mode, its frames with the kernel: 0 or -errno. Before the jail closes. */
int xsk_new(struct xsk **ret, unsigned ifindex, unsigned queue) must_check;
struct xsk *xsk_free(struct xsk *k);
OWN_DEFINE(xsk)
/* How many frames are there to read. */
uint32_t xsk_ready(const struct xsk *k);
/* The i-th of them. */
uint8_t *xsk_frame(const struct xsk *k, uint32_t i, uint32_t *ret_n);
/* The first n have been read: their memory goes back to the kernel. */
void xsk_release(struct xsk *k, uint32_t n);
/* XSK_FRAME_BYTES for a frame to send, or NULL: all are under way. Fill it, then xsk_put(). */
uint8_t *xsk_slot(struct xsk *k);
void xsk_put(struct xsk *k, uint8_t *slot, size_t n);
/* Sends what was put; 0 or -errno of what the kernel said last. */
int xsk_flush(struct xsk *k);
