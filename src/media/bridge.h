/* SPDX-License-Identifier: Apache-2.0
 * The sink that passes a session's media to its peer (session.peer) on the same worker: another
 * source number, sequence, timestamp, payload type, and the other law of G.711. Blind to packet
 * times. Internal to media; worker's thread. */
#pragma once
#include "media/link.h"

void bridge_open(struct session *s, struct session *peer); /* one direction; replaces */
void bridge_close(struct session *s);                      /* s's media goes nowhere */
