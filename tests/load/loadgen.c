/* SPDX-License-Identifier: Apache-2.0
 * The load generator: N calls of two SRTP endpoints through a media process (ours, rtpengine, the bare
 * relay), 50 packets a second each way, opened and checked at the far side. Prints a line of
 * JSON; bounded in calls and seconds. tests/load/bench_media.py runs it. */
#include "base/clock.h"
#include "base/rand.h"
#include "gen.h"

#include <dirent.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

static const char usage[] =
    "Usage: loadgen --system ours|ours-shared|ours-webrtc|rtpengine|janus|relay --control PATH|IP:PORT [options]\n"
    "  --calls N        calls to open (100)           --seconds S    of a window (3)\n"
    "  --find FROM-TO   the most calls that pass      --ramp N       so many new calls a second, in "
    "traffic\n"
    "  --churn N        beside them so many WebRTC clients a second that connect and go\n"
    "  --suite-a NAME   SRTP suite of leg A           --suite-b NAME of leg B; \"none\": plain RTP\n"
    "  --plain          plain RTP on both\n"
    "  --local-a IP     where the A endpoints live    --local-b IP   and the B ones (127.0.0.1)\n"
    "  --clients IP     where those of WebRTC clients and of legs on shared ports begin, a /16 (in 127.0.0.0/8)\n"
    "  --check N        open one call in N, of the others look at sequence numbers (1)\n"
    "  --pid PID        whose CPU and memory to read\n";

static struct gen gen;
static struct {
  unsigned calls, seconds, ramp, pid, refused, churn, at_once, handshakes;
  uint64_t rss0_kb;
} job = {.calls = 100, .seconds = 3, .at_once = 1};

enum { NATIVES_AT_ONCE = 24, CHURN_AT_ONCE = 40 };

struct cost {
  uint64_t cpu_ns, rss_kb;
};

/* What a step found. */
struct result {
  unsigned calls;
  struct stats st;
  double seconds, lost, late, cpu_us_packet, cpu;
  double own_cpu; /* own_cpu is the generator's share of its core. */
  bool passed;
};

/* The process under test -----------------------------------------------------------------------------
 */
static uint64_t number_in(const char *path, const char *key) {
  char line[256];
  uint64_t v = 0;
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof(line), f))
    if (strncmp(line, key, strlen(key)) == 0) {
      v = strtoull(line + strlen(key), NULL, 10);
      break;
    }
  if (f)
    fclose(f);
  return v;
}

static struct cost cost_now(unsigned pid) {
  struct cost c = {0};
  char path[300];
  if (!pid)
    return c;
  snprintf(path, sizeof(path), "/proc/%u/status", pid);
  c.rss_kb = number_in(path, "VmRSS:");
  snprintf(path, sizeof(path), "/proc/%u/task", pid);
  DIR *d = opendir(path);
  for (struct dirent *e; d && (e = readdir(d));) {
    if (e->d_name[0] == '.')
      continue;
    snprintf(path, sizeof(path), "/proc/%u/task/%s/schedstat", pid, e->d_name);
    c.cpu_ns += number_in(path, "");
  }
  if (d)
    closedir(d);
  return c;
}

/* Calls ----------------------------------------------------------------------------------------------
 */
void call_prepare(struct gen *g, struct call *c, unsigned index) {
  static uint32_t base;
  if (!base)
    base = rand_u32() | 1;
  memset(c, 0, sizeof(*c));
  snprintf(c->name, sizeof(c->name), "load-%08x-%u", base, index);
  for (unsigned i = 0; i < 2; i++) {
    struct leg *l = &c->leg[i];
    l->index = 2 * index + i;
    l->ssrc = base + l->index;
    if (g->is_spread)
      l->local = native_address(g, l->index, addr_port(&g->at[i]));
    l->is_checked = index % g->check_one_in == 0;
    srtpkey_make(&l->tx_key, g->suite[i]);
    srtpkey_make(&l->rx_key, g->suite[i]);
  }
}

