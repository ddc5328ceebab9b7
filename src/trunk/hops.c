/* SPDX-License-Identifier: Apache-2.0
 * The walk of one request over a trunk's targets: see hops.h. Two rounds over the trunk's URIs: first
 * the targets that are not shunned, then those that are. Call thread. */
#include "trunk/hops.h"

#include "base/log.h"
#include "trunk/shun.h"
#include "trunk/sofia_send.h"

#include <stdio.h>

enum { ROUNDS = 2, FAILOVER_S = 10 };

struct tried {
  struct addr addr;
  uint8_t transport;
  uint32_t key;
};

struct hops {
  pool_handle self;
  struct trunks *t;
  const struct hops_user *user;
  void *magic;
  char trunk[CONF_NAME_BYTES];
  uint32_t round, uri; /* uri is the trunk's URI whose list is walked, from round's begin. */
  uint32_t n_uris;
  uint8_t uris[CONF_HUBS_MAX]; /* uris are the trunk's goals in their order as the walk began. */
  bool has_list;               /* has_list: list is that of uri. */
  pool_handle job;             /* job is the resolver's, 0 while none. */
  struct resolve_list list;
  uint32_t at; /* at is the next of the list. */
  uint32_t n_tried;
  struct tried tried[HOPS_TRIES_MAX];
  struct hop hop;             /* hop is the one in use; its uri is "" before the first. */
  bool is_waiting;            /* is_waiting: the request is out at hop. */
  bool is_heard;              /* is_heard: 100 came from hop. */
  bool is_last;               /* is_last: the timer ends the walk, no further target is sought. */
  char seek[CONF_PATH_BYTES]; /* seek is the URI in whose list the next one is sought. */
  uint64_t until_us;          /* until_us: no answer by then is silence of the whole trunk. */
  struct timer timer;
  struct hops_end end;
};

struct pin {
  char trunk[CONF_NAME_BYTES];
  uint32_t n; /* 0: not pinned */
  struct hop *list;
};

static void go_on(struct hops *h);

static uint64_t now_of(const struct hops *h) { return loop_now_us(h->t->env.loop); }

static const struct pin *pin_of(const struct trunks *t, const char *trunk) {
  for (uint32_t i = 0; i < CONF_TRUNKS_MAX; i++)
    if (t->pins[i].n && !strcmp(t->pins[i].trunk, trunk))
      return &t->pins[i];
  return NULL;
}

static struct shun_target target_of(const char *trunk, const struct addr *addr, uint8_t transport) {
  return (struct shun_target){.trunk = trunk, .transport = transport, .addr = *addr};
}

static void hop_shun(struct hops *h, enum shun_state state, uint32_t for_s) {
  struct shun_target s = target_of(h->trunk, &h->hop.addr, h->hop.transport);
  char text[ADDR_TEXT_BYTES];
  log_info(trunk, "trunk %s: target %s is %s for %u s", h->trunk,
           addr_text(&h->hop.addr, text, sizeof text), state == SHUN_NEVER ? "left alone" : "tried last",
           for_s);
  shun_add(h->t->shunned, &s, state, for_s, now_of(h));
}

static void walk_drop(struct hops *h) {
  struct trunks *t = h->t;
  loop_disarm(t->env.loop, &h->timer);
  if (h->job)
    resolver_cancel(t->resolver, h->job);
  pool_del(t->hops, h->self);
}

static void walk_over(struct hops *h) {
  const struct hops_user *user = h->user;
  void *magic = h->magic;
  struct hops_end end = h->end;
  if (!end.status)
    end = (struct hops_end){.status = 502,
                            .why = "no address of the trunk's target is known",
                            .fault = WHY_FAULT_NO_ADDRESS};
  end.tries = h->n_tried;
  if (h->n_tried)
    end.target = h->tried[h->n_tried - 1].addr;
  walk_drop(h);
  user->over(magic, &end);
}

static const char *const transports[] = {"udp", "tcp", "tls"};

