/* SPDX-License-Identifier: Apache-2.0
 * Units of the store: every field comes back, lists and cursors, restart, a disk that refuses, kill -9.
 */
#include "base/clock.h"
#include "store/db.h"
#include "store/field.h"
#include "store/schema.h"
#include "store/store.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[64], file[96];

static void setup(void) {
  snprintf(dir, sizeof(dir), "/tmp/check_store.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  snprintf(file, sizeof(file), "%s/records.db", dir);
}

static void teardown(void) {
  static const char *const ends[] = {"", "-wal", "-shm"};
  char path[128];
  for (size_t i = 0; i < COUNT_OF(ends); i++) {
    snprintf(path, sizeof(path), "%s%s", file, ends[i]);
    unlink(path);
  }
  rmdir(dir);
}

TestSuite(store, .init = setup, .fini = teardown);

static struct store *store_open(size_t queue_max) {
  struct store *s = NULL;
  cr_assert_eq(store_new(&s,
                         &(struct store_settings){
                             .file = file, .commit_ms = 5, .retry_ms = 20, .queue_max = queue_max}),
               0);
  return s;
}

static struct record numbered(int i, enum record_state state) {
  struct record r = {.state = state, .started_ms = 1000u + (uint64_t)i / 2u};
  snprintf(r.id, sizeof(r.id), "c_%04d", i);
  snprintf(r.from, sizeof(r.from), "+1425555%04d", i % 3);
  snprintf(r.to, sizeof(r.to), "+1206555%04d", i % 5);
  snprintf(r.reason, sizeof(r.reason), "%s", i % 2 ? "completed" : "busy");
  return r;
}

Test(store, every_field_comes_back) {
  own(store) s = store_open(0);
  own(reader) rd = NULL;
  static struct record in, out;
  uint8_t *bytes = (uint8_t *)&in;
  for (size_t i = 0; i < fields_n; i++) { /* a different value in each */
    if (fields[i].is_text)
      snprintf((char *)bytes + fields[i].at, fields[i].bytes, "v%zu", i);
    else
      bytes[fields[i].at] = (uint8_t)(i + 1);
  }
  in.state = RECORD_REFUSED;
  in.started_ms = 1800000000123ull;
  memset(in.metadata, 'm', sizeof(in.metadata) - 1);
  cr_assert_eq(store_put(s, &in), 0);
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(reader_get(rd, in.id, &out), 0);
  for (size_t i = 0; i < fields_n; i++)
    cr_assert_arr_eq((uint8_t *)&out + fields[i].at, bytes + fields[i].at,
                     fields[i].is_text ? strlen((char *)bytes + fields[i].at) + 1 : fields[i].bytes,
                     "%s", fields[i].column);
  cr_assert_eq(reader_get(rd, "c_none", &out), -ENOENT);
  cr_assert_eq(reader_get(rd, "' OR 1=1 --", &out), -ENOENT);
  struct stat st;
  cr_assert_eq(stat(file, &st), 0);
  cr_assert_eq(st.st_mode & 077, 0);
}

Test(store, the_last_put_of_an_id_wins) {
  own(store) s = store_open(0);
  own(reader) rd = NULL;
  static struct record out;
  struct record r = numbered(1, RECORD_LIVE);
  for (uint32_t i = 0; i < 10; i++) {
    r.interim = i;
    cr_assert_eq(store_put(s, &r), 0);
  }
  r.state = RECORD_ENDED;
  cr_assert_eq(store_put(s, &r), 0);
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(reader_get(rd, r.id, &out), 0);
  cr_assert_eq(out.state, RECORD_ENDED);
  cr_assert_eq(out.interim, 9);
}

static size_t list_count(struct reader *rd, struct reader_query q) {
  size_t all = 0, n;
  struct record *rows;
  do {
    char cursor[READER_CURSOR_BYTES];
    cr_assert_eq(reader_list(rd, &q, &rows, &n, cursor), 0);
    for (size_t i = 1; i < n; i++)
      cr_assert(
          rows[i - 1].started_ms > rows[i].started_ms ||
          (rows[i - 1].started_ms == rows[i].started_ms && strcmp(rows[i - 1].id, rows[i].id) > 0));
    free(rows);
    all += n;
    memcpy(q.cursor, cursor, sizeof(cursor));
  } while (q.cursor[0]);
  return all;
}

Test(store, lists_filter_and_go_on) {
  own(store) s = store_open(0);
  own(reader) rd = NULL;
  struct record *rows;
  size_t n;
  char cursor[READER_CURSOR_BYTES];
  for (int i = 0; i < 120; i++) {
    struct record r = numbered(i, i < 20 ? RECORD_REFUSED : RECORD_ENDED);
    cr_assert_eq(store_put(s, &r), 0);
  }
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){.limit = 7}), 120);
  cr_assert_eq(list_count(rd, (struct reader_query){.limit = 120}), 120);
  cr_assert_eq(
      list_count(rd, (struct reader_query){.limit = 7, .has_state = true, .state = RECORD_REFUSED}), 20);
  cr_assert_eq(list_count(rd, (struct reader_query){.limit = 7, .reason = "busy"}), 60);
  cr_assert_eq(list_count(rd, (struct reader_query){.limit = 7, .number = "+14255550001"}), 40);
  cr_assert_eq(list_count(rd, (struct reader_query){.limit = 7, .number = "+12065550004"}), 24);
  cr_assert_eq(list_count(rd, (struct reader_query){.limit = 7, .since_ms = 1010, .until_ms = 1020}),
               20);
  cr_assert_eq(list_count(rd, (struct reader_query){.limit = 7, .number = "%"}), 0);
  cr_assert_eq(reader_list(rd, &(struct reader_query){.limit = 501}, &rows, &n, cursor), -EINVAL);
  cr_assert_eq(reader_list(rd, &(struct reader_query){.cursor = "x"}, &rows, &n, cursor), -EINVAL);
  cr_assert_eq(reader_list(rd, &(struct reader_query){.cursor = "12"}, &rows, &n, cursor), -EINVAL);
  cr_assert_eq(
      reader_list(rd, &(struct reader_query){.cursor = "99999999999999999999_a"}, &rows, &n, cursor),
      -EINVAL);
}

