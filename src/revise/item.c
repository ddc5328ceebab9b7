/* SPDX-License-Identifier: Apache-2.0
 * One item of a list of the configuration, read, written anew, added or taken out. The lines of the item
 * are replaced, so that everything else in the file stays as somebody wrote it; only a list that stands
 * in brackets is written anew as a whole. Pure. */
#include "revise/part.h"

struct edit {
  const char *text;
  const struct tree_node *root, *key, *list; /* key and list NULL: absent */
  uint8_t section;
};

/* Nothing, or maps and nothing else. */
static bool is_of_maps(const struct tree_node *list) {
  if (!list || (list->kind == TREE_SCALAR && (list->text.n == 0 || slice_eq(list->text, SLICE("null")))))
    return true;
  for (const struct tree_node *item = list->child; item && list->kind == TREE_LIST; item = item->next)
    if (item->kind != TREE_MAP)
      return false;
  return list->kind == TREE_LIST;
}

static int edit_begin(struct edit *e, const char *text, const char *list, struct tree **ret) {
  own_mem struct conf_errors *errors = errors_new();
  const struct conf_shape *s = conf_shape_find(SECTION_ROOT, slice_of(list));
  *e = (struct edit){.text = text, .section = s ? s->of : SECTION_COUNT_};
  if (!errors)
    return -ENOMEM;
  int r = tree_new(ret, "", slice_of(text), errors);
  if (r < 0)
    return r;
  e->root = (*ret)->root;
  if (!e->root || e->root->kind != TREE_MAP || e->root->is_flow)
    return -ENOTSUP;
  for (const struct tree_node *k = e->root->child; k && k->next; k = k->next->next)
    if (k->kind == TREE_SCALAR && slice_eq(k->text, slice_of(list))) {
      e->key = k;
      e->list = k->next;
    }
  return is_of_maps(e->list) ? 0 : -ENOTSUP;
}

static bool has_name(const struct tree_node *item, struct slice name) {
  const struct tree_node *n = tree_find(item, "name");
  return n && n->kind == TREE_SCALAR && slice_eq(n->text, name);
}

static const struct tree_node *item_find(const struct edit *e, const char *name) {
  const struct tree_node *item = e->list && e->list->kind == TREE_LIST ? e->list->child : NULL;
  while (item && !has_name(item, slice_of(name)))
    item = item->next;
  return item;
}

/* Line n (1-based) of the text; p NULL past the end. */
static struct slice line_at(const char *text, uint32_t n) {
  struct slice rest = slice_of(text), line = slice_from(NULL, 0);
  for (uint32_t i = 0; i < n; i++) {
    if (!rest.p)
      return slice_from(NULL, 0);
    line = slice_cut(&rest, '\n');
  }
  return line;
}

static size_t spaces_of(struct slice line) {
  size_t n = 0;
  while (n < line.n && line.p[n] == ' ')
    n++;
  return n;
}

/* Does each item stand on lines of its own that begin with its dash? */
static bool has_own_lines(const struct edit *e) {
  uint32_t before = e->key->line;
  if (e->list->is_flow)
    return false;
  for (const struct tree_node *item = e->list->child; item; item = item->next) {
    struct slice line = line_at(e->text, item->line);
    size_t n = spaces_of(line);
    if (item->line <= before || n >= line.n || line.p[n] != '-')
      return false;
    before = item->last_line;
  }
  return e->list->child != NULL;
}

/* The text with lines first to last replaced; last first - 1: put in before first. */
static char *lines_replace(const char *text, uint32_t first, uint32_t last, const char *with) {
  char *out = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&out, &n);
  struct slice rest = slice_of(text);
  uint32_t line = 1;
  if (!f)
    return NULL;
  for (; rest.n && line < first; line++) {
    struct slice s = slice_cut(&rest, '\n');
    fprintf(f, "%.*s\n", SLICE_ARG(s));
  }
  fputs(with, f);
  for (; rest.n && line <= last; line++)
    (void)slice_cut(&rest, '\n');
  fwrite(rest.p ? rest.p : "", 1, rest.n, f);
  fclose(f);
  return out;
}

