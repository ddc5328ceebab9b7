/* SPDX-License-Identifier: Apache-2.0
 * A server's life: sockets, certificate, libmicrohttpd's daemons, stop. Owner thread.
 * TLS 1.2 and 1.3 with forward secrecy and AEAD only (RFC 9325). */
#include "web/server.h"

#include "web/crl.h"
#include "web/keypair.h"

#include "base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define TLS_PRIORITIES \
  "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:+CHACHA20-" \
  "POLY1305:" \
  "-MAC-ALL:+AEAD:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:%SERVER_PRECEDENCE"
#define CONNECTION_BYTES 24576u /* the header and the library's buffers of one connection */
#define BODIES_BYTES ((size_t)64 << 20)
#define PEM_MAX_BYTES 65536
#define STOP_GRACE_MS 500

/* A PEM file as text. */
static int pem_read(const char *file, char **ret_text) {
  struct stat st;
  own_fd fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st) < 0)
    return -errno;
  if (!S_ISREG(st.st_mode))
    return -EPERM;
  if (st.st_size <= 0 || st.st_size > PEM_MAX_BYTES)
    return -EFBIG;
  char *text = calloc(1, (size_t)st.st_size + 1);
  if (!text)
    return -ENOMEM;
  if (read(fd, text, (size_t)st.st_size) != st.st_size) {
    free(text);
    return -EIO;
  }
  *ret_text = text;
  return 0;
}

static int names_copy(char ***ret, size_t *ret_n, const char *const *names, size_t n) {
  *ret = calloc(n ? n : 1, sizeof(**ret));
  if (!*ret)
    return -ENOMEM;
  for (size_t i = 0; i < n; i++, (*ret_n)++)
    if (!((*ret)[i] = slice_dup(slice_of(names[i]))))
      return -ENOMEM;
  return 0;
}

static void names_free(char **names, size_t n) {
  for (size_t i = 0; names && i < n; i++)
    free(names[i]);
  free(names);
}

static void counts_init(struct web *w) {
  static const struct count_row rows[SERVER_COUNT_] = {
#define COUNT(id, name, labels, help, kind) {name, labels, help, kind},
#include "web/count.def"
#undef COUNT
  };
  for (size_t i = 0; i < SERVER_COUNT_; i++) {
    w->count_rows[i] = rows[i];
    snprintf(w->count_labels[i], sizeof(w->count_labels[i]), "server=\"%s\"%s%s", w->name,
             rows[i].labels[0] ? "," : "", rows[i].labels);
    w->count_rows[i].labels = w->count_labels[i];
  }
  w->counts = (struct counts){w->count_rows, SERVER_COUNT_, w->count_values};
}

