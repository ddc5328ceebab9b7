/* SPDX-License-Identifier: Apache-2.0
 * What the rooms of trunk share: agents, dialogs, replies. Not for other areas. Call thread. */
#pragma once
#include "base/log.h"
#include "trunk/headers.h"
#include "trunk/shed.h"
#include "trunk/refresh.h"
#include "trunk/expiry.h"
#include "trunk/health.h"
#include "trunk/trunk.h"

#define NTA_AGENT_MAGIC_T struct agent
#define NTA_RELIABLE_MAGIC_T nta_incoming_magic_t
#define SU_ROOT_MAGIC_T struct root
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/sresolv.h>
#include <sofia-sip/tport.h>
#include <sofia-resolv/sres_cache.h>

enum {
  INFOS_MAX = 64, /* digits that wait to be sent by INFO; more are dropped */
  DIALOGS_MAX = 20000,
  FORKS_MAX = 8,
  PROBES_MAX = 16,
  PROVISIONALS_MAX = 16, /* 180 and 183 that a caller is told in turn; then no more */
  TAG_BYTES = 128,
  TARGET_BYTES = CALL_REFER_BYTES + 2, /* longer than our own URIs: a hub's in Refer-To */
  SDP_BYTES = DESC_TEXT_MAX_BYTES,
  MESSAGE_MAX_BYTES = 65536,
  MAX_FORWARDS = 70,
  ONCE_PER_S = 100, /* answers outside of a dialog that may keep a transaction, a second */
  T1_MS = 500,
  T1X64_MS = 64 * T1_MS,
};

#define HOSTS_FILE "/etc/hosts"
#define ALLOW "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, NOTIFY"
#define SDP_TYPE "application/sdp"

/* The transport of one listener. */
struct agent {
  struct trunks *t;
  nta_agent_t *nta;
  char listener[CONF_NAME_BYTES];
  uint8_t transport;          /* transport is an enum conf_transport. */
  char host[CONF_NAME_BYTES]; /* host is what Via shows. */
  uint16_t port;
  int family; /* family of its socket, AF_INET or AF_INET6 */
};

/* Health of one trunk and its OPTIONS timer. */
struct watch_trunk {
  struct trunks *t;
  char trunk[CONF_NAME_BYTES];
  struct trunk_health health; /* its counts; states are made when asked */
  struct health engine;
  enum trunk_state told;       /* told is the state that was logged last. */
  uint32_t n_probes, n_unsent; /* of this round; rounds that could not be sent */
  struct watch_probe {
    struct addr addr;
    uint8_t transport;
    bool is_pending, is_good;
    uint32_t goal;
  } probe[PROBES_MAX];     /* our OPTIONS to each resolved target */
  uint64_t run;            /* run names the transactions whose answers count. */
  char contact[URI_BYTES]; /* hub: where the peer's OPTIONS said that ours go; "": the target */
  int told_own, told_peer; /* which warnings of certificates' ends were said, see expiry.h */
  char route[URI_BYTES];   /* … by way of its Record-Route; "": straight */
  struct timer timer;
};

struct dialog;

/* timeline: what the trunks' messages become in a call's timeline */
struct hook_message;
void timeline_message(void *arg, const struct hook_message *m);              /* a hook_admission's */
struct trace *timeline_begin(struct agent *a, msg_t *msg, const sip_t *sip); /* an INVITE; NULL: none */
const char *timeline_call_id(struct dialog *d, char dst[128]); /* ours, bound; "" where nobody traces */

struct stir;

