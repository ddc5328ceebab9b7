/* SPDX-License-Identifier: Apache-2.0
 * ICE of a trunk leg at its private port: the lite agent, or a full one for each remote (several early
 * answers), with an allocation at a TURN server where one is set. Which pair is selected becomes the
 * remote's address; before that, and without consent, nothing is sent to a remote with ICE. Internal to
 * media; worker's thread. */
#pragma once
#include "media/session.h"

enum {
  PATH_GATHER_US = 1000000, /* OPENED waits at most so long for the allocation */
};

/* After the port is bound: OPEN with MSET_OPEN_ICE. 0 or -errno. */
int path_open(struct session *s, const struct mset_open *m) must_check;
void path_close(struct session *s); /* gives the allocation back */
/* Is all gathered? If not, OPENED is told later, by cmd_opened() with this sequence number. */
bool path_is_gathered(const struct session *s);
void path_wait(struct session *s, uint64_t seq);
void path_fill(const struct session *s, struct mset_opened *ret); /* credentials and candidates */

void path_restart(struct session *s, struct ice_cred *ret); /* new credentials for a new offer/answer */

/* r was described: credentials of the peer; none: it has no ICE. */
int path_set_remote(struct session *s, struct remote *r, const struct mset_remote *m) must_check;
void path_drop_remote(struct session *s, struct remote *r);
int path_candidates(struct session *s, const struct mset_candidates *m) must_check;

/* What came to the leg's port: STUN and the relay's form are taken (true, *ret says how it went);
 * what the relay passed on becomes the packet itself (false). */
bool path_takes(struct session *s, struct packet *p, enum drop *ret);
void path_heard(struct session *s, const struct remote *r, const struct packet *p); /* authenticated */
/* Has this remote ICE, and is the way to it open? */
bool path_has(const struct session *s, const struct remote *r);
bool path_may_send(const struct session *s, const struct remote *r);
bool path_is_verified(const struct session *s, const struct remote *r, const struct packet *p);
/* DTLS came from a verified address before a pair was selected: that is where its answer goes. */
void path_meet(struct session *s, struct remote *r, const struct packet *p);
/* n bytes in the slot of io to r, by the relay if that is its pair. */
void path_send(struct session *s, const struct remote *r, const struct port *port, const struct addr *to,
               uint8_t *slot, size_t n);
enum mset_ice_state path_state(const struct session *s);
const struct ice_pair *path_selected(const struct session *s);
