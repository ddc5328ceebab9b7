/* SPDX-License-Identifier: Apache-2.0
 * UDP sockets: see port.h. */
#include "media/port.h"

#include <netinet/ip.h>

static void set_options(int fd, int family, const struct port_options *o) {
  int tos = (int)(o->dscp << 2), bytes = (int)o->receive_bytes, on = 1;
  if (family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
  } else {
    setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
  }
  if (bytes && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)); /* at most net.core.rmem_max */
}

int port_open(struct port *p, const struct addr *local, const struct addr *shown,
              const struct port_options *o) {
  socklen_t len = sizeof(p->local);
  own_fd fd = socket(local->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  set_options(fd, local->sa.sa_family, o);
  p->local = *local;
  if (bind(fd, &local->sa, addr_len(local)) < 0 || getsockname(fd, &p->local.sa, &len) < 0)
    return -errno;
  p->shown = *shown;
  addr_set_port(&p->shown, addr_port(&p->local));
  p->fd = take_fd(&fd);
  if (o->is_stamped)
    port_stamp(p);
  return 0;
}

void port_stamp(const struct port *p) {
  int on = 1;
  if (p->fd >= 0)
    setsockopt(p->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
}

void port_close(struct port *p) {
  if (p->fd >= 0)
    close(p->fd);
  p->fd = -1;
}
