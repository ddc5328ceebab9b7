/* SPDX-License-Identifier: Apache-2.0
 * The packet thread: see worker.h. */
#include "media/worker.h"

#include "base/clock.h"
#include "base/rand.h"
#include "media/cmd.h"
#include "media/session.h"
#include "media/shared.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

enum {
  NATIVE_RECEIVE_BYTES = 4 << 20,
  COMMANDS_A_TURN = 32,
  TIMER_SLACK_NS = 5000,
  AGE_MAX_US = 10000000,
  SOURCES_A_LEG = 4, /* on the average */
  LEGS = 2
};

void worker_drop(struct worker *w, enum drop d) {
  uint64_t was = atomic_load_explicit(&w->drops[d], memory_order_relaxed);
  atomic_store_explicit(&w->drops[d], was + 1, memory_order_relaxed); /* one writer */
}

void worker_tell(struct worker *w, const union up *m, bool can_be_spared) {
  size_t used = atomic_load_explicit(&w->events.tail, memory_order_relaxed) -
                atomic_load_explicit(&w->events.head, memory_order_acquire);
  bool is_kept = !can_be_spared || used < WORKER_EVENTS - WORKER_EVENTS_SPARE;
  if (!is_kept || !ring_put(&w->events, m))
    atomic_fetch_add_explicit(&w->lost_events, 1, memory_order_relaxed);
  w->has_told = true;
}

static void wake(int fd) {
  uint64_t one = 1;
  (void)!write(fd, &one, sizeof(one));
}

bool worker_put(struct worker *w, const union mset_any *command) {
  bool done = ring_put(&w->commands, command);
  wake(w->wake_fd);
  return done;
}

bool worker_get(struct worker *w, union up *ret) { return ring_get(&w->events, ret); }

/* Only media: a check or a handshake that comes late is still worth its answer. A wall clock that was
 * set makes no age. */
static bool is_stale(struct worker *w, const struct packet *p) {
  uint64_t age_us = w->wall_us - p->at_wall_us;
  if (w->wall_us < p->at_wall_us || age_us > AGE_MAX_US)
    return false;
  overload_age(&w->overload, (uint32_t)age_us);
  return overload_is_stale(&w->overload, (uint32_t)age_us) && p->n && p->bytes[0] >> 6 == 2;
}

int worker_admit(const struct worker *w, const struct mset_open *m) {
  bool is_free = m->beside || (m->flags & MSET_OPEN_URGENT);
  return is_free || overload_may_open(&w->overload, LEGS) ? 0 : -EBUSY;
}

static void tell_load(struct worker *w) {
  const struct overload *o = &w->overload;
  union up m = {.load = {.h = {.bytes = sizeof(m.load), .type = MSET_LOAD},
                         .worker = w->index,
                         .verdict = o->verdict,
                         .busy_permille = o->busy_permille,
                         .age_us = o->age_us}};
  worker_tell(w, &m, true);
}

static void on_packet(void *arg, struct packet *p) {
  struct worker *w = arg;
  w->harvest++;
  if (p->at_wall_us && is_stale(w, p)) {
    worker_drop(w, DROP_STALE);
    return;
  }
  enum drop d = p->port->owner                 ? session_input(p->port->owner, p, NULL)
                : p->port->kind == PORT_NATIVE ? assoc_native_input(w, p)
                                               : shared_input(w, p);
  if (d)
    worker_drop(w, d);
}

static void on_soon(void *arg, const void *owner, unsigned stage) {
  (void)arg;
  session_foresee(owner, stage);
}

static void on_refused(void *arg, uint64_t owner, const struct addr *to, int error) {
  session_refused(arg, owner, to, error);
}

static void run_commands(struct worker *w) {
  union mset_any m;
  for (int i = 0; i < COMMANDS_A_TURN; i++) {
    if (!ring_get(&w->commands, &m))
      return;
    cmd_run(w, &m);
    explicit_bzero(&m, sizeof(m));
  }
  wake(w->wake_fd); /* packets first, then the rest */
}

static void turn(struct worker *w, uint32_t gather_us, int timeout_ms) {
  io_wait(w->io, gather_us, timeout_ms);
  w->now_us = clock_now_us();
  w->wall_us = clock_wall_ms() * 1000;
  w->harvest = 0;
  io_receive(w->io, on_packet, w);
  coalesce_harvest(&w->coalesce, w->harvest, w->now_us);
  overload_packets(&w->overload, w->harvest);
  keying_results(w);
  voice_results(w);
  run_commands(w);
  xlink_results(w); /* behind the LINK that they belong to */
  timers_run(&w->timers, w->now_us);
  io_flush(w->io, on_refused, w);
  xlink_flush(w);
  if (overload_is_due(&w->overload, w->now_us) &&
      overload_close(&w->overload, w->now_us, clock_thread_us(), pool_count(w->sessions)))
    tell_load(w);
  if (w->has_told)
    wake(w->events_fd);
  w->has_told = false;
}

void worker_turn(struct worker *w, int timeout_ms) { turn(w, 0, timeout_ms); }

static int wait_ms(const struct worker *w, uint64_t now) {
  uint64_t next = timers_next_us(&w->timers);
  if (next == UINT64_MAX)
    return 1000;
  return next <= now ? 0 : next - now > 1000000 ? 1000 : (int)((next - now + 999) / 1000);
}

