/* SPDX-License-Identifier: Apache-2.0
 * Two texts, line by line, as a unified difference. Myers' greedy search between the common head and
 * tail, bounded: texts that have too little in common are shown as one block. Pure. */
#include "revise/part.h"

#include <stdio.h>

enum { EDITS_MAX = 1024, CONTEXT = 3 };

struct lines {
  uint32_t n;
  struct slice *list;
};

static int lines_cut(struct lines *to, struct slice text) {
  uint32_t n = 0;
  for (size_t i = 0; i < text.n; i++)
    n += text.p[i] == '\n';
  to->list = calloc(n + 2, sizeof(*to->list));
  if (!to->list)
    return -ENOMEM;
  while (text.n)
    to->list[to->n++] = slice_cut(&text, '\n');
  return 0;
}

/* keep[i]: line i of the old text is in the new one too; likewise kept of the new one. */
struct match {
  struct lines a, b;
  bool *a_kept, *b_kept;
};

/* The furthest places of each round, to walk back through. */
static int myers(struct match *m, uint32_t head, uint32_t n_old, uint32_t n_new) {
  const struct slice *a = m->a.list + head, *b = m->b.list + head;
  int size = 2 * EDITS_MAX + 3, mid = EDITS_MAX + 1, na = (int)n_old, nb = (int)n_new;
  own_mem int *v = calloc((size_t)size, sizeof(int));
  own_mem int *trace = calloc((size_t)(EDITS_MAX + 1) * (EDITS_MAX + 2), sizeof(int));
  int d, x = 0, y = 0;
  if (!v || !trace)
    return -ENOMEM;
  for (d = 0; d <= EDITS_MAX; d++) {
    int *row = trace + (size_t)d * (EDITS_MAX + 2);
    for (int k = -d; k <= d; k += 2) {
      x = k == -d || (k != d && v[mid + k - 1] < v[mid + k + 1]) ? v[mid + k + 1] : v[mid + k - 1] + 1;
      for (y = x - k; x < na && y < nb && slice_eq(a[x], b[y]); x++)
        y++;
      v[mid + k] = x;
      row[(k + d) / 2] = x;
      if (x >= na && y >= nb)
        goto found;
    }
  }
  return -E2BIG;
found:
  for (x = na, y = nb; d > 0; d--) {
    const int *before = trace + (size_t)(d - 1) * (EDITS_MAX + 2);
    int k = x - y;
    bool is_down = k == -d || (k != d && before[(k - 1 + d - 1) / 2] < before[(k + 1 + d - 1) / 2]);
    int k0 = is_down ? k + 1 : k - 1, x0 = before[(k0 + d - 1) / 2], y0 = x0 - k0;
    for (; x > x0 && y > y0 && x > x0 + !is_down && y > y0 + is_down; x--, y--)
      m->a_kept[head + (uint32_t)x - 1] = m->b_kept[head + (uint32_t)y - 1] = true;
    x = x0;
    y = y0;
  }
  for (; x > 0 && y > 0; x--, y--)
    m->a_kept[head + (uint32_t)x - 1] = m->b_kept[head + (uint32_t)y - 1] = true;
  return 0;
}

static int match_find(struct match *m) {
  uint32_t head = 0, tail = 0, na = m->a.n, nb = m->b.n;
  while (head < na && head < nb && slice_eq(m->a.list[head], m->b.list[head]))
    head++;
  while (tail < na - head && tail < nb - head &&
         slice_eq(m->a.list[na - 1 - tail], m->b.list[nb - 1 - tail]))
    tail++;
  for (uint32_t i = 0; i < head; i++)
    m->a_kept[i] = m->b_kept[i] = true;
  for (uint32_t i = 1; i <= tail; i++)
    m->a_kept[na - i] = m->b_kept[nb - i] = true;
  int r = myers(m, head, na - head - tail, nb - head - tail);
  return r == -E2BIG ? 0 : r; /* one block then */
}

/* One step of the walk through both: ' ' (both), '-' or '+'. */
static char step(const struct match *m, uint32_t *i, uint32_t *k, struct slice *ret) {
  if (*i < m->a.n && !m->a_kept[*i]) {
    *ret = m->a.list[(*i)++];
    return '-';
  }
  if (*k < m->b.n && !m->b_kept[*k]) {
    *ret = m->b.list[(*k)++];
    return '+';
  }
  *ret = m->b.list[(*k)++];
  (*i)++;
  return ' ';
}

struct walk {
  uint32_t i, k; /* of the next line */
};

/* Where a block ends: after CONTEXT common lines that another change does not follow soon. */
static struct walk block_end(const struct match *m, struct walk w) {
  struct walk end = w;
  struct slice s;
  for (uint32_t same = 0; (w.i < m->a.n || w.k < m->b.n) && same <= 2 * CONTEXT;) {
    bool is_same = step(m, &w.i, &w.k, &s) == ' ';
    same = is_same ? same + 1 : 0;
    if (!is_same || same <= CONTEXT)
      end = w;
  }
  return end;
}

static void block_write(FILE *out, const struct match *m, struct walk w, struct walk end) {
  struct slice s;
  fprintf(out, "@@ -%u,%u +%u,%u @@\n", end.i == w.i ? w.i : w.i + 1, end.i - w.i,
          end.k == w.k ? w.k : w.k + 1, end.k - w.k);
  while (w.i < end.i || w.k < end.k) {
    char sign = step(m, &w.i, &w.k, &s);
    fprintf(out, "%c%.*s\n", sign, SLICE_ARG(s));
  }
}

static void blocks_write(FILE *out, const struct match *m) {
  struct walk w = {0, 0};
  struct slice s;
  while (w.i < m->a.n || w.k < m->b.n) {
    struct walk before = w;
    if (step(m, &w.i, &w.k, &s) == ' ')
      continue;
    uint32_t back = before.i < CONTEXT ? before.i : CONTEXT;
    if (back > before.k)
      back = before.k;
    while (back && !(m->a_kept[before.i - back] && m->b_kept[before.k - back]))
      back--;
    struct walk from = {before.i - back, before.k - back}, end = block_end(m, before);
    block_write(out, m, from, end);
    w = end;
  }
}

static int match_write(FILE *out, const char *name, struct match *m) {
  int r = match_find(m);
  if (r == 0) {
    fprintf(out, "--- %s\n+++ %s\n", name, name);
    blocks_write(out, m);
  }
  return r;
}

int revise_unified(FILE *out, const char *name, struct slice old_text, struct slice new_text) {
  struct match m = {0};
  if (slice_eq(old_text, new_text))
    return 0;
  int r = lines_cut(&m.a, old_text);
  if (r == 0)
    r = lines_cut(&m.b, new_text);
  m.a_kept = calloc(m.a.n + 1, sizeof(bool));
  m.b_kept = calloc(m.b.n + 1, sizeof(bool));
  if (r == 0)
    r = m.a_kept && m.b_kept ? match_write(out, name, &m) : -ENOMEM;
  free(m.a.list);
  free(m.b.list);
  free(m.a_kept);
  free(m.b_kept);
  return r;
}
