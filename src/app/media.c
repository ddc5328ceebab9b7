/* SPDX-License-Identifier: Apache-2.0
 * sallyport-media, the packet program: options or configuration, start, serve one controller, end on
 * a signal. It holds no key of a trunk's certificate and no number. */
#include "base/jail.h"
#include "base/log.h"
#include "base/notify.h"
#include "conf/conf.h"
#include "config.h"
#include "media/media.h"

#include <getopt.h>
#include <pwd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

static const char usage[] =
    "Usage: sallyport-media --config FILE\n"
    "       sallyport-media --socket PATH --address IP[,ADVERTISED] [--address …] --trunk-ports A-B\n"
    "                       [--native-port N] [--workers N] [--orphan-s N] [--user NAME]\n"
    "                       [--backend NAME [--xdp-interface NAME]] [--max-sessions N]\n"
    "\n"
    "  --config FILE       the configuration, the same as sallyportd's (docs/configuration.md)\n"
    "  --socket PATH       where sallyportd connects\n"
    "  --address IP        bind media to it, and show it (or ADVERTISED) to peers\n"
    "  --native-port N     UDP port for apps of the first worker; 0: any\n"
    "  --trunk-ports A-B   UDP ports for carriers\n"
    "  --max-sessions N    legs in all, default 4096\n"
    "  --orphan-s N        sessions of a lost controller end after this, default 30\n"
    "  --backend NAME      auto, io_uring, epoll or af_xdp; default auto\n"
    "  --xdp-interface N   the interface of af_xdp\n"
    "  --version\n";

struct program {
  struct media_options media;
  char user[CONF_NAME_BYTES], run_dir[CONF_PATH_BYTES];
  enum log_level level;
};

static int number_of(const char *text, uint64_t max, uint32_t *ret) {
  uint64_t v;
  int error = slice_u64(slice_of(text), max, &v);
  if (!error)
    *ret = (uint32_t)v;
  return error;
}

static int add_address(struct media_options *o, const char *text) {
  struct slice rest = slice_of(text), bind = slice_cut(&rest, ',');
  if (o->n_addresses == MSET_ADDRS_MAX)
    return -E2BIG;
  struct media_addr *a = &o->addresses[o->n_addresses++];
  int error = addr_parse(&a->bind, bind, 0);
  return error || !rest.n ? error : addr_parse(&a->shown, rest, 0);
}

static int set_ports(struct media_options *o, const char *text) {
  struct slice high = slice_of(text), low = slice_cut(&high, '-');
  uint64_t a, b;
  if (slice_u64(low, 65534, &a) < 0 || slice_u64(high, 65534, &b) < 0)
    return -EINVAL;
  o->trunk_port_min = (uint32_t)a;
  o->trunk_port_max = (uint32_t)b;
  return 0;
}

/* The first line of the password's file; it is ours to read, before root is given up. */
static int load_turn(struct media_options *o, const struct conf *c) {
  struct slice rest;
  size_t n;
  char *text;
  if (addr_family(&c->media.turn.server) == AF_UNSPEC)
    return 0;
  o->turn_server = c->media.turn.server;
  struct conf_errors *errors = calloc(1, sizeof(*errors));
  int error = errors ? conf_file_read(&text, &n, c->media.turn.password_file, errors) : -ENOMEM;
  free(errors);
  if (error) {
    fprintf(stderr, "%s: %s\n", c->media.turn.password_file, strerror(-error));
    return error;
  }
  rest = slice_from(text, n);
  error = slice_copy(o->turn_username, sizeof(o->turn_username), slice_of(c->media.turn.username));
  if (!error)
    error = slice_copy(o->turn_password, sizeof(o->turn_password), slice_trim(slice_cut(&rest, '\n')));
  explicit_bzero(text, n);
  free(text);
  return error;
}

static int load(struct program *p, const char *file) {
  struct conf_errors *errors = calloc(1, sizeof(*errors));
  own(conf) c = NULL;
  if (!errors)
    return -ENOMEM;
  int error = conf_load(&c, file, true, errors); /* keys are sallyportd's: we need not see them */
  for (uint32_t i = 0; error && i < errors->n && i < CONF_ERRORS_MAX; i++)
    fprintf(stderr, "%s:%u: %s\n", errors->list[i].file, errors->list[i].line, errors->list[i].text);
  free(errors);
  if (error)
    return error;
  struct media_options *o = &p->media;
  o->workers = c->media.workers;
  o->n_addresses = c->media.n_addresses;
  for (uint32_t i = 0; i < c->media.n_addresses && i < MSET_ADDRS_MAX; i++)
    o->addresses[i] = (struct media_addr){.bind = c->media.addresses[i].address,
                                          .shown = c->media.addresses[i].advertise,
                                          .not_apps = c->media.addresses[i].side == SIDE_TRUNKS,
                                          .not_trunks = c->media.addresses[i].side == SIDE_APPS};
  o->native_port = c->media.native_port;
  o->trunk_port_min = c->media.trunk_port_min;
  o->trunk_port_max = c->media.trunk_port_max;
  o->dscp = c->media.dscp;
  memcpy(o->backend, c->media.backend, sizeof(o->backend));
  memcpy(o->xdp_interface, c->media.xdp_interface, sizeof(o->xdp_interface));
  o->dsp_threads = c->media.dsp_threads;
  o->dsp_share = c->media.dsp_share;
  o->opus_complexity = c->media.opus_complexity;
  o->dtls_cookie = c->media.dtls_cookie != 0;
  o->max_sessions = 4 * c->node.max_calls; /* two legs a call, and as many early ones */
  p->level = (enum log_level)c->node.log_level;
  memcpy(p->user, c->node.user, sizeof(p->user));
  memcpy(p->run_dir, c->node.run_dir, sizeof(p->run_dir));
  error = slice_copy(o->socket, sizeof(o->socket), slice_of(c->media.socket));
  return error ? error : load_turn(o, c);
}

