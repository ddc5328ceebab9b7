/* SPDX-License-Identifier: Apache-2.0
 * Prefix tables as CSV: see prefix.h. Every bad line is told, by its number. */
#include "route/prefixpart.h"

#include "base/map.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct csv {
  struct prefixes *p;
  struct map *labels; /* labels by text: their number + 1 */
  const char *file;
  uint32_t line, room;
  struct conf_errors *errors;
  bool is_mute;
};

static void bad(const struct csv *c, const char *expected, struct slice got) {
  char text[64];
  if (c->is_mute)
    conf_error_add(c->errors, c->file, c->line, "expected %s", expected);
  else
    conf_error_add(c->errors, c->file, c->line, "expected %s, got \"%s\"", expected,
                   slice_escape(text, sizeof(text), got));
}

static int label_add(struct csv *c, struct slice name, uint16_t *ret) {
  struct prefixes *p = c->p;
  uintptr_t known = (uintptr_t)map_get(c->labels, name);
  if (!known) {
    if (p->n_labels == PREFIX_LABELS_MAX)
      return -ENOSPC;
    slice_copy(p->labels[p->n_labels++], CONF_NAME_BYTES, name);
    known = p->n_labels;
    const char *kept = p->labels[known - 1];                   /* the map keeps no copy */
    int r = map_put(c->labels, slice_of(kept), (void *)known); // NOLINT
    if (r < 0)
      return r;
  }
  *ret = (uint16_t)(known - 1);
  return 0;
}

static struct slice field_cut(struct slice *rest) { return slice_trim(slice_cut(rest, ',')); }

static bool number_read(const struct csv *c, struct slice s, uint32_t max, uint32_t def, uint32_t *ret) {
  uint64_t v = def;
  bool is_good = s.n == 0 || slice_u64(s, max, &v) == 0;
  if (!is_good)
    bad(c, max == 10000 ? "a weight 0-10000" : "a cost 0-4294967295", s);
  *ret = (uint32_t)v;
  return is_good;
}

static int row_add(struct csv *c, const struct prefix_row *row) {
  struct prefixes *p = c->p;
  if (p->n_rows == c->room) {
    uint32_t room = c->room + c->room / 2 + 1024;
    struct prefix_row *rows = realloc(p->rows, room * sizeof(*rows));
    if (!rows)
      return -ENOMEM;
    p->rows = rows;
    c->room = room;
  }
  p->rows[p->n_rows++] = *row;
  return 0;
}

static int line_read(struct csv *c, struct slice line) {
  struct prefix_row row = {0};
  uint32_t digits, weight;
  struct slice prefix = field_cut(&line), label = field_cut(&line);
  struct slice weight_text = field_cut(&line), cost_text = field_cut(&line);
  bool has_plus = prefix.n && prefix.p[0] == '+';
  row.key = prefix_key(prefix, &digits);
  if (digits == 0 || digits + has_plus != prefix.n)
    bad(c, "a prefix of 1 to 15 digits", prefix);
  else if (!field_is_name(label) || label.n >= CONF_NAME_BYTES)
    bad(c, "a name after the prefix", label);
  else if (line.n)
    bad(c, "PREFIX,NAME[,WEIGHT[,COST]]", line);
  else if (number_read(c, weight_text, 10000, 1, &weight) &&
           number_read(c, cost_text, UINT32_MAX, 0, &row.cost)) {
    row.weight = (uint16_t)weight;
    int r = label_add(c, label, &row.label);
    if (r == -ENOSPC)
      bad(c, "at most 1024 different names", label);
    return r < 0 && r != -ENOSPC ? r : row_add(c, &row);
  }
  return 0;
}

static int lines_read(struct csv *c, struct slice csv) {
  int r = 0;
  while (csv.n && r == 0) {
    struct slice line = slice_trim(slice_cut(&csv, '\n'));
    c->line++;
    if (line.n == 0 || line.p[0] == '#' || (c->line == 1 && slice_istarts(line, SLICE("prefix"))))
      continue;
    if (c->p->n_rows == PREFIX_ROWS_MAX) {
      bad(c, "at most 4000000 lines", line);
      return 0;
    }
    r = line_read(c, line);
  }
  return r;
}

