/* SPDX-License-Identifier: Apache-2.0
 * A session: one leg's sockets, remotes, incoming streams and one outgoing stream. Native legs add
 * ICE and DTLS. Internal to media; everything by the worker's thread, time is worker->now_us. */
#pragma once
#include "base/list.h"
#include "codec/inband.h"
#include "codec/tone.h"
#include "media/digits.h"
#include "media/ear.h"
#include "media/link.h"
#include "media/recsink.h"
#include "media/remote.h"
#include "media/quality.h"
#include "media/report.h"
#include "media/roomlink.h"
#include "media/sink.h"
#include "media/tap.h"
#include "media/voice.h"
#include "media/worker.h"

enum {
  SESSION_SLOW_US = 200000,    /* figures, reports, timeouts */
  SESSION_FAST_US = 20000,     /* tones and digits */
  SESSION_TRIES_MAX = 4,       /* remotes tried for one packet */
  SESSION_EARLY_MAX = 3,       /* DTLS datagrams kept until the description comes */
  SESSION_STAMP_EACH = 8,      /* of so many legs one has its packets stamped */
  SESSION_SILENT_TICKS = 150,  /* 30 s */
  SESSION_STRMS = 2,           /* streams coming in before there is room for more */
  SESSION_SOUND_DBOV = 70,     /* below overload: what is fainter is silence */
  SESSION_FORWARD_US = 120000, /* a tone waits so long after the last forwarded packet */
};

struct tuple { /* a 5-tuple that ICE verified */
  struct list node;
  pool_handle session;
  struct ice_pair pair;
  char ufrag[16]; /* ufrag is ours that the request named. */
};

struct early { /* DTLS before the description; a session has at most one of these */
  unsigned n;
  size_t bytes[SESSION_EARLY_MAX];
  uint8_t datagram[SESSION_EARLY_MAX][HANDSHAKE_DATAGRAM_MAX];
  struct ice_pair pair;
};

/* What each packet touches comes first. Most sessions have one remote and one stream coming in: room
 * for more is made by the commands that need it, and between packets. */
struct session {
  struct worker *w;
  pool_handle handle, peer; /* peer is whom our received audio goes to; 0: nowhere. */
  uint8_t kind, family;     /* kind is an enum mset_kind. */
  bool has_rtcp_port, has_timed_out, is_playing;
  bool has_file, plays_over; /* has_file: a file is played; plays_over: the peer's sound waits. */
  bool is_shared;            /* is_shared: rtp and rtcp are its worker's (shared.h). */
  bool is_stamped;           /* is_stamped: its packets say when they came. */
  bool wants_strms;          /* wants_strms: a stream had to make room. */
  uint8_t selected;          /* selected is the remote that SELECT named; 0: none. */
  uint8_t feeding;           /* feeding is the remote whose audio began last. */
  uint8_t latest;            /* latest is the remote that was described (or came up) last. */
  uint8_t sealed_for;        /* sealed_for is the remote whose key the sealer has. */
  uint8_t n_remotes;         /* n_remotes are the places in remotes, free ones included. */
  uint8_t n_strms;           /* n_strms are those in strms. */
  bool has_strays;           /* has_strays: stray_open() was done. */
  bool is_resting;           /* is_resting: it said comfort noise last: silence is what it means. */
  uint8_t silent_ticks;  /* silent_ticks are left until a session that nothing came to counts as idle. */
  uint8_t level_rx_dbov; /* level_rx_dbov is what the last packet said of itself; 255: nothing. */
  uint8_t told_ice;      /* told_ice is the enum mset_ice_state told last. */
  struct remote *remotes;
  struct strm *strms;    /* strms is first, or longer. */
  struct sealer *sealer; /* sealer is NULL before there are keys. */
  struct ice *ice;       /* native legs */
  struct list links;     /* links are the sinks of what we receive. */
  struct link bridge;    /* bridge is the sink to peer, or to far. */
  struct recsink recording;
  struct tap tap;
  pool_handle tapped; /* tapped is the session that this one listens to. */
  uint64_t far;       /* far is the id of a peer on another worker, far_worker; 0: none. */
  uint32_t far_worker;
  struct event_out event_out;
  uint32_t ssrc, last_ssrc, ssrc_changes;
  uint32_t bad_run;      /* bad_run: so many packets in a row did not verify. */
  uint64_t heard_us;     /* heard_us is when anything verified came; at first the OPEN. */
  uint64_t first_us;     /* first_us is when the first verified packet came. */
  uint64_t sound_us;     /* sound_us is when it was last louder than silence. */
  uint64_t forwarded_us; /* forwarded_us is when audio or an event of the peer was last sent. */
  struct sink sink;
  struct roomlink *room;  /* room is the sink to a room that it is in; NULL: none. */
  struct voice voice;     /* voice is the encoder of what we send. */
  struct port rtp;        /* of a trunk leg; fd -1 else */
  struct mset_way rx, tx; /* figures that no engine counts */
  struct digits digits;
  struct capture *capture; /* capture is NULL where the session is not traced. */
  struct ear *ear;         /* ear is NULL on legs whose digits come as events. */
  struct strm first[SESSION_STRMS];
  /* Between packets: */
  uint64_t id;
  struct port rtcp;    /* like rtp */
  struct strm gone;    /* gone has the totals of streams that made room. */
  struct mset_odd odd; /* odd is for the figures; what packets touch stands above. */
  uint64_t media_timeout_us;
  char cname[24];
  struct tone tone;
  struct xcode_play play;         /* play is the file, */
  uint64_t play_op;               /* whose end is told. */
  uint32_t digits_ts;             /* digits_ts is the timestamp of the event that we send, */
  struct telev_cut digits_cut;    /* and its segments. */
  struct inband_tone digit_sound; /* digit_sound is the digit as sound, where no events are taken. */
  struct report report;
  struct quality quality;
  struct timer slow, fast;
  /* Native legs: */
  struct list tuples;
  char ufrags[2][16]; /* ufrags are what by_ufrag knows of us. */
  struct early *early;
  struct list expected; /* expected are the sources of a shared leg's packets. */
  struct path *path;    /* path is ICE of a trunk leg (path.c); NULL: none. */
  char call[MSET_TEXT_BYTES];
};

