/* SPDX-License-Identifier: Apache-2.0
 * The call model: calls of legs, offer/answer of each leg by itself, the bridge, and the one vtable of
 * the house, struct door. No offer crosses the bridge: each leg's offer/answer is completed from that
 * leg's own capability; what crosses is call state (ringing, early media, answered, held, ended).
 * Everything here belongs to the call thread. Doors read the fields of struct call and struct leg and
 * never write them. A door names its legs by handles (leg->id), never by pointers kept across turns. */
#pragma once
#include "base/clock.h"
#include "base/hist.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/pool.h"
#include "call/probe.h"
#include "guard/guard.h"
#include "mset/mset.h"
#include "route/route.h"
#include "store/store.h"
#include "trace/trace.h"
#include "wire/desc.h"

enum leg_kind { LEG_TRUNK, LEG_NATIVE };
enum leg_role { LEG_CALLER, LEG_CALLEE };
enum leg_state {
  LEG_OPENING, /* its media session is being opened */
  LEG_TRYING,  /* callee: asked, nothing heard; caller: the far side is being asked */
  LEG_RINGING,
  LEG_EARLY,    /* early media: an answer or offer of an early dialog is in force */
  LEG_ANSWERED, /* final answer given, media not yet up (DTLS) */
  LEG_LIVE,
  LEG_ENDED,
};

enum end_reason {
#define REASON(id, word, sip, q850) END_##id,
#include "call/reason.def"
#undef REASON
  END_COUNT_
};
const char *end_reason_word(enum end_reason r);
int end_reason_sip(enum end_reason r); /* the status that refuses a call so, and its Q.850 cause */
int end_reason_q850(enum end_reason r);

enum end_by { BY_GATEWAY, BY_CALLER, BY_CALLEE };
struct cause {
  enum end_reason reason;
  enum end_by by;
  int sip, q850;      /* as received or decided; 0 where there was none */
  char detail[200];   /* the rule where reason is policy, else a short text; never a peer's raw bytes */
  char sentence[200]; /* what the rule found, for the record alone; "" where detail says it all */
  bool had_progress;  /* of a callee's attempt: a provisional other than 100 came */
  uint32_t retry_after_s; /* of a 503; 0: none */
  enum why_fault fault;   /* what of ours found it out, for the record's sentence */
  uint32_t tries;         /* of a callee's attempt: the addresses that were tried, */
  struct addr target;     /* and the last of them; AF_UNSPEC: none */
};
/* The cause of a SIP final status (table of wire/q850), of a refusal. */
struct cause cause_of_sip(int status, int q850, enum end_by by);
struct cause cause_of_verdict(const struct verdict *v);
struct cause cause_of_answer(const struct verdict *v); /* the same, of a description of the peer's */
/* Of a BYE or CANCEL, by what its Reason says: a SIP status, a cause of Q.850, 0 where there is none. */
struct cause cause_of_bye(int status, int q850, enum end_by by);
struct cause cause_of_cancel(int status, int q850);

struct call;
struct calls;
struct leg;

/* How a call's media stand on a leg. */
struct leg_media {
  uint64_t session; /* session is the media process' session, 0 while none. */
  struct mset_opened opened;
  uint32_t ice, dtls, suite; /* enum mset_ice_state, mset_dtls_state, srtp_suite */
  struct addr pair_local, pair_remote;
  bool flowing;   /* flowing: verified audio arrives now. */
  uint32_t codec; /* codec is the enum codec_kind that we send. */
};

struct leg {
  pool_handle id; /* id names the leg for doors and across threads. */
  struct call *call;
  enum leg_kind kind;
  enum leg_role role;
  uint8_t lane; /* lane is the leg's in the call's timeline. */
  enum leg_state state;
  const struct door *door;
  void *door_arg;
  uint64_t magic;                 /* magic is the door's handle of its own object (dialog, device). */
  const struct conf_trunk *trunk; /* LEG_TRUNK */
  char identity[CONF_NAME_BYTES]; /* LEG_NATIVE: the user */
  char device[72];                /* LEG_NATIVE: the device, "" if unnamed yet */
  char peer[ADDR_TEXT_BYTES];     /* remote signaling address, for the record */
  char sip_call_id[256];
  struct leg_media media;
  struct leg_media
      *fresh; /* a second session that is coming up (reload, new fingerprint); see leg_fresh() */
  struct desc *local, *remote; /* the last descriptions in force, ours and the peer's; NULL: none */
  bool offer_pending;          /* offer_pending: an offer of this leg, ours or theirs, is unanswered. */
  bool held_local;  /* held_local: this leg's own user or peer holds (hold verb, sendonly offer). */
  bool early_media; /* caller leg: verified early audio is being forwarded now. */
  uint64_t created_ms, ringing_ms, answered_ms, connected_ms; /* wall; 0 if not */
  struct cause cause;                                         /* when LEG_ENDED */
  struct leg_inner *inner;                                    /* what only the rooms of call know */
};