struct trunks {
  struct trunks_env env;
  struct stir *stir; /* stir vouches for callers; NULL without memory for it */
  char product[64];
  bool draining;
  struct shed shed;
  uint32_t n_agents, n_watches;
  struct agent agents[CONF_LISTENERS_MAX];
  struct watch_trunk watches[CONF_TRUNKS_MAX];
  struct pool *dialogs, *lines; /* lines: see line.h */
  struct regist *regist;        /* regist: accounts and registrations, see regist.h. */
  struct bucket once;           /* once: see ONCE_PER_S. */
  sres_cache_t *names; /* names is the memory of sofia's resolver, with those of /etc/hosts in it. */
  sres_cache_t *hosts; /* hosts has those of /etc/hosts alone. */
  struct timer names_timer;
  struct resolver *resolver; /* resolver: RFC 3263 for requests outside of dialogs; see hops.h */
  struct asker *asker;
  struct shun *shunned;
  struct pool *hops;
  struct timer lookup_timer;
  char resolv_conf[CONF_PATH_BYTES + 16]; /* node.resolvers as a file for sofia's resolver; "": none */
  struct pin *pins;                       /* pins: see hops_pin() */
  struct expiry_files files;              /* files of certificates and keys, looked at by renewal */
  struct timer renewal_timer;
  struct timer keepalive_timer;
  char renewal_why[256]; /* why the newest files were refused; "": they were not */
};

enum dialog_state {
  DIALOG_NEW,     /* the INVITE has no final response yet; UAC: not sent yet */
  DIALOG_CALLING, /* UAC: the INVITE is out */
  DIALOG_UP,      /* a 2xx was sent or acknowledged */
  DIALOG_CLOSING, /* the call is over; something is still owed to the peer */
};

/* An early dialog of a callee. */
struct fork {
  char tag[TAG_BYTES];
  uint32_t rseq;    /* rseq is that of the last reliable provisional response; 0: none came. */
  bool is_answered; /* is_answered: offer and answer are complete: a reliable one brought the answer. */
  nta_outgoing_t *prack_out; /* prack_out is our PRACK until its answer. */
};

/* Our reliable provisional responses to the caller's INVITE, RFC 3262. */
struct prack {
  bool is_on;              /* is_on: the caller has 100rel and the trunk lets us: 18x go reliably. */
  bool has_offer;          /* has_offer: ours is in one of them; its PRACK brings the answer. */
  bool is_agreed;          /* is_agreed: offer and answer are complete, before the 200. */
  bool is_late;            /* is_late: one was never acknowledged. */
  bool answer_waits;       /* answer_waits: the 200 goes out when sdp_due is acknowledged. */
  uint32_t n_due;          /* n_due are without PRACK. */
  nta_reliable_t *sdp_due; /* sdp_due is the one with our description, until its PRACK. */
};

/* The peer's REFER, while its NOTIFYs are due. */
struct refer {
  bool is_on, is_silent; /* is_silent: it wants no NOTIFY (RFC 4488). */
  nta_incoming_t *irq;   /* irq is the REFER until it is answered. */
  uint32_t n, cseq;      /* n counts the dialog's; cseq names this one. */
};

/* Our REFER, until its last NOTIFY. */
struct referring {
  bool is_on, is_accepted;
  nta_outgoing_t *orq; /* orq is the REFER until its answer. */
  struct timer timer;
};

