/* SPDX-License-Identifier: Apache-2.0
 * What operators see of the trunks: GET /admin/v1/trunks and rows of /metrics. Call thread; the rows of
 * a table of metrics only ever grow, because other threads read it. */
#include "app/boot.h"

#include "base/clock.h"

#include <jansson.h>
#include <stdio.h>

enum { ALARMS_MAX = 64, WEAK_SAMPLE = 100, LABEL_BYTES = CONF_NAME_BYTES + 16 };

static const struct count_row figures[] = {
    {"sallyport_trunk_state", "", "Health of the trunk: 0 unknown, 1 up, 2 down", COUNT_GAUGE},
    {"sallyport_trunk_dialogs", "", "SIP dialogs of the trunk alive", COUNT_GAUGE},
    {"sallyport_trunk_seizures_total", "", "Call legs of the trunk that ended", COUNT_COUNTER},
    {"sallyport_trunk_answered_total", "", "Call legs of the trunk that were answered", COUNT_COUNTER},
    {"sallyport_trunk_certificate_expiry_seconds", "",
     "End of our certificate toward the trunk, seconds since 1970; 0: none", COUNT_GAUGE},
    {"sallyport_trunk_peer_certificate_expiry_seconds", "",
     "End of the peer's certificate, seconds since 1970; 0: none seen", COUNT_GAUGE},
};
enum { FIGURES = COUNT_OF(figures), ROWS = CONF_TRUNKS_MAX * FIGURES };

static struct {
  struct count_row rows[ROWS];
  _Atomic uint64_t values[ROWS];
  char labels[CONF_TRUNKS_MAX][LABEL_BYTES];
  struct counts counts;
} table;

struct counts *house_trunk_counts(void) {
  table.counts.rows = table.rows;
  table.counts.values = table.values;
  return &table.counts;
}

/* The first row of a trunk, made when it is new; ROWS: there is no room. */
static size_t rows_of(const char *trunk) {
  char label[LABEL_BYTES];
  size_t n = table.counts.n / FIGURES;
  snprintf(label, sizeof label, "trunk=\"%s\"", trunk);
  for (size_t i = 0; i < n; i++)
    if (!strcmp(table.labels[i], label))
      return i * FIGURES;
  if (n == CONF_TRUNKS_MAX)
    return ROWS;
  memcpy(table.labels[n], label, sizeof label);
  for (size_t k = 0; k < FIGURES; k++) {
    table.rows[n * FIGURES + k] = figures[k];
    table.rows[n * FIGURES + k].labels = table.labels[n];
  }
  __atomic_store_n(&table.counts.n, (n + 1) * FIGURES, __ATOMIC_RELEASE);
  return n * FIGURES;
}

void house_trunk_count(struct house *h) {
  for (uint32_t i = 0; i < h->conf->n_trunks; i++) {
    struct trunk_health t;
    size_t row = rows_of(h->conf->trunks[i].name);
    if (row == ROWS || !trunks_health(h->trunks, h->conf->trunks[i].name, &t))
      continue;
    const uint64_t now[FIGURES] = {t.state,
                                   t.calls,
                                   t.figures.seizures,
                                   t.figures.answered,
                                   (uint64_t)t.own_expiry_s,
                                   (uint64_t)t.peer_expiry_s};
    for (size_t k = 0; k < FIGURES; k++)
      count_set(&table.counts, row + k, now[k]);
  }
}

/* Network effectiveness and mean call duration, as the dashboards of direct routing have them (O-10). */
static json_t *figures_json(const struct trunk_figures *f) {
  double ner = f->seizures ? 100.0 * (double)(f->answered + f->person) / (double)f->seizures : 100.0;
  double acd = f->answered ? (double)f->talk_ms / 1000.0 / (double)f->answered : 0.0;
  return json_pack("{s:I, s:I, s:f, s:f, s:b}", "seizures", (json_int_t)f->seizures, "answered",
                   (json_int_t)f->answered, "ner_percent", ner, "acd_s", acd, "weak_sample",
                   f->seizures < WEAK_SAMPLE);
}

