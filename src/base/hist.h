/* SPDX-License-Identifier: Apache-2.0
 * Histograms for the metrics page: whole numbers into buckets of a table, relaxed atomics. As with
 * counters, labels are literals. Any thread. */
#pragma once
#include "base/own.h"

#include <stdatomic.h>

#define HIST_BOUNDS_MAX 15

struct hist_row {
  const char *name;   /* name ends with its unit, "sallyport_call_pdd_seconds". */
  const char *labels; /* labels is "" or e.g. "direction=\"in\"". */
  const char *help;
  uint32_t bounds[HIST_BOUNDS_MAX + 1]; /* bounds rise, in what is added; 0 ends them. */
  uint32_t per_unit; /* per_unit: so many of what is added are one of the name's unit (1000: ms, s). */
};

struct hist {
  const struct hist_row *row;
  _Atomic uint64_t buckets[HIST_BOUNDS_MAX + 1]; /* the one after the last bound has what is above */
  _Atomic uint64_t sum;
};

static inline void hist_add(struct hist *h, uint64_t v) {
  size_t i = 0;
  while (i < HIST_BOUNDS_MAX && h->row->bounds[i] && v > h->row->bounds[i])
    i++;
  atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&h->sum, v, memory_order_relaxed);
}
