/* SPDX-License-Identifier: Apache-2.0
 * Header fields added, removed and rewritten by a trunk's settings, in the INVITE that begins a call.
 * Inside trunk. See edits.c. */
#pragma once
#include "conf/conf.h"
#include "base/text.h"

enum { EDIT_LINES_BYTES = 16384 };

struct edit_words { /* what stands for ${called}, ${caller}, ${trunk}, ${session_id} */
  const char *called, *caller, *trunk, *session_id;
};

/* The value with its words in place, each escaped as in a URI. 0 or -ENOSPC. */
int edit_value(char *dst, size_t bytes, const char *template, const struct edit_words *w) must_check;
/* Does the edit take a field of this name and value? */
bool edit_takes(const struct conf_edit *e, struct slice name, struct slice value);
/* The value that rewrite makes of one that it takes. 0 or -ENOSPC. */
int edit_rewrite(char *dst, size_t bytes, const struct conf_edit *e, struct slice value,
                 const struct edit_words *w) must_check;
/* Lines "Name: value\r\n" through all edits, in their order. What does not fit stays as it is. */
void edits_apply(char lines[EDIT_LINES_BYTES], const struct conf_edits *edits,
                 const struct edit_words *w);
