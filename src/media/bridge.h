/* SPDX-License-Identifier: Apache-2.0
 * The sink that passes a session's media to its peer (session.peer) on the same worker: another
 * source number, sequence, timestamp, payload type, and the other law of G.711. Blind to packet
 * times. Internal to media; worker's thread. */
#pragma once
#include "media/link.h"

/* One direction; replaces. 0 or -EBUSY: it needs an encoder, and none is free; what the far end takes
 * as it is passes all the same. */
int bridge_open(struct session *s, struct session *peer) must_check;
void bridge_close(struct session *s); /* s's media goes nowhere */
