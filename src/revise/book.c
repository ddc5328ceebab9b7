/* SPDX-License-Identifier: Apache-2.0
 * The history: state_dir/config/NNNN.yaml and NNNN.plan are texts, NNNN.entry says who, when and why and
 * is written last, pending is the mark of a commit that nobody confirmed yet. At most 200 are kept. */
#include "base/clock.h"
#include "revise/part.h"

#include <dirent.h>
#include <inttypes.h>
#include <sys/stat.h>

struct book {
  char folder[CONF_PATH_BYTES];
  uint32_t n;
  struct revise_entry list[REVISE_HISTORY_MAX + 1]; /* oldest first */
};

static void name_write(const struct book *b, uint32_t n, const char *suffix,
                       char dst[CONF_PATH_BYTES + 32]) {
  snprintf(dst, CONF_PATH_BYTES + 32, "%s/%04u.%s", b->folder, n, suffix);
}

/* Lines "key value"; unknown ones are passed over. */
static void entry_parse(struct revise_entry *e, char *text) {
  struct slice rest = slice_of(text);
  uint64_t v = 0;
  while (rest.n) {
    struct slice value = slice_cut(&rest, '\n'), key = slice_cut(&value, ' ');
    if (slice_eq(key, SLICE("at_ms")) && slice_u64(value, UINT64_MAX, &v) == 0)
      e->at_ms = v;
    else if (slice_eq(key, SLICE("version")) && slice_u64(value, UINT64_MAX, &v) == 0)
      e->version = v;
    else if (slice_eq(key, SLICE("of")) && slice_u64(value, UINT32_MAX, &v) == 0)
      e->of = (uint32_t)v;
    else if (slice_eq(key, SLICE("how")))
      slice_copy(e->how, sizeof(e->how), value);
    else if (slice_eq(key, SLICE("who")))
      slice_copy(e->who, sizeof(e->who), value);
    else if (slice_eq(key, SLICE("comment")))
      slice_copy(e->comment, sizeof(e->comment), value);
  }
}

static int by_number(const void *a, const void *b) {
  const struct revise_entry *x = a, *y = b;
  return x->n < y->n ? -1 : x->n > y->n;
}

static void files_drop(const struct book *b, uint32_t n) {
  static const char *const suffixes[] = {"entry", "yaml", "plan"}; /* the entry first */
  char path[CONF_PATH_BYTES + 32];
  for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
    name_write(b, n, suffixes[i], path);
    unlink(path);
  }
}

static void trim(struct book *b) {
  while (b->n > REVISE_HISTORY_MAX) {
    files_drop(b, b->list[0].n);
    memmove(b->list, b->list + 1, --b->n * sizeof(b->list[0]));
  }
}

static void entry_take(struct book *b, const char *name) {
  char path[CONF_PATH_BYTES + 32];
  own_mem char *text = NULL;
  uint64_t n;
  struct slice suffix = slice_of(name), number = slice_cut(&suffix, '.');
  if (!slice_eq(suffix, SLICE("entry")) || slice_u64(number, UINT32_MAX - 1, &n) < 0)
    return;
  name_write(b, (uint32_t)n, "entry", path);
  if (file_read(path, &text) < 0)
    return;
  struct revise_entry *e = &b->list[b->n++];
  *e = (struct revise_entry){.n = (uint32_t)n};
  entry_parse(e, text);
  qsort(b->list, b->n, sizeof(b->list[0]), by_number);
  trim(b);
}

int book_open(struct book **ret, const char *state_dir) {
  own(book) b = calloc(1, sizeof(*b));
  if (!b)
    return -ENOMEM;
  snprintf(b->folder, sizeof(b->folder), "%s/config", state_dir);
  if (mkdir(b->folder, 0700) < 0 && errno != EEXIST)
    return -errno;
  DIR *d = opendir(b->folder);
  if (!d)
    return -errno;
  for (struct dirent *e; (e = readdir(d));)
    entry_take(b, e->d_name);
  closedir(d);
  *ret = take(b);
  return 0;
}

