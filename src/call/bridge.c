/* SPDX-License-Identifier: Apache-2.0
 * What goes between the two legs of a call: media links, tones, hold on either side, digits. One
 * function, bridge_apply, makes the media process and the doors agree with the state of the legs. */
#include "call/hunt.h"

#include "base/clock.h"
#include "base/log.h"

#include <fcntl.h>

enum { DIGIT_TWICE_US = 2000000 }; /* the same digit by media and by INFO within it is one */

struct leg *leg_far(const struct leg *l) {
  const struct call *c = l->call;
  struct leg *far = call_in(c)->bridged;
  if (l->role == LEG_CALLER)
    return far && !leg_is_over(far) ? far : NULL;
  return l == far && c->caller && !leg_is_over(c->caller) ? c->caller : NULL;
}

uint8_t bridge_direction(const struct leg *l) {
  if (l->kind == LEG_NATIVE || !leg_in(l)->told_held)
    return DIR_SENDRECV;
  return l->trunk && l->trunk->hold == HOLD_INACTIVE ? DIR_INACTIVE : DIR_SEND;
}

/* Commands ------------------------------------------------------------------------------------------ */

static MEDIUM_REPLY(on_link) {
  struct leg *l = leg_get(arg, ctx);
  if (!l || leg_is_over(l) || leg_in(l)->linked != op || (m && m->h.type == MSET_OK))
    return;
  bool is_full = m && m->h.type == MSET_FAULT && m->fault.error == -EBUSY;
  call_end(
      l->call,
      is_full ? cause_fault(END_CONGESTION, WHY_FAULT_TRANSCODE, "no room to transcode between the legs")
              : cause_make(END_MEDIA_FAILURE, BY_GATEWAY, "the media process could not link the legs"));
}

static int link_to(struct leg *l, uint64_t peer) {
  union mset_any m;
  if (leg_in(l)->linked == peer || !l->media.session)
    return 0;
  mset_init(&m, MSET_LINK, l->media.session);
  m.link.peer = peer;
  int r = medium_send(leg_calls(l)->medium, &m, on_link, l->id, peer);
  if (r == 0)
    leg_in(l)->linked = peer;
  return r;
}

static int link_both(struct leg *a, struct leg *b) {
  if (leg_in(a)->linked == b->media.session && leg_in(b)->linked == a->media.session)
    return 0;
  leg_in(a)->linked = 0;
  int r = link_to(a, b->media.session);
  if (r == 0)
    leg_in(b)->linked = a->media.session;
  return r;
}

/* Whether the file of the leg's trunk was found wanting; NULL: it is no trunk of the configuration now.
 */
static bool *has_no_music(const struct leg *l) {
  const struct conf *conf = leg_calls(l)->env.conf;
  bool is_there = l->trunk >= conf->trunks && l->trunk < conf->trunks + conf->n_trunks;
  return is_there ? &leg_calls(l)->has_no_music[l->trunk - conf->trunks] : NULL;
}

static void music_failed(const struct leg *l, int error) {
  bool *none = has_no_music(l);
  log_warn(call, "trunk %s: its music (hold_music): %s; the tone in its place", l->trunk->name,
           strerror(error));
  if (none)
    *none = true;
}

/* Of each hold anew: the media process knows a file that it has read. -1: there is none. */
static int music_open(const struct leg *l) {
  const char *path =
      l->trunk->hold_music[0] ? l->trunk->hold_music : leg_calls(l)->env.conf->media.hold_music;
  const bool *none = has_no_music(l);
  if (!path[0] || !none || *none)
    return -1;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    music_failed(l, errno);
  return fd;
}

static int play(struct leg *l, enum mset_tone tone, MEDIUM_REPLY((*fn)), uint64_t op) {
  union mset_any m;
  mset_init(&m, MSET_PLAY, l->media.session);
  own_fd fd = tone == MSET_TONE_FILE ? music_open(l) : -1;
  m.play.tone = tone == MSET_TONE_FILE && fd < 0 ? MSET_TONE_HOLD : tone;
  int r = medium_send_with(leg_calls(l)->medium, &m, fd, fn, l->id, op);
  if (r == 0)
    leg_in(l)->playing = tone;
  return r;
}

int bridge_announce(struct leg *l, int fd) {
  union mset_any m;
  mset_init(&m, MSET_PLAY, l->media.session);
  m.play.tone = MSET_TONE_FILE;
  m.play.repeat = 1;
  leg_in(l)->playing = MSET_TONE_FILE;
  return medium_send_with(leg_calls(l)->medium, &m, fd, NULL, l->id, 0);
}

static int play_if_other(struct leg *l, enum mset_tone tone) {
  return leg_in(l)->playing == tone || !l->media.session ? 0 : play(l, tone, NULL, 0);
}

/* State → media and doors ----------------------------------------------------------------------------
 */

