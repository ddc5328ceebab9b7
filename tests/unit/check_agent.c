/* SPDX-License-Identifier: Apache-2.0
 * Units of flow/agent in virtual time, over the network of ice_net: against itself and against our
 * own lite agent. */
#include "ice_net.h"
#include "wire/stun.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { S = 1000000, MS = 1000 };

static struct net_host *a, *b;

static struct agent *agent_of(bool is_controlling) {
  struct agent *x;
  cr_assert_eq(agent_new(&x, is_controlling, NULL), 0);
  return x;
}

static struct ice *lite(void) {
  struct ice *x;
  cr_assert_eq(ice_new(&x), 0);
  return x;
}

static void begin(void) { net_start(S); }
static void end(void) { net_stop(); }
TestSuite(agent, .init = begin, .fini = end);

static void two(bool b_controls) {
  a = net_add(agent_of(true), NULL);
  b = net_add(agent_of(b_controls), NULL);
  net_give(a, "10.0.0.1:1000");
  net_give(b, "10.0.0.2:2000");
}

static void two_described(bool b_controls) {
  two(b_controls);
  net_describe(a, b, true);
  net_describe(b, a, true);
}

static void with_lite(void) {
  a = net_add(agent_of(true), NULL);
  b = net_add(NULL, lite());
  net_give(a, "10.0.0.1:1000");
  net_give(b, "10.0.0.2:2000");
  net_describe(a, b, true);
  net_describe(b, a, true);
}

static bool is_at(const struct ice_pair *p, const char *local, const char *remote) {
  struct addr l = net_addr(local), r = net_addr(remote);
  return p && addr_eq(&p->local, &l) && addr_eq(&p->remote, &r);
}

static void connected(void) {
  cr_assert_eq(agent_state(a->agent), ICE_STATE_CONNECTED);
  cr_assert(agent_may_send(a->agent));
  if (b->lite)
    cr_assert_eq(ice_state(b->lite), ICE_STATE_CONNECTED);
  else
    cr_assert_eq(agent_state(b->agent), ICE_STATE_CONNECTED);
}

Test(agent, connects_to_a_lite_peer_by_regular_nomination) {
  with_lite();
  cr_assert_eq(agent_state(a->agent), ICE_STATE_CHECKING);
  cr_assert_not(agent_may_send(a->agent));
  net_run(25 * MS);
  cr_assert_eq(ice_state(b->lite), ICE_STATE_CHECKING, "the first check does not nominate");
  cr_assert(b->events & ICE_EVENT_VERIFIED);
  net_run(100 * MS);
  connected();
  cr_assert_eq(a->sent, 2, "one check, one nomination, no more");
  cr_assert(is_at(agent_selected(a->agent), "10.0.0.1:1000", "10.0.0.2:2000"));
  cr_assert_eq(a->events, ICE_EVENT_VERIFIED | ICE_EVENT_SELECTED);
  cr_assert_eq(agent_rtt_us(a->agent), 20 * MS);
}

Test(agent, connects_to_another_full_one) {
  two_described(false);
  net_run(S);
  connected();
  cr_assert(agent_is_controlling(a->agent) && !agent_is_controlling(b->agent));
  cr_assert(is_at(agent_selected(b->agent), "10.0.0.2:2000", "10.0.0.1:1000"));
}

Test(agent, a_role_conflict_is_settled_by_the_tie_breaker) {
  for (unsigned round = 0; round < 8; round++) {
    two_described(true);
    net_run(2 * S);
    connected();
    cr_assert_neq(agent_is_controlling(a->agent), agent_is_controlling(b->agent));
    net_stop();
    net_start(S);
    a = net_add(agent_of(false), NULL);
    b = net_add(agent_of(false), NULL);
    net_give(a, "10.0.0.1:1000");
    net_give(b, "10.0.0.2:2000");
    net_describe(a, b, true);
    net_describe(b, a, true);
    net_run(2 * S);
    connected();
    cr_assert_neq(agent_is_controlling(a->agent), agent_is_controlling(b->agent));
    net_stop();
    net_start(S);
  }
}

