/* SPDX-License-Identifier: Apache-2.0
 * Judgements on calls as SIP tells them: answer, requests within the dialog, ends. Pure.
 */
#include "doctor/judge.h"

#include <stdio.h>

enum {
  TRYING_MS = 500,
  SLOW_PDD_MS = 6000,
  TRYING_IS_LATE_MS = 2000,
  SLOW_BYE_MS = 2000,    /* it was sent four times by then */
  CANCEL_RACE_MS = 1000, /* an answer and CANCEL may cross */
  EXPIRES_LEAST_S = 90,
};

static const struct call_facts *base_of(const struct doctor_facts *f) { return &f->calls[CALL_BASE]; }

bool call_is_there(const struct doctor_facts *f, enum test_call which, struct finding *r) {
  const struct call_facts *c = &f->calls[which];
  if (!f->trunk->doctor.number[0])
    finding_set(r, FINDING_SKIPPED, "Set trunks[].doctor.number to a number that answers by itself.",
                "no test number is set");
  else if (!c->is_begun)
    SKIP(r, "%s", said_ok(&base_of(f)->invite) ? "the call was not made" : "the first test call failed");
  else if (c->no_media)
    SKIP(r, "the media process had no session for the test");
  else if (c->invite.is_own || !c->invite.is_over)
    SKIP(r, "the INVITE was not answered");
  else if (!said_ok(&c->invite))
    SKIP(r, "the INVITE was answered with %d", c->invite.status);
  else
    return true;
  return false;
}

bool call_is_placed(const struct doctor_facts *f, enum test_call which, struct finding *r) {
  const struct call_facts *c = &f->calls[which];
  if (f->trunk->doctor.number[0] && c->is_begun && !c->no_media)
    return true;
  (void)call_is_there(f, which, r);
  return false;
}

bool call_is_misfit(const struct doctor_facts *f) {
  return said_ok(&base_of(f)->invite) && !base_of(f)->fits;
}

/* Whatever was sent within the call, nothing was answered. */
static bool is_deaf(const struct call_facts *c) {
  const struct said *all[] = {&c->update, &c->update_offer, &c->info, &c->strange, &c->bye};
  unsigned asked = 0, answered = 0;
  for (size_t i = 0; i < COUNT_OF(all); i++) {
    asked += all[i]->is_asked;
    answered += all[i]->is_asked && all[i]->is_over && !all[i]->is_own;
  }
  for (int i = 0; i < FORM_COUNT_; i++) {
    asked += c->forms[i].said.is_asked;
    answered += c->forms[i].said.is_over && !c->forms[i].said.is_own;
  }
  return asked > 2 && !answered && !c->peer_hung_up;
}

/* Nothing that is within the call would arrive there. */
static const char *contact_fault(const struct doctor_facts *f) {
  static const char *const words[] = {
      [TRANSPORT_UDP] = "udp", [TRANSPORT_TCP] = "tcp", [TRANSPORT_TLS] = "tls"};
  const struct call_facts *c = base_of(f);
  uint8_t transport = f->listener->transport;
  struct addr literal;
  bool is_ip = addr_parse(&literal, slice_of(c->contact), 0) == 0;
  if (!said_ok(&c->invite))
    return NULL;
  if (!c->contact[0])
    return "there is none";
  if (c->is_bad_contact)
    return "it is no peer of the trunk";
  if (is_ip && addr_is_any(&literal))
    return "nobody has that address";
  if (c->transport[0] && transport < COUNT_OF(words) &&
      strcasecmp(c->transport, words[transport]) != 0 && !(c->by_stream && transport == TRANSPORT_UDP))
    return "it names another transport than the call has";
  if (is_deaf(c))
    return "nothing that was sent there within the call was answered";
  return NULL;
}
bool contact_is_bad(const struct doctor_facts *f) { return contact_fault(f) != NULL; }