int call_arm(struct gen *g, struct call *c) {
  int error = 0;
  (void)g;
  for (unsigned i = 0; i < 2 && !error; i++) {
    error = sealer_new(&c->leg[i].sealer, &c->leg[i].tx_key, c->leg[i].ssrc);
    if (!error)
      error = opener_new(&c->leg[i].opener, &c->leg[i].rx_key);
  }
  return error;
}

static void nap(unsigned ms) {
  (void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000l}, NULL);
  if (gen.driver->poll)
    gen.driver->poll(&gen);
}

/* Opens the call of that place; WebRTC clients still have to connect. */
static int call_open(unsigned index) {
  struct call *c = &gen.calls[index];
  call_prepare(&gen, c, index);
  int error = gen.driver->is_native ? native_prepare(&gen, &c->leg[0]) : 0;
  return error ? error : gen.driver->open(&gen, c);
}

/* Up to n more calls: how many, or -errno that makes going on useless. Refusals are counted. */
static int calls_add(unsigned n) {
  unsigned from = atomic_load(&gen.n_open), added = 0;
  int error = 0;
  for (unsigned i = 0; i < n && !error; i++) {
    error = call_open(from + added);
    job.refused += error == -EBUSY;
    added += !error;
    error = error == -EBUSY ? 0 : error;
  }
  if (!error && gen.driver->is_native)
    error = native_connect(&gen, gen.calls + from, added);
  for (unsigned i = 0; i < added && !error; i++)
    error = call_arm(&gen, &gen.calls[from + i]);
  if (error)
    fprintf(stderr, "call %u: %s\n", from, strerror(-error));
  else
    atomic_store_explicit(&gen.n_open, from + added, memory_order_release);
  return error;
}

/* So many calls are open and carry packets; those refused are counted. */
static int calls_set(unsigned n) {
  uint64_t begin = clock_now_us();
  unsigned asked = 0;
  while (asked < n) {
    unsigned some = n - asked < job.at_once ? n - asked : job.at_once;
    int error = calls_add(some);
    if (error)
      return error;
    asked += some;
    if (job.ramp)
      atomic_store(&gen.n_active, atomic_load(&gen.n_open));
    while (job.ramp && clock_now_us() - begin < (uint64_t)asked * 1000000u / job.ramp)
      nap(1);
  }
  atomic_store_explicit(&gen.n_active, atomic_load(&gen.n_open), memory_order_release);
  return 0;
}

/* Clients that connect and go, so many a second, beside the calls. */
static void churn(unsigned rate, uint64_t until_us) {
  unsigned from = atomic_load(&gen.n_open), some = rate / 10 < CHURN_AT_ONCE ? rate / 10 : CHURN_AT_ONCE;
  uint64_t begin = clock_now_us();
  for (unsigned done = 0; clock_now_us() < until_us; done += some) {
    unsigned opened = 0;
    while (opened < some && call_open(from + opened) == 0)
      opened++;
    job.handshakes += native_connect(&gen, gen.calls + from, opened) == 0 ? opened : 0;
    for (unsigned i = 0; i < opened; i++)
      gen.driver->close(&gen, &gen.calls[from + i]);
    while (clock_now_us() - begin < (uint64_t)(done + some) * 1000000u / rate &&
           clock_now_us() < until_us)
      nap(1);
  }
}

/* Steps ----------------------------------------------------------------------------------------------
 */
static uint32_t percentile(const struct stats *st, double share) {
  uint64_t want = (uint64_t)((double)st->got_checked * share), sum = 0;
  for (uint32_t i = 0; i < GEN_FINE_US + GEN_COARSE; i++) {
    sum += st->hist[i];
    if (sum > want)
      return i < GEN_FINE_US ? i : GEN_FINE_US + (i - GEN_FINE_US) * 100;
  }
  return (uint32_t)st->max_us;
}

static void judge(struct result *r, const struct cost *before, const struct cost *after) {
  const struct stats *st = &r->st;
  double cpu_us = (double)(after->cpu_ns - before->cpu_ns) / 1000;
  double lost = (double)st->sent_checked - (double)st->got_checked;
  if (st->missing > 0)
    lost += (double)st->missing;
  r->lost = st->sent ? lost / (double)st->sent : 1;
  r->late = st->got_checked ? (double)st->late / (double)st->got_checked : 1;
  r->cpu_us_packet = st->got ? cpu_us / (double)st->got : 0;
  r->cpu = cpu_us / 1e6 / r->seconds;
  r->passed = st->sent && r->lost + r->late < 0.0001 && st->behind < st->sent / 1000 + 1;
}

