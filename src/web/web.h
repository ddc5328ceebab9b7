/* SPDX-License-Identifier: Apache-2.0
 * Door of the area web: an HTTPS server (libmicrohttpd) whose threads parse, guard and verify tokens,
 * and hand each request by a mailbox to ONE owner thread, which answers by handle, now or later.
 * Server-sent events are answers that stay open. Rows with a direct handler never leave the web thread.
 * A server is made and freed, and its asks are answered, by the owner thread only. */
#pragma once
#include "base/addr.h"
#include "base/count.h"
#include "base/loop.h"
#include "web/limit.h"
#include "web/path.h"
#include "web/peer.h"
#include "web/reply.h"
#include "web/token.h"

typedef uint64_t web_handle; /* {generation, slot}; 0 names nothing; a stale one is ignored */

struct web;

/* Who asks, as a door's own judge found out (web_settings.who); role, by and credential are its words.
 */
struct web_asker {
  char name[65];
  uint8_t role, by;
  uint8_t credential[32]; /* credential is a digest of what was shown, never the thing itself. */
  uint64_t generation,
      until_ms; /* what it was judged by, and when it ends (wall clock); its words too */
};

/* What a judge sees: the header of a request, before its body. Slices live for the call. */
struct web_knock {
  const struct web_row *row;
  enum web_method method;
  struct slice bearer;         /* of Authorization: Bearer; p NULL: none */
  uint8_t bearer_digest[32];   /* its SHA-256, where there is one */
  struct slice cookie;         /* the header as it came; see web_cookie() */
  struct slice sallyport;      /* X-Sallyport; p NULL: none */
  bool is_foreign;             /* Origin is there, and is no page of this server. */
  const struct web_peer *cert; /* the client's certificate, verified; NULL: none */
  struct addr peer;
};

#define WEB_LISTEN_MAX 4

struct web_settings {
  const char *name; /* name tells servers apart in counters' labels and thread names ("native"). */
  const struct addr *listen; /* listen holds 1 to WEB_LISTEN_MAX addresses; port 0: any free one. */
  size_t listen_n;
  const char *cert_file,
      *key_file; /* PEM chain, PEM key (mode & 077: -EPERM); NULL: no TLS, loopback only. */
  const char
      *client_crl;       /* PEM of revocation lists, read again when it changes, see crl.h; NULL: none */
  const char *client_ca; /* PEM of authorities: client certificates are asked for, see web_knock.cert;
                          * NULL: not; needs TLS. */
  const char *const *hosts; /* hosts are names that Host may give (no port), besides the address that the
                             * client connected to. */
  size_t hosts_n;
  const char *const *origins; /* origins are exact ("https://app.example"), never "*". */
  size_t origins_n;
  const struct web_row *rows; /* rows live as long as the server. */
  size_t rows_n;
  void *direct_arg;      /* direct_arg goes to the direct handlers. */
  struct tokens *tokens; /* tokens verifies WEB_TOKEN rows; borrowed. */
  /* Where set, decides on every row instead of tokens (web thread). False: the refusal is in ret. */
  bool (*who)(void *arg, const struct web_knock *k, struct web_asker *ret_who, struct web_answer *ret);
  /* With WEB_THEN_ASK: gets the owner's answer before it is sent (web thread), with what the direct
   * handler left in *ask->note; note_free always gets it. All with direct_arg. */
  void (*finish)(void *arg, void *note, struct web_answer *answer);
  void (*note_free)(void *note);
  /* Is who asked still welcome? Asked again while an answer is long (by direct_arg; web threads, and who
   * calls web_streams_judge()); may write into who. False: the answer is cut. NULL: always. */
  bool (*still)(void *arg, struct web_asker *who);
  int nice;                 /* nice of its threads: they may wait while the owner's work is due. */
  unsigned threads;         /* 0: 4 for each address */
  unsigned connections_max; /* 0: 4096 */
  unsigned connections_per_address_max; /* 0: 256 */
  unsigned connection_bytes;    /* 0: 24,576: header and buffers of a connection; a longer header: 431 */
  unsigned body_max_bytes;      /* 0: 65,536 */
  size_t bodies_max_bytes;      /* 0: 67,108,864: of all bodies together; more: 503 */
  unsigned request_deadline_ms; /* 0: 10,000: first byte to last byte of a request */
  unsigned answer_deadline_ms;  /* 0: 10,000: then 504 */
  unsigned heartbeat_ms;        /* 0: 15,000: comment lines of streams */
  unsigned stream_buffer_bytes; /* 0: 262,144: a reader that lags further is closed */
};

/* 0 or -errno; *ret_why (may be NULL) names what failed (a literal). *ret_web is set before the first
 * request can come. */
int web_new(struct web **ret_web, const struct web_settings *s, const char **ret_why) must_check;
/* Answers what waits with 503, closes streams, stops the threads. */
struct web *web_free(struct web *w);
OWN_DEFINE(web)
uint16_t web_port(const struct web *w, size_t listen); /* the port that the nth address got */

enum web_ask_kind {
  WEB_ASK_REQUEST,       /* answer it */
  WEB_ASK_STREAM_CLOSED, /* stream and cookie say which; nothing else is set; no answer */
};

