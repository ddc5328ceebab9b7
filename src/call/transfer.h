/* SPDX-License-Identifier: Apache-2.0
 * Legs that go to another call: a transfer's party rings its new far side in a call of its own, comes
 * back if nobody takes it, or takes another leg's place. Not for doors: call.h has their side. */
#pragma once
#include "call/call.h"

struct transfer;
/* The new call c was made for leg l, whose media stand; order is whose wish it is. 0 or -ENOMEM: nothing
 * was moved. */
int transfer_begin(struct call *c, struct leg *l) must_check;
/* Of the call that rings the target: what it did, told to who asked. */
void transfer_told(struct call *c, int sip);
void transfer_done(struct call *c);
/* The call ends for why: a party that can go back to who transferred it does, and is not ended. */
void transfer_undone(struct call *c, const struct cause *why);
/* c's caller, answered, takes the place of the leg that it is to replace: that one ends. */
void transfer_take_place(struct call *c);
void transfer_free(struct call *c);