void judge_answered(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_placed(f, CALL_BASE, r))
    return;
  if (said_ok(&c->invite) && c->peer_hung_up && !c->forms[FORM_SENDONLY].said.is_asked &&
      !call_is_misfit(f))
    FAIL(r,
         "The number has to stay for half a minute. If it does: something that it waits for does not "
         "arrive (our ACK, sound).",
         "after %u ms, but it hung up again, Q.850 cause %d", c->invite.ms, c->peer_q850);
  else if (said_ok(&c->invite))
    PASS(r, "after %u ms%s%s", c->invite.ms, c->agent[0] ? ", by " : "", c->agent);
  else if (c->invite.is_own && f->targets[0].has_tls && !f->targets[0].tls.is_up)
    SKIP(r, "the handshake fails: see tls");
  else if ((c->invite.is_own || !c->invite.is_over) && c->first_ms == DOCTOR_NEVER &&
           f->targets[0].options.is_own)
    SKIP(r, "nothing answers there: see connect");
  else if (c->invite.is_own || !c->invite.is_over)
    FAIL(r, "The peer is silent: look at routes, and whether it knows our address.",
         "no final answer to the INVITE");
  else if (c->invite.status == 422 && c->min_s > DOCTOR_TIMER_MOST_S)
    FAIL(r, "A day is the most that trunks[].session_timer_s can be; 0 asks for no timer.",
         "422: it takes no session timer below %u s", c->min_s);
  else
    FAIL(r,
         "Look at the number in trunks[].doctor.number, its form (trunks[].numbers), and our rights "
         "there.",
         "%d%s%s", c->invite.status, c->why[0] ? ": " : "", c->why);
}

void judge_trying(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_placed(f, CALL_BASE, r))
    return;
  uint32_t first = c->trying_ms < c->first_ms ? c->trying_ms : c->first_ms;
  if (first == DOCTOR_NEVER && c->invite.is_over && !c->invite.is_own)
    first = c->invite.ms;
  if (first == DOCTOR_NEVER)
    SKIP(r, "there was no answer at all");
  else if (first > SLOW_PDD_MS && first != c->trying_ms && said_ok(&c->invite))
    SKIP(r, "there was no 100; see pdd");
  else if (first > TRYING_IS_LATE_MS)
    FAIL(r, "Every call is sent several times until then.", "the first word came after %u ms", first);
  else if (first > TRYING_MS)
    PASS_BUT(r, "Over UDP the INVITE is repeated by then.", "the first word came after %u ms", first);
  else
    PASS(r, "after %u ms", first);
}

void judge_progress(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (c->n_provisionals)
    PASS(r, "%d after %u ms, %u in all", c->first_status, c->first_ms, c->n_provisionals);
  else
    ABSENT(r, "", "the answer came at once, after %u ms", c->invite.ms);
}

void judge_pdd(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_there(f, CALL_BASE, r))
    return;
  uint32_t ms = c->first_ms != DOCTOR_NEVER ? c->first_ms : c->invite.ms;
  if (ms > SLOW_PDD_MS)
    FAIL(r, "Callers hang up in such silence: ask the peer what takes so long.", "%u ms", ms);
  else
    PASS(r, "%u ms", ms);
}

void judge_contact(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  struct addr literal;
  if (!call_is_there(f, CALL_BASE, r))
    return;
  const char *fault = contact_fault(f);
  bool is_ip = addr_parse(&literal, slice_of(c->contact), 0) == 0;
  if (!c->contact[0])
    FAIL(r, "The 200 needs a Contact: without it nothing can be said within the call.",
         "none in the 200");
  else if (is_ip && addr_is_private(&literal) && c->is_bad_contact)
    FAIL(r, "Its NAT shows: set trunks[].next_hop: source, or trunks[].peers if that is its address.",
         "%s is a private address that is none of the trunk's peers", c->contact);
  else if (c->is_bad_contact)
    FAIL(r, "Calls whose answer names strangers are ended: it must be one of trunks[].peers.", "%s",
         c->why);
  else if (fault)
    FAIL(r, "Nothing that we say within the call arrives: the peer has to name itself.", "%s%s%s: %s",
         c->contact, c->transport[0] ? ";transport=" : "", c->transport, fault);
  else if (is_ip && addr_is_private(&literal) && f->n_targets &&
           !addr_is_private(&f->targets[0].target.addr) && !addr_is_loopback(&f->targets[0].target.addr))
    FAIL(r, "Its NAT shows: set trunks[].next_hop: source.", "%s is a private address", c->contact);
  else
    PASS(r, "%s", c->contact);
}

