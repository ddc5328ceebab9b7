/* SPDX-License-Identifier: Apache-2.0
 * Units of wire/bytes, wire/classify and wire/stun; the samples of RFC 5769. */
#include "wire/bytes.h"
#include "wire/classify.h"
#include "wire/stun.h"

#include <criterion/criterion.h>

static const char password[] = "VOkJxbRl1RmTxUk/WvJxBt";
/* RFC 5769 2.1: request of an ICE agent. */
static const uint8_t sample_request[] =
    "\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
    "\x80\x22\x00\x10STUN test client"
    "\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36"
    "\x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20"
    "\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2"
    "\x80\x28\x00\x04\xe5\x7a\x3b\xcf";
/* RFC 5769 2.2: IPv4 response. */
static const uint8_t sample_v4[] =
    "\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
    "\x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20"
    "\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43"
    "\x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7"
    "\x80\x28\x00\x04\xc0\x7d\x4c\x96";
/* RFC 5769 2.3: IPv6 response. */
static const uint8_t sample_v6[] =
    "\x01\x01\x00\x48\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
    "\x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20"
    "\x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9"
    "\x00\x08\x00\x14\xa3\x82\x95\x4e\x4b\xe6\x7b\xf1\x17\x84\xc9\x7c\x82\x92\xc2\x75\xbf\xe3\xed\x41"
    "\x80\x28\x00\x04\xc8\xfb\x0b\x4c";

static int parse(struct stunmsg *m, const uint8_t *p, size_t n) { return stunmsg_parse(m, p, n); }

Test(bytes, a_read_past_the_end_sticks) {
  struct reader r = reader_of("\x01\x02\x03\x04\x05", 5);
  cr_assert_eq(reader_u16(&r), 0x0102);
  cr_assert_eq(reader_u32(&r), 0);
  cr_assert(r.bad);
  cr_assert_eq(reader_u8(&r), 0);
  cr_assert_eq(reader_left(&r), 3);
  r = reader_of("\x01\x02\x03\x04\x05", 5);
  struct reader sub = reader_sub(&r, 3);
  cr_assert_eq(reader_u24(&sub), 0x010203);
  cr_assert_eq(reader_u16(&r), 0x0405);
  sub = reader_sub(&r, 1);
  cr_assert(sub.bad && r.bad);
}

Test(bytes, a_write_past_the_end_writes_nothing) {
  uint8_t b[6] = {0};
  struct writer w = writer_of(b, 5);
  writer_u24(&w, 0x010203);
  writer_u32(&w, 0xffffffff);
  cr_assert(w.bad);
  cr_assert_eq(writer_bytes(&w), 3);
  cr_assert_arr_eq(b, "\x01\x02\x03\x00\x00\x00", 6);
}

Test(classify, first_bytes_of_rfc_7983) {
  uint8_t p[2] = {0, 0};
  static const struct {
    uint8_t first, second;
    enum packet_kind kind;
  } rows[] = {
      {0, 0, PACKET_STUN},     {3, 0, PACKET_STUN},     {4, 0, PACKET_NONE},     {16, 0, PACKET_ZRTP},
      {20, 0, PACKET_DTLS},    {63, 0, PACKET_DTLS},    {64, 0, PACKET_CHANNEL}, {79, 0, PACKET_CHANNEL},
      {80, 0, PACKET_NONE},    {127, 0, PACKET_NONE},   {128, 0, PACKET_RTP},    {191, 0xff, PACKET_RTP},
      {128, 200, PACKET_RTCP}, {128, 192, PACKET_RTCP}, {128, 223, PACKET_RTCP}, {128, 224, PACKET_RTP},
      {128, 191, PACKET_RTP},  {192, 0, PACKET_NONE},   {255, 200, PACKET_NONE}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    p[0] = rows[i].first;
    p[1] = rows[i].second;
    cr_assert_eq(packet_classify(p, 2), rows[i].kind, "%u %u", p[0], p[1]);
  }
  cr_assert_eq(packet_classify(p, 0), PACKET_NONE);
  p[0] = 128;
  cr_assert_eq(packet_classify(p, 1), PACKET_NONE);
  cr_assert_str_eq(packet_kind_name(PACKET_RTCP), "rtcp");
}

