/* SPDX-License-Identifier: Apache-2.0
 * Sockets of a worker behind a small interface: batches in, batches out. The backend is epoll with
 * recvmmsg and sendmmsg; others (io_uring, AF_XDP) take its place by the same table. One worker owns
 * one; nothing here blocks but io_wait(). */
#pragma once
#include "flow/flow.h"

enum {
  IO_BATCH = 64,
  IO_PACKET_BYTES = 2048, /* room of a buffer, in and out */
  IO_DATAGRAM_MAX = 1600, /* a longer datagram is dropped: nobody sends such media */
};

enum port_kind { PORT_NATIVE, PORT_RTP, PORT_RTCP };

struct port { /* a bound, never connected UDP socket */
  int fd;     /* fd is -1 while closed. */
  enum port_kind kind;
  struct addr local; /* local is what it is bound to, shown what is told to peers. */
  struct addr shown;
  void *owner; /* owner is the session of a private port. */
};

struct port_options {
  uint32_t dscp, receive_bytes;
};
/* Binds; port->local gets the port. 0 or -errno (-EADDRINUSE). */
int port_open(struct port *p, const struct addr *local, const struct addr *shown,
              const struct port_options *o) must_check;
void port_close(struct port *p);

struct packet {
  struct port *port;
  struct addr from;
  uint8_t *bytes; /* bytes may be changed in place, within IO_PACKET_BYTES. */
  size_t n;
};
typedef void io_receive_fn(void *arg, struct packet *p);
/* A datagram that the socket refused: owner is what io_send() was given. */
typedef void io_refused_fn(void *arg, uint64_t owner, const struct addr *to, int error);

struct io;
struct io_ops {
  const char *name;
  int (*add)(struct io *io, struct port *p);
  void (*del)(struct io *io, struct port *p);
  int (*wait)(struct io *io, int timeout_ms);
  void (*receive)(struct io *io, io_receive_fn *fn, void *arg);
  uint8_t *(*slot)(struct io *io);
  void (*send)(struct io *io, const struct port *p, const struct addr *to, size_t n, uint64_t owner);
  void (*flush)(struct io *io, io_refused_fn *fn, void *arg);
  struct io *(*free)(struct io *io);
};
struct io {
  const struct io_ops *ops;
};

/* wake_fd is an eventfd: it ends io_wait() and is emptied. 0 or -errno. */
int io_epoll_new(struct io **ret, int wake_fd) must_check;
struct io *io_free(struct io *io);
OWN_DEFINE(io)
static inline int io_add(struct io *io, struct port *p) { return io->ops->add(io, p); }
static inline void io_del(struct io *io, struct port *p) { io->ops->del(io, p); } /* before port_close */
/* Until something is ready, woken, or the time is over (-1: no limit). Number of ready ports. */
static inline int io_wait(struct io *io, int timeout_ms) { return io->ops->wait(io, timeout_ms); }
static inline void io_receive(struct io *io, io_receive_fn *fn, void *arg) {
  io->ops->receive(io, fn, arg);
}
/* A buffer of IO_PACKET_BYTES for the next datagram: fill it, then io_send() (or forget it). */
static inline uint8_t *io_slot(struct io *io) { return io->ops->slot(io); }
static inline void io_send(struct io *io, const struct port *p, const struct addr *to, size_t n,
                           uint64_t owner) {
  io->ops->send(io, p, to, n, owner);
}
static inline void io_flush(struct io *io, io_refused_fn *fn, void *arg) { io->ops->flush(io, fn, arg); }
/* Datagrams longer than IO_DATAGRAM_MAX, and those that a socket refused, since the start. */
uint64_t io_too_long(const struct io *io);
uint64_t io_refused(const struct io *io);