/* One SIP dialog (with its early forks), and its side of the call's leg. */
struct dialog {
  pool_handle id;
  struct trunks *t;
  struct agent *agent;
  pool_handle leg; /* leg is the call's; 0 once the call is done with it. */
  enum dialog_state state;
  bool is_uas;
  char trunk[CONF_NAME_BYTES], fqdn[CONF_NAME_BYTES];
  char user[CONF_NAME_BYTES];  /* user is the user part of our Contact. */
  char called[64], caller[64]; /* of a callee: the numbers as its trunk writes them */
  char target[TARGET_BYTES];   /* target is the Request-URI of a UAC. */
  uint32_t goal;               /* goal is which of the trunk's goals that is (health.h). */
  uint32_t binding;            /* binding is the key of the binding that is called, see struct hop. */
  struct addr peer;            /* peer is where the INVITE, or its answer, came from. */
  int max_forwards;            /* max_forwards came with the INVITE, or goes with it. */
  const char *allow;           /* allow is what our Allow says. */
  bool has_replaces;           /* has_replaces: and our Supported. */
  char session_local[SESSION_ID_BYTES], session_remote[SESSION_ID_BYTES]; /* of this dialog; "": none */
  uint32_t answer_timeout_s;
  pool_handle hops; /* hops is the INVITE's walk over the trunk's targets, 0 when it is over. */
  char *offer;      /* offer is the body of our INVITE until its final answer. */
  char hop[ADDR_TEXT_BYTES + 32];   /* hop is the URI of dialog_hop(). */
  char route[CONF_PATH_BYTES + 96]; /* route is where it went: the route_url of the same again. */
  int last_q850;                    /* last_q850: of the last answer's Reason, 0 without */
  nta_leg_t *nta;
  nta_incoming_t *invite_in;  /* the initial INVITE until it is acknowledged */
  nta_outgoing_t *invite_out; /* … until its final response */
  char invite_branch[TAG_BYTES];
  struct timer timer; /* timer is the answer timeout, then the wait of CLOSING. */

  bool has_pem;    /* has_pem: the INVITE had P-Early-Media, and the trunk is trusted with it. */
  bool is_late;    /* is_late: the INVITE had no offer; the 200 has, the ACK answers. */
  bool is_acked;   /* is_acked: the 2xx to the INVITE was acknowledged, or never will be. */
  bool is_placing; /* is_placing: call_place is running: callbacks are only noted. */
  bool was_opened, was_ended; /* noted while placing */
  uint16_t provisional;       /* provisional is the last one that we sent, 0: none but 100. */
  uint32_t n_provisionals;    /* n_provisionals is how many, up to PROVISIONALS_MAX. */
  bool is_canceled;           /* is_canceled: the call ended before the final response. */
  bool got_final;             /* got_final: the INVITE's last word was said, by either side. */
  bool got_bye;
  bool had_progress; /* had_progress: a provisional other than 100 came. */
  bool owes_bye;     /* owes_bye: a BYE is due once the 2xx is acknowledged. */
  bool owes_cancel;  /* owes_cancel: a CANCEL is due once a provisional came. */
  struct cause bye_cause;

  char *location;          /* location is the PIDF-LO that came with the INVITE; NULL: none. */
  bool routes_by_location; /* … and its Geolocation-Routing was yes */
  char *passports; /* passports are Identity lines that came and are, or may be, good; NULL: none. */
  struct prack prack;
  uint32_t n_forks;
  struct fork *forks; /* forks are the early dialogs 1 to 8, by To tag; NULL: none. */
  uint32_t fork;      /* fork is the one in force. */

  nta_incoming_t *offer_in; /* offer_in is a re-INVITE or UPDATE that waits for our answer. */
  nta_incoming_t *ack_in;   /* ack_in is a re-INVITE whose 2xx is not acknowledged. */
  bool offer_in_is_late, offer_in_is_update; /* offer_in_is_late: we offer in its 2xx. */
  uint64_t cookie;                           /* cookie names the leg_reoffer that is under way. */
  nta_outgoing_t *offer_out;                 /* offer_out is our re-INVITE. */
  nta_outgoing_t *info_out; /* info_out is our INFO; one at a time, so that digits keep their order. */
  uint32_t n_infos;
  struct info_digit {
    char digit;
    uint32_t ms;
  } * infos;              /* infos are the digits that wait for it, INFOS_MAX; NULL: there was none. */
  bool has_wish, wish_on; /* has_wish: a hold (wish_on) or resume is still to be told. */
  uint32_t retries;       /* retries counts 491s in a row. */
  struct timer retry;

