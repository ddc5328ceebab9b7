/* SPDX-License-Identifier: Apache-2.0
 * ICE in the descriptions of trunk legs (RFC 8839), where the trunk is set to it: one component, so RTP
 * and RTCP share a port. Who has no ICE, or two ports, is served without. */
#pragma once
#include "call/offer.h"

/* The flags of OPEN: offer is the peer's, NULL where we make it. */
uint32_t trunkice_flags(const struct conf_trunk *t, const struct desc *offer);
/* Credentials and candidates into our description; theirs is the offer that we answer, NULL for ours. */
void trunkice_fill(const struct ability *a, const struct desc_audio *theirs, struct desc_audio *ret);
bool trunkice_is_agreed(const struct desc_audio *ours, const struct desc_audio *theirs);
void trunkice_remote(struct mset_remote *r, const struct desc_audio *ours,
                     const struct desc_audio *theirs);
/* The i-th message of the peer's candidates into m->candidates; false: there are no more. */
bool trunkice_candidates(const struct desc_audio *theirs, unsigned i, struct mset_candidates *ret);
