/* SPDX-License-Identifier: Apache-2.0
 * sallyportd, the signaling program: options, start, the call thread's turns, end. */
#include "app/boot.h"

#include "base/clock.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/notify.h"
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

static const char usage[] =
    "Usage: sallyportd --config FILE [--check-config]\n"
    "       sallyportd --config FILE --print-relay-config NAME\n"
    "       sallyportd --config FILE --mint-token IDENTITY [--scopes A,B] [--numbers +1…,+2…] [--ttl "
    "SECONDS]\n"
    "\n"
    "  --config FILE     the configuration (docs/configuration.md)\n"
    "  --check-config    says all that is wrong with it, starts nothing\n"
    "  --print-relay-config NAME  coturn's configuration for that one of relays[], with its secret\n"
    "  --mint-token ID   prints an access token for that identity, signed by service.token_key\n"
    "  --scopes LIST     default: call.place,call.receive,call.control,relay.issue,events.read\n"
    "  --numbers LIST    numbers the identity may show; default: those of the configuration\n"
    "  --ttl SECONDS     60 to 86400, default 3600\n"
    "  --version\n";

struct options {
  const char *config, *relay, *mint, *scopes, *numbers, *tenant;
  uint32_t ttl_s;
  bool check;
};

static int options_read(struct options *o, int argc, char **argv) {
  static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
                                        {"check-config", no_argument, NULL, 'k'},
                                        {"mint-token", required_argument, NULL, 'm'},
                                        {"print-relay-config", required_argument, NULL, 'r'},
                                        {"scopes", required_argument, NULL, 's'},
                                        {"numbers", required_argument, NULL, 'n'},
                                        {"tenant", required_argument, NULL, 'T'},
                                        {"ttl", required_argument, NULL, 't'},
                                        {"version", no_argument, NULL, 'v'},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};
  uint64_t ttl = 3600;
  for (int c; (c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1;) {
    if (c == 'c')
      o->config = optarg;
    else if (c == 'k')
      o->check = true;
    else if (c == 'r')
      o->relay = optarg;
    else if (c == 'm')
      o->mint = optarg;
    else if (c == 's')
      o->scopes = optarg;
    else if (c == 'n')
      o->numbers = optarg;
    else if (c == 'T')
      o->tenant = optarg;
    else if (c == 't' && slice_u64(slice_of(optarg), 86400, &ttl) == 0 && ttl >= 60)
      o->ttl_s = (uint32_t)ttl;
    else if (c == 'v' || c == 'h') {
      fputs(c == 'v' ? "sallyportd " PACKAGE_VERSION "\n" : usage, stdout);
      return 1;
    } else {
      fputs(usage, stderr);
      return -EINVAL;
    }
  }
  if (o->config && optind == argc)
    return 0;
  fputs(usage, stderr);
  return -EINVAL;
}

/* Comma-separated text into the claims' forms. */
static int claims_fill(struct claims *c, const struct options *o, const struct conf *conf) {
  const char *scopes =
      o->scopes ? o->scopes : "call.place,call.receive,call.control,relay.issue,events.read";
  struct slice rest = slice_of(o->numbers);
  const struct conf_user *u = conf_user_find(conf, slice_of(o->mint));
  if (slice_copy(c->identity, sizeof(c->identity), slice_of(o->mint)) < 0 ||
      slice_copy(c->tenant, sizeof(c->tenant),
                 slice_of(o->tenant ? o->tenant
                          : u       ? u->tenant
                                    : "default")) < 0 ||
      slice_copy(c->scopes, sizeof(c->scopes), slice_of(scopes)) < 0)
    return -EINVAL;
  for (char *p = c->scopes; *p; p++)
    if (*p == ',')
      *p = ' ';
  while (rest.n && c->numbers_n < TOKEN_NUMBERS_MAX)
    if (slice_copy(c->numbers[c->numbers_n++], TOKEN_NUMBER_BYTES, slice_cut(&rest, ',')) < 0)
      return -EINVAL;
  for (uint32_t i = 0; !o->numbers && u && i < u->numbers.n && i < TOKEN_NUMBERS_MAX; i++)
    slice_copy(c->numbers[c->numbers_n++], TOKEN_NUMBER_BYTES, slice_of(u->numbers.text[i]));
  return 0;
}

