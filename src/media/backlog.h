/* SPDX-License-Identifier: Apache-2.0
 * Messages that wait for the controller to read. Bounded; what can be spared is lost first. Internal to
 * media; control thread. */
#pragma once
#include "base/list.h"
#include "media/worker.h"

enum {
  BACKLOG_MAX = 8192,
  BACKLOG_SPARE = 1024, /* beyond this, FLOW and QUALITY are lost */
};

struct backlog {
  struct list list;
  uint32_t n;
  uint64_t lost;
};

void backlog_init(struct backlog *b);
void backlog_drop(struct backlog *b);                   /* all of it */
bool backlog_put(struct backlog *b, const union up *u); /* false: it is full */
const union up *backlog_first(const struct backlog *b); /* NULL: none */
void backlog_pop(struct backlog *b);