Test(store, a_restart_closes_what_was_live) {
  static struct record out;
  own(store) s = store_open(0);
  struct record live = numbered(1, RECORD_LIVE), refused = numbered(2, RECORD_REFUSED);
  live.answered_ms = 5000;
  cr_assert_eq(store_put(s, &live), 0);
  cr_assert_eq(store_put(s, &refused), 0);
  s = store_free(s);
  s = store_open(0);
  own(reader) rd = NULL;
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(reader_get(rd, live.id, &out), 0);
  cr_assert_eq(out.state, RECORD_ENDED);
  cr_assert_str_eq(out.reason, "gateway_restart");
  cr_assert_str_eq(out.end_by, "gateway");
  cr_assert_geq(out.ended_ms, 5000);
  cr_assert_eq(reader_get(rd, refused.id, &out), 0);
  cr_assert_eq(out.state, RECORD_REFUSED);
  cr_assert_str_eq(out.reason, "busy");
}

/* A child puts records and is killed without warning 200 ms after the last one. */
Test(store, kill_loses_nothing_committed) {
  static struct record out;
  pid_t pid = fork();
  cr_assert_geq(pid, 0);
  if (pid == 0) {
    struct store *s = NULL;
    if (store_new(&s, &(struct store_settings){.file = file}) < 0)
      _exit(1);
    for (int i = 0; i < 50; i++) {
      struct record r = numbered(i, RECORD_LIVE);
      (void)store_put(s, &r);
    }
    usleep(500000);
    kill(getpid(), SIGKILL);
  }
  int status;
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  own(store) s = store_open(0);
  cr_assert_not_null(s);
  own(reader) rd = NULL;
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){0}), 50);
  cr_assert_eq(reader_get(rd, "c_0049", &out), 0);
  cr_assert_str_eq(out.reason, "gateway_restart");
}

