/* SPDX-License-Identifier: Apache-2.0
 * Pings on the connections that we opened: CRLF CRLF after a silence, answered by CRLF (RFC 5626 4.4.1).
 * Below the trunk door: it knows transports, no trunks. Call thread. */
#pragma once
#include "base/addr.h"

enum { PING_NAMES_MAX = 8 };

struct ping_rule {
  void *arg;
  /* After how many seconds of silence is that peer pinged? names: what its certificate proved. 0: never */
  uint32_t (*silence_s)(void *arg, const struct addr *peer, const char *const *names, size_t n);
  void (*sent)(void *arg);
  void (*lost)(void *arg, const struct addr *peer); /* no answer: the connection is closed now */
};
/* Once a second. */
void pings_look(const struct ping_rule *r, uint64_t now_us);
