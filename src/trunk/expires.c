/* SPDX-License-Identifier: Apache-2.0
 * Session-Expires of a dialog: reads and writes the header fields for the engine (refresh.h), keeps its
 * timer, and refreshes: by UPDATE without a session description where the peer allows that, else by a
 * re-INVITE with the very description that is in force. RFC 4028. */
#include "trunk/inner.h"

#include <stdio.h>

static void due(void *arg);

static void arm(struct dialog *d) {
  uint64_t at = refresh_next_us(&d->refresh), now = loop_now_us(d->t->env.loop);
  loop_disarm(d->t->env.loop, &d->expiry);
  d->expiry.fn = due;
  d->expiry.arg = dialog_magic(d);
  if (at)
    loop_arm(d->t->env.loop, &d->expiry, at > now ? at - now : 0);
}

static void due(void *arg) {
  struct dialog *d = dialog_get(arg);
  if (!d || d->state != DIALOG_UP)
    return;
  enum refresh_due what = refresh_due(&d->refresh, loop_now_us(d->t->env.loop));
  if (what == REFRESH_OVER) {
    count_one(&trunk_counters, TRUNKCOUNT_expired);
    dialog_fault(d, WHY_FAULT_REFRESH, END_TIMEOUT, 408,
                 d->refresh.is_ours ? "session timer: no refresh of ours was answered"
                                    : "session timer: the peer did not refresh");
    return;
  }
  d->owes_refresh = d->owes_refresh || what == REFRESH_SEND;
  arm(d);
  if (d->owes_refresh)
    wish_next(d);
}

void expires_init(struct dialog *d, const struct conf_trunk *trunk) {
  refresh_init(&d->refresh, trunk->session_timer_s, trunk->session_min_s);
}

void expires_done(struct dialog *d) {
  loop_disarm(d->t->env.loop, &d->expiry);
  d->owes_refresh = false;
  if (d->update_out)
    nta_outgoing_destroy(take(d->update_out));
}

static uint32_t seconds(unsigned long s) { return s < UINT32_MAX ? (uint32_t)s : UINT32_MAX; }

void expires_read(const sip_t *sip, struct refresh_fields *ret) {
  const sip_session_expires_t *x = sip->sip_session_expires;
  *ret = (struct refresh_fields){.has_timer = agent_knows(sip, "timer")};
  if (x)
    ret->expires_s = seconds(x->x_delta);
  if (x && x->x_refresher)
    ret->refresher = !strcasecmp(x->x_refresher, "uac")   ? REFRESHER_UAC
                     : !strcasecmp(x->x_refresher, "uas") ? REFRESHER_UAS
                                                          : REFRESHER_NONE;
  if (sip->sip_min_se)
    ret->min_s = seconds(sip->sip_min_se->min_delta);
}

static void allow_note(struct dialog *d, const sip_t *sip) {
  if (!sip->sip_allow)
    return;
  d->takes_update = sip_is_allowed(sip->sip_allow, SIP_METHOD_UPDATE);
  d->takes_refer = sip_is_allowed(sip->sip_allow, SIP_METHOD_REFER);
}

struct verdict expires_check(const struct conf_trunk *trunk, const sip_t *sip) {
  struct refresh r;
  struct refresh_fields f;
  refresh_init(&r, trunk->session_timer_s, trunk->session_min_s);
  expires_read(sip, &f);
  if (refresh_check(&r, &f))
    return verdict_pass();
  return verdict_refuse(REFUSE_SESSION_TIMER, "Session-Expires: %u, at least %u", f.expires_s,
                        trunk->session_min_s);
}

void expires_take(struct dialog *d, const sip_t *sip, struct refresh_fields *ret_asked) {
  expires_read(sip, ret_asked);
  allow_note(d, sip);
}

