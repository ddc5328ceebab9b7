/* SPDX-License-Identifier: Apache-2.0
 * Units of the operators' database: staff comes back after a restart, sessions are bounded, and any byte
 * of the audit that changes is found. */
#include "base/hmac.h"
#include "store/store.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

static char dir[64], file[96], key[96];

static void setup(void) {
  snprintf(dir, sizeof(dir), "/tmp/check_ledger.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  snprintf(file, sizeof(file), "%s/operators.db", dir);
  snprintf(key, sizeof(key), "%s/audit.key", dir);
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
  uint64_t before = 0;
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
    cr_assert(!before || r.seq == before + 1);
    before = r.seq;
  }
}

static struct audit_found found(struct ledger *l) {
  struct audit_found f;
  cr_assert_eq(audit_verify(l, &f), 0);
  return f;
}

static size_t listed(struct ledger *l, const struct audit_query *q, uint64_t *ret_first) {
  struct audit_row *rows = NULL;
  size_t n = 0;
  cr_assert_eq(audit_list(l, q, &rows, &n), 0);
  if (ret_first)
    *ret_first = n ? rows[0].seq : 0;
  audit_rows_free(rows, n);
  return n;
}

Test(ledger, audit_is_a_chain) {
  struct ledger *l = ledger_open();
  struct audit_row *rows = NULL;
  size_t n = 0;
  struct audit_found f = found(l);
  cr_assert(f.rows == 0 && f.fault == AUDIT_WHOLE && f.broken_at == 0);
  audit_fill(l, 3);
  ledger_free(l);
  l = ledger_open();
  struct audit_row r = {
      .who = "", .role = "", .from = "", .verb = "v", .what = "", .before = "", .after = ""};
  cr_assert(audit_add(l, &r) == 0 && r.seq == 4);
  f = found(l);
  cr_assert(f.rows == 4 && f.fault == AUDIT_WHOLE && f.first == 1);
  cr_assert(audit_list(l, &(struct audit_query){.limit = 2}, &rows, &n) == 0 && n == 2 &&
            rows[0].seq == 4 && rows[1].seq == 3);
  cr_assert(!strcmp(rows[1].after, "{\"a\":1}") && rows[1].status == 200);
  audit_rows_free(rows, n);
  uint64_t first;
  cr_assert(listed(l, &(struct audit_query){.before_seq = 3, .limit = 50}, &first) == 2 && first == 2);
  ledger_free(l);
}

Test(ledger, audit_is_read_by_what_it_says) {
  own(ledger) l = ledger_open();
  static const struct {
    const char *who, *verb, *what;
    uint64_t at_ms;
  } rows[] = {{"ann", "login", "/login", 10},
              {"bob", "trunk_put", "/trunks/a", 20},
              {"ann", "trunk_put", "/trunks/b", 30},
              {"ann", "login", "/login", 40}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct audit_row r = {.at_ms = rows[i].at_ms,
                          .who = rows[i].who,
                          .role = "",
                          .from = "",
                          .verb = rows[i].verb,
                          .what = rows[i].what,
                          .before = "",
                          .after = ""};
    cr_assert_eq(audit_add(l, &r), 0);
  }
  static const struct {
    struct audit_query q;
    size_t n;
    uint64_t first;
  } cases[] = {
      {{.limit = 9}, 4, 4},
      {{.limit = 9, .who = "ann"}, 3, 4},
      {{.limit = 1, .who = "ann"}, 1, 4},
      {{.limit = 9, .who = "ann", .before_seq = 4}, 2, 3},
      {{.limit = 9, .who = "an"}, 0, 0},
      {{.limit = 9, .verb = "trunk_put", .who = "ann"}, 1, 3},
      {{.limit = 9, .what = "trunks"}, 2, 3},
      {{.limit = 9, .what = "trunks/a"}, 1, 2},
      {{.limit = 9, .what = "%"}, 0, 0},
      {{.limit = 9, .since_ms = 20, .until_ms = 40}, 2, 3},
      {{.limit = 9, .since_ms = 41}, 0, 0},
      {{.limit = 9, .who = "' OR 1=1 --"}, 0, 0},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    uint64_t first;
    cr_expect_eq(listed(l, &cases[i].q, &first), cases[i].n, "case %zu", i);
    cr_expect_eq(first, cases[i].first, "case %zu", i);
  }
}

