/* SPDX-License-Identifier: Apache-2.0
 * Session timer, see refresh.h. RFC 4028 7 (UAC), 9 (UAS), 10 (who refreshes, who ends). */
#include "trunk/refresh.h"

static uint32_t max_s(uint32_t a, uint32_t b) { return a > b ? a : b; }

void refresh_init(struct refresh *r, uint32_t want_s, uint32_t min_s) {
  *r = (struct refresh){.want_s = want_s, .min_s = min_s};
  if (want_s)
    r->want_s = max_s(want_s, min_s);
}

bool refresh_check(const struct refresh *r, const struct refresh_fields *asked) {
  return !r->want_s || !asked->expires_s || !asked->has_timer || asked->expires_s >= r->min_s;
}

static void begin(struct refresh *r, uint32_t interval_s, bool is_ours, uint64_t now_us) {
  r->interval_s = interval_s < REFRESH_MOST_S ? interval_s : REFRESH_MOST_S;
  r->is_ours = is_ours;
  r->since_us = now_us;
  r->again_us = 0;
  r->is_asked = false;
}

/* May only be lowered, and not below what the peer and we can bear. A request without an interval gets
 * ours, if its sender knows what that is; one that says nothing leaves what we keep up ourselves. */
static uint32_t interval_for(const struct refresh *r, const struct refresh_fields *asked) {
  uint32_t least = max_s(r->min_s, asked->min_s);
  if (!asked->expires_s)
    return asked->has_timer ? max_s(r->want_s, least) : r->is_ours ? r->interval_s : 0;
  if (asked->expires_s > r->want_s && asked->expires_s > asked->min_s)
    return max_s(r->want_s, asked->min_s);
  return max_s(asked->expires_s, REFRESH_LEAST_S);
}

/* Who sent the request refreshes unless it says otherwise or cannot; later requests change no roles by
 * saying nothing. */
static bool is_ours_for(const struct refresh *r, const struct refresh_fields *asked) {
  if (!asked->has_timer || asked->refresher == REFRESHER_UAS)
    return true;
  if (asked->refresher == REFRESHER_UAC)
    return false;
  return r->interval_s ? r->is_ours : !asked->expires_s;
}

void refresh_accept(struct refresh *r, const struct refresh_fields *asked, uint64_t now_us,
                    struct refresh_fields *ret) {
  *ret = (struct refresh_fields){.has_timer = r->want_s > 0};
  if (!r->want_s)
    return;
  r->floor_s = max_s(r->floor_s, asked->min_s <= REFRESH_MOST_S ? asked->min_s : 0);
  begin(r, interval_for(r, asked), is_ours_for(r, asked), now_us);
  ret->expires_s = r->interval_s;
  if (r->interval_s)
    ret->refresher = r->is_ours ? REFRESHER_UAS : REFRESHER_UAC;
}

void refresh_ask(const struct refresh *r, struct refresh_fields *ret) {
  uint32_t least = max_s(r->min_s, r->floor_s);
  *ret = (struct refresh_fields){.has_timer = r->want_s > 0};
  if (!r->want_s)
    return;
  ret->expires_s = max_s(r->interval_s ? r->interval_s : r->want_s, least);
  ret->min_s = least;
  if (r->interval_s)
    ret->refresher = r->is_ours ? REFRESHER_UAC : REFRESHER_UAS;
}

void refresh_agree(struct refresh *r, const struct refresh_fields *answer, uint64_t now_us) {
  uint32_t s = answer->expires_s;
  if (!r->want_s)
    return;
  r->raises = 0;
  begin(r, s ? max_s(s, REFRESH_LEAST_S) : 0, answer->refresher != REFRESHER_UAS, now_us);
}

bool refresh_raise(struct refresh *r, uint32_t min_s) {
  struct refresh_fields now;
  refresh_ask(r, &now);
  if (!r->want_s || min_s <= now.expires_s || min_s > REFRESH_MOST_S || r->raises == REFRESH_RAISES_MAX)
    return false;
  r->raises++;
  r->floor_s = max_s(r->floor_s, min_s);
  return true;
}

/* A third before the end, but at most 32 s: RFC 4028 10. */
static uint64_t over_us(const struct refresh *r) {
  uint64_t us = (uint64_t)r->interval_s * 1000000, margin = us / 3;
  return r->since_us + us - (margin < 32000000 ? margin : 32000000);
}

static uint64_t send_us(const struct refresh *r) {
  return r->again_us ? r->again_us : r->since_us + (uint64_t)r->interval_s * 500000;
}

void refresh_failed(struct refresh *r, uint64_t now_us) {
  r->is_asked = false;
  r->again_us = now_us + (uint64_t)REFRESH_AGAIN_S * 1000000;
}

enum refresh_due refresh_due(struct refresh *r, uint64_t now_us) {
  if (!r->interval_s)
    return REFRESH_IDLE;
  if (now_us >= over_us(r))
    return REFRESH_OVER;
  if (!r->is_ours || r->is_asked || now_us < send_us(r))
    return REFRESH_IDLE;
  r->is_asked = true;
  return REFRESH_SEND;
}

uint64_t refresh_next_us(const struct refresh *r) {
  uint64_t over = over_us(r), send = send_us(r);
  if (!r->interval_s)
    return 0;
  return r->is_ours && !r->is_asked && send < over ? send : over;
}
