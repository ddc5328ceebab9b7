/* SPDX-License-Identifier: Apache-2.0
 * What a session receives: whose it is (by source, then by tag), its statistics, then to its sinks
 * (link.h). Nothing changes before a packet verified. See session.h. */
#include "codec/level.h"
#include "media/capture.h"
#include "media/path.h"

#include "wire/classify.h"

/* Whose may it be ------------------------------------------------------------------------------- */
static unsigned candidates(struct session *s, const struct packet *p, bool is_rtcp, struct remote *first,
                           struct remote **ret) {
  if (s->kind == MSET_TRUNK_LEG)
    return remote_order(s->remotes, s->n_remotes, &p->from, is_rtcp, ret, SESSION_TRIES_MAX);
  unsigned n = 0;
  if (first && first->opener)
    ret[n++] = first;
  for (unsigned i = 0; i < s->n_remotes && n < SESSION_TRIES_MAX; i++)
    if (s->remotes[i].number && s->remotes[i].opener && &s->remotes[i] != first)
      ret[n++] = &s->remotes[i];
  return n;
}

static enum drop nobody(struct session *s, const struct packet *p) {
  for (unsigned i = 0; i < s->n_remotes; i++)
    if (s->remotes[i].number && s->remotes[i].opener) {
      s->rx.wrong_source++;
      s->odd.stranger = p->from;
      return DROP_WRONG_SOURCE;
    }
  return DROP_NO_KEYS;
}

/* G.711 or G.722 by their static payload types, in whole tens of milliseconds: SRTP would be longer by
 * its tag, of 4, 10 or 16 bytes. Of other codecs the length tells nothing. */
static bool is_plain(const struct packet *p) {
  enum { TEN_MS_BYTES = 80, PT_PCMU = 0, PT_PCMA = 8, PT_G722 = 9 };
  struct rtp r;
  return rtp_parse(&r, p->bytes, p->n) && (r.pt == PT_PCMU || r.pt == PT_PCMA || r.pt == PT_G722) &&
         r.payload_bytes && r.payload_bytes % TEN_MS_BYTES == 0;
}

static void count_unverified(struct session *s, const struct packet *p, bool is_rtcp) {
  s->rx.auth_failures++;
  if (!s->bad_run++)
    s->odd.bad_since_us = s->w->now_us;
  s->odd.plain += !is_rtcp && is_plain(p);
}

static enum drop count_refused(struct session *s, const struct packet *p, bool is_rtcp, enum drop d) {
  if (d == DROP_AUTH || d == DROP_MKI)
    count_unverified(s, p, is_rtcp);
  else if (d == DROP_REPLAY)
    s->rx.replays++;
  else
    s->rx.malformed++;
  return d;
}

static enum drop open_one(struct remote *r, struct packet *p, bool is_rtcp, uint64_t now_us) {
  return is_rtcp ? open_rtcp(r->opener, p->bytes, &p->n, now_us)
                 : open_rtp(r->opener, p->bytes, &p->n, now_us);
}

/* DROP_NO_KEYS: it is nobody's. Nothing is counted. */
static enum drop try_any(struct session *s, struct packet *p, bool is_rtcp, struct remote *first,
                         struct remote **ret) {
  struct remote *list[SESSION_TRIES_MAX];
  unsigned n = candidates(s, p, is_rtcp, first, list);
  enum drop d = n ? DROP_AUTH : DROP_NO_KEYS;
  for (unsigned i = 0; i < n; i++) {
    d = open_one(list[i], p, is_rtcp, s->w->now_us);
    *ret = list[i];
    if (d != DROP_AUTH && d != DROP_MKI)
      break;
  }
  return d;
}

static enum drop open_any(struct session *s, struct packet *p, bool is_rtcp, struct remote *first,
                          struct remote **ret) {
  enum drop d = try_any(s, p, is_rtcp, first, ret);
  if (d == DROP_NO_KEYS)
    return nobody(s, p);
  return d ? count_refused(s, p, is_rtcp, d) : DROP_NONE;
}

/* Streams ----------------------------------------------------------------------------------------- */
static void retire(struct session *s, struct strm *t) {
  s->gone.packets += t->packets;
  s->gone.bytes += t->bytes;
  s->gone.expected += t->packets + strm_lost(t);
  s->gone.burst.lost += t->burst.lost;
  s->gone.burst.runs += t->burst.runs;
  s->gone.late += t->late;
  s->gone.duplicate += t->duplicate;
  s->gone.reordered += t->reordered;
  if (t->max_jitter_us > s->gone.max_jitter_us)
    s->gone.max_jitter_us = t->max_jitter_us;
}

