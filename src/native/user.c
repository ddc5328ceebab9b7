/* SPDX-License-Identifier: Apache-2.0
 * Identities: see user.h. */
#include "native/inner.h"

#include "base/clock.h"
#include "wire/sse.h"

#include <stdio.h>

enum { FORGET_LOOKS = 256 }; /* users that are looked at to make room for one */

static struct slice user_key(char *buf, size_t bytes, struct slice tenant, struct slice identity) {
  int n = snprintf(buf, bytes, "%.*s\n%.*s", SLICE_ARG(tenant), SLICE_ARG(identity));
  return slice_from(buf, n < 0 || (size_t)n >= bytes ? 0 : (size_t)n);
}

/* Nothing of it is there, and nothing that a stream could still ask for. */
static bool is_idle(struct user *u, uint64_t now_us) {
  return list_is_empty(&u->streams) && list_is_empty(&u->nlegs) && !u->alert_count &&
         event_ring_oldest(&u->ring, now_us) == u->ring.next_id;
}

static void user_free(struct native *n, struct user *u) {
  char key[140];
  (void)map_del(n->users, user_key(key, sizeof(key), slice_of(u->tenant), slice_of(u->identity)));
  event_ring_done(&u->ring);
  list_del(&u->node);
  free(u);
}

/* Those not seen for long go, two for each new one; where the table is full, one that is idle at all. */
static void users_forget(struct native *n, uint64_t now_us) {
  bool is_full = map_count(n->users) >= n->users_max;
  unsigned left = is_full ? FORGET_LOOKS : 2;
  LIST_EACH_SAFE(&n->user_list, at) {
    struct user *u = CONTAINER_OF(at, struct user, node);
    if (left-- == 0 || (!is_full && now_us < u->seen_us + USER_IDLE_S * 1000000ull))
      return;
    if (is_idle(u, now_us)) {
      user_free(n, u);
      is_full = false;
      left = left < 2 ? left : 2;
    } else { /* looked at again when the others were */
      list_del(&u->node);
      list_add_tail(&n->user_list, &u->node);
    }
  }
}

static struct user *user_seen(struct native *n, struct user *u) {
  u->seen_us = loop_now_us(n->loop);
  list_del(&u->node);
  list_add_tail(&n->user_list, &u->node);
  return u;
}

struct user *user_get(struct native *n, struct slice tenant, struct slice identity) {
  char key[140];
  struct slice k = user_key(key, sizeof(key), tenant, identity);
  struct user *u = map_get(n->users, k);
  if (u)
    return user_seen(n, u);
  users_forget(n, loop_now_us(n->loop));
  u = calloc(1, sizeof(*u));
  if (!u)
    return NULL;
  if (slice_copy(u->tenant, sizeof(u->tenant), tenant) < 0 ||
      slice_copy(u->identity, sizeof(u->identity), identity) < 0 || k.n == 0 ||
      map_put(n->users, k, u) < 0) {
    free(u);
    return NULL;
  }
  list_init(&u->streams);
  list_init(&u->nlegs);
  event_ring_init(&u->ring, clock_wall_ms());
  return user_seen(n, u);
}

void users_free(struct native *n) {
  if (!n->user_list.next)
    return;
  LIST_EACH_SAFE(&n->user_list, at) {
    struct user *u = CONTAINER_OF(at, struct user, node);
    event_ring_done(&u->ring);
    list_del(&u->node);
    free(u);
  }
}

bool user_has_stream(const struct user *u, const char *device) {
  LIST_EACH(&u->streams, at) {
    const struct stream *s = CONTAINER_OF(at, struct stream, node);
    if (!device[0] || strcmp(s->device, device) == 0)
      return true;
  }
  return false;
}

enum { EVENT_HEAD_BYTES = 128 }; /* id, name and line ends around an event's data */

/* The event as it goes over the wire; NULL without memory. */
static char *event_text(uint64_t id, const char *name, const char *call_id, json_t *data) {
  char when[CLOCK_TEXT_BYTES];
  json_object_set_new(data, "v", json_integer(1));
  json_object_set_new(data, "ts", json_string(clock_text(clock_wall_ms(), when)));
  if (call_id && !json_object_get(data, "call")) /* call.updated has a snapshot there */
    json_object_set_new(data, "call", json_string(call_id));
  own_mem char *json = json_dumps(data, JSON_COMPACT);
  if (!json)
    return NULL;
  size_t bytes = strlen(json) + EVENT_HEAD_BYTES, n;
  char *text = malloc(bytes);
  if (!text)
    return NULL;
  struct text t;
  text_init(&t, text, bytes);
  sse_event(&t, id, name, slice_of(json));
  if (text_end(&t, &n) == 0)
    return text;
  free(text);
  return NULL;
}

void user_event(struct native *n, struct user *u, const char *device, const char *name,
                const char *call_id, json_t *data, bool keep) {
  uint64_t id = event_ring_take_id(&u->ring);
  char *text = event_text(id, name, call_id, data);
  json_decref(data);
  if (!text)
    return;
  LIST_EACH_SAFE(&u->streams, at) {
    struct stream *s = CONTAINER_OF(at, struct stream, node);
    if (!device[0] || strcmp(s->device, device) == 0)
      (void)web_stream_push(n->web, s->web, slice_of(text));
  }
  if (keep)
    event_ring_add(&u->ring, id, device, text, loop_now_us(n->loop));
  else
    free(text);
}

void stream_system_event(struct stream *s, const char *name, json_t *data) {
  own_mem char *text = event_text(0, name, NULL, data);
  json_decref(data);
  if (text)
    (void)web_stream_push(s->n->web, s->web, slice_of(text));
}
