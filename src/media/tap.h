/* SPDX-License-Identifier: Apache-2.0
 * The sink that gives a copy of what a session receives to a listener, a session on the same worker that
 * is in no call: whoever is there hears, and is not heard. By the same walk as to a peer, an encoder
 * of the listener's own where codecs differ. Internal to media; worker's thread. */
#pragma once
#include "base/pool.h"
#include "media/link.h"

struct tap {
  struct link link;
  pool_handle listener;
};

/* Replaces. 0; -EXDEV (it is s itself), -EISCONN (the listener has a peer, or is tapped to already). */
int tap_open(struct session *s, struct session *listener) must_check;
void tap_close(struct session *s);
