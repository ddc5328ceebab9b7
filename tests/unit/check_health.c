/* SPDX-License-Identifier: Apache-2.0
 * Units of the health engine in simulated time: hysteresis, silence, calls, the hub's data centres. */
#include "trunk/expiry.h"
#include "trunk/health.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

enum { S = 1000000, MINUTE = 60 * S };

static struct conf_trunk trunk_of(uint8_t kind, uint8_t role) {
  struct conf_trunk t = {.kind = kind, .role = role, .options = true, .options_interval_s = 60};
  t.options_down = kind == TRUNK_CARRIER ? 2 : 3;
  t.options_up = kind == TRUNK_CARRIER ? 2 : 1;
  return t;
}

Test(health, a_carrier_goes_and_comes_by_hysteresis) {
  const struct conf_trunk t = trunk_of(TRUNK_CARRIER, ROLE_HUB);
  const struct health_rule r = health_rule_of(&t);
  struct health h = {.n = 1};
  cr_expect_eq(health_state(&h, &r, 1), TRUNK_UNKNOWN);
  health_answer(&h, &r, 0, true);
  cr_expect_eq(health_state(&h, &r, 1), TRUNK_UP);
  cr_expect_eq(health_asked(&h, &r, 1), ASKED_ACTIVE);
  health_answer(&h, &r, 0, false);
  cr_expect_eq(health_state(&h, &r, 1), TRUNK_UP, "one is not enough");
  cr_expect_eq(health_asked(&h, &r, 1), ASKED_ERROR);
  health_answer(&h, &r, 0, false);
  cr_expect_eq(health_state(&h, &r, 1), TRUNK_DOWN);
  health_answer(&h, &r, 0, true);
  cr_expect_eq(health_state(&h, &r, 1), TRUNK_DOWN, "nor is one good");
  health_answer(&h, &r, 0, false);
  health_answer(&h, &r, 0, true);
  cr_expect_eq(health_state(&h, &r, 1), TRUNK_DOWN, "two in a row");
  health_answer(&h, &r, 0, true);
  cr_expect_eq(health_state(&h, &r, 1), TRUNK_UP);
}

Test(health, calls_that_nobody_answers_tell_too) {
  struct conf_trunk t = trunk_of(TRUNK_CARRIER, ROLE_HUB);
  t.options = false;
  const struct health_rule r = health_rule_of(&t);
  struct health h = {.n = 1};
  health_call(&h, &r, 0, false, 5 * S);
  health_call(&h, &r, 0, false, 5 * S);
  health_call(&h, &r, 0, true, 5 * S);
  health_call(&h, &r, 0, false, 5 * S);
  health_call(&h, &r, 0, false, 5 * S);
  cr_expect_eq(health_state(&h, &r, 5 * S), TRUNK_UNKNOWN, "three in a row");
  health_call(&h, &r, 0, false, 5 * S);
  cr_expect_eq(health_state(&h, &r, 6 * S), TRUNK_DOWN);
  cr_expect_eq(health_state(&h, &r, 65 * S - 1), TRUNK_DOWN);
  cr_expect_eq(health_state(&h, &r, 65 * S), TRUNK_UNKNOWN, "tried again by itself");
  health_call(&h, &r, 0, false, 66 * S);
  cr_expect_eq(health_state(&h, &r, 66 * S), TRUNK_DOWN, "and bad again at once");
  health_call(&h, &r, 0, true, 67 * S);
  cr_expect_eq(health_state(&h, &r, 67 * S), TRUNK_UNKNOWN);
}

/* O-1, O-2, O-6, O-7, C-16 */
Test(health, a_hub_hears_the_sbc_first) {
  const struct conf_trunk t = trunk_of(TRUNK_DIRECT_ROUTING, ROLE_HUB);
  const struct health_rule r = health_rule_of(&t);
  struct health h = {.n = 1};
  cr_assert(r.hears);
  cr_expect_eq(health_state(&h, &r, 9 * MINUTE), TRUNK_UNKNOWN);
  cr_expect_eq(health_asked(&h, &r, 9 * MINUTE), ASKED_UNKNOWN);
  health_heard(&h, 10 * (uint64_t)MINUTE);
  cr_expect_eq(health_state(&h, &r, 10 * (uint64_t)MINUTE), TRUNK_UNKNOWN,
               "not before it answered ours");
  health_answer(&h, &r, 0, true);
  cr_expect_eq(health_state(&h, &r, 10 * (uint64_t)MINUTE), TRUNK_UP);
  cr_expect_eq(health_state(&h, &r, 13 * (uint64_t)MINUTE), TRUNK_UP, "three intervals");
  cr_expect_eq(health_state(&h, &r, 13 * (uint64_t)MINUTE + 1), TRUNK_DOWN);
  cr_expect_eq(health_asked(&h, &r, 13 * (uint64_t)MINUTE + 1), ASKED_EXPIRED);
  health_heard(&h, 14 * (uint64_t)MINUTE);
  cr_expect_eq(health_state(&h, &r, 14 * (uint64_t)MINUTE), TRUNK_UP, "back by itself");
  for (int i = 0; i < 3; i++)
    health_answer(&h, &r, 0, false);
  cr_expect_eq(health_state(&h, &r, 14 * (uint64_t)MINUTE), TRUNK_DOWN);
  cr_expect_eq(health_asked(&h, &r, 14 * (uint64_t)MINUTE), ASKED_ERROR);
}

