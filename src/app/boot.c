/* SPDX-License-Identifier: Apache-2.0
 * Starts and ends the parts of sallyportd in order: see boot.h. Privileges are given up once ports are
 * bound and keys are read. */
#include "app/boot.h"

#include "base/clock.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/rand.h"
#include "console/assets.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/signalfd.h>

static void print_errors(const struct conf_errors *e) {
  for (uint32_t i = 0; i < e->n && i < CONF_ERRORS_MAX; i++)
    fprintf(stderr, "%s:%u: %s\n", e->list[i].file, e->list[i].line, e->list[i].text);
  if (e->n > CONF_ERRORS_MAX)
    fprintf(stderr, "… and %u more errors\n", e->n - CONF_ERRORS_MAX);
}

int house_load(const char *file, bool skip_files, struct conf **ret_conf, struct plan **ret_plan) {
  own(conf) c = NULL;
  own(plan) p = NULL;
  own_mem struct conf_errors *e = calloc(1, sizeof(*e));
  if (!e)
    return -ENOMEM;
  int r = conf_load(&c, file, skip_files, e);
  if (r == 0)
    r = plan_load(&p, c->dialplan, e);
  if (r == 0)
    r = plan_check(p, c, e);
  print_errors(e);
  if (r < 0)
    return r;
  *ret_conf = take(c);
  *ret_plan = take(p);
  return 0;
}

static int failed(const char *what, int r, const char *why) {
  log_error(app, "%s: %s%s%s", what, strerror(-r), why && why[0] ? ": " : "", why ? why : "");
  return r;
}

enum { STILL_S = 5 };

static int failed_door(const char *what, const struct addr *at, int r, const char *why) {
  char door[96], text[ADDR_TEXT_BYTES];
  snprintf(door, sizeof(door), "%s %s", what, addr_text(at, text, sizeof(text)));
  return failed(door, r, why);
}

/* The call thread turns, or stands still for longer than anything of it takes. */
static bool is_alive(void *arg, char ret_why[ADMIN_REASON_BYTES]) {
  struct house *h = arg;
  uint64_t now_us = clock_now_us(), turned_us = atomic_load(&h->turned_us);
  uint64_t still_s = now_us > turned_us ? (now_us - turned_us) / 1000000u : 0;
  if (still_s < STILL_S)
    return true;
  snprintf(ret_why, ADMIN_REASON_BYTES, "the call thread stands still for %llu s",
           (unsigned long long)still_s);
  return false;
}

static bool is_ready(void *arg, char ret_why[ADMIN_REASON_BYTES]) {
  struct house *h = arg;
  if (!is_alive(arg, ret_why))
    return false;
  const char *why = atomic_load(&h->draining)       ? "draining"
                    : !calls_has_media(h->calls) ? "the media process is not connected"
                    : !store_is_well(h->store)  ? "records cannot be written"
                                                    : NULL;
  slice_copy(ret_why, ADMIN_REASON_BYTES, slice_of(why));
  return !why;
}

static const struct count_row drop_rows[DROP_COUNT_] = {
#define DROP(id, text) \
  [DROP_##id] = {"sallyport_media_dropped_total", "reason=\"" text "\"", \
                 "Packets that the media process dropped", COUNT_COUNTER},
#include "flow/drop.def"
#undef DROP
};

static const struct count_row backend_rows[MSET_BACKEND_COUNT_] = {
#define BACKEND(id, text) \
  [MSET_BACKEND_##id] = {"sallyport_media_backend_info", "backend=\"" text "\"", \
                         "1: how the media process reads and writes packets", COUNT_GAUGE},
#include "mset/backend.def"
#undef BACKEND
};
static const char *const backend_names[MSET_BACKEND_COUNT_] = {
#define BACKEND(id, text) text,
#include "mset/backend.def"
#undef BACKEND
};

