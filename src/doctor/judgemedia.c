/* SPDX-License-Identifier: Apache-2.0
 * Judgements on sound: that it comes and goes, its quality, digits, codecs and suites alone. Pure. */
#include "doctor/judge.h"

#include <stdio.h>

enum {
  PACKETS_FEW = 10,
  LOSS_PERMILLE = 20,
  LOST_THERE_PERMILLE = 50,
  JITTER_MS = 40,
  BURST_JITTER_MS = 60,
  ROUND_TRIP_MS = 400,
  MOS_CENTI = 360,
  DEAD_AIR_MS = 1000,
  QUIET_LEAST = 3, /* samples of 200 ms */
  QUIET_CHANGES = 3,
  ORDER_PERMILLE = 20,
  GAP_MS = 1200,          /* figures come five times a second, and some late */
  DRIFT_PPM = 200000,     /* far from what a packet that waited makes of 4 s */
  DRIFT_SEEN_PPM = 30000, /* no clock is that wrong */
};

static const struct call_facts *base_of(const struct doctor_facts *f) { return &f->calls[CALL_BASE]; }

static bool has_sound(const struct call_facts *c) {
  return c->has_talk && c->talk.rx.packets >= PACKETS_FEW;
}

bool sound_has_stopped(const struct call_facts *c) { return c->has_talk && c->stop_ms > GAP_MS; }

/* Most of what came had a payload type that was not agreed: nobody hears it. */
static bool is_misfit(const struct call_facts *c) {
  return c->has_talk && c->talk.odd.bad_payload > PACKETS_FEW &&
         c->talk.odd.bad_payload * UINT64_C(2) > c->talk.rx.packets;
}

/* It agreed to SRTP, and what comes has the length of plain RTP. */
static bool is_plain(const struct call_facts *c) {
  uint64_t bad = c->talk.rx.auth_failures;
  return c->has_talk && c->talk.odd.plain > PACKETS_FEW && c->talk.odd.plain >= bad - bad / 4;
}

static uint32_t loss_permille(const struct mset_way *w) {
  uint64_t all = w->packets + w->lost;
  return all ? (uint32_t)(w->lost * 1000 / all) : 0;
}

/* The running mean of RFC 3550; bursts between pauses pull it up and down: then the highest that it was.
 */
static uint32_t jitter_ms(const struct mset_way *w) {
  return (w->max_jitter_us / 1000 > BURST_JITTER_MS ? w->max_jitter_us : w->jitter_us) / 1000;
}

static bool sound_is_there(const struct doctor_facts *f, struct finding *r) {
  if (!call_is_there(f, CALL_BASE, r))
    return false;
  if (!has_sound(base_of(f)))
    SKIP(r, "no sound came");
  return has_sound(base_of(f));
}

