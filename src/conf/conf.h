/* SPDX-License-Identifier: Apache-2.0
 * The configuration as typed values, read from one YAML file by one table of fields (fields.def:
 * key, type, unit, range, default, reloadable, documentation). All errors at once, each with file,
 * line and what was expected. Immutable once loaded: a reload makes a new one. Pure but for
 * conf_load, which reads the files. */
#pragma once
#include "base/addr.h"

struct map;

enum {
  CONF_NAME_BYTES = 64,
  CONF_TEXT_BYTES = 253, /* 63 characters of any script */
  CONF_PATH_BYTES = 256,
  CONF_LIST_MAX = 32,
  CONF_LISTENERS_MAX = 16,
  CONF_TRUNKS_MAX = 64,
  CONF_USERS_MAX = 1024,
  CONF_RELAYS_MAX = 8,
  CONF_CAPS_MAX = 64,
  CONF_CERTIFICATES_MAX = 64,
  CONF_EDITS_MAX = 16,
  CONF_ERRORS_MAX = 64,
  CONF_HUBS_MAX = 8,
};

enum conf_transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_TLS };
enum conf_mtls { MTLS_OFF, MTLS_OPTIONAL, MTLS_REQUIRED };
enum conf_trunk_kind { TRUNK_CARRIER, TRUNK_DIRECT_ROUTING };
enum conf_role { ROLE_HUB, ROLE_SBC };
enum conf_srtp { SRTP_REQUIRED, SRTP_OFF };
enum conf_symmetric { SYMMETRIC_OFF, SYMMETRIC_AUTO, SYMMETRIC_ONCE };
enum conf_ports { PORTS_PRIVATE, PORTS_SHARED };
enum conf_ice { CONF_ICE_OFF, CONF_ICE_LITE, CONF_ICE_FULL };
enum conf_side { SIDE_BOTH, SIDE_APPS, SIDE_TRUNKS };
enum conf_next_hop { NEXT_HOP_ROUTE, NEXT_HOP_SOURCE };
enum conf_hold { HOLD_TONE, HOLD_INACTIVE, HOLD_MUSIC };
enum conf_cap_per { CAP_PER_NODE, CAP_PER_TENANT, CAP_PER_TRUNK, CAP_PER_CALLER, CAP_PER_CALLED };
enum conf_keys { KEYS_SDES, KEYS_DTLS, KEYS_ANY };
enum conf_codec_policy { CODECS_AUTO, CODECS_COST, CODECS_QUALITY };
enum conf_pai { PAI_PRIVATE, PAI_OFF, PAI_ON, PAI_RPID };
enum conf_history { HISTORY_OFF, HISTORY_INFO, HISTORY_DIVERSION, HISTORY_BOTH };
enum conf_verify { VERIFY_OFF, VERIFY_TAG, VERIFY_REQUIRE };
enum conf_attest { ATTEST_A, ATTEST_B, ATTEST_C };
enum conf_edit_action { EDIT_ADD, EDIT_REMOVE, EDIT_REWRITE };
enum conf_transfer { TRANSFERS_INVITE, TRANSFERS_REFUSE, TRANSFERS_REFER };
enum conf_replaces { REPLACES_BY_ROLE, REPLACES_ACCEPT, REPLACES_REFUSE };
enum conf_redirects { REDIRECTS_REFUSE, REDIRECTS_FOLLOW, REDIRECTS_SAME_TRUNK };
enum conf_redirect { REDIRECT_INVITE, REDIRECT_302 };
enum conf_anonymous { ANONYMOUS_ACCEPT, ANONYMOUS_REFUSE };
enum conf_display { DISPLAY_PASS, DISPLAY_DROP, DISPLAY_NUMBER };
enum conf_prack { PRACK_OFF, PRACK_SUPPORTED, PRACK_REQUIRED };
enum conf_late { LATE_ACCEPT, LATE_REFUSE };
enum conf_dtmf { DTMF_AUTO, DTMF_RFC4733, DTMF_INFO, DTMF_INBAND };