bool bridge_is_pausing(const struct leg *l) { return l->held_local || leg_in(l)->ice_lost; }

static enum mset_tone tone_of_hold(const struct leg *l) {
  static const uint8_t tones[] = {
      [HOLD_TONE] = MSET_TONE_HOLD, [HOLD_INACTIVE] = MSET_TONE_SILENCE, [HOLD_MUSIC] = MSET_TONE_FILE};
  uint8_t hold = l->trunk ? l->trunk->hold : HOLD_TONE;
  const bool *none = hold == HOLD_MUSIC ? has_no_music(l) : NULL;
  return hold == HOLD_MUSIC && (!none || *none) ? MSET_TONE_HOLD : (enum mset_tone)tones[hold];
}

/* A file that could not be played: the tone in its place, from now on. */
void bridge_played(struct leg *l, const union mset_any *m) {
  int error = m->play_done.error;
  if (call_in(l->call)->announcement) {
    announce_played(l->call, error);
    return;
  }
  if (!error || error == -ECANCELED || leg_in(l)->playing != MSET_TONE_FILE)
    return;
  if (l->trunk)
    music_failed(l, -error);
  bridge_apply(l->call);
}

static enum mset_tone tone_for(const struct leg *l, const struct leg *far) {
  const struct call_inner *in = call_in(l->call);
  if (l->held_local)
    return MSET_TONE_SILENCE;
  if (in->announcement)
    return (enum mset_tone)leg_in(l)->playing; /* it goes on to its end */
  if (!far && !in->is_waiting && in->action == ROUTE_TONE && l->call->answered)
    return MSET_TONE_1004;
  if (far && bridge_is_pausing(far))
    return tone_of_hold(l);
  if (in->is_waiting)
    return MSET_TONE_SILENCE;
  if (l->role == LEG_CALLER && in->rings_moved && (!far || far->state < LEG_EARLY) && !l->call->answered)
    return MSET_TONE_RINGBACK;
  return ringback_tone(l);
}

static int apply_alone(struct leg *a) {
  bool echo = call_in(a->call)->action == ROUTE_ECHO && !bridge_is_pausing(a);
  int r = link_to(a, echo ? a->media.session : 0);
  return r < 0 ? r : play_if_other(a, tone_for(a, NULL));
}

static int apply_pair(struct leg *a, struct leg *b) {
  bool pause = bridge_is_pausing(a) || bridge_is_pausing(b) || ringback_bars(b);
  int r = pause ? link_to(a, 0) : link_both(a, b);
  if (r == 0 && pause)
    r = link_to(b, 0);
  if (r == 0)
    r = play_if_other(a, tone_for(a, b));
  return r < 0 ? r : play_if_other(b, tone_for(b, a));
}

static void update_hold(struct leg *l) { l->held_local = leg_in(l)->hold_verb || leg_in(l)->hold_sdp; }

static void tell_held(struct leg *l) {
  struct leg *far = leg_far(l);
  bool on = far && l->call->answered && bridge_is_pausing(far);
  if (leg_is_over(l) || leg_in(l)->told_held == on)
    return;
  leg_in(l)->told_held = on;
  trace_note(l->call->trace, l->lane, TRACE_OFFER,
             on ? "held by its far side" : "resumed by its far side");
  if (l->door->held)
    l->door->held(l->door_arg, l, on);
}

void bridge_apply(struct call *c) {
  struct call_inner *in = call_in(c);
  struct leg *a = c->caller, *b = a ? leg_far(a) : NULL;
  if (in->is_folded)
    fold_open(c); /* a timer brought us here */
  if (in->ending || !a || leg_is_over(a) || a->state == LEG_OPENING)
    return;
  update_hold(a);
  if (b)
    update_hold(b);
  int r = b ? apply_pair(a, b) : apply_alone(a);
  if (r < 0) {
    call_end(c, cause_make(END_MEDIA_FAILURE, BY_GATEWAY, "the media process takes no more commands"));
    return;
  }
  tell_held(a);
  if (b)
    tell_held(b);
}

void bridge_ringback(struct call *c) { bridge_apply(c); }

/* The hold verb --------------------------------------------------------------------------------------
 */

static MEDIUM_REPLY(on_operation) {
  struct leg *l = leg_get(arg, ctx);
  struct verdict v = verdict_pass();
  if (!l || leg_is_over(l) || !l->door->operation)
    return;
  if (!m || m->h.type != MSET_OK)
    v = verdict_refuse(REFUSE_NO_MEDIA, "the media process did not do it");
  l->door->operation(l->door_arg, l, op, &v);
}

