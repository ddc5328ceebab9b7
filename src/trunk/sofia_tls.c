/* SPDX-License-Identifier: Apache-2.0
 * TLS of the SIP library's transports, in place of its own: one struct link for each listener or
 * client (master) and for each connection. Call thread (the one of the agent's root), but for
 * shaken(), which only posts a message there. RFC 3261 18, 26.3. */
#include "trunk/sofia_tls.h"

#include "base/clock.h"
#include "base/log.h"
#include "trunk/profile.h"
#include "trunk/tls.h"

#include <openssl/err.h>
#include <stdio.h>
#include <sofia-sip/su_errno.h>

enum {
  ISSUES_CERT_AT = 16,
  RECORD_BYTES = 16384,
  RETIRED_US = 32000000, /* 64*T1: by then every transaction of before is over */
  RETIRED_MAX_US = 300000000,
  QUIET_US = 2000000,
};
static const char cert_suffix[] = "/agent.pem", profile_prefix[] = "profile:";

char const tls_version[] = "own TLS";

struct link {
  bool master;
  char profile[PROFILE_NAME_BYTES];
  struct list node;    /* node of `links`, of a connection */
  uint64_t used_us;    /* used_us is when something was read or written last. */
  uint16_t alias_port; /* alias_port: the peer listens there and takes requests by this connection; 0. */
  uint64_t retired_us; /* retired_us: its certificate was replaced then; 0: it is current. */
  bool up, eof, said_goodbye;
  bool write_wants_read, read_wants_write;
  struct shake shake;
  tport_t *self;   /* self is known from the first tls_connect() on. */
  su_root_t *root; /* root likewise; where results are posted. */
};

/* One received record for the whole thread: sofia copies it out before it asks for another. */
static _Thread_local struct {
  struct link *owner;
  size_t n;
  char bytes[RECORD_BYTES];
} record;

static struct shaker *shaker;
static struct list links = {&links, &links}; /* links are all connections. */
static char own_name[64];                    /* who we are for the next connection */
static size_t link_at;                       /* where a TLS transport keeps its link */

static unsigned on_way;                      /* on_way: handed to a handshake thread and not yet back */

unsigned link_on_way(void) { return on_way; }
void link_set_shaker(struct shaker *k) { shaker = k; }
void link_set_size(size_t secondary_size) { link_at = secondary_size - 2 * sizeof(void *); }

struct link *link_of(const tport_t *tp) {
  if (!link_at || !tp || !tport_has_tls(tp) || !tport_is_secondary(tp))
    return NULL;
  return *(struct link **)(void *)((char *)peek_of(tp) + link_at);
}

void link_own_name(const char *name) {
  if (slice_copy(own_name, sizeof(own_name), slice_of(name ? name : "")) < 0)
    own_name[0] = 0;
}

bool link_is_ours(const struct link *t) {
  if (t && t->retired_us)
    return false;
  return !t || t->shake.accepted || !t->shake.creds ||
         !creds_differ(t->shake.creds, t->shake.own_name, own_name);
}

static void tell_gauge(void) {
  if (shaker)
    count_set(&owntls_counts, TLSCOUNT_shaking, shaker_count(shaker));
}

/* Masters and connections begin and end ------------------------------------------------------- */

/* Sofia tells the profile as the directory of a certificate file. */
static struct slice profile_name(void *issues) {
  const char *cert;
  memcpy(&cert, (char *)issues + ISSUES_CERT_AT, sizeof(cert));
  struct slice s = slice_of(cert), none = {NULL, 0};
  size_t head = sizeof(profile_prefix) - 1, tail = sizeof(cert_suffix) - 1;
  if (s.n <= head + tail || !slice_starts(s, SLICE(profile_prefix)) ||
      strcmp(s.p + s.n - tail, cert_suffix) != 0)
    return none;
  return slice_from(s.p + head, s.n - head - tail);
}

