/* SPDX-License-Identifier: Apache-2.0
 * The native relays that apps are told of, with their secrets: what POST relay-credentials answers, and
 * coturn's configuration. Call thread. */
#pragma once
#include "conf/conf.h"
#include "native/credential.h"
#include "web/web.h"

struct relay_book {
  uint32_t n;
  struct relay_page {
    const struct conf_relay *relay; /* borrowed of the configuration. */
    struct relay_secret secret;     /* n 0: could not be read; the relay is not handed out. */
  } page[CONF_RELAYS_MAX];
};

/* Takes the relays of the configuration in. A secret that cannot be read (any longer) stays as it was
 * for the relay of that name; else it is logged and that relay left out. */
void relay_book_load(struct relay_book *b, const struct conf *c);
void relay_book_done(struct relay_book *b); /* wipes the secrets */
/* "iceServers" for an identity, [] without relays; NULL: out of memory. A new reference. */
json_t *relay_book_servers(const struct relay_book *b, const char *tenant, const char *identity,
                           uint64_t expires_s);