void judge_rtp_in(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  const struct mset_way *rx = &c->talk.rx;
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (call_is_misfit(f))
    SKIP(r, "the answer cannot stand: see answer_fits or route");
  else if (is_misfit(c))
    FAIL(r, "Its answer has to name the payload type that it sends.",
         "%u packets of payload type %u, which was not agreed", c->talk.odd.bad_payload,
         c->talk.odd.payload_type);
  else if (c->has_answer && (c->direction == DIR_RECV || c->direction == DIR_INACTIVE))
    FAIL(r, "It was offered sendrecv, and has to say so if it is to be heard.",
         "its answer says %s: no sound of it is due",
         c->direction == DIR_RECV ? "recvonly" : "inactive");
  else if (has_sound(c) && f->trunk->doctor.echo && c->gap_ms > GAP_MS && c->stop_ms < GAP_MS &&
           jitter_ms(rx) <= JITTER_MS && loss_permille(rx) <= LOSS_PERMILLE)
    FAIL(r, "Our tone had no pause: ask what its media path waited for.",
         "no packet for %u ms in the midst of it", c->gap_ms);
  else if (has_sound(c) && f->trunk->doctor.echo && sound_has_stopped(c))
    FAIL(r, "Our tone went on: ask what its media path, or its number, did then.",
         "it stopped %u ms after the answer, and did not come back", c->talk_ms - c->stop_ms);
  else if (has_sound(c) && sound_has_stopped(c))
    PASS_BUT(r, "Well if the number says no more, and suppresses silence.",
             "%llu packets, none after %u ms", (unsigned long long)rx->packets, c->talk_ms - c->stop_ms);
  else if (has_sound(c))
    PASS(r, "%llu packets in %u ms", (unsigned long long)rx->packets, c->talk_ms);
  else if (!strncmp(c->rtp_at, "0.0.0.0:", 8))
    FAIL(r, "Its answer puts the call on hold at once: it has to name where its sound comes from.",
         "its answer says 0.0.0.0");
  else if (rx->wrong_source)
    FAIL(r, "trunks[].media_sources has to name where its sound comes from.",
         "%llu packets from elsewhere than the description says (%s)",
         (unsigned long long)rx->wrong_source, c->rtp_at);
  else if (is_plain(c))
    FAIL(r, "Its answer has keys that it does not seal with: switch SRTP on where its media come from.",
         "%u packets of plain RTP, though SRTP was agreed", c->talk.odd.plain);
  else if (rx->auth_failures && c->mki_bytes)
    FAIL(r, "What its key says has to stand in each packet: ask it to send keys without an MKI.",
         "%llu packets with a wrong tag, or without the identifier (MKI) that its key names",
         (unsigned long long)rx->auth_failures);
  else if (rx->auth_failures)
    FAIL(r, "The keys in its answer are not those that it sends with: ask for its SRTP settings.",
         "%llu packets with a wrong tag", (unsigned long long)rx->auth_failures);
  else if (rx->dropped || rx->malformed)
    FAIL(r, "It sends what was not agreed: look at codecs and payload types of its answer.",
         "%llu packets that cannot be used", (unsigned long long)(rx->dropped + rx->malformed));
  else if (c->talk.odd.wrong_port > PACKETS_FEW)
    FAIL(r, "It has to send to the port that our description names: ask what it made of that.",
         "%u packets came to port %u, which our description does not name for sound",
         c->talk.odd.wrong_port, c->talk.odd.stray_port);
  else
    FAIL(
        r,
        "Look at firewalls for UDP to media.trunk_port_min to _max, and at media.addresses[].advertise.",
        "nothing came to the port in our description within %u ms", c->talk_ms);
}

void judge_rtp_out(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (c->has_answer && c->fits && c->direction == DIR_SEND) {
    FAIL(r, "It was offered sendrecv, and has to say so if our callers are to be heard there.",
         "its answer says sendonly: it takes no sound of ours");
    return;
  }
  uint64_t sent = c->talk.tx.packets, lost = c->talk.remote_lost;
  if (sent && lost <= sent && lost * 1000 > sent * LOST_THERE_PERMILLE)
    FAIL(r, "Look for a full link or a wrong duplex on the way there, and at its firewall.",
         "its reports say that %llu of %llu packets never came", (unsigned long long)lost,
         (unsigned long long)sent);
  else if (c->sent_digits && c->digits_back[0])
    PASS(r, "it echoes our digits");
  else if (c->talk.rtt_us)
    PASS(r, "its reports know ours, %u ms ago; %llu of %llu lost", c->talk.rtt_us / 1000,
         (unsigned long long)lost, (unsigned long long)sent);
  else
    SKIP(r, "%llu packets sent; without reports or an echo nobody tells what arrived",
         (unsigned long long)c->talk.tx.packets);
}

void judge_dead_air(const struct doctor_facts *f, struct finding *r) {
  uint32_t ms = base_of(f)->silent_ms;
  if (!sound_is_there(f, r))
    return;
  if (ms > DEAD_AIR_MS)
    FAIL(r, "People hang up in such a hole: ask what its media path waits for.",
         "the first packet came %u ms after the answer", ms);
  else
    PASS(r, "%u ms after the answer", ms);
}

void judge_rtp_address(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  char from[ADDR_TEXT_BYTES];
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (!has_sound(c)) {
    SKIP(r, "no sound came");
    return;
  }
  addr_text(&c->talk.remote, from, sizeof from);
  if (c->talk.rx.wrong_source)
    PASS_BUT(r, "Set trunks[].media_sources to those addresses if they are its own.",
             "%llu packets came from elsewhere and were dropped",
             (unsigned long long)c->talk.rx.wrong_source);
  else if (addr_family(&c->talk.remote) != AF_UNSPEC && strcmp(from, c->rtp_at) != 0)
    PASS_BUT(r, "Its port is translated: trunks[].symmetric: auto sends where its sound comes from.",
             "described as %s, seen from %s", c->rtp_at, from);
  else
    PASS(r, "%s, as described", c->rtp_at);
}

