/* SPDX-License-Identifier: Apache-2.0
 * The message set between the two programs: fixed-layout messages over a SOCK_SEQPACKET Unix socket.
 * sallyport-media listens, sallyportd connects: commands go down, replies and events come up. Every
 * command carries a sequence number and gets exactly one reply with the same one (OK, FAULT, or the
 * reply named at it); the sender gives up after deadline_ms. Little-endian, natural alignment, no
 * pointers; a message is checked by mset_check() before anything of it is read. Sessions are named
 * by ids that the controller chooses (never 0, never used twice under one epoch). Pure. */
#pragma once
#include "base/addr.h"
#include "wire/srtpkey.h"

enum {
  MSET_VERSION = 7,
  MSET_REMOTES_MAX = 8, /* of one session: early dialogs, addresses, keys */
  MSET_CODECS_MAX = 8,
  MSET_SOURCES_MAX = 8,
  MSET_DENY_MAX = 16,
  MSET_DIGITS_MAX = 64,
  MSET_TEXT_BYTES = 40,
  MSET_ADDRS_MAX = 4,
  MSET_CANDIDATES_MAX = 16, /* in one message; there may be more messages */
  MSET_CANDIDATES_OURS = 4,
  MSET_DEADLINE_MS = 2000,
  MSET_LEVEL_UNKNOWN = 255,
  MSET_ORPHAN_S = 30, /* sessions of a lost controller end after this */
};

enum mset_backend {
#define BACKEND(id, name) MSET_BACKEND_##id,
#include "mset/backend.def"
#undef BACKEND
  MSET_BACKEND_COUNT_
};

enum mset_type {
#define MSET(id, dir, text) MSET_##id,
#include "mset/mset.def"
#undef MSET
  MSET_COUNT_
};

struct mset_head {
  uint32_t bytes;       /* bytes is the length of the whole message. */
  uint32_t type;        /* type is an enum mset_type. */
  uint64_t seq;         /* seq names a command and its reply; 0 in events. */
  uint64_t session;     /* session is the id, 0 where none is meant. */
  uint32_t deadline_ms; /* deadline_ms is how long the sender waits for the reply. */
  uint32_t pad;
};

struct mset_hello { /* command, the first; reply: WELCOME, then live × LIVE */
  struct mset_head h;
  uint32_t version, pad;
  uint8_t instance[16]; /* instance is the controller's, new at each start. */
  uint64_t epoch;       /* epoch is its start in wall milliseconds. */
};
struct mset_welcome { /* carries the descriptor of the facts table (SCM_RIGHTS) */
  struct mset_head h;
  uint32_t version, workers, live, facts_slots;
  uint8_t instance[16];
  char backend[16]; /* a name of backend.def */
};
struct mset_live { /* one for each session that is alive from an earlier controller */
  struct mset_head h;
  char call[MSET_TEXT_BYTES];
};