static void expires_write(const struct refresh_fields *f, char *expires, size_t bytes) {
  expires[0] = 0;
  if (f->expires_s)
    snprintf(expires, bytes, "%u%s", f->expires_s,
             f->refresher == REFRESHER_UAC   ? ";refresher=uac"
             : f->refresher == REFRESHER_UAS ? ";refresher=uas"
                                             : "");
}

void expires_answer(struct dialog *d, const struct refresh_fields *asked, struct reply *r) {
  struct refresh_fields f;
  refresh_accept(&d->refresh, asked, loop_now_us(d->t->env.loop), &f);
  d->owes_refresh = false;
  arm(d);
  if (f.has_timer)
    r->supported = "timer";
  if (f.refresher == REFRESHER_UAC)
    r->require = "timer"; /* it must know that this is its duty now: RFC 4028 9 */
  expires_write(&f, r->expires, sizeof r->expires);
}

void expires_ask(const struct dialog *d, struct expires_text *ret) {
  struct refresh_fields f;
  refresh_ask(&d->refresh, &f);
  *ret = (struct expires_text){.supported = f.has_timer ? "timer" : NULL};
  expires_write(&f, ret->expires, sizeof ret->expires);
  if (f.min_s && f.min_s != 90) /* what is meant where there is none */
    snprintf(ret->min_se, sizeof ret->min_se, "%u", f.min_s);
}

void expires_agreed(struct dialog *d, const sip_t *sip) {
  struct refresh_fields f;
  expires_read(sip, &f);
  allow_note(d, sip);
  refresh_agree(&d->refresh, &f, loop_now_us(d->t->env.loop));
  d->owes_refresh = false;
  arm(d);
}

bool expires_raised(struct dialog *d, int status, const sip_t *sip) {
  return status == 422 && sip && sip->sip_min_se &&
         refresh_raise(&d->refresh, seconds(sip->sip_min_se->min_delta));
}

void expires_failed(struct dialog *d) {
  refresh_failed(&d->refresh, loop_now_us(d->t->env.loop));
  arm(d);
}

/* Refreshing --------------------------------------------------------------------------------------- */

static void update_refused(struct dialog *d, int status, const sip_t *sip) {
  bool is_again = expires_raised(d, status, sip);
  if (status == 405 || status == 501) {
    d->takes_update = false; /* its Allow was wrong: by re-INVITE then */
    is_again = true;
  }
  if (!is_again)
    expires_failed(d);
  d->owes_refresh = is_again;
}

static int update_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  struct dialog *d = dialog_get(magic);
  int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
  if (!d || d->update_out != orq || status < 200 ||
      dialog_proof(d, &d->update_out, sip, update_response))
    return 0;
  if (status < 300 && sip) {
    dialog_retarget(d, orq, sip);
    expires_agreed(d, sip);
  } else {
    update_refused(d, status, sip);
  }
  nta_outgoing_destroy(take(d->update_out));
  if (status == 481 || status == 408)
    dialog_fault(d, WHY_FAULT_FORGOTTEN, END_TRUNK_FAILURE, status, "the peer knows the call no more");
  else
    wish_next(d);
  return 0;
}

bool expires_update(struct dialog *d) {
  char contact[URI_BYTES + 2], session[96];
  struct expires_text x;
  if (!d->takes_update || d->update_out)
    return d->update_out != NULL;
  dialog_contact(d, contact, sizeof contact);
  dialog_session_line(d, session, sizeof session);
  expires_ask(d, &x);
  d->update_out =
      nta_outgoing_tcreate(d->nta, update_response, dialog_magic(d), dialog_hop(d), SIP_METHOD_UPDATE,
                           *d->target ? URL_STRING_MAKE(d->target) : NULL, SIPTAG_CONTACT_STR(contact),
                           SIPTAG_ALLOW_STR(d->allow), SIPTAG_USER_AGENT_STR(d->t->product),
                           EXPIRES_TAGS(&x), TAG_IF(*session, SIPTAG_HEADER_STR(session)), TAG_END());
  return d->update_out != NULL;
}
