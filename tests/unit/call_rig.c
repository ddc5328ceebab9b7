/* SPDX-License-Identifier: Apache-2.0
 * The rig of the call model's tests: see call_rig.h. */
#include "call_rig.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/un.h>

struct rig rig;
static uint64_t now_us = 1000000000, wall_ms = 1700000000000;
static pool_handle letters[128];

static void note(char *to, size_t bytes, const char *format, ...) {
  size_t n = strlen(to);
  va_list ap;
  va_start(ap, format);
  if (n && n + 1 < bytes)
    to[n++] = ' ';
  vsnprintf(to + n, bytes - n, format, ap);
  va_end(ap);
}
#define said(...) note(rig.log, sizeof(rig.log), __VA_ARGS__)
#define sent(...) note(rig.media, sizeof(rig.media), __VA_ARGS__)

static const char *drain(char *from) {
  static char out[8192];
  memcpy(out, from, sizeof(out));
  from[0] = 0;
  return out;
}
const char *rig_log(void) { return drain(rig.log); }
const char *rig_media(void) { return drain(rig.media); }

/* Fakes of lower floors ------------------------------------------------------------------------- */

static const struct refusal_row refusals[] = {
#define REFUSE(id, rule, sip, q850, http, code, title) {rule, sip, q850, http, code, title},
#include "guard/refuse.def"
#undef REFUSE
};
const struct refusal_row *refusal_row(enum refusal r) { return &refusals[r]; }
struct verdict verdict_pass(void) {
  return (struct verdict){0};
}
struct verdict verdict_refuse(enum refusal r, const char *format, ...) {
  struct verdict v = {.refusal = r};
  va_list ap;
  va_start(ap, format);
  vsnprintf(v.detail, sizeof(v.detail), format, ap);
  va_end(ap);
  return v;
}
struct verdict guard_admit(struct guard *g, const struct ask *ask, uint64_t now) {
  (void)g, (void)ask, (void)now;
  rig.live += rig.admit.refusal == REFUSE_NONE;
  return rig.admit;
}
struct verdict guard_admit_out(struct guard *g, const struct conf_trunk *trunk, uint64_t now) {
  (void)g, (void)now;
  if (rig.full && strcmp(trunk->name, rig.full) == 0)
    return verdict_refuse(REFUSE_TRUNK_CALLS, "%s is full", trunk->name);
  rig.live += rig.admit_out.refusal == REFUSE_NONE;
  return rig.admit_out;
}
void guard_leave(struct guard *g, const struct conf_trunk *trunk) {
  (void)g, (void)trunk;
  rig.live--;
}
struct verdict guard_caps(struct guard *g, const struct caps_facts *f, uint64_t now,
                          struct caps_hold *ret) {
  (void)g, (void)f, (void)now;
  if (rig.capped)
    return verdict_refuse(REFUSE_CAP, "caps[few].calls: 1");
  rig.capped_live++;
  ret->n = 1;
  return verdict_pass();
}
void guard_caps_leave(struct guard *g, struct caps_hold *hold, uint64_t talked, uint64_t now) {
  (void)g, (void)now;
  rig.capped_live -= (int)hold->n;
  rig.talked_us += talked;
  hold->n = 0;
}
void guard_note_out(struct guard *g, const struct conf_trunk *trunk, struct slice caller,
                    struct slice called, struct slice session_id, uint64_t now) {
  (void)g, (void)trunk, (void)caller, (void)called, (void)now;
  rig.noted += session_id.n == 32;
}
void guard_forget_out(struct guard *g, struct slice session_id) {
  (void)g;
  rig.noted -= session_id.n == 32;
}
struct route_decision route_decide(const struct plan *p, const struct route_facts *f) {
  (void)p;
  bool is_known = f->verified.n && !slice_eq(f->verified, SLICE("pending"));
  return slice_eq(f->from_kind, SLICE("forward")) ? rig.forward : is_known ? rig.verified : rig.route;
}
int route_number(const struct plan *p, const char *trunk, enum route_direction way, struct slice number,
                 char *dst, size_t dst_bytes) {
  (void)p, (void)trunk, (void)way;
  return slice_copy(dst, dst_bytes, number);
}
const struct conf_trunk *conf_trunk_find(const struct conf *c, struct slice name) {
  for (uint32_t i = 0; i < c->n_trunks; i++)
    if (slice_eq(slice_of(c->trunks[i].name), name))
      return &c->trunks[i];
  return NULL;
}
bool conf_trunk_fails_over(const struct conf_trunk *t, int status) {
  (void)t;
  return status == 408 || status == 503 || status == 504;
}
const struct conf_listener *conf_listener_find(const struct conf *c, struct slice name) {
  (void)c, (void)name;
  return NULL;
}

