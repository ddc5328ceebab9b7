/* SPDX-License-Identifier: Apache-2.0
 * The threads that decode and encode: see dsp.h. */
#include "media/dsp.h"

#include "base/clock.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

enum { FRAMES_A_WAKE = 16, BUSY_US = 1000000, TICKS_BEHIND_MAX = 5 };

struct object {
  uint64_t session; /* session is 0 where there is none. */
  struct xcode *xcode;
  uint8_t epoch;
};

struct side { /* one worker */
  struct pipe in, out;
  struct object *objects; /* by the slot of the session */
  int wake_fd;
  unsigned told; /* told counts what went out since it was woken. */
};

struct dsp {
  struct dsps *all;
  pthread_t thread;
  bool has_thread;
  int wake_fd; /* wake_fd ends its sleep while it has no objects. */
  uint32_t n_objects;
  struct rooms *rooms;
  uint64_t next_us, busy_us, busy_from_us; /* busy_us is of the time since busy_from_us. */
  struct side *sides;
  _Atomic uint32_t cost_us;  /* cost_us of each second is given away. */
  _Atomic uint32_t permille; /* permille of the last second was used. */
  _Atomic uint64_t drops[DROP_COUNT_];
};

struct dsps {
  struct dsps_options options;
  atomic_bool is_ending;
  struct dsp threads[DSP_THREADS_MAX];
  struct {
    struct pipe *from; /* from is what the worker looks at. */
    uint32_t next;
  } looks[64];
};

static uint32_t slot_of(uint64_t session) { return (uint32_t)session; }

static void count_drop(struct dsp *d, enum drop reason) {
  uint64_t was = atomic_load_explicit(&d->drops[reason], memory_order_relaxed);
  atomic_store_explicit(&d->drops[reason], was + 1, memory_order_relaxed); /* one writer */
}

static void wake(int fd) {
  uint64_t one = 1;
  (void)!write(fd, &one, sizeof(one));
}

/* What comes in ----------------------------------------------------------------------------------- */
typedef void op_fn(struct dsp *d, struct object *o, const struct dsp_input *in);
typedef void room_fn(struct dsp *d, uint32_t worker, const struct dsp_input *in);

static void forget(struct dsp *d, struct object *o) {
  if (o->session)
    d->n_objects--;
  o->xcode = xcode_free(o->xcode);
  o->session = 0;
}

static void op_form(struct dsp *d, struct object *o, const struct dsp_input *in) {
  if (o->session != in->session)
    forget(d, o);
  int error = o->session ? xcode_alter(o->xcode, &in->form) : xcode_new(&o->xcode, &in->form);
  if (error) {
    count_drop(d, DROP_INTERNAL);
    return;
  }
  if (!o->session)
    d->n_objects++;
  o->session = in->session;
  o->epoch = in->epoch;
}

static void op_packet(struct dsp *d, struct object *o, const struct dsp_input *in) {
  o->epoch = in->epoch;
  if (!xcode_put(o->xcode, &in->packet, (const uint8_t *)(in + 1), in->n, in->now_us))
    count_drop(d, DROP_CODEC);
}

static void op_rest(struct dsp *d, struct object *o, const struct dsp_input *in) {
  (void)d;
  o->epoch = in->epoch;
  xcode_rest(o->xcode);
}

static void op_tone(struct dsp *d, struct object *o, const struct dsp_input *in) {
  (void)d;
  xcode_tone(o->xcode, (int)in->tone - 1, in->now_us);
}

static void op_play(struct dsp *d, struct object *o, const struct dsp_input *in) {
  if (d->all->options.prompts)
    xcode_play(o->xcode, d->all->options.prompts, &in->play, in->now_us);
}

static void op_loss(struct dsp *d, struct object *o, const struct dsp_input *in) {
  (void)d;
  xcode_loss(o->xcode, in->loss_percent);
}

static void op_close(struct dsp *d, struct object *o, const struct dsp_input *in) {
  (void)in;
  forget(d, o);
}

static op_fn *const ops[DSP_OPS_] = {
    [DSP_FORM] = op_form, [DSP_PACKET] = op_packet, [DSP_REST] = op_rest,   [DSP_TONE] = op_tone,
    [DSP_PLAY] = op_play, [DSP_LOSS] = op_loss,     [DSP_CLOSE] = op_close,
};

static void room_join_op(struct dsp *d, uint32_t worker, const struct dsp_input *in) {
  if (rooms_join(d->rooms, worker, in->session, &in->room, in->now_us) < 0)
    count_drop(d, DROP_INTERNAL);
}