void judge_rtcp(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!sound_is_there(f, r))
    return;
  if (c->talk.rtcp_rx)
    PASS(r, "%llu", (unsigned long long)c->talk.rtcp_rx);
  else
    FAIL(r,
         "Ask for RTCP: without it nobody knows how its callers hear ours. Look at the firewall for the "
         "port after that of RTP.",
         "none in %u ms", c->talk_ms);
}

void judge_loss(const struct doctor_facts *f, struct finding *r) {
  if (!sound_is_there(f, r))
    return;
  const struct mset_way *w = &base_of(f)->talk.rx;
  uint32_t permille = loss_permille(w);
  if (permille > LOSS_PERMILLE)
    FAIL(r, "Look for a full link or a wrong duplex on the way; loss above 2 % is heard.",
         "%u.%u %% of what the peer sent", permille / 10, permille % 10);
  else
    PASS(r, "%u.%u %% (%llu of %llu)", permille / 10, permille % 10, (unsigned long long)w->lost,
         (unsigned long long)(w->packets + w->lost));
}

void judge_order(const struct doctor_facts *f, struct finding *r) {
  if (!sound_is_there(f, r))
    return;
  const struct mset_way *w = &base_of(f)->talk.rx;
  uint64_t twice = w->duplicate + w->replays, after = w->reordered + w->late;
  if (twice > PACKETS_FEW && twice * 1000 > w->packets * ORDER_PERMILLE)
    FAIL(r, "Look for a loop, a mirror or two active links on the way: each packet has to come once.",
         "%llu packets came twice, of %llu", (unsigned long long)twice, (unsigned long long)w->packets);
  else if (after > PACKETS_FEW && after * 1000 > w->packets * ORDER_PERMILLE)
    FAIL(r, "Look for links that share the load packet by packet: each call needs one way.",
         "%llu packets came after later ones, of %llu", (unsigned long long)after,
         (unsigned long long)w->packets);
  else
    PASS(r, "%llu twice, %llu out of order", (unsigned long long)twice, (unsigned long long)after);
}

void judge_jitter(const struct doctor_facts *f, struct finding *r) {
  if (!sound_is_there(f, r))
    return;
  uint32_t ms = jitter_ms(&base_of(f)->talk.rx);
  if (ms > JITTER_MS)
    FAIL(r, "Packets come unevenly: look for queues on the way (DSCP is media.dscp).", "%u ms", ms);
  else
    PASS(r, "%u ms", ms);
}

void judge_rtp_clock(const struct doctor_facts *f, struct finding *r) {
  if (!sound_is_there(f, r))
    return;
  int32_t ppm = base_of(f)->talk.drift_ppm;
  uint32_t off = ppm < 0 ? (uint32_t)-ppm : (uint32_t)ppm;
  const char *how = ppm < 0 ? "fast" : "slow";
  if (!ppm)
    SKIP(r, "its sound was too short to tell");
  else if (jitter_ms(&base_of(f)->talk.rx) > JITTER_MS)
    SKIP(r, "packets come too unevenly to tell: see jitter");
  else if (off > DRIFT_PPM)
    FAIL(r,
         "They have to count its codec's clock (8000 in a second): players stretch the sound or cut it.",
         "they run %u.%u %% too %s", off / 10000, off / 1000 % 10, how);
  else if (off > DRIFT_SEEN_PPM)
    PASS_BUT(r, "If that is so in each run, ask for its clock: buffers run full or empty in long calls.",
             "about %u.%u %% too %s", off / 10000, off / 1000 % 10, how);
  else
    PASS(r, "within %u.%u %%", (off + 999) / 10000, (off + 999) / 1000 % 10);
}

void judge_round_trip(const struct doctor_facts *f, struct finding *r) {
  uint32_t ms = base_of(f)->talk.rtt_us / 1000;
  if (!sound_is_there(f, r))
    return;
  if (!base_of(f)->talk.rtt_us)
    SKIP(r, "no report of the peer tells it");
  else if (ms > ROUND_TRIP_MS)
    FAIL(r, "Choose a nearer media region: people begin to talk at once.", "%u ms", ms);
  else
    PASS(r, "%u ms", ms);
}

