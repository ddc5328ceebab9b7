/* SPDX-License-Identifier: Apache-2.0
 * Who may ask, and until when: an admin server with short sessions under tests/scenario/admin_gate.py.
 */
#include "admin/admin.h"

#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

static char dir[] = "/tmp/thread_gate.XXXXXX";

static const char *in_dir(char *dst, const char *name) {
  snprintf(dst, 128, "%s/%s", dir, name);
  return dst;
}

static const char *script(char dst[4096]) {
  const char *src = getenv("SRCDIR");
  snprintf(dst, 4096, "%s/tests/scenario/admin_gate.py", src ? src : SRCDIR);
  return dst;
}

static int script_run(struct admin *a, struct loop *l) {
  char file[4096], port[8];
  pid_t pid;
  int status = 0;
  snprintf(port, sizeof(port), "%u", admin_port(a));
  const char *const argv[] = {"python3", script(file), port, admin_token(a), dir, NULL};
  if (posix_spawnp(&pid, "python3", NULL, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
    return 77;
  while (waitpid(pid, &status, WNOHANG) == 0)
    loop_turn(l, 20);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int run(void) {
  own(store) s = NULL;
  own(loop) l = NULL;
  own(admin) a = NULL;
  char db[128], token[128], ledger[128];
  const char *why = "";
  if (loop_new(&l) < 0 ||
      store_new(&s, &(struct store_settings){.file = in_dir(db, "r.db"), .commit_ms = 1}) < 0)
    return 1;
  struct admin_settings set = {.token_file = in_dir(token, "admin.token"),
                               .store_file = db,
                               .ledger_file = in_dir(ledger, "operators.db"),
                               .session_idle_s = 3,
                               .session_life_s = 60};
  if (addr_parse(&set.listen, SLICE("127.0.0.1"), 0) < 0 || admin_new(&a, &set, &why) < 0 ||
      admin_attach(a, l) < 0) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  return script_run(a, l);
}

int main(void) {
  char cmd[64];
  if (!mkdtemp(dir))
    return 1;
  int r = run();
  snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
  return system(cmd) == 0 ? r : 1;
}