  struct refresh refresh;                /* refresh is the session timer's engine. */
  struct refresh_fields asked, asked_in; /* by the first INVITE, by what is offer_in */
  bool owes_refresh;                     /* owes_refresh: ours is due and not sent. */
  bool takes_update;                     /* takes_update: the peer's Allow has UPDATE. */
  bool was_cut;               /* was_cut: the last re-INVITE of ours was lost with its connection. */
  bool out_is_refresh;        /* out_is_refresh: offer_out tells nothing new. */
  nta_outgoing_t *update_out; /* update_out is our UPDATE without a description. */
  struct timer expiry;
  bool takes_refer; /* takes_refer: the peer\'s Allow has REFER. */
  struct refer refer;
  struct redirect *redirect; /* redirect is what a 3xx names, NULL: nothing that is followed. */
  struct referring referring;
};

/* As nta_outgoing_tcreate(), which it stands in for everywhere: the Via shows the name that the dialog's
 * trunk knows us by (its fqdn), or that host where it is no dialog's; NULLs: the listener's. */
nta_outgoing_t *via_create(const struct agent *a, const char *host, nta_leg_t *leg, nta_response_f *fn,
                           nta_outgoing_magic_t *magic, url_string_t const *route, sip_method_t method,
                           char const *name, url_string_t const *uri, tag_type_t tag, tag_value_t value,
                           ...);
#define nta_outgoing_tcreate(leg, fn, magic, route, ...) \
  via_create(NULL, NULL, leg, fn, magic, route, __VA_ARGS__)

/* Only one door lives in a process: callbacks of sofia find it here. */
extern struct trunks *the_trunks;
extern struct counts trunk_counters;
enum trunk_count {
#define COUNT(id, kind, name, labels, help) TRUNKCOUNT_##id,
#include "trunk/count.def"
#undef COUNT
  TRUNKCOUNT_COUNT_
};

su_root_t *root_su(const struct root *r);

/* hosts: the resolver's memory with the names of /etc/hosts in it, kept so. 0 or -ENOMEM */
int hosts_start(struct trunks *t) must_check;
void hosts_stop(struct trunks *t);
void hosts_read(sres_cache_t *cache, const char *path);

/* agent */
struct agent *agent_find(struct trunks *t, const char *listener);
const char *agent_transport(const struct agent *a); /* "tcp", "tls"; NULL for UDP */
uint8_t agent_transports(const struct agent *a);    /* bits 1 << TRANSPORT_… that it can send by */
void agent_source(const msg_t *msg, struct addr *ret);
const struct conf_trunk *agent_peer(struct agent *a, msg_t *msg, const sip_t *sip,
                                    struct addr *ret_source);
/* What of its Require we do not know on that trunk, RFC 3261 8.2.2.3. True if there is something. */
bool agent_requires(const sip_t *sip, const struct conf_trunk *trunk, char *unsupported, size_t bytes);
bool agent_knows(const sip_t *sip, const char *option); /* in Supported or Require */
int agent_message(struct agent *a, nta_agent_t *nta, msg_t *msg, sip_t *sip);

/* ask: the last place that knows SIP */
void ask_build(struct ask *ret, struct agent *a, msg_t *msg, const sip_t *sip);
void ask_subjects(struct ask_hosts *ret, struct agent *a, msg_t *msg);
void ask_hosts_add(struct ask_hosts *h, const char *host, const char *port);
void ask_routes(struct ask_hosts *h, const sip_route_t *r);
/* Only sip and sips, one word of host, no others: what nta may ever be given as a target. */
bool uri_is_sip(const url_t *u);
bool contact_is_sane(const sip_contact_t *m); /* present, first one sip or sips, not "*" */
bool routes_are_sane(const sip_route_t *r);
void edits_take(msg_t *msg, sip_t *sip, const struct conf_trunk *t); /* the trunk's headers.in */
const char *header_unknown(const sip_t *sip, const char *name);

/* reason: what a message's Reason says; 0 where it says nothing */
struct reason {
  int sip, q850;
};
struct reason reason_read(const sip_t *sip);
int reason_q850(const sip_t *sip);                                  /* 0: it says none */
char *reason_write(char *dst, size_t bytes, const struct cause *c); /* at least 128 bytes */

