/* SPDX-License-Identifier: Apache-2.0
 * Dialplans: facts -> decision, a pure function over a plan read from dialplans/NAME.yaml. */
#pragma once
#include "conf/conf.h"

enum route_action { ROUTE_REFUSE, ROUTE_USER, ROUTE_TRUNK, ROUTE_ECHO, ROUTE_TONE };

struct route_facts {
  struct slice from_kind; /* "trunk" or "native" */
  struct slice trunk;     /* inbound trunk's name, empty for native */
  struct slice tenant;
  struct slice called, caller;
  struct slice identity; /* native caller */
};

struct route_decision {
  enum route_action action;
  char user[CONF_NAME_BYTES];  /* ROUTE_USER */
  char trunk[CONF_NAME_BYTES]; /* ROUTE_TRUNK */
  char called[64], caller[64]; /* as rewritten */
  uint32_t timeout_s;          /* 0: the default */
  int sip;                     /* ROUTE_REFUSE: status, e.g. 403, 404, 603 */
  char rule[CONF_NAME_BYTES];  /* name of the rule that took it, for the record */
  bool emergency;
};

struct plan;
int plan_load(struct plan **ret, const char *file, struct conf_errors *errors) must_check;
int plan_parse(struct plan **ret, const char *file, struct slice yaml,
               struct conf_errors *errors) must_check;
struct plan *plan_free(struct plan *p);
OWN_DEFINE(plan)
/* Cross-check with the configuration: users and trunks named exist. 0 or -EINVAL with errors. */
int plan_check(const struct plan *p, const struct conf *c, struct conf_errors *errors) must_check;
/* Always a decision: without a matching rule ROUTE_REFUSE 404, rule "". */
struct route_decision route_decide(const struct plan *p, const struct route_facts *f);
/* The decision with the reason in words, for a person ("rule 3 \"to alice\": called matches …"). */
size_t route_explain(const struct plan *p, const struct route_facts *f, char *dst, size_t dst_bytes);
