/* SPDX-License-Identifier: Apache-2.0
 * The ICE-lite agent of one session (RFC 8445, RFC 8839), consent to send (RFC 7675) included: one
 * component, any number of local addresses. It never asks, it answers verified Binding requests,
 * and is silent toward everybody else. One owner thread; no socket, no clock. */
#pragma once
#include "base/addr.h"
#include "flow/drop.h"

enum {
  ICE_UFRAG_CHARS = 12, /* of our own, with the NUL they fit 16 */
  ICE_PWD_CHARS = 32,   /* of our own, with the NUL they fit 40 */
  ICE_PAIRS_MAX = 16,   /* verified 5-tuples; the one silent longest goes */
  ICE_DENY_MAX = 16,
  ICE_CHANGES_A_S = 10, /* selections of another pair */
  ICE_CONSENT_S = 30,
  ICE_RESPONSE_BYTES = 128, /* no response is longer */
};

struct ice_cred {
  char ufrag[16], pwd[40]; /* NUL-terminated, ice-chars only */
};

/* A 5-tuple: the local address that a datagram came to, and who sent it. */
struct ice_pair {
  struct addr local, remote;
};

/* What changed; told once, by OR, in the result of ice_input(), ice_heard() and ice_tick(). */
enum ice_event {
  ICE_EVENT_VERIFIED = 1,     /* a 5-tuple was verified for the first time: claim it */
  ICE_EVENT_SELECTED = 2,     /* another pair is the selected one: send there from now on */
  ICE_EVENT_CONSENT_LOST = 4, /* nothing may be sent any more */
  ICE_EVENT_CONSENT_BACK = 8, /* sending may go on */
  ICE_EVENT_RESTARTED = 16,   /* the new generation nominated: the old credentials are void */
  ICE_EVENT_EVICTED = 32,     /* result.evicted is no longer verified: release it */
  ICE_EVENT_FAILED = 64,      /* full agents: no pair works, and patience is over */
};

enum ice_state { ICE_STATE_CHECKING, ICE_STATE_CONNECTED, ICE_STATE_LOST, ICE_STATE_FAILED };

struct ice_result {
  unsigned events;       /* events is an OR of enum ice_event. */
  size_t response_bytes; /* response_bytes is what to send from the pair's local to its remote; 0:
                            nothing */
  struct ice_pair evicted;
};

struct ice;
int ice_new(struct ice **ret) must_check; /* with fresh credentials; 0 or -ENOMEM */
struct ice *ice_free(struct ice *a);
OWN_DEFINE(ice)
/* The credentials for our description: the newest generation's. */
void ice_cred(const struct ice *a, struct ice_cred *ret);
/* The credentials of the generation before, while a restart is under way; else false. */
bool ice_old_cred(const struct ice *a, struct ice_cred *ret);
/* A new generation. The old one is answered, and its pair stays selected, until the new one
 * nominates. A restart during a restart replaces the unused generation. */
void ice_restart(struct ice *a);
/* The peer's ufrag, once its description is known: from then on a request must name it. NULL or
 * empty: not known. It is that of the newest generation. */
void ice_set_remote_ufrag(struct ice *a, const char *ufrag);
/* Addresses (ports ignored) that are never answered: a discarded foreign relay's. 0 or -ENOSPC. A
 * verified or selected pair of that address is forgotten. */
int ice_deny(struct ice *a, const struct addr *address) must_check;

/* A STUN datagram. A response, if any, is in buf (at least ICE_RESPONSE_BYTES). DROP_NONE: verified
 * and answered with success. Else the reason; ICE_ROLE and ICE_UNKNOWN are verified and answered with an
 * error, ICE_RATE is answered with success but did not select; all others are silence. */
enum drop ice_input(struct ice *a, const uint8_t *p, size_t n, const struct ice_pair *pair,
                    uint64_t now_us, uint8_t *buf, size_t room, struct ice_result *ret) must_check;
/* An authenticated packet (SRTP, DTLS after the handshake) came over this pair: consent if it is the
 * selected one. Returns events. */
unsigned ice_heard(struct ice *a, const struct ice_pair *pair, uint64_t now_us);
/* This 5-tuple was verified: DTLS and SRTP from it may be looked at. */
bool ice_is_verified(const struct ice *a, const struct ice_pair *pair);
/* The selected pair, or NULL before one is. */
const struct ice_pair *ice_selected(const struct ice *a);
bool ice_may_send(const struct ice *a); /* a pair is selected and consent is fresh */
enum ice_state ice_state(const struct ice *a);
uint64_t ice_next_us(const struct ice *a); /* when ice_tick() is due; UINT64_MAX: never */
unsigned ice_tick(struct ice *a, uint64_t now_us);
