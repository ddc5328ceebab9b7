/* SPDX-License-Identifier: Apache-2.0
 * make bench-records: a database of a million records as the store writes them, then pages of 50 for
 * each kind of question, as an operator asks them. It ends with the JSON line of the benches.
 * bench_records N FILE only makes the database. */
#include "base/clock.h"
#include "store/db.h"

#include <stdio.h>
#include <sys/stat.h>

#define DAY_MS UINT64_C(86400000)
#define BEGIN_MS UINT64_C(1767225600000)
#define ASKS 200
#define GOAL_MS 100.0

static const char *const reasons[] = {"completed", "completed", "completed",
                                      "no_answer", "busy",      "rejected"};
static uint64_t seed = 88172645463325252u;
static unsigned records;

static uint32_t draw(uint32_t below) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (uint32_t)(seed >> 33) % below;
}

/* Some numbers, users and trunks have far more calls than others: the lower of two draws, squared. */
static uint32_t skewed(uint32_t n) {
  uint64_t a = draw(n), b = draw(n), least = a < b ? a : b;
  return (uint32_t)(least * least / n);
}

static void flow_fill(struct record_flow *f, bool good) {
  *f = (struct record_flow){3000 + draw(9000),
                            500000 + draw(1500000),
                            draw(40),
                            draw(9000),
                            0,
                            (uint16_t)(good ? 400 + draw(40) : 150 + draw(150))};
}

static void leg_fill(struct record_leg *l, enum record_leg_kind kind, const char *peer, unsigned i,
                     bool good) {
  l->kind = kind;
  snprintf(l->peer, sizeof(l->peer), "%s", peer);
  if (kind == RECORD_LEG_TRUNK)
    snprintf(l->sip_call_id, sizeof(l->sip_call_id), "%08x-%u@198.51.100.%u", draw(1u << 30), i,
             draw(250));
  snprintf(l->remote_addr, sizeof(l->remote_addr), "198.51.100.%u:5061", draw(250));
  snprintf(l->media_addr, sizeof(l->media_addr), "198.51.100.%u:%u", draw(250), 10000 + draw(40000));
  snprintf(l->codec, sizeof(l->codec), "PCMU");
  snprintf(l->suite, sizeof(l->suite), "AES_CM_128_HMAC_SHA1_80");
  flow_fill(&l->rx, good);
  flow_fill(&l->tx, true);
  l->mos_x100 = l->rx.mos_x100;
}

static void record_fill(struct record *r, unsigned i) {
  char user[24], trunk[24];
  bool good = draw(100) > 1, in = draw(2);
  memset(r, 0, sizeof(*r));
  snprintf(user, sizeof(user), "user%u", skewed(20000));
  snprintf(trunk, sizeof(trunk), "carrier%u", skewed(40));
  snprintf(r->id, sizeof(r->id), "c_%016x%08x", i, draw(1u << 30));
  snprintf(r->call_id, sizeof(r->call_id), "%s", r->id);
  r->direction = in ? RECORD_IN : RECORD_OUT;
  r->state = draw(20) ? RECORD_ENDED : RECORD_REFUSED;
  r->started_ms = BEGIN_MS + 90 * DAY_MS / records * i;
  r->ringing_ms = r->started_ms + 300 + draw(2000);
  r->answered_ms = r->ringing_ms + draw(9000);
  r->ended_ms = r->answered_ms + draw(300000);
  snprintf(r->from, sizeof(r->from), "+1425%07u", skewed(300000));
  snprintf(r->to, sizeof(r->to), "+1206%07u", skewed(300000));
  snprintf(r->identity, sizeof(r->identity), "%s", user);
  snprintf(r->tenant, sizeof(r->tenant), "tenant%u", skewed(50));
  snprintf(r->session_id_local, sizeof(r->session_id_local), "%08x%08x%08x%08x", draw(1u << 30), i,
           draw(1u << 30), draw(1u << 30));
  snprintf(r->reason, sizeof(r->reason), "%s", draw(2000) ? reasons[draw(6)] : "media_failure");
  if (r->state == RECORD_REFUSED)
    snprintf(r->rule, sizeof(r->rule), "rate_limit");
  snprintf(
      r->attempts, sizeof(r->attempts),
      "[{\"trunk\":\"carrier%u\",\"began_ms\":%llu,\"ms\":900,\"reason\":\"unavailable\",\"sip\":503},"
      "{\"trunk\":\"%s\",\"began_ms\":%llu}]",
      skewed(40), (unsigned long long)r->started_ms, trunk, (unsigned long long)r->started_ms + 900);
  leg_fill(&r->caller, in ? RECORD_LEG_TRUNK : RECORD_LEG_NATIVE, in ? trunk : user, i, good);
  leg_fill(&r->callee, in ? RECORD_LEG_NATIVE : RECORD_LEG_TRUNK, in ? user : trunk, i, true);
}

static double file_make(const char *file) {
  static struct record r;
  own(db) d = NULL;
  if (db_open(&d, file) < 0)
    abort();
  uint64_t began_us = clock_now_us();
  for (unsigned i = 0; i < records; i++) {
    if (i % 5000 == 0 && (db_begin(d) < 0))
      abort();
    record_fill(&r, i);
    if (db_put(d, &r, r.ended_ms) < 0)
      abort();
    if ((i % 5000 == 4999 || i == records - 1) && db_commit(d) < 0)
      abort();
  }
  return (double)(clock_now_us() - began_us) / 1e6;
}

struct question {
  const char *name;
  void (*fill)(struct reader_query *q);
};