static const struct count_row load_rows[HOUSE_LOADS] = {
    {"sallyport_media_load_verdict", "",
     "0: takes calls; 1: takes no new ones; 2: drops what is too old", COUNT_GAUGE},
    {"sallyport_media_load_busy_permille", "",
     "Share of a processor that the busiest packet thread used", COUNT_GAUGE},
    {"sallyport_media_load_age_us", "", "99th percentile of packets' wait for their thread",
     COUNT_GAUGE},
    {"sallyport_media_headers_lost_total", "",
     "Headers of traced packets that found no room on their way into a timeline", COUNT_COUNTER},
};

static void on_tick(void *arg) {
  struct house *h = arg;
  atomic_store(&h->turned_us, clock_now_us());
  struct mset_load load;
  calls_media_load(h->calls, &load);
  count_set(&h->loads, 0, load.verdict);
  count_set(&h->loads, 1, load.busy_permille);
  count_set(&h->loads, 2, load.age_us);
  count_set(&h->loads, 3, calls_media_count(h->calls, MSET_COUNT_HEADERS));
  const char *backend = calls_media_backend(h->calls);
  for (uint32_t i = 0; i < MSET_BACKEND_COUNT_; i++)
    count_set(&h->backends, i, strcmp(backend, backend_names[i]) == 0);
  for (uint32_t i = 1; i < DROP_COUNT_; i++)
    atomic_store_explicit(&h->drop_values[i], calls_media_count(h->calls, i), memory_order_relaxed);
  house_trunk_count(h);
  house_caps_tick(h);
  if (h->ticks++ % 4 == 0)
    house_tell(h);
  loop_arm(h->loop, &h->tick, 250000);
}

static void on_signal(void *arg, uint32_t events) {
  struct house *h = arg;
  struct signalfd_siginfo si;
  (void)events;
  while (read(h->signals.fd, &si, sizeof(si)) == sizeof(si)) {
    if (si.ssi_signo == SIGHUP)
      revise_reload(h->revise);
    else
      h->stop = (int)si.ssi_signo;
  }
}

/* A second instance on the same state would close the records of our live calls. Held until the process
 * ends. */
