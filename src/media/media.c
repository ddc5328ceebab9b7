/* SPDX-License-Identifier: Apache-2.0
 * The control thread: one controller, its commands to the workers, their replies and events back.
 * Its sessions are in known.c, what it tells upward in upward.c. See media.h. */
#include "media/control.h"

#include "base/clock.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "codec/tone.h"
#include "media/listener.h"
#include "media/options.h"
#include "media/prompts.h"
#include "media/recorder.h"
#include "media/report.h"
#include "media/roomlist.h"
#include "media/worker.h"
#include "media/xdp.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/eventfd.h>

enum {
  SOCKET_BYTES = 1 << 20,
  TICK_US = 500000,
};

/* Controller: downward ------------------------------------------------------------------------------ */
static int send_welcome(struct media *m, const struct mset_hello *hello) {
  union up u = {.welcome = {.h = {.bytes = sizeof(u.welcome), .type = MSET_WELCOME, .seq = hello->h.seq},
                            .version = MSET_VERSION,
                            .workers = m->options.workers,
                            .live = (uint32_t)map_count(m->by_id),
                            .facts_slots = m->facts.slots}};
  memcpy(u.welcome.instance, m->instance, sizeof(m->instance));
  (void)!slice_copy(u.welcome.backend, sizeof(u.welcome.backend), slice_of(media_backend(m)));
  return fdpass_send(m->controller.fd, &u, sizeof(u.welcome), m->facts.fd);
}

static void send_live(struct media *m) {
  LIST_EACH(&m->sessions, node) {
    const struct known *k = CONTAINER_OF(node, struct known, node);
    union up u = {.live = {.h = {.bytes = sizeof(u.live), .type = MSET_LIVE, .session = k->id}}};
    memcpy(u.live.call, k->call, sizeof(u.live.call));
    upward_send(m, &u);
    if (!m->controller.on)
      return;
  }
}

static void on_hello(struct media *m, const struct mset_hello *hello) {
  bool is_same = memcmp(m->instance, hello->instance, sizeof(m->instance)) == 0;
  m->is_greeted = true;
  if (hello->version != MSET_VERSION) {
    upward_fault(m, &hello->h, -EPROTO);
    upward_end(m, "another version of the messages");
    return;
  }
  memcpy(m->instance, hello->instance, sizeof(m->instance));
  if (is_same)
    LIST_EACH(&m->sessions, node)
      CONTAINER_OF(node, struct known, node)->orphan_at_us = 0;
  else
    roomlist_orphan(m->rooms); /* of a controller that is gone */
  int error = send_welcome(m, hello);
  if (error)
    upward_end(m, strerror(-error));
  else
    send_live(m);
}

/* Each worker puts its own out; none answers. */
static int close_room(struct media *m, uint64_t room) {
  union mset_any c;
  int error = roomlist_close(m->rooms, room);
  if (error)
    return error;
  LIST_EACH(&m->sessions, node) {
    struct known *k = CONTAINER_OF(node, struct known, node);
    if (k->room == room)
      roomlist_leave(m->rooms, &k->room);
  }
  mset_init(&c, MSET_ROOM_CLOSE, 0);
  c.room.room = room;
  for (uint32_t i = 0; i < m->options.workers; i++)
    error = worker_put(m->workers[i], &c) ? error : -EAGAIN;
  return error;
}

static int on_room(struct media *m, const union mset_any *c) {
  bool is_open = c->h.type == MSET_ROOM_OPEN;
  return is_open ? roomlist_open(m->rooms, &c->room) : close_room(m, c->room.room);
}

/* Recordings ---------------------------------------------------------------------------------------- */
static bool tell_worker(void *arg, const union mset_any *c) {
  struct media *m = arg;
  const struct known *k = known_find(m, c->h.session);
  return k && m->workers[k->worker] && worker_put(m->workers[k->worker], c);
}

static void on_recorded(void *arg, const struct mset_record_done *done) {
  union up u = {.record_done = *done};
  upward_send(arg, &u);
}

static int on_recording(struct media *m, const union mset_any *c, int *fd) {
  if (!known_find(m, c->h.session) ||
      (c->h.type == MSET_RECORD && c->record.peer && !known_find(m, c->record.peer)))
    return -ENOENT;
  int error = recorder_command(m->recorder, c, *fd, clock_now_us());
  if (!error && c->h.type == MSET_RECORD)
    (void)take_fd(fd);
  return error;
}