const struct conf_user *conf_user_find(const struct conf *c, struct slice name) {
  for (uint32_t i = 0; i < c->n_users; i++)
    if (slice_eq(slice_of(c->users[i].name), name))
      return &c->users[i];
  return NULL;
}
int store_put(struct store *s, const struct record *r) {
  (void)s;
  rig.record[rig.n_records++ % COUNT_OF(rig.record)] = *r;
  return 0;
}

/* Doors -------------------------------------------------------------------------------------------- */

static char letter(const struct leg *l) { return (char)l->magic; }

static struct leg *add(struct call *c, const struct door *d, const struct target *t) {
  char name = rig.next_letter++;
  struct leg *l =
      call_add_callee(c, d, NULL, (uint64_t)name, t->trunk, slice_of(t->user), SLICE("device"));
  if (l)
    letters[(int)name] = l->id;
  return l;
}
static const struct door native_door, trunk_door;
static struct verdict ring_native(void *arg, struct call *c, const struct target *t) {
  (void)arg;
  said("ring:%s", t->user);
  for (uint32_t i = 0; i < rig.devices && verdict_is_pass(&rig.ring); i++)
    (void)add(c, &native_door, t);
  return rig.ring;
}
static struct verdict ring_trunk(void *arg, struct call *c, const struct target *t) {
  (void)arg;
  said("ring:%s", t->trunk->name);
  if (verdict_is_pass(&rig.ring))
    (void)add(c, &trunk_door, t);
  return rig.ring;
}
static void ring_stop(void *arg, struct call *c) { (void)arg, (void)c, said("ring_stop"); }
static void opened(void *arg, struct leg *l) {
  const struct desc *offer;
  (void)arg;
  said("%c.opened", letter(l));
  if (l->role == LEG_CALLEE) {
    struct verdict v = leg_make_offer(l, &offer);
    if (!verdict_is_pass(&v))
      said("%c.no_offer", letter(l));
  }
}
static void ringing(void *arg, struct leg *l) { (void)arg, said("%c.ringing", letter(l)); }
static void forwarded(void *arg, struct leg *l) { (void)arg, said("%c.forwarded", letter(l)); }
static int rank(void *arg, const struct conf_trunk *t) {
  (void)arg;
  return rig.ranks[t - rig.conf.trunks];
}
static void progress(void *arg, struct leg *l) { (void)arg, said("%c.progress", letter(l)); }
static void early(void *arg, struct leg *l, bool on) { (void)arg, said("%c.early:%d", letter(l), on); }
static void answered(void *arg, struct leg *l) { (void)arg, said("%c.answered", letter(l)); }
static void connected(void *arg, struct leg *l) { (void)arg, said("%c.connected", letter(l)); }
static void reoffered(void *arg, struct leg *l, uint64_t cookie, const struct verdict *v,
                      const struct desc *local) {
  (void)arg;
  said("%c.reoffered:%d:%s", letter(l), (int)cookie, refusal_row(v->refusal)->rule);
  rig.verdict = *v;
  rig.reoffered = true;
  if (local)
    desc_copy(&rig.local, local);
}
static void held(void *arg, struct leg *l, bool on) { (void)arg, said("%c.held:%d", letter(l), on); }
static void digit(void *arg, struct leg *l, char d, uint32_t ms, const char *source) {
  (void)arg, (void)ms, said("%c.digit:%c:%s", letter(l), d, source);
}
static void operation(void *arg, struct leg *l, uint64_t op, const struct verdict *v) {
  (void)arg, said("%c.operation:%d:%s", letter(l), (int)op, refusal_row(v->refusal)->rule);
}
static void media(void *arg, struct leg *l) { (void)arg, (void)l; }
static void quality(void *arg, struct leg *l, const struct mset_quality *q) {
  (void)arg, said("%c.quality:%s:%.0f", letter(l), q->up ? "up" : "down", q->loss * 100);
}
static void restart(void *arg, struct leg *l, const char *reason) {
  (void)arg, said("%c.restart:%s", letter(l), reason);
}
static void transferred(void *arg, struct leg *l, const struct transfer_news *n) {
  static const char *const words[] = {"progress", "done", "failed"};
  (void)arg;
  said("%c.transfer:%s:%d:%s", letter(l), words[n->state], n->sip, n->target);
}
static void moved(void *arg, struct leg *l) { (void)arg, said("%c.moved", letter(l)); }
static void ended(void *arg, struct leg *l) {
  static const char *const by[] = {"gateway", "caller", "callee"};
  (void)arg;
  said("%c.ended:%s:%s", letter(l), end_reason_word(l->cause.reason), by[l->cause.by]);
}
#define DOOR(kind_, ring_) \
  { \
    .name = #ring_, .kind = kind_, .ring = ring_, .ring_stop = ring_stop, .opened = opened, \
    .rank = rank, .forwarded = forwarded, .ringing = ringing, .progress = progress, .early = early, \
    .answered = answered, .connected = connected, .reoffered = reoffered, .held = held, .digit = digit, \
    .operation = operation, .media = media, .quality = quality, .restart = restart, \
    .transferred = transferred, .moved = moved, .ended = ended \
  }
