/* SPDX-License-Identifier: Apache-2.0
 * What the SIP library asks before it parses or accepts: see sofia_hooks.h and tls.h. Call thread.
 * Unknown sources end here, STUN on the SIP port too, a malformed request gets its answer, a
 * connection above the caps is closed, and no connection verified for one name serves another. */
#define _GNU_SOURCE /* accept4, RTLD_NEXT */
#include "trunk/sofia_hooks.h"

#include "base/clock.h"
#include "base/map.h"
#include "trunk/badline.h"
#include "trunk/sofia_tls.h"
#include "trunk/tls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sofia-sip/msg.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/su_tagarg.h>
#include <sys/socket.h>

enum { KINDS = 2, DGRAMS_A_TURN = 64, CONNECTIONS_MAX = 65536, PEEK_BYTES = 65536 };

static struct {
  struct hook_admission admit;
  struct map *open;    /* open: transport → its address, boxed */
  struct map *sources; /* sources: address → number of open connections */
  struct list own;     /* own: struct own_link of each that we opened */
  int spare;           /* spare is a descriptor to close when there are no others */
  struct peek_kind kind[KINDS];
  int (*stock_accept)(tport_t *, int);
  int (*stock_tls_accept[KINDS])(tport_t *, int);
  void (*stock_tls_shutdown[KINDS])(tport_t *, int);
  int (*stock_recv_dgram)(tport_t *);
  int (*stock_tcp_init)(tport_t *, int, int, char const **);
  void (*stock_zap)(tport_t *);
  tport_t *(*stock_by_name)(tport_t const *, tp_name_t const *);
} hooks = {.spare = -1, .own = {&hooks.own, &hooks.own}};

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }
/* dlsym gives an object pointer; POSIX lets it be a function's. */
#define CALL_ON(fn, name) \
  do { \
    if (!(fn)) { \
      void *p_ = next(name); \
      memcpy(&(fn), &p_, sizeof(p_)); \
    } \
  } while (0)

void hooks_set(const struct hook_admission *a) {
  hooks.admit = a ? *a : (struct hook_admission){.arg = NULL};
}

uint32_t hooks_connections(void) { return hooks.open ? (uint32_t)map_count(hooks.open) : 0; }

/* Datagrams ----------------------------------------------------------------------------------- */

/* Takes the datagram off the socket. A pending ICMP error of an earlier answer comes first, instead of
 * the datagram: without another try the same one would be judged for ever. */
static void swallow(int fd) {
  char byte;
  for (int i = 0; i < 8 && recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno != EAGAIN; i++) {
  }
}

/* A request that nta would drop without a word is answered here. True if it was. */
static bool answer_bad(int fd, const char *data, size_t n, const struct addr *from) {
  char reply[BADLINE_REPLY_BYTES];
  const struct badline_verdict v = badline_judge(slice_from(data, n));
  if (!v.status)
    return false;
  struct addr to;
  size_t len = badline_reply(slice_from(data, n), v, from, reply, sizeof(reply), &to);
  swallow(fd);
  if (len)
    (void)sendto(fd, reply, len, MSG_DONTWAIT | MSG_NOSIGNAL, &to.sa, addr_len(&to));
  count_one(&owntls_counts, TLSCOUNT_dgram_answered);
  return true;
}

static void local_of(int fd, struct addr *ret) {
  struct sockaddr_storage ss = {0};
  socklen_t len = sizeof(ss);
  if (!getsockname(fd, (struct sockaddr *)&ss, &len))
    addr_from(ret, (struct sockaddr *)&ss);
}

enum taken { TAKEN, TAKEN_NOT, TAKEN_NONE };

/* The kernel's stamp of a datagram against now; a clock of whole milliseconds will do. */
static int64_t waited_us(struct msghdr *m) {
  struct timespec at;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
      memcpy(&at, CMSG_DATA(c), sizeof(at));
      return (int64_t)clock_wall_ms() * 1000 - ((int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000);
    }
  return -1;
}

static ssize_t peek(int fd, char *data, struct sockaddr_storage *from, int64_t *ret_wait_us) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
  struct iovec iov = {data, PEEK_BYTES};
  struct msghdr m = {.msg_name = from,
                     .msg_namelen = sizeof(*from),
                     .msg_iov = &iov,
                     .msg_iovlen = 1,
                     .msg_control = control,
                     .msg_controllen = sizeof(control)};
  ssize_t n = recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT);
  if (n >= 0)
    *ret_wait_us = waited_us(&m);
  return n;
}

static enum taken dgram_judge(int fd, const char *data, size_t n, const struct addr *from,
                              int64_t wait_us) {
  if (hooks.admit.waited && wait_us >= 0)
    hooks.admit.waited(hooks.admit.arg, wait_us);
  return answer_bad(fd, data, n, from) ? TAKEN : TAKEN_NOT;
}

