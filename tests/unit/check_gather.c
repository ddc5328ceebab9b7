/* SPDX-License-Identifier: Apache-2.0
 * Units of gather: alike refusals in one row; and the store under a flood of them. */
#include "store/gather.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define S UINT64_C(1000000)

static const struct gather_limits limits = {.alone = 3,
                                            .alone_known = 5,
                                            .strangers_all = 10,
                                            .window_ms = 60000,
                                            .write_ms = 10000,
                                            .rows_max = 16};

static struct gather *begin(void) {
  struct gather *g = NULL;
  cr_assert_eq(gather_new(&g, &limits), 0);
  return g;
}

static struct record refused(const char *trunk, const char *source, const char *rule) {
  static unsigned serial;
  struct record r = {.state = RECORD_REFUSED, .started_ms = 1000 + serial};
  snprintf(r.id, sizeof(r.id), "c_%u", serial++);
  snprintf(r.caller.peer, sizeof(r.caller.peer), "%s", trunk);
  snprintf(r.caller.remote_addr, sizeof(r.caller.remote_addr), "%s:%u", source, 1024 + serial);
  snprintf(r.rule, sizeof(r.rule), "%s", rule);
  r.ended_ms = r.started_ms;
  return r;
}

static enum gather_how put(struct gather *g, const char *trunk, const char *source, const char *rule,
                           uint64_t now_us) {
  struct record r = refused(trunk, source, rule);
  return gather_take(g, &r, now_us);
}

Test(gather, the_first_are_alone_the_others_a_count) {
  own(gather) g = begin();
  for (int i = 0; i < 3; i++)
    cr_assert_eq(put(g, "", "192.0.2.1", "unknown_source", 0), GATHER_ALONE);
  for (int i = 0; i < 100; i++)
    cr_assert_eq(put(g, "", "192.0.2.1", "unknown_source", S), GATHER_COUNTED);
  cr_assert_eq(put(g, "", "192.0.2.1", "loop", S), GATHER_ALONE);
  cr_assert_eq(put(g, "", "192.0.2.2", "unknown_source", S), GATHER_ALONE);
  for (int i = 0; i < 5; i++) /* another port, the same source; more of who is known */
    cr_assert_eq(put(g, "carrier", "192.0.2.1", "unknown_source", S), GATHER_ALONE);
  cr_assert_eq(put(g, "carrier", "192.0.2.1", "unknown_source", S), GATHER_COUNTED);
}

Test(gather, a_row_is_written_as_it_grows) {
  own(gather) g = begin();
  cr_assert(!gather_has(g));
  for (int i = 0; i < 10; i++)
    (void)put(g, "", "192.0.2.1", "unknown_source", 10 * S);
  cr_assert(gather_has(g));
  const struct record *r = gather_due(g, 10 * S, false);
  cr_assert(r && r->repeats == 6);
  cr_assert_null(gather_due(g, 10 * S, false));
  cr_assert(!gather_has(g));
  (void)put(g, "", "192.0.2.1", "unknown_source", 11 * S);
  cr_assert_null(gather_due(g, 15 * S, false));
  r = gather_due(g, 20 * S, false);
  cr_assert(r && r->repeats == 7);
  cr_assert_gt(r->ended_ms, r->started_ms);
  (void)put(g, "", "192.0.2.1", "unknown_source", 21 * S);
  r = gather_due(g, 22 * S, true); /* the end of the program */
  cr_assert(r && r->repeats == 8);
}

Test(gather, a_new_window_begins_anew) {
  own(gather) g = begin();
  char id[40];
  for (int i = 0; i < 5; i++)
    (void)put(g, "", "192.0.2.1", "unknown_source", 0);
  const struct record *r = gather_due(g, 61 * S, false);
  cr_assert(r && r->repeats == 1);
  memcpy(id, r->id, sizeof(id));
  cr_assert_eq(put(g, "", "192.0.2.1", "unknown_source", 61 * S), GATHER_ALONE);
  for (int i = 0; i < 5; i++)
    (void)put(g, "", "192.0.2.1", "unknown_source", 61 * S);
  r = gather_due(g, 80 * S, false);
  cr_assert(r && strcmp(r->id, id) != 0, "a row of its own");
}

