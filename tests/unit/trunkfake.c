/* SPDX-License-Identifier: Apache-2.0
 * See trunkfake.h. */
#include "trunkfake.h"

#include "base/clock.h"
#include "trunk/inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct fake fake;

/* Call model ------------------------------------------------------------------------------------ */
struct calls *fake_calls(void) {
  return (struct calls *)(void *)&fake;
}
struct guard *fake_guard(void) {
  return (struct guard *)(void *)&fake;
}

#define FMTP "a=rtpmap:%u opus/48000/2\r\na=fmtp:%u useinbandfec=1;maxaveragebitrate=32000\r\n"

static const char *long_sdp(void) {
  static char text[4000];
  int n = sprintf(text,
                  "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                  "m=audio 41000 RTP/AVP 0 96 97 98 99 100 101 102 103 104 105 106 107 108 109 110\r\n");
  for (unsigned i = 96; i <= 110; i++)
    n += sprintf(text + n, FMTP, i, i);
  return text;
}

const char *fake_sdp(void) {
  if (fake.is_long)
    return long_sdp();
  return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
         "m=audio 41000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n";
}

static struct fake_leg *of(struct leg *l) { return CONTAINER_OF(l, struct fake_leg, leg); }

static struct fake_leg *leg_take(uint64_t magic, enum leg_role role) {
  for (uint32_t i = 0; i < FAKE_LEGS; i++) {
    struct fake_leg *f = &fake.legs[i];
    struct desc_fault fault;
    if (f->is_used)
      continue;
    *f = (struct fake_leg){.is_used = true};
    if (desc_parse(&f->local, slice_of(fake_sdp()), &fault) < 0)
      abort();
    f->leg.id = i + 1;
    f->leg.call = &f->call;
    f->leg.kind = LEG_TRUNK;
    f->leg.role = role;
    f->leg.magic = magic;
    f->leg.local = &f->local;
    f->leg.door = fake.door;
    snprintf(f->call.session_local, sizeof f->call.session_local, "%032x", 0xabcdef);
    return f;
  }
  return NULL;
}

void calls_add_door(struct calls *cs, const struct door *d, void *arg) {
  (void)cs;
  fake.door = d;
  fake.door_arg = arg;
}
bool calls_is_ready(const struct calls *cs) { return (void)cs, !fake.is_not_ready; }
struct leg *leg_get(struct calls *cs, pool_handle id) {
  (void)cs;
  return id && id <= FAKE_LEGS && fake.legs[id - 1].is_used && !fake.legs[id - 1].is_over
             ? &fake.legs[id - 1].leg
             : NULL;
}

struct verdict call_place(struct calls *cs, const struct place *p, struct leg **ret_leg,
                          char ret_id[40]) {
  (void)cs;
  fake.ask = *p->ask;
  fake.places++;
  fake.replaces = p->replaces;
  snprintf(ret_id, 40, "c_test");
  if (!verdict_is_pass(&fake.place))
    return fake.place;
  struct fake_leg *f = leg_take(p->magic, LEG_CALLER);
  if (!f)
    abort();
  f->call.caller = &f->leg;
  *ret_leg = &f->leg;
  if (fake.ends_while_placing) {
    f->leg.cause = (struct cause){.reason = END_BUSY, .by = BY_CALLEE};
    fake.door->ended(fake.door_arg, &f->leg);
    f->is_over = true;
  }
  return verdict_pass();
}

void call_note_refused(struct calls *cs, const struct ask *ask, const struct verdict *v,
                       struct trace *t) {
  (void)t;
  (void)cs;
  fake.noted++;
  fake.ask = *ask;
  fake.noted_refusal = v->refusal;
}

struct leg *call_add_callee(struct call *c, const struct door *d, void *door_arg, uint64_t magic,
                            const struct conf_trunk *trunk, struct slice identity, struct slice device) {
  struct fake_leg *f = leg_take(magic, LEG_CALLEE);
  (void)d, (void)door_arg, (void)trunk, (void)identity, (void)device;
  if (!f)
    return NULL;
  f->call = *c;
  f->call.callee = &f->leg;
  return &f->leg;
}
void call_target_done(struct call *c, struct cause why) {
  (void)c;
  fake.done++;
  fake.done_cause = why;
}
struct verdict call_transfer(struct leg *l, const struct transfer_order *o) {
  (void)l;
  fake.transfers++;
  fake.ask = *o->ask;
  fake.words = o->words ? *o->words : (struct call_refer){.by = ""};
  return fake.transfer;
}
struct verdict call_transfer_join(struct leg *l, struct leg *other, uint64_t op) {
  (void)l, (void)other, (void)op;
  fake.joins++;
  return fake.transfer;
}
void call_referred(struct leg *l, int sip, bool is_last) {
  (void)l;
  fake.referred = sip;
  fake.referred_is_last = is_last;
}
struct verdict call_redirect(struct call *c, const struct redirect *r) {
  (void)c;
  fake.redirect = *r;
  return fake.transfer;
}
struct verdict leg_make_offer(struct leg *l, const struct desc **ret) {
  return *ret = l->local, verdict_pass();
}
struct verdict leg_make_reoffer(struct leg *l, const struct desc **ret) {
  l->offer_pending = true;
  return *ret = l->local, verdict_pass();
}
struct verdict leg_make_refresh(struct leg *l, const struct desc **ret) {
  of(l)->refreshes++;
  return leg_make_reoffer(l, ret);
}
struct verdict leg_take_answer(struct leg *l, uint32_t dialog, const struct desc *answer, bool final) {
  struct fake_leg *f = of(l);
  if (!verdict_is_pass(&fake.take))
    return fake.take;
  if (!answer && !(f->taken_dialogs & 1u << dialog))
    return verdict_refuse(REFUSE_SDP, "no session description");
  f->taken++;
  f->taken_dialog = dialog;
  f->taken_dialogs |= 1u << dialog;
  f->taken_final = final;
  f->taken_null = !answer;
  if (answer)
    f->taken_direction = answer->audio.direction;
  l->offer_pending = false;
  return verdict_pass();
}
struct verdict leg_take_offer(struct leg *l, uint32_t dialog, const struct desc *offer,
                              const struct desc **ret_answer) {
  struct fake_leg *f = of(l);
  (void)offer;
  *ret_answer = NULL;
  if (!verdict_is_pass(&fake.take))
    return fake.take;
  f->offered++;
  f->taken_dialog = dialog;
  l->local = &f->local;
  *ret_answer = l->local;
  return verdict_pass();
}
void leg_reoffer(struct leg *l, uint64_t cookie, const struct desc *offer) {
  struct fake_leg *f = of(l);
  f->reoffers++;
  f->cookie = cookie;
  f->reoffer_is_empty = !offer;
  if (offer)
    f->offered_direction = offer->audio.direction;
  if (!fake.reoffer_waits)
    fake.door->reoffered(fake.door_arg, l, cookie, &fake.reoffer, l->local);
}
void leg_drop_offer(struct leg *l) { of(l)->dropped++, l->offer_pending = false; }
void leg_ringing(struct leg *l) { of(l)->ringing++; }
void leg_diverted(struct leg *l) { of(l)->early += 1000; }
void leg_early(struct leg *l, bool to_caller) { of(l)->early++, (void)to_caller; }
void leg_bar_early(struct leg *l, bool on) { of(l)->is_barred = on; }
void leg_answered(struct leg *l) { of(l)->answered++; }
void leg_verified(struct leg *l, const char *verified, const struct verdict *v) {
  struct fake_leg *f = of(l);
  f->verdicts++;
  snprintf(f->verified, sizeof f->verified, "%s", verified);
  f->verdict = *v;
}
void leg_confirmed(struct leg *l) { of(l)->confirmed++; }
void leg_end(struct leg *l, struct cause cause) {
  struct fake_leg *f = of(l);
  if (f->is_over)
    return;
  l->cause = cause;
  fake.door->ended(fake.door_arg, l);
  f->is_over = true;
}
void leg_set_session(struct leg *l, struct slice uuid) {
  slice_copy(l->call->session_remote, sizeof l->call->session_remote, uuid);
}
bool leg_signals_digits(const struct leg *l) { return (void)l, fake.signals_digits; }
void leg_got_info_digit(struct leg *l, char digit, uint32_t ms) {
  of(l)->digits++, of(l)->digit = digit, (void)ms;
}
const char *end_reason_word(enum end_reason r) { return r == END_BUSY ? "busy" : "other"; }
int end_reason_sip(enum end_reason r) {
  static const int sip[] = {
#define REASON(id, word, status, q850) status,
#include "call/reason.def"
#undef REASON
  };
  return sip[r];
}
int end_reason_q850(enum end_reason r) {
  static const int cause[] = {
#define REASON(id, word, status, q850) q850,
#include "call/reason.def"
#undef REASON
  };
  return cause[r];
}
struct cause cause_of_bye(int status, int q850, enum end_by by) {
  (void)status;
  return (struct cause){.reason = END_COMPLETED, .by = by, .q850 = q850};
}
struct cause cause_of_cancel(int status, int q850) {
  return (struct cause){.reason = status == 200 ? END_ANSWERED_ELSEWHERE : END_CANCELED,
                        .by = BY_CALLER,
                        .sip = 487,
                        .q850 = q850};
}
struct cause cause_of_sip(int status, int q850, enum end_by by) {
  return (struct cause){
      .reason = status == 486 ? END_BUSY : END_TRUNK_FAILURE, .by = by, .sip = status, .q850 = q850};
}
struct cause cause_of_answer(const struct verdict *v) { return cause_of_verdict(v); }
struct cause cause_of_verdict(const struct verdict *v) {
  struct cause c = {.reason = END_POLICY, .by = BY_GATEWAY, .q850 = refusal_row(v->refusal)->q850};
  snprintf(c.detail, sizeof c.detail, "%s", v->detail);
  return c;
}

const struct conf_trunk *conf_trunk_base(const struct conf *c, const struct conf_trunk *t) {
  const struct conf_trunk *base = t->base[0] ? conf_trunk_find(c, slice_of(t->base)) : NULL;
  return base ? base : t;
}
uint32_t conf_trunk_targets(const struct conf_trunk *t) {
  return t->targets.n ? t->targets.n : t->hubs.n ? t->hubs.n : 1;
}
int conf_trunk_target(const struct conf_trunk *t, uint32_t i, char *dst, size_t dst_bytes) {
  if (t->hubs.n && i < t->hubs.n)
    return snprintf(dst, dst_bytes, "sip:%s;transport=tls", t->hubs.text[i]) > 0 ? 0 : -ENOENT;
  if (t->targets.n)
    return i < t->targets.n ? slice_copy(dst, dst_bytes, slice_of(t->targets.text[i])) : -ENOENT;
  return i == 0 && !t->hubs.n && t->target[0] ? slice_copy(dst, dst_bytes, slice_of(t->target))
                                              : -ENOENT;
}

/* Border policy --------------------------------------------------------------------------------- */
bool guard_knows_source(const struct guard *g, const char *listener, const struct addr *source) {
  (void)g, (void)listener, (void)source;
  fake.admitted_sources++;
  return true;
}
const struct conf_trunk *guard_peer_trunk(const struct guard *g, const char *listener,
                                          const struct addr *source, const struct ask_hosts *subjects,
                                          struct slice contact_host, struct slice to_host) {
  (void)g, (void)listener, (void)source, (void)subjects, (void)contact_host, (void)to_host;
  return fake.is_stranger ? NULL : &rig_conf.trunks[0];
}
bool guard_note_failure(struct guard *g, const struct addr *source, uint64_t now_us) {
  (void)g, (void)source, (void)now_us;
  fake.failures++;
  return false;
}
bool guard_is_banned(const struct guard *g, const struct addr *source, uint64_t now_us) {
  (void)g, (void)source, (void)now_us;
  return false;
}
bool guard_is_peer(const struct guard *g, const struct conf_trunk *trunk, const struct addr *source,
                   const struct ask_hosts *subjects) {
  (void)g, (void)trunk, (void)source, (void)subjects;
  return !fake.is_stranger;
}
struct verdict guard_answer_chain(struct guard *g, const struct conf_trunk *trunk,
                                  const struct ask_hosts *record_routes, struct slice contact_host,
                                  const struct ask_hosts *subjects) {
  (void)g, (void)trunk, (void)subjects;
  fake.chain_routes = record_routes->n;
  slice_copy(fake.chain_contact, sizeof fake.chain_contact, contact_host);
  return fake.chain;
}
bool calls_is_emergency(struct calls *cs, const struct place *p) {
  (void)cs;
  return strcmp(p->ask->called, "112") == 0;
}
void guard_count(struct guard *g, enum refusal r) { (void)g, (void)r, fake.counted++; }

/* The rows themselves are those of the house. */
const struct refusal_row *refusal_row(enum refusal r) {
  static const struct refusal_row table[] = {
#define REFUSE(id, rule, sip, q850, http, code, title) {rule, sip, q850, http, code, title},
#include "guard/refuse.def"
#undef REFUSE
  };
  return &table[r];
}
struct verdict verdict_pass(void) {
  return (struct verdict){.refusal = REFUSE_NONE};
}
struct verdict verdict_refuse(enum refusal r, const char *format, ...) {
  struct verdict v = {.refusal = r};
  va_list ap;
  va_start(ap, format);
  vsnprintf(v.detail, sizeof v.detail, format, ap);
  va_end(ap);
  return v;
}
const struct conf_trunk *conf_trunk_find(const struct conf *c, struct slice name) {
  return slice_eq(name, slice_of(c->trunks[0].name)) ? &c->trunks[0] : NULL;
}

/* Rig ------------------------------------------------------------------------------------------- */
struct conf rig_conf;
struct trunks *rig_trunks;
int rig_socket = -1, rig_tcp = -1;
bool rig_is_real_time;
void (*rig_shape)(struct conf *);
uint16_t rig_peer_port, rig_port;
struct loop *rig_loop;
static struct root *rig_root;
static uint64_t now_us = 1000000000, wall_ms = 1700000000000;
static char heard[70000];

/* One port for both transports: a test that listens by TCP must not find it taken by another program. */
static bool peer_try(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  rig_socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  rig_tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(rig_socket, (struct sockaddr *)&a, n) < 0 ||
      getsockname(rig_socket, (struct sockaddr *)&a, &n) < 0)
    abort();
  rig_peer_port = ntohs(a.sin_port);
  if (bind(rig_tcp, (struct sockaddr *)&a, n) == 0)
    return true;
  close(rig_socket);
  close(rig_tcp);
  return false;
}

