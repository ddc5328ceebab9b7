/* SPDX-License-Identifier: Apache-2.0
 * The walk of RFC 3263 from a URI to addresses: see resolve.h. It is done from its begin each time that
 * an answer came, over what is known by then: what it misses is asked, and it waits. Call thread. */
#include "trunk/resolve.h"

#include "trunk/names.h"

#include "base/rand.h"

#include <stdio.h>

struct job {
  struct resolve_want want;
  resolve_done_fn *fn;
  void *arg;
  uint64_t magic;
  uint64_t began_us; /* began_us: answers that came since hold for this job, however short their TTL. */
};

struct resolver {
  struct resolver_env env;
  struct names *names;
  struct pool *jobs;
  bool is_walking; /* is_walking: an answer that comes now is seen by the walk that asked. */
};

/* One walk. */
struct walk {
  struct resolver *r;
  const struct job *job;
  uint64_t now_us;
  bool is_last; /* is_last: nothing is asked any more. */
  bool is_missing;
  int error; /* error is that of the first question that nobody answered. */
  struct resolve_list *list;
  struct resolve_seat *seats; /* seats: NULL, or records of SRV are noted down. */
  uint32_t n_seats, seats_max;
};

static uint64_t job_end_us(const struct job *j) {
  return j->began_us + (uint64_t)RESOLVE_JOB_S * 1000000;
}

/* True if it is known, ret holds it then (also without records). */
static bool need(struct walk *w, const char *name, enum dns_type type, struct dns_answer *ret) {
  struct resolver *r = w->r;
  for (int i = 0; i < 2; i++) {
    int e = names_get(r->names, name, type, w->job->began_us, w->now_us, ret);
    if (e == -ETIMEDOUT || e == -EIO)
      w->error = w->error ? w->error : e;
    if (e != -ENOENT && e != -EINPROGRESS)
      return true;
    if (e == -EINPROGRESS || i || w->is_last)
      break;
    names_await(r->names, name, type);
    e = r->env.ask(r->env.arg, name, type);
    if (e < 0)
      names_put(r->names, name, type, e, NULL, w->now_us);
  }
  w->is_missing = true;
  ret->n = 0;
  return false;
}

static uint16_t default_port(uint8_t transport) { return transport == TRANSPORT_TLS ? 5061 : 5060; }

static void hit_add(struct walk *w, const struct addr *a, uint8_t transport) {
  struct resolve_list *l = w->list;
  for (uint32_t i = 0; i < l->n; i++)
    if (l->hits[i].transport == transport && addr_eq(&l->hits[i].addr, a))
      return;
  if (l->n < RESOLVE_HITS_MAX)
    l->hits[l->n++] = (struct resolve_hit){*a, transport};
}

static void family_add(struct walk *w, const char *name, enum dns_type type, uint16_t port,
                       uint8_t transport) {
  struct dns_answer found;
  if (!need(w, name, type, &found))
    return;
  for (uint32_t i = 0; i < found.n; i++) {
    struct addr a = {0};
    if (type == DNS_A) {
      a.in4.sin_family = AF_INET;
      memcpy(&a.in4.sin_addr, found.list[i].ip, 4);
    } else {
      a.in6.sin6_family = AF_INET6;
      memcpy(&a.in6.sin6_addr, found.list[i].ip, 16);
    }
    addr_set_port(&a, port);
    if (!addr_is_any(&a))
      hit_add(w, &a, transport);
  }
}

static void host_add(struct walk *w, const char *name, uint16_t port, uint8_t transport) {
  int family = w->job->want.family;
  if (family != AF_INET)
    family_add(w, name, DNS_AAAA, port, transport);
  if (family != AF_INET6)
    family_add(w, name, DNS_A, port, transport);
}

/* Which of those of the least priority left is next: by weight (RFC 2782), the taken ones at the end. */
static uint32_t srv_pick(struct walk *w, const struct dns_answer *a, const bool taken[]) {
  uint32_t sum = 0, best = a->n;
  uint16_t priority = 0;
  for (uint32_t i = 0; i < a->n; i++)
    if (!taken[i] && (best == a->n || a->list[i].srv.priority < priority)) {
      best = i;
      priority = a->list[i].srv.priority;
    }
  for (uint32_t i = 0; i < a->n; i++)
    if (!taken[i] && a->list[i].srv.priority == priority)
      sum += a->list[i].srv.weight * 16U + 1; /* weight 0 has a small chance, too */
  uint32_t at = (w->r->env.below ? w->r->env.below : rand_below)(sum);
  for (uint32_t i = 0; i < a->n; i++) {
    if (taken[i] || a->list[i].srv.priority != priority)
      continue;
    uint32_t share = a->list[i].srv.weight * 16U + 1;
    if (at < share)
      return i;
    at -= share;
  }
  return best;
}

