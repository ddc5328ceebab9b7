/* SPDX-License-Identifier: Apache-2.0
 * Caps: see caps.h. */
#include "guard/capspart.h"

#include <stdio.h>

enum { HOUR_S = 3600, DAY_S = 86400 };
static const uint64_t SECOND = 1000000;

int caps_new(struct caps **ret) {
  struct caps *c = calloc(1, sizeof(*c));
  if (!c)
    return -ENOMEM;
  int r = map_new(&c->by_key, CAPS_ACCOUNTS_MAX);
  if (r < 0) {
    free(c);
    return r;
  }
  *ret = c;
  return 0;
}

struct caps *caps_free(struct caps *c) {
  if (c)
    map_free(c->by_key);
  free(c);
  return NULL;
}

/* Accounts ---------------------------------------------------------------------------------------- */

/* Of those without a live call the one that was asked longest ago. */
static struct account *idlest(struct caps *c) {
  struct account *best = NULL;
  if (c->next_free < CAPS_ACCOUNTS_MAX)
    return &c->accounts[c->next_free++];
  for (uint32_t i = 0; i < CAPS_ACCOUNTS_MAX; i++) {
    struct account *a = &c->accounts[i];
    if (!a->live && (!best || a->used_us < best->used_us))
      best = a;
  }
  if (best)
    (void)map_del(c->by_key, slice_of(best->key));
  return best;
}

struct account *caps_account(struct caps *c, const char *key) {
  struct account *a = map_get(c->by_key, slice_of(key));
  if (a)
    return a;
  a = idlest(c);
  if (!a)
    return NULL;
  uint32_t generation = a->generation + 1;
  memset(a, 0, sizeof(*a));
  a->generation = generation;
  snprintf(a->key, sizeof(a->key), "%s", key);
  return map_put(c->by_key, slice_of(a->key), a) == 0 ? a : NULL;
}

static struct account *account_of(struct caps *c, const struct conf_cap *cap, struct slice value) {
  char key[KEY_BYTES];
  snprintf(key, sizeof(key), "%s %.*s", cap->name, (int)(value.n < 80 ? value.n : 80), value.p);
  return caps_account(c, key);
}

static void windows_turn(struct account *a, uint64_t now_us) {
  if (!a->hour_us || now_us - a->hour_us >= HOUR_S * SECOND) {
    a->hour_us = now_us;
    a->hour_calls = 0;
  }
  if (!a->day_us || now_us - a->day_us >= DAY_S * SECOND) {
    a->day_us = now_us;
    a->day_talked_us = a->day_spent = 0;
  }
  a->used_us = now_us;
}

/* Admission --------------------------------------------------------------------------------------- */

static bool covers(const struct conf_cap *cap, struct slice called) {
  for (uint32_t i = 0; i < cap->called.n; i++)
    if (slice_starts(called, slice_of(cap->called.text[i])))
      return true;
  return cap->called.n == 0;
}

static struct slice value_of(const struct conf_cap *cap, const struct caps_facts *f) {
  switch ((enum conf_cap_per)cap->per) {
  case CAP_PER_CALLER:
    return f->caller;
  case CAP_PER_TRUNK:
    return f->trunk;
  case CAP_PER_TENANT:
    return f->tenant;
  case CAP_PER_CALLED:
    return f->called;
  case CAP_PER_NODE:
    break;
  }
  return slice_of("");
}

static struct verdict over(const struct conf_cap *cap, const char *setting, uint32_t most, int retry_s) {
  struct verdict v =
      verdict_refuse(REFUSE_CAP, "caps[%s].%s: %u (line %u)", cap->name, setting, most, cap->line);
  v.retry_after_s = retry_s;
  return v;
}

static int left_s(uint64_t since_us, uint64_t window_s, uint64_t now_us) {
  return (int)(window_s - (now_us - since_us) / SECOND);
}

