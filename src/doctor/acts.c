/* SPDX-License-Identifier: Apache-2.0
 * What a run does: requests to each target, then test calls, each a list of steps. A step is begun once
 * and over when its function says so, or when its time is up; a call that ended goes on with the next
 * act. Call thread, no clock. */
#include "doctor/run.h"

#include <stdio.h>

enum step_kind {
  STEP_END,
  STEP_OPEN,
  STEP_INVITE,
  STEP_RING, /* until a provisional or the answer */
  STEP_CANCEL,
  STEP_ANSWER,
  STEP_TALK, /* arg × 100 ms */
  STEP_DIGITS,
  STEP_FORM,   /* arg is an enum form */
  STEP_LISTEN, /* while held */
  STEP_RESUME,
  STEP_HEAR,    /* … and after */
  STEP_UPDATE,  /* arg 1: with a description */
  STEP_INFO,    /* a digit by INFO, whatever the trunk's form is */
  STEP_STRANGE, /* a method that nobody has, within the dialog */
  STEP_BYE,
  STEP_COUNT_
};

#define HOLD(form) \
  {STEP_FORM, form}, {STEP_LISTEN, form}, {STEP_RESUME, form}, { STEP_HEAR, form }

static const struct step base[] = {{STEP_OPEN, 0},         {STEP_INVITE, 0},    {STEP_ANSWER, 0},
                                   {STEP_TALK, 65},        {STEP_DIGITS, 0},    {STEP_INFO, 0},
                                   HOLD(FORM_SENDONLY),    HOLD(FORM_INACTIVE), HOLD(FORM_RECVONLY),
                                   HOLD(FORM_ZERO),        HOLD(FORM_PORT0),    {STEP_FORM, FORM_LATE},
                                   {STEP_HEAR, FORM_LATE}, {STEP_UPDATE, 0},    {STEP_UPDATE, 1},
                                   {STEP_STRANGE, 0},      {STEP_BYE, 0},       {STEP_END, 0}};
static const struct step brief[] = {{STEP_OPEN, 0},  {STEP_INVITE, 0}, {STEP_ANSWER, 0},
                                    {STEP_TALK, 12}, {STEP_BYE, 0},    {STEP_END, 0}};
static const struct step even[] = {{STEP_OPEN, 0},  {STEP_INVITE, 0}, {STEP_ANSWER, 0},
                                   {STEP_TALK, 22}, {STEP_BYE, 0},    {STEP_END, 0}};
static const struct step dial[] = {{STEP_OPEN, 0},   {STEP_INVITE, 0}, {STEP_ANSWER, 0},
                                   {STEP_DIGITS, 0}, {STEP_BYE, 0},    {STEP_END, 0}};
static const struct step word[] = {
    {STEP_OPEN, 0}, {STEP_INVITE, 0}, {STEP_ANSWER, 0}, {STEP_BYE, 0}, {STEP_END, 0}};
static const struct step bye[] = {{STEP_BYE, 0}, {STEP_END, 0}};
static const struct step ring[] = {{STEP_OPEN, 0},   {STEP_INVITE, 0}, {STEP_RING, 0}, {STEP_CANCEL, 0},
                                   {STEP_ANSWER, 0}, {STEP_BYE, 0},    {STEP_END, 0}};

