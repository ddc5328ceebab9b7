/* SPDX-License-Identifier: Apache-2.0
 * Native relays: see relaybook.h. */
#include "native/relaybook.h"

#include "base/log.h"

#include <stdio.h>

static const struct relay_page *page_find(const struct relay_book *b, const char *name) {
  for (uint32_t i = 0; i < b->n; i++)
    if (strcmp(b->page[i].relay->name, name) == 0)
      return &b->page[i];
  return NULL;
}

static void page_load(struct relay_page *p, const struct conf_relay *r, const struct relay_book *old) {
  const struct relay_page *was = page_find(old, r->name);
  int e = relay_secret_read(&p->secret, r->secret_file);
  p->relay = r;
  if (e < 0 && was)
    p->secret = was->secret;
  if (e < 0)
    log_warn(native, "relay %s: its secret_file cannot be used (%s): %s", r->name, strerror(-e),
             p->secret.n ? "the secret stays as it was loaded" : "it is not handed out");
}

void relay_book_load(struct relay_book *b, const struct conf *c) {
  struct relay_book old = *b;
  b->n = c->n_relays;
  for (uint32_t i = 0; i < b->n; i++)
    page_load(&b->page[i], &c->relays[i], &old);
  explicit_bzero(&old, sizeof(old));
}

void relay_book_done(struct relay_book *b) { explicit_bzero(b, sizeof(*b)); }

static int url_add(json_t *urls, const char *scheme, const struct conf_relay *r, uint32_t port,
                   const char *transport) {
  char url[CONF_NAME_BYTES + 48];
  if (!port)
    return 0;
  snprintf(url, sizeof(url), "%s:%s:%u?transport=%s", scheme, r->host, port, transport);
  return json_array_append_new(urls, json_string(url));
}

static json_t *server_make(const struct relay_page *p, const char *tenant, const char *identity,
                           uint64_t expires_s) {
  struct credential c;
  json_t *urls = json_array();
  if (url_add(urls, "turn", p->relay, p->relay->port, "udp") < 0 ||
      url_add(urls, "turn", p->relay, p->relay->port, "tcp") < 0 ||
      url_add(urls, "turns", p->relay, p->relay->tls_port, "tcp") < 0) {
    json_decref(urls);
    return NULL;
  }
  credential_make(&c, &p->secret, tenant, identity, expires_s);
  json_t *server =
      json_pack("{s:o,s:s,s:s}", "urls", urls, "username", c.username, "credential", c.password);
  explicit_bzero(&c, sizeof(c));
  return server;
}

json_t *relay_book_servers(const struct relay_book *b, const char *tenant, const char *identity,
                           uint64_t expires_s) {
  json_t *servers = json_array();
  for (uint32_t i = 0; i < b->n; i++) {
    if (!b->page[i].secret.n)
      continue;
    if (json_array_append_new(servers, server_make(&b->page[i], tenant, identity, expires_s)) < 0) {
      json_decref(servers);
      return NULL;
    }
  }
  return servers;
}
