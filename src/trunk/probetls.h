/* SPDX-License-Identifier: Apache-2.0
 * One TLS handshake with a target on a thread of its own, which goes on past a certificate that is not
 * good, so that it can be told what is wrong. Inside trunk; knows OpenSSL and sockets, no SIP. */
#pragma once
#include "call/probe.h"

struct creds;
struct probetls_order {
  struct creds *creds; /* held by the handshake from now on, freed by it */
  struct addr addr;
  char name[CONF_NAME_BYTES * 2]; /* whom we mean: what the certificate is to say */
  char own_name[CONF_NAME_BYTES]; /* who we are */
  bool has_sni;
  int event_fd; /* eventfd that is written once when it is over */
};
struct probetls;
int probetls_new(struct probetls **ret, const struct probetls_order *o) must_check; /* 0 or -errno */
/* What it showed, once over; false before. */
bool probetls_result(struct probetls *p, struct probe_tls *ret);
struct probetls *probetls_free(struct probetls *p); /* stops it, at most a tenth of a second */
