/* SPDX-License-Identifier: Apache-2.0
 * Mapping onto our outgoing stream: see sink.h. */
#include "media/sink.h"

enum { FRAME_US = 20000, STEADY_US = 30000 };

void sink_init(struct sink *k, uint64_t first_index, uint32_t first_ts) {
  *k = (struct sink){.next = first_index, .last_ts = first_ts, .clock_hz = SINK_CLOCK_HZ};
}

void sink_restart(struct sink *k, uint64_t first_index) {
  k->next = first_index;
  k->source = 0;
  k->holes = 0;
}

static uint32_t elapsed_ts(const struct sink *k, uint64_t now_us) {
  return (uint32_t)((now_us - k->last_us) * k->clock_hz / 1000000u);
}

/* At least one step ahead of the last one, as far as time went. */
uint32_t sink_ts(const struct sink *k, uint64_t now_us) {
  if (!k->is_started)
    return k->last_ts;
  uint32_t step = elapsed_ts(k, now_us);
  return k->last_ts + (step ? step : 1);
}

static void stamp(struct sink *k, uint32_t ts, uint64_t now_us) {
  if (k->is_started && (int32_t)(ts - k->last_ts) < 0)
    return;
  k->last_ts = ts;
  k->last_us = now_us;
  k->is_started = true;
}

static void change_source(struct sink *k, const struct sink_in *in, uint64_t now_us) {
  k->source = in->source;
  k->seq_shift = k->next - in->ext;
  k->ts_shift = sink_ts(k, now_us) - in->ts;
  k->holes = 0;
}

static void give(struct sink *k, uint64_t index) {
  uint64_t step = index - k->next + 1; /* 1: the next one; more: holes */
  k->holes = step < 64 ? k->holes << step : 0;
  for (uint64_t i = 1; i < step && i < 64; i++)
    k->holes |= 1ull << i;
  k->next = index + 1;
}

static enum drop fill(struct sink *k, uint64_t index) {
  uint64_t back = k->next - 1 - index;
  if (back >= 64 || !(k->holes & 1ull << back))
    return DROP_LATE;
  k->holes &= ~(1ull << back);
  return DROP_NONE;
}

static uint32_t map_ts(struct sink *k, const struct sink_in *in, uint64_t now_us) {
  uint32_t ts = in->ts + k->ts_shift;
  int64_t ahead = (int32_t)(ts - k->last_ts);
  if (k->is_started && !in->is_event &&
      (ahead < 0 || ahead > (int64_t)elapsed_ts(k, now_us) + SINK_TS_JUMP_S * k->clock_hz)) {
    ts = sink_ts(k, now_us);
    k->ts_shift = ts - in->ts;
  }
  return ts;
}

enum drop sink_map(struct sink *k, const struct sink_in *in, uint64_t now_us, struct sink_out *ret) {
  bool is_new = in->source != k->source;
  if (is_new)
    change_source(k, in, now_us);
  uint64_t index = in->ext + k->seq_shift;
  int64_t ahead = (int64_t)(index - k->next);
  if (ahead < 0) {
    *ret = (struct sink_out){index, in->ts + k->ts_shift, in->marker};
    return fill(k, index);
  }
  if (ahead > SINK_GAP_MAX) {
    k->seq_shift = k->next - in->ext;
    k->holes = 0;
    index = k->next;
  }
  give(k, index);
  *ret = (struct sink_out){index, map_ts(k, in, now_us), in->marker || is_new};
  stamp(k, ret->ts, now_us);
  return DROP_NONE;
}

void sink_skip(struct sink *k, uint64_t source) {
  if (source == k->source)
    k->seq_shift--;
}

void sink_insert(struct sink *k, uint32_t ts, uint64_t now_us, struct sink_out *ret) {
  *ret = (struct sink_out){.index = k->next, .ts = ts};
  give(k, k->next);
  k->seq_shift++;
  stamp(k, ts, now_us);
}

void sink_set_clock(struct sink *k, uint32_t clock_hz) {
  if (k->clock_hz == clock_hz || clock_hz < 1000)
    return;
  k->clock_hz = clock_hz;
  k->source = 0;
}

void sink_own(struct sink *k, bool is_clocked, uint64_t now_us, struct sink_out *ret) {
  bool is_new = k->source != SINK_OWN;
  k->source = SINK_OWN;
  k->holes = 0;
  *ret = (struct sink_out){k->next++, sink_ts(k, now_us), is_new};
  if (!is_new && is_clocked && now_us - k->last_us < FRAME_US + STEADY_US)
    ret->ts = k->last_ts + k->clock_hz / 1000 * SINK_FRAME_MS;
  stamp(k, ret->ts, now_us);
}
