/* SPDX-License-Identifier: Apache-2.0
 * The call thread's side: who waits for a verdict, keys to sign with. See stir.h. */
#include "stir/stir.h"

#include "base/clock.h"
#include "base/hmac.h"
#include "base/log.h"
#include "stir/desk.h"

#include <stdio.h>

enum stir_count {
#define COUNT(id, kind, name, labels, help) STIRCOUNT_##id,
#include "stir/count.def"
#undef COUNT
  STIRCOUNT_COUNT_
};
static const struct count_row count_rows[STIRCOUNT_COUNT_] = {
#define COUNT(id, kind, name, labels, help) {name, labels, help, COUNT_##kind},
#include "stir/count.def"
#undef COUNT
};
static _Atomic uint64_t count_values[STIRCOUNT_COUNT_];
static struct counts counts = {count_rows, STIRCOUNT_COUNT_, count_values};

struct signer {
  char trunk[CONF_NAME_BYTES];
  EVP_PKEY *key;
};

struct waiter {
  uint64_t cookie, due_us; /* due_us 0: free */
};

struct stir {
  struct stir_settings s;
  struct desk *desk;
  struct mbox *results;
  struct watch watch;
  struct timer timer;
  struct waiter waiters[DESK_JOBS];
  uint32_t n_waiters, n_signers;
  struct signer signers[CONF_TRUNKS_MAX];
};

const struct counts *stir_counts(void) { return &counts; }

int stir_number(char dst[STIR_NUMBER_BYTES], struct slice number) {
  return passport_number(dst, number);
}

/* Verdicts -------------------------------------------------------------------------------------------
 */

static struct waiter *waiter_find(struct stir *s, uint64_t cookie) {
  for (size_t i = 0; i < DESK_JOBS; i++)
    if (s->waiters[i].due_us && s->waiters[i].cookie == cookie)
      return &s->waiters[i];
  return NULL;
}

static void waiter_end(struct stir *s, struct waiter *w, const struct stir_result *r) {
  w->due_us = 0;
  s->n_waiters--;
  count_one(&counts, (size_t)r->outcome);
  s->s.done(s->s.arg, r);
}

static void on_result(void *arg, uint32_t events) {
  struct stir *s = arg;
  struct stir_result r;
  (void)events;
  while (mbox_get(s->results, &r)) {
    struct waiter *w = waiter_find(s, r.cookie);
    if (w) /* else it came too late */
      waiter_end(s, w, &r);
  }
}

/* Whatever the thread does, nobody waits longer. */
static void on_time(void *arg) {
  struct stir *s = arg;
  uint64_t now_us = loop_now_us(s->s.loop), next_us = UINT64_MAX;
  for (size_t i = 0; i < DESK_JOBS; i++) {
    struct waiter *w = &s->waiters[i];
    struct stir_result late = {.cookie = w->cookie, .detail = "the verification took too long"};
    if (w->due_us && w->due_us <= now_us)
      waiter_end(s, w, &late);
    else if (w->due_us && w->due_us < next_us)
      next_us = w->due_us;
  }
  if (next_us != UINT64_MAX)
    loop_arm(s->s.loop, &s->timer, next_us - now_us);
}

int stir_verify(struct stir *s, const struct stir_ask *ask) {
  size_t i = 0;
  while (i < DESK_JOBS && s->waiters[i].due_us)
    i++;
  if (!s->desk || i == DESK_JOBS || desk_put(s->desk, ask) < 0)
    return -EAGAIN;
  uint64_t wait_us = STIR_WAIT_MS * UINT64_C(1000);
  s->waiters[i] = (struct waiter){ask->cookie, loop_now_us(s->s.loop) + wait_us};
  if (s->n_waiters++ == 0)
    loop_arm(s->s.loop, &s->timer, wait_us);
  return 0;
}

/* Signing --------------------------------------------------------------------------------------------
 */

static const struct signer *signer_of(const struct stir *s, const struct conf_trunk *t) {
  for (uint32_t i = 0; t->stir.sign && i < s->n_signers; i++)
    if (!strcmp(s->signers[i].trunk, t->name))
      return &s->signers[i];
  return NULL;
}