/* sip:HOST:PORT;transport=T;maddr=IP: the host is what a certificate is checked against. */
void hops_route(struct hop *hop, const struct resolve_want *want) {
  char ip[ADDR_TEXT_BYTES], maddr[ADDR_TEXT_BYTES + 2], host[DNS_NAME_BYTES + 2];
  addr_ip_text(&hop->addr, ip, sizeof ip);
  snprintf(hop->route, sizeof hop->route, "sip:%s:%u;transport=%s;maddr=%s",
           header_host(host, sizeof host, want->host), addr_port(&hop->addr), transports[hop->transport],
           header_host(maddr, sizeof maddr, ip));
}

int hops_want(struct trunks *t, const struct conf_trunk *trunk, const char *uri,
              struct resolve_want *ret) {
  su_home_t home[1] = {SU_HOME_INIT(home)};
  const struct agent *a = agent_find(t, trunk->listener);
  url_t *u = url_make(home, uri);
  char transport[8] = "";
  memset(ret, 0, sizeof *ret);
  int e = u && uri_is_sip(u) && a ? 0 : -EINVAL;
  if (e == 0) {
    struct slice host = slice_of(u->url_host);
    if (host.n > 2 && host.p[0] == '[')
      host = slice_from(host.p + 1, host.n - 2);
    e = slice_copy(ret->host, sizeof ret->host, host);
    ret->port = u->url_port ? (uint16_t)atoi(u->url_port) : 0;
    ret->transport = RESOLVE_ANY;
    ret->preferred = a->transport;
    ret->allowed = agent_transports(a);
    ret->family = a->family;
    if (u->url_params && url_param(u->url_params, "transport", transport, sizeof transport) > 0)
      for (uint8_t k = 0; k < COUNT_OF(transports); k++)
        if (!strcasecmp(transport, transports[k]))
          ret->transport = k;
  }
  su_home_deinit(home);
  return e;
}

/* What the i-th URI of the trunk asks the resolver for. 0, -ENOENT past the last, -EINVAL. */
static int want_make(struct trunks *t, const struct conf_trunk *trunk, uint32_t i, char *uri,
                     size_t uri_bytes, struct resolve_want *ret) {
  int e = conf_trunk_target(trunk, i, uri, uri_bytes);
  memset(ret, 0, sizeof *ret);
  return e < 0 ? e : hops_want(t, trunk, uri, ret);
}

static bool was_tried(const struct hops *h, const struct resolve_hit *hit) {
  for (uint32_t i = 0; i < h->n_tried; i++)
    if (h->tried[i].transport == hit->transport && addr_eq(&h->tried[i].addr, &hit->addr))
      return true;
  return false;
}

/* Is it this round's? A target that is to be left alone leaves its word for the end. */
static bool is_due(struct hops *h, const struct resolve_hit *hit) {
  struct shun_target s = target_of(h->trunk, &hit->addr, hit->transport);
  uint32_t left_s;
  enum shun_state state = shun_of(h->t->shunned, &s, now_of(h), &left_s);
  if (state == SHUN_NEVER && !h->end.status)
    h->end = (struct hops_end){.status = 503,
                               .is_peer = true,
                               .retry_after_s = left_s,
                               .why = "the trunk asked for quiet by Retry-After",
                               .fault = WHY_FAULT_QUIET};
  return !was_tried(h, hit) && state != SHUN_NEVER && (state == SHUN_LAST) == (h->round > 0);
}

/* The time that this target has: its share while there may be others, else what is left. */
static void silence_arm(struct hops *h, bool is_last) {
  h->is_last = is_last;
  uint64_t now = now_of(h), left = h->until_us > now ? h->until_us - now : 0;
  uint64_t share = is_last ? left : (uint64_t)HOPS_SILENCE_MS * 1000;
  loop_arm(h->t->env.loop, &h->timer, share < left ? share : left);
}

static void until_set(struct hops *h, const struct conf_trunk *trunk) {
  uint32_t s = trunk && trunk->failover_s ? trunk->failover_s : FAILOVER_S;
  h->until_us = now_of(h) + (uint64_t)s * 1000000;
}