/* Another writer holds the database: as a full disk, commits fail. */
Test(store, a_disk_that_refuses_blocks_nobody) {
  own(store) s = store_open(30);
  own(reader) rd = NULL;
  sqlite3 *other = NULL;
  cr_assert_eq(sqlite3_open(file, &other), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  uint64_t began_us = clock_now_us();
  for (int i = 0; i < 100; i++) {
    struct record r = numbered(i, RECORD_ENDED);
    (void)!store_put(s, &r);
  }
  cr_assert_lt(clock_now_us() - began_us, 200000);
  cr_assert_eq(store_flush(s, 10), -ETIMEDOUT);
  for (int i = 0; store_is_well(s) && i < 300; i++)
    usleep(10000);
  cr_assert_not(store_is_well(s));
  cr_assert_leq(count_get(store_counts(s), STORE_WAITING), 30);
  cr_assert_geq(count_get(store_counts(s), STORE_DROPPED), 70);
  cr_assert_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(other);
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert(store_is_well(s));
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){0}), 30);
}

Test(store, a_newer_file_is_left_alone) {
  sqlite3 *other = NULL;
  struct store *s = NULL;
  cr_assert_eq(sqlite3_open(file, &other), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(other, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(other);
  chmod(file, 0600);
  cr_assert_eq(store_new(&s, &(struct store_settings){.file = file}), -EIO);
  cr_assert_eq(store_new(&s, &(struct store_settings){.file = "/nonexistent/records.db"}), -ENOENT);
}

/* Its records are there, what it had no column for is 0, and new ones go in. */
Test(store, a_file_that_lacks_columns_gets_them) {
  sqlite3 *other = NULL;
  own(reader) rd = NULL;
  struct record r = numbered(1, RECORD_ENDED);
  struct store *old = store_open(0);
  cr_assert_eq(store_put(old, &r), 0);
  store_free(old);
  cr_assert_eq(sqlite3_open(file, &other), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(other,
                            "ALTER TABLE records DROP COLUMN caller_rx_mos_x100;"
                            "ALTER TABLE records DROP COLUMN callee_silent_ms",
                            NULL, NULL, NULL),
               SQLITE_OK);
  sqlite3_close(other);
  own(store) s = store_open(0);
  r = numbered(2, RECORD_ENDED);
  r.caller.rx.mos_x100 = 421;
  cr_assert_eq(store_put(s, &r), 0);
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert_eq(reader_new(&rd, file), 0);
  static struct record out;
  cr_assert(reader_get(rd, "c_0001", &out) == 0 && out.caller.rx.mos_x100 == 0);
  cr_assert(reader_get(rd, "c_0002", &out) == 0 && out.caller.rx.mos_x100 == 421);
}

Test(store, old_records_go) {
  own(store) s = store_open(0);
  own(db) d = NULL;
  own(reader) rd = NULL;
  for (int i = 0; i < 10; i++) {
    struct record r = numbered(i, i == 0 ? RECORD_LIVE : RECORD_ENDED);
    cr_assert_eq(store_put(s, &r), 0);
  }
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert_eq(db_open(&d, file), 0);
  cr_assert_eq(db_purge(d, 1003), 5);
  cr_assert_eq(db_purge(d, 1003), 0);
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){0}), 5); /* 0 lives; 1 to 5 are gone */
}

