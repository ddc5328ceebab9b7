/* SPDX-License-Identifier: Apache-2.0
 * Streams end with what opened them: who asked is judged again while a stream is open, outside of the
 * server's lock, a batch at a time. Any thread. */
#include "web/server.h"

#include "base/clock.h"

#define END_US 5000000u /* a reader that does not take the end is cut */

enum { STILL_BATCH = 64 };

struct judged {
  web_handle stream;
  struct web_asker who;
  bool welcome;
};

/* Lock held: the next streams from a slot on. */
static size_t batch_take(struct web *w, uint32_t *slot, struct judged list[STILL_BATCH]) {
  pool_handle h;
  struct stream *s;
  size_t n = 0;
  while (n < STILL_BATCH && (s = pool_next(w->streams, slot, &h)))
    if (!s->gone && !s->closing)
      list[n++] = (struct judged){s->handle, s->who, true};
  return n;
}

/* Lock held: what was queued is not sent any more. */
static void stream_end(struct web *w, struct stream *s) {
  s->n = s->taken = 0;
  s->listens = false;
  s->closing = true;
  if (s->conn)
    atomic_store(&s->conn->deadline_us, clock_now_us() + END_US);
  stream_wake(w, s);
}

/* Lock held. */
static unsigned batch_put(struct web *w, const struct judged *list, size_t n) {
  unsigned ended = 0;
  for (size_t i = 0; i < n; i++) {
    struct stream *s = pool_get(w->streams, list[i].stream);
    if (!s || s->gone || s->closing)
      continue;
    s->who = list[i].who;
    if (list[i].welcome)
      continue;
    stream_end(w, s);
    ended++;
  }
  return ended;
}

unsigned web_streams_judge(struct web *w) {
  struct judged list[STILL_BATCH];
  uint32_t slot = 0;
  unsigned ended = 0;
  for (size_t n = STILL_BATCH; n == STILL_BATCH && w->still;) {
    pthread_mutex_lock(&w->lock);
    n = batch_take(w, &slot, list);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < n; i++)
      list[i].welcome = w->still(w->direct_arg, &list[i].who);
    pthread_mutex_lock(&w->lock);
    ended += batch_put(w, list, n);
    pthread_mutex_unlock(&w->lock);
  }
  if (ended)
    tick_wake(w);
  return ended;
}