enum mset_kind { MSET_NATIVE_LEG, MSET_TRUNK_LEG };
enum mset_open_flag {
  MSET_OPEN_ICE = 1,         /* trunk leg: ICE for every remote that has credentials */
  MSET_OPEN_LITE = 2,        /* with ICE: as a lite agent; else a full one */
  MSET_OPEN_CONTROLLING = 4, /* with ICE: we make the offer */
  MSET_OPEN_URGENT = 8,      /* an emergency call: opened however busy the worker is */
  MSET_OPEN_SHARED = 16, /* trunk leg without ICE: its worker's shared port; takes SDES remotes only */
  MSET_OPEN_TRACED = 32, /* HEADERS are told of its packets */
  MSET_OPEN_ALL_ = 63,
};
struct mset_open { /* command; reply: OPENED. Takes ports, SSRC, CNAME, ICE credentials. */
  struct mset_head h;
  uint32_t kind;            /* kind is an enum mset_kind: shared ICE port, or private port(s). */
  uint32_t family;          /* family is AF_INET or AF_INET6. */
  uint64_t beside;          /* beside is a session on whose worker to be; 0: the least loaded. */
  uint32_t rtcp_pair;       /* rtcp_pair: a port of its own for RTCP too (trunks; not used with mux). */
  uint32_t media_timeout_s; /* TIMEOUT event after this long without packets while receiving; 0 never */
  uint32_t flags, pad;      /* flags is an OR of enum mset_open_flag. */
  char call[MSET_TEXT_BYTES];
};
struct mset_candidate { /* of ICE, UDP */
  struct addr address;
  uint32_t priority, component, type; /* type is an enum cand_type of wire/desc.h. */
  char foundation[33];
  uint8_t pad[3];
};
struct mset_opened {
  struct mset_head h;
  uint32_t worker, facts_slot, ssrc, n_addrs;
  struct addr rtp[MSET_ADDRS_MAX]; /* rtp are the advertised addresses with port; the first is c=. */
  struct addr rtcp; /* rtcp is the RTCP port's address; family AF_UNSPEC without a pair. */
  char ufrag[16], pwd[40], cname[24];
  uint8_t fingerprint[32]; /* fingerprint is sha-256 of the DTLS certificate. */
  struct mset_candidate candidates[MSET_CANDIDATES_OURS]; /* trunk legs with ICE; native: rtp */
  uint32_t n_candidates, pad;
};

/* How digits go to a remote and come from it: telephone-events; tones in the sound; not by media. */
enum mset_dtmf { MSET_DTMF_EVENTS, MSET_DTMF_INBAND, MSET_DTMF_SIGNALED };
enum mset_security { MSET_PLAIN, MSET_SDES, MSET_DTLS };
enum mset_symmetric { MSET_SYMMETRIC_OFF, MSET_SYMMETRIC_AUTO, MSET_SYMMETRIC_ONCE };
enum { MSET_CODEC_FEC = 1, MSET_CODEC_DTX = 2, MSET_CODEC_STEREO = 4, MSET_PTIME_MAX_MS = 120 };
struct mset_codec {
  uint8_t pt, kind;           /* kind is an enum codec_kind of wire/desc.h. */
  uint8_t ptime_ms, channels; /* ptime_ms of what we send, at most MSET_PTIME_MAX_MS; 0: 20 */
  uint32_t clock_hz;
  uint32_t flags, bitrate; /* what the peer takes: an OR of MSET_CODEC_*, bits a second, 0: no limit */
};
struct mset_source {
  struct addr base;
  uint32_t bits, pad;
};
struct mset_remote { /* command; reply: OK. Adds remote `remote`, or replaces all of it. */
  struct mset_head h;
  uint32_t remote;                      /* remote is 1-8. */
  uint32_t security;                    /* security is an enum mset_security. */
  uint32_t rtcp_mux, rtcp_off, rtcp_xr; /* rtcp_xr: it takes VoIP metrics (RFC 3611) */
  uint32_t level_ext;  /* level_ext is the header extension of audio levels (RFC 6464), 1-14; 0: none. */
  uint32_t symmetric;  /* symmetric is an enum mset_symmetric. */
  uint32_t send, recv; /* send: we may send audio; recv: we take audio (from the SDP directions). */
  uint32_t rx_ptime_ms, n_codecs, n_sources, n_deny, dtls_active; /* dtls_active: we are the client */
  struct addr rtp, rtcp;                                          /* family AF_UNSPEC: not known (ICE) */
  struct srtp_key tx, rx;                                         /* SDES only */
  uint32_t fingerprint_bytes;                                     /* 32, 48 or 64 */
  uint8_t fingerprint[64];
  char ufrag[260], pwd[260]; /* the peer's ICE credentials; "": none (trunks) */
  uint32_t peer_lite, dtmf;  /* peer_lite: it is a lite agent; dtmf is an enum mset_dtmf. */
  struct mset_codec codecs[MSET_CODECS_MAX]; /* first audio codec: what we send; telephone-event any */
  struct mset_source sources[MSET_SOURCES_MAX]; /* media_sources of the trunk */
  struct addr deny[MSET_DENY_MAX]; /* discarded foreign relays: never answered (ports ignored) */
};
struct mset_candidates { /* command: the peer's candidates, after its REMOTE; reply OK */
  struct mset_head h;
  uint32_t remote, n_candidates, is_end, pad; /* is_end: no more will come */
  struct mset_candidate candidates[MSET_CANDIDATES_MAX];
};
struct mset_pick { /* SELECT and DROP of a remote; reply OK */
  struct mset_head h;
  uint32_t remote, pad;
};
/* command: a's received media goes to b and b's to a; a == b is an echo. On one worker
 * (mset_open.beside) it costs least. An earlier link of either is undone. FAULT -EBUSY: it needs
 * transcoding, and none is to be had. Reply OK */
