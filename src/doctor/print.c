/* SPDX-License-Identifier: Apache-2.0
 * A report to print: as a page without script, and as plain text of 78 columns, what failed first.
 * Peers' texts go out escaped. Pure. */
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

static const char *word_of(const json_t *o, const char *key) {
  const char *text = json_string_value(json_object_get(o, key));
  return text ? text : "";
}
static int number_of(const json_t *o, const char *key) {
  return (int)json_integer_value(json_object_get(o, key));
}

static bool is_failed(const json_t *check) { return !strcmp(word_of(check, "result"), "failed"); }
static const char *result_word(const json_t *check) {
  const char *word = word_of(check, "result");
  return strcmp(word, "not_offered") ? word : "not offered";
}

/* When and how far; and how it came out. */
static void summary(const json_t *doc, const char *between, char *dst, size_t bytes) {
  const json_t *n = json_object_get(doc, "summary");
  snprintf(dst, bytes, "%s, %s, %d test calls%s%d passed, %d failed, %d not offered, %d skipped",
           word_of(doc, "started_at"), word_of(doc, "state"), number_of(doc, "calls"), between,
           number_of(n, "passed"), number_of(n, "failed"), number_of(n, "not_offered"),
           number_of(n, "skipped"));
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

static void put_row(struct page *p, const json_t *check) {
  bool is_bad = is_failed(check);
  put(p, "<tr>");
  put_cell(p, word_of(check, "title"));
  put(p, is_bad ? "<td><strong>" : "<td>");
  put_text(p, result_word(check));
  put(p, is_bad ? "</strong></td>" : "</td>");
  put_cell(p, word_of(check, "seen"));
  put_cell(p, word_of(check, "advice"));
  put_cell(p, word_of(check, "rfc"));
  put(p, "</tr>");
}

static void put_checks(struct page *p, const json_t *checks) {
  const char *group = "";
  size_t i;
  json_t *check;
  json_array_foreach(checks, i, check) {
    if (strcmp(group, word_of(check, "group")) != 0) {
      put(p, *group ? "</tbody></table><h2>" : "<h2>");
      group = word_of(check, "group");
      put_text(p, group);
      put(p, "</h2><table border=\"1\" cellpadding=\"4\" cellspacing=\"0\" width=\"100%\">"
             "<thead><tr><th>Check</th><th>Result</th><th>Seen</th><th>What to do</th>"
             "<th>Rule</th></tr></thead><tbody>");
    }
    put_row(p, check);
  }
  put(p, "</tbody></table>");
}

char *report_html(const json_t *doc) {
  struct page p = {0};
  char line[256];
  const char *diff = word_of(json_object_get(doc, "profile"), "diff"), *why = word_of(doc, "detail");
  put(&p, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Trunk Doctor</title>");
  put(&p, "</head><body><h1>Trunk ");
  put_text(&p, word_of(doc, "trunk"));
  put(&p, "</h1><p>");
  summary(doc, ": ", line, sizeof line);
  put_text(&p, line);
  put(&p, ", run ");
  put_text(&p, word_of(doc, "id"));
  put(&p, *why ? ": " : "");
  put_text(&p, why);
  put(&p, "</p>");
  put_checks(&p, json_object_get(doc, "checks"));
  if (*diff) {
    put(&p, "<h2>Settings that this suggests</h2><pre>");
    put_text(&p, diff);
    put(&p, "</pre>");
  }
  put(&p, "</body></html>\n");
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

static void plain_check(struct page *p, const json_t *check, const char *word) {
  plain_line(p, word, word_of(check, "title"), false);
  if (*word_of(check, "seen"))
    plain_line(p, "", word_of(check, "seen"), true);
  if (*word_of(check, "advice"))
    plain_line(p, "  -> to do", word_of(check, "advice"), true);
}

static void plain_failed(struct page *p, const json_t *checks) {
  bool has = false;
  size_t i;
  json_t *check;
  json_array_foreach(checks, i, check) {
    if (!is_failed(check))
      continue;
    put(p, has ? "" : "\nFAILED\n");
    has = true;
    plain_check(p, check, word_of(check, "group"));
    plain_line(p, "  rule", word_of(check, "rfc"), false);
  }
}

static void plain_checks(struct page *p, const json_t *checks) {
  const char *group = "";
  size_t i;
  json_t *check;
  json_array_foreach(checks, i, check) {
    if (strcmp(group, word_of(check, "group")) != 0) {
      group = word_of(check, "group");
      put(p, "\n");
      put(p, group);
      put(p, "\n");
    }
    plain_check(p, check, result_word(check));
  }
}

char *report_text(const json_t *doc) {
  struct page p = {0};
  char line[400];
  const char *diff = word_of(json_object_get(doc, "profile"), "diff"), *why = word_of(doc, "detail");
  put(&p, "TRUNK DOCTOR: ");
  put(&p, word_of(doc, "trunk"));
  put(&p, "\n");
  summary(doc, "\n", line, sizeof line);
  put(&p, line);
  snprintf(line, sizeof line, "\nrun %s%s%s\n", word_of(doc, "id"), *why ? ": " : "", why);
  put(&p, line);
  plain_failed(&p, json_object_get(doc, "checks"));
  plain_checks(&p, json_object_get(doc, "checks"));
  if (*diff) {
    put(&p, "\nSettings that this suggests\n");
    put(&p, diff);
  }
  return p.text;
}
