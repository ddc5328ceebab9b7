/* SPDX-License-Identifier: Apache-2.0
 * A real server, TLS and plain, under tests/scenario/web_guards.py, which speaks to it in raw bytes. */
#include "base/clock.h"
#include "web/web.h"

#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
  ROW_ECHO,
  ROW_PUT,
  ROW_SLOW,
  ROW_STREAM,
  ROW_FLOOD,
  ROW_ME,
  ROW_PARAM,
  ROW_TICKET,
  ROW_COUNT,
  ROW_LISTEN,
  ROW_CAST
};

static void fixed_answer(void *arg, const struct web_ask *ask, struct web_answer *ret) {
  (void)arg;
  (void)ask;
  ret->status = 200;
  ret->type = "text/html; charset=utf-8";
  ret->fixed = SLICE("<!doctype html>fixed");
  ret->extra[0] = (struct web_header){"Cache-Control", "max-age=60"};
}

static const struct web_row rows[] = {
    {WEB_GET, "/v1/echo", ROW_ECHO, 0, NULL, NULL, 0, NULL},
    {WEB_POST, "/v1/echo", ROW_ECHO, 0, NULL, NULL, 1024, NULL},
    {WEB_PUT, "/v1/put", ROW_PUT, 0, NULL, "*", 0, NULL},
    {WEB_GET, "/v1/slow", ROW_SLOW, 0, NULL, NULL, 0, NULL},
    {WEB_GET, "/v1/stream", ROW_STREAM, WEB_NO_HEAD, NULL, NULL, 0, NULL},
    {WEB_GET, "/v1/flood", ROW_FLOOD, WEB_NO_HEAD, NULL, NULL, 0, NULL},
    {WEB_GET, "/v1/listen", ROW_LISTEN, WEB_NO_HEAD, NULL, NULL, 0, NULL},
    {WEB_POST, "/v1/cast", ROW_CAST, 0, NULL, NULL, 0, NULL},
    {WEB_GET, "/v1/count", ROW_COUNT, 0, NULL, NULL, 0, NULL},
    {WEB_GET, "/v1/me", ROW_ME, WEB_TOKEN, NULL, NULL, 0, NULL},
    {WEB_POST, "/v1/relay", ROW_ME, WEB_TOKEN, "relay.issue", NULL, 0, NULL},
    {WEB_GET, "/v1/ticket", ROW_TICKET, WEB_TOKEN_OPTIONAL, NULL, NULL, 0, NULL},
    {WEB_PATCH, "/v1/calls/{id}/ice", ROW_PARAM, WEB_NO_CORS, NULL, "application/trickle-ice-sdpfrag", 0,
     NULL},
    {WEB_GET, "/phone", 0, 0, NULL, NULL, 0, fixed_answer},
};

static struct web *server;
static web_handle flooding;
static unsigned asked, closed;
static uint64_t last_cookie;
static unsigned number;        /* of the events so far, */
static struct web_scene scene; /* and what new listeners get */

static json_t *slice_json(struct slice s) { return s.p ? json_stringn(s.p, s.n) : json_null(); }

static void echo(const struct web_ask *ask) {
  char q[64] = "";
  int r = web_query(ask, "q", q, sizeof(q));
  json_t *j =
      json_pack("{s:i, s:s, s:o, s:o, s:o, s:i, s:s, s:s, s:b}", "query", r, "q", q, "body",
                slice_json(ask->body), "device", slice_json(ask->device), "key",
                slice_json(ask->idempotency_key), "params", (int)ask->params.n, "param",
                ask->params.text[0], "identity", ask->claims.identity, "claims", ask->has_claims);
  web_reply_json(server, ask->handle, 200, j);
  json_decref(j);
}

static void stream(const struct web_ask *ask) {
  char text[64];
  web_handle h = web_stream_open(server, ask->handle, 4711);
  if (ask->row->id == ROW_FLOOD)
    flooding = h;
  for (int i = 1; i <= 3; i++) {
    snprintf(text, sizeof(text), "id: %d\nevent: test\ndata: {}\n\n", i);
    (void)web_stream_push(server, h, slice_of(text));
  }
}

/* So many events of 1 KB, numbered on from the last. */
static struct slice events(const char *what, unsigned n) {
  static char text[1024 * 1024];
  size_t at = 0;
  for (unsigned i = 0; i < n && i < sizeof(text) / 1024; i++, at += 1024) {
    int head = snprintf(text + at, 64, "event: %s\ndata: %06u", what, number++);
    memset(text + at + head, '.', 1024 - (size_t)head - 2);
    memcpy(text + at + 1022, "\n\n", 2);
  }
  return slice_from(text, at);
}

/* One scene for all. */
static void listener(const struct web_ask *ask) {
  if (!scene.end &&
      web_scene_set(server, &scene, events("scene", 100), web_cast(server, (struct slice){0})) < 0)
    fputs("no scene\n", stderr);
  (void)!web_stream_listen(server, web_stream_open(server, ask->handle, 4711), &scene);
}