/* Which worker; for OPEN a new session is entered. 0 or -errno for FAULT. */
static int find_worker(struct media *m, union mset_any *c, struct known **ret) {
  if (c->h.type == MSET_OPEN)
    return known_new(m, &c->open, ret);
  *ret = known_find(m, c->h.session);
  if (!*ret)
    return -ENOENT;
  (*ret)->orphan_at_us = 0; /* who commands a session has it */
  if (roomlist_knows(c->h.type)) {
    if (c->h.type == MSET_ROOM_JOIN)
      known_part(m, *ret);
    return roomlist_take(m->rooms, c, &(*ret)->room);
  }
  return c->h.type == MSET_LINK ? known_link(m, c, *ret) : 0;
}

static void done(struct media *m, const struct mset_head *h) {
  union up u = {.h = {.bytes = sizeof(u.h), .type = MSET_OK, .seq = h->seq, .session = h->session}};
  upward_send(m, &u);
}

/* Commands that the control thread does itself. false: it is a worker's. */
static bool do_own(struct media *m, const union mset_any *c, int *fd) {
  bool is_room = c->h.type == MSET_ROOM_OPEN || c->h.type == MSET_ROOM_CLOSE;
  if (c->h.type != MSET_PING && !is_room && !recorder_takes(c->h.type))
    return false;
  int error = is_room ? on_room(m, c) : c->h.type == MSET_PING ? 0 : on_recording(m, c, fd);
  if (error)
    upward_fault(m, &c->h, error);
  else
    done(m, &c->h);
  return true;
}

static void on_command(struct media *m, union mset_any *c, int *fd) {
  struct known *k = NULL;
  if (do_own(m, c, fd))
    return;
  c->h.pad = MSET_END_ASKED;
  int error = find_worker(m, c, &k);
  if (!error && c->h.type == MSET_PLAY && c->play.tone == MSET_TONE_FILE)
    error = prompts_order(m->prompts, m->disk, &c->play.file, fd);
  if (!error && !worker_put(m->workers[k->worker], c)) {
    error = -EAGAIN;
    if (c->h.type == MSET_OPEN)
      known_free(m, k);
    else if (c->h.type == MSET_ROOM_JOIN)
      roomlist_leave(m->rooms, &k->room);
  }
  if (error)
    upward_fault(m, &c->h, error);
}

static void on_controller(void *arg, uint32_t events) {
  struct media *m = arg;
  union mset_any c;
  if (events & EPOLLOUT)
    upward_flush(m);
  for (int i = 0; i < 64 && m->controller.on; i++) {
    own_fd fd = -1;
    ssize_t n = fdpass_receive(m->controller.fd, &c, sizeof(c), &fd);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (n <= 0)
      upward_end(m, n < 0 ? strerror(errno) : "closed");
    else if (mset_check(&c, (size_t)n, true) < 0)
      upward_end(m, "a malformed message");
    else if (c.h.type == MSET_HELLO)
      on_hello(m, &c.hello);
    else if (!m->is_greeted)
      upward_end(m, "no HELLO");
    else
      on_command(m, &c, &fd);
    explicit_bzero(&c, sizeof(c));
  }
}

static void on_listening(void *arg, uint32_t events) {
  struct media *m = arg;
  int bytes = SOCKET_BYTES;
  (void)events;
  own_fd fd = accept4(m->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0)
    return;
  if (m->controller.on || !listener_is_ours(fd)) {
    log_warn(media, "a second controller, or one of another user, was refused");
    return;
  }
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
  m->controller.fd = fd;
  if (loop_watch(m->loop, &m->controller, EPOLLIN) == 0)
    m->controller.fd = take_fd(&fd);
}

/* Time ------------------------------------------------------------------------------------------- */
const char *media_backend(const struct media *m) { return m->workers[0]->io->ops->name; }

