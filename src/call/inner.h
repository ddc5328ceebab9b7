/* SPDX-License-Identifier: Apache-2.0
 * What the rooms of call share and doors do not see. Call thread only. Legs and calls are never freed
 * inside a call of a door or of the media process: they wait for the reaper's timer, so pointers hold
 * for the whole turn; what must hold longer is a handle. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "call/call.h"
#include "call/medium.h"
#include "call/offer.h"

enum {
  CALLEES_MAX = 32,           /* devices and trunks that one call rings */
  ENDED_MAX = 10000,          /* ended calls kept for GET … */
  ENDED_KEEP_S = 600,         /* … this long */
  EMERGENCY_ROOM = 64,        /* calls past node.max_calls that only emergency calls may take */
  HELD_ANSWER_US = 1500000,   /* the 200 waits this long for the device's DTLS */
  MEDIA_WAIT_US = 10000000,   /* then media must come within this */
  CONSENT_WAIT_US = 30000000, /* consent lost with a stream open */
  DSP_FULL_PERMILLE = 800,    /* transcoding this full: no more of it by choice */
  REOFFERS_KEPT = 8,
  FRESH_WAIT_US = 30000000, /* a fresh association must be up by then */
};

enum call_count {
  CALLS_LIVE,
  CALLS_IN,
  CALLS_OUT,
  CALLS_REFUSED,
  CALLS_ANSWERED,
  CALLS_ENDED,
  CALLS_MEDIA_LOST,
  CALLS_MEDIA_READY,
  CALLS_FRESH,
  CALLS_OFFERS_REFUSED,
  CALLS_ONEWAY,
  CALLS_COUNT_
};

/* What of a leg its end takes away, kept for the sentence of the record. */
struct blame_leg {
  struct addr said; /* where its description said that it is */
  uint16_t our_port;
  uint8_t way, candidates; /* way is an enum why_way. */
  bool is_held, wants_ice, wants_dtls, wants_srtp;
  bool is_relayed;   /* is_relayed: the pair's far end is a relay of its description. */
  uint16_t ptime_ms; /* that our description asks for */
};

/* What an app told of itself so far. */
struct client_seen {
  struct client_told last;
  uint64_t told_us, mic_us; /* mic_us is since when its microphone gives no sound, 0: it does. */
  uint64_t muted_us;        /* muted_us is until when its user was muted, as far as it told; 0: never. */
};

/* What a leg's counters were a second ago. */
struct sampled {
  uint64_t session;
  uint32_t rx, rx_lost, auth, wrong, tx, tx_lost;
};

struct sampler { /* a round over the calls, see samples.c */
  struct timer timer;
  uint64_t round_us; /* round_us is when it began. */
  uint32_t cursor;
  bool is_on, has_any;
};

/* Whose packets' headers are all kept until then. */
struct capturing {
  uint64_t until_us; /* 0, or past: free */
  char id[40];
};
enum { CAPTURING_MAX = 8 };

struct calls {
  struct calls_env env;
  bool has_no_music[CONF_TRUNKS_MAX]; /* by trunk: its file of music could not be read or played. */
  struct medium *medium;
  struct {
    const struct door *door;
    void *arg;
  } doors[2];        /* by enum leg_kind */
  struct pool *legs; /* legs are slots of struct leg *. */
  struct pool *live; /* live are slots of struct call *. */
  struct map *by_id, *by_session;
  struct list ended; /* ended calls, the oldest first */
  uint32_t n_ended;
  struct list dead_legs;
  struct list testlegs;
  struct list warm; /* calls whose descriptions may be folded soon, the oldest first: see fold.c */
  struct timer reap, expire, fold;
  bool draining;
  uint64_t next_session;
  struct counts counts;
  _Atomic uint64_t count_values[CALLS_COUNT_];
  struct counts causes;
  _Atomic uint64_t cause_values[CAUSE_COUNT_];
  struct sampler sampler;
  struct capturing capturing[CAPTURING_MAX];
};

/* Bytes of an object, packed; bytes NULL: none. */
struct folded {
  void *bytes;
  size_t packed, raw;
};

