/* SPDX-License-Identifier: Apache-2.0
 * Which packets' headers are told, and how they are cut: see capture.h. The header is never encrypted
 * (RFC 3711), so it is taken from the buffer whether the packet was opened there or not. */
#include "media/capture.h"

#include "media/session.h"

enum {
  RTP_BYTES = 12,
  EXTENSION_BYTES = 4,
  RTCP_BYTES = 8, /* what SRTCP leaves in the clear */
  DUE_SHARE = 4,
};

static void drops_renew(struct capture *c) { memset(c->drops, CAPTURE_DROPS, sizeof(c->drops)); }

int capture_open(struct session *s) {
  if (s->capture)
    return 0;
  struct capture *c = calloc(1, sizeof(*c));
  if (!c)
    return -ENOMEM;
  c->left = CAPTURE_MAX;
  for (unsigned i = 0; i < 4; i++)
    c->ways[i / 2][i % 2].left = CAPTURE_FIRST;
  drops_renew(c);
  s->capture = c;
  return 0;
}

void capture_close(struct session *s) {
  free(s->capture);
  s->capture = NULL;
}

int capture_ask(struct session *s, const struct mset_capture *m) {
  int error = capture_open(s);
  if (error)
    return error;
  s->capture->asked = m->packets;
  s->capture->until_us = m->ms ? s->w->now_us + m->ms * UINT64_C(1000) : 0;
  return 0;
}

void capture_renew(struct session *s) {
  struct capture *c = s->capture;
  if (!c)
    return;
  for (unsigned i = 0; i < 4; i++)
    if (c->ways[i / 2][i % 2].left < CAPTURE_AFTER)
      c->ways[i / 2][i % 2].left = CAPTURE_AFTER;
  drops_renew(c);
}

/* How much of it is header; 0: it is none of ours. */
static size_t header_bytes(const struct capture_packet *p) {
  if (p->is_rtcp)
    return p->bytes < RTCP_BYTES ? 0 : RTCP_BYTES;
  size_t n = RTP_BYTES + (p->p[0] & 15u) * 4;
  if (p->bytes < n)
    return p->bytes < RTP_BYTES ? 0 : RTP_BYTES;
  if (p->p[0] & 0x10 && p->bytes >= n + EXTENSION_BYTES)
    n += EXTENSION_BYTES + 4 * (size_t)(p->p[n + 2] << 8 | p->p[n + 3]);
  n = n < p->bytes ? n : p->bytes;
  return n < MSET_HEADER_BYTES ? n : MSET_HEADER_BYTES;
}

static uint32_t ssrc_of(const struct capture_packet *p) {
  const uint8_t *q = p->p + (p->is_rtcp ? 4 : 8);
  return (uint32_t)q[0] << 24 | (uint32_t)q[1] << 16 | (uint32_t)q[2] << 8 | q[3];
}

/* What a packet that verified tells anew; strangers change nothing. */
static void note_change(struct capture_way *w, const struct capture_packet *p) {
  uint32_t ssrc = ssrc_of(p);
  uint8_t pt = p->is_rtcp ? 0 : p->p[1] & 127;
  if (w->ssrc == ssrc && w->pt == pt && addr_eq(&w->peer, p->peer))
    return;
  bool is_first = addr_family(&w->peer) == AF_UNSPEC;
  w->ssrc = ssrc;
  w->pt = pt;
  w->peer = *p->peer;
  if (!is_first && w->left < CAPTURE_AFTER)
    w->left = CAPTURE_AFTER;
}

static bool is_wanted(struct capture *c, const struct capture_packet *p, uint64_t now_us) {
  struct capture_way *w = &c->ways[p->is_out][p->is_rtcp];
  uint8_t *left = p->drop ? &c->drops[p->drop] : &w->left;
  if (!p->drop)
    note_change(w, p);
  if (c->until_us > now_us && c->asked) {
    c->asked--;
    return true;
  }
  if (!*left || !c->left)
    return false;
  --*left;
  c->left--;
  return true;
}

void capture_take(struct session *s, const struct capture_packet *p) {
  struct worker *w = s->w;
  size_t n = p->bytes >= RTCP_BYTES ? header_bytes(p) : 0;
  if (!n || !is_wanted(s->capture, p, w->now_us))
    return;
  struct mset_header h = {
      .session = s->id,
      .at_us = w->now_us,
      .from = p->is_out ? p->port->shown : *p->peer,
      .to = p->is_out ? *p->peer : p->port->shown,
      .bytes = (uint16_t)p->bytes,
      .n = (uint8_t)n,
      .flags = (uint8_t)((p->is_out ? MSET_HEADER_OUT : 0) | (p->is_rtcp ? MSET_HEADER_RTCP : 0)),
      .drop = (uint8_t)p->drop};
  memcpy(h.header, p->p, n);
  if (!ring_put(&w->headers, &h))
    atomic_fetch_add_explicit(&w->lost_headers, 1, memory_order_relaxed);
  else if (capture_is_due(w))
    w->has_told = true;
}

/* Control thread --------------------------------------------------------------------------------- */
bool capture_is_due(struct worker *w) {
  size_t used = atomic_load_explicit(&w->headers.tail, memory_order_relaxed) -
                atomic_load_explicit(&w->headers.head, memory_order_relaxed);
  return used >= WORKER_HEADERS / DUE_SHARE;
}

bool capture_batch(struct worker *w, struct mset_headers *ret) {
  memset(ret, 0, sizeof(*ret));
  ret->h = (struct mset_head){.bytes = sizeof(*ret), .type = MSET_HEADERS};
  ret->lost = (uint32_t)atomic_load_explicit(&w->lost_headers, memory_order_relaxed);
  while (ret->n < MSET_HEADERS_MAX && ring_get(&w->headers, &ret->header[ret->n]))
    ret->n++;
  return ret->n > 0;
}

void capture_send(struct worker *w, int fd) {
  struct mset_headers u;
  while (capture_batch(w, &u))
    if (fd < 0 || send(fd, &u, sizeof(u), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
      atomic_fetch_add_explicit(&w->lost_headers, u.n, memory_order_relaxed);
}
