/* SPDX-License-Identifier: Apache-2.0
 * Life of a session, its remotes, figures and slow timer: see session.h. */
#include "media/session.h"

#include "base/rand.h"
#include "media/capture.h"
#include "media/path.h"
#include "media/shared.h"
#include "media/trunkport.h"

/* About 300 packets: a burst of strangers does not push a call out. What waits too long is overload's.
 */
enum { CNAME_CHARS = 16, RECEIVE_BYTES = 131072 };

static struct slice key_of(const uint64_t *id) { return slice_from(id, sizeof(*id)); }

struct session *session_find(const struct worker *w, uint64_t id) {
  return map_get(w->by_id, key_of(&id));
}

struct session *session_peer(const struct session *s) {
  return pool_get(s->w->sessions, s->peer);
}

struct remote *session_remote(struct session *s, uint32_t number) {
  struct remote *r = number >= 1 && number <= s->n_remotes ? &s->remotes[number - 1] : NULL;
  return r && r->number ? r : NULL;
}

static int open_ports(struct session *s, const struct mset_open *m) {
  struct trunkport t = {&s->rtp,      s->has_rtcp_port ? &s->rtcp : NULL, m->family, s, RECEIVE_BYTES,
                        s->is_stamped};
  bool is_shared = (m->flags & MSET_OPEN_SHARED) && !(m->flags & MSET_OPEN_ICE);
  return is_shared ? shared_open(s) : trunkport_open(s->w, &t);
}

static void tick_slow(struct session *s);
static void slow_fn(void *arg) { tick_slow(arg); }
static void fast_fn(void *arg) { session_tick_fast(arg); }

static void arm(struct session *s, struct timer *t, uint64_t at_us) {
  if (timer_arm(&s->w->timers, t, at_us) < 0)
    worker_drop(s->w, DROP_INTERNAL);
}

void session_hurry(struct session *s) {
  if (!timer_is_armed(&s->fast))
    arm(s, &s->fast, s->w->now_us + SESSION_FAST_US);
}

static void init(struct session *s, struct worker *w, const struct mset_open *m, pool_handle h) {
  s->w = w;
  s->id = m->h.session;
  s->handle = h;
  s->kind = (uint8_t)m->kind;
  s->family = (uint8_t)m->family;
  s->has_rtcp_port = m->rtcp_pair && m->kind == MSET_TRUNK_LEG;
  s->media_timeout_us = (uint64_t)m->media_timeout_s * 1000000u;
  s->heard_us = w->now_us;
  quality_init(&s->quality, w->now_us);
  s->level_rx_dbov = MSET_LEVEL_UNKNOWN;
  s->rtp.fd = s->rtcp.fd = -1;
  s->is_stamped = (uint32_t)h % SESSION_STAMP_EACH == 0;
  s->strms = s->first;
  s->n_strms = COUNT_OF(s->first);
  s->ssrc = rand_u32() | 1u;
  rand_text(s->cname, CNAME_CHARS);
  list_init(&s->links);
  list_init(&s->tuples);
  list_init(&s->expected);
  s->sink.clock_hz = SINK_CLOCK_HZ;
  report_init(&s->report, w->now_us);
  s->slow = (struct timer){.fn = slow_fn, .arg = s};
  s->fast = (struct timer){.fn = fast_fn, .arg = s};
  memcpy(s->call, m->call, sizeof(s->call));
}

int session_open(struct worker *w, const struct mset_open *m, struct session **ret) {
  pool_handle h;
  if (!m->h.session || session_find(w, m->h.session))
    return -EEXIST;
  struct session *s = pool_count(w->sessions) < w->sessions_max ? pool_add(w->sessions, &h) : NULL;
  if (!s)
    return -ENOSPC;
  init(s, w, m, h);
  int error = map_put(w->by_id, key_of(&s->id), s);
  if (!error)
    error = s->kind == MSET_NATIVE_LEG ? assoc_open(s) : open_ports(s, m);
  if (!error && (m->flags & MSET_OPEN_TRACED))
    error = capture_open(s);
  if (!error && s->kind == MSET_TRUNK_LEG && (m->flags & MSET_OPEN_ICE))
    error = path_open(s, m);
  if (error) {
    session_close(s);
    return error;
  }
  arm(s, &s->slow, w->now_us + SESSION_SLOW_US);
  s->silent_ticks = SESSION_SILENT_TICKS;
  overload_opened(&w->overload);
  *ret = s;
  return 0;
}

void session_close(struct session *s) {
  struct worker *w = s->w;
  struct mset_facts none = {0};
  ear_close(s);
  link_close(s);
  voice_close(s);
  session_unsilent(s, false);
  session_send_report(s, true);
  facts_write(w->facts, w->facts_base + (uint32_t)s->handle, &none);
  io_flush(w->io, NULL, NULL); /* before its socket is closed */
  timer_cancel(&w->timers, &s->slow);
  timer_cancel(&w->timers, &s->fast);
  for (unsigned i = 0; i < s->n_remotes; i++)
    keying_end(s, &s->remotes[i]);
  assoc_close(s);
  path_close(s);
  for (unsigned i = 0; i < s->n_remotes; i++)
    remote_drop(&s->remotes[i]);
  free(s->remotes);
  if (s->strms != s->first)
    free(s->strms);
  digits_done(&s->digits);
  capture_close(s);
  if (s->is_shared)
    shared_close(s);
  stray_close(s);
  trunkport_close(w, &s->rtp);
  trunkport_close(w, &s->rtcp);
  sealer_free(s->sealer);
  if (session_find(w, s->id) == s)
    (void)map_del(w->by_id, key_of(&s->id));
  pool_del(w->sessions, s->handle);
}

