/* SPDX-License-Identifier: Apache-2.0
 * A run to print: as a page without script, and as plain text of 78 columns, what failed first. Peers'
 * texts go out escaped. Pure. */
#include "base/clock.h"
#include "doctor/report.h"

#include <stdio.h>

enum { COLUMNS = 78, INDENT = 15 };

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

static const char *result_word(const struct finding *v) {
  return v->result == FINDING_NOT_OFFERED ? "not offered" : finding_word(v->result);
}

/* When and how far; and how it came out. */
static void summary(const struct run *r, const char *between, char *dst, size_t bytes) {
  char at[CLOCK_TEXT_BYTES];
  uint32_t n[FINDING_SKIPPED + 1] = {0};
  for (int i = 0; i < CHECK_COUNT_; i++)
    n[r->findings[i].result]++;
  snprintf(dst, bytes, "%s, %s, %u test calls%s%u passed, %u failed, %u not offered, %u skipped",
           clock_text(r->started_ms, at), report_state(r), r->n_calls, between, n[FINDING_PASSED],
           n[FINDING_FAILED], n[FINDING_NOT_OFFERED], n[FINDING_SKIPPED]);
}

/* HTML --------------------------------------------------------------------------------------------- */

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

static void put_row(struct page *p, const struct check_row *row, const struct finding *v) {
  bool is_bad = v->result == FINDING_FAILED;
  put(p, "<tr>");
  put_cell(p, row->title);
  put(p, is_bad ? "<td><strong>" : "<td>");
  put_text(p, result_word(v));
  put(p, is_bad ? "</strong></td>" : "</td>");
  put_cell(p, v->seen);
  put_cell(p, v->advice);
  put_cell(p, row->rfc);
  put(p, "</tr>");
}

static void put_checks(struct page *p, const struct run *r) {
  const char *group = "";
  for (int i = 0; i < CHECK_COUNT_; i++) {
    const struct check_row *row = &check_rows[i];
    if (strcmp(group, row->group) != 0) {
      put(p, *group ? "</tbody></table><h2>" : "<h2>");
      put_text(p, row->group);
      put(p, "</h2><table border=\"1\" cellpadding=\"4\" cellspacing=\"0\" width=\"100%\">"
             "<thead><tr><th>Check</th><th>Result</th><th>Seen</th><th>What to do</th>"
             "<th>Rule</th></tr></thead><tbody>");
      group = row->group;
    }
    put_row(p, row, &r->findings[i]);
  }
  put(p, "</tbody></table>");
}

char *report_html(const struct run *r) {
  struct page p = {0};
  char line[256];
  json_t *diff = NULL, *patch = profile_patch(r, &diff);
  put(&p, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Trunk Doctor</title>");
  put(&p, "</head><body><h1>Trunk ");
  put_text(&p, r->trunk_name);
  put(&p, "</h1><p>");
  summary(r, ": ", line, sizeof line);
  put_text(&p, line);
  put(&p, ", run ");
  put_text(&p, r->id);
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

/* Plain text --------------------------------------------------------------------------------------- */

/* One word; of a peer's nothing but visible ASCII, so that it moves no cursor. */
static void plain_word(struct page *p, const char *s, size_t n, bool is_peers) {
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)s[i];
    bool is_shown = c > 0x20 && (is_peers ? c < 0x7f : c != 0x7f);
    page_add(p, is_shown ? s + i : "?", 1);
  }
}

/* Words with line breaks, each line but the first indented; at is the column where it begins. */
static void plain_text(struct page *p, const char *s, size_t at, bool is_peers) {
  while (*s) {
    size_t n = strcspn(s, " ");
    if (n && at > INDENT && at + 1 + n > COLUMNS) {
      char line[INDENT + 2] = "\n";
      memset(line + 1, ' ', INDENT);
      page_add(p, line, sizeof line - 1);
      at = INDENT;
    } else if (n && at > INDENT) {
      put(p, " ");
      at++;
    }
    plain_word(p, s, n, is_peers);
    at += n;
    s += n + (s[n] == ' ');
  }
  put(p, "\n");
}

static void plain_line(struct page *p, const char *head, const char *text, bool is_peers) {
  char start[INDENT + 1];
  snprintf(start, sizeof start, "  %-*s", INDENT - 2, head);
  put(p, start);
  plain_text(p, text, INDENT, is_peers);
}

static void plain_check(struct page *p, int i, const struct finding *v, const char *word) {
  plain_line(p, word, check_rows[i].title, false);
  if (v->seen[0])
    plain_line(p, "", v->seen, true);
  if (v->advice[0])
    plain_line(p, "  -> to do", v->advice, true);
}

static void plain_failed(struct page *p, const struct run *r) {
  bool has = false;
  for (int i = 0; i < CHECK_COUNT_; i++) {
    if (r->findings[i].result != FINDING_FAILED)
      continue;
    put(p, has ? "" : "\nFAILED\n");
    has = true;
    plain_check(p, i, &r->findings[i], check_rows[i].group);
    plain_line(p, "  rule", check_rows[i].rfc, false);
  }
}

char *report_text(const struct run *r) {
  struct page p = {0};
  char line[256];
  const char *group = "";
  json_t *diff = NULL, *patch = profile_patch(r, &diff);
  put(&p, "TRUNK DOCTOR: ");
  put(&p, r->trunk_name);
  put(&p, "\n");
  summary(r, "\n", line, sizeof line);
  put(&p, line);
  snprintf(line, sizeof line, "\nrun %s%s%s\n", r->id, r->why[0] ? ": " : "", r->why);
  put(&p, line);
  plain_failed(&p, r);
  for (int i = 0; i < CHECK_COUNT_; i++) {
    if (strcmp(group, check_rows[i].group) != 0) {
      group = check_rows[i].group;
      snprintf(line, sizeof line, "\n%s\n", group);
      put(&p, line);
    }
    plain_check(&p, i, &r->findings[i], result_word(&r->findings[i]));
  }
  if (diff && json_string_length(diff)) {
    put(&p, "\nSettings that this suggests\n");
    put(&p, json_string_value(diff));
  }
  json_decref(diff);
  json_decref(patch);
  return p.text;
}
