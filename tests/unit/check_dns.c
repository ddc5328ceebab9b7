/* SPDX-License-Identifier: Apache-2.0
 * DNS questions and answers: RFC 1035's form, and what hostile servers make of it. */
#include "wire/bytes.h"
#include "wire/dns.h"

#include <criterion/criterion.h>

static uint8_t room[4096];
static struct writer w;

static void name(const char *text) {
  for (struct slice rest = slice_of(text), label; rest.n;) {
    label = slice_cut(&rest, '.');
    writer_u8(&w, (uint8_t)label.n);
    writer_slice(&w, label);
  }
  writer_u8(&w, 0);
}

static void begin(uint16_t flags, uint16_t answers, const char *asked, uint16_t type) {
  w = writer_of(room, sizeof room);
  writer_u16(&w, 7);
  writer_u16(&w, flags);
  writer_u16(&w, 1);
  writer_u16(&w, answers);
  writer_u32(&w, 0);
  name(asked);
  writer_u16(&w, type);
  writer_u16(&w, 1);
}

static void head(const char *owner, uint16_t type, uint32_t ttl_s, uint16_t bytes) {
  name(owner);
  writer_u16(&w, type);
  writer_u16(&w, 1);
  writer_u32(&w, ttl_s);
  writer_u16(&w, bytes);
}

static void a_record(const char *owner, uint32_t ttl_s, uint32_t ip) {
  head(owner, DNS_A, ttl_s, 4);
  writer_u32(&w, ip);
}

static int reading(struct dns_answer *ret, const char *asked, enum dns_type type) {
  cr_assert(!w.bad);
  return dns_read(ret, slice_from(room, writer_bytes(&w)), 7, asked, type);
}