/* The places of remotes move: none is held beyond a turn. */
static int make_room(struct session *s, uint32_t number) {
  if (number <= s->n_remotes)
    return 0;
  struct remote *more = calloc(number, sizeof(*more));
  if (!more)
    return -ENOMEM;
  if (s->n_remotes) {
    memcpy(more, s->remotes, s->n_remotes * sizeof(*more));
    explicit_bzero(s->remotes, s->n_remotes * sizeof(*more));
  }
  free(s->remotes);
  s->remotes = more;
  s->n_remotes = (uint8_t)number;
  return 0;
}

static int set_described(struct session *s, struct remote *r, const struct mset_remote *m) {
  int error = s->is_shared ? shared_expect(s, m) : 0;
  if (error)
    return error;
  error = remote_set(r, m, s->w->now_us);
  if (s->is_shared)
    shared_settle(s, m->remote, !error);
  return error;
}

int session_set_remote(struct session *s, const struct mset_remote *m) {
  if (make_room(s, m->remote) < 0)
    return -ENOMEM;
  struct remote *r = &s->remotes[m->remote - 1];
  bool is_native = s->kind == MSET_NATIVE_LEG;
  if (is_native && m->security != MSET_DTLS)
    return -ENOTSUP;
  int error = set_described(s, r, m);
  if (error)
    return error;
  if (m->security != MSET_DTLS && r->assoc) { /* its keys would replace those of the description */
    keying_end(s, r);
    r->dtls = MSET_DTLS_NONE;
  }
  if (m->dtmf == MSET_DTMF_INBAND && ear_open(s) < 0)
    return -ENOMEM;
  if (is_native)
    return assoc_set_remote(s, r, m);
  error = path_set_remote(s, r, m);
  if (error)
    return error;
  if (m->security == MSET_DTLS)
    return keying_set_remote(s, r, m);
  s->latest = r->number;
  return session_reseal(s, session_target(s));
}

void session_drop_remote(struct session *s, struct remote *r) {
  uint8_t number = r->number;
  keying_end(s, r);
  path_drop_remote(s, r);
  shared_forget(s, number);
  remote_drop(r);
  if (s->selected == number)
    s->selected = 0;
  if (s->feeding == number)
    s->feeding = 0;
  if (s->latest == number)
    s->latest = 0;
}

/* Slow timer ------------------------------------------------------------------------------------- */
void session_tell_flow(struct session *s, struct remote *r, bool is_active) {
  if (r->is_flowing == is_active)
    return;
  r->is_flowing = is_active;
  union up m = {.flow = {.h = {.bytes = sizeof(m.flow), .type = MSET_FLOW, .session = s->id},
                         .remote = r->number,
                         .active = is_active}};
  worker_tell(s->w, &m, true);
}

void session_unsilent(struct session *s, bool is_heard) {
  if (!s->silent_ticks)
    return;
  s->silent_ticks = 0;
  if (is_heard)
    overload_heard(&s->w->overload);
  else
    overload_forget(&s->w->overload);
}

/* Ages are judged by a sample of the legs; to drop what is stale takes those of all. */
static void tick_stamp(struct session *s) {
  if (s->is_stamped || s->w->overload.verdict != OVERLOAD_SHEDDING)
    return;
  port_stamp(&s->rtp);
  s->is_stamped = true;
}

static void tick_silent(struct session *s) {
  if (s->silent_ticks == 1)
    session_unsilent(s, false);
  else if (s->silent_ticks)
    s->silent_ticks--;
}

static void tick_strms(struct session *s) {
  struct strm *more =
      s->wants_strms && s->strms == s->first ? calloc(OPENER_SSRCS_MAX, sizeof(*more)) : NULL;
  s->wants_strms = false;
  if (!more)
    return;
  memcpy(more, s->first, sizeof(s->first));
  s->strms = more;
  s->n_strms = OPENER_SSRCS_MAX;
}

static void tick_remotes(struct session *s) {
  struct event_told told;
  for (unsigned i = 0; i < s->n_remotes; i++) {
    struct remote *r = &s->remotes[i];
    if (!r->number)
      continue;
    if (event_tick(&r->event, s->w->now_us, &told))
      session_tell_digits(s, &told, false);
    session_tell_flow(s, r, r->audio_us && s->w->now_us - r->audio_us < REMOTE_FLOW_US);
  }
}

bool session_is_receiving(const struct session *s) {
  for (unsigned i = 0; i < s->n_remotes; i++)
    if (s->remotes[i].number && s->remotes[i].may_recv)
      return true;
  return false;
}

static void tick_timeout(struct session *s) {
  if (!session_is_receiving(s)) { /* held: the time does not run */
    s->heard_us = s->w->now_us;
    return;
  }
  bool is_over = s->media_timeout_us && s->w->now_us - s->heard_us > s->media_timeout_us;
  if (is_over && !s->has_timed_out) {
    union up m = {.h = {.bytes = sizeof(m.h), .type = MSET_TIMEOUT, .session = s->id}};
    worker_tell(s->w, &m, false);
  }
  s->has_timed_out = is_over;
}

static void tick_slow(struct session *s) {
  struct mset_facts f;
  if (s->ice)
    assoc_tick(s);
  tick_silent(s);
  tick_stamp(s);
  tick_strms(s);
  tick_remotes(s);
  tick_timeout(s);
  stray_tick(s);
  session_tick_quality(s);
  voice_tick(s);
  if (s->w->now_us >= s->report.next_us)
    session_send_report(s, false);
  session_facts(s, &f);
  facts_write(s->w->facts, s->w->facts_base + (uint32_t)s->handle, &f);
  arm(s, &s->slow, s->w->now_us + SESSION_SLOW_US);
}