static void room_packet_op(struct dsp *d, uint32_t worker, const struct dsp_input *in) {
  if (!rooms_put(d->rooms, worker, in->session, &in->said, (const uint8_t *)(in + 1), in->n, in->now_us))
    count_drop(d, DROP_CODEC);
}

static void room_leave_op(struct dsp *d, uint32_t worker, const struct dsp_input *in) {
  rooms_leave(d->rooms, worker, in->session);
}

static room_fn *const room_ops[DSP_OPS_] = {
    [DSP_ROOM_JOIN] = room_join_op,
    [DSP_ROOM_PACKET] = room_packet_op,
    [DSP_ROOM_LEAVE] = room_leave_op,
};

static void take_in(struct dsp *d, uint32_t worker) {
  struct side *side = &d->sides[worker];
  const struct dsp_input *in;
  size_t n;
  while ((in = pipe_peek(&side->in, &n))) {
    uint32_t slot = slot_of(in->session);
    struct object *o = slot < d->all->options.sessions_max ? &side->objects[slot] : NULL;
    if (room_ops[in->op])
      room_ops[in->op](d, worker, in);
    else if (o && (in->op == DSP_FORM || o->session == in->session))
      ops[in->op](d, o, in);
    pipe_pop(&side->in);
  }
}

/* What goes out ----------------------------------------------------------------------------------- */
static void give(struct dsp *d, struct side *side, const struct dsp_output *out,
                 const uint8_t *payload) {
  uint8_t *p = pipe_reserve(&side->out, sizeof(*out) + out->frame.n);
  if (!p) {
    count_drop(d, DROP_QUEUE_FULL);
    return;
  }
  memcpy(p, out, sizeof(*out));
  if (out->frame.n)
    memcpy(p + sizeof(*out), payload, out->frame.n);
  pipe_commit(&side->out);
  if (++side->told % FRAMES_A_WAKE == 0)
    wake(side->wake_fd);
}

static void tell_played(struct dsp *d, struct side *side, struct object *o) {
  struct dsp_output out = {.session = o->session, .epoch = o->epoch, .made = DSP_MADE_PLAYED};
  if (xcode_played(o->xcode, &out.error))
    give(d, side, &out, NULL);
}

static void run_side(struct dsp *d, struct side *side, uint64_t now_us) {
  struct dsp_output out = {0};
  uint8_t payload[XCODE_PAYLOAD_MAX];
  for (uint32_t i = 0; i < d->all->options.sessions_max; i++) {
    struct object *o = &side->objects[i];
    if (!o->session || xcode_next_us(o->xcode) > now_us)
      continue;
    out.session = o->session;
    out.epoch = o->epoch;
    while (xcode_get(o->xcode, now_us, &out.frame, payload))
      give(d, side, &out, payload);
    tell_played(d, side, o);
  }
}

static void wake_side(struct side *side) {
  if (side->told % FRAMES_A_WAKE)
    wake(side->wake_fd);
  side->told = 0;
}

static void give_mix(void *arg, uint32_t worker, uint64_t session, uint64_t room,
                     const struct xcode_frame *f, const uint8_t *payload) {
  struct dsp *d = arg;
  struct dsp_output out = {.session = session, .room = room, .frame = *f, .made = DSP_MADE_MIX};
  give(d, &d->sides[worker], &out, payload);
}

static void give_speaker(void *arg, uint32_t worker, uint64_t session, uint64_t room, uint8_t level,
                         bool is_nobody) {
  struct dsp *d = arg;
  struct dsp_output out = {.session = session,
                           .room = room,
                           .made = DSP_MADE_SPEAKER,
                           .level = level,
                           .is_nobody = is_nobody};
  give(d, &d->sides[worker], &out, NULL);
}

static void measure(struct dsp *d, uint64_t from_us, uint64_t to_us) {
  d->busy_us += to_us - from_us;
  uint64_t time_us = to_us - d->busy_from_us;
  if (time_us < BUSY_US)
    return;
  atomic_store_explicit(&d->permille, (uint32_t)(d->busy_us * 1000 / time_us), memory_order_relaxed);
  d->busy_us = 0;
  d->busy_from_us = to_us;
}

