/* SPDX-License-Identifier: Apache-2.0
 * What agent.c (life, selection, time), agentpair.c (candidates, pairs) and agentcheck.c (messages)
 * share; inside flow only. */
#pragma once
#include "flow/agent.h"
#include "flow/ice_inside.h"

enum {
  AGENT_UFRAG_MAX = 256,
  AGENT_PWD_MAX = 256,
  AGENT_CONSENTS = 4, /* consent requests whose answer still counts */
  MS_US = 1000,
};

struct agent_cand {
  bool used;
  uint8_t type; /* type is an enum cand_type. */
  struct addr address, base;
  uint32_t priority, foundation; /* foundation is a hash of the peer's text, or our number. */
};

enum agent_pair_state { PAIR_FREE, PAIR_WAITING, PAIR_RUNNING, PAIR_VALID, PAIR_FAILED };

struct agent_pair {
  uint8_t state; /* state is an enum agent_pair_state. */
  uint8_t local, remote, tries;
  bool is_triggered;   /* is_triggered: before all others. */
  bool is_due;         /* is_due: agent_output() has to send. */
  bool is_verified;    /* is_verified: an authenticated message came by it. */
  bool was_valid;      /* was_valid: it answered a check before the one that runs. */
  bool is_nominating;  /* is_nominating: what runs carries USE-CANDIDATE. */
  bool is_wanted;      /* is_wanted: the controlling peer nominated it. */
  bool as_controlling; /* as_controlling is our role in what runs. */
  uint8_t id[STUNMSG_ID_BYTES];
  uint64_t priority;
  uint64_t begun_us, next_us, rto_us;
  struct ice_pair path;
};

struct agent_generation {
  bool used;
  bool has_remote;
  struct ice_cred ours;
  char ufrag[AGENT_UFRAG_MAX + 1], pwd[AGENT_PWD_MAX + 1]; /* the peer's */
};

struct agent {
  bool is_controlling, is_lite, is_ended;     /* is_ended: the peer has no more candidates. */
  bool renominates, has_failed, has_given_up; /* has_given_up: FAILED was told. */
  bool is_selected, may_send, is_old;         /* is_old: selected is of the generation before. */
  uint64_t tie_breaker;
  uint32_t nomination; /* nomination is the last number, ours or the peer's. */
  uint32_t rtt_us;
  struct agent_generation now, before; /* before is used during a restart. */
  struct agent_cand locals[AGENT_LOCALS_MAX], remotes[AGENT_REMOTES_MAX];
  struct agent_pair *pairs; /* pairs grow by need, up to AGENT_PAIRS_MAX: most agents have a few. */
  unsigned n_pairs;
  uint64_t started_us; /* started_us is the first check of this generation; 0: none yet. */
  uint64_t pace_us;    /* pace_us is when the next new transaction may begin. */
  uint64_t valid_us;   /* valid_us is when the first pair became valid; 0: none. */
  /* The selected pair outlives a restart: */
  struct ice_pair selected;
  uint64_t selected_priority;
  uint64_t consent_us, asked_us, ask_us; /* answered; asked last; to be asked next */
  uint8_t consents[AGENT_CONSENTS][STUNMSG_ID_BYTES];
  unsigned n_consents; /* n_consents counts on; the place is it modulo AGENT_CONSENTS. */
  bool is_ask_due;
};

/* agentpair.c */
uint32_t agent_priority(enum cand_type type, unsigned index);
struct agent_cand *agent_local_of(struct agent *a, const struct addr *base);
struct agent_pair *agent_pair_find(const struct agent *a, const struct ice_pair *path);
struct agent_cand *agent_prflx(struct agent *a, const struct addr *from, uint32_t priority);
void agent_set_priorities(struct agent *a); /* after a change of role */
/* The best pair of a state (WAITING: those triggered first); NULL: none. */
struct agent_pair *agent_pair_best(struct agent *a, enum agent_pair_state state);
unsigned agent_pair_count(const struct agent *a, enum agent_pair_state state);

/* agentcheck.c */
enum drop agent_message(struct agent *a, const uint8_t *b, size_t n, const struct ice_pair *pair,
                        uint64_t now_us, uint8_t *buf, size_t room,
                        struct ice_result *ret) must_check; /* all of agent_input() but nomination */
size_t agent_check_put(const struct agent *a, const struct agent_pair *p, uint8_t *buf, size_t room);
size_t agent_consent_put(const struct agent *a, uint8_t *buf, size_t room);

/* agent.c */
unsigned agent_select(struct agent *a, struct agent_pair *p, uint64_t now_us);
/* Does what the controlling peer nominated count? */
bool agent_is_chosen(const struct agent *a, const struct agent_pair *p, uint64_t now_us);
void agent_trigger(struct agent *a, struct agent_pair *p);
void agent_pair_fails(struct agent_pair *p);