/* body: BODY_OTHER is answered 415 */
enum body { BODY_NONE, BODY_SDP, BODY_OTHER };
enum body body_of(const sip_t *sip, struct slice *ret_sdp);
struct slice body_part(const sip_t *sip, struct slice type); /* of a multipart body; n 0: none */
struct verdict body_desc(const sip_t *sip, struct desc *ret, bool *ret_has); /* also 415, 400, 488 */

/* reply: the one place that answers */
struct reply {
  int status;
  const char *allow, *accept, *unsupported, *supported, *require, *line, *contacts,
      *body;                    /* NULL: not there */
  char expires[32], min_se[12]; /* of RFC 4028; "": not there */
  char warning[600], reason[200], retry_after[12], session[80], contact[URI_BYTES + 2];
};
void reply_init(struct reply *r, int status);
void reply_refusal(struct reply *r, const struct verdict *v, const char *host);
void reply_cause(struct reply *r, const struct cause *c);
/* To a transaction: never a provisional after a final, never two finals. */
void reply_to(const struct agent *a, nta_incoming_t *irq, const struct reply *r);
/* The same for a provisional one, reliably; NULL: it cannot be (not asked for, no memory). */
nta_reliable_t *reply_reliable(const struct agent *a, nta_incoming_t *irq, const struct reply *r,
                               nta_prack_f *fn, nta_incoming_magic_t *magic);
void reply_stateless(const struct agent *a, msg_t *msg, const struct reply *r); /* takes msg */
void reply_once(const struct agent *a, msg_t *msg, sip_t *sip,
                const struct reply *r); /* takes msg; with a transaction */

/* dialog */
struct dialog *dialog_get(const void *magic);
struct dialog *dialog_new(struct trunks *t, struct agent *a, const struct conf_trunk *trunk);
void dialog_drop(struct dialog *d);
struct leg *dialog_leg(const struct dialog *d);
static inline void *dialog_magic(const struct dialog *d) { return (void *)(uintptr_t)d->id; } // NOLINT
const char *dialog_host(const struct dialog *d);
char *dialog_contact(const struct dialog *d, char *dst, size_t bytes);
char *dialog_session(struct dialog *d, char *dst, size_t bytes);
char *dialog_session_line(struct dialog *d, char *dst, size_t bytes); /* with the field's name, or "" */
void dialog_session_take(struct dialog *d, const sip_t *sip);
void dialog_reply(struct dialog *d, nta_incoming_t *irq, struct reply *r); /* with our Session-ID */
bool dialog_is_peer(struct dialog *d, nta_incoming_t *irq,
                    const sip_t *sip); /* is the request from it? */
int dialog_request(nta_leg_magic_t *magic, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip);
/* Where requests within the dialog go other than by its route set (next_hop: source); NULL: nowhere. */
const url_string_t *dialog_hop(struct dialog *d);
/* The peer's Contact in a 2xx to ours is the new target, if it is of the same kind as the first. */
void dialog_retarget(struct dialog *d, nta_outgoing_t *orq, const sip_t *sip);
void dialog_ack(struct dialog *d, uint32_t cseq, const char *branch, const char *body);
void dialog_bye(struct dialog *d, const struct cause *c);
/* Ends the call's leg for a reason of the peer's or of the wire; door->ended does the rest. */
/* The same by us, for a fault that the record's sentence names. */
void dialog_fault(struct dialog *d, enum why_fault fault, enum end_reason reason, int sip,
                  const char *detail);
void dialog_end(struct dialog *d, enum end_reason reason, enum end_by by, int sip, int q850,
                const char *detail);
enum end_by dialog_by_peer(const struct dialog *d);
/* The leg of a 2xx that nobody wants: ACK, then BYE, then gone (d is dropped). */
void dialog_refuse_answer(struct dialog *d, const sip_t *sip);
void dialog_over(struct dialog *d);    /* all was said: gone, at once or when it was heard */
void dialog_linger(struct dialog *d);  /* CLOSING, dropped at the latest after 64*T1 */
char *desc_text(const struct desc *d); /* on the heap, NULL on error; free with text_free */
void text_free(char *text);            /* wiped: it may hold keys */

