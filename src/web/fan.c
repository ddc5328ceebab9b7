/* SPDX-License-Identifier: Apache-2.0
 * What is cast, sent to those who listen and sleep: one frame is made for all (a chunk of RFC 9112 7.1)
 * and written to their sockets while the library has them suspended, at a chunk's border. Only the tick
 * thread resumes, so that nobody else writes meanwhile. Who takes a part of a frame is sent the rest
 * from the ring; over TLS and to HTTP/1.0 the library sends. Tick thread. */
#include "web/server.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { FAN_SLICE = 64, FRAME_HEAD_BYTES = 16, FRAME_TAIL_BYTES = 2 };
#define FAN_PAUSE_NS 500000 /* as long as some hundred sends take */
static const char tail[] = "\r\n";

/* One stream that is written to outside of the lock. */
struct fan_job {
  web_handle stream;
  int fd;
  ssize_t sent;
};

static size_t head_write(char dst[FRAME_HEAD_BYTES], size_t n) {
  return (size_t)snprintf(dst, FRAME_HEAD_BYTES, "%zx\r\n", n);
}

static size_t frame_bytes(size_t n) {
  char head[FRAME_HEAD_BYTES];
  return head_write(head, n) + n + FRAME_TAIL_BYTES;
}

/* Lock held: what was cast since the last round, as one frame; false: nothing, or it cannot be made. */
static bool frame_make(struct web *w, struct fan *f) {
  f->from = f->to;
  f->to = w->cast.end;
  uint64_t at = f->from, n = f->to - f->from;
  if (!n || n > WEB_CAST_BYTES)
    return false;
  if (f->room < n + FRAME_HEAD_BYTES + FRAME_TAIL_BYTES) {
    free(f->frame);
    f->room = (size_t)n + FRAME_HEAD_BYTES + FRAME_TAIL_BYTES;
    f->frame = malloc(f->room);
    f->room = f->frame ? f->room : 0;
  }
  if (!f->frame)
    return false;
  f->n = head_write(f->frame, (size_t)n);
  f->n += cast_read(w, &at, f->to, f->frame + f->n, (size_t)n);
  memcpy(f->frame + f->n, tail, FRAME_TAIL_BYTES);
  f->n += FRAME_TAIL_BYTES;
  return true;
}

/* Lock held: it sleeps at a border between two chunks, and has read all that was cast before. */
static bool may_fan(const struct stream *s, const struct fan *f) {
  return s->is_direct && s->suspended && s->began && !s->closing && !s->frame_n && !s->dirty.next &&
         s->n == s->taken && s->scene_at >= s->scene_end && s->cast_at == f->from && s->conn;
}

/* Lock held: so many bytes of the frame went out. */
static void frame_sent(struct web *w, struct stream *s, size_t sent, uint64_t now_us) {
  s->frame_sent += sent;
  if (sent)
    s->moved_us = now_us;
  if (s->frame_sent < frame_bytes(s->frame_n))
    return;
  s->cast_at += s->frame_n;
  s->frame_n = s->frame_sent = 0;
  if (s->cast_at != w->cast.end || s->n > s->taken)
    stream_wake(w, s);
}

/* Lock held: what is left of its frame, from the ring. */
static void rest_send(struct web *w, struct stream *s, uint64_t now_us) {
  char head[FRAME_HEAD_BYTES];
  struct iovec all[4], some[4];
  struct msghdr m = {.msg_iov = some};
  size_t skip = s->frame_sent;
  if (cast_lost(w, s)) {
    count_one(&w->counts, SERVER_lagging);
    stream_cut(w, s);
    return;
  }
  all[0] = (struct iovec){head, head_write(head, s->frame_n)};
  cast_pieces(w, s->cast_at, s->frame_n, &all[1]);
  all[3] = (struct iovec){(void *)(uintptr_t)tail, FRAME_TAIL_BYTES};
  for (size_t i = 0; i < COUNT_OF(all); i++) {
    size_t cut = skip < all[i].iov_len ? skip : all[i].iov_len;
    skip -= cut;
    if (all[i].iov_len > cut)
      some[m.msg_iovlen++] = (struct iovec){(char *)all[i].iov_base + cut, all[i].iov_len - cut};
  }
  ssize_t n = sendmsg(s->conn->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0)
    frame_sent(w, s, (size_t)n, now_us);
  else if (errno != EAGAIN && errno != EINTR)
    stream_cut(w, s);
}