Test(ledger, any_change_of_the_audit_is_found) {
  static const struct {
    const char *sql;
    uint64_t at;
    enum audit_fault fault;
  } changes[] = {
      {"UPDATE audit SET at_ms=at_ms+1 WHERE seq=3", 3, AUDIT_ROW},
      {"UPDATE audit SET who='bob' WHERE seq=3", 3, AUDIT_ROW},
      {"UPDATE audit SET role='viewer' WHERE seq=3", 3, AUDIT_ROW},
      {"UPDATE audit SET from_addr='192.0.2.2' WHERE seq=3", 3, AUDIT_ROW},
      {"UPDATE audit SET verb='trunk_pux' WHERE seq=3", 3, AUDIT_ROW},
      {"UPDATE audit SET what='/trunks/b' WHERE seq=3", 3, AUDIT_ROW},
      {"UPDATE audit SET before='{ }' WHERE seq=3", 3, AUDIT_ROW},
      {"UPDATE audit SET after='{\"a\":2}' WHERE seq=3", 3, AUDIT_ROW},
      {"UPDATE audit SET status=201 WHERE seq=3", 3, AUDIT_ROW},
      {"UPDATE audit SET hash=zeroblob(32) WHERE seq=3", 3, AUDIT_ROW},
      {"UPDATE audit SET who='anntrunk_put', verb='' WHERE seq=3", 3, AUDIT_ROW},
      {"UPDATE audit SET who=CAST(x'616e6e00' AS TEXT), role='' WHERE seq=3", 3, AUDIT_ROW},
      {"DELETE FROM audit WHERE seq=3", 3, AUDIT_ROW},
      {"DELETE FROM audit WHERE seq=5", 5, AUDIT_HEAD},
      {"DELETE FROM audit WHERE seq=1", 1, AUDIT_ROW},
      {"DELETE FROM audit", 1, AUDIT_HEAD},
      {"UPDATE audit SET seq=9 WHERE seq=5", 5, AUDIT_ROW},
      {"INSERT INTO audit SELECT 6,at_ms,who,role,from_addr,verb,what,before,after,status,hash FROM "
       "audit "
       "WHERE seq=5",
       6, AUDIT_ROW},
      {"DELETE FROM audit_seal", 5, AUDIT_HEAD},
      /* What one would do who has the database and not the key. */
      {"DELETE FROM audit WHERE seq=5; UPDATE audit_seal SET seq=4, hash=(SELECT hash FROM audit WHERE "
       "seq=4)",
       4, AUDIT_HEAD},
      {"DELETE FROM audit WHERE seq<3; UPDATE audit_seal SET floor_seq=2", 3, AUDIT_ROW},
      {"UPDATE audit_seal SET since=0", 5, AUDIT_HEAD},
      {"UPDATE audit_seal SET mac=zeroblob(32)", 5, AUDIT_HEAD},
      {"DELETE FROM audit; UPDATE audit_seal SET seq=0, hash=zeroblob(32)", 1, AUDIT_HEAD},
  };
  for (size_t i = 0; i < COUNT_OF(changes); i++) {
    struct ledger *l = ledger_open();
    audit_fill(l, 5);
    cr_assert_eq(found(l).fault, AUDIT_WHOLE);
    sql(changes[i].sql);
    struct audit_found f = found(l);
    cr_expect(f.broken_at == changes[i].at && f.fault == changes[i].fault, "%s: %d at %llu",
              changes[i].sql, f.fault, (unsigned long long)f.broken_at);
    ledger_free(l);
    cr_assert_eq(unlink(file), 0);
  }
}

/* What was cut off stays known, however many rows come after. */
Test(ledger, a_head_that_is_not_ours_is_never_forgotten) {
  own(ledger) l = ledger_open();
  audit_fill(l, 5);
  sql("DELETE FROM audit WHERE seq=5; UPDATE audit_seal SET seq=4, hash=(SELECT hash FROM audit WHERE "
      "seq=4)");
  audit_fill(l, 3);
  struct audit_found f = found(l);
  cr_assert(f.fault == AUDIT_SINCE && f.broken_at == 4 && f.rows == 7, "%d at %llu of %llu", f.fault,
            (unsigned long long)f.broken_at, (unsigned long long)f.rows);
  ledger_free(take(l));
  cr_assert_eq(unlink(key), 0);
  l = ledger_open();
  cr_assert_eq(found(l).fault, AUDIT_HEAD, "another key");
  audit_fill(l, 1);
  f = found(l);
  cr_assert(f.fault == AUDIT_SINCE && f.broken_at == 7);
}

