/* SPDX-License-Identifier: Apache-2.0
 * Units of the operators' database: staff comes back after a restart, sessions are bounded, and any byte
 * of the audit that changes is found. */
#include "base/hmac.h"
#include "store/store.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

static char dir[64], file[96];

static void setup(void) {
  snprintf(dir, sizeof(dir), "/tmp/check_ledger.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  snprintf(file, sizeof(file), "%s/operators.db", dir);
}

static void teardown(void) {
  char cmd[128];
  snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
  cr_assert_eq(system(cmd), 0);
}

TestSuite(ledger, .init = setup, .fini = teardown);

static struct ledger *ledger_open(void) {
  struct ledger *l = NULL;
  cr_assert_eq(ledger_new(&l, file), 0);
  return l;
}

static void sql(const char *text) {
  sqlite3 *db = NULL;
  char *why = NULL;
  cr_assert_eq(sqlite3_open(file, &db), SQLITE_OK);
  sqlite3_exec(db, text, NULL, NULL, &why);
  cr_assert_null(why, "%s: %s", text, why);
  sqlite3_close(db);
}

Test(ledger, users_come_back_and_go) {
  struct ledger *l = ledger_open();
  struct stat st;
  struct staff_user u = {.name = "ann", .role = "operator", .hash = "$h", .created_ms = 5}, got;
  cr_assert(stat(file, &st) == 0 && !(st.st_mode & 077));
  uint64_t before = staff_generation(l);
  cr_assert_eq(staff_user_add(l, &u), 0);
  cr_assert_gt(staff_generation(l), before);
  cr_assert_eq(staff_user_add(l, &u), -EEXIST);
  cr_assert(ledger_is_well(l), "a name that is taken is no failure of the disk");
  ledger_free(l);
  l = ledger_open();
  cr_assert_eq(staff_user_get(l, "ann", &got), 0);
  cr_assert(!strcmp(got.role, "operator") && !strcmp(got.hash, "$h") && got.created_ms == 5 &&
            !got.locked);
  u.locked = true;
  cr_assert_eq(staff_user_set(l, &u), 0);
  staff_user_seen(l, "ann", 77);
  cr_assert(staff_user_get(l, "ann", &got) == 0 && got.locked && got.last_login_ms == 77);
  cr_assert_eq(staff_user_del(l, "ann"), 0);
  cr_assert_eq(staff_user_del(l, "ann"), -ENOENT);
  cr_assert_eq(staff_user_get(l, "ann", &got), -ENOENT);
  cr_assert_eq(staff_user_set(l, &u), -ENOENT);
  ledger_free(l);
}

Test(ledger, users_are_bounded) {
  own(ledger) l = ledger_open();
  sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<999) INSERT INTO users "
      "SELECT "
      "'u'||i,'viewer','',0,0,0 FROM n");
  struct staff_user u = {.name = "a", .role = "viewer"}, *list = NULL;
  size_t n = 0;
  cr_assert_eq(staff_user_add(l, &u), 0);
  u.name[0] = 'b';
  cr_assert_eq(staff_user_add(l, &u), -ENOSPC);
  cr_assert(staff_users(l, &list, &n) == 0 && n == STAFF_USERS_MAX && !strcmp(list[0].name, "a"));
  free(list);
}

static struct staff_session session_of(uint8_t first, const char *user, uint64_t at_ms) {
  struct staff_session s = {.digest = {first}, .created_ms = at_ms, .used_ms = at_ms};
  slice_copy(s.user, sizeof(s.user), slice_of(user));
  return s;
}

Test(ledger, tokens_and_sessions_end_together) {
  own(ledger) l = ledger_open();
  struct staff_token t = {.id = "at_1",
                          .name = "ci",
                          .role = "viewer",
                          .by = "ann",
                          .digest = {7},
                          .expires_ms = 900},
                     got;
  struct staff_session s = session_of(1, "ci", 100), out;
  memcpy(s.origin, t.digest, 32);
  cr_assert_eq(staff_token_add(l, &t), 0);
  cr_assert_eq(staff_session_add(l, &s, 0, 0), 0);
  cr_assert(staff_session_find(l, s.digest, &out) == 0 && out.created_ms == 100 && out.origin[0] == 7);
  staff_token_seen(l, t.digest, 55);
  cr_assert(staff_token_find(l, t.digest, &got) == 0 && got.last_used_ms == 55 && got.expires_ms == 900);
  cr_assert(staff_token_del(l, "at_1", &got) == 0 && got.digest[0] == 7);
  cr_assert_eq(staff_token_del(l, "at_1", &got), -ENOENT);
  cr_assert_eq(staff_session_find(l, s.digest, &out), -ENOENT);
}

