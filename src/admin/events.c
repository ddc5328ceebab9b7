/* SPDX-License-Identifier: Apache-2.0
 * GET /admin/v1/events: one stream of what changes, encoded once for all who listen; a snapshot comes
 * first and is made at most once a second. Owner thread. */
#include "admin/desk.h"
#include "admin/push.h"

#include "base/clock.h"

#include <stdio.h>

enum { SNAPSHOT_CALLS = 100, PENDING_MAX = 262144, BANS_TICKS = 5 };
#define SCENE_US 1000000u

/* Adds one event to a growing text; data is taken. */
static void event_add(struct pending *p, const char *event, json_t *data) {
  own_mem char *text = data ? json_dumps(data, JSON_COMPACT) : NULL;
  json_decref(data);
  size_t more = text ? strlen(text) + strlen(event) + 32 : 0;
  if (!text || p->n + more > PENDING_MAX)
    return;
  if (p->n + more > p->room) {
    char *grown = realloc(p->text, (p->n + more) * 2);
    if (!grown)
      return;
    p->text = grown;
    p->room = (p->n + more) * 2;
  }
  p->n += (size_t)snprintf(p->text + p->n, p->room - p->n, "event: %s\ndata: %s\n\n", event, text);
}

void admin_tell(struct admin *a, const char *event, json_t *data) {
  event_add(&a->pending, event, data);
}

bool admin_is_watched(struct admin *a) { return web_stream_count(a->web) > 0; }

bool admin_has_room(struct admin *a) {
  size_t n = web_stream_count(a->web), most = PENDING_MAX / 2, each = n ? ADMIN_CAST_BYTES / n : most;
  each = each < most ? each : most;
  return a->pending.n < (each > ADMIN_CAST_LEAST_BYTES ? each : ADMIN_CAST_LEAST_BYTES);
}

static void alarm_changed(void *arg, const struct alarm *al) {
  struct admin *a = arg;
  event_add(&a->pending, "alarm", alarm_json(al));
  a->alarms_new = true;
}

static json_t *desk_overview(struct admin *a) {
  char why[ADMIN_REASON_BYTES] = "";
  bool ready = !a->set.ready || a->set.ready(a->set.ready_arg, why);
  pthread_mutex_lock(&a->lock);
  json_t *doc = overview_json(&a->overview, ready, why, alarms_open(&a->alarms));
  pthread_mutex_unlock(&a->lock);
  return doc;
}

SHAPE(event_config, {"version", SHAPE_TEXT, SHAPE_MUST, .help = "Now in force: read /config"});

static json_t *config_json(const struct admin_facts *f) {
  char version[20];
  snprintf(version, sizeof version, "%016llx", (unsigned long long)f->config_version);
  return json_pack("{s:s}", "version", version);
}

static void trunks_take(struct admin *a) {
  json_t *rows = a->set.trunks ? a->set.trunks(a->set.calls_arg) : NULL, *was;
  pthread_mutex_lock(&a->lock);
  was = a->trunk_rows;
  a->trunk_rows = rows;
  pthread_mutex_unlock(&a->lock);
  json_decref(was);
}

/* Of our own door. */
static bool cert_alarm(struct admin *a, struct admin_alarm *ret) {
  bool is_grave;
  memset(ret, 0, sizeof(*ret));
  if (!web_cert_alarm(a->web, ret->text, &is_grave))
    return false;
  ret->severity = is_grave ? "critical" : "warning";
  slice_copy(ret->kind, sizeof(ret->kind), SLICE("certificate"));
  slice_copy(ret->what, sizeof(ret->what), SLICE("admin"));
  return true;
}

/* Theirs and ours: *ret_n of them on the heap; NULL: no memory, nothing is known this time. */
static struct admin_alarm *alarms_join(struct admin *a, const struct admin_alarm *alarms, size_t n,
                                       size_t *ret_n) {
  struct admin_alarm *all = calloc(n + 3, sizeof(*all));
  if (!all)
    return NULL;
  if (n)
    memcpy(all, alarms, n * sizeof(*all));
  *ret_n = n + push_alarm(a->push, &all[n]);
  *ret_n += audit_alarm(a, &all[*ret_n]);
  *ret_n += cert_alarm(a, &all[*ret_n]);
  return all;
}

