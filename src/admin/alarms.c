/* SPDX-License-Identifier: Apache-2.0
 * GET /admin/v1/alarms, POST /admin/v1/alarms/{id}/ack, and the table behind them. Owner and web
 * threads. */
#include "admin/alarms.h"

#include "admin/desk.h"

#include "base/clock.h"
#include "base/hmac.h"

#include <stdio.h>

#define KEEP_MS (7u * 86400000u)
/* Trunks are looked at anew after a restart: until then what was said of them holds. */
#define TRUNK_HOLD_MS 90000u
#define HOLD_MS 10000u

SHAPE(alarm, {"id", SHAPE_TEXT, SHAPE_MUST}, {"kind", SHAPE_TEXT, SHAPE_MUST},
      {"severity", SHAPE_TEXT, SHAPE_MUST, .choices = "critical|warning|info"},
      {"text", SHAPE_TEXT, SHAPE_MUST}, {"what", SHAPE_TEXT, SHAPE_MUST},
      {"raised_at", SHAPE_TIME, SHAPE_MUST}, {"cleared_at", SHAPE_TIME, SHAPE_MUST | SHAPE_NULL},
      {"acked_by", SHAPE_TEXT, SHAPE_MUST | SHAPE_NULL});
SHAPE(alarms, {"alarms", SHAPE_LIST, SHAPE_MUST, .inner = &shape_alarm},
      {"cursor", SHAPE_TEXT, SHAPE_MUST | SHAPE_NULL});

/* The same kind at the same place is the same alarm. */
static bool same(const struct alarm *al, const struct admin_alarm *now) {
  return al->raised_ms && !al->cleared_ms && !strcmp(al->now.kind, now->kind) &&
         !strcmp(al->now.what, now->what) &&
         (strcmp(now->kind, "certificate") || !strcmp(al->now.text, now->text));
}

/* A free place, or the one that was cleared longest ago. */
static struct alarm *place_find(struct alarms *as) {
  struct alarm *oldest = NULL;
  for (size_t i = 0; i < ALARMS_MAX; i++) {
    struct alarm *al = &as->list[i];
    if (!al->raised_ms)
      return al;
    if (al->cleared_ms && (!oldest || al->cleared_ms < oldest->cleared_ms))
      oldest = al;
  }
  return oldest;
}

static void alarm_raise(struct alarm *al, const struct admin_alarm *now, uint64_t wall_ms) {
  static uint32_t serial;
  memset(al, 0, sizeof *al);
  al->now = *now;
  al->raised_ms = wall_ms;
  al->told = true;
  snprintf(al->id, sizeof al->id, "al_%08x%04x", (unsigned)(wall_ms / 1000u), ++serial & 0xffff);
}

static void one_feed(struct alarms *as, const struct admin_alarm *now, uint64_t wall_ms,
                     void (*changed)(void *arg, const struct alarm *al), void *arg) {
  for (size_t i = 0; i < ALARMS_MAX; i++)
    if (same(&as->list[i], now)) {
      as->list[i].told = true;
      return;
    }
  struct alarm *al = place_find(as);
  if (!al)
    return;
  alarm_raise(al, now, wall_ms);
  changed(arg, al);
}

void alarms_feed(struct alarms *as, const struct admin_alarm *now, size_t n, uint64_t wall_ms,
                 void (*changed)(void *arg, const struct alarm *al), void *arg) {
  for (size_t i = 0; i < ALARMS_MAX; i++)
    as->list[i].told = false;
  for (size_t i = 0; i < n; i++)
    one_feed(as, &now[i], wall_ms, changed, arg);
  for (size_t i = 0; i < ALARMS_MAX; i++) {
    struct alarm *al = &as->list[i];
    if (al->raised_ms && !al->cleared_ms && !al->told && wall_ms >= al->until_ms) {
      al->cleared_ms = wall_ms;
      changed(arg, al);
    } else if (al->cleared_ms && wall_ms > al->cleared_ms + KEEP_MS)
      memset(al, 0, sizeof *al);
  }
}

void alarms_put_back(struct alarms *as, const struct kept_alarm *k, uint64_t wall_ms) {
  static const char *const severities[] = {"critical", "warning", "info"};
  struct alarm *al = k->raised_ms && k->id[0] ? place_find(as) : NULL;
  if (!al || al->raised_ms)
    return;
  memcpy(al->id, k->id, sizeof(al->id));
  memcpy(al->acked_by, k->acked_by, sizeof(al->acked_by));
  memcpy(al->now.kind, k->kind, sizeof(al->now.kind));
  memcpy(al->now.what, k->what, sizeof(al->now.what));
  memcpy(al->now.text, k->text, sizeof(al->now.text));
  for (size_t i = 0; i < COUNT_OF(severities); i++)
    if (i == 0 || strcmp(k->severity, severities[i]) == 0)
      al->now.severity = severities[i];
  al->raised_ms = k->raised_ms;
  al->cleared_ms = k->cleared_ms;
  al->until_ms = wall_ms + (strcmp(k->kind, "trunk_down") == 0 ? TRUNK_HOLD_MS : HOLD_MS);
}

struct alarm *alarms_find(struct alarms *as, const char *id) {
  for (size_t i = 0; i < ALARMS_MAX; i++)
    if (as->list[i].raised_ms && !strcmp(as->list[i].id, id))
      return &as->list[i];
  return NULL;
}

size_t alarms_open(const struct alarms *as) {
  size_t n = 0;
  for (size_t i = 0; i < ALARMS_MAX; i++)
    n += as->list[i].raised_ms && !as->list[i].cleared_ms;
  return n;
}

json_t *alarm_json(const struct alarm *al) {
  char raised[CLOCK_TEXT_BYTES], cleared[CLOCK_TEXT_BYTES], safe[400];
  const char *text = al->now.text;
  json_t *words = json_string(text);
  if (!words)
    words = json_string(slice_escape(safe, sizeof safe, slice_of(text)));
  return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s?, s:s?}", "id", al->id, "kind", al->now.kind,
                   "severity", al->now.severity, "text", words, "what", al->now.what, "raised_at",
                   clock_text(al->raised_ms, raised), "cleared_at",
                   al->cleared_ms ? clock_text(al->cleared_ms, cleared) : NULL, "acked_by",
                   al->acked_by[0] ? al->acked_by : NULL);
}

void verb_alarms(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  json_t *all = json_array();
  pthread_mutex_lock(&a->lock);
  for (size_t i = 0; i < ALARMS_MAX; i++)
    if (a->alarms.list[i].raised_ms)
      json_array_append_new(all, alarm_json(&a->alarms.list[i]));
  pthread_mutex_unlock(&a->lock);
  desk_sort(all, "id", true); /* an id begins with when it was raised */
  desk_page(ask, "alarms", "id", all, ret);
}

void verb_alarm_ack(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  json_t *doc = NULL;
  pthread_mutex_lock(&a->lock);
  struct alarm *al = alarms_find(&a->alarms, ask->web->params.text[0]);
  if (al) {
    memcpy(al->acked_by, ask->who->name, sizeof al->acked_by);
    doc = alarm_json(al);
    keep_alarms(a);
  }
  pthread_mutex_unlock(&a->lock);
  if (doc)
    desk_json(ret, 200, doc);
  else
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
}
