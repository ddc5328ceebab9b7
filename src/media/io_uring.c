/* SPDX-License-Identifier: Apache-2.0
 * The io_uring backend: see io.h. Each socket has one multishot receive into a common ring of buffers;
 * sends go by one call for a turn, in their order, and are over when it returns (MSG_DONTWAIT: none
 * is put off). The ring is made disabled, limited to these operations, and enabled by its worker.
 * Linux 6.1. */
#include "media/io.h"

#include <liburing.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

enum {
  ENTRIES = 1024,
  COMPLETIONS = 8192,
  BUFFERS = 512, /* a power of two */
  GROUP = 1,
  NAME_BYTES = 32,
  CONTROL_BYTES = CMSG_SPACE(sizeof(struct timespec)),
  STRIDE = sizeof(struct io_uring_recvmsg_out) + NAME_BYTES + CONTROL_BYTES + IO_DATAGRAM_MAX,
  OUT_MAX = 128,
  OUT_KEPT = 1024,   /* sends whose refusal can still be told to their owners; a power of two */
  AT_ONCE = 20,      /* the kernel's IO_LOCAL_TW_DEFAULT_MAX */
  HARVEST_BUSY = 16, /* after so many a turn that is late for its pace takes all that is there, too */
  HARVEST_MAX = 1024,
};

/* What a completion is of: the top byte of its user_data. */
enum about { OF_NOTHING, OF_WAKE, OF_RECEIVE, OF_SEND };

struct place {       /* of a port */
  struct port *port; /* port is NULL while free. */
  const void *owner; /* owner is the port's. */
  uint32_t generation, next_free;
};

struct sent {
  struct addr to;
  uint64_t owner;
  uint32_t number;
};

struct uringio {
  struct io io;
  struct io_uring ring;
  int wake_fd;
  bool has_ring, is_enabled;
  unsigned harvest; /* harvest is how many the last turn took. */
  uint32_t n_files; /* n_files places have a registered file: as many as the limit of open files lets. */
  struct io_uring_buf_ring *buffers;
  size_t buffers_bytes;
  uint8_t (*in_bytes)[STRIDE];
  unsigned given;      /* given buffers go back to the kernel at the end of a harvest. */
  struct msghdr shape; /* shape has the room of names and control data. */
  struct place *places;
  uint32_t n_places, free_place; /* free_place is the first free one + 1. */
  unsigned n_out;
  uint32_t number; /* number is of the last send. */
  struct sent sent[OUT_KEPT];
  uint8_t (*out_bytes)[IO_PACKET_BYTES];
  io_refused_fn *refused_fn; /* of the last flush */
  void *refused_arg;
};

static struct uringio *of(struct io *io) { return CONTAINER_OF(io, struct uringio, io); }

/* Debian's liburing does not export what makes these two calls. */
static int register_call(const struct uringio *u, unsigned what, const void *p, unsigned n) {
  return syscall(SYS_io_uring_register, u->ring.ring_fd, what, p, n) < 0 ? -errno : 0;
}

static uint64_t name_of(enum about what, uint32_t place, uint32_t generation) {
  return (uint64_t)what << 56 | (uint64_t)(place & 0xffffff) << 32 | generation;
}

/* Submission --------------------------------------------------------------------------------------- */
static void submit(struct uringio *u) {
  if (!u->is_enabled)
    return;
  for (int i = 0; i < 64 && io_uring_sq_ready(&u->ring); i++)
    if (io_uring_submit(&u->ring) < 0 && i > 8)
      (void)io_uring_get_events(&u->ring);
  u->n_out = 0;
}

static struct io_uring_sqe *sqe_of(struct uringio *u, uint64_t name) {
  struct io_uring_sqe *e = io_uring_get_sqe(&u->ring);
  if (!e) {
    submit(u);
    e = io_uring_get_sqe(&u->ring);
  }
  if (e) {
    memset(e, 0, sizeof(*e));
    e->user_data = name;
  }
  return e;
}

static void on_port(const struct uringio *u, struct io_uring_sqe *e, uint32_t place, int fd) {
  e->fd = place < u->n_files ? (int)place : fd;
  if (place < u->n_files)
    e->flags |= IOSQE_FIXED_FILE;
}

static int arm(struct uringio *u, uint32_t place) {
  const struct place *at = &u->places[place];
  uint64_t name = name_of(OF_RECEIVE, place, at->generation);
  struct io_uring_sqe *e = sqe_of(u, name);
  if (!e)
    return -EBUSY;
  io_uring_prep_recvmsg_multishot(e, at->port->fd, &u->shape, 0);
  e->user_data = name;
  e->flags |= IOSQE_BUFFER_SELECT;
  e->buf_group = GROUP;
  on_port(u, e, place, at->port->fd);
  return 0;
}

