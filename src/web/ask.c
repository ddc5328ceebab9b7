/* SPDX-License-Identifier: Apache-2.0
 * Requests on their way to the owner and answers on their way back. What crosses is a value that changes
 * hands; the request itself is found by handle only. Web threads, owner, tick. */
#include "web/server.h"

#include "base/clock.h"

void asked_free(struct asked *a) {
  if (!a)
    return;
  body_free(a->web, a->body, a->body_room);
  explicit_bzero(&a->ask.claims, sizeof(a->ask.claims));
  explicit_bzero(&a->ask.who, sizeof(a->ask.who));
  free(a);
}

/* The fields that an ask has of the header. */
static void ask_fields(struct web_ask *ask, struct slice *ret[HEAD_FIELD_COUNT_]) {
  memset(ret, 0, sizeof(*ret) * HEAD_FIELD_COUNT_);
  ret[HEAD_HOST] = &ask->host;
  ret[HEAD_AUTHORIZATION] = &ask->authorization;
  ret[HEAD_CONTENT_TYPE] = &ask->content_type;
  ret[HEAD_IF_MATCH] = &ask->if_match;
  ret[HEAD_IF_NONE_MATCH] = &ask->if_none_match;
  ret[HEAD_IDEMPOTENCY_KEY] = &ask->idempotency_key;
  ret[HEAD_LAST_EVENT_ID] = &ask->last_event_id;
  ret[HEAD_DEVICE] = &ask->device;
  ret[HEAD_ORIGIN] = &ask->origin;
  ret[HEAD_ACCEPT] = &ask->accept;
}

static struct slice text_put(char **at, struct slice s) {
  struct slice copy = slice_from(*at, s.n);
  if (s.n)
    memcpy(*at, s.p, s.n);
  *at += s.n + 1; /* stays NUL-terminated: the block is zeroed */
  return copy;
}

void ask_fill(struct req *q) {
  struct slice *field[HEAD_FIELD_COUNT_];
  struct web_ask *ask = &q->ask;
  ask_fields(ask, field);
  for (unsigned f = 0; f < HEAD_FIELD_COUNT_; f++)
    if (field[f])
      *field[f] = q->head.field[f];
  ask->query = slice_from(q->target, q->target_bytes);
  ask->path = slice_cut(&ask->query, '?');
  ask->kind = WEB_ASK_REQUEST;
  ask->row = q->row;
  ask->head = q->method == WEB_HEAD;
  ask->peer = q->conn->peer;
  ask->local = q->conn->local;
  ask->body = slice_from(q->body, q->body ? q->body_bytes : 0);
}

struct asked *asked_new(struct req *q) {
  struct slice *field[HEAD_FIELD_COUNT_];
  size_t room = q->target_bytes + 1;
  for (unsigned f = 0; f < HEAD_FIELD_COUNT_; f++)
    room += q->head.field[f].n + 1;
  struct asked *a = calloc(1, sizeof(*a) + room);
  if (!a)
    return NULL;
  char *at = a->text;
  a->ask = q->ask;
  ask_fields(&a->ask, field);
  for (unsigned f = 0; f < HEAD_FIELD_COUNT_; f++)
    if (field[f] && q->head.field[f].p)
      *field[f] = text_put(&at, q->head.field[f]);
  a->ask.query = text_put(&at, slice_from(q->target, q->target_bytes));
  a->ask.path = slice_cut(&a->ask.query, '?');
  a->web = q->web;
  a->body = take(q->body);
  a->body_room = q->body_room;
  q->body_room = 0;
  return a;
}

/* Under the lock: the request waits from now on, or false. */
static bool wait_begin(struct req *q, struct asked *a) {
  struct web *w = q->web;
  struct waiting *wait = w->stopping ? NULL : pool_add(w->waiting, &q->handle);
  if (!wait)
    return false;
  struct note note = {WEB_ASK_REQUEST, q->handle, 0};
  if (mbox_put(w->box, &note) < 0) {
    pool_del(w->waiting, q->handle);
    q->handle = 0;
    return false;
  }
  a->ask.handle = q->handle;
  *wait = (struct waiting){q, a, clock_now_us() + w->answer_us};
  q->phase = REQ_ASKED;
  q->was_asked = true;
  MHD_suspend_connection(q->connection);
  return true;
}

enum MHD_Result req_ask(struct req *q, struct asked *a) {
  if (a) {
    pthread_mutex_lock(&q->web->lock);
    bool waits = wait_begin(q, a);
    pthread_mutex_unlock(&q->web->lock);
    if (waits)
      return MHD_YES;
  }
  asked_free(a);
  web_answer_problem(&q->answer, WEB_PROBLEM_overload, NULL);
  return answer_send(q);
}

