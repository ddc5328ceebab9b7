/* SPDX-License-Identifier: Apache-2.0
 * Active tests of a trunk: its targets, what is known of its OPTIONS, handshakes apart from connections
 * that carry calls; lines are in line.c. One handshake at a time for each of a few slots. Call thread.
 */
#include "trunk/probe.h"
#include "trunk/hops.h"
#include "trunk/line.h"
#include "trunk/probetls.h"
#include "trunk/profile.h"

#include <sys/eventfd.h>

enum { SHAKES_MAX = 4 };

static struct shakes {
  struct watch watch;
  bool is_watched;
  struct {
    struct probetls *tls;
    void (*done)(void *arg, const struct probe_tls *r);
    void *arg;
  } slot[SHAKES_MAX];
} shakes;

static uint32_t probe_targets(void *arg, const struct conf_trunk *trunk, struct probe_target *ret,
                              uint32_t max) {
  struct hop hops[PROBE_TARGETS_MAX];
  uint32_t n = hops_list(arg, trunk, hops, max < PROBE_TARGETS_MAX ? max : PROBE_TARGETS_MAX);
  for (uint32_t i = 0; i < n; i++) {
    ret[i] = (struct probe_target){
        .addr = hops[i].addr, .transport = hops[i].transport, .goal = hops[i].goal};
    slice_copy(ret[i].uri, sizeof ret[i].uri, slice_of(hops[i].uri));
  }
  return n;
}

static uint32_t probe_seats(void *arg, const struct conf_trunk *trunk, struct probe_seat *ret,
                            uint32_t max) {
  struct resolve_seat seats[PROBE_TARGETS_MAX];
  uint32_t n = hops_seats(arg, trunk, seats, max < PROBE_TARGETS_MAX ? max : PROBE_TARGETS_MAX);
  for (uint32_t i = 0; i < n; i++) {
    ret[i] = (struct probe_seat){.port = seats[i].port,
                                 .priority = seats[i].priority,
                                 .weight = seats[i].weight,
                                 .n_addrs = seats[i].n_addrs,
                                 .first = seats[i].first};
    snprintf(ret[i].name, sizeof ret[i].name, "%.*s", (int)sizeof ret[i].name - 1, seats[i].name);
  }
  return n;
}

static bool probe_heard(void *arg, const struct conf_trunk *trunk, struct probe_heard *ret) {
  struct trunk_health h;
  if (!trunks_health(arg, trunk->name, &h))
    return false;
  *ret = (struct probe_heard){.received = h.received,
                              .last_ms = h.last_received_ms,
                              .interval_s = trunk->options_interval_s ? trunk->options_interval_s : 60,
                              .is_due = health_rule_of(trunk).hears};
  return true;
}

static void on_shake(void *arg, uint32_t events) {
  struct trunks *t = arg;
  uint64_t n;
  (void)events;
  if (read(shakes.watch.fd, &n, sizeof n) < 0)
    return;
  loop_freshen(t->env.loop);
  for (int i = 0; i < SHAKES_MAX; i++) {
    struct probe_tls r;
    if (!shakes.slot[i].tls || !probetls_result(shakes.slot[i].tls, &r))
      continue;
    shakes.slot[i].tls = probetls_free(shakes.slot[i].tls);
    shakes.slot[i].done(shakes.slot[i].arg, &r);
  }
}

static int watch_begin(struct trunks *t) {
  if (shakes.is_watched)
    return 0;
  shakes.watch = (struct watch){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .fn = on_shake, .arg = t};
  int e = shakes.watch.fd < 0 ? -errno : loop_watch(t->env.loop, &shakes.watch, EPOLLIN);
  if (e < 0 && shakes.watch.fd >= 0)
    close(shakes.watch.fd);
  shakes.is_watched = e == 0;
  return e;
}

static int probe_shake(void *arg, const struct conf_trunk *trunk, const struct probe_target *target,
                       bool has_sni, void (*done)(void *arg, const struct probe_tls *r),
                       void *done_arg) {
  struct trunks *t = arg;
  struct resolve_want want;
  struct agent *a = agent_find(t, trunk->listener);
  struct probetls_order o = {.addr = target->addr, .has_sni = has_sni};
  int i = 0;
  while (i < SHAKES_MAX && shakes.slot[i].tls)
    i++;
  if (i == SHAKES_MAX || !a || hops_want(t, trunk, target->uri, &want) < 0)
    return i == SHAKES_MAX ? -EBUSY : -EINVAL;
  int e = watch_begin(t);
  if (e < 0)
    return e;
  o.event_fd = shakes.watch.fd;
  slice_copy(o.name, sizeof o.name, slice_of(want.host));
  slice_copy(o.own_name, sizeof o.own_name, slice_of(trunk->fqdn));
  o.creds = profile_creds(slice_of(trunk->listener));
  if (!o.creds)
    return -ENOENT;
  e = probetls_new(&shakes.slot[i].tls, &o);
  if (e < 0)
    creds_free(o.creds);
  shakes.slot[i].done = done;
  shakes.slot[i].arg = done_arg;
  return e;
}

void probe_stop(struct trunks *t) {
  for (int i = 0; i < SHAKES_MAX; i++)
    shakes.slot[i].tls = probetls_free(shakes.slot[i].tls);
  if (shakes.is_watched) {
    loop_unwatch(t->env.loop, &shakes.watch);
    close(shakes.watch.fd);
  }
  shakes.is_watched = false;
}

const struct door_probe trunk_probe = {
    .targets = probe_targets,
    .seats = probe_seats,
    .heard = probe_heard,
    .open = line_open,
    .ask = line_ask,
    .close = line_close,
    .shake = probe_shake,
};
