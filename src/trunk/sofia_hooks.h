/* SPDX-License-Identifier: Apache-2.0
 * Wrappers of the SIP library's receive and accept functions: same names, found first, calling on by
 * dlsym(RTLD_NEXT). Declared for the compiler; nobody of ours calls them but hooks_start(). */
#pragma once
#include "base/list.h"
#include "trunk/sofia_peek.h"

#include <sofia-sip/msg_types.h>

#define SEEN_HOOK __attribute__((visibility("default")))
SEEN_HOOK int tport_accept(tport_t *primary, int events);
SEEN_HOOK int tport_recv_dgram(tport_t *self);
SEEN_HOOK int tport_recv_stun_dgram(tport_t const *self, msg_t **in_out_msg, su_sockaddr_t *from,
                                    socklen_t len);
SEEN_HOOK int tport_tcp_init_secondary(tport_t *self, int socket, int accepted, char const **ret_reason);
SEEN_HOOK void tport_zap_secondary(tport_t *self);

/* A message came or went: told to who admits. */
void hooks_message(const tport_t *tp, msg_t *msg, bool is_out);

/* A connection that we opened, until it is closed. */
struct own_link {
  struct list node;
  tport_t *tp;
  int fd;
  uint64_t pinged_us; /* pinged_us is when the ping went out that is not answered yet; 0: none is. */
  bool answers;       /* answers: a ping was answered on it, others have to be. */
};
struct list *hooks_own(void); /* of struct own_link. Call thread. */
int hooks_start(void) must_check; /* registers our kinds of TLS transports; 0 or -ENOTSUP */
void hooks_stop(void);
void siplog_start(void); /* the library's log goes to ours, rate-limited */
