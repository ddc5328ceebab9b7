/* SPDX-License-Identifier: Apache-2.0
 * Border policy: the ordered list of checks that every attempt passes before anything is allocated,
 * and the one table of refusals (refuse.def), each row driving SIP status and Warning, Q.850 cause,
 * REST problem, call record and metric. Call thread only. */
#pragma once
#include "base/addr.h"
#include "base/count.h"
#include "conf/conf.h"
#include "wire/history.h"
#include "wire/lnp.h"

enum refusal { /* REFUSE_NONE is 0: passed */
#define REFUSE(id, rule, sip, q850, http, code, title) REFUSE_##id,
#include "guard/refuse.def"
#undef REFUSE
               REFUSE_COUNT_
};

struct refusal_row {
  const char *rule; /* "third_party_proxy": the record's rule, the detail of reason policy */
  int sip;          /* SIP status; 0: no answer at all */
  int q850;         /* cause, 0 for none */
  int http;         /* HTTP status */
  const char *code; /* problem code of native-signaling section 11, "policy:<rule>" where it is policy */
  const char *title; /* what a person reads */
};
const struct refusal_row *refusal_row(enum refusal r);

struct verdict {
  enum refusal refusal; /* REFUSE_NONE: go on */
  int retry_after_s;    /* 0 for none */
  int sip, q850;        /* of a dialplan's own refusal; 0: the row's */
  char detail[200];     /* names the host or field, and the line that would allow it */
};
/* The status to answer with, 0: none; the cause. */
static inline int verdict_sip(const struct verdict *v) {
  return v->sip ? v->sip : refusal_row(v->refusal)->sip;
}
static inline int verdict_q850(const struct verdict *v) {
  return v->q850 ? v->q850 : refusal_row(v->refusal)->q850;
}
struct verdict verdict_pass(void);
/* A refusal with 503 says to come back in 5 s, unless who refuses knows better. */
struct verdict verdict_refuse(enum refusal r, const char *format, ...) printf_like(2, 3);
static inline bool verdict_is_pass(const struct verdict *v) { return v->refusal == REFUSE_NONE; }

enum { ASK_HOSTS_MAX = 16, ASK_HOST_BYTES = 128, ASK_NUMBER_BYTES = 64 };

struct ask_hosts {
  uint32_t n;                               /* n may be past ASK_HOSTS_MAX: then the chain is refused. */
  char host[ASK_HOSTS_MAX][ASK_HOST_BYTES]; /* "host" or "host:port" as written */
};

/* One inbound trunk INVITE, free of SIP's types: trunk/inbound is the last place that knows SIP. */
struct ask {
  const struct conf_trunk *trunk; /* by guard_peer_trunk, NULL if none */
  struct addr source;
  uint8_t transport;                           /* enum conf_transport */
  struct ask_hosts subjects;                   /* verified certificate names (TLS), "" else */
  struct ask_hosts vias, record_routes, paths; /* paths: Path and Service-Route */
  char contact_host[ASK_HOST_BYTES];
  bool contact_is_ip;
  int max_forwards;                                                /* -1 if absent */
  char caller[ASK_NUMBER_BYTES], caller_display[ASK_NUMBER_BYTES]; /* number or user part */
  char called[ASK_NUMBER_BYTES];
  struct lnp lnp; /* what was known of the called number's carrier */
  bool anonymous;
  bool is_asserted; /* is_asserted: the caller is one that a trusted trunk vouches for. */
  struct history history; /* who diverted it, as a trusted trunk tells */
  char session_id[33]; /* local UUID of RFC 7989, "" if absent */
  char sip_call_id[256];
};

/* Is the number among those that the trunk may show (numbers_allowed)? True where there are none. */
bool guard_may_show(const struct conf_trunk *t, struct slice number);

struct guard;
/* conf must outlive the guard or be replaced by guard_reload. */
int guard_new(struct guard **ret, const struct conf *conf) must_check;
struct guard *guard_free(struct guard *g);
OWN_DEFINE(guard)
void guard_reload(struct guard *g, const struct conf *conf);
/* One that is only asked what it would do: on a thread of its own, and it tells nobody. */
void guard_rehearse(struct guard *g);
const struct counts *guard_counts(const struct guard *g); /* refusals by rule, admitted and live calls */

/* peer: is this source known at all? Cheap, before any parse (also for the receive hook, on the call
 * thread). Considers the addresses and CIDRs of peers and proxies of trunks on that listener, and for
 * TLS any source when a trunk of the listener is known by certificate name. */
bool guard_knows_source(const struct guard *g, const char *listener, const struct addr *source);
/* The trunk of a request: by certificate subject (TLS), else by address. Of trunks of equal peers the
 * Contact's host tells which (a tenant by its own name, then by its parent domain, "*." among peers),
 * then to_host (request-URI or To host) by our fqdn. NULL: unknown. An unknown one is counted. */
const struct conf_trunk *guard_peer_trunk(const struct guard *g, const char *listener,
                                          const struct addr *source, const struct ask_hosts *subjects,
                                          struct slice contact_host, struct slice to_host);
/* Could a request from there be of that very trunk? For requests within a dialog, which name nobody. */
bool guard_is_peer(const struct guard *g, const struct conf_trunk *trunk, const struct addr *source,
                   const struct ask_hosts *subjects);