static int socket_open(const struct addr *at, uint16_t *ret_port) {
  struct sockaddr_storage ss;
  socklen_t n = sizeof(ss);
  struct addr got;
  int one = 1;
  own_fd fd = socket(addr_family(at), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (addr_family(at) == AF_INET6)
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
  if (bind(fd, &at->sa, addr_len(at)) < 0 || listen(fd, 1024) < 0 ||
      getsockname(fd, (struct sockaddr *)&ss, &n) < 0)
    return -errno;
  addr_from(&got, (struct sockaddr *)&ss);
  *ret_port = addr_port(&got);
  return take_fd(&fd);
}

/* Paths are matched raw: the library must not decode them. */
static size_t unescape_none(void *cls, struct MHD_Connection *connection, char *s) {
  (void)cls;
  (void)connection;
  return strlen(s);
}

static void library_log(void *cls, const char *format, va_list ap) {
  (void)cls;
  (void)format;
  (void)ap; /* a peer could fill a log with it; what matters is counted */
}

static unsigned or_default(unsigned v, unsigned fallback) { return v ? v : fallback; }

static int daemon_start(struct web *w, const struct web_settings *s, int fd) {
  unsigned flags =
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
  struct MHD_OptionItem tls[] = {
      {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, w->pair ? (void *)(uintptr_t)keypair_retrieve(w->pair) : NULL},
      {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
      {w->client_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, w->client_ca},
      {MHD_OPTION_END, 0, NULL},
  };
  struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
  unsigned threads = s->threads ? s->threads : 4;
  unsigned total = s->connections_max ? s->connections_max : 4096;
  struct MHD_Daemon *d = MHD_start_daemon(
      flags | (w->pair ? MHD_USE_TLS : 0u), 0, NULL, NULL, req_handle, w, MHD_OPTION_EXTERNAL_LOGGER,
      library_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
      threads < 2 ? 2 : threads, MHD_OPTION_CONNECTION_LIMIT, total, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
      s->connections_per_address_max ? s->connections_per_address_max : 256,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)or_default(s->connection_bytes, CONNECTION_BYTES),
      MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_URI_LOG_CALLBACK, req_begin, w,
      MHD_OPTION_NOTIFY_COMPLETED, req_end, w, MHD_OPTION_NOTIFY_CONNECTION, conn_notify, w,
      MHD_OPTION_UNESCAPE_CALLBACK, unescape_none, NULL, MHD_OPTION_ARRAY, w->pair ? tls : none,
      MHD_OPTION_END);
  if (!d)
    return -EIO;
  w->daemons[w->daemons_n++] = d;
  return 0;
}

static int listen_start(struct web *w, const struct web_settings *s, const struct addr *at,
                        const char **why) {
  *why = "no TLS is for loopback addresses only";
  if (!w->pair && !addr_is_loopback(at))
    return -EPERM;
  *why = "cannot listen";
  int fd = socket_open(at, &w->ports[w->daemons_n]);
  if (fd < 0)
    return fd;
  *why = "the HTTP library refuses the settings or the certificate";
  int r = daemon_start(w, s, fd);
  if (r < 0 && fcntl(fd, F_GETFD) >= 0)
    close(fd); /* of its failures, the library closes the socket in some and not in others */
  return r;
}

struct starting {
  struct web *web;
  const struct web_settings *set;
  const char **why;
  int r;
};

/* Threads are as nice as the one that starts them. */
static void *threads_make(void *arg) {
  struct starting *t = arg;
  if (t->set->nice)
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), t->set->nice);
  *t->why = "no thread";
  t->r = tick_start(t->web);
  for (size_t i = 0; t->r == 0 && i < t->set->listen_n; i++)
    t->r = listen_start(t->web, t->set, &t->set->listen[i], t->why);
  return NULL;
}

/* Threads of the server take no signals: those are for the main thread. They are started by a thread of
 * its own, as who has become nicer may not go back. */
