/* SPDX-License-Identifier: Apache-2.0
 * Judgements on the way to a trunk: names, connections, TLS, OPTIONS. Pure. */
#include "doctor/judge.h"

#include <stdio.h>

enum { EXPIRY_DAYS = 30, EXPIRY_SOON_DAYS = 7, OPTIONS_SLOW_MS = 2000, SKEW_S = 60 };

void judge_resolve(const struct doctor_facts *f, struct finding *r) {
  char at[ADDR_TEXT_BYTES];
  if (f->n_targets)
    PASS(r, "%u address%s, the first %s, after %u ms", f->n_targets, f->n_targets == 1 ? "" : "es",
         addr_text(&f->targets[0].target.addr, at, sizeof at), f->resolve_ms);
  else
    FAIL(r, "Look at trunks[].target and node.resolvers: the name must have SRV, A or AAAA records.",
         "no address for %s within %u ms",
         f->trunk->target[0] ? f->trunk->target : "the trunk (no target)", f->resolve_ms);
}

void judge_targets(const struct doctor_facts *f, struct finding *r) {
  if (!f->n_targets)
    SKIP(r, "no address is known");
  else if (f->n_targets > 1)
    PASS(r, "%u targets", f->n_targets);
  else
    ABSENT(r, "One host is all there is: ask for a second one, and name it in trunks[].targets.",
           "one target");
}

/* Those of the least priority come first; the first seat whose address answered OPTIONS takes calls. */
static const struct probe_seat *seat_in_use(const struct doctor_facts *f) {
  for (uint32_t i = 0; i < f->n_targets; i++)
    for (uint32_t k = 0; k < f->n_seats && !f->targets[i].options.is_own; k++)
      if (f->seats[k].n_addrs && addr_eq(&f->seats[k].first, &f->targets[i].target.addr))
        return &f->seats[k];
  return NULL;
}

static void seats_write(const struct doctor_facts *f, char *dst, size_t bytes) {
  size_t n = 0;
  dst[0] = 0;
  for (uint32_t i = 0; i < f->n_seats && n < bytes; i++)
    n += (size_t)snprintf(dst + n, bytes - n, "%s%s:%u (%u/%u)", i ? ", " : "", f->seats[i].name,
                          f->seats[i].port, f->seats[i].priority, f->seats[i].weight);
}

void judge_srv(const struct doctor_facts *f, struct finding *r) {
  char list[160];
  seats_write(f, list, sizeof list);
  for (uint32_t i = 0; i < f->n_seats && f->n_targets; i++)
    if (!f->seats[i].n_addrs) {
      FAIL(r, "Who is sent there by priority and weight finds nobody: that name needs A or AAAA records.",
           "%s, of priority %u and weight %u, has no address", f->seats[i].name, f->seats[i].priority,
           f->seats[i].weight);
      return;
    }
  const struct probe_seat *s = seat_in_use(f);
  if (!f->n_targets)
    SKIP(r, "no address is known");
  else if (!f->n_seats)
    ABSENT(r, "", "none: an address, a port in the target, or no such records");
  else if (s && s->priority != f->seats[0].priority)
    PASS_BUT(r, "The first are dead, see connect: calls wait for them until they are known to be.",
             "%s; calls go to %s", list, s->name);
  else
    PASS(r, "%s%s%s", list, s ? "; calls go to " : "", s ? s->name : "");
}

/* Is there anything that answers there? */
static bool is_reached(const struct target_facts *t) {
  return (t->has_tls && t->tls.is_connected) || (t->options.is_over && !t->options.is_own);
}

/* … or to the test call, which goes to the first that answered. */
static bool first_is_reached(const struct doctor_facts *f) {
  const struct said *s = &f->calls[CALL_BASE].invite;
  const uint32_t first_ms = f->calls[CALL_BASE].first_ms;
  return is_reached(&f->targets[0]) || (s->is_over && !s->is_own) ||
         (s->is_asked && first_ms != DOCTOR_NEVER);
}

void judge_reach(const struct doctor_facts *f, struct finding *r) {
  char at[ADDR_TEXT_BYTES];
  if (!f->n_targets)
    SKIP(r, "no address is known");
  for (uint32_t i = 0; i < f->n_targets && !r->result; i++)
    if (!(i ? is_reached(&f->targets[i]) : first_is_reached(f)))
      FAIL(r, "Check routes and firewalls to that address and port, and that the peer knows ours.",
           "%s: %s", addr_text(&f->targets[i].target.addr, at, sizeof at),
           f->targets[i].has_tls ? f->targets[i].tls.error : "no answer to OPTIONS");
  if (!r->result)
    PASS(r, "all %u answer", f->n_targets);
}