struct conf_names { /* a list of short texts: names, addresses, CIDRs, origins, suites … */
  uint32_t n;
  char text[CONF_LIST_MAX][CONF_NAME_BYTES];
};

struct conf_listener { /* a SIP listener */
  char name[CONF_NAME_BYTES];
  uint8_t transport;               /* enum conf_transport */
  struct addr address;             /* address:port to bind */
  char advertise[CONF_NAME_BYTES]; /* advertise is the host that Via and Contact show; "" = the address.
                                    */
  char certificate[CONF_PATH_BYTES], key[CONF_PATH_BYTES]; /* TLS: full chain and key, PEM */
  char ca[CONF_PATH_BYTES];       /* ca is the file of trusted roots for peers' certificates. */
  uint8_t mtls;                   /* enum conf_mtls, default required */
  uint32_t handshake_deadline_ms; /* default 5000 */
};

enum conf_auth { AUTH_NONE, AUTH_DIGEST };
struct conf_attach { /* how a trunk attaches, besides its address or certificate */
  struct {
    char username[CONF_TEXT_BYTES]; /* username answers the challenges of realm; "": none is answered */
    char password_file[CONF_PATH_BYTES];
    char realm[CONF_TEXT_BYTES];
  } credentials;
  struct {
    struct conf_names registrars; /* n 0: we do not register */
    char aor[CONF_PATH_BYTES];    /* sip:USER@DOMAIN */
    char contact_user[CONF_NAME_BYTES];
    uint32_t expires_s; /* default 3600 */
    bool bnc;           /* bnc: for all numbers at once (RFC 6140) */
  } registration;
  uint8_t auth; /* enum conf_auth: whether the peer's calls are challenged */
  struct {
    char realm[CONF_TEXT_BYTES];
    char users_file[CONF_PATH_BYTES]; /* who may call or register */
    struct conf_names algorithms;     /* offered, the first one first; default SHA-256, MD5 */
  } digest;
  bool accept_register;
};

struct conf_edits { /* header fields added, removed, rewritten, in this order */
  uint32_t n;
  struct conf_edit {
    uint8_t action; /* enum conf_edit_action */
    bool is_prefix; /* is_prefix: match is how the value begins; else it is all of it. */
    char name[48], match[509], value[765]; /* match "": any value */
  } edit[CONF_EDITS_MAX];
};

enum { CONF_NUMBER_RULES_MAX = 8 };
enum conf_portability { PORTABILITY_DROP, PORTABILITY_KEEP, PORTABILITY_USE };
enum conf_number_form { NUMBERS_E164, NUMBERS_DIGITS, NUMBERS_NATIONAL, NUMBERS_INTERNATIONAL };
struct conf_numbers { /* how a trunk writes numbers */
  char country[8], national[8], international[8], tech_prefix[16];
  uint8_t form;      /* form is an enum conf_number_form: how +E.164 goes out. */
  uint8_t portability; /* enum conf_portability */
  bool missing_plus; /* missing_plus: digits that come are numbers of the world without their +. */
  struct conf_number_rules {
    uint32_t n;
    struct conf_number_rule {
      char match[96], replace[64];
    } rule[CONF_NUMBER_RULES_MAX];
  } rules[4]; /* inbound_called, inbound_caller, outbound_called, outbound_caller: the first that fits */
};

