/* SPDX-License-Identifier: Apache-2.0
 * Event tickets: single use, 60 s, for EventSource which cannot send a header. Bounded. Engine. */
#pragma once
#include "web/web.h"

enum { TICKET_CHARS = 32, TICKET_LIFE_S = 60 };
struct tickets;
int tickets_new(struct tickets **ret, size_t max) must_check;
struct tickets *tickets_free(struct tickets *t);
OWN_DEFINE(tickets)
/* 0, or -ENOSPC: too many wait. */
int ticket_make(struct tickets *t, const struct claims *c, uint64_t now_us,
                char ret_text[TICKET_CHARS + 1]) must_check;
/* 0 and the claims it stands for; -ENOENT: unknown, used or older than 60 s. */
int ticket_use(struct tickets *t, struct slice text, uint64_t now_us, struct claims *ret) must_check;
