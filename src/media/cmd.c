/* SPDX-License-Identifier: Apache-2.0
 * Commands: see cmd.h. A function returns 0 and has the reply filled where it is more than OK, or
 * -errno, which becomes FAULT and has changed nothing. */
#include "media/cmd.h"

#include "media/bridge.h"
#include "media/capture.h"
#include "media/path.h"

enum { CMD_LATER = 1 }; /* not -errno: the reply comes later */

typedef int cmd_fn(struct worker *w, struct session *s, const union mset_any *m, union up *reply);

static void reply_as(union up *reply, enum mset_type type, size_t bytes) {
  reply->h.type = type;
  reply->h.bytes = (uint32_t)bytes;
}

static void put_addresses(const struct worker *w, const struct session *s, struct mset_opened *o) {
  if (s->kind == MSET_TRUNK_LEG) {
    o->rtp[o->n_addrs++] = s->rtp.shown;
    if (s->has_rtcp_port)
      o->rtcp = s->rtcp.shown;
    return;
  }
  for (int pass = 0; pass < 2; pass++) /* those of the asked family first */
    for (uint32_t i = 0; i < w->options->n_addresses; i++)
      if (!w->options->addresses[i].not_apps &&
          (addr_family(&w->native[i].shown) == s->family) == (pass == 0))
        o->rtp[o->n_addrs++] = w->native[i].shown;
}

static void put_credentials(const struct session *s, char ufrag[16], char pwd[40]) {
  struct ice_cred c;
  ice_cred(s->ice, &c);
  memcpy(ufrag, c.ufrag, sizeof(c.ufrag));
  memcpy(pwd, c.pwd, sizeof(c.pwd));
  explicit_bzero(&c, sizeof(c));
}

static void put_opened(const struct worker *w, const struct session *s, struct mset_opened *o) {
  o->worker = w->index;
  o->facts_slot = w->facts_base + (uint32_t)s->handle;
  o->ssrc = s->ssrc;
  memcpy(o->cname, s->cname, sizeof(o->cname));
  put_addresses(w, s, o);
  if (s->ice)
    put_credentials(s, o->ufrag, o->pwd);
  if (s->path)
    path_fill(s, o);
  memcpy(o->fingerprint, dtlscert_sha256(atomic_load(&w->cert)), sizeof(o->fingerprint));
}

void cmd_opened(struct session *s, uint64_t seq) {
  union up reply = {.h = {.bytes = sizeof(reply.opened), .type = MSET_OPENED, .seq = seq}};
  reply.h.session = s->id;
  put_opened(s->w, s, &reply.opened);
  worker_tell(s->w, &reply, false);
  explicit_bzero(&reply, sizeof(reply));
}

static int cmd_open(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  int error = s ? -EEXIST : worker_admit(w, &m->open);
  if (!error)
    error = session_open(w, &m->open, &s);
  if (error)
    return error;
  if (!path_is_gathered(s)) {
    path_wait(s, m->h.seq);
    return CMD_LATER;
  }
  reply_as(reply, MSET_OPENED, sizeof(reply->opened));
  put_opened(w, s, &reply->opened);
  return 0;
}

static int cmd_remote(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  (void)w, (void)reply;
  int error = session_set_remote(s, &m->remote);
  if (!error) {
    link_retarget(s);
    capture_renew(s);
  }
  return error;
}

static int cmd_candidates(struct worker *w, struct session *s, const union mset_any *m,
                          union up *reply) {
  (void)w, (void)reply;
  return path_candidates(s, &m->candidates);
}

static int cmd_select(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  (void)w, (void)reply;
  if (!session_remote(s, m->pick.remote))
    return -ENOENT;
  s->selected = (uint8_t)m->pick.remote;
  link_retarget(s);
  return session_reseal(s, session_target(s));
}

static int cmd_drop(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  struct remote *r = session_remote(s, m->pick.remote);
  (void)w, (void)reply;
  if (!r)
    return -ENOENT;
  session_drop_remote(s, r);
  link_retarget(s);
  return session_reseal(s, session_target(s));
}

static void unlink_one(struct session *s) {
  roomlink_close(s);
  struct session *peer = session_peer(s);
  if (peer && peer->peer == s->handle)
    bridge_close(peer);
  xlink_close(s);
  bridge_close(s);
}

static int cmd_link(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  uint32_t elsewhere = m->h.pad & XLINK_WORKER;
  if (elsewhere) {
    unlink_one(s);
    xlink_open(s, m->link.peer, elsewhere - 1);
    return 0;
  }
  struct session *peer = m->link.peer ? session_find(w, m->link.peer) : NULL;
  (void)reply;
  if (m->link.peer && !peer)
    return -ENOENT;
  unlink_one(s);
  if (!peer)
    return 0;
  unlink_one(peer);
  int error = bridge_open(s, peer);
  if (!error && peer != s)
    error = bridge_open(peer, s);
  if (error)
    unlink_one(s);
  return error;
}

static int cmd_room_join(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  (void)w, (void)reply;
  unlink_one(s);
  return roomlink_open(s, &m->room);
}

