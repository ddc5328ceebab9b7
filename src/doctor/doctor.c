/* SPDX-License-Identifier: Apache-2.0
 * The runs, and the timer that drives them. Call thread. */
#include "doctor/doctor.h"
#include "base/clock.h"
#include "base/log.h"
#include "doctor/report.h"

struct doctor {
  struct loop *loop;
  struct calls *calls;
  const struct conf *conf;
  struct run *runs[DOCTOR_RUNS_MAX]; /* the newest first; NULL past the last */
  struct timer tick;
};

static void on_tick(void *arg) {
  struct doctor *d = arg;
  bool is_live = false;
  for (int i = 0; i < DOCTOR_RUNS_MAX && d->runs[i]; i++) {
    struct run *r = d->runs[i];
    if (r->state != RUN_RUNNING)
      continue;
    run_tick(r, loop_now_us(d->loop), clock_wall_ms());
    if (r->state != RUN_RUNNING)
      log_info(doctor, "run %s of trunk %s is over", r->id, r->trunk_name);
    is_live = is_live || r->state == RUN_RUNNING;
  }
  if (is_live)
    loop_arm(d->loop, &d->tick, RUN_TICK_MS * 1000);
}

int doctor_new(struct doctor **ret, struct loop *loop, struct calls *calls, const struct conf *conf) {
  struct doctor *d = calloc(1, sizeof *d);
  if (!d)
    return -ENOMEM;
  d->loop = loop;
  d->calls = calls;
  d->conf = conf;
  d->tick = (struct timer){.fn = on_tick, .arg = d};
  *ret = d;
  return 0;
}

struct doctor *doctor_free(struct doctor *d) {
  if (!d)
    return NULL;
  loop_disarm(d->loop, &d->tick);
  for (int i = 0; i < DOCTOR_RUNS_MAX; i++)
    run_free(d->runs[i]);
  free(d);
  return NULL;
}

void doctor_reload(struct doctor *d, const struct conf *conf) {
  for (int i = 0; i < DOCTOR_RUNS_MAX && d->runs[i]; i++)
    run_cancel(d->runs[i], "the configuration was changed meanwhile", clock_wall_ms());
  d->conf = conf;
}

static bool is_full(const struct doctor *d, struct slice trunk) {
  int live = 0;
  bool is_there = false;
  for (int i = 0; i < DOCTOR_RUNS_MAX && d->runs[i]; i++)
    if (d->runs[i]->state == RUN_RUNNING) {
      live++;
      is_there = is_there || slice_eq(trunk, slice_of(d->runs[i]->trunk_name));
    }
  return is_there || live >= DOCTOR_LIVE_MAX;
}

/* Room at the front: the oldest that is over goes. */
static void shift(struct doctor *d) {
  int last = DOCTOR_RUNS_MAX - 1;
  while (last > 0 && d->runs[last] && d->runs[last]->state == RUN_RUNNING)
    last--;
  run_free(d->runs[last]);
  memmove(d->runs + 1, d->runs, (size_t)last * sizeof *d->runs);
  d->runs[0] = NULL;
}

int doctor_start(struct doctor *d, struct slice trunk, char ret_id[40]) {
  struct run *r = NULL;
  if (is_full(d, trunk))
    return -EBUSY;
  int e = run_new(&r, d->calls, d->conf, trunk, loop_now_us(d->loop), clock_wall_ms());
  if (e < 0)
    return e;
  shift(d);
  d->runs[0] = r;
  memcpy(ret_id, r->id, sizeof r->id);
  log_info(doctor, "run %s of trunk %s begins", r->id, r->trunk_name);
  loop_arm(d->loop, &d->tick, RUN_TICK_MS * 1000);
  return 0;
}

static struct run *run_find(const struct doctor *d, struct slice id, int *ret_at) {
  for (int i = 0; i < DOCTOR_RUNS_MAX && d->runs[i]; i++)
    if (slice_eq(id, slice_of(d->runs[i]->id))) {
      *ret_at = i;
      return d->runs[i];
    }
  return NULL;
}

int doctor_cancel(struct doctor *d, struct slice id) {
  int at;
  struct run *r = run_find(d, id, &at);
  if (!r)
    return -ENOENT;
  if (r->state == RUN_RUNNING) {
    run_cancel(r, "canceled", clock_wall_ms());
    return 0;
  }
  run_free(r);
  memmove(d->runs + at, d->runs + at + 1, (size_t)(DOCTOR_RUNS_MAX - 1 - at) * sizeof *d->runs);
  d->runs[DOCTOR_RUNS_MAX - 1] = NULL;
  return 0;
}

json_t *doctor_list(const struct doctor *d) {
  json_t *list = json_array();
  for (int i = 0; i < DOCTOR_RUNS_MAX && d->runs[i]; i++)
    json_array_append_new(list, report_head(d->runs[i]));
  return json_pack("{s:o}", "runs", list);
}

json_t *doctor_report(const struct doctor *d, struct slice id) {
  int at;
  const struct run *r = run_find(d, id, &at);
  return r ? report_json(r) : NULL;
}

char *doctor_page(const struct doctor *d, struct slice id, bool is_text) {
  int at;
  const struct run *r = run_find(d, id, &at);
  return !r ? NULL : is_text ? report_text(r) : report_html(r);
}
