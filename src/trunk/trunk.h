/* SPDX-License-Identifier: Apache-2.0
 * Door of the area trunk: SIP carriers by sofia's nta, the struct door of LEG_TRUNK. One nta agent a
 * listener, no default leg; dialogs are named by pool handles, never by pointers, in sofia's magic.
 * Call thread only, which is the thread of struct root. RFC 3261, 3264, 3311, 3326, 6141, 7989. */
#pragma once
#include "call/call.h"

/* sofia's su_root with the house's loop hung into it: the call thread's turn. Its clock is base/clock
 * (monotonic plus a fixed epoch), so that steps of the wall clock do nothing; only one root at a time.
 */
struct root;
int root_new(struct root **ret, struct loop *loop) must_check; /* 0 or -ENOMEM; loop must outlive it */
struct root *root_free(struct root *r);                        /* after trunks_free() */
OWN_DEFINE(root)
/* Waits at most timeout_ms, runs what is ready and due of SIP and of the loop. */
void root_turn(struct root *r, int timeout_ms);
/* Runs what other threads still sent to SIP, and nothing of the loop, whose owners may be gone: neither now
 * nor later. */
void root_last(struct root *r);

enum trunk_state { TRUNK_UNKNOWN, TRUNK_UP, TRUNK_DOWN };
const char *trunk_state_text(enum trunk_state s);   /* unknown up down */
const char *trunk_overall_text(enum trunk_state s); /* unknown online inactive, as direct routing says */
enum trunk_asked { ASKED_UNKNOWN, ASKED_ACTIVE, ASKED_EXPIRED, ASKED_ERROR }; /* OPTIONS, both ways */
const char *trunk_asked_text(enum trunk_asked s); /* unknown active expired error */
enum trunk_tls { TLS_UNKNOWN, TLS_ACTIVE, TLS_CERT_EXPIRING, TLS_CERT_EXPIRED }; /* the peer's */
const char *trunk_tls_text(enum trunk_tls s); /* unknown active cert_expiring cert_expired */

/* How its calls went since the start: what the network did well is answered + person (NER). */
struct trunk_figures {
  uint64_t seizures, answered, person; /* person: busy, no answer, declined, no such number */
  uint64_t talk_ms;                    /* talk_ms of the answered ones */
};

/* What is known of one trunk. */
struct trunk_health {
  enum trunk_state state; /* state is unknown until OPTIONS or calls told. */
  enum trunk_asked asked;
  enum trunk_tls tls;
  int last_status;                         /* SIP status of our last OPTIONS; 0: none yet */
  uint64_t sent, answered, failed;         /* our OPTIONS */
  uint64_t received;                       /* received counts the peer's OPTIONS. */
  uint64_t last_sent_ms, last_received_ms; /* wall; 0: never */
  int64_t own_expiry_s, peer_expiry_s;     /* ends of the certificates; 0: none (seen) */
  uint32_t calls;                          /* calls are dialogs alive. */
  uint32_t n_goals;                        /* its target, or the hub's data centres */
  enum trunk_state goals[CONF_HUBS_MAX];
  struct trunk_figures figures;
};

/* How it is attached by registration. */
enum { TRUNK_BINDINGS_MAX = 10 };
struct trunk_registration {
  bool is_ours, is_theirs;  /* is_ours: we register with it; is_theirs: its peer may with us. */
  const char *state;        /* ours: off trying registered waiting leaving */
  char at[CONF_NAME_BYTES]; /* at is the registrar in use. */
  int last_status;          /* last_status: of our last REGISTER; 0: none yet */
  uint64_t until_ms;        /* wall; 0: nothing is registered */
  uint32_t n_bindings;      /* theirs, the newest first: that is where calls go */
  struct {
    char contact[320], source[ADDR_TEXT_BYTES];
    uint64_t until_ms;
  } bindings[TRUNK_BINDINGS_MAX];
};

struct trunks_env {
  struct root *root;
  struct loop *loop;
  struct calls *calls;
  struct guard *guard;
  const struct conf *conf; /* conf must live until trunks_reload() gives another. */
  struct traces *traces;   /* traces gets the messages of calls; NULL: nobody does. */
  const char *product;     /* product is what User-Agent and Server say; NULL: "Sallyport" */
};

/* Binds the listeners, starts TLS where one asks for it, adds its door to calls. One at a time in a
 * process. 0; -EADDRINUSE, -ENOTSUP, -EINVAL … with a sentence in why. */
struct trunks;
int trunks_new(struct trunks **ret, const struct trunks_env *env, char *why,
               size_t why_bytes) must_check;
struct trunks *trunks_free(struct trunks *t); /* dialogs alive are forgotten: end the calls before */
OWN_DEFINE(trunks)
/* Takes trunks' settings and certificates anew; listeners stay as they were bound. 0, or -EINVAL with
 * why: a certificate could not be loaded (the old one stays in use; the rest is taken). */
int trunks_reload(struct trunks *t, const struct conf *conf, char *why, size_t why_bytes) must_check;
/* The certificates, keys and roots of the TLS listeners, looked at without starting anything: 0, or
 * -EINVAL with a sentence that names the listener. For --check-config. */
int trunks_check(const struct conf *conf, char *why, size_t why_bytes) must_check;
void trunks_drain(struct trunks *t);         /* OPTIONS are answered 503 from now on; registrations end */
void trunks_pause(struct trunks *t, bool on); /* the same, but registrations stay; and back */
bool trunks_is_idle(const struct trunks *t); /* no dialog left that still has to say goodbye */
bool trunks_health(const struct trunks *t, const char *trunk, struct trunk_health *ret);
/* What an operator should do something about: certificates that end within 30 days or were refused.
 * Returns how many of at most max. */
struct trunk_alarm {
  char trunk[CONF_NAME_BYTES]; /* "": of all */
  bool is_grave;               /* is_grave: today */
  char text[320];
};
uint32_t trunks_alarms(const struct trunks *t, struct trunk_alarm *list, uint32_t max);
/* False: neither. */
bool trunks_registration(struct trunks *t, const struct conf_trunk *trunk,
                         struct trunk_registration *ret);
/* The port that a listener is bound to (of use where the configuration says 0); 0 if unknown. */
uint16_t trunks_port(const struct trunks *t, const char *listener);
const struct counts *trunks_counts(void);
const struct counts *
trunks_transport_counts(void); /* of what lies below SIP: refused traffic, handshakes */