/* expires: the session timer */
struct expires_text {
  char expires[32], min_se[12]; /* "": not there */
  const char *supported;
};
#define EXPIRES_TAGS(x) \
  TAG_IF((x)->supported, SIPTAG_SUPPORTED_STR((x)->supported)), \
      TAG_IF(*(x)->expires, SIPTAG_SESSION_EXPIRES_STR((x)->expires)), \
      TAG_IF(*(x)->min_se, SIPTAG_MIN_SE_STR((x)->min_se))
void expires_init(struct dialog *d, const struct conf_trunk *trunk);
void expires_done(struct dialog *d);
void expires_read(const sip_t *sip, struct refresh_fields *ret);
/* A peer's INVITE or UPDATE: may it ask that? Refused: 422, with Min-SE of the trunk. */
struct verdict expires_check(const struct conf_trunk *trunk, const sip_t *sip) must_check;
void expires_take(struct dialog *d, const sip_t *sip, struct refresh_fields *ret_asked);
void expires_answer(struct dialog *d, const struct refresh_fields *asked,
                    struct reply *r);                               /* the 2xx to it goes out */
void expires_ask(const struct dialog *d, struct expires_text *ret); /* for an INVITE or UPDATE of ours */
void expires_agreed(struct dialog *d, const sip_t *sip);            /* its 2xx came */
/* It got that final response: a 422 that is obeyed? Then it is to be sent again. */
bool expires_raised(struct dialog *d, int status, const sip_t *sip) must_check;
void expires_failed(struct dialog *d); /* a refresh was refused */
bool expires_update(struct dialog *d); /* refreshes by UPDATE; false: it must be a re-INVITE */

/* inbound, outbound, reinvite, wish, info, options, door */
void inbound_invite(struct agent *a, msg_t *msg, sip_t *sip, const struct conf_trunk *trunk,
                    const struct addr *source);
void inbound_opened(struct dialog *d, struct leg *l);
void inbound_provisional(struct dialog *d, struct leg *l, int status);
void inbound_forwarded(struct dialog *d); /* 181 */
void inbound_answered(struct dialog *d, struct leg *l);
void inbound_ended(struct dialog *d, const struct cause *c);
struct verdict callee_ring(struct trunks *t, struct call *c, const struct target *target);
void callee_fail(struct dialog *d, struct cause c); /* the leg failed, nothing else is to be tried */
void callee_opened(struct dialog *d, struct leg *l);
void callee_ended(struct dialog *d, const struct cause *c);
/* early: 18x of a callee. early_fork: the number of an early dialog, 1 to 8, by its To tag; 0 when there
 * are too many. early_check: may this answer's Contact, Record-Route and chain stand? */
uint32_t early_fork(struct dialog *d, const sip_t *sip);
struct verdict early_check(struct dialog *d, const sip_t *sip);
/* The offer of a callee that was asked without one; *ret_body is our answer, free with text_free. */
struct verdict early_offer(struct dialog *d, struct leg *l, uint32_t number, const struct desc *offer,
                           char **ret_body);
bool early_is_agreed(struct dialog *d, const sip_t *sip); /* may who sent sip offer before the 200? */
void early_provisional(struct dialog *d, struct leg *l, const sip_t *sip, int status);

/* prack: RFC 3262, both roles. prack_start: of an INVITE that came. prack_reply: 18x, reliably where
 * that is agreed; has_sdp tells whether r->body is our offer (late) or answer. prack_holds_answer: the
 * 200 must wait, inbound_answered is called again when it may go. prack_send: acknowledges a callee's
 * provisional, body NULL or our answer. */