Test(agent, a_lite_peer_is_always_controlled) {
  a = net_add(agent_of(false), NULL);
  b = net_add(NULL, lite());
  net_give(a, "10.0.0.1:1000");
  net_give(b, "10.0.0.2:2000");
  net_describe(b, a, true);
  net_run(S);
  connected();
  cr_assert(agent_is_controlling(a->agent));
}

Test(agent, a_fifth_of_the_packets_may_be_lost) {
  unsigned slow = 0;
  for (unsigned round = 0; round < 20; round++) {
    if (round % 2)
      two_described(false);
    else
      with_lite();
    net_lose(20);
    for (unsigned i = 0; i < 40 * round; i++)
      net_run(5 * MS); /* another part of the dice's row */
    net_run(20 * S);
    connected();
    slow += net_now_us() > 30 * S;
    net_stop();
    net_start(S);
  }
  cr_assert_leq(slow, 20);
}

Test(agent, a_peer_behind_a_nat_becomes_peer_reflexive) {
  two(false);
  net_nat("10.0.0.1:1000", "198.51.100.1:7000", true);
  net_describe(a, b, true); /* with its private address, which leads nowhere */
  net_describe(b, a, true);
  net_run(3 * S);
  connected();
  cr_assert(is_at(agent_selected(b->agent), "10.0.0.2:2000", "198.51.100.1:7000"));
  cr_assert(is_at(agent_selected(a->agent), "10.0.0.1:1000", "10.0.0.2:2000"));
}

Test(agent, both_behind_nats_meet_by_their_mapped_addresses) {
  struct addr base_a = net_addr("10.0.0.1:1000"), out_a = net_addr("198.51.100.1:7000");
  struct addr base_b = net_addr("10.0.0.2:2000"), out_b = net_addr("198.51.100.2:8000");
  two(false);
  net_nat("10.0.0.1:1000", "198.51.100.1:7000", false);
  net_nat("10.0.0.2:2000", "198.51.100.2:8000", false);
  cr_assert_eq(agent_add_local(a->agent, CAND_SRFLX, &out_a, &base_a), 0);
  cr_assert_eq(agent_add_local(b->agent, CAND_SRFLX, &out_b, &base_b), 0);
  net_describe(a, b, true);
  net_describe(b, a, true);
  net_run(5 * S);
  connected();
  cr_assert(is_at(agent_selected(a->agent), "10.0.0.1:1000", "198.51.100.2:8000"));
}

Test(agent, the_better_pair_is_nominated) {
  struct desc_candidate relay = {.foundation = "9", .component = 1, .type = CAND_RELAY, .is_udp = true};
  a = net_add(agent_of(true), NULL);
  b = net_add(NULL, lite());
  net_give(a, "10.0.0.1:1000");
  net_give(a, "[2001:db8::1]:1000");
  net_give(b, "10.0.0.2:2000");
  net_give(b, "[2001:db8::2]:2000");
  net_give(b, "10.0.0.9:9000");
  relay.priority = 16777215;
  relay.address = net_addr("10.0.0.9:9000");
  cr_assert_eq(agent_add_remote(a->agent, &relay), 0);
  net_describe(b, a, true); /* told anew as a host: the priority of the first telling stays */
  net_run(S);
  connected();
  cr_assert(is_at(agent_selected(a->agent), "10.0.0.1:1000", "10.0.0.2:2000"));
}

Test(agent, another_family_where_the_first_is_blocked) {
  a = net_add(agent_of(true), NULL);
  b = net_add(NULL, lite());
  net_give(a, "10.0.0.1:1000");
  net_give(a, "[2001:db8::1]:1000");
  net_give(b, "10.0.0.2:2000");
  net_give(b, "[2001:db8::2]:2000");
  net_block("10.0.0.2:2000");
  net_describe(b, a, true);
  net_run(S);
  connected();
  cr_assert(is_at(agent_selected(a->agent), "[2001:db8::1]:1000", "[2001:db8::2]:2000"));
}

