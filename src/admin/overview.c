/* SPDX-License-Identifier: Apache-2.0
 * GET /admin/v1/overview: the owner's facts of each second, today's totals, and a ring of samples 5 s
 * apart. Owner thread writes, web threads read. */
#include "admin/overview.h"
#include "admin/shape.h"

#include <config.h> /* not our neighbour of that name */

#include "base/clock.h"

#include <stdio.h>

enum { STEP_S = 5 };
#define DAY_MS 86400000u

void overview_init(struct overview *o) {
  memset(o, 0, sizeof *o);
  o->started_ms = clock_wall_ms();
}

static uint64_t failed(const struct admin_facts *f) {
  uint64_t good = f->answered + f->ringing;
  return f->calls > good ? f->calls - good : 0;
}

uint64_t overview_midnight_ms(const struct overview *o) { return o->started_ms / DAY_MS * DAY_MS; }

void overview_before(struct overview *o, const struct reader_sums *s) {
  o->before = *s;
  o->before_day = o->started_ms / DAY_MS;
}

void overview_feed(struct overview *o, const struct admin_facts *f, uint64_t wall_ms) {
  if (!o->fed || wall_ms / DAY_MS != o->day)
    o->midnight = o->fed ? o->facts : *f;
  o->day = wall_ms / DAY_MS;
  o->rate = o->fed && f->calls > o->facts.calls ? f->calls - o->facts.calls : 0;
  o->facts = *f;
  if (!o->fed)
    o->last = *f;
  o->fed = true;
  if (wall_ms < o->sampled_ms + STEP_S * 1000u)
    return;
  struct overview_sample *s = &o->samples[o->samples_n++ % OVERVIEW_SAMPLES];
  s->live = f->live;
  s->rate = (float)(f->calls - o->last.calls) / (float)STEP_S;
  s->failed = failed(f) > failed(&o->last) ? (float)(failed(f) - failed(&o->last)) / (float)STEP_S : 0;
  s->mos_x100 = f->mos_x100;
  o->last = *f;
  o->sampled_ms = wall_ms;
}

enum { M = SHAPE_MUST, N = SHAPE_MUST | SHAPE_NULL };
static SHAPE(overview_config, {"version", SHAPE_TEXT, M}, {"confirm_by", SHAPE_TIME, N});
static SHAPE(overview_calls, {"live", SHAPE_INT, M}, {"max", SHAPE_INT, M},
             {"rate_s", SHAPE_INT, M, .help = "New ones in the last second"});
static SHAPE(overview_today, {"calls", SHAPE_INT, M}, {"answered", SHAPE_INT, M},
             {"failed", SHAPE_INT, M}, {"refused", SHAPE_INT, M},
             {"asr", SHAPE_NUMBER, N, .help = "Answered, in percent"},
             {"acd_s", SHAPE_NUMBER, N, .help = "Mean duration"}, {"pdd_ms", SHAPE_INT, N});
static SHAPE(overview_media, {"connected", SHAPE_BOOL, M}, {"backend", SHAPE_TEXT, N},
             {"workers", SHAPE_INT, M},
             {"load", SHAPE_NUMBER, M, .help = "Of the busiest worker, 0 to 1"});
static SHAPE(overview_trunks, {"online", SHAPE_INT, M}, {"total", SHAPE_INT, M});
static SHAPE(overview_alarms, {"open", SHAPE_INT, M});
static SHAPE(overview_series, {"step_s", SHAPE_INT, M},
             {"at", SHAPE_TIME, N, .help = "Of the last sample"},
             {"live", SHAPE_LIST, M | SHAPE_OF_NUMBER}, {"rate", SHAPE_LIST, M | SHAPE_OF_NUMBER},
             {"failed", SHAPE_LIST, M | SHAPE_OF_NUMBER}, {"mos", SHAPE_LIST, M | SHAPE_OF_NUMBER});
SHAPE(overview, {"now", SHAPE_TIME, M}, {"version", SHAPE_TEXT, M}, {"instance", SHAPE_TEXT, N},
      {"started_at", SHAPE_TIME, N}, {"ready", SHAPE_BOOL, M},
      {"reasons", SHAPE_LIST, M | SHAPE_OF_TEXT}, {"draining", SHAPE_BOOL, M},
      {"config", SHAPE_OBJECT, M, .inner = &shape_overview_config},
      {"calls", SHAPE_OBJECT, M, .inner = &shape_overview_calls},
      {"today", SHAPE_OBJECT, M, .inner = &shape_overview_today},
      {"media", SHAPE_OBJECT, M, .inner = &shape_overview_media},
      {"trunks", SHAPE_OBJECT, M, .inner = &shape_overview_trunks},
      {"alarms", SHAPE_OBJECT, M, .inner = &shape_overview_alarms},
      {"series", SHAPE_OBJECT, M, .inner = &shape_overview_series,
       .help = "The last quarter of an hour"});

