/* SPDX-License-Identifier: Apache-2.0
 * Sockets of a worker behind a small interface: batches in, batches out. A backend is a row in io.c:
 * io_uring, epoll with recvmmsg and sendmmsg, or AF_XDP. One worker owns one; nothing here blocks
 * but io_wait(). */
#pragma once
#include "flow/flow.h"
#include "media/port.h"

enum {
  IO_BATCH = 64,
  IO_PACKET_BYTES = 2048, /* room of a buffer, in and out */
  IO_DATAGRAM_MAX = 1600, /* a longer datagram is dropped: nobody sends such media */
};

struct packet {
  struct port *port;
  struct addr from;
  uint8_t *bytes; /* bytes may be changed in place, within IO_DATAGRAM_MAX. */
  size_t n;
  uint64_t at_wall_us; /* at_wall_us is when the kernel had it, by the wall clock; 0: not known. */
};
typedef void io_receive_fn(void *arg, struct packet *p);
/* A datagram that the socket refused: owner is what io_send() was given. */
typedef void io_refused_fn(void *arg, uint64_t owner, const struct addr *to, int error);

/* A packet for the owner of a private port comes up, in IO_STAGES - stage more: memory may be fetched.
 */
typedef void io_soon_fn(void *arg, const void *owner, unsigned stage);
enum { IO_STAGES = 4 };

struct io;
struct io_ops {
  const char *name;
  int (*add)(struct io *io, struct port *p);
  void (*del)(struct io *io, struct port *p);
  int (*wait)(struct io *io, uint32_t gather_us, int timeout_ms);
  void (*receive)(struct io *io, io_receive_fn *fn, void *arg);
  uint8_t *(*slot)(struct io *io);
  void (*send)(struct io *io, const struct port *p, const struct addr *to, size_t n, uint64_t owner);
  void (*flush)(struct io *io, io_refused_fn *fn, void *arg);
  struct io *(*free)(struct io *io);
};
struct io {
  const struct io_ops *ops;
  io_soon_fn *soon; /* soon is the owner's, with its argument; NULL: none */
  void *soon_arg;
  uint64_t too_long, refused; /* datagrams over IO_DATAGRAM_MAX; those that a socket did not take */
};

struct xdp;
struct io_options {
  int wake_fd;        /* wake_fd is an eventfd: it ends io_wait() and is emptied. */
  uint32_t ports_max; /* ports_max are added at most. */
  struct xdp *xdp;    /* xdp and the worker's number are for af_xdp; NULL: it is not to be had. */
  uint32_t worker;
};
/* The named backend; "auto" or "": the first but af_xdp that this machine allows. 0, -EINVAL (no such
 * name), or -errno of what the machine refused. */
int io_new(struct io **ret, const char *name, const struct io_options *o) must_check;
struct io *io_free(struct io *io);
OWN_DEFINE(io)
/* The name of a row of the table, or NULL at its end. "auto" is none. */
const char *io_name(unsigned row);
/* Backends (io_epoll.c, io_uring.c, io_xdp.c): 0 or -errno. */
int epollio_new(struct io **ret, const struct io_options *o) must_check;
int uringio_new(struct io **ret, const struct io_options *o) must_check;
int xdpio_new(struct io **ret, const struct io_options *o) must_check;
/* io is of epollio_new(): io_wait() ends when there is something to read, by the caller, in fd. */
int epollio_watch(struct io *io, int fd) must_check;

static inline int io_add(struct io *io, struct port *p) { return io->ops->add(io, p); }
static inline void io_del(struct io *io, struct port *p) { io->ops->del(io, p); } /* before port_close */
/* First lets datagrams come for gather_us (0: not at all), then waits until something is there, woken,
 * or the time is over (-1: no limit). The thread that calls it first is the owner from then on. Returns
 * how many things are ready. */
static inline int io_wait(struct io *io, uint32_t gather_us, int timeout_ms) {
  return io->ops->wait(io, gather_us, timeout_ms);
}
static inline void io_receive(struct io *io, io_receive_fn *fn, void *arg) {
  io->ops->receive(io, fn, arg);
}
static inline void io_foresee(const struct io *io, const void *owner, unsigned stage) {
  if (io->soon && owner)
    io->soon(io->soon_arg, owner, stage);
}
/* A buffer of IO_PACKET_BYTES for the next datagram: fill it, then io_send() (or forget it). */
static inline uint8_t *io_slot(struct io *io) { return io->ops->slot(io); }
static inline void io_send(struct io *io, const struct port *p, const struct addr *to, size_t n,
                           uint64_t owner) {
  io->ops->send(io, p, to, n, owner);
}
/* What was sent has left when it returns. fn is told what was refused, by this call or a later one. */
static inline void io_flush(struct io *io, io_refused_fn *fn, void *arg) { io->ops->flush(io, fn, arg); }
struct msghdr;
/* The kernel's receive time among a message's control data, in wall microseconds; 0: none. */
uint64_t io_stamp_us(struct msghdr *m);
