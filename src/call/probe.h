/* SPDX-License-Identifier: Apache-2.0
 * Active tests of a trunk, part of call.h. A line is a SIP dialog that belongs to no call, driven by the
 * trunk door's vtable here; its owner makes the descriptions and has the media: a test leg (testleg), a
 * session of the media process that is in no call and counts in no record. Call thread. */
#pragma once
#include "base/pool.h"
#include "guard/guard.h"
#include "mset/mset.h"
#include "wire/desc.h"

struct calls;

enum { PROBE_TARGETS_MAX = 8, PROBE_LINES_MAX = 8, PROBE_TEXT_BYTES = 200, PROBE_NAMES_MAX = 8 };

enum probe_method {
  PROBE_INVITE, /* the first one, or within the dialog */
  PROBE_UPDATE,
  PROBE_OPTIONS,
  PROBE_INFO, /* with digit, application/dtmf-relay */
  PROBE_BYE,
  PROBE_CANCEL,  /* of the INVITE, once a provisional came; its final answer is the word */
  PROBE_STRANGE, /* a method that nobody has */
  PROBE_PRACK,   /* in words only: ours are sent by the line itself */
};

/* One request of ours. Texts are copied. */
struct probe_ask {
  enum probe_method method;
  uint32_t target;                  /* target of those that probe->targets told; of the first request */
  const char *called, *caller;      /* of the first one: numbers as the trunk writes them */
  const struct desc *offer;         /* NULL: without a description */
  bool rel_supported, rel_required; /* 100rel */
  uint32_t expires_s, min_s;        /* Session-Expires and Min-SE; 0: none */
  uint32_t padding_bytes;           /* more of it, in a header field */
  char digit;
};

/* One message of the peer, or that none came (is_own). Pointers live as long as the call of word(). */
struct probe_word {
  enum probe_method method;
  int status;              /* 0: it is a request of the peer's, already answered */
  bool is_own;             /* is_own: our own stack said the status: no answer, no connection */
  bool has_100rel;         /* a reliable provisional */
  uint32_t ms;             /* since the request went out */
  bool by_stream;          /* our request went by TCP or TLS */
  const struct desc *desc; /* NULL: none */
  const char *why;         /* what is wrong with the description or the route; NULL: nothing */
  bool is_bad_route, is_bad_contact; /* why is about Contact or Record-Route; about Contact */
  bool has_tag;                      /* has_tag: To has one */
  const char *phrase, *allow, *supported, *contact, *agent, *warning;
  const char *transport;           /* of the Contact's URI; NULL: it names none */
  int64_t date_s;                  /* Date, since 1970; 0: none */
  bool has_session, keeps_session; /* a Session-ID; and ours in it (RFC 7989) */
  uint32_t expires_s, min_s;
  int q850, q850_sip;         /* of Reason */
  char digit;                 /* of an INFO */
  char peer[ADDR_TEXT_BYTES]; /* where it came from */
  const char *tls, *cipher;   /* of its connection; NULL: none */
};

struct probe_user {
  void *arg;
  void (*word)(void *arg, pool_handle line, const struct probe_word *w);
  /* The peer offers within the dialog, by re-INVITE or UPDATE: our answer into ret, false: 488. offer
   * NULL: it asks for ours. */
  bool (*offered)(void *arg, pool_handle line, const struct desc *offer, struct desc *ret);
};

struct probe_target {
  char uri[CONF_PATH_BYTES];
  struct addr addr;
  uint8_t transport; /* enum conf_transport */
  uint32_t goal;     /* which of the trunk's URIs */
};

/* A record of SRV behind the trunk's targets (RFC 2782). */
struct probe_seat {
  char name[64]; /* cut if it is longer */
  uint16_t port, priority, weight;
  uint32_t n_addrs; /* of that name; first is the first of them. */
  struct addr first;
};