/* One call: its steps, and how it differs from the first. */
static const struct call_row {
  const struct step *steps;
  const char *codec, *suite;
  uint16_t ptime_ms, padding_bytes;
  bool has_mki, is_inband;
} call_rows[CALL_COUNT_] = {
    [CALL_BASE] = {.steps = base},
    [CALL_SUITE_GCM256] = {.steps = brief, .suite = "AEAD_AES_256_GCM"},
    [CALL_SUITE_GCM128] = {.steps = brief, .suite = "AEAD_AES_128_GCM"},
    [CALL_SUITE_SHA80] = {.steps = brief, .suite = "AES_CM_128_HMAC_SHA1_80"},
    [CALL_SUITE_SHA32] = {.steps = brief, .suite = "AES_CM_128_HMAC_SHA1_32"},
    [CALL_MKI] = {.steps = brief, .has_mki = true},
    [CALL_CODEC_PCMU] = {.steps = brief, .codec = "PCMU"},
    [CALL_CODEC_PCMA] = {.steps = brief, .codec = "PCMA"},
    [CALL_CODEC_G722] = {.steps = brief, .codec = "G722"},
    [CALL_CODEC_OPUS] = {.steps = brief, .codec = "opus"},
    [CALL_PTIME30] = {.steps = even, .ptime_ms = 30},
    [CALL_PTIME40] = {.steps = even, .ptime_ms = 40},
    [CALL_INBAND] = {.steps = dial, .is_inband = true},
    [CALL_LATE] = {.steps = brief},
    [CALL_RELIABLE] = {.steps = word},
    [CALL_TIMER] = {.steps = word},
    [CALL_LARGE] = {.steps = word, .padding_bytes = 1400},
    [CALL_FORM_00] = {.steps = ring},
    [CALL_FORM_NATIONAL] = {.steps = ring},
    [CALL_UNKNOWN] = {.steps = word},
    [CALL_BUSY] = {.steps = word},
    [CALL_CANCEL] = {.steps = ring},
};

static enum test_call which_of(const struct run *r) { return (enum test_call)(r->act - ACT_CALLS); }

/* Requests to targets ------------------------------------------------------------------------------ */

static bool resolve(struct run *r) {
  struct probe_target list[PROBE_TARGETS_MAX];
  struct doctor_facts *f = &r->facts;
  f->n_targets = r->probe->targets(r->probe_arg, &r->trunk, list, PROBE_TARGETS_MAX);
  for (uint32_t i = 0; i < f->n_targets; i++)
    f->targets[i].target = list[i];
  f->n_seats =
      r->probe->seats ? r->probe->seats(r->probe_arg, &r->trunk, f->seats, PROBE_TARGETS_MAX) : 0;
  f->resolve_ms = run_step_ms(r);
  return f->n_targets > 0 || run_step_ms(r) > 5000;
}

static struct probe_tls *shaken(struct run *r) {
  struct target_facts *t = &r->facts.targets[r->at / 2];
  return r->at % 2 ? &t->bare : &t->tls;
}

static void on_shake(void *arg, const struct probe_tls *tls) {
  struct run *r = arg;
  if (r->act != ACT_SHAKE || r->at / 2 >= r->facts.n_targets)
    return;
  struct target_facts *t = &r->facts.targets[r->at / 2];
  *shaken(r) = *tls;
  *(r->at % 2 ? &t->has_bare : &t->has_tls) = true;
  r->at++;
  r->is_begun = false;
}

/* Two handshakes with each target, one after another. */
static bool shake(struct run *r) {
  struct doctor_facts *f = &r->facts;
  while (r->at / 2 < f->n_targets && f->targets[r->at / 2].target.transport != TRANSPORT_TLS)
    r->at += 2;
  if (r->at / 2 >= f->n_targets || !r->probe->shake)
    return true;
  if (r->is_begun)
    return false;
  r->is_begun = true;
  if (r->probe->shake(r->probe_arg, &r->trunk, &f->targets[r->at / 2].target, r->at % 2 == 0, on_shake,
                      r) < 0)
    r->at = 2 * f->n_targets;
  return false;
}

static void line_drop(struct run *r) {
  if (r->line)
    r->probe->close(r->probe_arg, r->line);
  r->line = 0;
}

static int line_get(struct run *r) {
  const struct probe_user user = {.arg = r, .word = said_word, .offered = said_offered};
  return r->line ? 0 : r->probe->open(r->probe_arg, &r->trunk, &user, &r->line);
}

/* One request outside of a dialog; what comes goes to *s. */
static bool outside(struct run *r, enum probe_method method, struct said *s, uint32_t target) {
  struct probe_ask a = {.method = method, .target = target};
  if (!s->is_asked) {
    s->is_asked = true;
    if (line_get(r) < 0 || r->probe->ask(r->probe_arg, r->line, &a) < 0)
      *s = (struct said){.is_asked = true, .is_over = true, .is_own = true, .status = 503};
    r->step_us = r->now_us;
  }
  if (!s->is_over && run_step_ms(r) > 6000)
    *s = (struct said){.is_asked = true, .is_over = true, .is_own = true, .status = 408};
  if (s->is_over)
    line_drop(r);
  return s->is_over;
}

