/* SPDX-License-Identifier: Apache-2.0
 * Units of flow/ice in virtual time. */
#include "flow/flow.h"
#include "wire/stun.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { S = 1000000 };

struct ask { /* a check as a browser sends it; each field may be made wrong */
  const char *user, *pwd;
  bool nominate, controlled, no_integrity, indication, unknown;
  uint32_t number; /* of the nomination, by those who renominate */
};

static struct ice *a;
static struct ice_cred cred;
static struct ice_result result;
static uint8_t answer[ICE_RESPONSE_BYTES];

static void begin(void) {
  cr_assert_eq(ice_new(&a), 0);
  ice_cred(a, &cred);
}
static void end(void) { ice_free(a); }
TestSuite(ice, .init = begin, .fini = end);

static struct ice_pair pair_of(const char *remote) {
  struct ice_pair p;
  cr_assert_eq(addr_parse_port(&p.local, SLICE("192.0.2.1:4000")), 0);
  cr_assert_eq(addr_parse_port(&p.remote, slice_of(remote)), 0);
  return p;
}

static size_t ask_build(const struct ask *q, uint8_t *buf, size_t room) {
  char user[300];
  struct stunmsg_out o;
  snprintf(user, sizeof(user), "%s", q->user);
  stunmsg_begin(&o, buf, room, q->indication ? STUNMSG_INDICATION : STUNMSG_REQUEST,
                (const uint8_t *)"0123456789ab");
  stunmsg_put(&o, STUNATTR_USERNAME, slice_of(user));
  stunmsg_put_u32(&o, STUNATTR_PRIORITY, 1);
  stunmsg_put_u64(&o, q->controlled ? STUNATTR_ICE_CONTROLLED : STUNATTR_ICE_CONTROLLING, 7);
  if (q->nominate)
    stunmsg_put(&o, STUNATTR_USE_CANDIDATE, SLICE(""));
  if (q->number)
    stunmsg_put_u32(&o, STUNATTR_NOMINATION, q->number);
  if (q->unknown)
    stunmsg_put(&o, 0x7f01, SLICE("?"));
  if (!q->no_integrity)
    stunmsg_put_integrity(&o, slice_of(q->pwd));
  stunmsg_put_fingerprint(&o);
  return stunmsg_end(&o);
}

static enum drop check(const char *remote, struct ask q, uint64_t now_us) {
  uint8_t buf[512];
  char user[32];
  struct ice_pair pair = pair_of(remote);
  snprintf(user, sizeof(user), "%s:them", cred.ufrag);
  if (!q.user)
    q.user = user;
  if (!q.pwd)
    q.pwd = cred.pwd;
  return ice_input(a, buf, ask_build(&q, buf, sizeof(buf)), &pair, now_us, answer, sizeof(answer),
                   &result);
}

#define PLAIN ((struct ask){.nominate = false})
#define NOMINATE ((struct ask){.nominate = true})

Test(ice, credentials_are_long_enough) {
  struct ice_cred old;
  cr_assert_eq(strlen(cred.ufrag), ICE_UFRAG_CHARS);
  cr_assert_eq(strlen(cred.pwd), ICE_PWD_CHARS);
  cr_assert_not(ice_old_cred(a, &old));
}

Test(ice, a_verified_check_is_answered_before_the_answer_is_known) {
  struct stunmsg m;
  struct ice_pair pair = pair_of("198.51.100.7:999");
  cr_assert_eq(check("198.51.100.7:999", PLAIN, S), DROP_NONE);
  cr_assert_eq(result.events, ICE_EVENT_VERIFIED);
  cr_assert_eq(stunmsg_parse(&m, answer, result.response_bytes), 0);
  cr_assert(m.class == STUNMSG_SUCCESS && m.has_fingerprint && addr_eq(&m.mapped, &pair.remote));
  cr_assert(stunmsg_is_intact(&m, slice_of(cred.pwd)));
  cr_assert_arr_eq(m.id, "0123456789ab", 12);
  cr_assert(ice_is_verified(a, &pair));
  cr_assert_eq(ice_state(a), ICE_STATE_CHECKING);
  cr_assert_not(ice_may_send(a));
  cr_assert_null(ice_selected(a));
}

