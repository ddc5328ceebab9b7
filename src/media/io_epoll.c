/* SPDX-License-Identifier: Apache-2.0
 * The epoll backend: see io.h. */
#include "media/io.h"

#include <sys/epoll.h>
#include <time.h>

enum { READY = 512, ROUNDS = 4 };

struct epollio {
  struct io io;
  int epoll_fd, wake_fd;
  int n_ready;
  struct epoll_event ready[READY];
  /* Receiving: */
  struct mmsghdr in[IO_BATCH];
  struct iovec in_iov[IO_BATCH];
  struct addr from[IO_BATCH];
  _Alignas(struct cmsghdr) char control[IO_BATCH][CMSG_SPACE(sizeof(struct timespec))];
  uint8_t (*in_bytes)[IO_PACKET_BYTES];
  /* Sending: */
  unsigned n_out;
  struct mmsghdr out[IO_BATCH];
  struct iovec out_iov[IO_BATCH];
  struct addr to[IO_BATCH];
  int out_fd[IO_BATCH];
  uint64_t out_owner[IO_BATCH];
  uint8_t (*out_bytes)[IO_PACKET_BYTES];
  io_refused_fn *refused_fn; /* refused_fn and its argument of the last flush, for a flush within. */
  void *refused_arg;
};

static struct epollio *of(struct io *io) { return CONTAINER_OF(io, struct epollio, io); }

static int epollio_add(struct io *io, struct port *p) {
  struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};
  return epoll_ctl(of(io)->epoll_fd, EPOLL_CTL_ADD, p->fd, &ev) < 0 ? -errno : 0;
}

static void epollio_del(struct io *io, struct port *p) {
  struct epollio *e = of(io);
  epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, p->fd, NULL);
  for (int i = 0; i < e->n_ready; i++)
    if (e->ready[i].data.ptr == p)
      e->ready[i].data.ptr = NULL;
}

static int epollio_wait(struct io *io, uint32_t gather_us, int timeout_ms) {
  struct epollio *e = of(io);
  struct timespec gather = {.tv_nsec = (long)gather_us * 1000};
  if (gather_us)
    nanosleep(&gather, NULL);
  int n = epoll_wait(e->epoll_fd, e->ready, READY, timeout_ms);
  e->n_ready = n < 0 ? 0 : n;
  for (int i = 0; i < e->n_ready; i++)
    if (!e->ready[i].data.ptr) {
      uint64_t count;
      (void)!read(e->wake_fd, &count, sizeof(count));
    } else if (e->ready[i].data.ptr == e) {
      e->ready[i].data.ptr = NULL; /* watched: its reader knows what to do */
    }
  return e->n_ready;
}