static int cmd_room_set(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  (void)w, (void)reply;
  return roomlink_set(s, &m->room);
}

static int cmd_room_leave(struct worker *w, struct session *s, const union mset_any *m,
                          union up *reply) {
  (void)w, (void)m, (void)reply;
  roomlink_close(s);
  return 0;
}

static int cmd_play(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  (void)w, (void)reply;
  session_play(s, &m->play);
  return 0;
}

static int cmd_tap(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  struct session *listener = m->tap.listener ? session_find(w, m->tap.listener) : NULL;
  (void)reply;
  if (m->tap.listener)
    return listener ? tap_open(s, listener) : -ENOENT;
  tap_close(s);
  return 0;
}

/* The control thread's own word (recorder.c); not answered. */
static int cmd_record(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  (void)w, (void)reply;
  recsink_open(s, m->record.file, (uint8_t)m->record.side);
  return 0;
}

static int cmd_record_stop(struct worker *w, struct session *s, const union mset_any *m,
                           union up *reply) {
  (void)w, (void)m, (void)reply;
  recsink_close(s);
  return 0;
}

static int cmd_digits(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  (void)w, (void)reply;
  int error = digits_add(&s->digits, &m->digits);
  if (!error)
    session_hurry(s);
  return error;
}

static int cmd_ice_restart(struct worker *w, struct session *s, const union mset_any *m,
                           union up *reply) {
  (void)w, (void)m;
  struct ice_cred cred;
  if (!s->ice && !s->path)
    return -ENOTSUP;
  reply_as(reply, MSET_ICE, sizeof(reply->ice));
  if (s->path) {
    path_restart(s, &cred);
    memcpy(reply->ice.ufrag, cred.ufrag, sizeof(cred.ufrag));
    memcpy(reply->ice.pwd, cred.pwd, sizeof(cred.pwd));
    explicit_bzero(&cred, sizeof(cred));
    return 0;
  }
  assoc_restart(s);
  put_credentials(s, reply->ice.ufrag, reply->ice.pwd);
  return 0;
}

static int cmd_end(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  (void)w;
  reply_as(reply, MSET_ENDED, sizeof(reply->ended));
  reply->ended.reason = m->h.pad; /* by the control thread: asked, or orphaned */
  session_facts(s, &reply->ended.facts);
  unlink_one(s);
  session_close(s);
  return 0;
}

static int cmd_capture(struct worker *w, struct session *s, const union mset_any *m, union up *reply) {
  (void)w, (void)reply;
  return capture_ask(s, &m->capture);
}

static cmd_fn *const rows[MSET_COUNT_] = {
    [MSET_OPEN] = cmd_open,
    [MSET_REMOTE] = cmd_remote,
    [MSET_SELECT] = cmd_select,
    [MSET_DROP] = cmd_drop,
    [MSET_LINK] = cmd_link,
    [MSET_PLAY] = cmd_play,
    [MSET_DIGITS] = cmd_digits,
    [MSET_ICE_RESTART] = cmd_ice_restart,
    [MSET_END] = cmd_end,
    [MSET_CANDIDATES] = cmd_candidates,
    [MSET_ROOM_JOIN] = cmd_room_join,
    [MSET_ROOM_SET] = cmd_room_set,
    [MSET_ROOM_LEAVE] = cmd_room_leave,
    [MSET_TAP] = cmd_tap,
    [MSET_CAPTURE] = cmd_capture,
    [MSET_RECORD] = cmd_record,
    [MSET_RECORD_STOP] = cmd_record_stop,
};

static void close_room(struct worker *w, uint64_t room) {
  uint32_t slot = 0;
  struct session *s;
  while ((s = pool_next(w->sessions, &slot, NULL)))
    if (roomlink_room(s) == room)
      roomlink_close(s);
}

/* Half of a command of which the other half is answered, or the control thread has answered. */
static bool is_silent(const union mset_any *m) {
  return (m->h.type == MSET_LINK && m->h.pad & XLINK_SILENT) || m->h.type == MSET_RECORD ||
         m->h.type == MSET_RECORD_STOP;
}

void cmd_run(struct worker *w, const union mset_any *m) {
  if (m->h.type == MSET_ROOM_CLOSE) { /* of all workers: the control thread answers */
    close_room(w, m->room.room);
    return;
  }
  struct session *s = session_find(w, m->h.session);
  union up reply = {.h = {.bytes = sizeof(reply.h), .type = MSET_OK}};
  int error = -ENOSYS;
  if (rows[m->h.type])
    error = s || m->h.type == MSET_OPEN ? rows[m->h.type](w, s, m, &reply) : -ENOENT;
  if (error == CMD_LATER)
    return;
  if (is_silent(m))
    return;
  if (error) {
    reply_as(&reply, MSET_FAULT, sizeof(reply.fault));
    reply.fault.error = error;
    reply.fault.command = m->h.type;
  }
  reply.h.seq = m->h.seq;
  reply.h.session = m->h.session;
  worker_tell(w, &reply, false);
  explicit_bzero(&reply, sizeof(reply));
}