void prack_start(struct dialog *d, const sip_t *sip, const struct conf_trunk *trunk);
void prack_reply(struct dialog *d, const struct reply *r);
bool prack_holds_answer(struct dialog *d);
bool prack_is_reliable(const struct dialog *d, const sip_t *sip);
bool prack_is_news(struct fork *f, const sip_t *sip); /* false: a repetition, or one went missing */
void prack_send(struct dialog *d, struct fork *f, const sip_t *sip, const char *body);
/* The route set of an early dialog, with its target, as its PRACK needs it; NULL: none. */
sip_route_t *prack_route(su_home_t *home, const sip_t *sip, const url_t **target);
void prack_done(struct dialog *d); /* forget what is under way */
int reinvite_in(struct dialog *d, nta_incoming_t *irq, const sip_t *sip, bool is_update);
void reinvite_answer(struct dialog *d, struct leg *l, uint64_t cookie, const struct verdict *v,
                     const struct desc *local);
void reinvite_done(struct dialog *d);      /* answer what waits */
void wish_hold(struct dialog *d, bool on); /* tell the peer of hold or resume, when it can be */
void wish_next(struct dialog *d);          /* tell what waits, if nothing is under way */
void wish_done(struct dialog *d);          /* forget what is under way */
/* redirect: 3xx of a callee, ours to a caller */
void redirect_note(struct dialog *d, const sip_t *sip);
bool redirect_follow(struct dialog *d, struct cause *c);
void redirect_contacts(char *dst, size_t bytes, const struct dialog *d, const struct redirect *r);
/* replaces: whose place an INVITE takes, 0: nobody's; and what the trunk is told that it may */
bool replaces_may(const struct conf_trunk *t);
const char *allow_of(const struct conf_trunk *t);
struct verdict replaces_check(struct agent *a, const sip_t *sip, const struct conf_trunk *t,
                              pool_handle *ret_leg) must_check;
/* refer, notify: a peer's transfer of its call, and what came of it */
int refer_in(struct dialog *d, nta_incoming_t *irq, const sip_t *sip);
void refer_told(struct dialog *d, const struct transfer_news *news);
void refer_notify(struct dialog *d, int status, bool is_last);
/* … and of ours. refer_taken: the peer says goodbye; had it taken the REFER, that was its last word.
 */
struct verdict refer_out(struct dialog *d, const char *number, const char *by) must_check;
int refer_notified(struct dialog *d, nta_incoming_t *irq, const sip_t *sip);
void refer_taken(struct dialog *d);
void refer_done(struct dialog *d);
int info_in(struct dialog *d, nta_incoming_t *irq, const sip_t *sip);
void info_digit(struct dialog *d, char digit, uint32_t ms); /* to the peer */
void info_done(struct dialog *d);                           /* forget what is under way */
void options_in(struct agent *a, msg_t *msg, const sip_t *sip, const struct conf_trunk *trunk);
void options_start(struct trunks *t);
void options_stop(struct trunks *t);
/* regist, proof: see regist.h. regist_start also takes a new configuration, after regist_reload. */
int regist_start(struct trunks *t) must_check;
void regist_reload(struct trunks *t, const struct conf *next);
void regist_drain(struct trunks *t);
bool regist_is_idle(const struct trunks *t);
void regist_free(struct trunks *t);
/* Of trunks that are reached by a registration, either way: 0 there is one; without: 1 with another
 * target, else -ENOTCONN. 0 for all others. */
int regist_rank(struct trunks *t, const struct conf_trunk *trunk);
const char *regist_words(void *arg, const struct conf_trunk *trunk, char *dst,
                         size_t bytes); /* why it is not */
/* Of trunks of one carrier that one whose registered Contact is called; found where there is none. */
const struct conf_trunk *regist_pick(struct agent *a, const struct conf_trunk *found,
                                     const struct addr *source, const struct ask_hosts *subjects,
                                     const sip_t *sip);
/* The user part that was called: where that is our Contact, of P-Called-Party-ID (RFC 7315 4.2) or To.
 */