/* Long requests by TCP only where the trunk wants it and the peer did not leave them unanswered. */
static void udp_keep(const struct hops *h, const struct resolve_hit *hit) {
  const struct conf_trunk *trunk = conf_trunk_find(h->t->env.conf, slice_of(h->trunk));
  struct shun_target s = target_of(h->trunk, &hit->addr, TRANSPORT_TCP);
  uint32_t left_s;
  if (hit->transport == TRANSPORT_UDP)
    send_keep_udp(&hit->addr, !trunk || !trunk->udp_to_tcp ||
                                  shun_of(h->t->shunned, &s, now_of(h), &left_s) != SHUN_NOT);
}

static void hop_fail(struct hops *h, int status, bool is_peer, uint32_t retry_after_s, const char *why) {
  h->end = (struct hops_end){.status = status,
                             .is_peer = is_peer,
                             .retry_after_s = retry_after_s,
                             .why = why,
                             .fault = is_peer         ? WHY_FAULT_NONE
                                      : status == 408 ? WHY_FAULT_SILENT
                                                      : WHY_FAULT_REFUSED};
  h->is_waiting = h->is_heard = false;
}

/* The target that is out is silent, and here is another one. */
static void silent_drop(struct hops *h) {
  hop_shun(h, SHUN_LAST, SHUN_DEAD_S);
  h->user->abandon(h->magic);
  hop_fail(h, 408, false, 0, "the trunk did not answer");
}

/* True when it is out, or the walk is not ours any more. */
static bool hop_send(struct hops *h, const struct resolve_hit *hit, const struct resolve_want *want) {
  pool_handle self = h->self;
  struct trunks *t = h->t;
  if (h->is_waiting)
    silent_drop(h);
  h->tried[h->n_tried++] = (struct tried){hit->addr, hit->transport, 0};
  udp_keep(h, hit);
  h->hop.addr = hit->addr;
  h->hop.transport = hit->transport;
  h->hop.goal = h->uris[h->uri];
  slice_copy(h->hop.uri, sizeof h->hop.uri, slice_of(h->seek));
  hops_route(&h->hop, want);
  h->is_waiting = true;
  silence_arm(h, false);
  const struct hop hop = h->hop;
  bool is_out = h->user->send(h->magic, &hop);
  h = pool_get(t->hops, self);
  if (is_out || !h)
    return true;
  hop_fail(h, 503, false, 0, "the request could not be sent");
  return false;
}

static void on_list(void *arg, uint64_t magic, int error, const struct resolve_list *list) {
  struct trunks *t = arg;
  struct hops *h = pool_get(t->hops, magic);
  if (!h)
    return;
  h->job = 0;
  h->list = *list;
  h->at = 0;
  h->has_list = true;
  if (error && error != -ENOENT && !h->end.status)
    h->end = (struct hops_end){.status = 502,
                               .why = "no DNS server tells the address of the trunk's target",
                               .fault = WHY_FAULT_DNS};
  go_on(h);
}

/* The list of the present URI: 1 there, 0 it will come, -errno: there is none. */
static int list_get(struct hops *h, const struct resolve_want *want) {
  if (h->has_list)
    return 1;
  int e = resolver_look(h->t->resolver, want, now_of(h), on_list, h->t, h->self, &h->job, &h->list);
  lookup_settle(h->t);
  h->at = 0;
  h->has_list = e != 0;
  if (e < 0)
    h->list.n = 0;
  if (e < 0 && e != -ENOENT && !h->end.status)
    h->end = (struct hops_end){
        .status = 502, .why = "the trunk's target cannot be resolved", .fault = WHY_FAULT_NO_ADDRESS};
  return e;
}

/* Nothing more to try: the target that is out may still speak, for as long as the trunk may be silent.
 */
static void seek_end(struct hops *h) {
  if (h->is_waiting)
    silence_arm(h, true);
  else
    walk_over(h);
}

static void uri_next(struct hops *h) {
  h->has_list = false;
  h->uri++;
}

