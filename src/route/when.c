/* SPDX-License-Identifier: Apache-2.0
 * When a rule holds: days of the week, hours, dates, in the time of a zone. */
#include "route/part.h"

#include <stdio.h>
#include <time.h>

static const struct field rows[] = {
    ROW(SECTION_TIME, when, day_words, "days", CHOICES, 0, 1, 7, "mon|tue|wed|thu|fri|sat|sun"),
    ROW(SECTION_TIME, when, hour_words, "hours", TEXTS, 0, 1, HOURS_MAX, NULL),
    ROW(SECTION_TIME, when, dates, "dates", TEXTS, 0, 1, 32, NULL),
    ROW(SECTION_TIME, when, zone_name, "zone", TEXT, 0, 1, 63, NULL),
};

static bool two_digits(const char *p, unsigned max, unsigned *ret) {
  uint64_t v;
  bool is_good = slice_u64(slice_from(p, 2), max, &v) == 0;
  *ret = is_good ? (unsigned)v : 0;
  return is_good;
}

/* "08:00-17:30" */
static bool hours_read(const char *s, uint16_t *ret_from, uint16_t *ret_to) {
  unsigned a, b, c, d;
  if (strlen(s) != 11 || s[2] != ':' || s[5] != '-' || s[8] != ':' || !two_digits(s, 24, &a) ||
      !two_digits(s + 3, 59, &b) || !two_digits(s + 6, 24, &c) || !two_digits(s + 9, 59, &d))
    return false;
  *ret_from = (uint16_t)(a * 60 + b);
  *ret_to = (uint16_t)(c * 60 + d);
  return *ret_from <= 1440 && *ret_to <= 1440 && *ret_from != *ret_to;
}

static bool date_is_good(const char *s) {
  unsigned v;
  return strlen(s) == 10 && s[4] == '-' && s[7] == '-' && two_digits(s, 99, &v) &&
         two_digits(s + 2, 99, &v) && two_digits(s + 5, 12, &v) && two_digits(s + 8, 31, &v);
}

static void words_read(const struct plan_reader *p, uint32_t line, struct when *to) {
  for (uint32_t i = 0; i < to->day_words.n; i++)
    to->days |=
        (uint8_t)(1U << field_choice("mon|tue|wed|thu|fri|sat|sun", slice_of(to->day_words.text[i])));
  for (uint32_t i = 0; i < to->hour_words.n && i < HOURS_MAX; i++) {
    to->n_hours = i + 1;
    if (!hours_read(to->hour_words.text[i], &to->hours[i].from, &to->hours[i].to))
      part_fail(p, line, "time.hours", "HH:MM-HH:MM");
  }
  for (uint32_t i = 0; i < to->dates.n; i++)
    if (!date_is_good(to->dates.text[i]))
      part_fail(p, line, "time.dates", "YYYY-MM-DD");
}

void when_read(const struct plan_reader *p, const struct tree_node *node, struct when *to) {
  char error[120];
  if (!node)
    return;
  part_read(p, rows, COUNT_OF(rows), SECTION_TIME, node, "time", to);
  if (node->kind != TREE_MAP)
    return;
  words_read(p, node->line, to);
  if (to->zone_name[0] && zone_load(&to->zone, to->zone_name, error, sizeof(error)) < 0)
    conf_error_add(p->r.errors, p->r.file, node->line, "%s.time.zone: %s", p->path, error);
}

void when_done(struct when *w) { w->zone = zone_free(w->zone); }

static bool hours_fit(const struct when *w, uint32_t minute) {
  bool fits = w->n_hours == 0;
  for (uint32_t i = 0; i < w->n_hours && !fits; i++) {
    uint32_t from = w->hours[i].from, to = w->hours[i].to;
    fits = from < to ? minute >= from && minute < to : minute >= from || minute < to;
  }
  return fits;
}

static bool date_fits(const struct when *w, const struct tm *tm) {
  char today[40];
  bool fits = w->dates.n == 0;
  snprintf(today, sizeof(today), "%04d-%02d-%02d", tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday);
  for (uint32_t i = 0; i < w->dates.n && !fits; i++)
    fits = strcmp(today, w->dates.text[i]) == 0;
  return fits;
}

bool when_fits(const struct when *w, uint64_t wall_s) {
  struct tm tm;
  if (!w->days && !w->n_hours && !w->dates.n)
    return true;
  time_t local = (time_t)wall_s + (w->zone ? zone_offset_s(w->zone, wall_s) : 0);
  if (!gmtime_r(&local, &tm))
    return false;
  unsigned day = (unsigned)(tm.tm_wday + 6) % 7; /* Monday is 0 */
  return (!w->days || w->days >> day & 1) && hours_fit(w, (uint32_t)(tm.tm_hour * 60 + tm.tm_min)) &&
         date_fits(w, &tm);
}