/* Where a call that rings is sent, in this order: numbers by the plan, or all by one trunk; users. */
enum { REDIRECT_MAX = 5 };
struct redirect {
  uint32_t n;
  int status;                     /* why, as History-Info says it */
  const struct conf_trunk *trunk; /* NULL: by the plan */
  struct {
    bool is_user;
    char name[CONF_NAME_BYTES]; /* number or user */
  } to[REDIRECT_MAX];
};

/* A call made for a REFER: words of the trunk that referred, which go back to that trunk only. */
enum { CALL_REFER_BYTES = 640 };
struct call_refer {
  char trunk[CONF_NAME_BYTES];
  char to[CALL_REFER_BYTES]; /* the Request-URI; "": the number by the trunk's target */
  char by[CALL_REFER_BYTES]; /* Referred-By, "" if absent */
};

/* The session of the one that is coming up, 0: none is. */
static inline uint64_t leg_fresh(const struct leg *l) { return l->fresh ? l->fresh->session : 0; }

struct call {
  pool_handle handle;
  char id[40]; /* "c_" and 26 random characters: the id in the contract, the record, the logs */
  enum leg_role direction_hint; /* unused by doors */
  char from[64], from_display[CONF_TEXT_BYTES], to[64],
      to_user[CONF_NAME_BYTES]; /* numbers as rewritten by the plan */
  bool anonymous;
  struct lnp lnp;         /* what the caller's carrier knew of the called number's */
  struct history history; /* who diverted it until now; hunting adds to it */
  bool is_voicemail;      /* is_voicemail: to is the mailbox of who diverted it last. */
  char verified[16]; /* who vouches for from: A, B, C (SHAKEN), V (another PASSporT), or why none; "":
                        not asked */
  char session_local[33],
      session_remote[33];        /* Session-ID (RFC 7989): 32 hex digits each; ours, theirs */
  char *metadata;                /* JSON text of the caller's metadata; NULL: none */
  uint64_t created_ms, ended_ms; /* wall; ended_ms 0 while it lives */
  uint64_t created_us;           /* monotonic, at created_ms */
  uint32_t ring_timeout_s;
  struct leg *caller, *callee; /* callee is the winning or only leg; NULL while several ring. */
  struct list legs;            /* all legs, through inner; use call_next_leg */
  bool answered;               /* a callee gave its final answer */
  char rule[CONF_NAME_BYTES];  /* the dialplan's rule */
  struct redirect *redirect;   /* told to the caller\'s trunk, by 302; NULL: nothing is */
  struct call_refer *refer;    /* NULL: not made for a REFER */
  struct trace *trace;         /* its timeline; NULL: none, or the call is over */
  struct call_inner *inner;
};

/* What to ring. */
struct target {
  enum leg_kind kind;
  const struct conf_trunk *trunk; /* LEG_TRUNK */
  char user[CONF_NAME_BYTES];     /* LEG_NATIVE */
  char called[64], caller[64];    /* LEG_TRUNK: the call's to and from as the trunk writes them */
};

/* Of a transfer: it rings there (sip 180, 183), it is done, it failed and all is as it was. */
enum transfer_state { TRANSFER_PROGRESS, TRANSFER_DONE, TRANSFER_FAILED };
struct transfer_news {
  enum transfer_state state;
  uint64_t op;          /* of the order */
  int sip;              /* the status that says it: 180, 183, 200, or why it failed */
  const char *target;   /* as it was asked for */
  const char *new_call; /* the new call's id; "" if none was made */
  struct cause cause;   /* of a failed one */
};

