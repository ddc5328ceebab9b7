/* SPDX-License-Identifier: Apache-2.0
 * The sink to a recording: see recsink.h. */
#include "media/recsink.h"

#include "media/bridge.h"
#include "media/disk.h"
#include "media/session.h"

static void see_source(struct recsink *k, uint64_t source) {
  if (k->source == source)
    return;
  k->source = source;
  k->skips = 0;
}

static enum drop record_audio(struct link *l, const struct heard *h, struct packet *p) {
  struct recsink *k = CONTAINER_OF(l, struct recsink, link);
  const struct worker *w = h->session->w;
  struct bridged b = bridged_audio(h);
  (void)p;
  see_source(k, b.source);
  if (b.kind == CODEC_CN) { /* silence has no samples; its number is no hole */
    k->skips++;
    return DROP_NONE;
  }
  struct disk_packet out = {.file = k->file,
                            .packet = {.source = b.source,
                                       .ext = b.ext - k->skips,
                                       .at_us = w->now_us,
                                       .ts = b.ts,
                                       .clock_hz = b.clock_hz,
                                       .kind = b.kind},
                            .side = k->side};
  return disk_put(w->disk, w->index, &out, h->rtp.payload, h->rtp.payload_bytes);
}

static enum drop record_event(struct link *l, const struct heard *h, const struct telev *t,
                              const struct event_told *told) {
  struct recsink *k = CONTAINER_OF(l, struct recsink, link);
  (void)t, (void)told;
  see_source(k, bridged_skip(h).source);
  k->skips++;
  return DROP_NONE;
}

static void record_skip(struct link *l, const struct heard *h) {
  struct recsink *k = CONTAINER_OF(l, struct recsink, link);
  see_source(k, bridged_skip(h).source);
  k->skips++;
}

static const struct link_ops record_ops = {
    .name = "record", .audio = record_audio, .event = record_event, .skip = record_skip};

void recsink_open(struct session *s, uint64_t file, uint8_t side) {
  link_remove(&s->recording.link);
  s->recording = (struct recsink){.file = file, .side = side};
  if (s->w->disk)
    link_add(&s->recording.link, &record_ops, s);
}

void recsink_close(struct session *s) { link_remove(&s->recording.link); }
