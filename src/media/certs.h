/* SPDX-License-Identifier: Apache-2.0
 * The DTLS certificates of a process: one for new sessions, renewed each day, and the earlier ones for
 * as long as associations may use them. Internal to media; control thread. */
#pragma once
#include "media/worker.h"

enum { CERTS_MAX = 16 }; /* certificates kept for the sessions that were opened with them */

struct certs {
  struct dtlscert *list[CERTS_MAX];
  uint64_t n, made_us;
};

/* A new one, told to all workers. 0 or -errno: the old one stays. */
int certs_renew(struct certs *c, struct worker *const *workers, uint32_t n, uint64_t now_us) must_check;
bool certs_are_due(const struct certs *c, uint64_t now_us);
void certs_done(struct certs *c);