static const struct door native_door = DOOR(LEG_NATIVE, ring_native),
                         trunk_door = DOOR(LEG_TRUNK, ring_trunk);

struct leg *rig_leg(char name) {
  return leg_get(rig.calls, letters[(int)name]);
}

/* The media process --------------------------------------------------------------------------------- */

static uint32_t ordinal(uint64_t session) {
  for (uint32_t i = 0; i < rig.n_sessions; i++)
    if (rig.sessions[i] == session)
      return i + 1;
  return 0;
}

static void put(union mset_any *m, uint64_t seq) {
  m->h.seq = seq;
  if (send(rig.peer_fd, m, m->h.bytes, MSG_NOSIGNAL) < 0)
    abort();
}

static void reply(const union mset_any *c, enum mset_type type) {
  union mset_any m;
  mset_init(&m, type, c->h.session);
  if (type == MSET_FAULT)
    m.fault.error = c->h.type == MSET_LINK ? -rig.fail_link : -EMFILE;
  put(&m, c->h.seq);
}

static void reply_welcome(const union mset_any *c) {
  union mset_any m;
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {0};
  mset_init(&m, MSET_WELCOME, 0);
  m.h.seq = c->h.seq;
  m.welcome.version = MSET_VERSION;
  m.welcome.facts_slots = 64;
  struct iovec iov = {&m, m.h.bytes};
  struct msghdr h = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
  struct cmsghdr *cm = CMSG_FIRSTHDR(&h);
  cm->cmsg_level = SOL_SOCKET;
  cm->cmsg_type = SCM_RIGHTS;
  cm->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(cm), &rig.facts_fd, sizeof(int));
  if (sendmsg(rig.peer_fd, &h, 0) < 0)
    abort();
}