/* A newer row of the same call comes while the older one is being tried: the newer must win. */
Test(store, a_failed_commit_keeps_the_order) {
  own(store) s = store_open(0);
  own(reader) rd = NULL;
  static struct record out;
  sqlite3 *other = NULL;
  cr_assert_eq(sqlite3_open(file, &other), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  struct record r = numbered(1, RECORD_LIVE);
  cr_assert_eq(store_put(s, &r), 0);
  usleep(200000); /* the writer waits for the lock now */
  r.state = RECORD_ENDED;
  cr_assert_eq(store_put(s, &r), 0);
  for (int i = 0; store_is_well(s) && i < 300; i++)
    usleep(10000);
  cr_assert_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(other);
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(reader_get(rd, r.id, &out), 0);
  cr_assert_eq(out.state, RECORD_ENDED);
}

/* Several things at once, each of them the rarest in turn; a prefix of few and one of all. */
Test(store, searches_for_several_things) {
  own(store) s = store_open(0);
  own(reader) rd = NULL;
  for (int i = 0; i < 120; i++) {
    struct record r = numbered(i, RECORD_ENDED);
    r.caller.kind = RECORD_LEG_TRUNK;
    snprintf(r.caller.peer, sizeof(r.caller.peer), "%s", i % 4 ? "big" : "small");
    snprintf(r.caller.sip_call_id, sizeof(r.caller.sip_call_id), "%d-abc@host", i);
    snprintf(r.identity, sizeof(r.identity), "user%d", i % 10);
    snprintf(r.tenant, sizeof(r.tenant), "t%d", i % 2);
    if (i % 6 == 0)
      snprintf(r.attempts, sizeof(r.attempts), "[{\"trunk\":\"dead\",\"sip\":503},{\"trunk\":\"big\"}]");
    if (i % 40 == 0)
      snprintf(r.cause_id, sizeof(r.cause_id), "silent");
    if (i == 7)
      snprintf(r.cause_id, sizeof(r.cause_id), "loss");
    if (i % 12 == 0)
      r.callee.mos_x100 = 250;
    if (i % 12 == 1)
      r.caller.mos_x100 = 410, r.callee.mos_x100 = 430;
    cr_assert_eq(store_put(s, &r), 0);
  }
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert_eq(reader_new(&rd, file), 0);
  const struct {
    struct reader_query q;
    size_t n;
  } rows[] = {
      {{.trunk = "small"}, 30},
      {{.trunk = "big"}, 100}, /* 90, and 10 of the attempts whose caller is of small */
      {{.trunk = "dead"}, 20},
      {{.trunk = "dead", .reason = "completed"}, 0},
      {{.trunk = "small", .user = "user4"}, 6},
      {{.trunk = "small", .user = "user4", .tenant = "t0", .reason = "busy", .number = "+14255550001"},
       2},
      {{.trunk = "small", .q = "7-"}, 0},
      {{.q = "7-"}, 1},
      {{.q = "user4", .trunk = "small"}, 6},
      {{.q = "+1425"}, 120},
      {{.q = "+1425", .since_ms = 1010, .until_ms = 1020}, 20},
      {{.q = "%"}, 0},
      {{.q = "' OR 1 --"}, 0},
      {{.cause = "silent"}, 3},
      {{.cause = "any"}, 4},
      {{.max_mos_x100 = 300}, 10},
      {{.min_mos_x100 = 400}, 10},
      {{.max_mos_x100 = 420, .trunk = "small"}, 10},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct reader_query q = rows[i].q;
    q.limit = 7;
    cr_expect_eq(list_count(rd, q), rows[i].n, "query %zu: %zu", i, list_count(rd, q));
  }
}

/* What no longer holds of a record is no longer found. */
Test(store, keys_follow_the_record) {
  own(store) s = store_open(0);
  own(reader) rd = NULL;
  struct record r = numbered(1, RECORD_LIVE);
  cr_assert_eq(store_put(s, &r), 0);
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){.has_state = true, .state = RECORD_LIVE}), 1);
  r.state = RECORD_ENDED;
  snprintf(r.to, sizeof(r.to), "+4930123");
  r.started_ms += 5;
  cr_assert_eq(store_put(s, &r), 0);
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){.has_state = true, .state = RECORD_LIVE}), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){.has_state = true, .state = RECORD_ENDED}), 1);
  cr_assert_eq(list_count(rd, (struct reader_query){.number = "+12065550001"}), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){.number = "+4930123"}), 1);
}

static void text_of(sqlite3 *db, const char *sql, char *dst, size_t bytes) {
  sqlite3_stmt *st = NULL;
  size_t at = 0;
  cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
  while (sqlite3_step(st) == SQLITE_ROW) {
    for (int i = 0; i < sqlite3_column_count(st); i++)
      at += (size_t)snprintf(dst + at, bytes - at, "%s|", (const char *)sqlite3_column_text(st, i));
    cr_assert_lt(at, bytes);
  }
  sqlite3_finalize(st);
}

