/* SPDX-License-Identifier: Apache-2.0
 * Calls of the past led once by the configuration in force and once by a candidate, in the order of
 * their time: plan, numbers, callers that may be shown, limits of trunks and node, caps. What comes out
 * is compared as text. Calls that were refused take no time where they would not be; media and far ends
 * are nobody's business here. */
#include "guard/guard.h"
#include "revise/part.h"
#include "store/store.h"

#include "base/clock.h"

enum { END_TEXT_BYTES = 360, STEP_BYTES = 200 };

/* A call that is live in one world, until its time. */
struct stay {
  uint64_t end_us, talked_us;
  const struct conf_trunk *in, *out;
  const struct conf_user *from, *to; /* NULL: not of the configuration */
  struct caps_hold caps;
};

struct world {
  const struct conf *conf;
  const struct conf *then; /* then is what the calls were placed under. */
  const struct plan *plan;
  struct guard *guard;
  struct stay *heap; /* the first one that ends on top */
  uint32_t n, room;
  uint32_t *of_user; /* of_user[i] counts the live calls of conf->users[i]. */
};

/* What became of a call in one world. */
struct end {
  char text[END_TEXT_BYTES];
  bool is_refused, is_emergency;
  const struct conf_trunk *in, *out; /* whose header edits it passes */
};

/* ---- who is live ---- */

static void heap_swap(struct stay *a, struct stay *b) {
  struct stay s = *a;
  *a = *b;
  *b = s;
}

/* A call begins or ends for whom it is, by +1 or -1; once for one who calls himself. */
static void users_count(struct world *w, const struct stay *s, int by) {
  if (s->from)
    w->of_user[s->from - w->conf->users] += (uint32_t)by;
  if (s->to && s->to != s->from)
    w->of_user[s->to - w->conf->users] += (uint32_t)by;
}

static int stay_add(struct world *w, const struct stay *s) {
  if (w->n == w->room) {
    uint32_t room = w->room ? 2 * w->room : 256;
    struct stay *heap = realloc(w->heap, room * sizeof(*heap));
    if (!heap)
      return -ENOMEM;
    w->heap = heap;
    w->room = room;
  }
  uint32_t i = w->n++;
  users_count(w, s, 1);
  w->heap[i] = *s;
  for (; i && w->heap[(i - 1) / 2].end_us > w->heap[i].end_us; i = (i - 1) / 2)
    heap_swap(&w->heap[(i - 1) / 2], &w->heap[i]);
  return 0;
}

static void stay_end(struct world *w) {
  struct stay s = w->heap[0];
  w->heap[0] = w->heap[--w->n];
  for (uint32_t i = 0, k; (k = 2 * i + 1) < w->n; i = k) {
    if (k + 1 < w->n && w->heap[k + 1].end_us < w->heap[k].end_us)
      k++;
    if (w->heap[i].end_us <= w->heap[k].end_us)
      break;
    heap_swap(&w->heap[i], &w->heap[k]);
  }
  users_count(w, &s, -1);
  guard_caps_leave(w->guard, &s.caps, s.talked_us, s.end_us);
  if (s.in)
    guard_leave(w->guard, s.in);
  if (s.out)
    guard_leave(w->guard, s.out);
}

/* ---- one call ---- */

struct asked {
  const struct record_past *p;
  const struct conf_trunk *in;
  char called[ROUTE_NUMBER_BYTES], caller[ROUTE_NUMBER_BYTES];
  bool is_strange; /* is_strange: the caller's number is none of the identity's. */
  struct route_decision d;
  struct stay stay;
};

static void number_read(const struct world *w, const struct asked *a, enum route_direction way,
                        struct slice number, char *dst) {
  if (!a->in || route_number(w->plan, a->in->name, way, number, dst, ROUTE_NUMBER_BYTES) < 0)
    slice_copy(dst, ROUTE_NUMBER_BYTES, number);
}

static bool user_has(const struct conf_user *u, struct slice number) {
  for (uint32_t i = 0; u && i < u->numbers.n; i++)
    if (slice_eq(slice_of(u->numbers.text[i]), number))
      return true;
  return false;
}

/* The number that a user of ours calls from. Where the configuration of then gave it and that of this world
 * does not, the user's first number stands for it if it was the first one then; else it is refused. Numbers
 * that came with a token alone are not the configuration's. */
