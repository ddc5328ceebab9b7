/* SPDX-License-Identifier: Apache-2.0
 * The session timer's engine: RFC 4028 7 to 10 in virtual time. */
#include "trunk/refresh.h"

#include <criterion/criterion.h>

#define S(n) ((uint64_t)(n)*1000000)
#define T0 S(1000)

static struct refresh r;
static struct refresh_fields f;

static void init(void) { refresh_init(&r, 1800, 90); }
TestSuite(refresh, .init = init);

static void expect(uint32_t s, enum refresher who) {
  cr_assert_eq(f.expires_s, s, "%u", f.expires_s);
  cr_assert_eq(f.refresher, who);
}

Test(refresh, off_says_nothing) {
  refresh_init(&r, 0, 90);
  struct refresh_fields asked = {.expires_s = 20, .has_timer = true};
  cr_assert(refresh_check(&r, &asked));
  refresh_accept(&r, &asked, T0, &f);
  expect(0, REFRESHER_NONE);
  cr_assert_not(f.has_timer);
  refresh_ask(&r, &f);
  cr_assert_not(f.has_timer);
  refresh_agree(&r, &(struct refresh_fields){.expires_s = 100}, T0);
  cr_assert_eq(refresh_next_us(&r), 0);
  cr_assert_not(refresh_raise(&r, 3600));
}

Test(refresh, too_small_only_for_who_knows) {
  cr_assert_not(refresh_check(&r, &(struct refresh_fields){.expires_s = 89, .has_timer = true}));
  cr_assert(refresh_check(&r, &(struct refresh_fields){.expires_s = 90, .has_timer = true}));
  cr_assert(refresh_check(&r, &(struct refresh_fields){.expires_s = 60})); /* a proxy's: no 422 */
}

/* Table 2 of RFC 4028. */
Test(refresh, who_refreshes) {
  static const struct {
    struct refresh_fields asked;
    uint32_t s;
    enum refresher who;
  } rows[] = {
      {{0, 0, REFRESHER_NONE, false}, 0, REFRESHER_NONE},
      {{600, 0, REFRESHER_NONE, false}, 600, REFRESHER_UAS},
      {{600, 0, REFRESHER_UAC, false}, 600, REFRESHER_UAS},
      {{600, 0, REFRESHER_NONE, true}, 600, REFRESHER_UAC},
      {{600, 0, REFRESHER_UAC, true}, 600, REFRESHER_UAC},
      {{600, 0, REFRESHER_UAS, true}, 600, REFRESHER_UAS},
      {{0, 0, REFRESHER_NONE, true}, 1800, REFRESHER_UAS},
      {{3600, 0, REFRESHER_UAC, true}, 1800, REFRESHER_UAC},
      {{3600, 2400, REFRESHER_UAC, true}, 2400, REFRESHER_UAC},
      {{3600, 4000, REFRESHER_UAC, true}, 3600, REFRESHER_UAC},
      {{0, 2400, REFRESHER_NONE, true}, 2400, REFRESHER_UAS},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    init();
    refresh_accept(&r, &rows[i].asked, T0, &f);
    cr_assert_eq(f.expires_s, rows[i].s, "row %zu: %u", i, f.expires_s);
    cr_assert_eq(f.refresher, rows[i].who, "row %zu", i);
    cr_assert_eq(r.interval_s, rows[i].s, "row %zu", i);
    cr_assert(!rows[i].s || r.is_ours == (rows[i].who == REFRESHER_UAS), "row %zu", i);
  }
}

Test(refresh, absurd_numbers_are_bounded) {
  refresh_accept(&r, &(struct refresh_fields){.expires_s = 1}, T0, &f);
  expect(REFRESH_LEAST_S, REFRESHER_UAS);
  refresh_accept(&r, &(struct refresh_fields){UINT32_MAX, UINT32_MAX, REFRESHER_UAC, true}, T0, &f);
  cr_assert_leq(r.interval_s, REFRESH_MOST_S);
  refresh_agree(&r, &(struct refresh_fields){.expires_s = 1, .refresher = REFRESHER_UAC}, T0);
  cr_assert_eq(r.interval_s, REFRESH_LEAST_S);
  refresh_agree(&r, &(struct refresh_fields){.expires_s = UINT32_MAX}, T0);
  cr_assert_eq(r.interval_s, REFRESH_MOST_S);
  refresh_ask(&r, &f);
  cr_assert_leq(f.expires_s, REFRESH_MOST_S);
}