static void origid_set(char dst[40], const char *hex) {
  if (strlen(hex) == 32 && strspn(hex, "0123456789abcdef") == 32)
    snprintf(dst, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
  else
    snprintf(dst, 40, "00000000-0000-0000-0000-000000000000");
}

static int claims_of(struct passport *p, const struct conf_trunk *t, const struct stir_call *c) {
  *p = (struct passport){.kind = c->div ? PASSPORT_DIV : PASSPORT_SHAKEN,
                         .n_dest = 1,
                         .attest = c->attest,
                         .iat_s = (int64_t)(clock_wall_ms() / 1000)};
  int r = passport_number(p->orig, slice_of(c->orig));
  if (r == 0)
    r = passport_number(p->dest[0], slice_of(c->dest));
  if (r == 0 && c->div)
    r = passport_number(p->div, slice_of(c->div));
  if (r == 0)
    r = slice_copy(p->x5u, sizeof p->x5u, slice_of(t->stir.x5u));
  origid_set(p->origid, c->origid);
  return r;
}

int stir_sign(const struct stir *s, const struct conf_trunk *t, const struct stir_call *c, char *dst,
              size_t bytes) {
  const struct signer *k = signer_of(s, t);
  struct passport p;
  char text[PASSPORT_TEXT_BYTES], base64[96];
  uint8_t signature[PASSPORT_SIG_BYTES];
  if (!k)
    return -ENOENT;
  int r = claims_of(&p, t, c);
  if (r == 0)
    r = passport_write(&p, text, sizeof text);
  if (r == 0)
    r = es256_sign(k->key, slice_of(text), signature);
  if (r < 0)
    return r;
  base64_encode(base64, signature, sizeof signature, true);
  int n = snprintf(dst, bytes, "%s.%s;info=<%s>;alg=ES256;ppt=%s", text, base64, p.x5u,
                   c->div ? "div" : "shaken");
  if (n < 0 || (size_t)n >= bytes)
    return -ENOSPC;
  count_one(&counts, STIRCOUNT_signed);
  return 0;
}

/* Life -----------------------------------------------------------------------------------------------
 */

static void signers_free(struct signer *k, uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    EVP_PKEY_free(k[i].key);
}

static int signers_load(const struct conf *c, struct signer k[CONF_TRUNKS_MAX], uint32_t *ret_n,
                        char *why, size_t why_bytes) {
  char fault[CONF_PATH_BYTES + 64];
  for (uint32_t i = 0; i < c->n_trunks; i++) {
    const struct conf_trunk *t = &c->trunks[i];
    if (!t->stir.sign)
      continue;
    if (es256_load(&k[*ret_n].key, t->stir.certificate, t->stir.key, fault, sizeof fault) < 0) {
      snprintf(why, why_bytes, "trunks[%s].stir: %s", t->name, fault);
      return -EINVAL;
    }
    slice_copy(k[(*ret_n)++].trunk, CONF_NAME_BYTES, slice_of(t->name));
  }
  return 0;
}

static bool verifies(const struct conf *c) {
  for (uint32_t i = 0; i < c->n_trunks; i++)
    if (c->trunks[i].stir.verify != VERIFY_OFF)
      return true;
  return false;
}

static int desk_start(struct stir *s) {
  int r = mbox_new(&s->results, sizeof(struct stir_result), 2 * DESK_JOBS);
  if (r < 0)
    return r;
  s->watch = (struct watch){.fd = mbox_fd(s->results), .fn = on_result, .arg = s};
  r = loop_watch(s->s.loop, &s->watch, EPOLLIN);
  return r < 0 ? r : desk_new(&s->desk, s->results);
}

static int rules_load(struct stir *s, const struct conf *c, char *why, size_t why_bytes) {
  struct stir_rules rules = {
      .hosts = c->stir.x5u_hosts, .freshness_s = c->stir.freshness_s, .cache_s = c->stir.cache_s};
  if (!verifies(c))
    return 0;
  X509_STORE *roots = roots_load(c->stir.roots);
  if (!roots) {
    snprintf(why, why_bytes, "stir.roots: %s: no certificate can be read", c->stir.roots);
    return -EINVAL;
  }
  slice_copy(rules.https_ca, sizeof rules.https_ca, slice_of(c->stir.https_ca));
  int r = s->desk ? 0 : desk_start(s);
  if (r == 0)
    desk_rules(s->desk, &rules, roots);
  else
    X509_STORE_free(roots);
  return r;
}

int stir_reload(struct stir *s, const struct conf *conf, char *why, size_t why_bytes) {
  struct signer next[CONF_TRUNKS_MAX] = {0};
  uint32_t n = 0;
  s->s.conf = conf;
  int r = signers_load(conf, next, &n, why, why_bytes);
  if (r == 0)
    r = rules_load(s, conf, why, why_bytes);
  if (r < 0) {
    signers_free(next, n);
    return r;
  }
  signers_free(s->signers, s->n_signers);
  memcpy(s->signers, next, sizeof next);
  s->n_signers = n;
  return 0;
}

int stir_new(struct stir **ret, const struct stir_settings *s, char *why, size_t why_bytes) {
  own(stir) n = calloc(1, sizeof *n);
  if (!n)
    return -ENOMEM;
  n->s = *s;
  n->timer = (struct timer){.fn = on_time, .arg = n};
  int r = stir_reload(n, s->conf, why, why_bytes);
  if (r == 0)
    *ret = take(n);
  return r;
}

struct stir *stir_free(struct stir *s) {
  if (!s)
    return NULL;
  desk_free(s->desk);
  if (s->watch.on)
    loop_unwatch(s->s.loop, &s->watch);
  loop_disarm(s->s.loop, &s->timer);
  mbox_free(s->results);
  signers_free(s->signers, s->n_signers);
  free(s);
  return NULL;
}

int stir_check(const struct conf *conf, char *why, size_t why_bytes) {
  struct signer all[CONF_TRUNKS_MAX] = {0};
  uint32_t n = 0;
  int r = signers_load(conf, all, &n, why, why_bytes);
  X509_STORE *roots = r == 0 && verifies(conf) ? roots_load(conf->stir.roots) : NULL;
  if (r == 0 && verifies(conf) && !roots) {
    snprintf(why, why_bytes, "stir.roots: %s: no certificate can be read", conf->stir.roots);
    r = -EINVAL;
  }
  signers_free(all, n);
  X509_STORE_free(roots);
  return r;
}
