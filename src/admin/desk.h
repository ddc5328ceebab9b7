/* SPDX-License-Identifier: Apache-2.0
 * Inside of the area: the admin object and its verbs. */
#pragma once
#include "admin/admin.h"
#include "admin/gate.h"
#include "admin/show.h"

#include <pthread.h>

enum {
  ADMIN_HEALTH,
  ADMIN_READY,
  ADMIN_METRICS,
  ADMIN_CALLS,
  ADMIN_TRUNKS,
  ADMIN_RECORDS,
  ADMIN_RECORD,
  ADMIN_MINT,
  ADMIN_REVOKE
};

struct admin {
  struct web *web;
  struct gate gate;
  struct tokens *tokens;
  bool (*ready)(void *arg, char ret_why[ADMIN_REASON_BYTES]);
  void *ready_arg;
  json_t *(*calls)(void *arg);
  json_t *(*trunks)(void *arg);
  void *calls_arg;
  pthread_mutex_t lock; /* lock is for what follows. */
  struct reader *reader;
  struct counts *tables[ADMIN_GROUPS_MAX];
  struct gauge gauges[ADMIN_GROUPS_MAX];
  size_t tables_n, gauges_n;
};

/* Verbs that run on web threads; arg is the admin. */
web_direct_fn admin_health, admin_ready, admin_metrics, admin_records, admin_record, admin_mint,
    admin_revoke;