static void fixture_load(int version) {
  char path[512];
  const char *dir_set = getenv("SRCDIR");
  sqlite3 *db = NULL;
  own_mem char *sql = calloc(1, 1 << 16);
  snprintf(path, sizeof(path), "%s/tests/unit/fixtures/records-%d.sql", dir_set ? dir_set : SRCDIR,
           version);
  FILE *f = fopen(path, "r");
  cr_assert_not_null(f, "%s", path);
  cr_assert_gt(fread(sql, 1, (1 << 16) - 1, f), 0);
  fclose(f);
  teardown();
  setup();
  cr_assert_eq(sqlite3_open(file, &db), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
  sqlite3_close(db);
  chmod(file, 0600);
}

#define SHAPE \
  "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('records') ORDER BY name"
#define OTHERS "SELECT type, name, tbl_name FROM sqlite_master ORDER BY type, name"

static void shape_of(char dst[16384]) {
  sqlite3 *db = NULL;
  cr_assert_eq(sqlite3_open(file, &db), SQLITE_OK);
  text_of(db, SHAPE, dst, 12288);
  text_of(db, OTHERS, dst + strlen(dst), 2048);
  text_of(db, "PRAGMA user_version", dst + strlen(dst), 1024);
  text_of(db, "PRAGMA integrity_check", dst + strlen(dst), 1024);
  sqlite3_close(db);
}

/* Each schema that was: upgraded, it has the shape of a new file, its records, and they are found. */
Test(store, every_older_schema_is_upgraded) {
  static char fresh[16384], grown[16384];
  static struct record out;
  store_free(store_open(0));
  shape_of(fresh);
  for (int version = 1; version < SCHEMA_VERSION; version++) {
    own(reader) rd = NULL;
    fixture_load(version);
    own(store) s = store_open(0);
    shape_of(grown);
    cr_assert_str_eq(grown, fresh, "schema %d", version);
    cr_assert_eq(reader_new(&rd, file), 0);
    cr_assert_eq(reader_get(rd, "c_old1", &out), 0);
    cr_assert_str_eq(out.caller.peer, "carrier");
    cr_assert_eq(out.ended_ms, 1735689664200u);
    cr_assert_eq(out.callee.rx.mos_x100, version > 1 ? 421 : 0);
    cr_assert_eq(reader_get(rd, "r_old2", &out), 0);
    cr_assert_str_eq(out.detail, "O'Brien; DROP TABLE records");
    cr_assert_eq(reader_get(rd, "c_old3", &out), 0);
    cr_assert_str_eq(out.reason, "gateway_restart");
    cr_assert_eq(list_count(rd, (struct reader_query){.number = "+12065550199"}), 3);
    cr_assert_eq(list_count(rd, (struct reader_query){.trunk = "carrier"}), 2);
    cr_assert_eq(list_count(rd, (struct reader_query){.trunk = "first"}), version >= 4);
    cr_assert_eq(list_count(rd, (struct reader_query){.q = "abc-1"}), 1);
    cr_assert_eq(list_count(rd, (struct reader_query){.cause = "silent"}), version == 6);
    cr_assert_eq(list_count(rd, (struct reader_query){.cause = "any"}), version < 6 ? 1 : 2);
    cr_assert_eq(list_count(rd, (struct reader_query){.rule = "unknown_source"}), 1);
  }
}

Test(store, too_much_goes_oldest_first) {
  own(store) s = NULL;
  own(reader) rd = NULL;
  const struct store_settings set = {.file = file, .commit_ms = 5, .keep_bytes = 1 << 30};
  cr_assert_eq(store_new(&s, &set), 0);
  cr_assert_eq(reader_new(&rd, file), 0);
  for (int i = 0; i < 3000; i++) {
    struct record r = numbered(i, i == 0 ? RECORD_LIVE : RECORD_ENDED);
    while (store_put(s, &r) < 0)
      usleep(1000);
  }
  cr_assert_eq(store_flush(s, 20000), 0);
  store_keep(s, 0, 400000);
  struct record *last = calloc(1, sizeof(*last));
  for (int i = 0; i < 500 && !count_get(store_counts(s), STORE_EXPIRED); i++)
    usleep(10000);
  size_t n = list_count(rd, (struct reader_query){.limit = 500});
  cr_assert(n > 200 && n < 3000, "%zu", n);
  cr_assert_eq(reader_get(rd, "c_0000", last), 0, "a live one goes never");
  cr_assert_eq(reader_get(rd, "c_0001", last), -ENOENT);
  cr_assert_eq(reader_get(rd, "c_2999", last), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){.limit = 500, .number = "+12065550001"}) > 0, true);
  free(last);
}

