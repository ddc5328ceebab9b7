/* SPDX-License-Identifier: Apache-2.0
 * The operators' server: its table, its life, and the one verb that the call thread answers. */
#include "admin/desk.h"

static const struct web_row rows[] = {
    {WEB_GET, "/healthz", ADMIN_HEALTH, 0, NULL, NULL, 0, admin_health},
    {WEB_GET, "/readyz", ADMIN_READY, 0, NULL, NULL, 0, admin_ready},
    {WEB_GET, "/metrics", ADMIN_METRICS, WEB_TOKEN, NULL, NULL, 0, admin_metrics},
    {WEB_GET, "/admin/v1/calls", ADMIN_CALLS, WEB_TOKEN, NULL, NULL, 0, NULL},
    {WEB_GET, "/admin/v1/trunks", ADMIN_TRUNKS, WEB_TOKEN, NULL, NULL, 0, NULL},
    {WEB_GET, "/admin/v1/records", ADMIN_RECORDS, WEB_TOKEN, NULL, NULL, 0, admin_records},
    {WEB_GET, "/admin/v1/records/{id}", ADMIN_RECORD, WEB_TOKEN, NULL, NULL, 0, admin_record},
    {WEB_POST, "/admin/v1/tokens", ADMIN_MINT, WEB_TOKEN, NULL, NULL, 0, admin_mint},
    {WEB_DELETE, "/admin/v1/tokens/{jti}", ADMIN_REVOKE, WEB_TOKEN, NULL, NULL, 0, admin_revoke},
};

static bool bearer_ok(void *arg, struct slice bearer) {
  const struct admin *a = arg;
  return gate_may(&a->gate, bearer);
}

static int server_start(struct admin *a, const struct admin_settings *s, const char **ret_why) {
  return web_new(&a->web,
                 &(struct web_settings){.name = "admin",
                                        .listen = &s->listen,
                                        .listen_n = 1,
                                        .cert_file = s->cert_file,
                                        .key_file = s->key_file,
                                        .hosts = s->hosts,
                                        .hosts_n = s->hosts_n,
                                        .rows = rows,
                                        .rows_n = COUNT_OF(rows),
                                        .direct_arg = a,
                                        .bearer_ok = bearer_ok,
                                        .bearer_arg = a,
                                        .threads = 2,
                                        .connections_max = 256,
                                        .connections_per_address_max = 64},
                 ret_why);
}

int admin_new(struct admin **ret_admin, const struct admin_settings *s, const char **ret_why) {
  const char *why = "no memory";
  own(admin) a = calloc(1, sizeof(*a));
  if (!a)
    return -ENOMEM;
  pthread_mutex_init(&a->lock, NULL);
  a->tokens = s->tokens;
  a->ready = s->ready;
  a->ready_arg = s->ready_arg;
  a->calls = s->calls;
  a->trunks = s->trunks;
  a->calls_arg = s->calls_arg;
  why = "the admin token cannot be read, is too short, or others may read it";
  int r = gate_open(&a->gate, s->token_file);
  if (r == 0) {
    why = "the records cannot be read";
    r = reader_new(&a->reader, s->store_file);
  }
  if (r == 0)
    r = server_start(a, s, &why);
  if (r == 0)
    r = admin_count(a, web_counts(a->web));
  if (ret_why)
    *ret_why = r < 0 ? why : NULL;
  if (r == 0)
    *ret_admin = take(a);
  return r;
}

struct admin *admin_free(struct admin *a) {
  if (!a)
    return NULL;
  web_free(a->web);
  reader_free(a->reader);
  gate_done(&a->gate);
  pthread_mutex_destroy(&a->lock);
  free(a);
  return NULL;
}

/* What only the call thread knows: live calls, trunks. */
static void on_ask(void *arg, const struct web_ask *ask) {
  struct admin *a = arg;
  if (ask->kind != WEB_ASK_REQUEST)
    return;
  bool is_trunks = ask->row->id == ADMIN_TRUNKS;
  json_t *(*fn)(void *arg) = is_trunks ? a->trunks : a->calls;
  json_t *doc = fn ? fn(a->calls_arg) : json_pack("{s:[]}", is_trunks ? "trunks" : "calls");
  if (doc)
    web_reply_json(a->web, ask->handle, 200, doc);
  else
    web_reply_problem(a->web, ask->handle, WEB_PROBLEM_overload, NULL);
  json_decref(doc);
}

int admin_attach(struct admin *a, struct loop *l) { return web_attach(a->web, l, on_ask, a); }

int admin_count(struct admin *a, struct counts *c) {
  pthread_mutex_lock(&a->lock);
  bool room = a->tables_n < ADMIN_GROUPS_MAX;
  if (room)
    a->tables[a->tables_n++] = c;
  pthread_mutex_unlock(&a->lock);
  return room ? 0 : -ENOSPC;
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
