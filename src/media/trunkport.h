/* SPDX-License-Identifier: Apache-2.0
 * A port, or an even one and the next for RTCP, of the range toward trunks. Internal to media. */
#pragma once
#include "media/worker.h"

/* Which ports to bind, and how. */
struct trunkport {
  struct port *rtp, *rtcp; /* rtcp NULL: none; both have fd -1. */
  uint32_t family;
  struct session *owner; /* owner is of a private port; NULL: the worker's own. */
  uint32_t receive_bytes;
  bool is_stamped;
};

/* 0, -EAFNOSUPPORT (no address toward trunks of that family), -EMFILE (all are taken) or -errno. */
int trunkport_open(struct worker *w, const struct trunkport *t) must_check;
void trunkport_close(struct worker *w, struct port *p); /* nothing if it is not open */
