/* SPDX-License-Identifier: Apache-2.0
 * Inside of a server: what its rooms share. The lock guards everything that is marked so; the order is
 * our lock, then libmicrohttpd's own. Nothing is queued or destroyed there while we hold ours. */
#pragma once
#include "base/list.h"
#include "base/mbox.h"
#include "base/pool.h"
#include "web/head.h"
#include "web/peer.h"
#include "web/web.h"

#include <microhttpd.h>
#include <pthread.h>
#include <sys/uio.h>

enum server_count {
#define COUNT(id, name, labels, help, kind) SERVER_##id,
#include "web/count.def"
#undef COUNT
  SERVER_COUNT_
};

enum { CONN_BEARER_BYTES = 96, CONN_HOST_BYTES = 32 };

/* One TCP connection. */
struct conn {
  struct list node; /* node is in web->conns (lock). */
  int fd;
  _Atomic uint64_t deadline_us; /* deadline_us: shut down past it; 0: none. */
  struct addr peer, local;
  struct req *spare; /* spare is the request before, wiped, for the next one (web thread). */
  web_handle stream; /* stream that is open on it (lock). */
  /* What the request before showed and was found of it, as the next one mostly shows the same: its web
   * thread only. */
  char bearer[CONN_BEARER_BYTES], host[CONN_HOST_BYTES]; /* host is one that was ours. */
  uint8_t bearer_n, host_n;                              /* 0: none yet */
  uint8_t bearer_digest[32];
  /* Of the client's certificate, as found until then; its web thread only. */
  struct web_peer *cert; /* cert, NULL: none that is good. */
  uint64_t peer_until_us, peer_lists;
};

enum req_phase {
  REQ_HEAD,    /* the header is not judged yet */
  REQ_BODY,    /* the body is being read */
  REQ_REFUSED, /* it is read and thrown away: who still writes might not read the answer */
  REQ_ASKED,   /* the owner has it; suspended */
  REQ_SENT,    /* an answer is queued */
};

/* One request on a web thread; also libmicrohttpd's context of it. */
struct req {
  struct web *web;
  struct MHD_Connection *connection;
  struct conn *conn;
  enum req_phase phase;
  char *target;          /* target is the raw one, NUL-terminated. */
  const char *target_at; /* target_at is where the library has it, and */
  size_t target_bytes;   /* target_bytes its length up to the first NUL. */
  enum web_method method;
  const struct web_row *row;
  struct head head;
  bool chunks; /* chunks: HTTP/1.1, so that what has no length comes in chunks. */
  bool cors, close; /* cors: the origin is on the list; close: the connection ends after this. */
  bool has_params, had_token; /* something was written to ask.params, to ask.claims */
  bool was_asked;             /* the owner had it */
  bool is_cut;                /* it is a stream now and ends before answer, see req_cut() */
  void *note;                 /* note is what the direct handler left for finish. */
  char *body;
  size_t body_bytes, body_room, body_max;
  bool too_large, too_much; /* too_much: there was no room for it beside the others'. */
  web_handle handle;        /* handle is in web->waiting while asked (lock). */
  web_handle stream;        /* stream, where the answer is one. */
  struct web_answer answer; /* answer and what follows are not there if it is_cut. */
  char near[128];           /* near holds a target that is short. */
  struct web_ask ask;       /* ask is what handlers see; the last member, see req_wipe(). */
};

/* A request that waits for the owner (lock). */
struct waiting {
  struct req *req;
  struct asked *asked; /* asked is what the owner gets; NULL once it has it. */
  uint64_t due_us;
};

/* An ask with the bytes that its slices point to; moved to the owner. */
struct asked {
  struct web_ask ask;
  struct web *web;
  char *body;
  size_t body_room;
  char text[];
};

/* One open stream (lock). */
struct stream {
  struct list dirty; /* dirty is in web->dirty while it has to be resumed. */
  web_handle handle;
  uint64_t cookie;
  struct MHD_Connection *connection; /* NULL once gone */
  struct conn *conn;
  char *bytes;
  size_t n, room, taken; /* taken of the n are with the library */
  bool suspended, closing, gone, listens;
  bool began;                   /* began: it listens, and what was queued before is sent. */
  uint64_t scene_at, scene_end; /* scene_at is how far it has read what stood when it began, */
  uint64_t cast_at;             /* cast_at what was cast since, where it listens. */
  uint64_t beat_us;             /* beat_us is when the next comment is due. */
  bool is_direct;               /* is_direct: fan.c may write to its socket while it sleeps, */
  bool sending;                 /* and does so now: it is not resumed meanwhile. */
  size_t frame_n, frame_sent;   /* frame_sent bytes are out of a frame with frame_n, see fan.c; 0: none. */
  uint64_t moved_us;            /* moved_us is when the reader last took something. */
  struct web_asker who;         /* who asked for it, as judged last. */
};

/* A ring of WEB_CAST_BYTES; NULL until somebody listens (lock). */
struct cast {
  char *bytes;
  uint64_t end; /* end counts all bytes that ever went in. */
};

/* The frame that is sent to all who have read up to from; they have read up to to then (tick thread). */
struct fan {
  char *frame;
  size_t n, room;
  uint64_t from, to;
};

struct note {
  enum web_ask_kind kind;
  web_handle handle;
  uint64_t cookie;
};

