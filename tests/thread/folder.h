/* SPDX-License-Identifier: Apache-2.0
 * What thread tests share that need files: a folder of their own, gone when they end, and a script of
 * tests/scenario that drives them from outside while they turn their loop. */
#pragma once
#include "base/loop.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER_PATH_BYTES 128

static char folder[64];

static inline const char *in_folder(char dst[FOLDER_PATH_BYTES], const char *name) {
  snprintf(dst, FOLDER_PATH_BYTES, "%s/%s", folder, name);
  return dst;
}

/* The test's main: its exit status. */
static inline int folder_main(const char *test, int (*run)(void)) {
  char command[96];
  snprintf(folder, sizeof(folder), "/tmp/thread_%s.XXXXXX", test);
  if (!mkdtemp(folder))
    return 1;
  int r = run();
  snprintf(command, sizeof(command), "rm -rf %s", folder);
  return system(command) == 0 ? r : 1;
}

static inline const char *script_path(char dst[4096], const char *script) {
  const char *src = getenv("SRCDIR");
  snprintf(dst, 4096, "%s/tests/scenario/%s", src ? src : SRCDIR, script);
  return dst;
}

/* Runs the script with argv (at most 8, to a NULL), turning l and calling also (may be NULL) until it
 * ends: its exit status, 77 without python3, 1 if a signal ended it. */
static inline int script_run(const char *script, const char *const *argv, struct loop *l,
                             void (*also)(void *arg), void *arg) {
  char path[4096];
  const char *all[11] = {"python3", script_path(path, script)};
  pid_t pid;
  int status = 0;
  for (int i = 0; i < 8 && argv[i]; i++)
    all[2 + i] = argv[i];
  if (posix_spawnp(&pid, "python3", NULL, NULL, (char *const *)(uintptr_t)all, environ) != 0)
    return 77;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    loop_turn(l, 20);
    if (also)
      also(arg);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
