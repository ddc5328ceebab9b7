/* SPDX-License-Identifier: Apache-2.0
 * How well a leg is heard, each way, over intervals of 5 s and over its life: loss, jitter, round trip,
 * mean opinion score; and a direction that is silent while the other one flows. Takes totals and the
 * time, tells what is to be told. Media worker; no clock. */
#pragma once
#include "media/mos.h"
#include "media/report.h"

enum {
  QUALITY_US = 5000000,
  QUALITY_BUFFER_MS = 200,     /* of our jitter buffers at most (JITTER_MAX_US) */
  QUALITY_FRAME_MS = 20,       /* of a packet, where nothing tells */
  QUALITY_SILENT_US = 3500000, /* one-way audio is told after this … */
  QUALITY_AGAIN_US = 1000000, /* … and each second while it lasts: who is told may not have cared yet */
  QUALITY_FLOW_US = 2000000,  /* the other direction flows if it did within this */
};

struct quality_mean { /* of the intervals so far */
  uint32_t sum_centi, n;
};

struct quality {
  uint64_t at_us;                         /* at_us is when the last interval ended. */
  uint64_t expected, packets, lost, runs; /* totals then */
  uint32_t remote_lost, remote_max_seq;   /* of the peer's block then */
  uint32_t discards;                      /* of the buffer then */
  uint32_t discarded : 31;                /* of all buffers so far */
  bool has_prior : 1;                     /* has_prior: remote_lost and remote_max_seq are meant. */
  struct quality_mean up, down;
  uint64_t awaited_us; /* awaited_us is since when something should come; 0: nothing need. */
  uint64_t silent_us;  /* silent_us is since when nothing came, once that was told; 0: it was not. */
  uint64_t told_us;    /* told_us is when that was told last. */
  uint64_t silence_us; /* silence_us sums up the silences that ended. */
};

struct quality_in { /* totals of a leg */
  uint64_t expected, packets;
  uint64_t lost, runs; /* of what left the window, for how losses cluster */
  uint32_t jitter_us, remote_jitter_us;
  uint32_t ptime_ms;
  uint32_t buffer_ms,
      buffer_max_ms;          /* of our jitter buffer, where this leg is decoded; 0: there is none */
  uint32_t discards;          /* discards counts what came too late for it. */
  uint8_t rx_codec, tx_codec; /* enum codec_kind */
  struct report *report;
  uint64_t heard_us, sent_us; /* of the last packet heard; and passed on to it from the other leg */
  bool is_open;               /* is_open: it should be heard: received, and linked to another leg. */
};

struct quality_way {
  bool is_told;
  double loss, mos;
  uint32_t jitter_us;
};

struct quality_told {
  struct quality_way up, down;
  bool is_oneway_told, is_silent; /* is_silent: nothing comes; else it does again. */
  uint32_t since_ms;
};

void quality_init(struct quality *q, uint64_t now_us);
void quality_tick(struct quality *q, const struct quality_in *in, uint64_t now_us,
                  struct quality_told *ret);
uint16_t quality_centi(const struct quality_mean *m); /* mean opinion score × 100; 0: none yet */
/* Our metrics of the stream heard last, for RTCP XR. */
void quality_metrics(const struct strm *s, const struct quality_in *in, struct rtcpxr_voip *ret);