/* With a processor for each worker, each stays on its own. */
static void pin(const struct worker *w) {
  cpu_set_t may, one;
  if (sched_getaffinity(0, sizeof(may), &may) < 0 || w->n_workers < 2 ||
      CPU_COUNT(&may) < (int)w->n_workers)
    return;
  CPU_ZERO(&one);
  for (int cpu = 0, i = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &may) && i++ == (int)w->index)
      CPU_SET(cpu, &one);
  (void)pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

static void close_sessions(struct worker *w) {
  uint32_t slot = 0;
  struct session *s;
  while (w->sessions && (s = pool_next(w->sessions, &slot, NULL)))
    session_close(s);
}

static void *run(void *arg) {
  struct worker *w = arg;
  pin(w);
  (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
  while (!atomic_load(&w->is_ending)) {
    uint64_t now_us = clock_now_us();
    int ms = wait_ms(w, now_us);
    turn(w, ms ? coalesce_wait_us(&w->coalesce, now_us) : 0, ms);
  }
  close_sessions(w); /* here: sockets belong to the thread that uses them */
  return NULL;
}

static int open_native(struct worker *w) {
  struct port_options po = {w->options->dscp, NATIVE_RECEIVE_BYTES, true};
  for (uint32_t i = 0; i < w->options->n_addresses; i++) {
    struct addr local = w->options->addresses[i].bind;
    if (w->options->addresses[i].not_apps)
      continue;
    addr_set_port(&local, (uint16_t)(w->options->native_port ? w->options->native_port + w->index : 0));
    int error = port_open(&w->native[i], &local, &w->options->addresses[i].shown, &po);
    if (!error)
      error = io_add(w->io, &w->native[i]);
    if (error)
      return error;
  }
  return 0;
}

static int make_parts(struct worker *w) {
  uint32_t max = w->sessions_max;
  if (ring_init(&w->commands, sizeof(union mset_any), WORKER_COMMANDS) < 0 ||
      ring_init(&w->events, sizeof(union up), WORKER_EVENTS) < 0 ||
      ring_init(&w->headers, sizeof(struct mset_header), WORKER_HEADERS) < 0 ||
      pool_new(&w->sessions, sizeof(struct session), max) < 0 || map_new(&w->by_id, max) < 0 ||
      map_new(&w->by_ufrag, 2 * (size_t)max) < 0 ||
      map_new(&w->by_tuple, ICE_PAIRS_MAX * (size_t)max) < 0 ||
      map_new(&w->by_source, SOURCES_A_LEG * (size_t)max) < 0)
    return -ENOMEM;
  w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (w->wake_fd < 0)
    return -errno;
  struct io_options io = {.wake_fd = w->wake_fd,
                          .ports_max = 2 * max + MSET_ADDRS_MAX + 4,
                          .xdp = w->options->xdp,
                          .worker = w->index};
  int error = io_new(&w->io, w->options->backend, &io);
  if (!error)
    w->io->soon = on_soon;
  return error ? error : handshake_new(&w->handshake, w->wake_fd);
}

int worker_new(struct worker **ret, const struct media_options *o, uint32_t index, struct facts *facts,
               struct dsps *dsps, int events_fd) {
  own(worker) w = aligned_alloc(_Alignof(struct worker), sizeof(*w)); /* the rings' cache lines */
  if (!w)
    return -ENOMEM;
  memset(w, 0, sizeof(*w));
  w->options = o;
  w->index = index;
  w->n_workers = o->workers;
  w->sessions_max = facts->slots / o->workers;
  w->facts = facts;
  w->facts_base = index * w->sessions_max;
  w->events_fd = events_fd;
  w->dsps = dsps;
  w->wake_fd = -1;
  w->next_port = rand_below(1u << 16);
  w->now_us = clock_now_us();
  for (unsigned i = 0; i < MSET_ADDRS_MAX; i++)
    w->native[i].fd = -1;
  for (unsigned i = 0; i < 4; i++)
    w->shared[i / 2][i % 2].fd = -1;
  stray_init(w);
  int error = make_parts(w);
  if (!error)
    error = open_native(w);
  if (error)
    return error;
  if (dsps)
    dsps_set_wake(dsps, index, w->wake_fd);
  *ret = take(w);
  return 0;
}

void worker_share(struct worker *w, struct xlinks *x, struct disk *d) {
  w->xlinks = x;
  w->disk = d;
  xlinks_set_wake(x, w->index, w->wake_fd);
}

int worker_start(struct worker *w) {
  int error = pthread_create(&w->thread, NULL, run, w);
  w->has_thread = !error;
  return -error;
}

void worker_stop(struct worker *w) {
  if (!w || !w->has_thread)
    return;
  atomic_store(&w->is_ending, true);
  wake(w->wake_fd);
  pthread_join(w->thread, NULL);
  w->has_thread = false;
}

struct worker *worker_free(struct worker *w) {
  if (!w)
    return NULL;
  worker_stop(w);
  close_sessions(w);
  handshake_free(w->handshake);
  io_free(w->io);
  for (unsigned i = 0; i < MSET_ADDRS_MAX; i++)
    port_close(&w->native[i]);
  for (unsigned i = 0; i < 4; i++)
    port_close(&w->shared[i / 2][i % 2]);
  timers_done(&w->timers);
  pool_free(w->sessions);
  map_free(w->by_id);
  map_free(w->by_ufrag);
  map_free(w->by_tuple);
  map_free(w->by_source);
  ring_done(&w->commands);
  ring_done(&w->events);
  ring_done(&w->headers);
  if (w->wake_fd >= 0)
    close(w->wake_fd);
  free(w);
  return NULL;
}