static bool options(struct run *r) {
  if (r->at < r->facts.n_targets && outside(r, PROBE_OPTIONS, &r->facts.targets[r->at].options, r->at))
    r->at++;
  return r->at >= r->facts.n_targets;
}

static bool strange(struct run *r) {
  const struct said *o = &r->facts.targets[0].options;
  r->facts.has_heard = r->probe->heard(r->probe_arg, &r->trunk, &r->facts.heard);
  return !r->facts.n_targets || o->is_own || outside(r, PROBE_STRANGE, &r->facts.strange, 0);
}

/* Steps of calls ----------------------------------------------------------------------------------- */

static void digits_came(void *arg, char digit, uint32_t ms) {
  struct run *r = arg;
  size_t n = r->call ? strlen(r->call->digits_back) : 0;
  (void)ms;
  if (r->call && n + 1 < sizeof r->call->digits_back)
    r->call->digits_back[n] = digit;
}

static void leg_opened(void *arg, bool is_open) {
  struct run *r = arg;
  r->is_opened = is_open;
  r->is_lost = !is_open;
}

static void leg_lost(void *arg) { ((struct run *)arg)->is_lost = true; }

static bool step_open(struct run *r, bool is_first) {
  const struct testleg_user user = {r, leg_opened, digits_came, leg_lost};
  if (is_first && testleg_new(&r->leg, r->calls, &r->variant, &user) < 0)
    r->is_lost = true;
  r->call->no_media = r->is_lost;
  return r->is_opened;
}

static uint32_t target_of(const struct run *r) {
  for (uint32_t i = 0; i < r->facts.n_targets; i++)
    if (!r->facts.targets[i].options.is_own)
      return i;
  return 0;
}

/* The number as that call writes it. False: it cannot be written so. */
static bool number_of(const struct run *r, enum test_call which, char dst[64]) {
  const char *number = r->trunk.doctor.number, *country = r->trunk.numbers.country;
  size_t n = strlen(country);
  dst[0] = 0;
  if (which == CALL_UNKNOWN)
    snprintf(dst, 64, "%s", r->trunk.doctor.unknown);
  else if (which == CALL_BUSY)
    snprintf(dst, 64, "%s", r->trunk.doctor.busy);
  else if (which == CALL_FORM_00 && number[0] == '+')
    snprintf(dst, 64, "00%s", number + 1);
  else if (which == CALL_FORM_NATIONAL && n && number[0] == '+' && !strncmp(number + 1, country, n))
    snprintf(dst, 64, "%s%s", r->trunk.numbers.national, number + 1 + n);
  else if (which != CALL_FORM_00 && which != CALL_FORM_NATIONAL)
    snprintf(dst, 64, "%s", number);
  return dst[0] != 0;
}

static void timer_fill(const struct run *r, enum test_call which, struct probe_ask *a) {
  uint32_t ours_s = r->trunk.session_timer_s ? r->trunk.session_timer_s : 1800;
  a->expires_s = which == CALL_TIMER ? 60 : r->raised_s ? r->raised_s : ours_s;
  a->min_s = which == CALL_TIMER ? 0 : r->trunk.session_min_s;
}

/* Our offer as the call wants it, in r->ours. */
static bool offer_fill(struct run *r, uint8_t direction) {
  struct verdict v = testleg_offer(r->leg, &r->variant, direction, &r->ours);
  r->has_ours = verdict_is_pass(&v);
  if (!r->has_ours)
    snprintf(r->call->why, sizeof r->call->why, "%s", v.detail);
  r->ours.version = ++r->n_versions;
  return r->has_ours;
}

/* A key identifier of one byte with each key (RFC 4568 6.1, RFC 3711 3.1). */
static void mki_put(struct desc_audio *a) {
  for (uint8_t i = 0; i < a->n_crypto; i++) {
    a->crypto[i].key.mki_bytes = 1;
    a->crypto[i].key.mki[sizeof a->crypto[i].key.mki - 1] = (uint8_t)(i + 1);
  }
}

