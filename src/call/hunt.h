/* SPDX-License-Identifier: Apache-2.0
 * Hunting: the walk over the steps of a decision until somebody answers. Inside call. One attempt is a
 * trunk, or a user with all devices. A step ends with an outcome (route.h); the plan says after which
 * the next one is taken. A forward is a decision of its own above the one that asked for it. */
#pragma once
#include "call/inner.h"

enum { HUNT_TRIES_MAX = 16, HUNT_FORWARDS_MAX = 3, HUNT_FRAMES = HUNT_FORWARDS_MAX + 1 };

struct hunt_try {
  enum leg_kind kind;
  bool is_live, had_progress;
  char name[CONF_NAME_BYTES]; /* of the trunk or the user */
  uint64_t started_ms, ended_ms;
  enum end_reason reason; /* once it is over */
  enum why_fault fault;
  bool is_peer;    /* is_peer: the peer said sip itself. */
  bool is_demoted; /* is_demoted: the trunk is tried last from now on. */
  uint32_t tries;
  struct addr target;
  int sip, q850;
};

struct hunt_frame { /* a decision that is walked */
  struct route_step *steps;
  uint32_t n, at, timeout_s;
  uint32_t n_row;
  struct route_target row[ROUTE_ROW_MAX];
};

struct hunt {
  struct calls *cs;
  struct call *call;                                           /* call is NULL until there is one. */
  char called[ROUTE_NUMBER_BYTES], caller[ROUTE_NUMBER_BYTES]; /* as the plan was asked for them */
  uint32_t n_frames;
  struct hunt_frame frames[HUNT_FRAMES];
  uint32_t n_order, next; /* the targets of the step: next is the place of the one that is tried next. */
  uint32_t order[ROUTE_TARGETS_MAX];
  uint32_t n_tries, n_live, n_forwards;
  struct hunt_try tries[HUNT_TRIES_MAX];
  const struct conf_trunk *admitted; /* by guard, while there is no call to keep it */
  struct cause last;                 /* what the caller is told when nothing is left */
  bool is_emergency, is_begun, is_noted;
  bool has_rung[2]; /* has_rung, by enum leg_kind: the door was asked since it was last stopped. */
  bool is_ordered;  /* is_ordered: the first step's order stands, one of it is admitted. */
  bool has_word;    /* has_word: last is of this step. */
  bool is_quiet;    /* is_quiet: what ends is ended by us. */
  bool goes_on;     /* goes_on: the same step, with its next target. */
  enum route_outcome outcome; /* of the step before */
  struct timer limit, next_ring, go;
};

/* The walk over a decision, still without a call. REFUSE rows where it refuses at once. */
struct verdict hunt_new(struct hunt **ret, struct calls *cs, const struct route_decision *d) must_check;
void hunt_asked(struct hunt *h, const char *called, const char *caller); /* the plan is asked again */
struct hunt *hunt_free(struct hunt *h); /* leaves the guard what it was admitted to */
/* Admits its first attempt, so that what is full is refused before anything is made. */
struct verdict hunt_admit(struct hunt *h) must_check;
const struct route_step *hunt_step(const struct hunt *h);
bool hunt_leads_out(const struct hunt *h); /* its step goes by trunks */

void hunt_seat(struct hunt *h, struct call *c); /* the call that was made of it */
void hunt_begin(struct call *c);                /* asks the first target */
void hunt_leg_over(struct leg *l);
void hunt_stop(struct call *c);  /* answered or over: nothing rings any more. Once */
void hunt_leave(struct call *c); /* guard forgets it */
/* For forward.c: a decision above the others, and away with the last; the trunk that is tried is left;
 * all that rings is ended. */
struct verdict hunt_push(struct hunt *h, const struct route_decision *d) must_check;
void hunt_pop(struct hunt *h);
void hunt_leave_trunk(struct hunt *h);
void hunt_give_up(struct hunt *h, const struct cause *why);
/* forward.c: not pass: nothing changed, but for the second where no step is left */
struct verdict hunt_forward(struct hunt *h, struct slice number, uint16_t status,
                            const char *trunk) must_check; /* trunk "": by the plan */
bool hunt_may_forward(const struct call *c);
void hunt_lead_on(struct hunt *h);
struct verdict hunt_decide_again(struct hunt *h) must_check;
/* attempts.c: the attempts as JSON text, as many as fit. */
void hunt_record(const struct call *c, char *dst, size_t dst_bytes);
const struct hunt_try *hunt_tries(const struct call *c, uint32_t *ret_n);
bool hunt_rings(const struct call *c, const char *identity);
/* A refusal of a decision: its status goes to the caller and into the record. */
struct verdict hunt_refusal(const struct route_decision *d);

/* outcome.c: pure */
enum route_outcome outcome_of(const struct cause *why);
bool outcome_fails_over(const struct conf_trunk *t, const struct cause *why, bool had_progress);
uint16_t outcome_status(enum route_outcome o);                            /* as History-Info tells it */
struct cause outcome_worse(const struct cause *a, const struct cause *b); /* what a group tells */

/* announce.c */
void announce_begin(struct call *c, const struct route_step *s);
void announce_played(struct call *c, int error);
struct announcement *announce_free(struct announcement *a);
