/* SPDX-License-Identifier: Apache-2.0
 * Certificates while the program runs: changed files are taken into use, or refused with an alarm while
 * the old set stays; connections of the old one are closed when they are done (requirements C-14);
 * whose certificate ends soon is said 30, 7 and 1 days before. Call thread. */
#include "trunk/inner.h"
#include "trunk/tls.h"

#include "base/clock.h"

#include <stdio.h>

enum { LOOK_US = 5000000 };

static int64_t now_s(void) { return (int64_t)(clock_wall_ms() / 1000); }

/* True when something of it is new. */
static bool files_watch(struct trunks *t) {
  const struct conf *c = t->env.conf;
  struct expiry_files before = t->files;
  t->files = (struct expiry_files){0};
  for (uint32_t i = 0; i < c->n_listeners; i++) {
    expiry_watch(&t->files, c->listeners[i].certificate);
    expiry_watch(&t->files, c->listeners[i].key);
    expiry_watch(&t->files, c->listeners[i].ca);
  }
  for (uint32_t i = 0; i < c->n_trunks; i++) {
    expiry_watch(&t->files, c->trunks[i].certificate);
    expiry_watch(&t->files, c->trunks[i].key);
  }
  return expiry_differ(&before, &t->files);
}

/* Are the files of that listener others than they were? NULL: some of all are. */
static bool is_renewed(const struct expiry_files *before, const struct conf_listener *l) {
  struct expiry_files own = {0};
  expiry_watch(&own, l->certificate);
  expiry_watch(&own, l->key);
  expiry_watch(&own, l->ca);
  return !before || expiry_differ(before, &own);
}

/* Who gave up root may not read the files again that root loaded: that is no alarm, as nothing is new. */
static int sets_load(struct trunks *t, const struct expiry_files *before, char *why, size_t why_bytes) {
  int result = 0;
  const struct conf *c = t->env.conf;
  char was[sizeof t->renewal_why];
  memcpy(was, t->renewal_why, sizeof was);
  t->renewal_why[0] = 0;
  for (uint32_t i = 0; i < c->n_listeners; i++) {
    const struct conf_listener *l = &c->listeners[i];
    if (l->transport != TRANSPORT_TLS || !agent_find(t, l->name))
      continue;
    if (secure_listener(c, l, true, why, why_bytes) < 0) {
      result = -EINVAL;
      if (is_renewed(before, l))
        snprintf(t->renewal_why, sizeof t->renewal_why, "listener %s: %.150s", l->name, why);
      else if (!t->renewal_why[0])
        memcpy(t->renewal_why, was, sizeof was);
    }
  }
  return result;
}

static const struct conf_listener *listener_of(const struct conf *c, const char *name) {
  for (uint32_t i = 0; i < c->n_listeners; i++)
    if (strcmp(c->listeners[i].name, name) == 0)
      return &c->listeners[i];
  return NULL;
}

static bool sets_same(const struct conf *a, const struct conf *b) {
  for (uint32_t i = 0; i < b->n_listeners; i++) {
    const struct conf_listener *l = &b->listeners[i], *was = listener_of(a, l->name);
    if (l->transport == TRANSPORT_TLS && (!was || !secure_same(a, was, b, l)))
      return false;
  }
  return true;
}

/* Where files and settings are as they were, nothing is read. */
int renewal_reload(struct trunks *t, const struct conf *old, char *why, size_t why_bytes) {
  struct expiry_files before = t->files;
  bool is_new = files_watch(t);
  if (!is_new && !*t->renewal_why && sets_same(old, t->env.conf))
    return 0;
  int r = sets_load(t, &before, why, why_bytes);
  if (is_new)
    links_retire(clock_now_us());
  return r;
}

static void files_look(struct trunks *t) {
  char why[200] = "";
  if (!expiry_look(&t->files))
    return;
  int r = sets_load(t, NULL, why, sizeof why);
  links_retire(clock_now_us());
  if (r < 0)
    log_error(trunk, "certificates changed but stay as they were: %s", t->renewal_why);
  else
    log_info(trunk, "certificates were renewed; connections of the old ones will be closed");
}

int64_t renewal_own_expiry_s(const struct trunks *t, const struct conf_trunk *trunk) {
  for (uint32_t i = 0; i < t->n_agents; i++)
    if (!strcmp(t->agents[i].listener, trunk->listener) && t->agents[i].transport == TRANSPORT_TLS)
      return profile_name_expiry_s(trunk->listener, trunk->fqdn);
  return 0;
}

static void ends_tell(struct trunks *t) {
  char text[64];
  for (uint32_t i = 0; i < t->n_watches; i++) {
    struct watch_trunk *w = &t->watches[i];
    const struct conf_trunk *trunk = conf_trunk_find(t->env.conf, slice_of(w->trunk));
    int64_t ours = trunk ? renewal_own_expiry_s(t, trunk) : 0, theirs = w->health.peer_expiry_s;
    if (expiry_is_news(&w->told_own, ours, now_s()))
      log_warn(trunk, "trunk %s: our certificate %s", w->trunk,
               expiry_text(text, sizeof text, ours, now_s()));
    if (expiry_is_news(&w->told_peer, theirs, now_s()))
      log_warn(trunk, "trunk %s: the peer's certificate %s", w->trunk,
               expiry_text(text, sizeof text, theirs, now_s()));
  }
}

static void look(void *arg) {
  struct trunks *t = arg;
  files_look(t);
  ends_tell(t);
  links_close_retired(clock_now_us());
  loop_arm(t->env.loop, &t->renewal_timer, LOOK_US);
}

void renewal_start(struct trunks *t) {
  (void)files_watch(t);
  t->renewal_timer = (struct timer){.fn = look, .arg = t};
  loop_arm(t->env.loop, &t->renewal_timer, 1000000);
}

void renewal_stop(struct trunks *t) { loop_disarm(t->env.loop, &t->renewal_timer); }

static uint32_t alarm_add(struct trunk_alarm *list, uint32_t n, uint32_t max, const char *trunk,
                          const char *who, int64_t end_s) {
  char text[64];
  int step = expiry_step(end_s, now_s());
  if (step == EXPIRY_NEVER || n >= max)
    return n;
  slice_copy(list[n].trunk, sizeof list[n].trunk, slice_of(trunk));
  list[n].is_grave = step <= 1;
  snprintf(list[n].text, sizeof list[n].text, "%s certificate %s", who,
           expiry_text(text, sizeof text, end_s, now_s()));
  return n + 1;
}

uint32_t trunks_alarms(const struct trunks *t, struct trunk_alarm *list, uint32_t max) {
  uint32_t n = 0;
  if (*t->renewal_why && max) {
    list[n] = (struct trunk_alarm){.is_grave = true};
    snprintf(list[n++].text, sizeof list->text, "new certificates were refused: %s", t->renewal_why);
  }
  for (uint32_t i = 0; i < t->n_watches; i++) {
    const struct watch_trunk *w = &t->watches[i];
    const struct conf_trunk *trunk = conf_trunk_find(t->env.conf, slice_of(w->trunk));
    if (!trunk || n == max)
      continue;
    n = alarm_add(list, n, max, w->trunk, "our", renewal_own_expiry_s(t, trunk));
    n = alarm_add(list, n, max, w->trunk, "the peer's", w->health.peer_expiry_s);
  }
  return n;
}
