/* SPDX-License-Identifier: Apache-2.0
 * Names of certificates: see peername.h. Any thread. RFC 5922 7.1, RFC 6125 6.4.3. */
#include "trunk/peername.h"

#include "base/addr.h"
#include "trunk/tls.h"

#include <openssl/x509v3.h>

static bool is_plain(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if ((unsigned char)s.p[i] <= 0x20 || (unsigned char)s.p[i] >= 0x7f)
      return false;
  return s.n > 0 && s.n < PEERNAME_BYTES;
}

static int add_name(struct peernames *p, struct slice s) {
  if (p->n == PEERNAMES_MAX || !is_plain(s))
    return 0;
  char *copy = slice_dup(s);
  if (!copy)
    return -ENOMEM;
  p->name[p->n++] = copy;
  return 0;
}

static int add_ip(struct peernames *p, const ASN1_OCTET_STRING *ip) {
  char text[ADDR_TEXT_BYTES];
  struct addr a = {0};
  int n = ASN1_STRING_length(ip);
  if (n == 4) {
    a.in4.sin_family = AF_INET;
    memcpy(&a.in4.sin_addr, ASN1_STRING_get0_data(ip), 4);
  } else if (n == 16) {
    a.in6.sin6_family = AF_INET6;
    memcpy(&a.in6.sin6_addr, ASN1_STRING_get0_data(ip), 16);
  } else {
    return 0;
  }
  return add_name(p, slice_of(addr_ip_text(&a, text, sizeof(text))));
}

static int add_general(struct peernames *p, const GENERAL_NAME *g) {
  int type;
  const void *v = GENERAL_NAME_get0_value(g, &type);
  if (type == GEN_IPADD)
    return add_ip(p, v);
  if (type == GEN_DNS || type == GEN_URI)
    return add_name(p, slice_from(ASN1_STRING_get0_data(v), (size_t)ASN1_STRING_length(v)));
  return 0;
}

int peernames_read(struct peernames *ret, const X509 *cert) {
  int r = 0;
  *ret = (struct peernames){.n = 0};
  GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
  for (int i = 0; !r && i < sk_GENERAL_NAME_num(all); i++)
    r = add_general(ret, sk_GENERAL_NAME_value(all, i));
  GENERAL_NAMES_free(all);
  if (r)
    peernames_done(ret);
  return r;
}

void peernames_done(struct peernames *p) {
  for (size_t i = 0; i < p->n; i++)
    free(p->name[i]);
  p->n = 0;
}

/* The host of sip:, sips: URIs without user (RFC 5922 7.1 wants none); else nothing. */
static struct slice uri_host(struct slice uri) {
  struct slice rest = uri;
  if (slice_istarts(uri, SLICE("sips:")))
    rest = slice_from(uri.p + 5, uri.n - 5);
  else if (slice_istarts(uri, SLICE("sip:")))
    rest = slice_from(uri.p + 4, uri.n - 4);
  else
    return (struct slice){NULL, 0};
  for (size_t i = 0; i < rest.n; i++) {
    if (rest.p[i] == '@')
      return (struct slice){NULL, 0};
    if (rest.p[i] == ';' || rest.p[i] == '?')
      rest.n = i;
  }
  return rest;
}

static struct slice without_dot(struct slice s) {
  if (s.n > 1 && s.p[s.n - 1] == '.')
    s.n--;
  return s;
}

/* "*.example.test" is "a.example.test", neither "example.test" nor "a.b.example.test"; "*.test" is
 * nothing: below the star stand two labels at least. */
static bool wildcard_is(struct slice pattern, struct slice host) {
  struct slice tail = slice_from(pattern.p + 2, pattern.n - 2);
  struct slice rest = host;
  struct slice first = slice_cut(&rest, '.');
  return memchr(tail.p, '.', tail.n) && !memchr(tail.p, '*', tail.n) && first.n && rest.p &&
         slice_ieq(tail, rest);
}

bool peername_is(const char *subject, struct slice host) {
  struct slice name = slice_of(subject), uri = uri_host(name);
  struct addr wanted, have;
  host = without_dot(host);
  if (!host.n)
    return false;
  if (!addr_parse(&wanted, host, 0))
    return !addr_parse(&have, uri.n ? uri : name, 0) && addr_eq_ip(&wanted, &have);
  if (uri.n)
    return slice_ieq(without_dot(uri), host);
  if (slice_starts(name, SLICE("*.")))
    return name.n > 2 && wildcard_is(without_dot(name), host);
  return slice_ieq(without_dot(name), host);
}

bool peernames_have(const struct peernames *p, struct slice host) {
  for (size_t i = 0; i < p->n; i++)
    if (peername_is(p->name[i], host))
      return true;
  return false;
}

bool peername_usage_fits(X509 *cert) {
  if (!(X509_get_extension_flags(cert) & EXFLAG_XKUSAGE))
    return true;
  uint32_t usage = X509_get_extended_key_usage(cert);
  return !usage || (usage & (XKU_SSL_SERVER | XKU_SSL_CLIENT | XKU_ANYEKU));
}
