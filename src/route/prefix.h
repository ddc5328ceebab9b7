/* SPDX-License-Identifier: Apache-2.0
 * Prefixes of numbers → carriers, the longest one wins: a trie over digits with a bit for each child,
 * built once from CSV, read-only afterwards. About 35 bytes a prefix. Pure. Inside route. */
#pragma once
#include "conf/field.h"

enum {
  PREFIX_DIGITS_MAX = 15, /* of a number; what follows them is not looked at */
  PREFIX_ROWS_MAX = 4000000,
  PREFIX_SAME_MAX = 8, /* rows of one prefix: its carriers */
  PREFIX_LABELS_MAX = 1024,
  PREFIX_FILE_MAX_BYTES = 256 << 20,
};

struct prefix_row {
  uint64_t key; /* key is the prefix: a nibble a digit from the top, digit + 1; 0 ends it. */
  uint32_t cost;
  uint16_t label, weight; /* label is a number of prefix_label. */
};

struct prefixes;
/* Lines PREFIX,LABEL[,WEIGHT[,COST]]; a prefix on several lines has several carriers, the cheapest
 * first.
 * '#' begins a comment, a first line that begins with "prefix" names the columns. 0, or -EINVAL with an
 * error for each bad line, -ENOMEM. */
int prefixes_parse(struct prefixes **ret, const char *file, struct slice csv,
                   struct conf_errors *errors) must_check;
/* is_mute: errors tell the line, not what stands there: who asks need not be one who may read the file. */
int prefixes_load(struct prefixes **ret, const char *file, const struct field_paths *paths,
                  struct conf_errors *errors) must_check;
struct prefixes *prefixes_free(struct prefixes *p);
OWN_DEFINE(prefixes)
/* The rows of the longest prefix of the number (a + in front counts for nothing): how many, 0 to
 * PREFIX_SAME_MAX. *ret_digits is its length. */
uint32_t prefixes_find(const struct prefixes *p, struct slice number, const struct prefix_row **ret_rows,
                       uint32_t *ret_digits);
const char *prefix_label(const struct prefixes *p, uint16_t label);
uint32_t prefix_labels(const struct prefixes *p);
uint32_t prefix_rows(const struct prefixes *p);
size_t prefixes_bytes(const struct prefixes *p); /* memory that it holds */
