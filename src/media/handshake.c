/* SPDX-License-Identifier: Apache-2.0
 * The handshake thread: see handshake.h. It owns every association from begin to end. */
#include "media/handshake.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/ring.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

struct handshake {
  pthread_t thread;
  bool has_thread;
  atomic_bool is_ending;
  struct ring down, up;
  int wake_fd, worker_fd; /* wake_fd wakes us, worker_fd the worker. */
  struct map *by_assoc;
  struct list assocs;
  bool has_told; /* has_told: something went up in this turn. */
};

struct assoc {
  struct list node;
  uint64_t id, session;
  struct dtls *dtls;
  enum dtls_state told;
  bool told_misfit;
};

static void tell(struct handshake *h, const struct handshake_message *m) {
  /* A full ring loses a datagram that DTLS repeats, or a result that the deadline replaces. */
  h->has_told |= ring_put(&h->up, m);
}

static struct assoc *assoc_free(struct handshake *h, struct assoc *a) {
  (void)map_del(h->by_assoc, slice_from(&a->id, sizeof(a->id)));
  list_del(&a->node);
  dtls_free(a->dtls);
  free(a);
  return NULL;
}

static void tell_state(struct handshake *h, struct assoc *a, enum handshake_type type) {
  struct handshake_message m = {.assoc = a->id, .session = a->session, .type = type};
  if (type == HANDSHAKE_UP && dtls_keys(a->dtls, &m.keys.send, &m.keys.receive) < 0)
    m.type = HANDSHAKE_FAILED;
  tell(h, &m);
  explicit_bzero(&m, sizeof(m));
  dtls_keys_wipe(a->dtls);
}

static void tell_misfit(struct handshake *h, struct assoc *a) {
  if (a->told_misfit || strcmp(dtls_failure(a->dtls), "fingerprint") != 0)
    return;
  struct handshake_message m = {.assoc = a->id, .session = a->session, .type = HANDSHAKE_MISFIT};
  a->told_misfit = true;
  tell(h, &m);
}

static void send_output(struct handshake *h, struct assoc *a) {
  struct handshake_message m = {.assoc = a->id, .session = a->session, .type = HANDSHAKE_DATAGRAM};
  while ((m.n = (uint32_t)dtls_output(a->dtls, m.bytes, sizeof(m.bytes))) > 0)
    tell(h, &m);
}

/* After anything happened to it: what it wants to send, and a new state. */
static void settle(struct handshake *h, struct assoc *a) {
  enum dtls_state state = dtls_state(a->dtls);
  send_output(h, a);
  tell_misfit(h, a);
  if (state == a->told)
    return;
  a->told = state;
  if (state == DTLS_UP)
    tell_state(h, a, HANDSHAKE_UP);
  else if (state == DTLS_FAILED)
    tell_state(h, a, HANDSHAKE_FAILED);
}

static void begin(struct handshake *h, const struct handshake_message *m, uint64_t now_us) {
  struct assoc *a = calloc(1, sizeof(*a));
  if (!a)
    return;
  a->id = m->assoc;
  a->session = m->session;
  if (dtls_new(&a->dtls, m->begin.cert, (enum dtls_role)m->begin.role) < 0 ||
      map_put(h->by_assoc, slice_from(&a->id, sizeof(a->id)), a) < 0) {
    struct handshake_message failed = {
        .assoc = m->assoc, .session = m->session, .type = HANDSHAKE_FAILED};
    tell(h, &failed);
    dtls_free(a->dtls);
    free(a);
    return;
  }
  list_add_tail(&h->assocs, &a->node);
  dtls_expect(a->dtls, &m->begin.fingerprint, now_us);
  settle(h, a);
}

static void end(struct handshake *h, struct assoc *a) {
  dtls_close(a->dtls);
  send_output(h, a);
  assoc_free(h, a);
}