/* Under the lock: the answer (taken) goes out. */
static void wait_end(struct web *w, struct waiting *wait, struct web_answer *answer) {
  struct req *q = wait->req;
  struct asked *left = take(wait->asked);
  q->answer = *answer;
  memset(answer, 0, sizeof(*answer));
  pool_del(w->waiting, q->handle);
  q->handle = 0;
  MHD_resume_connection(q->connection);
  asked_free(left);
}

void web_reply(struct web *w, web_handle ask, struct web_answer *answer) {
  pthread_mutex_lock(&w->lock);
  struct waiting *wait = pool_get(w->waiting, ask);
  if (wait)
    wait_end(w, wait, answer);
  pthread_mutex_unlock(&w->lock);
  web_answer_done(answer);
}

void web_reply_json(struct web *w, web_handle ask, unsigned status, const json_t *json) {
  struct web_answer a = {0};
  (void)web_answer_json(&a, status, json);
  web_reply(w, ask, &a);
}

void web_reply_empty(struct web *w, web_handle ask, unsigned status) {
  struct web_answer a = {.status = status};
  web_reply(w, ask, &a);
}

static void wait_refuse(struct web *w, struct waiting *wait, enum web_problem id) {
  struct web_answer a = {0};
  web_answer_problem(&a, id, NULL);
  wait_end(w, wait, &a);
}

void asks_expire(struct web *w, uint64_t now_us) {
  pool_handle h;
  struct waiting *wait;
  for (uint32_t slot = 0; (wait = pool_next(w->waiting, &slot, &h));) {
    if (wait->due_us > now_us)
      continue;
    count_one(&w->counts, SERVER_unanswered);
    wait_refuse(w, wait, WEB_PROBLEM_timeout);
  }
}

void asks_refuse_all(struct web *w) {
  pool_handle h;
  struct waiting *wait;
  for (uint32_t slot = 0; (wait = pool_next(w->waiting, &slot, &h));)
    wait_refuse(w, wait, WEB_PROBLEM_drain);
}

static void note_hand(struct web *w, const struct note *note, web_ask_fn *fn, void *arg) {
  if (note->kind == WEB_ASK_STREAM_CLOSED) {
    fn(arg, &(struct web_ask){.kind = note->kind, .stream = note->handle, .cookie = note->cookie});
    return;
  }
  pthread_mutex_lock(&w->lock);
  struct waiting *wait = pool_get(w->waiting, note->handle);
  struct asked *a = wait ? take(wait->asked) : NULL;
  pthread_mutex_unlock(&w->lock);
  if (a)
    fn(arg, &a->ask);
  asked_free(a);
}

/* At most 64 at once: the owner has other work too. */
static void web_pump(struct web *w, web_ask_fn *fn, void *arg) {
  struct note note;
  for (int i = 0; i < 64 && mbox_get(w->box, &note); i++)
    note_hand(w, &note, fn, arg);
}

static void box_ready(void *arg, uint32_t events) {
  struct web *w = arg;
  (void)events;
  web_pump(w, w->fn, w->fn_arg);
}

int web_attach(struct web *w, struct loop *l, web_ask_fn *fn, void *arg) {
  w->fn = fn;
  w->fn_arg = arg;
  w->watch = (struct watch){.fd = mbox_fd(w->box), .fn = box_ready, .arg = w};
  int r = loop_watch(l, &w->watch, EPOLLIN);
  if (r == 0)
    w->loop = l;
  return r;
}

int web_query(const struct web_ask *ask, const char *name, char *dst, size_t dst_bytes) {
  struct slice rest = ask->query, found = {0};
  while (rest.p) {
    struct slice value = slice_cut(&rest, '&'), key = slice_cut(&value, '=');
    if (!slice_eq(key, slice_of(name)))
      continue;
    if (found.p)
      return -EINVAL;
    found = value.p ? value : SLICE("");
  }
  dst[0] = 0;
  int r = found.p ? web_unescape(found, true, true, dst, dst_bytes) : -ENOENT;
  if (r < 0)
    dst[0] = 0; /* what did not fit is no text */
  return r;
}

struct slice web_cookie(struct slice cookie, const char *name) {
  struct slice rest = cookie, found = {0};
  while (rest.p) {
    struct slice value = slice_trim(slice_cut(&rest, ';')), key = slice_cut(&value, '=');
    if (!slice_eq(key, slice_of(name)))
      continue;
    if (found.p)
      return (struct slice){0};
    found = value.p ? value : SLICE("");
  }
  return found;
}
