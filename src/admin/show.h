/* SPDX-License-Identifier: Apache-2.0
 * What operators see: a record as JSON, counters as Prometheus text. Pure. */
#pragma once
#include "base/count.h"
#include "store/store.h"
#include "web/web.h"

json_t *show_record(const struct record *r); /* new reference */

struct gauge {
  const char *name, *help;
  uint64_t (*fn)(void *arg);
  void *arg;
};

/* Text of the exposition format 0.0.4 on the heap (NULL: no memory): each name once, its rows together.
 */
char *show_metrics(struct counts *const *tables, size_t tables_n, const struct gauge *gauges,
                   size_t gauges_n, size_t *ret_bytes);
