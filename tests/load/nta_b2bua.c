/* SPDX-License-Identifier: Apache-2.0
 * The floor of make bench-signaling: a back-to-back user agent on sofia's nta and nothing else. It
 * passes each session description as it is and knows no policy, route, record or media.
 * nta_b2bua LOCAL_IP PORT TARGET_IP PORT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct call;
#define NTA_LEG_MAGIC_T struct call
#define NTA_INCOMING_MAGIC_T struct call
#define NTA_OUTGOING_MAGIC_T struct call
#include <sofia-sip/nta.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/tport_tag.h>

struct call {
  nta_leg_t *a, *b;           /* the caller's dialog, the callee's */
  nta_incoming_t *invite_in;  /* until it is acknowledged */
  nta_outgoing_t *invite_out; /* until its answer */
  nta_outgoing_t *bye;
};

static nta_agent_t *agent;
static char contact[64], target[32];

static void call_free(struct call *c) {
  if (c->invite_in)
    nta_incoming_destroy(c->invite_in);
  if (c->invite_out)
    nta_outgoing_destroy(c->invite_out);
  if (c->bye)
    nta_outgoing_destroy(c->bye);
  nta_leg_destroy(c->a);
  nta_leg_destroy(c->b);
  free(c);
}

static int on_bye_answer(struct call *c, nta_outgoing_t *orq, const sip_t *sip) {
  (void)orq;
  if (!sip || sip->sip_status->st_status >= 200)
    call_free(c);
  return 0;
}

static int on_dialog(struct call *c, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip) {
  (void)irq;
  if (sip->sip_request->rq_method == sip_method_ack)
    return 200;
  if (sip->sip_request->rq_method != sip_method_bye || c->bye)
    return 501;
  c->bye = nta_outgoing_tcreate(leg == c->a ? c->b : c->a, on_bye_answer, c, NULL, SIP_METHOD_BYE, NULL,
                                TAG_END());
  return 200;
}

static int on_ack(struct call *c, nta_incoming_t *irq, const sip_t *sip) {
  if (sip && sip->sip_request->rq_method != sip_method_ack)
    return 0;
  nta_incoming_destroy(irq);
  c->invite_in = NULL;
  return 0;
}

static void acknowledge(struct call *c, const sip_t *sip) {
  char cseq[32];
  nta_leg_rtag(c->b, sip->sip_to->a_tag);
  nta_leg_client_reroute(c->b, sip->sip_record_route, sip->sip_contact, 1);
  snprintf(cseq, sizeof(cseq), "%u ACK", sip->sip_cseq->cs_seq);
  nta_outgoing_t *ack =
      nta_outgoing_tcreate(c->b, NULL, NULL, NULL, SIP_METHOD_ACK, NULL, SIPTAG_CSEQ_STR(cseq),
                           NTATAG_ACK_BRANCH(nta_outgoing_branch(c->invite_out)), TAG_END());
  nta_outgoing_destroy(ack);
  nta_outgoing_destroy(c->invite_out);
  c->invite_out = NULL;
}

static int on_answer(struct call *c, nta_outgoing_t *orq, const sip_t *sip) {
  int status = sip ? sip->sip_status->st_status : nta_outgoing_status(orq);
  if (!c->invite_in || status <= 100)
    return 0;
  nta_incoming_treply(c->invite_in, status, NULL, SIPTAG_CONTACT_STR(contact),
                      TAG_IF(sip && sip->sip_payload, SIPTAG_CONTENT_TYPE_STR("application/sdp")),
                      TAG_IF(sip && sip->sip_payload, SIPTAG_PAYLOAD(sip ? sip->sip_payload : NULL)),
                      TAG_END());
  if (status >= 200 && status < 300 && sip)
    acknowledge(c, sip);
  else if (status >= 300)
    call_free(c);
  return 0;
}

static nta_leg_t *callee_leg(const sip_t *sip, char *uri, size_t bytes) {
  char to[128];
  snprintf(uri, bytes, "sip:%s@%s", sip->sip_request->rq_url->url_user, target);
  snprintf(to, sizeof(to), "<%s>", uri);
  nta_leg_t *leg =
      nta_leg_tcreate(agent, on_dialog, NULL, SIPTAG_FROM(sip->sip_from), SIPTAG_TO_STR(to), TAG_END());
  return leg;
}

static int on_invite(struct call *none, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip) {
  char uri[96];
  (void)none, (void)leg;
  if (sip->sip_request->rq_method != sip_method_invite)
    return sip->sip_request->rq_method == sip_method_ack ? 0 : 481;
  struct call *c = calloc(1, sizeof(*c));
  if (!c || !sip->sip_request->rq_url->url_user)
    abort();
  c->a = nta_leg_tcreate(agent, on_dialog, c, SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM(sip->sip_to),
                         SIPTAG_TO(sip->sip_from), NTATAG_REMOTE_CSEQ(sip->sip_cseq->cs_seq), TAG_END());
  nta_leg_tag(c->a, NULL);
  nta_incoming_tag(irq, nta_leg_get_tag(c->a));
  nta_leg_server_route(c->a, sip->sip_record_route, sip->sip_contact);
  nta_incoming_bind(irq, on_ack, c);
  c->invite_in = irq;
  nta_incoming_treply(irq, SIP_100_TRYING, TAG_END());
  c->b = callee_leg(sip, uri, sizeof(uri));
  nta_leg_bind(c->b, on_dialog, c);
  nta_leg_tag(c->b, NULL);
  c->invite_out = nta_outgoing_tcreate(
      c->b, on_answer, c, NULL, SIP_METHOD_INVITE, URL_STRING_MAKE(uri), SIPTAG_CONTACT_STR(contact),
      SIPTAG_CONTENT_TYPE_STR("application/sdp"), SIPTAG_PAYLOAD(sip->sip_payload), TAG_END());
  return 0;
}

int main(int argc, char **argv) {
  char url[64];
  su_init();
  su_root_t *root = su_root_create(NULL);
  if (argc != 5 || !root)
    return 2;
  su_root_threading(root, 0);
  snprintf(contact, sizeof(contact), "<sip:b2bua@%s:%s>", argv[1], argv[2]);
  snprintf(target, sizeof(target), "%s:%s", argv[3], argv[4]);
  snprintf(url, sizeof(url), "sip:%s:%s;transport=udp", argv[1], argv[2]);
  agent = nta_agent_create(root, URL_STRING_MAKE(url), NULL, NULL, NTATAG_UA(1), NTATAG_USE_NAPTR(0),
                           NTATAG_USE_SRV(0), TPTAG_UDP_RMEM(4 << 20), TAG_END());
  if (!agent || !nta_leg_tcreate(agent, on_invite, NULL, NTATAG_NO_DIALOG(1), TAG_END()))
    return 1;
  su_root_run(root);
  return 0;
}