static struct strm *strm_of(struct session *s, uint32_t ssrc, uint32_t clock_hz) {
  struct strm *oldest = &s->strms[0];
  for (unsigned i = 0; i < s->n_strms; i++) {
    struct strm *t = &s->strms[i];
    if (t->is_used && t->ssrc == ssrc)
      return t;
    if (!t->is_used || (oldest->is_used && t->heard_us < oldest->heard_us))
      oldest = oldest->is_used ? t : oldest;
  }
  if (oldest->is_used) {
    s->wants_strms = true;
    retire(s, oldest);
  }
  strm_init(oldest, ssrc, clock_hz);
  return oldest;
}

static struct strm *strm_heard(struct session *s, uint32_t ssrc, uint32_t clock_hz) {
  struct strm *t = strm_of(s, ssrc, clock_hz);
  if (s->last_ssrc && s->last_ssrc != ssrc)
    s->ssrc_changes++;
  s->last_ssrc = ssrc;
  return t;
}

/* Is it this remote's audio that is passed on? */
static bool is_chosen(struct session *s, const struct remote *r) {
  if (s->selected)
    return s->selected == r->number;
  struct remote *feeding = session_remote(s, s->feeding);
  if (!feeding || !feeding->is_flowing)
    s->feeding = r->number;
  return s->feeding == r->number;
}

void session_tell_digits(struct session *s, const struct event_told *told, bool by_sound) {
  for (unsigned i = 0; i < told->digits; i++) {
    union up m = {.digit = {.h = {.bytes = sizeof(m.digit), .type = MSET_DIGIT, .session = s->id},
                            .digit = (uint8_t)told->digit[i].digit,
                            .ms = told->digit[i].ms}};
    s->rx.digits++;
    worker_tell(s->w, &m, false);
    link_digit(s, told->digit[i].digit, told->digit[i].ms, by_sound);
  }
}

/* In ---------------------------------------------------------------------------------------------- */
static enum drop take_event(const struct heard *h) {
  struct telev t;
  struct event_told told;
  if (!telev_parse(&t, h->rtp.payload, h->rtp.payload_bytes))
    return DROP_CODEC;
  if (h->session->selected && h->session->selected != h->remote->number)
    return DROP_NOT_SELECTED;
  event_input(&h->remote->event, &h->rtp, &t, h->codec->clock_hz, h->session->w->now_us, &told);
  session_tell_digits(h->session, &told, false);
  return link_event(h, &t, &told);
}

enum { PT_COMFORT_NOISE = 13 }; /* some send it unasked */

/* As the packet says itself, else by a glance at each fourth one of G.711. */
static int level_of(const struct heard *h) {
  enum { EACH = 4 };
  bool is_ulaw = h->codec->kind == CODEC_PCMU;
  if (h->remote->level_ext)
    return rtp_level(&h->rtp, h->remote->level_ext);
  if ((!is_ulaw && h->codec->kind != CODEC_PCMA) || h->ext % EACH)
    return -1;
  return level_glance(is_ulaw ? G711_ULAW : G711_ALAW, h->rtp.payload, h->rtp.payload_bytes);
}

static void note_level(const struct heard *h) {
  struct session *s = h->session;
  int level = level_of(h);
  if (level < 0)
    return;
  s->level_rx_dbov = (uint8_t)level;
  if (level < SESSION_SOUND_DBOV)
    s->sound_us = s->w->now_us;
}

static enum drop take_audio(const struct heard *h, struct packet *p) {
  struct session *s = h->session;
  h->remote->audio_us = s->w->now_us;
  s->rx.codec = h->codec->kind;
  note_level(h);
  if (!h->remote->is_flowing) {
    s->feeding = h->remote->number; /* the last one that begins is heard, until SELECT */
    session_tell_flow(s, h->remote, true);
  }
  return is_chosen(s, h->remote) ? link_audio(h, p) : DROP_NOT_SELECTED;
}

static enum drop note_unknown(struct session *s, uint8_t pt) {
  if (pt != PT_COMFORT_NOISE) {
    s->odd.bad_payload++;
    s->odd.payload_type = pt;
  }
  return DROP_PAYLOAD_TYPE;
}