static int lock_state(struct house *h) {
  char path[CONF_PATH_BYTES + 8];
  snprintf(path, sizeof(path), "%s/lock", h->conf->node.state_dir);
  h->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  return h->lock_fd < 0 || flock(h->lock_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

static int start_signals(struct house *h) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  h->signals =
      (struct watch){.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .fn = on_signal, .arg = h};
  return h->signals.fd < 0 ? -errno : loop_watch(h->loop, &h->signals, EPOLLIN);
}

static int start_tokens(struct house *h) {
  const struct conf *c = h->conf;
  char issuer[CONF_NAME_BYTES + 16], revoked[CONF_PATH_BYTES + 32];
  snprintf(issuer, sizeof(issuer), "https://%s", c->service.edge);
  snprintf(revoked, sizeof(revoked), "%s/revoked", c->node.state_dir);
  return tokens_new(&h->tokens, issuer, c->service.token_key, revoked);
}

static int start_calls(struct house *h) {
  const struct conf *conf = h->conf;
  struct store_settings ss = {.file = conf->records.file,
                              .keep_ms = conf->records.keep_days * UINT64_C(86400000),
                              .keep_bytes = conf->records.keep_mb * UINT64_C(1000000),
                              .spool = conf->records.push.url[0],
                              .spool_interim = conf->records.push.interim};
  struct calls_env env = {.loop = h->loop, .conf = h->conf, .plan = h->plan, .traces = h->traces};
  uint8_t id[16];
  int r = store_new(&h->store, &ss);
  if (r < 0)
    return failed("records", r, ss.file);
  r = guard_new(&h->guard, h->conf);
  if (r < 0)
    return failed("guard", r, NULL);
  house_bans_back(h);
  r = house_caps(h);
  if (r < 0)
    return failed("caps", r, NULL);
  rand_bytes(id, sizeof(id));
  for (unsigned i = 0; i < sizeof(id); i++)
    snprintf(env.instance + 2 * i, 3, "%02x", id[i]);
  memcpy(h->instance, env.instance, sizeof(h->instance));
  env.guard = h->guard;
  env.store = h->store;
  r = calls_new(&h->calls, &env);
  return r < 0 ? failed("calls", r, NULL) : 0;
}

static int start_native(struct house *h) {
  const char *why = NULL;
  h->files = calloc(assets_count, sizeof(*h->files));
  if (!h->files)
    return -ENOMEM;
  for (size_t i = 0; i < assets_count; i++)
    h->files[i] = (struct native_file){assets[i].path, assets[i].type, assets[i].etag,
                                       slice_from(assets[i].bytes, assets[i].n)};
  struct native_settings s = {.conf = h->conf,
                              .calls = h->calls,
                              .loop = h->loop,
                              .guard = h->guard,
                              .traces = h->traces,
                              .tokens = h->tokens,
                              .files = h->files,
                              .files_n = assets_count};
  int r = native_new(&h->native, &s, &why);
  return r < 0 ? failed_door("service door", &h->conf->service.listen, r, why) : 0;
}

/* The rows' texts are the configuration's. */
size_t house_admin_certificates(const struct conf *c,
                                struct admin_certificate rows[CONF_CERTIFICATES_MAX]) {
  for (uint32_t i = 0; i < c->admin.n_certificates; i++) {
    const struct conf_certificate *x = &c->admin.certificates[i];
    rows[i] = (struct admin_certificate){x->name, x->match, x->role};
  }
  return c->admin.n_certificates;
}

struct admin_push house_push(const struct conf *c) {
  return (struct admin_push){.url = c->records.push.url,
                             .secret_file = c->records.push.secret_file,
                             .ca = c->records.push.ca,
                             .batch = c->records.push.batch,
                             .keep_h = c->records.push.keep_h,
                             .keep_records = c->records.push.keep_records};
}

static int start_admin(struct house *h) {
  const struct conf *c = h->conf;
  const char *hosts[CONF_LIST_MAX];
  struct admin_certificate certificates[CONF_CERTIFICATES_MAX];
  const char *why = NULL;
  char ledger[CONF_PATH_BYTES + 16];
  house_ledger(h, ledger);
  for (uint32_t i = 0; i < c->admin.hosts.n; i++)
    hosts[i] = c->admin.hosts.text[i];
  struct admin_settings s = {.listen = c->admin.listen,
                             .client_ca = c->admin.client_ca[0] ? c->admin.client_ca : NULL,
                             .client_crl = c->admin.client_crl[0] ? c->admin.client_crl : NULL,
                             .client_certs = certificates,
                             .client_certs_n = house_admin_certificates(c, certificates),
                             .hosts = hosts,
                             .hosts_n = c->admin.hosts.n,
                             .session_idle_s = c->admin.session_idle_s,
                             .session_life_s = c->admin.session_life_s,
                             .files = console_files,
                             .files_n = console_files_count,
                             .cert_file = c->admin.certificate[0] ? c->admin.certificate : NULL,
                             .key_file = c->admin.key[0] ? c->admin.key : NULL,
                             .token_file = c->admin.token_file,
                             .store_file = c->records.file,
                             .ledger_file = ledger,
                             .audit_keep_days = c->admin.audit_keep_days,
                             .audit_keep_rows = c->admin.audit_keep_rows,
                             .revise = h->revise,
                             .push = house_push(c),
                             .tokens = h->tokens,
                             .ready = is_ready,
                             .alive = is_alive,
                             .ready_arg = h,
                             .calls = house_calls,
                             .call = house_call,
                             .hangup = house_hangup,
                             .drain = house_order_drain,
                             .certificates = house_certificates,
                             .bans = house_bans,
                             .ban = house_ban,
                             .unban = house_unban,
                             .bans_kept = house_bans_kept,
                             .streams_max = c->admin.streams_max,
                             .per_address_max = c->admin.connections_per_address,
                             .calls_arg = h,
                             .trunks = house_trunks,
                             .forget = house_timeline_erase,
                             .timeline = house_timeline,
                             .capture = house_capture};
  int r = house_doctor(h, &s);
  if (r == 0)
    r = admin_new(&h->admin, &s, &why);
  if (r == 0)
    r = admin_attach(h->admin, h->loop);
  if (r < 0)
    return failed_door("operators' door", &c->admin.listen, r, why);
  house_doctor_recall(h);
  h->loads = (struct counts){load_rows, HOUSE_LOADS, h->load_values};
  h->backends = (struct counts){backend_rows, MSET_BACKEND_COUNT_, h->backend_values};
  h->drops = (struct counts){drop_rows + 1, DROP_COUNT_ - 1, h->drop_values + 1};
  struct counts *tables[] = {&h->drops,
                             house_trunk_counts(),
                             &h->loads,
                             &h->backends,
                             (struct counts *)guard_counts(h->guard),
                             (struct counts *)calls_counts(h->calls),
                             (struct counts *)calls_causes(h->calls),
                             (struct counts *)stir_counts(),
                             (struct counts *)trunks_counts(),
                             (struct counts *)trunks_transport_counts(),
                             native_web_counts(h->native),
                             store_counts(h->store),
                             traces_counts(h->traces),
                             tracebook_counts(h->tracebook)};
  for (size_t i = 0; r == 0 && i < COUNT_OF(tables); i++)
    r = admin_count(h->admin, tables[i]);
  size_t hists_n;
  const struct hist *hists = calls_hists(&hists_n);
  admin_hists(h->admin, hists, hists_n);
  return r;
}

int house_start(struct house *h) {
  char why[256] = "";
  const struct conf *c = h->conf;
  int r = jail_give(c->node.state_dir, c->node.user);
  if (r < 0)
    return failed(c->node.state_dir, r, NULL);
  r = lock_state(h);
  if (r < 0)
    return failed(c->node.state_dir, r, r == -EWOULDBLOCK ? "another sallyportd works on it" : "lock");
  r = loop_new(&h->loop);
  if (r == 0)
    r = root_new(&h->root, h->loop);
  if (r == 0)
    r = start_signals(h);
  if (r < 0)
    return failed("loop", r, NULL);
  r = house_revise(h);
  if (r < 0)
    return failed("the configuration's history", r, NULL);
  r = start_tokens(h);
  if (r < 0)
    return failed("service.token_key", r, c->service.token_key);
  (void)!reserve_take(h->conf->records.file);
  r = house_timelines(h);
  if (r < 0)
    return failed("timelines", r, NULL);
  r = start_calls(h);
  if (r < 0)
    return r;
  struct trunks_env env = {.root = h->root,
                           .loop = h->loop,
                           .calls = h->calls,
                           .guard = h->guard,
                           .conf = c,
                           .traces = h->traces};
  r = trunks_new(&h->trunks, &env, why, sizeof(why));
  if (r < 0)
    return failed("trunk door", r, why);
  r = start_native(h);
  if (r == 0)
    r = start_admin(h);
  if (r < 0)
    return r;
  r = jail_give(c->node.state_dir, c->node.user); /* what was made meanwhile */
  if (r == 0)
    r = jail_enter(c->node.user, JAIL_NOTHING);
  if (r < 0)
    return failed("node.user", r, c->node.user);
  h->tick = (struct timer){.fn = on_tick, .arg = h};
  on_tick(h);
  return 0;
}

void house_stop(struct house *h) {
  atomic_store(&h->gone, true);
  if (h->loop) { /* nothing turns it any more; what it would call is gone one after the other */
    loop_disarm(h->loop, &h->tick);
    loop_unwatch(h->loop, &h->signals);
  }
  doctor_stop(h->doctor); /* its reports are told while somebody writes them */
  h->admin = admin_free(h->admin);
  house_tell_stop();
  doctor_free(h->doctor);
  native_free(h->native);
  trunks_free(h->trunks);
  calls_free(h->calls);
  house_timelines_stop(h);
  house_caps_stop(h);
  guard_free(h->guard);
  store_free(h->store);
  tokens_free(h->tokens);
  house_revise_stop(h);
  root_free(h->root);
  loop_free(h->loop);
  if (h->signals.fd > 0)
    close(h->signals.fd);
  if (h->lock_fd > 0)
    close(h->lock_fd);
  for (size_t i = 0; i < h->old_n; i++)
    conf_free(h->old_confs[i]);
  free(h->old_confs);
  conf_free(h->conf);
  plan_free(h->plan);
  free(h->files);
}