Test(ledger, what_is_old_goes_and_the_rest_holds) {
  own(ledger) l = ledger_open();
  uint64_t n, first;
  audit_fill(l, 10);
  sql("UPDATE audit SET hash=hash"); /* as it was */
  cr_assert(audit_prune(l, 0, 100, &n) == 0 && n == 0);
  cr_assert(audit_prune(l, 0, 4, &n) == 0 && n == 6);
  struct audit_found f = found(l);
  cr_assert(f.fault == AUDIT_WHOLE && f.rows == 4 && f.first == 7);
  cr_assert(audit_prune(l, UINT64_MAX / 4, 100, &n) == 0 && n == 4);
  f = found(l);
  cr_assert(f.fault == AUDIT_WHOLE && f.rows == 0 && f.first == 11);
  audit_fill(l, 2);
  cr_assert(found(l).fault == AUDIT_WHOLE && listed(l, &(struct audit_query){.limit = 9}, &first) == 2 &&
            first == 12);
  sql("DELETE FROM audit WHERE seq=11; UPDATE audit_seal SET floor_seq=11, floor_hash=(SELECT hash FROM "
      "audit WHERE seq=12)");
  cr_assert_neq(found(l).fault, AUDIT_WHOLE, "who cuts the beginning off has no key");
  cr_assert(audit_prune(l, UINT64_MAX / 4, 0, &n) == 0 && n == 0, "evidence stays");
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

/* Rows from before there was a key are vouched for only where the key is new. */
Test(ledger, an_older_audit_is_taken_up) {
  fixture_load("operators-2.sql");
  struct ledger *l = ledger_open();
  struct staff_user u;
  struct audit_found f = found(l);
  cr_assert(f.fault == AUDIT_WHOLE && f.rows == 3 && f.first == 1);
  cr_assert(staff_user_get(l, "ann", &u) == 0 && !strcmp(u.role, "security"));
  audit_fill(l, 1);
  f = found(l);
  cr_assert(f.fault == AUDIT_WHOLE && f.rows == 4);
  ledger_free(l);
  /* With the key there, an old file is one that was made to look so. */
  cr_assert_eq(unlink(file), 0);
  fixture_load("operators-2.sql");
  l = ledger_open();
  f = found(l);
  cr_assert(f.fault == AUDIT_SINCE && f.broken_at == 3);
  ledger_free(l);
}

Test(ledger, a_key_that_others_may_read_is_refused) {
  struct ledger *l = ledger_open();
  struct stat st;
  ledger_free(l);
  cr_assert(stat(key, &st) == 0 && (st.st_mode & 0777) == 0600 && st.st_size == 65);
  cr_assert_eq(chmod(key, 0640), 0);
  cr_assert_eq(ledger_new(&l, file), -EPERM);
  cr_assert_eq(truncate(key, 10) | chmod(key, 0600), 0);
  cr_assert_eq(ledger_new(&l, file), -EINVAL);
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
    cr_expect_eq(found(l).broken_at, 1, "bit %d", bit);
    sql("UPDATE audit SET after='{\"a\":1}' WHERE seq=1");
    cr_assert_eq(found(l).broken_at, 0);
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

static char reports[600];
static void report_take(void *arg, const char *text) {
  (void)arg;
  strncat(reports, text, sizeof(reports) - strlen(reports) - 1);
}

Test(ledger, reports_come_back_in_their_order) {
  struct ledger *l = ledger_open();
  char id[16];
  cr_assert_eq(kept_report_put(l, "d_1", "one ", 10), 0);
  cr_assert_eq(kept_report_put(l, "d_2'; DROP TABLE reports", "two ", 20), 0);
  cr_assert_eq(kept_report_put(l, "d_1", "ONE ", 30), 0);
  cr_assert_eq(kept_report_put(l, "d_3", "three ", 20), 0);
  cr_assert_eq(kept_report_del(l, "d_3"), 0);
  cr_assert_eq(kept_report_del(l, "d_4"), 0, "there is none");
  ledger_free(l);
  l = ledger_open();
  kept_reports(l, report_take, NULL);
  cr_assert_str_eq(reports, "ONE two ");
  for (int i = 0; i < KEPT_REPORTS_MAX; i++) {
    snprintf(id, sizeof(id), "e_%d", i);
    cr_assert_eq(kept_report_put(l, id, i ? "x" : "y", 40), 0);
  }
  reports[0] = 0;
  kept_reports(l, report_take, NULL);
  cr_assert(strlen(reports) == KEPT_REPORTS_MAX && reports[0] == 'y', "%s", reports);
  ledger_free(l);
}

Test(ledger, a_file_without_reports_gets_their_table) {
  fixture_load("operators-3.sql");
  struct ledger *l = ledger_open();
  struct staff_user u;
  cr_assert(staff_user_get(l, "ann", &u) == 0 && !strcmp(u.role, "security"));
  cr_assert_eq(kept_report_put(l, "d_1", "one", 10), 0);
  kept_reports(l, report_take, NULL);
  cr_assert_str_eq(reports, "one");
  ledger_free(l);
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
  sql("PRAGMA user_version=5");
  cr_assert_eq(ledger_new(&l, file), -EIO, "a newer program's file is left alone");
}