static int mint(const struct options *o, const struct conf *conf) {
  own(tokens) t = NULL;
  struct claims c = {0};
  char issuer[CONF_NAME_BYTES + 16], text[TOKEN_MAX_BYTES];
  snprintf(issuer, sizeof(issuer), "https://%s", conf->service.edge);
  int r = tokens_new(&t, issuer, conf->service.token_key, NULL);
  if (r == 0)
    r = claims_fill(&c, o, conf);
  if (r == 0)
    r = token_mint(t, &c, o->ttl_s, clock_wall_ms(), text);
  if (r < 0)
    fprintf(stderr, "sallyportd: no token: %s\n", strerror(-r));
  else
    puts(text);
  explicit_bzero(text, sizeof(text));
  return r;
}

static int relay_print(const char *name, const struct conf *c) {
  char text[8192];
  const struct conf_relay *r = conf_relay_find(c, slice_of(name));
  int e = r ? native_relay_config(text, sizeof(text), c, r) : -ENOENT;
  if (e < 0)
    fprintf(stderr, "sallyportd: relay %s: %s\n", name,
            !r             ? "there is none of that name"
            : e == -EINVAL ? "its secret_file: expected one or two lines of 16 to 128 characters"
                           : strerror(-e));
  else
    fputs(text, stdout);
  explicit_bzero(text, sizeof(text));
  return e;
}

/* What the configuration's own reader does not look into: do keys and certificates fit? */
static int check_files(const struct conf *c) {
  char why[320] = "";
  const struct {
    const char *section, *cert, *key;
  } pairs[] = {{"service", c->service.certificate, c->service.key},
               {"admin", c->admin.certificate, c->admin.key}};
  int r = trunks_check(c, why, sizeof(why));
  if (r < 0)
    fprintf(stderr, "%s: %s\n", c->file, why);
  for (size_t i = 0; i < COUNT_OF(pairs); i++) {
    if (!pairs[i].cert[0] || web_pair_check(pairs[i].cert, pairs[i].key, why, sizeof(why)) == 0)
      continue;
    fprintf(stderr, "%s: %s: %s\n", c->file, pairs[i].section, why);
    r = -EINVAL;
  }
  return r;
}

static int run(struct house *h) {
  int r = house_start(h);
  if (r == 0) {
    log_info(app, "started: service door %s, configuration version %016llx", h->conf->service.edge,
             (unsigned long long)h->conf->version);
    notify_send("READY=1");
    while (!h->stop)
      root_turn(h->root, 1000);
    log_info(app, "ending on signal %d", h->stop);
    notify_send("STOPPING=1");
    house_drain(h);
  }
  house_stop(h);
  return r;
}

static void block_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
}

/* Before anything is read of it. */
static void recover(const char *config) {
  char why[256] = "";
  int r = revise_recover(config, why, sizeof(why));
  if (r < 0)
    fprintf(stderr, "sallyportd: a commit that waits to be confirmed cannot be taken back: %s\n", strerror(-r));
  else if (r > 0)
    fprintf(stderr, "sallyportd: %s\n", why);
}

int main(int argc, char **argv) {
  struct options o = {.ttl_s = 3600};
  static struct house h;
  int r = options_read(&o, argc, argv);
  if (r)
    return r > 0 ? 0 : 2;
  h.conf_file = o.config;
  if (!o.check && !o.mint && !o.relay)
    recover(o.config);
  if (house_load(o.config, false, &h.conf, &h.plan) < 0)
    return 1;
  if (o.check || o.mint || o.relay) {
    r = o.mint ? mint(&o, h.conf) : o.relay ? relay_print(o.relay, h.conf) : check_files(h.conf);
    if (o.check && r == 0)
      printf("%s: good\n", o.config);
    conf_free(h.conf);
    plan_free(h.plan);
    return r < 0;
  }
  block_signals();
  jail_files();
  r = log_start("sallyportd", 2, (enum log_level)h.conf->node.log_level);
  if (r == 0)
    r = run(&h);
  log_stop();
  return r < 0;
}
