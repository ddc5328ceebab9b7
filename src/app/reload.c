/* SPDX-License-Identifier: Apache-2.0
 * A configuration and its dialplan into force, between two turns of the call thread; who asks for it
 * waits on a thread of its own. Replaced configurations are kept until the end: live calls point into
 * them. Plans are not: calls have copies. */
#include "app/boot.h"

#include "base/jail.h"
#include "base/log.h"
#include "base/mbox.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { WAIT_MS = 5000, STEP_MS = 100, QUEUE = 8 };

/* What goes to the call thread. Who is last to let go of it frees it. */
struct handover {
  pthread_mutex_t lock;
  pthread_cond_t cond;
  struct conf *conf;
  struct plan *plan;
  bool lenient, is_begun, is_done, is_given_up;
  int result;
  char why[256];
};

static void handover_free(struct handover *o) {
  pthread_cond_destroy(&o->cond);
  pthread_mutex_destroy(&o->lock);
  free(o);
}

static int keep_old(struct house *h) {
  struct conf **confs = realloc(h->old_confs, (h->old_n + 1) * sizeof(struct conf *));
  if (!confs)
    return -ENOMEM;
  h->old_confs = confs;
  h->old_confs[h->old_n++] = h->conf;
  return 0;
}

static int doors_take(struct house *h, struct conf *c, struct plan *p, char *why, size_t why_bytes) {
  store_keep(h->store, c->records.keep_days * UINT64_C(86400000),
             c->records.keep_mb * UINT64_C(1000000));
  const struct admin_push push = house_push(c);
  store_spool(h->store, push.url[0], c->records.push.interim);
  if (admin_push_set(h->admin, &push) < 0)
    log_error(app, "records.push: its thread cannot be started");
  guard_reload(h->guard, c);
  traces_set(h->traces, (enum trace_policy)c->records.trace, c->records.trace_sample);
  calls_reload(h->calls, c, p);
  native_reload(h->native, c);
  doctor_reload(h->doctor, c);
  return trunks_reload(h->trunks, c, why, why_bytes);
}

/* What cannot fail halfway. */
static int admin_take(struct house *h, const struct conf *c) {
  struct admin_certificate rows[CONF_CERTIFICATES_MAX];
  return h->admin ? admin_certificates(h->admin, rows, house_admin_certificates(c, rows)) : 0;
}

static int take_both(struct house *h, struct handover *o) {
  char more[256];
  struct plan *old = h->plan;
  if (keep_old(h) < 0)
    return -ENOMEM;
  int r = doors_take(h, o->conf, o->plan, o->why, sizeof(o->why));
  if (r < 0 && !o->lenient) {
    h->old_n--;
    (void)(doors_take(h, h->conf, old, more, sizeof(more)) < 0); /* as before */
    return r;
  }
  if (r < 0)
    log_error(app, "reload: %s", o->why);
  h->conf = o->conf;
  h->plan = o->plan;
  if (admin_take(h, o->conf) < 0)
    log_error(app, "reload: no memory for admin.certificates");
  plan_free(old);
  return 0;
}

static void handover_take(struct house *h, struct handover *o) {
  pthread_mutex_lock(&o->lock);
  bool is_given_up = o->is_given_up;
  o->is_begun = true;
  pthread_mutex_unlock(&o->lock);
  if (is_given_up) {
    handover_free(o);
    return;
  }
  int r = take_both(h, o);
  pthread_mutex_lock(&o->lock);
  o->result = r;
  o->is_done = true;
  pthread_cond_signal(&o->cond);
  pthread_mutex_unlock(&o->lock);
}

static void on_handover(void *arg, uint32_t events) {
  struct house *h = arg;
  struct handover *o;
  (void)events;
  while (mbox_get(h->handovers, &o))
    handover_take(h, o);
}

/* Until it is done; false: given up before it was begun. */
static bool handover_wait(struct house *h, struct handover *o) {
  struct timespec until;
  pthread_mutex_lock(&o->lock);
  for (int ms = 0; !o->is_done && (o->is_begun || (ms < WAIT_MS && !atomic_load(&h->gone)));
       ms += STEP_MS) {
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += STEP_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&o->cond, &o->lock, &until);
  }
  bool is_done = o->is_done;
  o->is_given_up = !is_done;
  pthread_mutex_unlock(&o->lock);
  return is_done;
}

static int apply(void *arg, struct conf *c, struct plan *p, bool lenient, char *why, size_t why_bytes) {
  struct house *h = arg;
  struct handover *o = calloc(1, sizeof(*o));
  pthread_condattr_t monotonic;
  if (!o)
    return -ENOMEM;
  *o = (struct handover){.conf = c, .plan = p, .lenient = lenient};
  pthread_mutex_init(&o->lock, NULL);
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&o->cond, &monotonic);
  pthread_condattr_destroy(&monotonic);
  if (mbox_put(h->handovers, &o) < 0) {
    handover_free(o);
    return -EAGAIN;
  }
  if (!handover_wait(h, o)) { /* whoever finds it in the mailbox frees it */
    snprintf(why, why_bytes, "the call thread does not take it");
    return -ETIMEDOUT;
  }
  int r = o->result;
  snprintf(why, why_bytes, "%s", o->why);
  handover_free(o);
  return r;
}

/* What the configuration's own reader does not look into: do keys and certificates fit? */
static int look(const struct conf *c, char *why, size_t why_bytes) {
  const struct {
    const char *cert, *key;
  } pairs[] = {{c->service.certificate, c->service.key}, {c->admin.certificate, c->admin.key}};
  const char *push_why = NULL;
  const struct admin_push push = house_push(c);
  int r = trunks_check(c, why, why_bytes);
  if (r == 0 && (r = admin_push_check(&push, &push_why)) < 0)
    snprintf(why, why_bytes, "%s: %s", push_why, strerror(-r));
  for (size_t i = 0; r == 0 && i < COUNT_OF(pairs); i++)
    if (pairs[i].cert[0])
      r = web_pair_check(pairs[i].cert, pairs[i].key, why, why_bytes);
  if (r == 0 && c->admin.client_ca[0])
    r = web_ca_check(c->admin.client_ca, why, why_bytes);
  uint64_t until_s; /* one past its time is an alarm */
  if (r == 0 && c->admin.client_crl[0])
    r = web_crl_check(c->admin.client_crl, &until_s, why, why_bytes);
  return r;
}

int house_revise(struct house *h) {
  char folder[CONF_PATH_BYTES + 8];
  struct revise_env env = {.file = h->conf_file,
                           .state_dir = h->conf->node.state_dir,
                           .store_file = h->conf->records.file,
                           .look = look,
                           .apply = apply,
                           .arg = h};
  int r = mbox_new(&h->handovers, sizeof(struct handover *), QUEUE);
  if (r < 0)
    return r;
  h->handover = (struct watch){.fd = mbox_fd(h->handovers), .fn = on_handover, .arg = h};
  r = loop_watch(h->loop, &h->handover, EPOLLIN);
  if (r == 0)
    r = revise_new(&h->revise, &env);
  snprintf(folder, sizeof(folder), "%s/config", h->conf->node.state_dir);
  return r < 0 ? r : jail_give(folder, h->conf->node.user);
}

void house_revise_stop(struct house *h) {
  struct handover *o;
  revise_free(h->revise);
  if (h->loop && h->handover.on)
    loop_unwatch(h->loop, &h->handover);
  while (h->handovers && mbox_get(h->handovers, &o))
    handover_free(o);
  mbox_free(h->handovers);
}
