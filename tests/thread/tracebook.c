/* SPDX-License-Identifier: Apache-2.0
 * Threads of the timelines' book: several put and drop while one asks; what was put before is in the
 * answer. */
#include "base/clock.h"
#include "store/tracebook.h"

#include <pthread.h>
#include <stdio.h>

enum { PUTTERS = 3, PUTS = 200, ASKS = 40 };

static struct tracebook *book;
static unsigned told, whole;

static void *putter(void *arg) {
  char id[40], blob[500];
  memset(blob, 'x', sizeof(blob));
  for (unsigned i = 0; i < PUTS; i++) {
    snprintf(id, sizeof(id), "c_%u_%u", (unsigned)(uintptr_t)arg, i % 20);
    if (i % 20 == 19)
      tracebook_drop(book, id);
    else
      (void)tracebook_put(book, id, i / 20, true, clock_wall_ms(), slice_from(blob, sizeof(blob)));
  }
  return NULL;
}

static void answered(void *arg, const struct tracebook_answer *a) {
  (void)arg;
  told++;
  whole += a->is_whole && a->n == 1 && a->blob[0].n == 4;
}

static int fail(const char *what) {
  fprintf(stderr, "tracebook: %s\n", what);
  return 1;
}

static int run(struct loop *loop) {
  pthread_t threads[PUTTERS];
  unsigned asked = 0;
  if (tracebook_attach(book, loop, answered, NULL) < 0)
    return fail("attach");
  for (unsigned i = 0; i < PUTTERS; i++)
    if (pthread_create(&threads[i], NULL, putter, (void *)(uintptr_t)i) != 0)
      return fail("thread");
  for (unsigned i = 0; i < ASKS; i++) {
    char id[40];
    snprintf(id, sizeof(id), "mine_%u", i);
    if (tracebook_put(book, id, 0, true, clock_wall_ms(), SLICE("mine")) == 0 &&
        tracebook_ask(book, id, i) == 0)
      asked++;
    loop_turn(loop, 5);
  }
  for (unsigned i = 0; i < PUTTERS; i++)
    pthread_join(threads[i], NULL);
  for (unsigned i = 0; i < 500 && told < asked; i++)
    loop_turn(loop, 20);
  return asked == ASKS && told == asked && whole == asked ? 0
                                                          : fail("an answer is missing or not whole");
}

int main(void) {
  char dir[] = "/tmp/thread_tracebook.XXXXXX", file[80], path[100];
  struct loop *loop = NULL;
  if (!mkdtemp(dir))
    return fail("folder");
  snprintf(file, sizeof(file), "%s/t.db", dir);
  if (loop_new(&loop) < 0 || tracebook_new(&book, &(struct tracebook_settings){.file = file}) < 0)
    return fail("start");
  int r = run(loop);
  tracebook_free(book);
  loop_free(loop);
  static const char *const ends[] = {"", "-wal", "-shm"};
  for (size_t i = 0; i < COUNT_OF(ends); i++) {
    snprintf(path, sizeof(path), "%s%s", file, ends[i]);
    unlink(path);
  }
  rmdir(dir);
  return r;
}
