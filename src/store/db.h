/* SPDX-License-Identifier: Apache-2.0
 * The writer's connection: schema, transactions, upserts. One thread. */
#pragma once
#include "store/store.h"

struct db;
int db_open(struct db **ret_db, const char *file) must_check; /* 0, -errno, -EIO, or -EBADMSG: broken */
/* After a failure, before anything else: why, a text that stays; is it the file itself? */
const char *db_why(const struct db *d);
bool db_is_broken(const struct db *d);
struct db *db_free(struct db *d);
OWN_DEFINE(db)
int db_begin(struct db *d) must_check;
int db_put(struct db *d, const struct record *r, uint64_t wall_ms) must_check;
/* From now on each record that is put waits in the spool as well, or none does; interim: live ones too.
 */
void db_spool(struct db *d, bool spools, bool interim);
int db_commit(struct db *d) must_check; /* on the disk when it returns 0 */
void db_rollback(struct db *d);
int db_close_live(struct db *d) must_check; /* rows that an earlier instance left: gateway_restart */
int db_purge(struct db *d, uint64_t before_ms) must_check; /* at most 500 ended rows; how many went */
/* The same, of the oldest, if the file's content has more than so many bytes: how many went. */
int db_shrink(struct db *d, uint64_t max_bytes) must_check;
int db_get(struct db *d, const char *id, struct record *ret) must_check; /* -ENOENT */
/* Records that are over and have that number or user, at most max ids: their number. */
int db_find(struct db *d, const char *who, char (*ret_ids)[40], int max) must_check;
int db_live_of(struct db *d, const char *who, uint64_t *ret_n) must_check; /* live ones of that person */
/* Folds the log into the file and empties it: 0, or -EBUSY while a reader holds it. */
int db_fold(struct db *d) must_check;
