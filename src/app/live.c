/* SPDX-License-Identifier: Apache-2.0
 * What the operators' door is told each second, and what it may order: facts, alarms, changes of calls
 * and trunks, draining. Call thread. */
#include "app/boot.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/stamp.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>

enum { MOS_TICKS = 5, SEEN_MAX = 65536, ALARMS_MAX = 64 };
#define DROPPED_US 300000000u

/* A call that listeners know of. */
struct seen {
  char id[40];
  uint64_t mark;
  bool alive; /* alive: it came in this round. */
};

static struct {
  struct map *calls, *trunks;
  uint32_t next; /* next is where the round of calls begins: where the last one had told enough. */
  bool watched;  /* watched: somebody listened in the last round. */
} live;

static uint64_t total(const struct counts *c, const char *name) {
  uint64_t sum = 0;
  for (size_t i = 0; i < c->n; i++)
    if (!strcmp(c->rows[i].name, name))
      sum += count_get(c, i);
  return sum;
}

/* What histograms of that name have seen: the sum, and how many. */
static void hist_total(const char *name, uint64_t *ret_sum, uint64_t *ret_n) {
  size_t n;
  const struct hist *hists = calls_hists(&n);
  for (size_t i = 0; i < n; i++) {
    if (strcmp(hists[i].row->name, name) != 0)
      continue;
    *ret_sum += atomic_load_explicit(&hists[i].sum, memory_order_relaxed);
    for (size_t k = 0; k <= HIST_BOUNDS_MAX; k++)
      *ret_n += atomic_load_explicit(&hists[i].buckets[k], memory_order_relaxed);
  }
}

static uint16_t worse_of(uint16_t a, uint16_t b) { return !a || (b && b < a) ? b : a; }

static uint16_t call_mos(struct call *c) {
  struct mset_facts f;
  uint16_t mos = 0;
  for (struct leg *l = NULL; (l = call_next_leg(c, l));)
    if (l->media.session && leg_facts(l, &f))
      mos = worse_of(mos, worse_of(f.mos_rx_centi, f.mos_tx_centi));
  return mos;
}

/* The mean of live calls, each by its worst direction; looked at each MOS_TICKS seconds. */
static uint16_t mos_mean(struct house *h) {
  static uint32_t ticks;
  static uint16_t mean;
  uint32_t cursor = 0, sum = 0, n = 0;
  if (ticks++ % MOS_TICKS)
    return mean;
  for (struct call *c; (c = calls_next(h->calls, &cursor));) {
    uint16_t mos = c->answered ? call_mos(c) : 0;
    sum += mos;
    n += mos != 0;
  }
  mean = n ? (uint16_t)(sum / n) : 0;
  return mean;
}

static void facts_make(struct house *h, struct admin_facts *f) {
  const struct counts *c = calls_counts(h->calls);
  struct mset_load load;
  memset(f, 0, sizeof *f);
  f->live = calls_count(h->calls);
  f->max = h->conf->node.max_calls;
  uint32_t cursor = 0;
  for (struct call *call; (call = calls_next(h->calls, &cursor));)
    f->ringing += !call->answered;
  f->calls = total(c, "sallyport_calls_total");
  f->answered = total(c, "sallyport_calls_answered_total");
  f->refused = total(c, "sallyport_calls_refused_total");
  f->ended = total(c, "sallyport_calls_ended_total");
  f->media = calls_is_ready(h->calls);
  slice_copy(f->backend, sizeof f->backend, slice_of(calls_media_backend(h->calls)));
  f->workers = h->conf->media.workers;
  calls_media_load(h->calls, &load);
  f->load_permille = load.busy_permille;
  memcpy(f->instance, h->instance, sizeof h->instance);
  f->draining = atomic_load(&h->draining);
  f->config_version = h->conf->version;
  f->confirm_by_ms = revise_confirm_by_ms(h->revise);
  for (uint32_t i = 0; i < h->conf->n_trunks; i++) {
    struct trunk_health t;
    if (!h->conf->trunks[i].enabled || !trunks_health(h->trunks, h->conf->trunks[i].name, &t))
      continue;
    f->trunks++;
    f->trunks_online += t.state != TRUNK_DOWN;
  }
  hist_total("sallyport_call_length_seconds", &f->talk_ms, &f->talks);
  hist_total("sallyport_call_pdd_seconds", &f->pdd_ms, &f->pdds);
  f->mos_x100 = mos_mean(h);
}

