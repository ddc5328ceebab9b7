/* SPDX-License-Identifier: Apache-2.0
 * Verification on a thread of its own: claims first, then certificates (one turn, or when they were
 * fetched), then signatures, then whether the same token was seen in another call. */
#include "stir/desk.h"

#include "base/clock.h"
#include "base/hmac.h"
#include "base/list.h"
#include "stir/tnauth.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

enum { ASKS = 64, SEEN = 4096, TURN_MS = 100 };

struct job {
  struct list node;
  uint64_t due_us;
  struct stir_ask ask;
  struct stir_case c;
};

struct seen { /* a signature that was good, and in which call */
  uint64_t signature, call, at_us;
};

struct desk {
  pthread_t thread;
  bool is_running;
  _Atomic bool stop;
  struct mbox *asks, *results;
  pthread_mutex_t lock; /* lock is of the three below. */
  bool has_next;
  struct stir_rules next;
  X509_STORE *next_roots;
  /* the thread's own: */
  struct stir_rules rules;
  struct certs *certs;
  struct list jobs;
  uint32_t n_jobs;
  struct seen seen[SEEN];
};

static void result_put(struct desk *d, const struct job *j, enum stir_outcome o, const char *why) {
  const struct passport *p = &j->c.token[j->c.main < STIR_FIELDS_MAX ? j->c.main : 0].claims;
  struct stir_result r = {.cookie = j->ask.cookie, .outcome = o};
  if (o == STIR_VALID) {
    r.attest = p->attest;
    slice_copy(r.orig, sizeof r.orig, slice_of(p->orig));
  }
  snprintf(r.detail, sizeof r.detail, "%s", why ? why : "");
  (void)!mbox_put(d->results, &r); /* full: the caller's own deadline ends it */
}

/* The same token in another call within the time that it is fresh: somebody copied it. */
static bool is_replay(struct desk *d, const struct job *j, const struct case_token *t, uint64_t now_us) {
  uint8_t hash[HMAC_SHA256_BYTES];
  uint64_t id;
  hash_sha256(slice_from(t->signature, sizeof t->signature), hash);
  memcpy(&id, hash, sizeof id);
  struct seen *s = &d->seen[id % SEEN];
  bool is_same = s->signature == id && now_us - s->at_us < 2 * d->rules.freshness_s * UINT64_C(1000000);
  if (is_same)
    return s->call != j->ask.call;
  *s = (struct seen){id, j->ask.call, now_us};
  return false;
}

/* The number that its signer must have: of a diverted call that of who diverted it. */
static struct slice speaks_for(const struct passport *p) {
  return slice_of(p->kind == PASSPORT_DIV ? p->div : p->orig);
}

static enum stir_outcome signatures_check(struct desk *d, struct job *j, uint64_t now_us,
                                          const char **why) {
  enum stir_outcome all = STIR_VALID;
  for (uint32_t i = 0; i < j->c.n; i++) {
    struct case_token *t = &j->c.token[i];
    EVP_PKEY *key;
    if (!t->is_needed)
      continue;
    enum stir_outcome o =
        certs_get(d->certs, t->claims.x5u, now_us, (int64_t)(clock_wall_ms() / 1000), &key, why);
    if (o == STIR_NONE && !*why)
      all = STIR_NONE; /* and begin with the others' at the same time */
    else if (o != STIR_VALID)
      return o;
    else if (es256_verify(key, slice_of(t->text), t->signature) < 0)
      return *why = "a signature is not the certificate's", STIR_INVALID;
    else if (!tnauth_covers(certs_numbers(d->certs, t->claims.x5u), speaks_for(&t->claims)))
      return *why = "the certificate does not speak for that number (TNAuthList)", STIR_CERT;
  }
  for (uint32_t i = 0; all == STIR_VALID && i < j->c.n; i++)
    if (j->c.token[i].is_needed && is_replay(d, j, &j->c.token[i], now_us))
      return *why = "the PASSporT was seen in another call", STIR_INVALID;
  return all;
}