Test(ice, strangers_hear_nothing_and_change_nothing) {
  static const struct {
    struct ask q;
    enum drop d;
  } rows[] = {{{.user = "nobody:them"}, DROP_ICE_USER},
              {{.user = "nocolon"}, DROP_ICE_USER},
              {{.user = ":"}, DROP_ICE_USER},
              {{.pwd = "wrong", .nominate = true}, DROP_ICE_INTEGRITY},
              {{.pwd = "", .nominate = true}, DROP_ICE_INTEGRITY},
              {{.no_integrity = true, .nominate = true}, DROP_ICE_INTEGRITY},
              {{.pwd = "wrong", .unknown = true}, DROP_ICE_INTEGRITY},
              {{.pwd = "wrong", .controlled = true}, DROP_ICE_INTEGRITY},
              {{.indication = true}, DROP_ICE_RESPONSE}};
  struct ice_pair pair = pair_of("198.51.100.7:999");
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    cr_assert_eq(check("198.51.100.7:999", rows[i].q, S), rows[i].d, "row %zu", i);
    cr_assert_eq(result.response_bytes, 0);
    cr_assert_eq(result.events, 0);
  }
  cr_assert_eq(ice_input(a, (const uint8_t *)"\0\1\0\0", 4, &pair, S, answer, sizeof(answer), &result),
               DROP_STUN_MALFORMED);
  cr_assert_not(ice_is_verified(a, &pair));
  cr_assert_null(ice_selected(a));
}

Test(ice, the_remote_ufrag_counts_once_known) {
  ice_set_remote_ufrag(a, "other");
  cr_assert_eq(check("198.51.100.7:999", PLAIN, S), DROP_ICE_USER);
  ice_set_remote_ufrag(a, "them");
  cr_assert_eq(check("198.51.100.7:999", PLAIN, S), DROP_NONE);
  ice_set_remote_ufrag(a, NULL);
  cr_assert_eq(check("198.51.100.7:999", PLAIN, S), DROP_NONE);
}

Test(ice, errors_to_verified_peers) {
  struct stunmsg m;
  cr_assert_eq(check("198.51.100.7:999", (struct ask){.controlled = true, .nominate = true}, S),
               DROP_ICE_ROLE);
  cr_assert_eq(stunmsg_parse(&m, answer, result.response_bytes), 0);
  cr_assert_eq(m.error, 487);
  cr_assert(stunmsg_is_intact(&m, slice_of(cred.pwd)));
  cr_assert_eq(check("198.51.100.7:999", (struct ask){.unknown = true, .nominate = true}, S),
               DROP_ICE_UNKNOWN);
  cr_assert_eq(stunmsg_parse(&m, answer, result.response_bytes), 0);
  cr_assert_eq(m.error, 420);
  cr_assert_null(ice_selected(a));
}

Test(ice, the_last_nomination_selects) {
  struct ice_pair one = pair_of("198.51.100.7:1"), two = pair_of("198.51.100.7:2");
  cr_assert_eq(check("198.51.100.7:1", NOMINATE, S), DROP_NONE);
  cr_assert_eq(result.events, ICE_EVENT_VERIFIED | ICE_EVENT_SELECTED);
  cr_assert(addr_eq(&ice_selected(a)->remote, &one.remote));
  cr_assert_eq(check("198.51.100.7:1", NOMINATE, S), DROP_NONE);
  cr_assert_eq(result.events, 0);
  cr_assert_eq(check("198.51.100.7:2", PLAIN, S), DROP_NONE);
  cr_assert(addr_eq(&ice_selected(a)->remote, &one.remote));
  cr_assert_eq(check("198.51.100.7:2", NOMINATE, S), DROP_NONE);
  cr_assert_eq(result.events, ICE_EVENT_SELECTED);
  cr_assert(addr_eq(&ice_selected(a)->remote, &two.remote));
  cr_assert_eq(ice_state(a), ICE_STATE_CONNECTED);
}

