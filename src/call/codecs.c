/* SPDX-License-Identifier: Apache-2.0
 * The codecs of a leg: see codecs.h. RFC 3551, 7587 (Opus), 4733 (events), 3389 (comfort noise). */
#include "call/codecs.h"

#include <stdio.h>

enum { CLOCK_HZ = 8000, WIDE_CLOCK_HZ = 48000, SPEECH_MAX = 4 };
enum { EVENT_PT = 101, WIDE_EVENT_PT = 110, NOISE_PT = 13 };

static const struct row {
  uint8_t kind, pt, channels;
  uint32_t clock_hz;
  const char *name, *fmtp;
} rows[] = {
    {CODEC_PCMU, 0, 1, CLOCK_HZ, "PCMU", ""},
    {CODEC_PCMA, 8, 1, CLOCK_HZ, "PCMA", ""},
    {CODEC_G722, 9, 1, CLOCK_HZ, "G722", ""}, /* 16 kHz of sound on a clock of 8000, RFC 3551 4.5.2 */
    {CODEC_OPUS, 111, 2, WIDE_CLOCK_HZ, "opus", "minptime=10;useinbandfec=1"},
    {CODEC_TELEV, EVENT_PT, 1, CLOCK_HZ, "telephone-event", "0-15"},
    {CODEC_TELEV, WIDE_EVENT_PT, 1, WIDE_CLOCK_HZ, "telephone-event", "0-15"},
    {CODEC_CN, NOISE_PT, 1, CLOCK_HZ, "CN", ""},
};

/* The order by what a call costs us, and by what it sounds like on a network that loses packets. */
static const uint8_t by_cost[SPEECH_MAX] = {CODEC_PCMU, CODEC_PCMA, CODEC_G722, CODEC_OPUS},
                     by_quality[SPEECH_MAX] = {CODEC_OPUS, CODEC_G722, CODEC_PCMU, CODEC_PCMA};

static const struct row *row_of(uint8_t kind, uint32_t clock_hz) {
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    if (rows[i].kind == kind && rows[i].clock_hz == clock_hz)
      return &rows[i];
  return NULL;
}

/* What we offer a kind as; every kind that is served has a row. */
static const struct row *offered(uint8_t kind) {
  const struct row *r = row_of(kind, kind == CODEC_OPUS ? WIDE_CLOCK_HZ : CLOCK_HZ);
  return r ? r : &rows[0];
}

static bool kind_is_speech(uint8_t kind) {
  return kind == CODEC_PCMU || kind == CODEC_PCMA || kind == CODEC_G722 || kind == CODEC_OPUS;
}

bool codec_is_speech(const struct desc_codec *c) {
  return kind_is_speech(c->kind) && row_of(c->kind, c->clock_hz) != NULL;
}

const struct desc_codec *codec_same(const struct desc_audio *ours, const struct desc_codec *c) {
  return desc_codec_find(ours, (enum codec_kind)c->kind, c->clock_hz);
}

static uint8_t kind_of(const char *name) {
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    if (slice_ieq(slice_of(rows[i].name), slice_of(name)))
      return rows[i].kind;
  return CODEC_OTHER;
}

/* The leg's speech codecs, the wanted first. */
static unsigned served(const struct ability *a, uint8_t ret[SPEECH_MAX]) {
  const struct conf_names *set = a->kind == LEG_TRUNK && a->trunk ? &a->trunk->codecs : NULL;
  unsigned n = 0;
  for (uint32_t i = 0; set && i < set->n && n < SPEECH_MAX; i++)
    ret[n++] = kind_of(set->text[i]);
  if (n)
    return n;
  if (a->kind == LEG_TRUNK) {
    ret[0] = CODEC_PCMU;
    ret[1] = CODEC_PCMA;
    return 2;
  }
  memcpy(ret, a->policy == CODEC_POLICY_QUALITY ? by_quality : by_cost, SPEECH_MAX);
  return SPEECH_MAX;
}

