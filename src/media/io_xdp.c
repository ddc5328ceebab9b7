/* SPDX-License-Identifier: Apache-2.0
 * The AF_XDP backend: see io.h and xdp.h. Frames for our ports come past the kernel and go past it; a
 * datagram whose next hop is not known goes by its kernel socket, and what still comes there is read:
 * within it is the epoll backend. The address that a frame came from is never a reason to send to it. */
#include "base/clock.h"
#include "media/frame.h"
#include "media/io.h"
#include "media/xdp.h"

#include <time.h>

enum { PORTS = 65536, AHEAD = IO_BATCH };

struct xdpio {
  struct io io;
  struct io *kernel;
  struct xdp *xdp;
  uint32_t worker, n_queues;
  struct xsk *queues[XDP_QUEUES_MAX]; /* the worker's own */
  struct hops *hops;
  struct port **ports[XDP_ADDRESSES_MAX]; /* by number */
  uint64_t now_us, came_wall_us, read_wall_us;
  bool has_put;
  struct frame frames[AHEAD];
  struct port *whose[AHEAD]; /* NULL: the frame is nobody's */
};

static struct xdpio *of(struct io *io) { return CONTAINER_OF(io, struct xdpio, io); }

/* Ports --------------------------------------------------------------------------------------------- */
static int xdpio_add(struct io *io, struct port *p) {
  struct xdpio *x = of(io);
  int error = io_add(x->kernel, p);
  if (error)
    return error;
  p->place = xdp_address(x->xdp, &p->local);
  if (p->place == XDP_ADDRESSES_MAX)
    return 0;
  x->ports[p->place][addr_port(&p->local)] = p;
  xdp_set_port(x->xdp, p->place, addr_port(&p->local), (uint8_t)(x->worker + 1));
  return 0;
}

static void xdpio_del(struct io *io, struct port *p) {
  struct xdpio *x = of(io);
  if (p->place < XDP_ADDRESSES_MAX) {
    xdp_set_port(x->xdp, p->place, addr_port(&p->local), 0);
    x->ports[p->place][addr_port(&p->local)] = NULL;
    for (unsigned i = 0; i < AHEAD; i++) /* within a harvest */
      if (x->whose[i] == p)
        x->whose[i] = NULL;
  }
  io_del(x->kernel, p);
}

/* Receiving ------------------------------------------------------------------------------------------
 */
static bool has_frames(const struct xdpio *x) {
  for (uint32_t i = 0; i < x->n_queues; i++)
    if (xsk_ready(x->queues[i]))
      return true;
  return false;
}

static void take_answers(struct xdpio *x) {
  struct hop_answer a;
  while (neigh_get(x->xdp->neigh, x->worker, &a))
    hops_answer(x->hops, &a);
}

/* Frames have no time of their own: those that were there before the wait came after the last harvest,
 * the others came now. */
static int xdpio_wait(struct io *io, uint32_t gather_us, int timeout_ms) {
  struct xdpio *x = of(io);
  struct timespec gather = {.tv_nsec = (long)gather_us * 1000};
  if (gather_us)
    nanosleep(&gather, NULL);
  bool is_there = has_frames(x);
  int n = io_wait(x->kernel, 0, is_there ? 0 : timeout_ms);
  x->now_us = clock_now_us();
  uint64_t wall_us = clock_wall_ms() * 1000;
  x->came_wall_us = is_there && x->read_wall_us ? x->read_wall_us : wall_us;
  x->read_wall_us = wall_us;
  take_answers(x);
  return n + is_there;
}

static struct port *port_of(const struct xdpio *x, const struct frame *f) {
  unsigned address = xdp_address(x->xdp, &f->to);
  return address < XDP_ADDRESSES_MAX ? x->ports[address][addr_port(&f->to)] : NULL;
}

static void scope(struct frame *f, unsigned ifindex) {
  if (addr_family(&f->from) == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&f->from.in6.sin6_addr))
    f->from.in6.sin6_scope_id = ifindex;
}

enum { FRAMES_AHEAD = 3, CACHE_LINE = 64, HEAD_LINES = 3 };

/* Another processor wrote it. */
static void fetch_frame(const struct xsk *k, uint32_t i) {
  uint32_t bytes;
  const uint8_t *p = xsk_frame(k, i, &bytes);
  for (unsigned line = 0; line < HEAD_LINES; line++)
    __builtin_prefetch(p + line * CACHE_LINE);
}

static void parse_batch(struct xdpio *x, const struct xsk *k, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    uint32_t bytes;
    if (i + FRAMES_AHEAD < n)
      fetch_frame(k, i + FRAMES_AHEAD);
    uint8_t *p = xsk_frame(k, i, &bytes);
    x->whose[i] = NULL;
    if (!frame_parse(&x->frames[i], p, bytes))
      continue;
    scope(&x->frames[i], x->xdp->ifindex);
    if (x->frames[i].n <= IO_DATAGRAM_MAX)
      x->whose[i] = port_of(x, &x->frames[i]);
    else
      x->io.too_long++;
    if (x->whose[i])
      __builtin_prefetch(x->whose[i]);
  }
}

static void foresee(const struct xdpio *x, uint32_t at, uint32_t n) {
  for (uint32_t ahead = 1; ahead <= IO_STAGES && at + ahead < n; ahead++)
    if (x->whose[at + ahead])
      io_foresee(&x->io, x->whose[at + ahead]->owner, (unsigned)(IO_STAGES - ahead));
}

