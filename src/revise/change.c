/* SPDX-License-Identifier: Apache-2.0
 * Two configurations setting by setting: what stands in one and not, or otherwise, in the other, under
 * the paths that errors have too ("trunks[carrier].srtp"), and what of it a reload does not take. */
#include "base/map.h"
#include "revise/part.h"

#include <stdio.h>

enum { LEAVES_MAX = 65536, PATH_MAX_BYTES = 256 };

struct leaf {
  char *path, *value;
  bool is_live;    /* is_live: a reload takes it. */
  bool whole_live; /* whole_live: it does when the item it is in comes or goes as a whole. */
  bool is_secret;
  size_t item; /* item is how much of path names the item of a list; 0: it is in none. */
};

struct leaves {
  uint32_t n, room;
  struct leaf *list;
  struct map *by_path, *items;
};

struct place {
  const char *path;
  uint8_t section;
  bool is_known; /* is_known: section says what its keys are. */
  bool is_live, whole_live, is_secret;
  size_t item;
};

static void leaves_done(struct leaves *l) {
  for (uint32_t i = 0; i < l->n; i++) {
    free(l->list[i].path);
    free(l->list[i].value);
  }
  free(l->list);
  map_free(l->by_path);
  map_free(l->items);
}

static int leaf_add(struct leaves *l, const struct place *p, const char *value) {
  if (l->n == l->room) {
    uint32_t room = l->room ? 2 * l->room : 256;
    struct leaf *list = realloc(l->list, room * sizeof(*list));
    if (!list)
      return -ENOMEM;
    l->list = list;
    l->room = room;
  }
  struct leaf *f = &l->list[l->n];
  *f = (struct leaf){strdup(p->path), strdup(value), p->is_live, p->whole_live, p->is_secret, p->item};
  if (!f->path || !f->value) {
    free(f->path);
    free(f->value);
    return -ENOMEM;
  }
  l->n++;
  return 0;
}

static int node_walk(struct leaves *l, const struct tree_node *node, const struct place *p);

static int pair_walk(struct leaves *l, const struct tree_node *key, const struct place *p) {
  char path[PATH_MAX_BYTES];
  const struct field *f = p->is_known ? conf_field_find(p->section, key->text) : NULL;
  const struct conf_shape *s = p->is_known ? conf_shape_find(p->section, key->text) : NULL;
  struct place in = *p;
  int n = snprintf(path, sizeof(path), "%s%s%.*s", p->path, p->path[0] ? "." : "", SLICE_ARG(key->text));
  if (n < 0 || (size_t)n >= sizeof(path))
    return 0; /* the readers refuse it */
  in.path = path;
  in.is_known = s != NULL;
  in.section = s ? s->of : 0;
  if (f)
    in.is_live = f->flags & FIELD_LIVE;
  in.is_secret = f && (f->flags & FIELD_SECRET);
  if (!p->item)
    in.whole_live = in.is_live;
  return node_walk(l, key->next, &in);
}

/* A list of words is one value; one of maps has items with a name, or a place. */
static int list_walk(struct leaves *l, const struct tree_node *list, const struct place *p) {
  char path[PATH_MAX_BYTES], value[4096] = "";
  size_t at = 0;
  uint32_t i = 0;
  int r = 0;
  for (const struct tree_node *item = list->child; item && r == 0; item = item->next, i++) {
    const struct tree_node *name = tree_find(item, "name");
    struct place in = *p;
    if (item->kind == TREE_SCALAR) {
      int n = snprintf(value + at, sizeof(value) - at, "%s%.*s", i ? ", " : "", SLICE_ARG(item->text));
      at += n > 0 && (size_t)n < sizeof(value) - at ? (size_t)n : 0;
      continue;
    }
    if (name && name->kind == TREE_SCALAR)
      snprintf(path, sizeof(path), "%s[%.*s]", p->path, (int)(name->text.n < 80 ? name->text.n : 80),
               name->text.p);
    else
      snprintf(path, sizeof(path), "%s[%u]", p->path, i);
    in.path = path;
    if (!p->item)
      in.item = strlen(path);
    r = node_walk(l, item, &in);
  }
  return r < 0 || at == 0 ? r : leaf_add(l, p, value);
}

