/* SPDX-License-Identifier: Apache-2.0
 * The document under several threads at once: commits, confirmations, reloads by hand, readers. Plain
 * program, for ThreadSanitizer. */
#include "revise/revise.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

enum { ROUNDS = 25 };
static char dir[64], file[96], state[96];
static _Atomic unsigned applied;
static struct revise *the;

static const char good[] =
    "media:\n  addresses: [{address: 127.0.0.1}]\n"
    "service: {listen: \"127.0.0.1:8443\", edge: edge.example, certificate: a.pem, key: a.key}\n"
    "dialplan: plan.yaml\n";

static void put(const char *name, const char *text) {
  char path[200];
  snprintf(path, sizeof(path), "%s/%s", dir, name);
  FILE *f = fopen(path, "w");
  if (!f || fputs(text, f) < 0 || fclose(f) != 0 || chmod(path, 0600) < 0)
    abort();
}

static int apply(void *arg, struct conf *c, struct plan *p, bool lenient, char *why, size_t why_bytes) {
  (void)arg, (void)lenient, (void)why, (void)why_bytes;
  atomic_fetch_add(&applied, 1);
  conf_free(c);
  plan_free(p);
  return 0;
}

static void *commits(void *arg) {
  char text[sizeof(good) + 64];
  for (int i = 0; i < ROUNDS; i++) {
    own(candidate) c = NULL;
    snprintf(text, sizeof(text), "%s# %s %d\n", good, (const char *)arg, i);
    if (revise_judge(the, slice_of(text), slice_of(NULL), &c) < 0)
      abort();
    struct revise_wish w = {.who = arg, .force = true, .confirm_s = i % 3 ? 0 : 60};
    (void)revise_commit(the, c, &w);
    (void)(i % 2 ? revise_confirm(the, arg) : revise_cancel(the, arg));
  }
  return NULL;
}

static void *reads(void *arg) {
  struct revise_entry list[8];
  (void)arg;
  for (int i = 0; i < 4 * ROUNDS; i++) {
    struct revise_state s;
    if (revise_state(the, &s) < 0 || !strstr(s.text, "dialplan"))
      abort();
    revise_state_done(&s);
    (void)revise_history(the, list, 8);
    (void)revise_confirm_by_ms(the);
    if (i % 10 == 0)
      revise_reload(the);
  }
  return NULL;
}

int main(void) {
  char command[100], names[2][2] = {"a", "b"};
  pthread_t threads[4];
  snprintf(dir, sizeof(dir), "/tmp/thread_revise.XXXXXX");
  if (!mkdtemp(dir))
    return 1;
  snprintf(file, sizeof(file), "%s/s.yaml", dir);
  snprintf(state, sizeof(state), "%s/state", dir);
  put("s.yaml", good);
  put("plan.yaml", "rules:\n  - {name: echo, then: echo}\n");
  put("a.pem", "x");
  put("a.key", "x");
  struct revise_env env = {.file = file, .state_dir = state, .apply = apply};
  if (mkdir(state, 0700) < 0 || revise_new(&the, &env) < 0)
    return 1;
  for (int i = 0; i < 2; i++) {
    pthread_create(&threads[i], NULL, commits, names[i]);
    pthread_create(&threads[2 + i], NULL, reads, NULL);
  }
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  revise_free(the);
  snprintf(command, sizeof(command), "rm -rf '%s'", dir);
  if (system(command) != 0)
    return 1;
  printf("applied %u times\n", atomic_load(&applied));
  return atomic_load(&applied) > ROUNDS ? 0 : 1;
}