/* True: done with it. */
static bool job_step(struct desk *d, struct job *j, uint64_t now_us) {
  const char *why = NULL;
  enum stir_outcome o = signatures_check(d, j, now_us, &why);
  if (o == STIR_NONE && !why && now_us < j->due_us)
    return false;
  result_put(d, j, o, o == STIR_NONE && !why ? "the certificate did not come in time" : why);
  return true;
}

static void job_free(struct desk *d, struct job *j) {
  list_del(&j->node);
  d->n_jobs--;
  free(j);
}

static void job_begin(struct desk *d, const struct stir_ask *ask, uint64_t now_us) {
  const char *why = NULL;
  struct job *j = d->n_jobs < DESK_JOBS ? calloc(1, sizeof *j) : NULL;
  if (!j) {
    struct stir_result r = {.cookie = ask->cookie, .detail = "too many are being verified"};
    (void)!mbox_put(d->results, &r);
    return;
  }
  j->ask = *ask;
  j->due_us = now_us + STIR_WAIT_MS * UINT64_C(1000);
  list_add_tail(&d->jobs, &j->node);
  d->n_jobs++;
  enum stir_outcome o = case_read(&j->c, ask, &d->rules, (int64_t)(clock_wall_ms() / 1000), &why);
  if (o == STIR_VALID && !job_step(d, j, now_us))
    return;
  if (o != STIR_VALID)
    result_put(d, j, o, why);
  job_free(d, j);
}

static void rules_take(struct desk *d) {
  pthread_mutex_lock(&d->lock);
  if (d->has_next) {
    d->rules = d->next;
    certs_rules(d->certs, &d->next, take(d->next_roots));
    d->has_next = false;
  }
  pthread_mutex_unlock(&d->lock);
}

static void *run(void *arg) {
  struct desk *d = arg;
  struct stir_ask ask;
  while (!atomic_load(&d->stop)) {
    certs_turn(d->certs, mbox_fd(d->asks), TURN_MS, clock_now_us(), (int64_t)(clock_wall_ms() / 1000));
    rules_take(d);
    uint64_t now_us = clock_now_us();
    LIST_EACH_SAFE(&d->jobs, node) {
      struct job *j = CONTAINER_OF(node, struct job, node);
      if (job_step(d, j, now_us))
        job_free(d, j);
    }
    while (mbox_get(d->asks, &ask))
      job_begin(d, &ask, now_us);
  }
  LIST_EACH_SAFE(&d->jobs, node)
    job_free(d, CONTAINER_OF(node, struct job, node));
  OPENSSL_thread_stop();
  return NULL;
}

int desk_new(struct desk **ret, struct mbox *results) {
  sigset_t all, old;
  own(desk) d = calloc(1, sizeof *d);
  if (!d)
    return -ENOMEM;
  pthread_mutex_init(&d->lock, NULL);
  list_init(&d->jobs);
  d->results = results;
  int r = curl_global_init(CURL_GLOBAL_DEFAULT) ? -ENOMEM
                                                : mbox_new(&d->asks, sizeof(struct stir_ask), ASKS);
  if (r == 0)
    r = certs_new(&d->certs);
  if (r < 0)
    return r;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  r = -pthread_create(&d->thread, NULL, run, d);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  d->is_running = r == 0;
  if (r == 0)
    *ret = take(d);
  return r;
}

struct desk *desk_free(struct desk *d) {
  if (!d)
    return NULL;
  atomic_store(&d->stop, true);
  if (d->is_running)
    pthread_join(d->thread, NULL);
  certs_free(d->certs);
  mbox_free(d->asks);
  X509_STORE_free(d->next_roots);
  pthread_mutex_destroy(&d->lock);
  free(d);
  return NULL;
}

void desk_rules(struct desk *d, const struct stir_rules *rules, X509_STORE *roots) {
  pthread_mutex_lock(&d->lock);
  X509_STORE_free(d->next_roots);
  d->next = *rules;
  d->next_roots = roots;
  d->has_next = true;
  pthread_mutex_unlock(&d->lock);
}

int desk_put(struct desk *d, const struct stir_ask *ask) { return mbox_put(d->asks, ask); }