Test(stun, sample_request) {
  struct stunmsg m;
  cr_assert_eq(parse(&m, sample_request, sizeof(sample_request) - 1), 0);
  cr_assert_eq(m.class, STUNMSG_REQUEST);
  cr_assert_eq(m.method, STUNMSG_BINDING);
  cr_assert(slice_eq(m.username, SLICE("evtj:h6vY")));
  cr_assert(slice_eq(stunmsg_ufrag(&m), SLICE("evtj")));
  cr_assert_eq(m.priority, 0x6e0001ff);
  cr_assert(m.has_controlled && !m.has_controlling && m.has_fingerprint);
  cr_assert_eq(m.tie_breaker, 0x932ff9b151263b36);
  cr_assert(stunmsg_is_intact(&m, slice_of(password)));
  cr_assert_not(stunmsg_is_intact(&m, SLICE("VOkJxbRl1RmTxUk/WvJxBu")));
  cr_assert(slice_eq(stunmsg_peek_ufrag(sample_request, sizeof(sample_request) - 1), SLICE("evtj")));
  cr_assert_eq(stunmsg_peek_ufrag(sample_v4, sizeof(sample_v4) - 1).n, 0);
}

Test(stun, sample_responses) {
  struct stunmsg m;
  struct addr want;
  cr_assert_eq(parse(&m, sample_v4, sizeof(sample_v4) - 1), 0);
  cr_assert_eq(addr_parse_port(&want, SLICE("192.0.2.1:32853")), 0);
  cr_assert(m.class == STUNMSG_SUCCESS && addr_eq(&m.mapped, &want));
  cr_assert(stunmsg_is_intact(&m, slice_of(password)));
  cr_assert_eq(parse(&m, sample_v6, sizeof(sample_v6) - 1), 0);
  cr_assert_eq(addr_parse_port(&want, SLICE("[2001:db8:1234:5678:11:2233:4455:6677]:32853")), 0);
  cr_assert(addr_eq(&m.mapped, &want));
  cr_assert(stunmsg_is_intact(&m, slice_of(password)));
}

/* Each flipped bit is seen: by the fingerprint, or by the form. */
Test(stun, every_flipped_bit_is_refused) {
  uint8_t copy[sizeof(sample_request)];
  struct stunmsg m;
  for (size_t bit = 0; bit < 8 * (sizeof(sample_request) - 1); bit++) {
    memcpy(copy, sample_request, sizeof(copy));
    copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    bool good = parse(&m, copy, sizeof(copy) - 1) == 0 && m.has_fingerprint &&
                m.class == STUNMSG_REQUEST && m.method == STUNMSG_BINDING &&
                stunmsg_is_intact(&m, slice_of(password));
    cr_assert_not(good, "bit %zu", bit);
  }
}

Test(stun, every_cut_is_refused) {
  struct stunmsg m;
  for (size_t n = 0; n < sizeof(sample_request) - 1; n++)
    cr_assert_eq(parse(&m, sample_request, n), -EBADMSG, "%zu", n);
}

static size_t build_request(uint8_t *buf, size_t room) {
  struct stunmsg_out o;
  stunmsg_begin(&o, buf, room, STUNMSG_REQUEST, (const uint8_t *)"abcdefghijkl");
  stunmsg_put(&o, STUNATTR_USERNAME, SLICE("abc:defg"));
  stunmsg_put_u32(&o, STUNATTR_PRIORITY, 42);
  stunmsg_put_u64(&o, STUNATTR_ICE_CONTROLLING, 0x0102030405060708);
  stunmsg_put(&o, STUNATTR_USE_CANDIDATE, SLICE(""));
  stunmsg_put(&o, 0x7777, SLICE("xyz"));
  stunmsg_put(&o, 0xc057, SLICE("abcd"));
  stunmsg_put_integrity(&o, SLICE("key"));
  stunmsg_put_fingerprint(&o);
  return stunmsg_end(&o);
}