struct mset_link {
  struct mset_head h; /* h.session is a. */
  uint64_t peer;      /* peer is b; 0: unlink, h.session's media goes nowhere. */
};
/* Commands of rooms, where sessions hear each other; reply OK. A room is named by an id of the
 * controller's, like sessions, and goes only with CLOSE. */
enum { MSET_ROOM_MEMBERS_MAX = 200, MSET_ROOM_SPEAKERS_MAX = 8 };
enum mset_room_flag {
  MSET_ROOM_MUTED = 1,
  MSET_ROOM_LISTENS = 2, /* it will never speak */
  MSET_ROOM_LEVELS = 4,  /* audio levels in its packets (RFC 6464) are made use of */
  MSET_ROOM_ALL_ = 7,
};
struct mset_room { /* ROOM_OPEN: -EBUSY, -ENOSPC. JOIN: h.session, which leaves any other room or link;
                      -ENOENT, -EBUSY, -ENOSPC (it is full), -EEXIST (it is in one). SET: new flags.
                      LEAVE. CLOSE: all leave. */
  struct mset_head h;
  uint64_t room;
  uint32_t rate_hz, speakers; /* of OPEN: of the mix, 8000 or 16000, 0: by the codecs; how many are
                                 heard at once, 0: three */
  uint32_t flags, pad;        /* of JOIN and SET: an OR of enum mset_room_flag */
};
enum mset_tone {
  MSET_TONE_NONE,
  MSET_TONE_SILENCE,
  MSET_TONE_RINGBACK,
  MSET_TONE_HOLD,
  MSET_TONE_1004,
  MSET_TONE_BUSY,
  MSET_TONE_FILE /* what the descriptor has that comes with it (SCM_RIGHTS): WAV, or Opus in Ogg */
};
enum { MSET_LEVEL_MIN_DB = -60, MSET_LEVEL_MAX_DB = 12 };
/* command: sent to h.session's peer while nothing else is, or over all else; replaces. Reply OK; of a
 * file, at its end, or when another PLAY takes its place, the event PLAY_DONE with the same op. */
struct mset_play {
  struct mset_head h;
  uint32_t tone, over; /* tone is an enum mset_tone; over: the linked session's sound waits meanwhile. */
  uint64_t op;
  uint32_t repeat;    /* repeat is how often a file is played; 0: until another PLAY. */
  int32_t level_db;   /* level_db of a file, MSET_LEVEL_MIN_DB to _MAX_DB */
  uint32_t file, pad; /* file is the media process' own. */
};
struct mset_play_done { /* event; the linked session's sound goes on */
  struct mset_head h;
  uint64_t op;
  int32_t error; /* error is 0 (played), -ECANCELED, or why the file cannot be played: -EBADMSG,
                    -ENOTSUP, -EFBIG, -ENOSPC */
  uint32_t pad;
};
/* command: what h.session receives goes to listener too, in the listener's codec; digits do not. The
 * listener is a session on the same worker (mset_open.beside) with no peer; one is tapped by it at a
 * time. FAULT -ENOENT: it is none, or elsewhere; -EISCONN: it has a peer, or listens to another. Reply
 * OK */
