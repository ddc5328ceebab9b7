/* SPDX-License-Identifier: Apache-2.0
 * INFO within a dialog: digits as application/dtmf-relay or application/dtmf in, dtmf-relay out (trunks
 * with dtmf: info); an empty one is a sign of life. RFC 6086 (legacy use). */
#include "trunk/inner.h"

#include "base/log.h"

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
  else if (pl && pl->pl_len && (d->state == DIALOG_UP || d->provisional == 183))
    leg_got_info_digit(dialog_leg(d), digit, ms);
  reply_init(&r, status);
  if (status == 415)
    r.accept = "application/dtmf-relay, application/dtmf";
  dialog_reply(d, irq, &r);
  return status;
}

/* Out ------------------------------------------------------------------------------------------------
 */
static void next(struct dialog *d);

static int answered(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  struct dialog *d = dialog_get(magic);
  int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
  if (!d || d->info_out != orq || status < 200)
    return 0;
  if (dialog_proof(d, &d->info_out, sip, answered))
    return 0;
  nta_outgoing_destroy(take(d->info_out));
  if (status == 481 || status == 408) {
    dialog_fault(d, WHY_FAULT_FORGOTTEN, END_TRUNK_FAILURE, status, "the peer knows the call no more");
    return 0;
  }
  if (status >= 300)
    log_info(trunk, "trunk %s: a digit by INFO was answered %d", d->trunk, status);
  next(d);
  return 0;
}

static nta_outgoing_t *send_digit(struct dialog *d, const struct info_digit *i) {
  char body[64], session[96];
  snprintf(body, sizeof body, "Signal=%c\r\nDuration=%u\r\n", i->digit, i->ms);
  dialog_session_line(d, session, sizeof session);
  return nta_outgoing_tcreate(
      d->nta, answered, dialog_magic(d), dialog_hop(d), SIP_METHOD_INFO,
      *d->target ? URL_STRING_MAKE(d->target) : NULL, SIPTAG_USER_AGENT_STR(d->t->product),
      TAG_IF(*session, SIPTAG_HEADER_STR(session)), SIPTAG_CONTENT_TYPE_STR("application/dtmf-relay"),
      SIPTAG_PAYLOAD_STR(body), TAG_END());
}

static void next(struct dialog *d) {
  while (d->n_infos && !d->info_out && d->state == DIALOG_UP) {
    d->info_out = send_digit(d, &d->infos[0]);
    if (!d->info_out)
      log_warn(trunk, "trunk %s: a digit could not be sent by INFO", d->trunk);
    memmove(d->infos, d->infos + 1, --d->n_infos * sizeof(d->infos[0]));
  }
}

void info_digit(struct dialog *d, char digit, uint32_t ms) {
  if (!d->infos)
    d->infos = calloc(INFOS_MAX, sizeof(*d->infos));
  if (!d->infos || d->n_infos == INFOS_MAX || d->state != DIALOG_UP)
    return;
  d->infos[d->n_infos++] = (struct info_digit){digit, ms < 40 ? 40 : ms > 6000 ? 6000 : ms};
  next(d);
}

void info_done(struct dialog *d) {
  d->n_infos = 0;
  free(take(d->infos));
  if (d->info_out)
    nta_outgoing_destroy(take(d->info_out));
}