void judge_ipv6(const struct doctor_facts *f, struct finding *r) {
  uint32_t n = 0;
  char at[ADDR_TEXT_BYTES];
  for (uint32_t i = 0; i < f->n_targets && !r->result; i++)
    if (addr_family(&f->targets[i].target.addr) == AF_INET6) {
      n++;
      if (!is_reached(&f->targets[i]))
        ABSENT(r, "Its IPv6 address is in the DNS and does not answer: see connect.", "%s is silent",
               addr_text(&f->targets[i].target.addr, at, sizeof at));
    }
  if (!f->n_targets)
    SKIP(r, "no address is known");
  else if (!r->result && n)
    PASS(r, "%u", n);
  else if (!r->result)
    ABSENT(r, "", "IPv4 only");
}

/* TLS --------------------------------------------------------------------------------------------- */

/* The first handshake that connected; NULL and a word, where there is none to judge. */
static const struct probe_tls *tls_of(const struct doctor_facts *f, struct finding *r) {
  bool has = false;
  for (uint32_t i = 0; i < f->n_targets; i++) {
    has = has || f->targets[i].has_tls;
    if (f->targets[i].has_tls && f->targets[i].tls.end_s)
      return &f->targets[i].tls;
  }
  if (!has)
    SKIP(r, "the trunk is not reached by TLS");
  else
    SKIP(r, "no handshake came as far as a certificate: %s", f->targets[0].tls.error);
  return NULL;
}

void judge_tls_version(const struct doctor_facts *f, struct finding *r) {
  const struct probe_tls *t = NULL;
  for (uint32_t i = 0; i < f->n_targets && !t; i++)
    if (f->targets[i].has_tls && f->targets[i].tls.is_connected)
      t = &f->targets[i].tls;
  if (!t)
    SKIP(r, "%s",
         f->n_targets && f->targets[0].has_tls ? "no connection" : "the trunk is not reached by TLS");
  else if (!t->end_s)
    FAIL(r, "The peer must speak TLS 1.2 or 1.3 on this port.", "the handshake failed: %s", t->error);
  else
    PASS(r, "%s, %u ms", t->protocol, t->ms);
}

void judge_tls_cipher(const struct doctor_facts *f, struct finding *r) {
  const struct probe_tls *t = tls_of(f, r);
  if (t && t->cipher[0])
    PASS(r, "%s", t->cipher);
  else if (t)
    SKIP(r, "the handshake did not end: %s", t->error);
}

static bool is_expired(const struct probe_tls *t, int64_t now_s) {
  return now_s > t->end_s || now_s < t->begin_s;
}

void judge_tls_chain(const struct doctor_facts *f, struct finding *r) {
  const struct probe_tls *t = tls_of(f, r);
  if (!t)
    return;
  if (t->is_trusted)
    PASS(r, "%s, issued by %s", t->subject, t->issuer);
  else if (is_expired(t, (int64_t)(f->now_wall_ms / 1000)))
    SKIP(r, "out of date, see there; issued by %s", t->issuer);
  else if (t->is_weak || t->is_unfit)
    FAIL(r,
         t->is_weak ? "It needs a certificate with a longer key: RSA of 2048 bits, or P-256."
                    : "It needs a certificate whose extended key usage has serverAuth.",
         "%s; issued by %s", t->error, t->issuer);
  else
    FAIL(r, "Add the issuer's root to the listener's ca file, or ask the peer to send its whole chain.",
         "%s; issued by %s", t->error, t->issuer);
}

void judge_tls_name(const struct doctor_facts *f, struct finding *r) {
  const struct probe_tls *t = tls_of(f, r);
  if (!t)
    return;
  if (t->is_named)
    PASS(r, "%s", t->names);
  else
    FAIL(r,
         "The target in trunks[].target must be a name of the certificate: use such a name, or have it "
         "issued anew.",
         "the certificate is of %s",
         t->names[0] ? t->names : "no name at all (subjectAltName is missing)");
}

