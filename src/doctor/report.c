/* SPDX-License-Identifier: Apache-2.0
 * A run as JSON, and what is done to it once the run is no more. Pure. */
#include "doctor/report.h"
#include "base/clock.h"

#include <stdio.h>

static const char *report_state(const struct run *r) {
  static const char *const words[] = {"running", "done", "canceled"};
  return words[r->state];
}

static json_t *time_json(uint64_t wall_ms) {
  char text[CLOCK_TEXT_BYTES];
  return wall_ms ? json_string(clock_text(wall_ms, text)) : json_null();
}

/* Peers may say what is no UTF-8; jansson would refuse it. */
static json_t *text_json(const char *s) {
  json_t *j = json_string(s);
  if (j)
    return j;
  char plain[512];
  size_t n = 0;
  for (; s[n] && n + 1 < sizeof plain; n++)
    plain[n] = (unsigned char)s[n] < 0x80 ? s[n] : '?';
  plain[n] = 0;
  return json_string(plain);
}

static json_t *summary_json(const struct run *r) {
  int n[FINDING_SKIPPED + 1] = {0};
  for (int i = 0; i < CHECK_COUNT_; i++)
    n[r->findings[i].result]++;
  return json_pack("{s:i, s:i, s:i, s:i, s:i}", "passed", n[FINDING_PASSED], "failed", n[FINDING_FAILED],
                   "not_offered", n[FINDING_NOT_OFFERED], "skipped", n[FINDING_SKIPPED], "running",
                   n[FINDING_RUNNING]);
}

json_t *report_head(const struct run *r) {
  return json_pack("{s:s, s:s, s:s, s:o, s:o, s:i, s:s?, s:o}", "id", r->id, "trunk", r->trunk_name,
                   "state", report_state(r), "started_at", time_json(r->started_ms), "ended_at",
                   time_json(r->ended_ms), "calls", (int)r->n_calls, "detail", r->why[0] ? r->why : NULL,
                   "summary", summary_json(r));
}

static json_t *check_json(const struct check_row *row, const struct finding *v) {
  return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:i}", "id", row->id, "group", row->group,
                   "title", row->title, "proves", row->proves, "rfc", row->rfc, "result",
                   finding_word(v->result), "seen", text_json(v->seen), "advice", text_json(v->advice),
                   "ms", (int)v->ms);
}

json_t *report_json(const struct run *r) {
  json_t *doc = report_head(r), *checks = json_array(), *diff = NULL;
  for (int i = 0; i < CHECK_COUNT_; i++)
    json_array_append_new(checks, check_json(&check_rows[i], &r->findings[i]));
  json_t *patch = profile_patch(r, &diff);
  json_object_set_new(doc, "checks", checks);
  json_object_set_new(doc, "profile", json_pack("{s:o?, s:o?}", "diff", diff, "patch", patch));
  return doc;
}

json_t *report_shorten(const json_t *doc) {
  json_t *head = json_copy((json_t *)(uintptr_t)doc); /* jansson only reads it */
  json_object_del(head, "checks");
  json_object_del(head, "profile");
  return head;
}

void report_cut(json_t *doc, const char *why) {
  size_t i;
  json_int_t n = 0;
  json_t *check, *summary = json_object_get(doc, "summary");
  json_array_foreach(json_object_get(doc, "checks"), i, check) {
    const char *result = json_string_value(json_object_get(check, "result"));
    if (!result || strcmp(result, "running") != 0)
      continue;
    json_object_set_new(check, "result", json_string("skipped"));
    json_object_set_new(check, "seen", json_string(why));
    n++;
  }
  n += json_integer_value(json_object_get(summary, "skipped"));
  json_object_set_new(summary, "skipped", json_integer(n));
  json_object_set_new(summary, "running", json_integer(0));
  json_object_set_new(doc, "state", json_string("canceled"));
  json_object_set_new(doc, "detail", json_string(why));
}