Test(agent, candidates_may_trickle_in) {
  struct desc_candidate c;
  two(false);
  net_describe(a, b, false);
  net_describe(b, a, false);
  net_run(60 * S);
  cr_assert_eq(a->sent, 0);
  cr_assert_eq(agent_state(a->agent), ICE_STATE_CHECKING, "nobody gives up before candidates came");
  cr_assert(agent_local(a->agent, 0, &c));
  cr_assert_not(agent_local(a->agent, 1, &(struct desc_candidate){0}));
  cr_assert_eq(agent_add_remote(b->agent, &c), 0);
  cr_assert_eq(agent_add_remote(b->agent, &c), 0, "twice is no harm");
  net_run(S);
  connected();
}

Test(agent, checks_before_the_answer_are_answered_and_taken_up_later) {
  two(false);
  net_describe(a, b, true); /* b knows the offer, a not yet the answer */
  net_run(S);
  cr_assert_gt(a->answered, 0);
  cr_assert_eq(a->answered, a->sent, "but nothing is asked without a password");
  net_describe(b, a, false); /* not even a candidate is needed */
  net_run(S);
  connected();
}

Test(agent, useless_candidates_are_ignored) {
  struct desc_candidate c = {.foundation = "1", .component = 1, .is_udp = true, .priority = 1};
  two(false);
  cr_assert_eq(agent_add_remote(a->agent, &c), 1);
  c.address = net_addr("10.0.0.2:2000");
  c.component = 2;
  cr_assert_eq(agent_add_remote(a->agent, &c), 1);
  c.component = 1;
  c.is_udp = false;
  cr_assert_eq(agent_add_remote(a->agent, &c), 1);
  c.is_udp = true;
  c.address = net_addr("0.0.0.0:2000");
  cr_assert_eq(agent_add_remote(a->agent, &c), 1);
  for (unsigned i = 0; i < AGENT_REMOTES_MAX; i++) {
    c.address = net_addr("10.0.0.2:2000");
    addr_set_port(&c.address, (uint16_t)(3000 + i));
    cr_assert_eq(agent_add_remote(a->agent, &c), 0);
  }
  c.address = net_addr("10.0.0.2:2000");
  cr_assert_eq(agent_add_remote(a->agent, &c), -ENOSPC);
}

Test(agent, remote_credentials_have_their_lengths) {
  char pwd[300];
  two(false);
  memset(pwd, 'p', sizeof(pwd));
  pwd[21] = 0;
  cr_assert_eq(agent_set_remote(a->agent, "ufra", pwd, false), -EINVAL);
  pwd[21] = 'p';
  pwd[257] = 0;
  cr_assert_eq(agent_set_remote(a->agent, "ufra", pwd, false), -EINVAL);
  pwd[256] = 0;
  cr_assert_eq(agent_set_remote(a->agent, "ufr", pwd, false), -EINVAL);
  cr_assert_eq(agent_set_remote(a->agent, "ufra", pwd, false), 0);
}

/* The longest names fit a request. */
Test(agent, the_longest_credentials_work) {
  uint8_t buf[AGENT_DATAGRAM_BYTES];
  struct ice_pair pair;
  struct stunmsg m;
  char ufrag[257], pwd[257];
  struct desc_candidate c = {.foundation = "1", .component = 1, .is_udp = true, .priority = 1};
  two(false);
  memset(ufrag, 'u', 256);
  memset(pwd, 'p', 256);
  ufrag[256] = pwd[256] = 0;
  c.address = net_addr("10.0.0.2:2000");
  cr_assert_eq(agent_set_remote(a->agent, ufrag, pwd, false), 0);
  agent_set_renomination(a->agent, true);
  cr_assert_eq(agent_add_remote(a->agent, &c), 0);
  cr_assert_eq(agent_tick(a->agent, S), 0);
  size_t n = agent_output(a->agent, buf, sizeof(buf), &pair);
  cr_assert_gt(n, 300);
  cr_assert_leq(n + 4 + 8, sizeof(buf), "a nomination is longer");
  cr_assert_eq(stunmsg_parse(&m, buf, n), 0);
  cr_assert(stunmsg_is_intact(&m, slice_of(pwd)) && m.has_fingerprint);
}

