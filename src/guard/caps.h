/* SPDX-License-Identifier: Apache-2.0
 * Caps: how many calls, how often, how long and for how much, by destination and by caller, trunk,
 * tenant or in all (settings: caps[]). Each cap keeps an account for each value of its `per`; accounts
 * are bounded and the idlest ends first. Time is given (monotonic us); an hour and a day are windows
 * from an account's first call in them. An engine: call thread, no clock, no I/O. */
#pragma once
#include "guard/guard.h"

enum { CAPS_ACCOUNTS_MAX = 4096 };

struct caps;

int caps_new(struct caps **ret) must_check; /* 0 or -ENOMEM */
struct caps *caps_free(struct caps *c);
/* All caps of conf that the call falls under let it in, or the first that does not says so (REFUSE_CAP,
 * naming the cap and the setting) and nothing is counted. On pass: caps_leave() once. */
struct verdict caps_admit(struct caps *c, const struct conf *conf, const struct caps_facts *f,
                          uint64_t now_us, struct caps_hold *ret) must_check;
/* The call is over; talked_us is how long it was connected. hold is emptied. */
void caps_leave(struct caps *c, const struct conf *conf, struct caps_hold *hold, uint64_t talked_us,
                uint64_t now_us);

/* What is counted, to outlive the program (live calls are not: they end with it): a text on the heap,
 * NULL without memory. */
char *caps_write(struct caps *c, size_t *ret_n, uint64_t now_us, uint64_t wall_ms) must_check;
/* Into caps that were just made; what is over by now is left out. 0, or -EBADMSG: the rest is not read. */
int caps_read(struct caps *c, struct slice text, uint64_t now_us, uint64_t wall_ms) must_check;
bool caps_is_news(const struct caps *c); /* something was counted since caps_write() */

/* Country codes (E.164, one to three digits) that were called: true when it was never before.
 * 0: not a global number. */
uint32_t caps_country(struct slice called);
bool caps_is_new_country(struct caps *c, uint32_t country);