/* The next of the targets that a pinned trunk has, whatever its names say. */
static const struct hop *pinned_next(const struct hops *h, const struct pin *pin) {
  if (h->n_tried == HOPS_TRIES_MAX || (h->n_tried && now_of(h) >= h->until_us))
    return NULL;
  for (uint32_t i = 0; pin && i < pin->n; i++) {
    const struct hop *hop = &pin->list[i];
    bool was = false;
    for (uint32_t k = 0; k < h->n_tried && !was; k++)
      was = h->tried[k].key == hop->key && h->tried[k].transport == hop->transport &&
            addr_eq(&h->tried[k].addr, &hop->addr);
    if (!was)
      return hop;
  }
  return NULL;
}

static bool pinned_go(struct hops *h, const struct pin *pin) {
  for (const struct hop *next = pinned_next(h, pin); next; next = pinned_next(h, pin)) {
    const struct hop hop = *next;
    struct trunks *t = h->t;
    pool_handle self = h->self;
    if (h->is_waiting)
      silent_drop(h);
    h->tried[h->n_tried++] = (struct tried){hop.addr, hop.transport, hop.key};
    h->hop = hop;
    h->is_waiting = true;
    silence_arm(h, !pinned_next(h, pin));
    if (h->user->send(h->magic, &hop) || !(h = pool_get(t->hops, self)))
      return true;
    hop_fail(h, 503, false, 0, "the request could not be sent");
  }
  return false;
}

/* To the next target, or to the end; stops where the resolver has to be waited for. */
static void go_on(struct hops *h) {
  const struct conf_trunk *trunk = conf_trunk_find(h->t->env.conf, slice_of(h->trunk));
  const struct pin *pin = pin_of(h->t, h->trunk);
  struct resolve_want want;
  if (pin && pinned_go(h, pin))
    return;
  while (trunk && !pin && h->round < ROUNDS && h->n_tried < HOPS_TRIES_MAX && now_of(h) < h->until_us) {
    bool is_end = h->uri >= h->n_uris;
    int e = is_end ? -ENOENT : want_make(h->t, trunk, h->uris[h->uri], h->seek, sizeof h->seek, &want);
    if (is_end) {
      h->round++;
      h->uri = 0;
      h->has_list = false;
      continue;
    }
    e = e < 0 ? e : list_get(h, &want);
    if (e == 0) {
      silence_arm(h, true); /* DNS has what time is left; whoever is out may speak meanwhile */
      return;
    }
    while (h->at < h->list.n && h->n_tried < HOPS_TRIES_MAX) {
      const struct resolve_hit hit = h->list.hits[h->at++];
      if (is_due(h, &hit) && hop_send(h, &hit, &want))
        return;
    }
    uri_next(h);
  }
  seek_end(h);
}

/* Nobody answers the long request by TCP: the same target by UDP. */
static bool udp_again(struct hops *h) {
  const struct resolve_hit hit = {h->hop.addr, h->hop.transport};
  struct shun_target s = target_of(h->trunk, &hit.addr, TRANSPORT_TCP);
  if (hit.transport != TRANSPORT_UDP || !h->user->is_switched || !h->user->is_switched(h->magic))
    return false;
  log_info(trunk, "trunk %s: no answer by TCP, long requests go by UDP for %u s", h->trunk, SHUN_DEAD_S);
  shun_add(h->t->shunned, &s, SHUN_LAST, SHUN_DEAD_S, now_of(h));
  udp_keep(h, &hit);
  const struct hop hop = h->hop;
  struct trunks *t = h->t;
  pool_handle self = h->self;
  h->user->abandon(h->magic);
  silence_arm(h, false);
  if (h->user->send(h->magic, &hop) || !(h = pool_get(t->hops, self)))
    return true;
  hop_fail(h, 503, false, 0, "the request could not be sent");
  return false;
}

