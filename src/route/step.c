/* SPDX-License-Identifier: Apache-2.0
 * The steps of a rule: what "then" says, one step or a list of them. */
#include "route/part.h"

#include <stdio.h>

struct words { /* a step as it is written */
  struct route_step s;
  char user[CONF_NAME_BYTES], trunk[CONF_NAME_BYTES];
  char forward[ROUTE_NUMBER_BYTES], voicemail[ROUTE_NUMBER_BYTES];
  uint32_t refuse;
  struct conf_names users, on;
};

struct entry { /* a trunk of a list */
  char name[CONF_NAME_BYTES];
  uint32_t priority, weight;
};

#define OUTCOMES "busy|no_answer|unreachable|declined|not_found|failed|always"
static const struct field rows[] = {
    ROW(SECTION_STEP, words, user, "user", NAME, 0, 1, 63, NULL),
    ROW(SECTION_STEP, words, users, "users", SUB, 0, 0, 0, NULL),
    ROW(SECTION_STEP, words, s.in_turn, "ring", CHOICE, 0, 0, 0, "all|in_turn"),
    ROW(SECTION_STEP, words, s.next_after_s, "next_after_s", NUMBER, 0, 1, 300, NULL),
    ROW(SECTION_STEP, words, trunk, "trunk", NAME, 0, 1, 63, NULL),
    ROW(SECTION_STEP, words, s.to, "trunks", SUB, 0, 0, 0, NULL),
    ROW(SECTION_STEP, words, forward, "forward", TEXT, 0, 1, 63, NULL),
    ROW(SECTION_STEP, words, voicemail, "voicemail", TEXT, 0, 1, 63, NULL),
    ROW(SECTION_STEP, words, s.file, "announce", PATH, 0, 0, 0, NULL),
    ROW(SECTION_STEP, words, s.is_answered, "answer", BOOL, 0, 0, 0, NULL),
    ROW(SECTION_STEP, words, refuse, "refuse", NUMBER, 0, 400, 699, NULL),
    ROW(SECTION_STEP, words, s.reason, "reason", TEXT, 0, 1, 63, NULL),
    ROW(SECTION_STEP, words, s.timeout_s, "timeout_s", NUMBER, 0, 1, 600, NULL),
    ROW(SECTION_STEP, words, on, "on", SUB, 0, 0, 0, NULL),
    ROW(SECTION_TARGET, entry, name, "name", NAME, FIELD_REQUIRED, 1, 63, NULL),
    ROW(SECTION_TARGET, entry, priority, "priority", NUMBER, 0, 1, 1000, NULL),
    ROW(SECTION_TARGET, entry, weight, "weight", NUMBER, 0, 1, 10000, NULL),
};

static const char what[] =
    "one of {user: NAME}, {users: [NAMES]}, {trunk: NAME}, {trunks: [NAMES]}, {forward: "
    "NUMBER}, {voicemail: NUMBER}, {announce: FILE}, {refuse: STATUS}, echo, tone";

static bool to_add(struct route_step *s, struct slice name, uint32_t priority, uint32_t weight) {
  if (s->n == ROUTE_TARGETS_MAX || !field_is_name(name) || name.n >= CONF_NAME_BYTES)
    return false;
  struct route_target *t = &s->to[s->n++];
  slice_copy(t->name, sizeof(t->name), name);
  t->priority = (uint16_t)priority;
  t->weight = (uint16_t)weight;
  return true;
}

static void users_read(const struct plan_reader *p, const struct tree_node *list, struct route_step *s) {
  if (list->kind != TREE_LIST || list->n == 0 || list->n > ROUTE_TARGETS_MAX) {
    part_fail(p, list->line, "then.users", "a list of 1 to 16 names");
    return;
  }
  for (const struct tree_node *item = list->child; item; item = item->next)
    if (item->kind != TREE_SCALAR || !to_add(s, item->text, 1, 1))
      part_fail(p, item->line, "then.users", "a user's name");
}

static void trunk_read(const struct plan_reader *p, const struct tree_node *item, struct route_step *s) {
  struct entry e = {.priority = 1, .weight = 1};
  if (item->kind == TREE_MAP) {
    part_read(p, rows, COUNT_OF(rows), SECTION_TARGET, item, "then.trunks", &e);
    if (e.name[0])
      (void)to_add(s, slice_of(e.name), e.priority, e.weight);
  } else if (item->kind != TREE_SCALAR || !to_add(s, item->text, 1, 1)) {
    part_fail(p, item->line, "then.trunks", "a trunk's name, or {name: NAME, priority: N, weight: N}");
  }
}

static void trunks_read(const struct plan_reader *p, const struct tree_node *list,
                        struct route_step *s) {
  s->is_table = list->kind == TREE_SCALAR && slice_eq(list->text, SLICE("table"));
  if (s->is_table)
    return;
  if (list->kind != TREE_LIST || list->n == 0 || list->n > ROUTE_TARGETS_MAX) {
    part_fail(p, list->line, "then.trunks", "a list of 1 to 16 trunks, or table");
    return;
  }
  for (const struct tree_node *item = list->child; item; item = item->next)
    trunk_read(p, item, s);
}

