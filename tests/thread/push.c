/* SPDX-License-Identifier: Apache-2.0
 * Records to a receiver (tests/scenario/push_receiver.py) that is away, refuses, is slow, and forgets to
 * answer, over a restart of ours: nothing is lost, nothing comes twice by two ids. Then one that never
 * comes: what is too much is given up and counted. */
#include "admin/push.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

enum { RECORDS = 240 };

static const char secret[] = "a secret of twenty-four c";
static char dir[] = "/tmp/thread_push.XXXXXX", db[64], key[64], url[64];

static int receiver_start(pid_t *ret_pid) {
  char script[4096], port[16] = "", n[16];
  const char *src = getenv("SRCDIR");
  posix_spawn_file_actions_t fa;
  int p[2];
  snprintf(script, sizeof(script), "%s/tests/scenario/push_receiver.py", src ? src : SRCDIR);
  snprintf(n, sizeof(n), "%d", RECORDS);
  const char *const argv[] = {"python3", script, secret, n, "0.5", NULL};
  if (pipe2(p, O_CLOEXEC) < 0)
    return -errno;
  posix_spawn_file_actions_init(&fa);
  posix_spawn_file_actions_adddup2(&fa, p[1], 1);
  int r = posix_spawnp(ret_pid, "python3", &fa, NULL, (char *const *)(uintptr_t)argv, environ);
  posix_spawn_file_actions_destroy(&fa);
  close(p[1]);
  FILE *f = fdopen(p[0], "r");
  if (r == 0 && (!f || !fgets(port, sizeof(port), f)))
    r = EIO;
  if (f)
    fclose(f);
  snprintf(url, sizeof(url), "http://127.0.0.1:%d/records", atoi(port));
  return -r;
}

static int secret_write(mode_t mode) {
  unlink(key);
  own_fd fd = open(key, O_WRONLY | O_CREAT | O_EXCL, mode);
  return fd < 0 || write(fd, secret, sizeof(secret) - 1) < 0 ? -errno : 0;
}

static int house_open(struct store **s, struct push **p, uint64_t max) {
  const char *why = "";
  const struct store_settings set = {
      .file = db, .commit_ms = 1, .spool = true, .refused_alone = 100000, .strangers_all = 100000};
  const struct admin_push push = {url, key, "", 20, 1, max, 20};
  int r = store_new(s, &set);
  if (r == 0)
    r = push_new(p, &push, db, &why);
  if (r < 0)
    fprintf(stderr, "%s\n", why);
  return r;
}

static void record_put(struct store *s, int i) {
  static struct record r;
  snprintf(r.id, sizeof(r.id), "c_%04d", i);
  r.started_ms = 1800000000000u + (uint64_t)i;
  r.ended_ms = r.started_ms + 1000;
  r.state = i % 5 ? RECORD_ENDED : RECORD_REFUSED;
  snprintf(r.from, sizeof(r.from), "\"<%d>\\", i);
  (void)store_put(s, &r);
}

static bool spool_empties(void) {
  own(spool) sp = NULL;
  if (spool_new(&sp, db) < 0)
    return false;
  for (int i = 0; i < 600 && spool_count(sp) > 0; i++)
    usleep(50000);
  return spool_count(sp) == 0;
}

static bool all_delivered(void) {
  struct store *s = NULL;
  struct push *p = NULL;
  if (house_open(&s, &p, 10000) < 0)
    return false;
  for (int i = 0; i < RECORDS; i++) {
    record_put(s, i);
    usleep(8000);
    if (i == RECORDS / 2) { /* as a restart: what was being sent is sent again */
      p = push_free(p);
      s = store_free(s);
      if (house_open(&s, &p, 10000) < 0)
        return false;
    }
  }
  bool ok = store_flush(s, 5000) == 0 && spool_empties();
  if (!ok)
    fprintf(stderr, "records wait still\n");
  push_free(p);
  store_free(s);
  return ok;
}