struct mset_tap {
  struct mset_head h;
  uint64_t listener; /* listener is 0 for no more. */
};
enum mset_record_format { MSET_RECORD_WAV, MSET_RECORD_OGG };
/* command, with the descriptor of an empty file to write (SCM_RIGHTS): what h.session receives on the
 * left, what peer receives on the right. Reply OK, later the event RECORD_DONE: when RECORD_STOP says
 * so, both sessions ended, or the file can take no more. */
struct mset_record {
  struct mset_head h;
  uint64_t op, peer;  /* peer is 0 for silence on the right. */
  uint32_t format;    /* format is an enum mset_record_format. */
  uint32_t rate_hz;   /* 8000 or 16000; 0: 16000 */
  uint64_t bytes_max; /* of the file; 0: 4 GiB */
  uint64_t file;      /* file and side are the media process' own. */
  uint32_t side, pad;
};
struct mset_record_pause { /* command: on cuts what follows out of both sides alike. Reply OK */
  struct mset_head h;
  uint32_t on, pad;
};
struct mset_record_done { /* event; the file is closed, and plays as far as it went */
  struct mset_head h;
  uint64_t op, bytes, ms;
  uint64_t lost; /* lost are packets that came too late, or found no room on their way to the disk. */
  int32_t error; /* error is 0 or -errno: -ENOSPC, -EFBIG (bytes_max), -EIO, … */
  uint32_t pad;
};
struct mset_digits { /* command; reply OK, later the event DIGITS_DONE with the same op */
  struct mset_head h;
  uint64_t op;
  uint32_t duration_ms, gap_ms;
  char digits[MSET_DIGITS_MAX + 1]; /* [0-9*#A-D,] */
  char pad[7];
};
struct mset_ice { /* command ICE_RESTART (text ignored); reply ICE with the new credentials */
  struct mset_head h;
  char ufrag[16], pwd[40];
};
enum { MSET_CAPTURE_MAX_MS = 60000, MSET_CAPTURE_MAX = 20000 };
struct mset_capture { /* command: HEADERS of all packets of h.session from now on; reply OK */
  struct mset_head h;
  uint32_t ms, packets; /* for so long and so many, at most the two limits above; 0: no more */
};
struct mset_fault { /* the reply to a command that could not be done; h.seq is the command's */
  struct mset_head h;
  int32_t error; /* error is -errno: -ENOENT no such session, -EMFILE no ports, … */
  uint32_t command;
};

/* Events --------------------------------------------------------------------------------------- */
enum mset_ice_state { MSET_ICE_NONE, MSET_ICE_CHECKING, MSET_ICE_CONNECTED, MSET_ICE_LOST };
enum mset_dtls_state { MSET_DTLS_NONE, MSET_DTLS_CONNECTING, MSET_DTLS_UP, MSET_DTLS_FAILED };
struct mset_state { /* ICE or DTLS changed */
  struct mset_head h;
  uint32_t ice, dtls, suite;
  uint32_t assoc;            /* assoc is the remote whose DTLS this is; 0 before one is known. */
  struct addr local, remote; /* the selected pair */
};
struct mset_flow { /* verified audio of a remote began (active) or stopped for 2 s */
  struct mset_head h;
  uint32_t remote, active;
};
struct mset_digit { /* one received digit, at its end */
  struct mset_head h;
  uint32_t digit, ms; /* digit is the ASCII character. */
};
struct mset_digits_done {
  struct mset_head h;
  uint64_t op;
  uint32_t ok, pad;
};
struct mset_quality { /* every 5 s of a leg with media, for each direction */
  struct mset_head h;
  uint32_t up; /* up: what we receive from the peer; else what it receives (its RRs) */
  uint32_t jitter_ms, rtt_ms, pad;
  double loss, mos; /* loss is a share, 0-1, of the last 5 s. */
};
enum mset_verdict { MSET_LOAD_OPEN, MSET_LOAD_NO_NEW, MSET_LOAD_SHEDDING };
/* A worker's load: when its verdict changed, every second while it is not open, and when transcoding
 * became full (dsp_permille 800 of what may be given away) or is so no more. From NO_NEW on it
 * refuses an OPEN with -EBUSY, but for those beside a live session and urgent ones. */
