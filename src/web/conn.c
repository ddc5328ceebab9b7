/* SPDX-License-Identifier: Apache-2.0
 * Connections and their absolute deadlines: a TLS handshake, a header and a body together have one, so
 * that a client that sends a byte a second gains nothing. Web threads and the tick thread. */
#include "web/server.h"

#include "base/clock.h"

#include <sys/socket.h>

struct conn *conn_of(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *i =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return i ? i->socket_context : NULL;
}

static void conn_open(struct web *w, struct MHD_Connection *connection, void **context) {
  const union MHD_ConnectionInfo *i =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct sockaddr_storage ss;
  socklen_t n = sizeof(ss);
  struct conn *c = calloc(1, sizeof(*c));
  *context = c;
  if (!c)
    return;
  c->fd = i ? i->connect_fd : -1;
  if (getsockname(c->fd, (struct sockaddr *)&ss, &n) == 0)
    addr_from(&c->local, (struct sockaddr *)&ss);
  n = sizeof(ss);
  if (getpeername(c->fd, (struct sockaddr *)&ss, &n) == 0)
    addr_from(&c->peer, (struct sockaddr *)&ss);
  atomic_store(&c->deadline_us, clock_now_us() + w->request_us);
  pthread_mutex_lock(&w->lock);
  list_add_tail(&w->conns, &c->node);
  pthread_mutex_unlock(&w->lock);
  count_add(&w->counts, SERVER_connections, 1);
}

/* Called before the descriptor is closed: from here on nobody else may touch it. */
static void conn_close(struct web *w, void **context) {
  struct conn *c = *context;
  *context = NULL;
  if (!c)
    return;
  pthread_mutex_lock(&w->lock);
  list_del(&c->node);
  if (c->stream)
    stream_gone(w, c->stream);
  pthread_mutex_unlock(&w->lock);
  count_add(&w->counts, SERVER_connections, (uint64_t)-1);
  free(c->cert);
  free(c->spare);
  explicit_bzero(c->bearer, sizeof(c->bearer));
  free(c);
}

void conn_notify(void *cls, struct MHD_Connection *connection, void **context,
                 enum MHD_ConnectionNotificationCode what) {
  if (what == MHD_CONNECTION_NOTIFY_STARTED)
    conn_open(cls, connection, context);
  else
    conn_close(cls, context);
}

void conns_expire(struct web *w, uint64_t now_us) {
  LIST_EACH(&w->conns, n) {
    struct conn *c = CONTAINER_OF(n, struct conn, node);
    uint64_t at_us = atomic_load(&c->deadline_us);
    if (!at_us || at_us > now_us)
      continue;
    atomic_store(&c->deadline_us, 0);
    (void)shutdown(c->fd, SHUT_RDWR);
    count_one(&w->counts, SERVER_deadline);
  }
}
