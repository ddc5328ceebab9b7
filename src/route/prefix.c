/* SPDX-License-Identifier: Apache-2.0
 * The trie of prefixes: its building from sorted rows, level by level, so that the children of a node
 * lie side by side, and the walk. A node under which there is one prefix only is a leaf: its row's key
 * says the rest. */
#include "route/prefixpart.h"

uint64_t prefix_key(struct slice number, uint32_t *ret_digits) {
  uint64_t key = 0;
  uint32_t n = 0;
  if (number.n && number.p[0] == '+')
    number = slice_from(number.p + 1, number.n - 1);
  while (n < number.n && n < PREFIX_DIGITS_MAX && number.p[n] >= '0' && number.p[n] <= '9') {
    key |= (uint64_t)(number.p[n] - '0' + 1) << (60 - 4 * n);
    n++;
  }
  *ret_digits = n;
  return key;
}

static uint32_t nibble(uint64_t key, uint32_t depth) { return key >> (60 - 4 * depth) & 15; }

static uint32_t key_digits(uint64_t key) { return key ? 16 - (uint32_t)__builtin_ctzll(key) / 4 : 0; }

static bool key_begins(uint64_t key, uint64_t prefix) {
  uint32_t digits = key_digits(prefix);
  return digits == 0 || (key ^ prefix) >> (64 - 4 * digits) == 0;
}

/* Building ----------------------------------------------------------------------------------------- */

struct span { /* the rows below a node that is still to be filled */
  uint32_t from, to, depth;
};

struct build {
  struct prefixes *p;
  struct span *spans; /* spans are of the nodes of the same place. */
  uint32_t n, room;
};

static int build_grow(struct build *b, uint32_t more) {
  if (b->n + more <= b->room)
    return 0;
  uint32_t room = b->room ? b->room + b->room / 2 + more : 1024;
  struct prefix_node *nodes = realloc(b->p->nodes, room * sizeof(*nodes));
  if (!nodes)
    return -ENOMEM;
  b->p->nodes = nodes;
  struct span *spans = realloc(b->spans, room * sizeof(*spans));
  if (!spans)
    return -ENOMEM;
  b->spans = spans;
  b->room = room;
  return 0;
}

static void node_add(struct build *b, uint32_t from, uint32_t to, uint32_t depth) {
  b->p->nodes[b->n] = (struct prefix_node){0};
  b->spans[b->n++] = (struct span){from, to, depth};
}

static void node_rows(struct prefix_node *node, uint32_t from, uint32_t to) {
  node->row = from;
  node->n_rows = (uint16_t)(to - from);
}

/* Its own rows, and a node for each digit that goes on. */
static int node_fill(struct build *b, uint32_t at) {
  const struct prefix_row *rows = b->p->rows;
  struct span s = b->spans[at];
  uint32_t from = s.from;
  if (s.from < s.to && rows[s.from].key == rows[s.to - 1].key) {
    node_rows(&b->p->nodes[at], s.from, s.to); /* a leaf */
    return 0;
  }
  while (from < s.to && nibble(rows[from].key, s.depth) == 0)
    from++;
  node_rows(&b->p->nodes[at], s.from, from);
  if (build_grow(b, 10) < 0)
    return -ENOMEM;
  b->p->nodes[at].child = b->n;
  while (from < s.to) {
    uint32_t digit = nibble(rows[from].key, s.depth), to = from;
    while (to < s.to && nibble(rows[to].key, s.depth) == digit)
      to++;
    b->p->nodes[at].children |= (uint16_t)(1U << (digit - 1));
    node_add(b, from, to, s.depth + 1);
    from = to;
  }
  return 0;
}

int prefixes_build(struct prefixes *p) {
  struct build b = {.p = p};
  int r = build_grow(&b, 1);
  if (r == 0)
    node_add(&b, 0, p->n_rows, 0);
  for (uint32_t i = 0; r == 0 && i < b.n; i++)
    r = node_fill(&b, i);
  free(b.spans);
  p->n_nodes = b.n;
  struct prefix_node *fitting = r == 0 ? realloc(p->nodes, b.n * sizeof(*fitting)) : NULL;
  if (fitting)
    p->nodes = fitting;
  return r;
}

/* Asking ------------------------------------------------------------------------------------------- */

uint32_t prefixes_find(const struct prefixes *p, struct slice number, const struct prefix_row **ret_rows,
                       uint32_t *ret_digits) {
  uint32_t digits, found = 0;
  uint64_t key = prefix_key(number, &digits);
  const struct prefix_node *node = p->nodes;
  *ret_digits = 0;
  for (uint32_t depth = 0;; depth++) {
    const struct prefix_row *row = &p->rows[node->row];
    if (node->n_rows && key_begins(key, row->key)) {
      *ret_rows = row;
      *ret_digits = key_digits(row->key);
      found = node->n_rows;
    }
    uint32_t digit = depth < digits ? nibble(key, depth) : 0;
    if (!digit || !(node->children >> (digit - 1) & 1))
      return found;
    uint32_t before = node->children & ((1U << (digit - 1)) - 1);
    node = &p->nodes[node->child + (uint32_t)__builtin_popcount(before)];
  }
}

const char *prefix_label(const struct prefixes *p, uint16_t label) { return p->labels[label]; }
uint32_t prefix_labels(const struct prefixes *p) { return p->n_labels; }
uint32_t prefix_rows(const struct prefixes *p) { return p->n_rows; }

size_t prefixes_bytes(const struct prefixes *p) {
  return sizeof(*p) + p->n_nodes * sizeof(*p->nodes) + p->n_rows * sizeof(*p->rows) +
         p->n_labels * sizeof(*p->labels);
}

struct prefixes *prefixes_free(struct prefixes *p) {
  if (!p)
    return NULL;
  free(p->nodes);
  free(p->rows);
  free(p->labels);
  free(p);
  return NULL;
}
