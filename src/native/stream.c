/* SPDX-License-Identifier: Apache-2.0
 * Event streams: opening with a token or a ticket, hello, replay or reset, the token's end, closing.
 * Contract: native-signaling section 2. */
#include "native/inner.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

static void stream_expiry(void *arg) {
  struct stream *s = arg;
  char when[CLOCK_TEXT_BYTES];
  if (s->warned) {
    web_stream_close(s->n->web, s->web);
    return;
  }
  s->warned = true;
  stream_system_event(s, "token.expiring", json_pack("{s:s}", "at", clock_text(s->expires_ms, when)));
  uint64_t now = clock_wall_ms();
  loop_arm(s->n->loop, &s->expiring, s->expires_ms > now ? (s->expires_ms - now) * 1000 : 0);
}

static void arm_expiry(struct stream *s) {
  uint64_t now = clock_wall_ms(), warn = s->expires_ms > 60000 ? s->expires_ms - 60000 : 0;
  s->expiring = (struct timer){.fn = stream_expiry, .arg = s};
  loop_arm(s->n->loop, &s->expiring, warn > now ? (warn - now) * 1000 : 0);
}

static void stream_drop(struct stream *s) {
  loop_disarm(s->n->loop, &s->expiring);
  list_del(&s->node);
  s->user->stream_count--;
  pool_del(s->n->streams, s->id);
}

void stream_closed(struct native *n, uint64_t cookie) {
  struct stream *s = pool_get(n->streams, cookie);
  if (!s)
    return;
  struct user *u = s->user;
  char device[sizeof(s->device)];
  memcpy(device, s->device, sizeof(device));
  stream_drop(s);
  if (device[0] == '~')
    nlegs_leave(u, device);
  nleg_streams_changed(n, u);
}

/* The ids of calls that live, as section 2 wants them in hello. */
static json_t *live_calls(struct user *u) {
  json_t *ids = json_array();
  LIST_EACH(&u->nlegs, at) {
    const struct nleg *nl = CONTAINER_OF(at, struct nleg, node);
    if (!nl->final && !nl->hidden && nleg_find(u, slice_of(nl->call_id), "") == nl)
      json_array_append_new(ids, json_string(nl->call_id));
  }
  return ids;
}

static void replay(struct native *n, struct stream *s, struct slice last) {
  uint64_t id = 0;
  struct user *u = s->user;
  if (!last.p)
    return;
  if (slice_u64(last, 1ull << 53, &id) < 0 || !event_ring_covers(&u->ring, id, loop_now_us(n->loop))) {
    stream_system_event(s, "system.reset", json_object());
    return;
  }
  for (const struct event *e; (e = event_ring_next(&u->ring, id, s->device)); id = e->id)
    if (web_stream_push(n->web, s->web, slice_of(e->text)) < 0)
      return;
}

static void close_same_name(struct native *n, struct user *u, const char *device) {
  LIST_EACH_SAFE(&u->streams, at) {
    struct stream *s = CONTAINER_OF(at, struct stream, node);
    if (strcmp(s->device, device) == 0) {
      web_stream_close(n->web, s->web);
      stream_drop(s); /* its cookie finds nothing when the server tells the close */
    }
  }
}

