/* SPDX-License-Identifier: Apache-2.0
 * Who may ask, and until when: an admin server with short sessions under tests/scenario/admin_gate.py.
 */
#include "admin/admin.h"
#include "folder.h"

/* The other server: TLS and client certificates. Its rows change when the script says so by a file. */
static const struct admin_certificate certificates[] = {
    {"ann", "email:ann@example.org", "viewer"},
    {"ci", "uri:spiffe://example.org/ci", "operator"},
    {"box", "dns:box.example.org", "admin"},
    {"sec", "cn:Sec Officer", "security"},
    {"worn", "cn:worn", "admin"},
};

static void rows_take(void *arg) {
  struct admin *a = arg;
  char path[128];
  if (access(in_folder(path, "fewer"), F_OK) == 0)
    (void)!admin_certificates(a, certificates + 1, 3);
}

/* By the script itself: 0, 1, or 77 without python3 or openssl. */
static int certificates_make(void) {
  char file[4096], command[8192];
  snprintf(command, sizeof(command), "python3 %s make %s", script_path(file, "admin_gate.py"), folder);
  int status = system(command);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int run(void) {
  own(store) s = NULL;
  own(loop) l = NULL;
  own(admin) a = NULL;
  own(admin) tls = NULL;
  char db[128], token[128], ledger[128], cert[128], key[128], ca[128];
  char port[8], second[8];
  const char *why = "";
  if (loop_new(&l) < 0 ||
      store_new(&s, &(struct store_settings){.file = in_folder(db, "r.db"), .commit_ms = 1}) < 0)
    return 1;
  struct admin_settings set = {.token_file = in_folder(token, "admin.token"),
                               .store_file = db,
                               .ledger_file = in_folder(ledger, "operators.db"),
                               .session_idle_s = 3,
                               .session_life_s = 60};
  if (addr_parse(&set.listen, SLICE("127.0.0.1"), 0) < 0 || admin_new(&a, &set, &why) < 0 ||
      admin_attach(a, l) < 0) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  set.ledger_file = in_folder(ledger, "second.db");
  set.cert_file = in_folder(cert, "server.pem");
  set.key_file = in_folder(key, "server.key");
  set.client_ca = in_folder(ca, "ca.pem");
  set.client_certs = certificates;
  set.client_certs_n = COUNT_OF(certificates);
  int r = certificates_make();
  if (r == 0 && (admin_new(&tls, &set, &why) < 0 || admin_attach(tls, l) < 0)) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  if (r)
    return r;
  snprintf(port, sizeof(port), "%u", admin_port(a));
  snprintf(second, sizeof(second), "%u", admin_port(tls));
  const char *const argv[] = {port, admin_token(a), folder, second, NULL};
  return script_run("admin_gate.py", argv, l, rows_take, tls);
}

int main(void) { return folder_main("gate", run); }