struct web {
  const char *name;
  const struct web_row *rows;
  size_t rows_n;
  struct path_index index; /* index of rows */
  char **hosts, **origins;
  size_t hosts_n, origins_n;
  void *direct_arg;
  struct tokens *tokens;
  bool (*who)(void *arg, const struct web_knock *k, struct web_asker *ret_who, struct web_answer *ret);
  void (*finish)(void *arg, void *note, struct web_answer *answer);
  void (*note_free)(void *note);
  bool (*still)(void *arg, struct web_asker *who);
  unsigned body_max_bytes;
  uint64_t request_us, answer_us, beat_us;
  size_t stream_max_bytes;

  struct MHD_Daemon *daemons[WEB_LISTEN_MAX];
  int quiet_fd[WEB_LISTEN_MAX]; /* quiet_fd is the listening socket after quiesce; -1. */
  uint16_t ports[WEB_LISTEN_MAX];
  size_t daemons_n;
  struct keypair *pair; /* pair, NULL: no TLS. */
  char *client_ca;      /* client_ca, NULL: no client certificates. */
  struct crl *crl;              /* crl, NULL: none is revoked. */

  pthread_mutex_t lock;
  struct pool *waiting, *streams; /* lock */
  struct list conns, dirty;       /* lock */
  struct cast cast;               /* cast is what all listeners are told (lock), */
  struct cast scene;              /* scene what stood when they began (lock). */
  struct fan fan;
  bool has_news;                  /* has_news: the tick thread has yet to wake listeners (lock). */
  bool stopping;                  /* lock: from now on nothing suspends. */
  _Atomic unsigned requests;      /* requests that live. */
  _Atomic size_t bodies;          /* bodies is how much of them is held, of bodies_max. */
  size_t bodies_max;

  struct mbox *box; /* box holds struct note. */
  struct watch watch;
  struct loop *loop; /* loop is the owner's, where attached. */
  web_ask_fn *fn;
  void *fn_arg;

  pthread_t tick;
  bool tick_on;
  int tick_fd; /* tick_fd wakes the tick thread. */
  unsigned scans;

  struct count_row count_rows[SERVER_COUNT_];
  _Atomic uint64_t count_values[SERVER_COUNT_];
  char count_labels[SERVER_COUNT_][96];
  struct counts counts;
};

/* req.c: the callbacks of libmicrohttpd */
void *req_begin(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result req_handle(void *cls, struct MHD_Connection *connection, const char *url,
                           const char *method, const char *version, const char *upload,
                           size_t *upload_bytes, void **context);
void req_end(void *cls, struct MHD_Connection *connection, void **context,
             enum MHD_RequestTerminationCode why);

/* body.c */
bool body_add(struct req *q, const char *bytes,
              size_t n);     /* false: so much too much that the connection ends */
void body_drop(struct req *q); /* wiped; how much came is still known */
void body_free(struct web *w, char *body, size_t room);

/* judge.c: whether and by which row a request is served; fills q->answer and returns false if not */
bool req_judge(struct req *q, const char *method);
bool req_type_ok(struct req *q);

/* peer.c: what the client's certificate says; NULL: none that is good */
const struct web_peer *req_peer(struct req *q);

/* send.c: an answer as the library's response */
enum MHD_Result answer_send(struct req *q);

/* ask.c */
enum MHD_Result req_ask(struct req *q, struct asked *a); /* takes a; suspends, or leaves an answer */
void ask_fill(struct req *q);           /* q->ask from the header; slices are the library's memory */
struct asked *asked_new(struct req *q); /* a copy of q->ask that takes the body; NULL without memory */
void asked_free(struct asked *a);
void asks_expire(struct web *w, uint64_t now_us); /* lock held */
void asks_refuse_all(struct web *w);              /* lock held */

/* stream.c */
enum MHD_Result stream_send(struct req *q);
void stream_gone(struct web *w, web_handle h); /* lock held: the connection has ended */
bool streams_resume(struct web *w,
                    unsigned max); /* lock held: those that have something to say; more? */
/* Lock held; so many from *slot on; more? */
bool streams_beat(struct web *w, uint32_t *slot, unsigned max, uint64_t now_us);
bool streams_hear(struct web *w, uint32_t *slot);
void streams_close_all(struct web *w); /* lock held */

/* cast.c */
bool cast_lost(const struct web *w,
               const struct stream *s); /* lock held: what it is to read next is gone */
size_t cast_take(struct web *w, struct stream *s, char *dst, size_t max); /* lock held; cuts who lags */
size_t cast_read(const struct web *w, uint64_t *at, uint64_t end, char *dst, size_t max); /* lock held */
/* Lock held: n bytes from at on, where they lie: the second piece may be empty. */
void cast_pieces(const struct web *w, uint64_t at, size_t n, struct iovec ret[2]);
void stream_wake(struct web *w, struct stream *s); /* lock held */
void stream_cut(struct web *w, struct stream *s);  /* lock held */

/* fan.c: the tick thread only */
void fan_news(struct web *w); /* what was cast since, to all who listen */
/* Lock held; rests of frames that sockets did not take whole, so many streams from *slot on; more? */
bool fan_rests(struct web *w, uint32_t *slot, unsigned max, uint64_t now_us);

/* tick.c */
int tick_start(struct web *w) must_check;
void tick_stop(struct web *w);
void tick_wake(struct web *w);

/* conn.c */
void conn_notify(void *cls, struct MHD_Connection *connection, void **context,
                 enum MHD_ConnectionNotificationCode what);
struct conn *conn_of(struct MHD_Connection *connection);
void conns_expire(struct web *w, uint64_t now_us); /* lock held */