/* Once for each socket: its datagrams are stamped from now on. */
static void stamp(int fd) {
  static uint8_t is_stamped[1024];
  int on = 1;
  if (fd < 0 || fd >= (int)sizeof(is_stamped) || is_stamped[fd])
    return;
  is_stamped[fd] = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
}

/* Looks at the next datagram and takes it if it is not the library's. */
static enum taken dgram_take(int fd, const struct addr *local) {
  static char data[PEEK_BYTES];
  struct sockaddr_storage ss = {0};
  struct addr from = {0};
  int64_t wait_us = -1;
  ssize_t n = peek(fd, data, &ss, &wait_us);
  if (n < 0)
    return TAKEN_NONE;
  addr_from(&from, (struct sockaddr *)&ss);
  unsigned row = TLSCOUNT_dgram_answered;
  if (hooks.admit.datagram && !hooks.admit.datagram(hooks.admit.arg, local, &from))
    row = TLSCOUNT_dgram_denied;
  else if (n >= 2 && (unsigned char)data[0] <= 3)
    row = TLSCOUNT_dgram_stun;
  else if (n >= 2 && (unsigned char)data[0] >= 0x80) /* SigComp and other binary */
    row = TLSCOUNT_dgram_junk;
  else
    return dgram_judge(fd, data, (size_t)n, &from, wait_us);
  count_one(&owntls_counts, row);
  swallow(fd);
  return TAKEN;
}

/* Many at a time, so that a flood costs no turn of the loop for each. */
int tport_recv_dgram(tport_t *self) {
  struct addr local = {0};
  int fd = peek_of(self)->socket;
  CALL_ON(hooks.stock_recv_dgram, "tport_recv_dgram");
  local_of(fd, &local);
  stamp(fd);
  for (int i = 0; i < DGRAMS_A_TURN; i++) {
    enum taken t = dgram_take(fd, &local);
    if (t == TAKEN_NOT || (t == TAKEN_NONE && i == 0)) /* the library sees the socket's errors */
      return hooks.stock_recv_dgram(self);
    if (t == TAKEN_NONE)
      break;
  }
  return 0;
}

/* Should a STUN message get here in spite of the above: dropped as one that cannot be parsed. */
int tport_recv_stun_dgram(tport_t const *self, msg_t **in_out_msg, su_sockaddr_t *from, socklen_t len) {
  (void)self, (void)from, (void)len;
  count_one(&owntls_counts, TLSCOUNT_dgram_stun);
  if (in_out_msg && *in_out_msg) {
    msg_destroy(*in_out_msg);
    *in_out_msg = NULL;
  }
  errno = EBADMSG;
  return -1;
}

/* Connections --------------------------------------------------------------------------------- */

static uint32_t cap_all(void) {
  return hooks.admit.max_connections ? hooks.admit.max_connections : 1024;
}
static uint32_t cap_source(void) {
  return hooks.admit.max_connections_source ? hooks.admit.max_connections_source : 64;
}

static struct slice ip_key(const struct addr *a, char *buf, size_t bytes) {
  return slice_of(addr_ip_text(a, buf, bytes));
}

static void source_change(const struct addr *a, bool more) {
  char buf[ADDR_TEXT_BYTES];
  struct slice key = ip_key(a, buf, sizeof(buf));
  uintptr_t n = (uintptr_t)map_del(hooks.sources, key);
  n = more ? n + 1 : n ? n - 1 : 0;
  if (n && map_put(hooks.sources, key, (void *)n))
    return; /* no memory: the source's count starts again, the cap on all stands */
}

/* 0, or the row that counts the refusal. */
static unsigned refusal(int fd, const struct addr *from) {
  char buf[ADDR_TEXT_BYTES];
  struct addr local = {0};
  local_of(fd, &local);
  if (hooks.admit.accept && !hooks.admit.accept(hooks.admit.arg, &local, from))
    return TLSCOUNT_accept_denied;
  if ((uintptr_t)map_get(hooks.sources, ip_key(from, buf, sizeof(buf))) >= cap_source())
    return TLSCOUNT_accept_capped;
  return 0;
}

static void note_open(tport_t *self, const struct addr *from) {
  struct addr *box = malloc(sizeof(*box));
  if (!box)
    return;
  *box = *from;
  if (map_put(hooks.open, slice_from((char *)&self, sizeof(self)), box)) {
    free(box);
    return;
  }
  source_change(from, true);
}

struct list *hooks_own(void) { return &hooks.own; }

static void own_add(tport_t *self, int fd) {
  struct own_link *l = calloc(1, sizeof *l);
  if (!l)
    return;
  l->tp = self;
  l->fd = fd;
  list_add_tail(&hooks.own, &l->node);
}