static void seat_add(struct walk *w, const struct dns_srv *s, uint8_t transport) {
  struct resolve_list *all = w->list, own = {.n = 0};
  w->list = &own;
  host_add(w, s->target, s->port, transport);
  w->list = all;
  struct resolve_seat *seat = &w->seats[w->n_seats++];
  *seat = (struct resolve_seat){
      .port = s->port, .priority = s->priority, .weight = s->weight, .n_addrs = own.n};
  if (own.n)
    seat->first = own.hits[0].addr;
  snprintf(seat->name, sizeof seat->name, "%s", s->target);
}

/* True if the service is described by such records, or that is not known yet. */
static bool srv_add(struct walk *w, const char *service, uint8_t transport) {
  struct dns_answer found;
  bool taken[DNS_RECORDS_MAX] = {false};
  if (!need(w, service, DNS_SRV, &found))
    return true;
  for (uint32_t i = 0; i < found.n; i++) {
    uint32_t pick = srv_pick(w, &found, taken);
    const struct dns_srv *s = &found.list[pick].srv;
    taken[pick] = true;
    if (*s->target && s->port && w->n_seats < w->seats_max)
      seat_add(w, s, transport);
    if (*s->target && s->port)
      host_add(w, s->target, s->port, transport);
  }
  return found.n > 0;
}

static void service_name(char *dst, size_t bytes, const struct resolve_want *want, uint8_t transport) {
  static const char *const prefix[] = {"_sip._udp.", "_sip._tcp.", "_sips._tcp."};
  snprintf(dst, bytes, "%s%s", prefix[transport], want->host);
}

static bool service_add(struct walk *w, uint8_t transport) {
  char name[DNS_NAME_BYTES + 16];
  service_name(name, sizeof name, &w->job->want, transport);
  return srv_add(w, name, transport);
}

static uint8_t naptr_transport(const struct dns_naptr *n) {
  if (!strcasecmp(n->service, "SIP+D2U"))
    return TRANSPORT_UDP;
  if (!strcasecmp(n->service, "SIP+D2T"))
    return TRANSPORT_TCP;
  return strcasecmp(n->service, "SIPS+D2T") ? RESOLVE_ANY : TRANSPORT_TLS;
}

static bool allows(const struct resolve_want *want, uint8_t transport) {
  return transport <= TRANSPORT_TLS && (want->allowed >> transport & 1);
}

/* The next of what we can use, by order and preference; n at the end. */
static uint32_t naptr_next(const struct walk *w, const struct dns_answer *a, const bool taken[]) {
  uint32_t best = a->n, rank = 0;
  for (uint32_t i = 0; i < a->n; i++) {
    const struct dns_naptr *n = &a->list[i].naptr;
    uint32_t own = (uint32_t)n->order << 16 | n->preference;
    if (taken[i] || !allows(&w->job->want, naptr_transport(n)) || !*n->replacement ||
        (strcasecmp(n->flags, "s") != 0 && strcasecmp(n->flags, "a") != 0))
      continue;
    if (best == a->n || own < rank)
      best = i, rank = own;
  }
  return best;
}

/* True if there was something for us in it, or that is not known yet. */
static bool naptr_add(struct walk *w) {
  struct dns_answer found;
  bool taken[DNS_RECORDS_MAX] = {false}, any = false;
  if (!need(w, w->job->want.host, DNS_NAPTR, &found))
    return true;
  for (uint32_t i; (i = naptr_next(w, &found, taken)) < found.n;) {
    const struct dns_naptr *n = &found.list[i].naptr;
    uint8_t transport = naptr_transport(n);
    taken[i] = true;
    if (strcasecmp(n->flags, "a") == 0)
      host_add(w, n->replacement, default_port(transport), transport);
    else if (!srv_add(w, n->replacement, transport))
      continue;
    any = true;
  }
  return any;
}

/* Without NAPTR: the services of each transport, ours first (RFC 3263 4.1). */
static bool services_add(struct walk *w) {
  const struct resolve_want *want = &w->job->want;
  if (service_add(w, want->preferred))
    return true;
  for (uint8_t t = 0; t <= TRANSPORT_TLS; t++)
    if (t != want->preferred && allows(want, t) && service_add(w, t))
      return true;
  return false;
}

/* What the later steps may need is asked along with the first: one silence of the server's, not three.
 */
static void ask_ahead(struct walk *w) {
  static const enum dns_type types[] = {DNS_AAAA, DNS_A};
  const struct resolve_want *want = &w->job->want;
  struct dns_answer found;
  char name[DNS_NAME_BYTES + 16];
  bool is_missing = w->is_missing;
  int error = w->error;
  service_name(name, sizeof name, want,
               want->transport == RESOLVE_ANY ? want->preferred : want->transport);
  (void)need(w, name, DNS_SRV, &found);
  for (size_t i = 0; i < COUNT_OF(types); i++)
    if (want->family != (types[i] == DNS_A ? AF_INET6 : AF_INET))
      (void)need(w, want->host, types[i], &found);
  w->is_missing = is_missing;
  w->error = error;
}

