/* SPDX-License-Identifier: Apache-2.0
 * The trunks of a hunt's step, in the order in which they are tried. Inside call, between hunt.c and
 * hunt.h. */
#pragma once
#include "call/hunt.h"

void lineup_order(struct hunt *h); /* the step's targets, by weight and health, into h->order */
/* The next trunk of the order that guard takes: *ret, at h->next. */
struct verdict lineup_pick(struct hunt *h, const struct conf_trunk **ret) must_check;
struct verdict
lineup_refusal(struct hunt *h); /* why none of a list may be tried: a single trunk is named */
/* Whom guard counts the call on: the call keeps it, as its legs may go to other calls. */
const struct conf_trunk **lineup_slot(struct hunt *h);
