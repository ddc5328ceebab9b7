/* SPDX-License-Identifier: Apache-2.0
 * The operators' server: its life and the tables of its metrics. */
#include "admin/desk.h"
#include "admin/openapi.h"
#include "admin/password.h"
#include "admin/push.h"

enum { CONNECTION_BYTES = 12288 }; /* a header may have half of it */
enum { THROTTLE_KEYS_MAX = 4096, AGAIN_MAX = 4096, AGAIN_BYTES_MAX = 16 << 20 };

static int server_start(struct admin *a, const struct admin_settings *s, const char **ret_why) {
  unsigned streams = s->streams_max ? s->streams_max : ADMIN_STREAMS;
  return web_new(&a->web,
                 &(struct web_settings){.name = "admin",
                                        .listen = &s->listen,
                                        .listen_n = 1,
                                        .cert_file = s->cert_file,
                                        .key_file = s->key_file,
                                        .client_ca = s->client_ca,
                                        .client_crl = s->client_crl,
                                        .hosts = s->hosts,
                                        .hosts_n = s->hosts_n,
                                        .rows = a->rows,
                                        .rows_n = verbs_n,
                                        .direct_arg = a,
                                        .who = desk_who,
                                        .finish = desk_finish,
                                        .note_free = desk_note_free,
                                        .still = desk_still,
                                        .nice = 5,
                                        .threads = 4,
                                        .connection_bytes = CONNECTION_BYTES,
                                        .connections_max = ADMIN_REQUESTS + streams,
                                        .connections_per_address_max =
                                            s->per_address_max ? s->per_address_max : 64 + streams / 8},
                 ret_why);
}

static int tables_make(struct admin *a) {
  int r = password_init();
  if (r == 0)
    r = throttle_new(&a->throttle, THROTTLE_KEYS_MAX);
  if (r == 0)
    r = throttle_new(&a->familiar, THROTTLE_KEYS_MAX);
  return r == 0 ? again_new(&a->again, AGAIN_MAX, AGAIN_BYTES_MAX) : r;
}

int admin_new(struct admin **ret_admin, const struct admin_settings *s, const char **ret_why) {
  const char *why = "no memory";
  own(admin) a = calloc(1, sizeof(*a));
  if (!a)
    return -ENOMEM;
  pthread_mutex_init(&a->lock, NULL);
  pthread_mutex_init(&a->reading, NULL);
  a->store_file = slice_dup(slice_of(s->store_file));
  a->set = *s;
  a->is_tls = s->key_file != NULL;
  a->session_idle_ms = (s->session_idle_s ? s->session_idle_s : 28800) * UINT64_C(1000);
  a->audit_keep_ms = (s->audit_keep_days ? s->audit_keep_days : 400) * UINT64_C(86400000);
  a->audit_keep_rows = s->audit_keep_rows ? s->audit_keep_rows : 500000;
  a->session_life_ms = (s->session_life_s ? s->session_life_s : 86400) * UINT64_C(1000);
  overview_init(&a->overview);
  json_t *doc = openapi_make();
  a->openapi = json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS);
  json_decref(doc);
  a->rows = verb_rows(desk_direct);
  if (!a->openapi || !a->rows || !a->store_file)
    return -ENOMEM;
  why = "the admin token cannot be read, is too short, or others may read it";
  int r = gate_open(&a->gate, s->token_file);
  if (r == 0) {
    why = "the records cannot be read";
    r = reader_new(&a->reader, s->store_file);
  }
  if (r == 0) {
    why = "the database of operators, or the key of its audit, cannot be opened";
    r = ledger_new(&a->ledger, s->ledger_file);
  }
  if (r == 0) {
    why = "no memory";
    r = tables_make(a);
  }
  if (r == 0)
    r = admin_certificates(a, s->client_certs, s->client_certs_n);
  if (r == 0)
    r = push_new(&a->push, &s->push, s->store_file, &why);
  if (r == 0)
    r = admin_count(a, push_counts(a->push));
  if (r == 0) {
    why = "no memory";
    r = keep_start(a); /* before the door: its threads use them */
  }
  if (r == 0)
    r = reports_start(a);
  if (r == 0)
    r = server_start(a, s, &why);
  if (r == 0)
    r = admin_count(a, web_counts(a->web));
  if (r == 0) {
    why = "no thread";
    r = keeper_start(a);
  }
  if (ret_why)
    *ret_why = r < 0 ? why : NULL;
  if (r == 0)
    *ret_admin = take(a);
  return r;
}

struct admin *admin_free(struct admin *a) {
  if (!a)
    return NULL;
  keeper_stop(a);
  listings_stop(a);
  web_free(a->web);
  keep_stop(a); /* what the last requests changed too */
  reports_stop(a);
  push_free(a->push);
  reader_free(a->reader);
  ledger_free(a->ledger);
  throttle_free(a->throttle);
  throttle_free(a->familiar);
  again_free(a->again);
  gate_done(&a->gate);
  pthread_mutex_destroy(&a->lock);
  pthread_mutex_destroy(&a->reading);
  json_decref(a->trunk_rows);
  free(a->store_file);
  free(a->pending.text);
  free(a->openapi);
  free(a->rows);
  free(a->certs);
  free(a);
  return NULL;
}

int admin_push_set(struct admin *a, const struct admin_push *s) { return push_set(a->push, s); }

int admin_push_check(const struct admin_push *s, const char **ret_why) { return push_check(s, ret_why); }

int admin_attach(struct admin *a, struct loop *l) {
  int r = listings_start(a, l);
  return r < 0 ? r : web_attach(a->web, l, desk_asked, a);
}

int admin_count(struct admin *a, struct counts *c) {
  pthread_mutex_lock(&a->lock);
  bool room = a->tables_n < ADMIN_GROUPS_MAX;
  if (room)
    a->tables[a->tables_n++] = c;
  pthread_mutex_unlock(&a->lock);
  return room ? 0 : -ENOSPC;
}

void admin_hists(struct admin *a, const struct hist *hists, size_t n) {
  pthread_mutex_lock(&a->lock);
  a->hists = hists;
  a->hists_n = n;
  pthread_mutex_unlock(&a->lock);
}

int admin_gauge(struct admin *a, const char *name, const char *help, uint64_t (*fn)(void *arg),
                void *arg) {
  pthread_mutex_lock(&a->lock);
  bool room = a->gauges_n < ADMIN_GROUPS_MAX;
  if (room)
    a->gauges[a->gauges_n++] = (struct gauge){name, help, fn, arg};
  pthread_mutex_unlock(&a->lock);
  return room ? 0 : -ENOSPC;
}

uint16_t admin_port(const struct admin *a) { return web_port(a->web, 0); }
const char *admin_token(const struct admin *a) { return a->gate.token; }