struct book *book_free(struct book *b) {
  free(b);
  return NULL;
}

/* What a person wrote stays on its line. */
static void one_line(char *s) {
  for (; *s; s++)
    if ((unsigned char)*s < 0x20 || *s == 0x7f)
      *s = ' ';
}

static int files_put(const struct book *b, const struct revise_entry *e, const char *text,
                     const char *plan) {
  char path[CONF_PATH_BYTES + 32], lines[640 + REVISE_COMMENT_BYTES];
  name_write(b, e->n, "yaml", path);
  int r = file_write(path, slice_of(text));
  name_write(b, e->n, "plan", path);
  if (r == 0)
    r = file_write(path, slice_of(plan));
  snprintf(lines, sizeof(lines),
           "at_ms %" PRIu64 "\nversion %" PRIu64 "\nof %u\nhow %s\nwho %s\ncomment %s\n", e->at_ms,
           e->version, e->of, e->how, e->who, e->comment);
  name_write(b, e->n, "entry", path);
  return r < 0 ? r : file_write(path, slice_of(lines));
}

int book_add(struct book *b, struct revise_entry *e, const char *text, const char *plan) {
  e->n = b->n ? b->list[b->n - 1].n + 1 : 1;
  e->at_ms = clock_wall_ms();
  one_line(e->who);
  one_line(e->comment);
  int r = files_put(b, e, text, plan ? plan : "");
  if (r < 0) {
    files_drop(b, e->n);
    return r;
  }
  b->list[b->n++] = *e;
  trim(b);
  return 0;
}

void book_drop(struct book *b, uint32_t n) {
  if (!b->n || b->list[b->n - 1].n != n)
    return;
  files_drop(b, n);
  b->n--;
}

uint32_t book_count(const struct book *b) { return b->n; }
const struct revise_entry *book_at(const struct book *b, uint32_t i) { return &b->list[i]; }

const struct revise_entry *book_find(const struct book *b, uint32_t n) {
  for (uint32_t i = 0; i < b->n; i++)
    if (b->list[i].n == n)
      return &b->list[i];
  return NULL;
}

int book_text(const struct book *b, uint32_t n, char **ret_text, char **ret_plan) {
  char path[CONF_PATH_BYTES + 32];
  own_mem char *text = NULL;
  if (!book_find(b, n))
    return -ENOENT;
  name_write(b, n, "yaml", path);
  int r = file_read(path, &text);
  if (r < 0)
    return r;
  name_write(b, n, "plan", path);
  r = file_read(path, ret_plan);
  if (r == 0)
    *ret_text = take(text);
  return r;
}

int book_mark(struct book *b, const struct book_mark *m) {
  char path[CONF_PATH_BYTES + 32], text[96];
  snprintf(path, sizeof(path), "%s/pending", b->folder);
  if (!m)
    return file_remove(path);
  snprintf(text, sizeof(text), "%u %u %" PRIu64 "\n", m->back, m->to, m->until_ms);
  return file_write(path, slice_of(text));
}

bool book_marked(const struct book *b, struct book_mark *ret) {
  char path[CONF_PATH_BYTES + 32];
  own_mem char *text = NULL;
  uint64_t back, to, until;
  snprintf(path, sizeof(path), "%s/pending", b->folder);
  if (file_read(path, &text) < 0)
    return false;
  struct slice rest = slice_of(text), line = slice_cut(&rest, '\n');
  if (slice_u64(slice_cut(&line, ' '), UINT32_MAX, &back) < 0 ||
      slice_u64(slice_cut(&line, ' '), UINT32_MAX, &to) < 0 || slice_u64(line, UINT64_MAX, &until) < 0)
    return false;
  *ret = (struct book_mark){(uint32_t)back, (uint32_t)to, until};
  return true;
}