static void print(const struct result *r, uint64_t rss_kb) {
  const struct stats *st = &r->st;
  printf("{\"system\": \"%s\", \"calls\": %u, \"refused\": %u, \"passed\": %s, \"sent\": %llu, \"got\": "
         "%llu, "
         "\"lost\": %.6f, \"late\": %.6f, ",
         gen.driver->name, r->calls, job.refused, r->passed ? "true" : "false",
         (unsigned long long)st->sent, (unsigned long long)st->got, r->lost, r->late);
  printf("\"p50_us\": %u, \"p99_us\": %u, \"p999_us\": %u, \"max_us\": %llu, \"checked\": %.3f, ",
         percentile(st, 0.5), percentile(st, 0.99), percentile(st, 0.999),
         (unsigned long long)st->max_us, st->sent ? (double)st->sent_checked / (double)st->sent : 0);
  printf("\"bad_auth\": %llu, \"bad_payload\": %llu, \"behind\": %.6f, ",
         (unsigned long long)st->bad_auth, (unsigned long long)st->bad_payload,
         st->sent ? (double)st->behind / (double)st->sent : 0);
  printf("\"handshakes_s\": %.1f, ", job.handshakes / r->seconds);
  printf("\"cpu_us_packet\": %.3f, \"cpu\": %.3f, \"generator_cpu\": %.3f, \"rss_kb\": %llu, "
         "\"rss0_kb\": %llu}\n",
         r->cpu_us_packet, r->cpu, r->own_cpu, (unsigned long long)rss_kb,
         (unsigned long long)job.rss0_kb);
  fflush(stdout);
}

/* A window of traffic as it is now. */
static void measure(struct result *r) {
  nap(job.ramp ? 2000 : 700);
  atomic_store(&gen.window_us, job.seconds * 1000000u);
  struct cost before = cost_now(job.pid), own = cost_now((unsigned)getpid());
  uint64_t begin = clock_now_us();
  unsigned asked = atomic_fetch_add_explicit(&gen.window, 1, memory_order_release) + 1;
  if (job.churn)
    churn(job.churn, begin + job.seconds * 1000000u);
  while (clock_now_us() - begin < job.seconds * 1000000u)
    nap(10);
  struct cost after = cost_now(job.pid);
  r->own_cpu = (double)(cost_now((unsigned)getpid()).cpu_ns - own.cpu_ns) / 1e9 / job.seconds;
  while (atomic_load_explicit(&gen.window_done, memory_order_acquire) != asked)
    nap(10);
  r->seconds = job.seconds;
  r->calls = atomic_load(&gen.n_active);
  r->st = gen.stats;
  judge(r, &before, &after);
  print(r, after.rss_kb);
}

static int step(struct result *r) {
  int error = calls_set(job.calls);
  if (!error)
    measure(r);
  return error;
}

/* Options --------------------------------------------------------------------------------------------
 */
static bool number_read(const char *text, unsigned max, unsigned *ret) {
  uint64_t v;
  if (slice_u64(slice_of(text), max, &v) < 0)
    return false;
  *ret = (unsigned)v;
  return true;
}

static bool suite_read(const char *text, enum srtp_suite *ret) {
  *ret = suite_of(slice_of(text));
  return *ret || strcmp(text, "none") == 0;
}

static bool system_read(const char *text) {
  static const struct driver *const all[] = {&drive_ours,      &drive_ours_shared, &drive_ours_webrtc,
                                             &drive_rtpengine, &drive_relay,       &drive_janus};
  for (unsigned i = 0; i < COUNT_OF(all); i++)
    if (strcmp(all[i]->name, text) == 0)
      gen.driver = all[i];
  return gen.driver != NULL;
}

