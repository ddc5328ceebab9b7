/* SPDX-License-Identifier: Apache-2.0
 * The machine of a registration in virtual time. */
#include "trunk/registration.h"

#include <criterion/criterion.h>

#define S 1000000ull
static struct registration r;
static uint64_t now;
enum { LOW = 0, HIGH = 1000 }; /* dice */

static void start(uint32_t registrars) {
  now = 1000 * S;
  registration_start(&r, registrars, 3600, now, LOW);
  cr_assert(registration_due(&r, now));
  cr_assert_eq(r.asked_s, 3600);
  cr_assert_not(registration_due(&r, now), "one at a time");
}

static void answer(int status, uint32_t given, uint32_t dice) {
  struct registration_answer a = {.status = status, .given_s = given};
  registration_answered(&r, &a, now, dice);
}

static uint64_t wait_s(void) { return (r.next_us - now) / S; }

/* Time goes on to the next try. */
static void next(void) {
  cr_assert_neq(r.next_us, UINT64_MAX);
  now = r.next_us;
  cr_assert(registration_due(&r, now));
}

Test(registration, begins_with_jitter) {
  registration_start(&r, 1, 3600, 0, HIGH);
  cr_assert_not(registration_due(&r, 1999999));
  cr_assert(registration_due(&r, 2 * S));
}

Test(registration, is_renewed_at_half_to_nine_tenths) {
  start(1);
  answer(200, 600, LOW);
  cr_assert(registration_is_up(&r, now + 599 * S));
  cr_assert_not(registration_is_up(&r, now + 600 * S));
  cr_assert_eq(wait_s(), 300);
  next();
  cr_assert(registration_is_up(&r, now), "also while it is renewed");
  answer(200, 600, HIGH);
  cr_assert_eq(wait_s(), 540);
}

/* The second one serves; the first is asked again, and has it once it is well. */
Test(registration, goes_back_to_the_first) {
  start(3);
  answer(503, 0, LOW);
  next();
  cr_assert_eq(r.at, 1);
  answer(200, 600, LOW);
  cr_assert_eq(wait_s(), REGISTRATION_BACK_S);
  next();
  cr_assert_eq(r.at, 0);
  uint64_t until = r.until_us;
  struct registration_answer busy = {.status = 503, .retry_after_s = 150};
  registration_answered(&r, &busy, now, LOW);
  cr_assert_eq(r.at, 1, "it stays with the second");
  cr_assert_eq(r.until_us, until);
  cr_assert(registration_is_up(&r, now));
  cr_assert_eq(wait_s(), 150);
  next();
  cr_assert_eq(r.at, 0);
  answer(403, 0, LOW);
  cr_assert_eq(r.until_us, until, "whatever it says");
  cr_assert_eq(wait_s(), 30, "the renewal of the second is sooner");
  next();
  cr_assert_eq(r.at, 1);
  answer(200, 600, LOW);
  next();
  answer(200, 600, LOW);
  cr_assert_eq(r.at, 0);
  cr_assert_eq(wait_s(), 300);
  next();
  cr_assert_eq(r.at, 0);
  answer(503, 0, LOW);
  cr_assert_eq(r.at, 1, "a renewal that fails makes room as before");
}

Test(registration, what_is_given_is_never_more_than_asked_nor_renewed_all_the_time) {
  start(1);
  answer(200, 100000, LOW);
  cr_assert_eq(wait_s(), 1800);
  next();
  answer(200, 0, LOW);
  cr_assert_eq(wait_s(), 1800, "nothing said: what was asked");
  next();
  answer(200, 1, LOW);
  cr_assert_eq(wait_s(), 10);
}

Test(registration, waits_longer_and_longer) {
  static const uint64_t bounds[] = {30, 60, 120, 240, 480, 960, 1800, 1800};
  start(1);
  for (unsigned i = 0; i < 8; i++) {
    answer(403, 0, i % 2 ? HIGH : LOW);
    cr_assert_eq(r.state, REGISTRATION_WAITING);
    cr_assert_eq(wait_s(), i % 2 ? bounds[i] : bounds[i] / 2, "round %u: %lu", i, wait_s());
    next();
  }
  answer(200, 3600, LOW);
  next();
  answer(403, 0, HIGH);
  cr_assert_eq(wait_s(), 30, "a success begins anew");
}

Test(registration, the_next_registrar_is_tried_at_once) {
  start(3);
  answer(503, 0, LOW);
  cr_assert_eq(wait_s(), 0);
  cr_assert_eq(r.at, 1);
  next();
  answer(408, 0, LOW);
  cr_assert_eq(r.at, 2);
  next();
  answer(200, 100, LOW);
  cr_assert_eq(r.at, 2, "and kept");
  next();
  answer(500, 0, LOW);
  cr_assert_eq(r.at, 0);
  cr_assert_eq(wait_s(), 0);
  cr_assert(registration_is_up(&r, now), "what was given holds on");
  next();
  answer(503, 0, LOW);
  next();
  answer(503, 0, LOW);
  cr_assert_eq(wait_s(), 15, "all failed");
  cr_assert_eq(r.at, 0, "from the first again");
}

Test(registration, a_refusal_is_not_taken_to_the_next) {
  start(2);
  answer(403, 0, LOW);
  cr_assert_eq(r.at, 0);
  cr_assert_eq(wait_s(), 15);
}

Test(registration, a_refusal_ends_what_was_registered) {
  start(1);
  answer(200, 3600, LOW);
  next();
  answer(403, 0, LOW);
  cr_assert_not(registration_is_up(&r, now));
  cr_assert_eq(r.state, REGISTRATION_WAITING);
}

Test(registration, retry_after_is_kept) {
  struct registration_answer a = {.status = 503, .retry_after_s = 200};
  start(2);
  registration_answered(&r, &a, now, LOW);
  cr_assert_eq(wait_s(), 0, "the other one first");
  next();
  answer(503, 0, LOW);
  cr_assert_eq(wait_s(), 200);
  next();
  a.retry_after_s = 1000000;
  registration_answered(&r, &a, now, LOW);
  next();
  answer(503, 0, LOW);
  cr_assert_eq(wait_s(), 1800, "within bounds");
}

Test(registration, min_expires_is_obeyed_once_a_round) {
  struct registration_answer a = {.status = 423, .min_s = 7200};
  start(1);
  registration_answered(&r, &a, now, LOW);
  cr_assert_eq(wait_s(), 0);
  next();
  cr_assert_eq(r.asked_s, 7200);
  a.min_s = 9000;
  registration_answered(&r, &a, now, LOW);
  cr_assert_eq(wait_s(), 15);
  next();
  cr_assert_eq(r.asked_s, 3600);
  a.min_s = 100000000;
  registration_answered(&r, &a, now, LOW);
  cr_assert_eq(wait_s(), 30);
}

Test(registration, leaves) {
  start(1);
  answer(200, 3600, LOW);
  cr_assert(registration_leave(&r, now));
  cr_assert_eq(r.asked_s, 0);
  cr_assert_not(registration_due(&r, UINT64_MAX - 1));
  cr_assert_not(registration_leave(&r, now), "once");
  answer(200, 0, LOW);
  cr_assert_eq(r.state, REGISTRATION_GONE);
  cr_assert_not(registration_is_up(&r, now));
}

Test(registration, nothing_to_leave) {
  start(1);
  answer(403, 0, LOW);
  cr_assert_not(registration_leave(&r, now));
  cr_assert_eq(r.state, REGISTRATION_GONE);
}
