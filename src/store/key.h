/* SPDX-License-Identifier: Apache-2.0
 * Keys of a record: rows (kind, value, time, record) of a table of its own, so that a search for several
 * of them is a walk in time order over the rarest. Pure but for keys_swap(). */
#pragma once
#include "store/store.h"

#include <sqlite3.h>

enum key_kind {
#define KEY(id, number, prefix) KEY_##id = number,
#include "store/key.def"
#undef KEY
};

#define KEYS_MAX 32

struct key {
  enum key_kind kind;
  struct slice value; /* value points into the record. */
};

struct keys;
int keys_new(struct keys **ret_keys, sqlite3 *file) must_check; /* its statements; -ENOMEM, -EIO */
struct keys *keys_free(struct keys *k);
/* Takes the keys of the record as it was (NULL: it was not), puts those of what it is (NULL: it goes).
 */
int keys_swap(struct keys *k, int64_t row, const struct record *was, const struct record *is) must_check;