Test(ledger, sessions_grow_old_and_are_bounded) {
  own(ledger) l = ledger_open();
  struct staff_session old = session_of(1, "ann", 10), s = session_of(2, "ann", 1000), out;
  cr_assert_eq(staff_session_add(l, &old, 0, 0), 0);
  cr_assert_eq(staff_session_add(l, &s, 500, 500), 0);
  cr_assert_eq(staff_session_find(l, old.digest, &out), -ENOENT, "used before 500");
  cr_assert_eq(staff_session_find(l, s.digest, &out), 0);
  staff_session_seen(l, s.digest, 2000);
  cr_assert(staff_session_find(l, s.digest, &out) == 0 && out.used_ms == 2000);
  sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<4096) INSERT INTO sessions "
      "SELECT randomblob(32),'x',zeroblob(32),3000+i,3000+i FROM n");
  struct staff_session last = session_of(3, "ann", 9000);
  cr_assert_eq(staff_session_add(l, &last, 0, 0), 0);
  cr_assert_eq(staff_session_find(l, s.digest, &out), -ENOENT, "the oldest gave way");
  cr_assert_eq(staff_session_find(l, last.digest, &out), 0);
  cr_assert_eq(staff_sessions_end(l, "ann"), 0);
  cr_assert_eq(staff_session_find(l, last.digest, &out), -ENOENT);
}

static void audit_fill(struct ledger *l, int n) {
  for (int i = 0; i < n; i++) {
    struct audit_row r = {.at_ms = 1000u + (unsigned)i,
                          .who = "ann",
                          .role = "admin",
                          .from = "192.0.2.1",
                          .verb = "trunk_put",
                          .what = "/trunks/a",
                          .before = "{}",
                          .after = "{\"a\":1}",
                          .status = 200};
    cr_assert_eq(audit_add(l, &r), 0);
    cr_assert_eq(r.seq, (uint64_t)i + 1);
  }
}

static uint64_t broken_at(struct ledger *l) {
  uint64_t rows, at;
  cr_assert_eq(audit_verify(l, &rows, &at), 0);
  return at;
}

Test(ledger, audit_is_a_chain) {
  struct ledger *l = ledger_open();
  struct audit_row *rows = NULL;
  uint64_t n_rows, at;
  size_t n = 0;
  cr_assert(audit_verify(l, &n_rows, &at) == 0 && n_rows == 0 && at == 0);
  audit_fill(l, 3);
  ledger_free(l);
  l = ledger_open();
  struct audit_row r = {
      .who = "", .role = "", .from = "", .verb = "v", .what = "", .before = "", .after = ""};
  cr_assert(audit_add(l, &r) == 0 && r.seq == 4);
  cr_assert(audit_verify(l, &n_rows, &at) == 0 && n_rows == 4 && at == 0);
  cr_assert(audit_list(l, 0, 2, &rows, &n) == 0 && n == 2 && rows[0].seq == 4 && rows[1].seq == 3);
  cr_assert(!strcmp(rows[1].after, "{\"a\":1}") && rows[1].status == 200);
  audit_rows_free(rows, n);
  cr_assert(audit_list(l, 3, 50, &rows, &n) == 0 && n == 2 && rows[0].seq == 2);
  audit_rows_free(rows, n);
  ledger_free(l);
}

Test(ledger, any_change_of_the_audit_is_found) {
  static const struct {
    const char *sql;
    uint64_t at;
  } changes[] = {
      {"UPDATE audit SET at_ms=at_ms+1 WHERE seq=3", 3},
      {"UPDATE audit SET who='bob' WHERE seq=3", 3},
      {"UPDATE audit SET role='viewer' WHERE seq=3", 3},
      {"UPDATE audit SET from_addr='192.0.2.2' WHERE seq=3", 3},
      {"UPDATE audit SET verb='trunk_pux' WHERE seq=3", 3},
      {"UPDATE audit SET what='/trunks/b' WHERE seq=3", 3},
      {"UPDATE audit SET before='{ }' WHERE seq=3", 3},
      {"UPDATE audit SET after='{\"a\":2}' WHERE seq=3", 3},
      {"UPDATE audit SET status=201 WHERE seq=3", 3},
      {"UPDATE audit SET hash=zeroblob(32) WHERE seq=3", 3},
      {"UPDATE audit SET who='anntrunk_put', verb='' WHERE seq=3", 3},
      {"UPDATE audit SET who=CAST(x'616e6e00' AS TEXT), role='' WHERE seq=3", 3},
      {"DELETE FROM audit WHERE seq=3", 3},
      {"DELETE FROM audit WHERE seq=5", 5},
      {"DELETE FROM audit WHERE seq=1", 1},
      {"DELETE FROM audit", 1},
      {"UPDATE audit SET seq=9 WHERE seq=5", 5},
      {"INSERT INTO audit SELECT 6,at_ms,who,role,from_addr,verb,what,before,after,status,hash FROM "
       "audit "
       "WHERE seq=5",
       6},
      {"DELETE FROM audit_head", 5},
  };
  for (size_t i = 0; i < COUNT_OF(changes); i++) {
    struct ledger *l = ledger_open();
    sql("DELETE FROM audit; DELETE FROM audit_head");
    audit_fill(l, 5);
    cr_assert_eq(broken_at(l), 0);
    sql(changes[i].sql);
    cr_expect_eq(broken_at(l), changes[i].at, "%s", changes[i].sql);
    ledger_free(l);
  }
}

