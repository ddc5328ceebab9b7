/* SPDX-License-Identifier: Apache-2.0
 * What the rooms of trace share. Call thread. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "trace/lines.h"
#include "trace/trace.h"

enum {
  BINDS_MAX = 24,    /* Call-IDs of one call */
  PARTS_MAX = 32,    /* parts of one timeline; what comes then is counted */
  AGAIN_MAX = 8,     /* messages whose repetition is known */
  DIGITS_MAX = 128,  /* of one lane */
  HEAD_BYTES = 28,   /* of a blob: magic, start, configuration, time of what was before */
  TITLE_BYTES = 200, /* of an item */
  KEY_BYTES = 32,
  LINGER_US = 5000000, /* what belongs to a call that is over is waited for */
};

struct bind {
  struct list node;
  struct trace *t;
  uint8_t lane;
  uint16_t n;
  char id[];
};

struct digits {
  struct digits *next;
  uint8_t lane, n;
  char text[DIGITS_MAX + 1];
};

struct samples;
struct packets;

struct trace {
  struct list node; /* node is in traces.live or .over. */
  struct traces *ts;
  char id[40];
  uint64_t start_us, start_wall_us, before_us, end_us, config_version;
  uint32_t part, lost, again[AGAIN_MAX], n_again;
  uint8_t lanes; /* lanes are the callees that have one. */
  bool is_over, is_kept;
  bool is_copying; /* is_copying: what is added now is for a copy, and may be left out. */
  struct lines lines;
  struct list binds;
  uint32_t n_binds;
  struct digits *digits;
  struct samples *samples;
  struct packets *packets;
  uint32_t n_packet_bytes; /* n_packet_bytes are what headers of packets took. */
};

enum trace_count { COUNT_LIVE, COUNT_BEGUN, COUNT_KEPT, COUNT_LOST, COUNT_FULL, COUNT_BYTES, COUNTS_ };

struct traces {
  struct traces_settings set;
  struct map *by_call, *by_sip;
  struct list live, over;
  uint32_t n;
  struct timer linger;
  bool has_key;
  uint8_t key[KEY_BYTES];
  struct counts counts;
  _Atomic uint64_t values[COUNTS_];
};

/* book */
void trace_spill(struct trace *t, bool is_last);
/* item: one more item; what does not fit begins a new part. */
struct item {
  enum trace_kind kind;
  unsigned lane;
  enum trace_dir dir;
  bool is_again;
  const char *title, *peer, *local, *transport;
  struct slice text;
};
void item_add(struct trace *t, const struct item *i);
/* seal */
int seal_open(struct traces *ts, const char *key_file) must_check;
void seal_digits(struct trace *t); /* what was collected becomes items */
void digits_free(struct trace *t);
/* samples */
void samples_write(struct trace *t); /* what was collected as items; it stays */
void samples_free(struct trace *t);
/* packets */
void packets_write(struct trace *t); /* the same */
void packets_free(struct trace *t);
