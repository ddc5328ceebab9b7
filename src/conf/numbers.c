/* SPDX-License-Identifier: Apache-2.0
 * trunks[].numbers, read and checked: how numbers are written on that trunk. Regexes are looked at by
 * route. */
#include "conf/trunk.h"

#include <stdio.h>

static bool is_digits(const char *s) { return s[strspn(s, "0123456789")] == 0; }

static void rules_read(const struct field_reader *r, const struct tree_node *list, const char *path,
                       struct conf_number_rules *to) {
  char name[128];
  if (list && list->kind != TREE_LIST)
    conf_error_add(r->errors, r->file, list->line, "%s: expected a list of maps", path);
  if (!list || list->kind != TREE_LIST)
    return;
  for (const struct tree_node *item = list->child; item; item = item->next) {
    if (to->n == CONF_NUMBER_RULES_MAX) {
      conf_error_add(r->errors, r->file, item->line, "%s: expected at most %d items", path,
                     CONF_NUMBER_RULES_MAX);
      return;
    }
    snprintf(name, sizeof(name), "%s[%u]", path, to->n);
    field_map_read(r, conf_fields, conf_fields_n, SECTION_TRUNK_NUMBER_RULE, item, name, item->line,
                   &to->rule[to->n++]);
  }
}

static void numbers_check(const struct field_reader *r, const struct conf_numbers *n, uint32_t line,
                          const char *path) {
  if (!is_digits(n->country) || !is_digits(n->national) || !is_digits(n->international))
    conf_error_add(r->errors, r->file, line, "%s: country, national and international: expected digits",
                   path);
  if (n->form >= NUMBERS_NATIONAL && !n->country[0])
    conf_error_add(r->errors, r->file, line, "%s.form: national and international need country", path);
}

void conf_numbers_read(struct conf_trunk *t, const struct field_reader *r, const struct tree_node *map,
                       const char *path) {
  static const char *const keys[] = {"inbound_called", "inbound_caller", "outbound_called",
                                     "outbound_caller"};
  char name[64], list[96];
  struct field_reader plain = {.file = r->file, .errors = r->errors};
  snprintf(t->numbers.international, sizeof(t->numbers.international), "00");
  if (!map)
    return;
  snprintf(name, sizeof(name), "%s.numbers", path);
  field_map_read(&plain, conf_fields, conf_fields_n, SECTION_TRUNK_NUMBERS, map, name, map->line, t);
  for (size_t i = 0; i < COUNT_OF(keys); i++) {
    snprintf(list, sizeof(list), "%s.%s", name, keys[i]);
    rules_read(&plain, tree_find(map, keys[i]), list, &t->numbers.rules[i]);
  }
  numbers_check(&plain, &t->numbers, map->line, name);
}
