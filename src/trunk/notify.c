/* SPDX-License-Identifier: Apache-2.0
 * NOTIFY of the implicit subscription that a REFER makes, with the status of the new call as
 * message/sipfrag: ours to who referred; and our own REFER to a trunk that is set to it, whose NOTIFYs
 * say what became of it. RFC 3515, 6665, 3420, 7647. */
#include "trunk/inner.h"

#include <stdio.h>

void refer_notify(struct dialog *d, int status, bool is_last) {
  char body[96], event[32], contact[URI_BYTES + 2], session[96];
  if (d->refer.is_silent || d->state != DIALOG_UP)
    return;
  snprintf(body, sizeof body, "SIP/2.0 %d %s\r\n", status, sip_status_phrase(status));
  if (d->refer.n > 1) /* the first may go without, RFC 3515 2.4.6 */
    snprintf(event, sizeof event, "refer;id=%u", d->refer.cseq);
  else
    snprintf(event, sizeof event, "refer");
  dialog_contact(d, contact, sizeof contact);
  dialog_session_line(d, session, sizeof session);
  nta_outgoing_t *orq = nta_outgoing_tcreate(
      d->nta, NULL, NULL, dialog_hop(d), SIP_METHOD_NOTIFY,
      *d->target ? URL_STRING_MAKE(d->target) : NULL, SIPTAG_EVENT_STR(event),
      SIPTAG_SUBSCRIPTION_STATE_STR(is_last ? "terminated;reason=noresource" : "active;expires=180"),
      SIPTAG_CONTACT_STR(contact), TAG_IF(*session, SIPTAG_HEADER_STR(session)),
      SIPTAG_USER_AGENT_STR(d->t->product), SIPTAG_CONTENT_TYPE_STR("message/sipfrag;version=2.0"),
      SIPTAG_PAYLOAD_STR(body), TAG_END());
  if (!orq)
    log_warn(sip, "trunk %s: the NOTIFY could not be sent", d->trunk);
  nta_outgoing_destroy(orq);
}

/* Our REFER ----------------------------------------------------------------------------------------
 */

enum { REFER_WAIT_US = 180000000 }; /* for its last word: a target may ring long */

static void told(struct dialog *d, int status, bool is_last) {
  struct leg *l = dialog_leg(d);
  if (is_last)
    refer_done(d);
  if (l)
    call_referred(l, status, is_last);
}

static void on_silence(void *arg) {
  struct dialog *d = dialog_get(arg);
  if (d && d->referring.is_on)
    told(d, 408, true);
}

void refer_done(struct dialog *d) {
  loop_disarm(d->t->env.loop, &d->referring.timer);
  d->referring.is_on = d->referring.is_accepted = false;
  if (d->referring.orq)
    nta_outgoing_destroy(take(d->referring.orq));
}

static int refer_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  struct dialog *d = dialog_get(magic);
  int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
  if (!d || d->referring.orq != orq || status < 200)
    return 0;
  if (dialog_proof(d, &d->referring.orq, sip, refer_response))
    return 0;
  nta_outgoing_destroy(take(d->referring.orq));
  if (status >= 300)
    told(d, status, true);
  else
    d->referring.is_accepted = true;
  return 0;
}

/* <sip:NUMBER@HOST> of the trunk's target. */
static void refer_uri(char *dst, size_t bytes, const struct conf_trunk *t, const char *number) {
  char target[CONF_PATH_BYTES] = "", host[CONF_PATH_BYTES];
  if (conf_trunk_target(t, 0, target, sizeof target) < 0)
    target[0] = 0;
  struct slice rest = slice_of(target);
  slice_cut(&rest, ':');
  slice_copy(host, sizeof host, slice_cut(&rest, ';'));
  header_party(dst, bytes, number, "", host, false);
}

struct verdict refer_out(struct dialog *d, const char *number, const char *by) {
  char to[URI_BYTES], from[URI_BYTES], contact[URI_BYTES + 2], session[96];
  const struct conf_trunk *t = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  if (!t || d->state != DIALOG_UP || !d->is_acked || d->referring.is_on)
    return verdict_refuse(REFUSE_STATE, "the trunk's call is not ready to be transferred");
  if (!d->takes_refer)
    return verdict_refuse(REFUSE_METHOD, "the trunk's Allow has no REFER");
  refer_uri(to, sizeof to, t, number);
  header_party(from, sizeof from, by, "", dialog_host(d), false);
  dialog_contact(d, contact, sizeof contact);
  dialog_session_line(d, session, sizeof session);
  d->referring.orq = nta_outgoing_tcreate(
      d->nta, refer_response, dialog_magic(d), dialog_hop(d), SIP_METHOD_REFER,
      *d->target ? URL_STRING_MAKE(d->target) : NULL, SIPTAG_REFER_TO_STR(to),
      SIPTAG_REFERRED_BY_STR(from), SIPTAG_CONTACT_STR(contact), SIPTAG_USER_AGENT_STR(d->t->product),
      TAG_IF(*session, SIPTAG_HEADER_STR(session)), TAG_END());
  if (!d->referring.orq)
    return verdict_refuse(REFUSE_INTERNAL, "the REFER could not be sent");
  d->referring.is_on = true;
  d->referring.timer.fn = on_silence;
  d->referring.timer.arg = dialog_magic(d);
  loop_arm(d->t->env.loop, &d->referring.timer, REFER_WAIT_US);
  return verdict_pass();
}

/* The status of a message/sipfrag, 0: it is none. */
static int fragment_status(const sip_t *sip) {
  uint64_t status;
  const char *type = sip->sip_content_type ? sip->sip_content_type->c_type : "";
  if (!sip->sip_payload || strncasecmp(type, "message/sipfrag", 15))
    return 0;
  struct slice body = slice_from(sip->sip_payload->pl_data, sip->sip_payload->pl_len);
  struct slice line = slice_cut(&body, '\n'), version = slice_cut(&line, ' ');
  if (!slice_ieq(version, SLICE("SIP/2.0")) ||
      slice_u64(slice_trim(slice_cut(&line, ' ')), 699, &status) < 0)
    return 0;
  return status >= 100 ? (int)status : 0;
}

static int answer(struct dialog *d, nta_incoming_t *irq, int status) {
  struct reply r;
  reply_init(&r, status);
  if (status == 489)
    r.line = "Allow-Events: refer";
  if (status == 415)
    r.accept = "message/sipfrag";
  dialog_reply(d, irq, &r);
  return status;
}

int refer_notified(struct dialog *d, nta_incoming_t *irq, const sip_t *sip) {
  const sip_subscription_state_t *state = sip->sip_subscription_state;
  const char *event = sip->sip_event ? sip->sip_event->o_type : "";
  int status = fragment_status(sip);
  if (strcasecmp(event, "refer"))
    return answer(d, irq, 489);
  if (!d->referring.is_on)
    return answer(d, irq, 481);
  if (!status || !state || !state->ss_substate)
    return answer(d, irq, status ? 400 : 415);
  bool is_last = status >= 200 || !strcasecmp(state->ss_substate, "terminated");
  answer(d, irq, 200);
  told(d, is_last && status < 200 ? 480 : status, is_last);
  return 200;
}

void refer_taken(struct dialog *d) {
  if (d->referring.is_on && d->referring.is_accepted)
    told(d, 200, true);
}
