/* SPDX-License-Identifier: Apache-2.0
 * Overload by waiting time. */
#include "trunk/shed.h"

#include <criterion/criterion.h>

static uint64_t now_us = 5000000;

static void wait_for(struct shed *s, unsigned n, int64_t us) {
  for (unsigned i = 0; i < n; i++)
    shed_waited(s, us, now_us);
}

Test(shed, late_requests_close_the_door_and_good_ones_open_it) {
  struct shed s = {0};
  wait_for(&s, SHED_FROM - 1, 25000);
  cr_assert_not(shed_invite(&s, false, 1));
  wait_for(&s, 1, 25000);
  cr_assert(shed_invite(&s, false, 2));
  cr_assert_not(shed_invite(&s, true, 2), "an emergency call");
  wait_for(&s, SHED_FROM - 1, 500);
  cr_assert(shed_invite(&s, false, 3), "still");
  wait_for(&s, 1, 500);
  cr_assert_not(shed_invite(&s, false, 4));
}

Test(shed, between_the_thresholds_nothing_changes_and_the_end_is_near) {
  struct shed s = {0};
  wait_for(&s, 1000, 15000);
  cr_assert_not(shed_invite(&s, false, 1));
  wait_for(&s, 1000, 25000);
  wait_for(&s, 1000, 15000);
  cr_assert(shed_invite(&s, false, 2));
  wait_for(&s, SHED_LEVEL_MAX, 0);
  cr_assert_not(shed_invite(&s, false, 3));
}

Test(shed, a_second_without_a_late_one_ends_it) {
  struct shed s = {0};
  wait_for(&s, 1000, 25000);
  wait_for(&s, 1000, 15000);
  now_us += SHED_QUIET_US;
  wait_for(&s, 1, 15000);
  cr_assert(shed_invite(&s, false, 1));
  now_us++;
  wait_for(&s, 1, 15000);
  cr_assert_not(shed_invite(&s, false, 2));
}

Test(shed, a_clock_that_was_set_is_no_wait) {
  struct shed s = {0};
  wait_for(&s, 100, -5);
  wait_for(&s, 100, SHED_WAIT_MAX_US + 1);
  cr_assert_not(shed_invite(&s, false, 1));
}

Test(shed, the_share) {
  struct shed s = {0};
  for (unsigned i = 0; i < 50; i++)
    shed_invite(&s, false, 10);
  wait_for(&s, SHED_FROM, 25000);
  for (unsigned i = 0; i < 50; i++)
    shed_invite(&s, false, 10);
  cr_assert_eq(shed_percent(&s), 50);
  wait_for(&s, SHED_FROM, 0);
  shed_invite(&s, false, 10 + SHED_WINDOW_US);
  cr_assert_eq(shed_percent(&s), 50, "of the second before");
  shed_invite(&s, false, 10 + 2 * SHED_WINDOW_US);
  cr_assert_eq(shed_percent(&s), 0);
}
