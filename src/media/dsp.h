/* SPDX-License-Identifier: Apache-2.0
 * Threads that decode and encode, so that no packet waits for it. Each has its objects (transcoders and
 * members of rooms, named by worker and the handle of the session that sends what they make), and for
 * each worker a queue in and a queue out; nothing else is shared. It turns every DSP_TICK_US by its own
 * clock while it has objects, and sleeps else. Admission is by cost. Internal to media. */
#pragma once
#include "base/pipe.h"
#include "flow/flow.h"
#include "media/rooms.h"

enum {
  DSP_THREADS_MAX = 16,
  DSP_TICK_US = 10000,
  DSP_PIPE_BYTES = 1 << 20,  /* of each queue */
  DSP_SPARE_BYTES = 1 << 14, /* kept free of packets, for what must not be lost */
  DSP_SHARE_DEFAULT = 80,    /* percent of the threads' time that is given away */
};

enum dsp_op {
  DSP_FORM,
  DSP_PACKET,
  DSP_REST,
  DSP_TONE,
  DSP_PLAY,
  DSP_LOSS,
  DSP_CLOSE,
  DSP_ROOM_JOIN,
  DSP_ROOM_PACKET,
  DSP_ROOM_LEAVE,
  DSP_OPS_
};
enum dsp_made { DSP_MADE_FRAME, DSP_MADE_MIX, DSP_MADE_SPEAKER, DSP_MADE_PLAYED };

struct dsp_input {  /* worker → thread; a packet's payload follows */
  uint64_t session; /* session is the handle at its worker of the session that sends. */
  uint64_t now_us;
  uint8_t op;    /* op is an enum dsp_op. */
  uint8_t epoch; /* epoch comes back with each frame. */
  uint16_t n;    /* n is the payload's length. */
  union {
    struct xcode_form form;     /* FORM: makes the object, or changes it */
    struct xcode_packet packet; /* PACKET */
    uint32_t tone;              /* TONE: 1 + enum tone_kind; 0: none */
    uint32_t loss_percent;      /* LOSS */
    struct room_form room;      /* ROOM_JOIN: joins, or changes it */
    struct room_packet said;    /* ROOM_PACKET */
    struct xcode_play play;     /* PLAY */
  };
};

struct dsp_output { /* thread → worker; the payload follows */
  uint64_t session;
  uint64_t room; /* room is of MIX and SPEAKER. */
  struct xcode_frame frame;
  uint8_t epoch, made; /* made is an enum dsp_made. */
  uint8_t level;       /* level of SPEAKER, below overload, */
  bool is_nobody;      /* or that nobody speaks. */
  int error;           /* error of PLAYED, the end of a file: 0, or why it was not played. */
};

struct dsps;
struct dsps_options {
  uint32_t threads, share_percent; /* 1-DSP_THREADS_MAX; 0: the default */
  uint32_t workers, sessions_max;  /* sessions_max of each worker */
  const struct prompts *prompts;   /* NULL: no files are played. */
};
int dsps_new(struct dsps **ret, const struct dsps_options *o) must_check;
struct dsps *dsps_free(struct dsps *d); /* ends the threads */
OWN_DEFINE(dsps)
void dsps_set_wake(struct dsps *d, uint32_t worker, int fd); /* before they start */
int dsps_start(struct dsps *d) must_check;
void dsps_stop(struct dsps *d);                              /* before the workers end */
uint64_t dsps_drops(const struct dsps *d, enum drop reason); /* any thread */
/* How full they are, 1000: all that may be given away is (or more is used). Any thread. */
uint32_t dsps_permille(const struct dsps *d);

/* Admission, from any thread: */
/* The thread that has most room for cost_us (of each second); -EBUSY: none has. */
int dsps_admit(struct dsps *d, uint32_t cost_us, uint32_t *ret_thread) must_check;
/* The same of that thread: of a room that is there. */
int dsps_admit_at(struct dsps *d, uint32_t thread, uint32_t cost_us) must_check;
void dsps_release(struct dsps *d, uint32_t thread, uint32_t cost_us);
/* Its cost changed; it stays in. */
void dsps_recost(struct dsps *d, uint32_t thread, uint32_t was_us, uint32_t cost_us);
/* Worker's thread: */
/* false: the queue is full. in->n bytes of payload are copied. */
bool dsps_put(struct dsps *d, uint32_t thread, uint32_t worker, const struct dsp_input *in,
              const uint8_t *payload);
/* The next thing that any thread has for the worker, valid until the next call; NULL: none. */
const struct dsp_output *dsps_get(struct dsps *d, uint32_t worker, const uint8_t **ret_payload);
