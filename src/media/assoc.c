/* SPDX-License-Identifier: Apache-2.0
 * Native legs: the shared port's demultiplexer, ICE, consent, and the glue to DTLS on the handshake
 * thread. A 5-tuple belongs to a session only after a verified Binding request; from anybody else
 * nothing is kept and nobody is answered (but verified requests). See session.h. */
#include "media/path.h"

#include "wire/classify.h"
#include "wire/stun.h"

enum { KEY_BYTES = sizeof(struct addr) + 1, ASSOC_WARY_US = 10000000 };

/* 5-tuples ---------------------------------------------------------------------------------------- */
static struct slice tuple_key(uint8_t buf[KEY_BYTES], const struct worker *w, const struct port *port,
                              const struct addr *from) {
  buf[0] = (uint8_t)(port - w->native);
  memcpy(buf + 1, from, sizeof(*from));
  return slice_from(buf, KEY_BYTES);
}

const struct port *assoc_port(const struct worker *w, const struct addr *local) {
  for (uint32_t i = 0; i < w->options->n_addresses; i++)
    if (addr_eq(&w->native[i].local, local))
      return &w->native[i];
  return NULL;
}

static struct tuple *tuple_of(const struct worker *w, const struct port *port, const struct addr *from) {
  uint8_t key[KEY_BYTES];
  return port ? map_get(w->by_tuple, tuple_key(key, w, port, from)) : NULL;
}

static void tuple_release(struct worker *w, struct tuple *t) {
  uint8_t key[KEY_BYTES];
  if (!t)
    return;
  (void)map_del(w->by_tuple, tuple_key(key, w, assoc_port(w, &t->pair.local), &t->pair.remote));
  list_del(&t->node);
  free(t);
}

static enum drop tuple_claim(struct session *s, const struct packet *p, struct slice ufrag) {
  struct worker *w = s->w;
  uint8_t key[KEY_BYTES];
  struct tuple *t = tuple_of(w, p->port, &p->from);
  if (t && t->session != s->handle) { /* the address changed hands, as the newer request proves */
    tuple_release(w, t);
    t = NULL;
  }
  if (!t) {
    t = calloc(1, sizeof(*t));
    if (!t || map_put(w->by_tuple, tuple_key(key, w, p->port, &p->from), t) < 0) {
      free(t);
      return DROP_ICE_PAIRS;
    }
    t->session = s->handle;
    t->pair = (struct ice_pair){p->port->local, p->from};
    list_add_tail(&s->tuples, &t->node);
  }
  (void)!slice_copy(t->ufrag, sizeof(t->ufrag), ufrag);
  return DROP_NONE;
}

/* The remote that a 5-tuple is of: by the generation of credentials that it was verified with. */
static struct remote *tuple_remote(struct session *s, const struct tuple *t) {
  for (unsigned i = 0; t && i < s->n_remotes; i++)
    if (s->remotes[i].number && strcmp(s->remotes[i].ufrag, t->ufrag) == 0)
      return &s->remotes[i];
  return NULL;
}

/* Credentials ------------------------------------------------------------------------------------- */
static void ufrag_put(struct session *s, char to[16], const char *ufrag) {
  if (strcmp(to, ufrag) == 0)
    return;
  if (to[0])
    (void)map_del(s->w->by_ufrag, slice_of(to));
  (void)!slice_copy(to, 16, slice_of(ufrag));
  if (to[0] && map_put(s->w->by_ufrag, slice_of(to), s) < 0)
    to[0] = 0;
}

/* What the demultiplexer knows of our ufrags follows the agent's generations. */
static void sync_ufrags(struct session *s) {
  struct ice_cred now, old;
  ice_cred(s->ice, &now);
  if (!ice_old_cred(s->ice, &old))
    old.ufrag[0] = 0;
  if (strcmp(s->ufrags[0], old.ufrag) != 0 && strcmp(s->ufrags[0], now.ufrag) != 0)
    ufrag_put(s, s->ufrags[0], "");
  if (strcmp(s->ufrags[1], old.ufrag) != 0 && strcmp(s->ufrags[1], now.ufrag) != 0)
    ufrag_put(s, s->ufrags[1], "");
  unsigned at =
      strcmp(s->ufrags[1], now.ufrag) == 0 || (!s->ufrags[1][0] && strcmp(s->ufrags[0], now.ufrag) != 0);
  ufrag_put(s, s->ufrags[at], now.ufrag);
  explicit_bzero(&now, sizeof(now));
  explicit_bzero(&old, sizeof(old));
}

int assoc_open(struct session *s) {
  int error = ice_new(&s->ice);
  if (error)
    return error;
  sync_ufrags(s);
  return s->ufrags[0][0] || s->ufrags[1][0] ? 0 : -ENOSPC;
}

