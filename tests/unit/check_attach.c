/* SPDX-License-Identifier: Apache-2.0
 * Settings of how trunks attach: credentials, register, digest. */
#include "conf/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct conf_errors errors;

#define HEAD \
  "media: {addresses: [{address: 127.0.0.1}]}\n" \
  "service: {listen: \"127.0.0.1:8443\", edge: localhost, certificate: c.pem, key: c.key, token_key: " \
  "t}\n" \
  "admin: {listen: \"127.0.0.1:8081\", token_file: a}\nrecords: {file: r.db}\ndialplan: p.yaml\n" \
  "listeners:\n  - {name: lab, transport: udp, address: \"127.0.0.1:5070\"}\n" \
  "trunks:\n  - name: one\n    listener: lab\n    peers: [127.0.0.2]\n"

static struct conf *parse(const char *more) {
  struct conf *c = NULL;
  char text[4096];
  snprintf(text, sizeof text, "%s%s", HEAD, more);
  if (conf_parse(&c, "s.yaml", slice_of(text), &errors) < 0)
    return NULL;
  return c;
}

Test(attach, all_of_it) {
  own(conf) c =
      parse("    credentials: {username: u, password_file: pw, realm: r.test}\n"
            "    register: {registrars: [\"sip:127.0.0.2:5060\", \"sip:reg.test;transport=udp\"],\n"
            "      aor: \"sip:+1555@r.test\", contact_user: line7}\n");
  cr_assert(c, "%s", errors.list[0].text);
  const struct conf_attach *a = &c->trunks[0].attach;
  cr_assert_str_eq(a->credentials.username, "u");
  cr_assert_str_eq(a->credentials.password_file, "pw");
  cr_assert_str_eq(a->credentials.realm, "r.test");
  cr_assert_eq(a->registration.registrars.n, 2);
  cr_assert_str_eq(a->registration.contact_user, "line7");
  cr_assert_eq(a->registration.expires_s, 3600);
  cr_assert_eq(a->auth, AUTH_NONE);
}

Test(attach, none_of_it) {
  own(conf) c = parse("");
  cr_assert(c, "%s", errors.list[0].text);
  cr_assert_eq(c->trunks[0].attach.registration.registrars.n, 0);
  cr_assert_str_eq(c->trunks[0].attach.credentials.username, "");
}

Test(attach, registrar_of_a_peer_that_registers) {
  own(conf) c = parse("    auth: digest\n    digest: {users_file: users}\n    accept_register: true\n");
  cr_assert(c, "%s", errors.list[0].text);
  cr_assert(c->trunks[0].attach.accept_register && c->trunks[0].attach.auth == AUTH_DIGEST);
  cr_assert_eq(c->trunks[0].attach.digest.algorithms.n, 2);
  cr_assert_str_eq(c->trunks[0].attach.digest.algorithms.text[0], "SHA-256");
}

Test(attach, what_does_not_fit_is_told_by_field_and_rule) {
  static const struct {
    const char *more, *text;
  } rows[] = {
      {"    credentials: {username: u, realm: r}\n", "trunks[one].credentials.password_file"},
      {"    credentials: {username: u, password_file: p}\n", "trunks[one].credentials.realm"},
      {"    credentials: u\n", "trunks[one].credentials: expected a map"},
      {"    register: {registrars: [\"sip:h;transport=tls\"], aor: \"sip:a@b\"}\n",
       "trunks[one].register.registrars: expected sip:HOST"},
      {"    register: {registrars: [\"sips:h\"], aor: \"sip:a@b\"}\n",
       "trunks[one].register.registrars: expected sip:HOST"},
      {"    register: {registrars: [\"sip:h?x=y\"], aor: \"sip:a@b\"}\n",
       "trunks[one].register.registrars: expected sip:HOST"},
      {"    register: {registrars: [\"sip:h\"], aor: \"sip:b\"}\n", "trunks[one].register.aor"},
      {"    register: {registrars: [\"sip:h\"], aor: \"sip:a>b@c\"}\n", "trunks[one].register.aor"},
      {"    register: {registrars: [\"sip:h\"], aor: \"sip:a@c\", bnc: true, contact_user: x}\n",
       "trunks[one].register.contact_user: expected none"},
      {"    register: {registrars: [\"sip:h\"], aor: \"sip:a@c\", expires_s: 5}\n",
       "trunks[one].register.expires_s: expected a whole number 60-86400"},
      {"    auth: digest\n", "trunks[one].digest.users_file: is missing"},
      {"    accept_register: true\n", "trunks[one].auth: expected digest"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    own(conf) c = parse(rows[i].more);
    cr_assert(!c, "row %zu", i);
    cr_assert(strstr(errors.list[0].text, rows[i].text), "row %zu: %s", i, errors.list[0].text);
    cr_assert_gt(errors.list[0].line, 0, "row %zu", i);
  }
}