Test(agent, new_transactions_are_paced_and_old_ones_doubled) {
  uint64_t at[16];
  unsigned n = 0;
  two(false);
  net_block("10.0.0.2:2000");
  net_describe(b, a, true);
  for (uint64_t t = 0; t < 40 * S; t += 5 * MS) {
    unsigned was = a->sent;
    net_run(5 * MS);
    if (a->sent > was && n < 16)
      at[n++] = net_now_us() - S - 5 * MS;
  }
  cr_assert_eq(n, AGENT_TRIES);
  static const uint64_t want_ms[] = {0, 500, 1500, 3500, 7500, 15500, 31500};
  for (unsigned i = 0; i < n; i++)
    cr_assert(at[i] / MS >= want_ms[i] && at[i] / MS <= want_ms[i] + 10, "%u: %llu", i,
              (unsigned long long)at[i]);
}

Test(agent, many_pairs_begin_one_in_50_ms) {
  struct desc_candidate c = {.foundation = "1", .component = 1, .is_udp = true, .priority = 1};
  two(false);
  net_describe(b, a, true);
  for (unsigned i = 0; i < 20; i++) {
    c.address = net_addr("10.9.9.9:2000");
    addr_set_port(&c.address, (uint16_t)(3000 + i));
    cr_assert_eq(agent_add_remote(a->agent, &c), 0);
  }
  net_block("10.0.0.2:2000");
  net_run(500 * MS);
  cr_assert_leq(a->sent, 11);
  cr_assert_geq(a->sent, 9);
}

Test(agent, patience_is_39_5_seconds) {
  two(false);
  net_block("10.0.0.2:2000");
  net_describe(b, a, true);
  net_run(39 * S);
  cr_assert_eq(agent_state(a->agent), ICE_STATE_CHECKING);
  net_run(2 * S);
  cr_assert_eq(agent_state(a->agent), ICE_STATE_FAILED);
  cr_assert(a->events & ICE_EVENT_FAILED);
  cr_assert_eq(agent_next_us(a->agent), UINT64_MAX);
  a->events = 0;
  net_block(NULL);
  net_describe(a, b, true); /* b begins late: its checks revive the agent */
  net_run(3 * S);
  connected();
}

Test(agent, consent_is_asked_for_and_ends_after_30_seconds) {
  with_lite();
  net_run(S);
  connected();
  unsigned was = a->sent;
  net_run(60 * S);
  cr_assert(a->sent - was >= 10 && a->sent - was <= 15, "%u in 60 s", a->sent - was);
  connected();
  net_block("10.0.0.2:2000");
  net_run(22 * S);
  cr_assert(agent_may_send(a->agent));
  net_run(9 * S);
  cr_assert_not(agent_may_send(a->agent));
  cr_assert_eq(agent_state(a->agent), ICE_STATE_LOST);
  cr_assert(a->events & ICE_EVENT_CONSENT_LOST);
}

Test(agent, consent_survives_loss) {
  with_lite();
  net_run(S);
  net_lose(5);
  net_run(600 * S);
  connected();
  cr_assert_eq(a->events & ICE_EVENT_CONSENT_LOST, 0);
}

Test(agent, authenticated_packets_are_consent_too) {
  struct ice_pair pair, other;
  with_lite();
  net_run(S);
  pair = other = *agent_selected(a->agent);
  addr_set_port(&other.remote, 9);
  net_block("10.0.0.2:2000");
  for (unsigned i = 0; i < 50; i++) {
    net_run(S);
    agent_heard(a->agent, &pair, net_now_us());
  }
  cr_assert(agent_may_send(a->agent));
  for (unsigned i = 0; i < 35; i++) {
    net_run(S);
    agent_heard(a->agent, &other, net_now_us());
  }
  cr_assert_not(agent_may_send(a->agent));
  agent_heard(a->agent, &pair, net_now_us());
  cr_assert_not(agent_may_send(a->agent), "lost consent comes back by checks only");
}