/* C-1, I-18: the hub's names in order, the busy and the dead ones last. */
Test(health, data_centres_in_order) {
  struct conf_trunk t = trunk_of(TRUNK_DIRECT_ROUTING, ROLE_SBC);
  const struct health_rule r = health_rule_of(&t);
  struct health h = {.n = 3};
  uint8_t order[CONF_HUBS_MAX];
  cr_assert_not(r.hears, "we start");
  health_order(&h, &r, 1, order);
  cr_expect(order[0] == 0 && order[1] == 1 && order[2] == 2);
  health_busy(&h, &r, 0, 1, 10 * S);
  health_order(&h, &r, 10 * S, order);
  cr_expect(order[0] == 1 && order[1] == 2 && order[2] == 0);
  health_order(&h, &r, 11 * S, order);
  cr_expect(order[0] == 0, "after Retry-After");
  for (int i = 0; i < 3; i++)
    health_answer(&h, &r, 0, false);
  health_answer(&h, &r, 1, true);
  health_order(&h, &r, 20 * S, order);
  cr_expect(order[0] == 1 && order[2] == 0);
  cr_expect_eq(health_state(&h, &r, 20 * S), TRUNK_UP, "as long as one lives");
  health_busy(&h, &r, 1, UINT32_MAX, 20 * S);
  cr_expect_not(health_goal_is_bad(&h, &r, 1, 20 * S + (uint64_t)HEALTH_RETRY_MAX_S * S));
}

Test(health, the_peers_certificate) {
  cr_expect_eq(health_tls(0, 1000), TLS_UNKNOWN);
  cr_expect_eq(health_tls(1000 + 31 * 86400, 1000), TLS_ACTIVE);
  cr_expect_eq(health_tls(1000 + 30 * 86400, 1000), TLS_CERT_EXPIRING);
  cr_expect_eq(health_tls(1000, 1000), TLS_CERT_EXPIRED);
  cr_expect_str_eq(trunk_tls_text(TLS_CERT_EXPIRING), "cert_expiring");
  cr_expect_str_eq(trunk_overall_text(TRUNK_UP), "online");
  cr_expect_str_eq(trunk_asked_text(ASKED_EXPIRED), "expired");
}

/* 30, 7 and 1 days before and at the end, each once; a renewed one starts again. */
Test(expiry, is_said_in_time) {
  int told = EXPIRY_NEVER;
  const int64_t end = 100 * 86400, day = 86400;
  char text[64];
  unsigned said = 0;
  for (int64_t now = 0; now < end + 5 * day; now += 3600)
    said += expiry_is_news(&told, end, now);
  cr_expect_eq(said, 4);
  cr_expect_eq(told, 0);
  cr_expect_not(expiry_is_news(&told, end + 365 * day, end));
  cr_expect(expiry_is_news(&told, end + 365 * day, end + 340 * day));
  cr_expect_eq(expiry_step(end, end - 30 * day - 1), EXPIRY_NEVER);
  cr_expect_eq(expiry_step(end, end - 30 * day), 30);
  cr_expect_eq(expiry_step(end, end - day), 1);
  cr_expect_eq(expiry_step(0, end), EXPIRY_NEVER);
  cr_expect_str_eq(expiry_text(text, sizeof(text), end, end - 6 * day - 5), "ends in 6 days");
  cr_expect_str_eq(expiry_text(text, sizeof(text), end, end + day), "ended 1 day ago");
}

static void file_write(const char *path, const char *text) {
  FILE *f = fopen(path, "we");
  cr_assert(f && fputs(text, f) >= 0);
  fclose(f);
}

/* Taken when it is whole: changed, and the same at the next look. */
Test(expiry, changed_files_are_noticed) {
  char path[] = "/tmp/sp-expiry-XXXXXX", other[64];
  int fd = mkstemp(path);
  struct expiry_files f = {0}, before;
  cr_assert_geq(fd, 0);
  close(fd);
  snprintf(other, sizeof(other), "%s.new", path);
  expiry_watch(&f, path);
  expiry_watch(&f, path);
  expiry_watch(&f, "");
  cr_expect_eq(f.n, 1);
  cr_expect_not(expiry_look(&f));
  before = f;
  file_write(path, "half");
  cr_expect_not(expiry_look(&f), "still being written");
  file_write(path, "whole");
  cr_expect_not(expiry_look(&f));
  cr_expect(expiry_look(&f));
  cr_expect_not(expiry_look(&f), "once");
  cr_expect(expiry_differ(&before, &f) && !expiry_differ(&f, &f));
  file_write(other, "whole");
  cr_assert_eq(rename(other, path), 0);
  cr_expect_not(expiry_look(&f));
  cr_expect(expiry_look(&f), "renamed onto it");
  unlink(path);
}