/* What a handshake of ours with a target showed, apart from all connections that carry calls. */
struct probe_tls {
  bool is_connected, is_up;   /* the TCP connection; the handshake as our policy wants it */
  bool is_trusted, is_named;  /* a chain to our roots; and the name that we meant is in it */
  bool is_weak, is_unfit;     /* why it is not trusted: a key too short; not for servers */
  bool wants_cert, took_cert; /* it asked for a certificate; and went on when it had ours */
  char protocol[16], cipher[64], error[128], subject[128], issuer[128], names[256];
  int64_t begin_s, end_s;  /* of the peer's certificate; 0: none seen */
  uint32_t connect_ms, ms; /* ms until the handshake's end, the connection's included */
};

/* What is known of its OPTIONS without asking. */
struct probe_heard {
  uint64_t received, last_ms; /* wall; 0: never */
  uint32_t interval_s;        /* in which one is due */
  bool is_due;                /* is_due: the peer is expected to send them. */
};

struct door_probe {
  /* Targets in order, of names that are known by now; those that are not are asked meanwhile. */
  uint32_t (*targets)(void *arg, const struct conf_trunk *t, struct probe_target *ret, uint32_t max);
  /* The SRV records that they come of, once targets told them; 0: there are none. */
  uint32_t (*seats)(void *arg, const struct conf_trunk *t, struct probe_seat *ret, uint32_t max);
  bool (*heard)(void *arg, const struct conf_trunk *t, struct probe_heard *ret);
  /* A new line. 0, -ENOSPC, -ENOTCONN (the trunk's listener is gone). user is copied. */
  int (*open)(void *arg, const struct conf_trunk *t, const struct probe_user *user, pool_handle *ret);
  /* 0; -EBUSY: an INVITE of the line is unanswered (another request is given up for the new one);
   * -ENOTCONN: the dialog does not stand; -ENOENT */
  int (*ask)(void *arg, pool_handle line, const struct probe_ask *a);
  /* Ends what still stands by BYE or CANCEL; no word comes any more. */
  void (*close)(void *arg, pool_handle line);
  /* A handshake with that target, with SNI or without; done comes once, on the call thread. 0 or -errno
   */
  int (*shake)(void *arg, const struct conf_trunk *t, const struct probe_target *target, bool has_sni,
               void (*done)(void *arg, const struct probe_tls *r), void *done_arg);
};
/* That of the door of trunks; NULL: it has none. */
const struct door_probe *calls_probe(struct calls *cs, void **ret_arg);

struct testleg_user {
  void *arg;
  void (*opened)(void *arg, bool is_open);
  void (*digit)(void *arg, char digit, uint32_t ms);
  void (*lost)(void *arg); /* the session is gone by itself */
};

struct testleg;
/* Opens a session for that trunk; opened() follows. 0 or -errno. */
int testleg_new(struct testleg **ret, struct calls *cs, const struct conf_trunk *t,
                const struct testleg_user *user) must_check;
struct testleg *testleg_free(struct testleg *l); /* ends the session */
OWN_DEFINE(testleg)
/* Our offer as trunk t (which may be a changed copy) would make it; within the dialog that in force with
 * that direction. Holds keys: wipe. */
struct verdict testleg_offer(struct testleg *l, const struct conf_trunk *t, uint8_t direction,
                             struct desc *ret) must_check;
/* The peer's answer to ours; is_final: of the 2xx. Refused: nothing changed. */
struct verdict testleg_take(struct testleg *l, const struct conf_trunk *t, const struct desc *ours,
                            const struct desc *theirs, bool is_final) must_check;
/* Our answer to the peer's offer. */
struct verdict testleg_answer(struct testleg *l, const struct conf_trunk *t, const struct desc *offer,
                              struct desc *ret) must_check;
int testleg_tone(struct testleg *l, bool on) must_check;
int testleg_digits(struct testleg *l, struct slice digits) must_check;
bool testleg_facts(const struct testleg *l, struct mset_facts *ret);