static int transport_check(const struct resolve_want *want) {
  uint8_t t = want->transport == RESOLVE_ANY ? want->preferred : want->transport;
  return allows(want, t) ? 0 : -EPROTONOSUPPORT;
}

static void walk_all(struct walk *w) {
  const struct resolve_want *want = &w->job->want;
  bool is_given = want->transport != RESOLVE_ANY;
  uint8_t transport = is_given ? want->transport : want->preferred;
  uint16_t port = want->port ? want->port : default_port(transport);
  struct addr literal;
  bool is_literal = addr_parse(&literal, slice_of(want->host), port) == 0;
  if (!is_literal && !want->port)
    ask_ahead(w);
  if (is_literal)
    hit_add(w, &literal, transport);
  else if (want->port || (is_given && !service_add(w, transport)))
    host_add(w, want->host, port, transport);
  else if (!is_given && !naptr_add(w) && !services_add(w))
    host_add(w, want->host, port, transport);
}

/* 1 done, 0 something is missing, -errno. */
static int walk(struct resolver *r, const struct job *j, uint64_t now_us, struct resolve_list *ret) {
  struct walk w = {.r = r, .job = j, .now_us = now_us, .is_last = now_us >= job_end_us(j), .list = ret};
  ret->n = 0;
  r->is_walking = true;
  walk_all(&w);
  r->is_walking = false;
  if (w.is_missing && !w.is_last)
    return 0;
  if (ret->n)
    return 1;
  return w.error ? w.error : w.is_missing ? -ETIMEDOUT : -ENOENT;
}

uint32_t resolver_seats(struct resolver *r, const struct resolve_want *want, uint64_t now_us,
                        struct resolve_seat *ret, uint32_t max) {
  const struct job j = {.want = *want, .began_us = now_us};
  struct resolve_list list = {.n = 0};
  struct walk w = {.r = r,
                   .job = &j,
                   .now_us = now_us,
                   .is_last = true,
                   .list = &list,
                   .seats = ret,
                   .seats_max = max};
  if (transport_check(want) == 0)
    walk_all(&w);
  return w.n_seats;
}

int resolver_new(struct resolver **ret, const struct resolver_env *env) {
  own(resolver) r = calloc(1, sizeof *r);
  if (!r)
    return -ENOMEM;
  r->env = *env;
  int e = names_new(&r->names, RESOLVE_NAMES_MAX);
  if (e == 0)
    e = pool_new(&r->jobs, sizeof(struct job), RESOLVE_JOBS_MAX);
  if (e == 0)
    *ret = take(r);
  return e;
}

struct resolver *resolver_free(struct resolver *r) {
  if (!r)
    return NULL;
  names_free(r->names);
  pool_free(r->jobs);
  free(r);
  return NULL;
}

int resolver_look(struct resolver *r, const struct resolve_want *want, uint64_t now_us,
                  resolve_done_fn *fn, void *arg, uint64_t magic, pool_handle *ret_job,
                  struct resolve_list *ret_list) {
  int e = transport_check(want);
  if (e < 0)
    return e;
  struct job *j = pool_add(r->jobs, ret_job);
  if (!j)
    return -ENOSPC;
  *j = (struct job){.want = *want, .fn = fn, .arg = arg, .magic = magic, .began_us = now_us};
  e = walk(r, j, now_us, ret_list);
  if (e) {
    pool_del(r->jobs, *ret_job);
    *ret_job = 0;
  }
  return e;
}

void resolver_cancel(struct resolver *r, pool_handle job) { pool_del(r->jobs, job); }

/* Those who may go on do; each may begin or cancel others. */
static void jobs_go(struct resolver *r, uint64_t now_us, bool only_late) {
  struct resolve_list list;
  uint32_t slot = 0;
  pool_handle id;
  struct job *j;
  while ((j = pool_next(r->jobs, &slot, &id))) {
    if (only_late && now_us < job_end_us(j))
      continue;
    int e = walk(r, j, now_us, &list);
    if (!e)
      continue;
    struct job done = *j;
    pool_del(r->jobs, id);
    done.fn(done.arg, done.magic, e < 0 ? e : 0, &list);
  }
}

void resolver_answer(struct resolver *r, const char *name, enum dns_type type, int error,
                     const struct dns_answer *answer, uint64_t now_us) {
  if (!error && answer->rcode && answer->rcode != DNS_RCODE_NXDOMAIN)
    error = -EIO;
  names_put(r->names, name, type, error, answer, now_us);
  if (!r->is_walking)
    jobs_go(r, now_us, false);
}

uint64_t resolver_next_us(const struct resolver *r) {
  uint64_t next = UINT64_MAX;
  uint32_t slot = 0;
  const struct job *j;
  while ((j = pool_next(r->jobs, &slot, NULL)))
    next = job_end_us(j) < next ? job_end_us(j) : next;
  return next;
}

void resolver_run(struct resolver *r, uint64_t now_us) { jobs_go(r, now_us, true); }
uint32_t resolver_names(const struct resolver *r) { return names_count(r->names); }
