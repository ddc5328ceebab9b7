/* SPDX-License-Identifier: Apache-2.0
 * The controller's commands, a function each, in a table. Worker's thread; the message has passed
 * mset_check(). Internal to media. */
#pragma once
#include "media/session.h"

/* The reply to the OPEN of that sequence number, where it had to wait. */
void cmd_opened(struct session *s, uint64_t seq);
/* Runs one and tells the reply. */
void cmd_run(struct worker *w, const union mset_any *m);
