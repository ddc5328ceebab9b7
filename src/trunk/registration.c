/* SPDX-License-Identifier: Apache-2.0
 * The machine of registration.h. */
#include "trunk/registration.h"

#define SECOND_US 1000000ull
#define NEVER UINT64_MAX

const char *registration_state_text(enum registration_state s) {
  static const char *const texts[] = {"off", "trying", "registered", "waiting", "leaving", "gone"};
  return texts[s];
}

/* A part of n, from low to high hundredths. */
static uint64_t part_of(uint64_t n, unsigned low, unsigned high, uint32_t dice) {
  return n * low / 100 + n * (high - low) / 100 * (dice % 1001) / 1000;
}

void registration_start(struct registration *r, uint32_t n_registrars, uint32_t wanted_s,
                        uint64_t now_us, uint32_t dice) {
  *r = (struct registration){.state = REGISTRATION_OFF,
                             .asked_s = wanted_s,
                             .wanted_s = wanted_s,
                             .n_registrars = n_registrars,
                             .next_us = now_us + part_of(2 * SECOND_US, 0, 100, dice)};
}

bool registration_is_up(const struct registration *r, uint64_t now_us) { return r->until_us > now_us; }

bool registration_due(struct registration *r, uint64_t now_us) {
  if (r->state == REGISTRATION_TRYING || r->state >= REGISTRATION_LEAVING || now_us < r->next_us ||
      !r->n_registrars)
    return false;
  r->is_back = r->state == REGISTRATION_UP && r->held && r->at == r->held && now_us < r->renew_us &&
               registration_is_up(r, now_us);
  r->at = r->is_back ? 0 : r->at;
  r->state = REGISTRATION_TRYING;
  r->next_us = NEVER;
  return true;
}

/* The next renewal, or sooner: is the first registrar well again? */
static void back_wait(struct registration *r, uint64_t now_us, uint32_t least_s) {
  uint32_t s = least_s > REGISTRATION_BACK_S ? least_s : REGISTRATION_BACK_S;
  uint64_t back = now_us + s * SECOND_US;
  r->is_back = false;
  r->at = r->held;
  r->state = REGISTRATION_UP;
  r->next_us = r->held && back < r->renew_us ? back : r->renew_us;
}

static void take_given(struct registration *r, uint32_t given_s, uint64_t now_us, uint32_t dice) {
  uint32_t s = given_s && given_s < r->asked_s ? given_s : r->asked_s;
  uint64_t renew = part_of(s * SECOND_US, 50, 90, dice);
  r->until_us = now_us + s * SECOND_US;
  r->renew_us =
      now_us + (renew < REGISTRATION_LEAST_S * SECOND_US ? REGISTRATION_LEAST_S * SECOND_US : renew);
  r->held = r->at;
  back_wait(r, now_us, r->retry_after_s);
  r->failures = r->tried = r->retry_after_s = 0;
  r->met_423 = false;
}

/* Of the upper bound min(max, base * 2^failures) at least half. */
static void wait_round(struct registration *r, uint64_t now_us, uint32_t dice) {
  uint64_t bound = REGISTRATION_BASE_S;
  for (uint32_t i = 0; i < r->failures && bound < REGISTRATION_MAX_S; i++)
    bound *= 2;
  bound = bound < REGISTRATION_MAX_S ? bound : REGISTRATION_MAX_S;
  uint64_t wait = part_of(bound * SECOND_US, 50, 100, dice);
  uint64_t asked = r->retry_after_s * SECOND_US;
  r->failures++;
  r->tried = r->retry_after_s = 0;
  r->met_423 = false;
  r->asked_s = r->wanted_s;
  r->at = 0;
  r->state = registration_is_up(r, now_us) ? REGISTRATION_UP : REGISTRATION_WAITING;
  r->next_us = now_us + (asked > wait ? asked : wait);
}

/* Is it the registrar that failed, and not what it was asked? */
static bool is_failure(int status) {
  return status == 408 || (status >= 500 && status < 600 && status != 501 && status != 505) ||
         status == 430;
}

static void at_once(struct registration *r, uint64_t now_us) {
  r->state = registration_is_up(r, now_us) ? REGISTRATION_UP : REGISTRATION_WAITING;
  r->next_us = now_us;
}

static bool obeys_min(struct registration *r, const struct registration_answer *a) {
  if (a->status != 423 || r->met_423 || a->min_s <= r->asked_s || a->min_s > REGISTRATION_MIN_MAX_S)
    return false;
  r->met_423 = true;
  r->asked_s = a->min_s;
  return true;
}

/* Who refuses us knows of no registration of ours. */
static void refused(struct registration *r, const struct registration_answer *a, uint64_t now_us,
                    uint32_t dice) {
  uint32_t longest = a->retry_after_s < REGISTRATION_MAX_S ? a->retry_after_s : REGISTRATION_MAX_S;
  if (r->is_back) {
    r->met_423 = false;
    r->asked_s = r->wanted_s;
    back_wait(r, now_us, longest);
    return;
  }
  r->retry_after_s = longest > r->retry_after_s ? longest : r->retry_after_s;
  if (is_failure(a->status) && ++r->tried < r->n_registrars) {
    r->at = (r->at + 1) % r->n_registrars;
    at_once(r, now_us);
    return;
  }
  if (!is_failure(a->status))
    r->until_us = 0;
  wait_round(r, now_us, dice);
}

void registration_answered(struct registration *r, const struct registration_answer *a, uint64_t now_us,
                           uint32_t dice) {
  r->last_status = a->status;
  if (r->state == REGISTRATION_LEAVING) {
    r->state = REGISTRATION_GONE;
    r->until_us = 0;
  } else if (r->state == REGISTRATION_TRYING) {
    if (a->status >= 200 && a->status < 300)
      take_given(r, a->given_s, now_us, dice);
    else if (obeys_min(r, a))
      at_once(r, now_us);
    else
      refused(r, a, now_us, dice);
  }
}

bool registration_leave(struct registration *r, uint64_t now_us) {
  bool is_known = registration_is_up(r, now_us) || r->state == REGISTRATION_TRYING;
  if (r->state >= REGISTRATION_LEAVING)
    return false;
  r->state = is_known ? REGISTRATION_LEAVING : REGISTRATION_GONE;
  r->next_us = NEVER;
  r->asked_s = 0;
  return is_known;
}