struct conf_trunk {
  char name[CONF_NAME_BYTES];
  struct conf_attach attach;
  uint8_t kind;                    /* enum conf_trunk_kind */
  uint8_t role;                    /* enum conf_role: direct-routing: which side of it we are */
  char base[CONF_NAME_BYTES];      /* base is the trunk that the rest of its settings comes from. */
  char fqdn[CONF_NAME_BYTES];      /* fqdn is our name toward it: Contact, Via, From, SNI. */
  char listener[CONF_NAME_BYTES];  /* listener is the one its calls come to and leave by. */
  char target[CONF_PATH_BYTES];    /* target is the SIP URI of outgoing calls,
                                      sip:HOST[:PORT][;transport=…]; "" = none. */
  struct conf_names targets;       /* instead of target: several, in order; target is the first then */
  struct conf_names hubs;          /* sbc: names of the hub's data centres, the nearest first */
  char certificate[CONF_PATH_BYTES], key[CONF_PATH_BYTES]; /* ours toward it; "" = the listener's */
  struct conf_names peers;         /* names, addresses, CIDRs (optionally :port) of the peer itself */
  struct conf_names proxies;       /* SIP proxies that may stand between, the same forms */
  uint32_t inner_hops;             /* private addresses allowed below the first Via */
  struct conf_names media_sources; /* CIDRs besides the SDP's address: plain media, DTLS handshakes */
  struct conf_names
      suites;        /* SRTP suites in order of preference; default four, AEAD_AES_256_GCM first */
  struct conf_names codecs; /* PCMU, PCMA, G722, opus in order of preference */
  uint8_t srtp;      /* enum conf_srtp, default required; off never on direct-routing */
  uint8_t key_exchange; /* enum conf_keys, default sdes */
  uint8_t media_ports;  /* enum conf_ports, default private */
  uint8_t symmetric; /* enum conf_symmetric, default auto for SRTP, off for plain */
  uint8_t ice;       /* enum conf_ice, default off */
  uint8_t hold;      /* enum conf_hold: what a held peer hears */
  char hold_music[CONF_PATH_BYTES]; /* of HOLD_MUSIC; "": that of media */
  uint8_t dtmf;      /* enum conf_dtmf: how digits go and come */
  uint8_t prack;     /* enum conf_prack: reliable provisional responses (RFC 3262), default supported */
  uint8_t late_offer; /* enum conf_late: an INVITE without SDP; default by kind */
  bool late_offer_out; /* late_offer_out: our INVITEs go without SDP. */
  bool p_early_media;  /* p_early_media: RFC 5009's header is sent to it and believed. */
  bool rtcp_xr;      /* rtcp_xr: VoIP metrics are sent to it and taken (RFC 3611) */
  bool options;      /* options: we send OPTIONS every options_interval_s */
  uint32_t options_interval_s; /* default 60 */
  uint32_t options_down, options_up; /* N of M: so many in a row, default 2 and 2 */
  struct conf_names failover_codes;  /* see conf_trunk_fails_over() */
  uint32_t keepalive_s;  /* keepalive_s of silence: our connections to it are pinged; 0: never */
  bool connection_reuse; /* connection_reuse: by RFC 5923, over TLS */
  bool udp_to_tcp;             /* udp_to_tcp: requests above 1,300 bytes leave by TCP; default true */
  uint32_t progress_s;         /* progress_s after a 100: as failover_s; 0: by kind */
  uint32_t failover_s;         /* failover_s without any answer: the next trunk; default 10 */
  bool media_bypass, pidf_lo;  /* default false */
  uint32_t max_calls;          /* default 100 */
  uint32_t max_calls_per_s;    /* default 10 */
  uint32_t answer_timeout_s;   /* INVITE without final answer, default 180 */
  uint32_t media_timeout_s;    /* default 300 */
  uint8_t next_hop;            /* enum conf_next_hop */
  uint32_t session_timer_s, session_min_s; /* RFC 4028: 1800, 90; 0: off */
  bool trust_identity; /* trust_identity: its P-Asserted-Identity is believed. */
  uint8_t forward_pai; /* enum conf_pai: how we assert callers to it; off by default on direct-routing */
  uint8_t forward_history; /* enum conf_history */
  uint8_t transfer;    /* enum conf_transfer: how its calls are transferred by our users */
  bool accept_refer;   /* accept_refer: it may transfer its calls; default of direct-routing */
  uint8_t replaces;    /* enum conf_replaces: its INVITE may take the place of a call of its own */
  uint8_t redirects;   /* enum conf_redirects: what its 3xx does */
  uint8_t redirect;    /* enum conf_redirect: how a user's redirect of its call is done */
  uint8_t anonymous;   /* enum conf_anonymous */
  uint8_t display;     /* enum conf_display: callers' names, both ways */
  struct conf_names numbers_allowed;     /* callers that it may show: "+1555…" or "+1555…*"; none: any */
  struct {
    struct conf_edits in, out;
  } headers; /* of the INVITE that begins a call */
  struct conf_numbers numbers;
  struct {
    uint8_t verify, attest; /* enum conf_verify, conf_attest */
    bool sign;
    char certificate[CONF_PATH_BYTES], key[CONF_PATH_BYTES], x5u[CONF_PATH_BYTES];
  } stir;
  struct {
    char number[CONF_NAME_BYTES], unknown[CONF_NAME_BYTES], busy[CONF_NAME_BYTES]; /* as it goes out */
    char caller[CONF_NAME_BYTES];
    bool echo;
  } doctor; /* numbers of the trunk's tests; "": no call is made */
  char number_default[CONF_NAME_BYTES];  /* shown instead of another; "": those calls are refused */
  bool enabled;                /* default true; false drains */
  uint32_t line;               /* line where it stands in the file, for refusals' texts */
};

