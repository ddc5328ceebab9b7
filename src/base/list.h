/* SPDX-License-Identifier: Apache-2.0
 * Intrusive doubly linked list with a head. One owner thread. */
#pragma once
#include "base/own.h"

struct list {
  struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_is_empty(const struct list *l) { return l->next == l; }
static inline void list_add_tail(struct list *head, struct list *node) {
  node->prev = head->prev;
  node->next = head;
  head->prev->next = node;
  head->prev = node;
}
static inline void list_add_head(struct list *head, struct list *node) {
  list_add_tail(head->next, node);
}
/* Safe on a node that is zeroed or already out. */
static inline void list_del(struct list *node) {
  if (!node->next)
    return;
  node->prev->next = node->next;
  node->next->prev = node->prev;
  node->next = node->prev = NULL;
}
#define LIST_EACH(head, var) for (struct list *var = (head)->next; var != (head); var = var->next)
/* The current node may be deleted inside. */
#define LIST_EACH_SAFE(head, var) \
  for (struct list *var = (head)->next, *var##_next = var->next; var != (head); \
       var = var##_next, var##_next = var->next)
