/* SPDX-License-Identifier: Apache-2.0
 * Inside of the area: the admin object and what its rooms share. */
#pragma once
#include "admin/admin.h"
#include "admin/gate.h"
#include "admin/show.h"
#include "admin/verb.h"

#include <pthread.h>

struct admin {
  struct web *web;
  struct web_row *rows;
  struct gate gate;
  struct admin_settings set; /* set is what app wired in; its texts are only good in admin_new(). */
  pthread_mutex_t lock;      /* lock is for what follows. */
  char *store_file;
  pthread_mutex_t reading; /* reading is for reader: a search may take a while. */
  struct reader *reader;
  struct counts *tables[ADMIN_GROUPS_MAX];
  struct gauge gauges[ADMIN_GROUPS_MAX];
  size_t tables_n, gauges_n;
};

/* who.c, desk.c: hooks of web; arg is the admin */
bool desk_who(void *arg, const struct web_knock *k, struct web_asker *ret_who, struct web_answer *ret);
web_direct_fn desk_direct;
web_ask_fn desk_asked; /* the owner's side */