static void reply_opened(const union mset_any *c) {
  union mset_any m;
  uint32_t n = ordinal(c->h.session);
  mset_init(&m, MSET_OPENED, c->h.session);
  m.opened.facts_slot = n;
  m.opened.ssrc = 1000 + n;
  m.opened.n_addrs = 1;
  (void)!addr_parse(&m.opened.rtp[0], SLICE("198.51.100.1"), (uint16_t)(41000 + 2 * n));
  if (c->open.rtcp_pair)
    (void)!addr_parse(&m.opened.rtcp, SLICE("198.51.100.1"), (uint16_t)(41001 + 2 * n));
  snprintf(m.opened.ufrag, sizeof(m.opened.ufrag), "uf%04u", n);
  snprintf(m.opened.pwd, sizeof(m.opened.pwd), "passwordpasswordpassw%03u", n);
  snprintf(m.opened.cname, sizeof(m.opened.cname), "cname%u", n);
  memset(m.opened.fingerprint, (int)n, sizeof(m.opened.fingerprint));
  put(&m, c->h.seq);
}

static void reply_ended(const union mset_any *c) {
  union mset_any m;
  mset_init(&m, MSET_ENDED, c->h.session);
  m.ended.facts.rx.packets = 100 * ordinal(c->h.session);
  put(&m, c->h.seq);
}

static void reply_ice(const union mset_any *c) {
  union mset_any m;
  mset_init(&m, MSET_ICE, c->h.session);
  snprintf(m.ice.ufrag, sizeof(m.ice.ufrag), "ufnew");
  snprintf(m.ice.pwd, sizeof(m.ice.pwd), "passwordpasswordpasswnew");
  put(&m, c->h.seq);
}

static void take_command(const union mset_any *c) {
  if (c->h.type == MSET_OPEN)
    rig.sessions[rig.n_sessions++] = c->h.session;
  uint32_t n = ordinal(c->h.session);
  if (c->h.type == MSET_LINK)
    sent("LINK%u-%u", n, ordinal(c->link.peer));
  else if (c->h.type == MSET_PLAY)
    sent("PLAY%u:%u", n, c->play.tone);
  else if (c->h.type == MSET_DIGITS)
    sent("DIGITS%u:%s", n, c->digits.digits);
  else if (c->h.type == MSET_REMOTE || c->h.type == MSET_SELECT || c->h.type == MSET_DROP)
    sent("%s%u/%u", mset_name(c->h.type), n, c->pick.remote);
  else if (c->h.type != MSET_HELLO && c->h.type != MSET_PING)
    sent("%s%u", mset_name(c->h.type), n);
  if (c->h.type == MSET_REMOTE && n)
    rig.remote[n - 1] = c->remote;
}

static void serve(const union mset_any *c) {
  take_command(c);
  if (rig.mute)
    return;
  if (c->h.type == MSET_HELLO)
    reply_welcome(c);
  else if (c->h.type == MSET_OPEN && !rig.fail_open)
    reply_opened(c);
  else if (c->h.type == MSET_END)
    reply_ended(c);
  else if (c->h.type == MSET_ICE_RESTART)
    reply_ice(c);
  else if (c->h.type == MSET_OPEN || (c->h.type == MSET_LINK && rig.fail_link))
    reply(c, MSET_FAULT);
  else
    reply(c, MSET_OK);
}

