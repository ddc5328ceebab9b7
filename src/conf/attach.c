/* SPDX-License-Identifier: Apache-2.0
 * How trunks attach: credentials for their challenges, our registration, challenges of ours. Read after
 * the trunks themselves, then checked across fields. Pure. */
#include "conf/host.h"
#include "conf/part.h"

#include <stdio.h>

static void part_read(struct conf_trunk *t, const struct field_reader *r, const struct tree_node *map,
                      const char *key, uint8_t section) {
  char path[CONF_NAME_BYTES + 32];
  const struct tree_node *part = tree_find(map, key);
  snprintf(path, sizeof(path), "trunks[%s].%s", t->name, key);
  if (part && part->kind != TREE_MAP)
    conf_error_add(r->errors, r->file, part->line, "%s: expected a map", path);
  else if (part)
    field_map_read(r, conf_fields, conf_fields_n, section, part, path, part->line, t);
}

/* A tenant answers and asks as its base does, where it does not say otherwise; it never registers. */
static void base_take(const struct conf *c, struct conf_trunk *t) {
  const struct conf_trunk *base = t->base[0] ? conf_trunk_find(c, slice_of(t->base)) : NULL;
  if (!base)
    return;
  if (!t->attach.credentials.username[0])
    t->attach.credentials = base->attach.credentials;
  if (!t->attach.digest.users_file[0])
    t->attach.digest = base->attach.digest;
}

void conf_attach_read(struct conf *c, const struct field_reader *r, const struct tree_node *trunks) {
  const struct tree_node *item = trunks && c->n_trunks ? trunks->child : NULL;
  for (uint32_t i = 0; i < c->n_trunks && item; i++, item = item->next) {
    if (item->kind != TREE_MAP)
      continue; /* told already */
    part_read(&c->trunks[i], r, item, "credentials", SECTION_TRUNK_CREDENTIALS);
    part_read(&c->trunks[i], r, item, "register", SECTION_TRUNK_REGISTER);
    part_read(&c->trunks[i], r, item, "digest", SECTION_TRUNK_DIGEST);
  }
  for (uint32_t i = 0; i < c->n_trunks; i++)
    base_take(c, &c->trunks[i]);
}

struct checker {
  const struct conf *c;
  struct conf_errors *errors;
};

#define FAIL(k, t, text, ...) \
  conf_error_add((k)->errors, (k)->c->file, (t)->line, "trunks[%s]." text, (t)->name, __VA_ARGS__)

/* sip:HOST[:PORT][;transport=…], and no transport but the listener's */
static bool is_registrar(struct slice s, uint8_t transport) {
  static const char *const words[] = {"transport=udp", "transport=tcp", "transport=tls"};
  struct slice host, rest;
  struct addr ip;
  uint16_t port;
  if (!slice_istarts(s, SLICE("sip:")))
    return false;
  rest = slice_from(s.p + 4, s.n - 4);
  struct slice host_port = slice_cut(&rest, ';');
  for (size_t i = 0; i < host_port.n; i++)
    if (strchr(" <>\"@,?", host_port.p[i]))
      return false;
  if (host_split(host_port, &host, &port, &ip) < 0)
    return false;
  return !rest.p || slice_ieq(rest, slice_of(words[transport]));
}

/* sip:USER@DOMAIN without anything that a header would need to quote */
static bool is_aor(struct slice s) {
  struct slice host;
  struct addr ip;
  uint16_t port;
  if (!slice_istarts(s, SLICE("sip:")))
    return false;
  struct slice rest = slice_from(s.p + 4, s.n - 4), user = slice_cut(&rest, '@');
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("<>\",;?", s.p[i]))
      return false;
  return user.n && rest.n && host_split(rest, &host, &port, &ip) == 0;
}

static void register_check(struct checker *k, const struct conf_trunk *t) {
  const struct conf_listener *l = conf_listener_find(k->c, slice_of(t->listener));
  const struct conf_attach *a = &t->attach;
  if (!a->registration.registrars.n)
    return;
  for (uint32_t i = 0; l && i < a->registration.registrars.n; i++)
    if (!is_registrar(slice_of(a->registration.registrars.text[i]), l->transport))
      FAIL(k, t,
           "register.registrars: expected sip:HOST[:PORT][;transport=T] with the listener's transport, "
           "got \"%s\"",
           a->registration.registrars.text[i]);
  if (a->registration.aor[0] && !is_aor(slice_of(a->registration.aor)))
    FAIL(k, t, "register.aor: expected sip:USER@DOMAIN, got \"%s\"", a->registration.aor);
  if (a->registration.bnc && a->registration.contact_user[0])
    FAIL(k, t, "register.contact_user: expected none, as bnc stands for all numbers, got \"%s\"",
         a->registration.contact_user);
  if (a->accept_register)
    FAIL(k, t, "accept_register: expected false, as we register with %s ourselves", t->name);
}

static void digest_check(struct checker *k, const struct conf_trunk *t) {
  const struct conf_attach *a = &t->attach;
  if (a->auth == AUTH_DIGEST && !a->digest.users_file[0])
    FAIL(k, t, "digest.users_file: is missing: expected a file, as auth of %s is digest", t->name);
  if (a->accept_register && a->auth != AUTH_DIGEST)
    FAIL(k, t, "auth: expected digest, as %s registers with us", t->name);
}

#undef FAIL

void conf_attach_check(const struct conf *c, struct conf_errors *errors) {
  struct checker k = {c, errors};
  for (uint32_t i = 0; i < c->n_trunks; i++) {
    register_check(&k, &c->trunks[i]);
    digest_check(&k, &c->trunks[i]);
  }
}