static bool alarm_is(struct push *p, const char *kind) {
  struct admin_alarm al = {0};
  for (int i = 0; i < 300; i++) {
    bool stands = push_alarm(p, &al);
    if (stands == (kind[0] != 0) && (!stands || strcmp(al.kind, kind) == 0))
      return true;
    usleep(10000);
  }
  fprintf(stderr, "alarm: %s, not \"%s\"\n", al.kind, kind);
  return false;
}

static bool too_many_given_up(void) {
  struct store *s = NULL;
  struct push *p = NULL;
  snprintf(url, sizeof(url), "http://127.0.0.1:1/");
  if (house_open(&s, &p, 10) < 0)
    return false;
  push_free(p); /* the limits are held as it starts, and each 10 s */
  for (int i = 0; i < 50; i++)
    record_put(s, 1000 + i);
  (void)!store_flush(s, 5000);
  const char *why;
  const struct admin_push push = {url, key, "", 20, 1, 10, 20};
  if (push_new(&p, &push, db, &why) < 0)
    return false;
  for (int i = 0; i < 200 && !count_get(push_counts(p), 1); i++)
    usleep(20000);
  bool ok = count_get(push_counts(p), 1) == 40; /* of the second row: given up */
  for (int i = 0; i < 200 && !count_get(push_counts(p), 4); i++)
    usleep(20000);
  ok = ok && count_get(push_counts(p), 4); /* unreachable */
  ok = ok && alarm_is(p, "push_lost");
  push_free(p);
  store_free(s);
  if (!ok)
    fprintf(stderr, "given up: not as it should be\n");
  return ok;
}

/* Nowhere, to nobody, behind, then to one that takes them: by settings alone. */
static bool settings_change(void) {
  struct store *s = NULL;
  struct push *p = NULL;
  const char *why;
  char good[64];
  snprintf(good, sizeof(good), "%s", url);
  unlink(db);
  const struct store_settings set = {
      .file = db, .commit_ms = 1, .refused_alone = 100000, .strangers_all = 100000};
  struct admin_push push = {"", key, "", 20, 1, 10000, 20, 100};
  if (store_new(&s, &set) < 0 || push_new(&p, &push, db, &why) < 0)
    return false;
  record_put(s, 0);
  bool ok = store_flush(s, 5000) == 0 && alarm_is(p, "");
  push.url = "http://127.0.0.1:1/";
  store_spool(s, true, false);
  ok = ok && push_set(p, &push) == 0;
  for (int i = 0; i < RECORDS; i++)
    record_put(s, i);
  ok = ok && store_flush(s, 5000) == 0 && alarm_is(p, "push_behind");
  push.url = good;
  ok = ok && push_set(p, &push) == 0 && spool_empties() && alarm_is(p, "");
  push.url = "";
  ok = ok && push_set(p, &push) == 0 && alarm_is(p, "");
  push_free(p);
  store_free(s);
  return ok;
}

static bool open_secret_refused(void) {
  struct push *p = NULL;
  const char *why;
  const struct admin_push push = {url, key, "", 20, 1, 10, 20};
  return secret_write(0644) == 0 && push_new(&p, &push, db, &why) == -EPERM;
}

int main(void) {
  char cmd[64];
  int status = 1;
  pid_t pid;
  if (!mkdtemp(dir))
    return 1;
  snprintf(db, sizeof(db), "%s/r.db", dir);
  snprintf(key, sizeof(key), "%s/secret", dir);
  if (secret_write(0600) < 0 || receiver_start(&pid) < 0)
    return 77;
  if (!settings_change())
    return 1;
  unlink(db);
  kill(pid, SIGTERM);
  waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || receiver_start(&pid) < 0)
    return 1;
  bool ok = all_delivered();
  kill(pid, SIGTERM);
  waitpid(pid, &status, 0);
  ok = ok && WIFEXITED(status) && WEXITSTATUS(status) == 0 && too_many_given_up() &&
       open_secret_refused();
  snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
  return system(cmd) == 0 && ok ? 0 : 1;
}
