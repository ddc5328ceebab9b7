/* SPDX-License-Identifier: Apache-2.0
 * What operators see: a record as JSON, counters as Prometheus text. Pure. */
#pragma once
#include "base/count.h"
#include "store/store.h"
#include "web/web.h"

json_t *show_record(const struct record *r); /* new reference */
