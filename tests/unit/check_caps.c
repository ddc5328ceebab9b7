/* SPDX-License-Identifier: Apache-2.0
 * Caps in virtual time. */
#include "guard/caps.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct caps *caps;
static struct conf *conf;
static const uint64_t SECOND = 1000000, MINUTE = 60000000, HOUR = 3600000000;

static void start(const char *list) {
  struct conf_errors errors = {.n = 0};
  char yaml[4000];
  snprintf(yaml, sizeof(yaml),
           "media: {addresses: [{address: 127.0.0.1}]}\n"
           "service: {listen: \"127.0.0.1:8443\", edge: localhost, certificate: a, key: b}\n"
           "dialplan: plan.yaml\ncaps:\n%s",
           list);
  cr_assert_eq(conf_parse(&conf, "test.yaml", slice_of(yaml), &errors), 0, "%s",
               errors.n ? errors.list[0].text : "");
  cr_assert_eq(caps_new(&caps), 0);
}

static void stop(void) {
  caps = caps_free(caps);
  conf = conf_free(conf);
}

static struct verdict call(const char *caller, const char *called, uint64_t now_us,
                           struct caps_hold *hold) {
  struct caps_facts f = {slice_of(called), slice_of(caller), slice_of("carrier"), slice_of("acme")};
  return caps_admit(caps, conf, &f, now_us, hold);
}

Test(caps, live_calls_by_destination_and_caller, .fini = stop) {
  struct caps_hold a, b, c;
  start("  - {name: premium, called: [\"+1900\"], per: caller, calls: 1}\n");
  cr_assert_eq(call("+1555", "+19001", SECOND, &a).refusal, REFUSE_NONE);
  struct verdict v = call("+1555", "+19002", SECOND, &b);
  cr_assert_eq(v.refusal, REFUSE_CAP);
  cr_assert_str_eq(v.detail, "caps[premium].calls: 1 (line 5)");
  cr_assert_eq(call("+1556", "+19002", SECOND, &b).refusal, REFUSE_NONE, "another caller");
  cr_assert_eq(call("+1555", "+1800", SECOND, &c).refusal, REFUSE_NONE, "another destination");
  caps_leave(caps, conf, &a, MINUTE, 2 * SECOND);
  caps_leave(caps, conf, &a, MINUTE, 2 * SECOND); /* twice is once */
  cr_assert_eq(call("+1555", "+19002", 3 * SECOND, &a).refusal, REFUSE_NONE);
  cr_assert_eq(call("+1555", "+19003", 3 * SECOND, &c).refusal, REFUSE_CAP);
}

Test(caps, a_refused_call_counts_nowhere, .fini = stop) {
  struct caps_hold a, b;
  start("  - {name: tenants, per: tenant, calls: 2}\n  - {name: callers, per: caller, calls: 1}\n");
  cr_assert_eq(call("+1555", "+1", SECOND, &a).refusal, REFUSE_NONE);
  for (int i = 0; i < 10; i++)
    cr_assert_eq(call("+1555", "+1", SECOND, &b).refusal, REFUSE_CAP);
  cr_assert_eq(call("+1556", "+1", SECOND, &b).refusal, REFUSE_NONE,
               "the tenant has one call, not eleven");
}

Test(caps, an_hour_and_a_second, .fini = stop) {
  struct caps_hold hold;
  start("  - {name: hourly, per: caller, calls_per_hour: 3}\n  - {name: rate, per: node, calls_per_s: "
        "2}\n");
  cr_assert_eq(call("+1", "+1", SECOND, &hold).refusal, REFUSE_NONE);
  cr_assert_eq(call("+1", "+1", SECOND, &hold).refusal, REFUSE_NONE);
  cr_assert_eq(call("+2", "+1", SECOND, &hold).retry_after_s, 1, "two a second");
  cr_assert_eq(call("+1", "+1", 3 * SECOND, &hold).refusal, REFUSE_NONE);
  struct verdict v = call("+1", "+1", 6 * SECOND, &hold);
  cr_assert_eq(v.refusal, REFUSE_CAP);
  cr_assert_eq(v.retry_after_s, 3600 - 5);
  cr_assert_eq(call("+1", "+1", HOUR + 2 * SECOND, &hold).refusal, REFUSE_NONE, "an hour later");
}