struct link *tls_init_master(void *issues) {
  struct slice name = profile_name(issues);
  own(creds) c = name.n ? profile_creds(name) : NULL;
  struct link *t = c && shaker ? calloc(1, sizeof(*t)) : NULL;
  if (!t || slice_copy(t->profile, sizeof(t->profile), name)) {
    free(t);
    log_error(tls, "a TLS transport names no profile that is known");
    errno = ENOENT;
    return NULL;
  }
  t->master = true;
  t->shake.fd = -1;
  count_one(&owntls_counts, TLSCOUNT_masters);
  return t;
}

static void shaken(struct shake *s);

struct link *tls_init_secondary(struct link *master, int socket, int accepted) {
  own(creds) c = profile_creds(slice_of(master->profile));
  struct link *t = c && shaker ? calloc(1, sizeof(*t)) : NULL;
  if (!t)
    return NULL;
  su_setblocking(socket, 0);
  t->shake.fd = -1;
  t->shake.done = shaken;
  memcpy(t->profile, master->profile, sizeof(t->profile));
  if (!accepted)
    memcpy(t->shake.own_name, own_name, sizeof(own_name));
  int r = shake_watch(shaker, &t->shake, c, socket, accepted);
  tell_gauge();
  list_init(&t->node);
  if (!r) {
    list_add_tail(&links, &t->node);
    return t;
  }
  count_one(&owntls_counts, r == -EBUSY ? TLSCOUNT_capped : TLSCOUNT_failed);
  free(t);
  errno = -r;
  return NULL;
}

void tls_free(struct link *t) {
  if (!t)
    return;
  if (record.owner == t)
    record.owner = NULL;
  link_goodbye(t); /* the agent's end comes here without a shutdown before */
  if (!t->master)
    list_del(&t->node);
  t->self = NULL;
  if (!t->master && !shake_drop(shaker, &t->shake))
    return; /* shaken() is on its way and frees it */
  shake_done(&t->shake);
  free(t);
  tell_gauge();
}

int tls_get_socket(struct link *t) { return t && t->self ? peek_of(t->self)->socket : -1; }

/* Handshake ----------------------------------------------------------------------------------- */

static void count_result(enum shake_result result) {
  count_one(&owntls_counts, result == SHAKE_OK           ? TLSCOUNT_done
                            : result == SHAKE_WRONG_NAME ? TLSCOUNT_wrong_name
                            : result == SHAKE_TIMEOUT    ? TLSCOUNT_timed_out
                                                         : TLSCOUNT_failed);
}

/* Closes what never came up. Clients that wait are told at once, which gives them a 503. */
static void give_up(tport_t *self, int error) {
  bool accepted = peek_of(self)->accepted;
  if (!accepted)
    tport_error_report(self, error, NULL);
  if (!tport_is_closed(self))
    tport_shutdown(self, 2);
}

/* The last failures of ours as a client, by address. */
enum { FAILURES_KEPT = 16, FAILURE_US = 30000000 };
static struct {
  struct addr peer;
  uint64_t at_us;
  struct link_failure what;
} failures[FAILURES_KEPT];
static unsigned next_failure;

static void keep_failure(const struct shake *s, const struct addr *peer, const char *why) {
  unsigned at = next_failure++ % FAILURES_KEPT;
  failures[at].peer = *peer;
  failures[at].at_us = clock_now_us();
  failures[at].what.is_name = s->result == SHAKE_WRONG_NAME;
  snprintf(failures[at].what.text, sizeof failures[at].what.text, "%s", why);
}

bool link_failed(const struct addr *peer, struct link_failure *ret) {
  uint64_t best = 0, now = clock_now_us();
  for (unsigned i = 0; i < FAILURES_KEPT; i++)
    if (failures[i].at_us > best && addr_eq(&failures[i].peer, peer)) {
      best = failures[i].at_us;
      *ret = failures[i].what;
    }
  return best && now - best < FAILURE_US;
}