static bool serve_all(void) {
  union mset_any c;
  bool any = false;
  if (rig.peer_fd < 0 && rig.listen_fd >= 0)
    rig.peer_fd = accept4(rig.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (rig.peer_fd < 0)
    return false;
  for (ssize_t n = recv(rig.peer_fd, &c, sizeof(c), 0); n > 0; n = recv(rig.peer_fd, &c, sizeof(c), 0)) {
    if (mset_check(&c, (size_t)n, true) < 0)
      abort(); /* a command that the media process would refuse */
    serve(&c);
    any = true;
  }
  return any;
}

void rig_turn(void) {
  for (int idle = 0; idle < 3; idle++) {
    loop_turn(rig.loop, 0);
    if (serve_all())
      idle = -1;
  }
}

void rig_pass(uint64_t ms) {
  for (uint64_t left = ms; left;) {
    uint64_t step = left > 100 ? 100 : left;
    left -= step;
    now_us += step * 1000;
    wall_ms += step;
    clock_fake(now_us, wall_ms);
    loop_turn(rig.loop, 0);
    serve_all();
  }
  rig_turn();
}

void rig_step_wall(int64_t ms) {
  wall_ms += (uint64_t)ms;
  clock_fake(now_us, wall_ms);
}

void rig_media_listen(void) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  snprintf(un.sun_path, sizeof(un.sun_path), "%s", rig.path);
  unlink(rig.path);
  rig.listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(rig.listen_fd, (struct sockaddr *)&un, sizeof(un)) < 0 || listen(rig.listen_fd, 4) < 0)
    abort();
}

void rig_media_lose(void) {
  close(rig.peer_fd);
  close(rig.listen_fd);
  rig.peer_fd = rig.listen_fd = -1;
  rig_turn();
}

static void event(uint32_t n, union mset_any *m) {
  m->h.session = rig.sessions[n - 1];
  put(m, 0);
  rig_turn();
}

void rig_state(uint32_t n, uint32_t ice, uint32_t dtls) {
  union mset_any m;
  mset_init(&m, MSET_STATE, 0);
  m.state.ice = ice;
  m.state.dtls = dtls;
  m.state.suite = dtls == MSET_DTLS_UP ? SUITE_AEAD_AES_256_GCM : SUITE_NONE;
  event(n, &m);
}
void rig_flow(uint32_t n, bool on) {
  union mset_any m;
  mset_init(&m, MSET_FLOW, 0);
  m.flow.remote = 1;
  m.flow.active = on;
  event(n, &m);
}
void rig_digit(uint32_t n, char d) {
  union mset_any m;
  mset_init(&m, MSET_DIGIT, 0);
  m.digit.digit = (uint32_t)d;
  m.digit.ms = 100;
  event(n, &m);
}
void rig_quality(uint32_t n, bool up, double loss) {
  union mset_any m;
  mset_init(&m, MSET_QUALITY, 0);
  m.quality.up = up;
  m.quality.loss = loss;
  event(n, &m);
}
void rig_oneway(uint32_t n, bool on) {
  union mset_any m;
  mset_init(&m, MSET_ONEWAY, 0);
  m.oneway.active = on;
  m.oneway.since_ms = 3600;
  event(n, &m);
}
void rig_played(uint32_t n, int error) {
  union mset_any m;
  mset_init(&m, MSET_PLAY_DONE, 0);
  m.play_done.error = error;
  event(n, &m);
}
void rig_event(uint32_t n, enum mset_type type) {
  union mset_any m;
  mset_init(&m, type, 0);
  if (type == MSET_DIGITS_DONE) {
    m.digits_done.op = 77;
    m.digits_done.ok = 1;
  }
  event(n, &m);
}

/* Start, stop, place ----------------------------------------------------------------------------------
 */

static void configure(void) {
  struct conf *c = &rig.conf;
  static const char *const trunks[] = {"demo", "lab", "spare"};
  c->n_trunks = 3;
  for (int i = 0; i < 3; i++) {
    snprintf(c->trunks[i].name, sizeof(c->trunks[i].name), "%s", trunks[i]);
    c->trunks[i].symmetric = SYMMETRIC_AUTO;
    c->trunks[i].media_timeout_s = 300;
  }
  c->trunks[1].srtp = SRTP_OFF;
  c->trunks[1].hold = HOLD_INACTIVE;
  c->users = rig.users;
  c->n_users = 4;
  snprintf(rig.users[2].name, CONF_NAME_BYTES, "cleo");
  snprintf(rig.users[3].name, CONF_NAME_BYTES, "dave");
  snprintf(rig.users[0].name, CONF_NAME_BYTES, "alice");
  snprintf(rig.users[1].name, CONF_NAME_BYTES, "bob");
  c->node.max_calls = 20;
  c->service.calls_per_identity = 3;
  c->service.stream_lost_s = 120;
  c->service.ring_timeout_s = 60;
  c->records.interim_s = 900;
  snprintf(c->media.socket, sizeof(c->media.socket), "%s", rig.path);
}

