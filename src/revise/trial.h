/* SPDX-License-Identifier: Apache-2.0
 * A number asked of a dialplan: the question in words, the rules one by one, the decision, and those of
 * the numbers that it is forwarded to. For operators' API and command alike; nothing is called. Part of
 * revise's door. */
#pragma once
#include "conf/conf.h"
#include "route/route.h"

#include <jansson.h>

enum { TRIAL_FORWARDS_MAX = 3 };

struct trial_words { /* what is NULL or "" was not said */
  const char *called, *caller, *trunk, *user, *verified;
  const char *at; /* 2026-12-24T17:30, UTC; not said: now */
  bool anonymous;
};

struct trial {
  struct route_facts f;
  char called[ROUTE_NUMBER_BYTES], caller[ROUTE_NUMBER_BYTES]; /* as the trunk's rules write them */
};

/* Without trunk it is a call of the user, else of the first one. The words, c and p outlive it. -EINVAL:
 * *ret_word is the member that is wrong, *ret_why a sentence. */
int trial_ask(struct trial *ret, const struct trial_words *w, const struct conf *c, const struct plan *p,
              const char **ret_word, const char **ret_why) must_check;
/* The next number that it is forwarded to: f is asked of it from now on. */
bool trial_forward(struct route_facts *f, const struct route_decision *d);
/* [{number, from, rules: [{rule, line, fits, why}], rule, called, caller, emergency, steps, refused,
 * fault}], the first and what it is forwarded to; a new reference. */
json_t *trial_walk(const struct plan *p, struct route_facts f);
