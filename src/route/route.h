/* SPDX-License-Identifier: Apache-2.0
 * Dialplans: facts -> decision, a pure function over a plan read from dialplans/NAME.yaml. A decision is
 * a list of steps (ring, try trunks, play, forward, refuse), each with how long it may take and the
 * outcomes after which the next one is taken; call/hunt walks them. */
#pragma once
#include "conf/conf.h"

enum { ROUTE_STEPS_MAX = 8, ROUTE_TARGETS_MAX = 16, ROUTE_NUMBER_BYTES = 64, ROUTE_ROW_MAX = 8 };

enum route_action {
  ROUTE_REFUSE,
  ROUTE_USER,
  ROUTE_TRUNK,
  ROUTE_ECHO,
  ROUTE_TONE,
  ROUTE_FORWARD, /* to a number, which is routed anew */
  ROUTE_ANNOUNCE,
};

/* What became of a step. ALWAYS is all of them. */
enum route_outcome {
  OUTCOME_BUSY = 1,        /* 486, 600 */
  OUTCOME_NO_ANSWER = 2,   /* rang too long; 408, 480 of who was called */
  OUTCOME_UNREACHABLE = 4, /* nobody is connected; every trunk failed before anything rang */
  OUTCOME_DECLINED = 8,    /* 603, 607, 608, a user's decline */
  OUTCOME_NOT_FOUND = 16,  /* 404, 410, 484, 604 */
  OUTCOME_FAILED = 32,     /* everything else */
  OUTCOME_ALWAYS = 63,
};

struct route_target { /* a user, or a trunk with its place in the list */
  char name[CONF_NAME_BYTES];
  uint16_t priority, weight; /* priority: lower is tried first; weight: among equals */
};

struct route_step {
  enum route_action action;
  uint32_t timeout_s;    /* 0: the default */
  uint32_t next_after_s; /* users: the next one rings too after so many seconds; 0: only then it does */
  uint32_t on;           /* outcomes after which the next step is taken */
  bool in_turn;          /* users: one after another, else all at once */
  bool is_table;         /* trunks: those of the prefix table's row */
  bool is_voicemail;     /* forward: to a mailbox, said so to the next hop */
  bool is_answered;      /* announce: with an answer, else as early media */
  uint32_t line;
  int sip; /* refuse, and announce at its end; 0: hang up */
  char reason[CONF_NAME_BYTES];
  char number[ROUTE_NUMBER_BYTES];
  char file[CONF_PATH_BYTES];
  uint32_t n;
  struct route_target to[ROUTE_TARGETS_MAX];
};

struct route_facts {
  struct slice from_kind; /* "trunk" or "native" */
  struct slice trunk;     /* inbound trunk's name, empty for native */
  struct slice tenant;
  struct slice called, caller;
  struct slice identity; /* native caller */
  struct slice
      verified; /* what STIR says of the caller: A, B, C, V, none, failed; pending; empty: not asked */
  bool anonymous;
  uint64_t wall_s; /* since 1970, UTC */
};

struct route_decision {
  enum route_action action;                                    /* of the first step */
  char user[CONF_NAME_BYTES];                                  /* ROUTE_USER: the first one */
  char trunk[CONF_NAME_BYTES];                                 /* ROUTE_TRUNK: the first one */
  char called[ROUTE_NUMBER_BYTES], caller[ROUTE_NUMBER_BYTES]; /* as rewritten */
  uint32_t timeout_s;         /* of the rule, for steps that say nothing; 0: the default */
  int sip;                    /* ROUTE_REFUSE: status, e.g. 403, 404, 603 */
  char rule[CONF_NAME_BYTES]; /* name of the rule that took it, for the record */
  uint32_t rule_line;         /* where it stands in the plan's file; 0: none took it */
  const char *fault;          /* ROUTE_REFUSE for a fault of the rule: in words; else NULL */
  bool emergency;
  const struct route_step *steps; /* the plan's, as long as the plan is; NULL where no rule fits */
  uint32_t n_steps;
  uint32_t n_row; /* trunks of the prefix table's row */
  struct route_target row[ROUTE_ROW_MAX];
  char prefix[16]; /* the prefix that fitted, "" without a table */
};

struct plan;
/* 0, or -EINVAL or -errno with places in errors. file names the text in them, and the folder of its
 * tables. */
int plan_load(struct plan **ret, const char *file, struct conf_errors *errors) must_check;
int plan_parse(struct plan **ret, const char *file, struct slice yaml,
               struct conf_errors *errors) must_check;
/* paths (conf/field.h; NULL: any) says which files it may name; what stands in those is then not told in
 * errors. */
struct field_paths;
int plan_parse_within(struct plan **ret, const char *file, struct slice yaml,
                      const struct field_paths *paths, struct conf_errors *errors) must_check;
struct plan *plan_free(struct plan *p);
OWN_DEFINE(plan)
/* Cross-check with the configuration: users and trunks named exist, their rules for numbers are taken
 * up. 0 or -EINVAL with errors. */
int plan_check(struct plan *p, const struct conf *c, struct conf_errors *errors) must_check;
/* Always a decision: without a matching rule ROUTE_REFUSE 404, rule "". */
struct route_decision route_decide(const struct plan *p, const struct route_facts *f);

/* A number as the trunk writes it, read (IN) or to be written (OUT) by trunks[].numbers of the
 * configuration that the plan was checked with: 0, -EINVAL (a pattern ran into its limits) or -ENOSPC.
 */
enum route_direction { ROUTE_IN_CALLED, ROUTE_IN_CALLER, ROUTE_OUT_CALLED, ROUTE_OUT_CALLER };
int route_number(const struct plan *p, const char *trunk, enum route_direction way, struct slice number,
                 char *dst, size_t dst_bytes) must_check;

/* What rule i does, in words: "user alice, then announce …". */
size_t plan_rule_text(const struct plan *p, uint32_t rule, char *dst, size_t dst_bytes);
/* Does any rule lead anywhere? */
bool plan_takes_calls(const struct plan *p);
/* The i-th number that a rule with emergency names in full; NULL past the last. */
const char *plan_emergency(const struct plan *p, uint32_t i);

/* Rule by rule, for who wants to know why. */
struct route_trial {
  const char *name, *why;
  uint32_t line;
  bool fits, gave_up;
};
uint32_t plan_rules(const struct plan *p);
struct route_trial route_try(const struct plan *p, uint32_t rule, const struct route_facts *f);
/* A step in words: "trunks a (priority 1, weight 50), b, 30 s, on unreachable". */
size_t route_step_text(const struct route_decision *d, uint32_t step, char *dst, size_t dst_bytes);
/* The decision with the reason in words, for a person ("rule 3 \"to alice\": called matches …"). */
size_t route_explain(const struct plan *p, const struct route_facts *f, char *dst, size_t dst_bytes);

/* The order in which trunks are tried: healthy ones (rank 0) by priority, equals shuffled by their
 * weights; then the others by rank in the same way; a rank below 0 is left out. ret_order are places in
 * to[]; how many. random gives numbers below its bound. */
uint32_t route_order(const struct route_target *to, const int *ranks, uint32_t n,
                     uint32_t (*random)(uint32_t bound), uint32_t ret_order[ROUTE_TARGETS_MAX]);
