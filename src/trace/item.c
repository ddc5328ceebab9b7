/* SPDX-License-Identifier: Apache-2.0
 * Items of a timeline, written and read. A blob is a head of HEAD_BYTES ("SPT1", three numbers of 8
 * octets, little endian) and items: time since the one before, kind and flags, lane and what follows,
 * texts. */
#include "trace/inner.h"

#include <stdio.h>

enum { HAS_PEER = 0x10, HAS_TEXT = 0x20, IS_AGAIN = 0x40, TEXT_SHARE = 2 };

static void put64(uint8_t *p, uint64_t v) {
  for (unsigned i = 0; i < 8; i++)
    p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t get64(const uint8_t *p) {
  uint64_t v = 0;
  for (unsigned i = 8; i-- > 0;)
    v = v << 8 | p[i];
  return v;
}

static void item_begin(struct trace *t) {
  uint8_t head[HEAD_BYTES] = "SPT1";
  put64(head + 4, t->start_wall_us);
  put64(head + 12, t->config_version);
  put64(head + 20, t->before_us);
  if (lines_raw(&t->lines, head, sizeof(head)) < 0)
    t->lost++;
}

static int texts_write(struct lines *l, const struct item *i) {
  int r = lines_piece(l, slice_of(i->title));
  if (r == 0 && i->peer)
    r = lines_piece(l, slice_of(i->peer));
  if (r == 0 && i->peer)
    r = lines_piece(l, slice_of(i->local ? i->local : ""));
  if (r == 0 && i->peer)
    r = lines_piece(l, slice_of(i->transport ? i->transport : ""));
  if (r == 0 && i->text.n)
    r = lines_text(l, i->text);
  return r;
}

static int item_write(struct lines *l, const struct item *i, uint64_t after_us) {
  int flags = (i->peer ? HAS_PEER : 0) | (i->text.n ? HAS_TEXT : 0) | (i->is_again ? IS_AGAIN : 0);
  int r = lines_number(l, after_us);
  if (r == 0)
    r = lines_byte(l, (uint8_t)(i->kind | (unsigned)i->dir << 4));
  if (r == 0)
    r = lines_byte(l, (uint8_t)((i->lane & 15) | (unsigned)flags));
  return r < 0 ? r : texts_write(l, i);
}

/* A text that would fill a part alone is cut. */
static struct slice text_cut(const struct trace *t, struct slice text) {
  size_t most = t->lines.max / TEXT_SHARE;
  return text.n > most ? slice_from(text.p, most) : text;
}

static bool try_write(struct trace *t, const struct item *i, uint64_t now_us) {
  struct lines_mark m = lines_mark(&t->lines);
  uint64_t at_us = now_us - t->start_us;
  if (!t->lines.n)
    item_begin(t);
  if (item_write(&t->lines, i, at_us - t->before_us) < 0) {
    lines_cut(&t->lines, m);
    return false;
  }
  t->before_us = at_us;
  return true;
}

void item_add(struct trace *t, const struct item *i) {
  struct item cut = *i;
  uint64_t now_us = loop_now_us(t->ts->set.loop);
  if (now_us < t->start_us + t->before_us)
    now_us = t->start_us + t->before_us;
  cut.text = text_cut(t, i->text);
  if (t->part >= PARTS_MAX) {
    t->lost++;
    count_one(&t->ts->counts, COUNT_LOST);
    return;
  }
  if (try_write(t, &cut, now_us) || t->is_copying)
    return;
  trace_spill(t, false);
  if (t->part < PARTS_MAX && try_write(t, &cut, now_us))
    return;
  t->lost++;
  count_one(&t->ts->counts, COUNT_LOST);
}

/* Reading ------------------------------------------------------------------------------------------ */

static int word_read(struct lines *l, uint32_t *at, char **ret) {
  char piece[LINE_BYTES];
  size_t n;
  int r = lines_get_piece(l, at, piece, &n);
  if (r < 0)
    return r;
  *ret = slice_dup(slice_from(piece, n));
  return *ret ? 0 : -ENOMEM;
}

static void item_done(struct trace_item *i) {
  free(i->title);
  free(i->peer);
  free(i->local);
  free(i->transport);
  free(i->text);
}

static int item_read(struct lines *l, uint32_t *at, uint64_t *time_us, struct trace_item *i) {
  uint64_t after;
  uint8_t kind, lane;
  if (lines_get_number(l, at, &after) < 0 || lines_get_byte(l, at, &kind) < 0 ||
      lines_get_byte(l, at, &lane) < 0 || (kind & 15) >= TRACE_KINDS_)
    return -EBADMSG;
  *time_us += after;
  i->t_us = *time_us;
  i->kind = kind & 15;
  i->dir = kind >> 4 & 3;
  i->lane = lane & 15;
  i->is_again = (lane & IS_AGAIN) != 0;
  int r = word_read(l, at, &i->title);
  if (r == 0 && (lane & HAS_PEER))
    r = word_read(l, at, &i->peer);
  if (r == 0 && (lane & HAS_PEER))
    r = word_read(l, at, &i->local);
  if (r == 0 && (lane & HAS_PEER))
    r = word_read(l, at, &i->transport);
  if (r == 0 && (lane & HAS_TEXT))
    r = lines_get_text(l, at, &i->text, &i->text_n);
  return r;
}

int trace_read(struct slice blob, struct trace_head *ret, trace_item_fn *fn, void *arg) {
  struct lines l = {.p = (uint8_t *)(uintptr_t)blob.p, .n = (uint32_t)blob.n}; // NOLINT: only read
  uint32_t at = HEAD_BYTES;
  int r = 0;
  if (blob.n < HEAD_BYTES || blob.n > LINES_MAX_BYTES || memcmp(blob.p, "SPT1", 4) != 0)
    return -EBADMSG;
  ret->started_us = get64(l.p + 4);
  ret->config_version = get64(l.p + 12);
  uint64_t time_us = get64(l.p + 20);
  while (r == 0 && at < l.n) {
    struct trace_item i = {0};
    r = item_read(&l, &at, &time_us, &i);
    if (r == 0 && fn)
      r = fn(arg, &i);
    item_done(&i);
  }
  lines_forget(&l);
  return r;
}