static bool step_invite(struct run *r, bool is_first) {
  enum test_call which = which_of(r);
  const struct call_row *row = &call_rows[which];
  const char *caller = r->trunk.doctor.caller[0] ? r->trunk.doctor.caller : r->trunk.number_default;
  char called[64];
  (void)number_of(r, which, called);
  struct probe_ask a = {.method = PROBE_INVITE,
                        .target = target_of(r),
                        .called = called,
                        .caller = caller,
                        .rel_supported = r->trunk.prack != PRACK_OFF && which != CALL_RELIABLE,
                        .rel_required = which == CALL_RELIABLE,
                        .padding_bytes = row->padding_bytes};
  if (!is_first)
    return true;
  timer_fill(r, which, &a);
  r->call->asked_s = a.expires_s;
  r->call->invite.is_asked = true;
  bool is_made = which == CALL_LATE || offer_fill(r, DIR_SENDRECV);
  if (is_made && row->ptime_ms)
    r->ours.audio.ptime_ms = row->ptime_ms;
  if (is_made && row->has_mki)
    mki_put(&r->ours.audio);
  a.offer = which == CALL_LATE ? NULL : &r->ours;
  if (!is_made || line_get(r) < 0 || r->probe->ask(r->probe_arg, r->line, &a) < 0)
    r->call->invite = (struct said){.is_asked = true, .is_over = true, .is_own = true, .status = 503};
  return true;
}

static bool step_ring(struct run *r, bool is_first) {
  (void)is_first;
  return r->call->n_provisionals > 0 || r->call->invite.is_over;
}

static bool step_cancel(struct run *r, bool is_first) {
  const struct probe_ask a = {.method = PROBE_CANCEL};
  if (is_first && !r->call->invite.is_over && r->probe->ask(r->probe_arg, r->line, &a) == 0)
    r->call->cancel.is_asked = true;
  return true;
}

static bool step_answer(struct run *r, bool is_first) {
  (void)is_first;
  return r->call->invite.is_over;
}

static uint64_t packets_now(const struct run *r) {
  struct mset_facts f;
  return testleg_facts(r->leg, &f) ? f.rx.packets : 0;
}

/* How long nothing came, once something had. */
static void gap_watch(struct run *r) {
  uint64_t packets = packets_now(r);
  if (!r->flow_us || packets != r->flow_packets) {
    r->flow_packets = packets;
    r->flow_us = packets ? r->now_us : 0;
  }
  r->call->stop_ms = r->flow_us ? (uint32_t)((r->now_us - r->flow_us) / 1000) : 0;
  if (r->call->stop_ms > r->call->gap_ms)
    r->call->gap_ms = r->call->stop_ms;
}

static bool step_talk(struct run *r, bool is_first) {
  if (is_first)
    (void)!testleg_tone(r->leg, true);
  if (is_first)
    r->flow_us = 0;
  gap_watch(r);
  if (r->call->silent_ms == DOCTOR_NEVER && packets_now(r) > r->call->early_packets)
    r->call->silent_ms = run_step_ms(r);
  struct mset_facts now;
  if (testleg_facts(r->leg, &now))
    quiet_sample(&r->call->quiet, &now);
  if (run_step_ms(r) < r->step->arg * 100u)
    return false;
  r->call->talk_ms = run_step_ms(r);
  r->call->has_talk = testleg_facts(r->leg, &r->call->talk);
  return true;
}

static void digits_begin(struct run *r) {
  static const char digits[] = "1590#";
  struct probe_ask a = {.method = PROBE_INFO, .digit = '5'};
  bool by_info = r->variant.dtmf == DTMF_INFO;
  snprintf(r->call->digits_sent, sizeof r->call->digits_sent, "%s", by_info ? "5" : digits);
  if (by_info)
    r->call->sent_digits = r->call->info.is_asked = r->probe->ask(r->probe_arg, r->line, &a) == 0;
  else
    r->call->sent_digits = testleg_digits(r->leg, slice_of(digits)) == 0;
}

