/* SPDX-License-Identifier: Apache-2.0
 * What all listening streams are told: one ring of bytes, encoded once, read by each stream at its own
 * pace. Whole events go in, so that a stream which begins at an end begins at an event. Owner and web
 * threads. */
#include "web/server.h"

uint64_t web_cast(struct web *w, struct slice bytes) {
  pthread_mutex_lock(&w->lock);
  for (size_t done = 0; w->cast && bytes.n <= WEB_CAST_BYTES && done < bytes.n;) {
    size_t at = (size_t)(w->cast_end % WEB_CAST_BYTES), n = WEB_CAST_BYTES - at;
    n = n < bytes.n - done ? n : bytes.n - done;
    memcpy(w->cast + at, bytes.p + done, n);
    w->cast_end += n;
    done += n;
  }
  uint64_t end = w->cast_end;
  w->has_news = w->has_news || bytes.n;
  pthread_mutex_unlock(&w->lock);
  if (bytes.n)
    tick_wake(w);
  return end;
}

bool cast_wake(struct web *w, uint32_t *slot, unsigned max) {
  pool_handle h;
  struct stream *s = NULL;
  while (max-- && (s = pool_next(w->streams, slot, &h)))
    if (s->listens && !s->gone)
      stream_wake(w, s);
  return s != NULL;
}

int web_stream_listen(struct web *w, web_handle stream, uint64_t from) {
  pthread_mutex_lock(&w->lock);
  struct stream *s = pool_get(w->streams, stream);
  int r = !s || s->gone ? -ENOENT : 0;
  if (r == 0 && !w->cast && !(w->cast = malloc(WEB_CAST_BYTES)))
    r = -ENOMEM;
  if (r == 0) {
    s->listens = true;
    s->cast_at = from <= w->cast_end && w->cast_end - from <= WEB_CAST_BYTES ? from : w->cast_end;
    stream_wake(w, s);
  }
  pthread_mutex_unlock(&w->lock);
  return r;
}

size_t cast_take(struct web *w, struct stream *s, char *dst, size_t max) {
  uint64_t left = w->cast_end - s->cast_at;
  if (left > WEB_CAST_BYTES) {
    count_one(&w->counts, SERVER_lagging);
    stream_cut(w, s);
    return 0;
  }
  size_t n = left < max ? (size_t)left : max, done = 0;
  while (done < n) {
    size_t at = (size_t)(s->cast_at % WEB_CAST_BYTES), piece = WEB_CAST_BYTES - at;
    piece = piece < n - done ? piece : n - done;
    memcpy(dst + done, w->cast + at, piece);
    s->cast_at += piece;
    done += piece;
  }
  return n;
}