static void tell_failure(const struct link *t, tport_t *self) {
  const struct shake *s = &t->shake;
  const tp_name_t *n = tport_name(self);
  const char *why = s->result == SHAKE_TIMEOUT ? "the deadline passed" : s->error;
  struct addr peer = {0};
  struct sockaddr_storage ss;
  socklen_t n_ss = sizeof ss;
  if (getpeername(peek_of(self)->socket, (struct sockaddr *)&ss, &n_ss) == 0)
    addr_from(&peer, (struct sockaddr *)&ss);
  log_info(tls, "handshake %s %s:%s failed: %s", s->accepted ? "from" : "with",
           n->tpn_host ? n->tpn_host : "?", n->tpn_port ? n->tpn_port : "?", why);
  if (!s->accepted && addr_family(&peer) != AF_UNSPEC)
    keep_failure(s, &peer, why);
}

static void subjects_fill(struct peek *p, const struct shake *s) {
  if (!s->verified)
    return;
  su_strlst_t *l = su_strlst_create(&p->home);
  for (size_t i = 0; l && i < s->names.n; i++)
    su_strlst_dup_append(l, s->names.name[i]);
  p->subjects = l;
  p->verified = 1;
}

static bool adopt_socket(struct link *t, struct peek *p) {
  if (!SSL_set_fd(t->shake.ssl, p->socket))
    return false;
  close(t->shake.fd);
  t->shake.fd = -1;
  su_wait_t w = SU_WAIT_INIT;
  if (su_wait_create(&w, p->socket, SU_WAIT_IN | SU_WAIT_ERR | SU_WAIT_HUP) < 0)
    return false;
  p->index = su_root_register(t->root, &w, tport_wakeup, t->self, 0);
  if (p->index > 0)
    return true;
  p->index = 0;
  su_wait_destroy(&w);
  return false;
}

/* Back on the call thread with a good handshake. */
static void come_up(struct link *t) {
  tport_t *self = t->self;
  struct peek *p = peek_of(self);
  subjects_fill(p, &t->shake);
  if (!adopt_socket(t, p)) {
    give_up(self, ENOMEM);
    return;
  }
  t->up = true;
  p->events = SU_WAIT_IN | SU_WAIT_ERR | SU_WAIT_HUP;
  p->is_connected = 1;
  if (!tport_is_connected(self)) {
    count_one(&owntls_counts, TLSCOUNT_layout);
    tport_shutdown(self, 2);
    return;
  }
  if (tport_has_queued(self))
    tport_send_event(self);
  else
    tport_set_secondary_timer(self);
}

/* The message of a handshake thread, on the call thread. */
static void arrived(su_root_magic_t *magic, su_msg_r msg, su_msg_arg_t *arg) {
  (void)magic, (void)msg;
  struct link *t = *(struct link **)(void *)arg;
  bool ours = shake_back(&t->shake);
  on_way--;
  count_result(t->shake.result);
  tell_gauge();
  if (!ours) {
    shake_done(&t->shake);
    free(t);
    return;
  }
  if (t->shake.result == SHAKE_OK) {
    come_up(t);
    return;
  }
  tell_failure(t, t->self);
  give_up(t->self, t->shake.result == SHAKE_TIMEOUT ? ETIMEDOUT : EPROTO);
}

/* On a handshake thread: the result goes home as a message. */
static void shaken(struct shake *s) {
  struct link *t = CONTAINER_OF(s, struct link, shake);
  su_msg_r m = SU_MSG_R_INIT;
  while (su_msg_create(m, su_root_task(t->root), su_task_null, arrived, sizeof(t)))
    usleep(1000); /* no memory: there is nobody else to tell */
  *(struct link **)(void *)su_msg_data(m) = t;
  su_msg_send(m);
}

static int hand_over(struct link *t, struct peek *p) {
  t->root = su_timer_root(p->timer);
  su_root_deregister(t->root, p->index);
  p->index = -1; /* not 0: for sofia it stays registered, so that messages queue */
  count_one(&owntls_counts, TLSCOUNT_connects);
  on_way++;
  shake_start(shaker, &t->shake, p->accepted || !p->name.tpn_canon ? "" : p->name.tpn_canon);
  return 0;
}

