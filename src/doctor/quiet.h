/* SPDX-License-Identifier: Apache-2.0
 * What is heard between words: steady noise, dead silence, no packets, or now this, now that. Fed with
 * the figures of a leg, five times a second; what lasts less than two of them does not count. Pure.
 * RFC 3389. Inside doctor. */
#pragma once
#include "mset/mset.h"

enum quiet_kind { QUIET_NONE, QUIET_WORDS, QUIET_NOISE, QUIET_DEAD, QUIET_GAP, QUIET_COUNT_ };
struct quiet {
  uint64_t updated_us, packets; /* of the last sample */
  uint8_t kind, n_alike;        /* what it is just now, for so many samples */
  uint8_t rest;                 /* the last rest that lasted: NOISE, DEAD or GAP; NONE */
  uint32_t n[QUIET_COUNT_];     /* samples */
  uint32_t n_changes;           /* from one kind of rest to another */
  uint32_t noise_dbov;          /* the sum over samples of NOISE, below overload */
};
void quiet_sample(struct quiet *q, const struct mset_facts *f); /* the same figures twice are one */
