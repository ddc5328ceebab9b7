/* SPDX-License-Identifier: Apache-2.0
 * Named counters and gauges of an area: rows of a table, values in relaxed atomics, read by the
 * metrics page. No label can be grown by a peer: labels are literals of the table. Any thread. */
#pragma once
#include "base/own.h"

#include <stdatomic.h>

enum count_kind { COUNT_COUNTER, COUNT_GAUGE };

struct count_row {
  const char *name;   /* name is the metric, e.g. "sallyport_refusals_total". */
  const char *labels; /* labels is "" or e.g. "rule=\"unknown_source\"". */
  const char *help;
  enum count_kind kind;
};

struct counts {
  const struct count_row *rows;
  size_t n;
  _Atomic uint64_t *values; /* values holds n numbers. */
};

/* How many rows there are; a table may grow, by whoever owns it, while other threads read the rows before. */
static inline size_t count_rows_n(const struct counts *c) { return __atomic_load_n(&c->n, __ATOMIC_ACQUIRE); }
static inline void count_add(struct counts *c, size_t row, uint64_t by) {
  atomic_fetch_add_explicit(&c->values[row], by, memory_order_relaxed);
}
static inline void count_one(struct counts *c, size_t row) { count_add(c, row, 1); }
static inline void count_set(struct counts *c, size_t row, uint64_t v) {
  atomic_store_explicit(&c->values[row], v, memory_order_relaxed);
}
static inline uint64_t count_get(const struct counts *c, size_t row) {
  return atomic_load_explicit(&c->values[row], memory_order_relaxed);
}