Test(agent, a_lost_pair_makes_room_for_another) {
  a = net_add(agent_of(true), NULL);
  b = net_add(NULL, lite());
  net_give(a, "10.0.0.1:1000");
  net_give(b, "10.0.0.2:2000");
  net_give(b, "10.0.0.3:3000");
  net_describe(b, a, true);
  net_run(S);
  cr_assert(is_at(agent_selected(a->agent), "10.0.0.1:1000", "10.0.0.2:2000"));
  net_block("10.0.0.2:2000");
  net_run(35 * S);
  connected();
  cr_assert(is_at(agent_selected(a->agent), "10.0.0.1:1000", "10.0.0.3:3000"));
  cr_assert(a->events & ICE_EVENT_CONSENT_BACK);
}

/* The client's network changes without a word of signaling: the lite side follows the nomination. */
Test(agent, a_change_of_network_goes_on) {
  with_lite();
  net_run(S);
  connected();
  b->events = 0;
  net_take(a, "10.0.0.1:1000");
  net_give(a, "172.16.0.5:5000");
  net_run(S);
  connected();
  cr_assert(is_at(ice_selected(b->lite), "10.0.0.2:2000", "172.16.0.5:5000"));
  cr_assert(b->events & ICE_EVENT_SELECTED);
  cr_assert_eq(b->events & ICE_EVENT_CONSENT_LOST, 0);
}

Test(agent, a_change_of_network_between_full_ones) {
  two_described(false);
  net_run(S);
  connected();
  net_take(a, "10.0.0.1:1000");
  net_give(a, "172.16.0.5:5000");
  net_run(15 * S);
  cr_assert(is_at(agent_selected(a->agent), "172.16.0.5:5000", "10.0.0.2:2000"));
  net_run(20 * S);
  connected();
  cr_assert(is_at(agent_selected(b->agent), "10.0.0.2:2000", "172.16.0.5:5000"));
}

Test(agent, renomination_moves_at_once_to_what_is_better) {
  struct desc_candidate c = {.foundation = "1", .component = 1, .is_udp = true};
  two(false);
  agent_set_renomination(a->agent, true);
  agent_set_renomination(b->agent, true);
  net_describe(a, b, true);
  net_describe(b, a, false);
  c.address = net_addr("10.0.0.2:2000");
  c.priority = 1000;
  cr_assert_eq(agent_add_remote(a->agent, &c), 0);
  net_run(S);
  connected();
  net_give(b, "10.0.0.3:3000");
  c.address = net_addr("10.0.0.3:3000");
  c.priority = 2000;
  cr_assert_eq(agent_add_remote(a->agent, &c), 0);
  net_run(S);
  connected();
  cr_assert(is_at(agent_selected(a->agent), "10.0.0.1:1000", "10.0.0.3:3000"));
  cr_assert(is_at(agent_selected(b->agent), "10.0.0.3:3000", "10.0.0.1:1000"));
}

Test(agent, a_restart_keeps_the_old_pair_until_the_new_one_is_there) {
  struct ice_cred old, now;
  two_described(false);
  net_run(S);
  connected();
  agent_cred(a->agent, &old);
  agent_restart(a->agent, NULL);
  agent_restart(b->agent, NULL);
  agent_cred(a->agent, &now);
  cr_assert_str_neq(old.ufrag, now.ufrag);
  cr_assert_str_neq(old.pwd, now.pwd);
  net_run(60 * S);
  connected(); /* consent goes on with the old credentials */
  cr_assert(agent_old_cred(a->agent, &old));
  a->events = b->events = 0;
  net_give(b, "10.0.0.3:3000");
  net_take(b, "10.0.0.2:2000");
  net_describe(a, b, true);
  net_describe(b, a, true);
  net_run(2 * S);
  connected();
  cr_assert(a->events & ICE_EVENT_RESTARTED && b->events & ICE_EVENT_RESTARTED);
  cr_assert_not(agent_old_cred(a->agent, &old));
  cr_assert(is_at(agent_selected(a->agent), "10.0.0.1:1000", "10.0.0.3:3000"));
}