static void alarm_add(struct admin_alarm *list, size_t *n, const char *kind, bool is_grave,
                      const char *what, const char *text) {
  struct admin_alarm *al = &list[*n];
  if (*n == ALARMS_MAX)
    return;
  memset(al, 0, sizeof *al);
  slice_copy(al->kind, sizeof al->kind, slice_of(kind));
  slice_copy(al->what, sizeof al->what, slice_of(what));
  slice_copy(al->text, sizeof al->text, slice_of(text));
  al->severity = is_grave ? "critical" : "warning";
  ++*n;
}

static void records_alarm(struct house *h, struct admin_alarm *list, size_t *n) {
  char text[200];
  snprintf(text, sizeof text, "Records cannot be written to the disk: %s", store_why(h->store));
  alarm_add(list, n, "records_failing", true, "records", text);
}

/* Stands five minutes after the last one that was lost. */
static void dropped_alarm(struct house *h, struct admin_alarm *list, size_t *n) {
  static uint64_t seen, until_us;
  const struct counts *c = store_counts(h->store);
  uint64_t calls = count_get(c, STORE_DROPPED), refused = count_get(c, STORE_DROPPED_REFUSED);
  char text[200];
  if (calls + refused != seen)
    until_us = clock_now_us() + DROPPED_US;
  seen = calls + refused;
  if (clock_now_us() >= until_us)
    return;
  snprintf(text, sizeof text,
           "Records were given up because too many waited: %llu of calls, %llu of refused attempts "
           "since the start",
           (unsigned long long)calls, (unsigned long long)refused);
  alarm_add(list, n, "records_dropped", calls > 0, "records", text);
}

/* The file of revoked client certificates, as found when it changed last. */
static void crl_alarm(struct house *h, struct admin_alarm *list, size_t *n) {
  static struct {
    struct stamp seen;
    bool is_read;
    uint64_t until_s;
    int error;
    char text[CONF_PATH_BYTES + 100];
  } crl;
  const char *file = h->conf->admin.client_crl;
  if (!file[0])
    return;
  const struct stamp now = stamp_of(file);
  if (!crl.is_read || !stamp_same(&now, &crl.seen)) {
    crl.seen = now;
    crl.is_read = true;
    crl.until_s = 0;
    crl.error = web_crl_check(file, &crl.until_s, crl.text, sizeof crl.text);
    if (crl.error == 0)
      snprintf(crl.text, sizeof crl.text, "%s: past its next update: no client certificate is accepted",
               file);
  }
  if (crl.error < 0 || (crl.until_s && clock_wall_ms() / 1000u >= crl.until_s))
    alarm_add(list, n, "client_crl", true, "admin.client_crl", crl.text);
}

/* What stands now; the operators' door knows what of it is new and what is over. */
static size_t alarms_make(struct house *h, struct admin_alarm *list) {
  struct trunk_alarm *of_trunks = calloc(ALARMS_MAX, sizeof *of_trunks);
  uint32_t trunks_n = of_trunks ? trunks_alarms(h->trunks, of_trunks, ALARMS_MAX) : 0;
  size_t n = 0;
  char text[200];
  static uint64_t lost;
  uint64_t lost_now = total(calls_counts(h->calls), "sallyport_media_lost_total");
  bool was_lost = lost_now != lost; /* since the last look: it may be back already */
  lost = lost_now;
  if (was_lost || !calls_is_ready(h->calls))
    alarm_add(list, &n, "media_lost", true, "media",
              "The media process is not connected: no call can be made");
  if (!store_is_well(h->store))
    records_alarm(h, list, &n);
  if (store_is_renewed(h->store))
    alarm_add(list, &n, "records_broken", true, "records",
              "The file of records was broken: it is kept beside as .broken-…, a new one was begun");
  dropped_alarm(h, list, &n);
  crl_alarm(h, list, &n);
  bool is_grave;
  if (native_cert_alarm(h->native, text, &is_grave))
    alarm_add(list, &n, "certificate", is_grave, "service", text);
  for (uint32_t i = 0; i < h->conf->n_trunks; i++) {
    struct trunk_health t;
    const char *name = h->conf->trunks[i].name;
    if (!h->conf->trunks[i].enabled || !trunks_health(h->trunks, name, &t) || t.state != TRUNK_DOWN)
      continue;
    snprintf(text, sizeof text, "Trunk %s is down: last status %d", name, (int)t.last_status);
    alarm_add(list, &n, "trunk_down", true, name, text);
  }
  for (uint32_t i = 0; i < trunks_n; i++)
    alarm_add(list, &n, "certificate", of_trunks[i].is_grave,
              of_trunks[i].trunk[0] ? of_trunks[i].trunk : "all", of_trunks[i].text);
  free(of_trunks);
  return n;
}

