/* SPDX-License-Identifier: Apache-2.0
 * Fuzz: the jitter buffer. Each four octets are a step: a packet (number and timestamp near or far),
 * time that passes, a frame asked for, silence, another source. Whatever comes: numbers given ascend,
 * payloads are the right ones, what is taken is given, told as discarded, or still there (at most 32).
 */
#include "codec/jitter.h"

struct world {
  struct jitter *j;
  uint64_t now_us, ext, last, taken, given;
  uint32_t ts;
  bool has_last;
};

static void put(struct world *w, uint8_t how, uint8_t a, uint8_t b) {
  uint8_t payload[JITTER_BYTES_MAX];
  static const uint16_t units[] = {80, 160, 0, 960};
  size_t bytes = how & 0x80 ? JITTER_BYTES_MAX - a : 8 + a;
  uint64_t ext = w->ext + (how & 0x40 ? (uint64_t)a * 40 : a % 8) - b % 40;
  struct jitter_packet p = {.ext = ext,
                            .ts = w->ts + (how & 0x20 ? (uint32_t)b << 24 : (uint32_t)b * 40),
                            .units = units[how >> 3 & 3],
                            .tag = b,
                            .payload = payload,
                            .bytes = bytes};
  memset(payload, (int)(ext & 0xff), bytes);
  w->taken += jitter_put(w->j, &p, w->now_us);
  w->ext = ext > w->ext ? ext : w->ext;
  w->ts += 160;
}

static void check_payload(const struct jitter_packet *p) {
  for (size_t i = 0; i < p->bytes; i++)
    if (p->payload[i] != (uint8_t)p->ext)
      abort();
}

static void get(struct world *w) {
  struct jitter_frame f;
  switch (jitter_get(w->j, w->now_us, &f)) {
  case JITTER_FRAME:
    if (!f.packet.payload || (w->has_last && f.packet.ext <= w->last))
      abort();
    check_payload(&f.packet);
    w->has_last = true;
    w->last = f.packet.ext;
    w->given++;
    break;
  case JITTER_LOST:
    if (f.units == 0)
      abort();
    if (f.next.payload)
      check_payload(&f.next);
    break;
  case JITTER_EMPTY:
  case JITTER_GAP:
    if (f.packet.payload || f.next.payload)
      abort();
    break;
  }
}

static void check_figures(const struct world *w) {
  struct jitter_figures g;
  jitter_figures(w->j, &g);
  if (g.target_us < JITTER_MIN_US || g.target_us > JITTER_MAX_US || g.frames != w->given)
    abort();
  if (w->taken > w->given + g.discarded + JITTER_PACKETS_MAX)
    abort();
}

static void step(struct world *w, const uint8_t *s) {
  switch (s[0] & 7) {
  case 0:
  case 1:
  case 2:
    put(w, s[0], s[1], s[2]);
    break;
  case 3:
    w->now_us += (uint64_t)s[1] * 1000;
    break;
  case 4:
    w->now_us += (uint64_t)s[1] << (s[2] & 15);
    jitter_quiet(w->j, s[3] & 1);
    break;
  case 5:
    jitter_skip(w->j, w->ext + s[1] % 4, w->now_us);
    w->ext += s[1] % 4;
    break;
  default:
    get(w);
    break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct world w = {.now_us = 1000000, .ext = 65000, .ts = 0xfffff000u};
  if (jitter_new(&w.j, 8000) < 0)
    abort();
  for (size_t at = 0; at + 4 <= n; at += 4)
    step(&w, data + at);
  check_figures(&w);
  jitter_free(w.j);
  return 0;
}