Test(agent, a_lite_peer_restarts) {
  with_lite();
  net_run(S);
  ice_restart(b->lite);
  agent_restart(a->agent, NULL);
  net_run(10 * S);
  connected();
  net_describe(a, b, true);
  net_describe(b, a, true);
  net_run(2 * S);
  connected();
  cr_assert(a->events & ICE_EVENT_RESTARTED && b->events & ICE_EVENT_RESTARTED);
}

/* One offer, answers of two early dialogs: an agent for each, one port and one set of credentials. */
Test(agent, several_early_answers) {
  struct ice_cred ours;
  struct net_host *c;
  with_lite();
  agent_cred(a->agent, &ours);
  c = net_add(NULL, lite());
  net_give(c, "10.0.0.3:3000");
  cr_assert_eq(agent_new(&a->second, true, &ours), 0);
  cr_assert_eq(agent_add_local(a->second, CAND_HOST, &a->addrs[0], &a->addrs[0]), 0);
  struct net_host second = {.agent = a->second};
  net_describe(c, &second, true);
  net_run(S);
  connected();
  cr_assert_eq(ice_state(c->lite), ICE_STATE_CONNECTED);
  cr_assert(is_at(agent_selected(a->second), "10.0.0.1:1000", "10.0.0.3:3000"));
  net_run(60 * S);
  connected();
  cr_assert_eq(agent_state(a->second), ICE_STATE_CONNECTED, "consents are told apart");
}

/* Strangers ---------------------------------------------------------------------------------------- */
static enum drop throw_at(struct agent *x, const uint8_t *p, size_t n, const char *from,
                          struct ice_result *r) {
  uint8_t buf[AGENT_DATAGRAM_BYTES];
  struct ice_pair pair = {net_addr("10.0.0.1:1000"), net_addr(from)};
  return agent_input(x, p, n, &pair, net_now_us(), buf, sizeof(buf), r);
}

static size_t request(uint8_t *buf, const char *user, const char *pwd, bool nominates) {
  struct stunmsg_out o;
  stunmsg_begin(&o, buf, 512, STUNMSG_REQUEST, (const uint8_t *)"0123456789ab");
  stunmsg_put(&o, STUNATTR_USERNAME, slice_of(user));
  stunmsg_put_u32(&o, STUNATTR_PRIORITY, 1);
  stunmsg_put_u64(&o, STUNATTR_ICE_CONTROLLING, UINT64_MAX);
  if (nominates)
    stunmsg_put(&o, STUNATTR_USE_CANDIDATE, SLICE(""));
  stunmsg_put_integrity(&o, slice_of(pwd));
  stunmsg_put_fingerprint(&o);
  return stunmsg_end(&o);
}

Test(agent, strangers_are_not_answered_and_change_nothing) {
  uint8_t buf[512];
  char user[64];
  struct ice_cred ours, theirs;
  struct ice_result r;
  two_described(false);
  agent_cred(a->agent, &ours);
  agent_cred(b->agent, &theirs);
  snprintf(user, sizeof(user), "%s:%s", ours.ufrag, theirs.ufrag);
  size_t n = request(buf, user, "wrong", true);
  cr_assert_eq(throw_at(a->agent, buf, n, "203.0.113.1:1", &r), DROP_ICE_INTEGRITY);
  cr_assert(r.response_bytes == 0 && r.events == 0);
  cr_assert(agent_is_controlling(a->agent), "no switch of roles for strangers");
  n = request(buf, "someone:else", ours.pwd, true);
  cr_assert_eq(throw_at(a->agent, buf, n, "203.0.113.1:1", &r), DROP_ICE_USER);
  snprintf(user, sizeof(user), "%s:other", ours.ufrag);
  n = request(buf, user, ours.pwd, true);
  cr_assert_eq(throw_at(a->agent, buf, n, "203.0.113.1:1", &r), DROP_ICE_USER);
  cr_assert_eq(throw_at(a->agent, buf, 3, "203.0.113.1:1", &r), DROP_STUN_MALFORMED);
  net_run(S);
  connected();
}

