/* SPDX-License-Identifier: Apache-2.0
 * The controller's commands, a function each, in a table. Worker's thread; the message has passed
 * mset_check(). Internal to media. */
#pragma once
#include "media/session.h"

/* Runs one and tells the reply. */
void cmd_run(struct worker *w, const union mset_any *m);
