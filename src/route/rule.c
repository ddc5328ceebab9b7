/* SPDX-License-Identifier: Apache-2.0
 * One rule of a plan: its conditions, how it rewrites numbers, its steps. */
#include "route/part.h"

#include <stdio.h>

static const struct field rows[] = {
    ROW(SECTION_RULE, rule, name, "name", TEXT, FIELD_REQUIRED, 1, 63, NULL),
    ROW(SECTION_RULE, rule, from, "from", CHOICE, 0, 0, 0, "any|trunk|native|forward"),
    ROW(SECTION_RULE, rule, trunk, "trunk", NAME, 0, 1, 63, NULL),
    ROW(SECTION_RULE, rule, tenant, "tenant", NAME, 0, 1, 63, NULL),
    ROW(SECTION_RULE, rule, identity, "identity", NAME, 0, 1, 63, NULL),
    ROW(SECTION_RULE, rule, verified, "verified", CHOICES, 0, 1, 6, "A|B|C|V|none|failed"),
    ROW(SECTION_RULE, rule, anonymous, "anonymous", CHOICE, 0, 0, 0, "any|yes|no"),
    ROW(SECTION_RULE, rule, called, "called", SUB, 0, 0, 0, NULL),
    ROW(SECTION_RULE, rule, caller, "caller", SUB, 0, 0, 0, NULL),
    ROW(SECTION_RULE, rule, when, "time", SUB, 0, 0, 0, NULL),
    ROW(SECTION_RULE, rule, steps, "then", SUB, FIELD_REQUIRED, 0, 0, NULL),
    ROW(SECTION_RULE, rule, edit_called, "rewrite", SUB, 0, 0, 0, NULL),
    ROW(SECTION_RULE, rule, timeout_s, "timeout_s", NUMBER, 0, 5, 600, NULL),
    ROW(SECTION_RULE, rule, emergency, "emergency", BOOL, 0, 0, 0, NULL),
    ROW(SECTION_PATTERN, pattern, exact, "exact", TEXTS, 0, 1, 32, NULL),
    ROW(SECTION_PATTERN, pattern, prefix, "prefix", TEXTS, 0, 1, 32, NULL),
    ROW(SECTION_PATTERN, pattern, regex, "regex", TEXT, 0, 1, PATTERN_BYTES - 1, NULL),
    ROW(SECTION_PATTERN, pattern, table_name, "table", NAME, 0, 1, 63, NULL),
    ROW(SECTION_REWRITE, rule, edit_called, "called", SUB, 0, 0, 0, NULL),
    ROW(SECTION_REWRITE, rule, edit_caller, "caller", SUB, 0, 0, 0, NULL),
    ROW(SECTION_EDIT, edit, country, "country", TEXT, 0, 1, 7, NULL),
    ROW(SECTION_EDIT, edit, national, "national", TEXT, 0, 0, 7, NULL),
    ROW(SECTION_EDIT, edit, international, "international", TEXT, 0, 0, 7, NULL),
    ROW(SECTION_EDIT, edit, match, "match", TEXT, 0, 1, PATTERN_BYTES - 1, NULL),
    ROW(SECTION_EDIT, edit, replace, "replace", TEXT, 0, 0, 63, NULL),
    ROW(SECTION_EDIT, edit, strip, "strip", NUMBER, 0, 0, 32, NULL),
    ROW(SECTION_EDIT, edit, prefix, "prefix", TEXT, 0, 0, 23, NULL),
};

static void map_read(const struct plan_reader *p, enum section section, const struct tree_node *map,
                     const char *key, void *base) {
  part_read(p, rows, COUNT_OF(rows), section, map, key, base);
}

static void regex_fail(const struct plan_reader *p, uint32_t line, const char *key, const char *error) {
  conf_error_add(p->r.errors, p->r.file, line, "%s.%s: %s", p->path, key, error);
}

