/* SPDX-License-Identifier: Apache-2.0
 * Server-sent events: an answer that stays open. The connection sleeps while there is nothing to say;
 * the tick thread wakes it. A sleeping connection does not notice that its peer went away: the tick
 * thread looks, and heartbeats find those who went without a word. */
#include "web/server.h"

#include "base/clock.h"

#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#define SOURCE_BYTES 128 /* of the library for HTTP/1.0; chunks are made in the connection's memory */
#define PIECE_BYTES \
  3840 /* at once, so that a connection's memory is not all written to and stays untouched */
#define STREAM_STALL_US 30000000u /* a reader that takes nothing for so long is gone */

/* The library's context of the response. */
struct source {
  struct web *web;
  web_handle stream;
};

/* Amid a frame of fan.c the library may not write: who closes there is cut. */
void stream_wake(struct web *w, struct stream *s) {
  if (s->suspended && !s->dirty.next && (!s->frame_n || s->closing))
    list_add_tail(&w->dirty, &s->dirty);
}

static int bytes_add(struct web *w, struct stream *s, struct slice bytes) {
  if (s->n - s->taken + bytes.n > w->stream_max_bytes)
    return -ENOBUFS;
  if (s->taken) {
    s->n -= s->taken;
    memmove(s->bytes, s->bytes + s->taken, s->n);
    s->taken = 0;
  }
  if (s->n + bytes.n > s->room) {
    size_t room = (s->n + bytes.n) * 2;
    char *grown = realloc(s->bytes, room);
    if (!grown)
      return -ENOBUFS;
    s->bytes = grown;
    s->room = room;
  }
  if (bytes.n)
    memcpy(s->bytes + s->n, bytes.p, bytes.n);
  s->n += bytes.n;
  stream_wake(w, s);
  return 0;
}

static void bytes_drop(struct stream *s) {
  free(s->bytes);
  s->bytes = NULL;
  s->n = s->room = s->taken = 0;
}

/* The reader lags or sleeps: its connection is cut, whatever it still had to read. */
void stream_cut(struct web *w, struct stream *s) {
  s->closing = true;
  bytes_drop(s);
  if (s->conn)
    (void)shutdown(s->conn->fd, SHUT_RDWR);
  stream_wake(w, s);
}

web_handle web_stream_open(struct web *w, web_handle ask, uint64_t cookie) {
  web_handle h = 0;
  pthread_mutex_lock(&w->lock);
  struct waiting *wait = pool_get(w->waiting, ask);
  struct stream *s = wait && !w->stopping ? pool_add(w->streams, &h) : NULL;
  if (s) {
    struct req *q = wait->req;
    s->handle = h;
    s->cookie = cookie;
    s->who = q->ask.who;
    s->is_direct = q->chunks && !w->pair;
    s->connection = q->connection;
    s->conn = q->conn;
    s->moved_us = clock_now_us();
    s->beat_us = s->moved_us + w->beat_us;
    (void)bytes_add(w, s, SLICE("retry: 2000\n\n"));
    q->stream = h;
    q->conn->stream = h;
    pool_del(w->waiting, ask);
    q->handle = 0;
    count_add(&w->counts, SERVER_streams, 1);
    MHD_resume_connection(q->connection);
  }
  pthread_mutex_unlock(&w->lock);
  return h;
}

int web_stream_push(struct web *w, web_handle stream, struct slice bytes) {
  int r = -ENOENT;
  pthread_mutex_lock(&w->lock);
  struct stream *s = pool_get(w->streams, stream);
  if (s && !s->closing && !s->gone) {
    r = bytes_add(w, s, bytes);
    if (r < 0) {
      count_one(&w->counts, SERVER_lagging);
      stream_cut(w, s);
    }
  }
  bool wake = !list_is_empty(&w->dirty);
  pthread_mutex_unlock(&w->lock);
  if (wake)
    tick_wake(w);
  return r;
}

