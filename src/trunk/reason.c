/* SPDX-License-Identifier: Apache-2.0
 * Reason fields: what a peer's says in statuses and causes, and ours from a call's end. Text of a
 * peer's is never passed on. RFC 3326, RFC 9366, Q.850. */
#include "trunk/inner.h"

#include <stdio.h>

/* The first of each kind counts: RFC 9366 lets a protocol come again, the outermost being first. */
struct reason reason_read(const sip_t *sip) {
  struct reason ret = {0, 0};
  uint64_t cause;
  for (const sip_reason_t *r = sip ? sip->sip_reason : NULL; r; r = r->re_next) {
    if (!r->re_protocol || !r->re_cause)
      continue;
    if (!ret.q850 && !strcasecmp(r->re_protocol, "Q.850") &&
        slice_u64(slice_of(r->re_cause), 127, &cause) == 0)
      ret.q850 = (int)cause;
    else if (!ret.sip && !strcasecmp(r->re_protocol, "SIP") &&
             slice_u64(slice_of(r->re_cause), 699, &cause) == 0 && cause >= 100)
      ret.sip = (int)cause;
  }
  return ret;
}

int reason_q850(const sip_t *sip) { return reason_read(sip).q850; }

/* Who lost a race is told so (RFC 3326, 3.1); all others hear the cause. */
char *reason_write(char *dst, size_t bytes, const struct cause *c) {
  int q850 = c->q850 ? c->q850 : end_reason_q850(c->reason);
  size_t n = 0;
  dst[0] = 0;
  if (c->reason == END_ANSWERED_ELSEWHERE)
    n = (size_t)snprintf(dst, bytes, "SIP;cause=200;text=\"Call completed elsewhere\", ");
  header_reason(dst + n, bytes - n, q850, end_reason_word(c->reason));
  return dst;
}
