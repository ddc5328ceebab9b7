/* SPDX-License-Identifier: Apache-2.0
 * The writer's connection: schema, transactions, upserts. One thread. */
#pragma once
#include "store/store.h"

struct db;
int db_open(struct db **ret_db, const char *file) must_check; /* 0, -errno, or -EIO */
struct db *db_free(struct db *d);
OWN_DEFINE(db)
int db_begin(struct db *d) must_check;
int db_put(struct db *d, const struct record *r, uint64_t wall_ms) must_check;
int db_commit(struct db *d) must_check; /* on the disk when it returns 0 */
void db_rollback(struct db *d);
int db_close_live(struct db *d) must_check; /* rows that an earlier instance left: gateway_restart */
int db_purge(struct db *d, uint64_t before_ms) must_check; /* at most 500 ended rows */
