/* SPDX-License-Identifier: Apache-2.0
 * Frames of AF_XDP, written and read; next hops in virtual time. */
#include "media/frame.h"
#include "media/hop.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const struct frame_way way = {{2, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0, 1}, 46};
static uint8_t bytes[FRAME_HEAD_MAX + FRAME_PAYLOAD_MAX];
static const char *const hosts[][2] = {{"192.0.2.1", "198.51.100.7"}, {"2001:db8::1", "2001:db8:1::7"}};

static struct addr at(const char *host, uint16_t port) {
  struct addr a;
  cr_assert_eq(addr_parse(&a, slice_of(host), port), 0);
  return a;
}

static size_t build(unsigned family, size_t n) {
  uint8_t payload[FRAME_PAYLOAD_MAX + 1];
  struct addr from = at(hosts[family][0], 41000), to = at(hosts[family][1], 5004);
  for (size_t i = 0; i < sizeof(payload); i++)
    payload[i] = (uint8_t)(i * 7 + n);
  return frame_build(bytes, &way, &from, &to, payload, n);
}

Test(frame, round) {
  struct frame f;
  for (unsigned family = 0; family < 2; family++)
    for (size_t n = 0; n <= FRAME_PAYLOAD_MAX; n++) {
      size_t all = build(family, n);
      struct addr from = at(hosts[family][0], 41000), to = at(hosts[family][1], 5004);
      cr_assert_eq(all, n + (family ? 62 : 42));
      cr_assert(frame_parse(&f, bytes, all), "%zu", n);
      cr_assert(addr_eq(&f.from, &from) && addr_eq(&f.to, &to) && f.n == n);
      cr_assert(!n || f.bytes[n - 1] == (uint8_t)((n - 1) * 7 + n));
    }
  cr_assert_eq(build(0, FRAME_PAYLOAD_MAX + 1), 0);
}

/* A frame whose sums were made by another program. */
Test(frame, known_sums) {
  struct addr from = at("10.0.0.1", 1000), to = at("10.0.0.2", 2000);
  cr_assert_eq(frame_build(bytes, &way, &from, &to, (const uint8_t *)"hello", 5), 47);
  cr_assert_eq(bytes[15], 46 << 2);
  cr_assert_eq(bytes[24] << 8 | bytes[25], 0x2612, "%x", bytes[24] << 8 | bytes[25]);
  cr_assert_eq(bytes[40] << 8 | bytes[41], 0x9c47, "%x", bytes[40] << 8 | bytes[41]);
  from = at("2001:db8::1", 1000), to = at("2001:db8::2", 2000);
  cr_assert_eq(frame_build(bytes, &way, &from, &to, (const uint8_t *)"hello", 5), 67);
  cr_assert_eq((bytes[14] << 8 | bytes[15]) & 0xff0, 46 << 6);
  cr_assert_eq(bytes[60] << 8 | bytes[61], 0x54d5, "%x", bytes[60] << 8 | bytes[61]);
}

/* One bit anywhere behind the Ethernet header that a checksum covers, or one byte less. */
Test(frame, damage) {
  struct frame f;
  for (unsigned family = 0; family < 2; family++) {
    size_t all = build(family, 40), head = family ? 54 : 34;
    for (size_t i = head * 8; i < all * 8; i++) {
      bytes[i / 8] ^= (uint8_t)(1 << i % 8);
      cr_assert(!frame_parse(&f, bytes, all), "family %u, bit %zu", family, i);
      bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t n = 0; n < all; n++)
      cr_assert(!frame_parse(&f, bytes, n), "%zu", n);
    cr_assert(frame_parse(&f, bytes, all + 6)); /* Ethernet fills short frames */
    cr_assert_eq(f.n, 40);
  }
}

Test(frame, others) {
  struct frame f;
  size_t all = build(0, 40);
  bytes[40] = bytes[41] = 0; /* no checksum: IPv4 alone may */
  cr_assert(frame_parse(&f, bytes, all));
  bytes[14] = 0x46;
  cr_assert(!frame_parse(&f, bytes, all));
  all = build(0, 40);
  bytes[20] |= 0x20, bytes[24] = (uint8_t)(bytes[24] - 0x20); /* more fragments, sum made right */
  cr_assert(!frame_parse(&f, bytes, all));
  all = build(1, 40);
  bytes[60] = bytes[61] = 0;
  cr_assert(!frame_parse(&f, bytes, all));
  struct addr from = at("192.0.2.1", 1), to = at("2001:db8::1", 1);
  cr_assert_eq(frame_build(bytes, &way, &from, &to, bytes, 0), 0);
}

