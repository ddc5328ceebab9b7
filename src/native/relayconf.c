/* SPDX-License-Identifier: Apache-2.0
 * coturn's configuration for one of our relays, printed (sallyportd --print-relay-config): it reaches
 * our media addresses and nothing else, and knows users only by our time-limited credentials.
 * Written for coturn 4.6 (Debian 12). */
#include "base/text.h"
#include "native/credential.h"
#include "native/native.h"

static const char fixed[] = "fingerprint\n"
                            "use-auth-secret\n"
                            "stale-nonce=600\n"
                            "no-tcp-relay\n"
                            "no-multicast-peers\n"
                            "no-cli\n"
                            "no-dtls\n"
                            "no-tlsv1\n"
                            "no-tlsv1_1\n"
                            "no-rfc5780\n"
                            "no-stun-backward-compatibility\n"
                            "no-software-attribute\n"
                            "no-dynamic-ip-list\n"
                            "no-dynamic-realms\n";

/* addr_line writes "key=ADDRESS". */
static void addr_line(struct text *t, const char *key, const struct addr *a) {
  char text[ADDR_TEXT_BYTES];
  text_add(t, "%s=%s\n", key, addr_ip_text(a, text, sizeof(text)));
}

static const struct addr *shown_of(const struct conf_media_addr *m) {
  return addr_family(&m->advertise) == AF_UNSPEC ? &m->address : &m->advertise;
}

static void peers_write(struct text *t, const struct conf *c) {
  bool loopback = false;
  text_add(t, "\n# Media of this gateway, and no other address\n"
              "denied-peer-ip=0.0.0.0-255.255.255.255\n"
              "denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n");
  for (uint32_t i = 0; i < c->media.n_addresses; i++) {
    const struct conf_media_addr *m = &c->media.addresses[i];
    if (m->side == SIDE_TRUNKS)
      continue;
    addr_line(t, "allowed-peer-ip", shown_of(m));
    loopback = loopback || addr_is_loopback(shown_of(m));
  }
  if (loopback) /* a gateway for this machine only */
    text_add(t, "allow-loopback-peers\n");
}

static void places_write(struct text *t, const struct conf_relay *r) {
  bool nat = addr_family(&r->bind) != AF_UNSPEC;
  char outer[ADDR_TEXT_BYTES], inner[ADDR_TEXT_BYTES];
  const struct addr *local = nat ? &r->bind : &r->address;
  addr_line(t, "listening-ip", local);
  addr_line(t, "relay-ip", local);
  if (nat)
    text_add(t, "external-ip=%s/%s\n", addr_ip_text(&r->address, outer, sizeof(outer)),
             addr_ip_text(&r->bind, inner, sizeof(inner)));
  if (addr_family(&r->address) == AF_INET6) /* browsers do not say which family they want */
    text_add(t, "allocation-default-address-family=ipv6\n");
  text_add(t, "min-port=%u\nmax-port=%u\n", r->port_min, r->port_max);
  if (r->port)
    text_add(t, "listening-port=%u\n", r->port);
  else
    text_add(t, "no-udp\nno-tcp\n");
  if (r->tls_port)
    text_add(t, "tls-listening-port=%u\n", r->tls_port);
  else
    text_add(t, "no-tls\n");
}

int native_relay_config(char *dst, size_t dst_bytes, const struct conf *c, const struct conf_relay *r) {
  struct relay_secret secret;
  struct text t;
  size_t n;
  int e = relay_secret_read(&secret, r->secret_file);
  if (e < 0)
    return e;
  text_init(&t, dst, dst_bytes);
  text_add(&t,
           "# Relay \"%s\", printed by sallyportd --print-relay-config. It holds a secret: mode 0600.\n",
           r->name);
  places_write(&t, r);
  if (r->tls_port)
    text_add(&t, "cert=%s\npkey=%s\n", r->certificate[0] ? r->certificate : c->service.certificate,
             r->key[0] ? r->key : c->service.key);
  text_add(&t, "realm=%s\n%s", r->host, fixed);
  for (uint32_t i = 0; i < secret.n; i++)
    text_add(&t, "static-auth-secret=%s\n", secret.text[i]);
  text_add(&t, "user-quota=%u\ntotal-quota=%u\nmax-bps=%u\n", r->allocations_per_user, r->allocations,
           r->bytes_per_s);
  peers_write(&t, c);
  explicit_bzero(&secret, sizeof(secret));
  return text_end(&t, &n);
}