struct conf_relay { /* a native relay (coturn) that apps are told of */
  char name[CONF_NAME_BYTES];
  char host[CONF_NAME_BYTES];        /* host is the name or address in URLs. */
  struct addr address, bind;         /* address of allocations; bind: local one, AF_UNSPEC = address */
  uint32_t port, tls_port;           /* 3478 (UDP and TCP), 443; 0: none */
  uint32_t port_min, port_max;       /* UDP ports of allocations */
  char secret_file[CONF_PATH_BYTES]; /* one or two lines; the first signs */
  char certificate[CONF_PATH_BYTES], key[CONF_PATH_BYTES]; /* as on its machine; "" = the service's */
  uint32_t allocations_per_user, allocations, bytes_per_s; /* 24, 1200, 40000 */
};

struct conf_cap { /* a limit on calls; 0: that one is none */
  char name[CONF_NAME_BYTES];
  uint8_t per;                                            /* enum conf_cap_per: whose calls are counted together */
  struct conf_names called;                               /* what the called number begins with; none: all */
  uint32_t calls, calls_per_s, calls_per_hour;            /* calls: at a time */
  uint32_t minutes_per_day, cost_per_minute, spend_per_day; /* cost in thousandths, spend in whole units */
  uint32_t line;
};

struct conf_user {
  char name[CONF_NAME_BYTES];   /* identity */
  char tenant[CONF_NAME_BYTES]; /* default "default" */
  char display[CONF_TEXT_BYTES];
  struct conf_names numbers; /* +E.164; the first is the default caller id */
};

struct conf_certificate { /* an operator known by a client certificate */
  char name[CONF_NAME_BYTES];
  char match[1021]; /* dns:, uri:, email:, cn: or sha256: and the value */
  char role[16];
};

struct conf_media_addr {
  struct addr address;   /* bind, port unused */
  struct addr advertise; /* shown in SDP and candidates; family AF_UNSPEC = address */
  uint8_t side;          /* enum conf_side: who is offered it; default both */
};

