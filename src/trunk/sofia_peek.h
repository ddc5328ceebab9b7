/* SPDX-License-Identifier: Apache-2.0
 * What our functions must know of the inside of libsofia-sip-ua 1.12.11: the leading fields of its
 * transport and the table of a transport's kind, as Debian's binary has them; checked at run time on
 * every connection by peek_fits(). Functions that the library exports and no header declares. */
#pragma once
#include "base/own.h"

#define SU_WAKEUP_ARG_T struct tport_s
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"
#include <sofia-sip/su_wait.h>
#include <sofia-sip/su_strlst.h>
#include <sofia-sip/tport.h>
#pragma GCC diagnostic pop

struct peek {
  su_home_t home;
  unsigned accepted : 1, conn_orient : 1, has_connection : 1, reusable : 1, closed : 1, recv_close : 2,
      send_close : 2, has_keepalive : 1, has_stun_server : 1, trunc : 1, is_connected : 1, verified : 1,
      others : 2;
  void *tree[3];
  void *master;
  tport_t *primary;
  void *params;
  void *magic;
  su_timer_t *timer;
  su_time_t alive_at, pinged_at;
  tp_name_t name;
  su_strlst_t *subjects;
  su_socket_t socket;
  int index;
  int events;
  su_addrinfo_t addrinfo;
};

struct peek_kind {
  const char *name;
  int public;
  size_t primary_size;
  void *init_primary, *deinit_primary;
  int (*wakeup_primary)(tport_t *primary, int events);
  void *connect;
  size_t secondary_size;
  void *init_secondary, *deinit_secondary;
  void (*shutdown)(tport_t *self, int how);
  void *others[10];
};

static inline struct peek *peek_of(const tport_t *tp) { return (struct peek *)(uintptr_t)tp; }

static inline bool peek_fits(const tport_t *tp) {
  const struct peek *p = peek_of(tp);
  return tport_name(tp) == &p->name && (const void *)tport_get_address(tp) == &p->addrinfo &&
         (const void *)tport_magic(tp) == p->magic && tport_parent(tp) == p->primary &&
         tport_is_closed(tp) == (int)p->closed && tport_is_connected(tp) == (int)p->is_connected;
}

int tport_wakeup(su_root_magic_t *magic, su_wait_t *w, tport_t *self);
void tport_error_report(tport_t *self, int error, su_sockaddr_t const *from);
int tport_has_queued(tport_t const *self);
void tport_send_event(tport_t *self);
int tport_set_secondary_timer(tport_t *self);
int tport_register_type(struct peek_kind const *kind);
