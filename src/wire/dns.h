/* SPDX-License-Identifier: Apache-2.0
 * DNS messages of a stub resolver: one question written, its answer read. Only records of the answer
 * section count, and only those that belong to the name that was asked or that its CNAMEs lead to: what
 * a server lays beside them is not looked at. Pure. RFC 1035 4, RFC 2782, RFC 3403. */
#pragma once
#include "base/slice.h"

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_AAAA = 28, DNS_SRV = 33, DNS_NAPTR = 35 };
enum {
  DNS_NAME_BYTES = 256,
  DNS_RECORDS_MAX = 16, /* of one answer; further ones are not taken */
  DNS_QUERY_BYTES = 12 + DNS_NAME_BYTES + 4,
  DNS_RCODE_NXDOMAIN = 3,
};

struct dns_srv {
  uint16_t priority, weight, port;
  char target[DNS_NAME_BYTES]; /* target is "" for the root: the service is not offered. */
};
struct dns_naptr {
  uint16_t order, preference;
  char flags[4], service[32];
  char replacement[DNS_NAME_BYTES];
};
struct dns_record {
  union {
    uint8_t ip[16]; /* ip holds 4 bytes of an A, 16 of an AAAA. */
    struct dns_srv srv;
    struct dns_naptr naptr;
  };
};

struct dns_answer {
  uint8_t rcode;     /* rcode is 0, 3 (no such name), or an error of the server's. */
  bool is_truncated; /* is_truncated: ask again by TCP; the records were not read. */
  uint32_t ttl_s;    /* ttl_s is the least of the records', 0 without any. */
  uint32_t n;
  struct dns_record list[DNS_RECORDS_MAX];
};

/* A question with recursion desired. name without or with its last dot: letters, digits, - and _. 0,
 * -EINVAL (the name), -ENOSPC. */
int dns_write(void *dst, size_t bytes, uint16_t id, const char *name, enum dns_type type,
              size_t *ret_bytes) must_check;
/* 0; -ENOMSG: not the answer to this question; -EBADMSG: it is, but malformed. */
int dns_read(struct dns_answer *ret, struct slice message, uint16_t id, const char *name,
             enum dns_type type) must_check;