struct call_inner {
  struct call call;
  struct calls *cs;
  struct list node; /* node is in calls.ended. */
  struct list warm; /* warm is in calls.warm, since warm_us. */
  uint64_t warm_us;
  bool is_folded;
  enum route_action action;
  struct target target;
  struct leg *bridged; /* bridged is the callee whose media go with the caller's; NULL: none. */
  struct caps_hold caps;
  bool ending, asked, emergency, ringback, recorded;
  bool verifies, may_ask; /* verifies: leg_verified is due; may_ask: media of the caller stand. */
  bool rings;             /* rings: a callee rings, and nothing was heard of it since. */
  uint64_t early_ms;      /* early_ms is when the caller first heard early media (wall); 0: never. */
  bool has_progress;      /* has_progress: the caller was given a description before the answer. */
  const struct conf_trunk *in_trunk, *out_trunk; /* admitted by guard: to leave once */
  struct hunt *hunt;                             /* the walk over the plan's steps */
  struct folded folded_hunt;
  struct announcement *announcement; /* one that is played to the caller, NULL: none */
  struct timer answer, media, interim, longest, retire;
  uint32_t n_callees, ends_pending, n_interim;
  char tenant[CONF_NAME_BYTES], identity[CONF_NAME_BYTES];
  char asked_called[ROUTE_NUMBER_BYTES],
      asked_caller[ROUTE_NUMBER_BYTES]; /* as they came, for the record */
  uint8_t asked_flags;                  /* of enum record_asked */
  char *telemetry; /* telemetry is JSON text, shorter than RECORD_TELEMETRY_BYTES; NULL: none. */
  struct transfer *transfer; /* this call is one's, and its target has not answered */
  struct transfer *referred; /* the trunk was asked to do one itself */
  struct record *kept;       /* the record as it was when a party left for another call */
  pool_handle replaces;      /* the leg whose place its caller takes; 0: none */
  uint32_t depth;            /* transfers that led to this call */
  bool is_waiting;           /* its far side was transferred, and rings elsewhere */
  bool is_moved,
      rings_moved;       /* its caller came from another call and hears, once it rings, that it does */
  struct cause why;      /* why it ended */
  bool is_caller_faulty; /* is_caller_faulty: it was the caller's leg that ended first. */
  enum why_id blame; /* blame is why it failed or sounded bad; CAUSE_NONE: neither, or not yet known */
  char *blame_text;  /* NULL: none */
  uint64_t ended_us, connected_us; /* monotonic; 0: not yet */
  uint64_t config_version;         /* config_version is that in force when it was placed. */
};

struct leg_inner {
  struct leg leg;
  struct folded local, remote;
  struct list node, dead; /* node is in call.legs. */
  const struct door *door;
  struct conf_trunk *trunk_gone; /* a copy of the trunk when a reload took it away */
  uint32_t dialog, dialogs;      /* the dialog in force; bits of those that the media process knows */
  uint32_t last_dialog;          /* the early dialog that gave the last description */
  struct desc *early[MSET_REMOTES_MAX]; /* the answers of early dialogs, until the final one */
  struct desc *offer;                   /* our re-offer, unanswered */
  struct desc *asked;                   /* the peer's offer that waits for the media process */
  uint64_t cookie;                      /* of the offer that waits */
  bool is_ours_answer;                  /* of the two in force, local is the answer */
  bool local_is_offer;                  /* local is our first offer, and no final answer came yet */
  struct desc *old_local, *old_remote;  /* while fresh comes up: of the old association */
  struct addr deny[MSET_DENY_MAX];
  uint32_t n_deny;
  bool hold_verb, hold_sdp, told_held, told_connected, ice_lost, stream_lost, unlisted;
  uint64_t linked;  /* the peer session of the last LINK sent, 0: none */
  uint32_t playing; /* enum mset_tone of the last PLAY sent */
  uint64_t ice_lost_us, stream_lost_us, stream_back_us;
  struct timer consent, fresh_late;
  struct mset_facts facts; /* the sum over sessions that ended */
  bool has_facts;
  uint64_t digit_us[2]; /* digit_us is when digit was told last by media, by INFO. */
  char digit[2];
  bool digits_twice;     /* digits_twice: its peer sends each both ways; INFO is not taken then. */
  uint64_t restart_us;   /* restart_us is when the client was last asked for a new offer; 0: never. */
  bool is_lossy;         /* is_lossy: it was for loss: opus goes first from then on. */
  uint32_t ends_pending; /* its share of the call's */
  bool told_oneway;      /* told_oneway: nothing comes from it, and that was told. */
  uint32_t flows;        /* bits of the remotes whose verified audio arrives now */
  bool is_barred;        /* is_barred: its early media are not for the caller. */
  uint8_t network;       /* enum place_network, as the client said */
  struct blame_leg blame;
  struct client_seen client;
  struct sampled sampled;
  uint64_t drops_told;                /* drops_told has a bit for each reason in the timeline. */
  uint32_t reoffers;                  /* reoffers counts descriptions that came within the call, */
  uint64_t reoffer_us[REOFFERS_KEPT]; /* and when the first of them did. */
};