void web_stream_close(struct web *w, web_handle stream) {
  pthread_mutex_lock(&w->lock);
  struct stream *s = pool_get(w->streams, stream);
  if (s && !s->gone) {
    s->closing = true;
    stream_wake(w, s);
  }
  pthread_mutex_unlock(&w->lock);
  tick_wake(w);
}

size_t web_stream_count(struct web *w) { return (size_t)count_get(&w->counts, SERVER_streams); }

/* Tells the owner; a full mailbox is tried again by the tick thread. */
static void stream_tell(struct web *w, struct stream *s) {
  struct note note = {WEB_ASK_STREAM_CLOSED, s->handle, s->cookie};
  if (mbox_put(w->box, &note) == 0)
    pool_del(w->streams, s->handle);
}

void stream_gone(struct web *w, web_handle h) {
  struct stream *s = pool_get(w->streams, h);
  if (!s || s->gone)
    return;
  if (s->conn)
    s->conn->stream = 0;
  list_del(&s->dirty);
  bytes_drop(s);
  s->gone = true;
  s->suspended = false;
  s->connection = NULL;
  s->conn = NULL;
  count_add(&w->counts, SERVER_streams, (uint64_t)-1);
  stream_tell(w, s);
}

bool streams_resume(struct web *w, unsigned max) {
  LIST_EACH_SAFE(&w->dirty, n) {
    struct stream *s = CONTAINER_OF(n, struct stream, dirty);
    if (s->sending)
      continue; /* streams_close_all() came meanwhile: the tick thread resumes it */
    if (!max--)
      return true;
    list_del(&s->dirty);
    s->suspended = false;
    MHD_resume_connection(s->connection);
  }
  return false;
}

/* It takes nothing, or what it has yet to read was overwritten. */
static bool stream_lags(const struct web *w, const struct stream *s, uint64_t now_us) {
  return (s->n && now_us > s->moved_us + STREAM_STALL_US) || (s->began && cast_lost(w, s));
}

static void stream_beat(struct web *w, struct stream *s, uint64_t now_us) {
  if (!s->closing && stream_lags(w, s, now_us)) {
    count_one(&w->counts, SERVER_lagging);
    stream_cut(w, s);
  }
  if (s->closing || now_us < s->beat_us)
    return;
  s->beat_us = now_us + w->beat_us;
  if (s->began && now_us < s->moved_us + w->beat_us)
    return; /* it was told something meanwhile */
  if (bytes_add(w, s, SLICE(":\n\n")) < 0)
    stream_cut(w, s);
}

bool streams_beat(struct web *w, uint32_t *slot, unsigned max, uint64_t now_us) {
  pool_handle h;
  struct stream *s = NULL;
  while (max-- && (s = pool_next(w->streams, slot, &h))) {
    if (s->gone)
      stream_tell(w, s);
    else
      stream_beat(w, s, now_us);
  }
  return s != NULL;
}

enum { HEAR_BATCH = 128 };

/* A TLS peer may say close_notify and keep the connection until we say it too: what waits unread is then
 * an alert, which TLS 1.3 shows as 19 bytes of application data (RFC 8446: 2 of alert, 1 of type, 16 of
 * tag). */
static bool peer_said_close(int fd) {
  uint8_t b[5];
  if (recv(fd, b, sizeof(b), MSG_PEEK | MSG_DONTWAIT) != (ssize_t)sizeof(b))
    return false;
  return b[0] == 21 || (b[0] == 23 && b[3] == 0 && b[4] == 19);
}

static void hear(struct web *w, struct pollfd *fds, struct stream *const *of, nfds_t n) {
  if (poll(fds, n, 0) <= 0)
    return;
  for (nfds_t i = 0; i < n; i++) {
    bool gone = fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR);
    if (gone || ((fds[i].revents & POLLIN) && w->pair && peer_said_close(fds[i].fd)))
      stream_cut(w, of[i]);
  }
}

