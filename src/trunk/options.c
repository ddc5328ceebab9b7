/* SPDX-License-Identifier: Apache-2.0
 * OPTIONS: answered to a known peer, sent to each trunk that asks for it; health of trunks by what
 * comes back. Toward a direct-routing SBC nothing is sent before its own first one (requirements O-1).
 * Two without an answer in a row make a trunk down, one good answer makes it up. RFC 3261 11. */
#include "base/clock.h"
#include "base/rand.h"
#include "trunk/inner.h"

#include <stdio.h>

enum { MISSES_DOWN = 2 };

static void options_due(void *arg);

const char *trunk_state_text(enum trunk_state s) {
  static const char *const texts[] = {"unknown", "up", "down"};
  return s <= TRUNK_DOWN ? texts[s] : "unknown";
}

static const struct conf_trunk *trunk_of(const struct watch_trunk *w) {
  return conf_trunk_find(w->t->env.conf, slice_of(w->trunk));
}

static void options_arm(struct watch_trunk *w, uint64_t in_us) {
  w->timer.fn = options_due;
  w->timer.arg = w;
  loop_arm(w->t->env.loop, &w->timer, in_us);
}

/* The interval, give or take a tenth, so that trunks do not march in step. */
static uint64_t interval_us(const struct conf_trunk *trunk) {
  uint64_t us = (uint64_t)(trunk->options_interval_s ? trunk->options_interval_s : 60) * 1000000;
  return us - us / 10 + rand_below((uint32_t)(us / 5 > UINT32_MAX ? UINT32_MAX : us / 5));
}

static void health_set(struct watch_trunk *w, int status, bool is_good) {
  enum trunk_state before = w->health.state;
  w->health.last_status = status;
  w->misses = is_good ? 0 : w->misses + 1;
  if (is_good)
    w->health.state = TRUNK_UP, w->health.answered++;
  else
    w->health.failed++;
  if (w->misses >= MISSES_DOWN)
    w->health.state = TRUNK_DOWN;
  if (before != w->health.state)
    log_info(trunk, "trunk %s is %s (OPTIONS: %d)", w->trunk, trunk_state_text(w->health.state), status);
}

/* magic: the slot of the watch and its run, so that an answer after a reload finds nothing. */
static void *magic_of(const struct watch_trunk *w) {
  return (void *)(uintptr_t)(w->run << 16 | (uint64_t)(w - w->t->watches)); // NOLINT
}

static struct watch_trunk *watch_of(const void *magic) {
  uint64_t m = (uintptr_t)magic, slot = m & 0xffff;
  struct trunks *t = the_trunks;
  if (!t || slot >= t->n_watches || t->watches[slot].run != m >> 16 || !t->watches[slot].pending)
    return NULL;
  loop_freshen(t->env.loop);
  return &t->watches[slot];
}

/* Any final answer but these shows that the peer lives. */
static bool is_alive(int status, bool is_own) {
  return !is_own && status != 408 && status != 503 && status != 504 && status != 502 && status != 500;
}

static int options_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
  struct watch_trunk *w = watch_of(magic);
  if (status < 200)
    return 0;
  nta_outgoing_destroy(orq);
  if (!w)
    return 0;
  w->pending = false;
  health_set(w, status, is_alive(status, !sip || nta_sip_is_internal(sip)));
  return 0;
}

static void options_send(struct watch_trunk *w, const struct conf_trunk *trunk, struct agent *a) {
  char from[URI_BYTES], to[CONF_PATH_BYTES + 2], contact[URI_BYTES + 2], uri[URI_BYTES];
  const char *host = *trunk->fqdn ? trunk->fqdn : a->host;
  snprintf(from, sizeof from, "<%s>", header_uri(uri, sizeof uri, "", host, 0, NULL));
  snprintf(to, sizeof to, "<%s>", trunk->target);
  snprintf(contact, sizeof contact, "<%s>",
           header_uri(uri, sizeof uri, "", host, a->port, agent_transport(a)));
  nta_leg_t *leg =
      nta_leg_tcreate(a->nta, dialog_request, NULL, SIPTAG_FROM_STR(from), SIPTAG_TO_STR(to), TAG_END());
  if (!leg)
    return;
  w->run++;
  w->pending = true;
  w->health.sent++;
  w->health.last_sent_ms = clock_wall_ms();
  count_one(&trunk_counters, TRUNKCOUNT_options_out);
  nta_leg_tag(leg, NULL);
  nta_outgoing_t *orq = nta_outgoing_tcreate(
      leg, options_response, magic_of(w), NULL, SIP_METHOD_OPTIONS, URL_STRING_MAKE(trunk->target),
      SIPTAG_CONTACT_STR(contact), SIPTAG_ALLOW_STR(ALLOW), SIPTAG_ACCEPT_STR(SDP_TYPE),
      SIPTAG_USER_AGENT_STR(w->t->product), TAG_END());
  nta_leg_destroy(leg);
  if (!orq) {
    w->pending = false;
    health_set(w, 0, false);
  }
}