static int row_order(const void *a, const void *b) {
  const struct prefix_row *x = a, *y = b;
  if (x->key != y->key)
    return x->key < y->key ? -1 : 1;
  if (x->cost != y->cost)
    return x->cost < y->cost ? -1 : 1;
  return x->label < y->label ? -1 : x->label > y->label;
}

/* Sorted, no more than PREFIX_SAME_MAX of a kind, none twice. */
static void rows_check(struct csv *c) {
  struct prefixes *p = c->p;
  uint32_t same = 0;
  if (p->n_rows)
    qsort(p->rows, p->n_rows, sizeof(*p->rows), row_order);
  for (uint32_t i = 1; i < p->n_rows; i++) {
    const struct prefix_row *a = &p->rows[i - 1], *b = &p->rows[i];
    same = a->key == b->key ? same + 1 : 0;
    if (same == PREFIX_SAME_MAX)
      conf_error_add(c->errors, c->file, c->line, "a prefix has more than %d lines, one is of %s",
                     PREFIX_SAME_MAX, c->is_mute ? "(not told)" : p->labels[b->label]);
  }
}

static int csv_parse(struct prefixes **ret, const char *file, struct slice csv, bool is_mute,
                     struct conf_errors *errors) {
  own(prefixes) p = calloc(1, sizeof(*p));
  own(map) labels = NULL;
  uint32_t before = errors->n;
  if (!p || !(p->labels = calloc(PREFIX_LABELS_MAX, sizeof(*p->labels))))
    return -ENOMEM;
  int r = map_new(&labels, PREFIX_LABELS_MAX);
  if (r < 0)
    return r;
  struct csv c = {.p = p, .labels = labels, .file = file, .errors = errors, .is_mute = is_mute};
  r = lines_read(&c, csv);
  if (r < 0)
    return r;
  rows_check(&c);
  if (p->n_rows == 0 && errors->n == before)
    bad(&c, "lines PREFIX,NAME[,WEIGHT[,COST]]", SLICE(""));
  if (errors->n != before)
    return -EINVAL;
  struct prefix_row *fitting = realloc(p->rows, p->n_rows * sizeof(*fitting));
  p->rows = fitting ? fitting : p->rows;
  r = prefixes_build(p);
  if (r == 0)
    *ret = take(p);
  return r;
}

static int file_read(char **ret, size_t *ret_n, const char *file, const struct field_paths *paths) {
  struct stat st;
  own_fd fd = field_file_open(paths, file, O_RDONLY | O_NONBLOCK);
  if (fd < 0)
    return fd;
  if (fstat(fd, &st) < 0)
    return -errno;
  if (!S_ISREG(st.st_mode) || st.st_size > PREFIX_FILE_MAX_BYTES)
    return -EFBIG;
  own_mem char *text = malloc((size_t)st.st_size + 1);
  size_t n = 0;
  ssize_t got = 1;
  while (text && n < (size_t)st.st_size && (got = read(fd, text + n, (size_t)st.st_size - n)) > 0)
    n += (size_t)got;
  if (!text || got < 0)
    return text ? -errno : -ENOMEM;
  *ret = take(text);
  *ret_n = n;
  return 0;
}

int prefixes_parse(struct prefixes **ret, const char *file, struct slice csv,
                   struct conf_errors *errors) {
  return csv_parse(ret, file, csv, false, errors);
}

int prefixes_load(struct prefixes **ret, const char *file, const struct field_paths *paths,
                  struct conf_errors *errors) {
  own_mem char *text = NULL;
  size_t n = 0;
  int r = file_read(&text, &n, file, paths);
  if (r == 0)
    return csv_parse(ret, file, slice_from(text, n), paths != NULL, errors);
  conf_error_add(errors, file, 0, "%s",
                 r == -EFBIG ? "expected a file of at most 256 MiB" : strerror(-r));
  return -EINVAL;
}
