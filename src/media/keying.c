/* SPDX-License-Identifier: Apache-2.0
 * Keys of a leg by DTLS (RFC 5763, 5764): the glue between sessions and the handshake thread, for
 * native legs over ICE's pair, for trunk legs over the addresses of the SDP. See session.h. */
#include "media/path.h"

enum drop keying_put(struct session *s, const struct remote *r, const uint8_t *p, size_t n) {
  struct handshake_message m = {
      .assoc = r->assoc, .session = s->handle, .type = HANDSHAKE_DATAGRAM, .n = (uint32_t)n};
  m.is_wary = s->w->options->dtls_cookie || s->w->now_us < s->w->wary_until_us;
  if (n > sizeof(m.bytes))
    return DROP_TOO_LONG;
  memcpy(m.bytes, p, n);
  return handshake_put(s->w->handshake, &m) ? DROP_NONE : DROP_QUEUE_FULL;
}

void keying_end(struct session *s, struct remote *r) {
  struct handshake_message m = {.assoc = r->assoc, .session = s->handle, .type = HANDSHAKE_END};
  if (r->assoc && !handshake_put(s->w->handshake, &m))
    worker_drop(s->w, DROP_QUEUE_FULL);
  r->assoc = 0;
}

void keying_begin(struct session *s, struct remote *r) {
  struct handshake_message m = {.session = s->handle, .type = HANDSHAKE_BEGIN};
  if (r->dtls != MSET_DTLS_NONE || (r->is_client && !r->has_pair))
    return;
  m.assoc = r->assoc = ++s->w->last_assoc;
  m.begin.role = r->is_client ? DTLS_CLIENT : DTLS_SERVER;
  m.begin.cert = atomic_load(&s->w->cert);
  m.begin.fingerprint = r->fingerprint;
  r->dtls = MSET_DTLS_CONNECTING;
  if (!handshake_put(s->w->handshake, &m)) {
    worker_drop(s->w, DROP_QUEUE_FULL);
    r->dtls = MSET_DTLS_FAILED;
  }
  assoc_tell(s, r);
}

/* Trunk legs --------------------------------------------------------------------------------------- */
static bool has_address(const struct addr *a) {
  return addr_family(a) != AF_UNSPEC && addr_port(a) != 0 && !addr_is_any(a);
}

/* Without ICE the pair is that of the descriptions; with it that is what was selected. */
int keying_set_remote(struct session *s, struct remote *r, const struct mset_remote *m) {
  if (has_address(&m->rtp) && !path_has(s, r)) {
    r->pair = (struct ice_pair){s->rtp.local, m->rtp};
    r->has_pair = true;
  }
  if (r->dtls == MSET_DTLS_NONE) { /* new, or another fingerprint: another association */
    keying_end(s, r);
    r->is_client = m->dtls_active != 0;
    keying_begin(s, r);
  }
  if (!s->latest || !session_target(s))
    s->latest = r->number;
  return session_reseal(s, session_target(s));
}

/* Whose handshake: who the description names, from any port (a NAT may change it), with ICE who passed
 * a check. Strangers get no answer: what they send goes to no association. */
static struct remote *from_peer(struct session *s, const struct packet *p) {
  const struct addr *from = &p->from;
  struct remote *found = NULL;
  for (unsigned i = 0; i < s->n_remotes; i++) {
    struct remote *r = &s->remotes[i];
    if (!r->number || r->security != MSET_DTLS || !r->assoc)
      continue;
    if (path_has(s, r)) {
      if (path_is_verified(s, r, p))
        return r;
      continue;
    }
    if (addr_eq(&r->pair.remote, from) || addr_eq(&r->rtp, from))
      return r;
    if (!found && (addr_eq_ip(&r->rtp, from) || remote_is_source(r, from)))
      found = r;
  }
  return found;
}

enum drop keying_input(struct session *s, const struct packet *p) {
  struct remote *r = from_peer(s, p);
  if (!r) {
    s->rx.wrong_source++;
    s->odd.stranger = p->from;
    return DROP_DTLS_STRANGER;
  }
  if (path_has(s, r))
    path_meet(s, r, p);
  else if (r->dtls != MSET_DTLS_UP)
    r->pair.remote = p->from;
  return keying_put(s, r, p->bytes, p->n);
}

/* Results of the handshake thread ------------------------------------------------------------------ */
static void on_up(struct session *s, struct remote *r, struct handshake_message *m) {
  int error = remote_set_keys(r, &m->keys.send, &m->keys.receive);
  r->dtls = error ? MSET_DTLS_FAILED : MSET_DTLS_UP;
  if (!error) {
    s->latest = r->number;
    if (session_reseal(s, session_target(s)) < 0)
      worker_drop(s->w, DROP_CRYPTO);
  }
  assoc_tell(s, r);
}

static void send_out(struct session *s, const struct remote *r, const struct handshake_message *m) {
  const struct port *port = s->kind == MSET_NATIVE_LEG ? assoc_port(s->w, &r->pair.local) : &s->rtp;
  uint8_t *slot = io_slot(s->w->io);
  memcpy(slot, m->bytes, m->n);
  if (s->path)
    path_send(s, r, &s->rtp, &r->pair.remote, slot, m->n);
  else if (port)
    io_send(s->w->io, port, &r->pair.remote, m->n, s->handle);
}

static void on_result(struct session *s, struct remote *r, struct handshake_message *m) {
  if (m->type == HANDSHAKE_UP) {
    on_up(s, r, m);
  } else if (m->type == HANDSHAKE_FAILED) {
    r->dtls = MSET_DTLS_FAILED;
    assoc_tell(s, r);
  } else if (m->type == HANDSHAKE_MISFIT) {
    s->odd.is_misfit = true;
  } else if (m->type == HANDSHAKE_DATAGRAM && r->has_pair && m->n <= IO_DATAGRAM_MAX) {
    send_out(s, r, m);
  }
}

void keying_results(struct worker *w) {
  struct handshake_message m;
  while (handshake_get(w->handshake, &m)) {
    struct session *s = pool_get(w->sessions, m.session);
    for (unsigned i = 0; s && i < s->n_remotes; i++)
      if (s->remotes[i].number && s->remotes[i].assoc == m.assoc) {
        on_result(s, &s->remotes[i], &m);
        break;
      }
    if (m.type == HANDSHAKE_UP)
      explicit_bzero(&m, sizeof(m));
  }
}