uint64_t media_drops(const struct media *m, unsigned reason, const char **ret_text) {
  uint64_t sum = 0;
  if (reason >= DROP_COUNT_)
    return 0;
  for (uint32_t i = 0; i < m->options.workers; i++)
    sum += atomic_load_explicit(&m->workers[i]->drops[reason], memory_order_relaxed);
  sum += dsps_drops(m->dsps, (enum drop)reason);
  sum += reason == DROP_QUEUE_FULL ? disk_drops(m->disk) : 0;
  if (ret_text)
    *ret_text = drop_text((enum drop)reason);
  return sum;
}

/* since: the counts to leave out, replaced by those of now; NULL: all since the start. */
static void log_drops(struct media *m, uint64_t *since, const char *when) {
  char line[1500] = "";
  size_t at = 0;
  for (unsigned i = 1; i < DROP_COUNT_; i++) {
    const char *text;
    uint64_t now = media_drops(m, i, &text), was = since ? since[i] : 0;
    if (now != was && at < sizeof(line))
      at += (size_t)snprintf(line + at, sizeof(line) - at, " %s=%llu", text,
                             (unsigned long long)(now - was));
    if (since)
      since[i] = now;
  }
  if (at)
    log_info(media, "dropped %s:%s", when, line);
}

static void tell_drops(struct media *m) {
  facts_count(&m->facts, MSET_COUNT_DSP, dsps_permille(m->dsps));
  uint64_t lost = 0;
  for (uint32_t i = 0; i < m->options.workers; i++)
    lost += atomic_load_explicit(&m->workers[i]->lost_headers, memory_order_relaxed);
  facts_count(&m->facts, MSET_COUNT_HEADERS, lost);
  _Static_assert((int)DROP_COUNT_ <= (int)MSET_COUNT_HEADERS,
                 "the table of figures has room for each reason");
  for (unsigned i = 1; i < DROP_COUNT_; i++)
    facts_count(&m->facts, i, media_drops(m, i, NULL));
}

static void on_tick(void *arg) {
  struct media *m = arg;
  tell_drops(m);
  upward_dsp(m);
  for (uint32_t i = 0; i < m->options.workers; i++)
    upward_headers(m, m->workers[i]);
  uint64_t now_us = loop_now_us(m->loop);
  known_expire(m, now_us);
  if (certs_are_due(&m->certs, now_us) &&
      certs_renew(&m->certs, m->workers, m->options.workers, now_us) < 0)
    log_error(media, "no new DTLS certificate: the old one stays");
  if (now_us - m->log_us > 60000000u) {
    log_drops(m, m->logged, "in the last minute");
    m->log_us = now_us;
  }
  loop_arm(m->loop, &m->tick, TICK_US);
}

static void on_stop(void *arg, uint32_t events) {
  (void)events;
  ((struct media *)arg)->is_stopping = true;
}

/* Life ------------------------------------------------------------------------------------------- */
int media_chown(const struct media *m, unsigned uid, unsigned gid) {
  return m->is_bound && lchown(m->options.socket, uid, gid) < 0 ? -errno : 0;
}

static int make_recorder(struct media *m) {
  struct recorder_user user = {m, tell_worker, on_recorded};
  int error = disk_new(&m->disk, m->options.workers, m->prompts, m->events_fd);
  return error ? error : recorder_new(&m->recorder, m->disk, &user);
}

static int make_workers(struct media *m, const char **ret_text) {
  uint32_t each = m->options.max_sessions / m->options.workers + 1;
  xdp_choose(&m->options, m->loop);
  *ret_text = "media: the table of figures";
  int error = facts_init(&m->facts, each * m->options.workers);
  struct dsps_options dsp = {m->options.dsp_threads, m->options.dsp_share, m->options.workers, each,
                             NULL};
  if (!error)
    error = prompts_new(&m->prompts);
  dsp.prompts = m->prompts;
  if (!error)
    error = dsps_new(&m->dsps, &dsp);
  if (!error)
    error = xlinks_new(&m->xlinks, m->options.workers);
  if (!error)
    error = roomlist_new(&m->rooms, m->dsps);
  if (!error)
    error = make_recorder(m);
  *ret_text =
      error ? *ret_text
            : "media: the ports for apps (media.native_port), the backend (media.backend), or memory";
  for (uint32_t i = 0; !error && i < m->options.workers; i++)
    error = worker_new(&m->workers[i], &m->options, i, &m->facts, m->dsps, m->events_fd);
  if (error)
    return error;
  for (uint32_t i = 0; i < m->options.workers; i++)
    worker_share(m->workers[i], m->xlinks, m->disk);
  *ret_text = "media: the DTLS certificate";
  return certs_renew(&m->certs, m->workers, m->options.workers, clock_now_us());
}

