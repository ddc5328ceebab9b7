/* SPDX-License-Identifier: Apache-2.0
 * The sink to a listener: see tap.h. */
#include "media/tap.h"

#include "media/bridge.h"
#include "media/session.h"

enum { PAYLOAD_MAX = 2048 };

static struct session *listener_of(const struct link *l) {
  const struct tap *t = CONTAINER_OF(l, struct tap, link);
  return pool_get(l->from->w->sessions, t->listener);
}

/* A copy: the bridge may change what it is given, and others come after us. */
static enum drop tap_audio(struct link *l, const struct heard *h, struct packet *p) {
  struct session *to = listener_of(l);
  uint8_t payload[PAYLOAD_MAX];
  struct bridged b = bridged_audio(h);
  (void)p;
  if (!to)
    return DROP_NO_SESSION;
  if (b.n > sizeof(payload))
    return DROP_TOO_LONG;
  memcpy(payload, h->rtp.payload, b.n);
  return bridge_take(to, &b, payload);
}

static void tap_skip(struct link *l, const struct heard *h) {
  struct session *to = listener_of(l);
  struct bridged b = bridged_skip(h);
  if (to)
    (void)!bridge_take(to, &b, NULL);
}

/* Keys that are pressed are not for listeners. */
static enum drop tap_event(struct link *l, const struct heard *h, const struct telev *t,
                           const struct event_told *told) {
  (void)t, (void)told;
  tap_skip(l, h);
  return DROP_NONE;
}

static void tap_end(struct link *l) {
  struct tap *t = CONTAINER_OF(l, struct tap, link);
  struct session *to = listener_of(l);
  if (to && to->tapped == l->from->handle)
    to->tapped = 0;
  t->listener = 0;
}

static const struct link_ops tap_ops = {
    .name = "tap", .audio = tap_audio, .event = tap_event, .skip = tap_skip, .close = tap_end};

int tap_open(struct session *s, struct session *listener) {
  if (listener == s)
    return -EXDEV;
  if (session_peer(listener) || listener->far ||
      (listener->tapped != s->handle && pool_get(s->w->sessions, listener->tapped)))
    return -EISCONN;
  link_remove(&s->tap.link);
  s->tap.listener = listener->handle;
  listener->tapped = s->handle;
  link_add(&s->tap.link, &tap_ops, s);
  return 0;
}

void tap_close(struct session *s) { link_remove(&s->tap.link); }