Test(ice, numbered_nominations_do_not_go_back) {
  struct ice_pair one = pair_of("198.51.100.7:1"), two = pair_of("198.51.100.7:2");
  cr_assert_eq(check("198.51.100.7:1", (struct ask){.number = 1}, S), DROP_NONE);
  cr_assert(ice_selected(a) && addr_eq(&ice_selected(a)->remote, &one.remote));
  cr_assert_eq(check("198.51.100.7:2", (struct ask){.number = 2, .nominate = true}, S), DROP_NONE);
  cr_assert(addr_eq(&ice_selected(a)->remote, &two.remote));
  cr_assert_eq(check("198.51.100.7:1", (struct ask){.number = 1, .nominate = true}, S), DROP_NONE);
  cr_assert_gt(result.response_bytes, 0);
  cr_assert(addr_eq(&ice_selected(a)->remote, &two.remote), "a late one of before");
  cr_assert_eq(check("198.51.100.7:1", (struct ask){.number = 3}, S), DROP_NONE);
  cr_assert(addr_eq(&ice_selected(a)->remote, &one.remote));
}

Test(ice, ten_changes_a_second) {
  const char *remotes[] = {"198.51.100.7:1", "198.51.100.7:2"};
  for (int i = 0; i < ICE_CHANGES_A_S; i++)
    cr_assert_eq(check(remotes[i % 2], NOMINATE, S + (uint64_t)i), DROP_NONE);
  cr_assert_eq(check(remotes[0], NOMINATE, S + 100), DROP_ICE_RATE);
  cr_assert_gt(result.response_bytes, 0);
  cr_assert_eq(result.events & ICE_EVENT_SELECTED, 0);
  cr_assert_eq(check(remotes[0], NOMINATE, 2 * S + 100), DROP_NONE);
  cr_assert_eq(result.events, ICE_EVENT_SELECTED);
}

Test(ice, consent_lasts_thirty_seconds) {
  struct ice_pair one = pair_of("198.51.100.7:1"), two = pair_of("198.51.100.7:2");
  cr_assert_eq(check("198.51.100.7:2", PLAIN, S), DROP_NONE);
  cr_assert_eq(ice_next_us(a), UINT64_MAX);
  cr_assert_eq(check("198.51.100.7:1", NOMINATE, S), DROP_NONE);
  cr_assert_eq(ice_next_us(a), 31 * S);
  cr_assert_eq(ice_heard(a, &two, 20 * S), 0);
  cr_assert_eq(ice_next_us(a), 31 * S, "another pair is no consent");
  cr_assert_eq(ice_heard(a, &one, 20 * S), 0);
  cr_assert_eq(ice_tick(a, 50 * S - 1), 0);
  cr_assert(ice_may_send(a));
  cr_assert_eq(ice_tick(a, 50 * S), ICE_EVENT_CONSENT_LOST);
  cr_assert_eq(ice_tick(a, 51 * S), 0);
  cr_assert_not(ice_may_send(a));
  cr_assert_eq(ice_state(a), ICE_STATE_LOST);
  cr_assert_eq(check("198.51.100.7:1", (struct ask){.pwd = "wrong"}, 52 * S), DROP_ICE_INTEGRITY);
  cr_assert_not(ice_may_send(a));
  cr_assert_eq(check("198.51.100.7:1", PLAIN, 52 * S), DROP_NONE);
  cr_assert_eq(result.events, ICE_EVENT_CONSENT_BACK);
  cr_assert(ice_may_send(a));
  cr_assert_eq(ice_tick(a, 82 * S), ICE_EVENT_CONSENT_LOST);
  cr_assert_eq(check("198.51.100.7:2", NOMINATE, 83 * S), DROP_NONE);
  cr_assert_eq(result.events, ICE_EVENT_SELECTED | ICE_EVENT_CONSENT_BACK);
}

Test(ice, a_restart_keeps_the_old_pair_until_the_new_nominates) {
  struct ice_pair one = pair_of("198.51.100.7:1");
  struct ice_cred first = cred, second, old;
  cr_assert_eq(check("198.51.100.7:1", NOMINATE, S), DROP_NONE);
  ice_restart(a);
  ice_cred(a, &second);
  cr_assert_str_neq(first.ufrag, second.ufrag);
  cr_assert_str_neq(first.pwd, second.pwd);
  cr_assert(ice_old_cred(a, &old));
  cr_assert_str_eq(old.ufrag, first.ufrag);
  cr_assert_eq(check("198.51.100.7:1", NOMINATE, 2 * S), DROP_NONE, "old credentials are answered");
  ice_restart(a);
  cr_assert(ice_old_cred(a, &old));
  cr_assert_str_eq(old.ufrag, first.ufrag, "an unused generation is replaced");
  cred = second;
  cr_assert_eq(check("198.51.100.7:1", NOMINATE, 2 * S), DROP_ICE_USER);
  ice_cred(a, &cred);
  cr_assert_eq(check("198.51.100.7:2", PLAIN, 3 * S), DROP_NONE);
  cr_assert(addr_eq(&ice_selected(a)->remote, &one.remote));
  cr_assert_eq(check("198.51.100.7:2", NOMINATE, 3 * S), DROP_NONE);
  cr_assert_eq(result.events, ICE_EVENT_SELECTED | ICE_EVENT_RESTARTED);
  cr_assert_not(ice_old_cred(a, &old));
  cred = first;
  cr_assert_eq(check("198.51.100.7:1", NOMINATE, 4 * S), DROP_ICE_USER, "the old ones are void");
}