static void watch_wake(struct uringio *u) {
  struct io_uring_sqe *e = sqe_of(u, 0);
  if (!e)
    return;
  io_uring_prep_poll_multishot(e, u->wake_fd, POLLIN);
  e->user_data = name_of(OF_WAKE, 0, 0);
}

/* Ports --------------------------------------------------------------------------------------------- */
static int uringio_add(struct io *io, struct port *p) {
  struct uringio *u = of(io);
  if (!u->free_place)
    return -EMFILE;
  uint32_t at = u->free_place - 1;
  struct place *place = &u->places[at];
  int r = at < u->n_files ? io_uring_register_files_update(&u->ring, at, &p->fd, 1) : 1;
  if (r < 0)
    return r;
  u->free_place = place->next_free;
  place->port = p;
  place->owner = p->owner;
  p->place = at;
  return arm(u, at);
}

/* What was armed in this turn is submitted first: else it would be armed on the next port of the place.
 */
static void uringio_del(struct io *io, struct port *p) {
  struct uringio *u = of(io);
  struct place *place = &u->places[p->place];
  int none = -1;
  submit(u);
  struct io_uring_sqe *e = sqe_of(u, 0);
  if (e) {
    io_uring_prep_cancel64(e, name_of(OF_RECEIVE, p->place, place->generation), 0);
    e->user_data = name_of(OF_NOTHING, 0, 0);
    submit(u);
  }
  if (p->place < u->n_files)
    (void)io_uring_register_files_update(&u->ring, p->place, &none, 1);
  place->generation++;
  place->port = NULL;
  place->owner = NULL;
  place->next_free = u->free_place;
  u->free_place = p->place + 1;
}

/* Receiving ------------------------------------------------------------------------------------------
 */
static void enable(struct uringio *u) {
  u->is_enabled = register_call(u, IORING_REGISTER_ENABLE_RINGS, NULL, 0) == 0;
  submit(u);
}

static void await(struct uringio *u, unsigned n, uint64_t us) {
  struct __kernel_timespec ts = {(long long)(us / 1000000u), (long long)(us % 1000000u) * 1000};
  struct io_uring_cqe *cqe;
  (void)io_uring_submit_and_wait_timeout(&u->ring, &cqe, n, &ts, NULL);
}

/* Takes what has come without waiting: newer kernels hand out no more at once than AT_ONCE. (Asked to
 * wait for more they would, but set a timer for it, which costs as much as three packets.) */
static void take_all(struct uringio *u) {
  unsigned before, after = io_uring_cq_ready(&u->ring);
  do {
    before = after;
    if (io_uring_submit_and_get_events(&u->ring) < 0)
      return;
    after = io_uring_cq_ready(&u->ring);
  } while (after != before && after + AT_ONCE < BUFFERS);
}

/* Asleep, nothing wakes us: older kernels would for each datagram, if many were waited for in the ring. */
static void gather(struct uringio *u, uint32_t us) {
  struct timespec ts = {.tv_nsec = (long)us * 1000};
  if (us)
    nanosleep(&ts, NULL);
  take_all(u);
}

static int uringio_wait(struct io *io, uint32_t gather_us, int timeout_ms) {
  struct uringio *u = of(io);
  if (!u->is_enabled)
    enable(u);
  if (gather_us || u->harvest >= HARVEST_BUSY)
    gather(u, gather_us);
  if (!io_uring_cq_ready(&u->ring))
    await(u, 1, timeout_ms < 0 ? 3600000000u : (uint64_t)timeout_ms * 1000u);
  return (int)io_uring_cq_ready(&u->ring);
}

static void give_back(struct uringio *u, unsigned buffer) {
  io_uring_buf_ring_add(u->buffers, u->in_bytes[buffer], STRIDE, (unsigned short)buffer,
                        io_uring_buf_ring_mask(BUFFERS), (int)u->given++);
}

static void take_datagram(struct uringio *u, struct port *port, uint8_t *bytes, int n, io_receive_fn *fn,
                          void *arg) {
  struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(bytes, n, &u->shape);
  if (!out)
    return;
  if (out->flags & MSG_TRUNC) {
    u->io.too_long++;
    return;
  }
  struct msghdr control = {.msg_control = (uint8_t *)io_uring_recvmsg_name(out) + NAME_BYTES,
                           .msg_controllen = out->controllen};
  struct packet p = {.port = port,
                     .bytes = io_uring_recvmsg_payload(out, &u->shape),
                     .n = io_uring_recvmsg_payload_length(out, n, &u->shape),
                     .at_wall_us = io_stamp_us(&control)};
  addr_from(&p.from, io_uring_recvmsg_name(out));
  fn(arg, &p);
}

