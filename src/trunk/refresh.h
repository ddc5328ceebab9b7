/* SPDX-License-Identifier: Apache-2.0
 * The session timer of one dialog (RFC 4028), an engine without I/O: what our requests ask, what our
 * answers say, who refreshes, when that is due and when the session is over. Times in microseconds of
 * the caller's clock, intervals in seconds. */
#pragma once
#include "base/own.h"

enum {
  REFRESH_LEAST_S = 10,   /* no interval of a peer's is taken for shorter: we would do nothing else */
  REFRESH_MOST_S = 86400, /* what a 422 may raise ours to */
  REFRESH_RAISES_MAX = 3, /* 422s that one request obeys */
  REFRESH_AGAIN_S = 10,   /* a refused refresh is tried again after this, if there is time */
};

enum refresher { REFRESHER_NONE, REFRESHER_UAC, REFRESHER_UAS };

/* What a message says: Session-Expires, Min-SE (0: not there), and whether "timer" is supported. */
struct refresh_fields {
  uint32_t expires_s, min_s;
  enum refresher refresher;
  bool has_timer;
};

struct refresh {
  uint32_t want_s;     /* want_s is what we ask for; 0: off, nothing is asked, told or agreed. */
  uint32_t min_s;      /* min_s is the least that we take. */
  uint32_t floor_s;    /* floor_s is the greatest Min-SE seen; ours never falls below it. */
  uint32_t interval_s; /* interval_s is in force; 0: the session does not expire. */
  uint32_t raises;
  bool is_ours;  /* is_ours: we refresh. */
  bool is_asked; /* is_asked: our refresh of this interval was sent. */
  uint64_t since_us, again_us;
};

enum refresh_due { REFRESH_IDLE, REFRESH_SEND, REFRESH_OVER };

void refresh_init(struct refresh *r, uint32_t want_s, uint32_t min_s);
/* A peer's request: may it stand? False: 422 with Min-SE min_s. */
bool refresh_check(const struct refresh *r, const struct refresh_fields *asked) must_check;
/* The 2xx to it: begins the interval anew; *ret is what the 2xx says (expires_s 0: nothing). */
void refresh_accept(struct refresh *r, const struct refresh_fields *asked, uint64_t now_us,
                    struct refresh_fields *ret);
/* What our INVITE or UPDATE says. */
void refresh_ask(const struct refresh *r, struct refresh_fields *ret);
/* The 2xx to it. */
void refresh_agree(struct refresh *r, const struct refresh_fields *answer, uint64_t now_us);
/* A 422 to it with that Min-SE. True: ask again, it asks more now. */
bool refresh_raise(struct refresh *r, uint32_t min_s) must_check;
/* Our refresh got another answer, or none: it is due again later in the interval. */
void refresh_failed(struct refresh *r, uint64_t now_us);
/* SEND is told once, until refresh_failed or a new interval. */
enum refresh_due refresh_due(struct refresh *r, uint64_t now_us);
uint64_t refresh_next_us(const struct refresh *r); /* when to ask refresh_due; 0: never */