static struct seen *seen_take(struct map *m, const char *id) {
  struct seen *s = map_get(m, slice_of(id));
  if (s)
    return s;
  s = calloc(1, sizeof *s);
  if (!s || slice_copy(s->id, sizeof s->id, slice_of(id)) < 0 || map_put(m, slice_of(id), s) < 0) {
    free(s);
    return NULL;
  }
  return s;
}

/* What was not seen this time is gone. */
static bool seen_still(struct map *m, struct slice key, struct seen *s) {
  if (s->alive) {
    s->alive = false;
    return true;
  }
  map_del(m, key);
  free(s);
  return false;
}

static void call_gone(void *arg, struct slice key, void *value) {
  struct house *h = arg;
  struct seen was = *(struct seen *)value;
  if (!seen_still(live.calls, key, value))
    admin_tell(h->admin, "call.gone", json_pack("{s:s}", "id", was.id));
}

static void trunk_gone(void *arg, struct slice key, void *value) {
  struct house *h = arg;
  struct seen was = *(struct seen *)value;
  if (!seen_still(live.trunks, key, value))
    admin_tell(h->admin, "trunk.gone", json_pack("{s:s}", "name", was.id));
}

static void seen_drop(void *arg, struct slice key, void *value) {
  map_del(arg, key);
  free(value);
}

/* A call as it is now; false: enough was told for this second, it is told in one of the next. */
static bool call_tell(struct house *h, struct call *c) {
  uint64_t mark = native_call_mark(c);
  struct seen *s = seen_take(live.calls, c->id);
  if (!s)
    return true;
  s->alive = true;
  if (s->mark == mark)
    return true;
  if (!admin_has_room(h->admin))
    return false;
  admin_tell(h->admin, "call", native_call(c));
  s->mark = mark;
  return true;
}

/* Each once, in a round that goes on where the last one stopped. */
static void calls_tell(struct house *h) {
  uint32_t from = live.next, at = from, before = at;
  bool enough = false;
  live.next = 0;
  for (unsigned lap = 0; lap < 2; lap++, at = before = 0)
    for (struct call *c; (lap == 0 || before < from) && (c = calls_next(h->calls, &at)); before = at)
      if (!call_tell(h, c) && !enough) {
        enough = true;
        live.next = before;
      }
  map_each(live.calls, call_gone, h);
}

static uint64_t text_mark(const char *p) {
  uint64_t mark = 1469598103934665603ull;
  for (; p && *p; p++)
    mark = (mark ^ (unsigned char)*p) * 1099511628211ull;
  return mark;
}

static void trunks_tell(struct house *h) {
  json_t *doc = house_trunks(h), *row;
  size_t i;
  json_array_foreach(json_object_get(doc, "trunks"), i, row) {
    own_mem char *text = json_dumps(row, JSON_COMPACT);
    const char *name = json_string_value(json_object_get(row, "name"));
    struct seen *s = name ? seen_take(live.trunks, name) : NULL;
    if (s && s->mark != text_mark(text)) {
      s->mark = text_mark(text);
      admin_tell(h->admin, "trunk", json_incref(row));
    }
    if (s)
      s->alive = true;
  }
  map_each(live.trunks, trunk_gone, h);
  json_decref(doc);
}

