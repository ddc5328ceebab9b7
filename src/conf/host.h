/* SPDX-License-Identifier: Apache-2.0
 * A rule that names hosts: a name, "*.name" (one label), an address or a CIDR, each optionally with
 * :port. In peers, proxies, relays. Pure. */
#pragma once
#include "base/addr.h"

struct host_rule {
  bool is_name;
  uint16_t port;    /* port is 0 for any. */
  struct cidr cidr; /* unless is_name */
  char name[64];    /* name is in lower case; may begin with "*." */
};

/* "sbc.example:5061", "10.0.0.0/8", "10.0.0.1:5060", "[2001:db8::1]:5060", "2001:db8::/32"; -EINVAL. */
int host_rule_parse(struct host_rule *ret, struct slice text) must_check;
/* A host as messages write it, "host", "host:port", "[v6]:port": port 0 if absent; -EINVAL. *ret_ip
 * has the family AF_UNSPEC for names. */
int host_split(struct slice text, struct slice *ret_host, uint16_t *ret_port,
               struct addr *ret_ip) must_check;
/* Does the rule cover the host? A rule's port must be the host's (default_port where that is absent). */
bool host_rule_has(const struct host_rule *r, struct slice host, uint16_t default_port);
bool host_rule_has_addr(const struct host_rule *r,
                        const struct addr *a); /* by address and port; never by name */
/* A name against a certificate's: "*.a.b" covers one label (RFC 6125); case ignored. */
bool host_name_covers(struct slice pattern, struct slice name);
bool host_is_name(struct slice s); /* labels of letters, digits and -, at most 253 characters */
