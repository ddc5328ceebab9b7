/* SPDX-License-Identifier: Apache-2.0
 * Overload of signaling, told by how long requests waited in the socket before they were read: new
 * INVITEs are then answered 503 without state, what belongs to a dialog and emergency calls go on. The
 * share that was turned away is told to peers that ask (oc in Via, RFC 7339, algorithm loss). An engine
 * without clock and I/O; one for the call thread. */
#pragma once
#include "base/own.h"

enum {
  SHED_LATE_US = 20000,        /* a datagram that waited longer speaks for shedding, */
  SHED_WELL_US = 10000,        /* a shorter time than this against it. */
  SHED_FROM = 8,               /* so many more late ones than good ones begin it; none more end it, */
  SHED_QUIET_US = 1000000,     /* and so does a second without a late one. */
  SHED_LEVEL_MAX = 32,         /* no more good ones are needed for the end */
  SHED_WAIT_MAX_US = 10000000, /* longer: a clock was set, not a wait */
  SHED_WINDOW_US = 1000000,
};

struct shed {
  uint32_t level;
  bool is_on;
  uint64_t late_us;         /* when the last late one came */
  uint64_t since_us;        /* when the window of the share began */
  uint32_t asked, refused;  /* INVITEs in it */
  uint32_t percent, serial; /* percent of the window before; serial counts windows. */
};

void shed_waited(struct shed *s, int64_t wait_us, uint64_t now_us);
/* A new INVITE: true if it is to be turned away. */
bool shed_invite(struct shed *s, bool is_emergency, uint64_t now_us);
/* Percent of new INVITEs that a peer should keep to itself now. */
uint32_t shed_percent(const struct shed *s);
