/* SPDX-License-Identifier: Apache-2.0
 * What caps have counted, as text that outlives the program: a line of countries, then a line for each
 * account whose windows are open. Windows are written by the wall clock. Pure. */
#include "guard/capspart.h"

#include <inttypes.h>
#include <stdio.h>

static const char head[] = "sallyport caps 1\n";
static const uint64_t HOUR_US = 3600000000, DAY_US = 86400000000;
enum { LINE_BYTES = KEY_BYTES + 120 };

static bool is_open(uint64_t began_us, uint64_t window_us, uint64_t now_us) {
  return began_us && now_us - began_us < window_us;
}

static bool is_plain(const char *key) {
  for (; *key; key++)
    if ((unsigned char)*key < ' ')
      return false;
  return true;
}

static bool is_kept(const struct account *a, uint64_t now_us) {
  bool has_hour = is_open(a->hour_us, HOUR_US, now_us) && a->hour_calls;
  bool has_day = is_open(a->day_us, DAY_US, now_us) && (a->day_talked_us || a->day_spent);
  return *a->key && (has_hour || has_day) && is_plain(a->key);
}

/* hour's age and calls, day's age, what was talked and spent, and the key: ages in ms. */
static size_t account_write(const struct account *a, char *dst, size_t bytes, uint64_t now_us,
                            uint64_t wall_ms) {
  return (size_t)snprintf(dst, bytes,
                          "%" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n",
                          wall_ms - (now_us - a->hour_us) / 1000, a->hour_calls,
                          wall_ms - (now_us - a->day_us) / 1000, a->day_talked_us, a->day_spent, a->key);
}

char *caps_write(struct caps *c, size_t *ret_n, uint64_t now_us, uint64_t wall_ms) {
  size_t bytes = sizeof(head) + 2 * sizeof(c->countries) + 2, n;
  for (uint32_t i = 0; i < c->next_free; i++)
    bytes += is_kept(&c->accounts[i], now_us) ? LINE_BYTES : 0;
  char *text = malloc(bytes);
  if (!text)
    return NULL;
  n = (size_t)snprintf(text, bytes, "%s", head);
  for (size_t i = 0; i < sizeof(c->countries); i++)
    n += (size_t)snprintf(text + n, bytes - n, "%02x", c->countries[i]);
  n += (size_t)snprintf(text + n, bytes - n, "\n");
  for (uint32_t i = 0; i < c->next_free; i++)
    if (is_kept(&c->accounts[i], now_us))
      n += account_write(&c->accounts[i], text + n, bytes - n, now_us, wall_ms);
  c->is_news = false;
  *ret_n = n;
  return text;
}

static void countries_read(struct caps *c, struct slice hex) {
  for (size_t i = 0; i < sizeof(c->countries) && 2 * i + 1 < hex.n; i++) {
    char byte[3] = {hex.p[2 * i], hex.p[2 * i + 1], 0};
    c->countries[i] |= (uint8_t)strtoul(byte, NULL, 16);
  }
}

/* When it began by the monotonic clock; 0: it is over, or of the future. */
static uint64_t began(uint64_t at_ms, uint64_t window_us, uint64_t now_us, uint64_t wall_ms) {
  uint64_t age_us = (wall_ms - at_ms) * 1000;
  return at_ms > wall_ms || wall_ms - at_ms >= window_us / 1000 ? 0 : now_us - age_us;
}

static bool account_read(struct caps *c, struct slice line, uint64_t now_us, uint64_t wall_ms) {
  uint64_t n[5];
  char key[KEY_BYTES];
  for (size_t i = 0; i < COUNT_OF(n); i++)
    if (slice_u64(slice_cut(&line, ' '), UINT64_MAX, &n[i]) < 0)
      return false;
  if (!line.n || slice_copy(key, sizeof(key), line) < 0)
    return false;
  struct account *a = caps_account(c, key);
  if (!a)
    return false;
  a->used_us = now_us;
  a->hour_us = began(n[0], HOUR_US, now_us, wall_ms);
  a->hour_calls = a->hour_us ? (uint32_t)n[1] : 0;
  a->day_us = began(n[2], DAY_US, now_us, wall_ms);
  a->day_talked_us = a->day_us ? n[3] : 0;
  a->day_spent = a->day_us ? n[4] : 0;
  return true;
}

int caps_read(struct caps *c, struct slice text, uint64_t now_us, uint64_t wall_ms) {
  if (!slice_starts(text, SLICE(head)))
    return -EBADMSG;
  text = slice_from(text.p + sizeof(head) - 1, text.n - (sizeof(head) - 1));
  countries_read(c, slice_cut(&text, '\n'));
  for (uint32_t i = 0; text.n && i < CAPS_ACCOUNTS_MAX; i++)
    if (!account_read(c, slice_cut(&text, '\n'), now_us, wall_ms))
      return -EBADMSG;
  return 0;
}

bool caps_is_news(const struct caps *c) { return c->is_news; }
