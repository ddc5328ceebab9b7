/* SPDX-License-Identifier: Apache-2.0
 * Handshake threads: see shake.h. Each lane is a thread with its own epoll; one lock of the shaker
 * guards the lists and the caps and is never held across a handshake step. */
#include "trunk/shake.h"

#include "base/clock.h"
#include "base/map.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

enum { LANES_MAX = 8, EVENTS = 64, TICK_MS = 50, SOURCES_MAX = 4096 };

struct lane {
  struct shaker *k;
  pthread_t thread;
  bool running;
  int epoll, wake;
  struct list active;   /* active: in flight, touched by this thread only. */
  struct list incoming; /* incoming: started, not yet seen by the thread; under the lock. */
};

struct shaker {
  pthread_mutex_t lock;
  struct list watched; /* watched: not started; under the lock. */
  struct map *sources; /* sources: address → number of counted shakes; under the lock. */
  uint32_t counted;
  atomic_uint all;
  atomic_bool stop;
  unsigned lanes, next_lane;
  struct lane lane[LANES_MAX];
};

/* Caps --------------------------------------------------------------------------------------- */

static struct slice source_key(const struct addr *a, char *buf, size_t bytes) {
  return slice_of(addr_ip_text(a, buf, bytes));
}

static int source_add(struct shaker *k, const struct shake *s, uint32_t max) {
  char buf[ADDR_TEXT_BYTES];
  struct slice key = source_key(&s->peer, buf, sizeof(buf));
  uintptr_t n = (uintptr_t)map_get(k->sources, key);
  if (n >= max)
    return -EBUSY;
  map_del(k->sources, key);
  return map_put(k->sources, key, (void *)(n + 1)) ? -EBUSY : 0;
}

static void source_del(struct shaker *k, const struct shake *s) {
  char buf[ADDR_TEXT_BYTES];
  struct slice key = source_key(&s->peer, buf, sizeof(buf));
  uintptr_t n = (uintptr_t)map_del(k->sources, key);
  if (n > 1 && map_put(k->sources, key, (void *)(n - 1)))
    return; /* no memory: forgets the source's count, which is on its side */
}

static int caps_take(struct shaker *k, struct shake *s) {
  const struct creds_limits *l = creds_limits_of(s->creds);
  if (!s->accepted)
    return 0;
  if (k->counted >= l->max_shakes || source_add(k, s, l->max_shakes_source))
    return -EBUSY;
  k->counted++;
  s->counted = true;
  return 0;
}

static void caps_give(struct shaker *k, struct shake *s) {
  if (s->counted) {
    k->counted--;
    source_del(k, s);
    s->counted = false;
  }
}

/* The thread --------------------------------------------------------------------------------- */

static void note_error(struct shake *s) {
  unsigned long e = ERR_peek_last_error();
  long v = SSL_get_verify_result(s->ssl);
  if (v != X509_V_OK)
    snprintf(s->error, sizeof(s->error), "%s", X509_verify_cert_error_string(v));
  else if (e)
    snprintf(s->error, sizeof(s->error), "%s",
             ERR_reason_error_string(e) ? ERR_reason_error_string(e) : "?");
  else
    snprintf(s->error, sizeof(s->error), "the connection ended");
}

static int64_t end_of(const X509 *cert) {
  struct tm tm;
  return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) ? (int64_t)timegm(&tm) : 0;
}

/* The chain was verified in the handshake (a bad one ends it); here whose it is. */
static enum shake_result judge(struct shake *s) {
  X509 *cert = SSL_get0_peer_certificate(s->ssl);
  if (!cert)
    return s->accepted ? SHAKE_OK : SHAKE_FAILED;
  if (SSL_get_verify_result(s->ssl) != X509_V_OK || peernames_read(&s->names, cert))
    return SHAKE_FAILED;
  s->peer_expiry_s = end_of(cert);
  s->verified =
      peername_usage_fits(cert) && (s->accepted || peernames_have(&s->names, slice_of(s->wanted)));
  if (s->verified)
    return SHAKE_OK;
  snprintf(s->error, sizeof(s->error), "the certificate is for another name or use");
  return SHAKE_WRONG_NAME;
}