static uint32_t receive_batch(struct xdpio *x, struct xsk *k, io_receive_fn *fn, void *arg) {
  uint32_t n = xsk_ready(k);
  if (n > AHEAD)
    n = AHEAD;
  parse_batch(x, k, n);
  for (uint32_t i = 0; i < n; i++) {
    const struct frame *f = &x->frames[i];
    foresee(x, i, n);
    if (!x->whose[i])
      continue;
    struct packet p = {.port = x->whose[i],
                       .from = f->from,
                       .bytes = f->bytes,
                       .n = f->n,
                       .at_wall_us = x->came_wall_us};
    fn(arg, &p);
  }
  xsk_release(k, n);
  return n;
}

static void xdpio_receive(struct io *io, io_receive_fn *fn, void *arg) {
  struct xdpio *x = of(io);
  for (uint32_t i = 0; i < x->n_queues; i++)
    for (unsigned round = 0; round < XSK_FRAMES_IN / AHEAD; round++)
      if (receive_batch(x, x->queues[i], fn, arg) < AHEAD)
        break;
  memset(x->whose, 0, sizeof(x->whose));
  io_receive(x->kernel, fn, arg);
  x->io.too_long += x->kernel->too_long;
  x->kernel->too_long = 0;
}

/* Sending --------------------------------------------------------------------------------------------
 */
static uint8_t *xdpio_slot(struct io *io) { return io_slot(of(io)->kernel); }

static const uint8_t *way_of(struct xdpio *x, const struct port *p, const struct addr *to) {
  struct hop_key key;
  bool is_ask;
  if (p->place >= XDP_ADDRESSES_MAX || !x->n_queues || addr_family(to) != addr_family(&p->local))
    return NULL;
  hop_key_of(&key, to, p->place);
  const uint8_t *mac = hops_find(x->hops, &key, x->now_us, &is_ask);
  if (is_ask)
    neigh_ask(x->xdp->neigh, x->worker, &key);
  return mac;
}

/* What cannot go past the kernel goes by it. The payload is copied from the kernel backend's slot. */
static void xdpio_send(struct io *io, const struct port *p, const struct addr *to, size_t n,
                       uint64_t owner) {
  struct xdpio *x = of(io);
  const uint8_t *mac = way_of(x, p, to);
  uint8_t *frame = mac ? xsk_slot(x->queues[0]) : NULL;
  size_t bytes = 0;
  if (frame) {
    struct frame_way way = {.dscp = x->xdp->options.dscp};
    memcpy(way.to_mac, mac, sizeof(way.to_mac));
    memcpy(way.our_mac, x->xdp->mac, sizeof(way.our_mac));
    bytes = frame_build(frame, &way, &p->local, to, io_slot(x->kernel), n);
  }
  if (!bytes) {
    io_send(x->kernel, p, to, n, owner);
    return;
  }
  xsk_put(x->queues[0], frame, bytes);
  x->has_put = true;
}

static void xdpio_flush(struct io *io, io_refused_fn *fn, void *arg) {
  struct xdpio *x = of(io);
  if (x->has_put && xsk_flush(x->queues[0]) < 0)
    x->io.refused++;
  x->has_put = false;
  io_flush(x->kernel, fn, arg);
  x->io.refused += x->kernel->refused;
  x->kernel->refused = 0;
}

/* Life ------------------------------------------------------------------------------------------------
 */
static struct io *xdpio_free(struct io *io) {
  struct xdpio *x = of(io);
  io_free(x->kernel);
  hops_free(x->hops);
  for (unsigned i = 0; i < XDP_ADDRESSES_MAX; i++)
    free(x->ports[i]);
  free(x);
  return NULL;
}

static const struct io_ops xdp_ops = {
    .name = "af_xdp",
    .add = xdpio_add,
    .del = xdpio_del,
    .wait = xdpio_wait,
    .receive = xdpio_receive,
    .slot = xdpio_slot,
    .send = xdpio_send,
    .flush = xdpio_flush,
    .free = xdpio_free,
};

static int take_queues(struct xdpio *x) {
  int error = 0;
  for (uint32_t q = x->worker; !error && q < x->xdp->n_queues; q += x->xdp->options.workers) {
    x->queues[x->n_queues++] = x->xdp->queues[q];
    error = epollio_watch(x->kernel, x->xdp->queues[q]->fd);
  }
  return error;
}

int xdpio_new(struct io **ret, const struct io_options *o) {
  if (!o->xdp)
    return -ENODEV;
  struct xdpio *x = calloc(1, sizeof(*x));
  if (!x)
    return -ENOMEM;
  x->io.ops = &xdp_ops;
  x->xdp = o->xdp;
  x->worker = o->worker;
  int error = epollio_new(&x->kernel, o);
  for (unsigned i = 0; !error && i < x->xdp->options.n_addresses; i++) {
    x->ports[i] = calloc(PORTS, sizeof(*x->ports[i]));
    error = x->ports[i] ? 0 : -ENOMEM;
  }
  if (!error)
    error = hops_new(&x->hops);
  if (!error)
    error = take_queues(x);
  if (error)
    xdpio_free(&x->io);
  else
    *ret = &x->io;
  return error;
}