/* Rounds cost nothing while nobody listens. */
static void changes_tell(struct house *h) {
  bool watched = admin_is_watched(h->admin);
  if (!live.calls &&
      (map_new(&live.calls, SEEN_MAX) < 0 || map_new(&live.trunks, CONF_TRUNKS_MAX * 2) < 0))
    return;
  if (!watched && (live.watched || map_count(live.calls))) {
    map_each(live.calls, seen_drop, live.calls);
    map_each(live.trunks, seen_drop, live.trunks);
  }
  live.watched = watched;
  if (!watched)
    return;
  calls_tell(h);
  trunks_tell(h);
}

/* Draining with a deadline ends the process, at the latest then. */
static void drain_look(struct house *h) {
  if (h->drain_until_us && (!calls_count(h->calls) || clock_now_us() >= h->drain_until_us))
    h->stop = SIGTERM;
}

void house_tell(struct house *h) {
  struct admin_facts f;
  static struct admin_alarm list[ALARMS_MAX];
  drain_look(h);
  facts_make(h, &f);
  changes_tell(h);
  admin_tick(h->admin, &f, list, alarms_make(h, list));
}

void house_tell_stop(void) {
  if (live.calls)
    map_each(live.calls, seen_drop, live.calls);
  if (live.trunks)
    map_each(live.trunks, seen_drop, live.trunks);
  live.calls = map_free(live.calls);
  live.trunks = map_free(live.trunks);
}

/* Who is shown a call, in a listener's snapshot, shall hear of its end, even if it comes before the next
 * round. */
json_t *house_calls(void *arg, struct admin_part *part) {
  struct house *h = arg;
  json_t *rows = json_array();
  uint32_t before = part->at, next = part->at;
  part->at = 0;
  for (struct call *c; (c = calls_next(h->calls, &next)); before = next) {
    if (!native_call_is(c, part->trunk, part->user, part->state))
      continue;
    if (json_array_size(rows) == part->limit) {
      part->at = before;
      break;
    }
    if (live.calls)
      (void)seen_take(live.calls, c->id);
    json_array_append_new(rows, native_call(c));
  }
  return rows;
}

json_t *house_call(void *arg, const char *id) {
  struct call *c = calls_find(((struct house *)arg)->calls, slice_of(id));
  return c && !c->ended_ms ? native_call(c) : NULL;
}

bool house_hangup(void *arg, const char *id) {
  struct call *c = calls_find(((struct house *)arg)->calls, slice_of(id));
  if (!c || c->ended_ms)
    return false;
  call_hang_up(c);
  return true;
}

void house_order_drain(void *arg, bool on, uint32_t deadline_s) {
  struct house *h = arg;
  atomic_store(&h->draining, on);
  calls_drain(h->calls, on);
  trunks_pause(h->trunks, on);
  h->drain_until_us = on && deadline_s ? clock_now_us() + deadline_s * 1000000ull : 0;
  if (on)
    native_drain(h->native, deadline_s);
}

static void cert_add(json_t *list, const char *use, const char *trunk, const char *file) {
  if (file[0])
    json_array_append_new(list, json_pack("{s:s, s:s?, s:s}", "use", use, "trunk", trunk, "file", file));
}

json_t *house_certificates(void *arg) {
  struct house *h = arg;
  json_t *list = json_array();
  cert_add(list, "service", NULL, h->conf->service.certificate);
  cert_add(list, "admin", NULL, h->conf->admin.certificate);
  cert_add(list, "admin.client_ca", NULL, h->conf->admin.client_ca);
  for (uint32_t i = 0; i < h->conf->n_listeners; i++)
    cert_add(list, "listener", h->conf->listeners[i].name, h->conf->listeners[i].certificate);
  for (uint32_t i = 0; i < h->conf->n_trunks; i++)
    cert_add(list, "trunk", h->conf->trunks[i].name, h->conf->trunks[i].certificate);
  return list;
}
