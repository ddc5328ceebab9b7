/* SPDX-License-Identifier: Apache-2.0
 * What the AF_XDP backend has in common for all workers: the XDP program on one interface, its map of
 * our ports, the sockets of the queues (queue q is of worker q % workers), the next hops. Made before
 * the jail: later the map is written as memory, without a call. The program ends with the process. */
#pragma once
#include "media/neigh.h"
#include "media/xsk.h"

enum { XDP_QUEUES_MAX = 16, XDP_ADDRESSES_MAX = 4 };

struct xdp_options {
  const char *interface;
  struct addr addresses[XDP_ADDRESSES_MAX]; /* ours */
  unsigned n_addresses;
  uint32_t workers;
  uint8_t dscp;
};

struct xdp {
  struct xdp_options options;
  unsigned ifindex;
  uint8_t mac[6]; /* the interface's, as it was at start */
  uint32_t n_queues;
  struct xsk *queues[XDP_QUEUES_MAX];
  uint8_t (*ports)[8]; /* by UDP port in network order: for each of our addresses worker + 1, or 0 */
  int ports_fd, queues_fd, program_fd, link_fd;
  struct neigh *neigh;
};

/* 0 or -errno; *ret_text says what the machine refused. */
int xdp_new(struct xdp **ret, const struct xdp_options *o, const char **ret_text) must_check;
struct xdp *xdp_free(struct xdp *x);
OWN_DEFINE(xdp)
/* Which of our addresses it is; XDP_ADDRESSES_MAX: none. */
unsigned xdp_address(const struct xdp *x, const struct addr *a);
/* From now on datagrams for this port come by the worker's sockets (owner: worker + 1), or not (0). */
void xdp_set_port(struct xdp *x, unsigned address, uint16_t port, uint8_t owner);

/* Where o->backend is af_xdp: makes o->xdp. Where it cannot be, that is logged and the backend is auto:
 * calls matter more than how fast they are. */
struct media_options;
void xdp_choose(struct media_options *o, struct loop *l);