static char *item_lines(const struct edit *e, const json_t *item, size_t indent) {
  char *out = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&out, &n);
  if (!f)
    return NULL;
  fprintf(f, "%*s- ", (int)indent, "");
  value_emit_map(f, item, (unsigned)indent + 2, e->section, true);
  fclose(f);
  return out;
}

/* The whole list anew: each item as it is but that of the name; item NULL: without it. */
static char *list_lines(const struct edit *e, const char *list, const char *name, const json_t *item) {
  char *out = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&out, &n);
  const struct tree_node *old = e->list && e->list->kind == TREE_LIST ? e->list->child : NULL;
  bool is_put = false, is_empty = true;
  if (!f)
    return NULL;
  fprintf(f, "%s:\n", list);
  for (; old || (item && !is_put); old = old ? old->next : NULL) {
    bool is_it = !old || (name && has_name(old, slice_of(name)));
    json_t *value = is_it ? json_incref((json_t *)(uintptr_t)item) : value_of_map(old, e->section);
    if (!value || (is_it && is_put))
      continue;
    is_put = is_put || is_it;
    is_empty = false;
    fputs("  - ", f);
    value_emit_map(f, value, 4, e->section, true);
    json_decref(value);
  }
  fclose(f);
  if (is_empty)
    out[0] = 0;
  return out;
}

static char *list_replace(const struct edit *e, const char *list, const char *name, const json_t *item) {
  own_mem char *with = list_lines(e, list, name, item);
  size_t n = strlen(e->text);
  if (!with)
    return NULL;
  if (e->key)
    return lines_replace(e->text, e->key->line, e->list->last_line, with);
  own_mem char *ended = malloc(n + 2);
  if (!ended)
    return NULL;
  snprintf(ended, n + 2, "%s%s", e->text, n && e->text[n - 1] != '\n' ? "\n" : "");
  return lines_replace(ended, UINT32_MAX, 0, with);
}

static char *lines_edit(const struct edit *e, const struct tree_node *old, const json_t *item) {
  const struct tree_node *last = e->list->child;
  size_t indent = spaces_of(line_at(e->text, last->line));
  while (last->next)
    last = last->next;
  own_mem char *with = item ? item_lines(e, item, indent) : strdup("");
  if (!with)
    return NULL;
  if (!old)
    return lines_replace(e->text, last->last_line + 1, last->last_line, with);
  if (!item && e->list->n == 1) /* a key without a list is none */
    return lines_replace(e->text, e->key->line, e->list->last_line, "");
  return lines_replace(e->text, old->line, old->last_line, with);
}

int revise_item_put(char **ret, const char *text, const char *list, const char *name,
                    const json_t *item) {
  own(tree) t = NULL;
  struct edit e;
  int r = edit_begin(&e, text, list, &t);
  if (r < 0)
    return r;
  const struct tree_node *old = name ? item_find(&e, name) : NULL;
  if (name && !old)
    return -ENOENT;
  if (e.key && e.list->kind == TREE_LIST && has_own_lines(&e))
    *ret = lines_edit(&e, old, item);
  else
    *ret = list_replace(&e, list, name, item);
  return *ret ? 0 : -ENOMEM;
}

json_t *revise_item(const char *text, const char *list, const char *name) {
  own(tree) t = NULL;
  struct edit e;
  const struct tree_node *item = edit_begin(&e, text, list, &t) < 0 ? NULL : item_find(&e, name);
  return item ? value_of_map(item, e.section) : NULL;
}

json_t *revise_items(const char *text, const char *list) {
  own(tree) t = NULL;
  struct edit e;
  json_t *out = json_array();
  if (edit_begin(&e, text, list, &t) == 0 && e.list && e.list->kind == TREE_LIST)
    for (const struct tree_node *item = e.list->child; item; item = item->next)
      if (item->kind == TREE_MAP)
        json_array_append_new(out, value_of_map(item, e.section));
  return out;
}
