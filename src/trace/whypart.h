/* SPDX-License-Identifier: Apache-2.0
 * What the two rooms of a cause share: the view that conditions and words look through. */
#pragma once
#include "base/text.h"
#include "trace/why.h"

struct why_view {
  const struct why_facts *f;
  const struct why_leg *l;     /* the leg that a row is asked about, NULL in other scopes */
  const struct why_attempt *t; /* the last attempt, NULL: none */
  bool is_faulty;              /* is_faulty: the fault is l's. */
};

/* whywords.c: the sentence with its {words}. */
void whywords_write(const struct why_view *v, const char *sentence, char *dst, size_t bytes);