struct conf {
  char file[CONF_PATH_BYTES];
  struct {
    char region[CONF_NAME_BYTES]; /* default "local" */
    char user[CONF_NAME_BYTES];   /* user to become when started as root; default "nobody" */
    char run_dir[CONF_PATH_BYTES], state_dir[CONF_PATH_BYTES];
    uint32_t log_level; /* enum log_level: error, warn, info, debug */
    uint32_t max_calls; /* default 1000 */
    uint32_t max_call_s; /* default 0: as long as it likes */
    struct conf_names resolvers; /* DNS servers, ADDRESS[:PORT]; none: those of the system */
  } node;
  struct {
    char socket[CONF_PATH_BYTES]; /* Unix path on which sallyport-media listens */
    uint32_t workers;             /* default 1 */
    uint32_t n_addresses;
    struct conf_media_addr addresses[4];     /* e.g. one IPv4, one IPv6 */
    uint32_t native_port;                    /* base: worker i has native_port + i; default 40000 */
    uint32_t trunk_port_min, trunk_port_max; /* default 41000-42999 */
    uint32_t dsp_threads, dsp_share;         /* default 1, 80 (percent) */
    uint32_t opus_complexity;                /* 0-10, default 5 */
    char hold_music[CONF_PATH_BYTES];        /* a sound file, or "": hold: music is a tone then */
    uint32_t dscp;                           /* 0-63, default 46 */
    char backend[16];                        /* auto, io_uring, epoll, af_xdp */
    char xdp_interface[16];                  /* "": none */
    uint8_t dtls_cookie;                     /* 0: under suspicion, 1: always */
    struct {
      struct addr server; /* family AF_UNSPEC: none */
      char username[CONF_PATH_BYTES];
      char password_file[CONF_PATH_BYTES];
    } turn;
  } media;
  struct {
    struct addr listen;         /* HTTPS of the service door */
    char edge[CONF_NAME_BYTES]; /* host[:port] of this edge: base is https://<edge>, iss likewise */
    char certificate[CONF_PATH_BYTES], key[CONF_PATH_BYTES];
    char token_key[CONF_PATH_BYTES]; /* embedded issuer's key; made 0600 when absent */
    struct conf_names hosts;         /* further Host values accepted */
    struct conf_names origins;       /* CORS origins, exact */
    struct conf_names relays;        /* further native relays, judged by guard/relay */
    struct conf_names vpn;           /* CIDRs of VPN pools */
    uint8_t codec_policy;            /* enum conf_codec_policy */
    uint32_t commands_per_s, calls_per_identity, streams_per_identity; /* 10, 20, 5 */
    uint32_t offline_wait_s, stream_lost_s, ring_timeout_s;            /* 5, 120, 60 */
    uint32_t heartbeat_s;                                              /* 15 */
  } service;
  struct {
    struct addr listen;
    char certificate[CONF_PATH_BYTES], key[CONF_PATH_BYTES]; /* "" = plain HTTP, loopback only */
    struct conf_names paths; /* folders whose files an operator's commit may name */
    uint32_t connections_per_address, streams_max, session_idle_s, session_life_s, audit_keep_days,
        audit_keep_rows;
    struct conf_names hosts; /* Host values accepted besides the address */
    char client_ca[CONF_PATH_BYTES];  /* "": no client certificates */
    char client_crl[CONF_PATH_BYTES]; /* "": none of them is revoked */
    uint32_t n_certificates;
    struct conf_certificate certificates[CONF_CERTIFICATES_MAX];
    char token_file[CONF_PATH_BYTES];                        /* admin token; made 0600 when absent */
  } admin;
  struct {
    char file[CONF_PATH_BYTES]; /* SQLite database */
    uint32_t interim_s;         /* default 900 */

    uint32_t keep_days, keep_mb; /* 0: any */
    struct {
      char url[501]; /* "": none */
      char secret_file[CONF_PATH_BYTES], ca[CONF_PATH_BYTES];
      uint32_t batch, keep_h, keep_records;
      bool interim;
    } push;
    uint8_t trace;              /* which calls keep their timeline: enum trace_policy's order */
    uint32_t trace_sample;      /* sampled: one call of so many, default 100 */
    uint32_t trace_kb;          /* memory of one call's timeline, default 16 */
    uint32_t trace_days;        /* default 14 */
    uint32_t trace_mb;          /* all timelines on the disk, default 1024 */
    char hep[80];               /* "udp:ADDRESS:PORT" of a HEPv3 collector; "": none */
    uint32_t hep_id;            /* default 2001 */
  } records;
  struct {
    char roots[CONF_PATH_BYTES], https_ca[CONF_PATH_BYTES]; /* https_ca "": the system's */
    struct conf_names x5u_hosts;
    uint32_t freshness_s, cache_s; /* 60, 3600 */
  } stir;
  char dialplan[CONF_PATH_BYTES]; /* file in dialplans/ */
  uint32_t n_listeners, n_trunks, n_users, n_relays, n_caps;
  struct conf_listener listeners[CONF_LISTENERS_MAX];
  struct conf_trunk trunks[CONF_TRUNKS_MAX];
  struct conf_relay relays[CONF_RELAYS_MAX];
  struct conf_cap caps[CONF_CAPS_MAX];
  struct conf_user *users;         /* n_users of them */
  uint64_t version;                /* a hash of the file's bytes, shown in records */
  struct map *by_name, *by_number; /* conf's own: users by name and by number */
};

