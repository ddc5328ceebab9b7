/* SPDX-License-Identifier: Apache-2.0
 * The load generator's shapes. A call is two legs, A and B, each an endpoint of ours at the system
 * under test; each sends a packet every 20 ms that carries its time, and checks what the other sent.
 * Two threads: the main one opens calls (by a driver) and takes figures, one moves the packets. */
#pragma once
#include "base/addr.h"
#include "flow/flow.h"

#include <stdatomic.h>

enum {
  GEN_CALLS_MAX = 20000,
  GEN_SECONDS_MAX = 600,
  GEN_PERIOD_US = 20000, /* between two packets of a leg */
  GEN_LATE_US = 20000,
  GEN_PAYLOAD_BYTES = 160,
  GEN_FINE_US = 2000,    /* the histogram has a cell for each microsecond up to here, */
  GEN_COARSE = 2000,     /* then as many of 100 us each */
  GEN_DRAIN_US = 300000, /* what is under way at the end of a window gets so long */
};

/* A WebRTC client until its keys are there. */
struct native {
  char ufrag[16], pwd[32], their_ufrag[64], their_pwd[128];
  uint8_t their_fingerprint[32];
  uint8_t check_id[12];
  uint64_t check_us; /* check_us is when the check went out last. */
  bool is_checked;
  struct dtls *dtls;
};

union pktinfo_room {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

struct leg {
  struct addr local;     /* local is a WebRTC client's own address; else of family 0. */
  struct native *native; /* native is there while it connects. */
  struct addr target;    /* target is where the system under test takes this leg's packets. */
  uint64_t id;           /* id names it there. */
  struct srtp_key tx_key, rx_key;
  struct sealer *sealer;
  struct opener *opener;
  uint32_t ssrc, rx_ssrc; /* rx_ssrc is what comes to this leg. */
  uint32_t ts, index;     /* index is call * 2 + side. */
  bool is_checked;        /* is_checked: each packet is opened; else SSRC, length and gaps */
  bool has_seq;           /* has_seq: last_seq is what came last, */
  uint16_t last_seq;      /* kept for a leg that is not checked. */
};

struct call {
  struct leg leg[2];
  char name[24];
};

/* One window, by the time of sending; of legs that are not checked, by sequence numbers. */
struct stats {
  uint64_t sent, sent_checked, got, got_checked, late; /* late is of the checked. */
  int64_t missing;                                     /* gaps of those that are not checked */
  uint64_t bad_auth, bad_payload, refused_sends, max_us;
  uint64_t behind; /* behind: the generator itself was 10 ms late; its figures are in doubt. */
  uint32_t hist[GEN_FINE_US + GEN_COARSE + 1];
};

struct gen;
struct driver {
  const char *name;
  bool is_native;              /* is_native: leg A is a WebRTC client; open() fills its struct native */
  int (*start)(struct gen *g); /* connects; 0 or -errno */
  int (*open)(struct gen *g, struct call *c); /* 0, -EBUSY: not admitted, else -errno: the end */
  void (*poll)(struct gen *g);                /* now and then: events are taken; may be NULL */
  void (*close)(struct gen *g, struct call *c);
};
extern const struct driver drive_ours, drive_ours_shared, drive_ours_webrtc, drive_rtpengine,
    drive_relay, drive_janus;

struct gen {
  const struct driver *driver;
  const char *control;         /* where the system is asked: a path, or IP:PORT */
  struct addr clients;         /* clients is where the addresses of WebRTC clients begin (a /16). */
  bool is_spread;              /* is_spread: each leg sends from an address of its own there. */
  struct addr local[2], at[2]; /* at are the sockets' addresses: local with their ports. */
  int fd[2];
  enum srtp_suite suite[2];
  unsigned check_one_in; /* legs that are opened: all (1), or one in so many */
  unsigned calls_max;
  struct call *calls;
  atomic_uint n_open;   /* n_open: these calls exist (main thread writes), */
  atomic_uint n_active; /* and these carry packets. */
  atomic_uint window, window_done;
  atomic_uint window_us;
  struct stats stats; /* the packet thread's until window_done == window */
  atomic_bool is_ending;
  uint64_t strays;
};

int traffic_sockets(struct gen *g) must_check;
void *traffic_run(void *gen);

/* Drivers' help: fills rx_key with a fresh key of the side's suite, tx_key likewise. */
void call_prepare(struct gen *g, struct call *c, unsigned index);
/* Sealer and opener from the leg's keys. */
int call_arm(struct gen *g, struct call *c) must_check;

/* WebRTC clients. */
/* The address of so many clients on. */
struct addr native_address(const struct gen *g, uint32_t i, uint16_t port);
int native_start(struct gen *g) must_check;                  /* sockets are there */
int native_prepare(struct gen *g, struct leg *l) must_check; /* own credentials and address */
const uint8_t *native_fingerprint(void);                     /* 32 bytes, sha-256 */
struct native *native_free(struct native *n);
/* Checks and handshakes of n calls side by side, 10 s at most; then the legs have their keys. */
int native_connect(struct gen *g, struct call *calls, unsigned n) must_check;
void native_forward(const struct in_addr *to, const uint8_t *p, size_t n); /* packet thread */
void pktinfo_put(struct msghdr *m, union pktinfo_room *room, const struct addr *local);
