/* SPDX-License-Identifier: Apache-2.0
 * Between workers: see xlink.h. */
#include "media/xlink.h"

#include "media/bridge.h"
#include "media/session.h"

struct crossing {    /* one record; the payload follows */
  uint64_t to, from; /* session ids: to takes it only from the peer that it is linked with. */
  struct bridged b;
};

struct xlinks {
  uint32_t workers;
  int wake_fds[64];
  struct pipe *pipes; /* from × workers + to */
};

static struct pipe *pipe_of(struct xlinks *x, uint32_t from, uint32_t to) {
  return &x->pipes[from * x->workers + to];
}

static enum drop cross(struct session *s, const struct bridged *b, const uint8_t *payload) {
  struct worker *w = s->w;
  struct crossing c = {.to = s->far, .from = s->id, .b = *b};
  struct pipe *p = pipe_of(w->xlinks, w->index, s->far_worker);
  uint8_t *at = pipe_reserve(p, sizeof(c) + b->n);
  if (!at)
    return DROP_QUEUE_FULL;
  memcpy(at, &c, sizeof(c));
  if (b->n)
    memcpy(at + sizeof(c), payload, b->n);
  pipe_commit(p);
  w->xlink_told |= 1ull << s->far_worker;
  return DROP_NONE;
}

static enum drop audio(struct link *l, const struct heard *h, struct packet *p) {
  struct bridged b = bridged_audio(h);
  (void)p;
  return cross(l->from, &b, h->rtp.payload);
}

static enum drop event(struct link *l, const struct heard *h, const struct telev *t,
                       const struct event_told *told) {
  struct bridged b = bridged_event(h, t, told);
  return cross(l->from, &b, NULL);
}

static void skip(struct link *l, const struct heard *h) {
  struct bridged b = bridged_skip(h);
  (void)cross(l->from, &b, NULL);
}

static void digit(struct link *l, char c, uint32_t ms, bool by_sound) {
  struct bridged b = bridged_digit(c, ms, by_sound);
  enum drop d = cross(l->from, &b, NULL);
  if (d)
    worker_drop(l->from->w, d);
}

static const struct link_ops ops = {
    .name = "xlink", .is_last = true, .audio = audio, .event = event, .digit = digit, .skip = skip};

void xlink_open(struct session *s, uint64_t peer, uint32_t worker) {
  bridge_close(s);
  s->far = peer;
  s->far_worker = worker;
  (void)!digits_ready(&s->digits); /* for digits of the peer's sound; else they are dropped */
  link_add(&s->bridge, &ops, s);
}

void xlink_close(struct session *s) {
  if (!s->far)
    return;
  bridge_close(s);
  voice_rest(s);
  if (!s->voice.tone)
    voice_close(s);
}

static enum drop arrive(struct worker *w, const struct crossing *c) {
  struct session *s = session_find(w, c->to);
  if (!s || s->far != c->from)
    return DROP_NO_SINK;
  return bridge_take(s, &c->b, (uint8_t *)(uintptr_t)(c + 1)); /* ours until it is popped */
}

void xlink_results(struct worker *w) {
  size_t n;
  for (uint32_t i = 0; w->xlinks && i < w->n_workers; i++) {
    struct pipe *p = pipe_of(w->xlinks, i, w->index);
    const struct crossing *c;
    while (i != w->index && (c = pipe_peek(p, &n))) {
      enum drop d = arrive(w, c);
      pipe_pop(p);
      if (d)
        worker_drop(w, d);
    }
  }
}

void xlink_flush(struct worker *w) {
  uint64_t one = 1;
  for (uint32_t i = 0; w->xlink_told && i < w->n_workers; i++)
    if (w->xlink_told >> i & 1)
      (void)!write(w->xlinks->wake_fds[i], &one, sizeof(one));
  w->xlink_told = 0;
}

/* Life ---------------------------------------------------------------------------------------------- */
int xlinks_new(struct xlinks **ret, uint32_t workers) {
  own(xlinks) x = calloc(1, sizeof(*x));
  if (!x)
    return -ENOMEM;
  size_t n = (size_t)workers * workers;
  x->pipes = aligned_alloc(_Alignof(struct pipe), n * sizeof(*x->pipes));
  if (!x->pipes)
    return -ENOMEM;
  memset(x->pipes, 0, n * sizeof(*x->pipes));
  x->workers = workers;
  int error = 0;
  for (size_t i = 0; !error && i < n; i++)
    error = i % (workers + 1) ? pipe_init(&x->pipes[i], XLINK_PIPE_BYTES) : 0; /* none to itself */
  if (error)
    return error;
  *ret = take(x);
  return 0;
}

struct xlinks *xlinks_free(struct xlinks *x) {
  if (!x)
    return NULL;
  for (size_t i = 0; x->pipes && i < (size_t)x->workers * x->workers; i++)
    pipe_done(&x->pipes[i]);
  free(x->pipes);
  free(x);
  return NULL;
}

void xlinks_set_wake(struct xlinks *x, uint32_t worker, int fd) { x->wake_fds[worker] = fd; }