static bool file_has(const char *path, const char *text) {
  own_mem char *all = calloc(1, 1 << 22);
  FILE *f = fopen(path, "r");
  cr_assert_not_null(f);
  size_t n = fread(all, 1, (1 << 22) - 1, f);
  fclose(f);
  return memmem(all, n, text, strlen(text)) != NULL;
}

Test(store, a_person_is_erased) {
  struct store *s = store_open(0);
  own(reader) rd = NULL;
  static struct record r;
  for (int i = 0; i < 450; i++) {
    r = numbered(i, i == 3 ? RECORD_LIVE : RECORD_ENDED);
    snprintf(r.from, sizeof(r.from), "%s", i % 3 ? "+498912345" : "+15550000");
    snprintf(r.identity, sizeof(r.identity), "%s", i % 3 ? "carol" : "dave");
    r.caller.kind = RECORD_LEG_NATIVE;
    snprintf(r.caller.peer, sizeof(r.caller.peer), "%s", r.identity);
    snprintf(r.caller.media_addr, sizeof(r.caller.media_addr), "203.0.113.77:9");
    snprintf(r.caller.remote_user, sizeof(r.caller.remote_user), "sip:%.40s@x", r.from);
    snprintf(r.attempts, sizeof(r.attempts), "[{\"user\":\"%s\"},{\"trunk\":\"t\"}]", r.identity);
    snprintf(r.metadata, sizeof(r.metadata), "{\"note\":\"secret\"}");
    cr_assert_eq(store_put(s, &r), 0);
  }
  cr_assert_eq(store_flush(s, 5000), 0);
  struct store_erased done;
  cr_assert_eq(store_erase(file, "+498912345", 1, NULL, NULL, &done), 0);
  cr_assert_eq(done.records, 300);
  cr_assert_eq(store_erase(file, "dave", 1, NULL, NULL, &done), 0);
  cr_assert_eq(done.records, 149);
  cr_assert_eq(done.live, 1);
  cr_assert_eq(store_erase(file, "c", 1, NULL, NULL, &done), -EINVAL);
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){.number = "+498912345"}), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){.number = "erased"}), 300);
  cr_assert_eq(list_count(rd, (struct reader_query){.user = "dave"}), 1);
  cr_assert_eq(list_count(rd, (struct reader_query){.trunk = "t"}), 301, "dave's attempts named him");
  cr_assert_eq(reader_get(rd, "c_0001", &r), 0);
  cr_assert(strcmp(r.from, "erased") == 0 && strcmp(r.caller.remote_user, "erased") == 0);
  cr_assert(strcmp(r.to, "+12065550001") == 0 && !r.metadata[0]);
  cr_assert_eq(reader_get(rd, "c_0006", &r), 0);
  cr_assert(strcmp(r.identity, "erased") == 0 && !r.caller.media_addr[0] && !r.attempts[0]);
  /* While the writer is up: neither the file nor the log beside it has the number. */
  char log[sizeof(file) + 8];
  snprintf(log, sizeof(log), "%s-wal", file);
  cr_assert_not(file_has(file, "+498912345"), "it stands in the file still");
  cr_assert_not(file_has(log, "+498912345"), "it stands in the log still");
  store_free(s);
}

