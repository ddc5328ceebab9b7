/* SPDX-License-Identifier: Apache-2.0
 * A full ICE agent (RFC 8445) for one remote: one stream, one component (RTP and RTCP on one port),
 * checks paced, regular nomination, peer-reflexive and trickled candidates, restart, patience (RFC
 * 8863), consent (RFC 7675), renomination. Several early answers: an agent for each of them, with the
 * same credentials of ours. One owner thread; no socket, no clock: datagrams in, datagrams out. */
#pragma once
#include "flow/ice.h"
#include "wire/desc.h"

enum {
  AGENT_LOCALS_MAX = 8,
  AGENT_REMOTES_MAX = 32,
  AGENT_PAIRS_MAX = 100, /* RFC 8445 6.1.2.5; past it the least of those that wait goes */
  AGENT_TA_MS = 50,      /* a new transaction at most so often */
  AGENT_RTO_MS = 500,    /* first retransmission; doubled each time */
  AGENT_TRIES = 7,       /* then 16 times the first RTO of silence: 39.5 s in all (RFC 8489 6.2.1) */
  AGENT_NOMINATE_TRIES = 5,
  AGENT_PATIENCE_MS = 39500, /* never failed before */
  AGENT_SETTLE_MS = 200,     /* a better pair may still come after the first valid one */
  AGENT_CONSENT_MS = 5000,   /* ± 20 % */
  AGENT_DATAGRAM_BYTES = 512,
};

struct agent;
/* ours: credentials made elsewhere (early answers share them); NULL: fresh ones. A controlling agent
 * made the offer, or has a lite peer. 0 or -ENOMEM. */
int agent_new(struct agent **ret, bool is_controlling, const struct ice_cred *ours) must_check;
struct agent *agent_free(struct agent *a);
OWN_DEFINE(agent)
void agent_cred(const struct agent *a, struct ice_cred *ret);     /* the newest generation's */
bool agent_old_cred(const struct agent *a, struct ice_cred *ret); /* during a restart */
bool agent_is_controlling(const struct agent *a);                 /* a role conflict may change it */

/* An address of ours. base is where its datagrams leave from and come to, as struct ice_pair's local
 * has it: for a host its socket, for a relayed one the relayed address itself, for a server-reflexive
 * one the host's socket (it is told, never checked: its host's pair does that). Address: what is told.
 * Sooner ones are preferred. Also while connected (a new network). 0, -ENOSPC. */
int agent_add_local(struct agent *a, enum cand_type type, const struct addr *address,
                    const struct addr *base) must_check;
/* Gone (an interface, an allocation): pairs of it too; if it was in use another one is nominated.
 * Returns events. */
unsigned agent_del_local(struct agent *a, const struct addr *base);
/* The i-th candidate for our description, peer-reflexive ones left out; false: no more. */
bool agent_local(const struct agent *a, unsigned i, struct desc_candidate *ret);

/* The peer's description. Other credentials than those in force: its candidates and pairs are
 * forgotten (a restart of its own, if agent_restart() came before, else of the same generation).
 * 0 or -EINVAL (RFC 8839 5.4: ufrag 4-256, password 22-256). */
int agent_set_remote(struct agent *a, const char *ufrag, const char *pwd, bool is_lite) must_check;
void agent_set_renomination(struct agent *a, bool is_agreed); /* both say a=ice-options:renomination */
/* Of component 1, UDP and a literal address; others are ignored (1). 0, 1 or -ENOSPC. */
int agent_add_remote(struct agent *a, const struct desc_candidate *c) must_check;
void agent_end_remotes(struct agent *a); /* a=end-of-candidates */
/* New credentials (ours NULL: fresh ones); the old pair stays selected and consented until the new
 * generation selects. */
void agent_restart(struct agent *a, const struct ice_cred *ours);

/* A STUN datagram that came to pair->local from pair->remote: as ice_input(). DROP_ICE_USER: not this
 * agent's, DROP_ICE_RESPONSE: a response to nothing of this agent's; try the next one. */
enum drop agent_input(struct agent *a, const uint8_t *p, size_t n, const struct ice_pair *pair,
                      uint64_t now_us, uint8_t *buf, size_t room, struct ice_result *ret) must_check;
/* The next request to send and by which pair, to be called until 0; room: AGENT_DATAGRAM_BYTES. */
size_t agent_output(struct agent *a, uint8_t *buf, size_t room, struct ice_pair *ret_pair);
uint64_t agent_next_us(const struct agent *a); /* when agent_tick() is due; ask after each call */
unsigned agent_tick(struct agent *a, uint64_t now_us); /* events; then ask agent_output() */

/* An authenticated packet (SRTP) came over this pair: consent as with ice_heard(), if it is the selected
 * one and consent was not lost. */
void agent_heard(struct agent *a, const struct ice_pair *pair, uint64_t now_us);
bool agent_is_verified(const struct agent *a, const struct ice_pair *pair);
const struct ice_pair *agent_selected(const struct agent *a); /* NULL before one is */
bool agent_may_send(const struct agent *a);
enum ice_state agent_state(const struct agent *a);
uint32_t agent_rtt_us(const struct agent *a); /* of the last check answered at once; 0: none yet */