static struct slice own_number(const struct world *w, const struct record_past *p, bool *ret_refused) {
  const struct conf_user *then = conf_user_find(w->then, p->identity),
                         *now = conf_user_find(w->conf, p->identity);
  *ret_refused = false;
  if (p->trunk.n || !user_has(then, p->caller) || user_has(now, p->caller))
    return p->caller;
  bool is_first = slice_eq(slice_of(then->numbers.text[0]), p->caller);
  if (is_first && now && now->numbers.n)
    return slice_of(now->numbers.text[0]);
  *ret_refused = true;
  return p->caller;
}

static struct slice verified_word(struct slice verified) {
  static const char *const words[] = {"", "A", "B", "C", "V", "none"};
  for (size_t i = 0; i < COUNT_OF(words); i++)
    if (slice_eq(verified, slice_of(words[i])))
      return slice_of(words[i]);
  return SLICE("failed");
}

static void decide(const struct world *w, struct asked *a) {
  const struct record_past *p = a->p;
  number_read(w, a, ROUTE_IN_CALLED, p->called, a->called);
  number_read(w, a, ROUTE_IN_CALLER, own_number(w, p, &a->is_strange), a->caller);
  struct route_facts f = {.from_kind = p->trunk.n ? SLICE("trunk") : SLICE("native"),
                          .trunk = p->trunk,
                          .called = slice_of(a->called),
                          .caller = slice_of(a->caller),
                          .identity = p->trunk.n ? SLICE("") : p->identity,
                          .tenant = p->trunk.n ? SLICE("") : p->tenant,
                          .verified = verified_word(p->verified),
                          .anonymous = p->is_anonymous,
                          .wall_s = p->started_ms / 1000};
  a->d = route_decide(w->plan, &f);
}

static void refused_by(struct end *e, const struct verdict *v) {
  e->is_refused = true;
  snprintf(e->text, sizeof(e->text), "refused with %d: %s%s%s", verdict_sip(v),
           refusal_row(v->refusal)->rule, v->detail[0] ? ", " : "", v->detail);
}

static bool screen(const struct asked *a, struct end *e) {
  const struct record_past *p = a->p;
  struct verdict v = verdict_pass();
  if (a->is_strange)
    v = verdict_refuse(REFUSE_CALLER_ID, "from is not one of the identity's numbers");
  else if (p->trunk.n && !a->in)
    v = verdict_refuse(REFUSE_UNKNOWN_SOURCE, "there is no trunk of that name");
  else if (a->in && p->is_anonymous && a->in->anonymous == ANONYMOUS_REFUSE)
    v = verdict_refuse(REFUSE_ANONYMOUS, "%s", a->in->name);
  else if (a->in && !(p->is_anonymous && !p->caller.n) && !guard_may_show(a->in, p->caller))
    v = verdict_refuse(REFUSE_CALLER_RANGE, "%s", a->in->name);
  if (!verdict_is_pass(&v))
    refused_by(e, &v);
  return verdict_is_pass(&v);
}

/* The i-th trunk of the first step; NULL past the last. */
static const struct conf_trunk *target_of(const struct world *w, const struct route_decision *d,
                                          uint32_t i) {
  const struct route_step *s = d->n_steps ? d->steps : NULL;
  const struct route_target *to = !s || s->action != ROUTE_TRUNK ? NULL : s->is_table ? d->row : s->to;
  uint32_t n = to ? (s->is_table ? d->n_row : s->n) : 0;
  return i < n ? conf_trunk_find(w->conf, slice_of(to[i].name)) : NULL;
}

static struct verdict out_admit(struct world *w, struct asked *a, uint64_t now_us) {
  struct verdict v = verdict_pass();
  const struct conf_trunk *t;
  for (uint32_t i = 0; (t = target_of(w, &a->d, i)); i++) {
    v = verdict_pass();
    if (a->d.emergency)
      guard_admit_emergency(w->guard, t);
    else
      v = guard_admit_out(w->guard, t, now_us);
    if (verdict_is_pass(&v)) {
      a->stay.out = t;
      break;
    }
  }
  return v;
}

static struct verdict identity_admit(const struct world *w, const struct conf_user *u) {
  uint32_t most = w->conf->service.calls_per_identity;
  return u && most && w->of_user[u - w->conf->users] >= most
             ? verdict_refuse(REFUSE_CALLS_IDENTITY, "service.calls_per_identity is %u", most)
             : verdict_pass();
}