struct mset_load {
  struct mset_head h;                      /* no session */
  uint32_t worker, verdict, busy_permille; /* verdict is an enum mset_verdict. */
  uint32_t age_us, dsp_permille, pad;      /* age_us is the 99th percentile of packets' wait for us. */
};
struct mset_room_speaker { /* ROOM_SPEAKER: h.session is loudest of those that speak; 0: nobody speaks */
  struct mset_head h;
  uint64_t room;
  uint32_t level, pad; /* level is below overload, 0-127. */
};
struct mset_oneway { /* nothing comes from a linked, not held leg while the other direction flows */
  struct mset_head h;
  uint32_t active, since_ms; /* active: told after 3.5 s and each second; else it comes again */
};

enum { MSET_HEADER_BYTES = 48, MSET_HEADERS_MAX = 12 };
enum mset_header_flag { MSET_HEADER_OUT = 1, MSET_HEADER_RTCP = 2 };
struct mset_header {       /* of one packet, as it was on the wire: never of its payload */
  uint64_t session, at_us; /* at_us is CLOCK_MONOTONIC, of the turn that it came or went in. */
  struct addr from, to;    /* ours as peers are told it */
  uint16_t bytes;          /* bytes is the datagram's length, n how many of them are here: of RTP the */
  uint8_t n, flags;        /* header with sources and extension, of RTCP the first 8. */
  uint8_t drop, pad[3];    /* drop is an enum drop of flow: why it went no further; 0: it did. */
  uint8_t header[MSET_HEADER_BYTES];
};
/* event: of sessions that are traced the first packets of each way, some after each change and some of
 * those that were dropped; all after CAPTURE. Can be spared. */
struct mset_headers {
  struct mset_head h; /* no session */
  uint32_t n, lost;   /* lost are those of this worker that found no room, since its start. */
  struct mset_header header[MSET_HEADERS_MAX];
};

/* Facts: counted by the media process, in a memfd that signaling maps read-only. A reader copies the
 * slot while seq is even and unchanged (seqlock). ------------------------------------------------ */
