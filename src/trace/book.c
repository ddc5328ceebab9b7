/* SPDX-License-Identifier: Apache-2.0
 * All traces: found by call and by Call-ID, kept or dropped by policy, given to the keeper when full and
 * some seconds after the call's end, because an ACK, a BYE's answer come then. */
#include "trace/inner.h"

#include "base/clock.h"
#include "base/rand.h"

#include <stdio.h>

enum { KB_DEFAULT = 16, MAX_DEFAULT = 20000 };

static const struct count_row count_rows[COUNTS_] = {
    [COUNT_LIVE] = {"sallyport_timelines", "", "Timelines in memory", COUNT_GAUGE},
    [COUNT_BEGUN] = {"sallyport_timelines_begun_total", "", "Timelines that were begun", COUNT_COUNTER},
    [COUNT_KEPT] = {"sallyport_timelines_kept_total", "", "Timelines that went to the disk",
                    COUNT_COUNTER},
    [COUNT_LOST] = {"sallyport_timeline_items_lost_total", "", "Items of calls whose timelines are full",
                    COUNT_COUNTER},
    [COUNT_FULL] = {"sallyport_timelines_refused_total", "",
                    "Calls without a timeline, because there were too many", COUNT_COUNTER},
    [COUNT_BYTES] = {"sallyport_timeline_bytes_total", "", "Bytes of timelines that went to the disk",
                     COUNT_COUNTER},
};

static void on_linger(void *arg);

int traces_new(struct traces **ret, const struct traces_settings *s) {
  own(traces) ts = calloc(1, sizeof(*ts));
  if (!ts)
    return -ENOMEM;
  ts->set = *s;
  ts->set.kb = s->kb ? s->kb : KB_DEFAULT;
  ts->set.max = s->max ? s->max : MAX_DEFAULT;
  ts->counts = (struct counts){count_rows, COUNTS_, ts->values};
  ts->linger = (struct timer){.fn = on_linger, .arg = ts};
  list_init(&ts->live);
  list_init(&ts->over);
  int r = map_new(&ts->by_call, ts->set.max);
  if (r == 0)
    r = map_new(&ts->by_sip, (size_t)ts->set.max * 4);
  if (r == 0 && s->key_file)
    r = seal_open(ts, s->key_file);
  if (r == 0)
    *ret = take(ts);
  return r;
}

void traces_set(struct traces *ts, enum trace_policy policy, uint32_t sample) {
  if (!ts)
    return;
  ts->set.policy = policy;
  ts->set.sample = sample;
}

bool traces_is_on(const struct traces *ts) { return ts && (ts->n || ts->set.policy != TRACE_NONE); }

struct counts *traces_counts(struct traces *ts) {
  return &ts->counts;
}

/* One trace's life --------------------------------------------------------------------------------- */

static bool is_wanted(struct traces *ts) {
  if (ts->set.policy == TRACE_NONE)
    return false;
  return ts->set.policy != TRACE_SAMPLED || ts->set.sample <= 1 || rand_below(ts->set.sample) == 0;
}

struct trace *trace_begin(struct traces *ts, uint64_t config_version) {
  if (!ts || !is_wanted(ts))
    return NULL;
  struct trace *t = ts->n < ts->set.max ? calloc(1, sizeof(*t)) : NULL;
  if (!t) {
    count_one(&ts->counts, COUNT_FULL);
    return NULL;
  }
  t->ts = ts;
  t->config_version = config_version;
  t->start_us = loop_now_us(ts->set.loop);
  t->start_wall_us = clock_wall_ms() * 1000;
  t->lines.max = ts->set.kb * 1024;
  list_init(&t->binds);
  list_add_tail(&ts->live, &t->node);
  count_set(&ts->counts, COUNT_LIVE, ++ts->n);
  count_one(&ts->counts, COUNT_BEGUN);
  return t;
}

void trace_name(struct trace *t, const char *call_id) {
  if (!t || t->id[0] || slice_copy(t->id, sizeof(t->id), slice_of(call_id)) < 0)
    return;
  if (map_put(t->ts->by_call, slice_of(t->id), t) < 0)
    t->id[0] = 0;
}

static void bind_free(struct bind *b) {
  (void)map_del(b->t->ts->by_sip, slice_from(b->id, b->n));
  list_del(&b->node);
  b->t->n_binds--;
  free(b);
}

void trace_bind(struct trace *t, const char *sip_call_id, unsigned lane) {
  size_t n = sip_call_id ? strlen(sip_call_id) : 0;
  if (!t || !n || n > 255 || t->n_binds == BINDS_MAX)
    return;
  struct bind *had = map_get(t->ts->by_sip, slice_from(sip_call_id, n));
  if (had)
    bind_free(had);
  struct bind *b = malloc(sizeof(*b) + n);
  if (!b)
    return;
  *b = (struct bind){.t = t, .lane = (uint8_t)lane, .n = (uint16_t)n};
  memcpy(b->id, sip_call_id, n);
  if (map_put(t->ts->by_sip, slice_from(b->id, n), b) < 0) {
    free(b);
    return;
  }
  list_add_tail(&t->binds, &b->node);
  t->n_binds++;
}

