/* SPDX-License-Identifier: Apache-2.0
 * Per-second facts of a call's directions: the last 60 s as they were, before that means of ten seconds
 * (of twenty, forty … when a call is long), and the seconds around anomalies. Bounded; made as needed.
 */
#include "trace/inner.h"

#include <stdio.h>

enum { SECONDS = 60, MEANS = 48, ODD = 30, ODD_AROUND_S = 3, MEAN_S = 10, LINE_POINT_BYTES = 64 };

struct samples {
  struct samples *next;
  uint8_t lane, way;
  uint32_t n, step_s, n_means, n_odd, odd_until_s;
  struct trace_point second[SECONDS]; /* second is a ring, the next at n % SECONDS. */
  struct trace_point *mean, *odd;     /* NULL until the first is due */
};

void samples_free(struct trace *t) {
  while (t->samples) {
    struct samples *s = t->samples;
    t->samples = s->next;
    free(s->mean);
    free(s->odd);
    free(s);
  }
}

static struct samples *samples_of(struct trace *t, unsigned lane, enum trace_way way) {
  struct samples *s = t->samples;
  while (s && (s->lane != lane || s->way != way))
    s = s->next;
  if (s)
    return s;
  s = calloc(1, sizeof(*s));
  if (!s)
    return NULL;
  s->lane = (uint8_t)lane;
  s->way = (uint8_t)way;
  s->step_s = MEAN_S;
  s->next = t->samples;
  t->samples = s;
  return s;
}

static uint16_t capped(uint32_t v) { return v > UINT16_MAX ? UINT16_MAX : (uint16_t)v; }
static uint8_t capped8(uint32_t v) { return v > UINT8_MAX ? UINT8_MAX : (uint8_t)v; }

/* Counts add up, jitter and level are the worse and the louder. */
static void point_add(struct trace_point *to, const struct trace_point *p) {
  to->packets = capped((uint32_t)to->packets + p->packets);
  to->lost = capped((uint32_t)to->lost + p->lost);
  to->auth_failures = capped8((uint32_t)to->auth_failures + p->auth_failures);
  to->wrong_source = capped8((uint32_t)to->wrong_source + p->wrong_source);
  if (p->jitter_ms > to->jitter_ms)
    to->jitter_ms = p->jitter_ms;
  if (to->level_db > 0 || (p->level_db <= 0 && p->level_db > to->level_db))
    to->level_db = p->level_db;
}

static void means_halve(struct samples *s) {
  for (uint32_t i = 0; i < s->n_means / 2; i++) {
    s->mean[i] = s->mean[2 * i];
    point_add(&s->mean[i], &s->mean[2 * i + 1]);
  }
  s->n_means /= 2;
  s->step_s *= 2;
}

/* A second that leaves the last sixty. */
static void second_leaves(struct samples *s, const struct trace_point *p) {
  if (!s->mean)
    s->mean = calloc(MEANS, sizeof(*s->mean));
  if (!s->mean)
    return;
  struct trace_point *last = s->n_means ? &s->mean[s->n_means - 1] : NULL;
  if (last && p->t_s < last->t_s + s->step_s) {
    point_add(last, p);
    return;
  }
  if (s->n_means == MEANS)
    means_halve(s);
  s->mean[s->n_means] = *p;
  s->mean[s->n_means++].t_s = p->t_s - p->t_s % s->step_s;
}

static bool is_odd(const struct trace_point *p, const struct trace_point *before) {
  uint32_t all = (uint32_t)p->packets + p->lost;
  return p->auth_failures || p->wrong_source || (all && p->lost * 20U > all) || p->jitter_ms > 60 ||
         (before && before->packets > 10 && p->packets == 0);
}

static void odd_keep(struct samples *s, const struct trace_point *p) {
  if (!s->odd)
    s->odd = calloc(ODD, sizeof(*s->odd));
  if (s->odd && s->n_odd < ODD)
    s->odd[s->n_odd++] = *p;
}

void trace_media(struct trace *t, unsigned lane, enum trace_way way, const struct trace_point *p) {
  struct samples *s = t && !t->is_over ? samples_of(t, lane, way) : NULL;
  if (!s)
    return;
  struct trace_point *slot = &s->second[s->n % SECONDS];
  if (is_odd(p, s->n ? &s->second[(s->n - 1) % SECONDS] : NULL))
    s->odd_until_s = p->t_s + ODD_AROUND_S;
  if (s->n >= SECONDS)
    second_leaves(s, slot);
  *slot = *p;
  s->n++;
  if (s->odd_until_s >= p->t_s)
    odd_keep(s, p);
}

/* Items: a line a point ----------------------------------------------------------------------------- */

static void points_write(struct trace *t, const struct samples *s, const struct trace_point *p, size_t n,
                         uint32_t step_s) {
  char *text = NULL, title[24];
  size_t bytes;
  FILE *f = n ? open_memstream(&text, &bytes) : NULL;
  if (!f)
    return;
  for (size_t i = 0; i < n; i++)
    fprintf(f, "%u %u %u %u %d %u %u\n", p[i].t_s, p[i].packets, p[i].lost, p[i].jitter_ms,
            p[i].level_db, p[i].auth_failures, p[i].wrong_source);
  snprintf(title, sizeof(title), "%u", step_s);
  if (fclose(f) == 0)
    item_add(t, &(struct item){.kind = TRACE_POINTS,
                               .lane = s->lane,
                               .dir = s->way == TRACE_RX ? TRACE_IN : TRACE_OUT,
                               .title = title,
                               .text = slice_from(text, bytes)});
  free(text);
}

static void seconds_write(struct trace *t, const struct samples *s) {
  struct trace_point in_order[SECONDS];
  uint32_t n = s->n < SECONDS ? s->n : SECONDS;
  for (uint32_t i = 0; i < n; i++)
    in_order[i] = s->second[(s->n - n + i) % SECONDS];
  uint32_t n_old = 0; /* odd ones that the last sixty have not */
  while (n_old < s->n_odd && n && s->odd[n_old].t_s < in_order[0].t_s)
    n_old++;
  points_write(t, s, s->odd, n_old, 1);
  points_write(t, s, in_order, n, 1);
}

void samples_write(struct trace *t) {
  for (const struct samples *s = t->samples; s; s = s->next) {
    points_write(t, s, s->mean, s->n_means, s->step_s);
    seconds_write(t, s);
  }
}

size_t trace_points(const struct trace_item *i, uint32_t *ret_step_s, struct trace_point *dst,
                    size_t max) {
  struct slice rest = slice_from(i->text, i->text_n);
  uint64_t step;
  size_t n = 0;
  *ret_step_s = i->title && slice_u64(slice_of(i->title), 100000, &step) == 0 ? (uint32_t)step : 1;
  while (i->kind == TRACE_POINTS && rest.n && n < max) {
    char line[LINE_POINT_BYTES];
    unsigned v[6];
    int level;
    if (slice_copy(line, sizeof(line), slice_cut(&rest, '\n')) < 0 ||
        sscanf(line, "%u %u %u %u %d %u %u", &v[0], &v[1], &v[2], &v[3], &level, &v[4], &v[5]) != 7)
      break;
    dst[n++] = (struct trace_point){.t_s = v[0],
                                    .packets = capped(v[1]),
                                    .lost = capped(v[2]),
                                    .jitter_ms = capped(v[3]),
                                    .level_db = (int8_t)level,
                                    .auth_failures = capped8(v[4]),
                                    .wrong_source = capped8(v[5])};
  }
  return n;
}
