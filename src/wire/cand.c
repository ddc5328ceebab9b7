/* SPDX-License-Identifier: Apache-2.0
 * ICE candidates as text: see cand.h. */
#include "wire/cand.h"

#include "wire/line.h"

static const char *const type_names[] = {
    [CAND_HOST] = "host", [CAND_SRFLX] = "srflx", [CAND_PRFLX] = "prflx", [CAND_RELAY] = "relay"};

static const char *cand_type_name(enum cand_type type) {
  return type_names[type <= CAND_RELAY ? type : CAND_HOST];
}

static bool is_ice_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
         c == '/';
}

/* ICE's own alphabet, and what browsers and mobile stacks add to it in foundations. */
static bool is_foundation(struct slice s) {
  if (s.n == 0 || s.n > 32)
    return false;
  for (size_t i = 0; i < s.n; i++)
    if (!is_ice_char(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.' && s.p[i] != ':')
      return false;
  return true;
}

static int type_parse(struct desc_candidate *c, struct slice word) {
  for (uint8_t t = 0; t < COUNT_OF(type_names); t++)
    if (slice_ieq(word, slice_of(type_names[t]))) {
      c->type = t;
      return 0;
    }
  return line_is_token(word, 32) ? 1 : -EBADMSG;
}

/* A literal, or a name such as an mDNS one, which is remembered only as being one. */
static int host_parse(struct desc_candidate *c, struct slice host, uint16_t port) {
  if (addr_parse(&c->address, host, port) == 0)
    return 0;
  memset(&c->address, 0, sizeof(c->address));
  c->is_name = true;
  return line_is_token(host, 255) ? 0 : -EBADMSG;
}

static int related_parse(struct desc_candidate *c, struct slice rest) {
  struct slice raddr = {NULL, 0};
  uint64_t rport = 0;
  for (;;) {
    struct slice name = line_word(&rest), value = line_word(&rest);
    if (name.n == 0)
      break;
    if (value.n == 0)
      return -EBADMSG;
    if (slice_ieq(name, SLICE("raddr")))
      raddr = value;
    else if (slice_ieq(name, SLICE("rport")) && slice_u64(value, 65535, &rport) < 0)
      return -EBADMSG;
  }
  if (raddr.n && addr_parse(&c->related, raddr, (uint16_t)rport) < 0)
    memset(&c->related, 0, sizeof(c->related));
  return 0;
}

static int fields_parse(struct desc_candidate *c, struct slice s) {
  uint64_t component, priority, port;
  struct slice foundation = line_word(&s), comp = line_word(&s), transport = line_word(&s);
  struct slice prio = line_word(&s), host = line_word(&s), port_text = line_word(&s);
  struct slice typ = line_word(&s), type = line_word(&s);
  if (!is_foundation(foundation) || slice_u64(comp, 256, &component) < 0 ||
      !line_is_token(transport, 16) || slice_u64(prio, UINT32_MAX, &priority) < 0 ||
      slice_u64(port_text, 65535, &port) < 0 || !slice_ieq(typ, SLICE("typ")))
    return -EBADMSG;
  slice_copy(c->foundation, sizeof(c->foundation), foundation);
  c->component = (uint8_t)component;
  c->is_udp = slice_ieq(transport, SLICE("udp"));
  c->priority = (uint32_t)priority;
  if (host_parse(c, host, (uint16_t)port) < 0)
    return -EBADMSG;
  int r = type_parse(c, type);
  if (r != 0)
    return r;
  if (component == 0 || component > 255)
    return 1;
  return related_parse(c, s);
}

int cand_parse(struct desc_candidate *ret, struct slice value) {
  memset(ret, 0, sizeof(*ret));
  int r = fields_parse(ret, value);
  if (r != 0)
    memset(ret, 0, sizeof(*ret));
  return r;
}

bool cand_write(struct text *t, const struct desc_candidate *c) {
  char ip[ADDR_TEXT_BYTES];
  if (!c->is_udp || c->is_name || addr_family(&c->address) == AF_UNSPEC)
    return false;
  text_add_field(t, c->foundation);
  text_add(t, " %u udp %u %s %u typ %s", c->component, c->priority,
           addr_ip_text(&c->address, ip, sizeof(ip)), addr_port(&c->address),
           cand_type_name((enum cand_type)c->type));
  if (addr_family(&c->related) != AF_UNSPEC)
    text_add(t, " raddr %s rport %u", addr_ip_text(&c->related, ip, sizeof(ip)), addr_port(&c->related));
  return true;
}