struct trace *traces_find_sip(struct traces *ts, const char *sip_call_id, unsigned *ret_lane) {
  struct bind *b = ts && ts->n ? map_get(ts->by_sip, slice_of(sip_call_id)) : NULL;
  if (!b)
    return NULL;
  *ret_lane = b->lane;
  return b->t;
}

struct trace *traces_find(struct traces *ts, struct slice call_id) {
  return ts ? map_get(ts->by_call, call_id) : NULL;
}

unsigned trace_callee_lane(struct trace *t) {
  if (!t)
    return TRACE_CALLEE;
  if (TRACE_CALLEE + t->lanes + 1U < TRACE_LANES)
    t->lanes++;
  return TRACE_CALLEE + t->lanes - 1U;
}

static void trace_free(struct trace *t) {
  struct traces *ts = t->ts;
  LIST_EACH_SAFE(&t->binds, node)
    bind_free(CONTAINER_OF(node, struct bind, node));
  if (t->id[0])
    (void)map_del(ts->by_call, slice_of(t->id));
  list_del(&t->node);
  digits_free(t);
  samples_free(t);
  packets_free(t);
  lines_done(&t->lines);
  free(t);
  count_set(&ts->counts, COUNT_LIVE, --ts->n);
}

void trace_discard(struct trace *t) {
  if (t)
    trace_free(t);
}

/* The keeper --------------------------------------------------------------------------------------- */

/* A part is put also where the policy is to decide later: then it may be dropped. */
void trace_spill(struct trace *t, bool is_last) {
  struct trace_keeper *k = &t->ts->set.keeper;
  if (t->lines.n && k->put && t->id[0]) {
    k->put(k->arg, t->id, t->part, is_last, t->start_wall_us / 1000, slice_from(t->lines.p, t->lines.n));
    count_add(&t->ts->counts, COUNT_BYTES, t->lines.n);
  }
  lines_done(&t->lines);
  t->part++;
}

static void trace_finish(struct trace *t) {
  struct trace_keeper *k = &t->ts->set.keeper;
  if (t->is_kept) {
    trace_spill(t, true);
    count_one(&t->ts->counts, COUNT_KEPT);
  } else if (t->part && k->drop && t->id[0]) {
    k->drop(k->arg, t->id);
  }
  trace_free(t);
}

static void linger_arm(struct traces *ts) {
  uint64_t now = loop_now_us(ts->set.loop);
  if (list_is_empty(&ts->over))
    return;
  uint64_t at = CONTAINER_OF(ts->over.next, struct trace, node)->end_us + LINGER_US;
  loop_arm(ts->set.loop, &ts->linger, at > now ? at - now : 0);
}

static void on_linger(void *arg) {
  struct traces *ts = arg;
  uint64_t now = loop_now_us(ts->set.loop);
  while (!list_is_empty(&ts->over)) {
    struct trace *t = CONTAINER_OF(ts->over.next, struct trace, node);
    if (t->end_us + LINGER_US > now)
      break;
    trace_finish(t);
  }
  linger_arm(ts);
}

void trace_end(struct trace *t, bool is_bad, const char *cause) {
  if (!t || t->is_over)
    return;
  struct traces *ts = t->ts;
  packets_write(t);
  packets_free(t);
  samples_write(t);
  samples_free(t);
  seal_digits(t);
  if (cause && cause[0])
    item_add(t, &(struct item){.kind = TRACE_CAUSE, .title = cause});
  t->is_over = true;
  t->is_kept = ts->set.policy == TRACE_ALL || ts->set.policy == TRACE_SAMPLED || is_bad;
  t->end_us = loop_now_us(ts->set.loop);
  list_del(&t->node);
  list_add_tail(&ts->over, &t->node);
  if (!timer_is_armed(&ts->linger))
    linger_arm(ts);
}

struct traces *traces_free(struct traces *ts) {
  if (!ts)
    return NULL;
  while (ts->live.next && !list_is_empty(&ts->live))
    trace_end(CONTAINER_OF(ts->live.next, struct trace, node), true, NULL);
  while (ts->over.next && !list_is_empty(&ts->over))
    trace_finish(CONTAINER_OF(ts->over.next, struct trace, node));
  loop_disarm(ts->set.loop, &ts->linger);
  map_free(ts->by_call);
  map_free(ts->by_sip);
  explicit_bzero(ts->key, sizeof(ts->key));
  free(ts);
  return NULL;
}

int trace_copy(struct trace *t, char **ret_blob, size_t *ret_n, uint32_t *ret_part) {
  struct lines_mark m = lines_mark(&t->lines);
  uint64_t before_us = t->before_us;
  t->is_copying = true;
  packets_write(t);
  samples_write(t);
  char *copy = malloc(t->lines.n + 1);
  if (copy && t->lines.n)
    memcpy(copy, t->lines.p, t->lines.n);
  *ret_blob = copy;
  *ret_n = t->lines.n;
  *ret_part = t->part;
  lines_cut(&t->lines, m);
  t->before_us = before_us;
  t->is_copying = false;
  return copy ? 0 : -ENOMEM;
}