/* The whole house, then one identity. */
static struct verdict house_admit(const struct world *w, struct asked *a) {
  if (a->d.emergency)
    return verdict_pass();
  if (w->n >= w->conf->node.max_calls)
    return verdict_refuse(REFUSE_NODE_CALLS, "node.max_calls is %u", w->conf->node.max_calls);
  struct verdict v = identity_admit(w, a->stay.from);
  return verdict_is_pass(&v) ? identity_admit(w, a->stay.to) : v;
}

/* In this order, as a call that is placed. */
static struct verdict limits(struct world *w, struct asked *a, uint64_t now_us) {
  struct slice called = a->d.called[0] ? slice_of(a->d.called) : slice_of(a->called);
  struct caps_facts f = {
      .called = called, .caller = slice_of(a->caller), .trunk = a->p->trunk, .tenant = a->p->tenant};
  a->stay.from = a->p->trunk.n ? NULL : conf_user_find(w->conf, a->p->identity);
  a->stay.to = a->d.action == ROUTE_USER ? conf_user_find(w->conf, slice_of(a->d.user)) : NULL;
  struct verdict v = house_admit(w, a);
  if (!verdict_is_pass(&v))
    return v;
  if (a->in && a->d.emergency)
    guard_admit_emergency(w->guard, a->in);
  else if (a->in)
    v = guard_admit_out(w->guard, a->in, now_us); /* the same limits count both ways */
  if (!verdict_is_pass(&v))
    return v;
  a->stay.in = a->in;
  v = out_admit(w, a, now_us);
  if (verdict_is_pass(&v) && !a->d.emergency)
    v = guard_caps(w->guard, &f, now_us, &a->stay.caps);
  return v;
}

static void undo(struct world *w, struct asked *a) {
  if (a->stay.in)
    guard_leave(w->guard, a->stay.in);
  if (a->stay.out)
    guard_leave(w->guard, a->stay.out);
  a->stay.in = a->stay.out = NULL;
}

static void steps_write(struct end *e, const struct world *w, const struct asked *a) {
  char step[STEP_BYTES], sent[ROUTE_NUMBER_BYTES];
  size_t at = 0;
  const struct route_decision *d = &a->d;
  const struct conf_trunk *t = a->stay.out;
  if (d->emergency)
    at = (size_t)snprintf(e->text, sizeof(e->text), "emergency: ");
  for (uint32_t i = 0; i < d->n_steps && at + 2 < sizeof(e->text); i++) {
    route_step_text(d, i, step, sizeof(step));
    at += (size_t)snprintf(e->text + at, sizeof(e->text) - at, "%s%s", i ? ", then " : "", step);
  }
  if (t && at + 2 < sizeof(e->text) &&
      route_number(w->plan, t->name, ROUTE_OUT_CALLED,
                   d->called[0] ? slice_of(d->called) : slice_of(a->called), sent, sizeof(sent)) == 0)
    at += (size_t)snprintf(e->text + at, sizeof(e->text) - at, ", to %s", sent);
  if (t && at + 2 < sizeof(e->text) &&
      route_number(w->plan, t->name, ROUTE_OUT_CALLER,
                   d->caller[0] ? slice_of(d->caller) : slice_of(a->caller), sent, sizeof(sent)) == 0 &&
      sent[0])
    snprintf(e->text + at, sizeof(e->text) - at, " from %s", sent);
}

static void route_refused(struct end *e, const struct route_decision *d) {
  e->is_refused = true;
  snprintf(e->text, sizeof(e->text), "refused with %d%s%s%s", d->sip, d->rule[0] ? " by rule " : "",
           d->rule, d->rule[0] ? "" : ": no rule fits");
}

static uint64_t end_us_of(const struct record_past *p, uint64_t now_ms) {
  uint64_t end = p->is_live ? now_ms : p->ended_ms > p->started_ms ? p->ended_ms : p->started_ms;
  return end * 1000;
}

