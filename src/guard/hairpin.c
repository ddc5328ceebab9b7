/* SPDX-License-Identifier: Apache-2.0
 * Calls that come back: our own address among the Vias (loop), and our own outgoing call returning
 * through a trunk's B2BUA (hairpin, S21), seen by its Session-ID or by caller, called and trunk within
 * 10 s. A caller whom the trunk's own side transfers to a second user matches neither. */
#include "guard/part.h"

#include <stdio.h>

enum { PAIR_WINDOW_US = 10 * 1000 * 1000, DIGITS_COMPARED = 9, PAIR_BYTES = 160 };

/* ---- loop ---- */

static bool is_own(const struct conf_listener *l, const struct conf_trunk *t, struct slice text) {
  struct slice host, own_host;
  struct addr ip, own_ip;
  uint16_t port, own_port, listen_port = addr_port(&l->address),
                           standard = l->transport == TRANSPORT_TLS ? 5061 : 5060;
  if (host_split(text, &host, &port, &ip) < 0)
    return false;
  port = port ? port : standard;
  if (addr_family(&ip) != AF_UNSPEC && addr_eq_ip(&ip, &l->address) && port == listen_port)
    return true;
  if (t->fqdn[0] && slice_ieq(host, slice_of(t->fqdn)) && port == listen_port)
    return true;
  if (!l->advertise[0] || host_split(slice_of(l->advertise), &own_host, &own_port, &own_ip) < 0)
    return false;
  return slice_ieq(host, own_host) && port == (own_port ? own_port : listen_port);
}

struct verdict loop_check(const struct guard *g, const struct ask *ask) {
  const struct conf_listener *l = conf_listener_find(g->conf, slice_of(ask->trunk->listener));
  for (uint32_t i = 0; l && i < ask->vias.n && i < ASK_HOSTS_MAX; i++)
    if (is_own(l, ask->trunk, slice_of(ask->vias.host[i])))
      return verdict_refuse(REFUSE_LOOP, "Via %u is this gateway itself", i + 1);
  return verdict_pass();
}

/* ---- hairpin ---- */

/* The last digits, so that +1 555 …, 1555… and 0011555… compare as one number; user parts that are no
 * numbers compare whole. */
static struct slice number_tail(const char *number) {
  struct slice s = slice_of(number);
  size_t digits = 0;
  while (digits < s.n && s.p[s.n - 1 - digits] >= '0' && s.p[s.n - 1 - digits] <= '9')
    digits++;
  if (digits >= DIGITS_COMPARED)
    return slice_from(s.p + s.n - DIGITS_COMPARED, DIGITS_COMPARED);
  return s;
}

static struct slice pair_key(char *buf, const char *trunk, const char *caller, const char *called) {
  struct slice a = number_tail(caller), b = number_tail(called);
  int n = snprintf(buf, PAIR_BYTES, "%s\n%.*s\n%.*s", trunk, SLICE_ARG(a), SLICE_ARG(b));
  return slice_from(buf, n > 0 && n < PAIR_BYTES ? (size_t)n : PAIR_BYTES - 1);
}

static void note_drop(struct guard *g, struct note *n) {
  char buf[PAIR_BYTES];
  struct slice key = pair_key(buf, n->trunk, n->caller, n->called);
  if (!n->used)
    return;
  if (map_get(g->by_pair, key) == n)
    map_del(g->by_pair, key);
  if (n->session_id[0] && map_get(g->by_session, slice_of(n->session_id)) == n)
    map_del(g->by_session, slice_of(n->session_id));
  memset(n, 0, sizeof(*n));
}

static void note_index(struct map *m, struct slice key, struct note *n) {
  map_del(m, key);
  if (map_put(m, key, n) < 0)
    return; /* without memory a hairpin may pass: the call limits still end it */
}

static bool is_session_id(struct slice s) {
  bool has_other = false;
  for (size_t i = 0; i < s.n; i++)
    has_other = has_other || s.p[i] != '0';
  return s.n == 32 && has_other; /* the nil UUID names no call */
}

void guard_note_out(struct guard *g, const struct conf_trunk *trunk, struct slice caller,
                    struct slice called, struct slice session_id, uint64_t now_us) {
  char buf[PAIR_BYTES];
  struct note *n = &g->notes[g->next_note++ % GUARD_NOTES_MAX];
  note_drop(g, n);
  n->used = true;
  n->at_us = now_us;
  slice_copy(n->trunk, sizeof(n->trunk), slice_of(trunk->name));
  slice_copy(n->caller, sizeof(n->caller), caller);
  slice_copy(n->called, sizeof(n->called), called);
  if (n->caller[0] && n->called[0])
    note_index(g->by_pair, pair_key(buf, n->trunk, n->caller, n->called), n);
  if (is_session_id(session_id) && slice_copy(n->session_id, sizeof(n->session_id), session_id) == 0)
    note_index(g->by_session, slice_of(n->session_id), n);
}

void guard_forget_out(struct guard *g, struct slice session_id) {
  struct note *n = map_get(g->by_session, session_id);
  if (!n)
    return;
  map_del(g->by_session, session_id);
  n->session_id[0] = 0;
}

struct verdict hairpin_check(const struct guard *g, const struct ask *ask, uint64_t now_us) {
  char buf[PAIR_BYTES];
  if (is_session_id(slice_of(ask->session_id)) && map_get(g->by_session, slice_of(ask->session_id)))
    return verdict_refuse(REFUSE_HAIRPIN, "the Session-ID is that of a live call of this gateway");
  if (!ask->caller[0] || !ask->called[0])
    return verdict_pass();
  const struct note *n = map_get(g->by_pair, pair_key(buf, ask->trunk->name, ask->caller, ask->called));
  if (n && now_us - n->at_us <= PAIR_WINDOW_US)
    return verdict_refuse(REFUSE_HAIRPIN,
                          "the same caller and number went out by trunk %s less than 10 s ago",
                          ask->trunk->name);
  return verdict_pass();
}