static void pattern_bind(const struct plan_reader *p, uint32_t line, const char *key,
                         struct pattern *to) {
  char error[160], name[32];
  snprintf(name, sizeof(name), "%s.regex", key);
  if (to->regex[0] && regex_compile(&to->code, to->regex, error, sizeof(error)) < 0)
    regex_fail(p, line, name, error);
  for (uint32_t i = 0; i < p->plan->n_tables && to->table_name[0]; i++)
    if (strcmp(p->plan->tables[i].name, to->table_name) == 0)
      to->table = &p->plan->tables[i];
  snprintf(name, sizeof(name), "%s.table", key);
  if (to->table_name[0] && !to->table)
    part_fail(p, line, name, "the name of one of tables[]");
}

/* "+1555…" alone is exact, a list is one of them, a map says how. */
static void pattern_read(const struct plan_reader *p, const struct tree_node *node, const char *key,
                         struct pattern *to) {
  if (!node)
    return;
  if (node->kind == TREE_MAP) {
    map_read(p, SECTION_PATTERN, node, key, to);
    if (node->n == 0)
      part_fail(p, node->line, key, "one of exact, prefix, regex, table");
  } else {
    struct tree_node name = {.kind = TREE_SCALAR, .line = node->line, .text = SLICE("exact")};
    struct tree_node item = *node,
                     list = {.kind = TREE_LIST, .line = node->line, .n = 1, .child = &item};
    struct tree_node map = {.kind = TREE_MAP, .line = node->line, .n = 2, .child = &name};
    item.next = NULL;
    name.next = node->kind == TREE_LIST ? &item : &list;
    map_read(p, SECTION_PATTERN, &map, key, to);
  }
  pattern_bind(p, node->line, key, to);
}

static void edit_read(const struct plan_reader *p, const struct tree_node *node, const char *key,
                      struct edit *to) {
  char error[160];
  if (!node)
    return;
  to->international[0] = '0', to->international[1] = '0';
  map_read(p, SECTION_EDIT, node, key, to);
  if ((to->match[0] != 0) != (tree_find(node, "replace") != NULL))
    part_fail(p, node->line, key, "match and replace together");
  else if (edit_compile(to, error, sizeof(error)) < 0)
    regex_fail(p, node->line, key, error);
}

static void rewrite_read(const struct plan_reader *p, const struct tree_node *node) {
  if (!node)
    return;
  map_read(p, SECTION_REWRITE, node, "rewrite", p->rule);
  edit_read(p, tree_find(node, "called"), "rewrite.called", &p->rule->edit_called);
  edit_read(p, tree_find(node, "caller"), "rewrite.caller", &p->rule->edit_caller);
}

/* Steps that need what another part of the rule says. */
static void rule_check(const struct plan_reader *p, const struct tree_node *node) {
  const struct rule *r = p->rule;
  if (r->emergency && (r->n_steps == 0 || r->steps[0].action != ROUTE_TRUNK))
    part_fail(p, node->line, "emergency", "then: {trunk: NAME}");
  for (uint32_t i = 0; i < r->n_steps; i++)
    if (r->steps[i].is_table && !r->called.table)
      part_fail(p, r->steps[i].line, "then", "called: {table: NAME} for trunks: table");
}

int rule_read(struct plan_reader *p, const struct tree_node *node) {
  p->rule->line = node->line;
  map_read(p, SECTION_RULE, node, "", p->rule);
  if (node->kind != TREE_MAP)
    return 0;
  pattern_read(p, tree_find(node, "called"), "called", &p->rule->called);
  pattern_read(p, tree_find(node, "caller"), "caller", &p->rule->caller);
  when_read(p, tree_find(node, "time"), &p->rule->when);
  int r = steps_read(p, tree_find(node, "then"));
  rewrite_read(p, tree_find(node, "rewrite"));
  rule_check(p, node);
  return r;
}

void rule_done(struct rule *r) {
  r->called.code = regex_free(r->called.code);
  r->caller.code = regex_free(r->caller.code);
  edit_done(&r->edit_called);
  edit_done(&r->edit_caller);
  when_done(&r->when);
  free(r->steps);
}