static void peer_open(void) {
  for (int i = 0; i < 50; i++)
    if (peer_try())
      return;
  abort();
}

static void conf_make(void) {
  struct conf_listener *l = &rig_conf.listeners[0];
  struct conf_trunk *t = &rig_conf.trunks[0];
  memset(&rig_conf, 0, sizeof rig_conf);
  rig_conf.n_listeners = rig_conf.n_trunks = 1;
  strcpy(l->name, "udp");
  l->transport = TRANSPORT_UDP;
  if (addr_parse(&l->address, SLICE("127.0.0.1"), 0) < 0)
    abort();
  strcpy(t->name, "lab");
  strcpy(t->fqdn, "gw.example.test");
  strcpy(t->listener, "udp");
  snprintf(t->target, sizeof t->target, "sip:127.0.0.1:%u", rig_peer_port);
  t->enabled = true;
  t->answer_timeout_s = 180;
  t->options_interval_s = 60;
}

void rig_start(void) {
  char why[256] = "";
  fake = (struct fake){.places = 0};
  if (!rig_is_real_time)
    clock_fake(now_us, wall_ms);
  peer_open();
  conf_make();
  if (rig_shape)
    rig_shape(&rig_conf);
  if (loop_new(&rig_loop) < 0 || root_new(&rig_root, rig_loop) < 0)
    abort();
  struct trunks_env env = {.root = rig_root,
                           .loop = rig_loop,
                           .calls = fake_calls(),
                           .guard = fake_guard(),
                           .conf = &rig_conf};
  if (trunks_new(&rig_trunks, &env, why, sizeof why) < 0) {
    fprintf(stderr, "trunks_new: %s\n", why);
    abort();
  }
  rig_port = trunks_port(rig_trunks, rig_conf.listeners[0].name);
}

