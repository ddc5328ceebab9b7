/* SPDX-License-Identifier: Apache-2.0
 * Our registration with a carrier, over a real UDP socket in virtual time. The peer is the first of two
 * registrars; nobody listens at the second. */
#include "trunk/digest.h"
#include "trunkfake.h"

#include "trunk/registrar.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>

static char text[20000], request[20000], file[64];
static bool has_bnc, has_second;

static void shape(struct conf *c) {
  struct conf_attach *a = &c->trunks[0].attach;
  snprintf(file, sizeof file, "/tmp/sp-register-%d", getpid());
  FILE *f = fopen(file, "w");
  cr_assert(f && fputs("sesame\n", f) >= 0 && fclose(f) == 0 && chmod(file, 0600) == 0);
  strcpy(a->credentials.username, "us");
  strcpy(a->credentials.realm, "far.test");
  strcpy(a->credentials.password_file, file);
  a->registration.registrars.n = has_second ? 2 : 1;
  snprintf(a->registration.registrars.text[0], CONF_NAME_BYTES, "sip:127.0.0.1:%u", rig_peer_port);
  snprintf(a->registration.registrars.text[1], CONF_NAME_BYTES, "sip:127.0.0.1:%u;transport=udp",
           rig_peer_port);
  strcpy(a->registration.aor, "sip:+15550100@far.test");
  if (!has_bnc)
    strcpy(a->registration.contact_user, "line7");
  a->registration.expires_s = 600;
  a->registration.bnc = has_bnc;
}

static void start(void) {
  rig_shape = shape;
  rig_start();
  unlink(file);
}

TestSuite(registering, .init = start, .fini = rig_stop, .timeout = 30);

TestSuite(registering_otherwise, .fini = rig_stop, .timeout = 30);

static const char *hear(unsigned ms) {
  const char *m = NULL;
  for (unsigned i = 0; i <= ms && !(m = rig_hear_method("REGISTER")); i += 100)
    rig_run(100);
  if (m)
    snprintf(request, sizeof request, "%s", m);
  return m ? request : NULL;
}

static void respond(int status, const char *extra) {
  snprintf(text, sizeof text,
           "SIP/2.0 %d Reason\nVia: %s\nFrom: %s\nTo: %s;tag=reg\nCall-ID: %s\nCSeq: %s\n%s\n", status,
           rig_header(request, "Via"), rig_header(request, "From"), rig_header(request, "To"),
           rig_header(request, "Call-ID"), rig_header(request, "CSeq"), extra);
  rig_say(text);
}

static unsigned cseq(void) { return (unsigned)atoi(rig_header(request, "CSeq")); }

static char *contact(unsigned expires) {
  static char line[300];
  snprintf(line, sizeof line,
           "Contact: <sip:other@192.0.2.1>;expires=7, <sip:line7@GW.example.test:%u>;expires=%u\n",
           rig_port, expires);
  return line;
}

Test(registering, request_and_renewal) {
  char id[200], want[200];
  cr_assert(hear(2100));
  cr_assert(!strncmp(request, "REGISTER sip:far.test SIP/2.0", 29), "%.80s", request);
  cr_assert(strstr(rig_header(request, "From"), "<sip:+15550100@far.test>;tag="));
  cr_assert_str_eq(rig_header(request, "To"), "<sip:+15550100@far.test>");
  snprintf(want, sizeof want, "<sip:line7@gw.example.test:%u>", rig_port);
  cr_assert_str_eq(rig_header(request, "Contact"), want);
  cr_assert_str_eq(rig_header(request, "Expires"), "600");
  cr_assert_str_eq(rig_header(request, "Require"), "");
  unsigned first = cseq();
  snprintf(id, sizeof id, "%s", rig_header(request, "Call-ID"));
  respond(200, contact(100));
  rig_run(49000);
  cr_assert_null(rig_hear());
  cr_assert(hear(42000), "at half to nine tenths of 100 s");
  cr_assert_eq(cseq(), first + 1);
  cr_assert_str_eq(rig_header(request, "Call-ID"), id);
}

Test(registering, a_challenge_is_answered) {
  struct digest_credentials k;
  char ha1[DIGEST_HEX_BYTES];
  hear(2100);
  unsigned first = cseq();
  respond(401,
          "WWW-Authenticate: Digest realm=\"far.test\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256\n");
  cr_assert(hear(0));
  cr_assert_eq(cseq(), first + 1);
  cr_assert_eq(digest_credentials_read(&k, slice_of(rig_header(request, "Authorization"))), 0);
  cr_assert_str_eq(k.uri, "sip:far.test");
  digest_ha1(k.algorithm, "us", "far.test", "sesame", ha1);
  cr_assert(digest_is_right(&k, ha1, "REGISTER"));
  respond(200, contact(600));
  rig_run(290000);
  cr_assert_null(rig_hear());
}

Test(registering, wrong_credentials_wait) {
  hear(2100);
  respond(401, "WWW-Authenticate: Digest realm=\"far.test\", nonce=\"n\"\n");
  cr_assert(hear(0));
  respond(401, "WWW-Authenticate: Digest realm=\"far.test\", nonce=\"m\"\n");
  rig_run(14000);
  cr_assert_null(rig_hear(), "no storm");
  cr_assert(hear(17000), "15 to 30 s");
}

Test(registering, min_expires) {
  hear(2100);
  respond(423, "Min-Expires: 1800\n");
  cr_assert(hear(100));
  cr_assert_str_eq(rig_header(request, "Expires"), "1800");
}

