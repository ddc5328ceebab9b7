/* SPDX-License-Identifier: Apache-2.0
 * Counters, gauges and histograms as text of Prometheus (0.0.4) or OpenMetrics (1.0). Pure. */
#pragma once
#include "base/count.h"
#include "base/hist.h"

struct gauge {
  const char *name, *help;
  uint64_t (*fn)(void *arg);
  void *arg;
};

struct metrics {
  struct counts *const *tables;
  size_t tables_n;
  const struct gauge *gauges;
  size_t gauges_n;
  const struct hist *hists;
  size_t hists_n;
};

/* On the heap (NULL: no memory): each name once, its rows together. open: OpenMetrics. */
char *metrics_text(const struct metrics *m, bool open, size_t *ret_bytes);
