/* SPDX-License-Identifier: Apache-2.0
 * The admin server under tests/scenario/admin_verbs.py. */
#include "admin/admin.h"
#include "base/clock.h"
#include "folder.h"

#include <sys/stat.h>

static unsigned asked;

static bool ready(void *arg, char ret_why[ADMIN_REASON_BYTES]) {
  const struct store *s = arg;
  char path[128];
  if (store_is_well(s) && access(in_folder(path, "draining"), F_OK) < 0)
    return true;
  snprintf(ret_why, ADMIN_REASON_BYTES, "draining");
  return false;
}

enum { MANY = 30, MOST_AT_ONCE = 16 };
static bool held_up; /* more rows at once than calls should wait for */

/* Calls of the trunk "many", each named by its number. */
static json_t *many(struct admin_part *part) {
  json_t *rows = json_array();
  held_up = held_up || part->limit > MOST_AT_ONCE;
  for (uint32_t i = part->at; i < MANY && json_array_size(rows) < part->limit; i++)
    json_array_append_new(rows, json_pack("{s:i}", "id", (int)i));
  part->at += (uint32_t)json_array_size(rows);
  part->at = part->at < MANY ? part->at : 0;
  return rows;
}

static json_t *calls(void *arg, struct admin_part *part) {
  unsigned *n = arg;
  if (part->trunk && strcmp(part->trunk, "many") == 0)
    return many(part);
  ++*n;
  bool none = part->at || part->trunk;
  part->at = !none && part->limit == 1 ? 7 : 0;
  if (none)
    return json_array();
  return json_pack("[{s:s}]", "id", "c_live");
}

static uint64_t seven(void *arg) {
  (void)arg;
  return 7;
}

static int records_put(struct store *s) {
  static struct record r;
  for (int i = 0; i < 12; i++) {
    memset(&r, 0, sizeof(r));
    snprintf(r.id, sizeof(r.id), "c_%02d", i);
    snprintf(r.from, sizeof(r.from), "<script>alert(%d)</script>\xff", i);
    snprintf(r.to, sizeof(r.to), "+1425555010%d", i % 2);
    snprintf(r.metadata, sizeof(r.metadata), "{\"a\":%d}", i);
    r.state = i % 3 ? RECORD_ENDED : RECORD_REFUSED;
    r.started_ms = 1800000000000ull + (uint64_t)i * 1000u;
    r.answered_ms = i % 3 ? r.started_ms + 1500 : 0;
    r.ended_ms = r.started_ms + 5000;
    r.sip_status = i % 3 ? 0 : 403;
    r.caller.kind = RECORD_LEG_TRUNK;
    r.caller.rx = (struct record_flow){100, 17200, 3, 2500, 1};
    r.caller.mos_x100 = i == 4 ? 210 : 431;
    snprintf(r.caller.sip_call_id, sizeof(r.caller.sip_call_id), "call-%d@far", i);
    snprintf(r.identity, sizeof(r.identity), "%s", i == 7 ? "=1+cmd|' /c calc'!A0" : "ali,\"ce\"");
    if (i == 8)
      snprintf(r.attempts, sizeof(r.attempts), "[{\"trunk\":\"one\",\"sip\":503},{\"trunk\":\"two\"}]");
    (void)store_put(s, &r);
  }
  return store_flush(s, 5000);
}

static int run(void) {
  own(tokens) t = NULL;
  own(store) s = NULL;
  own(loop) l = NULL;
  own(admin) a = NULL;
  char key[128], db[128], token[128], ledger[128], port[8];
  const char *why = "";
  if (tokens_new(&t, "https://edge.example", in_folder(key, "key.pem"), NULL) < 0 || loop_new(&l) < 0 ||
      store_new(&s, &(struct store_settings){.file = in_folder(db, "r.db"), .commit_ms = 1}) < 0 ||
      records_put(s) < 0)
    return 1;
  struct admin_settings set = {.token_file = in_folder(token, "admin.token"),
                               .store_file = db,
                               .ledger_file = in_folder(ledger, "operators.db"),
                               .tokens = t,
                               .ready = ready,
                               .ready_arg = s,
                               .calls = calls,
                               .calls_arg = &asked};
  if (addr_parse(&set.listen, SLICE("127.0.0.1"), 0) < 0 || admin_new(&a, &set, &why) < 0 ||
      admin_attach(a, l) < 0) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  struct stat st;
  if (stat(token, &st) < 0 || st.st_mode & 077 || strlen(admin_token(a)) < 40)
    return 1;
  if (admin_count(a, store_counts(s)) < 0 || admin_gauge(a, "sallyport_test", "Seven.", seven, NULL) < 0)
    return 1;
  snprintf(port, sizeof(port), "%u", admin_port(a));
  const char *const argv[] = {port, admin_token(a), folder, NULL};
  int r = script_run("admin_verbs.py", argv, l, NULL, NULL);
  struct admin *second = NULL;
  if (chmod(token, 0644) < 0 || admin_new(&second, &set, &why) != -EPERM) {
    fprintf(stderr, "a token that others may read was taken\n");
    r = 1;
  }
  if (held_up)
    fprintf(stderr, "a page of calls was made in one go\n");
  return r == 0 && (asked != 4 || held_up) ? 1 : r; /* refused queries ask nobody */
}

int main(void) { return folder_main("admin", run); }