struct conf_error {
  uint32_t line;
  char file[CONF_PATH_BYTES];
  char text[256]; /* "media.workers: expected a whole number 1-64, got \"10s\"" */
};
struct conf_errors {
  uint32_t n; /* n may exceed CONF_ERRORS_MAX: the rest was counted only. */
  struct conf_error list[CONF_ERRORS_MAX];
};

/* Relative paths are taken from the file's own folder. 0, or -EINVAL with errors (-ENOMEM); never a
 * half configuration. conf_load() checks also what needs the file system (certificates and plan
 * readable, keys present with mode & 077 == 0) unless skip_files; conf_parse() touches no file. */
int conf_load(struct conf **ret, const char *file, bool skip_files,
              struct conf_errors *errors) must_check;
int conf_parse(struct conf **ret, const char *file, struct slice yaml,
               struct conf_errors *errors) must_check;
/* conf_load() of a text that does not stand in the file yet. conf_judge_within: paths (conf/field.h) says
 * which files it may name; NULL: any. */
struct field_paths;
int conf_judge(struct conf **ret, const char *file, struct slice yaml, bool skip_files,
               struct conf_errors *errors) must_check;
int conf_judge_within(struct conf **ret, const char *file, struct slice yaml, bool skip_files,
                      const struct field_paths *paths, struct conf_errors *errors) must_check;
struct conf *conf_free(struct conf *c);
OWN_DEFINE(conf)
const struct conf_trunk *conf_trunk_find(const struct conf *c, struct slice name);
/* The trunk whose OPTIONS and drain hold for this one too: its base, or itself. */
const struct conf_trunk *conf_trunk_base(const struct conf *c, const struct conf_trunk *t);
uint32_t conf_trunk_targets(const struct conf_trunk *t); /* their number, at least 1 */
/* Is that final status one on which another trunk is tried? */
bool conf_trunk_fails_over(const struct conf_trunk *t, int status);
/* The SIP URI of its i-th target, the nearest first: of a hub's data centres where it has them, else
 * its targets. 0, or -ENOENT past the last. */
int conf_trunk_target(const struct conf_trunk *t, uint32_t i, char *dst, size_t dst_bytes) must_check;
const struct conf_listener *conf_listener_find(const struct conf *c, struct slice name);
const struct conf_relay *conf_relay_find(const struct conf *c, struct slice name);
const struct conf_user *conf_user_find(const struct conf *c, struct slice name);
const struct conf_user *conf_user_by_number(const struct conf *c, struct slice number);
/* The page docs/configuration.md, printed from the table of settings: 0 and *ret_n, or -ENOSPC. */
int conf_doc(char *dst, size_t dst_bytes, size_t *ret_n) must_check;
/* A small text file whole (at most 4 MiB, not NUL-terminated; the caller frees it): 0, or -EINVAL
 * with an error, -errno. */
int conf_file_read(char **ret, size_t *ret_n, const char *file, struct conf_errors *errors) must_check;
int conf_file_read_within(char **ret, size_t *ret_n, const char *file, const struct field_paths *paths,
                          struct conf_errors *errors) must_check;
/* Refuses a key file that is missing, unreadable or open to group or others: 0 or -EINVAL and text. */
int secret_check(const char *path, char *text, size_t text_bytes) must_check;