static void on_read(const struct plan_reader *p, const struct tree_node *node, struct route_step *s) {
  const struct tree_node *item = node->kind == TREE_LIST ? node->child : node;
  for (; item; item = node->kind == TREE_LIST ? item->next : NULL) {
    int i = item->kind == TREE_SCALAR ? field_choice(OUTCOMES, item->text) : -1;
    if (i < 0)
      part_fail(p, item->line, "then.on", "of " OUTCOMES);
    else
      s->on |= i == 6 ? (uint32_t)OUTCOME_ALWAYS : 1U << i;
  }
}

/* Which of the kinds it is: exactly one of the keys that say so. */
static unsigned kinds_of(const struct tree_node *map, struct words *w, enum route_action *ret) {
  const struct {
    bool is_there;
    enum route_action action;
  } kinds[] = {
      {w->user[0] || tree_find(map, "users"), ROUTE_USER},
      {w->trunk[0] || tree_find(map, "trunks"), ROUTE_TRUNK},
      {w->forward[0] || w->voicemail[0], ROUTE_FORWARD},
      {w->s.file[0], ROUTE_ANNOUNCE},
      {w->refuse && !w->s.file[0], ROUTE_REFUSE},
  };
  unsigned n = 0;
  for (size_t i = 0; i < COUNT_OF(kinds); i++)
    if (kinds[i].is_there) {
      *ret = kinds[i].action;
      n++;
    }
  bool is_double = (w->user[0] && tree_find(map, "users")) ||
                   (w->trunk[0] && tree_find(map, "trunks")) || (w->forward[0] && w->voicemail[0]);
  return is_double ? 2 : n;
}

static void numbers_take(struct words *w) {
  const char *number = w->voicemail[0] ? w->voicemail : w->forward;
  w->s.is_voicemail = w->voicemail[0] != 0;
  memcpy(w->s.number, number, sizeof(w->s.number));
  w->s.sip = (int)w->refuse;
}

/* What goes on without being asked to: never after a person's no, nor where the number does not exist.
 */
static uint32_t on_default(enum route_action a) {
  return a == ROUTE_USER      ? OUTCOME_NO_ANSWER | OUTCOME_UNREACHABLE
         : a == ROUTE_TRUNK   ? OUTCOME_UNREACHABLE
         : a == ROUTE_FORWARD ? OUTCOME_UNREACHABLE
                              : 0;
}

static void step_read(const struct plan_reader *p, const struct tree_node *node,
                      struct route_step *ret) {
  struct words w = {0};
  bool is_word = node->kind == TREE_SCALAR;
  w.s.line = node->line;
  if (is_word && slice_eq(node->text, SLICE("echo"))) {
    w.s.action = ROUTE_ECHO;
  } else if (is_word && slice_eq(node->text, SLICE("tone"))) {
    w.s.action = ROUTE_TONE;
  } else if (node->kind == TREE_MAP) {
    part_read(p, rows, COUNT_OF(rows), SECTION_STEP, node, "then", &w);
    if (kinds_of(node, &w, &w.s.action) != 1)
      part_fail(p, node->line, "then", what);
    const struct tree_node *users = tree_find(node, "users"), *trunks = tree_find(node, "trunks");
    const struct tree_node *on = tree_find(node, "on");
    if (users)
      users_read(p, users, &w.s);
    if (trunks)
      trunks_read(p, trunks, &w.s);
    if (w.user[0] || w.trunk[0])
      (void)to_add(&w.s, slice_of(w.user[0] ? w.user : w.trunk), 1, 1);
    numbers_take(&w);
    w.s.on = on_default(w.s.action);
    if (on) {
      w.s.on = 0;
      on_read(p, on, &w.s);
    }
  } else {
    part_fail(p, node->line, "then", what);
  }
  *ret = w.s;
}

static bool is_last(const struct route_step *s) {
  return s->action == ROUTE_REFUSE || s->action == ROUTE_ECHO || s->action == ROUTE_TONE ||
         s->action == ROUTE_ANNOUNCE;
}

int steps_read(struct plan_reader *p, const struct tree_node *then) {
  struct rule *r = p->rule;
  bool is_list = then && then->kind == TREE_LIST;
  if (!then)
    return 0;
  if (is_list && (then->n == 0 || then->n > ROUTE_STEPS_MAX)) {
    part_fail(p, then->line, "then", "a list of 1 to 8 steps");
    return 0;
  }
  r->steps = calloc(is_list ? then->n : 1, sizeof(*r->steps));
  if (!r->steps)
    return -ENOMEM;
  const struct tree_node *item = is_list ? then->child : then;
  for (; item; item = is_list ? item->next : NULL) {
    step_read(p, item, &r->steps[r->n_steps++]);
    if (is_list && item->next && is_last(&r->steps[r->n_steps - 1]))
      part_fail(p, item->line, "then", "nothing after a step that ends the call");
  }
  return 0;
}
