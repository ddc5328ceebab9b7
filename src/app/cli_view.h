/* SPDX-License-Identifier: Apache-2.0
 * What the command prints. Text of peers is escaped: nothing of it moves a terminal's cursor or changes
 * the order of letters. */
#pragma once
#include <jansson.h>

/* A table of the list doc[noun]; columns "a,b,c". "more: --cursor X" where there is another page. */
void view_table(const json_t *doc, const char *noun, const char *columns);
void view_object(const json_t *doc);              /* "name: value", indented */
void view_problem(long status, const char *body); /* to stderr */