/* Cuts those whose peer has closed: the owner is to know it within a second. */
bool streams_hear(struct web *w, uint32_t *slot) {
  struct pollfd fds[HEAR_BATCH];
  struct stream *of[HEAR_BATCH], *s = NULL;
  pool_handle h;
  nfds_t n = 0;
  while (n < HEAR_BATCH && (s = pool_next(w->streams, slot, &h))) {
    if (s->gone || s->closing || !s->conn)
      continue;
    fds[n] = (struct pollfd){s->conn->fd, POLLIN | POLLRDHUP, 0};
    of[n++] = s;
  }
  if (n)
    hear(w, fds, of, n);
  return s != NULL;
}

void streams_close_all(struct web *w) {
  pool_handle h;
  struct stream *s;
  for (uint32_t slot = 0; (s = pool_next(w->streams, &slot, &h));) {
    if (s->gone)
      continue;
    s->closing = true;
    stream_wake(w, s);
  }
  (void)streams_resume(w, UINT_MAX);
}

/* Of what was queued for this stream alone. */
static size_t own_take(struct stream *s, char *dst, size_t max) {
  size_t left = s->n - s->taken, n = left < max ? left : max;
  if (!n)
    return 0;
  memcpy(dst, s->bytes + s->taken, n);
  s->taken += n;
  if (s->taken == s->n)
    bytes_drop(s);
  return n;
}

/* What it listens to first, once it has begun: what is its own may come between two events, never within
 * one. How much of the queue the library takes; 0: asleep now; -1 and -2 are the library's ends. */
static ssize_t stream_take(struct web *w, struct stream *s, char *dst, size_t max) {
  if (!s || s->gone || s->frame_n)
    return MHD_CONTENT_READER_END_WITH_ERROR;
  max = max < PIECE_BYTES ? max : PIECE_BYTES;
  size_t n = s->began && !s->closing ? cast_take(w, s, dst, max) : 0;
  if (!n)
    n = own_take(s, dst, max);
  if (!n && s->listens && !s->began && !s->closing) {
    s->began = true;
    n = cast_take(w, s, dst, max);
  }
  if (n) {
    s->moved_us = clock_now_us();
    return (ssize_t)n;
  }
  if (s->closing || w->stopping)
    return MHD_CONTENT_READER_END_OF_STREAM;
  s->suspended = true;
  s->moved_us = clock_now_us();
  MHD_suspend_connection(s->connection);
  return 0;
}

static ssize_t source_read(void *cls, uint64_t at, char *dst, size_t max) {
  struct source *src = cls;
  (void)at;
  pthread_mutex_lock(&src->web->lock);
  ssize_t n = stream_take(src->web, pool_get(src->web->streams, src->stream), dst, max);
  pthread_mutex_unlock(&src->web->lock);
  return n;
}

static void source_free(void *cls) {
  struct source *src = cls;
  pthread_mutex_lock(&src->web->lock);
  stream_gone(src->web, src->stream);
  pthread_mutex_unlock(&src->web->lock);
  free(src);
}

static void stream_headers(struct MHD_Response *r, const struct req *q) {
  char origin[256];
  (void)MHD_add_response_header(r, "Content-Type", "text/event-stream");
  (void)MHD_add_response_header(r, "Cache-Control", "no-store");
  (void)MHD_add_response_header(r, "X-Accel-Buffering", "no");
  (void)MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
  if (q->web->origins_n)
    (void)MHD_add_response_header(r, "Vary", "Origin");
  if (q->cors && slice_copy(origin, sizeof(origin), q->head.field[HEAD_ORIGIN]) == 0)
    (void)MHD_add_response_header(r, "Access-Control-Allow-Origin", origin);
}

enum MHD_Result stream_send(struct req *q) {
  struct source *src = calloc(1, sizeof(*src));
  if (!src)
    return MHD_NO; /* req_end() tells the owner */
  *src = (struct source){q->web, q->stream};
  struct MHD_Response *r =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, SOURCE_BYTES, source_read, src, source_free);
  if (!r) {
    free(src);
    return MHD_NO;
  }
  stream_headers(r, q);
  q->phase = REQ_SENT;
  count_one(&q->web->counts, SERVER_answers_2xx);
  enum MHD_Result result = MHD_queue_response(q->connection, MHD_HTTP_OK, r);
  MHD_destroy_response(r);
  return result;
}