static inline struct call_inner *call_in(const struct call *c) { return c->inner; }
static inline struct leg_inner *leg_in(const struct leg *l) { return l->inner; }
static inline struct calls *leg_calls(const struct leg *l) { return l->call->inner->cs; }
static inline bool leg_is_over(const struct leg *l) { return l->state == LEG_ENDED; }

/* bridge: is this digit news, or the other way's of the same one? */
bool leg_takes_digit(struct leg *l, char digit, bool by_info);

/* registry */
struct call *call_new(struct calls *cs); /* live, with handle and id; NULL: full */
void call_discard(struct call *c);       /* a call that never began */
void call_keep_ended(struct call *c);    /* from live to ended */
void call_forget_ended(struct call *c);  /* it is recorded: without an app nobody asks for it again */
void calls_arm(struct calls *cs, struct timer *t,
               uint64_t in_us); /* from the clock, also outside a turn */
void calls_reap_later(struct calls *cs, struct leg *l);
uint32_t calls_of_identity(struct calls *cs, const char *identity);
const struct count_row *calls_count_rows(void);
void call_free(struct call *c);

/* fold: descriptions and walks of calls that nothing happens in */
void fold_soon(struct call *c);   /* it is connected: folded when it has been quiet */
void fold_open(struct call *c);   /* whoever got a leg by its name reads descriptions */
void fold_drop(struct leg *l);    /* wiped */
void fold_forget(struct call *c); /* before it is freed */
void on_fold(void *calls);

/* call */
struct cause cause_make(enum end_reason r, enum end_by by, const char *detail);
struct cause cause_fault(enum end_reason r, enum why_fault fault, const char *detail); /* by us */
void call_end(struct call *c, struct cause why); /* ends every leg, once */
void call_ask(struct call *c);                   /* the caller's media stand: ask the far side */
void call_leg_over(struct leg *l);               /* a leg ended: what follows for the call */
void call_leg_unended(struct call *c);           /* a session's END was answered */
void call_check_connected(struct call *c);
void call_answered_by(struct leg *callee);
void call_answer_caller(struct call *c);
void call_stop_timers(struct call *c);

/* leg */
struct leg *leg_new(struct call *c, enum leg_kind kind, enum leg_role role, const struct door *d,
                    void *arg, uint64_t magic);
void leg_free(struct leg *l);
int leg_open(struct leg *l, int family, bool rtcp_pair, bool fresh) must_check; /* OPEN; 0 or -EAGAIN */
int leg_callee_family(const struct conf *conf, enum leg_kind kind, const struct conf_trunk *trunk);
bool leg_is_up(const struct leg *l); /* media could flow now */
void leg_close_session(struct leg *l, struct leg_media *m);
void leg_wipe_fresh(struct leg *l);
void leg_set_desc(struct desc **to,
                  const struct desc *d); /* replaces a copy, the old one wiped; NULL: none */
void leg_fail(struct leg *l, const struct verdict *v); /* ends it by the gateway */
struct leg *calls_leg_of_session(struct calls *cs, uint64_t session);

/* nego */
void leg_on_opened(struct leg *l); /* the first session stands */
void leg_on_fresh_opened(struct leg *l, const struct mset_opened *o);
void leg_fresh_take_over(struct leg *l);
void leg_fresh_drop(struct leg *l, const char *why);

/* remote: fills and sends REMOTE from descriptions, the answer's order of codecs counts. 0 or -EAGAIN */
int remote_send(struct leg *l, uint64_t session, uint32_t dialog, const struct desc *local,
                const struct desc *remote, bool is_ours_answer) must_check;