/* The one vtable of the house: what the call model asks of a door. Each function is called on the call
 * thread, possibly from within a leg_* or call_* function that the door called. None may free the leg.
 */
struct door {
  const char *name;
  enum leg_kind kind;
  /* Ring the target: make leg(s) by call_add_callee now or later (devices that connect while it rings).
   * A trunk is one leg, over all its addresses: its end (leg_end) is the end of the attempt, or
   * call_target_done where there is no leg. A user: call_user_done when nothing of it is left to wait
   * for and no leg of it is alive. Several users may be rung for one call. */
  struct verdict (*ring)(void *arg, struct call *c, const struct target *t);
  /* The call stopped ringing (answered elsewhere, canceled, ended, led elsewhere): no more legs for all
   * its targets; it may ring others later. */
  void (*ring_stop)(void *arg, struct call *c);
  /* The leg's media session stands. Caller with an offer: leg->local is the answer. Callee, or caller
   * without an offer: leg_make_offer gives the offer. Not pass: it could not be had; ended follows. */
  void (*opened)(void *arg, struct leg *l);
  void (*ringing)(void *arg, struct leg *l); /* caller: the far side rings (180) */
  void (*forwarded)(void *arg,
                    struct leg *l); /* caller: the call is led to another number (181). May be NULL */
  void (*progress)(void *arg,
                   struct leg *l); /* caller: early media was asked for (183 with leg->local) */
  void (*early)(void *arg, struct leg *l,
                bool active);                 /* caller: verified early audio is forwarded, or stopped */
  void (*answered)(void *arg, struct leg *l); /* caller: the far side took it: 200 with leg->local */
  void (*connected)(void *arg, struct leg *l); /* both legs: answered and media up on both */
  /* The result of leg_reoffer: local is the answer (or, for an empty reoffer, our offer). */
  void (*reoffered)(void *arg, struct leg *l, uint64_t cookie, const struct verdict *v,
                    const struct desc *local);
  /* The far side holds (on) or resumed: the door tells its peer (event; re-INVITE by trunk's setting).
   */
  void (*held)(void *arg, struct leg *l, bool on);
  void (*digit)(void *arg, struct leg *l, char digit, uint32_t ms,
                const char *source); /* received FROM THE FAR leg, told to this one ("rtp", "info") */
  void (*operation)(void *arg, struct leg *l, uint64_t op,
                    const struct verdict *v); /* hold, resume, dtmf finished */
  void (*media)(void *arg, struct leg *l);    /* ice, dtls or pair changed */
  void (*quality)(void *arg, struct leg *l, const struct mset_quality *q);
  /* The gateway needs a new description from this peer (native: media.restart). May be NULL. */
  void (*restart)(void *arg, struct leg *l, const char *reason);
  /* The leg is over, l->cause says why: send what the protocol demands (BYE, CANCEL, final status,
   * event). Called exactly once, also when the door itself ended it. The leg is gone after this turn. */
  void (*ended)(void *arg, struct leg *l);
  /* How good a trunk is for one more call, lower is better: 0 healthy, 1 demoted (tried last);
   * -errno: not to be tried at all (drained, switched off). NULL: all are equal. */
  int (*rank)(void *arg, const struct conf_trunk *trunk);
  /* Words on a trunk that rank says -ENOTCONN of, after "is not registered". May be NULL. */
  const char *(*unregistered)(void *arg, const struct conf_trunk *trunk, char *dst, size_t bytes);
  /* What became of a transfer that this leg asked for. May be NULL. */
  void (*transferred)(void *arg, struct leg *l, const struct transfer_news *news);
  /* Asks the leg's peer to call that number itself, referred by the number `by`; call_referred follows.
   * REFUSE_METHOD, or NULL: it cannot be asked. */
  struct verdict (*refer)(void *arg, struct leg *l, const char *number, const char *by);
  /* The leg's far side is another one now, by somebody's transfer. May be NULL. */
  void (*moved)(void *arg, struct leg *l);
  const struct door_probe *probe; /* active tests of a trunk, see probe.h; NULL: none */
};