static void own_drop(const tport_t *self) {
  LIST_EACH_SAFE(&hooks.own, n) {
    struct own_link *l = CONTAINER_OF(n, struct own_link, node);
    if (l->tp == self) {
      list_del(n);
      free(l);
    }
  }
}

static void note_closed(tport_t *self) {
  own_drop(self);
  struct addr *box = hooks.open ? map_del(hooks.open, slice_from((char *)&self, sizeof(self))) : NULL;
  if (box)
    source_change(box, false);
  free(box);
}

int tport_tcp_init_secondary(tport_t *self, int socket, int accepted, char const **ret_reason) {
  struct sockaddr_storage ss = {0};
  socklen_t len = sizeof(ss);
  struct addr from = {0};
  CALL_ON(hooks.stock_tcp_init, "tport_tcp_init_secondary");
  if (!accepted || !hooks.open) {
    int r = hooks.stock_tcp_init(self, socket, accepted, ret_reason);
    if (r >= 0 && !accepted)
      own_add(self, socket);
    return r;
  }
  unsigned row = TLSCOUNT_accept_denied;
  if (!getpeername(socket, (struct sockaddr *)&ss, &len)) {
    addr_from(&from, (struct sockaddr *)&ss);
    row = refusal(socket, &from);
  }
  if (row) {
    count_one(&owntls_counts, row);
    *ret_reason = "not admitted";
    return -1;
  }
  note_open(self, &from);
  return hooks.stock_tcp_init(self, socket, accepted, ret_reason);
}

void tport_zap_secondary(tport_t *self) {
  CALL_ON(hooks.stock_zap, "tport_zap_secondary");
  if (self)
    note_closed(self);
  hooks.stock_zap(self);
}

static void spare_open(void) {
  if (hooks.spare < 0)
    hooks.spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Without descriptors accept() fails for ever while the listener stays readable. */
static bool out_of_fds(int fd) {
  int probe = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (probe >= 0)
    close(probe);
  return probe < 0;
}

/* Takes the connection and closes it. True if that was done. */
static bool turned_away(tport_t *primary) {
  int listener = peek_of(primary)->socket;
  bool poor = out_of_fds(listener);
  if (!poor && hooks_connections() < cap_all())
    return false;
  if (poor && hooks.spare >= 0) {
    close(hooks.spare);
    hooks.spare = -1;
  }
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0)
    close(fd);
  spare_open();
  count_one(&owntls_counts, TLSCOUNT_accept_capped);
  return true;
}

int tport_accept(tport_t *primary, int events) {
  CALL_ON(hooks.stock_accept, "tport_accept");
  if ((events & SU_WAIT_ACCEPT) && hooks.open && turned_away(primary))
    return 0;
  return hooks.stock_accept(primary, events);
}

/* TLS kinds: those of the library with our accept and a goodbye ------------------------------- */

static int tls_accept_of(size_t i, tport_t *primary, int events) {
  if ((events & SU_WAIT_ACCEPT) && hooks.open && turned_away(primary))
    return 0;
  return hooks.stock_tls_accept[i](primary, events);
}
static int accept_0(tport_t *primary, int events) { return tls_accept_of(0, primary, events); }
static int accept_1(tport_t *primary, int events) { return tls_accept_of(1, primary, events); }

static void shutdown_of(size_t i, tport_t *self, int how) {
  if (how >= 1)
    link_goodbye(link_of(self));
  hooks.stock_tls_shutdown[i](self, how);
}
static void shutdown_0(tport_t *self, int how) { shutdown_of(0, self, how); }
static void shutdown_1(tport_t *self, int how) { shutdown_of(1, self, how); }

static int kind_register(size_t i, const char *table, int (*accept_fn)(tport_t *, int),
                         void (*shutdown_fn)(tport_t *, int)) {
  const struct peek_kind *stock = dlsym(RTLD_DEFAULT, table);
  if (!stock || !stock->name || strcmp(stock->name, "tls") != 0 ||
      stock->secondary_size < sizeof(struct peek) || stock->secondary_size > 4096)
    return -ENOTSUP;
  /* The table's size is 21 words; what our struct has beyond them stays 0. */
  memcpy(&hooks.kind[i], stock, 21 * sizeof(void *));
  hooks.stock_tls_accept[i] = stock->wakeup_primary;
  hooks.stock_tls_shutdown[i] = stock->shutdown;
  hooks.kind[i].wakeup_primary = accept_fn;
  hooks.kind[i].shutdown = shutdown_fn;
  link_set_size(stock->secondary_size);
  return tport_register_type(&hooks.kind[i]) < 0 ? -ENOTSUP : 0;
}

