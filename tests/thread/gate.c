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

/* The other server: TLS and client certificates. Its rows change when the script says so by a file. */
static const struct admin_certificate certificates[] = {
    {"ann", "email:ann@example.org", "viewer"},
    {"ci", "uri:spiffe://example.org/ci", "operator"},
    {"box", "dns:box.example.org", "admin"},
    {"sec", "cn:Sec Officer", "security"},
    {"worn", "cn:worn", "admin"},
};

static void rows_take(struct admin *a) {
  char path[128];
  if (access(in_dir(path, "fewer"), F_OK) == 0)
    (void)!admin_certificates(a, certificates + 1, 3);
}

static int script_run(struct admin *a, struct admin *tls, struct loop *l) {
  char file[4096], port[8], second[8];
  pid_t pid;
  int status = 0;
  snprintf(port, sizeof(port), "%u", admin_port(a));
  snprintf(second, sizeof(second), "%u", tls ? admin_port(tls) : 0);
  const char *const argv[] = {"python3", script(file), port, admin_token(a), dir, second, NULL};
  if (posix_spawnp(&pid, "python3", NULL, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
    return 77;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    loop_turn(l, 20);
    if (tls)
      rows_take(tls);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* By the script itself: 0, 1, or 77 without python3 or openssl. */
static int certificates_make(void) {
  char file[4096], command[8192];
  snprintf(command, sizeof(command), "python3 %s make %s", script(file), dir);
  int status = system(command);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int run(void) {
  own(store) s = NULL;
  own(loop) l = NULL;
  own(admin) a = NULL;
  own(admin) tls = NULL;
  char db[128], token[128], ledger[128], cert[128], key[128], ca[128];
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
  set.ledger_file = in_dir(ledger, "second.db");
  set.cert_file = in_dir(cert, "server.pem");
  set.key_file = in_dir(key, "server.key");
  set.client_ca = in_dir(ca, "ca.pem");
  set.client_certs = certificates;
  set.client_certs_n = COUNT_OF(certificates);
  int r = certificates_make();
  if (r == 0 && (admin_new(&tls, &set, &why) < 0 || admin_attach(tls, l) < 0)) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  return r ? r : script_run(a, tls, l);
}

int main(void) {
  char cmd[64];
  if (!mkdtemp(dir))
    return 1;
  int r = run();
  snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
  return system(cmd) == 0 ? r : 1;
}
