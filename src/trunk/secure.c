/* SPDX-License-Identifier: Apache-2.0
 * The transport below nta as the door uses it: a profile for each TLS listener, and admission of
 * sources before a byte is parsed. Call thread. */
#include "stir/stir.h"
#include "trunk/inner.h"
#include "trunk/tls.h"

#include <stdio.h>

static bool is_running;

static bool is_of(const struct agent *a, const struct addr *local, bool is_udp) {
  const struct conf *c = a->t->env.conf;
  for (uint32_t i = 0; i < c->n_listeners; i++) {
    const struct addr *own = &c->listeners[i].address;
    if (!strcmp(c->listeners[i].name, a->listener))
      return (a->transport == TRANSPORT_UDP) == is_udp && a->port == addr_port(local) &&
             (addr_eq_ip(own, local) || addr_is_any(own));
  }
  return false;
}

/* Known on that very listener: on one of TLS anybody may be, until his certificate speaks. */
static bool admits(const struct trunks *t, const struct addr *local, const struct addr *from,
                   bool is_udp) {
  if (guard_is_banned(t->env.guard, from, loop_now_us(t->env.loop)))
    return false;
  for (uint32_t i = 0; i < t->n_agents; i++)
    if (is_of(&t->agents[i], local, is_udp) &&
        guard_knows_source(t->env.guard, t->agents[i].listener, from))
      return true;
  return false;
}

static bool admits_datagram(void *arg, const struct addr *local, const struct addr *from) {
  return admits(arg, local, from, true);
}

static bool admits_connection(void *arg, const struct addr *local, const struct addr *from) {
  return admits(arg, local, from, false);
}

static void datagram_waited(void *arg, int64_t us) {
  struct trunks *t = arg;
  shed_waited(&t->shed, us, loop_now_us(t->env.loop));
}

int secure_start(struct trunks *t, bool has_tls, char *why, size_t why_bytes) {
  struct hook_admission a = {
      .arg = t,
      .datagram = admits_datagram,
      .waited = datagram_waited,
      .accept = admits_connection,
      .message = timeline_message};
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

/* The listener's certificate, then those of its trunks. */
static struct profile_settings settings_of(const struct conf *conf, const struct conf_listener *l) {
  struct profile_settings s = {
      .cert = {{l->certificate, l->key}},
      .certs = 1,
      .ca_file = *l->ca ? l->ca : NULL,
      .mtls = l->mtls,
      .handshake_ms = l->handshake_deadline_ms,
  };
  for (uint32_t i = 0; i < conf->n_trunks && s.certs < PROFILE_CERTS; i++)
    if (*conf->trunks[i].certificate && !strcmp(conf->trunks[i].listener, l->name))
      s.cert[s.certs++] = (struct profile_cert){conf->trunks[i].certificate, conf->trunks[i].key};
  return s;
}

bool secure_same(const struct conf *a, const struct conf_listener *la, const struct conf *b,
                 const struct conf_listener *lb) {
  struct profile_settings x = settings_of(a, la), y = settings_of(b, lb);
  bool same = x.certs == y.certs && x.mtls == y.mtls && x.handshake_ms == y.handshake_ms &&
              strcmp(x.ca_file ? x.ca_file : "", y.ca_file ? y.ca_file : "") == 0;
  for (size_t i = 0; same && i < x.certs; i++)
    same = strcmp(x.cert[i].chain_file, y.cert[i].chain_file) == 0 &&
           strcmp(x.cert[i].key_file, y.cert[i].key_file) == 0;
  return same;
}

int trunks_check(const struct conf *conf, char *why, size_t why_bytes) {
  char reason[200];
  for (uint32_t i = 0; i < conf->n_listeners; i++) {
    const struct conf_listener *l = &conf->listeners[i];
    struct profile_settings s = settings_of(conf, l);
    if (l->transport == TRANSPORT_TLS && profile_check(&s, reason, sizeof(reason)) < 0) {
      snprintf(why, why_bytes, "listeners[%s]: %s", l->name, reason);
      return -EINVAL;
    }
  }
  return stir_check(conf, why, why_bytes);
}

int secure_listener(const struct conf *conf, const struct conf_listener *l, bool is_reload, char *why,
                    size_t why_bytes) {
  struct profile_settings s = settings_of(conf, l);
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