void assoc_restart(struct session *s) {
  ice_restart(s->ice);
  sync_ufrags(s);
}

/* Telling ----------------------------------------------------------------------------------------- */
static uint32_t ice_now(const struct session *s) {
  if (!s->ice)
    return s->path ? path_state(s) : MSET_ICE_NONE;
  switch (ice_state(s->ice)) {
  case ICE_STATE_CONNECTED:
    return MSET_ICE_CONNECTED;
  case ICE_STATE_LOST:
  case ICE_STATE_FAILED:
    return MSET_ICE_LOST;
  case ICE_STATE_CHECKING:
  default:
    return MSET_ICE_CHECKING;
  }
}

void assoc_tell(struct session *s, const struct remote *r) {
  const struct ice_pair *pair = s->ice ? ice_selected(s->ice) : s->path ? path_selected(s) : NULL;
  const struct port *port = !pair ? NULL : s->path ? &s->rtp : assoc_port(s->w, &pair->local);
  union up m = {.state = {.h = {.bytes = sizeof(m.state), .type = MSET_STATE, .session = s->id},
                          .ice = ice_now(s),
                          .dtls = r ? r->dtls : MSET_DTLS_NONE,
                          .suite = r ? r->suite : SUITE_NONE,
                          .assoc = r ? r->number : 0}};
  if (port) {
    m.state.local = port->shown;
    m.state.remote = pair->remote;
  }
  s->told_ice = (uint8_t)m.state.ice;
  worker_tell(s->w, &m, false);
}

static struct remote *newest(struct session *s) {
  struct remote *r = session_remote(s, s->latest);
  return r ? r : session_target(s);
}

/* DTLS -------------------------------------------------------------------------------------------- */
static enum drop keep_early(struct session *s, const struct packet *p) {
  if (p->n > HANDSHAKE_DATAGRAM_MAX)
    return DROP_TOO_LONG;
  if (!s->early) {
    s->early = calloc(1, sizeof(*s->early));
    if (!s->early)
      return DROP_DTLS_EARLY;
    s->early->pair = (struct ice_pair){p->port->local, p->from};
  }
  struct early *e = s->early;
  if (e->n == SESSION_EARLY_MAX || !addr_eq(&e->pair.remote, &p->from))
    return DROP_DTLS_EARLY;
  memcpy(e->datagram[e->n], p->bytes, p->n);
  e->bytes[e->n++] = p->n;
  return DROP_NONE;
}

static void take_early(struct session *s, struct remote *r) {
  struct early *e = s->early;
  if (!e || !r->assoc || r->is_client ||
      tuple_remote(s, tuple_of(s->w, assoc_port(s->w, &e->pair.local), &e->pair.remote)) != r)
    return;
  if (!r->has_pair) {
    r->pair = e->pair;
    r->has_pair = true;
  }
  for (unsigned i = 0; i < e->n; i++) {
    enum drop d = keying_put(s, r, e->datagram[i], e->bytes[i]);
    if (d)
      worker_drop(s->w, d);
  }
  free(e);
  s->early = NULL;
}

static enum drop dtls_datagram(struct session *s, const struct tuple *t, struct packet *p) {
  struct remote *r = tuple_remote(s, t);
  if (!r || !r->assoc)
    return r && r->dtls == MSET_DTLS_FAILED ? DROP_DTLS_FAILED : keep_early(s, p);
  if (!r->has_pair) {
    r->pair = t->pair;
    r->has_pair = true;
  }
  return keying_put(s, r, p->bytes, p->n);
}

/* ICE --------------------------------------------------------------------------------------------- */
static void on_selected(struct session *s) {
  const struct ice_pair *pair = ice_selected(s->ice);
  const struct tuple *t = pair ? tuple_of(s->w, assoc_port(s->w, &pair->local), &pair->remote) : NULL;
  struct remote *r = tuple_remote(s, t);
  if (!r)
    return;
  r->pair = *pair;
  r->has_pair = true;
  if (r->is_client)
    keying_begin(s, r);
}

static void on_events(struct session *s, unsigned events, const struct ice_result *result) {
  if ((events & ICE_EVENT_EVICTED) && result)
    tuple_release(s->w,
                  tuple_of(s->w, assoc_port(s->w, &result->evicted.local), &result->evicted.remote));
  if (events & ICE_EVENT_SELECTED)
    on_selected(s);
  if (events & ICE_EVENT_RESTARTED)
    sync_ufrags(s);
  if ((events & ICE_EVENT_SELECTED) || ice_now(s) != s->told_ice)
    assoc_tell(s, newest(s));
}