static json_t *tenths_json(double v) {
  double tenths = (double)(int64_t)(v * 10 + 0.5) / 10;
  return tenths == (double)(int64_t)tenths ? json_integer((json_int_t)tenths) : json_real(tenths);
}

static json_t *series_json(const struct overview *o) {
  json_t *live = json_array(), *rate = json_array(), *fails = json_array(), *mos = json_array();
  size_t n = o->samples_n < OVERVIEW_SAMPLES ? o->samples_n : OVERVIEW_SAMPLES;
  for (size_t i = o->samples_n - n; i < o->samples_n; i++) {
    const struct overview_sample *s = &o->samples[i % OVERVIEW_SAMPLES];
    json_array_append_new(live, json_integer(s->live));
    json_array_append_new(rate, tenths_json(s->rate));
    json_array_append_new(fails, tenths_json(s->failed));
    json_array_append_new(mos, s->mos_x100 ? json_real(s->mos_x100 / 100.0) : json_null());
  }
  return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "step_s", STEP_S, "at", web_time(o->sampled_ms),
                   "live", live, "rate", rate, "failed", fails, "mos", mos);
}

static uint64_t since(uint64_t now, uint64_t then) { return now > then ? now - then : 0; }

static json_t *mean_json(uint64_t sum, uint64_t n, double unit) {
  return n ? tenths_json((double)sum / unit / (double)n) : json_null();
}

static json_t *today_json(const struct overview *o) {
  static const struct reader_sums none;
  const struct admin_facts *f = &o->facts, *m = &o->midnight;
  const struct reader_sums *b = o->before_day == o->day ? &o->before : &none;
  uint64_t calls = since(f->calls, m->calls) + b->calls;
  uint64_t answered = since(f->answered, m->answered) + b->answered;
  uint64_t fails = since(failed(f), failed(m)) + since(b->calls, b->answered);
  uint64_t pdds = since(f->pdds, m->pdds) + b->pdds;
  return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "calls", (json_int_t)calls, "answered",
                   (json_int_t)answered, "failed", (json_int_t)fails, "refused",
                   (json_int_t)(since(f->refused, m->refused) + b->refused), "asr",
                   calls ? tenths_json(100.0 * (double)answered / (double)calls) : json_null(), "acd_s",
                   mean_json(since(f->talk_ms, m->talk_ms) + b->talk_ms,
                             since(f->talks, m->talks) + b->talks, 1000.0),
                   "pdd_ms",
                   pdds ? json_integer((json_int_t)((since(f->pdd_ms, m->pdd_ms) + b->pdd_ms) / pdds))
                        : json_null());
}

json_t *overview_json(const struct overview *o, bool ready, const char *why, size_t open_alarms) {
  const struct admin_facts *f = &o->facts;
  char version[20];
  snprintf(version, sizeof version, "%016llx", (unsigned long long)f->config_version);
  json_t *reasons = ready ? json_array() : json_pack("[s]", why[0] ? why : "not ready");
  json_t *doc =
      json_pack("{s:o, s:s, s:s?, s:o, s:b, s:o, s:b}", "now", web_time(clock_wall_ms()), "version",
                PACKAGE_VERSION, "instance", f->instance[0] ? f->instance : NULL, "started_at",
                web_time(o->started_ms), "ready", ready, "reasons", reasons, "draining", f->draining);
  json_object_set_new(
      doc, "config",
      json_pack("{s:s, s:o}", "version", version, "confirm_by", web_time(f->confirm_by_ms)));
  json_object_set_new(doc, "calls",
                      json_pack("{s:i, s:i, s:I}", "live", (int)f->live, "max", (int)f->max, "rate_s",
                                (json_int_t)o->rate));
  json_object_set_new(doc, "today", today_json(o));
  json_object_set_new(doc, "media",
                      json_pack("{s:b, s:s?, s:i, s:f}", "connected", f->media, "backend",
                                f->backend[0] ? f->backend : NULL, "workers", (int)f->workers, "load",
                                f->load_permille / 1000.0));
  json_object_set_new(doc, "trunks",
                      json_pack("{s:i, s:i}", "online", (int)f->trunks_online, "total", (int)f->trunks));
  json_object_set_new(doc, "alarms", json_pack("{s:I}", "open", (json_int_t)open_alarms));
  json_object_set_new(doc, "series", series_json(o));
  return doc;
}
