/* SPDX-License-Identifier: Apache-2.0
 * The transport below nta as the door uses it: a profile for each TLS listener, and admission of
 * sources before a byte is parsed. Call thread. */
#include "trunk/inner.h"
#include "trunk/tls.h"

#include <stdio.h>

static bool is_running;

/* Known on any listener is enough here; which listener it may use is asked again after the parse. */
static bool admits(void *arg, const struct addr *from) {
  const struct trunks *t = arg;
  for (uint32_t i = 0; i < t->n_agents; i++)
    if (guard_knows_source(t->env.guard, t->agents[i].listener, from))
      return true;
  return false;
}

int secure_start(struct trunks *t, bool has_tls, char *why, size_t why_bytes) {
  struct hook_admission a = {.arg = t, .datagram = admits, .accept = admits};
  int e = owntls_start(0);
  if (e < 0) {
    snprintf(why, why_bytes, "SIP transport: %s", strerror(-e));
    return e;
  }
  is_running = true;
  if (has_tls && (e = owntls_self_test(why, why_bytes)) < 0)
    return e;
  hooks_set(&a);
  return 0;
}

int secure_listener(const struct conf_listener *l, bool is_reload, char *why, size_t why_bytes) {
  struct profile_settings s = {
      .cert = {{l->certificate, l->key}},
      .certs = 1,
      .ca_file = *l->ca ? l->ca : NULL,
      .mtls = l->mtls,
      .handshake_ms = l->handshake_deadline_ms,
  };
  return is_reload ? profile_reload(l->name, &s, why, why_bytes)
                   : profile_add(l->name, &s, why, why_bytes);
}

void secure_stop(void) {
  if (!is_running)
    return;
  hooks_set(NULL);
  owntls_stop();
  profile_clear();
  is_running = false;
}