Test(ice, a_restart_on_the_same_pair) {
  cr_assert_eq(check("198.51.100.7:1", NOMINATE, S), DROP_NONE);
  ice_restart(a);
  ice_cred(a, &cred);
  cr_assert_eq(check("198.51.100.7:1", NOMINATE, S), DROP_NONE);
  cr_assert_eq(result.events, ICE_EVENT_RESTARTED);
}

Test(ice, denied_addresses_are_not_answered) {
  struct addr d;
  struct ice_pair pair = pair_of("203.0.113.9:1000");
  cr_assert_eq(check("203.0.113.9:1000", NOMINATE, S), DROP_NONE);
  cr_assert_eq(addr_parse(&d, SLICE("203.0.113.9"), 0), 0);
  cr_assert_eq(ice_deny(a, &d), 0);
  cr_assert_eq(ice_deny(a, &d), 0);
  cr_assert_not(ice_is_verified(a, &pair));
  cr_assert_not(ice_may_send(a));
  cr_assert_eq(check("203.0.113.9:2000", NOMINATE, S), DROP_ICE_DENIED);
  cr_assert_eq(result.response_bytes, 0);
  cr_assert_eq(check("203.0.113.8:2000", NOMINATE, S), DROP_NONE);
  for (int i = 1; i < ICE_DENY_MAX; i++) {
    cr_assert_eq(addr_parse(&d, SLICE("10.0.0.1"), 0), 0);
    ((uint8_t *)&d.in4.sin_addr)[3] = (uint8_t)i;
    cr_assert_eq(ice_deny(a, &d), 0);
  }
  cr_assert_eq(addr_parse(&d, SLICE("10.9.9.9"), 0), 0);
  cr_assert_eq(ice_deny(a, &d), -ENOSPC);
}

Test(ice, pairs_are_limited_and_the_selected_one_stays) {
  char remote[32];
  struct ice_pair first = pair_of("198.51.100.7:1000"), second = pair_of("198.51.100.7:1001");
  for (unsigned i = 0; i < ICE_PAIRS_MAX; i++) {
    snprintf(remote, sizeof(remote), "198.51.100.7:%u", 1000 + i);
    cr_assert_eq(check(remote, i ? PLAIN : NOMINATE, S + i), DROP_NONE);
    cr_assert_eq(result.events & ICE_EVENT_EVICTED, 0);
  }
  cr_assert_eq(check("198.51.100.7:9", PLAIN, 2 * S), DROP_NONE);
  cr_assert_eq(result.events, ICE_EVENT_VERIFIED | ICE_EVENT_EVICTED);
  cr_assert(addr_eq(&result.evicted.remote, &second.remote));
  cr_assert(ice_is_verified(a, &first));
  cr_assert_not(ice_is_verified(a, &second));
}

Test(ice, a_response_is_never_longer_than_its_room) {
  uint8_t buf[512];
  struct ice_pair pair = pair_of("[2001:db8::1]:65535");
  char user[32];
  snprintf(user, sizeof(user), "%s:them", cred.ufrag);
  size_t n = ask_build(&(struct ask){.user = user, .pwd = cred.pwd, .unknown = true}, buf, sizeof(buf));
  for (size_t room = 0; room <= ICE_RESPONSE_BYTES; room++) {
    enum drop d = ice_input(a, buf, n, &pair, S, answer, room, &result);
    cr_assert_eq(d, DROP_ICE_UNKNOWN);
    cr_assert_leq(result.response_bytes, room);
  }
  cr_assert_gt(result.response_bytes, 0);
}