/* The library keeps registered kinds for good: once in a process. */
int hooks_start(void) {
  static bool registered;
  int r = 0;
  if (!registered)
    r = kind_register(0, "tport_tls_vtable", accept_0, shutdown_0);
  if (!r && !registered)
    r = kind_register(1, "tport_tls_client_vtable", accept_1, shutdown_1);
  registered = !r;
  if (!r && !hooks.open)
    r = map_new(&hooks.open, CONNECTIONS_MAX);
  if (!r && !hooks.sources)
    r = map_new(&hooks.sources, CONNECTIONS_MAX);
  spare_open();
  return r;
}

static void box_free(void *arg, struct slice key, void *value) {
  (void)arg, (void)key;
  free(value);
}

void hooks_stop(void) {
  if (hooks.open)
    map_each(hooks.open, box_free, NULL);
  hooks.open = map_free(hooks.open);
  hooks.sources = map_free(hooks.sources);
  if (hooks.spare >= 0)
    close(hooks.spare);
  hooks.spare = -1;
  hooks_set(NULL);
}

/* Messages ------------------------------------------------------------------------------------- */

static const char *transport_of(const tport_t *tp) {
  const char *proto = tport_name(tp)->tpn_proto;
  return !proto                          ? ""
         : strcasecmp(proto, "tls") == 0 ? "tls"
         : strcasecmp(proto, "tcp") == 0 ? "tcp"
                                         : "udp";
}

void hooks_message(const tport_t *tp, msg_t *msg, bool is_out) {
  if (!hooks.admit.message || !tp || !msg || !peek_fits(tp))
    return;
  struct hook_message m = {.msg = msg, .transport = transport_of(tp), .is_out = is_out};
  local_of(peek_of(tp)->socket, &m.local);
  hooks.admit.message(hooks.admit.arg, &m);
}

/* The stack's own functions, with ours before its receiving one. All stacks here are nta's. */
static tport_stack_class_t seen_class;
static tport_stack_class_t const *stock_class;

static void seen_recv(tp_stack_t *stack, tport_t *tp, msg_t *msg, tp_magic_t *magic,
                      su_time_t received) {
  hooks_message(tp, msg, false);
  stock_class->tpac_recv(stack, tp, msg, magic, received);
}

/* Messages keep their bytes beside what is read of them. */
static msg_t *seen_alloc(tp_stack_t *stack, int flags, char const data[], usize_t bytes,
                         tport_t const *tp, tp_client_t *client) {
  return stock_class->tpac_alloc(stack, flags | MSG_DO_EXTRACT_COPY, data, bytes, tp, client);
}

typedef tport_t *create_fn(tp_stack_t *, tport_stack_class_t const *, su_root_t *, tag_type_t,
                           tag_value_t, ...);

SEEN_HOOK tport_t *tport_tcreate(tp_stack_t *stack, tport_stack_class_t const *tpac, su_root_t *root,
                                 tag_type_t tag, tag_value_t value, ...) {
  static create_fn *stock;
  ta_list ta;
  CALL_ON(stock, "tport_tcreate");
  bool is_ours = tpac && tpac->tpac_recv && (!stock_class || stock_class == tpac);
  if (is_ours) {
    stock_class = tpac;
    seen_class = *tpac;
    seen_class.tpac_recv = seen_recv;
    seen_class.tpac_alloc = seen_alloc;
  }
  ta_start(ta, tag, value);
  tport_t *tp = stock(stack, is_ours ? &seen_class : tpac, root, ta_tags(ta));
  ta_end(ta);
  return tp;
}

/* Names: an open connection to the same address was perhaps verified for another name. One that the
 * peer opened serves only the names that it proved. */
static bool is_for(const tport_t *tp, const tp_name_t *wanted) {
  const char *have = tport_name(tp)->tpn_canon, *subject;
  struct slice want = slice_of(wanted->tpn_canon ? wanted->tpn_canon : wanted->tpn_host);
  if (!peek_of(tp)->accepted)
    return have && slice_ieq(slice_of(have), want) && link_is_ours(link_of(tp));
  for (size_t i = 0; link_is_ours(link_of(tp)) && (subject = link_subject(tp, i)); i++)
    if (peername_is(subject, want))
      return true;
  return false;
}

__attribute__((visibility("default"))) tport_t *tport_by_name(tport_t const *self,
                                                              tp_name_t const *name) {
  CALL_ON(hooks.stock_by_name, "tport_by_name");
  tport_t *found = hooks.stock_by_name(self, name);
  if (!found || !tport_has_tls(found))
    return found;
  if (!tport_is_secondary(found)) {
    tport_t *theirs = link_alias_find(found, name);
    return theirs && is_for(theirs, name) ? theirs : found;
  }
  if (is_for(found, name))
    return found;
  count_one(&owntls_counts, TLSCOUNT_other_name);
  return tport_parent(found);
}