static enum drop take_rtp(struct session *s, struct remote *r, struct packet *p) {
  struct heard h = {.session = s, .remote = r};
  if (!rtp_parse(&h.rtp, p->bytes, p->n)) {
    s->rx.malformed++;
    return DROP_NOT_RTP;
  }
  h.codec = remote_codec(r, h.rtp.pt);
  uint32_t clock_hz = h.codec ? h.codec->clock_hz : SINK_CLOCK_HZ;
  bool is_noise = h.codec && h.codec->kind == CODEC_CN;
  bool is_audio = h.codec && h.codec->kind != CODEC_TELEV && !is_noise;
  struct strm *t = strm_heard(s, h.rtp.ssrc, clock_hz);
  enum drop d = strm_input(t, &h.rtp, is_audio, clock_hz, s->w->now_us, &h.ext);
  if (d)
    return d;
  s->is_resting = is_noise || h.rtp.pt == PT_COMFORT_NOISE;
  if (!h.codec)
    d = note_unknown(s, h.rtp.pt);
  else if (!r->may_recv)
    d = DROP_DIRECTION;
  if (!d && is_noise)
    return is_chosen(s, r) ? link_audio(&h, p) : DROP_NOT_SELECTED;
  if (!d)
    return is_audio ? take_audio(&h, p) : take_event(&h);
  link_skip(&h);
  return d;
}

/* A packet of r that verified. */
static enum drop take_opened(struct session *s, struct remote *r, struct packet *p, bool is_rtcp) {
  remote_heard(r, &p->from, is_rtcp, s->w->now_us);
  s->bad_run = 0;
  if (s->ice)
    assoc_heard(s, p);
  if (s->path)
    path_heard(s, r, p);
  if (is_rtcp) {
    s->report.sent = (uint32_t)s->tx.packets;
    return report_input(&s->report, p->bytes, p->n, s->ssrc, s->strms, s->n_strms, s->w->now_us)
               ? DROP_NONE
               : DROP_NOT_RTCP;
  }
  s->heard_us = s->w->now_us;
  if (!s->first_us)
    s->first_us = s->heard_us;
  if (s->silent_ticks)
    session_unsilent(s, true);
  enum drop d = take_rtp(s, r, p);
  s->rx.dropped += d != DROP_NONE;
  return d;
}

static enum drop take_any(struct session *s, struct packet *p, struct remote *from, bool is_rtcp) {
  struct remote *r = NULL;
  if (p->port->kind == PORT_STRAY || (p->port->kind == PORT_RTCP && !is_rtcp)) {
    stray_count(s, p);
    return DROP_WRONG_PORT;
  }
  enum drop d = open_any(s, p, is_rtcp, from, &r);
  return d ? d : take_opened(s, r, p, is_rtcp);
}

/* bytes: what came, with its tag. */
static enum drop told(struct session *s, const struct packet *p, size_t bytes, bool is_rtcp,
                      enum drop d) {
  if (s->capture)
    capture_take(s, &(struct capture_packet){&p->from, p->port, p->bytes, bytes, false, is_rtcp, d});
  return d;
}

enum drop session_input(struct session *s, struct packet *p, struct remote *from_remote) {
  enum drop d;
  if (s->path && path_takes(s, p, &d))
    return d;
  enum packet_kind kind = packet_classify(p->bytes, p->n);
  bool is_rtcp = kind == PACKET_RTCP;
  if (kind == PACKET_DTLS && p->port->kind == PORT_RTP)
    return keying_input(s, p);
  if (kind != PACKET_RTP && kind != PACKET_RTCP)
    return DROP_NOT_FOR_US;
  size_t bytes = p->n;
  d = take_any(s, p, from_remote, is_rtcp);
  return told(s, p, bytes, is_rtcp, d);
}

enum drop session_input_first(struct session *const *list, unsigned n, struct packet *p) {
  enum packet_kind kind = packet_classify(p->bytes, p->n);
  bool is_rtcp = kind == PACKET_RTCP;
  struct remote *r = NULL;
  enum drop worst = DROP_AUTH;
  unsigned whose = 0;
  size_t bytes = p->n;
  if (kind != PACKET_RTP && kind != PACKET_RTCP)
    return DROP_NOT_FOR_US;
  if (p->port->kind == PORT_RTCP && !is_rtcp)
    return DROP_WRONG_PORT;
  for (unsigned i = 0; i < n; i++) {
    enum drop d = try_any(list[i], p, is_rtcp, NULL, &r);
    if (!d)
      return told(list[i], p, bytes, is_rtcp, take_opened(list[i], r, p, is_rtcp));
    if (d != DROP_AUTH && d != DROP_MKI) { /* more telling than that it is not his */
      worst = d;
      whose = i;
    }
  }
  return told(list[whose], p, bytes, is_rtcp, count_refused(list[whose], p, is_rtcp, worst));
}
