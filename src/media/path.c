/* SPDX-License-Identifier: Apache-2.0
 * ICE of a trunk leg: see path.h. RFC 8445, RFC 8839 4.2 and 4.4 (one component: RTP and RTCP on one
 * port, else RTCP is not sent). */
#include "media/path.h"

#include "media/cmd.h"
#include "wire/classify.h"
#include "wire/stun.h"

#include <stdio.h>

struct path {
  struct session *s;
  struct ice *lite; /* lite is NULL with full agents. */
  struct agent *agents[MSET_REMOTES_MAX];
  struct agent *spare; /* spare answers before any remote is described; the first one takes it. */
  struct ice_cred cred;
  struct turn *turn;               /* turn is NULL without a server. */
  bool is_controlling, is_relayed; /* is_relayed: the packet at hand came through the relay. */
  uint64_t selecting; /* selecting is the hash of the peer's ufrag that nominated last (lite). */
  uint64_t open_seq;  /* open_seq is the OPEN that waits for its reply; 0: none. */
  uint64_t gather_us; /* gather_us is until when it waits. */
  struct timer timer;
  uint8_t told;
};

static uint64_t hash_slice(struct slice text) {
  uint64_t h = 14695981039346656037u;
  for (size_t i = 0; i < text.n; i++)
    h = (h ^ (uint8_t)text.p[i]) * 1099511628211u;
  return h;
}

static struct agent *agent_of(const struct path *c, const struct remote *r) {
  return r && r->number ? c->agents[r->number - 1] : NULL;
}

static bool is_relay_pair(const struct path *c, const struct ice_pair *pair) {
  return c->turn && turn_state(c->turn) == TURN_UP && addr_eq(&pair->local, turn_relayed(c->turn));
}

/* Out ---------------------------------------------------------------------------------------------- */
static void put(struct path *c, const struct ice_pair *pair, uint8_t *slot, size_t n) {
  struct session *s = c->s;
  const struct addr *to = &pair->remote;
  if (is_relay_pair(c, pair)) {
    n = turn_wrap(c->turn, &pair->remote, slot, n, IO_PACKET_BYTES);
    to = turn_server(c->turn);
  }
  if (n)
    io_send(s->w->io, &s->rtp, to, n, s->handle);
  else
    worker_drop(s->w, DROP_NO_PEER);
}

static void flush_agent(struct path *c, struct agent *a) {
  struct ice_pair pair;
  size_t n;
  uint8_t *slot = io_slot(c->s->w->io);
  while (a && (n = agent_output(a, slot, IO_PACKET_BYTES - TURN_OVERHEAD_BYTES, &pair))) {
    put(c, &pair, slot, n);
    slot = io_slot(c->s->w->io);
  }
}

static void flush_turn(struct path *c) {
  struct session *s = c->s;
  size_t n;
  uint8_t *slot = io_slot(s->w->io);
  while (c->turn && (n = turn_output(c->turn, slot, IO_PACKET_BYTES))) {
    io_send(s->w->io, &s->rtp, turn_server(c->turn), n, s->handle);
    slot = io_slot(s->w->io);
  }
}