static json_t *goals_json(const struct conf_trunk *t, const struct trunk_health *h) {
  json_t *list = json_array();
  char uri[CONF_PATH_BYTES];
  for (uint32_t i = 0; i < h->n_goals; i++)
    if (conf_trunk_target(t, i, uri, sizeof uri) == 0)
      json_array_append_new(list,
                            json_pack("{s:s, s:s}", "uri", uri, "state", trunk_state_text(h->goals[i])));
  return list;
}

static json_t *bindings_json(const struct trunk_registration *r) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < r->n_bindings; i++)
    json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "contact", r->bindings[i].contact, "source",
                                          r->bindings[i].source, "until_ms",
                                          (json_int_t)r->bindings[i].until_ms));
  return list;
}

/* How it is attached by registration, null: not so. */
static json_t *registration_json(struct house *h, const struct conf_trunk *t) {
  struct trunk_registration r;
  if (!trunks_registration(h->trunks, t, &r))
    return json_null();
  if (r.is_theirs)
    return json_pack("{s:o}", "bindings", bindings_json(&r));
  return json_pack("{s:s, s:s?, s:i, s:I}", "state", r.state, "registrar", r.at[0] ? r.at : NULL,
                   "last_status", r.last_status, "until_ms", (json_int_t)r.until_ms);
}

static json_t *trunk_json(const struct conf_trunk *t, const struct trunk_health *h) {
  static const char *const kinds[] = {"carrier", "direct-routing"}, *const roles[] = {"hub", "sbc"};
  return json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:b, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, "
                   "s:I, s:I, s:i, "
                   "s:o, s:o}",
                   "name", t->name, "kind", kinds[t->kind], "role",
                   t->kind == TRUNK_DIRECT_ROUTING ? roles[t->role] : NULL, "base",
                   t->base[0] ? t->base : NULL, "fqdn", t->fqdn, "enabled", t->enabled, "state",
                   trunk_state_text(h->state), "tls", trunk_tls_text(h->tls), "options",
                   trunk_asked_text(h->asked), "overall", trunk_overall_text(h->state), "last_status",
                   h->last_status, "options_sent", (json_int_t)h->sent, "options_answered",
                   (json_int_t)h->answered, "options_failed", (json_int_t)h->failed, "options_received",
                   (json_int_t)h->received, "last_received_ms", (json_int_t)h->last_received_ms,
                   "certificate_expiry_s", (json_int_t)h->own_expiry_s, "peer_certificate_expiry_s",
                   (json_int_t)h->peer_expiry_s, "calls", (int)h->calls, "targets", goals_json(t, h),
                   "figures", figures_json(&h->figures));
}

static json_t *alarms_json(struct house *h) {
  struct trunk_alarm *list = calloc(ALARMS_MAX, sizeof *list);
  json_t *doc = json_array();
  uint32_t n = list ? trunks_alarms(h->trunks, list, ALARMS_MAX) : 0;
  for (uint32_t i = 0; i < n; i++)
    json_array_append_new(doc, json_pack("{s:s?, s:s, s:s}", "trunk",
                                         list[i].trunk[0] ? list[i].trunk : NULL, "severity",
                                         list[i].is_grave ? "error" : "warning", "text", list[i].text));
  free(list);
  return doc;
}

json_t *house_trunks(void *arg) {
  struct house *h = arg;
  json_t *list = json_array();
  for (uint32_t i = 0; i < h->conf->n_trunks; i++) {
    struct trunk_health t;
    if (trunks_health(h->trunks, h->conf->trunks[i].name, &t)) {
      json_t *j = trunk_json(&h->conf->trunks[i], &t);
      json_object_set_new(j, "registration", registration_json(h, &h->conf->trunks[i]));
      json_array_append_new(list, j);
    }
  }
  return json_pack("{s:o, s:o}", "trunks", list, "alarms", alarms_json(h));
}