void judge_to_tag(const struct doctor_facts *f, struct finding *r) {
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (base_of(f)->has_tag)
    PASS(r, "it has one");
  else
    FAIL(r, "Without it two answers cannot be told apart, and other peers drop the call.",
         "the 200 has no tag in To");
}

void judge_route(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (contact_is_bad(f))
    SKIP(r, "its Contact is at fault: see there");
  else if (c->is_bad_route)
    FAIL(r, "Calls whose answer names strangers are ended: its proxies must be of trunks[].peers.", "%s",
         c->why);
  else
    PASS(r, "as a peer of the trunk may");
}

void judge_session_id(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (c->keeps_session)
    PASS(r, "the answer has ours");
  else
    ABSENT(r, "", c->has_session ? "the answer has another's only" : "none in the answer");
}

void judge_answer_fits(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (c->is_bad_route)
    SKIP(r, "its %s is refused: see there", c->is_bad_contact ? "Contact" : "route");
  else if (c->fits && c->n_media > 1)
    FAIL(r, "An answer has as many m-lines as the offer; others than we refuse such a call.",
         "%u m-lines, our offer has one", c->n_media);
  else if (c->fits)
    PASS(r, "%s%s", c->codecs, c->is_secured ? ", secured" : "");
  else
    FAIL(r,
         "The peer has to answer what was offered; compare trunks[].codecs, suites and srtp with its "
         "own.",
         "%s", c->why[0] ? c->why : "no description in the answer");
}

void judge_early_media(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (c->early_packets)
    PASS(r, "%llu packets before the answer%s", (unsigned long long)c->early_packets,
         c->has_early_desc ? "" : ", though no provisional had a description");
  else if (c->has_early_desc)
    PASS_BUT(r, "It announced early media and sent none: callers hear our ringback.",
             "a description in the provisional, no packet");
  else
    ABSENT(r, "", "no description before the answer");
}

/* Within the dialog -------------------------------------------------------------------------------- */

void said_judge(const struct doctor_facts *f, const struct said *s, const char *what, const char *advice,
                struct finding *r) {
  if (!s->is_asked)
    SKIP(r, call_is_misfit(f) ? "the answer cannot stand: see answer_fits or route"
                              : "the call ended before");
  else if ((s->is_own || !s->is_over) && contact_is_bad(f))
    SKIP(r, "no answer; the Contact leads nowhere: see there");
  else if (!said_ok(s) && !base_of(f)->has_tag)
    SKIP(r, "without a tag nothing within the call is known as such: see to_tag");
  else if (s->is_own || !s->is_over)
    FAIL(r, advice, "no answer to the %s", what);
  else if (s->status < 300)
    PASS(r, "%d after %u ms", s->status, s->ms);
  else
    FAIL(r, advice, "%d", s->status);
}

static void update_judge(const struct doctor_facts *f, const struct said *s, struct finding *r) {
  if (!call_is_there(f, CALL_BASE, r))
    return;
  bool is_allowed = words_have(base_of(f)->allow, "UPDATE");
  bool is_refused = s->is_over && !s->is_own && (s->status == 405 || s->status == 501);
  if (!s->is_asked)
    said_judge(f, s, "UPDATE", "", r);
  else if (!is_allowed && (is_refused || !said_ok(s)))
    ABSENT(r, "", "its Allow has none%s", is_refused ? ", and it refuses it" : "");
  else
    said_judge(f, s, "UPDATE",
               "Its Allow has UPDATE, so it must serve it: set trunks[].session_timer_s: 0 until then.",
               r);
}

void judge_update(const struct doctor_facts *f, struct finding *r) {
  update_judge(f, &base_of(f)->update, r);
}
void judge_update_offer(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (c->update.is_over && !said_ok(&c->update))
    SKIP(r, "UPDATE is not served: see there");
  else if (said_ok(&c->update_offer) && !c->update_has_desc)
    FAIL(r, "Its 200 must answer; ours go without a description, so calls do not suffer.",
         "no description in the 200");
  else
    update_judge(f, &c->update_offer, r);
}