static void turn(struct dsp *d) {
  uint64_t now_us = clock_now_us();
  for (uint32_t i = 0; i < d->all->options.workers; i++)
    take_in(d, i);
  for (uint32_t i = 0; i < d->all->options.workers; i++)
    run_side(d, &d->sides[i], now_us);
  rooms_run(d->rooms, now_us, &(struct rooms_ops){d, give_mix, give_speaker});
  for (uint32_t i = 0; i < d->all->options.workers; i++)
    wake_side(&d->sides[i]);
  d->next_us += DSP_TICK_US;
  if (d->next_us + (uint64_t)TICKS_BEHIND_MAX * DSP_TICK_US < now_us)
    d->next_us = now_us + DSP_TICK_US; /* held up: no burst of ticks */
  measure(d, now_us, clock_now_us());
}

static void rest(struct dsp *d) {
  struct pollfd p = {.fd = d->wake_fd, .events = POLLIN};
  uint64_t count;
  (void)poll(&p, 1, -1);
  (void)!read(d->wake_fd, &count, sizeof(count));
  d->next_us = d->busy_from_us = clock_now_us();
  d->busy_us = 0;
}

static void wait_tick(const struct dsp *d) {
  uint64_t now_us = clock_now_us();
  if (now_us >= d->next_us)
    return;
  struct timespec ts = {0, (long)((d->next_us - now_us) * 1000)};
  (void)nanosleep(&ts, NULL);
}

static void *run(void *arg) {
  struct dsp *d = arg;
  while (!atomic_load(&d->all->is_ending)) {
    if (d->n_objects || rooms_count(d->rooms))
      wait_tick(d);
    else
      rest(d);
    turn(d);
  }
  return NULL;
}

/* Workers ------------------------------------------------------------------------------------------- */
int dsps_admit(struct dsps *all, uint32_t cost_us, uint32_t *ret_thread) {
  uint32_t best = 0, least = UINT32_MAX;
  for (uint32_t i = 0; i < all->options.threads; i++) {
    uint32_t used = atomic_load_explicit(&all->threads[i].cost_us, memory_order_relaxed);
    if (used < least) {
      least = used;
      best = i;
    }
  }
  struct dsp *d = &all->threads[best];
  uint32_t limit = all->options.share_percent * 10000;
  bool is_busy =
      atomic_load_explicit(&d->permille, memory_order_relaxed) > all->options.share_percent * 10;
  if (least + cost_us > limit || (is_busy && least))
    return -EBUSY;
  atomic_fetch_add_explicit(&d->cost_us, cost_us, memory_order_relaxed);
  *ret_thread = best;
  return 0;
}

int dsps_admit_at(struct dsps *all, uint32_t thread, uint32_t cost_us) {
  struct dsp *d = &all->threads[thread];
  uint32_t used = atomic_load_explicit(&d->cost_us, memory_order_relaxed);
  if (used + cost_us > all->options.share_percent * 10000)
    return -EBUSY;
  atomic_fetch_add_explicit(&d->cost_us, cost_us, memory_order_relaxed);
  return 0;
}

void dsps_release(struct dsps *all, uint32_t thread, uint32_t cost_us) {
  atomic_fetch_sub_explicit(&all->threads[thread].cost_us, cost_us, memory_order_relaxed);
}

void dsps_recost(struct dsps *all, uint32_t thread, uint32_t was_us, uint32_t cost_us) {
  atomic_fetch_add_explicit(&all->threads[thread].cost_us, cost_us - was_us, memory_order_relaxed);
}

bool dsps_put(struct dsps *all, uint32_t thread, uint32_t worker, const struct dsp_input *in,
              const uint8_t *payload) {
  struct dsp *d = &all->threads[thread];
  struct pipe *to = &d->sides[worker].in;
  size_t n = sizeof(*in) + in->n;
  bool can_be_spared = in->op == DSP_PACKET || in->op == DSP_ROOM_PACKET;
  if (can_be_spared && !pipe_reserve(to, n + DSP_SPARE_BYTES))
    return false;
  uint8_t *p = pipe_reserve(to, n);
  if (!p)
    return false;
  memcpy(p, in, sizeof(*in));
  if (in->n)
    memcpy(p + sizeof(*in), payload, in->n);
  pipe_commit(to);
  if (in->op == DSP_FORM || in->op == DSP_ROOM_JOIN)
    wake(d->wake_fd);
  return true;
}

const struct dsp_output *dsps_get(struct dsps *all, uint32_t worker, const uint8_t **ret_payload) {
  size_t n;
  if (all->looks[worker].from)
    pipe_pop(all->looks[worker].from);
  all->looks[worker].from = NULL;
  for (uint32_t i = 0; i < all->options.threads; i++) {
    struct pipe *from = &all->threads[all->looks[worker].next % all->options.threads].sides[worker].out;
    const struct dsp_output *out = pipe_peek(from, &n);
    if (out) {
      all->looks[worker].from = from;
      *ret_payload = (const uint8_t *)(out + 1);
      return out;
    }
    all->looks[worker].next++;
  }
  return NULL;
}