int tls_connect(su_root_magic_t *magic, su_wait_t *w, tport_t *self) {
  (void)magic;
  if (tport_is_closed(self))
    return 0;
  if (!peek_fits(self) || !link_of(self)) {
    count_one(&owntls_counts, TLSCOUNT_layout);
    tport_shutdown(self, 2);
    return 0;
  }
  struct peek *p = peek_of(self);
  struct link *t = link_of(self);
  int events = su_wait_events(w, p->socket), error = su_soerror(p->socket);
  t->self = self;
  if (atomic_load(&t->shake.timed_out)) {
    t->shake.result = SHAKE_TIMEOUT;
    count_result(SHAKE_TIMEOUT);
    give_up(self, ETIMEDOUT);
    return 0;
  }
  if (error || ((events & SU_WAIT_HUP) && !(events & SU_WAIT_IN))) {
    count_result(SHAKE_FAILED);
    give_up(self, error ? error : ECONNRESET);
    return 0;
  }
  return hand_over(t, p);
}

/* Data ---------------------------------------------------------------------------------------- */

static ssize_t no_data(struct link *t, int r) {
  int e = SSL_get_error(t->shake.ssl, r);
  switch (e) {
  case SSL_ERROR_WANT_WRITE:
    t->read_wants_write = true;
    errno = EAGAIN;
    return -1;
  case SSL_ERROR_WANT_READ:
    errno = EAGAIN;
    return -1;
  case SSL_ERROR_ZERO_RETURN:
    t->eof = true;
    return 0;
  default:
    errno = e == SSL_ERROR_SYSCALL && errno ? errno : ECONNRESET;
    ERR_clear_error();
    return -1;
  }
}

ssize_t tls_read(struct link *t) {
  if (!t || !t->up) {
    errno = EAGAIN;
    return -1;
  }
  if (record.owner == t)
    return (ssize_t)record.n;
  if (record.owner) { /* never seen; the level-triggered loop comes back */
    errno = EAGAIN;
    return -1;
  }
  if (t->eof)
    return 0;
  ERR_clear_error();
  errno = 0;
  t->read_wants_write = false;
  int n = SSL_read(t->shake.ssl, record.bytes, sizeof(record.bytes));
  if (n <= 0)
    return no_data(t, n);
  record.owner = t;
  record.n = (size_t)n;
  t->used_us = clock_now_us();
  return n;
}

void *tls_read_buffer(struct link *t, size_t n) {
  if (!t || record.owner != t || n != record.n)
    return NULL;
  record.owner = NULL;
  return record.bytes;
}

int tls_pending(struct link const *t) { return t && t->up && SSL_pending(t->shake.ssl) > 0; }

int tls_want_read(struct link *t, int events) {
  (void)events;
  ssize_t n = tls_read(t);
  if (n > 0)
    return 2;
  if (n == 0)
    return 0;
  return errno == EAGAIN ? 1 : -1;
}

ssize_t tls_write(struct link *t, void *buf, size_t size) {
  if (!t || !t->up || !size) {
    errno = EAGAIN;
    return t && t->up ? 0 : -1;
  }
  ERR_clear_error();
  errno = 0;
  t->write_wants_read = false;
  int n = SSL_write(t->shake.ssl, buf, size > INT32_MAX ? INT32_MAX : (int)size);
  if (n > 0) {
    t->used_us = clock_now_us();
    return n;
  }
  int e = SSL_get_error(t->shake.ssl, n);
  t->write_wants_read = e == SSL_ERROR_WANT_READ;
  if (e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ)
    errno = EAGAIN;
  else
    errno = e == SSL_ERROR_SYSCALL && errno ? errno : ECONNRESET;
  ERR_clear_error();
  return -1;
}

int tls_want_write(struct link *t, int events) {
  (void)events;
  if (!t || !t->up)
    return 0;
  return t->self && tport_has_queued(t->self);
}