/* Life (session.c) ----------------------------------------------------------------------------- */
int session_open(struct worker *w, const struct mset_open *m, struct session **ret) must_check;
void session_close(struct session *s); /* a last report with BYE goes out; the object is gone */
struct session *session_find(const struct worker *w, uint64_t id);
struct session *session_peer(const struct session *s);             /* NULL: none, or gone */
struct remote *session_remote(struct session *s, uint32_t number); /* NULL if not described */
int session_set_remote(struct session *s, const struct mset_remote *m) must_check;
void session_drop_remote(struct session *s, struct remote *r);
void session_hurry(struct session *s);                                       /* arms the 20 ms timer */
void session_tell_flow(struct session *s, struct remote *r, bool is_active); /* FLOW, if it changed */

void session_unsilent(struct session *s, bool is_heard); /* its load is known from now on */
bool session_is_receiving(const struct session *s);      /* of any remote, by the descriptions */

/* Figures (figures.c) --------------------------------------------------------------------------- */
void session_facts(const struct session *s, struct mset_facts *ret);
void session_tick_quality(struct session *s);
void session_metrics(struct session *s, struct rtcpxr_voip *ret); /* ssrc 0: nothing was heard */

/* In (inbound.c) ------------------------------------------------------------------------------- */
/* An RTP or RTCP datagram that came to a socket of s. from_remote: the remote that the 5-tuple says
 * (native legs), or NULL. */
enum drop session_input(struct session *s, struct packet *p, struct remote *from_remote) must_check;
/* The same of a shared port, of the first of these that verifies it. */
enum drop session_input_first(struct session *const *list, unsigned n, struct packet *p) must_check;
void session_tell_digits(struct session *s, const struct event_told *told, bool by_sound);

/* A packet of s comes up: fetches what it will touch, a step further at each stage (foresee.c). */
void session_foresee(const struct session *s, unsigned stage);

/* Out (outbound.c) ----------------------------------------------------------------------------- */
struct remote *session_target(struct session *s); /* whom we send to; NULL: nobody yet */
/* The same, or whom we will send to when there are keys. */
const struct remote *session_expected(struct session *s);
/* Could something be sent now? DROP_NONE, or why not. */
enum drop session_may_send(struct session *s, struct remote *r) must_check;
struct out {
  uint8_t pt;
  bool marker;
  uint64_t index;
  uint32_t ts;
  const uint8_t *payload;
  size_t n;
  bool is_event; /* is_event: a telephone-event */
};
enum drop session_send(struct session *s, struct remote *r, const struct out *o) must_check;
void session_send_report(struct session *s, bool bye);
int session_reseal(struct session *s,
                   struct remote *r) must_check; /* the sealer has r's key from now on */
void session_refused(struct worker *w, uint64_t owner, const struct addr *to,
                     int error); /* by the socket */

/* Our own sound (pace.c) ----------------------------------------------------------------------- */
void session_tick_fast(struct session *s);
void session_play(struct session *s, const struct mset_play *m);
void session_played(struct session *s, int error); /* a file ended: PLAY_DONE */

/* DTLS (keying.c) ----------------------------------------------------------------------------------- */
void keying_begin(struct session *s, struct remote *r);
void keying_end(struct session *s, struct remote *r);
enum drop keying_put(struct session *s, const struct remote *r, const uint8_t *p, size_t n) must_check;
int keying_set_remote(struct session *s, struct remote *r,
                      const struct mset_remote *m) must_check; /* a trunk leg's */
enum drop keying_input(struct session *s,
                       const struct packet *p) must_check; /* DTLS at a trunk leg's port */
void keying_results(struct worker *w);                     /* what the handshake thread has */

/* ICE (assoc.c) ------------------------------------------------------------------------- */
int assoc_open(struct session *s) must_check; /* a native leg's agent */
void assoc_close(struct session *s);
int assoc_set_remote(struct session *s, struct remote *r, const struct mset_remote *m) must_check;
void assoc_restart(struct session *s);
void assoc_tick(struct session *s);
void assoc_heard(struct session *s, const struct packet *p); /* an authenticated packet: consent */
enum drop assoc_native_input(struct worker *w,
                             struct packet *p) must_check;  /* any datagram of a shared port */
void assoc_tell(struct session *s, const struct remote *r); /* STATE; r may be NULL */
const struct port *assoc_port(const struct worker *w,
                              const struct addr *local); /* the shared port bound to it */