/* Led through one world. */
static int lead(struct world *w, const struct record_past *p, uint64_t now_ms, struct end *e) {
  struct asked a = {.p = p};
  uint64_t now_us = p->started_ms * 1000;
  memset(e, 0, sizeof(*e));
  while (w->n && w->heap[0].end_us <= now_us)
    stay_end(w);
  a.in = p->trunk.n ? conf_trunk_find(w->conf, p->trunk) : NULL;
  decide(w, &a);
  if (p->is_unasked) {
    a.d = (struct route_decision){.action = ROUTE_USER};
    snprintf(e->text, sizeof(e->text), "as asked, without the plan");
  }
  e->is_emergency = a.d.emergency;
  if (!screen(&a, e) && !a.d.emergency)
    return 0;
  e->is_refused = false;
  if (a.d.action == ROUTE_REFUSE) {
    route_refused(e, &a.d);
    return 0;
  }
  struct verdict v = limits(w, &a, now_us);
  if (!verdict_is_pass(&v)) {
    undo(w, &a);
    refused_by(e, &v);
    return 0;
  }
  if (!p->is_unasked)
    steps_write(e, w, &a);
  e->in = a.in;
  e->out = a.stay.out;
  a.stay.end_us = end_us_of(p, now_ms);
  a.stay.talked_us = p->answered_ms ? a.stay.end_us - p->answered_ms * 1000 : 0;
  return stay_add(w, &a.stay);
}

/* ---- all of them ---- */

struct run {
  struct world old, new;
  uint64_t now_ms;
  struct revise_replay *ret;
};

static bool same_edits(const struct conf_edits *a, const struct conf_edits *b) {
  return memcmp(a, b, sizeof(*a)) == 0;
}

/* The same way, but other header fields on it. */
static bool headers_note(struct end *old, struct end *new) {
  bool in = old->in && new->in && !same_edits(&old->in->headers.in, &new->in->headers.in);
  bool out = old->out && new->out && !same_edits(&old->out->headers.out, &new->out->headers.out);
  if (!in && !out)
    return false;
  size_t n = strlen(new->text);
  snprintf(new->text + n, sizeof(new->text) - n, ", other header rules of %s",
           in ? new->in->name : new->out->name);
  return true;
}

static void moved_add(struct revise_replay *to, const struct record_past *p, const struct end *old,
                      const struct end *new) {
  if (to->n == REVISE_MOVED_MAX)
    return;
  struct revise_moved *m = &to->list[to->n++];
  slice_copy(m->record, sizeof(m->record), p->id);
  slice_copy(m->called, sizeof(m->called), p->called);
  snprintf(m->was, sizeof(m->was), "%s", old->text);
  snprintf(m->is, sizeof(m->is), "%s", new->text);
}

static int call_take(void *arg, const struct record_past *p) {
  struct run *run = arg;
  struct end old, new;
  if (!p->trunk.n && !p->identity.n)
    return 0; /* a stranger's: no plan was asked */
  int r = lead(&run->old, p, run->now_ms, &old);
  if (r == 0)
    r = lead(&run->new, p, run->now_ms, &new);
  if (r < 0)
    return r;
  struct revise_replay *to = run->ret;
  to->calls++;
  to->refused_before += old.is_refused;
  to->refused_after += new.is_refused;
  if (strcmp(old.text, new.text) == 0 && !headers_note(&old, &new))
    return 0;
  to->changed++;
  to->refused += new.is_refused && !old.is_refused;
  to->emergency += old.is_emergency && !old.is_refused && (new.is_refused || !new.is_emergency);
  moved_add(to, p, &old, &new);
  return 0;
}

static int world_begin(struct world *w, const struct conf *c, const struct plan *p,
                       const struct conf *then) {
  w->conf = c;
  w->then = then;
  w->plan = p;
  w->of_user = calloc(c->n_users + 1, sizeof(*w->of_user));
  int r = w->of_user ? guard_new(&w->guard, c) : -ENOMEM;
  if (r == 0)
    guard_rehearse(w->guard);
  return r;
}

static void world_end(struct world *w) {
  free(w->heap);
  free(w->of_user);
  guard_free(w->guard);
}

int replay_run(const struct replay_worlds *w, const char *store_file, uint64_t since_ms, uint32_t max,
               struct revise_replay *ret) {
  own(reader) reader = NULL;
  struct run run = {.now_ms = clock_wall_ms(), .ret = ret};
  memset(ret, 0, sizeof(*ret));
  int r = reader_new(&reader, store_file);
  if (r == 0)
    r = world_begin(&run.old, w->old_conf, w->old_plan, w->old_conf);
  if (r == 0)
    r = world_begin(&run.new, w->new_conf, w->new_plan, w->old_conf);
  if (r == 0)
    r = reader_past(reader, since_ms, run.now_ms + 1, max, call_take, &run);
  ret->is_cut = ret->calls == max;
  world_end(&run.old);
  world_end(&run.new);
  return r;
}