/* Every bit of what a row holds: none may change unseen. */
Test(ledger, any_bit_of_a_text_is_found) {
  own(ledger) l = ledger_open();
  audit_fill(l, 2);
  for (int bit = 0; bit < 7 * 8; bit++) {
    char text[160];
    static const char was[] = "{\"a\":1}";
    char now[8];
    memcpy(now, was, sizeof(was));
    now[bit / 8] = (char)(now[bit / 8] ^ (1 << bit % 8));
    char hex[17] = "";
    for (int i = 0; i < 7; i++)
      snprintf(hex + 2 * i, 3, "%02x", (unsigned char)now[i]);
    snprintf(text, sizeof(text), "UPDATE audit SET after=CAST(x'%s' AS TEXT) WHERE seq=1", hex);
    sql(text);
    cr_expect_eq(broken_at(l), 1, "bit %d", bit);
    sql("UPDATE audit SET after='{\"a\":1}' WHERE seq=1");
    cr_assert_eq(broken_at(l), 0);
  }
}

Test(ledger, a_file_that_others_may_read_is_refused) {
  struct ledger *l = ledger_open();
  ledger_free(l);
  cr_assert_eq(chmod(file, 0644), 0);
  cr_assert_eq(ledger_new(&l, file), -EPERM);
  cr_assert_eq(chmod(file, 0600), 0);
  sql("PRAGMA user_version=99");
  cr_assert_eq(ledger_new(&l, file), -EIO, "a newer program's file");
}

/* ---- what operators see that outlives a restart ---- */

Test(ledger, bans_and_alarms_come_back) {
  struct ledger *l = ledger_open();
  static struct kept_ban bans[KEPT_BANS_MAX];
  static struct kept_alarm alarms[KEPT_ALARMS_MAX];
  const struct kept_ban in[] = {{"192.0.2.1", "why'; DROP TABLE bans", "gateway", 77, 5, false},
                                {"2001:db8::", "scans", "ann", 1ull << 40, 0, true}};
  const struct kept_alarm al = {"al_1", "trunk_down", "carrier", "critical", "Trunk", "ann", 5, 6};
  cr_assert_eq(kept_bans(l, bans), 0);
  cr_assert_eq(kept_bans_put(l, in, 2), 0);
  cr_assert_eq(kept_alarms_put(l, &al, 1), 0);
  ledger_free(l);
  l = ledger_open();
  cr_assert_eq(kept_bans(l, bans), 2);
  cr_assert(bans[0].by_hand && bans[0].until_ms == 1ull << 40 && !strcmp(bans[0].address, "2001:db8::") &&
            !strcmp(bans[0].by, "ann"));
  cr_assert(!bans[1].by_hand && bans[1].hits == 5 && !strcmp(bans[1].why, in[0].why));
  cr_assert_eq(kept_alarms(l, alarms), 1);
  cr_assert(!memcmp(&alarms[0], &al, sizeof(al)));
  cr_assert_eq(kept_bans_put(l, in, 1), 0);
  cr_assert_eq(kept_bans(l, bans), 1, "written whole");
  ledger_free(l);
}

static void fixture_load(const char *name) {
  static char text[8192];
  char path[256];
  const char *top = getenv("SRCDIR") ? getenv("SRCDIR") : SRCDIR;
  snprintf(path, sizeof(path), "%s/tests/unit/fixtures/%s", top, name);
  FILE *f = fopen(path, "r");
  cr_assert_not_null(f, "%s", path);
  text[fread(text, 1, sizeof(text) - 1, f)] = 0;
  fclose(f);
  sql(text);
  chmod(file, 0600);
}

Test(ledger, every_older_schema_is_upgraded) {
  fixture_load("operators-1.sql");
  struct ledger *l = ledger_open();
  struct staff_user u;
  struct kept_ban b = {"192.0.2.1", "", "ann", 77, 0, true};
  static struct kept_ban bans[KEPT_BANS_MAX];
  cr_assert_eq(staff_user_get(l, "ann", &u), 0);
  cr_assert_str_eq(u.role, "security");
  cr_assert_eq(kept_bans_put(l, &b, 1), 0);
  ledger_free(l);
  l = ledger_open();
  cr_assert_eq(kept_bans(l, bans), 1);
  ledger_free(l);
  sql("PRAGMA user_version=3");
  cr_assert_eq(ledger_new(&l, file), -EIO, "a newer program's file is left alone");
}