struct mset_way { /* one direction of one leg */
  uint64_t packets, bytes;
  uint64_t lost, late, duplicate, reordered;
  uint32_t jitter_us, max_jitter_us;
  uint64_t auth_failures, replays, wrong_source, malformed, dropped;
  uint32_t ssrc, codec; /* codec is an enum codec_kind. */
  uint64_t digits;
};
struct mset_xr { /* the peer's last VoIP metrics about what we send, as they came (RFC 3611, 4.7) */
  uint8_t loss, discard, burst_density, gap_density;
  uint16_t burst_ms, gap_ms, round_trip_ms, end_delay_ms;
  uint8_t r_factor, mos_listening, mos_conversational, is_given;
  uint32_t rx, tx; /* XR packets received and sent */
};
struct mset_odd { /* what came and was of no use, and when what was came: for whoever asks why. Nothing
                    of strangers is proven. Times are CLOCK_MONOTONIC, 0: never */
  struct addr stranger;            /* the last source that may not send here */
  uint32_t wrong_port;             /* media packets at stray_port, which is not for them */
  uint32_t bad_payload;            /* verified packets of a payload type that was not negotiated */
  uint32_t bad_run;                /* packets that did not verify, since the last one that did */
  uint8_t payload_type, is_misfit; /* of bad_payload, the last; is_misfit: DTLS showed another
                                      certificate than described */
  uint16_t stray_port;             /* the last one: that of reports, or one beside ours */
  uint32_t plain;                  /* packets that did not verify, and have the length of plain RTP */
  uint64_t bad_since_us;           /* when bad_run began */
  uint64_t first_us, heard_us, sound_us; /* verified packets; sound_us: louder than silence */
};
struct mset_facts {
  uint32_t seq, suite; /* suite is an enum srtp_suite. */
  uint64_t session;    /* session is 0 for a free slot. */
  struct mset_way rx, tx;
  uint32_t remote_lost, remote_jitter_us, rtt_us, ssrc_changes; /* as the peer's reports say */
  uint64_t rtcp_rx, rtcp_tx;
  struct addr local, remote;
  uint64_t updated_us;
  uint16_t mos_rx_centi, mos_tx_centi; /* mean opinion score × 100, mean of 5 s; 0: none yet */
  uint8_t level_rx_dbov,
      level_tx_dbov; /* below overload, 0-127, as header extensions say; 255 unknown */
  uint8_t pad[2];
  int32_t drift_ppm; /* by how much timestamps run slower than time, of the source heard last */
  uint32_t more_pad;
  uint32_t nacks, picture_losses, byes; /* what the peer's RTCP had of these */
  uint32_t silent_ms;                   /* silent_ms sums up one-way silence of this peer. */
  uint64_t unheard_us; /* since when nothing of ours comes there, by its reports, CLOCK_MONOTONIC; 0: it
                          does */
  uint64_t discarded;  /* of what came: too late for our jitter buffer, where this leg is decoded */
  struct mset_xr xr;
  struct mset_odd odd;
};
/* After its slots the table holds MSET_COUNTS_MAX counters, uint64_t, since the media process' start:
 * how many packets went no further, by enum drop of flow. Read with relaxed atomics. */
enum {
  MSET_COUNTS_MAX = 64,
  MSET_COUNT_DSP = MSET_COUNTS_MAX - 1,     /* no counter: how full transcoding is, of 1,000 */
  MSET_COUNT_HEADERS = MSET_COUNTS_MAX - 2, /* headers of traced packets that found no room */
};
struct mset_ended { /* the reply to END, and the event when a session ended by itself */
  struct mset_head h;
  uint32_t reason, pad; /* reason is an enum mset_end. */
  struct mset_facts facts;
};
enum mset_end { MSET_END_ASKED, MSET_END_TIMEOUT, MSET_END_CONSENT, MSET_END_DTLS, MSET_END_ORPHAN };

union mset_any {
  struct mset_head h;
  struct mset_hello hello;
  struct mset_welcome welcome;
  struct mset_live live;
  struct mset_open open;
  struct mset_opened opened;
  struct mset_remote remote;
  struct mset_pick pick;
  struct mset_candidates candidates;
  struct mset_link link;
  struct mset_room room;
  struct mset_play play;
  struct mset_play_done play_done;
  struct mset_tap tap;
  struct mset_record record;
  struct mset_record_pause record_pause;
  struct mset_record_done record_done;
  struct mset_digits digits;
  struct mset_ice ice;
  struct mset_fault fault;
  struct mset_capture capture;
  struct mset_headers headers;
  struct mset_state state;
  struct mset_flow flow;
  struct mset_digit digit;
  struct mset_digits_done digits_done;
  struct mset_quality quality;
  struct mset_room_speaker speaker;
  struct mset_oneway oneway;
  struct mset_load load;
  struct mset_ended ended;
};

/* 0, or -EBADMSG: length, type, direction (commands: down = true), enum values, counts, NUL ends. */
int mset_check(const void *message, size_t n, bool down) must_check;
/* Fills the head of a message of that type; returns its size. */
size_t mset_init(union mset_any *m, enum mset_type type, uint64_t session);
const char *mset_name(uint32_t type); /* for logs */
/* Copies a slot of the facts table consistently; false if it changed too often or is of another. */
bool mset_facts_read(const struct mset_facts *slot, uint64_t session, struct mset_facts *ret);