Test(stun, what_is_built_is_parsed) {
  uint8_t buf[256];
  struct stunmsg m;
  size_t n = build_request(buf, sizeof(buf));
  cr_assert_gt(n, 0);
  cr_assert_eq(parse(&m, buf, n), 0);
  cr_assert(m.use_candidate && m.has_controlling && m.tie_breaker == 0x0102030405060708);
  cr_assert(m.unknowns == 1 && m.unknown[0] == 0x7777);
  cr_assert(stunmsg_is_intact(&m, SLICE("key")));
  for (size_t room = 0; room < n; room++)
    cr_assert_eq(build_request(buf, room), 0);
  cr_assert_eq(build_request(buf, n), n);
}

Test(stun, responses_and_errors) {
  uint8_t buf[256];
  struct stunmsg m;
  struct stunmsg_out o;
  struct addr a;
  const uint16_t types[] = {0x7777, 0x1234};
  static const char *const addrs[] = {"198.51.100.7:9", "[2001:db8::9]:65535", "[::ffff:10.0.0.1]:1"};
  for (size_t i = 0; i < COUNT_OF(addrs); i++) {
    cr_assert_eq(addr_parse_port(&a, slice_of(addrs[i])), 0);
    stunmsg_begin(&o, buf, sizeof(buf), STUNMSG_SUCCESS, (const uint8_t *)"abcdefghijkl");
    stunmsg_put_mapped(&o, &a);
    stunmsg_put_fingerprint(&o);
    cr_assert_eq(parse(&m, buf, stunmsg_end(&o)), 0);
    cr_assert(m.class == STUNMSG_SUCCESS && addr_eq(&m.mapped, &a));
  }
  stunmsg_begin(&o, buf, sizeof(buf), STUNMSG_ERROR, (const uint8_t *)"abcdefghijkl");
  stunmsg_put_error(&o, 420);
  stunmsg_put_unknown(&o, types, 2);
  cr_assert_eq(parse(&m, buf, stunmsg_end(&o)), 0);
  cr_assert(m.class == STUNMSG_ERROR && m.error == 420);
  cr_assert(slice_eq(m.reason, SLICE("Unknown Attribute")));
}

/* What stands behind the integrity is not covered by it and must not count. */
Test(stun, nothing_counts_behind_the_integrity) {
  uint8_t buf[256];
  struct stunmsg m;
  struct stunmsg_out o;
  stunmsg_begin(&o, buf, sizeof(buf), STUNMSG_REQUEST, (const uint8_t *)"abcdefghijkl");
  stunmsg_put(&o, STUNATTR_USERNAME, SLICE("a:b"));
  stunmsg_put_integrity(&o, SLICE("key"));
  stunmsg_put(&o, STUNATTR_USE_CANDIDATE, SLICE(""));
  cr_assert_eq(parse(&m, buf, stunmsg_end(&o)), 0);
  cr_assert_not(m.use_candidate);
  cr_assert(stunmsg_is_intact(&m, SLICE("key")));
  stunmsg_put_fingerprint(&o);
  stunmsg_put(&o, STUNATTR_USE_CANDIDATE, SLICE(""));
  cr_assert_eq(parse(&m, buf, stunmsg_end(&o)), -EBADMSG);
}

Test(stun, attributes_are_limited) {
  uint8_t buf[1024];
  struct stunmsg m;
  struct stunmsg_out o;
  stunmsg_begin(&o, buf, sizeof(buf), STUNMSG_REQUEST, (const uint8_t *)"abcdefghijkl");
  for (int i = 0; i < STUNMSG_ATTRS_MAX; i++)
    stunmsg_put(&o, (uint16_t)(0x7000 + i), SLICE(""));
  cr_assert_eq(parse(&m, buf, stunmsg_end(&o)), 0);
  cr_assert_eq(m.unknowns, STUNMSG_UNKNOWN_MAX);
  stunmsg_put(&o, 0x7fff, SLICE(""));
  cr_assert_eq(parse(&m, buf, stunmsg_end(&o)), -EBADMSG);
}