Test(refresh, ours_at_half_then_over) {
  refresh_ask(&r, &f);
  expect(1800, REFRESHER_NONE);
  cr_assert_eq(f.min_s, 90);
  refresh_agree(&r, &(struct refresh_fields){.expires_s = 600, .refresher = REFRESHER_UAC}, T0);
  cr_assert_eq(refresh_next_us(&r), T0 + S(300));
  cr_assert_eq(refresh_due(&r, T0 + S(299)), REFRESH_IDLE);
  cr_assert_eq(refresh_due(&r, T0 + S(300)), REFRESH_SEND);
  cr_assert_eq(refresh_due(&r, T0 + S(301)), REFRESH_IDLE, "told once");
  cr_assert_eq(refresh_next_us(&r), T0 + S(600 - 32));
  refresh_failed(&r, T0 + S(310));
  cr_assert_eq(refresh_next_us(&r), T0 + S(310 + REFRESH_AGAIN_S));
  cr_assert_eq(refresh_due(&r, T0 + S(320)), REFRESH_SEND);
  cr_assert_eq(refresh_due(&r, T0 + S(567)), REFRESH_IDLE);
  cr_assert_eq(refresh_due(&r, T0 + S(568)), REFRESH_OVER);
}

Test(refresh, every_2xx_begins_anew) {
  refresh_agree(&r, &(struct refresh_fields){.expires_s = 600, .refresher = REFRESHER_UAC}, T0);
  cr_assert_eq(refresh_due(&r, T0 + S(300)), REFRESH_SEND);
  refresh_accept(&r, &(struct refresh_fields){.has_timer = true, .expires_s = 600}, T0 + S(310), &f);
  expect(600, REFRESHER_UAS); /* it did not say who: as it was */
  cr_assert_eq(refresh_next_us(&r), T0 + S(610));
  refresh_ask(&r, &f);
  expect(600, REFRESHER_UAC);
  refresh_accept(&r, &(struct refresh_fields){0}, T0 + S(400), &f);
  expect(600, REFRESHER_UAS); /* a request that knows nothing of it ends nothing that we keep up */
  refresh_agree(&r, &(struct refresh_fields){0}, T0 + S(400));
  cr_assert_eq(refresh_next_us(&r), 0);
}

Test(refresh, theirs_over_at_a_third) {
  refresh_agree(&r, &(struct refresh_fields){.expires_s = 90, .refresher = REFRESHER_UAS}, T0);
  cr_assert_eq(refresh_next_us(&r), T0 + S(60));
  cr_assert_eq(refresh_due(&r, T0 + S(59)), REFRESH_IDLE);
  cr_assert_eq(refresh_due(&r, T0 + S(60)), REFRESH_OVER);
  refresh_ask(&r, &f);
  expect(90, REFRESHER_UAS);
  refresh_accept(&r, &(struct refresh_fields){.expires_s = 90, .refresher = REFRESHER_UAC}, T0, &f);
  expect(90, REFRESHER_UAS); /* it does not know the word: we do it */
}

Test(refresh, raised_by_422) {
  cr_assert_not(refresh_raise(&r, 1800), "no progress");
  cr_assert_not(refresh_raise(&r, 0));
  cr_assert_not(refresh_raise(&r, REFRESH_MOST_S + 1));
  cr_assert(refresh_raise(&r, 2000));
  refresh_ask(&r, &f);
  expect(2000, REFRESHER_NONE);
  cr_assert_eq(f.min_s, 2000);
  cr_assert(refresh_raise(&r, 2001));
  cr_assert(refresh_raise(&r, 2002));
  cr_assert_not(refresh_raise(&r, 2003), "not for ever");
  refresh_agree(&r, &(struct refresh_fields){.expires_s = 2002, .refresher = REFRESHER_UAC}, T0);
  cr_assert(refresh_raise(&r, 2500));
  refresh_ask(&r, &f);
  expect(2500, REFRESHER_UAC);
}
