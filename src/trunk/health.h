/* SPDX-License-Identifier: Apache-2.0
 * What is known of a trunk's health: an engine without I/O, fed with answers to our OPTIONS, the
 * peer's OPTIONS and how calls went. A goal is one place that calls go to: the trunk's target, or each
 * data centre of a hub. Nothing is ever removed by it: what is bad is tried last. Call thread. */
#pragma once
#include "trunk/trunk.h"

enum {
  HEALTH_CALLS_DOWN = 3, /* calls in a row that nobody answered at all make a goal bad */
  HEALTH_INTERVALS = 3,  /* silent intervals after which the peer's OPTIONS count no more (O-6) */
  HEALTH_RETRY_MAX_S = 3600,
};

struct health_rule {
  bool asks;         /* asks: our OPTIONS are sent, and tell */
  bool hears;        /* hears: the peer's OPTIONS tell, and come before ours (hub) */
  uint32_t down, up; /* so many in a row */
  uint64_t interval_us;
};

struct health_goal {
  enum trunk_state state;
  uint32_t misses, hits; /* OPTIONS in a row without, with a good answer */
  uint32_t call_misses;  /* calls in a row without any answer */
  uint64_t bad_until_us; /* by calls, or by a Retry-After */
};

struct health {
  uint32_t n; /* n is the number of goals, at least 1. */
  struct health_goal goal[CONF_HUBS_MAX];
  uint64_t heard_us; /* heard_us is when the peer's last OPTIONS came; 0: never */
};

struct health_rule health_rule_of(const struct conf_trunk *t);
void health_answer(struct health *h, const struct health_rule *r, uint32_t goal, bool is_good);
void health_heard(struct health *h, uint64_t now_us);
/* A call toward the goal: answered by whatever status of the peer's, or not at all. */
void health_call(struct health *h, const struct health_rule *r, uint32_t goal, bool is_reached,
                 uint64_t now_us);
/* The peer's 503: that goal not before so many seconds; 0: one interval. */
void health_busy(struct health *h, const struct health_rule *r, uint32_t goal, uint32_t retry_after_s,
                 uint64_t now_us);
bool health_goal_is_bad(const struct health *h, const struct health_rule *r, uint32_t goal,
                        uint64_t now_us);
/* The goals in the order in which they are to be tried: the good ones as configured, then the bad. */
void health_order(const struct health *h, const struct health_rule *r, uint64_t now_us,
                  uint8_t ret_order[CONF_HUBS_MAX]);
enum trunk_state health_state(const struct health *h, const struct health_rule *r, uint64_t now_us);
enum trunk_asked health_asked(const struct health *h, const struct health_rule *r, uint64_t now_us);
enum trunk_tls health_tls(int64_t peer_expiry_s, int64_t now_s);