static bool option_set(int c, const char *text) {
  switch (c) {
  case 's':
    return system_read(text);
  case 'c':
    gen.control = text;
    return true;
  case 'n':
    return number_read(text, GEN_CALLS_MAX, &job.calls) && job.calls;
  case 't':
    return number_read(text, GEN_SECONDS_MAX, &job.seconds) && job.seconds;
  case 'r':
    return number_read(text, GEN_CALLS_MAX, &job.ramp);
  case 'h':
    return number_read(text, 2000, &job.churn) && job.churn >= 50;
  case 'a':
  case 'b':
    return suite_read(text, &gen.suite[c - 'a']);
  case 'p':
    gen.suite[0] = gen.suite[1] = SUITE_NONE;
    return true;
  case 'A':
  case 'B':
    return addr_parse(&gen.local[c - 'A'], slice_of(text), 0) == 0;
  case 'C':
    return addr_parse(&gen.clients, slice_of(text), 0) == 0 && addr_family(&gen.clients) == AF_INET;
  case 'k':
    return number_read(text, 1000, &gen.check_one_in) && gen.check_one_in;
  case 'P':
    return number_read(text, 1u << 30, &job.pid);
  default:
    return false;
  }
}

static bool options_read(int argc, char **argv) {
  static const struct option longs[] = {
      {"system", 1, NULL, 's'},  {"control", 1, NULL, 'c'}, {"calls", 1, NULL, 'n'},
      {"seconds", 1, NULL, 't'}, {"ramp", 1, NULL, 'r'},    {"suite-a", 1, NULL, 'a'},
      {"suite-b", 1, NULL, 'b'}, {"plain", 0, NULL, 'p'},   {"local-a", 1, NULL, 'A'},
      {"local-b", 1, NULL, 'B'}, {"check", 1, NULL, 'k'},   {"pid", 1, NULL, 'P'},
      {"churn", 1, NULL, 'h'},   {"clients", 1, NULL, 'C'}, {0}};
  gen.check_one_in = 1;
  gen.suite[0] = SUITE_AES_CM_128_HMAC_SHA1_80;
  gen.suite[1] = SUITE_AEAD_AES_128_GCM;
  for (unsigned i = 0; i < 2; i++)
    (void)!addr_parse(&gen.local[i], SLICE("127.0.0.1"), 0);
  for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;)
    if (!option_set(c, optarg))
      return false;
  gen.is_spread = gen.driver == &drive_ours_shared;
  for (unsigned i = 0; gen.is_spread && i < 2; i++)
    (void)!addr_parse(&gen.local[i], SLICE("0.0.0.0"), 0);
  if (gen.driver && gen.driver->is_native) /* each client has its address, one socket takes them all */
    (void)!addr_parse(&gen.local[0], SLICE("0.0.0.0"), 0);
  return optind == argc && gen.driver && gen.control && (!job.churn || gen.driver->is_native);
}

static int run(void) {
  struct result r;
  pthread_t thread;
  gen.calls_max = job.calls + CHURN_AT_ONCE;
  gen.calls = calloc(gen.calls_max, sizeof(*gen.calls));
  if (!gen.calls)
    return -ENOMEM;
  int error = suite_start();
  if (!error)
    error = traffic_sockets(&gen);
  if (!error && gen.driver->is_native) {
    job.at_once = NATIVES_AT_ONCE;
    error = native_start(&gen);
  }
  if (!error)
    error = gen.driver->start(&gen);
  if (error)
    return error;
  job.rss0_kb = cost_now(job.pid).rss_kb;
  error = -pthread_create(&thread, NULL, traffic_run, &gen);
  if (error)
    return error;
  error = step(&r);
  atomic_store(&gen.is_ending, true);
  pthread_join(thread, NULL);
  for (unsigned i = 0; i < atomic_load(&gen.n_open); i++) {
    gen.driver->close(&gen, &gen.calls[i]);
    for (unsigned k = 0; k < 2; k++) {
      sealer_free(gen.calls[i].leg[k].sealer);
      opener_free(gen.calls[i].leg[k].opener);
    }
  }
  free(gen.calls);
  return error;
}

int main(int argc, char **argv) {
  if (!options_read(argc, argv)) {
    fputs(usage, stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  int error = run();
  if (error)
    fprintf(stderr, "loadgen: %s\n", strerror(-error));
  return error ? 1 : 0;
}
