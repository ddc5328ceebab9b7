/* SPDX-License-Identifier: Apache-2.0
 * A query as a statement: a walk in time order over the rarest thing asked for, the rest looked up on
 * the way. Nothing of a stranger becomes part of the text of a statement. */
#pragma once
#include "store/store.h"

#include <sqlite3.h>

/* Where a page begins: rows before (started_ms, row). */
struct search_page {
  int64_t started_ms, row;
  unsigned limit; /* rows that the statement gives at most */
};

/* A statement that gives columns (text of ours), newest first. 0, -EIO, -ETIMEDOUT (interrupted). */
int search_prepare(sqlite3 *file, const struct reader_query *q, const struct search_page *page,
                   const char *columns, sqlite3_stmt **ret) must_check;