/* Lock held: the next streams from a slot on; how many are to be sent the frame. False: there are no
 * more. */
static bool jobs_take(struct web *w, struct fan *f, uint32_t *slot, struct fan_job *jobs, size_t *ret_n,
                      uint64_t now_us) {
  pool_handle h;
  struct stream *s = NULL;
  *ret_n = 0;
  for (unsigned i = 0; i < FAN_SLICE && (s = pool_next(w->streams, slot, &h)); i++) {
    if (!s->listens || s->gone || s->closing)
      continue;
    if (s->frame_n) {
      rest_send(w, s, now_us);
    } else if (f->n && may_fan(s, f)) {
      s->sending = true;
      jobs[(*ret_n)++] = (struct fan_job){h, s->conn->fd, 0};
    } else if (s->cast_at != w->cast.end) {
      stream_wake(w, s);
    }
  }
  return s != NULL;
}

static void jobs_send(const struct fan *f, struct fan_job *jobs, size_t n) {
  for (size_t i = 0; i < n; i++) {
    jobs[i].sent = send(jobs[i].fd, f->frame, f->n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (jobs[i].sent < 0)
      jobs[i].sent = errno == EAGAIN || errno == EINTR ? 0 : -1;
  }
}

/* Lock held. Where nothing went out the library tries: it waits until the socket takes more. */
static void jobs_end(struct web *w, const struct fan *f, const struct fan_job *jobs, size_t n,
                     uint64_t now_us) {
  for (size_t i = 0; i < n; i++) {
    struct stream *s = pool_get(w->streams, jobs[i].stream);
    if (!s)
      continue;
    s->sending = false;
    if (jobs[i].sent < 0) {
      stream_cut(w, s);
    } else if (!jobs[i].sent) {
      stream_wake(w, s);
    } else {
      s->frame_n = (size_t)(f->to - f->from);
      frame_sent(w, s, (size_t)jobs[i].sent, now_us);
    }
  }
}

/* Some of them, then a pause: neither the lock nor a processor is theirs for long, however many they
 * are.
 */
static void fan_slices(struct web *w, struct fan *f) {
  struct fan_job jobs[FAN_SLICE];
  uint32_t slot = 0;
  size_t n;
  for (bool more = true; more;) {
    uint64_t now_us = clock_now_us();
    pthread_mutex_lock(&w->lock);
    more = jobs_take(w, f, &slot, jobs, &n, now_us) && !w->stopping;
    pthread_mutex_unlock(&w->lock);
    jobs_send(f, jobs, n);
    pthread_mutex_lock(&w->lock);
    jobs_end(w, f, jobs, n, now_us);
    pthread_mutex_unlock(&w->lock);
    if (more && n)
      (void)ppoll(NULL, 0, &(struct timespec){.tv_nsec = FAN_PAUSE_NS}, NULL);
  }
}

void fan_news(struct web *w) {
  pthread_mutex_lock(&w->lock);
  bool has_news = w->has_news;
  w->has_news = false;
  if (has_news && !frame_make(w, &w->fan))
    w->fan.n = 0;
  pthread_mutex_unlock(&w->lock);
  if (has_news)
    fan_slices(w, &w->fan);
}

bool fan_rests(struct web *w, uint32_t *slot, unsigned max, uint64_t now_us) {
  pool_handle h;
  struct stream *s = NULL;
  while (max-- && (s = pool_next(w->streams, slot, &h)))
    if (s->frame_n && !s->gone && !s->closing)
      rest_send(w, s, now_us);
  return s != NULL;
}
