/* SPDX-License-Identifier: Apache-2.0
 * The sink to a peer on another worker: what was opened goes there by value, through a queue for each
 * ordered pair of workers; that worker is woken once a turn. One copy, no lock. The peer is named by its
 * session id: one that is gone finds nothing. Internal to media. */
#pragma once
#include "base/pipe.h"
#include "media/link.h"

enum { XLINK_PIPE_BYTES = 1 << 18 };

/* LINK between workers, in the head's pad (the control thread's word): 1 + the peer's worker; and that
 * it is the half that is not answered. */
enum { XLINK_WORKER = 0xff, XLINK_SILENT = 0x100 };

struct worker;
struct xlinks; /* of all workers */
int xlinks_new(struct xlinks **ret, uint32_t workers) must_check;
struct xlinks *xlinks_free(struct xlinks *x); /* after the workers' threads */
OWN_DEFINE(xlinks)
void xlinks_set_wake(struct xlinks *x, uint32_t worker, int fd); /* before they start */

/* Worker's thread: */
void xlink_open(struct session *s, uint64_t peer, uint32_t worker); /* one direction; replaces */
void xlink_close(struct session *s);  /* no more to or from the peer on another worker */
void xlink_results(struct worker *w); /* what others sent here */
void xlink_flush(struct worker *w);   /* wakes those to whom something was sent */
