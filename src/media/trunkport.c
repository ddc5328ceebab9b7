/* SPDX-License-Identifier: Apache-2.0
 * Ports toward trunks: see trunkport.h. */
#include "media/trunkport.h"

static const struct media_addr *address_of(const struct worker *w, uint32_t family) {
  for (uint32_t i = 0; i < w->options->n_addresses; i++)
    if (addr_family(&w->options->addresses[i].bind) == (int)family &&
        !w->options->addresses[i].not_trunks)
      return &w->options->addresses[i];
  return NULL;
}

static int bind_one(struct worker *w, const struct trunkport *t, struct port *p,
                    const struct media_addr *a, uint32_t number) {
  struct addr local = a->bind;
  addr_set_port(&local, (uint16_t)number);
  struct port_options o = {w->options->dscp, t->receive_bytes, t->is_stamped};
  int error = port_open(p, &local, &a->shown, &o);
  if (error)
    return error;
  p->kind = p == t->rtp ? PORT_RTP : PORT_RTCP;
  p->owner = t->owner;
  error = io_add(w->io, p);
  if (error)
    port_close(p);
  return error;
}

void trunkport_close(struct worker *w, struct port *p) {
  if (p->fd < 0)
    return;
  io_del(w->io, p);
  port_close(p);
}

static int bind_pair(struct worker *w, const struct trunkport *t, const struct media_addr *a,
                     uint32_t number) {
  int error = bind_one(w, t, t->rtp, a, number);
  if (!error && t->rtcp) {
    error = bind_one(w, t, t->rtcp, a, number + 1);
    if (error)
      trunkport_close(w, t->rtp);
  }
  return error;
}

/* Even ports, those of this worker only (so that workers never race), going round: a port that was
 * given back rests as long as possible. */
int trunkport_open(struct worker *w, const struct trunkport *t) {
  const struct media_addr *a = address_of(w, t->family);
  const struct media_options *o = w->options;
  uint32_t first = (o->trunk_port_min + 1) & ~1u, pairs = (o->trunk_port_max + 1 - first) / 2;
  uint32_t mine = pairs / w->n_workers;
  if (!a)
    return -EAFNOSUPPORT;
  for (uint32_t i = 0; i < mine; i++) {
    uint32_t at = w->next_port++ % mine;
    int error = bind_pair(w, t, a, first + 2 * (at * w->n_workers + w->index));
    if (error != -EADDRINUSE)
      return error;
  }
  return -EMFILE;
}