struct slice regist_called(const struct conf_trunk *trunk, const sip_t *sip);
/* The Request-URI of a call to a peer that registered with a Contact of one user: that Contact, the
 * number being in To. Else target stays. key: the binding's, see struct hop. */
void regist_target(struct trunks *t, const struct conf_trunk *trunk, uint32_t key, char *target,
                   size_t bytes);
/* Route headers of an INVITE to it, by Service-Route or the binding's Path; "" for none. */
const char *regist_routes(struct trunks *t, const struct conf_trunk *trunk, uint32_t key);
/* A request that may be challenged: by which trunk and agent it went, its leg (NULL: gone), and who
 * hears the answer to the next one. */
struct proof {
  const struct conf_trunk *trunk;
  const struct agent *agent;
  nta_leg_t *leg;
  nta_response_f *fn;
  void *magic;
};
/* Is sip, the response to *orq, a challenge that this trunk answers? Then *orq is the new request, with
 * the next CSeq and another branch, and the old one is gone. False: nothing was done. */
bool proof_again(const struct proof *p, nta_outgoing_t **orq, const sip_t *sip);
bool dialog_proof(struct dialog *d, nta_outgoing_t **orq, const sip_t *sip, nta_response_f *fn);
/* The callback for a last request of a dialog that is not waited for; NULL, NULL: none is needed. */
nta_response_f *farewell_fn(const struct dialog *d, nta_outgoing_magic_t **ret_magic);
/* keepalive: pings on our TCP and TLS connections, by trunks[].keepalive_s */
void keepalive_start(struct trunks *t);
void keepalive_stop(struct trunks *t);
/* renewal: certificates while the program runs */
void renewal_start(struct trunks *t);
void renewal_stop(struct trunks *t);
int renewal_reload(struct trunks *t, const struct conf *old, char *why, size_t why_bytes);
int64_t renewal_own_expiry_s(const struct trunks *t, const struct conf_trunk *trunk); /* 0: none */
/* watch: what calls tell of health, and what health tells calls. */
struct watch_trunk *watch_find(struct trunks *t, const char *trunk);
void watch_tell(struct watch_trunk *w, const struct conf_trunk *trunk);
int watch_rank(const struct trunks *t, const struct conf_trunk *trunk); /* as struct door's rank */
/* The i-th SIP URI to try, the best first, and which goal it is. 0, or -ENOENT past the last. */
int watch_target(struct trunks *t, const struct conf_trunk *trunk, uint32_t i, char *dst,
                 size_t dst_bytes, uint32_t *ret_goal) must_check;
void watch_call(struct trunks *t, const char *trunk, uint32_t goal, bool is_reached);
/* 503 of the goal's: not before retry_after_s; tp is its connection, closed in role sbc (I-18). */
void watch_busy(struct trunks *t, const char *trunk, uint32_t goal, uint32_t retry_after_s,
                msg_t *response, struct agent *a);
void watch_ended(struct trunks *t, const struct leg *l); /* figures */
void registrar_in(struct agent *a, msg_t *msg, sip_t *sip, const struct conf_trunk *trunk,
                  const struct addr *source);
/* challenge: has the request proven a user of its trunk? False: it was answered, msg is taken. */
bool challenge_pass(struct agent *a, msg_t *msg, const sip_t *sip, const struct conf_trunk *trunk,
                    const struct addr *source);
extern const struct door trunk_door;
extern const struct door_probe trunk_probe;

/* secure: profiles and hooks of trunk/tls.h, apart because sofia and it are one floor below */
int secure_start(struct trunks *t, bool has_tls, char *why, size_t why_bytes);
/* Would the same files be loaded for both? What stands in them is another matter. */
bool secure_same(const struct conf *a, const struct conf_listener *la, const struct conf *b,
                 const struct conf_listener *lb);
int secure_listener(const struct conf *conf, const struct conf_listener *l, bool is_reload, char *why,
                    size_t why_bytes);
void secure_stop(void);