Test(caps, minutes_and_money_a_day, .fini = stop) {
  struct caps_hold hold;
  start("  - {name: talk, per: trunk, minutes_per_day: 10}\n"
        "  - {name: money, called: [\"+44\"], per: node, cost_per_minute: 500, spend_per_day: 2}\n");
  cr_assert_eq(call("+1", "+44", SECOND, &hold).refusal, REFUSE_NONE);
  caps_leave(caps, conf, &hold, 3 * MINUTE + 1, 4 * MINUTE); /* four begun: 2.0 of 2 */
  struct verdict v = call("+1", "+44", 5 * MINUTE, &hold);
  cr_assert_eq(v.refusal, REFUSE_CAP);
  cr_assert_str_eq(v.detail, "caps[money].spend_per_day: 2 (line 6)");
  cr_assert_eq(call("+1", "+33", 5 * MINUTE, &hold).refusal, REFUSE_NONE);
  caps_leave(caps, conf, &hold, 7 * MINUTE, 12 * MINUTE);
  cr_assert_eq(call("+1", "+33", 13 * MINUTE, &hold).refusal, REFUSE_CAP, "ten minutes were talked");
  cr_assert_eq(call("+1", "+33", 25 * HOUR, &hold).refusal, REFUSE_NONE, "a day later");
}

Test(caps, accounts_are_bounded, .fini = stop) {
  struct caps_hold first, hold;
  char caller[32];
  start("  - {name: each, per: caller, calls: 1}\n");
  cr_assert_eq(call("+1", "+1", SECOND, &first).refusal, REFUSE_NONE);
  for (unsigned i = 0; i < 3 * CAPS_ACCOUNTS_MAX; i++) {
    snprintf(caller, sizeof(caller), "+2%u", i);
    cr_assert_eq(call(caller, "+1", SECOND + i, &hold).refusal, REFUSE_NONE, "%u", i);
    caps_leave(caps, conf, &hold, 0, SECOND + i);
  }
  cr_assert_eq(call("+1", "+1", 9 * SECOND, &hold).refusal, REFUSE_CAP, "a live one's account stays");
}

Test(caps, countries) {
  cr_assert_eq(caps_country(slice_of("+14255550123")), 1);
  cr_assert_eq(caps_country(slice_of("+79161234567")), 7);
  cr_assert_eq(caps_country(slice_of("+442079460123")), 44);
  cr_assert_eq(caps_country(slice_of("+35312345678")), 353);
  cr_assert_eq(caps_country(slice_of("911")), 0);
  cr_assert_eq(caps_new(&caps), 0);
  cr_assert(caps_is_new_country(caps, 44));
  cr_assert_not(caps_is_new_country(caps, 44));
  cr_assert_not(caps_is_new_country(caps, 0));
  caps = caps_free(caps);
}

/* Hours, minutes and spend go on after a restart, by the wall clock; what is over by then is not. */
Test(caps, outlive_a_restart, .fini = stop) {
  struct caps_hold a, b;
  size_t n;
  const uint64_t wall = 1700000000000;
  start("  - {name: hour, per: caller, calls_per_hour: 2}\n"
        "  - {name: day, called: [\"+1900\"], minutes_per_day: 3}\n");
  cr_assert_not(caps_is_news(caps));
  cr_assert_eq(call("+1555", "+19001", SECOND, &a).refusal, REFUSE_NONE);
  cr_assert(caps_is_new_country(caps, 44));
  caps_leave(caps, conf, &a, 3 * MINUTE, 4 * MINUTE);
  cr_assert(caps_is_news(caps));
  char *text = caps_write(caps, &n, 10 * MINUTE, wall);
  cr_assert(text && n);
  cr_assert_not(caps_is_news(caps));
  static const struct {
    uint64_t later_us;
    enum refusal first, second;
  } cases[] = {{MINUTE, REFUSE_CAP, REFUSE_NONE},
               {HOUR, REFUSE_CAP, REFUSE_NONE},
               {86400000000, REFUSE_NONE, REFUSE_NONE}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    caps = caps_free(caps);
    cr_assert_eq(caps_new(&caps), 0);
    uint64_t now = 5 * SECOND; /* the machine has just started */
    cr_assert_eq(caps_read(caps, slice_from(text, n), now, wall + cases[i].later_us / 1000), 0);
    cr_assert_not(caps_is_new_country(caps, 44));
    cr_assert(caps_is_new_country(caps, 33));
    cr_assert_eq(call("+1556", "+19002", now, &a).refusal, cases[i].first, "minutes, case %zu", i);
    cr_assert_eq(call("+1555", "+4420", now, &b).refusal, cases[i].second);
    int left = cases[i].later_us < 50 * MINUTE ? 0 : 1;
    cr_assert_eq(call("+1555", "+4420", now, &b).refusal, left ? REFUSE_NONE : REFUSE_CAP,
                 "an hour's calls, case %zu", i);
  }
  cr_assert_eq(caps_read(caps, SLICE("nonsense"), 1, wall), -EBADMSG);
  cr_assert_eq(caps_read(caps, SLICE("sallyport caps 1\n00\n1 2 3\n"), 1, wall), -EBADMSG);
  free(text);
}