/* It ended before its time was over: what was heard until then. */
static void talk_cut(struct run *r) {
  if (!r->leg || r->call->has_talk || r->step->kind != STEP_TALK)
    return;
  r->call->talk_ms = run_step_ms(r);
  r->call->has_talk = testleg_facts(r->leg, &r->call->talk);
}

static bool step_digits(struct run *r, bool is_first) {
  if (is_first)
    digits_begin(r);
  if (r->call->info.is_asked && r->call->info_back)
    r->call->digits_back[0] = r->call->info_back;
  bool is_back = strlen(r->call->digits_back) >= strlen(r->call->digits_sent);
  return !r->call->sent_digits || (run_step_ms(r) > 1500 && (is_back || !r->trunk.doctor.echo));
}

/* Where digits go by INFO anyway, that was it. */
static bool step_info(struct run *r, bool is_first) {
  struct probe_ask a = {.method = PROBE_INFO, .digit = '7'};
  struct said *s = &r->call->info;
  if (is_first && !s->is_asked && words_have(r->call->allow, "INFO"))
    s->is_asked = r->probe->ask(r->probe_arg, r->line, &a) == 0;
  return !s->is_asked || s->is_over;
}

static bool step_strange(struct run *r, bool is_first) {
  const struct probe_ask a = {.method = PROBE_STRANGE};
  if (is_first)
    r->call->strange.is_asked = r->probe->ask(r->probe_arg, r->line, &a) == 0;
  return !r->call->strange.is_asked || (r->call->strange.is_over && run_step_ms(r) > 300);
}

static void form_change(struct run *r, enum form form) {
  struct desc_audio *a = &r->ours.audio;
  if (form == FORM_ZERO) {
    (void)!addr_parse(&a->rtp, addr_family(&a->rtp) == AF_INET6 ? SLICE("::") : SLICE("0.0.0.0"),
                      addr_port(&a->rtp));
    a->is_zero_addr = true;
  }
  if (form == FORM_PORT0)
    addr_set_port(&a->rtp, 0);
}

static bool form_ask(struct run *r, struct said *s, enum form form, bool is_resuming) {
  static const uint8_t directions[FORM_COUNT_] = {
      [FORM_SENDONLY] = DIR_SEND, [FORM_INACTIVE] = DIR_INACTIVE, [FORM_RECVONLY] = DIR_RECV,
      [FORM_ZERO] = DIR_SENDRECV, [FORM_PORT0] = DIR_SENDRECV,    [FORM_LATE] = DIR_SENDRECV};
  struct probe_ask a = {.method = PROBE_INVITE};
  if (!offer_fill(r, is_resuming ? DIR_SENDRECV : directions[form]))
    return false;
  if (!is_resuming)
    form_change(r, form);
  timer_fill(r, CALL_BASE, &a);
  a.offer = form == FORM_LATE ? NULL : &r->ours;
  r->form = form;
  r->is_resuming = is_resuming;
  (void)!testleg_tone(r->leg, is_resuming || form == FORM_SENDONLY || form == FORM_LATE);
  s->is_asked = r->probe->ask(r->probe_arg, r->line, &a) == 0;
  return s->is_asked;
}

static bool step_form(struct run *r, bool is_first) {
  struct said *s = &r->call->forms[r->step->arg].said;
  if (is_first && !form_ask(r, s, (enum form)r->step->arg, false))
    return true;
  return s->is_over;
}

/* Packets that are still under way when the answer comes do not count. */
static bool step_listen(struct run *r, bool is_first) {
  struct form_facts *h = &r->call->forms[r->step->arg];
  (void)is_first;
  if (!said_ok(&h->said))
    return true;
  if (run_step_ms(r) < 150)
    r->packets_mark = packets_now(r);
  h->heard_ms = run_step_ms(r) > 150 ? run_step_ms(r) - 150 : 0;
  h->packets_held = packets_now(r) - r->packets_mark;
  return run_step_ms(r) > 600;
}