void rig_stop(void) {
  rig_trunks = trunks_free(rig_trunks);
  rig_root = root_free(rig_root);
  rig_loop = loop_free(rig_loop);
  close(rig_socket);
  close(rig_tcp);
}

void rig_settle(void) {
  for (int i = 0; i < 6; i++) {
    loop_turn(rig_loop, 0);
    root_turn(rig_root, 0);
  }
}

static void stride(unsigned ms, unsigned step_ms) {
  for (unsigned i = 0; i < ms; i += step_ms) {
    now_us += step_ms * 1000u;
    wall_ms += step_ms;
    clock_fake(now_us, wall_ms);
    loop_turn(rig_loop, 0);
    root_turn(rig_root, 0);
    root_turn(rig_root, 0);
  }
}

/* Long waits in coarse steps, up to their last second. */
void rig_run(unsigned ms) {
  unsigned coarse = ms > 3000 ? (ms - 1000) / 50 * 50 : 0;
  stride(coarse, 50);
  stride(ms - coarse, 10);
}
void rig_leap(unsigned ms) { stride(ms, 500); }

void rig_wait(int ms) {
  loop_turn(rig_loop, 0);
  root_turn(rig_root, ms);
}

void rig_send(const char *text) {
  char out[66000];
  size_t n = 0;
  const char *body = strstr(text, "\n\n");
  bool has_length = strstr(text, "Content-Length") != NULL;
  for (const char *p = text; *p && n < sizeof out - 64; p++) {
    if (p == body && !has_length)
      n += (size_t)sprintf(out + n, "\r\nContent-Length: %zu", strlen(body + 2));
    if (p[0] == '$' && (p[1] == 'P' || p[1] == 'G'))
      n += (size_t)sprintf(out + n, "%u", p++[1] == 'P' ? rig_peer_port : rig_port);
    else if (*p == '\n' && (!body || p <= body + 1))
      out[n++] = '\r', out[n++] = '\n';
    else
      out[n++] = *p;
  }
  struct sockaddr_in a = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(rig_port)};
  if (sendto(rig_socket, out, n, 0, (struct sockaddr *)&a, sizeof a) < 0)
    abort();
}

