/* SPDX-License-Identifier: Apache-2.0
 * Digits in the sound: see ear.h. */
#include "media/ear.h"

#include "media/session.h"

enum { CHUNK = 160 };

static void tell(struct session *s, const struct inband_event *e) {
  struct event_told told = {.digits = 1, .digit = {{.digit = e->digit, .ms = e->ms}}};
  session_tell_digits(s, &told, true);
}

static void feed(struct ear *ear, const struct heard *h, const int16_t *pcm, size_t n) {
  struct inband_event events[INBAND_EVENTS_MAX];
  uint64_t now_us = h->session->w->now_us;
  const struct event *other = &h->remote->event;
  bool has_events = other->has_any && now_us - other->heard_us < EAR_EVENTS_US;
  size_t count = inband_feed(ear->inband, pcm, n, events);
  for (size_t i = 0; i < count; i++) {
    ear->is_hearing = !events[i].is_end;
    if (events[i].is_end && !has_events)
      tell(h->session, &events[i]);
  }
}

/* A packet, as often as it stands for lost ones too. */
static void feed_packet(struct ear *ear, const struct heard *h, unsigned times) {
  enum g711_law law = h->codec->kind == CODEC_PCMU ? G711_ULAW : G711_ALAW;
  int16_t pcm[CHUNK];
  for (; times; times--)
    for (size_t at = 0; at < h->rtp.payload_bytes; at += CHUNK) {
      size_t n = h->rtp.payload_bytes - at < CHUNK ? h->rtp.payload_bytes - at : CHUNK;
      for (size_t i = 0; i < n; i++)
        pcm[i] = g711_expand(law, h->rtp.payload[at + i]);
      feed(ear, h, pcm, n);
    }
}

static enum drop hear(struct link *l, const struct heard *h, struct packet *p) {
  struct ear *ear = CONTAINER_OF(l, struct ear, link);
  bool is_g711 = h->codec->kind == CODEC_PCMU || h->codec->kind == CODEC_PCMA;
  (void)p;
  if (h->remote->dtmf != MSET_DTMF_INBAND || !is_g711)
    return DROP_NONE;
  uint64_t missing = h->rtp.ssrc == ear->ssrc ? h->ext - ear->next : 0;
  if ((int64_t)missing < 0)
    return DROP_NONE; /* late: its place was filled */
  ear->ssrc = h->rtp.ssrc;
  ear->next = h->ext + 1;
  feed_packet(ear, h, 1 + (unsigned)(missing < EAR_HOLE_MAX ? missing : EAR_HOLE_MAX));
  return DROP_NONE;
}

static const struct link_ops ops = {.name = "ear", .audio = hear};

int ear_open(struct session *s) {
  if (s->ear)
    return 0;
  struct ear *ear = calloc(1, sizeof(*ear));
  if (!ear)
    return -ENOMEM;
  if (inband_new(&ear->inband, G711_RATE_HZ) < 0 || digits_ready(&s->digits) < 0) {
    inband_free(ear->inband);
    free(ear);
    return -ENOMEM;
  }
  g711_start();
  s->ear = ear;
  link_add(&ear->link, &ops, s);
  return 0;
}

void ear_close(struct session *s) {
  if (!s->ear)
    return;
  link_remove(&s->ear->link);
  inband_free(s->ear->inband);
  free(s->ear);
  s->ear = NULL;
}

bool ear_mutes(const struct session *s, const struct remote *to) {
  return to && s->ear && s->ear->is_hearing && to->dtmf == MSET_DTMF_EVENTS && remote_event(to, 0);
}

/* A leg of the other kind has it made anew; else it passes by itself. */
enum drop ear_take(struct session *s, char digit, uint32_t ms, bool by_sound) {
  struct remote *to = session_target(s);
  if (!to || to->dtmf == MSET_DTMF_SIGNALED)
    return DROP_NONE;
  bool to_sound = to->dtmf == MSET_DTMF_INBAND;
  if (to_sound == by_sound || (!to_sound && !remote_event(to, 0)))
    return DROP_NONE;
  if (digits_relay(&s->digits, digit, ms) < 0)
    return DROP_HELD;
  session_hurry(s);
  return DROP_NONE;
}
