/* SPDX-License-Identifier: Apache-2.0
 * Rules of a plan as they are kept. Inside route. */
#pragma once
#include "conf/field.h"
#include "route/route.h"

enum { PLAN_RULES_MAX = 1000, PATTERN_BYTES = 128 };

struct pattern { /* of a number; nothing said matches everything */
  struct conf_names exact, prefix;
  char regex[PATTERN_BYTES];
  void *code; /* code is the compiled regex, NULL without. */
};

struct edit { /* of a number: strip so many characters in front, then put prefix there */
  uint32_t strip;
  char prefix[24];
};

struct rule {
  char name[CONF_NAME_BYTES];
  uint8_t from; /* from is an enum rule_from. */
  char trunk[CONF_NAME_BYTES], tenant[CONF_NAME_BYTES];
  struct pattern called, caller;
  struct edit edit_called, edit_caller;
  uint8_t action; /* action is an enum route_action. */
  char user[CONF_NAME_BYTES], to_trunk[CONF_NAME_BYTES];
  uint32_t refuse, timeout_s, line;
  bool emergency;
};
enum rule_from { FROM_ANY, FROM_TRUNK, FROM_NATIVE };

struct plan {
  char file[CONF_PATH_BYTES];
  uint32_t n;
  struct rule *rules;
};

/* match.c: 1, 0, or -EINVAL when the regex gave up (its limits). */
int pattern_match(const struct pattern *p, struct slice number) must_check;
int pattern_compile(struct pattern *p, char *error, size_t error_bytes) must_check;
void pattern_done(struct pattern *p);
enum rule_fit {
  FIT,
  FIT_NOT_FROM,
  FIT_NOT_TRUNK,
  FIT_NOT_TENANT,
  FIT_NOT_CALLED,
  FIT_NOT_CALLER,
  FIT_GAVE_UP
};
enum rule_fit rule_fits(const struct rule *r, const struct route_facts *f);
/* rewrite.c: 0 or -ENOSPC. */
int edit_apply(const struct edit *e, struct slice number, char *dst, size_t dst_bytes) must_check;
