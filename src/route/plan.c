/* SPDX-License-Identifier: Apache-2.0
 * Plans: YAML -> rules, by rows of fields as the configuration is read: see route.h and docs. */
#include "route/part.h"

#include <stdio.h>

enum section {
  SECTION_FILE,
  SECTION_RULE,
  SECTION_PATTERN,
  SECTION_THEN,
  SECTION_REWRITE,
  SECTION_EDIT
};

#define ROW(section_, struct_, place, key_, type_, flags_, min_, max_, choices_) \
  { \
    .section = section_, .type = FIELD_##type_, .flags = flags_, .key = key_, \
    .offset = offsetof(struct struct_, place), .bytes = sizeof(((struct struct_ *)0)->place), \
    .min = min_, .max = max_, .choices = choices_ \
  }

static const struct field rows[] = {
    ROW(SECTION_FILE, plan, rules, "rules", SUB, FIELD_REQUIRED, 0, 0, NULL),
    ROW(SECTION_RULE, rule, name, "name", TEXT, FIELD_REQUIRED, 1, 63, NULL),
    ROW(SECTION_RULE, rule, from, "from", CHOICE, 0, 0, 0, "any|trunk|native"),
    ROW(SECTION_RULE, rule, trunk, "trunk", NAME, 0, 1, 63, NULL),
    ROW(SECTION_RULE, rule, tenant, "tenant", NAME, 0, 1, 63, NULL),
    ROW(SECTION_RULE, rule, called, "called", SUB, 0, 0, 0, NULL),
    ROW(SECTION_RULE, rule, caller, "caller", SUB, 0, 0, 0, NULL),
    ROW(SECTION_RULE, rule, action, "then", SUB, FIELD_REQUIRED, 0, 0, NULL),
    ROW(SECTION_RULE, rule, edit_called, "rewrite", SUB, 0, 0, 0, NULL),
    ROW(SECTION_RULE, rule, timeout_s, "timeout_s", NUMBER, 0, 5, 600, NULL),
    ROW(SECTION_RULE, rule, emergency, "emergency", BOOL, 0, 0, 0, NULL),
    ROW(SECTION_PATTERN, pattern, exact, "exact", TEXTS, 0, 1, 32, NULL),
    ROW(SECTION_PATTERN, pattern, prefix, "prefix", TEXTS, 0, 1, 32, NULL),
    ROW(SECTION_PATTERN, pattern, regex, "regex", TEXT, 0, 1, PATTERN_BYTES - 1, NULL),
    ROW(SECTION_THEN, rule, user, "user", NAME, 0, 1, 63, NULL),
    ROW(SECTION_THEN, rule, to_trunk, "trunk", NAME, 0, 1, 63, NULL),
    ROW(SECTION_THEN, rule, refuse, "refuse", NUMBER, 0, 400, 699, NULL),
    ROW(SECTION_REWRITE, rule, edit_called, "called", SUB, 0, 0, 0, NULL),
    ROW(SECTION_REWRITE, rule, edit_caller, "caller", SUB, 0, 0, 0, NULL),
    ROW(SECTION_EDIT, edit, strip, "strip", NUMBER, 0, 0, 32, NULL),
    ROW(SECTION_EDIT, edit, prefix, "prefix", TEXT, 0, 0, 23, NULL),
};

struct plan_reader {
  struct field_reader r;
  struct rule *rule;
  char path[64];
};

static void map_read(const struct plan_reader *p, enum section section, const struct tree_node *map,
                     const char *key, void *base) {
  char path[96];
  snprintf(path, sizeof(path), "%s%s%s", p->path, key[0] ? "." : "", key);
  field_map_read(&p->r, rows, COUNT_OF(rows), (uint8_t)section, map, path, map->line, base);
}

static void fail(const struct plan_reader *p, uint32_t line, const char *key, const char *expected) {
  conf_error_add(p->r.errors, p->r.file, line, "%s%s%s: expected %s", p->path, key[0] ? "." : "", key,
                 expected);
}

/* "+1555…" alone is exact, a list is one of them, a map says how. */
static void pattern_read(const struct plan_reader *p, const struct tree_node *node, const char *key,
                         struct pattern *to) {
  char error[160];
  if (!node)
    return;
  if (node->kind == TREE_MAP) {
    map_read(p, SECTION_PATTERN, node, key, to);
    if (node->n == 0)
      fail(p, node->line, key, "one of exact, prefix, regex");
  } else {
    struct tree_node name = {.kind = TREE_SCALAR, .line = node->line, .text = SLICE("exact")};
    struct tree_node item = *node,
                     list = {.kind = TREE_LIST, .line = node->line, .n = 1, .child = &item};
    struct tree_node map = {.kind = TREE_MAP, .line = node->line, .n = 2, .child = &name};
    item.next = NULL;
    name.next = node->kind == TREE_LIST ? &item : &list;
    map_read(p, SECTION_PATTERN, &map, key, to);
  }
  if (pattern_compile(to, error, sizeof(error)) < 0) {
    conf_error_add(p->r.errors, p->r.file, node->line, "%s.%s.regex: %s", p->path, key, error);
  }
}