static void ask_number(struct reader_query *q) {
  snprintf(q->number, sizeof(q->number), "+1425%07u", skewed(300000));
}
static void ask_page(struct reader_query *q) {
  snprintf(q->cursor, sizeof(q->cursor), "%llu_0",
           (unsigned long long)(BEGIN_MS + draw(90) * DAY_MS + draw(86400000)));
}
static void ask_trunk(struct reader_query *q) {
  snprintf(q->trunk, sizeof(q->trunk), "carrier%u", draw(40));
}
static void ask_user(struct reader_query *q) {
  snprintf(q->user, sizeof(q->user), "user%u", skewed(20000));
}
static void ask_reason(struct reader_query *q) {
  snprintf(q->reason, sizeof(q->reason), "%s", draw(2) ? "media_failure" : reasons[draw(6)]);
}
static void ask_tenant_state(struct reader_query *q) {
  snprintf(q->tenant, sizeof(q->tenant), "tenant%u", draw(50));
  q->has_state = true;
  q->state = RECORD_REFUSED;
}
static void ask_trunk_reason_week(struct reader_query *q) {
  ask_trunk(q);
  ask_reason(q);
  q->since_ms = BEGIN_MS + draw(83) * DAY_MS;
  q->until_ms = q->since_ms + 7 * DAY_MS;
}
static void ask_user_trunk_number(struct reader_query *q) {
  ask_user(q);
  ask_trunk(q);
  snprintf(q->reason, sizeof(q->reason), "busy");
}
static void ask_prefix_long(struct reader_query *q) {
  snprintf(q->q, sizeof(q->q), "+1425%05u", skewed(3000));
}
static void ask_prefix_short(struct reader_query *q) {
  snprintf(q->q, sizeof(q->q), "+1425%.*s", (int)draw(3), "000");
}
static void ask_prefix_trunk(struct reader_query *q) {
  ask_prefix_short(q);
  ask_trunk(q);
}
static void ask_callid(struct reader_query *q) { snprintf(q->q, sizeof(q->q), "%05x", draw(1u << 18)); }
static void ask_bad_mos(struct reader_query *q) { q->max_mos_x100 = 200; }
static void ask_bad_mos_user(struct reader_query *q) {
  ask_user(q);
  q->max_mos_x100 = 250;
}

static const struct question questions[] = {
    {"page", ask_page},
    {"number", ask_number},
    {"trunk", ask_trunk},
    {"user", ask_user},
    {"reason", ask_reason},
    {"tenant and refused", ask_tenant_state},
    {"trunk, reason, one week", ask_trunk_reason_week},
    {"user, trunk, reason", ask_user_trunk_number},
    {"prefix of a number", ask_prefix_long},
    {"short prefix", ask_prefix_short},
    {"short prefix and trunk", ask_prefix_trunk},
    {"prefix of a Call-ID", ask_callid},
    {"mos at most", ask_bad_mos},
    {"user and mos at most", ask_bad_mos_user},
};

static int by_size(const void *a, const void *b) {
  const double *x = a, *y = b;
  return *x < *y ? -1 : *x > *y;
}

static double ask_once(struct reader *rd, const struct question *w, size_t *ret_rows) {
  struct reader_query q = {.limit = 50};
  struct record *rows;
  char cursor[READER_CURSOR_BYTES];
  w->fill(&q);
  uint64_t began_us = clock_now_us();
  if (reader_list(rd, &q, &rows, ret_rows, cursor) < 0)
    abort();
  double ms = (double)(clock_now_us() - began_us) / 1e3;
  free(rows);
  return ms;
}

int main(int argc, char **argv) {
  char dir[] = "/tmp/sallyport-bench-records-XXXXXX", file[64], cmd[80];
  static double ms[ASKS * COUNT_OF(questions)];
  size_t n = 0;
  double worst = 0;
  struct stat st;
  own(reader) rd = NULL;
  records = argc > 1 ? (unsigned)atoi(argv[1]) : 1000000;
  if (argc > 2)
    return file_make(argv[2]) > 0 ? 0 : 1;
  if (!mkdtemp(dir))
    return 1;
  snprintf(file, sizeof(file), "%s/records.db", dir);
  double made_s = file_make(file);
  if (reader_new(&rd, file) < 0 || stat(file, &st) < 0)
    return 1;
  printf("%u records written in %.1f s (%.0f/s), %.0f MB\n%-26s %8s %8s %8s\n", records, made_s,
         records / made_s, (double)st.st_size / 1e6, "pages of 50", "p50 ms", "p95 ms", "rows");
  for (size_t i = 0; i < COUNT_OF(questions); i++) {
    double *of = ms + n;
    size_t rows, all = 0;
    for (unsigned k = 0; k < ASKS; k++, all += rows)
      ms[n++] = ask_once(rd, &questions[i], &rows);
    qsort(of, ASKS, sizeof(*of), by_size);
    printf("%-26s %8.2f %8.2f %8.1f\n", questions[i].name, of[ASKS / 2], of[ASKS * 95 / 100],
           (double)all / ASKS);
    worst = of[ASKS * 95 / 100] > worst ? of[ASKS * 95 / 100] : worst;
  }
  qsort(ms, n, sizeof(*ms), by_size);
  printf(
      "{\"bench\": \"records\", \"ours\": {\"records\": %u, \"write_per_s\": %.0f, \"search_p50_ms\": "
      "%.2f, \"search_p95_ms\": %.2f, \"worst_kind_p95_ms\": %.2f}, \"goal\": {\"worst_kind_p95_ms\": "
      "{\"max\": %.0f}}, \"held\": %s}\n",
      records, records / made_s, ms[n / 2], ms[n * 95 / 100], worst, GOAL_MS,
      worst <= GOAL_MS ? "true" : "false");
  rd = reader_free(rd);
  snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
  return system(cmd) == 0 ? 0 : 1;
}