Test(gather, many_sources_are_one_row_and_memory_is_bounded) {
  own(gather) g = begin();
  unsigned alone = 0, counted = 0, rows = 0, told = 0;
  for (unsigned i = 0; i < 100000; i++) {
    char source[40];
    snprintf(source, sizeof(source), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
    enum gather_how how = put(g, "", source, "unknown_source", 0);
    alone += how == GATHER_ALONE;
    counted += how == GATHER_COUNTED;
  }
  cr_assert_eq(alone, 10);
  cr_assert_eq(counted, 99990);
  for (const struct record *r; (r = gather_due(g, 61 * S, false)); rows++) {
    told += r->repeats + 1;
    cr_assert_str_eq(r->caller.remote_addr, "");
  }
  cr_assert_eq(rows, 1);
  cr_assert_eq(told, counted);
  cr_assert_eq(put(g, "carrier", "192.0.2.1", "limit", 0), GATHER_ALONE, "who is known is not held up");
}

/* Rules and trunks are ours, and few; yet nothing grows without end. */
Test(gather, too_many_of_all_kinds_are_given_up) {
  own(gather) g = begin();
  unsigned full = 0;
  for (unsigned i = 0; i < 2000; i++) {
    char trunk[20];
    snprintf(trunk, sizeof(trunk), "t%u", i);
    full += put(g, trunk, "192.0.2.1", "limit", 0) == GATHER_FULL;
  }
  cr_assert_eq(full, 2000 - 16 - 256);
  cr_assert_eq(put(g, "t1999", "192.0.2.1", "limit", 61 * S), GATHER_ALONE, "room again");
}

/* ---- the store ---- */

static char dir[64], file[96];

static struct store *store_begin(void) {
  struct store *s = NULL;
  snprintf(dir, sizeof(dir), "/tmp/check_gather.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  snprintf(file, sizeof(file), "%s/records.db", dir);
  const struct store_settings set = {.file = file, .commit_ms = 5, .queue_max = 64};
  cr_assert_eq(store_new(&s, &set), 0);
  return s;
}

static void end(void) {
  char command[120];
  snprintf(command, sizeof(command), "rm -rf '%s'", dir);
  if (system(command) != 0)
    fprintf(stderr, "%s stays\n", dir);
}

static void call_put(struct store *s, int i) {
  struct record r = {.state = RECORD_ENDED, .started_ms = 5000};
  snprintf(r.id, sizeof(r.id), "c_call%d", i);
  cr_assert_eq(store_put(s, &r), 0, "call %d", i);
}

/* 20,000 refusals of two sources and of 20,000 others, a call now and then, a queue of 64. */
Test(gather, a_flood_of_refusals_loses_no_call, .fini = end) {
  struct store *s = store_begin();
  struct record *rows = NULL;
  size_t n = 0;
  uint64_t told = 0;
  char cursor[READER_CURSOR_BYTES] = "";
  for (int i = 0; i < 40000; i++) {
    char source[40];
    snprintf(source, sizeof(source), "10.9.%d.%d", i >> 8 & 255, i & 255);
    struct record r = refused("", i % 2 ? source : "192.0.2.7", "unknown_source");
    (void)store_put(s, &r);
    if (i % 1000 == 0)
      call_put(s, i / 1000);
  }
  cr_assert_eq(count_get(store_counts(s), STORE_DROPPED), 0);
  uint64_t dropped = count_get(store_counts(s), STORE_DROPPED_REFUSED);
  store_free(s);
  own(reader) rd = NULL;
  cr_assert_eq(reader_new(&rd, file), 0);
  struct record one;
  for (int i = 0; i < 40; i++) {
    char id[40];
    snprintf(id, sizeof(id), "c_call%d", i);
    cr_assert_eq(reader_get(rd, id, &one), 0, "%s", id);
  }
  struct reader_query q = {.has_state = true, .state = RECORD_REFUSED, .limit = 500};
  cr_assert_eq(reader_list(rd, &q, &rows, &n, cursor), 0);
  for (size_t i = 0; i < n; i++)
    told += rows[i].repeats + 1;
  cr_assert_leq(n, 310);
  cr_assert_eq(told + dropped, 40000, "each is told: %lu of %zu rows, %lu given up", told, n, dropped);
  free(rows);
}

/* The disk stands still: calls push refusals out, never the other way. */
Test(gather, calls_go_before_refusals) {
  struct store *s = NULL;
  snprintf(dir, sizeof(dir), "/tmp/check_gather.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  snprintf(file, sizeof(file), "%s/records.db", dir);
  const struct store_settings set = {
      .file = file, .commit_ms = 60000, .queue_max = 64, .refused_alone = 1000000, .strangers_all = 1000000};
  cr_assert_eq(store_new(&s, &set), 0);
  for (int i = 0; i < 40; i++)
    call_put(s, i);
  for (int i = 0; i < 1000; i++) {
    struct record r = refused("", "192.0.2.7", "unknown_source");
    (void)store_put(s, &r);
  }
  for (int i = 40; i < 64; i++) {
    struct record r = {.state = RECORD_ENDED};
    snprintf(r.id, sizeof(r.id), "c_call%d", i);
    (void)store_put(s, &r);
  }
  cr_assert_eq(count_get(store_counts(s), STORE_DROPPED), 0);
  cr_assert_eq(count_get(store_counts(s), STORE_DROPPED_REFUSED), 1000);
  for (int i = 0; i < 3; i++) { /* more calls than there is room: the oldest go, as ever */
    struct record r = {.state = RECORD_ENDED};
    snprintf(r.id, sizeof(r.id), "c_more%d", i);
    cr_assert_eq(store_put(s, &r), -EAGAIN);
  }
  cr_assert_eq(count_get(store_counts(s), STORE_DROPPED), 3);
  end();
  _exit(0); /* the writer sleeps a minute */
}
