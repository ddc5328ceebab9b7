/* SPDX-License-Identifier: Apache-2.0
 * What a session sends: to whom, from which socket, sealed by its own stream. See session.h. */
#include "media/session.h"

#include "base/rand.h"
#include "media/capture.h"
#include "media/path.h"

enum { PAYLOAD_MAX = IO_DATAGRAM_MAX - 200 };

static struct remote *with_keys(struct session *s, uint8_t number) {
  struct remote *r = session_remote(s, number);
  return r && r->has_tx ? r : NULL;
}

/* The selected one; before SELECT whose audio began last, else whose description came last. A
 * native leg's new association takes over when it is up, not when it is described. */
struct remote *session_target(struct session *s) {
  struct remote *r = with_keys(s, s->selected);
  if (!r && s->kind == MSET_TRUNK_LEG)
    r = with_keys(s, s->feeding);
  if (!r)
    r = with_keys(s, s->latest);
  for (uint8_t i = 1; !r && i <= s->n_remotes; i++)
    r = with_keys(s, i);
  return r;
}

/* A rekey may have begun a new stream. */
static void follow_sealer(struct session *s) {
  if (sealer_ssrc(s->sealer) == s->ssrc)
    return;
  s->ssrc = sealer_ssrc(s->sealer);
  sink_restart(&s->sink, sealer_next_index(s->sealer));
}

const struct remote *session_expected(struct session *s) {
  const struct remote *r = session_target(s);
  for (unsigned i = 0; !r && i < s->n_remotes; i++)
    r = s->remotes[i].number ? &s->remotes[i] : NULL;
  return r;
}

int session_reseal(struct session *s, struct remote *r) {
  int error;
  if (!r)
    return 0;
  if (s->sealer) {
    error = sealer_rekey(s->sealer, &r->tx);
    follow_sealer(s);
  } else {
    error = sealer_new(&s->sealer, &r->tx, s->ssrc);
    if (!error)
      sink_init(&s->sink, sealer_next_index(s->sealer), rand_u32());
  }
  if (error)
    return error;
  const struct mset_codec *codec = remote_audio(r);
  if (codec)
    sink_set_clock(&s->sink, codec->clock_hz);
  s->sealed_for = r->number;
  return 0;
}

/* From which socket to which address; false: nowhere yet. */
static bool route(struct session *s, const struct remote *r, bool is_rtcp, const struct port **ret_port,
                  struct addr *ret) {
  if (s->kind == MSET_NATIVE_LEG) {
    *ret_port = r->has_pair ? assoc_port(s->w, &r->pair.local) : NULL;
    *ret = r->pair.remote;
    return *ret_port && (!is_rtcp || !r->rtcp_off);
  }
  *ret_port = is_rtcp && !r->rtcp_mux && s->rtcp.fd >= 0 ? &s->rtcp : &s->rtp;
  return remote_target(r, is_rtcp, s->w->now_us, ret) && addr_family(ret) == s->family;
}

static enum drop may_reach(struct session *s, struct remote *r) {
  if (!r || !s->sealer)
    return DROP_NO_KEYS;
  if (s->ice && !ice_may_send(s->ice))
    return DROP_NO_CONSENT;
  if (s->path && !path_may_send(s, r))
    return DROP_NO_CONSENT;
  if (s->sealed_for != r->number && session_reseal(s, r) < 0)
    return DROP_CRYPTO;
  return DROP_NONE;
}

static void put(struct session *s, const struct remote *r, const struct port *port,
                const struct addr *to, uint8_t *slot, size_t n, bool is_rtcp) {
  if (s->capture)
    capture_take(s, &(struct capture_packet){to, port, slot, n, true, is_rtcp, DROP_NONE});
  if (s->path)
    path_send(s, r, port, to, slot, n);
  else
    io_send(s->w->io, port, to, n, s->handle);
}

enum drop session_may_send(struct session *s, struct remote *r) {
  const struct port *port;
  struct addr to;
  enum drop d = may_reach(s, r);
  if (d)
    return d;
  if (!r->may_send)
    return DROP_DIRECTION;
  return route(s, r, false, &port, &to) ? DROP_NONE : DROP_NO_PEER;
}

enum drop session_send(struct session *s, struct remote *r, const struct out *o) {
  const struct port *port;
  struct addr to;
  if (o->n > PAYLOAD_MAX)
    return DROP_TOO_LONG;
  if (!route(s, r, false, &port, &to))
    return DROP_NO_PEER;
  uint8_t *p = io_slot(s->w->io);
  size_t n = rtp_put(p, o->pt, o->marker, (uint16_t)o->index, o->ts, s->ssrc);
  memcpy(p + n, o->payload, o->n);
  n += o->n;
  enum drop d = seal_rtp(s->sealer, p, &n, IO_PACKET_BYTES);
  if (d)
    return d;
  put(s, r, port, &to, p, n, false);
  s->tx.packets++;
  s->tx.bytes += o->n;
  if (o->is_event)
    s->report.events_us = s->w->now_us;
  return DROP_NONE;
}

void session_send_report(struct session *s, bool bye) {
  struct remote *r = session_target(s);
  const struct port *port;
  struct addr to;
  uint64_t now_us = s->w->now_us;
  if (may_reach(s, r) || !route(s, r, true, &port, &to)) {
    s->report.next_us = now_us + REPORT_FIRST_US;
    return;
  }
  struct rtcpxr_voip voip;
  struct report_ours ours = {s->ssrc,     sink_ts(&s->sink, now_us), s->tx.packets,
                             s->tx.bytes, slice_of(s->cname),        r->rtcp_xr ? &voip : NULL};
  if (r->rtcp_xr)
    session_metrics(s, &voip);
  uint8_t *p = io_slot(s->w->io);
  size_t n = report_put(&s->report, &ours, s->strms, s->n_strms, bye, now_us, p, IO_PACKET_BYTES);
  enum drop d = n ? seal_rtcp(s->sealer, p, &n, IO_PACKET_BYTES) : DROP_INTERNAL;
  if (d)
    worker_drop(s->w, d);
  else
    put(s, r, port, &to, p, n, true);
}

void session_refused(struct worker *w, uint64_t owner, const struct addr *to, int error) {
  struct session *s = pool_get(w->sessions, owner);
  worker_drop(w, DROP_SEND);
  if (!s)
    return;
  s->tx.dropped++;
  if (error != ENETUNREACH && error != EHOSTUNREACH && error != EINVAL && error != EADDRNOTAVAIL)
    return;
  for (unsigned i = 0; i < s->n_remotes; i++)
    if (s->remotes[i].number && addr_eq(&s->remotes[i].rtp, to))
      s->remotes[i].is_unroutable = true;
}