static int make_loop(struct media *m) {
  int error = loop_new(&m->loop);
  if (error)
    return error;
  m->events_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  m->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (m->events_fd < 0 || m->stop_fd < 0)
    return -errno;
  m->listening = (struct watch){.fd = m->listen_fd, .fn = on_listening, .arg = m};
  m->events = (struct watch){.fd = m->events_fd, .fn = upward_hear, .arg = m};
  m->stop = (struct watch){.fd = m->stop_fd, .fn = on_stop, .arg = m};
  m->controller = (struct watch){.fd = -1, .fn = on_controller, .arg = m};
  m->tick = (struct timer){.fn = on_tick, .arg = m};
  error = loop_watch(m->loop, &m->listening, EPOLLIN);
  if (!error)
    error = loop_watch(m->loop, &m->events, EPOLLIN);
  if (!error)
    error = loop_watch(m->loop, &m->stop, EPOLLIN);
  loop_arm(m->loop, &m->tick, TICK_US);
  return error;
}

static int start(struct media *m, const char **ret_text) {
  *ret_text = "media: SRTP with the providers on libcrypto";
  int error = suite_start();
  if (error)
    return error;
  tone_start();
  report_set_epoch(clock_now_us(), clock_wall_ms());
  *ret_text = "media: the control socket";
  error = listener_open(m->options.socket, &m->listen_fd, &m->is_bound);
  if (!error)
    error = make_loop(m);
  if (!error)
    error = map_new(&m->by_id, m->options.max_sessions + 64);
  if (!error)
    error = make_workers(m, ret_text);
  if (!error)
    error = dsps_start(m->dsps);
  if (!error)
    error = disk_start(m->disk);
  for (uint32_t i = 0; !error && i < m->options.workers; i++)
    error = worker_start(m->workers[i]);
  return error;
}

int media_new(struct media **ret, const struct media_options *o, const char **ret_text) {
  int error = options_check(o, ret_text);
  if (error)
    return error;
  own(media) m = calloc(1, sizeof(*m));
  if (!m)
    return -ENOMEM;
  m->listen_fd = m->events_fd = m->stop_fd = m->controller.fd = m->facts.fd = -1;
  list_init(&m->sessions);
  backlog_init(&m->backlog);
  options_fill(&m->options, o);
  error = start(m, ret_text);
  if (error)
    return error;
  *ret_text = "";
  *ret = take(m);
  return 0;
}

void media_run(struct media *m) {
  while (!m->is_stopping)
    loop_turn(m->loop, 1000);
  log_drops(m, NULL, "since the start");
}

void media_stop(struct media *m) {
  uint64_t one = 1;
  (void)!write(m->stop_fd, &one, sizeof(one));
}

struct media *media_free(struct media *m) {
  if (!m)
    return NULL;
  dsps_stop(m->dsps); /* they wake workers, as workers do each other */
  for (uint32_t i = 0; i < m->options.workers && i < COUNT_OF(m->workers); i++)
    worker_stop(m->workers[i]);
  for (uint32_t i = 0; i < m->options.workers && i < COUNT_OF(m->workers); i++)
    m->workers[i] = worker_free(m->workers[i]);
  if (m->controller.on)
    upward_end(m, "we stop");
  LIST_EACH_SAFE(&m->sessions, node)
    known_free(m, CONTAINER_OF(node, struct known, node));
  roomlist_free(m->rooms);
  dsps_free(m->dsps);
  xlinks_free(m->xlinks);
  disk_free(m->disk); /* what is recorded is complete */
  recorder_free(m->recorder);
  prompts_free(m->prompts);
  xdp_free(m->options.xdp);
  loop_free(m->loop);
  map_free(m->by_id);
  facts_done(&m->facts);
  certs_done(&m->certs);
  if (m->is_bound)
    unlink(m->options.socket);
  own_fd_close(&m->listen_fd);
  own_fd_close(&m->events_fd);
  own_fd_close(&m->stop_fd);
  free(m);
  return NULL;
}