static void on_silence(void *arg) {
  struct trunks *t = the_trunks;
  struct hops *h = t ? pool_get(t->hops, (pool_handle)(uintptr_t)arg) : NULL;
  if (!h)
    return;
  if (h->is_waiting && !h->is_heard && udp_again(h))
    return;
  if (!h->is_last) {
    go_on(h);
    return;
  }
  if (h->is_waiting) {
    hop_shun(h, SHUN_LAST, SHUN_DEAD_S);
    h->user->abandon(h->magic);
  }
  hop_fail(h, 408, false, 0, "the trunk did not answer");
  walk_over(h);
}

static void uris_order(struct hops *h, const struct conf_trunk *trunk) {
  char uri[CONF_PATH_BYTES];
  uint32_t goal;
  while (h->n_uris < CONF_HUBS_MAX && watch_target(h->t, trunk, h->n_uris, uri, sizeof uri, &goal) == 0)
    h->uris[h->n_uris++] = (uint8_t)goal;
}

int hops_begin(struct trunks *t, const struct conf_trunk *trunk, const struct hops_user *user,
               void *magic, pool_handle *ret) {
  struct hops *h = pool_add(t->hops, ret);
  if (!h)
    return -ENOSPC;
  h->self = *ret;
  h->t = t;
  h->user = user;
  h->magic = magic;
  slice_copy(h->trunk, sizeof h->trunk, slice_of(trunk->name));
  until_set(h, trunk);
  h->timer = (struct timer){.fn = on_silence, .arg = (void *)(uintptr_t)h->self}; // NOLINT
  uris_order(h, trunk);
  go_on(h);
  return 0;
}

void hops_end(struct trunks *t, pool_handle hops) {
  struct hops *h = hops ? pool_get(t->hops, hops) : NULL;
  if (h)
    walk_drop(h);
}

static void hop_good(struct hops *h) { hops_mark(h->t, h->trunk, &h->hop, true); }

/* A 100 is a sign of life: no other target is tried. An SBC by direct routing has to say more in its
 * time, a carrier may take longer, unless progress_s says how long. */
static void hop_heard(struct hops *h) {
  const struct conf_trunk *trunk = conf_trunk_find(h->t->env.conf, slice_of(h->trunk));
  if (trunk && trunk->progress_s && !h->is_heard)
    h->until_us = now_of(h) + (uint64_t)trunk->progress_s * 1000000;
  h->is_heard = true;
  if (h->job)
    resolver_cancel(h->t->resolver, h->job);
  h->job = 0;
  if (trunk && (trunk->progress_s || trunk->kind == TRUNK_DIRECT_ROUTING))
    silence_arm(h, true);
  else
    loop_disarm(h->t->env.loop, &h->timer);
}

/* The target's failure: on. */
static void hop_failed(struct hops *h, int status, bool is_own, uint32_t retry_after_s) {
  uint32_t quiet_s = retry_after_s > SHUN_QUIET_MAX_S ? SHUN_QUIET_MAX_S : retry_after_s;
  if (is_own)
    hop_shun(h, SHUN_LAST, SHUN_DEAD_S);
  else if (status == 503)
    hop_shun(h, quiet_s ? SHUN_NEVER : SHUN_LAST, quiet_s ? quiet_s : SHUN_BUSY_S);
  hop_fail(h, status, !is_own, retry_after_s,
           is_own ? "the trunk cannot be reached" : "the trunk is busy");
  loop_disarm(h->t->env.loop, &h->timer);
  if (now_of(h) >= h->until_us) /* it had said 100, and took its time */
    until_set(h, conf_trunk_find(h->t->env.conf, slice_of(h->trunk)));
  if (!h->job)
    go_on(h);
}

/* What one of several bindings says of itself alone. */
static bool is_of_binding(const struct hops *h, int status) {
  static const int gone[] = {408, 410, 480, 500, 502, 504};
  for (size_t i = 0; i < COUNT_OF(gone); i++)
    if (status == gone[i])
      return pinned_next(h, pin_of(h->t, h->trunk)) != NULL;
  return false;
}

