/* SPDX-License-Identifier: Apache-2.0
 * The operators' server begins and ends again and again under requests that do not care: its threads
 * touch nothing that is not there yet, or no more. */
#include "admin/admin.h"
#include "base/clock.h"
#include "folder.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { ROUNDS = 6, CLIENTS = 3, LIVE_MS = 150, ANSWER_BYTES = 16384 };

static char token[128];
static struct addr at;
static _Atomic bool over;
static _Atomic unsigned answered;

/* True: answered with 200; the answer's beginning is in text. */
static bool ask(const char *line, char text[ANSWER_BYTES]) {
  char request[512];
  const struct timeval wait = {.tv_sec = 2};
  own_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  size_t n = 0;
  ssize_t got = 1;
  int bytes =
      snprintf(request, sizeof(request),
               "%s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Length: 0\r\n"
               "Connection: close\r\n\r\n",
               line, token);
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  text[0] = 0;
  if (connect(fd, &at.sa, addr_len(&at)) < 0 || send(fd, request, (size_t)bytes, MSG_NOSIGNAL) != bytes)
    return false;
  while (got > 0 && n < ANSWER_BYTES - 1) {
    got = recv(fd, text + n, ANSWER_BYTES - 1 - n, 0);
    n += got > 0 ? (size_t)got : 0;
  }
  text[n] = 0;
  return !strncmp(text, "HTTP/1.1 200", 12);
}

static void *client(void *arg) {
  char text[ANSWER_BYTES], line[128];
  (void)arg;
  while (!atomic_load(&over)) {
    (void)ask("GET /admin/v1/system", text);
    if (ask("GET /admin/v1/alarms", text)) {
      const char *id = strstr(text, "\"id\":\"");
      snprintf(line, sizeof(line), "POST /admin/v1/alarms/%.*s/ack", id ? (int)strcspn(id + 6, "\"") : 1,
               id ? id + 6 : "x");
      atomic_fetch_add(&answered, ask(line, text));
    }
    (void)ask("GET /metrics", text);
  }
  return NULL;
}

static bool ready(void *arg, char ret_why[ADMIN_REASON_BYTES]) {
  (void)arg;
  ret_why[0] = 0;
  return true;
}

static int turn(struct tokens *t, struct store *s) {
  static struct admin_facts facts;
  static const struct admin_alarm alarm = {"trunk_down", "far", "It is down", "critical"};
  own(loop) l = NULL;
  struct admin *a = NULL;
  char key[128], db[128], ledger[128];
  const char *why = "";
  struct admin_settings set = {.listen = at,
                               .token_file = in_folder(key, "admin.token"),
                               .store_file = in_folder(db, "r.db"),
                               .ledger_file = in_folder(ledger, "operators.db"),
                               .tokens = t,
                               .ready = ready,
                               .ready_arg = s};
  int r = loop_new(&l);
  if (r == 0)
    r = admin_new(&a, &set, &why);
  if (r == 0)
    r = admin_attach(a, l);
  if (r < 0)
    fprintf(stderr, "%s: %s\n", why, strerror(-r));
  for (uint64_t until = clock_now_us() + LIVE_MS * 1000; r == 0 && clock_now_us() < until;) {
    loop_turn(l, 20);
    admin_tick(a, &facts, &alarm, 1);
  }
  if (r == 0 && !addr_port(&at)) {
    r = addr_parse(&at, SLICE("127.0.0.1"), admin_port(a));
    slice_copy(token, sizeof(token), slice_of(admin_token(a)));
  }
  admin_free(a);
  return r;
}

static int run(void) {
  own(tokens) t = NULL;
  own(store) s = NULL;
  char key[128], db[128];
  pthread_t thread[CLIENTS];
  int r = addr_parse(&at, SLICE("127.0.0.1"), 0), n = 0;
  if (r < 0 || tokens_new(&t, "https://edge.example", in_folder(key, "key.pem"), NULL) < 0 ||
      store_new(&s, &(struct store_settings){.file = in_folder(db, "r.db"), .commit_ms = 1}) < 0)
    return 1;
  r = turn(t, s); /* the port and the token of all others */
  while (r == 0 && n < CLIENTS && pthread_create(&thread[n], NULL, client, NULL) == 0)
    n++;
  for (int i = 0; r == 0 && i < ROUNDS; i++)
    r = turn(t, s);
  atomic_store(&over, true);
  while (n > 0)
    pthread_join(thread[--n], NULL);
  if (r == 0 && !atomic_load(&answered))
    fprintf(stderr, "nothing was answered\n");
  return r == 0 && atomic_load(&answered) ? 0 : 1;
}

int main(void) { return folder_main("admin_end", run); }
