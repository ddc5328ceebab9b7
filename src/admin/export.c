/* SPDX-License-Identifier: Apache-2.0
 * GET /records/export: lines of CSV or JSON made page by page while they are sent, so that a million
 * records need the memory of one page. Web threads. */
#include "admin/paged.h"
#include "admin/recquery.h"

#include <stdio.h>

#define EXPORT_PAGE 50

enum line_kind { LINE_CALLS, LINE_LEGS, LINE_ATTEMPTS };

struct column {
  enum line_kind kind;
  const char *head, *path;
};

static const struct column columns[] = {
#define COLUMN(kind, head, path) {LINE_##kind, head, path},
#include "admin/export.def"
#undef COLUMN
};

struct export {
  struct paged paged; /* paged is first: paged.h. */
  struct reader *reader;
  struct reader_query q;
  enum line_kind kind;
  bool csv, has_heads;
};

static _Atomic unsigned exports;

static void export_free(void *arg) {
  struct export *e = arg;
  reader_free(e->reader);
  paged_done(&e->paged);
  free(e);
}

/* A spreadsheet takes what begins so for a formula; numbers, also +1425…, are what they are. */
static bool is_formula(const char *text) {
  return text[0] && strchr("=+-@\t\r|", text[0]) && text[1 + strspn(text + 1, "0123456789.")];
}

static void cell_write(FILE *f, const char *text) {
  bool guard = is_formula(text);
  if (!guard && !strpbrk(text, ",\"\r\n")) {
    fputs(text, f);
    return;
  }
  fputs(guard ? "\"'" : "\"", f);
  for (; *text; text++) {
    if (*text == '"')
      fputc('"', f);
    fputc(*text, f);
  }
  fputc('"', f);
}

/* "legs.0.peer" */
static const json_t *path_get(const json_t *doc, const char *path) {
  struct slice rest = slice_of(path);
  while (doc && rest.p) {
    char name[32];
    uint64_t i;
    struct slice part = slice_cut(&rest, '.');
    if (json_is_array(doc) && slice_u64(part, 99, &i) == 0)
      doc = json_array_get(doc, i);
    else
      doc = slice_copy(name, sizeof(name), part) == 0 ? json_object_get(doc, name) : NULL;
  }
  return doc;
}

static void value_write(FILE *f, const json_t *v) {
  if (json_is_string(v))
    cell_write(f, json_string_value(v));
  else if (json_is_integer(v))
    fprintf(f, "%lld", (long long)json_integer_value(v));
  else if (json_is_real(v))
    fprintf(f, "%.3f", json_real_value(v));
}

/* One line; doc NULL: the heads. */
static void csv_write(FILE *f, enum line_kind kind, const json_t *doc) {
  bool first = true;
  for (size_t i = 0; i < COUNT_OF(columns); i++) {
    if (columns[i].kind != kind)
      continue;
    if (!first)
      fputc(',', f);
    first = false;
    if (doc)
      value_write(f, path_get(doc, columns[i].path));
    else
      fputs(columns[i].head, f);
  }
  fputs("\r\n", f);
}

static void line_write(const struct export *e, FILE *f, const json_t *doc) {
  if (e->csv)
    csv_write(f, e->kind, doc);
  else {
    (void)json_dumpf(doc, f, JSON_COMPACT);
    fputc('\n', f);
  }
}

/* A leg or an attempt says whose it is. */
static void parts_write(const struct export *e, FILE *f, const json_t *doc) {
  size_t i;
  json_t *part, *list = json_object_get(doc, e->kind == LINE_LEGS ? "legs" : "attempts");
  json_array_foreach(list, i, part) {
    const char *kind = json_string_value(json_object_get(part, "kind"));
    if (!json_is_object(part) || (kind && strcmp(kind, "none") == 0))
      continue;
    json_object_set(part, "record", json_object_get(doc, "id"));
    json_object_set(part, "started_at", json_object_get(doc, "started_at"));
    line_write(e, f, part);
  }
}

static void record_write(const struct export *e, FILE *f, const struct record *r) {
  json_t *doc = show_record(r);
  if (e->kind == LINE_CALLS)
    line_write(e, f, doc);
  else
    parts_write(e, f, doc);
  json_decref(doc);
}

static int page_write(struct paged *p, FILE *f) {
  struct export *e = (struct export *)p;
  struct record *rows = NULL;
  size_t n = 0;
  char cursor[READER_CURSOR_BYTES];
  if (e->csv && !e->has_heads)
    csv_write(f, e->kind, NULL);
  e->has_heads = true;
  int r = reader_list(e->reader, &e->q, &rows, &n, cursor);
  for (size_t i = 0; r == 0 && i < n; i++)
    record_write(e, f, &rows[i]);
  free(rows);
  memcpy(e->q.cursor, cursor, sizeof(cursor));
  p->ended = !cursor[0];
  return r;
}

/* The choice's index, the first where nothing is asked; -EINVAL. */
static int choice_read(const struct web_ask *ask, const char *name, const char *const *choices, int n) {
  char text[12];
  int r = web_query(ask, name, text, sizeof(text));
  if (r == -ENOENT)
    return 0;
  for (int i = 0; r == 0 && i < n; i++)
    if (strcmp(text, choices[i]) == 0)
      return i;
  return -EINVAL;
}

static bool choices_read(const struct web_ask *ask, struct export *e, struct web_answer *ret) {
  static const char *const formats[] = {"csv", "jsonl"}, *const rows[] = {"calls", "legs", "attempts"};
  int format = choice_read(ask, "format", formats, 2), kind = choice_read(ask, "rows", rows, 3);
  if (format < 0)
    desk_wrong_query(ret, "format", "csv or jsonl");
  else if (kind < 0)
    desk_wrong_query(ret, "rows", "calls, legs or attempts");
  e->csv = format == 0;
  e->kind = kind < 0 ? LINE_CALLS : (enum line_kind)kind;
  return format >= 0 && kind >= 0;
}

static void export_begin(struct admin *a, struct export *e, struct web_answer *ret) {
  int r = reader_new(&e->reader, a->store_file);
  e->q.limit = EXPORT_PAGE;
  if (r == 0)
    r = paged_make(&e->paged); /* what is wrong with the query is told while it can be */
  if (r < 0) {
    web_answer_problem(ret, WEB_PROBLEM_overload,
                       &(struct web_problem_info){.detail = "the records cannot be read now"});
    export_free(e);
    return;
  }
  ret->status = 200;
  ret->type = e->csv ? "text/csv; charset=utf-8" : "application/jsonl";
  ret->extra[0] =
      (struct web_header){"Content-Disposition", e->csv ? "attachment; filename=\"records.csv\""
                                                        : "attachment; filename=\"records.jsonl\""};
  ret->source = (struct web_source){paged_read, export_free, e};
}

void verb_records_export(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct export *e = paged_new(sizeof(*e), page_write, &exports, ret);
  if (!e)
    return;
  if (records_query_read(ask->web, &e->q, ret) && choices_read(ask->web, e, ret))
    export_begin(a, e, ret);
  else
    export_free(e);
}