static bool is_served(const struct ability *a, uint8_t kind) {
  uint8_t kinds[SPEECH_MAX];
  unsigned n = served(a, kinds);
  for (unsigned i = 0; i < n; i++)
    if (kinds[i] == kind)
      return true;
  return false;
}

static void add(struct desc_audio *ret, const struct row *r, uint8_t pt) {
  if (!r || ret->n_codecs >= MSET_CODECS_MAX)
    return;
  struct desc_codec *c = &ret->codecs[ret->n_codecs++];
  c->pt = pt;
  c->kind = r->kind;
  c->channels = r->channels;
  c->clock_hz = r->clock_hz;
  snprintf(c->name, sizeof(c->name), "%s", r->name);
  snprintf(c->fmtp, sizeof(c->fmtp), "%s", r->fmtp);
}

/* Where digits are tones, telephone-event would be agreed and never sent. */
static bool has_events(const struct ability *a) {
  return a->kind != LEG_TRUNK || !a->trunk || a->trunk->dtmf != DTMF_INBAND;
}

void codecs_offer(const struct ability *a, struct desc_audio *ret) {
  uint8_t kinds[SPEECH_MAX];
  unsigned n = served(a, kinds);
  bool is_wide = false;
  for (unsigned i = 0; i < n; i++) {
    const struct row *r = offered(kinds[i]);
    is_wide = is_wide || kinds[i] == CODEC_OPUS;
    add(ret, r, r->pt);
  }
  if (has_events(a))
    add(ret, row_of(CODEC_TELEV, CLOCK_HZ), EVENT_PT);
  if (is_wide && has_events(a))
    add(ret, row_of(CODEC_TELEV, WIDE_CLOCK_HZ), WIDE_EVENT_PT);
  if (a->kind == LEG_TRUNK)
    add(ret, row_of(CODEC_CN, CLOCK_HZ), NOISE_PT);
}

static void keep_kind(const struct desc_audio *o, uint8_t kind, struct desc_audio *ret) {
  for (uint8_t i = 0; i < o->n_codecs; i++) {
    const struct row *r = row_of(o->codecs[i].kind, o->codecs[i].clock_hz);
    if (r && r->kind == kind)
      add(ret, r, o->codecs[i].pt);
  }
}

static void keep_first(const struct ability *a, const struct desc_audio *o, struct desc_audio *ret) {
  for (uint8_t i = 0; i < o->n_codecs && !ret->n_codecs; i++)
    if (codec_is_speech(&o->codecs[i]) && is_served(a, o->codecs[i].kind))
      add(ret, row_of(o->codecs[i].kind, o->codecs[i].clock_hz), o->codecs[i].pt);
}

void codecs_answer(const struct ability *a, const struct desc_audio *offer, struct desc_audio *ret) {
  uint8_t kinds[SPEECH_MAX];
  unsigned n = served(a, kinds);
  if (a->kind == LEG_TRUNK)
    keep_first(a, offer, ret);
  else
    for (unsigned i = 0; i < n; i++)
      keep_kind(offer, kinds[i], ret);
  if (has_events(a))
    keep_kind(offer, CODEC_TELEV, ret);
  if (a->kind == LEG_TRUNK)
    keep_kind(offer, CODEC_CN, ret);
}

bool codecs_meet(const struct ability *a, const struct desc_audio *offer) {
  for (uint8_t i = 0; i < offer->n_codecs; i++)
    if (codec_is_speech(&offer->codecs[i]) && is_served(a, offer->codecs[i].kind))
      return true;
  return false;
}

const char *codecs_names(const struct ability *a, char *buf, size_t bytes) {
  uint8_t kinds[SPEECH_MAX];
  unsigned n = served(a, kinds);
  size_t at = 0;
  buf[0] = '\0';
  for (unsigned i = 0; i < n && at < bytes; i++) {
    const struct row *r = offered(kinds[i]);
    at += (size_t)snprintf(buf + at, bytes - at, "%s%s",
                           i == 0       ? ""
                           : i + 1 == n ? " or "
                                        : ", ",
                           r->name);
  }
  return buf;
}
