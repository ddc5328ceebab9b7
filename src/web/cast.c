/* SPDX-License-Identifier: Apache-2.0
 * What many streams are told: two rings of bytes, encoded once, read by each stream at its own pace. One
 * has what is cast to all who listen, the other what stood when they began. Whole events go in, so that
 * a stream which begins at an end begins at an event. Owner and web threads. */
#include "web/server.h"

static void ring_put(struct cast *c, struct slice bytes) {
  for (size_t done = 0; done < bytes.n;) {
    size_t at = (size_t)(c->end % WEB_CAST_BYTES), n = WEB_CAST_BYTES - at;
    n = n < bytes.n - done ? n : bytes.n - done;
    memcpy(c->bytes + at, bytes.p + done, n);
    c->end += n;
    done += n;
  }
}

/* Up to max bytes from *at on, at most up to an end. */
static size_t ring_get(const struct cast *c, uint64_t *at, uint64_t end, char *dst, size_t max) {
  size_t n = end - *at < max ? (size_t)(end - *at) : max;
  for (size_t done = 0; done < n;) {
    size_t from = (size_t)(*at % WEB_CAST_BYTES), piece = WEB_CAST_BYTES - from;
    piece = piece < n - done ? piece : n - done;
    memcpy(dst + done, c->bytes + from, piece);
    *at += piece;
    done += piece;
  }
  return n;
}

uint64_t web_cast(struct web *w, struct slice bytes) {
  pthread_mutex_lock(&w->lock);
  if (w->cast.bytes && bytes.n <= WEB_CAST_BYTES)
    ring_put(&w->cast, bytes);
  uint64_t end = w->cast.end;
  w->has_news = w->has_news || bytes.n;
  pthread_mutex_unlock(&w->lock);
  if (bytes.n)
    tick_wake(w);
  return end;
}

/* Lock held. */
static int rings_make(struct web *w) {
  if (!w->cast.bytes)
    w->cast.bytes = malloc(WEB_CAST_BYTES);
  if (!w->scene.bytes)
    w->scene.bytes = malloc(WEB_CAST_BYTES);
  return w->cast.bytes && w->scene.bytes ? 0 : -ENOMEM;
}

int web_scene_set(struct web *w, struct web_scene *ret, struct slice bytes, uint64_t then) {
  pthread_mutex_lock(&w->lock);
  int r = bytes.n > WEB_CAST_BYTES ? -EMSGSIZE : rings_make(w);
  if (r == 0) {
    ret->at = w->scene.end;
    ring_put(&w->scene, bytes);
    ret->end = w->scene.end;
    ret->then = then;
  }
  pthread_mutex_unlock(&w->lock);
  return r;
}

int web_stream_listen(struct web *w, web_handle stream, const struct web_scene *scene) {
  pthread_mutex_lock(&w->lock);
  struct stream *s = pool_get(w->streams, stream);
  int r = !s || s->gone ? -ENOENT : rings_make(w);
  if (r == 0) {
    s->listens = true;
    s->scene_at = scene->at;
    s->scene_end = scene->end;
    s->cast_at = scene->then;
    stream_wake(w, s);
  }
  pthread_mutex_unlock(&w->lock);
  return r;
}

size_t cast_read(const struct web *w, uint64_t *at, uint64_t end, char *dst, size_t max) {
  return ring_get(&w->cast, at, end, dst, max);
}

void cast_pieces(const struct web *w, uint64_t at, size_t n, struct iovec ret[2]) {
  size_t from = (size_t)(at % WEB_CAST_BYTES), first = WEB_CAST_BYTES - from;
  first = first < n ? first : n;
  ret[0] = (struct iovec){w->cast.bytes + from, first};
  ret[1] = (struct iovec){w->cast.bytes, n - first};
}

/* Who is amid its scene loses too what was cast since: it will not be told that either. */
bool cast_lost(const struct web *w, const struct stream *s) {
  return (s->scene_at < s->scene_end && w->scene.end - s->scene_at > WEB_CAST_BYTES) ||
         w->cast.end - s->cast_at > WEB_CAST_BYTES;
}

size_t cast_take(struct web *w, struct stream *s, char *dst, size_t max) {
  if (!cast_lost(w, s))
    return s->scene_at < s->scene_end ? ring_get(&w->scene, &s->scene_at, s->scene_end, dst, max)
                                      : ring_get(&w->cast, &s->cast_at, w->cast.end, dst, max);
  count_one(&w->counts, SERVER_lagging);
  stream_cut(w, s);
  return 0;
}
