/* SPDX-License-Identifier: Apache-2.0
 * Settings whose row says secret, in a text: shown as (kept), and put back where that comes home. The
 * text is changed in its own line, so that the rest of it stays as it was written. Pure. */
#include "revise/part.h"

enum { SECRETS_MAX = 1024 };

struct secret {
  char path[192];
  uint32_t line;
  struct slice key, value; /* key is the last one of the path; in the tree */
};

struct search {
  const struct field *rows;
  size_t n_rows;
  uint32_t n;
  struct secret *list;
};

static const struct field *row_of(const struct search *s, uint8_t section, struct slice key) {
  for (size_t i = 0; i < s->n_rows; i++)
    if (s->rows[i].section == section && slice_eq(key, slice_of(s->rows[i].key)))
      return &s->rows[i];
  return NULL;
}

static void map_search(struct search *s, const struct tree_node *map, uint8_t section, const char *path);

static void list_search(struct search *s, const struct tree_node *list, uint8_t section,
                        const char *path) {
  char at[160];
  uint32_t i = 0;
  for (const struct tree_node *item = list->child; item; item = item->next, i++) {
    const struct tree_node *name = tree_find(item, "name");
    if (name && name->kind == TREE_SCALAR)
      snprintf(at, sizeof(at), "%.80s[%.64s]", path, name->text.p);
    else
      snprintf(at, sizeof(at), "%.80s[%u]", path, i);
    map_search(s, item, section, at);
  }
}

static void key_search(struct search *s, const struct tree_node *key, uint8_t section,
                       const char *path) {
  const struct field *f = row_of(s, section, key->text);
  const struct conf_shape *shape = conf_shape_find(section, key->text);
  char at[192];
  snprintf(at, sizeof(at), "%.120s.%.60s", path, key->text.p);
  if (f && (f->flags & FIELD_SECRET) && key->next->kind == TREE_SCALAR && s->n < SECRETS_MAX) {
    struct secret *found = &s->list[s->n++];
    *found = (struct secret){.line = key->line, .key = key->text, .value = key->next->text};
    slice_copy(found->path, sizeof(found->path), slice_of(at));
  }
  if (shape && shape->is_list && key->next->kind == TREE_LIST)
    list_search(s, key->next, shape->of, at);
  else if (shape)
    map_search(s, key->next, shape->of, at);
}

static void map_search(struct search *s, const struct tree_node *map, uint8_t section,
                       const char *path) {
  if (!map || map->kind != TREE_MAP)
    return;
  for (const struct tree_node *k = map->child; k && k->next; k = k->next->next)
    if (k->kind == TREE_SCALAR)
      key_search(s, k, section, path);
}

/* Where the value of a key stands in its line; n 0: not in this line. */
static struct slice value_find(struct slice line, struct slice key) {
  for (size_t i = 0; i + key.n < line.n; i++) {
    if (memcmp(line.p + i, key.p, key.n) != 0 || line.p[i + key.n] != ':' ||
        (i && !strchr(" {,-\"'", line.p[i - 1])))
      continue;
    size_t at = i + key.n + 1, end;
    while (at < line.n && line.p[at] == ' ')
      at++;
    char quote = at < line.n ? line.p[at] : 0;
    if (quote == '"' || quote == '\'') {
      for (end = at + 1; end < line.n && line.p[end] != quote; end++)
        end += quote == '"' && line.p[end] == '\\';
      return slice_from(line.p + at, (end < line.n ? end + 1 : line.n) - at);
    }
    for (end = at; end < line.n && !strchr(",}", line.p[end]) &&
                   !(line.p[end] == ' ' && end + 1 < line.n && line.p[end + 1] == '#');)
      end++;
    return slice_trim(slice_from(line.p + at, end - at));
  }
  return slice_from(NULL, 0);
}

static void quoted_write(FILE *out, struct slice value) {
  fputc('"', out);
  for (size_t i = 0; i < value.n; i++) {
    if (value.p[i] == '"' || value.p[i] == '\\')
      fputc('\\', out);
    fputc(value.p[i], out);
  }
  fputc('"', out);
}

/* The text with each secret's value replaced; with NULL: by (kept). */
static char *rewrite(const char *text, const struct search *s, const struct slice *values) {
  char *out = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&out, &n);
  struct slice rest = slice_of(text);
  if (!f)
    return NULL;
  for (uint32_t line = 1; rest.n; line++) {
    struct slice now = slice_cut(&rest, '\n');
    const char *done = now.p, *end = now.p + now.n;
    for (uint32_t i = 0; i < s->n; i++) {
      struct slice at = s->list[i].line == line && done < end
                            ? value_find(slice_from(done, (size_t)(end - done)), s->list[i].key)
                            : slice_from(NULL, 0);
      if (!at.n)
        continue;
      fwrite(done, 1, (size_t)(at.p - done), f);
      quoted_write(f, values ? values[i] : SLICE(REVISE_KEPT));
      done = at.p + at.n;
    }
    fwrite(done, 1, (size_t)(end - done), f);
    if (rest.p)
      fputc('\n', f);
  }
  fclose(f);
  return out;
}

static int search_text(struct search *s, const char *text, struct tree **ret) {
  own_mem struct conf_errors *e = errors_new();
  s->list = calloc(SECRETS_MAX, sizeof(*s->list));
  if (!e || !s->list)
    return -ENOMEM;
  int r = tree_new(ret, "", slice_of(text), e);
  if (r == 0)
    map_search(s, (*ret)->root, SECTION_ROOT, "");
  return r;
}

static bool has_secrets(const struct field *rows, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (rows[i].flags & FIELD_SECRET)
      return true;
  return false;
}

char *secrets_hide(const struct field *rows, size_t n, const char *text) {
  struct search s = {.rows = rows, .n_rows = n};
  own(tree) t = NULL;
  char *out = NULL;
  if (!has_secrets(rows, n))
    return strdup(text);
  if (search_text(&s, text, &t) == 0)
    out = rewrite(text, &s, NULL);
  free(s.list);
  return out;
}

static const struct secret *secret_of(const struct search *s, const char *path) {
  for (uint32_t i = 0; i < s->n; i++)
    if (strcmp(s->list[i].path, path) == 0)
      return &s->list[i];
  return NULL;
}

static char *put_back(struct search *is, struct search *was, const char *text,
                      struct revise_faults *faults) {
  own_mem struct slice *values = calloc(is->n + 1, sizeof(*values));
  if (!values)
    return NULL;
  for (uint32_t i = 0; i < is->n; i++) {
    const struct secret *old = secret_of(was, is->list[i].path);
    values[i] = is->list[i].value;
    if (!slice_eq(values[i], SLICE(REVISE_KEPT)))
      continue;
    if (old)
      values[i] = old->value;
    else
      faults_put(faults, is->list[i].path, "value",
                 "there is nothing to keep: expected the secret itself");
  }
  return rewrite(text, is, values);
}

char *secrets_put_back(const struct field *rows, size_t n, const char *text, const char *from,
                       struct revise_faults *faults) {
  struct search is = {.rows = rows, .n_rows = n}, was = is;
  own(tree) t = NULL;
  own(tree) old = NULL;
  char *out = NULL;
  if (!has_secrets(rows, n) || !strstr(text, REVISE_KEPT))
    return strdup(text);
  if (search_text(&is, text, &t) < 0)
    out = strdup(text); /* its errors are told by who reads it next */
  else if (search_text(&was, from, &old) == 0)
    out = put_back(&is, &was, text, faults);
  free(is.list);
  free(was.list);
  return out;
}