static enum drop stun_datagram(struct worker *w, struct packet *p) {
  struct slice ufrag = stunmsg_peek_ufrag(p->bytes, p->n);
  struct session *s = ufrag.n ? map_get(w->by_ufrag, ufrag) : NULL;
  struct ice_pair pair = {p->port->local, p->from};
  struct ice_result result = {0};
  if (!s)
    return DROP_ICE_USER;
  uint8_t *buf = io_slot(w->io);
  enum drop d = ice_input(s->ice, p->bytes, p->n, &pair, w->now_us, buf, IO_PACKET_BYTES, &result);
  if (result.response_bytes)
    io_send(w->io, p->port, &p->from, result.response_bytes, s->handle);
  if (ice_is_verified(s->ice, &pair)) {
    enum drop claimed = d == DROP_NONE || d == DROP_ICE_RATE ? tuple_claim(s, p, ufrag) : DROP_NONE;
    d = d ? d : claimed;
  }
  on_events(s, result.events, &result);
  return d;
}

/* DTLS before ICE, or from nowhere: somebody sprays. Handshakes ask for cookies for a while. */
static enum drop stranger(struct worker *w) {
  w->wary_until_us = w->now_us + ASSOC_WARY_US;
  return DROP_DTLS_STRANGER;
}

enum drop assoc_native_input(struct worker *w, struct packet *p) {
  enum packet_kind kind = packet_classify(p->bytes, p->n);
  if (kind == PACKET_STUN)
    return stun_datagram(w, p);
  if (kind != PACKET_DTLS && kind != PACKET_RTP && kind != PACKET_RTCP)
    return DROP_NOT_FOR_US;
  struct tuple *t = tuple_of(w, p->port, &p->from);
  struct session *s = t ? pool_get(w->sessions, t->session) : NULL;
  if (!s)
    return kind == PACKET_DTLS ? stranger(w) : DROP_NO_SESSION;
  return kind == PACKET_DTLS ? dtls_datagram(s, t, p) : session_input(s, p, tuple_remote(s, t));
}

void assoc_heard(struct session *s, const struct packet *p) {
  struct ice_pair pair = {p->port->local, p->from};
  on_events(s, ice_heard(s->ice, &pair, s->w->now_us), NULL);
}

void assoc_tick(struct session *s) {
  if (ice_next_us(s->ice) <= s->w->now_us)
    on_events(s, ice_tick(s->ice, s->w->now_us), NULL);
}

/* Remotes ------------------------------------------------------------------------------------------ */
static uint64_t hash_text(const char *text) {
  uint64_t h = 14695981039346656037u;
  while (*text)
    h = (h ^ (uint8_t)*text++) * 1099511628211u;
  return h;
}

static void deny(struct session *s, const struct addr *a) {
  if (ice_deny(s->ice, a) < 0)
    worker_drop(s->w, DROP_ICE_DENIED);
  LIST_EACH_SAFE(&s->tuples, node) {
    struct tuple *t = CONTAINER_OF(node, struct tuple, node);
    if (addr_eq_ip(&t->pair.remote, a))
      tuple_release(s->w, t);
  }
}

static void set_ufrags(struct session *s, struct remote *r, const char *peer_ufrag) {
  struct ice_cred now;
  uint64_t hash = hash_text(peer_ufrag);
  if (hash == r->peer_ufrag && r->ufrag[0])
    return;
  ice_cred(s->ice, &now);
  ice_set_remote_ufrag(s->ice, peer_ufrag);
  memcpy(r->ufrag, now.ufrag, sizeof(r->ufrag));
  r->peer_ufrag = hash;
  explicit_bzero(&now, sizeof(now));
}

int assoc_set_remote(struct session *s, struct remote *r, const struct mset_remote *m) {
  set_ufrags(s, r, m->ufrag);
  for (uint32_t i = 0; i < m->n_deny; i++)
    deny(s, &m->deny[i]);
  if (r->dtls == MSET_DTLS_NONE) { /* new, or another fingerprint: another association */
    keying_end(s, r);
    r->is_client = m->dtls_active != 0;
    on_selected(s);
    keying_begin(s, r);
    take_early(s, r);
  }
  if (!s->latest)
    s->latest = r->number;
  return 0;
}

void assoc_close(struct session *s) {
  if (!s->ice)
    return;
  LIST_EACH_SAFE(&s->tuples, node)
    tuple_release(s->w, CONTAINER_OF(node, struct tuple, node));
  for (unsigned i = 0; i < 2; i++)
    ufrag_put(s, s->ufrags[i], "");
  free(s->early);
  s->early = NULL;
  s->ice = ice_free(s->ice);
}