static struct verdict may_hold(struct leg *l, bool on) {
  struct verdict v = fsm_fire(l, EVENT_HOLD);
  const struct leg_inner *in = leg_in(l);
  if (!verdict_is_pass(&v))
    return v;
  if (on && l->held_local)
    return verdict_refuse(REFUSE_STATE, "it is held already");
  if (!on && !in->hold_verb)
    return verdict_refuse(REFUSE_STATE, in->hold_sdp
                                            ? "it is held by its description: resume by renegotiation"
                                            : "it is not held");
  return v;
}

struct verdict leg_hold(struct leg *l, bool on, uint64_t op) {
  struct leg_inner *in = leg_in(l);
  struct verdict v = may_hold(l, on);
  if (!verdict_is_pass(&v))
    return v;
  in->hold_verb = on;
  bridge_apply(l->call);
  if (leg_is_over(l) || play(l, (enum mset_tone)in->playing, on_operation, op) < 0)
    return verdict_refuse(REFUSE_NO_MEDIA, "the media process takes no more commands");
  return v;
}

/* Digits ---------------------------------------------------------------------------------------------
 */

static MEDIUM_REPLY(on_digits) {
  if (!m || m->h.type != MSET_OK)
    on_operation(arg, ctx, op, NULL);
}

static bool digits_are_good(struct slice d) {
  for (size_t i = 0; i < d.n; i++)
    if (!strchr("0123456789*#ABCD,", d.p[i]) || !d.p[i])
      return false;
  return d.n > 0 && d.n <= MSET_DIGITS_MAX;
}

static int digits_put(struct leg *to, struct leg *from, struct slice digits, uint32_t ms,
                      uint32_t gap_ms, uint64_t op) {
  union mset_any m;
  mset_init(&m, MSET_DIGITS, to->media.session);
  m.digits.op = op;
  m.digits.duration_ms = ms;
  m.digits.gap_ms = gap_ms;
  memcpy(m.digits.digits, digits.p, digits.n);
  return medium_send(leg_calls(to)->medium, &m, from ? on_digits : NULL, from ? from->id : 0, op);
}

bool leg_signals_digits(const struct leg *l) {
  return l->kind == LEG_TRUNK && l->trunk && l->trunk->dtmf == DTMF_INFO;
}

bool leg_takes_digit(struct leg *l, char digit, bool by_info) {
  struct leg_inner *in = leg_in(l);
  uint64_t now = clock_now_us(), other = in->digit_us[!by_info];
  if (in->digits_twice)
    return !by_info;
  in->digit_us[by_info] = now;
  in->digit[by_info] = digit;
  in->digits_twice = other && now - other < DIGIT_TWICE_US && in->digit[!by_info] == digit;
  return !in->digits_twice;
}

/* By the door, a message each; pauses are not told. */
static void digits_signal(struct leg *to, struct slice digits, uint32_t ms) {
  for (size_t i = 0; i < digits.n && to->door->digit; i++)
    if (digits.p[i] != ',')
      to->door->digit(to->door_arg, to, digits.p[i], ms, "api");
}

struct verdict leg_send_digits(struct leg *l, struct slice digits, uint32_t duration_ms, uint32_t gap_ms,
                               uint64_t op) {
  struct verdict v = fsm_fire(l, EVENT_DIGITS);
  struct leg *far = leg_far(l);
  if (!verdict_is_pass(&v))
    return v;
  if (!far || !far->media.session || !far->remote)
    return verdict_refuse(REFUSE_STATE, "there is no far side to hear them");
  if (!digits_are_good(digits))
    return verdict_refuse(REFUSE_MALFORMED, "digits: 1 to %d of 0-9 * # A-D ,", MSET_DIGITS_MAX);
  timeline_digits(l, digits);
  if (leg_signals_digits(far)) {
    digits_signal(far, digits, duration_ms ? duration_ms : 100);
    /* the operation is done when the media process has answered something */
    if (play(l, (enum mset_tone)leg_in(l)->playing, on_operation, op) < 0)
      return verdict_refuse(REFUSE_NO_MEDIA, "the media process takes no more commands");
    return v;
  }
  if (digits_put(far, l, digits, duration_ms ? duration_ms : 100, gap_ms ? gap_ms : 70, op) < 0)
    return verdict_refuse(REFUSE_NO_MEDIA, "the media process takes no more commands");
  return v;
}

void leg_got_info_digit(struct leg *l, char digit, uint32_t ms) {
  struct leg *far = leg_far(l);
  struct slice d = {&digit, 1};
  if (!far || leg_is_over(l) || digit == ',' || !digits_are_good(d))
    return;
  if (!leg_takes_digit(l, digit, true))
    return;
  timeline_digit(l, digit, "INFO");
  if (far->kind == LEG_TRUNK && far->media.session && !leg_signals_digits(far))
    (void)digits_put(far, NULL, d, ms ? ms : 100, 70, 0);
  if (far->door->digit)
    far->door->digit(far->door_arg, far, digit, ms, "info");
}