void judge_mos(const struct doctor_facts *f, struct finding *r) {
  if (!sound_is_there(f, r))
    return;
  const struct mset_facts *t = &base_of(f)->talk;
  if (!t->mos_rx_centi)
    SKIP(r, "the call was too short for a figure");
  else if (t->mos_rx_centi >= MOS_CENTI)
    PASS(r, "%u.%02u", t->mos_rx_centi / 100, t->mos_rx_centi % 100);
  else if (loss_permille(&t->rx) > LOSS_PERMILLE || jitter_ms(&t->rx) > JITTER_MS)
    SKIP(r, "%u.%02u, by loss or jitter: see there", t->mos_rx_centi / 100, t->mos_rx_centi % 100);
  else if (t->rtt_us / 1000 > ROUND_TRIP_MS)
    SKIP(r, "%u.%02u, by delay: see round_trip", t->mos_rx_centi / 100, t->mos_rx_centi % 100);
  else
    FAIL(r, "Neither loss nor jitter explains it: look at the codecs.", "%u.%02u", t->mos_rx_centi / 100,
         t->mos_rx_centi % 100);
}

void judge_noise(const struct doctor_facts *f, struct finding *r) {
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (base_of(f)->has_noise)
    PASS(r, "CN in the answer");
  else
    ABSENT(r, "", "no CN in the answer");
}

void judge_silence(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  const struct quiet *q = &c->quiet;
  uint32_t rests = q->n[QUIET_NOISE] + q->n[QUIET_DEAD] + q->n[QUIET_GAP];
  if (!sound_is_there(f, r))
    return;
  if (f->trunk->doctor.echo)
    SKIP(r, "the number echoes: what is heard is ours");
  else if (!q->n[QUIET_WORDS] && !q->n[QUIET_NOISE] && !q->n[QUIET_DEAD])
    SKIP(r, "the level is known of G.711 only");
  else if (rests < QUIET_LEAST)
    SKIP(r, "the number is never silent");
  else if (q->n_changes >= QUIET_CHANGES)
    FAIL(r, "Its comfort noise and its silence do not fit: people take each hole for the call's end.",
         "noise, silence and nothing at all change %u times in %u ms", q->n_changes, c->talk_ms);
  else if (q->n[QUIET_GAP] >= QUIET_LEAST && !c->has_noise)
    PASS_BUT(
        r,
        "Without comfort noise people take that for the call's end: ask for CN, or for no suppression.",
        "nothing comes in silence, and CN is not agreed");
  else if (q->n[QUIET_NOISE])
    PASS(r, "noise of about -%u dBov", q->noise_dbov / q->n[QUIET_NOISE]);
  else
    PASS(r, q->n[QUIET_GAP] > q->n[QUIET_DEAD] ? "nothing comes in silence; CN is agreed"
                                               : "digital silence");
}

/* Packet time ------------------------------------------------------------------------------------- */

/* Milliseconds between packets, as they came. */
static uint32_t interval_of(const struct call_facts *c) {
  uint64_t n = c->talk.rx.packets + c->talk.rx.lost;
  return n ? (uint32_t)((c->talk_ms + n / 2) / n) : 0;
}

static void ptime_judge(const struct doctor_facts *f, enum test_call which, uint32_t wanted_ms,
                        struct finding *r) {
  const struct call_facts *c = &f->calls[which];
  if (!call_is_there(f, which, r))
    return;
  if (!has_sound(c)) {
    SKIP(r, "no sound came");
    return;
  }
  uint32_t ms = interval_of(c), off = ms > wanted_ms ? ms - wanted_ms : wanted_ms - ms;
  bool is_said = !c->ptime_ms || c->ptime_ms == wanted_ms;
  if (off * 5 <= wanted_ms && is_said)
    PASS(r, "about %u ms between packets", ms);
  else
    ABSENT(r, "", "asked for %u ms, it sends every %u ms (its answer says %u)", wanted_ms, ms,
           c->ptime_ms);
}

void judge_ptime20(const struct doctor_facts *f, struct finding *r) { ptime_judge(f, CALL_BASE, 20, r); }
void judge_ptime30(const struct doctor_facts *f, struct finding *r) {
  ptime_judge(f, CALL_PTIME30, 30, r);
}
void judge_ptime40(const struct doctor_facts *f, struct finding *r) {
  ptime_judge(f, CALL_PTIME40, 40, r);
}