void admin_tick(struct admin *a, const struct admin_facts *f, const struct admin_alarm *alarms,
                size_t n) {
  size_t all_n = 0;
  own_mem struct admin_alarm *all = alarms_join(a, alarms, n, &all_n);
  uint64_t wall_ms = clock_wall_ms();
  pthread_mutex_lock(&a->lock);
  bool is_new = a->overview.facts.config_version != f->config_version ||
                a->overview.facts.confirm_by_ms != f->confirm_by_ms;
  overview_feed(&a->overview, f, wall_ms);
  a->alarms_new = false;
  if (all)
    alarms_feed(&a->alarms, all, all_n, wall_ms, alarm_changed, a);
  if (a->alarms_new)
    keep_alarms(a);
  pthread_mutex_unlock(&a->lock);
  if (a->ticks++ % BANS_TICKS == 0) {
    keep_bans(a);
    trunks_take(a);
  }
  if (admin_is_watched(a)) {
    if (is_new)
      event_add(&a->pending, "config", config_json(f));
    event_add(&a->pending, "overview", desk_overview(a));
    (void)web_cast(a->web, slice_from(a->pending.text, a->pending.n));
  }
  a->pending.n = 0;
}

static void rows_add(struct pending *p, const char *event, json_t *list) {
  for (size_t i = 0; i < json_array_size(list); i++)
    event_add(p, event, json_incref(json_array_get(list, i)));
}

/* What stands now; p is what is told of it. */
static void snapshot_write(struct admin *a, struct pending *p) {
  event_add(p, "overview", desk_overview(a));
  json_t *trunks = a->set.trunks ? a->set.trunks(a->set.calls_arg) : NULL;
  struct admin_part part = {.limit = SNAPSHOT_CALLS};
  json_t *calls = a->set.calls ? a->set.calls(a->set.calls_arg, &part) : NULL;
  rows_add(p, "trunk", json_object_get(trunks, "trunks"));
  rows_add(p, "call", calls);
  json_decref(trunks);
  json_decref(calls);
  pthread_mutex_lock(&a->lock);
  for (size_t i = 0; i < ALARMS_MAX; i++)
    if (a->alarms.list[i].raised_ms && !a->alarms.list[i].cleared_ms)
      event_add(p, "alarm", alarm_json(&a->alarms.list[i]));
  event_add(p, "config", config_json(&a->overview.facts));
  pthread_mutex_unlock(&a->lock);
}

/* Once a second for all who begin to listen in it. */
static int scene_make(struct admin *a) {
  struct pending p = {0};
  uint64_t now_us = clock_now_us();
  if (a->scene_us && now_us < a->scene_us + SCENE_US)
    return 0;
  uint64_t then = web_cast(a->web, (struct slice){0});
  snapshot_write(a, &p);
  int r = web_scene_set(a->web, &a->scene, slice_from(p.text, p.n), then);
  if (r == 0)
    a->scene_us = now_us;
  free(p.text);
  return r;
}

void verb_listen(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  unsigned max = a->set.streams_max ? a->set.streams_max : ADMIN_STREAMS;
  if (web_stream_count(a->web) >= max) {
    web_answer_problem(
        ret, WEB_PROBLEM_overload,
        &(struct web_problem_info){.detail = "as many streams as admin.streams_max are open",
                                   .retry_after_s = 5});
    return;
  }
  if (scene_make(a) < 0) {
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
    return;
  }
  web_handle s = web_stream_open(a->web, ask->web->handle, 0);
  if (s)
    (void)!web_stream_listen(a->web, s, &a->scene);
}

void verb_overview(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  (void)ask;
  desk_json(ret, 200, desk_overview(a));
}
