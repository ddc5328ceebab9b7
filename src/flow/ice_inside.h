/* SPDX-License-Identifier: Apache-2.0
 * What the lite and the full agent of ICE share; inside flow only. */
#pragma once
#include "flow/ice.h"
#include "wire/stun.h"

void ice_cred_make(struct ice_cred *ret); /* fresh ones */
bool ice_pair_eq(const struct ice_pair *a, const struct ice_pair *b);
/* The response to a verified request: success (error 0) or that error. Its bytes; 0: no room. */
size_t ice_respond(const struct stunmsg *m, const char *pwd, const struct ice_pair *pair, unsigned error,
                   uint8_t *buf, size_t room);