int tls_events(struct link const *t, int mask) {
  if (!t || !t->up)
    return mask;
  int real = mask & ~(SU_WAIT_IN | SU_WAIT_OUT);
  if (mask & SU_WAIT_IN)
    real |= t->read_wants_write ? SU_WAIT_IN | SU_WAIT_OUT : SU_WAIT_IN;
  if (mask & SU_WAIT_OUT)
    real |= t->write_wants_read ? SU_WAIT_IN : SU_WAIT_OUT;
  return real;
}

void link_goodbye(struct link *t) {
  if (!t || !t->up || t->said_goodbye)
    return;
  t->said_goodbye = true;
  ERR_clear_error();
  (void)SSL_shutdown(t->shake.ssl);
  ERR_clear_error();
}

/* Renewal: connections of a certificate that was replaced carry nothing new, finish what they have and
 * are closed (requirements C-14) --------------------------------------------------------------- */

void links_retire(uint64_t now_us) {
  LIST_EACH(&links, n) {
    struct link *t = CONTAINER_OF(n, struct link, node);
    own(creds) now = profile_creds(slice_of(t->profile));
    if (now && t->shake.creds != now && !t->retired_us)
      t->retired_us = now_us;
  }
}

static bool is_finished(const struct link *t, uint64_t now_us) {
  uint64_t age = now_us - t->retired_us, quiet = now_us - t->used_us;
  return t->retired_us && t->self && (age > RETIRED_MAX_US || (age > RETIRED_US && quiet > QUIET_US));
}

uint32_t links_close_retired(uint64_t now_us) {
  uint32_t left = 0;
  LIST_EACH_SAFE(&links, n) {
    struct link *t = CONTAINER_OF(n, struct link, node);
    if (is_finished(t, now_us)) {
      count_one(&owntls_counts, TLSCOUNT_retired);
      if (!tport_is_closed(t->self))
        tport_shutdown(t->self, 2);
    } else if (t->retired_us) {
      left++;
    }
  }
  return left;
}

/* Reuse of the peer's connection --------------------------------------------------------------- */

void link_alias(struct tport_s *tp, uint16_t port) {
  struct link *t = link_of(tp);
  if (!t || !t->shake.accepted)
    return;
  t->self = tp;
  t->alias_port = port;
}

tport_t *link_alias_find(const tport_t *primary, const tp_name_t *wanted) {
  struct addr want, have;
  struct sockaddr_storage ss;
  if (!wanted->tpn_host || addr_parse(&want, slice_of(wanted->tpn_host), 0) < 0)
    return NULL;
  LIST_EACH(&links, n) {
    const struct link *t = CONTAINER_OF(n, struct link, node);
    socklen_t len = sizeof ss;
    if (!t->up || t->eof || !t->self || !t->alias_port || tport_is_closed(t->self) ||
        tport_parent(t->self) != primary || atoi(wanted->tpn_port) != t->alias_port ||
        getpeername(peek_of(t->self)->socket, (struct sockaddr *)&ss, &len) < 0)
      continue;
    addr_from(&have, (struct sockaddr *)&ss);
    if (addr_eq_ip(&have, &want))
      return t->self;
  }
  return NULL;
}

/* What the peer proved ------------------------------------------------------------------------ */

int link_facts_of(const struct tport_s *tp, struct link_facts *ret) {
  const struct link *t = link_of(tp);
  if (!t)
    return -EINVAL;
  if (!t->up)
    return -ENOTCONN;
  *ret = (struct link_facts){
      .verified = t->shake.verified,
      .accepted = t->shake.accepted,
      .protocol = SSL_get_version(t->shake.ssl),
      .cipher = SSL_get_cipher_name(t->shake.ssl),
      .peer_expiry_s = t->shake.peer_expiry_s,
      .subjects = t->shake.verified ? t->shake.names.n : 0,
  };
  return 0;
}

const char *link_subject(const struct tport_s *tp, size_t i) {
  const struct link *t = link_of(tp);
  return t && t->up && t->shake.verified && i < t->shake.names.n ? t->shake.names.name[i] : NULL;
}