/* Digits ------------------------------------------------------------------------------------------ */

void judge_dtmf_offered(const struct doctor_facts *f, struct finding *r) {
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (call_is_misfit(f))
    SKIP(r, "the answer cannot stand: see answer_fits or route");
  else if (base_of(f)->has_event)
    PASS(r, "telephone-event in the answer");
  else if (base_of(f)->event_hz)
    FAIL(r,
         "Its telephone-event has to have the clock of its codec (RFC 4733 2.1): its digits are not "
         "heard.",
         "telephone-event/%u beside %s", base_of(f)->event_hz, base_of(f)->codecs);
  else if (f->trunk->dtmf == DTMF_INFO || f->trunk->dtmf == DTMF_INBAND)
    ABSENT(r, "", "none in the answer; digits go by trunks[].dtmf");
  else
    FAIL(r, "Set trunks[].dtmf: inband or info, whichever the peer takes.", "none in the answer: %s",
         base_of(f)->codecs);
}

void judge_dtmf_echo(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!sound_is_there(f, r))
    return;
  if (!f->trunk->doctor.echo)
    SKIP(r, "the test number does not echo (trunks[].doctor.echo)");
  else if (!c->sent_digits)
    SKIP(r, "no digits could be sent");
  else if (c->direction != DIR_SENDRECV)
    SKIP(r, "its answer is not sendrecv: see rtp_in or rtp_out");
  else if (!c->has_event)
    SKIP(r, "no telephone-event was agreed");
  else if (!strcmp(c->digits_sent, c->digits_back))
    PASS(r, "%s, all of them", c->digits_back);
  else if (c->odd_digits)
    FAIL(r, "Digits have to come by the payload type of our description.",
         "%s was sent; %u packets of payload type %u came back, which was not agreed", c->digits_sent,
         c->odd_digits, c->odd_type);
  else
    FAIL(r, "Ask whether telephone-events pass through; else set trunks[].dtmf: info or inband.",
         "%s was sent, %s came back", c->digits_sent, c->digits_back[0] ? c->digits_back : "nothing");
}

void judge_dtmf_info(const struct doctor_facts *f, struct finding *r) {
  const struct said *s = &base_of(f)->info;
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (!s->is_asked)
    ABSENT(r, "",
           words_have(base_of(f)->allow, "INFO") ? "the call ended before" : "its Allow has no INFO");
  else if (said_ok(s))
    PASS(r, "%d%s", s->status, base_of(f)->info_back ? "; one came back" : "");
  else if (!s->is_own && s->is_over && s->status != 481 && s->status < 600)
    ABSENT(r, "", "refused with %d", s->status);
  else if (contact_is_bad(f))
    SKIP(r, "no answer; the Contact leads nowhere: see there");
  else
    FAIL(r, "Its Allow has INFO, so it must answer: keep trunks[].dtmf off info.",
         s->is_own || !s->is_over ? "no answer" : "%d", s->status);
}

void judge_dtmf_inband(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = &f->calls[CALL_INBAND];
  if (!call_is_there(f, CALL_INBAND, r))
    return;
  if (!f->trunk->doctor.echo)
    SKIP(r, "the test number does not echo (trunks[].doctor.echo)");
  else if (!c->sent_digits)
    SKIP(r, "no digits could be sent");
  else if (!has_sound(base_of(f)))
    SKIP(r, "no sound comes in any call");
  else if (c->direction != DIR_SENDRECV)
    SKIP(r, "its answer is not sendrecv: see rtp_in or rtp_out");
  else if (!strcmp(c->digits_sent, c->digits_back))
    PASS(r, "%s, all of them", c->digits_back);
  else if (f->trunk->dtmf == DTMF_INBAND)
    FAIL(r, "Set trunks[].dtmf: rfc4733 or info.", "%s was sent, %s came back", c->digits_sent,
         c->digits_back[0] ? c->digits_back : "nothing");
  else
    ABSENT(r, "", "%s was sent, %s came back", c->digits_sent,
           c->digits_back[0] ? c->digits_back : "nothing");
}

/* One codec, one suite alone ---------------------------------------------------------------------- */

static bool is_refused(const struct said *s) {
  return s->is_over && !s->is_own && (s->status == 488 || s->status == 415 || s->status == 606);
}