Test(dns, question) {
  uint8_t q[DNS_QUERY_BYTES];
  size_t n;
  cr_assert_eq(dns_write(q, sizeof q, 0x1234, "_sip._udp.a-1.test.", DNS_SRV, &n), 0);
  static const char want[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0\4_sip\4_udp\3a-1\4test\0\0\x21\0\1";
  cr_assert_eq(n, sizeof want - 1);
  cr_expect_arr_eq(q, want, n);
  cr_expect_eq(dns_write(q, sizeof q, 1, "", DNS_A, &n), -EINVAL);
  cr_expect_eq(dns_write(q, sizeof q, 1, "a..b", DNS_A, &n), -EINVAL);
  cr_expect_eq(dns_write(q, sizeof q, 1, "a b", DNS_A, &n), -EINVAL);
  cr_expect_eq(dns_write(q, 20, 1, "aaaa.test", DNS_A, &n), -ENOSPC);
}

Test(dns, only_what_belongs_to_the_name) {
  struct dns_answer a;
  begin(0x8180, 4, "sbc.test", DNS_A);
  a_record("other.test", 1, 0x01010101);
  a_record("sbc.test", 90, 0xc0000201);
  head("sbc.test", DNS_AAAA, 1, 4);
  writer_u32(&w, 1);
  a_record("SBC.test", 60, 0xc0000202);
  cr_assert_eq(reading(&a, "sbc.test.", DNS_A), 0);
  cr_assert_eq(a.n, 2);
  cr_expect_eq(a.ttl_s, 60);
  cr_expect_arr_eq(a.list[0].ip, "\xc0\0\2\1", 4);
}

Test(dns, other_names_are_followed) {
  struct dns_answer a;
  begin(0x8180, 3, "sbc.test", DNS_A);
  a_record("c.test", 60, 5);
  head("sbc.test", DNS_CNAME, 9, 8);
  name("b.test");
  head("b.test", DNS_CNAME, 30, 8);
  name("c.test");
  cr_assert_eq(reading(&a, "sbc.test", DNS_A), 0);
  cr_expect_eq(a.n, 1);
  cr_expect_eq(a.ttl_s, 9);
  begin(0x8180, 2, "sbc.test", DNS_A);
  head("sbc.test", DNS_CNAME, 9, 8);
  name("b.test");
  head("b.test", DNS_CNAME, 9, 10);
  name("sbc.test");
  cr_assert_eq(reading(&a, "sbc.test", DNS_A), 0);
  cr_expect_eq(a.n, 0, "a circle ends");
}

Test(dns, services) {
  struct dns_answer a;
  begin(0x8180, 3, "_sip._udp.t", DNS_SRV);
  head("_sip._udp.t", DNS_SRV, 60, 6 + 7);
  writer_u64(&w, 0x0001000213c40161);
  writer_slice(&w, SLICE("\3b-c"));
  writer_u8(&w, 0);
  head("_sip._udp.t", DNS_SRV, 60, 7);
  writer_u32(&w, 0);
  writer_u16(&w, 5060);
  writer_u8(&w, 0);
  head("_sip._udp.t", DNS_SRV, 60, 10);
  writer_u32(&w, 0);
  writer_u16(&w, 5060);
  writer_slice(&w, SLICE("\2;x\0"));
  cr_assert_eq(reading(&a, "_sip._udp.t", DNS_SRV), 0);
  cr_assert_eq(a.n, 2, "a name that is none makes its record void");
  cr_expect(a.list[0].srv.priority == 1 && a.list[0].srv.weight == 2 && a.list[0].srv.port == 5060);
  cr_expect_str_eq(a.list[0].srv.target, "a.b-c");
  cr_expect_str_eq(a.list[1].srv.target, "");
  begin(0x8180, 1, "t", DNS_NAPTR);
  head("t", DNS_NAPTR, 60, 4 + 2 + 8 + 1 + 3);
  writer_u32(&w, 0x000a0014);
  writer_slice(&w, SLICE("\1s\7SIP+D2T\0\1x\0"));
  cr_assert_eq(reading(&a, "t", DNS_NAPTR), 0);
  cr_assert_eq(a.n, 1);
  cr_expect(a.list[0].naptr.order == 10 && a.list[0].naptr.preference == 20);
  cr_expect_str_eq(a.list[0].naptr.flags, "s");
  cr_expect_str_eq(a.list[0].naptr.service, "SIP+D2T");
  cr_expect_str_eq(a.list[0].naptr.replacement, "x");
}

Test(dns, huge_sets_are_cut) {
  struct dns_answer a;
  begin(0x8180, 100, "h.t", DNS_A);
  for (uint32_t i = 0; i < 100; i++)
    a_record("h.t", 60, i);
  cr_assert_eq(reading(&a, "h.t", DNS_A), 0);
  cr_expect_eq(a.n, DNS_RECORDS_MAX);
}

Test(dns, not_ours_or_broken) {
  struct dns_answer a;
  begin(0x8180, 1, "sbc.test", DNS_A);
  a_record("sbc.test", 60, 1);
  cr_expect_eq(reading(&a, "sbd.test", DNS_A), -ENOMSG);
  cr_expect_eq(reading(&a, "sbc.test", DNS_AAAA), -ENOMSG);
  room[1] = 8;
  cr_expect_eq(reading(&a, "sbc.test", DNS_A), -ENOMSG, "another id");
  begin(0x0100, 1, "sbc.test", DNS_A);
  cr_expect_eq(reading(&a, "sbc.test", DNS_A), -ENOMSG, "a question");
  begin(0x8180, 2, "sbc.test", DNS_A);
  a_record("sbc.test", 60, 1);
  cr_expect_eq(reading(&a, "sbc.test", DNS_A), -EBADMSG, "cut off");
  begin(0x8180, 1, "sbc.test", DNS_A);
  writer_u16(&w, (uint16_t)(0xc000 + writer_bytes(&w)));
  cr_expect_eq(reading(&a, "sbc.test", DNS_A), -EBADMSG, "a pointer to itself");
  begin(0x8183, 0, "sbc.test", DNS_A);
  cr_expect_eq(reading(&a, "sbc.test", DNS_A), 0);
  cr_expect_eq(a.rcode, DNS_RCODE_NXDOMAIN);
  begin(0x8380, 0, "sbc.test", DNS_A);
  cr_expect(reading(&a, "sbc.test", DNS_A) == 0 && a.is_truncated);
}