void judge_tls_expiry(const struct doctor_facts *f, struct finding *r) {
  const struct probe_tls *t = tls_of(f, r);
  int64_t now_s = (int64_t)(f->now_wall_ms / 1000);
  if (!t)
    return;
  long long days = (long long)((t->end_s - now_s) / 86400);
  if (now_s < t->begin_s)
    FAIL(r, "Look at both machines' clocks.", "the certificate is not valid yet");
  else if (now_s > t->end_s)
    FAIL(r, "The peer has to renew its certificate.", "it ended %lld days ago", -days);
  else if (days < EXPIRY_SOON_DAYS)
    FAIL(r, "The peer has to renew its certificate at once: calls end on that day.",
         "it ends in %lld days", days);
  else if (days < EXPIRY_DAYS)
    PASS_BUT(r, "Ask the peer when it will be renewed.", "it ends in %lld days", days);
  else
    PASS(r, "it ends in %lld days", days);
}

void judge_tls_sni(const struct doctor_facts *f, struct finding *r) {
  const struct target_facts *t = f->n_targets ? &f->targets[0] : NULL;
  if (!tls_of(f, r))
    return;
  if (!t->has_bare || !t->bare.end_s)
    PASS(r, "without the server's name there is no certificate: %s",
         t->has_bare && t->bare.error[0] ? t->bare.error : "no handshake");
  else if (strcmp(t->bare.names, t->tls.names) != 0)
    PASS(r, "without it another certificate is shown: %s", t->bare.names);
  else
    PASS(r, "the same certificate with it and without");
}

void judge_tls_client(const struct doctor_facts *f, struct finding *r) {
  const struct probe_tls *t = tls_of(f, r);
  if (!t)
    return;
  if (!t->wants_cert)
    ABSENT(r, "", "the peer asks for no certificate: it knows us by our address");
  else if (t->took_cert)
    PASS(r, "asked for, and taken");
  else
    FAIL(r, "Give the peer our certificate's issuer, or set trunks[].certificate to one that it knows.",
         "asked for, and refused%s%s", t->error[0] ? ": " : "", t->error);
}

/* OPTIONS ----------------------------------------------------------------------------------------- */

static bool is_alive(const struct said *s) {
  return s->is_over && !s->is_own && (s->status < 500 || s->status == 501);
}

/* Who asks is not known, or may not. */
static bool is_unknown_here(int status) { return status == 401 || status == 403 || status == 407; }

/* It refuses calls by the same status, or both for not knowing us. */
static bool is_refused_alike(const struct doctor_facts *f) {
  const struct said *o = &f->targets[0].options, *c = &f->calls[CALL_BASE].invite;
  return c->is_over && !c->is_own &&
         (c->status == o->status || (is_unknown_here(o->status) && is_unknown_here(c->status)));
}

/* A handshake that fails is told as such, once. */
static bool is_barred(const struct target_facts *t) { return t->has_tls && !t->tls.is_up; }

void judge_options_out(const struct doctor_facts *f, struct finding *r) {
  const struct target_facts *t = &f->targets[0];
  if (!f->n_targets)
    SKIP(r, "no address is known");
  else if (is_barred(t))
    SKIP(r, "the handshake fails: see tls");
  else if (t->options.is_own && !first_is_reached(f))
    SKIP(r, "nothing answers there: see connect");
  else if (t->options.status >= 400 && !t->options.is_own && is_refused_alike(f))
    SKIP(r, "refused with %d, as calls are: see answered", t->options.status);
  else if (is_alive(&t->options) && (t->options.status == 405 || t->options.status == 501))
    ABSENT(r, "It lives, but cannot be looked after: set trunks[].options: false.", "refused with %d",
           t->options.status);
  else if (is_unknown_here(t->options.status))
    FAIL(r, "The peer must know our address (or certificate) for OPTIONS as it does for calls.",
         "refused with %d", t->options.status);
  else if (is_alive(&t->options) && t->options.status >= 400)
    ABSENT(r, "It lives, and that is enough for trunks[].options; 200 would tell more.", "it says %d",
           t->options.status);
  else if (!is_alive(&t->options))
    FAIL(r,
         "The peer must know our address (or certificate) and answer OPTIONS; until then set "
         "trunks[].options: false.",
         t->options.is_own ? "no answer (%d)" : "it says %d", t->options.status);
  else if (t->options.ms > OPTIONS_SLOW_MS)
    PASS_BUT(r, "That is slow: look at the path.", "%d after %u ms%s%s", t->options.status,
             t->options.ms, t->agent[0] ? ", " : "", t->agent);
  else
    PASS(r, "%d after %u ms%s%s", t->options.status, t->options.ms, t->agent[0] ? ", " : "", t->agent);
}

