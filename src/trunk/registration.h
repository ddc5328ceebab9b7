/* SPDX-License-Identifier: Apache-2.0
 * One registration as a machine without I/O: when to send, to which registrar, for how long; what an
 * answer means. Renewed at half to nine tenths of what was given; a registrar that fails makes room for
 * the next at once, and all of them failing for the wait of RFC 5626 4.5. While another than the first
 * holds it, the first is asked again from time to time; if it takes it, it has it. RFC 3261 10.2, 10.3. */
#pragma once
#include "base/own.h"

enum registration_state {
  REGISTRATION_OFF,
  REGISTRATION_TRYING,  /* a REGISTER is out */
  REGISTRATION_UP,      /* until is ahead */
  REGISTRATION_WAITING, /* nothing is registered, the next try is at next_us */
  REGISTRATION_LEAVING, /* the REGISTER with Expires: 0 is out */
  REGISTRATION_GONE,    /* no more; final */
};
const char *registration_state_text(enum registration_state s); /* off trying registered … */

enum {
  REGISTRATION_BASE_S = 30, /* RFC 5626 4.5 */
  REGISTRATION_MAX_S = 1800,
  REGISTRATION_BACK_S = 120,      /* the first registrar is asked again, while another one serves */
  REGISTRATION_LEAST_S = 10,      /* never asked for again sooner, whatever is given */
  REGISTRATION_MIN_MAX_S = 86400, /* a Min-Expires beyond is a refusal */
};

struct registration {
  enum registration_state state;
  uint32_t asked_s;  /* asked_s goes into the next REGISTER. */
  uint32_t wanted_s; /* wanted_s is what the configuration says. */
  uint32_t n_registrars;
  uint32_t at, tried;     /* at is the registrar in use; tried counts those that failed this round. */
  uint32_t held;          /* held is the registrar that took it last. */
  bool is_back;           /* is_back: the first one is being asked, while held serves. */
  uint64_t renew_us;      /* renew_us is when held is to be asked again. */
  uint32_t failures;      /* failures counts rounds in a row. */
  bool met_423;           /* met_423: Min-Expires was obeyed in this round. */
  int last_status;        /* last_status: of the last final answer; 0: none yet */
  uint64_t until_us;      /* until_us is the end of what was given; 0: nothing is registered */
  uint64_t next_us;       /* next_us is when registration_due() is to be asked; UINT64_MAX: never */
  uint32_t retry_after_s; /* retry_after_s is the longest that a registrar asked for this round. */
};

/* What an answer says. */
struct registration_answer {
  int status;       /* 408 or 503 where none came */
  uint32_t given_s; /* of the Contact or Expires; 0: it said nothing */
  uint32_t min_s;   /* Min-Expires */
  uint32_t retry_after_s;
};

/* Off until next_us: up to 2 s of jitter. dice are random bits, of all functions. */
void registration_start(struct registration *r, uint32_t n_registrars, uint32_t wanted_s,
                        uint64_t now_us, uint32_t dice);
/* True: a REGISTER for asked_s is to be sent to registrar number at, now. */
bool registration_due(struct registration *r, uint64_t now_us);
/* The final answer; a challenge that cannot be met is a refusal like others. */
void registration_answered(struct registration *r, const struct registration_answer *a, uint64_t now_us,
                           uint32_t dice);
/* True: a REGISTER with Expires: 0 is to be sent now; false: there is nothing to take back. */
bool registration_leave(struct registration *r, uint64_t now_us);
bool registration_is_up(const struct registration *r, uint64_t now_us);