static void on_received(struct uringio *u, const struct io_uring_cqe *cqe, io_receive_fn *fn,
                        void *arg) {
  struct place *place = &u->places[cqe->user_data >> 32 & 0xffffff];
  bool is_known = place->port && place->generation == (uint32_t)cqe->user_data;
  if (cqe->flags & IORING_CQE_F_BUFFER) {
    unsigned buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    if (is_known && cqe->res > 0)
      take_datagram(u, place->port, u->in_bytes[buffer], cqe->res, fn, arg);
    give_back(u, buffer);
  }
  if (is_known && !(cqe->flags & IORING_CQE_F_MORE) && place->port &&
      place->generation == (uint32_t)cqe->user_data)
    (void)!arm(u, (uint32_t)(place - u->places));
}

static void on_woken(struct uringio *u, const struct io_uring_cqe *cqe) {
  uint64_t count;
  (void)!read(u->wake_fd, &count, sizeof(count));
  if (!(cqe->flags & IORING_CQE_F_MORE))
    watch_wake(u);
}

static void on_refused(struct uringio *u, const struct io_uring_cqe *cqe) {
  uint32_t number = (uint32_t)cqe->user_data;
  const struct sent *s = &u->sent[number % OUT_KEPT];
  u->io.refused++;
  if (u->refused_fn && s->number == number)
    u->refused_fn(u->refused_arg, s->owner, &s->to, -cqe->res);
}

static void on_completion(struct uringio *u, const struct io_uring_cqe *cqe, io_receive_fn *fn,
                          void *arg) {
  enum about what = (enum about)(cqe->user_data >> 56);
  if (what == OF_RECEIVE)
    on_received(u, cqe, fn, arg);
  else if (what == OF_WAKE)
    on_woken(u, cqe);
  else if (what == OF_SEND && cqe->res < 0)
    on_refused(u, cqe);
}

/* The next few of the harvest: each one's memory is fetched a stage further. */
static void foresee(const struct uringio *u, unsigned head, unsigned left) {
  for (unsigned ahead = 1; ahead <= IO_STAGES && ahead < left; ahead++) {
    const struct io_uring_cqe *cqe = &u->ring.cq.cqes[(head + ahead) & *u->ring.cq.kring_mask];
    if (cqe->user_data >> 56 == OF_RECEIVE)
      io_foresee(&u->io, u->places[cqe->user_data >> 32 & 0xffffff].owner, IO_STAGES - ahead);
  }
}

static void uringio_receive(struct io *io, io_receive_fn *fn, void *arg) {
  struct uringio *u = of(io);
  struct io_uring_cqe *cqe;
  unsigned head, n = 0, ready = io_uring_cq_ready(&u->ring);
  io_uring_for_each_cqe(&u->ring, head, cqe) {
    foresee(u, head, n < ready ? ready - n : 0);
    on_completion(u, cqe, fn, arg);
    if (++n == HARVEST_MAX)
      break;
  }
  u->harvest = n;
  io_uring_cq_advance(&u->ring, n);
  io_uring_buf_ring_advance(u->buffers, (int)u->given);
  u->given = 0;
}

/* Sending --------------------------------------------------------------------------------------------
 */
static void uringio_flush(struct io *io, io_refused_fn *fn, void *arg) {
  struct uringio *u = of(io);
  u->refused_fn = fn;
  u->refused_arg = arg;
  submit(u);
}

static uint8_t *uringio_slot(struct io *io) {
  struct uringio *u = of(io);
  if (u->n_out >= OUT_MAX || io_uring_sq_space_left(&u->ring) < 2)
    submit(u);
  return u->out_bytes[u->n_out % OUT_MAX];
}