static void options_due(void *arg) {
  struct watch_trunk *w = arg;
  const struct conf_trunk *trunk = trunk_of(w);
  struct agent *a = trunk ? agent_find(w->t, trunk->listener) : NULL;
  if (!trunk || !a)
    return;
  bool may_start = trunk->kind != TRUNK_DIRECT_ROUTING || w->health.received;
  if (may_start && !w->pending && trunk->enabled)
    options_send(w, trunk, a);
  options_arm(w, interval_us(trunk));
}

/* Keeps what was known of a trunk that stays. */
void options_start(struct trunks *t) {
  const struct conf *conf = t->env.conf;
  struct watch_trunk *old = calloc(CONF_TRUNKS_MAX, sizeof *old);
  uint32_t n_old = t->n_watches;
  if (!old)
    abort();
  memcpy(old, t->watches, n_old * sizeof *old);
  memset(t->watches, 0, sizeof t->watches);
  t->n_watches = 0;
  for (uint32_t i = 0; i < conf->n_trunks && i < CONF_TRUNKS_MAX; i++) {
    struct watch_trunk *w = &t->watches[t->n_watches++];
    for (uint32_t k = 0; k < n_old; k++)
      if (!strcmp(old[k].trunk, conf->trunks[i].name))
        *w = old[k];
    w->t = t;
    w->pending = false;
    w->run += CONF_TRUNKS_MAX;
    w->timer = (struct timer){0};
    slice_copy(w->trunk, sizeof w->trunk, slice_of(conf->trunks[i].name));
    if (conf->trunks[i].options && *conf->trunks[i].target)
      options_arm(w, 100000 + rand_below(400000));
  }
  free(old);
}

void options_stop(struct trunks *t) {
  for (uint32_t i = 0; i < t->n_watches; i++)
    loop_disarm(t->env.loop, &t->watches[i].timer);
}

void options_in(struct agent *a, msg_t *msg, const struct conf_trunk *trunk) {
  struct trunks *t = a->t;
  struct watch_trunk *w = watch_find(t, trunk->name);
  struct reply r;
  char uri[URI_BYTES];
  bool is_open = !t->draining && calls_is_ready(t->env.calls) && trunk->enabled;
  count_one(&trunk_counters, TRUNKCOUNT_options_in);
  if (w) {
    w->health.received++;
    w->health.last_received_ms = clock_wall_ms();
    if (w->health.received == 1 && trunk->kind == TRUNK_DIRECT_ROUTING && timer_is_armed(&w->timer))
      options_arm(w, 100000);
  }
  reply_init(&r, is_open ? 200 : 503);
  r.allow = ALLOW;
  r.accept = SDP_TYPE;
  snprintf(r.contact, sizeof r.contact, "<%s>",
           header_uri(uri, sizeof uri, "", *trunk->fqdn ? trunk->fqdn : a->host, a->port,
                      agent_transport(a)));
  if (!is_open)
    snprintf(r.retry_after, sizeof r.retry_after, "30");
  reply_stateless(a, msg, &r);
}

bool trunks_health(const struct trunks *t, const char *trunk, struct trunk_health *ret) {
  for (uint32_t i = 0; i < t->n_watches; i++)
    if (!strcmp(t->watches[i].trunk, trunk)) {
      *ret = t->watches[i].health;
      return true;
    }
  return false;
}

/* A tenant stands and falls with its base (O-9). */
int health_rank(const struct trunks *t, const struct conf_trunk *trunk) {
  const struct conf_trunk *base = conf_trunk_base(t->env.conf, trunk);
  struct trunk_health h;
  if (!trunk->enabled || !base->enabled)
    return -ESHUTDOWN;
  return trunks_health(t, base->name, &h) && h.state == TRUNK_DOWN ? 1 : 0;
}
