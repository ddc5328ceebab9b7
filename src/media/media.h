/* SPDX-License-Identifier: Apache-2.0
 * The door of media: the whole of sallyport-media but its main program. A control thread listens for
 * one controller on a SOCK_SEQPACKET path and passes its commands to packet threads; sessions, the
 * streams between them, their reports and tones live there (mset/mset.h is the contract). */
#pragma once
#include "base/addr.h"
#include "mset/mset.h"

struct xdp;
struct media_addr {
  struct addr bind, shown;   /* ports unused; bind is one address, not a wildcard */
  bool not_apps, not_trunks; /* who is not offered it */
};

struct media_options {
  char socket[108]; /* path to listen on; "" with a descriptor given */
  uint32_t workers; /* 1-64 */
  uint32_t n_addresses;
  struct media_addr addresses[MSET_ADDRS_MAX];
  uint32_t native_port; /* worker i has native_port + i; 0: any free one (tests) */
  uint32_t trunk_port_min, trunk_port_max;
  uint32_t dscp;
  char backend[16];       /* a name of io.h; "" and "auto": the best that this machine allows */
  char xdp_interface[16]; /* of af_xdp */
  struct xdp *xdp;        /* media_new() sets it */
  uint32_t max_sessions;  /* in all; 0: 4096 */
  uint32_t dsp_threads;   /* of transcoding, 1-16; 0: 1 */
  uint32_t dsp_share;     /* percent of their time that is given away; 0: 80 */
  uint32_t opus_complexity;
  struct addr turn_server; /* where trunk legs with full ICE get a relayed address; AF_UNSPEC: nowhere */
  char turn_username[257], turn_password[257];
  bool dtls_cookie;  /* every DTLS handshake begins with a cookie */
  uint32_t orphan_s; /* 0: MSET_ORPHAN_S; tests take less */
};

struct media;
/* Binds, makes the certificate, starts the threads. suite_start() is called here. *text says what
 * failed. */
int media_new(struct media **ret, const struct media_options *o, const char **ret_text) must_check;
struct media *
media_free(struct media *m); /* sessions end without a word: their controller sees the socket close */
OWN_DEFINE(media)
/* Control thread: serves until media_stop(). */
void media_run(struct media *m);
void media_stop(struct media *m); /* any thread, and signal handlers */
/* Hands the socket to this user when the program gives up root. 0 or -errno. */
int media_chown(const struct media *m, unsigned uid, unsigned gid) must_check;
const char *media_backend(const struct media *m); /* its name: what "auto" came to */
/* Drops of one reason, of all workers since the start; text is drop_text(). For the log. */
uint64_t media_drops(const struct media *m, unsigned reason, const char **ret_text);