struct web_ask {
  enum web_ask_kind kind;
  web_handle handle;         /* handle is for web_reply() or web_stream_open(). */
  const struct web_row *row; /* row is the one that matched; row->id says the verb. */
  bool head;                 /* head: HEAD, to be answered as GET (the body is left out). */
  struct slice path, query;  /* raw, as received */
  struct slice authorization, content_type, if_match, if_none_match, idempotency_key, last_event_id,
      device, origin, host, accept; /* p NULL where the header is absent */
  struct slice body;
  struct addr peer, local;
  bool has_claims;      /* has_claims: claims are of a verified token. */
  struct web_asker who; /* who is what web_settings.who filled in. */
  void **note;          /* note is the direct handler's, see web_settings.finish; NULL elsewhere. */
  web_handle stream;    /* stream and cookie: see WEB_ASK_STREAM_CLOSED. */
  uint64_t cookie;
  /* The large ones last: a request's memory is used again, and they are seldom wiped. */
  struct web_params params;
  struct claims claims;
};

/* One member of the query, decoded: 0, -ENOENT, -EINVAL (escape, given twice) or -ENOSPC. */
int web_query(const struct web_ask *ask, const char *name, char *dst, size_t dst_bytes) must_check;

/* The value of one cookie in a Cookie header (RFC 6265), p NULL if absent or there twice. */
struct slice web_cookie(struct slice cookie, const char *name);

/* Called on the owner thread; the ask and its slices live until fn returns. */
typedef void web_ask_fn(void *arg, const struct web_ask *ask);
/* Hangs the server's mailbox into the owner's loop; undone by web_free(). */
int web_attach(struct web *w, struct loop *l, web_ask_fn *fn, void *arg) must_check;

/* Answers, and takes the answer's body (it is zeroed). A stale handle or a second answer is ignored. */
void web_reply(struct web *w, web_handle ask, struct web_answer *answer);
/* Short forms. json is borrowed. */
void web_reply_json(struct web *w, web_handle ask, unsigned status, const json_t *json);
void web_reply_empty(struct web *w, web_handle ask, unsigned status);

/* Answers with 200 text/event-stream, "retry: 2000" first; 0 when the ask is stale. The cookie comes
 * back when the stream has closed (always, once, whoever closed it). */
web_handle web_stream_open(struct web *w, web_handle ask, uint64_t cookie);
/* Queues whole events ("id: …\nevent: …\ndata: …\n\n"). 0, -ENOENT (stale or closing), or -ENOBUFS: the
 * reader lags, the stream is being closed. */
int web_stream_push(struct web *w, web_handle stream, struct slice bytes);
/* What all listening streams are told, encoded once: a ring of WEB_CAST_BYTES that they read at their
 * own pace; who lags further is closed. web_cast() returns where the ring ends now. Owner thread. */
#define WEB_CAST_BYTES 1048576u
uint64_t web_cast(struct web *w, struct slice bytes);
/* What stands now, encoded once for all who begin to listen until the next one is set: such a stream
 * reads it, then what was cast since then (an end that web_cast() returned). It is kept in a ring of the
 * same size; who still reads one that was overwritten is closed. Owner thread. */
struct web_scene {
  uint64_t at, end, then;
};
/* 0, -ENOMEM, -EMSGSIZE */
int web_scene_set(struct web *w, struct web_scene *ret, struct slice bytes, uint64_t then) must_check;
int web_stream_listen(struct web *w, web_handle stream,
                      const struct web_scene *scene) must_check; /* 0, -ENOENT, -ENOMEM */
void web_stream_close(struct web *w, web_handle stream);         /* after what is queued */
size_t web_stream_count(struct web *w);
/* Grows when other revocation lists are in force, or their time is over; 0 where there are none. Any
 * thread. */
uint64_t web_lists(struct web *w);
/* Ends each stream whose asker is no longer welcome (web_settings.still); any thread, to be called twice
 * a second. Returns how many. */
unsigned web_streams_judge(struct web *w);

/* The PEM files of a server's settings, looked at without starting one: 0, or -EINVAL with a sentence.
 */
int web_pair_check(const char *cert_file, const char *key_file, char *why, size_t why_bytes) must_check;
/* Likewise a file of authorities. */
int web_ca_check(const char *file, char *why, size_t why_bytes) must_check;
/* Likewise a file of revocation lists, and when the first of them is past its next update (seconds since
 * 1970; 0: never). */
int web_crl_check(const char *file, uint64_t *ret_until_s, char *why, size_t why_bytes) must_check;
/* What a certificate file says, {subject, issuer, names, not_before, not_after, days_left, state}: state
 * is ok, soon (30 days or less), expired, or unreadable (the rest is null then). New reference. */
json_t *web_cert_json(const char *file, uint64_t wall_s);
/* Other files of certificate and key from now on; new connections get them. The same files are looked at by
 * themselves. Any thread. */
void web_files(struct web *w, const char *cert_file, const char *key_file);
#define WEB_CERT_BYTES 200
/* True: the files of its certificate are refused, or it ends within a week. To be asked now and then. */
bool web_cert_alarm(struct web *w, char ret_why[WEB_CERT_BYTES], bool *ret_is_grave);
struct counts *web_counts(struct web *w); /* for the metrics page */
