/* SPDX-License-Identifier: Apache-2.0
 * The names of a certificate (SAN of type DNS, URI, IP; never the common name) and whether they are
 * those of a host. RFC 5922 7, RFC 6125. Pure; any thread. peername_is() is in tls.h. */
#pragma once
#include "base/slice.h"

#include <openssl/x509.h>

enum { PEERNAMES_MAX = 64, PEERNAME_BYTES = 256 };

struct peernames {
  char *name[PEERNAMES_MAX]; /* name is text as told at link_subject(). */
  size_t n;                  /* n is how many; further ones of the certificate are left out. */
};

/* Names with a NUL, a control character or more than PEERNAME_BYTES-1 bytes are left out.
 * 0 or -ENOMEM. */
int peernames_read(struct peernames *ret, const X509 *cert) must_check;
void peernames_done(struct peernames *p);
bool peernames_have(const struct peernames *p, struct slice host);
/* False if the certificate may be used neither as a TLS client nor as a server: an extended key
 * usage is there and names neither (that a client's lacks clientAuth is not held against it). */
bool peername_usage_fits(X509 *cert);
