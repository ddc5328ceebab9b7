/* SPDX-License-Identifier: Apache-2.0
 * Bodies while they are held: each has its row's limit, and all of a server together have one, so that
 * many that are half sent cost a known amount. Room grows with what came, never with what was announced.
 * Web threads; given back by whoever drops the last of it. */
#include "web/server.h"

#define FIRST_BYTES 2048u
#define BEYOND_BYTES (1u << 20) /* what is read and thrown away so that a refusal can be told */

/* False: the others hold too much. */
static bool room_take(struct web *w, size_t bytes) {
  if (atomic_fetch_add(&w->bodies, bytes) + bytes <= w->bodies_max) {
    count_add(&w->counts, SERVER_bodies, (int64_t)bytes);
    return true;
  }
  atomic_fetch_sub(&w->bodies, bytes);
  return false;
}

void body_free(struct web *w, char *body, size_t room) {
  if (!body)
    return;
  explicit_bzero(body, room);
  free(body);
  atomic_fetch_sub(&w->bodies, room);
  count_add(&w->counts, SERVER_bodies, -(int64_t)room);
}

void body_drop(struct req *q) {
  body_free(q->web, take(q->body), q->body_room);
  q->body_room = 0;
}

/* Twice what is there, at most what may come; a byte more for the NUL. */
static size_t room_for(const struct req *q, size_t n) {
  uint64_t length = head_length(&q->head);
  size_t most = length && length < q->body_max ? (size_t)length : q->body_max;
  size_t room = n < FIRST_BYTES ? FIRST_BYTES : 2 * n;
  room = room < most ? room : most;
  return (room < n ? n : room) + 1;
}

static bool body_grow(struct req *q, size_t n) {
  size_t room = room_for(q, n);
  char *grown = room_take(q->web, room) ? malloc(room) : NULL;
  if (!grown)
    return false;
  if (q->body)
    memcpy(grown, q->body, q->body_bytes);
  size_t bytes = q->body_bytes;
  body_drop(q);
  q->body = grown;
  q->body_room = room;
  q->body_bytes = bytes;
  return true;
}

bool body_add(struct req *q, const char *bytes, size_t n) {
  size_t all = q->body_bytes + n;
  q->too_large = q->too_large || all > q->body_max;
  if (!q->too_large && !q->too_much && all >= q->body_room && !body_grow(q, all))
    q->too_much = true;
  if (q->too_large || q->too_much) {
    body_drop(q);
    q->body_bytes = all;
    return all <= (size_t)q->body_max + BEYOND_BYTES;
  }
  memcpy(q->body + q->body_bytes, bytes, n);
  q->body_bytes = all;
  q->body[all] = 0;
  return true;
}
