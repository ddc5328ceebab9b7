/* SPDX-License-Identifier: Apache-2.0
 * Units of timelines on the disk: parts come back in order, dropped ones do not, age and size limit
 * them. */
#include "base/clock.h"
#include "store/tracebook.h"

#include <criterion/criterion.h>
#include <stdio.h>

static char dir[64], file[96];
static struct loop *loop;
static struct {
  unsigned n;
  struct tracebook_answer a;
  char text[65536];
} got;

static void setup(void) {
  snprintf(dir, sizeof(dir), "/tmp/check_tracebook.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  snprintf(file, sizeof(file), "%s/timelines.db", dir);
  cr_assert_eq(loop_new(&loop), 0);
  memset(&got, 0, sizeof(got));
}

static void teardown(void) {
  static const char *const ends[] = {"", "-wal", "-shm"};
  char path[128];
  for (size_t i = 0; i < COUNT_OF(ends); i++) {
    snprintf(path, sizeof(path), "%s%s", file, ends[i]);
    unlink(path);
  }
  rmdir(dir);
  loop_free(loop);
}

static void take_answer(void *arg, const struct tracebook_answer *a) {
  size_t at = 0;
  (void)arg;
  got.n++;
  got.a = *a;
  for (size_t i = 0; i < a->n; i++)
    at += (size_t)snprintf(got.text + at, sizeof(got.text) - at, "%u:%.*s ", a->part[i],
                           (int)a->blob[i].n, a->blob[i].p);
}

static const char *ask(struct tracebook *b, const char *id) {
  unsigned before = got.n;
  got.text[0] = 0;
  cr_assert_eq(tracebook_ask(b, id, 42), 0);
  for (int i = 0; i < 300 && got.n == before; i++)
    loop_turn(loop, 20);
  cr_assert_eq(got.n, before + 1);
  cr_assert_eq(got.a.cookie, 42);
  return got.text;
}

static struct tracebook *book(uint64_t keep_ms, uint64_t max_bytes) {
  struct tracebook *b = NULL;
  cr_assert_eq(
      tracebook_new(
          &b, &(struct tracebook_settings){.file = file, .keep_ms = keep_ms, .max_bytes = max_bytes}),
      0);
  cr_assert_eq(tracebook_attach(b, loop, take_answer, NULL), 0);
  return b;
}

Test(tracebook, parts_come_back, .init = setup, .fini = teardown) {
  struct tracebook *b = book(0, 0);
  uint64_t now = clock_wall_ms();
  cr_assert_eq(tracebook_put(b, "c_1", 0, false, now, SLICE("one")), 0);
  cr_assert_eq(tracebook_put(b, "c_2", 0, true, now, SLICE("other")), 0);
  cr_assert_eq(tracebook_put(b, "c_1", 1, true, now, SLICE("two")), 0);
  cr_assert_str_eq(ask(b, "c_1"), "0:one 1:two ");
  cr_assert(got.a.is_whole);
  tracebook_drop(b, "c_1");
  cr_assert_str_eq(ask(b, "c_1"), "");
  cr_assert_eq(tracebook_put(b, "c_3", 0, false, now, SLICE("late")), 0);
  tracebook_free(b);
  b = book(0, 0);
  cr_assert_str_eq(ask(b, "c_2"), "0:other ");
  cr_assert_str_eq(ask(b, "c_3"), "0:late ");
  cr_assert_not(got.a.is_whole);
  tracebook_free(b);
}

Test(tracebook, what_is_old_or_too_much_goes, .init = setup, .fini = teardown) {
  struct tracebook *b = book(3600000, 10000);
  uint64_t now = clock_wall_ms();
  char blob[3000];
  memset(blob, 'x', sizeof(blob));
  cr_assert_eq(tracebook_put(b, "old", 0, true, now - 7200000, SLICE("old")), 0);
  (void)ask(b, "none");
  cr_assert_str_eq(ask(b, "old"), "");
  for (unsigned i = 0; i < 8; i++)
    cr_assert_eq(tracebook_put(b, "big", i, true, now, slice_from(blob, sizeof(blob))), 0);
  (void)ask(b, "big");
  (void)ask(b, "big");
  cr_assert_lt(got.a.n, 8);
  tracebook_free(b);
}

static bool files_have(const char *text) {
  static const char *const ends[] = {"", "-wal"};
  static char all[1 << 20];
  char path[128];
  for (size_t i = 0; i < COUNT_OF(ends); i++) {
    snprintf(path, sizeof(path), "%s%s", file, ends[i]);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(all, 1, sizeof(all), f) : 0;
    if (f)
      fclose(f);
    if (memmem(all, n, text, strlen(text)))
      return true;
  }
  return false;
}

Test(tracebook, what_is_erased_stands_in_no_file, .init = setup, .fini = teardown) {
  struct tracebook *b = book(0, 0);
  uint64_t now = clock_wall_ms();
  cr_assert_eq(tracebook_put(b, "hers", 0, true, now, SLICE("From: +15550123456 her whole call")), 0);
  cr_assert_eq(tracebook_put(b, "his", 0, true, now, SLICE("From: +15550999999")), 0);
  (void)ask(b, "his");
  cr_assert(files_have("+15550123456"));
  tracebook_erase(b, "hers");
  cr_assert_str_eq(ask(b, "hers"), "");
  for (int i = 0; i < 100 && files_have("+15550123456"); i++)
    (void)ask(b, "his");
  cr_assert_not(files_have("+15550123456"));
  cr_assert_str_eq(ask(b, "his"), "0:From: +15550999999 ");
  tracebook_free(b);
}
