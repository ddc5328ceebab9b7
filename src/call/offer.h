/* SPDX-License-Identifier: Apache-2.0
 * Offer and answer of one leg, from that leg's own capability (RFC 3264, 4568, 5763, 8829): pure
 * functions over struct desc. No leg, no I/O. */
#pragma once
#include "call/call.h"

enum codec_policy { CODEC_POLICY_COST, CODEC_POLICY_QUALITY };

struct ability {
  enum leg_kind kind;
  const struct conf_trunk *trunk;   /* LEG_TRUNK */
  const struct mset_opened *opened; /* ports and credentials; NULL when only checking */
  const struct desc *local;         /* our description in force, NULL: none. Its key and id go on. */
  uint8_t direction;                /* what we want at most, DIR_* */
  enum codec_policy policy;         /* the order of codecs toward apps */
};

/* May the offer be served? Within a session (a->local set) a refused m-line means hold. */
struct verdict offer_check(const struct ability *a, const struct desc *offer) must_check;
/* The answer to an offer that passed. Holds an SDES key: wipe. */
void offer_answer(const struct ability *a, const struct desc *offer, struct desc *ret);
/* Our offer with all that the leg can do. */
void offer_make(const struct ability *a, struct desc *ret);
/* The description in force once more, with the direction wanted: a re-offer for hold or resume. */
void offer_again(const struct ability *a, struct desc *ret);
/* Reports and header extensions in them (reports.c). */
void reports_answer(const struct ability *a, const struct desc_audio *o, struct desc_audio *ret);
void reports_offer(const struct ability *a, struct desc_audio *ret);
/* Does the answer fit our offer? */
struct verdict answer_check(const struct desc *offer, const struct desc *answer) must_check;
/* The pair of a=crypto lines (one of each) that an offer and its answer agree on; false: none. */
bool crypto_agree(const struct desc_audio *ours, const struct desc_audio *theirs,
                  const struct desc_crypto **ret_ours, const struct desc_crypto **ret_theirs);
/* What flows after it, seen from us: DIR_*. */
uint8_t direction_agreed(const struct desc *local, const struct desc *remote);
/* Does the peer's description put us on hold? ours: what we had offered, NULL where it is an offer. */
bool desc_holds(const struct desc *theirs, const struct desc *ours);
/* Keys by DTLS, and not in the description? */
bool desc_is_dtls(const struct desc_audio *a);
/* Milliseconds of a packet that the peer wants, 10-60 in steps of 10; 20 where it says nothing. */
uint32_t ptime_of(const struct desc_audio *theirs);