static void take_message(struct handshake *h, const struct handshake_message *m, uint64_t now_us) {
  struct assoc *a = map_get(h->by_assoc, slice_from(&m->assoc, sizeof(m->assoc)));
  if (m->type == HANDSHAKE_BEGIN && !a) {
    begin(h, m, now_us);
  } else if (m->type == HANDSHAKE_DATAGRAM && a) {
    if (m->is_wary)
      dtls_be_wary(a->dtls);
    (void)!dtls_input(a->dtls, m->bytes, m->n, now_us);
    settle(h, a);
  } else if (m->type == HANDSHAKE_END && a) {
    end(h, a);
  }
}

static uint64_t run_timers(struct handshake *h, uint64_t now_us) {
  uint64_t next = UINT64_MAX;
  LIST_EACH(&h->assocs, node) {
    struct assoc *a = CONTAINER_OF(node, struct assoc, node);
    if (dtls_next_us(a->dtls, now_us) <= now_us) {
      dtls_tick(a->dtls, now_us);
      settle(h, a);
    }
    uint64_t at = dtls_next_us(a->dtls, now_us);
    next = at < next ? at : next;
  }
  return next;
}

static void wake(int fd) {
  uint64_t one = 1;
  (void)!write(fd, &one, sizeof(one));
}

static void turn(struct handshake *h, int timeout_ms) {
  struct pollfd p = {.fd = h->wake_fd, .events = POLLIN};
  struct handshake_message m;
  uint64_t count;
  if (poll(&p, 1, timeout_ms) > 0)
    (void)!read(h->wake_fd, &count, sizeof(count));
  uint64_t now_us = clock_now_us();
  while (ring_get(&h->down, &m))
    take_message(h, &m, now_us);
}

static void *run(void *arg) {
  struct handshake *h = arg;
  int timeout_ms = -1;
  while (!atomic_load(&h->is_ending)) {
    turn(h, timeout_ms);
    uint64_t now_us = clock_now_us(), next = run_timers(h, now_us);
    uint64_t in_ms = next == UINT64_MAX ? 0 : next > now_us ? (next - now_us) / 1000 + 1 : 1;
    timeout_ms = next == UINT64_MAX ? -1 : in_ms > 1000 ? 1000 : (int)in_ms;
    if (h->has_told)
      wake(h->worker_fd);
    h->has_told = false;
  }
  return NULL;
}

int handshake_new(struct handshake **ret, int worker_fd) {
  own(handshake) h = aligned_alloc(_Alignof(struct handshake), sizeof(*h)); /* the rings' cache lines */
  if (!h)
    return -ENOMEM;
  memset(h, 0, sizeof(*h));
  list_init(&h->assocs);
  h->worker_fd = worker_fd;
  h->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (h->wake_fd < 0)
    return -errno;
  if (ring_init(&h->down, sizeof(struct handshake_message), HANDSHAKE_RING) < 0 ||
      ring_init(&h->up, sizeof(struct handshake_message), HANDSHAKE_RING) < 0 ||
      map_new(&h->by_assoc, HANDSHAKE_ASSOCS_MAX) < 0)
    return -ENOMEM;
  int error = pthread_create(&h->thread, NULL, run, h);
  if (error)
    return -error;
  h->has_thread = true;
  *ret = take(h);
  return 0;
}

struct handshake *handshake_free(struct handshake *h) {
  if (!h)
    return NULL;
  atomic_store(&h->is_ending, true);
  if (h->has_thread) {
    wake(h->wake_fd);
    pthread_join(h->thread, NULL);
  }
  LIST_EACH_SAFE(&h->assocs, node)
    assoc_free(h, CONTAINER_OF(node, struct assoc, node));
  if (h->wake_fd >= 0)
    close(h->wake_fd);
  ring_done(&h->down);
  ring_done(&h->up);
  map_free(h->by_assoc);
  free(h);
  return NULL;
}

bool handshake_put(struct handshake *h, const struct handshake_message *m) {
  bool done = ring_put(&h->down, m);
  wake(h->wake_fd);
  return done;
}

bool handshake_get(struct handshake *h, struct handshake_message *ret) { return ring_get(&h->up, ret); }