bool hops_response(struct trunks *t, pool_handle hops, int status, bool is_own, uint32_t retry_after_s) {
  struct hops *h = hops ? pool_get(t->hops, hops) : NULL;
  if (!h || !h->is_waiting)
    return false;
  if (status == 100) {
    hop_heard(h);
    return false;
  }
  bool is_failure = is_own ? status >= 300 : status == 503 || is_of_binding(h, status);
  if (!is_failure) {
    if (!is_own)
      hop_good(h);
    walk_drop(h);
    return false;
  }
  hop_failed(h, status, is_own, retry_after_s);
  return true;
}

void hops_pin(struct trunks *t, const char *trunk, const struct hop *list, uint32_t n) {
  struct pin *p = NULL;
  for (uint32_t i = 0; i < CONF_TRUNKS_MAX && !p; i++)
    if (t->pins[i].n && !strcmp(t->pins[i].trunk, trunk))
      p = &t->pins[i];
  for (uint32_t i = 0; i < CONF_TRUNKS_MAX && !p && n; i++)
    if (!t->pins[i].n)
      p = &t->pins[i];
  struct hop *kept = n ? calloc(n, sizeof *kept) : NULL;
  if (!p || (n && !kept)) {
    free(kept);
    return;
  }
  for (uint32_t i = 0; i < n; i++)
    kept[i] = list[i];
  free(p->list);
  p->list = kept;
  p->n = n;
  slice_copy(p->trunk, sizeof p->trunk, slice_of(trunk));
}

void hops_mark(struct trunks *t, const char *trunk, const struct hop *hop, bool is_good) {
  struct shun_target s = target_of(trunk, &hop->addr, hop->transport);
  if (is_good)
    shun_release(t->shunned, &s);
  else
    shun_add(t->shunned, &s, SHUN_LAST, SHUN_DEAD_S, loop_now_us(t->env.loop));
}

static void on_known(void *arg, uint64_t magic, int error, const struct resolve_list *list) {
  (void)arg, (void)magic, (void)error, (void)list;
}

uint32_t hops_list(struct trunks *t, const struct conf_trunk *trunk, struct hop *ret, uint32_t max) {
  struct resolve_want want;
  struct resolve_list list;
  char uri[CONF_PATH_BYTES];
  pool_handle job;
  uint32_t n = 0;
  int e;
  for (uint32_t i = 0; (e = want_make(t, trunk, i, uri, sizeof uri, &want)) != -ENOENT; i++) {
    if (e < 0 ||
        resolver_look(t->resolver, &want, loop_now_us(t->env.loop), on_known, NULL, 0, &job, &list) != 1)
      continue;
    for (uint32_t k = 0; k < list.n && n < max; k++, n++) {
      ret[n] = (struct hop){.addr = list.hits[k].addr, .transport = list.hits[k].transport, .goal = i};
      slice_copy(ret[n].uri, sizeof ret[n].uri, slice_of(uri));
      hops_route(&ret[n], &want);
    }
  }
  lookup_settle(t);
  return n;
}

uint32_t hops_seats(struct trunks *t, const struct conf_trunk *trunk, struct resolve_seat *ret,
                    uint32_t max) {
  struct resolve_want want;
  char uri[CONF_PATH_BYTES];
  uint32_t n = 0;
  int e;
  for (uint32_t i = 0; (e = want_make(t, trunk, i, uri, sizeof uri, &want)) != -ENOENT && n < max; i++)
    if (e == 0)
      n += resolver_seats(t->resolver, &want, loop_now_us(t->env.loop), ret + n, max - n);
  return n;
}

int hops_start(struct trunks *t) {
  t->pins = calloc(CONF_TRUNKS_MAX, sizeof *t->pins);
  return t->pins ? pool_new(&t->hops, sizeof(struct hops), DIALOGS_MAX) : -ENOMEM;
}

void hops_stop(struct trunks *t) {
  uint32_t slot = 0;
  struct hops *h;
  while (t->hops && (h = pool_next(t->hops, &slot, NULL)))
    walk_drop(h);
  t->hops = pool_free(t->hops);
  for (uint32_t i = 0; t->pins && i < CONF_TRUNKS_MAX; i++)
    free(t->pins[i].list);
  free(take(t->pins));
}
