/* SPDX-License-Identifier: Apache-2.0
 * The runs, and the timer that drives them; the reports of those that are over. Call thread. */
#include "doctor/doctor.h"
#include "base/clock.h"
#include "base/log.h"
#include "doctor/report.h"

#include <stdio.h>

enum { SAVE_US = 5000000 }; /* how much of a run the end of the program may take */

/* run while it goes on, then doc: as report_json() made it. */
struct entry {
  struct run *run;
  json_t *doc;
  uint64_t saved_us;
};

struct doctor {
  struct loop *loop;
  struct calls *calls;
  const struct conf *conf;
  struct doctor_keep keep;
  struct entry list[DOCTOR_KEPT_MAX + DOCTOR_LIVE_MAX]; /* the newest first */
  size_t n;
  struct timer tick;
};

static const char *text_of(const json_t *doc, const char *key) {
  const char *text = json_string_value(json_object_get(doc, key));
  return text ? text : "";
}
static const char *id_of(const struct entry *e) { return e->run ? e->run->id : text_of(e->doc, "id"); }
static const char *trunk_of(const struct entry *e) {
  return e->run ? e->run->trunk_name : text_of(e->doc, "trunk");
}

/* The list ------------------------------------------------------------------------------------------ */

static void entry_done(struct entry *e) {
  e->run = run_free(e->run);
  json_decref(e->doc);
  e->doc = NULL;
}

static void entry_out(struct doctor *d, size_t at) {
  entry_done(&d->list[at]);
  memmove(d->list + at, d->list + at + 1, (d->n - at - 1) * sizeof d->list[0]);
  d->n--;
}

static void entry_forget(struct doctor *d, size_t at) {
  if (d->keep.drop)
    d->keep.drop(d->keep.arg, id_of(&d->list[at]));
  entry_out(d, at);
}

/* The oldest that are over go, past the limit of a trunk and of all. */
static void trim(struct doctor *d, const char *trunk) {
  size_t all = 0, of_trunk = 0;
  for (size_t i = 0; i < d->n; i++) {
    bool is_its = !strcmp(trunk, trunk_of(&d->list[i]));
    if (d->list[i].run)
      continue;
    if (all == DOCTOR_KEPT_MAX || (is_its && of_trunk == DOCTOR_TRUNK_MAX)) {
      entry_forget(d, i--);
      continue;
    }
    all++;
    of_trunk += is_its;
  }
}

static bool entry_in(struct doctor *d, struct run *run, json_t *doc) {
  if (d->n == COUNT_OF(d->list))
    return false;
  memmove(d->list + 1, d->list, d->n++ * sizeof d->list[0]);
  d->list[0] = (struct entry){.run = run, .doc = doc};
  return true;
}

/* What is kept elsewhere, should the program end. */
static void save(struct doctor *d, struct entry *e) {
  json_t *doc = e->run ? report_json(e->run) : json_incref(e->doc);
  char *text = d->keep.put && doc ? json_dumps(doc, JSON_COMPACT) : NULL;
  e->saved_us = loop_now_us(d->loop);
  if (text)
    d->keep.put(d->keep.arg, id_of(e), text);
  free(text);
  json_decref(doc);
}

/* A run that is over leaves its report. Its place may change: walk from the end. */
static void settle(struct doctor *d, size_t at) {
  struct entry *e = &d->list[at];
  char trunk[CONF_NAME_BYTES];
  snprintf(trunk, sizeof trunk, "%s", trunk_of(e));
  e->doc = report_json(e->run);
  if (!e->doc) {
    entry_forget(d, at);
    return;
  }
  log_info(doctor, "run %s of trunk %s is over", e->run->id, trunk);
  e->run = run_free(e->run);
  save(d, e);
  trim(d, trunk);
}

/* The runs ------------------------------------------------------------------------------------------ */

static void on_tick(void *arg) {
  struct doctor *d = arg;
  uint64_t now_us = loop_now_us(d->loop);
  bool is_live = false;
  for (size_t i = d->n; i-- > 0;) {
    struct entry *e = &d->list[i];
    if (!e->run)
      continue;
    run_tick(e->run, now_us, clock_wall_ms());
    is_live = is_live || e->run->state == RUN_RUNNING;
    if (e->run->state != RUN_RUNNING)
      settle(d, i);
    else if (now_us - e->saved_us > SAVE_US)
      save(d, e);
  }
  if (is_live)
    loop_arm(d->loop, &d->tick, RUN_TICK_MS * 1000);
}

