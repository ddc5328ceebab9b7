/* SPDX-License-Identifier: Apache-2.0
 * One run: acts in their order, each a list of steps, driven by ticks and by what the line and the test
 * leg tell. Time comes in with the ticks. Inside doctor. */
#pragma once
#include "doctor/check.h"

enum {
  RUN_TICK_MS = 20,
  RUN_LIMIT_MS = 300000,
  RUN_CALLS_MAX = 60,
  RUN_PAUSE_MS = 150, /* between two calls */
};

enum run_state { RUN_RUNNING, RUN_DONE, RUN_CANCELED };

struct step {
  uint8_t kind; /* enum step_kind */
  uint8_t arg;
};

struct run {
  char id[40], trunk_name[CONF_NAME_BYTES], by[CONF_NAME_BYTES];
  enum run_state state;
  uint64_t begin_us, now_us, step_us, act_us;
  uint64_t started_ms, ended_ms, wall_ms; /* wall */
  struct calls *calls;
  const struct door_probe *probe;
  void *probe_arg;
  struct conf_trunk trunk;   /* a copy: a reload ends the run, its report stays. */
  struct conf_trunk variant; /* as the present call changes it */
  struct conf_listener listener;
  struct doctor_facts facts;
  struct finding findings[CHECK_COUNT_];
  char why[DOCTOR_TEXT_BYTES]; /* of a run that was ended early */
  /* the present act */
  uint32_t act, n_calls;
  const struct step *step;
  bool is_begun; /* is_begun: the present step's begin was done. */
  uint32_t at;   /* of acts over targets */
  struct call_facts *call;
  struct testleg *leg;
  pool_handle line;
  bool is_opened, is_lost; /* of the leg */
  struct desc ours;        /* the offer that is unanswered */
  bool has_ours;           /* ours is there */
  enum form form;
  bool is_resuming;
  uint64_t packets_mark, flow_packets, flow_us; /* flow: of the last packet of the talk that was seen */
  uint64_t n_versions;                          /* of our descriptions in this call */
  uint32_t raised_s; /* the peer's Min-SE, taken after its 422; 0: ours will do */
};

/* conf and wall are those of its begin. Nothing is sent before the first tick. 0, -ENOENT (no such
 * trunk), -ENOTSUP (the door has no tests), -ENOMEM */
int run_new(struct run **ret, struct calls *calls, const struct conf *conf, struct slice trunk,
            uint64_t now_us, uint64_t wall_ms) must_check;
struct run *run_free(struct run *r);
OWN_DEFINE(run)
void run_tick(struct run *r, uint64_t now_us, uint64_t wall_ms); /* until state is not RUNNING */
void run_cancel(struct run *r, const char *why, uint64_t wall_ms);

/* acts: of the present act. True: it is over. */
bool act_step(struct run *r);
void act_begin(struct run *r);
void act_end(struct run *r);
static inline uint32_t run_step_ms(const struct run *r) {
  return (uint32_t)((r->now_us - r->step_us) / 1000);
}

/* said: what came back, into the facts */
void said_word(void *arg, pool_handle line, const struct probe_word *w);
bool said_offered(void *arg, pool_handle line, const struct desc *offer, struct desc *ret);
