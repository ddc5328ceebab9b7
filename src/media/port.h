/* SPDX-License-Identifier: Apache-2.0
 * A bound, never connected UDP socket: strangers are seen, and counted. Media worker. */
#pragma once
#include "base/addr.h"

enum port_kind { PORT_NATIVE, PORT_RTP, PORT_RTCP, PORT_STRAY };

struct port {
  int fd; /* fd is -1 while closed. */
  enum port_kind kind;
  uint32_t place;    /* place is the backend's name of it. */
  struct addr local; /* local is what it is bound to, shown what is told to peers. */
  struct addr shown;
  void *owner; /* owner is the session of a private port. */
};

struct port_options {
  uint32_t dscp, receive_bytes; /* receive_bytes: 0: the system's */
  bool is_stamped;              /* is_stamped: as after port_stamp() */
};
/* Binds; port->local gets the port. 0 or -errno (-EADDRINUSE). */
int port_open(struct port *p, const struct addr *local, const struct addr *shown,
              const struct port_options *o) must_check;
/* From now on datagrams carry the time at which the kernel had them: a twentieth of the work of each. */
void port_stamp(const struct port *p);
void port_close(struct port *p);
