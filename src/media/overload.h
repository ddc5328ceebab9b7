/* SPDX-License-Identifier: Apache-2.0
 * When a worker has too much to do, judged by how old packets are when it gets to them (the kernel
 * says when it had them) and by how much of a processor it uses. Past its maximum every call would
 * turn late together, so the protection is to stop admitting before: a window's verdict, and between
 * windows a limit of sessions learnt from what one costs, for those that do not speak yet. Dropping what
 * is too old comes last. An engine: (object, input, now_us); one for each worker. RFC 5390, RFC 7339 are
 * its kin in SIP. */
#pragma once
#include "base/own.h"

enum {
  OVERLOAD_WINDOW_US = 1000000,
  OVERLOAD_LATE_US = 20000,  /* 99th percentile of age: from here on no new calls, */
  OVERLOAD_STALE_US = 60000, /* and a packet older than this is dropped once the percentile is there. */
  OVERLOAD_WELL_US = 10000,  /* below it the door opens again */
  OVERLOAD_BUSY = 950,       /* share of a processor, permille: from here on no new calls, */
  OVERLOAD_EASY = 880,       /* below it the door opens again. */
  OVERLOAD_LEARN = 300,      /* busy enough to learn what a session costs */
  OVERLOAD_COST = 200,       /* what one costs before that is learnt, in millionths of a processor */
  OVERLOAD_PACKETS_MIN =
      5000, /* a window of fewer packets says nothing: fifty calls are no overload of ours */
  OVERLOAD_BINS = 12,
};

enum overload_verdict { OVERLOAD_OPEN, OVERLOAD_NO_NEW, OVERLOAD_SHEDDING };

struct overload {
  uint64_t since_us, since_cpu_us;             /* since is when the window began. */
  uint32_t packets, aged, bins[OVERLOAD_BINS]; /* aged are those whose age is known. */
  /* Of the window before: */
  uint8_t verdict;
  uint32_t busy_permille, age_us; /* age is the 99th percentile; the upper bound of its bin. */
  uint32_t cost;                  /* cost of one session, in millionths of a processor; 0: not learnt */
  /* Sessions whose packets are not in busy_permille: nothing came of them yet, or only now. */
  uint32_t silent, fresh, fresh_before;
};

/* A packet that waited for so long. */
static inline bool overload_is_stale(const struct overload *o, uint32_t age_us) {
  return o->verdict == OVERLOAD_SHEDDING && age_us > OVERLOAD_STALE_US;
}
void overload_age(struct overload *o, uint32_t age_us); /* of one packet; a sample will do */
static inline void overload_packets(struct overload *o, uint32_t n) { o->packets += n; }
/* Is the window over? Then call overload_close(). */
static inline bool overload_is_due(const struct overload *o, uint64_t now_us) {
  return now_us - o->since_us >= OVERLOAD_WINDOW_US;
}
/* cpu_us: the processor's time that the thread has used since its start. True: to be told upward, for
 * the verdict changed, or is not open. */
bool overload_close(struct overload *o, uint64_t now_us, uint64_t cpu_us, uint32_t sessions);
/* May a call of so many more sessions come in? */
bool overload_may_open(const struct overload *o, uint32_t more);
/* A session was opened; its first packet came; it ended, or was silent for long, before one did. */
static inline void overload_opened(struct overload *o) { o->silent++; }
static inline void overload_heard(struct overload *o) {
  o->silent--;
  o->fresh++;
}
static inline void overload_forget(struct overload *o) { o->silent--; }