struct calls_env {
  struct loop *loop;
  const struct conf *conf;
  const struct plan *plan;
  struct guard *guard;
  struct store *store;
  struct traces *traces; /* NULL: no timelines */
  char instance[33];     /* 32 hex digits, new at each start */
};
int calls_new(struct calls **ret, const struct calls_env *env)
    must_check; /* connects to the media process, and again when lost */
struct calls *calls_free(struct calls *cs);
OWN_DEFINE(calls)
void calls_add_door(struct calls *cs, const struct door *d, void *arg);
void calls_reload(struct calls *cs, const struct conf *conf, const struct plan *plan);
bool calls_is_ready(const struct calls *cs);  /* the media process is connected and said WELCOME */
bool calls_has_media(const struct calls *cs); /* the same, from any thread */
uint64_t
calls_media_count(const struct calls *cs,
                  uint32_t i); /* packets dropped, by enum drop; since the media process' start */
struct mset_load;
void calls_media_load(const struct calls *cs, struct mset_load *ret); /* the worst of all workers */
const char *calls_media_backend(const struct calls *cs); /* as backend.def names it; "" while none */
void calls_drain(struct calls *cs, bool on);             /* refuse new calls from now on, or no more */
void call_hang_up(struct call *c);                       /* an operator's order */
void calls_end_all(struct calls *cs, enum end_reason r);
uint32_t calls_count(const struct calls *cs); /* live */
const struct counts *calls_counts(const struct calls *cs);
struct hist *calls_hists(size_t *ret_n);                   /* tally.c: of all calls of the program */
const struct counts *calls_causes(const struct calls *cs); /* by why.def */
/* Why a call failed or sounded bad, or, while it lives, sounds bad until now. */
void call_why(struct call *c, struct why *ret);
/* The headers of its media packets are all kept in its timeline for so long, at most 60 s: 0, -ENOENT
 * (it is over), -ENODATA (it has no timeline), -EBUSY (too many calls at a time), -EAGAIN (not now). */
int call_capture(struct call *c, uint32_t seconds) must_check;
struct call *calls_find(struct calls *cs, struct slice id);  /* by text id, live or ended < 10 min ago */
struct call *calls_next(struct calls *cs, uint32_t *cursor); /* over the live ones */
struct leg *leg_get(struct calls *cs, pool_handle id);       /* NULL when gone */
/* The wall clock as the call sees it: its begin, and what has passed since. A step of the machine's
 * clock makes no call longer or shorter. */
static inline uint64_t call_time_ms(const struct call *c) {
  return c->created_ms + (clock_now_us() - c->created_us) / 1000;
}
struct leg *call_next_leg(const struct call *c, struct leg *after); /* NULL: first; NULL at the end */
struct leg *leg_far(const struct leg *l); /* the bridged other leg, NULL if none */

/* The client's network, as it says: cheap codecs first on a wired one. */
enum place_network { NETWORK_UNKNOWN, NETWORK_WIRED, NETWORK_WIFI, NETWORK_CELLULAR };

/* Placing -------------------------------------------------------------------------------------- */
struct place {
  const struct door *door;
  void *door_arg;
  uint64_t magic;
  const struct ask *ask;             /* trunk; NULL for native */
  struct trace *trace;               /* begun by the door; call_place ends it where it refuses */
  const struct desc *offer;          /* NULL: late offer (trunk) */
  const char *session_id;            /* the caller's Session-ID uuid, 32 hex digits, "" or NULL */
  const struct conf_trunk *to_trunk; /* not by the plan: to this trunk; NULL: by the plan */
  pool_handle replaces; /* the leg whose place it takes once answered; 0: it is asked for somebody */
  struct leg *moved;    /* a transfer: becomes the call's caller, with the media that it has */
  /* native only: */
  struct slice identity, tenant, device;
  const struct addr *peer;             /* where the client asks from, for the record; NULL: unknown */
  struct slice from, from_display, to; /* to: a number; or to_user */
  struct slice to_user;
  bool verifies;            /* trunk: nobody is asked before leg_verified() */
  bool anonymous, ringback; /* ringback: the gateway plays it */
  enum place_network network;
  bool deny_relays_only; /* set by the native door: the only candidates were foreign relays */
  const struct addr *deny;
  uint32_t n_deny;
  uint32_t ring_timeout_s; /* 0: default */
  const char *metadata;    /* JSON text or NULL */
};
/* Admits, routes, checks the offer, then opens media. A refusal is in the verdict (the record is
 * written; *ret_id still names it by text for `instance`) and nothing is allocated; otherwise *ret_leg
 * is the caller leg and door->opened follows, then door->ringing … or door->ended. */
