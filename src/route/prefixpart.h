/* SPDX-License-Identifier: Apache-2.0
 * The trie of prefixes as its two rooms know it: prefix (building, asking) and csv (reading). */
#pragma once
#include "route/prefix.h"

struct prefix_node {
  uint16_t children; /* children has bit d for digit d; they lie from child on. */
  uint16_t n_rows;   /* n_rows are the rows of the prefix that ends here, or of the leaf's. */
  uint32_t child, row;
};

struct prefixes {
  struct prefix_node *nodes; /* nodes[0] is the root. */
  struct prefix_row *rows;   /* rows in the order of keys, the cheapest of a prefix first */
  char (*labels)[CONF_NAME_BYTES];
  uint32_t n_nodes, n_rows, n_labels;
};

uint64_t prefix_key(struct slice number, uint32_t *ret_digits);
int prefixes_build(struct prefixes *p) must_check; /* from its sorted rows */