void rig_say(const char *text) {
  rig_send(text);
  rig_settle();
}

const char *rig_hear(void) {
  ssize_t n = recv(rig_socket, heard, sizeof heard - 1, 0);
  if (n < 0)
    return NULL;
  heard[n] = 0;
  if (getenv("RIG_TRACE"))
    fprintf(stderr, "---- heard\n%s\n", heard);
  return heard;
}

const char *rig_hear_status(int status) {
  char start[32];
  const char *m;
  snprintf(start, sizeof start, "SIP/2.0 %d ", status);
  while ((m = rig_hear()))
    if (!strncmp(m, start, strlen(start)))
      return m;
  return NULL;
}

const char *rig_hear_method(const char *method) {
  const char *m;
  while ((m = rig_hear()))
    if (!strncmp(m, method, strlen(method)) && m[strlen(method)] == ' ')
      return m;
  return NULL;
}

const char *rig_header(const char *message, const char *name) {
  static char values[32][2048];
  static unsigned next;
  char key[64];
  char *value = values[next++ % 32];
  value[0] = 0;
  snprintf(key, sizeof key, "\r\n%s: ", name);
  const char *at = message ? strstr(message, key) : NULL;
  if (at) {
    at += strlen(key);
    size_t n = strcspn(at, "\r\n");
    snprintf(value, sizeof values[0], "%.*s", (int)n, at);
  }
  return value;
}