void remote_fill(struct mset_remote *r, const struct leg *l, const struct desc *local,
                 const struct desc *remote, bool is_ours_answer);

/* bridge */
void bridge_played(struct leg *l, const union mset_any *m); /* PLAY_DONE */
void bridge_apply(struct call *c);             /* makes media and doors agree with who holds */
uint8_t bridge_direction(const struct leg *l); /* the direction that we want toward the peer */
void bridge_ringback(struct call *c);
int bridge_announce(struct leg *l, int fd) must_check; /* a file once; announce_played at its end */

/* ringback: what the caller hears before the answer */
enum mset_tone ringback_tone(const struct leg *caller);
bool ringback_bars(const struct leg *callee); /* its audio must not reach the caller now */
void ringback_rang(struct leg *callee);       /* a 180 came, the first or a later one */
void ringback_flow(struct leg *l, uint32_t remote, bool on);
bool bridge_is_pausing(const struct leg *l); /* it holds, or its consent is lost */
void consent_check(struct leg *l);
void consent_set(struct leg *l, bool lost);
void events_take(void *arg, const union mset_any *m); /* from the media process */

/* Of the keys that we offered only the chosen one lives on. */
void keep_chosen_crypto(struct desc *local, const struct desc *remote);
/* testleg: an event of a session that is no leg's */
void testleg_event(struct calls *cs, const union mset_any *m);
void testleg_lose_all(struct calls *cs); /* the media process is gone */

/* quality: events of the media process */
void quality_told(struct leg *l, const union mset_any *m);
void quality_oneway(struct leg *l, const union mset_any *m);

/* blame: why a call failed or sounded bad */
void blame_reoffer(struct leg *l);                 /* a description came within the call */
void blame_note(struct call *c);                   /* it ends, or is folded: what its legs take away */
void blame_find(struct call *c, struct record *r); /* its counts are there: into the record, the log */
void blame_counts(struct calls *cs);
void blame_refusal(struct calls *cs, struct record *r,
                   const struct verdict *v); /* of an attempt that became no call */
const char *rec_codec(uint32_t kind);
struct mset_facts rec_sum(const struct leg *l); /* counters of all its sessions until now */
/* timeline */
void timeline_leg(struct leg *l); /* it has its place in its call now: lane, Call-ID */
void timeline_placed(struct calls *cs, const struct place *p, const struct route_decision *r,
                     const struct verdict *v, struct trace *t);
void timeline_state(const struct leg *l, enum leg_state was);
void timeline_media(const struct leg *l, const struct mset_state *s); /* before it is taken over */
void timeline_flow(const struct leg *l, const struct mset_flow *f);
void timeline_digit(const struct leg *l, char digit, const char *by);
void timeline_digits(const struct leg *l, struct slice digits); /* that it has sent to the far side */
void timeline_codec(const struct leg *l);                       /* offer and answer are complete */
void timeline_end(struct call *c, const struct record *r);      /* the record is complete */

/* captured: headers of packets */
void captured_take(struct calls *cs, const struct mset_headers *m);

/* samples */
void samples_begin(struct call *c); /* its media stand; without a timeline nothing is done */
void samples_end(struct calls *cs);

/* sessionid */
void sessionid_make(char ret[33]);
bool sessionid_is_good(struct slice s);

/* rec */
void rec_put(struct call *c, enum record_state state);
void rec_keep(struct call *c); /* from now on the record has the parties that it has now */
void rec_store(struct calls *cs, const struct record *r);
void rec_facts(struct leg *l, const struct mset_facts *f);
void tally_record(const struct record *r); /* tally.c: once a call */
void rec_start(struct record *r, const struct calls *cs, const char *id);

/* fsm */
enum leg_event {
  EVENT_OPENED,
  EVENT_RING,
  EVENT_EARLY,
  EVENT_ANSWER,
  EVENT_UP,
  EVENT_OFFER,
  EVENT_HOLD,
  EVENT_DIGITS,
  EVENT_END,
  EVENT_COUNT_
};
struct verdict fsm_fire(struct leg *l, enum leg_event e);
bool fsm_cell(enum leg_state s, enum leg_event e,
              enum leg_state *ret_next); /* false: the cell is empty */
enum { LEG_STATES = LEG_ENDED + 1 };