/* A response is believed only with the peer's password, our id, and from where the request went. */
Test(agent, forged_responses_do_not_count) {
  uint8_t req[AGENT_DATAGRAM_BYTES], buf[512];
  struct ice_pair pair;
  struct ice_result r;
  struct stunmsg m;
  struct stunmsg_out o;
  struct ice_cred theirs;
  two(false);
  net_describe(b, a, true);
  agent_cred(b->agent, &theirs);
  cr_assert_eq(agent_tick(a->agent, S), 0);
  cr_assert_eq(stunmsg_parse(&m, req, agent_output(a->agent, req, sizeof(req), &pair)), 0);
  static const struct {
    bool right_pwd, right_id, is_error;
    const char *from;
    enum drop d;
  } rows[] = {{false, true, false, "10.0.0.2:2000", DROP_ICE_INTEGRITY},
              {true, false, false, "10.0.0.2:2000", DROP_ICE_RESPONSE},
              {false, true, true, "10.0.0.2:2000", DROP_ICE_INTEGRITY},
              {true, true, false, "10.0.0.66:2000", DROP_NONE}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    uint8_t id[STUNMSG_ID_BYTES];
    memcpy(id, m.id, sizeof(id));
    id[3] ^= !rows[i].right_id;
    stunmsg_begin(&o, buf, sizeof(buf), rows[i].is_error ? STUNMSG_ERROR : STUNMSG_SUCCESS, id);
    stunmsg_put_mapped(&o, &pair.local);
    if (rows[i].is_error)
      stunmsg_put_error(&o, 487);
    stunmsg_put_integrity(&o, slice_of(rows[i].right_pwd ? theirs.pwd : "forged"));
    cr_assert_eq(throw_at(a->agent, buf, stunmsg_end(&o), rows[i].from, &r), rows[i].d, "row %zu", i);
    cr_assert_eq(r.events, 0);
  }
  cr_assert_not(agent_is_verified(a->agent, &pair), "another address answered: not a working pair");
  cr_assert_null(agent_selected(a->agent));
}

/* Everything that a peer makes grow has its end. */
Test(agent, pairs_are_limited) {
  struct desc_candidate c = {.foundation = "1", .component = 1, .is_udp = true, .priority = 5};
  struct ice_pair first = {net_addr("10.0.0.1:1000"), net_addr("10.9.0.0:1")};
  two(false);
  for (unsigned i = 1; i < AGENT_LOCALS_MAX; i++) {
    char text[32];
    snprintf(text, sizeof(text), "10.0.1.%u:1000", i);
    struct addr l = net_addr(text);
    cr_assert_eq(agent_add_local(a->agent, CAND_HOST, &l, &l), 0);
  }
  cr_assert_eq(agent_add_local(a->agent, CAND_HOST, &first.remote, &first.remote), -ENOSPC);
  for (unsigned i = 0; i < AGENT_REMOTES_MAX; i++) {
    c.address = first.remote;
    c.priority = i + 1;
    addr_set_port(&c.address, (uint16_t)(1 + i));
    cr_assert_eq(agent_add_remote(a->agent, &c), 0);
  }
  struct ice_cred theirs;
  agent_cred(b->agent, &theirs);
  cr_assert_eq(agent_set_remote(a->agent, theirs.ufrag, theirs.pwd, false), 0);
  net_run(50 * S);
  cr_assert_leq(a->sent, AGENT_PAIRS_MAX * AGENT_TRIES);
  cr_assert_geq(a->sent, AGENT_PAIRS_MAX * 3);
}