void judge_session_timer(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (c->asked_s && c->expires_s > c->asked_s)
    FAIL(r, "An answer may shorten the interval, never lengthen it: our refresh would come too late.",
         "we asked for %u s, it answers %u", c->asked_s, c->expires_s);
  else if (c->expires_s && c->expires_s < EXPIRES_LEAST_S)
    FAIL(r, "RFC 4028 allows no less than 90 s; such refreshes load both sides.",
         "Session-Expires: %u in the answer", c->expires_s);
  else if (c->expires_s)
    PASS(r, "Session-Expires: %u in the answer", c->expires_s);
  else
    ABSENT(r, "",
           words_have(c->supported, "timer") ? "it knows it, and asks for none" : "not in the answer");
}

void judge_session_min(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = &f->calls[CALL_TIMER];
  if (!call_is_placed(f, CALL_TIMER, r))
    return;
  if (c->invite.status == 422 && c->min_s >= 90)
    PASS(r, "422 with Min-SE: %u", c->min_s);
  else if (c->invite.status == 422)
    FAIL(r, "The 422 must say how much is enough.", "422 without Min-SE");
  else if (said_ok(&c->invite) && c->expires_s && c->expires_s < EXPIRES_LEAST_S &&
           base_of(f)->expires_s && base_of(f)->expires_s < EXPIRES_LEAST_S)
    SKIP(r, "it makes %u s of every interval: see session_timer", c->expires_s);
  else if (said_ok(&c->invite) && c->expires_s && c->expires_s < EXPIRES_LEAST_S)
    FAIL(r, "RFC 4028 allows no less than 90 s; such refreshes load both sides.", "it agrees to %u s",
         c->expires_s);
  else if (said_ok(&c->invite) && c->expires_s)
    PASS(r, "it makes %u s of it", c->expires_s);
  else if (said_ok(&c->invite))
    ABSENT(r, "", "the timer is left out");
  else
    SKIP(r, "the INVITE was answered with %d", c->invite.status);
}

/* Is it its habit to answer BYE so, also where nothing strange came before? */
static bool byes_are_refused(const struct doctor_facts *f) {
  for (int i = CALL_BASE + 1; i < CALL_COUNT_; i++)
    if (f->calls[i].bye.is_over && !f->calls[i].bye.is_own && f->calls[i].bye.status == 481)
      return true;
  return false;
}

static bool strange_has_killed(const struct doctor_facts *f) {
  const struct call_facts *c = base_of(f);
  bool is_gone = c->bye.is_over && !c->bye.is_own && c->bye.status == 481 && !byes_are_refused(f);
  return c->strange.is_asked && (c->peer_hung_up || c->strange.status == 481 || is_gone);
}

static bool said_is_silent(const struct said *s) { return s->is_asked && (s->is_own || !s->is_over); }

void judge_strange_in_call(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  const struct said *s = &c->strange;
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (s->is_asked && strange_has_killed(f))
    FAIL(r, "405 or 501 is due, and the call goes on: until then nothing new can be sent to it.",
         "the call ended by it (%d)", s->status);
  else if (s->is_over && !s->is_own && s->status >= 400 && s->status < 600)
    PASS(r, "%d; the call stays", s->status);
  else if (said_is_silent(s) && said_is_silent(&f->strange))
    SKIP(r, "no answer, as outside of calls: see strange");
  else
    said_judge(f, s, "unknown method", "405 or 501 is due.", r);
}

void judge_bye_out(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (c->peer_hung_up)
    SKIP(r, "it hung up before");
  else if (strange_has_killed(f))
    SKIP(r, "an unknown method had ended the call: see there");
  else if (said_ok(&c->bye) && c->bye.ms > SLOW_BYE_MS)
    FAIL(r, "It is repeated until then, and the peer bills the time: ask it about its BYE.",
         "%d after %u ms", c->bye.status, c->bye.ms);
  else
    said_judge(f, &c->bye, "BYE", "Calls that the peer thinks are up are billed: ask it about its BYE.",
               r);
}

void judge_bye_in(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_there(f, CALL_BASE, r))
    return;
  for (int i = 0; i < CALL_COUNT_; i++)
    if (f->calls[i].peer_hung_up) {
      PASS(r, "it came%s", f->calls[i].peer_q850 ? ", with a cause in Reason" : "");
      return;
    }
  SKIP(r, "the number did not hang up before us (first call: %u ms of talk)", c->talk_ms);
}

/* Other calls -------------------------------------------------------------------------------------- */

