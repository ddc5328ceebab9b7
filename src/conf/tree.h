/* SPDX-License-Identifier: Apache-2.0
 * A YAML text as a tree of nodes that know their line. Strict: one document, no aliases, anchors or
 * tags, depth at most 16, 4 MiB, 65,536 nodes, no control characters in scalars. The only room that
 * knows libyaml; plans are read through it too. Pure. */
#pragma once
#include "conf/conf.h"

enum { TREE_TEXT_MAX_BYTES = 4 << 20, TREE_DEPTH_MAX = 16, TREE_NODES_MAX = 65536, TREE_MAP_MAX = 256 };
enum tree_kind { TREE_SCALAR, TREE_MAP, TREE_LIST };

struct tree_node {
  enum tree_kind kind;
  bool is_plain;                  /* is_plain: a scalar without quotes. */
  bool is_flow;                   /* is_flow: a map or list in brackets. */
  uint32_t line, last_line;       /* 1-based; last_line is where its text ends. */
  uint32_t n;                     /* n is the number of children; in a map keys and values count. */
  struct slice text;              /* text of a scalar, NUL-terminated */
  struct tree_node *child, *next; /* child is the first one; in a map key, value, key, … */
  struct tree_node *all;          /* all links every node of the tree, for freeing. */
};

struct tree {
  struct tree_node *root, *all; /* root is NULL for an empty document. */
  uint32_t n;
};

/* 0, or -EINVAL with errors (the syntax's first, every alias, anchor and tag), -ENOMEM. */
int tree_new(struct tree **ret, const char *file, struct slice yaml,
             struct conf_errors *errors) must_check;
struct tree *tree_free(struct tree *t);
OWN_DEFINE(tree)
/* The value of a key in a map; NULL if absent or map is no map. */
const struct tree_node *tree_find(const struct tree_node *map, const char *key);