static void then_read(const struct plan_reader *p, const struct tree_node *node) {
  struct rule *r = p->rule;
  if (!node)
    return;
  if (node->kind == TREE_SCALAR && slice_eq(node->text, SLICE("echo"))) {
    r->action = ROUTE_ECHO;
  } else if (node->kind == TREE_SCALAR && slice_eq(node->text, SLICE("tone"))) {
    r->action = ROUTE_TONE;
  } else if (node->kind == TREE_MAP && node->n == 2) {
    map_read(p, SECTION_THEN, node, "then", r);
    r->action = r->user[0] ? ROUTE_USER : r->to_trunk[0] ? ROUTE_TRUNK : ROUTE_REFUSE;
  } else {
    fail(p, node->line, "then", "one of {user: NAME}, {trunk: NAME}, {refuse: STATUS}, echo, tone");
  }
}

static void edit_read(const struct plan_reader *p, const struct tree_node *node, const char *key,
                      struct edit *to) {
  if (node)
    map_read(p, SECTION_EDIT, node, key, to);
}

static void rewrite_read(const struct plan_reader *p, const struct tree_node *node) {
  if (!node)
    return;
  map_read(p, SECTION_REWRITE, node, "rewrite", p->rule);
  edit_read(p, tree_find(node, "called"), "rewrite.called", &p->rule->edit_called);
  edit_read(p, tree_find(node, "caller"), "rewrite.caller", &p->rule->edit_caller);
}

static void rule_read(const struct plan_reader *p, const struct tree_node *node) {
  p->rule->line = node->line;
  map_read(p, SECTION_RULE, node, "", p->rule);
  if (node->kind != TREE_MAP)
    return;
  pattern_read(p, tree_find(node, "called"), "called", &p->rule->called);
  pattern_read(p, tree_find(node, "caller"), "caller", &p->rule->caller);
  then_read(p, tree_find(node, "then"));
  rewrite_read(p, tree_find(node, "rewrite"));
  if (p->rule->emergency && p->rule->action != ROUTE_TRUNK)
    fail(p, node->line, "emergency", "then: {trunk: NAME}");
}

static int rules_read(struct plan *plan, const struct tree_node *list, struct conf_errors *errors) {
  struct plan_reader p = {.r = {plan->file, errors}, .path = "rules"};
  if (list->kind != TREE_LIST || list->n > PLAN_RULES_MAX) {
    fail(&p, list->line, "", "a list of at most 1000 maps");
    return 0;
  }
  plan->rules = calloc(list->n + 1, sizeof(*plan->rules));
  if (!plan->rules)
    return -ENOMEM;
  for (const struct tree_node *item = list->child; item; item = item->next) {
    p.rule = &plan->rules[plan->n];
    snprintf(p.path, sizeof(p.path), "rules[%u]", plan->n++);
    rule_read(&p, item);
  }
  return 0;
}

int plan_parse(struct plan **ret, const char *file, struct slice yaml, struct conf_errors *errors) {
  own(plan) plan = calloc(1, sizeof(*plan));
  own(tree) t = NULL;
  if (!plan)
    return -ENOMEM;
  errors->n = 0;
  slice_copy(plan->file, sizeof(plan->file), slice_of(file));
  int r = tree_new(&t, plan->file, yaml, errors);
  if (r < 0)
    return r;
  if (!t->root || t->root->kind != TREE_MAP) {
    conf_error_add(errors, plan->file, 1, "expected a map with rules");
    return -EINVAL;
  }
  struct field_reader reader = {plan->file, errors};
  field_map_read(&reader, rows, COUNT_OF(rows), SECTION_FILE, t->root, "", t->root->line, plan);
  const struct tree_node *list = tree_find(t->root, "rules");
  if (list && (r = rules_read(plan, list, errors)) < 0)
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
  for (uint32_t i = 0; i < p->n; i++) {
    pattern_done(&p->rules[i].called);
    pattern_done(&p->rules[i].caller);
  }
  free(p->rules);
  free(p);
  return NULL;
}

static void rule_check(const struct plan *p, const struct rule *r, const struct conf *c,
                       struct conf_errors *errors) {
  const struct conf_trunk *to = conf_trunk_find(c, slice_of(r->to_trunk));
  if (r->trunk[0] && !conf_trunk_find(c, slice_of(r->trunk)))
    conf_error_add(errors, p->file, r->line, "rule \"%s\": there is no trunk \"%s\"", r->name, r->trunk);
  if (r->action == ROUTE_TRUNK && !to)
    conf_error_add(errors, p->file, r->line, "rule \"%s\": there is no trunk \"%s\"", r->name,
                   r->to_trunk);
  if (to && !to->target[0])
    conf_error_add(errors, p->file, r->line, "rule \"%s\": trunks[%s] has no target to send calls to",
                   r->name, r->to_trunk);
  if (r->action == ROUTE_USER && !conf_user_find(c, slice_of(r->user)))
    conf_error_add(errors, p->file, r->line, "rule \"%s\": there is no user \"%s\"", r->name, r->user);
}

int plan_check(const struct plan *p, const struct conf *c, struct conf_errors *errors) {
  errors->n = 0;
  for (uint32_t i = 0; i < p->n; i++)
    rule_check(p, &p->rules[i], c, errors);
  return errors->n ? -EINVAL : 0;
}
