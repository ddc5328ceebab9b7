/* SPDX-License-Identifier: Apache-2.0
 * Two functions of the SIP library in our form, because a peer could end the process by theirs. A final
 * response that cannot be sent puts its transaction where the ACK that follows trips an assertion: two
 * datagrams, the first with a Via that cannot be answered ("host:0"). And the library's own ACK and BYE
 * to a stray 2xx trust any Contact and free a message twice when the second of them fails. Call thread.
 */
#include "trunk/sofia_send.h"
#include "trunk/sofia_hooks.h"
#include "trunk/tls.h"

#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/su_tagarg.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>

#include <dlfcn.h>

typedef tport_t *tsend_fn(tport_t *, msg_t *, tp_name_t const *, tag_type_t, tag_value_t, ...);

static tsend_fn *stock(void) {
  static tsend_fn *fn;
  if (!fn) {
    void *p = dlsym(RTLD_NEXT, "tport_tsend");
    memcpy(&fn, &p, sizeof p); /* dlsym gives an object pointer; POSIX lets it be a function's */
  }
  return fn;
}

/* A closed connection is worth a second try (RFC 3261 18.2.2), once for each message. */
static bool may_retry(const tport_t *self, msg_t *msg) {
  static const msg_t *tried;
  bool is_first = tried != msg;
  tried = msg;
  return is_first && self && tport_is_secondary(self) &&
         (msg_errno(msg) == EPIPE || msg_errno(msg) == ECONNREFUSED);
}

/* A request's Via says who we are toward that trunk: its certificate, if it has one of its own. */
static void name_own(const sip_t *sip) {
  link_own_name(sip && sip->sip_request && sip->sip_via ? sip->sip_via->v_host : "");
}

/* A reset is a closed connection too: the library's own second try, over a new one, is for EPIPE alone.
 */
static void reset_is_closed(msg_t *msg) {
  if (msg_errno(msg) == ECONNRESET || msg_errno(msg) == ETIMEDOUT || msg_errno(msg) == ENOTCONN)
    msg_set_errno(msg, EPIPE);
}

static struct {
  struct addr to[SEND_KEEPS_MAX];
  uint32_t next;
} keeps;

static struct addr *keep_find(const struct addr *to) {
  for (uint32_t i = 0; i < SEND_KEEPS_MAX; i++)
    if (addr_eq(&keeps.to[i], to))
      return &keeps.to[i];
  return NULL;
}

void send_keep_udp(const struct addr *to, bool keep) {
  struct addr *have = keep_find(to);
  if (have && !keep)
    *have = (struct addr){0};
  else if (!have && keep)
    keeps.to[keeps.next++ % SEND_KEEPS_MAX] = *to;
}

/* It is too long for UDP, but that is all that this target takes. */
static bool must_be_udp(msg_t *msg, const tp_name_t *name) {
  struct addr to;
  const sip_t *sip = sip_object(msg);
  return msg_errno(msg) == EMSGSIZE && sip && sip->sip_request && name && name->tpn_host &&
         name->tpn_port &&
         addr_parse(&to, slice_of(name->tpn_host), (uint16_t)atoi(name->tpn_port)) == 0 &&
         keep_find(&to);
}

/* Messages keep the bytes that they were read from (sofia_hooks.c), and what a response takes over from
 * its request would be sent as the peer wrote it: folded, abbreviated. It is written anew, in our words.
 */
static void write_anew(msg_t *msg) {
  const sip_t *sip = sip_object(msg);
  if (!sip || !sip->sip_status || msg_is_prepared(msg))
    return;
  for (msg_header_t *h = *msg_chain_head(msg); h; h = h->sh_succ) {
    h->sh_data = NULL;
    h->sh_len = 0;
  }
}

/* A response always counts as sent: the caller only asks whether the result is NULL. */
__attribute__((visibility("default"))) tport_t *
tport_tsend(tport_t *self, msg_t *msg, tp_name_t const *name, tag_type_t tag, tag_value_t value, ...) {
  static char sent;
  ta_list ta;
  ta_start(ta, tag, value);
  name_own(sip_object(msg));
  write_anew(msg);
  tport_t *used = stock()(self, msg, name, ta_tags(ta));
  ta_end(ta);
  if (!used && self && tport_is_secondary(self))
    reset_is_closed(msg);
  if (!used && must_be_udp(msg, name)) {
    msg_set_errno(msg, 0);
    used = stock()(self, msg, name, TPTAG_MTU(UINT16_MAX), TAG_END());
  }
  hooks_message(used, msg, true);
  const sip_t *sip = used ? NULL : sip_object(msg);
  if (used || !sip || !sip->sip_status || may_retry(self, msg))
    return used;
  return self ? self : (tport_t *)(void *)&sent;
}

static bool is_sip(const url_t *u) {
  return (u->url_type == url_sip || u->url_type == url_sips) && u->url_host;
}

static bool is_sane(const sip_t *sip) {
  if (!sip || !sip->sip_contact || !is_sip(sip->sip_contact->m_url) || !sip->sip_via)
    return false;
  for (const sip_record_route_t *r = sip->sip_record_route; r; r = r->r_next)
    if (!is_sip(r->r_url))
      return false;
  return true;
}

static void send_both(nta_leg_t *leg, const sip_t *sip) {
  sip_cseq_t cseq = *sip->sip_cseq;
  cseq.cs_method = sip_method_ack;
  cseq.cs_method_name = "ACK";
  nta_leg_client_reroute(leg, sip->sip_record_route, sip->sip_contact, 1);
  nta_outgoing_destroy(nta_outgoing_tcreate(leg, NULL, NULL, NULL, SIP_METHOD_ACK, NULL,
                                            SIPTAG_CSEQ(&cseq),
                                            NTATAG_ACK_BRANCH(sip->sip_via->v_branch), TAG_END()));
  nta_outgoing_destroy(nta_outgoing_tcreate(leg, NULL, NULL, NULL, SIP_METHOD_BYE, NULL, TAG_END()));
}

__attribute__((visibility("default"))) int nta_msg_ackbye(nta_agent_t *agent, msg_t *msg) {
  const sip_t *sip = sip_object(msg);
  if (is_sane(sip)) {
    nta_leg_t *leg =
        nta_leg_tcreate(agent, NULL, NULL, SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM(sip->sip_from),
                        SIPTAG_TO(sip->sip_to), SIPTAG_CSEQ(sip->sip_cseq), TAG_END());
    if (leg)
      send_both(leg, sip);
    nta_leg_destroy(leg);
  }
  msg_destroy(msg);
  return 0;
}
