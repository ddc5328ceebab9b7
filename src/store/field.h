/* SPDX-License-Identifier: Apache-2.0
 * The table of columns between struct record and SQLite. Pure but for the statement it binds. */
#pragma once
#include "store/store.h"

#include <sqlite3.h>

struct field {
  const char *column;
  bool is_text;
  size_t at, bytes; /* at is the member's offset in struct record, bytes its size. */
};

extern const struct field fields[];
extern const size_t fields_n;

int field_bind(sqlite3_stmt *st, int slot, const struct field *f,
               const struct record *r); /* SQLite's code */
/* The columns of field_columns(), in order from 0; all else of *ret is zeroed. */
void fields_read(sqlite3_stmt *st, struct record *ret);
/* "id, call_id, …" into text; for statements. Returns text. */
char *field_columns(char *text, size_t bytes);
