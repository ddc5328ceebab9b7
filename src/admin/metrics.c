/* SPDX-License-Identifier: Apache-2.0
 * The metrics page: see metrics.h. In OpenMetrics a counter's family has no _total, a unit is told, and
 * the text ends with # EOF. */
#include "admin/metrics.h"

#include <inttypes.h>
#include <stdio.h>

static bool name_seen(struct counts *const *tables, size_t table, size_t row, const char *name) {
  for (size_t t = 0; t <= table; t++)
    for (size_t i = 0; i < (t == table ? row : count_rows_n(tables[t])); i++)
      if (strcmp(tables[t]->rows[i].name, name) == 0)
        return true;
  return false;
}

static bool ends_with(const char *text, const char *end) {
  size_t n = strlen(text), e = strlen(end);
  return n >= e && strcmp(text + n - e, end) == 0;
}

static void head_print(FILE *f, const char *name, const char *help, const char *kind, bool open) {
  static const char *const units[] = {"seconds", "bytes"};
  size_t n = strlen(name);
  if (open && strcmp(kind, "counter") == 0 && ends_with(name, "_total"))
    n -= 6;
  fprintf(f, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)n, name, help, (int)n, name, kind);
  for (size_t i = 0; open && i < COUNT_OF(units); i++)
    if (n > strlen(units[i]) && strncmp(name + n - strlen(units[i]), units[i], strlen(units[i])) == 0)
      fprintf(f, "# UNIT %.*s %s\n", (int)n, name, units[i]);
}

static void rows_print(FILE *f, const struct metrics *m, const char *name) {
  for (size_t t = 0; t < m->tables_n; t++)
    for (size_t i = 0; i < count_rows_n(m->tables[t]); i++) {
      const struct count_row *r = &m->tables[t]->rows[i];
      if (strcmp(r->name, name) != 0)
        continue;
      const char *labels = r->labels ? r->labels : "";
      fprintf(f, "%s%s%s%s %" PRIu64 "\n", name, labels[0] ? "{" : "", labels, labels[0] ? "}" : "",
              count_get(m->tables[t], i));
    }
}

static void tables_print(FILE *f, const struct metrics *m, bool open) {
  for (size_t t = 0; t < m->tables_n; t++)
    for (size_t i = 0; i < count_rows_n(m->tables[t]); i++) {
      const struct count_row *r = &m->tables[t]->rows[i];
      if (name_seen(m->tables, t, i, r->name))
        continue;
      head_print(f, r->name, r->help, r->kind == COUNT_GAUGE ? "gauge" : "counter", open);
      rows_print(f, m, r->name);
    }
}

/* Buckets are cumulative; the count is their last, so that they agree while others add. */
static void hist_print(FILE *f, const struct hist *h) {
  const struct hist_row *r = h->row;
  const char *comma = r->labels[0] ? "," : "", *open = r->labels[0] ? "{" : "",
             *close = r->labels[0] ? "}" : "";
  uint64_t n = 0, sum = atomic_load_explicit(&h->sum, memory_order_relaxed);
  size_t i = 0;
  for (; i < HIST_BOUNDS_MAX && r->bounds[i]; i++) {
    n += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
    fprintf(f, "%s_bucket{%s%sle=\"%.10g\"} %" PRIu64 "\n", r->name, r->labels, comma,
            (double)r->bounds[i] / r->per_unit, n);
  }
  n += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
  fprintf(f, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", r->name, r->labels, comma, n);
  fprintf(f, "%s_sum%s%s%s %.10g\n", r->name, open, r->labels, close, (double)sum / r->per_unit);
  fprintf(f, "%s_count%s%s%s %" PRIu64 "\n", r->name, open, r->labels, close, n);
}

char *metrics_text(const struct metrics *m, bool open, size_t *ret_bytes) {
  char *text = NULL;
  FILE *f = open_memstream(&text, ret_bytes);
  if (!f)
    return NULL;
  tables_print(f, m, open);
  for (size_t i = 0; i < m->gauges_n; i++) {
    head_print(f, m->gauges[i].name, m->gauges[i].help, "gauge", open);
    fprintf(f, "%s %" PRIu64 "\n", m->gauges[i].name, m->gauges[i].fn(m->gauges[i].arg));
  }
  for (size_t i = 0; i < m->hists_n; i++) {
    if (i == 0 || strcmp(m->hists[i - 1].row->name, m->hists[i].row->name) != 0)
      head_print(f, m->hists[i].row->name, m->hists[i].row->help, "histogram", open);
    hist_print(f, &m->hists[i]);
  }
  fputs(open ? "# EOF\n" : "", f);
  return fclose(f) == 0 ? text : NULL;
}