/* What a sender leaves to hardware, and a veth hands over as it is. */
Test(frame, sum_left_to_hardware) {
  struct frame f;
  size_t all = build(0, 40);
  uint32_t sum = 17 + 48;
  for (int i = 26; i < 34; i += 2)
    sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  bytes[40] = (uint8_t)(sum >> 8), bytes[41] = (uint8_t)sum;
  cr_assert(frame_parse(&f, bytes, all));
  bytes[41] ^= 1;
  cr_assert(!frame_parse(&f, bytes, all));
}

static struct hop_answer answer(const struct hop_key *key, bool is_known, uint8_t last) {
  return (struct hop_answer){.key = *key, .is_known = is_known, .mac = {2, 0, 0, 0, 0, last}};
}

Test(hop, asks_and_knows) {
  own(hops) h = NULL;
  struct hop_key key, other;
  bool is_ask;
  uint64_t now = 1000000;
  struct addr to = at("192.0.2.9", 5004);
  cr_assert_eq(hops_new(&h), 0);
  hop_key_of(&key, &to, 1);
  hop_key_of(&other, &to, 2);
  cr_assert(!hops_find(h, &key, now, &is_ask) && is_ask);
  cr_assert(!hops_find(h, &key, now + 1, &is_ask) && !is_ask);
  struct hop_answer a = answer(&key, false, 0);
  hops_answer(h, &a);
  cr_assert(!hops_find(h, &key, now + HOP_AGAIN_US, &is_ask) && is_ask);
  now += HOP_AGAIN_US;
  a = answer(&key, true, 7);
  hops_answer(h, &a);
  const uint8_t *mac = hops_find(h, &key, now + 2, &is_ask);
  cr_assert(mac && mac[5] == 7 && !is_ask);
  cr_assert(!hops_find(h, &other, now + 2, &is_ask) && is_ask); /* from another address of ours */
  a = answer(&key, true, 8);
  hops_answer(h, &a);
  cr_assert_eq(hops_find(h, &key, now + 3, &is_ask)[5], 8);
  cr_assert(hops_find(h, &key, now + HOP_FRESH_US - 1, &is_ask) && !is_ask);
  cr_assert(!hops_find(h, &key, now + HOP_FRESH_US, &is_ask) && is_ask); /* by the kernel, which looks */
  hops_answer(h, &a);
  cr_assert(hops_find(h, &key, now + HOP_FRESH_US + 1, &is_ask) && !is_ask);
  a = answer(&key, false, 0);
  hops_answer(h, &a);
  cr_assert(!hops_find(h, &key, now + HOP_FRESH_US + 2, &is_ask) && !is_ask);
}

/* Many strangers displace the oldest, not the one in use, and never grow it. */
Test(hop, is_bounded) {
  own(hops) h = NULL;
  struct hop_key key, stranger;
  bool is_ask;
  struct addr to = at("192.0.2.9", 5004);
  cr_assert_eq(hops_new(&h), 0);
  hop_key_of(&key, &to, 0);
  (void)hops_find(h, &key, 1, &is_ask);
  struct hop_answer a = answer(&key, true, 7);
  hops_answer(h, &a);
  for (uint32_t i = 0; i < 20000; i++) {
    to.in4.sin_addr.s_addr = htonl(0x0a000000 + i);
    hop_key_of(&stranger, &to, 0);
    (void)hops_find(h, &stranger, 10 + i, &is_ask);
    cr_assert(hops_find(h, &key, 10 + i, &is_ask), "%u", i);
  }
  to.in4.sin_addr.s_addr = htonl(0x0a000000);
  hop_key_of(&stranger, &to, 0);
  a = answer(&stranger, true, 9);
  hops_answer(h, &a); /* displaced: not learnt */
  cr_assert(!hops_find(h, &stranger, 40000, &is_ask));
}