static int threads_start(struct web *w, const struct web_settings *s, const char **why) {
  struct starting t = {w, s, why, 0};
  pthread_t starter;
  sigset_t all, before;
  struct sigaction pipe_action;
  if (sigaction(SIGPIPE, NULL, &pipe_action) == 0 && pipe_action.sa_handler == SIG_DFL)
    (void)signal(SIGPIPE, SIG_IGN); /* the TLS library writes without MSG_NOSIGNAL */
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  *why = "no thread";
  int r = -pthread_create(&starter, NULL, threads_make, &t);
  if (r == 0) {
    pthread_join(starter, NULL);
    r = t.r;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return r;
}

static int settings_take(struct web *w, const struct web_settings *s, const char **why) {
  w->name = s->name;
  w->rows = s->rows;
  w->rows_n = s->rows_n;
  path_index_make(&w->index, s->rows, s->rows_n);
  w->direct_arg = s->direct_arg;
  w->tokens = s->tokens;
  w->who = s->who;
  w->finish = s->finish;
  w->note_free = s->note_free;
  w->still = s->still;
  w->body_max_bytes = or_default(s->body_max_bytes, 65536);
  w->bodies_max = s->bodies_max_bytes ? s->bodies_max_bytes : BODIES_BYTES;
  w->request_us = or_default(s->request_deadline_ms, 10000) * 1000ull;
  w->answer_us = or_default(s->answer_deadline_ms, 10000) * 1000ull;
  w->beat_us = or_default(s->heartbeat_ms, 15000) * 1000ull;
  w->stream_max_bytes = or_default(s->stream_buffer_bytes, 262144);
  *why = "no memory";
  int r = names_copy(&w->hosts, &w->hosts_n, s->hosts, s->hosts_n);
  if (r == 0)
    r = names_copy(&w->origins, &w->origins_n, s->origins, s->origins_n);
  if (r < 0 || !s->key_file)
    return r == 0 && s->client_ca ? -EINVAL : r;
  *why = "the authorities of client certificates cannot be read";
  r = s->client_ca ? pem_read(s->client_ca, &w->client_ca) : 0;
  if (r == 0 && s->client_ca && s->client_crl)
    r = crl_new(&w->crl, w->client_ca, s->client_crl);
  if (r < 0)
    return r;
  *why = "the certificate cannot be read";
  return s->cert_file ? keypair_new(&w->pair, s->cert_file, s->key_file, s->hosts_n ? s->hosts[0] : "", why)
                      : -EINVAL;
}

static int queues_make(struct web *w, const struct web_settings *s) {
  uint32_t total = or_default(s->connections_max, 4096) * (uint32_t)s->listen_n;
  int r = pool_new(&w->waiting, sizeof(struct waiting), total);
  if (r == 0)
    r = pool_new(&w->streams, sizeof(struct stream), total);
  return r == 0 ? mbox_new(&w->box, sizeof(struct note), 2u * total) : r;
}

int web_new(struct web **ret_web, const struct web_settings *s, const char **ret_why) {
  const char *why = "the settings are incomplete";
  own(web) w = calloc(1, sizeof(*w));
  if (!w)
    return -ENOMEM;
  w->tick_fd = -1;
  for (size_t i = 0; i < WEB_LISTEN_MAX; i++)
    w->quiet_fd[i] = -1;
  list_init(&w->conns);
  list_init(&w->dirty);
  pthread_mutex_init(&w->lock, NULL);
  int r = s->listen_n < 1 || s->listen_n > WEB_LISTEN_MAX ? -EINVAL : settings_take(w, s, &why);
  if (r == 0)
    r = queues_make(w, s);
  if (r == 0) {
    counts_init(w);
    *ret_web = w; /* before the first request can come: its handler has it from there */
    r = threads_start(w, s, &why);
  }
  if (ret_why)
    *ret_why = r < 0 ? why : NULL;
  if (r == 0)
    (void)take(w); /* theirs already, and read by other threads */
  else
    *ret_web = NULL;
  return r;
}

/* Stops accepting connections; what is open goes on. */
static void web_quiesce(struct web *w) {
  for (size_t i = 0; i < w->daemons_n; i++)
    if (w->quiet_fd[i] < 0)
      w->quiet_fd[i] = MHD_quiesce_daemon(w->daemons[i]);
}

static bool requests_left(struct web *w) { return atomic_load(&w->requests) > 0; }

/* Everything that sleeps is woken with an end, and gets half a second to send it. */
static void requests_finish(struct web *w) {
  pthread_mutex_lock(&w->lock);
  w->stopping = true;
  if (w->waiting && w->streams) {
    asks_refuse_all(w);
    streams_close_all(w);
  }
  pthread_mutex_unlock(&w->lock);
  for (int ms = 0; ms < STOP_GRACE_MS && w->daemons_n && requests_left(w); ms += 10)
    (void)poll(NULL, 0, 10);
}

struct web *web_free(struct web *w) {
  if (!w)
    return NULL;
  if (w->loop)
    loop_unwatch(w->loop, &w->watch);
  web_quiesce(w);
  requests_finish(w);
  tick_stop(w);
  for (size_t i = 0; i < w->daemons_n; i++) {
    MHD_stop_daemon(w->daemons[i]);
    if (w->quiet_fd[i] >= 0)
      close(w->quiet_fd[i]);
  }
  mbox_free(w->box);
  pool_free(w->waiting);
  pool_free(w->streams);
  names_free(w->hosts, w->hosts_n);
  names_free(w->origins, w->origins_n);
  pthread_mutex_destroy(&w->lock);
  free(w->cast.bytes);
  free(w->scene.bytes);
  free(w->fan.frame);
  keypair_free(w->pair);
  crl_free(w->crl);
  free(w->client_ca);
  free(w);
  return NULL;
}

uint16_t web_port(const struct web *w, size_t listen) {
  return listen < w->daemons_n ? w->ports[listen] : 0;
}

struct counts *web_counts(struct web *w) {
  return &w->counts;
}

void web_files(struct web *w, const char *cert_file, const char *key_file) {
  if (w->pair)
    keypair_files(w->pair, cert_file, key_file);
}

bool web_cert_alarm(struct web *w, char ret_why[WEB_CERT_BYTES], bool *ret_is_grave) {
  return w->pair && keypair_alarm(w->pair, ret_why, ret_is_grave);
}