Test(store, a_backup_comes_back) {
  char copy[128], before[128];
  static struct record r;
  struct store_backup_facts facts;
  struct store *s = store_open(0);
  snprintf(copy, sizeof(copy), "%s.copy", file);
  snprintf(before, sizeof(before), "%s.before-restore", file);
  for (int i = 0; i < 200; i++) {
    r = numbered(i, RECORD_ENDED);
    cr_assert_eq(store_put(s, &r), 0);
  }
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert_eq(store_backup(file, copy, &facts), 0);
  cr_assert(facts.records == 200 && facts.schema >= 5 && facts.newest_ms == 1099);
  cr_assert_eq(store_backup(file, copy, &facts), -EEXIST);
  struct stat st;
  cr_assert(stat(copy, &st) == 0 && (st.st_mode & 077) == 0);
  r = numbered(900, RECORD_ENDED);
  cr_assert_eq(store_put(s, &r), 0);
  store_free(s);
  cr_assert_eq(store_restore(copy, file, &facts), 0);
  s = store_open(0);
  own(reader) rd = NULL;
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){.limit = 500}), 200);
  store_free(s);
  rd = reader_free(rd);
  cr_assert_eq(reader_new(&rd, before), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){.limit = 500}), 201);
  cr_assert_eq(truncate(copy, 9000), 0); /* half a backup changes nothing */
  cr_assert_eq(store_restore(copy, file, &facts), -EBADMSG);
  cr_assert_eq(store_restore("/nonexistent", file, &facts), -ENOENT);
  cr_assert_eq(store_backup_check(file, &facts), 0);
  unlink(copy);
  unlink(before);
}

/* What is over waits for the receiver, in order, until it is delivered; a restart changes nothing. */
Test(store, the_spool_waits) {
  struct store *s = NULL;
  own(spool) sp = NULL;
  struct spool_item items[8];
  struct store_settings set = {.file = file, .commit_ms = 5, .spool = true};
  cr_assert_eq(store_new(&s, &set), 0);
  struct record r = numbered(1, RECORD_LIVE);
  cr_assert_eq(store_put(s, &r), 0);
  r.state = RECORD_ENDED;
  cr_assert_eq(store_put(s, &r), 0);
  for (int i = 2; i < 7; i++) {
    r = numbered(i, i == 6 ? RECORD_LIVE : RECORD_REFUSED);
    cr_assert_eq(store_put(s, &r), 0);
  }
  store_free(s);
  cr_assert_eq(store_new(&s, &set), 0); /* the live one ends with the restart */
  cr_assert_eq(spool_new(&sp, file), 0);
  cr_assert_eq(spool_count(sp), 6);
  cr_assert_eq(spool_next(sp, items, 4), 4);
  cr_assert_str_eq(items[0].id, "c_0001");
  cr_assert_str_eq(items[3].id, "c_0004");
  cr_assert_eq(spool_done(sp, items[3].seq), 0);
  uint64_t last = items[3].seq;
  cr_assert_eq(spool_next(sp, items, 8), 2);
  cr_assert(items[0].seq > last);
  cr_assert_str_eq(items[1].id, "c_0006");
  cr_assert_eq(spool_limit(sp, 0, 1), 1);
  cr_assert_eq(spool_next(sp, items, 8), 1);
  cr_assert_str_eq(items[0].id, "c_0006");
  last = items[0].seq;
  cr_assert_eq(spool_limit(sp, items[0].at_ms + 1, 100), 1);
  r = numbered(8, RECORD_ENDED);
  cr_assert_eq(store_put(s, &r), 0);
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert(spool_next(sp, items, 8) == 1 && items[0].seq > last);
  store_free(s);
}

Test(store, a_span_in_sums) {
  own(store) s = store_open(0);
  own(reader) rd = NULL;
  struct reader_sums sums;
  static const struct {
    enum record_state state;
    uint64_t started, ringing, answered, ended;
    uint32_t repeats;
    uint64_t early;
  } rows[] = {
      {RECORD_ENDED, 1000, 2000, 3000, 13000, 0},  {RECORD_ENDED, 1000, 0, 4000, 9000, 0},
      {RECORD_ENDED, 1000, 0, 0, 5000, 0},         {RECORD_LIVE, 1000, 1500, 2000, 0, 0},
      {RECORD_REFUSED, 1000, 0, 0, 1000, 41},      {RECORD_ENDED, 999, 1000, 1001, 5000, 0},
      {RECORD_ENDED, 5000, 5001, 5002, 5003, 0},
      {RECORD_ENDED, 1000, 3000, 0, 4000, 0, 1700},  {RECORD_ENDED, 1000, 0, 0, 4000, 0, 1800},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct record r = numbered((int)i, rows[i].state);
    r.started_ms = rows[i].started;
    r.ringing_ms = rows[i].ringing;
    r.answered_ms = rows[i].answered;
    r.ended_ms = rows[i].ended;
    r.repeats = rows[i].repeats;
    r.early_ms = rows[i].early;
    cr_assert_eq(store_put(s, &r), 0);
  }
  cr_assert_eq(store_flush(s, 5000), 0);
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(reader_sums(rd, 1000, 5000, &sums), 0);
  const struct reader_sums want = {6, 3, 42, 2, 15000, 5, 1000 + 3000 + 500 + 700 + 800};
  cr_assert(memcmp(&sums, &want, sizeof(want)) == 0, "%lu %lu %lu %lu %lu %lu %lu", sums.calls,
            sums.answered, sums.refused, sums.talks, sums.talk_ms, sums.pdds, sums.pdd_ms);
}

