/* SPDX-License-Identifier: Apache-2.0
 * Several threads put and read at once. */
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>

#define THREADS 3
#define EACH 200

static struct store *store;
static char file[64];

static void *puts_run(void *arg) {
  int from = *(int *)arg;
  struct record r = {.state = RECORD_ENDED};
  for (int i = 0; i < EACH; i++) {
    snprintf(r.id, sizeof(r.id), "c_%d_%d", from, i);
    r.started_ms = (uint64_t)i + 1;
    if (store_put(store, &r) < 0)
      abort();
  }
  return NULL;
}

static void *reads_run(void *arg) {
  own(reader) rd = NULL;
  (void)arg;
  if (reader_new(&rd, file) < 0)
    abort();
  for (int i = 0; i < 20; i++) {
    struct record *rows = NULL;
    size_t n;
    char cursor[READER_CURSOR_BYTES];
    if (reader_list(rd, &(struct reader_query){.limit = 20}, &rows, &n, cursor) < 0)
      abort();
    free(rows);
    (void)store_is_well(store);
  }
  return NULL;
}

int main(void) {
  char dir[] = "/tmp/thread_store.XXXXXX", cmd[96];
  pthread_t t[THREADS + 1];
  int from[THREADS];
  if (!mkdtemp(dir))
    return 1;
  snprintf(file, sizeof(file), "%s/r.db", dir);
  if (store_new(&store, &(struct store_settings){.file = file, .commit_ms = 1}) < 0)
    return 1;
  for (int i = 0; i < THREADS; i++) {
    from[i] = i;
    pthread_create(&t[i], NULL, puts_run, &from[i]);
  }
  pthread_create(&t[THREADS], NULL, reads_run, NULL);
  for (int i = 0; i <= THREADS; i++)
    pthread_join(t[i], NULL);
  int r = store_flush(store, 10000);
  uint64_t committed = count_get(store_counts(store), STORE_COMMITTED);
  store = store_free(store);
  snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
  if (system(cmd) != 0 || r < 0 || committed != THREADS * EACH) {
    fprintf(stderr, "committed %llu of %d\n", (unsigned long long)committed, THREADS * EACH);
    return 1;
  }
  return 0;
}
