/* SPDX-License-Identifier: Apache-2.0
 * Responses: the one place that sends them. A refusal's row gives status, Warning and Reason. The
 * stack reads freed memory when a provisional follows a final, so none ever does. RFC 3261 8.2.6. */
#include "trunk/inner.h"

#include <stdio.h>

void reply_init(struct reply *r, int status) {
  *r = (struct reply){.status = status};
  if (status == 405 || status == 501)
    r->allow = ALLOW;
  if (status == 421)
    r->require = "100rel";
  if (status == 415)
    r->accept = SDP_TYPE ", multipart/mixed";
}

void reply_refusal(struct reply *r, const struct verdict *v, const char *host) {
  const struct refusal_row *row = refusal_row(v->refusal);
  reply_init(r, verdict_sip(v) ? verdict_sip(v) : 403);
  header_warning(r->warning, sizeof r->warning, host, row->title, v->detail);
  header_reason(r->reason, sizeof r->reason, verdict_q850(v), row->rule);
  if (v->retry_after_s > 0)
    snprintf(r->retry_after, sizeof r->retry_after, "%d", v->retry_after_s);
}

/* What a caller on a trunk hears of a call's end: the far side's own failure where it makes sense
 * here; no challenge or redirection of another's is passed on. */
void reply_cause(struct reply *r, const struct cause *c) {
  int status = c->sip >= 400 && c->sip <= 699 ? c->sip : end_reason_sip(c->reason);
  if (status < 400 || status > 699 || status == 401 || status == 407)
    status = end_reason_sip(c->reason);
  if (status < 300 || status > 699)
    status = 480;
  reply_init(r, status);
  reason_write(r->reason, sizeof r->reason, c);
}

static const char *text(const char *s) { return s && *s ? s : NULL; }

#define REPLY_TAGS(a, r, session) \
  TAG_IF(text((r)->allow), SIPTAG_ALLOW_STR((r)->allow)), \
      TAG_IF(text((r)->accept), SIPTAG_ACCEPT_STR((r)->accept)), \
      TAG_IF(text((r)->unsupported), SIPTAG_UNSUPPORTED_STR((r)->unsupported)), \
      TAG_IF(text((r)->supported), SIPTAG_SUPPORTED_STR((r)->supported)), \
      TAG_IF(text((r)->require), SIPTAG_REQUIRE_STR((r)->require)), \
      TAG_IF(text((r)->line), SIPTAG_HEADER_STR((r)->line)), \
      TAG_IF(text((r)->expires), SIPTAG_SESSION_EXPIRES_STR((r)->expires)), \
      TAG_IF(text((r)->min_se), SIPTAG_MIN_SE_STR((r)->min_se)), \
      TAG_IF(text((r)->warning), SIPTAG_WARNING_STR((r)->warning)), \
      TAG_IF(text((r)->reason), SIPTAG_REASON_STR((r)->reason)), \
      TAG_IF(text((r)->retry_after), SIPTAG_RETRY_AFTER_STR((r)->retry_after)), \
      TAG_IF(text((r)->contact), SIPTAG_CONTACT_STR((r)->contact)), \
      TAG_IF(text((r)->contacts), SIPTAG_CONTACT_STR((r)->contacts)), \
      TAG_IF(text(session), SIPTAG_HEADER_STR(session)), SIPTAG_SERVER_STR((a)->t->product), \
      TAG_IF(text((r)->body), SIPTAG_CONTENT_TYPE_STR(SDP_TYPE)), \
      TAG_IF(text((r)->body), SIPTAG_PAYLOAD_STR((r)->body)), TAG_END()

static const char *session_line(const struct reply *r, char *dst, size_t bytes) {
  snprintf(dst, bytes, "%s%s", *r->session ? "Session-ID: " : "", r->session);
  return dst;
}

void reply_to(const struct agent *a, nta_incoming_t *irq, const struct reply *r) {
  char session[96];
  if (!irq || nta_incoming_status(irq) >= 200 || r->status < 100 || r->status > 699)
    return;
  if (r->status >= 400)
    count_one(&trunk_counters, TRUNKCOUNT_refused);
  session_line(r, session, sizeof session);
  nta_incoming_treply(irq, r->status, sip_status_phrase(r->status), REPLY_TAGS(a, r, session));
}

nta_reliable_t *reply_reliable(const struct agent *a, nta_incoming_t *irq, const struct reply *r,
                               nta_prack_f *fn, nta_incoming_magic_t *magic) {
  char session[96];
  if (!irq || nta_incoming_status(irq) >= 200 || r->status <= 100 || r->status >= 200)
    return NULL;
  session_line(r, session, sizeof session);
  return nta_reliable_treply(irq, fn, magic, r->status, sip_status_phrase(r->status),
                             REPLY_TAGS(a, r, session));
}

void reply_stateless(const struct agent *a, msg_t *msg, const struct reply *r) {
  char session[96];
  if (r->status >= 400)
    count_one(&trunk_counters, TRUNKCOUNT_refused);
  session_line(r, session, sizeof session);
  nta_msg_treply(a->nta, msg, r->status, sip_status_phrase(r->status), REPLY_TAGS(a, r, session));
}

/* A transaction lives on for 32 s over UDP: past a rate that no honest peer reaches, answers go without.
 */
void reply_once(const struct agent *a, msg_t *msg, sip_t *sip, const struct reply *r) {
  struct trunks *t = a->t;
  if (!bucket_take(&t->once, ONCE_PER_S, loop_now_us(t->env.loop))) {
    reply_stateless(a, msg, r);
    return;
  }
  nta_incoming_t *irq = nta_incoming_create(a->nta, NULL, msg, sip, TAG_END());
  if (!irq)
    return;
  reply_to(a, irq, r);
  nta_incoming_destroy(irq);
}
