/* SPDX-License-Identifier: Apache-2.0
 * NOTIFY of the implicit subscription that a REFER makes: ours to who referred, with the status of the
 * new call as message/sipfrag. RFC 3515, 6665, 3420. */
#include "trunk/inner.h"

#include <stdio.h>

void notify_send(struct dialog *d, int status, bool is_last) {
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
      d->nta, NULL, NULL, NULL, SIP_METHOD_NOTIFY, *d->target ? URL_STRING_MAKE(d->target) : NULL,
      SIPTAG_EVENT_STR(event),
      SIPTAG_SUBSCRIPTION_STATE_STR(is_last ? "terminated;reason=noresource" : "active;expires=180"),
      SIPTAG_CONTACT_STR(contact), TAG_IF(*session, SIPTAG_HEADER_STR(session)),
      SIPTAG_USER_AGENT_STR(d->t->product), SIPTAG_CONTENT_TYPE_STR("message/sipfrag;version=2.0"),
      SIPTAG_PAYLOAD_STR(body), TAG_END());
  if (!orq)
    log_warn(sip, "trunk %s: the NOTIFY could not be sent", d->trunk);
  nta_outgoing_destroy(orq);
}