Test(registering, a_silent_registrar_is_waited_for_and_asked_again) {
  hear(2100);
  unsigned first = cseq(), n = 0;
  for (unsigned s = 0; s < 42; s++) {
    rig_run(1000);
    for (const char *m; (m = rig_hear_method("REGISTER"));) {
      snprintf(request, sizeof request, "%s", m);
      n++;
    }
  }
  cr_assert_eq(cseq(), first + 1, "%u, repeated %u times", cseq() - first, n);
}

Test(registering_otherwise, bulk_numbers) {
  char want[200];
  has_bnc = true;
  start();
  cr_assert(hear(2100));
  snprintf(want, sizeof want, "<sip:gw.example.test:%u;bnc>", rig_port);
  cr_assert_str_eq(rig_header(request, "Contact"), want);
  cr_assert_str_eq(rig_header(request, "Require"), "gin");
  cr_assert_str_eq(rig_header(request, "Proxy-Require"), "gin");
  cr_assert_str_eq(rig_header(request, "Supported"), "path");
}

Test(registering_otherwise, the_second_registrar_at_once) {
  has_second = true;
  start();
  cr_assert(hear(2100));
  respond(503, "Retry-After: 100\n");
  cr_assert(hear(200), "at the other one");
  respond(200, contact(600));
  rig_run(115000);
  cr_assert_null(rig_hear());
  cr_assert(hear(6000), "the first is asked whether it is well");
  cr_assert_str_eq(rig_header(request, "Expires"), "600");
  respond(503, "");
  cr_assert(hear(121000));
  respond(200, contact(600));
  rig_run(200000);
  cr_assert_null(rig_hear(), "it has it again");
}

Test(bindings, stand_by_q_and_the_newest_of_a_q_first) {
  static const struct {
    const char *uri;
    uint16_t q;
  } put[] = {{"sip:a@x", 500}, {"sip:b@x", 1000}, {"sip:c@x", 500}, {"sip:d@x", 0}, {"sip:e@x", 700}};
  static struct registry reg;
  char order[64] = "";
  for (uint32_t i = 0; i < COUNT_OF(put); i++) {
    struct binding_ask ask = {.uri = put[i].uri, .host = "x", .call_id = "c", .path = "",
                              .cseq = i + 1, .expires_s = 60, .q = put[i].q};
    struct verdict v = registry_put(&reg, &ask, 0);
    cr_assert(verdict_is_pass(&v));
  }
  for (uint32_t i = 0; i < reg.n; i++)
    strncat(order, reg.list[i].uri + 4, 1);
  cr_assert_str_eq(order, "becad");
  cr_assert_neq(reg.list[0].key, reg.list[1].key);
}

Test(registering, is_taken_back_at_the_end) {
  hear(2100);
  respond(200, contact(600));
  trunks_drain(rig_trunks);
  rig_settle();
  cr_assert(hear(0));
  cr_assert_str_eq(rig_header(request, "Expires"), "0");
  cr_assert_not(trunks_is_idle(rig_trunks));
  respond(200, "");
  cr_assert(trunks_is_idle(rig_trunks));
  rig_leap(1000000);
  cr_assert_null(rig_hear());
}

Test(registering, is_taken_back_when_the_trunk_is_disabled) {
  static struct conf next;
  char why[200];
  hear(2100);
  respond(200, contact(600));
  next = rig_conf;
  cr_assert_eq(trunks_reload(rig_trunks, &next, why, sizeof why), 0);
  rig_settle();
  cr_assert_null(rig_hear(), "a reload that changes nothing of it leaves it alone");
  rig_conf.trunks[0].enabled = false;
  cr_assert_eq(trunks_reload(rig_trunks, &rig_conf, why, sizeof why), 0);
  rig_settle();
  cr_assert(hear(0));
  cr_assert_str_eq(rig_header(request, "Expires"), "0");
}

Test(registering, calls_go_by_the_service_route) {
  char want[200], line[700];
  hear(2100);
  snprintf(line, sizeof line, "%sService-Route: <sip:127.0.0.1:%u;lr;edge=1>, <sip:core.far.test;lr>\n",
           contact(600), rig_peer_port);
  respond(200, line);
  cr_assert_eq(fake.door->rank(fake.door_arg, &rig_conf.trunks[0]), 0);
  cr_assert(rig_ring("+442012345"));
  const char *m = rig_hear_method("INVITE");
  cr_assert(m);
  snprintf(want, sizeof want, "<sip:127.0.0.1:%u;lr;edge=1>", rig_peer_port);
  cr_assert_str_eq(rig_header(m, "Route"), want);
  cr_assert_lt((void *)strstr(m, want), (void *)strstr(m, "Route: <sip:core.far.test;lr>"));
}

/* A stranger on the way is no way. */
Test(registering, a_service_route_past_a_stranger_is_not_used) {
  hear(2100);
  fake.chain = (struct verdict){.refusal = REFUSE_PROXY};
  char line[700];
  snprintf(line, sizeof line, "%sService-Route: <sip:192.0.2.9;lr>\n", contact(600));
  respond(200, line);
  cr_assert(rig_ring("+442012345"));
  const char *m = rig_hear_method("INVITE");
  cr_assert(m);
  cr_assert_str_eq(rig_header(m, "Route"), "");
}

Test(registering, without_a_target_calls_wait_for_the_registration) {
  rig_conf.trunks[0].target[0] = 0;
  cr_assert_null(rig_ring("+442012345"));
  cr_assert_lt(fake.door->rank(fake.door_arg, &rig_conf.trunks[0]), 0);
  hear(2100);
  respond(200, contact(600));
  cr_assert_eq(fake.door->rank(fake.door_arg, &rig_conf.trunks[0]), 0);
  cr_assert(rig_ring("+442012345"));
  const char *m = rig_hear_method("INVITE");
  cr_assert(m && !strncmp(m, "INVITE sip:+442012345@far.test", 30), "%.60s", m);
}