int epollio_watch(struct io *io, int fd) {
  struct epoll_event ev = {.events = EPOLLIN, .data.ptr = of(io)};
  return epoll_ctl(of(io)->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int receive_batch(struct epollio *e, struct port *port, io_receive_fn *fn, void *arg) {
  for (unsigned i = 0; i < IO_BATCH; i++) {
    e->in[i].msg_hdr.msg_namelen = sizeof(e->from[i]);
    e->in[i].msg_hdr.msg_controllen = sizeof(e->control[i]);
    e->in[i].msg_hdr.msg_flags = 0;
  }
  int n = recvmmsg(port->fd, e->in, IO_BATCH, MSG_DONTWAIT, NULL);
  for (int i = 0; i < n; i++) {
    struct packet p = {.port = port, .bytes = e->in_bytes[i], .n = e->in[i].msg_len};
    if (e->in[i].msg_hdr.msg_flags & MSG_TRUNC) {
      e->io.too_long++;
      continue;
    }
    addr_from(&p.from, &e->from[i].sa);
    p.at_wall_us = io_stamp_us(&e->in[i].msg_hdr);
    fn(arg, &p);
  }
  return n;
}

/* See io_foresee(); a port lies in its owner's memory. */
static void foresee(const struct epollio *e, int at) {
  for (int ahead = 1; ahead <= IO_STAGES && at + ahead < e->n_ready; ahead++) {
    const struct port *p = e->ready[at + ahead].data.ptr;
    if (p && ahead == IO_STAGES)
      __builtin_prefetch(p);
    else if (p)
      io_foresee(&e->io, p->owner, (unsigned)(IO_STAGES - ahead - 1));
  }
}

static void epollio_receive(struct io *io, io_receive_fn *fn, void *arg) {
  struct epollio *e = of(io);
  for (int i = 0; i < e->n_ready; i++, foresee(e, i))
    for (int round = 0; round < ROUNDS && e->ready[i].data.ptr; round++)
      if (receive_batch(e, e->ready[i].data.ptr, fn, arg) < IO_BATCH)
        break;
  e->n_ready = 0;
}

/* Datagrams of one socket that lie side by side go by one call; one that is refused is told. */
static void epollio_flush(struct io *io, io_refused_fn *fn, void *arg) {
  struct epollio *e = of(io);
  e->refused_fn = fn;
  e->refused_arg = arg;
  for (unsigned i = 0; i < e->n_out;) {
    unsigned run = 1;
    while (i + run < e->n_out && e->out_fd[i + run] == e->out_fd[i])
      run++;
    int n = sendmmsg(e->out_fd[i], e->out + i, run, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n <= 0) {
      e->io.refused++;
      if (fn)
        fn(arg, e->out_owner[i], &e->to[i], errno);
      n = 1;
    }
    i += (unsigned)n;
  }
  e->n_out = 0;
}

static uint8_t *epollio_slot(struct io *io) {
  struct epollio *e = of(io);
  if (e->n_out == IO_BATCH)
    epollio_flush(io, e->refused_fn, e->refused_arg);
  return e->out_bytes[e->n_out];
}

static void epollio_send(struct io *io, const struct port *p, const struct addr *to, size_t n,
                         uint64_t owner) {
  struct epollio *e = of(io);
  unsigned i = e->n_out++;
  e->to[i] = *to;
  e->out_fd[i] = p->fd;
  e->out_owner[i] = owner;
  e->out_iov[i].iov_len = n;
  e->out[i].msg_hdr.msg_namelen = addr_len(to);
}

static struct io *epollio_free(struct io *io) {
  struct epollio *e = of(io);
  if (e->epoll_fd >= 0)
    close(e->epoll_fd);
  free(e->in_bytes);
  free(e->out_bytes);
  free(e);
  return NULL;
}

static const struct io_ops epoll_ops = {
    .name = "epoll",
    .add = epollio_add,
    .del = epollio_del,
    .wait = epollio_wait,
    .receive = epollio_receive,
    .slot = epollio_slot,
    .send = epollio_send,
    .flush = epollio_flush,
    .free = epollio_free,
};

static void point(struct mmsghdr *m, struct iovec *iov, uint8_t *bytes, size_t n, struct addr *a) {
  *iov = (struct iovec){bytes, n};
  m->msg_hdr.msg_iov = iov;
  m->msg_hdr.msg_iovlen = 1;
  m->msg_hdr.msg_name = a;
}

int epollio_new(struct io **ret, const struct io_options *o) {
  struct epollio *e = calloc(1, sizeof(*e));
  if (!e)
    return -ENOMEM;
  e->io.ops = &epoll_ops;
  own(io) io = &e->io;
  e->wake_fd = o->wake_fd;
  e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (e->epoll_fd < 0)
    return -errno;
  e->in_bytes = calloc(IO_BATCH, IO_PACKET_BYTES);
  e->out_bytes = calloc(IO_BATCH, IO_PACKET_BYTES);
  if (!e->in_bytes || !e->out_bytes)
    return -ENOMEM;
  for (unsigned i = 0; i < IO_BATCH; i++) {
    point(&e->in[i], &e->in_iov[i], e->in_bytes[i], IO_DATAGRAM_MAX, &e->from[i]);
    e->in[i].msg_hdr.msg_control = e->control[i];
    point(&e->out[i], &e->out_iov[i], e->out_bytes[i], 0, &e->to[i]);
  }
  struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, o->wake_fd, &ev) < 0)
    return -errno;
  *ret = take(io);
  return 0;
}