static void finish(struct lane *l, struct shake *s, enum shake_result result) {
  struct shaker *k = l->k;
  (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
  if (result != SHAKE_OK)
    SSL_set_quiet_shutdown(s->ssl, 1);
  list_del(&s->node);
  s->result = result;
  pthread_mutex_lock(&k->lock);
  caps_give(k, s);
  pthread_mutex_unlock(&k->lock);
  atomic_fetch_sub(&k->all, 1);
  s->done(s);
}

static void step(struct lane *l, struct shake *s) {
  ERR_clear_error();
  errno = 0;
  int r = SSL_do_handshake(s->ssl);
  if (r == 1) {
    finish(l, s, judge(s));
    return;
  }
  int want = SSL_get_error(s->ssl, r);
  if (want == SSL_ERROR_WANT_READ || want == SSL_ERROR_WANT_WRITE) {
    struct epoll_event e = {.events = (want == SSL_ERROR_WANT_READ ? EPOLLIN | EPOLLRDHUP : EPOLLOUT) |
                                      EPOLLONESHOT,
                            .data.ptr = s};
    if (!epoll_ctl(l->epoll, EPOLL_CTL_MOD, s->fd, &e))
      return;
  }
  note_error(s);
  finish(l, s, SHAKE_FAILED);
}

static void adopt(struct lane *l) {
  struct list fresh;
  list_init(&fresh);
  pthread_mutex_lock(&l->k->lock);
  LIST_EACH_SAFE(&l->incoming, n) {
    list_del(n);
    list_add_tail(&fresh, n);
  }
  pthread_mutex_unlock(&l->k->lock);
  LIST_EACH_SAFE(&fresh, m) {
    struct shake *s = CONTAINER_OF(m, struct shake, node);
    struct epoll_event e = {.events = EPOLLONESHOT, .data.ptr = s};
    list_del(m);
    list_add_tail(&l->active, m);
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &e))
      finish(l, s, SHAKE_FAILED);
    else
      step(l, s);
  }
}

/* Those in flight end here; those not yet started are woken at their owner by the shutdown. */
static void expire(struct lane *l, uint64_t now) {
  struct shaker *k = l->k;
  LIST_EACH_SAFE(&l->active, n) {
    struct shake *s = CONTAINER_OF(n, struct shake, node);
    if (s->deadline_us > now)
      continue;
    atomic_store(&s->timed_out, true);
    shutdown(s->fd, SHUT_RDWR);
    finish(l, s, SHAKE_TIMEOUT);
  }
  if (l != &k->lane[0])
    return;
  pthread_mutex_lock(&k->lock);
  LIST_EACH_SAFE(&k->watched, w) {
    struct shake *s = CONTAINER_OF(w, struct shake, node);
    if (s->deadline_us > now)
      continue;
    atomic_store(&s->timed_out, true);
    shutdown(s->fd, SHUT_RDWR);
    list_del(w);
    caps_give(k, s);
    s->place = SHAKE_AT_OWNER;
    atomic_fetch_sub(&k->all, 1);
  }
  pthread_mutex_unlock(&k->lock);
}

static void *run(void *arg) {
  struct lane *l = arg;
  struct epoll_event e[EVENTS];
  uint64_t v, next = 0;
  while (!atomic_load(&l->k->stop)) {
    int n = epoll_wait(l->epoll, e, EVENTS, atomic_load(&l->k->all) ? TICK_MS : 1000);
    for (int i = 0; i < n; i++)
      if (!e[i].data.ptr)
        (void)!read(l->wake, &v, sizeof(v));
      else
        step(l, e[i].data.ptr);
    adopt(l);
    uint64_t now = clock_now_us();
    if (now >= next) {
      expire(l, now);
      next = now + TICK_MS * 1000;
    }
  }
  adopt(l);
  LIST_EACH_SAFE(&l->active, s)
    finish(l, CONTAINER_OF(s, struct shake, node), SHAKE_STOPPED);
  OPENSSL_thread_stop();
  return NULL;
}

static void lane_wake(struct lane *l) {
  uint64_t one = 1;
  (void)!write(l->wake, &one, sizeof(one));
}

static int lane_start(struct lane *l, struct shaker *k) {
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
  sigset_t all, old;
  l->k = k;
  list_init(&l->active);
  list_init(&l->incoming);
  l->epoll = epoll_create1(EPOLL_CLOEXEC);
  l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (l->epoll < 0 || l->wake < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake, &e))
    return -errno;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int r = pthread_create(&l->thread, NULL, run, l);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  l->running = !r;
  return -r;
}

int shaker_new(struct shaker **ret_shaker, unsigned lanes) {
  own(shaker) k = calloc(1, sizeof(*k));
  if (!k)
    return -ENOMEM;
  pthread_mutex_init(&k->lock, NULL);
  list_init(&k->watched);
  for (unsigned i = 0; i < LANES_MAX; i++)
    k->lane[i].epoll = k->lane[i].wake = -1;
  int r = map_new(&k->sources, SOURCES_MAX);
  for (; !r && k->lanes < lanes && k->lanes < LANES_MAX; k->lanes++)
    r = lane_start(&k->lane[k->lanes], k);
  if (!r)
    *ret_shaker = take(k);
  return r;
}