static int set_option(struct program *p, int option, const char *text) {
  switch (option) {
  case 'c':
    return load(p, text);
  case 's':
    return slice_copy(p->media.socket, sizeof(p->media.socket), slice_of(text));
  case 'a':
    return add_address(&p->media, text);
  case 'n':
    return number_of(text, 65535, &p->media.native_port);
  case 't':
    return set_ports(&p->media, text);
  case 'w':
    return number_of(text, 64, &p->media.workers);
  case 'o':
    return number_of(text, 3600, &p->media.orphan_s);
  case 'b':
    return slice_copy(p->media.backend, sizeof(p->media.backend), slice_of(text));
  case 'x':
    return slice_copy(p->media.xdp_interface, sizeof(p->media.xdp_interface), slice_of(text));
  case 'm':
    return number_of(text, 1u << 20, &p->media.max_sessions);
  case 'u':
    return slice_copy(p->user, sizeof(p->user), slice_of(text));
  default:
    return -EINVAL;
  }
}

/* 0, 1 when all is said, or -errno. */
static int options_read(struct program *p, int argc, char **argv) {
  static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
                                        {"socket", required_argument, NULL, 's'},
                                        {"address", required_argument, NULL, 'a'},
                                        {"native-port", required_argument, NULL, 'n'},
                                        {"trunk-ports", required_argument, NULL, 't'},
                                        {"workers", required_argument, NULL, 'w'},
                                        {"orphan-s", required_argument, NULL, 'o'},
                                        {"max-sessions", required_argument, NULL, 'm'},
                                        {"user", required_argument, NULL, 'u'},
                                        {"backend", required_argument, NULL, 'b'},
                                        {"xdp-interface", required_argument, NULL, 'x'},
                                        {"version", no_argument, NULL, 'v'},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};
  for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
    if (c == 'v' || c == 'h') {
      fputs(c == 'v' ? "sallyport-media " PACKAGE_VERSION "\n" : usage, stdout);
      return 1;
    }
    int error = set_option(p, c, optarg);
    if (error) {
      if (c != 'c')
        fputs(usage, stderr);
      return error;
    }
  }
  if (optind == argc && p->media.socket[0])
    return 0;
  fputs(usage, stderr);
  return -EINVAL;
}

static void *await_signal(void *arg) {
  sigset_t set;
  int which;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigwait(&set, &which);
  notify_send("STOPPING=1");
  media_stop(arg);
  return NULL;
}

/* Blocked in every thread; one thread waits for them. SIGHUP is not ours: settings need a restart. */
static void block_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
}

static int give_up_root(const struct program *p, const struct media *m) {
  const struct passwd *user = getuid() == 0 && p->user[0] ? getpwnam(p->user) : NULL;
  enum jail_need need = strcmp(media_backend(m), "io_uring") == 0 ? JAIL_URING : JAIL_NOTHING;
  int error = user ? media_chown(m, user->pw_uid, user->pw_gid) : 0;
  return error || !p->user[0] ? error : jail_enter(p->user, need);
}

static int serve(const struct program *p) {
  own(media) m = NULL;
  const char *text = "";
  pthread_t waiter;
  int error = media_new(&m, &p->media, &text);
  if (error) {
    log_error(media, "%s: %s", text, strerror(-error));
    return error;
  }
  error = give_up_root(p, m);
  if (error) {
    log_error(media, "could not become %s: %s", p->user, strerror(-error));
    return error;
  }
  error = -pthread_create(&waiter, NULL, await_signal, m);
  if (error)
    return error;
  log_info(media, "listening on %s, %u workers, backend %s (%s asked for)", p->media.socket,
           p->media.workers, media_backend(m), p->media.backend[0] ? p->media.backend : "auto");
  notify_send("READY=1");
  media_run(m);
  pthread_join(waiter, NULL);
  log_info(media, "ended by a signal");
  return 0;
}

int main(int argc, char **argv) {
  struct program p = {.media = {.workers = 1,
                                .dscp = 46,
                                .opus_complexity = 5,
                                .trunk_port_min = 41000,
                                .trunk_port_max = 42999},
                      .level = LOG_INFO};
  int error = options_read(&p, argc, argv);
  if (error)
    return error > 0 ? 0 : 2;
  block_signals();
  jail_files();
  error = log_start("sallyport-media", 2, p.level);
  if (!error && p.run_dir[0])
    error = jail_give(p.run_dir, p.user);
  if (!error)
    error = serve(&p);
  log_stop();
  return error ? 1 : 0;
}
