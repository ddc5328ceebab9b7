/* SPDX-License-Identifier: Apache-2.0
 * INFO within a dialog: digits as application/dtmf-relay or application/dtmf; an empty one is a sign
 * of life. RFC 6086 (legacy use). */
#include "trunk/inner.h"

int info_in(struct dialog *d, nta_incoming_t *irq, const sip_t *sip) {
  const char *type = sip->sip_content_type ? sip->sip_content_type->c_type : NULL;
  const sip_payload_t *pl = sip->sip_payload;
  bool is_relay = type && !strcasecmp(type, "application/dtmf-relay");
  bool is_dtmf = type && !strcasecmp(type, "application/dtmf");
  struct reply r;
  char digit;
  uint32_t ms;
  int status = 200;
  if (pl && pl->pl_len && !is_relay && !is_dtmf)
    status = 415;
  else if (pl && pl->pl_len &&
           header_digit(slice_from(pl->pl_data, pl->pl_len), is_relay, &digit, &ms) < 0)
    status = 400;
  else if (pl && pl->pl_len && d->state == DIALOG_UP)
    leg_got_info_digit(dialog_leg(d), digit, ms);
  reply_init(&r, status);
  if (status == 415)
    r.accept = "application/dtmf-relay, application/dtmf";
  dialog_reply(d, irq, &r);
  return status;
}
