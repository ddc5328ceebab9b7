/* SPDX-License-Identifier: Apache-2.0
 * A run as JSON and as a page to print. Peers' texts go out escaped. Pure. */
#include "doctor/report.h"
#include "base/clock.h"

#include <stdio.h>

static const char *state_word(const struct run *r) {
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
                   "state", state_word(r), "started_at", time_json(r->started_ms), "ended_at",
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

/* The page ----------------------------------------------------------------------------------------- */

struct page {
  char *text;
  size_t n, bytes;
};

static void page_add(struct page *p, const char *s, size_t n) {
  if (p->n + n + 1 > p->bytes) {
    size_t bytes = (p->n + n + 1) * 2;
    char *more = realloc(p->text, bytes);
    if (!more)
      return;
    p->text = more;
    p->bytes = bytes;
  }
  memcpy(p->text + p->n, s, n);
  p->n += n;
  p->text[p->n] = 0;
}

static void put(struct page *p, const char *markup) { page_add(p, markup, strlen(markup)); }

static void put_text(struct page *p, const char *s) {
  for (; *s; s++) {
    const char *as = *s == '<'   ? "&lt;"
                     : *s == '>' ? "&gt;"
                     : *s == '&' ? "&amp;"
                     : *s == '"' ? "&quot;"
                                 : NULL;
    if (as)
      put(p, as);
    else if ((unsigned char)*s >= 0x20 || *s == '\n')
      page_add(p, s, 1);
    else
      put(p, "?");
  }
}

static void put_cell(struct page *p, const char *s) {
  put(p, "<td>");
  put_text(p, s);
  put(p, "</td>");
}

static void put_checks(struct page *p, const struct run *r) {
  const char *group = "";
  for (int i = 0; i < CHECK_COUNT_; i++) {
    const struct check_row *row = &check_rows[i];
    const struct finding *v = &r->findings[i];
    if (strcmp(group, row->group) != 0) {
      put(p, *group ? "</tbody></table><h2>" : "<h2>");
      put_text(p, row->group);
      put(p, "</h2><table border=\"1\" cellpadding=\"4\" cellspacing=\"0\" width=\"100%\">"
             "<thead><tr><th>Check</th><th>Result</th><th>Seen</th><th>What to do</th>"
             "<th>Rule</th></tr></thead><tbody>");
      group = row->group;
    }
    bool is_bad = v->result == FINDING_FAILED;
    put(p, "<tr>");
    put_cell(p, row->title);
    put(p, is_bad ? "<td><strong>" : "<td>");
    put_text(p, v->result == FINDING_NOT_OFFERED ? "not offered" : finding_word(v->result));
    put(p, is_bad ? "</strong></td>" : "</td>");
    put_cell(p, v->seen);
    put_cell(p, v->advice);
    put_cell(p, row->rfc);
    put(p, "</tr>");
  }
  put(p, "</tbody></table>");
}

char *report_html(const struct run *r) {
  struct page p = {0};
  char line[256], at[CLOCK_TEXT_BYTES];
  json_t *diff = NULL, *patch = profile_patch(r, &diff);
  put(&p, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Trunk Doctor</title>");
  put(&p, "</head><body><h1>Trunk ");
  put_text(&p, r->trunk_name);
  put(&p, "</h1><p>");
  snprintf(line, sizeof line, "%s, %s, %u test calls, run %s", clock_text(r->started_ms, at),
           state_word(r), r->n_calls, r->id);
  put_text(&p, line);
  put(&p, "</p>");
  put_checks(&p, r);
  if (diff && json_string_length(diff)) {
    put(&p, "<h2>Settings that this suggests</h2><pre>");
    put_text(&p, json_string_value(diff));
    put(&p, "</pre>");
  }
  put(&p, "</body></html>\n");
  json_decref(diff);
  json_decref(patch);
  return p.text;
}