void judge_late_offer(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = &f->calls[CALL_LATE];
  if (!call_is_placed(f, CALL_LATE, r))
    return;
  if (c->is_bad_route && call_is_misfit(f)) {
    SKIP(r, "its Contact or route is refused: see there");
    return;
  }
  if (said_ok(&c->invite) && c->fits)
    PASS(r, "it offers %s", c->codecs);
  else if (said_ok(&c->invite) && call_is_misfit(f))
    SKIP(r, "no description of its can stand: see answer_fits");
  else if (said_ok(&c->invite))
    FAIL(r, "Keep trunks[].late_offer_out: false.", "%s",
         c->why[0] ? c->why : "no description in its answer");
  else if (c->invite.is_over && !c->invite.is_own && c->invite.status >= 400 && f->trunk->late_offer_out)
    FAIL(r, "Set trunks[].late_offer_out: false.", "refused with %d", c->invite.status);
  else if (c->invite.is_over && !c->invite.is_own && c->invite.status >= 400)
    ABSENT(r, "Keep trunks[].late_offer_out: false.", "refused with %d", c->invite.status);
  else
    FAIL(r, "Keep trunks[].late_offer_out: false.", "no answer");
}

void judge_prack(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = &f->calls[CALL_RELIABLE];
  if (!call_is_placed(f, CALL_RELIABLE, r))
    return;
  if (c->prack.is_asked && contact_is_bad(f) && (c->prack.is_own || !c->prack.is_over))
    SKIP(r, "no answer; the Contact leads nowhere: see there");
  else if (c->prack.is_asked && !said_ok(&c->prack))
    FAIL(r, "Set trunks[].prack: off.",
         c->prack.is_own || !c->prack.is_over ? "no answer to our PRACK" : "our PRACK got %d",
         c->prack.status);
  else if (c->prack.is_asked && said_ok(&c->invite))
    PASS(r, "a reliable %d; PRACK %d", c->first_status, c->prack.status);
  else if (c->invite.status == 420)
    ABSENT(r, "", "420: it has no 100rel");
  else if (said_ok(&c->invite) && c->n_provisionals)
    FAIL(r, "Set trunks[].prack: off.", "100rel was required, and its %d came without", c->first_status);
  else if (said_ok(&c->invite))
    ABSENT(r, "", "the number answers without any provisional");
  else if (c->invite.is_own || !c->invite.is_over)
    FAIL(r, "Set trunks[].prack: off.", "an INVITE that requires 100rel was not answered");
  else
    FAIL(r, "Set trunks[].prack: off.", "an INVITE that requires 100rel was answered with %d",
         c->invite.status);
}

void judge_mtu(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = &f->calls[CALL_LARGE];
  if (!call_is_placed(f, CALL_LARGE, r))
    return;
  if (c->invite.is_over && !c->invite.is_own && c->invite.status != 513)
    PASS(r, "%d, by %s", c->invite.status, c->by_stream ? "a connection" : "UDP");
  else if (c->invite.status == 513)
    FAIL(r, "Leave out what makes INVITEs long: trunks[].headers, codecs.", "513, message too large");
  else
    FAIL(r,
         "Long INVITEs do not arrive: let fragments and TCP through, or set trunks[].udp_to_tcp: false.",
         "no answer");
}

void judge_cancel(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = &f->calls[CALL_CANCEL];
  if (!call_is_placed(f, CALL_CANCEL, r))
    return;
  if (!c->cancel.is_asked && said_ok(&c->invite))
    SKIP(r, "it answered before it could be canceled");
  else if (!c->cancel.is_asked)
    SKIP(r, "there was no provisional answer");
  else if (c->invite.is_over && !c->invite.is_own && c->invite.status == 487)
    PASS(r, "487");
  else if (said_ok(&c->invite) && c->n_provisionals && c->invite.ms > c->first_ms + CANCEL_RACE_MS)
    FAIL(r, "Callers who gave up are connected, and billed: ask the peer about CANCEL.",
         "it answered %u ms after CANCEL", c->invite.ms - c->first_ms);
  else if (said_ok(&c->invite))
    SKIP(r, "it answered meanwhile");
  else if (c->invite.is_own || !c->invite.is_over)
    FAIL(r, "Phones ring on when callers give up: ask the peer about CANCEL.",
         "no final answer after CANCEL");
  else
    PASS(r, "%d", c->invite.status);
}