static bool step_resume(struct run *r, bool is_first) {
  struct form_facts *h = &r->call->forms[r->step->arg];
  if (!said_ok(&h->said))
    return true; /* refused: all is as it was (RFC 6141) */
  if (is_first && !form_ask(r, &h->resume, (enum form)r->step->arg, true))
    return true;
  return h->resume.is_over;
}

static bool step_hear(struct run *r, bool is_first) {
  struct form_facts *h = &r->call->forms[r->step->arg];
  if (is_first)
    r->packets_mark = packets_now(r);
  h->packets_resumed = packets_now(r) - r->packets_mark;
  return h->packets_resumed > 5 || !said_ok(&h->said) || !r->call->talk.rx.packets;
}

static bool step_update(struct run *r, bool is_first) {
  struct said *s = r->step->arg ? &r->call->update_offer : &r->call->update;
  struct probe_ask a = {.method = PROBE_UPDATE, .offer = r->step->arg ? &r->ours : NULL};
  timer_fill(r, CALL_BASE, &a);
  if (is_first && r->step->arg && (!said_ok(&r->call->update) || !offer_fill(r, DIR_SENDRECV)))
    return true;
  if (is_first)
    s->is_asked = r->probe->ask(r->probe_arg, r->line, &a) == 0;
  return !s->is_asked || s->is_over;
}

/* Reports come every few seconds: what they said until now. */
static void talk_end(struct run *r) {
  struct mset_facts now;
  if (!r->call->has_talk || !testleg_facts(r->leg, &now))
    return;
  r->call->talk.rtcp_rx = now.rtcp_rx;
  r->call->talk.remote_lost = now.remote_lost;
  r->call->talk.tx.packets = now.tx.packets;
  r->call->talk.rtt_us = now.rtt_us ? now.rtt_us : r->call->talk.rtt_us;
  if (now.odd.bad_payload > r->call->talk.odd.bad_payload) {
    r->call->odd_digits = now.odd.bad_payload - r->call->talk.odd.bad_payload;
    r->call->odd_type = now.odd.payload_type;
  }
  if (!r->call->talk.mos_rx_centi)
    r->call->talk.mos_rx_centi = now.mos_rx_centi;
}

static bool step_bye(struct run *r, bool is_first) {
  const struct probe_ask a = {.method = PROBE_BYE};
  if (!said_ok(&r->call->invite))
    return true;
  if (is_first) {
    talk_end(r);
    r->call->bye.is_asked = r->probe->ask(r->probe_arg, r->line, &a) == 0;
  }
  const struct said *first = &r->facts.calls[CALL_BASE].bye; /* it does not answer: known by then */
  bool is_known = r->call != &r->facts.calls[CALL_BASE] && first->is_asked && !said_ok(first);
  return !r->call->bye.is_asked || r->call->bye.is_over || (is_known && run_step_ms(r) > 300);
}

static const struct step_row {
  bool (*fn)(struct run *r, bool is_first);
  uint32_t limit_ms;
} step_rows[STEP_COUNT_] = {
    [STEP_OPEN] = {step_open, 3000},      [STEP_INVITE] = {step_invite, 1},
    [STEP_RING] = {step_ring, 10000},     [STEP_CANCEL] = {step_cancel, 1},
    [STEP_ANSWER] = {step_answer, 20000}, [STEP_TALK] = {step_talk, 30000},
    [STEP_DIGITS] = {step_digits, 4500},  [STEP_FORM] = {step_form, 8000},
    [STEP_LISTEN] = {step_listen, 2000},  [STEP_RESUME] = {step_resume, 8000},
    [STEP_HEAR] = {step_hear, 1500},      [STEP_UPDATE] = {step_update, 6000},
    [STEP_INFO] = {step_info, 6000},      [STEP_STRANGE] = {step_strange, 6000},
    [STEP_BYE] = {step_bye, 6000},
};

/* The call cannot go on: what comes after is not begun. */
static bool is_lost(const struct run *r) {
  const struct call_facts *c = r->call;
  return r->is_lost || c->peer_hung_up || (c->invite.is_over && !said_ok(&c->invite));
}