struct verdict call_place(struct calls *cs, const struct place *p, struct leg **ret_leg,
                          char ret_id[40]) must_check;
/* Whether the dialplan takes it as an emergency call: those pass every limit. */
bool calls_is_emergency(struct calls *cs, const struct place *p);
/* Records an attempt that a door refused before call_place (malformed, method, codec …). */
void call_note_refused(struct calls *cs, const struct ask *ask, const struct verdict *v,
                       struct trace *t);
/* The same of a native attempt; *ret_id names the record. */
void call_note_unplaced(struct calls *cs, const struct place *p, const struct verdict *v,
                        char ret_id[40]);

/* Transfer --------------------------------------------------------------------------------------- */
struct transfer_order {
  uint64_t op;
  struct ask *ask; /* a REFER of a trunk's: its facts, called is the target; NULL: native, then: */
  struct slice identity, tenant, from; /* whose wish it is, and the number that it shows */
  struct slice to, to_user;            /* the target; one of them */
  const struct conf_trunk *to_trunk; /* or this trunk, whatever the plan says: its own URI is in words */
  const struct call_refer *words;    /* NULL: none */
};
enum { TRANSFER_DEPTH_MAX = 3 }; /* transfers of what was transferred */
/* The far side of l, which asks for it, rings the target in a call of its own, placed through route,
 * guard and limits as a call of l's party; l waits alone. When the target answers, l's call ends
 * (transferred); when it does not, both are as they were. Told by door->transferred, also when refused
 * later; a verdict that is not pass: nothing was changed. */
struct verdict call_transfer(struct leg *l, const struct transfer_order *o) must_check;
/* The far side of l takes the place of other, a leg of another call of the same party, which may ring
 * still if it placed it; both l and other end (transferred). */
struct verdict call_transfer_join(struct leg *l, struct leg *other, uint64_t op) must_check;

/* What became of door->refer of this leg: its peer's call has that status; is_last: it ends there. */
void call_referred(struct leg *l, int sip, bool is_last);

/* A callee leg for the target that door->ring was given. NULL when a limit is hit. */
struct leg *call_add_callee(struct call *c, const struct door *d, void *door_arg, uint64_t magic,
                            const struct conf_trunk *trunk, struct slice identity, struct slice device);
/* The one target that rings is over; without one that rings it changes nothing. */
void call_target_done(struct call *c, struct cause why);
void call_user_done(struct call *c, const char *user, struct cause why); /* one of those that ring */
/* Leads a call that rings to another number (a redirect), through plan, caps and guard; the target that
 * rings is given up. status: why, as History-Info says it (302, 486 …). Not pass: nothing changed. */
struct verdict call_forward(struct call *c, struct slice number, int status) must_check;
/* The same to several, one after another as they fail. */
struct verdict call_redirect(struct call *c, const struct redirect *r) must_check;
/* A user's wish: as its caller's trunk has it done, by 302 or by call_redirect. */
struct verdict call_deflect(struct call *c, const struct redirect *r) must_check;

/* Offer/answer of one leg ------------------------------------------------------------------------ */
/* Our first offer (callee legs; a caller leg without an offer): it is leg->local, the same one when
 * asked again while it is unanswered. */
struct verdict leg_make_offer(struct leg *l, const struct desc **ret_offer) must_check;
/* The peer's answer to our offer, or the session description of an early dialog: dialog 1-8 names the
 * early dialog (To tag), each with its own remote; final: of the 2xx, which selects it. answer NULL: the
 * 2xx has none, that of the same early dialog stands (none there: refused). Refused: nothing changed. */
struct verdict leg_take_answer(struct leg *l, uint32_t dialog, const struct desc *answer,
                               bool final) must_check;
/* The first offer of a callee that was asked without one, in early dialog 1-8 or in its 2xx: *ret_answer
 * is our answer (leg->local). Refused: nothing changed. */
struct verdict leg_take_offer(struct leg *l, uint32_t dialog, const struct desc *offer,
                              const struct desc **ret_answer) must_check;
