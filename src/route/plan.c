/* SPDX-License-Identifier: Apache-2.0
 * Plans: YAML -> tables and rules, by rows of fields as the configuration is read: see route.h and docs.
 */
#include "route/part.h"

#include <stdio.h>

static const struct field rows[] = {
    ROW(SECTION_FILE, plan, rules, "rules", SUB, FIELD_REQUIRED, 0, 0, NULL),
    ROW(SECTION_FILE, plan, tables, "tables", SUB, 0, 0, 0, NULL),
    ROW(SECTION_TABLE, table, name, "name", NAME, FIELD_REQUIRED, 1, 63, NULL),
    ROW(SECTION_TABLE, table, file, "file", PATH, FIELD_REQUIRED, 0, 0, NULL),
};

void part_read(const struct plan_reader *p, const struct field *fields, size_t n, enum section section,
               const struct tree_node *map, const char *key, void *base) {
  char path[128];
  snprintf(path, sizeof(path), "%s%s%s", p->path, key[0] ? "." : "", key);
  field_map_read(&p->r, fields, n, (uint8_t)section, map, path, map->line, base);
}

void part_fail(const struct plan_reader *p, uint32_t line, const char *key, const char *expected) {
  conf_error_add(p->r.errors, p->r.file, line, "%s%s%s: expected %s", p->path, key[0] ? "." : "", key,
                 expected);
}

static int table_read(struct plan_reader *p, const struct tree_node *node) {
  struct table *t = &p->plan->tables[p->plan->n_tables];
  snprintf(p->path, sizeof(p->path), "tables[%u]", p->plan->n_tables++);
  t->line = node->line;
  part_read(p, rows, COUNT_OF(rows), SECTION_TABLE, node, "", t);
  for (uint32_t i = 0; i + 1 < p->plan->n_tables; i++)
    if (strcmp(p->plan->tables[i].name, t->name) == 0)
      part_fail(p, node->line, "name", "a name of its own");
  if (!t->file[0] || p->r.errors->n)
    return 0;
  int r = prefixes_load(&t->prefixes, t->file, p->r.paths, p->r.errors);
  return r == -EINVAL ? 0 : r;
}

static int tables_read(struct plan_reader *p, const struct tree_node *list) {
  int r = 0;
  if (!list)
    return 0;
  snprintf(p->path, sizeof(p->path), "tables");
  if (list->kind != TREE_LIST || list->n > PLAN_TABLES_MAX) {
    part_fail(p, list->line, "", "a list of at most 16 maps");
    return 0;
  }
  for (const struct tree_node *item = list->child; item && r == 0; item = item->next)
    r = table_read(p, item);
  return r;
}

static int rules_read(struct plan_reader *p, const struct tree_node *list) {
  struct plan *plan = p->plan;
  int r = 0;
  if (!list)
    return 0;
  snprintf(p->path, sizeof(p->path), "rules");
  if (list->kind != TREE_LIST || list->n > PLAN_RULES_MAX) {
    part_fail(p, list->line, "", "a list of at most 1000 maps");
    return 0;
  }
  plan->rules = calloc(list->n + 1, sizeof(*plan->rules));
  if (!plan->rules)
    return -ENOMEM;
  for (const struct tree_node *item = list->child; item && r == 0; item = item->next) {
    p->rule = &plan->rules[plan->n];
    snprintf(p->path, sizeof(p->path), "rules[%u]", plan->n++);
    r = rule_read(p, item);
  }
  return r;
}

int plan_parse(struct plan **ret, const char *file, struct slice yaml, struct conf_errors *errors) {
  return plan_parse_within(ret, file, yaml, NULL, errors);
}

int plan_parse_within(struct plan **ret, const char *file, struct slice yaml,
                      const struct field_paths *paths, struct conf_errors *errors) {
  own(plan) plan = calloc(1, sizeof(*plan));
  own(tree) t = NULL;
  if (!plan)
    return -ENOMEM;
  errors->n = 0;
  slice_copy(plan->file, sizeof(plan->file), slice_of(file));
  int r = tree_new(&t, plan->file, yaml, errors);
  if (r < 0)
    return r;
  struct plan_reader p = {.r = {.file = plan->file, .errors = errors, .paths = paths}, .plan = plan};
  if (!t->root || t->root->kind != TREE_MAP)
    conf_error_add(errors, plan->file, 1, "expected a map with rules");
  else
    field_map_read(&p.r, rows, COUNT_OF(rows), SECTION_FILE, t->root, "", 1, plan);
  r = tables_read(&p, tree_find(t->root, "tables"));
  if (r == 0)
    r = rules_read(&p, tree_find(t->root, "rules"));
  if (r < 0)
    return r;
  if (errors->n)
    return -EINVAL;
  *ret = take(plan);
  return 0;
}

int plan_load(struct plan **ret, const char *file, struct conf_errors *errors) {
  own_mem char *text = NULL;
  size_t n = 0;
  errors->n = 0;
  int r = conf_file_read(&text, &n, file, errors);
  return r < 0 ? r : plan_parse(ret, file, slice_from(text, n), errors);
}

struct plan *plan_free(struct plan *p) {
  if (!p)
    return NULL;
  for (uint32_t i = 0; i < p->n; i++)
    rule_done(&p->rules[i]);
  for (uint32_t i = 0; i < p->n_tables; i++)
    prefixes_free(p->tables[i].prefixes);
  numbers_free(p->numbers, p->n_numbers);
  free(p->rules);
  free(p);
  return NULL;
}
