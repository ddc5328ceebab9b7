/* SPDX-License-Identifier: Apache-2.0
 * With thousands of legs nothing of a leg is in the near caches when its packet comes. A harvest says
 * who comes up: what stage n fetches is there when stage n + 1 reads it. Nothing is changed here. */
#include "media/session.h"

#include <stddef.h>

enum { STEP_BYTES = 128 }; /* the processor fetches lines in pairs */

static void fetch(const void *p, size_t bytes) {
  for (size_t at = 0; p && at < bytes; at += STEP_BYTES)
    __builtin_prefetch((const char *)p + at);
}

static void fetch_session(const struct session *s) {
  fetch(s, offsetof(struct session, first) + sizeof(s->first[0]));
}

void session_foresee(const struct session *s, unsigned stage) {
  if (stage == 0) {
    fetch_session(s);
    return;
  }
  const struct session *peer = session_peer(s);
  if (stage == 1) {
    fetch(s->remotes, sizeof(*s->remotes));
    fetch(peer, peer ? offsetof(struct session, first) : 0);
  } else if (stage == 2) {
    fetch(s->n_remotes ? s->remotes->opener : NULL, STEP_BYTES);
    fetch(peer ? peer->remotes : NULL, sizeof(*s->remotes));
    fetch(peer ? peer->sealer : NULL, STEP_BYTES);
  } else if (s->n_remotes && s->remotes->opener) {
    opener_foresee(s->remotes->opener);
  }
}