void rig_start(void) {
  memset(&rig, 0, sizeof(rig));
  rig.peer_fd = rig.listen_fd = -1;
  rig.next_letter = 'B';
  rig.devices = 1;
  snprintf(rig.path, sizeof(rig.path), "/tmp/sallyport-call-%d.sock", (int)getpid());
  clock_fake(now_us, wall_ms);
  configure();
  rig.facts_fd = memfd_create("facts", MFD_CLOEXEC);
  if (loop_new(&rig.loop) < 0 ||
      ftruncate(rig.facts_fd, 64 * sizeof(struct mset_facts) + MSET_COUNTS_MAX * sizeof(uint64_t)) < 0)
    abort();
  rig_media_listen();
  struct calls_env env = {.loop = rig.loop,
                          .conf = &rig.conf,
                          .store = (struct store *)(void *)&rig,
                          .instance = "00112233445566778899aabbccddeeff"};
  if (calls_new(&rig.calls, &env) < 0)
    abort();
  calls_add_door(rig.calls, &native_door, NULL);
  calls_add_door(rig.calls, &trunk_door, NULL);
  rig_turn();
  rig.route = (struct route_decision){
      .action = ROUTE_TRUNK, .trunk = "demo", .called = "+15550100", .rule = "out"};
}

void rig_stop(void) {
  calls_free(rig.calls);
  if (rig.peer_fd >= 0)
    close(rig.peer_fd);
  if (rig.listen_fd >= 0)
    close(rig.listen_fd);
  close(rig.facts_fd);
  unlink(rig.path);
  loop_free(rig.loop);
}

struct desc rig_desc(const char *sdp) {
  struct desc d;
  struct desc_fault f;
  if (desc_parse(&d, slice_of(sdp), &f) < 0)
    abort();
  return d;
}

static struct leg *place(struct place *p, const char *sdp) {
  struct desc offer;
  struct leg *l;
  char id[40];
  p->magic = 'A';
  if (sdp) {
    offer = rig_desc(sdp);
    p->offer = &offer;
  }
  rig.verdict = call_place(rig.calls, p, &l, id);
  letters['A'] = l ? l->id : 0;
  rig_turn();
  return rig_leg('A');
}

struct leg *rig_place_native(const char *sdp) {
  struct place p = {.door = &native_door,
                    .identity = SLICE("alice"),
                    .tenant = SLICE("default"),
                    .device = SLICE("d1"),
                    .from = SLICE("+15550111"),
                    .to = SLICE("+15550100"),
                    .metadata = "{\"k\":\"v\"}"};
  return place(&p, sdp);
}

static struct leg *place_trunk(const char *sdp, const struct route_decision *route) {
  struct ask ask = {.trunk = &rig.conf.trunks[0],
                    .caller = "+15550999",
                    .called = "+15550001",
                    .session_id = "0123456789abcdef0123456789abcdef",
                    .sip_call_id = "call@carrier"};
  (void)!addr_parse(&ask.source, SLICE("192.0.2.10"), 5061);
  struct place p = {.door = &trunk_door, .ask = &ask, .verifies = rig.verifies};
  if (!rig.route.n_steps)
    rig.route = *route;
  return place(&p, sdp);
}

struct leg *rig_place_trunk(const char *sdp) {
  struct route_decision route = {.action = ROUTE_USER, .user = "bob", .rule = "in"};
  return place_trunk(sdp, &route);
}

struct leg *rig_place_between(const char *sdp) {
  struct route_decision route = {
      .action = ROUTE_TRUNK, .trunk = "demo", .called = "+15550100", .rule = "out"};
  return place_trunk(sdp, &route);
}
