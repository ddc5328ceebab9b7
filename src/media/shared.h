/* SPDX-License-Identifier: Apache-2.0
 * Trunk legs that share their worker's port pair (OPEN with MSET_OPEN_SHARED): whose a packet may be is
 * said by its source, which is an RTP or RTCP address of a description. Where descriptions of several
 * legs name one address, who verifies the packet owns it. Secured legs only, without ICE and DTLS.
 * Internal to media. */
#pragma once
#include "media/session.h"

enum { SHARED_LEGS_MAX = 4 }; /* legs whose descriptions name one address: each costs a try */

/* The leg sends from the worker's pair of its family, which is bound at the first such leg. 0 or -errno
 * as of trunkport_open(). */
int shared_open(struct session *s) must_check;
void shared_close(struct session *s);
/* A description of a shared leg comes: its addresses are expected from now on, beside those of the one
 * before. 0, -EADDRINUSE (SHARED_LEGS_MAX other legs expect one of them), -ENOTSUP (not secured by
 * SDES), -ENOSPC, -ENOMEM; then nothing changed. Then shared_settle(): was the description taken? */
int shared_expect(struct session *s, const struct mset_remote *m) must_check;
void shared_settle(struct session *s, uint32_t remote, bool is_taken);
void shared_forget(struct session *s, uint32_t remote);                /* dropped */
enum drop shared_input(struct worker *w, struct packet *p) must_check; /* of a shared port */
