/* SPDX-License-Identifier: Apache-2.0
 * Own TLS under sofia-sip: profiles (what a listener or an agent shows and trusts), the hooks on its
 * receive and accept paths, what a connection's peer proved. Call thread only, unless said otherwise.
 * A listener or a client-only agent names its profile by TPTAG_CERTIFICATE("profile:<name>").
 * RFC 3261 26.3, RFC 5922, RFC 8446. Order at the end: nta_agent_destroy(), owntls_stop(),
 * su_root_step(root, 0) once, su_root_destroy(). */
#pragma once
#include "base/addr.h"
#include "base/count.h"
#include "conf/conf.h"

#define PROFILE_CERTS 33 /* the listener's and those of its trunks */
#define PROFILE_NAME_BYTES 64

struct profile_cert {
  const char *chain_file; /* chain_file is PEM: the leaf first, then its intermediates. */
  const char *key_file;   /* key_file is PEM, not encrypted, mode 0600 or tighter. */
};

struct profile_settings {
  struct profile_cert cert[PROFILE_CERTS]; /* The first is the default and the client's own. */
  size_t certs;                            /* certs may be 0 for a profile that only connects. */
  const char *ca_file;                     /* ca_file is PEM roots; NULL: nobody is trusted. */
  enum conf_mtls mtls;        /* mtls: a certificate that is presented must always verify. */
  bool tls13_only;            /* tls13_only refuses TLS 1.2 (which is AEAD with ECDHE only). */
  uint32_t handshake_ms;      /* handshake_ms is the deadline of a handshake; 0: 5000. */
  uint32_t max_shakes;        /* max_shakes caps accepted handshakes in flight; 0: 256. */
  uint32_t max_shakes_source; /* max_shakes_source caps those from one address; 0: 16. */
};

/* Loads everything or nothing. 0; -EINVAL, -EACCES (a key readable by others), -EEXIST, -ENOSPC or
 * -ENOMEM with a sentence in why (for the operator; it names the file). The strings are copied. */
int profile_add(const char *name, const struct profile_settings *s, char *why,
                size_t why_bytes) must_check;
/* The same for a profile that exists (-ENOENT): new connections use the new set, open ones go on.
 * When it fails the old set stays. Any thread. */
int profile_reload(const char *name, const struct profile_settings *s, char *why,
                   size_t why_bytes) must_check;
/* As profile_add() without keeping anything, for --check-config. Any thread. */
int profile_check(const struct profile_settings *s, char *why, size_t why_bytes) must_check;
/* The first expiry among a profile's own certificates, seconds since 1970; 0 without certificates. */
int64_t profile_expiry_s(const char *name);
/* … of the one that is shown as own_name (the first, where none has that name). */
int64_t profile_name_expiry_s(const char *name, const char *own_name);
void profile_clear(void); /* forgets all profiles, after the agents are gone */

/* Handshake threads. threads 0: 2. 0 or -errno. Call once, before the first nta agent: it also
 * installs the hooks, the vtables and the log sink below. */
int owntls_start(unsigned threads) must_check;
void owntls_stop(void);
/* One handshake over loopback through sofia. 0, or -ENOTSUP with a sentence in why: the library is
 * another version, or its calls do not reach our functions. TLS must then not be offered. */
int owntls_self_test(char *why, size_t why_bytes) must_check;

/* The last handshake with that address (of a client's) failed less than half a minute ago: true, and
 * why. Call thread. */
struct link_failure {
  bool is_name; /* is_name: its certificate is another name's. */
  char text[160];
};
bool link_failed(const struct addr *peer, struct link_failure *ret);

/* What the peer of a TLS connection proved. */
struct link_facts {
  bool verified;         /* verified: a chain to one of our roots and, outbound, the wanted name. */
  bool accepted;         /* accepted: the peer connected to us. */
  const char *protocol;  /* protocol is "TLSv1.3". */
  const char *cipher;    /* cipher is OpenSSL's name of the suite. */
  int64_t peer_expiry_s; /* peer_expiry_s is the end of the peer's certificate; 0 without one. */
  size_t subjects;       /* subjects is the number of link_subject()s. */
};
/* After profile_reload(): connections that show another set than the profile's now serve no new request
 * (links_retire), and are closed by links_close_retired() when what they carried is over: 32 s later and
 * quiet, at the latest after 5 minutes. Returns how many are left. Call thread. */
void links_retire(uint64_t now_us);
uint32_t links_close_retired(uint64_t now_us);
struct tport_s; /* sofia's transport */
/* Who we are for connections that are opened or reused from now on: the certificate with that name is
 * shown, and none that showed another is taken. "": the profile's first one. Call thread. */
void link_own_name(const char *name);
/* 0, -ENOTCONN (handshake not over, closed) or -EINVAL (no TLS). The texts live as long as tp. */
int link_facts_of(const struct tport_s *tp, struct link_facts *ret) must_check;
/* The connection that the peer opened serves our requests to that port of its address, as far as its
 * certificate proves their names (RFC 5923). No effect on others. */
void link_alias(struct tport_s *tp, uint16_t port);
/* One verified name: "sbc.example.test", "*.example.test", "sip:example.test", "192.0.2.1"; or NULL.
 * The same list is what tport_delivered_from_subjects() gives. */
const char *link_subject(const struct tport_s *tp, size_t i);
/* True if a certificate's name (as above) is that of host: case ignored, a wildcard stands for one
 * whole label, URI names by their host part. Any thread. */
bool peername_is(const char *subject, struct slice host);

/* Asked before a byte is parsed or an object made. */
/* A SIP message on a transport, decrypted. */
struct hook_message {
  struct msg_s *msg;
  struct addr local;
  const char *transport; /* "udp", "tcp", "tls" */
  bool is_out;
};
struct hook_admission {
  void *arg;
  /* local is the socket's own address: which listener it is. */
  bool (*datagram)(void *arg, const struct addr *local,
                   const struct addr *from); /* false drops it silently */
  void (*waited)(void *arg, int64_t us);     /* how long a datagram lay in the socket; may be NULL */
  bool (*accept)(void *arg, const struct addr *local,
                 const struct addr *from); /* false closes the connection */
  void (*message)(void *arg, const struct hook_message *m); /* came or went; may be NULL */
  uint32_t max_connections;                /* max_connections accepted over TCP and TLS; 0: 1024. */
  uint32_t max_connections_source;         /* max_connections_source from one address; 0: 64. */
};
/* NULL (the state at the start) admits everybody within the default limits. Copied. */
void hooks_set(const struct hook_admission *a);
uint32_t hooks_connections(void); /* accepted ones that are open */

/* Rows of tls.def; any thread. */
extern struct counts owntls_counts;
enum tlscount {
#define COUNT(id, kind, name, labels, help) TLSCOUNT_##id,
#include "trunk/tls.def"
#undef COUNT
  TLSCOUNT_COUNT_
};