/* A source did not prove who it is, with a nonce that it must have received. Ten of them within a minute
 * ban it for five; true: by this one. */
bool guard_note_failure(struct guard *g, const struct addr *source, uint64_t now_us);
/* Bans by operators beside those by failures: until_us, or lifted. 0, -ENOSPC (512 by hand); -ENOENT. */
enum { GUARD_WHY_BYTES = 257, GUARD_BY_BYTES = 65, GUARD_BANS_MAX = 1024 };
struct guard_ban {
  char address[ADDR_TEXT_BYTES]; /* IPv6: the /64 */
  char why[GUARD_WHY_BYTES], by[GUARD_BY_BYTES];
  uint64_t until_us, hits;
  bool by_hand;
};
/* One that was in force before a restart, as guard_bans() told it; its address apart. */
int guard_ban_back(struct guard *g, const struct addr *source, const struct guard_ban *b) must_check;
int guard_ban(struct guard *g, const struct addr *source, uint64_t until_us, const char *why,
              const char *by) must_check;
int guard_unban(struct guard *g, const struct addr *source) must_check;
/* Those in force into list (of GUARD_BANS_MAX); their number. */
size_t guard_bans(const struct guard *g, uint64_t now_us, struct guard_ban *list);
bool guard_is_banned(const struct guard *g, const struct addr *source, uint64_t now_us);
/* The ordered checks: trunk known, enabled, loop (our own address among the Vias), the chain rule of
 * the trunk's kind, max forwards, hairpin, calls a second, live calls of the trunk and the node. On
 * pass the call is counted as live: guard_leave(trunk) when it ends. Refusals are counted here and in
 * guard_admit_out and guard_answer_chain: guard_count() is for those of other rooms. */
struct verdict guard_admit(struct guard *g, const struct ask *ask, uint64_t now_us);
/* Outbound: a live call toward a trunk. Same limits. */
struct verdict guard_admit_out(struct guard *g, const struct conf_trunk *trunk, uint64_t now_us);
/* Emergency calls are counted as live and pass every limit. */
void guard_admit_emergency(struct guard *g, const struct conf_trunk *trunk);
void guard_leave(struct guard *g, const struct conf_trunk *trunk);
uint32_t guard_live(const struct guard *g, const struct conf_trunk *trunk); /* NULL: of the node */
/* Hairpin: every INVITE that we send to a trunk is noted (session_id: our own UUID of RFC 7989). An
 * inbound one with the Session-ID of a noted call, or with its caller and called on the same trunk
 * within 10 s, is the call coming back. Notes are bounded; forget when the call ends. */
void guard_note_out(struct guard *g, const struct conf_trunk *trunk, struct slice caller,
                    struct slice called, struct slice session_id, uint64_t now_us);
void guard_forget_out(struct guard *g, struct slice session_id);
/* The chain of an answer to our INVITE: a stranger's Record-Route (or Contact) is refused. The host of
 * the trunk's target counts as a peer. */
struct verdict guard_answer_chain(struct guard *g, const struct conf_trunk *trunk,
                                  const struct ask_hosts *record_routes, struct slice contact_host,
                                  const struct ask_hosts *subjects);
/* Is this relay candidate of a native client one of the native relays, relays[] or service.relays?
 * Judged by the address: what service.relays names only by name must be listed by address too. */
bool guard_relay_is_native(const struct guard *g, const struct addr *relay);
/* Candidate in a configured VPN pool. */
bool guard_is_vpn(const struct guard *g, const struct addr *a);
/* Counts a refusal that another room decided (offer/answer, trunk). */
void guard_count(struct guard *g, enum refusal r);

/* Caps of destinations, callers, trunks, tenants and the node (guard/caps). What a cap looks at; slices need
 * not outlive the call. */
struct caps_facts {
  struct slice called, caller, trunk, tenant;
};
enum { CAPS_A_CALL = 8 };
struct caps_hold { /* the accounts that a live call counts on */
  uint32_t n;
  struct {
    uint16_t account;
    uint32_t generation;
  } of[CAPS_A_CALL];
};
/* What caps have counted, as a text that outlives the program: NULL where nothing changed since, or
 * without memory. The caller frees it. */
char *guard_caps_write(struct guard *g, size_t *ret_n, uint64_t now_us, uint64_t wall_ms) must_check;
int guard_caps_read(struct guard *g, struct slice text, uint64_t now_us, uint64_t wall_ms)
    must_check; /* 0, or -EBADMSG: the rest is not read */
/* Pass: guard_caps_leave() once, with how long it was connected. A country that was never called before
 * is told (log, metric). */
struct verdict guard_caps(struct guard *g, const struct caps_facts *f, uint64_t now_us,
                          struct caps_hold *ret) must_check;
void guard_caps_leave(struct guard *g, struct caps_hold *hold, uint64_t talked_us, uint64_t now_us);

/* Token bucket: rate a second, burst of the same size (at least 1). Engine without clock. */
struct bucket {
  uint64_t tokens_micro, rate_per_s, at_us;
};
bool bucket_take(struct bucket *b, uint64_t rate_per_s, uint64_t now_us);