static void uringio_send(struct io *io, const struct port *p, const struct addr *to, size_t n,
                         uint64_t owner) {
  struct uringio *u = of(io);
  uint8_t *bytes = u->out_bytes[u->n_out % OUT_MAX];
  struct sent *s = &u->sent[++u->number % OUT_KEPT];
  *s = (struct sent){*to, owner, u->number};
  struct io_uring_sqe *e = io_uring_get_sqe(&u->ring); /* there is one: see uringio_slot() */
  if (!e) {
    u->io.refused++;
    return;
  }
  io_uring_prep_send(e, p->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
  io_uring_prep_send_set_addr(e, &s->to.sa, (uint16_t)addr_len(to));
  e->user_data = name_of(OF_SEND, 0, u->number);
  e->flags |= IOSQE_CQE_SKIP_SUCCESS;
  on_port(u, e, p->place, p->fd);
  u->n_out++;
}

/* Life ------------------------------------------------------------------------------------------------
 */
static struct io *uringio_free(struct io *io) {
  struct uringio *u = of(io);
  if (u->has_ring)
    io_uring_queue_exit(&u->ring);
  free(u->buffers);
  free(u->in_bytes);
  free(u->out_bytes);
  free(u->places);
  free(u);
  return NULL;
}

static const struct io_ops uring_ops = {
    .name = "io_uring",
    .add = uringio_add,
    .del = uringio_del,
    .wait = uringio_wait,
    .receive = uringio_receive,
    .slot = uringio_slot,
    .send = uringio_send,
    .flush = uringio_flush,
    .free = uringio_free,
};

static int make_ring(struct uringio *u) {
  struct io_uring_params p = {.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
                                       IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                                       IORING_SETUP_CQSIZE,
                              .cq_entries = COMPLETIONS};
  int error = io_uring_queue_init_params(ENTRIES, &u->ring, &p);
  u->has_ring = error == 0;
  return error;
}

static int make_buffers(struct uringio *u) {
  size_t bytes = BUFFERS * sizeof(struct io_uring_buf);
  u->buffers = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);
  u->in_bytes = calloc(BUFFERS, STRIDE);
  u->out_bytes = calloc(OUT_MAX, IO_PACKET_BYTES);
  if (!u->buffers || !u->in_bytes || !u->out_bytes)
    return -ENOMEM;
  struct io_uring_buf_reg reg = {
      .ring_addr = (uintptr_t)u->buffers, .ring_entries = BUFFERS, .bgid = GROUP};
  int error = io_uring_register_buf_ring(&u->ring, &reg, 0);
  if (error)
    return error;
  io_uring_buf_ring_init(u->buffers);
  for (unsigned i = 0; i < BUFFERS; i++)
    give_back(u, i);
  io_uring_buf_ring_advance(u->buffers, (int)u->given);
  u->given = 0;
  return 0;
}

static int make_places(struct uringio *u, uint32_t n) {
  u->n_places = n;
  u->places = calloc(n, sizeof(*u->places));
  if (!u->places || n > 0xffffff)
    return -ENOMEM;
  for (uint32_t i = 0; i < n; i++)
    u->places[i].next_free = i + 1 < n ? i + 2 : 0;
  u->free_place = 1;
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < n)
    n = (uint32_t)limit.rlim_cur;
  u->n_files = io_uring_register_files_sparse(&u->ring, n) == 0 ? n : 0;
  return 0;
}

/* The ring does what it is for, and no more: whoever takes this process over cannot open files by it. */
static int restrict_ring(struct uringio *u) {
  static const uint8_t operations[] = {IORING_OP_RECVMSG, IORING_OP_SEND, IORING_OP_POLL_ADD,
                                       IORING_OP_ASYNC_CANCEL};
  struct io_uring_restriction rows[COUNT_OF(operations) + 2];
  unsigned n = 0;
  memset(rows, 0, sizeof(rows));
  for (; n < COUNT_OF(operations); n++) {
    rows[n].opcode = IORING_RESTRICTION_SQE_OP;
    rows[n].sqe_op = operations[n];
  }
  rows[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  rows[n++].sqe_flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
  rows[n].opcode = IORING_RESTRICTION_REGISTER_OP;
  rows[n++].register_op = IORING_REGISTER_FILES_UPDATE;
  return register_call(u, IORING_REGISTER_RESTRICTIONS, rows, n);
}

int uringio_new(struct io **ret, const struct io_options *o) {
  struct uringio *u = calloc(1, sizeof(*u));
  if (!u)
    return -ENOMEM;
  u->io.ops = &uring_ops;
  own(io) io = &u->io;
  u->wake_fd = o->wake_fd;
  u->shape = (struct msghdr){.msg_namelen = NAME_BYTES, .msg_controllen = CONTROL_BYTES};
  int error = make_ring(u);
  if (!error)
    error = make_buffers(u);
  if (!error)
    error = make_places(u, o->ports_max);
  if (!error)
    error = restrict_ring(u);
  if (error)
    return error;
  watch_wake(u);
  *ret = take(io);
  return 0;
}