/* Every page but the first is other than it was. */
static void file_break(void) {
  static uint8_t junk[4096];
  struct stat st;
  memset(junk, 0xa5, sizeof(junk));
  own_fd fd = open(file, O_WRONLY | O_CLOEXEC);
  cr_assert(fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= 3 * 4096);
  for (off_t at = 4096; at < st.st_size; at += 4096)
    cr_assert_eq(pwrite(fd, junk, sizeof(junk), at), (ssize_t)sizeof(junk));
}

static size_t files_aside(void) {
  size_t n = 0;
  DIR *d = opendir(dir);
  char path[400];
  cr_assert_not_null(d);
  for (struct dirent *e; (e = readdir(d));)
    if (strstr(e->d_name, ".broken-")) {
      snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
      unlink(path);
      n += !strstr(e->d_name, "-wal");
    }
  closedir(d);
  return n;
}

static void records_put(struct store *s, int from, int n) {
  for (int i = from; i < from + n; i++) {
    struct record r = numbered(i, RECORD_ENDED);
    cr_assert_eq(store_put(s, &r), 0);
  }
  cr_assert_eq(store_flush(s, 5000), 0);
}

Test(store, a_broken_file_is_put_aside_when_it_is_opened) {
  struct store *s = store_open(0);
  own(reader) rd = NULL;
  struct record live = numbered(500, RECORD_LIVE);
  records_put(s, 0, 60);
  cr_assert_eq(store_put(s, &live), 0);
  cr_assert_eq(store_flush(s, 5000), 0);
  s = store_free(s);
  file_break();
  s = store_open(0);
  cr_assert(store_is_renewed(s) && store_is_well(s));
  cr_assert_eq(files_aside(), 1);
  records_put(s, 100, 10);
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){0}), 10);
  store_free(s);
}

Test(store, a_file_that_breaks_meanwhile_is_put_aside_and_nothing_is_lost) {
  struct store *s = store_open(0);
  own(reader) rd = NULL;
  own(spool) sp = NULL;
  records_put(s, 0, 60);
  s = store_free(s); /* else its cache would hide it */
  s = store_open(0);
  cr_assert_eq(reader_new(&rd, file), 0);
  cr_assert_eq(spool_new(&sp, file), 0);
  cr_assert_eq(list_count(rd, (struct reader_query){0}), 60);
  file_break();
  store_spool(s, true, false);
  records_put(s, 100, 10);
  cr_assert(store_is_renewed(s) && store_is_well(s));
  cr_assert_eq(files_aside(), 1);
  cr_assert_eq(list_count(rd, (struct reader_query){0}), 10, "a reader goes on with the new one");
  cr_assert_eq(spool_count(sp), 10);
  sp = spool_free(sp);
  records_put(s, 200, 10);
  store_free(s);
  s = store_open(0);
  cr_assert_not(store_is_renewed(s));
  cr_assert_eq(list_count(rd, (struct reader_query){0}), 20);
  store_free(s);
}

Test(store, what_is_no_database_is_left_alone) {
  struct store *s = NULL;
  FILE *f = fopen(file, "w");
  cr_assert_not_null(f);
  for (int i = 0; i < 1000; i++)
    fputs("somebody's text\n", f);
  fclose(f);
  chmod(file, 0600);
  cr_assert_eq(store_new(&s, &(struct store_settings){.file = file}), -EIO);
  cr_assert_eq(files_aside(), 0);
}