static struct verdict ask(struct account *a, const struct conf_cap *cap, uint64_t now_us) {
  windows_turn(a, now_us);
  if (cap->calls && a->live >= cap->calls)
    return over(cap, "calls", cap->calls, 5);
  if (cap->calls_per_hour && a->hour_calls >= cap->calls_per_hour)
    return over(cap, "calls_per_hour", cap->calls_per_hour, left_s(a->hour_us, HOUR_S, now_us));
  if (cap->minutes_per_day && a->day_talked_us >= cap->minutes_per_day * 60 * SECOND)
    return over(cap, "minutes_per_day", cap->minutes_per_day, left_s(a->day_us, DAY_S, now_us));
  if (cap->spend_per_day && a->day_spent >= cap->spend_per_day * SECOND)
    return over(cap, "spend_per_day", cap->spend_per_day, left_s(a->day_us, DAY_S, now_us));
  if (cap->calls_per_s && !bucket_take(&a->bucket, cap->calls_per_s, now_us))
    return over(cap, "calls_per_s", cap->calls_per_s, 1);
  return verdict_pass();
}

struct verdict caps_admit(struct caps *c, const struct conf *conf, const struct caps_facts *f,
                          uint64_t now_us, struct caps_hold *ret) {
  ret->n = 0;
  for (uint32_t i = 0; i < conf->n_caps; i++) {
    const struct conf_cap *cap = &conf->caps[i];
    struct slice value = value_of(cap, f);
    if (!covers(cap, f->called) || (cap->per != CAP_PER_NODE && !value.n) || ret->n == CAPS_A_CALL)
      continue;
    struct account *a = account_of(c, cap, value);
    struct verdict v = a ? ask(a, cap, now_us) : over(cap, "accounts", CAPS_ACCOUNTS_MAX, 5);
    if (!verdict_is_pass(&v))
      return v;
    ret->of[ret->n].account = (uint16_t)(a - c->accounts);
    ret->of[ret->n++].generation = a->generation;
  }
  for (uint32_t k = 0; k < ret->n; k++) {
    c->accounts[ret->of[k].account].live++;
    c->accounts[ret->of[k].account].hour_calls++;
  }
  c->is_news |= ret->n > 0;
  return verdict_pass();
}

static const struct conf_cap *cap_of(const struct conf *conf, const struct account *a) {
  struct slice key = slice_of(a->key);
  for (uint32_t i = 0; i < conf->n_caps; i++) {
    size_t n = strlen(conf->caps[i].name);
    if (key.n > n && a->key[n] == ' ' && memcmp(a->key, conf->caps[i].name, n) == 0)
      return &conf->caps[i];
  }
  return NULL;
}

void caps_leave(struct caps *c, const struct conf *conf, struct caps_hold *hold, uint64_t talked_us,
                uint64_t now_us) {
  for (uint32_t k = 0; k < hold->n; k++) {
    struct account *a = &c->accounts[hold->of[k].account];
    if (a->generation != hold->of[k].generation || !a->live)
      continue;
    const struct conf_cap *cap = cap_of(conf, a);
    windows_turn(a, now_us);
    a->live--;
    a->day_talked_us += talked_us;
    if (cap) /* begun minutes are whole ones, as carriers bill */
      a->day_spent +=
          (talked_us + 60 * SECOND - 1) / (60 * SECOND) * cap->cost_per_minute * (SECOND / 1000);
  }
  c->is_news |= hold->n > 0;
  hold->n = 0;
}

/* Countries ----------------------------------------------------------------------------------------- */

/* Of one digit: 1 and 7; of two: these, the others have three (ITU-T E.164, assigned codes). */
static bool has_two_digits(unsigned two) {
  static const uint8_t codes[] = {20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46,
                                  47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62, 63,
                                  64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98};
  for (size_t i = 0; i < COUNT_OF(codes); i++)
    if (codes[i] == two)
      return true;
  return false;
}

uint32_t caps_country(struct slice called) {
  uint32_t code = 0;
  if (called.n < 5 || called.p[0] != '+')
    return 0;
  for (size_t i = 1; i <= 3; i++) {
    if (called.p[i] < '0' || called.p[i] > '9')
      return 0;
    code = code * 10 + (uint32_t)(called.p[i] - '0');
    if ((i == 1 && (code == 1 || code == 7)) || (i == 2 && has_two_digits(code)))
      return code;
  }
  return code;
}

bool caps_is_new_country(struct caps *c, uint32_t country) {
  if (!country || country >= COUNTRIES || (c->countries[country / 8] & 1u << country % 8))
    return false;
  c->countries[country / 8] |= (uint8_t)(1u << country % 8);
  c->is_news = true;
  return true;
}