static int node_walk(struct leaves *l, const struct tree_node *node, const struct place *p) {
  char value[4096];
  int r = 0;
  if (!node || l->n == LEAVES_MAX)
    return 0;
  if (node->kind == TREE_LIST)
    return list_walk(l, node, p);
  if (node->kind == TREE_SCALAR) {
    snprintf(value, sizeof(value), "%.*s", (int)(node->text.n < 4000 ? node->text.n : 4000),
             node->text.p);
    return leaf_add(l, p, value);
  }
  for (const struct tree_node *k = node->child; k && k->next && r == 0; k = k->next->next)
    if (k->kind == TREE_SCALAR)
      r = pair_walk(l, k, p);
  return r;
}

/* By path, and the items of lists that there are. What stands twice stays out: the readers refuse it. */
static int leaves_index(struct leaves *l) {
  int r = map_new(&l->by_path, LEAVES_MAX + 1);
  if (r == 0)
    r = map_new(&l->items, LEAVES_MAX + 1);
  for (uint32_t i = 0; i < l->n && r == 0; i++) {
    struct leaf *f = &l->list[i];
    r = map_put(l->by_path, slice_of(f->path), f);
    r = r == -EEXIST ? 0 : r;
    if (r == 0 && f->item)
      r = map_put(l->items, slice_from(f->path, f->item), f);
    r = r == -EEXIST ? 0 : r;
  }
  return r;
}

static int leaves_read(struct leaves *l, struct slice text) {
  own(tree) t = NULL;
  own_mem struct conf_errors *errors = calloc(1, sizeof(*errors));
  struct place root = {.path = "", .section = SECTION_ROOT, .is_known = true};
  if (!errors)
    return -ENOMEM;
  int r = tree_new(&t, "", text, errors);
  if (r == 0)
    r = node_walk(l, t->root, &root);
  return r < 0 ? r : leaves_index(l);
}

static int change_add(struct revise_changes *to, const struct leaf *was, const struct leaf *is,
                      bool is_live) {
  const struct leaf *any = was ? was : is;
  to->n_restart += !is_live;
  if (to->n == REVISE_CHANGES_MAX) {
    to->more++;
    return 0;
  }
  struct revise_change *c = &to->list[to->n];
  *c = (struct revise_change){.needs_restart = !is_live};
  c->path = strdup(any->path);
  c->was = was ? strdup(was->is_secret ? REVISE_KEPT : was->value) : NULL;
  c->is = is ? strdup(is->is_secret ? REVISE_KEPT : is->value) : NULL;
  to->n++;
  return c->path && (!was || c->was) && (!is || c->is) ? 0 : -ENOMEM;
}

/* The item that this is in stands in the other text too? */
static bool is_whole(const struct leaves *other, const struct leaf *f) {
  return f->item && !map_get(other->items, slice_from(f->path, f->item));
}

static int leaves_compare(const struct leaves *old, const struct leaves *new,
                          struct revise_changes *ret) {
  int r = 0;
  for (uint32_t i = 0; i < old->n && r == 0; i++) {
    const struct leaf *was = &old->list[i], *is = map_get(new->by_path, slice_of(was->path));
    if (!is)
      r = change_add(ret, was, NULL, is_whole(new, was) ? was->whole_live : was->is_live);
    else if (strcmp(was->value, is->value) != 0)
      r = change_add(ret, was, is, was->is_live);
  }
  for (uint32_t i = 0; i < new->n &&r == 0; i++) {
    const struct leaf *is = &new->list[i];
    if (!map_get(old->by_path, slice_of(is->path)))
      r = change_add(ret, NULL, is, is_whole(old, is) ? is->whole_live : is->is_live);
  }
  return r;
}

int revise_changes_find(struct slice old_text, struct slice new_text, struct revise_changes *ret) {
  struct leaves old = {0}, new = {0};
  memset(ret, 0, sizeof(*ret));
  int r = leaves_read(&old, old_text);
  if (r == 0)
    r = leaves_read(&new, new_text);
  if (r == 0)
    r = leaves_compare(&old, &new, ret);
  leaves_done(&old);
  leaves_done(&new);
  if (r < 0)
    revise_changes_done(ret);
  return r;
}

void revise_changes_done(struct revise_changes *c) {
  for (uint32_t i = 0; i < c->n; i++) {
    free(c->list[i].path);
    free(c->list[i].was);
    free(c->list[i].is);
  }
  memset(c, 0, sizeof(*c));
}
