/* SPDX-License-Identifier: Apache-2.0
 * Listening posts of legs to which nothing comes: see stray.h. */
#include "media/stray.h"

#include "media/session.h"
#include "media/trunkport.h"

static struct stray *stray_of(struct worker *w, uint64_t handle) {
  for (unsigned i = 0; i < STRAYS_MAX; i++)
    if (w->strays[i].session == handle)
      return &w->strays[i];
  return NULL;
}

void stray_init(struct worker *w) {
  for (unsigned i = 0; i < STRAYS_MAX; i++)
    for (unsigned k = 0; k < STRAY_PORTS; k++)
      w->strays[i].ports[k].fd = -1;
}

/* A port that somebody has is left to him. */
static void bind_at(struct session *s, struct port *p, int number) {
  struct addr local = s->rtp.local;
  struct port_options o = {.receive_bytes = 0};
  if (number < 1024 || number > 65535)
    return;
  addr_set_port(&local, (uint16_t)number);
  if (port_open(p, &local, &s->rtp.shown, &o) < 0)
    return;
  p->kind = PORT_STRAY;
  p->owner = s;
  if (io_add(s->w->io, p) < 0)
    port_close(p);
}

void stray_open(struct session *s) {
  static const int beside[STRAY_PORTS] = {2, 1, -2};
  struct worker *w = s->w;
  if (s->kind != MSET_TRUNK_LEG || s->is_shared || s->path || s->rtp.fd < 0 || s->has_strays)
    return;
  struct stray *y = stray_of(w, 0);
  if (!y)
    return;
  s->has_strays = true; /* once: its ports may be asked for by others */
  y->session = s->handle;
  y->until_us = w->now_us + STRAY_US;
  for (unsigned i = 0; i < STRAY_PORTS; i++)
    bind_at(s, &y->ports[i], addr_port(&s->rtp.local) + beside[i]);
}

void stray_close(struct session *s) {
  struct stray *y = s->has_strays ? stray_of(s->w, s->handle) : NULL;
  for (unsigned i = 0; y && i < STRAY_PORTS; i++) {
    trunkport_close(s->w, &y->ports[i]);
    y->ports[i].owner = NULL;
  }
  if (y)
    y->session = 0;
}

void stray_tick(struct session *s) {
  struct stray *y = s->has_strays ? stray_of(s->w, s->handle) : NULL;
  if (y && y->until_us <= s->w->now_us)
    stray_close(s);
}

static bool is_peers(const struct session *s, const struct packet *p) {
  for (unsigned i = 0; i < s->n_remotes; i++) {
    const struct remote *r = &s->remotes[i];
    if (r->number && (addr_eq_ip(&r->rtp, &p->from) || remote_is_source(r, &p->from)))
      return true;
  }
  return false;
}

void stray_count(struct session *s, const struct packet *p) {
  if (p->port->kind == PORT_STRAY && !is_peers(s, p))
    return;
  s->odd.wrong_port++;
  s->odd.stray_port = addr_port(&p->port->shown);
}