int doctor_new(struct doctor **ret, struct loop *loop, struct calls *calls, const struct conf *conf,
               const struct doctor_keep *keep) {
  struct doctor *d = calloc(1, sizeof *d);
  if (!d)
    return -ENOMEM;
  d->loop = loop;
  d->calls = calls;
  d->conf = conf;
  if (keep)
    d->keep = *keep;
  d->tick = (struct timer){.fn = on_tick, .arg = d};
  *ret = d;
  return 0;
}

struct doctor *doctor_free(struct doctor *d) {
  if (!d)
    return NULL;
  loop_disarm(d->loop, &d->tick);
  for (size_t i = 0; i < d->n; i++)
    entry_done(&d->list[i]);
  free(d);
  return NULL;
}

static void cancel_all(struct doctor *d, const char *why) {
  for (size_t i = d->n; i-- > 0;)
    if (d->list[i].run) {
      run_cancel(d->list[i].run, why, clock_wall_ms());
      settle(d, i);
    }
}

void doctor_reload(struct doctor *d, const struct conf *conf) {
  cancel_all(d, "the configuration was changed meanwhile");
  d->conf = conf;
}

void doctor_stop(struct doctor *d) {
  if (d)
    cancel_all(d, "cut short: the program was ended meanwhile");
}

void doctor_recall(struct doctor *d, const char *text) {
  json_t *doc = json_loads(text, 0, NULL);
  bool is_cut = !strcmp(text_of(doc, "state"), "running");
  if (!text_of(doc, "id")[0] || !entry_in(d, NULL, doc)) {
    json_decref(doc);
    return;
  }
  if (is_cut)
    report_cut(doc, "cut short: the program ended in the midst of it");
  if (is_cut)
    save(d, &d->list[0]);
  trim(d, text_of(doc, "trunk"));
}

static bool is_full(const struct doctor *d, struct slice trunk) {
  int live = 0;
  bool is_there = false;
  for (size_t i = 0; i < d->n; i++)
    if (d->list[i].run) {
      live++;
      is_there = is_there || slice_eq(trunk, slice_of(d->list[i].run->trunk_name));
    }
  return is_there || live >= DOCTOR_LIVE_MAX;
}

int doctor_start(struct doctor *d, struct slice trunk, char ret_id[40]) {
  struct run *r = NULL;
  if (is_full(d, trunk))
    return -EBUSY;
  int e = run_new(&r, d->calls, d->conf, trunk, loop_now_us(d->loop), clock_wall_ms());
  if (e < 0)
    return e;
  (void)!entry_in(d, r, NULL); /* there is room: only so many are over, only so many are not */
  memcpy(ret_id, r->id, sizeof r->id);
  log_info(doctor, "run %s of trunk %s begins", r->id, r->trunk_name);
  save(d, &d->list[0]);
  loop_arm(d->loop, &d->tick, RUN_TICK_MS * 1000);
  return 0;
}

static const struct entry *entry_find(const struct doctor *d, struct slice id) {
  for (size_t i = 0; i < d->n; i++)
    if (slice_eq(id, slice_of(id_of(&d->list[i]))))
      return &d->list[i];
  return NULL;
}

int doctor_cancel(struct doctor *d, struct slice id) {
  const struct entry *e = entry_find(d, id);
  if (!e)
    return -ENOENT;
  size_t at = (size_t)(e - d->list);
  if (e->run) {
    run_cancel(e->run, "canceled", clock_wall_ms());
    settle(d, at);
  } else {
    entry_forget(d, at);
  }
  return 0;
}

/* Reports ------------------------------------------------------------------------------------------- */

json_t *doctor_list(const struct doctor *d) {
  json_t *list = json_array();
  for (size_t i = 0; i < d->n; i++)
    json_array_append_new(list,
                          d->list[i].run ? report_head(d->list[i].run) : report_shorten(d->list[i].doc));
  return json_pack("{s:o}", "runs", list);
}

json_t *doctor_report(const struct doctor *d, struct slice id) {
  const struct entry *e = entry_find(d, id);
  return !e ? NULL : e->run ? report_json(e->run) : json_incref(e->doc);
}

char *doctor_page(const struct doctor *d, struct slice id, bool is_text) {
  json_t *doc = doctor_report(d, id);
  char *page = !doc ? NULL : is_text ? report_text(doc) : report_html(doc);
  json_decref(doc);
  return page;
}
