/* SPDX-License-Identifier: Apache-2.0
 * YAML -> tree, by libyaml's events and a stack of open maps and lists: see tree.h. */
#include "conf/tree.h"

#include "conf/field.h"

#include <yaml.h>

struct builder {
  struct tree *t;
  const char *file;
  struct conf_errors *errors;
  uint32_t errors_before;
  unsigned depth; /* open maps and lists */
  struct tree_node *open[TREE_DEPTH_MAX];
  struct tree_node **tail[TREE_DEPTH_MAX]; /* tail is where the next child of open[i] goes. */
};

static int build_fail(struct builder *b, uint32_t line, const char *text) {
  conf_error_add(b->errors, b->file, line, "%s", text);
  return -EINVAL;
}

static bool has_control(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
      return true;
  return false;
}

static int node_add(struct builder *b, enum tree_kind kind, uint32_t line, struct tree_node **ret) {
  if (++b->t->n > TREE_NODES_MAX)
    return build_fail(b, line, "expected at most 65536 values");
  struct tree_node *node = calloc(1, sizeof(*node));
  if (!node)
    return -ENOMEM;
  *node = (struct tree_node){.kind = kind, .line = line, .last_line = line, .all = b->t->all};
  b->t->all = node;
  *ret = node;
  if (b->depth == 0) {
    b->t->root = node;
    return 0;
  }
  struct tree_node *parent = b->open[b->depth - 1];
  if (parent->kind == TREE_MAP && ++parent->n > 2 * TREE_MAP_MAX)
    return build_fail(b, line, "expected at most 256 keys in a map");
  parent->n += parent->kind == TREE_LIST;
  *b->tail[b->depth - 1] = node;
  b->tail[b->depth - 1] = &node->next;
  return 0;
}

/* Up to every open map and list: a block's own end event stands behind the comments that follow it. */
static void last_line_note(struct builder *b, struct tree_node *node, const yaml_event_t *e) {
  uint32_t line = (uint32_t)e->end_mark.line + 1;
  if (node)
    node->last_line = line;
  for (unsigned i = 0; i < b->depth; i++)
    if (b->open[i]->last_line < line)
      b->open[i]->last_line = line;
}

static int scalar_take(struct builder *b, const yaml_event_t *e, uint32_t line) {
  struct tree_node *node;
  int r = node_add(b, TREE_SCALAR, line, &node);
  if (r < 0)
    return r;
  struct slice text = slice_from(e->data.scalar.value, e->data.scalar.length);
  if (has_control(text))
    return build_fail(b, line, "expected a text without control characters or line breaks");
  node->is_plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  last_line_note(b, node, e);
  char *copy = slice_dup(text);
  node->text = slice_from(copy, copy ? text.n : 0);
  return copy ? 0 : -ENOMEM;
}

static int open_take(struct builder *b, enum tree_kind kind, bool is_flow, uint32_t line) {
  struct tree_node *node;
  if (b->depth == TREE_DEPTH_MAX)
    return build_fail(b, line, "expected at most 16 levels of maps and lists");
  int r = node_add(b, kind, line, &node);
  if (r < 0)
    return r;
  node->is_flow = is_flow;
  b->open[b->depth] = node;
  b->tail[b->depth++] = &node->child;
  return 0;
}

/* Anchors and tags are told and the reading goes on, so that all of them are told at once. */
static void property_check(struct builder *b, const yaml_char_t *anchor, const yaml_char_t *tag,
                           uint32_t line) {
  if (anchor)
    build_fail(b, line, "anchors (&name) are not taken here");
  if (tag)
    build_fail(b, line, "tags (!name) are not taken here");
}

static int event_take(struct builder *b, const yaml_event_t *e) {
  uint32_t line = (uint32_t)e->start_mark.line + 1;
  if (e->type == YAML_ALIAS_EVENT) {
    struct tree_node *node;
    build_fail(b, line, "aliases (*name) are not taken here");
    return node_add(b, TREE_SCALAR, line, &node);
  }
  if (e->type == YAML_SCALAR_EVENT) {
    property_check(b, e->data.scalar.anchor, e->data.scalar.tag, line);
    return scalar_take(b, e, line);
  }
  if (e->type == YAML_MAPPING_START_EVENT) {
    property_check(b, e->data.mapping_start.anchor, e->data.mapping_start.tag, line);
    return open_take(b, TREE_MAP, e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE, line);
  }
  if (e->type == YAML_SEQUENCE_START_EVENT) {
    property_check(b, e->data.sequence_start.anchor, e->data.sequence_start.tag, line);
    return open_take(b, TREE_LIST, e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE, line);
  }
  if (e->type == YAML_MAPPING_END_EVENT || e->type == YAML_SEQUENCE_END_EVENT) {
    if (b->open[b->depth - 1]->is_flow)
      last_line_note(b, NULL, e);
    b->depth--;
  }
  if (e->type == YAML_DOCUMENT_START_EVENT && b->t->root)
    return build_fail(b, line, "expected one YAML document");
  return 0;
}

static int parser_fail(struct builder *b, const yaml_parser_t *p) {
  uint32_t line = (uint32_t)(p->problem_mark.line ? p->problem_mark.line : p->context_mark.line) + 1;
  conf_error_add(b->errors, b->file, line, "YAML: %s%s%s", p->problem ? p->problem : "cannot be read",
                 p->context ? ", " : "", p->context ? p->context : "");
  return -EINVAL;
}

static int events_take(struct builder *b, yaml_parser_t *p) {
  for (bool done = false; !done;) {
    yaml_event_t e;
    if (!yaml_parser_parse(p, &e))
      return p->error == YAML_MEMORY_ERROR ? -ENOMEM : parser_fail(b, p);
    int r = event_take(b, &e);
    done = e.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&e);
    if (r < 0)
      return r;
  }
  return b->errors->n > b->errors_before ? -EINVAL : 0;
}

int tree_new(struct tree **ret, const char *file, struct slice yaml, struct conf_errors *errors) {
  yaml_parser_t p;
  if (yaml.n > TREE_TEXT_MAX_BYTES) {
    conf_error_add(errors, file, 0, "expected at most 4 MiB");
    return -EINVAL;
  }
  own(tree) t = calloc(1, sizeof(*t));
  if (!t || !yaml_parser_initialize(&p))
    return -ENOMEM;
  struct builder b = {.t = t, .file = file, .errors = errors, .errors_before = errors->n};
  yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&p, (const unsigned char *)(yaml.p ? yaml.p : ""), yaml.n);
  int r = events_take(&b, &p);
  yaml_parser_delete(&p);
  if (r < 0)
    return r;
  *ret = take(t);
  return 0;
}

struct tree *tree_free(struct tree *t) {
  if (!t)
    return NULL;
  for (struct tree_node *node = t->all, *next; node; node = next) {
    next = node->all;
    free((char *)(uintptr_t)node->text.p);
    free(node);
  }
  free(t);
  return NULL;
}

const struct tree_node *tree_find(const struct tree_node *map, const char *key) {
  if (!map || map->kind != TREE_MAP)
    return NULL;
  for (const struct tree_node *k = map->child; k && k->next; k = k->next->next)
    if (k->kind == TREE_SCALAR && slice_eq(k->text, slice_of(key)))
      return k->next;
  return NULL;
}