/* A new offer of the peer within the dialog (re-INVITE, UPDATE, renegotiate); NULL: it asks for ours
 * (then leg_take_answer with the dialog in force finishes). Same fingerprint and ufrag: answered from
 * the session; new ufrag: ICE restart; new fingerprint: a fresh session that takes over when its DTLS
 * is up. Result by door->reoffered with the cookie; a refused one leaves everything as it was (RFC
 * 6141). */
void leg_reoffer(struct leg *l, uint64_t cookie, const struct desc *offer);
/* Our re-offer to a trunk peer for hold/resume: direction for the door's re-INVITE; then take_answer. */
struct verdict leg_make_reoffer(struct leg *l, const struct desc **ret_offer) must_check;
/* The description in force once more, as it is: a re-offer that refreshes the session. */
struct verdict leg_make_refresh(struct leg *l, const struct desc **ret_offer) must_check;
void leg_drop_offer(struct leg *l); /* our offer failed (488, 491, timeout): as before */
void leg_restart_ice(
    struct leg *l, uint64_t cookie,
    const struct desc_frag *f); /* PATCH restart: door->reoffered, leg->local has the new ufrag/pwd */
struct verdict leg_check_offer(const struct calls *cs, enum leg_kind kind, const struct conf_trunk *t,
                               const struct desc *offer);

/* What the far end did, told by its door --------------------------------------------------------- */
/* Caller of a call that was placed with verifies: who vouches for its number, as struct call says it.
 * Not pass: the call ends, unless it is an emergency call. */
void leg_verified(struct leg *l, const char *verified, const struct verdict *v);
void leg_ringing(struct leg *l);  /* callee: 180, or POST ringing */
void leg_diverted(struct leg *l); /* callee: its side leads the call to another number (181) */
void leg_early(struct leg *l,
               bool to_caller); /* callee: provisional answer taken; to_caller: becomes a 183 */
/* callee: its early media are not for the caller (P-Early-Media: inactive), or are again */
void leg_bar_early(struct leg *l, bool on);
void leg_answered(struct leg *l);                /* callee: final answer (after leg_take_answer) */
void leg_confirmed(struct leg *l);               /* caller on a trunk: ACK came */
void leg_end(struct leg *l, struct cause cause); /* hang up, reject, cancel, final failure, BYE */
struct verdict leg_hold(struct leg *l, bool on,
                        uint64_t op); /* the hold verb; door->operation follows */
struct verdict leg_send_digits(struct leg *l, struct slice digits, uint32_t duration_ms, uint32_t gap_ms,
                               uint64_t op);  /* toward the far leg's peer */
bool leg_signals_digits(const struct leg *l); /* trunk with dtmf: info: door->digit sends them */
void leg_got_info_digit(struct leg *l, char digit, uint32_t ms); /* SIP INFO from this leg's peer */
/* The client's statistics into the record, also of an ended call while calls_find finds it. What is
 * longer than RECORD_TELEMETRY_BYTES is not taken. */
void call_telemetry(struct call *c, const char *json);
/* What an app's statistics say of itself, in figures. */
struct client_told {
  bool has_mic, has_play, is_relayed;   /* is_relayed: its way to us is by a TURN relay. */
  bool is_muted;                        /* is_muted: by its user, who wants not to be heard. */
  double mic_level, mic_energy;         /* now, 0-1; summed up since the begin */
  uint64_t received, played, concealed; /* packets; samples put out, and those made up */
  uint32_t rtt_ms;
};
void leg_told(struct leg *l, const struct client_told *t);
void leg_set_session(struct leg *l,
                     struct slice uuid); /* the peer's Session-ID uuid, as its answer showed it */
void leg_set_peer(struct leg *l,
                  const struct addr *peer); /* the address that its peer signals from, for the record */
void leg_set_device(struct leg *l, struct slice device,
                    uint64_t magic);            /* the call moved to another device */
void leg_stream_lost(struct leg *l, bool lost); /* no event stream is open for it / one is again */
/* Addresses of discarded foreign relays (S13): their checks are never answered; added to what is denied.
 */
void leg_deny(struct leg *l, const struct addr *relays, uint32_t n);
bool leg_facts(const struct leg *l, struct mset_facts *ret); /* counters now */
