/* SPDX-License-Identifier: Apache-2.0
 * Which of our connections are pinged, by trunks[].keepalive_s: see ping.h. Call thread. */
#include "base/clock.h"
#include "trunk/inner.h"
#include "trunk/ping.h"

enum { LOOK_US = 1000000 };

/* The shortest that a trunk of this peer wants. */
static uint32_t silence_s(void *arg, const struct addr *peer, const char *const *names, size_t n) {
  const struct trunks *t = arg;
  struct ask_hosts subjects = {.n = 0};
  uint32_t least = 0;
  for (size_t i = 0; i < n; i++)
    ask_hosts_add(&subjects, names[i], NULL);
  for (uint32_t i = 0; i < t->env.conf->n_trunks; i++) {
    const struct conf_trunk *trunk = &t->env.conf->trunks[i];
    if (trunk->keepalive_s && (!least || trunk->keepalive_s < least) &&
        guard_is_peer(t->env.guard, trunk, peer, &subjects))
      least = trunk->keepalive_s;
  }
  return least;
}

static void sent(void *arg) {
  (void)arg;
  count_one(&trunk_counters, TRUNKCOUNT_keepalives);
}

static void lost(void *arg, const struct addr *peer) {
  char text[ADDR_TEXT_BYTES];
  (void)arg;
  count_one(&trunk_counters, TRUNKCOUNT_keepalives_lost);
  log_warn(trunk, "the connection to %s answers no ping: it is closed",
           addr_text(peer, text, sizeof text));
}

static void look(void *arg) {
  struct trunks *t = arg;
  const struct ping_rule rule = {t, silence_s, sent, lost};
  loop_arm(t->env.loop, &t->keepalive_timer, LOOK_US);
  for (uint32_t i = 0; i < t->env.conf->n_trunks; i++)
    if (t->env.conf->trunks[i].keepalive_s) {
      pings_look(&rule, clock_now_us());
      return;
    }
}

void keepalive_start(struct trunks *t) {
  t->keepalive_timer = (struct timer){.fn = look, .arg = t};
  loop_arm(t->env.loop, &t->keepalive_timer, LOOK_US);
}

void keepalive_stop(struct trunks *t) { loop_disarm(t->env.loop, &t->keepalive_timer); }
