/* SPDX-License-Identifier: Apache-2.0
 * What workers tell, and what the controller is told of it: at once, or by a backlog. A controller that
 * does not read is let go, its sessions end after a while. See control.h. */
#include "media/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "media/capture.h"
#include "media/recorder.h"
#include "media/roomlist.h"
#include "media/worker.h"

#include <sys/epoll.h>
#include <sys/socket.h>

enum {
  DSP_FULL_PERMILLE = 800, /* from here on transcoding is told as full, */
  DSP_ROOM_PERMILLE = 700, /* below this no more */
};

void upward_end(struct media *m, const char *why) {
  if (!m->controller.on)
    return;
  log_warn(media, "controller gone: %s; %zu sessions", why, map_count(m->by_id));
  loop_unwatch(m->loop, &m->controller);
  close(m->controller.fd);
  m->controller.fd = -1;
  m->is_greeted = false;
  backlog_drop(&m->backlog);
  uint64_t at_us = clock_now_us() + (uint64_t)m->options.orphan_s * 1000000u;
  LIST_EACH(&m->sessions, node) {
    struct known *k = CONTAINER_OF(node, struct known, node);
    k->orphan_at_us = k->orphan_at_us ? k->orphan_at_us : at_us;
  }
}

static void keep(struct media *m, const union up *u) {
  bool is_first = !m->backlog.n;
  if (!backlog_put(&m->backlog, u))
    upward_end(m, "it does not read");
  else if (is_first)
    (void)loop_rewatch(m->loop, &m->controller, EPOLLIN | EPOLLOUT);
}

/* True: sent. False: the socket is full, or the controller was let go. */
static bool send_now(struct media *m, const union up *u) {
  if (send(m->controller.fd, u, u->h.bytes, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
    return true;
  if (errno != EAGAIN && errno != ENOBUFS)
    upward_end(m, strerror(errno));
  return false;
}

void upward_send(struct media *m, const union up *u) {
  if (!m->is_greeted)
    return;
  if (m->backlog.n || !send_now(m, u))
    if (m->controller.on)
      keep(m, u);
}

void upward_flush(struct media *m) {
  const union up *u;
  while ((u = backlog_first(&m->backlog))) {
    if (!send_now(m, u))
      return;
    backlog_pop(&m->backlog);
  }
  (void)loop_rewatch(m->loop, &m->controller, EPOLLIN);
}

void upward_fault(struct media *m, const struct mset_head *h, int error) {
  union up u = {
      .fault = {
          .h = {.bytes = sizeof(u.fault), .type = MSET_FAULT, .seq = h->seq, .session = h->session},
          .error = error,
          .command = h->type}};
  upward_send(m, &u);
}

static void on_load(struct media *m, const struct mset_load *l) {
  static const char *const words[] = {"takes calls again", "takes no new calls",
                                      "drops what is too old"};
  union up u = {.load = *l};
  u.load.dsp_permille = dsps_permille(m->dsps);
  m->loads[l->worker] = u.load;
  if (l->verdict != m->verdicts[l->worker])
    log_warn(media, "worker %u %s: busy %u of 1000, packets waited up to %u ms", l->worker,
             words[l->verdict], l->busy_permille, l->age_us / 1000);
  m->verdicts[l->worker] = (uint8_t)l->verdict;
  upward_send(m, &u);
}

/* Transcoding became full, or has room again: told beside what was told of each worker last. */
void upward_dsp(struct media *m) {
  uint32_t permille = dsps_permille(m->dsps);
  bool is_full = permille >= (m->is_dsp_full ? DSP_ROOM_PERMILLE : DSP_FULL_PERMILLE);
  if (is_full == m->is_dsp_full)
    return;
  m->is_dsp_full = is_full;
  log_info(media, "transcoding is %s: %u of 1000", is_full ? "nearly full" : "at hand again", permille);
  for (uint32_t i = 0; i < m->options.workers; i++) {
    union up u = {.load = m->loads[i]};
    u.load.h = (struct mset_head){.bytes = sizeof(u.load), .type = MSET_LOAD};
    u.load.worker = i;
    u.load.dsp_permille = permille;
    upward_send(m, &u);
  }
}

/* A controller that does not read loses them: they never wait. */
void upward_headers(struct media *m, struct worker *w) {
  capture_send(w, m->is_greeted && !m->backlog.n ? m->controller.fd : -1);
}

static void on_up(struct media *m, const union up *u) {
  bool is_over = u->h.type == MSET_ENDED || (u->h.type == MSET_FAULT && u->fault.command == MSET_OPEN);
  struct known *k = known_find(m, u->h.session);
  if (k && u->h.type == MSET_ENDED)
    upward_headers(m, m->workers[k->worker]); /* while it is known above */
  if (is_over)
    known_free(m, k);
  else if (k && u->h.type == MSET_FAULT && u->fault.command == MSET_ROOM_JOIN)
    roomlist_leave(m->rooms, &k->room);
  if (u->h.type == MSET_LOAD)
    on_load(m, &u->load);
  else
    upward_send(m, u);
}

void upward_hear(void *arg, uint32_t events) {
  struct media *m = arg;
  uint64_t count;
  union up u;
  (void)events;
  (void)!read(m->events_fd, &count, sizeof(count));
  for (uint32_t i = 0; i < m->options.workers; i++)
    while (worker_get(m->workers[i], &u))
      on_up(m, &u);
  for (uint32_t i = 0; i < m->options.workers; i++)
    if (capture_is_due(m->workers[i]))
      upward_headers(m, m->workers[i]);
  recorder_results(m->recorder);
}