/* It was answered with what cannot stand: there is nothing to try in it but its end. */
static bool is_useless(const struct run *r) {
  return r->step->kind == STEP_ANSWER && said_ok(&r->call->invite) && !r->call->fits;
}

static bool call_step(struct run *r) {
  while (r->step->kind != STEP_END) {
    const struct step_row *row = &step_rows[r->step->kind];
    bool is_first = !r->is_begun;
    if (is_first)
      r->step_us = r->now_us;
    r->is_begun = true;
    if (!row->fn(r, is_first) && run_step_ms(r) < row->limit_ms && !is_lost(r))
      return false;
    if (is_lost(r) || (r->step->kind == STEP_ANSWER && !r->call->invite.is_over)) {
      talk_cut(r);
      return true;
    }
    r->is_begun = false;
    r->step = is_useless(r) ? bye : r->step + 1;
  }
  return true;
}

/* Acts --------------------------------------------------------------------------------------------- */

static bool is_wanted(const struct run *r, enum test_call which) {
  const struct call_row *row = &call_rows[which];
  char number[64];
  if (!r->trunk.doctor.number[0] || !r->facts.n_targets || r->n_calls >= RUN_CALLS_MAX)
    return false;
  if (which != CALL_BASE && !said_ok(&r->facts.calls[CALL_BASE].invite))
    return false;
  if ((row->suite || row->has_mki) && (r->trunk.srtp == SRTP_OFF || r->trunk.key_exchange == KEYS_DTLS))
    return false;
  return number_of(r, which, number);
}

static void one_name(struct conf_names *list, const char *name) {
  list->n = 1;
  slice_copy(list->text[0], sizeof list->text[0], slice_of(name));
}

void act_begin(struct run *r) {
  r->at = 0;
  r->is_begun = r->is_opened = r->is_lost = r->has_ours = false;
  r->step_us = r->act_us = r->now_us;
  if (r->act < ACT_CALLS)
    return;
  const struct call_row *row = &call_rows[which_of(r)];
  r->call = &r->facts.calls[which_of(r)];
  r->step = row->steps;
  r->variant = r->trunk;
  r->n_versions = 0;
  if (row->codec)
    one_name(&r->variant.codecs, row->codec);
  if (row->suite)
    one_name(&r->variant.suites, row->suite);
  if (row->is_inband)
    r->variant.dtmf = DTMF_INBAND;
  r->call->silent_ms = r->call->trying_ms = r->call->first_ms = r->call->ring_ms = DOCTOR_NEVER;
  r->call->is_begun = is_wanted(r, which_of(r));
  r->n_calls += r->call->is_begun;
}

/* It wants longer session timers than the trunk is set to: as a call would, ask for that, once. */
static bool is_too_short(const struct run *r) {
  const struct call_facts *c = r->call;
  return r->act == ACT_CALLS + CALL_BASE && !r->raised_s && c->invite.is_over && !c->invite.is_own &&
         c->invite.status == 422 && c->min_s > c->asked_s && c->min_s <= DOCTOR_TIMER_MOST_S;
}

static void raise_timer(struct run *r) {
  r->raised_s = r->call->min_s;
  memset(r->call, 0, sizeof *r->call);
  line_drop(r);
  r->leg = testleg_free(r->leg);
  act_begin(r);
}

bool act_step(struct run *r) {
  static bool (*const acts[])(struct run *) = {
      [ACT_RESOLVE] = resolve, [ACT_SHAKE] = shake, [ACT_OPTIONS] = options, [ACT_STRANGE] = strange};
  if (r->act < ACT_CALLS)
    return acts[r->act](r);
  if (r->call->is_begun && !call_step(r))
    return false;
  if (!is_too_short(r))
    return true;
  raise_timer(r);
  return false;
}

void act_end(struct run *r) {
  if (r->call && r->call->invite.is_asked && !r->call->invite.is_over)
    r->call->invite.is_own = true;
  if (r->call)
    r->call->is_over = true;
  line_drop(r);
  r->leg = testleg_free(r->leg);
  if (r->has_ours)
    desc_wipe(&r->ours);
  r->has_ours = false;
  r->call = NULL;
}