static uint64_t sooner(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Sends what is due and arms the timer for the rest: at the end of whatever changed something. */
static void settle(struct path *c) {
  struct worker *w = c->s->w;
  uint64_t next = c->turn ? turn_next_us(c->turn) : UINT64_MAX;
  for (unsigned i = 0; i < MSET_REMOTES_MAX; i++)
    if (c->agents[i]) {
      flush_agent(c, c->agents[i]);
      next = sooner(next, agent_next_us(c->agents[i]));
    }
  flush_turn(c);
  if (c->lite)
    next = sooner(next, ice_next_us(c->lite));
  if (c->open_seq)
    next = sooner(next, c->gather_us);
  if (next == UINT64_MAX)
    timer_cancel(&w->timers, &c->timer);
  else if (timer_arm(&w->timers, &c->timer, next > w->now_us ? next : w->now_us + 1000) < 0)
    worker_drop(w, DROP_INTERNAL);
}

/* Selection ---------------------------------------------------------------------------------------- */
static void tell(struct path *c, const struct remote *r) {
  c->told = (uint8_t)path_state(c->s);
  assoc_tell(c->s, r);
}

/* From here on the selected pair is where this remote is. */
static void take_pair(struct path *c, struct remote *r, const struct ice_pair *pair) {
  r->rtp = r->rtcp = r->pair.remote = pair->remote;
  r->pair.local = pair->local;
  r->has_pair = true;
  r->has_kept = false;
  r->symmetric = MSET_SYMMETRIC_OFF; /* ICE moves it, nothing else does */
  if (is_relay_pair(c, pair) && turn_permit(c->turn, &pair->remote, true) < 0)
    worker_drop(c->s->w, DROP_INTERNAL);
  if (r->is_client && r->security == MSET_DTLS)
    keying_begin(c->s, r);
  tell(c, r);
}

static void on_agent(struct path *c, unsigned i, unsigned events) {
  struct remote *r = session_remote(c->s, i + 1);
  const struct ice_pair *pair = agent_selected(c->agents[i]);
  if (r && pair && (events & ICE_EVENT_SELECTED))
    take_pair(c, r, pair);
  else if (r && (events & (ICE_EVENT_CONSENT_LOST | ICE_EVENT_CONSENT_BACK | ICE_EVENT_FAILED)))
    tell(c, r);
}

static void on_lite(struct path *c, unsigned events) {
  const struct ice_pair *pair = ice_selected(c->lite);
  for (unsigned i = 0; pair && (events & ICE_EVENT_SELECTED) && i < c->s->n_remotes; i++)
    if (c->s->remotes[i].number && c->s->remotes[i].peer_ufrag == c->selecting)
      take_pair(c, &c->s->remotes[i], pair);
  if (events & (ICE_EVENT_CONSENT_LOST | ICE_EVENT_CONSENT_BACK))
    tell(c, session_target(c->s));
}

/* Life --------------------------------------------------------------------------------------------- */
static void on_turn(struct path *c, unsigned events);

static void timer_fn(void *arg) {
  struct path *c = arg;
  uint64_t now_us = c->s->w->now_us;
  for (unsigned i = 0; i < MSET_REMOTES_MAX; i++)
    if (c->agents[i] && agent_next_us(c->agents[i]) <= now_us)
      on_agent(c, i, agent_tick(c->agents[i], now_us));
  if (c->lite && ice_next_us(c->lite) <= now_us)
    on_lite(c, ice_tick(c->lite, now_us));
  if (c->turn && turn_next_us(c->turn) <= now_us)
    on_turn(c, turn_tick(c->turn, now_us));
  if (c->open_seq && now_us >= c->gather_us)
    on_turn(c, TURN_EVENT_FAILED);
  settle(c);
}

static int add_locals(const struct path *c, struct agent *a) {
  const struct session *s = c->s;
  int error = agent_add_local(a, CAND_HOST, &s->rtp.shown, &s->rtp.local);
  if (error || !c->turn || turn_state(c->turn) != TURN_UP)
    return error;
  if (!addr_eq(turn_mapped(c->turn), &s->rtp.shown))
    error = agent_add_local(a, CAND_SRFLX, turn_mapped(c->turn), &s->rtp.local);
  return error ? error : agent_add_local(a, CAND_RELAY, turn_relayed(c->turn), turn_relayed(c->turn));
}

/* The allocation stands, or there is none: what waited for it goes on. */
static void on_turn(struct path *c, unsigned events) {
  if (!(events & (TURN_EVENT_UP | TURN_EVENT_FAILED)))
    return;
  if (c->spare && add_locals(c, c->spare) < 0)
    worker_drop(c->s->w, DROP_INTERNAL);
  for (unsigned i = 0; i < MSET_REMOTES_MAX; i++)
    if (c->agents[i] && (events & TURN_EVENT_FAILED)) /* a relayed pair is dead */
      on_agent(c, i, agent_del_local(c->agents[i], turn_relayed(c->turn)));
  if (c->open_seq) {
    uint64_t seq = c->open_seq;
    c->open_seq = 0;
    cmd_opened(c->s, seq);
  }
}

static int open_turn(struct path *c, const struct media_options *o) {
  if (addr_family(&o->turn_server) != c->s->family)
    return 0;
  return turn_new(&c->turn, &o->turn_server, c->s->family, o->turn_username, o->turn_password);
}

static int open_agents(struct path *c, const struct mset_open *m) {
  if (m->flags & MSET_OPEN_LITE)
    return ice_new(&c->lite);
  c->is_controlling = (m->flags & MSET_OPEN_CONTROLLING) != 0;
  int error = agent_new(&c->spare, c->is_controlling, NULL);
  if (!error)
    error = open_turn(c, c->s->w->options);
  return error ? error : add_locals(c, c->spare);
}

int path_open(struct session *s, const struct mset_open *m) {
  struct path *c = calloc(1, sizeof(*c));
  if (!c)
    return -ENOMEM;
  s->path = c;
  c->s = s;
  c->timer = (struct timer){.fn = timer_fn, .arg = c};
  int error = open_agents(c, m);
  if (error)
    return error;
  if (c->lite)
    ice_cred(c->lite, &c->cred);
  else
    agent_cred(c->spare, &c->cred);
  if (c->turn)
    (void)turn_tick(c->turn, s->w->now_us);
  settle(c);
  return 0;
}

void path_close(struct session *s) {
  struct path *c = s->path;
  if (!c)
    return;
  timer_cancel(&s->w->timers, &c->timer);
  if (c->turn)
    turn_close(c->turn);
  flush_turn(c);
  io_flush(s->w->io, NULL, NULL); /* before the socket is closed */
  turn_free(c->turn);
  ice_free(c->lite);
  agent_free(c->spare);
  for (unsigned i = 0; i < MSET_REMOTES_MAX; i++)
    agent_free(c->agents[i]);
  explicit_bzero(c, sizeof(*c));
  free(c);
  s->path = NULL;
}

bool path_is_gathered(const struct session *s) {
  return !s->path || !s->path->turn || turn_state(s->path->turn) != TURN_ASKING;
}

void path_wait(struct session *s, uint64_t seq) {
  s->path->open_seq = seq;
  s->path->gather_us = s->w->now_us + PATH_GATHER_US;
  settle(s->path);
}

/* For our description --------------------------------------------------------------------------------
 */
static void put_candidate(struct mset_opened *ret, const struct desc_candidate *d) {
  if (ret->n_candidates == MSET_CANDIDATES_OURS)
    return;
  struct mset_candidate *c = &ret->candidates[ret->n_candidates++];
  *c = (struct mset_candidate){
      .address = d->address, .priority = d->priority, .component = d->component, .type = d->type};
  memcpy(c->foundation, d->foundation, sizeof(c->foundation));
}

void path_fill(const struct session *s, struct mset_opened *ret) {
  const struct path *c = s->path;
  struct desc_candidate d;
  memcpy(ret->ufrag, c->cred.ufrag, sizeof(ret->ufrag));
  memcpy(ret->pwd, c->cred.pwd, sizeof(ret->pwd));
  for (unsigned i = 0; c->spare && agent_local(c->spare, i, &d); i++)
    put_candidate(ret, &d);
  if (!c->lite)
    return;
  d = (struct desc_candidate){
      .foundation = "1", .component = 1, .priority = 0x7effffff, .address = s->rtp.shown};
  put_candidate(ret, &d);
}

/* The peer's description -----------------------------------------------------------------------------
 */
void path_restart(struct session *s, struct ice_cred *ret) {
  struct path *c = s->path;
  const struct ice_cred *ours = NULL;
  if (c->lite) {
    ice_restart(c->lite);
    ice_cred(c->lite, &c->cred);
    ours = &c->cred;
  }
  for (unsigned i = 0; i <= MSET_REMOTES_MAX; i++) {
    struct agent *a = i < MSET_REMOTES_MAX ? c->agents[i] : c->spare;
    if (!a)
      continue;
    agent_restart(a, ours);
    agent_cred(a, &c->cred);
    ours = &c->cred;
  }
  *ret = c->cred;
}

static struct agent *agent_for(struct path *c, unsigned i) {
  if (!c->agents[i] && c->spare) {
    c->agents[i] = c->spare;
    c->spare = NULL;
  }
  if (!c->agents[i] &&
      (agent_new(&c->agents[i], c->is_controlling, &c->cred) < 0 || add_locals(c, c->agents[i]) < 0))
    c->agents[i] = agent_free(c->agents[i]);
  return c->agents[i];
}

static int set_full(struct path *c, struct remote *r, const struct mset_remote *m) {
  struct agent *a = agent_for(c, r->number - 1u);
  int error = a ? agent_set_remote(a, m->ufrag, m->pwd, m->peer_lite != 0) : -ENOMEM;
  if (error)
    return error;
  const struct ice_pair *pair = agent_selected(a);
  if (pair) /* the description says again what ICE knows better */
    take_pair(c, r, pair);
  return 0;
}

int path_set_remote(struct session *s, struct remote *r, const struct mset_remote *m) {
  struct path *c = s->path;
  uint64_t was = r->peer_ufrag;
  int error = 0;
  r->peer_ufrag = m->ufrag[0] ? hash_slice(slice_of(m->ufrag)) : 0;
  if (!c || !m->ufrag[0])
    return 0;
  r->rtcp_off = r->rtcp_off || !r->rtcp_mux; /* its own port would be a path without consent */
  if (!c->lite)
    error = set_full(c, r, m);
  else if (ice_selected(c->lite) && (c->selecting == r->peer_ufrag || (was && c->selecting == was)))
    take_pair(c, r, ice_selected(c->lite));
  settle(c);
  return error;
}

void path_drop_remote(struct session *s, struct remote *r) {
  if (s->path)
    s->path->agents[r->number - 1] = agent_free(s->path->agents[r->number - 1]);
}

static void add_candidate(struct path *c, struct agent *a, const struct mset_candidate *m) {
  struct desc_candidate d = {.component = (uint8_t)m->component,
                             .type = (uint8_t)m->type,
                             .is_udp = true,
                             .priority = m->priority,
                             .address = m->address};
  memcpy(d.foundation, m->foundation, sizeof(d.foundation));
  int error = agent_add_remote(a, &d);
  if (error < 0)
    worker_drop(c->s->w, DROP_ICE_PAIRS);
  if (!error && c->turn && addr_family(&m->address) == c->s->family &&
      turn_permit(c->turn, &m->address, false) < 0)
    worker_drop(c->s->w, DROP_ICE_PAIRS);
}

int path_candidates(struct session *s, const struct mset_candidates *m) {
  struct path *c = s->path;
  struct agent *a = c ? agent_of(c, session_remote(s, m->remote)) : NULL;
  if (!a)
    return c && c->lite ? 0 : -ENOENT;
  for (uint32_t i = 0; i < m->n_candidates; i++)
    add_candidate(c, a, &m->candidates[i]);
  if (m->is_end)
    agent_end_remotes(a);
  settle(c);
  return 0;
}

/* In ----------------------------------------------------------------------------------------------- */
static struct ice_pair pair_at(const struct path *c, const struct packet *p) {
  return (struct ice_pair){c->is_relayed ? *turn_relayed(c->turn) : p->port->local, p->from};
}

static enum drop lite_input(struct path *c, const struct packet *p, struct ice_result *result,
                            uint8_t *slot) {
  struct ice_pair pair = pair_at(c, p);
  struct stunmsg m;
  enum drop d =
      ice_input(c->lite, p->bytes, p->n, &pair, c->s->w->now_us, slot, IO_PACKET_BYTES, result);
  if ((result->events & ICE_EVENT_SELECTED) && stunmsg_parse(&m, p->bytes, p->n) == 0) {
    struct slice theirs = m.username;
    slice_cut(&theirs, ':');
    c->selecting = hash_slice(theirs);
  }
  return d;
}

/* Whose it is shows by the user name of a request, and by the id of a response. */
static enum drop agents_input(struct path *c, const struct packet *p, struct ice_result *result,
                              uint8_t *slot) {
  struct ice_pair pair = pair_at(c, p);
  enum drop d = DROP_ICE_USER;
  size_t room = IO_PACKET_BYTES - TURN_OVERHEAD_BYTES;
  uint64_t now_us = c->s->w->now_us;
  for (unsigned i = 0; i <= MSET_REMOTES_MAX; i++) {
    struct agent *a = i < MSET_REMOTES_MAX ? c->agents[i] : c->spare;
    if (!a)
      continue;
    d = agent_input(a, p->bytes, p->n, &pair, now_us, slot, room, result);
    if (d == DROP_ICE_USER || d == DROP_ICE_RESPONSE)
      continue;
    if (result->response_bytes)
      put(c, &pair, slot, result->response_bytes);
    if (i < MSET_REMOTES_MAX)
      on_agent(c, i, result->events);
    break;
  }
  return d;
}

static enum drop stun_input(struct path *c, const struct packet *p) {
  struct ice_result result = {0};
  uint8_t *slot = io_slot(c->s->w->io);
  enum drop d;
  if (c->lite) {
    d = lite_input(c, p, &result, slot);
    if (result.response_bytes)
      io_send(c->s->w->io, p->port, &p->from, result.response_bytes, c->s->handle);
    on_lite(c, result.events);
  } else {
    d = agents_input(c, p, &result, slot);
  }
  settle(c);
  return d;
}

/* What the relay sends. true: it was for us alone. */
static bool relay_takes(struct path *c, struct packet *p, enum drop *ret) {
  struct turn_data data;
  unsigned events;
  if (!c->turn || !addr_eq(&p->from, turn_server(c->turn)))
    return false;
  *ret = turn_input(c->turn, p->bytes, p->n, c->s->w->now_us, &data, &events);
  if (*ret == DROP_NOT_FOR_US)
    return false;
  on_turn(c, events);
  if (*ret || !data.n) {
    settle(c);
    return true;
  }
  p->from = data.peer;
  p->bytes = data.bytes;
  p->n = data.n;
  c->is_relayed = true;
  return false;
}

bool path_takes(struct session *s, struct packet *p, enum drop *ret) {
  struct path *c = s->path;
  if (!c)
    return false;
  c->is_relayed = false;
  if (p->port->kind != PORT_RTP)
    return false;
  if (relay_takes(c, p, ret))
    return true;
  if (packet_classify(p->bytes, p->n) != PACKET_STUN)
    return false;
  *ret = stun_input(c, p);
  return true;
}

void path_heard(struct session *s, const struct remote *r, const struct packet *p) {
  struct path *c = s->path;
  if (!c)
    return;
  struct agent *a = agent_of(c, r);
  struct ice_pair pair = pair_at(c, p);
  if (a)
    agent_heard(a, &pair, s->w->now_us);
  else if (c->lite)
    on_lite(c, ice_heard(c->lite, &pair, s->w->now_us));
}

/* State -------------------------------------------------------------------------------------------- */
bool path_has(const struct session *s, const struct remote *r) { return s->path && r->peer_ufrag; }

bool path_may_send(const struct session *s, const struct remote *r) {
  const struct path *c = s->path;
  if (!c || !r->peer_ufrag)
    return true;
  const struct agent *a = agent_of(c, r);
  return c->lite ? ice_may_send(c->lite) : a && agent_may_send(a);
}

bool path_is_verified(const struct session *s, const struct remote *r, const struct packet *p) {
  const struct path *c = s->path;
  if (!c || !r->peer_ufrag)
    return false;
  const struct agent *a = agent_of(c, r);
  struct ice_pair pair = pair_at(c, p);
  return c->lite ? ice_is_verified(c->lite, &pair) : a && agent_is_verified(a, &pair);
}

void path_meet(struct session *s, struct remote *r, const struct packet *p) {
  if (r->has_pair || !s->path)
    return;
  r->pair = pair_at(s->path, p);
  r->has_pair = true;
}

void path_send(struct session *s, const struct remote *r, const struct port *port, const struct addr *to,
               uint8_t *slot, size_t n) {
  struct ice_pair pair = {r->pair.local, *to};
  if (s->path && r->peer_ufrag && is_relay_pair(s->path, &pair))
    put(s->path, &pair, slot, n);
  else
    io_send(s->w->io, port, to, n, s->handle);
}

static const struct remote *the_remote(const struct session *s) {
  const struct remote *r = session_target((struct session *)s);
  return r ? r : session_remote((struct session *)s, s->latest);
}

const struct ice_pair *path_selected(const struct session *s) {
  const struct path *c = s->path;
  if (!c)
    return NULL;
  const struct agent *a = agent_of(c, the_remote(s));
  return c->lite ? ice_selected(c->lite) : a ? agent_selected(a) : NULL;
}

static enum mset_ice_state told_as(enum ice_state state) {
  return state == ICE_STATE_CONNECTED  ? MSET_ICE_CONNECTED
         : state == ICE_STATE_CHECKING ? MSET_ICE_CHECKING
                                       : MSET_ICE_LOST;
}

enum mset_ice_state path_state(const struct session *s) {
  const struct path *c = s->path;
  const struct remote *r = the_remote(s);
  if (!c || (r && !r->peer_ufrag))
    return MSET_ICE_NONE;
  const struct agent *a = agent_of(c, r);
  if (c->lite)
    return told_as(ice_state(c->lite));
  return a ? told_as(agent_state(a)) : MSET_ICE_CHECKING;
}