const char *rig_tag(const char *message, const char *name) {
  const char *at = strstr(rig_header(message, name), ";tag=");
  return at ? at + 5 : "";
}

const char *rig_body(const char *message) {
  const char *at = message ? strstr(message, "\r\n\r\n") : NULL;
  return at ? at + 4 : "";
}

size_t rig_transactions(void) {
  usize_t n = 0;
  nta_agent_get_stats(rig_trunks->agents[0].nta, NTATAG_S_IRQ_HASH_USED_REF(n), TAG_END());
  return n;
}

struct leg *rig_ring(const char *to) {
  static struct call c;
  struct target target = {.kind = LEG_TRUNK, .trunk = &rig_conf.trunks[0]};
  memset(&c, 0, sizeof c);
  snprintf(c.to, sizeof c.to, "%s", to);
  strcpy(c.from, "+15550001");
  strcpy(c.from_display, "Alice \"A\"");
  snprintf(c.session_local, sizeof c.session_local, "%032x", 0xfeed);
  struct verdict v = fake.door->ring(fake.door_arg, &c, &target);
  if (!verdict_is_pass(&v))
    return NULL;
  for (uint32_t i = FAKE_LEGS; i-- > 0;)
    if (fake.legs[i].is_used && !fake.legs[i].is_over) {
      fake.door->opened(fake.door_arg, &fake.legs[i].leg);
      rig_settle();
      return &fake.legs[i].leg;
    }
  return NULL;
}