static bool device_is_sound(const char *d) {
  size_t len = strlen(d);
  return len >= 1 && len <= 64 &&
         strspn(d, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

/* Who opens the stream: the token's claims or the ticket's. Answers and returns false otherwise. */
static bool stream_claims(struct req *r, struct claims *ret) {
  char ticket[128];
  if (r->ask->has_claims) {
    *ret = r->ask->claims;
  } else if (web_query(r->ask, "ticket", ticket, sizeof(ticket)) < 0 ||
             ticket_use(r->n->tickets, slice_of(ticket), loop_now_us(r->n->loop), ret) < 0) {
    answer_problem(r->n, r->to, WEB_PROBLEM_unauthorized,
                   "a Bearer token or an unused ticket of the last 60 s is needed");
    return false;
  }
  if (!claims_has_scope(ret, "events.read")) {
    answer_problem(r->n, r->to, WEB_PROBLEM_scope, "the scope events.read is needed");
    return false;
  }
  return true;
}

/* A nameless device that comes back by id is the one that closed, so that it misses nothing. */
static void name_nameless(struct user *u, struct stream *s, struct slice last) {
  uint64_t id;
  snprintf(s->device, sizeof(s->device), "~%llu", (unsigned long long)s->id);
  const char *was =
      last.p && slice_u64(last, 1ull << 53, &id) == 0 ? event_ring_nameless(&u->ring, id) : NULL;
  if (was && !user_has_stream(u, was))
    slice_copy(s->device, sizeof(s->device), slice_of(was));
}

static struct stream *stream_add(struct req *r, const struct claims *c, const char *device,
                                 struct slice last) {
  struct native *n = r->n;
  pool_handle id;
  struct user *u = user_get(n, slice_of(c->tenant), slice_of(c->identity));
  if (!u) {
    answer_problem(n, r->to, WEB_PROBLEM_overload, "too many identities");
    return NULL;
  }
  if (device[0])
    close_same_name(n, u, device);
  if (u->stream_count >= n->conf->service.streams_per_identity) {
    answer_problem(n, r->to, WEB_PROBLEM_rate, "the identity has as many event streams as it may have");
    return NULL;
  }
  struct stream *s = pool_add(n->streams, &id);
  if (!s) {
    answer_problem(n, r->to, WEB_PROBLEM_overload, "too many event streams");
    return NULL;
  }
  s->id = id;
  s->n = n;
  s->user = u;
  s->may_receive = claims_has_scope(c, "call.receive");
  s->expires_ms = c->expires_s * 1000;
  if (device[0])
    slice_copy(s->device, sizeof(s->device), slice_of(device));
  else
    name_nameless(u, s, last);
  s->web = web_stream_open(n->web, r->to.ask, id);
  if (!s->web) {
    pool_del(n->streams, id);
    return NULL;
  }
  list_add_tail(&u->streams, &s->node);
  u->stream_count++;
  arm_expiry(s);
  return s;
}

void verb_events(struct req *r) {
  struct claims c;
  char device[80] = "", last[32] = "";
  struct native *n = r->n;
  if (!stream_claims(r, &c))
    return;
  if (web_query(r->ask, "device", device, sizeof(device)) == -ENOENT)
    slice_copy(device, sizeof(device), slice_of(r->device));
  if (device[0] && !device_is_sound(device)) {
    answer_field(n, r->to, "/device", "expected 1 to 64 of A-Z a-z 0-9 _ -");
    return;
  }
  struct slice id = r->ask->last_event_id;
  int q = web_query(r->ask, "last_event_id", last, sizeof(last));
  if (q != -ENOENT)
    id = q == 0 ? slice_of(last) : SLICE("?");
  struct stream *s = stream_add(r, &c, device, id);
  if (!s)
    return;
  struct user *u = s->user;
  stream_system_event(
      s, "system.hello",
      json_pack("{s:s,s:s,s:i,s:I,s:o}", "identity", u->identity, "region", n->conf->node.region,
                "heartbeat_s", (int)n->conf->service.heartbeat_s, "oldest_id",
                (json_int_t)event_ring_oldest(&u->ring, loop_now_us(n->loop)), "calls", live_calls(u)));
  replay(n, s, id);
  nleg_streams_changed(n, u);
  alert_sweep_stream(n, u, s, id.p != NULL);
}

void verb_ticket(struct req *r) {
  char text[TICKET_CHARS + 1];
  if (ticket_make(r->n->tickets, r->claims, loop_now_us(r->n->loop), text) < 0) {
    answer_problem(r->n, r->to, WEB_PROBLEM_overload, "too many tickets wait");
    return;
  }
  answer_json(r->n, r->to, 201, json_pack("{s:s,s:i}", "ticket", text, "expires_in", TICKET_LIFE_S));
}