uint64_t dsps_drops(const struct dsps *all, enum drop reason) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < all->options.threads; i++)
    sum += atomic_load_explicit(&all->threads[i].drops[reason], memory_order_relaxed);
  return sum;
}

uint32_t dsps_permille(const struct dsps *all) {
  uint64_t cost_us = 0, busy = 0, share = all->options.share_percent, n = all->options.threads;
  for (uint32_t i = 0; i < n; i++) {
    cost_us += atomic_load_explicit(&all->threads[i].cost_us, memory_order_relaxed);
    busy += atomic_load_explicit(&all->threads[i].permille, memory_order_relaxed);
  }
  uint64_t given = cost_us / (10 * share * n), used = busy * 100 / (share * n);
  return (uint32_t)(given > used ? given : used);
}

/* Life ---------------------------------------------------------------------------------------------- */
static int make_side(struct side *side, uint32_t sessions_max) {
  side->wake_fd = -1;
  side->objects = calloc(sessions_max, sizeof(*side->objects));
  int error = side->objects ? pipe_init(&side->in, DSP_PIPE_BYTES) : -ENOMEM;
  return error ? error : pipe_init(&side->out, DSP_PIPE_BYTES);
}

static int make(struct dsps *all, struct dsp *d) {
  d->all = all;
  d->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (d->wake_fd < 0)
    return -errno;
  size_t bytes = all->options.workers * sizeof(*d->sides);
  d->sides = aligned_alloc(_Alignof(struct side), bytes);
  if (!d->sides)
    return -ENOMEM;
  memset(d->sides, 0, bytes);
  int error = 0;
  for (uint32_t i = 0; !error && i < all->options.workers; i++)
    error = make_side(&d->sides[i], all->options.sessions_max);
  if (!error)
    error = rooms_new(&d->rooms, all->options.workers, all->options.sessions_max);
  return error;
}

int dsps_new(struct dsps **ret, const struct dsps_options *o) {
  if (o->threads > DSP_THREADS_MAX || !o->workers || o->workers > 64)
    return -EINVAL;
  own(dsps) all = calloc(1, sizeof(*all));
  if (!all)
    return -ENOMEM;
  all->options = *o;
  all->options.threads = o->threads ? o->threads : 1;
  all->options.share_percent = o->share_percent ? o->share_percent : DSP_SHARE_DEFAULT;
  for (uint32_t i = 0; i < DSP_THREADS_MAX; i++)
    all->threads[i].wake_fd = -1;
  int error = 0;
  for (uint32_t i = 0; !error && i < all->options.threads; i++)
    error = make(all, &all->threads[i]);
  if (error)
    return error;
  *ret = take(all);
  return 0;
}

void dsps_set_wake(struct dsps *all, uint32_t worker, int fd) {
  for (uint32_t i = 0; i < all->options.threads; i++)
    all->threads[i].sides[worker].wake_fd = fd;
}

int dsps_start(struct dsps *all) {
  int error = 0;
  for (uint32_t i = 0; !error && i < all->options.threads; i++) {
    error = pthread_create(&all->threads[i].thread, NULL, run, &all->threads[i]);
    all->threads[i].has_thread = !error;
  }
  return -error;
}

void dsps_stop(struct dsps *all) {
  if (!all)
    return;
  atomic_store(&all->is_ending, true);
  for (uint32_t i = 0; i < all->options.threads; i++) {
    struct dsp *d = &all->threads[i];
    if (!d->has_thread)
      continue;
    wake(d->wake_fd);
    pthread_join(d->thread, NULL);
    d->has_thread = false;
  }
}

static void unmake(struct dsps *all, struct dsp *d) {
  for (uint32_t i = 0; d->sides && i < all->options.workers; i++) {
    struct side *side = &d->sides[i];
    for (uint32_t k = 0; side->objects && k < all->options.sessions_max; k++)
      xcode_free(side->objects[k].xcode);
    free(side->objects);
    pipe_done(&side->in);
    pipe_done(&side->out);
  }
  free(d->sides);
  d->rooms = rooms_free(d->rooms);
  own_fd_close(&d->wake_fd);
}

struct dsps *dsps_free(struct dsps *all) {
  if (!all)
    return NULL;
  dsps_stop(all);
  for (uint32_t i = 0; i < all->options.threads; i++)
    unmake(all, &all->threads[i]);
  free(all);
  return NULL;
}
