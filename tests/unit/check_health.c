/* SPDX-License-Identifier: Apache-2.0
 * Units of the health engine in simulated time: hysteresis, silence, calls, the hub's data centres. */
#include "trunk/health.h"

#include <criterion/criterion.h>

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
