/* SPDX-License-Identifier: Apache-2.0
 * The self-test of the SIP transport's own TLS: one OPTIONS over loopback TLS, by a root and an agent
 * of its own, with a certificate made for it. Call thread, before the real agent is made. */
#include "base/clock.h"
#include "trunk/profile.h"
#include "trunk/sofia_tls.h"
#include "trunk/tls.h"

#define NTA_AGENT_MAGIC_T struct selftest
#define NTA_OUTGOING_MAGIC_T struct selftest
#include "trunk/sofia_peek.h"

#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sofia_features.h>
#include <sofia-sip/tport_tag.h>
#include <stdarg.h>
#include <stdio.h>

static const char self_name[] = "self-test.invalid", self_profile[] = " self-test ";
enum { WAIT_MS = 8000, STEP_MS = 20, LAST_STEPS = 2000 };

struct selftest {
  nta_agent_t *agent, *client; /* client asks agent */
  int status;
};

static int asked(struct selftest *t, nta_agent_t *agent, msg_t *msg, sip_t *sip) {
  (void)t;
  if (sip && sip->sip_request)
    nta_msg_treply(agent, msg, SIP_200_OK, TAG_END());
  else
    nta_msg_discard(agent, msg);
  return 0;
}

static int answered(struct selftest *t, nta_outgoing_t *o, sip_t const *sip) {
  t->status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(o);
  return 0;
}

static const char *port_of(nta_agent_t *agent) {
  tport_t *tp = tport_primaries(nta_agent_tports(agent));
  for (; tp; tp = tport_next(tp))
    if (tport_has_tls(tp) && tport_name(tp)->tpn_port)
      return tport_name(tp)->tpn_port;
  return NULL;
}

static int ask(struct selftest *t, su_root_t *root) {
  char uri[96];
  snprintf(uri, sizeof(uri), "sips:%s:%s;maddr=127.0.0.1", self_name,
           port_of(t->agent) ? port_of(t->agent) : "0");
  nta_leg_t *leg = nta_leg_tcreate(t->client, NULL, NULL, NTATAG_NO_DIALOG(1),
                                   SIPTAG_FROM_STR("<sip:self-test.invalid>"),
                                   SIPTAG_TO_STR("<sip:self-test.invalid>"), TAG_END());
  nta_outgoing_t *o = leg ? nta_outgoing_tcreate(leg, answered, t, NULL, SIP_METHOD_OPTIONS,
                                                 (url_string_t *)uri, TAG_END())
                          : NULL;
  for (int ms = 0; o && t->status < 200 && ms < WAIT_MS; ms += STEP_MS)
    su_root_step(root, STEP_MS);
  if (o)
    nta_outgoing_destroy(o);
  if (leg)
    nta_leg_destroy(leg);
  return t->status;
}

static int exchange(void) {
  struct selftest t = {.status = 0};
  char certificate[64];
  su_root_t *root = su_root_create(NULL);
  if (!root)
    return -ENOMEM;
  snprintf(certificate, sizeof(certificate), "profile:%s", self_profile);
  t.agent = nta_agent_create(root, URL_STRING_MAKE("sips:127.0.0.1:*;transport=tls"), asked, &t,
                             TPTAG_CERTIFICATE(certificate), NTATAG_UA(0), TAG_END());
  t.client = nta_agent_create(root, URL_STRING_MAKE("sips:127.0.0.1:*;transport=tls"), NULL, NULL,
                              TPTAG_CERTIFICATE(certificate), NTATAG_UA(0), TAG_END());
  int status = t.agent && t.client ? ask(&t, root) : -ENOTCONN;
  if (t.client)
    nta_agent_destroy(t.client);
  if (t.agent)
    nta_agent_destroy(t.agent);
  for (int i = 0; i < 5 || (link_on_way() && i < LAST_STEPS); i++)
    su_root_step(root, 10); /* what the handshake threads still send: to nobody, once the root is gone */
  su_root_destroy(root);
  return status;
}

static int tell(char *why, size_t bytes, const char *format, ...) printf_like(3, 4);
static int tell(char *why, size_t bytes, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  vsnprintf(why, bytes, format, ap);
  va_end(ap);
  return -ENOTSUP;
}

int owntls_self_test(char *why, size_t why_bytes) {
  own(creds) c = NULL;
  if (strncmp(nta_version, "sofia-sip/1.12.11", 17) != 0 && strncmp(nta_version, "1.12.11", 7) != 0)
    return tell(why, why_bytes, "libsofia-sip-ua is %s; its inside is known for 1.12.11 only",
                nta_version);
  uint64_t masters = count_get(&owntls_counts, TLSCOUNT_masters);
  uint64_t connects = count_get(&owntls_counts, TLSCOUNT_connects);
  uint64_t done = count_get(&owntls_counts, TLSCOUNT_done);
  if (creds_selfmade(&c, self_name) || profile_put(self_profile, take(c)))
    return tell(why, why_bytes, "no certificate could be made for the self-test");
  int status = exchange();
  profile_forget(self_profile);
  if (count_get(&owntls_counts, TLSCOUNT_masters) == masters)
    return tell(why, why_bytes,
                "libsofia-sip-ua does not call our tls_init_master(): another build or link order");
  if (count_get(&owntls_counts, TLSCOUNT_connects) < connects + 2)
    return tell(why, why_bytes, "libsofia-sip-ua does not call our tls_connect()");
  if (count_get(&owntls_counts, TLSCOUNT_done) < done + 2 || status != 200)
    return tell(why, why_bytes, "an OPTIONS to ourselves over TLS ended with %d", status);
  return 0;
}