void judge_options_all(const struct doctor_facts *f, struct finding *r) {
  char at[ADDR_TEXT_BYTES];
  if (f->n_targets < 2)
    SKIP(r, "there are not several targets");
  for (uint32_t i = 1; i < f->n_targets && !r->result; i++)
    if (is_reached(&f->targets[i]) && !is_barred(&f->targets[i]) && !is_alive(&f->targets[i].options))
      FAIL(r, "Ask the peer about that host, or take it out of trunks[].targets.", "%s: %s %d",
           addr_text(&f->targets[i].target.addr, at, sizeof at),
           f->targets[i].options.is_own ? "no answer" : "it says", f->targets[i].options.status);
  uint32_t n = 0;
  for (uint32_t i = 0; i < f->n_targets; i++)
    n += is_alive(&f->targets[i].options);
  if (!r->result && n < f->n_targets)
    SKIP(r, "%u of %u answer; for the others see connect, tls or options_out", n, f->n_targets);
  else if (!r->result)
    PASS(r, "all %u answer", f->n_targets);
}

void judge_options_in(const struct doctor_facts *f, struct finding *r) {
  const struct probe_heard *h = &f->heard;
  uint64_t ago_s = h->last_ms && f->now_wall_ms > h->last_ms ? (f->now_wall_ms - h->last_ms) / 1000 : 0;
  if (!f->has_heard)
    SKIP(r, "nothing is known of it");
  else if (h->received && ago_s <= 3ull * h->interval_s)
    PASS(r, "%llu so far, the last %llu s ago", (unsigned long long)h->received,
         (unsigned long long)ago_s);
  else if (h->is_due)
    FAIL(r, "The peer must know our name and address: it sends nothing until then.",
         h->received ? "the last one %llu s ago" : "none since the start", (unsigned long long)ago_s);
  else
    ABSENT(r, "", "none: it tells a fault of ours only by calls");
}

void judge_allow(const struct doctor_facts *f, struct finding *r) {
  static const char *const needed[] = {"INVITE", "ACK", "BYE", "CANCEL"};
  const char *allow = f->n_targets ? f->targets[0].allow : "";
  if (!allow[0])
    ABSENT(r, "", "no Allow in the answer to OPTIONS");
  for (size_t i = 0; i < COUNT_OF(needed) && !r->result; i++)
    if (!words_have(allow, needed[i]))
      FAIL(r, "Ask the peer whether it speaks for a server that takes calls.", "%s is missing in: %s",
           needed[i], allow);
  if (!r->result)
    PASS(r, "%s", allow);
}

void judge_strange(const struct doctor_facts *f, struct finding *r) {
  const struct said *s = &f->strange;
  if (!s->is_asked || (f->n_targets && !is_alive(&f->targets[0].options)))
    SKIP(r, "no target answers");
  else if (s->is_own || !s->is_over)
    FAIL(r, "A peer that is silent to what it does not know makes every new method time out.",
         "no answer to a method that nobody has");
  else if (s->status >= 400 && s->status < 500)
    PASS(r, "%d", s->status);
  else if (s->status == 501)
    PASS(r, "501");
  else
    FAIL(r, "405 or 501 is due.", "it says %d", s->status);
}

void judge_clock(const struct doctor_facts *f, struct finding *r) {
  const struct target_facts *t = &f->targets[0];
  int32_t ahead_s = t->skew_s < 0 ? -t->skew_s : t->skew_s;
  if (!f->n_targets || !is_alive(&t->options))
    SKIP(r, "no target answers");
  else if (!t->has_date)
    ABSENT(r, "", "no Date in the answer to OPTIONS");
  else if (ahead_s > SKEW_S)
    FAIL(r, "One of both clocks is wrong: look at NTP here first, then ask the peer.",
         "its Date is %d s %s ours", ahead_s, t->skew_s > 0 ? "ahead of" : "behind");
  else
    PASS(r, "within %d s", ahead_s + 1);
}

bool words_have(const char *list, const char *word) {
  struct slice rest = slice_of(list);
  while (rest.n)
    if (slice_ieq(slice_trim(slice_cut(&rest, ',')), slice_of(word)))
      return true;
  return false;
}