/* All connections of this process take no more than that at once. */
static void tighten(int bytes) {
  for (int fd = 3; fd < 256; fd++)
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static void cast(const struct web_ask *ask) {
  bool tight = slice_eq(ask->body, SLICE("{\"tight\": 1}"));
  if (tight)
    tighten(8192);
  (void)web_cast(server, events("cast", ask->body.n > 2 && !tight ? 1024 : 100));
  web_reply_empty(server, ask->handle, 204);
}

static uint64_t counted(const char *name) {
  const struct counts *c = web_counts(server);
  for (size_t i = 0; i < c->n; i++)
    if (strcmp(c->rows[i].name, name) == 0)
      return atomic_load(&c->values[i]);
  return 0;
}

static void counts(const struct web_ask *ask) {
  json_t *j = json_pack("{s:i, s:i, s:I, s:i, s:I, s:I}", "asked", (int)asked, "closed", (int)closed,
                        "cookie", (json_int_t)last_cookie, "streams", (int)web_stream_count(server),
                        "lagging", (json_int_t)counted("sallyport_http_streams_lagging_total"), "bodies",
                        (json_int_t)counted("sallyport_http_body_bytes"));
  web_reply_json(server, ask->handle, 200, j);
  json_decref(j);
}

static void on_ask(void *arg, const struct web_ask *ask) {
  (void)arg;
  if (ask->kind == WEB_ASK_STREAM_CLOSED) {
    closed++;
    last_cookie = ask->cookie;
    return;
  }
  asked++;
  if (ask->row->id == ROW_STREAM || ask->row->id == ROW_FLOOD)
    stream(ask);
  else if (ask->row->id == ROW_LISTEN)
    listener(ask);
  else if (ask->row->id == ROW_CAST)
    cast(ask);
  else if (ask->row->id == ROW_COUNT)
    counts(ask);
  else if (ask->row->id != ROW_SLOW)
    echo(ask);
}

static void flood(void) {
  static char block[8192];
  memset(block, ':', sizeof(block) - 2);
  memcpy(block + sizeof(block) - 2, "\n\n", 2);
  for (int i = 0; flooding && i < 8; i++)
    if (web_stream_push(server, flooding, slice_from(block, sizeof(block))) < 0)
      flooding = 0;
}

static int server_make(struct web **ret, struct tokens *t, const char *dir) {
  static const char *const hosts[] = {"edge.example"}, *const origins[] = {"https://app.example"};
  static char cert[4096], key[4096];
  struct addr at[2];
  const char *why;
  snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
  snprintf(key, sizeof(key), "%s/key.pem", dir);
  if (addr_parse(&at[0], SLICE("127.0.0.1"), 0) < 0)
    return -EINVAL;
  struct web_settings s = {.name = "test",
                           .listen = at,
                           .listen_n = 1,
                           .cert_file = cert,
                           .key_file = key,
                           .hosts = hosts,
                           .hosts_n = 1,
                           .origins = origins,
                           .origins_n = 1,
                           .rows = rows,
                           .rows_n = COUNT_OF(rows),
                           .tokens = t,
                           .connections_per_address_max = 40,
                           .bodies_max_bytes = 20500,
                           .request_deadline_ms = 1500,
                           .answer_deadline_ms = 1000,
                           .heartbeat_ms = 300};
  if (access(key, R_OK) < 0)
    s.cert_file = s.key_file = NULL;
  int r = web_new(ret, &s, &why);
  if (r < 0)
    fprintf(stderr, "%s: %s\n", why, strerror(-r));
  return r;
}

static int script_run(struct loop *l, const char *dir, const char *mode, const char *token,
                      const char *expired) {
  char script[4096], port[8];
  pid_t pid;
  int status = 0;
  const char *src = getenv("SRCDIR");
  snprintf(script, sizeof(script), "%s/tests/scenario/web_guards.py", src ? src : SRCDIR);
  snprintf(port, sizeof(port), "%u", web_port(server, 0));
  const char *const argv[] = {"python3", script, mode, port, token, expired, dir, NULL};
  if (posix_spawnp(&pid, "python3", NULL, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
    return 77;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    loop_turn(l, 20);
    flood();
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int run(const char *dir, const char *mode) {
  char token[TOKEN_MAX_BYTES], expired[TOKEN_MAX_BYTES], file[4096];
  struct claims c = {.identity = "alice", .scopes = "call.place events.read"};
  own(tokens) t = NULL;
  scene = (struct web_scene){0};
  number = 0;
  own(loop) l = NULL;
  snprintf(file, sizeof(file), "%s/token.pem", dir);
  if (tokens_new(&t, "https://edge.example", file, NULL) < 0 || loop_new(&l) < 0 ||
      token_mint(t, &c, 0, clock_wall_ms(), token) < 0 ||
      token_mint(t, &c, 60, clock_wall_ms() - 120000, expired) < 0 || server_make(&server, t, dir) < 0)
    return 1;
  int r = web_attach(server, l, on_ask, NULL);
  if (r == 0)
    r = script_run(l, dir, mode, token, expired);
  flooding = 0;
  server = web_free(server);
  return r;
}

static int cert_make(const char *dir) {
  char cmd[8192];
  snprintf(
      cmd, sizeof(cmd),
      "umask 077; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "
      "%s/key.pem -out "
      "%s/cert.pem -days 2 -subj /CN=edge.example -addext subjectAltName=DNS:edge.example,IP:127.0.0.1 "
      ">/dev/null 2>&1",
      dir, dir);
  return system(cmd);
}

static void dir_clear(const char *dir) {
  char cmd[4200];
  snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
  if (system(cmd) != 0)
    fprintf(stderr, "%s stays\n", dir);
}

int main(int argc, char **argv) {
  char dir[] = "/tmp/web_guards.XXXXXX", key[64];
  if (!mkdtemp(dir))
    return 1;
  int r = run(dir, argc > 1 ? argv[1] : "plain");
  if (r == 0 && cert_make(dir) == 0)
    r = run(dir, "tls");
  else
    r = r ? r : 1;
  snprintf(key, sizeof(key), "%s/key.pem", dir);
  if (r == 0 && (chmod(key, 0644) < 0 || server_make(&server, NULL, dir) != -EPERM)) {
    fprintf(stderr, "a key that others may read was taken\n");
    r = 1;
  }
  dir_clear(dir);
  return r;
}