static void alone(const struct doctor_facts *f, enum test_call which, const char *what,
                  const char *advice, struct finding *r) {
  const struct call_facts *c = &f->calls[which];
  if (c->is_begun && !c->no_media && is_refused(&c->invite))
    ABSENT(r, "", "%s is refused with %d", what, c->invite.status);
  else if (!call_is_there(f, which, r))
    return;
  else if (!c->fits && call_is_misfit(f))
    SKIP(r, "no answer of its can stand: see answer_fits or route");
  else if (!c->fits)
    FAIL(r, advice, "%s", c->why[0] ? c->why : "the answer does not fit");
  else if (is_misfit(c) && is_misfit(base_of(f)))
    SKIP(r, "taken; its payload types are at fault in every call: see rtp_in");
  else if (is_misfit(c))
    FAIL(r, advice, "%s is agreed, payload type %u comes", what, c->talk.odd.payload_type);
  else if (c->direction == DIR_INACTIVE || c->direction == DIR_RECV || !c->has_talk)
    SKIP(r, "taken; but the number sends nothing");
  else if (!c->talk.rx.packets && c->talk.rx.auth_failures && has_sound(base_of(f)))
    FAIL(r, advice, is_plain(c) ? "%llu packets of plain RTP" : "%llu packets with a wrong tag",
         (unsigned long long)c->talk.rx.auth_failures);
  else if (!c->talk.rx.packets && !has_sound(base_of(f)))
    SKIP(r, "taken; no sound comes in any call");
  else if (!c->talk.rx.packets && base_of(f)->silent_ms > DEAD_AIR_MS)
    SKIP(r, "taken; the call was shorter than its silence: see dead_air");
  else if (!c->talk.rx.packets)
    FAIL(r, advice, "%s is agreed, and no sound came", what);
  else
    PASS(r, "agreed; %llu packets", (unsigned long long)c->talk.rx.packets);
}

static void suite_judge(const struct doctor_facts *f, enum test_call which, const char *what,
                        struct finding *r) {
  if (f->trunk->srtp == SRTP_OFF)
    SKIP(r, "the trunk is plain (trunks[].srtp: off)");
  else if (f->trunk->key_exchange == KEYS_DTLS)
    SKIP(r, "keys come by DTLS (trunks[].key_exchange)");
  else
    alone(f, which, what, "Take the suite out of trunks[].suites.", r);
}

#define SUITE(fn, call, name) \
  void judge_suite_##fn(const struct doctor_facts *f, struct finding *r) { \
    suite_judge(f, call, name, r); \
  }
SUITE(gcm256, CALL_SUITE_GCM256, "AEAD_AES_256_GCM")
SUITE(gcm128, CALL_SUITE_GCM128, "AEAD_AES_128_GCM")
SUITE(sha80, CALL_SUITE_SHA80, "AES_CM_128_HMAC_SHA1_80")
SUITE(sha32, CALL_SUITE_SHA32, "AES_CM_128_HMAC_SHA1_32")

void judge_sdes(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (f->trunk->srtp == SRTP_OFF || f->trunk->key_exchange == KEYS_DTLS)
    SKIP(r, "no keys go by SDP");
  else if (!call_is_there(f, CALL_BASE, r))
    return;
  else if (call_is_misfit(f))
    SKIP(r, "the answer cannot stand: see answer_fits or route");
  else if (!c->n_crypto)
    ABSENT(r, "", "no a=crypto in the answer");
  else
    PASS(r, "the lifetime is taken; its key has %s", c->mki_bytes ? "an identifier (MKI)" : "no MKI");
}

void judge_mki(const struct doctor_facts *f, struct finding *r) {
  if (f->trunk->srtp == SRTP_OFF || f->trunk->key_exchange == KEYS_DTLS)
    SKIP(r, "no keys go by SDP");
  else
    alone(f, CALL_MKI, "a key with an identifier", "We send none unless it is asked for: nothing to do.",
          r);
}

#define CODEC(fn, call, name) \
  void judge_codec_##fn(const struct doctor_facts *f, struct finding *r) { \
    alone(f, call, name, "Take the codec out of trunks[].codecs.", r); \
  }
CODEC(pcmu, CALL_CODEC_PCMU, "PCMU")
CODEC(pcma, CALL_CODEC_PCMA, "PCMA")
CODEC(g722, CALL_CODEC_G722, "G722")
CODEC(opus, CALL_CODEC_OPUS, "opus")
