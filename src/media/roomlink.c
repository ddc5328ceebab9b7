/* SPDX-License-Identifier: Apache-2.0
 * Sessions in rooms: see roomlink.h. */
#include "media/roomlink.h"

#include "codec/coder.h"
#include "media/session.h"

struct roomlink {
  struct link link;
  uint64_t room, source; /* source is that of what it hears, for the session's sink. */
  uint32_t rate_hz, speakers, flags;
  uint8_t thread;
  bool is_joined; /* is_joined: the DSP thread was told. */
  uint64_t skips; /* skips counts packets that were no audio. */
};

static struct roomlink *of(struct link *l) { return CONTAINER_OF(l, struct roomlink, link); }

static bool put(struct session *s, const struct dsp_input *in, const uint8_t *payload) {
  return dsps_put(s->w->dsps, s->room->thread, s->w->index, in, payload);
}

static struct dsp_input order(const struct session *s, enum dsp_op op) {
  return (struct dsp_input){.session = s->handle, .now_us = s->w->now_us, .op = (uint8_t)op};
}

/* Joins, or tells of another form. Without a codec yet, that waits for one. */
static int join(struct session *s) {
  struct roomlink *l = s->room;
  struct dsp_input in = order(s, DSP_ROOM_JOIN);
  in.room = (struct room_form){
      .room = l->room, .rate_hz = l->rate_hz, .speakers = l->speakers, .flags = l->flags};
  if (voice_form(s, CODEC_OTHER, &in.room.sent) < 0)
    return 0;
  l->is_joined = put(s, &in, NULL) || l->is_joined;
  return l->is_joined ? 0 : -EAGAIN;
}

/* The sink ------------------------------------------------------------------------------------------ */
static uint8_t level_of(const struct roomlink *l, const struct heard *h) {
  int level = l->flags & MSET_ROOM_LEVELS && h->remote->level_ext
                  ? rtp_level(&h->rtp, h->remote->level_ext)
                  : -1;
  return level < 0 ? TALKER_NO_LEVEL : (uint8_t)level;
}

static enum drop audio(struct link *link, const struct heard *h, struct packet *p) {
  struct roomlink *l = of(link);
  struct session *s = link->from;
  (void)p;
  if (l->flags & (MSET_ROOM_MUTED | MSET_ROOM_LISTENS))
    return DROP_NONE;
  if (h->rtp.payload_bytes > CODER_PAYLOAD_MAX)
    return DROP_TOO_LONG;
  if (!l->is_joined && (join(s) < 0 || !l->is_joined))
    return DROP_CODEC;
  struct dsp_input in = order(s, DSP_ROOM_PACKET);
  in.n = (uint16_t)h->rtp.payload_bytes;
  in.said = (struct room_packet){.ext = h->ext - l->skips,
                                 .ts = h->rtp.ts,
                                 .clock_hz = h->codec->clock_hz,
                                 .ssrc = h->rtp.ssrc,
                                 .kind = h->codec->kind,
                                 .level = level_of(l, h)};
  return put(s, &in, h->rtp.payload) ? DROP_NONE : DROP_QUEUE_FULL;
}

/* Digits are told upward, and heard by nobody. */
static enum drop event(struct link *link, const struct heard *h, const struct telev *t,
                       const struct event_told *told) {
  (void)h, (void)t, (void)told;
  of(link)->skips++;
  return DROP_NONE;
}

static void skip(struct link *link, const struct heard *h) {
  (void)h;
  of(link)->skips++;
}

static void retarget(struct link *link) { (void)!join(link->from); }

static void closed(struct link *link) {
  struct session *s = link->from;
  struct dsp_input in = order(s, DSP_ROOM_LEAVE);
  (void)put(s, &in, NULL); /* lost: the next one in this place replaces it */
  s->room = NULL;
  free(of(link));
}

static const struct link_ops ops = {
    .name = "room", .audio = audio, .event = event, .skip = skip, .retarget = retarget, .close = closed};

int roomlink_open(struct session *s, const struct mset_room *m) {
  roomlink_close(s);
  if (!s->w->dsps)
    return -ENOTSUP;
  struct roomlink *l = calloc(1, sizeof(*l));
  if (!l)
    return -ENOMEM;
  l->room = m->room;
  l->rate_hz = m->rate_hz;
  l->speakers = m->speakers;
  l->flags = m->flags;
  l->thread = (uint8_t)m->h.pad;
  l->source = s->w->now_us << 8 | 2;
  s->room = l;
  link_add(&l->link, &ops, s);
  int error = join(s);
  if (error)
    roomlink_close(s);
  return error;
}

int roomlink_set(struct session *s, const struct mset_room *m) {
  if (!s->room || s->room->room != m->room)
    return -ENOENT;
  s->room->flags = m->flags;
  return join(s);
}

uint64_t roomlink_room(const struct session *s) { return s->room ? s->room->room : 0; }

void roomlink_close(struct session *s) {
  if (s->room)
    link_remove(&s->room->link);
}

/* What comes back ----------------------------------------------------------------------------------- */
static void tell_speaker(struct worker *w, const struct session *s, const struct dsp_output *out) {
  union up m = {.speaker = {.h = {.bytes = sizeof(m.speaker), .type = MSET_ROOM_SPEAKER},
                            .room = out->room,
                            .level = out->level}};
  m.h.session = out->is_nobody ? 0 : s->id;
  worker_tell(w, &m, true);
}

static enum drop send_mix(struct session *s, const struct dsp_output *out, const uint8_t *payload) {
  const struct xcode_frame *f = &out->frame;
  struct remote *to = session_target(s);
  struct sink_out at;
  enum drop d = digits_are_due(&s->digits) ? DROP_HELD : session_may_send(s, to);
  const struct mset_codec *codec = d ? NULL : remote_audio(to);
  if (!codec || codec->kind != f->kind) {
    sink_skip(&s->sink, s->room->source);
    return d ? d : DROP_CODEC;
  }
  sink_set_clock(&s->sink, codec->clock_hz);
  struct sink_in in = {s->room->source, f->ext, f->ts, f->marker, false};
  d = sink_map(&s->sink, &in, s->w->now_us, &at);
  if (d)
    return d;
  s->forwarded_us = s->w->now_us;
  s->tx.codec = codec->kind;
  struct out o = {codec->pt, at.marker, at.index, at.ts, payload, f->n, false};
  return session_send(s, to, &o);
}

enum drop roomlink_take(struct worker *w, const struct dsp_output *out, const uint8_t *payload) {
  struct session *s = pool_get(w->sessions, out->session);
  if (!s || !s->room || s->room->room != out->room)
    return DROP_NO_SESSION;
  if (out->made == DSP_MADE_MIX)
    return send_mix(s, out, payload);
  tell_speaker(w, s, out);
  return DROP_NONE;
}