struct shaker *shaker_free(struct shaker *k) {
  if (!k)
    return NULL;
  atomic_store(&k->stop, true);
  for (unsigned i = 0; i < LANES_MAX; i++) {
    struct lane *l = &k->lane[i];
    if (l->running) {
      lane_wake(l);
      pthread_join(l->thread, NULL);
    }
    if (l->epoll >= 0)
      close(l->epoll);
    if (l->wake >= 0)
      close(l->wake);
  }
  LIST_EACH_SAFE(&k->watched, n) {
    list_del(n);
    CONTAINER_OF(n, struct shake, node)->place = SHAKE_AT_OWNER;
  }
  map_free(k->sources);
  pthread_mutex_destroy(&k->lock);
  free(k);
  return NULL;
}

unsigned shaker_count(struct shaker *k) { return atomic_load(&k->all); }

/* The owner's side ---------------------------------------------------------------------------- */

int shake_watch(struct shaker *k, struct shake *s, struct creds *c, int socket, bool accepted) {
  struct sockaddr_storage peer = {0};
  socklen_t len = sizeof(peer);
  if (accepted && !getpeername(socket, (struct sockaddr *)&peer, &len))
    addr_from(&s->peer, (struct sockaddr *)&peer);
  s->fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
  if (s->fd < 0)
    return -EMFILE;
  s->accepted = accepted;
  s->creds = creds_hold(c);
  s->ssl = creds_ssl(c, accepted, s->own_name);
  int r = s->ssl && SSL_set_fd(s->ssl, s->fd) ? 0 : -ENOMEM;
  s->deadline_us = clock_now_us() + creds_limits_of(c)->deadline_us;
  pthread_mutex_lock(&k->lock);
  if (!r)
    r = caps_take(k, s);
  if (!r) {
    s->lane = k->next_lane++ % k->lanes;
    s->place = SHAKE_WATCHED;
    list_add_tail(&k->watched, &s->node);
    atomic_fetch_add(&k->all, 1);
  }
  pthread_mutex_unlock(&k->lock);
  if (r)
    shake_done(s);
  else
    lane_wake(&k->lane[0]);
  return r;
}

static bool is_literal(const char *host) {
  struct addr a;
  return !addr_parse(&a, slice_of(host), 0);
}

void shake_start(struct shaker *k, struct shake *s, const char *wanted) {
  if (slice_copy(s->wanted, sizeof(s->wanted), slice_of(wanted)))
    s->wanted[0] = 0; /* fits no name: refused at the end */
  if (!s->accepted && s->wanted[0] && !is_literal(s->wanted))
    SSL_set_tlsext_host_name(s->ssl, s->wanted);
  pthread_mutex_lock(&k->lock);
  if (s->place == SHAKE_AT_OWNER) /* the deadline was faster: it fails at its first step */
    atomic_fetch_add(&k->all, 1);
  list_del(&s->node);
  s->place = SHAKE_IN_FLIGHT;
  struct lane *l = &k->lane[s->lane];
  list_add_tail(&l->incoming, &s->node);
  pthread_mutex_unlock(&k->lock);
  lane_wake(l);
}

bool shake_back(struct shake *s) {
  s->place = SHAKE_AT_OWNER;
  return !atomic_load(&s->orphan);
}

bool shake_drop(struct shaker *k, struct shake *s) {
  if (!k) {
    atomic_store(&s->orphan, true);
    return s->place != SHAKE_IN_FLIGHT;
  }
  pthread_mutex_lock(&k->lock);
  bool mine = s->place != SHAKE_IN_FLIGHT;
  if (s->place == SHAKE_WATCHED) {
    list_del(&s->node);
    caps_give(k, s);
    s->place = SHAKE_AT_OWNER;
    atomic_fetch_sub(&k->all, 1);
  }
  if (!mine) {
    atomic_store(&s->orphan, true);
    shutdown(s->fd, SHUT_RDWR);
  }
  pthread_mutex_unlock(&k->lock);
  return mine;
}

void shake_done(struct shake *s) {
  SSL_free(s->ssl);
  s->ssl = NULL;
  if (s->fd >= 0)
    close(s->fd);
  s->fd = -1;
  peernames_done(&s->names);
  s->creds = creds_free(s->creds);
}
