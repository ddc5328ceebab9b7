/* SPDX-License-Identifier: Apache-2.0
 * SDP text -> struct desc (RFC 8866): see desc.h. One pass over the lines; a= is desc_attr's. Attributes
 * ahead of the first m-line are written to a base audio, whose copy each m=audio begins with: that is
 * the inheritance. */
#include "wire/desc_attr.h"
#include "wire/line.h"

static const char *const profile_names[] = {
    [PROFILE_AVP] = "RTP/AVP",
    [PROFILE_AVPF] = "RTP/AVPF",
    [PROFILE_SAVP] = "RTP/SAVP",
    [PROFILE_SAVPF] = "RTP/SAVPF",
    [PROFILE_DTLS_SAVP] = "UDP/TLS/RTP/SAVP",
    [PROFILE_DTLS_SAVPF] = "UDP/TLS/RTP/SAVPF",
};

const char *desc_profile_name(enum desc_profile p) {
  return p < PROFILE_OTHER ? profile_names[p] : "RTP/AVP";
}

static enum desc_profile profile_of(struct slice proto) {
  for (unsigned p = 0; p < COUNT_OF(profile_names); p++)
    if (slice_ieq(proto, slice_of(profile_names[p])))
      return (enum desc_profile)p;
  return PROFILE_OTHER;
}

/* ---- lines ---- */

/* Digits, modulo 2^64: some write more than fit. */
static int id_parse(uint64_t *ret, struct slice s) {
  *ret = 0;
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] < '0' || s.p[i] > '9')
      return -EBADMSG;
    *ret = *ret * 10 + (unsigned)(s.p[i] - '0');
  }
  return s.n ? 0 : -EBADMSG;
}

/* Of a description of audio, without its candidates: those past their number are never looked at. */
#define AUDIO_BYTES offsetof(struct desc_audio, candidates)

static int take_o(struct desc_reader *r, struct slice v) {
  line_word(&v);
  struct slice id = line_word(&v), version = line_word(&v);
  line_word(&v);
  line_word(&v);
  struct slice host = line_word(&v);
  if (r->has_origin || id_parse(&r->d->session_id, id) < 0 || id_parse(&r->d->version, version) < 0 ||
      !line_is_word(host, 255))
    return -EBADMSG;
  if (host.n >= sizeof(r->d->origin_addr))
    host.n = sizeof(r->d->origin_addr) - 1;
  line_copy(r->d->origin_addr, sizeof(r->d->origin_addr), host);
  r->has_origin = true;
  return 0;
}

/* The rest of the m-line, one blank between formats, cut at one that no longer fits. */
static int formats_copy(struct desc_media *m, struct slice v) {
  size_t n = 0, words = 0;
  for (struct slice w = line_word(&v); w.n; w = line_word(&v)) {
    if (!line_is_word(w, LINE_MAX_BYTES))
      return -EBADMSG;
    words++;
    if (n + w.n + 2 > sizeof(m->formats))
      continue;
    if (n)
      m->formats[n++] = ' ';
    memcpy(m->formats + n, w.p, w.n);
    n += w.n;
  }
  if (n == 0)
    m->formats[0] = '0'; /* an m-line has at least one */
  return words ? 0 : -EBADMSG;
}

/* A description is large, and most of it is no secret. */
static void audio_wipe(struct desc_audio *a) {
  explicit_bzero(a->ufrag, sizeof(a->ufrag));
  explicit_bzero(a->pwd, sizeof(a->pwd));
  explicit_bzero(a->crypto, sizeof(a->crypto));
}

static int audio_begin(struct desc_reader *r, enum desc_profile profile, uint16_t port,
                       struct slice formats) {
  struct desc_audio *a = &r->d->audio;
  memcpy(a, &r->base, AUDIO_BYTES); /* also over keys of one that was refused */
  a->profile = (uint8_t)profile;
  a->index = (uint8_t)(r->d->n_media - 1);
  addr_set_port(&a->rtp, port);
  r->at = a;
  r->d->has_audio = true;
  r->has_rtcp = false;
  r->fingerprint_is_inherited = true;
  return desc_attr_codecs(a, formats);
}

static int take_m(struct desc_reader *r, struct slice v, const char **rule) {
  uint64_t port, count = 1;
  struct slice media = line_word(&v), port_text = line_word(&v), proto = line_word(&v);
  struct slice port_word = slice_cut(&port_text, '/');
  r->at = NULL;
  if (r->d->n_media == DESC_MEDIA_MAX)
    return *rule = "at most 16 m-lines", -E2BIG;
  struct desc_media *m = r->media = &r->d->media[r->d->n_media++];
  if (!line_is_token(media, sizeof(m->media) - 1) || !line_is_word(proto, sizeof(m->proto) - 1) ||
      slice_u64(port_word, 65535, &port) < 0 || (port_text.p && slice_u64(port_text, 65535, &count) < 0))
    return -EBADMSG;
  line_copy(m->media, sizeof(m->media), media);
  line_copy(m->proto, sizeof(m->proto), proto);
  m->port = (uint16_t)port;
  if (formats_copy(m, v) < 0)
    return -EBADMSG;
  enum desc_profile profile = profile_of(proto);
  if (!slice_ieq(media, SLICE("audio")) || profile == PROFILE_OTHER)
    return 0;
  if (r->d->has_audio && (addr_port(&r->d->audio.rtp) != 0 || port == 0))
    return 0;
  *rule = "payload types 0-127 in m=audio";
  return audio_begin(r, profile, (uint16_t)port, v);
}

/* Of the bandwidths only those of RTCP matter, and of these only none at all. */
static int take_b(struct desc_reader *r, struct slice v) {
  struct desc_audio *a = r->media ? r->at : &r->base;
  struct slice which = slice_cut(&v, ':');
  uint64_t bits;
  bool is_rr = slice_eq(which, SLICE("RR"));
  if (a && (is_rr || slice_eq(which, SLICE("RS"))) && slice_u64(slice_trim(v), UINT64_MAX, &bits) == 0)
    a->rtcp_mute[is_rr] = bits == 0;
  return 0;
}

static int line_take(struct desc_reader *r, char type, struct slice v, uint32_t number,
                     const char **rule) {
  if ((number == 1) != (type == 'v'))
    return *rule = "v=0 as the first line, once", -EBADMSG;
  if (type == 'v') {
    *rule = "v=0";
    return slice_eq(slice_trim(v), SLICE("0")) ? 0 : -EBADMSG;
  }
  if (type == 'o') {
    *rule = "one o=USER ID VERSION IN IP4 ADDRESS";
    return take_o(r, v);
  }
  if (type == 'm') {
    *rule = "m=MEDIA PORT PROTO FORMATS";
    return take_m(r, v, rule);
  }
  if (type == 'c') {
    *rule = "c=IN IP4 ADDRESS or c=IN IP6 ADDRESS";
    return desc_attr_conn(r, v);
  }
  if (type == 'b')
    return take_b(r, v);
  return type == 'a' ? desc_attr_take(r, v, rule) : 0;
}

/* ---- the whole ---- */

uint16_t desc_rtcp_port(uint16_t rtp_port) { return rtp_port ? (uint16_t)(rtp_port + 1) : 0; }

static void rtcp_finish(struct desc_reader *r, struct desc_audio *a) {
  a->rtcp = a->rtp;
  if (a->rtcp_mux)
    return;
  if (r->has_rtcp && addr_family(&r->rtcp_addr) != AF_UNSPEC)
    a->rtcp = r->rtcp_addr;
  addr_set_port(&a->rtcp, r->has_rtcp ? r->rtcp_port : desc_rtcp_port(addr_port(&a->rtp)));
}

static bool is_in_group(const struct desc_reader *r, struct slice mid) {
  for (uint32_t i = 0; i < r->n_groups; i++) {
    struct slice g = r->groups[i];
    for (struct slice w = line_word(&g); w.n; w = line_word(&g))
      if (slice_eq(w, mid))
        return true;
  }
  return false;
}

static int finish(struct desc_reader *r, const char **rule) {
  struct desc_audio *a = &r->d->audio;
  if (!r->has_origin)
    return *rule = "an o= line", -EBADMSG;
  if (!r->d->has_audio)
    return 0;
  if (addr_family(&a->rtp) == AF_UNSPEC) {
    if (addr_port(&a->rtp) != 0)
      return *rule = "c= with an address literal for m=audio", -EBADMSG;
    a->rtp.in4.sin_family = AF_INET;
  }
  a->is_zero_addr = addr_is_any(&a->rtp);
  a->rtcp_mux = a->rtcp_mux || a->rtcp_mux_only;
  rtcp_finish(r, a);
  r->d->bundle = a->mid[0] && is_in_group(r, slice_of(a->mid));
  return 0;
}

static int text_take(struct desc_reader *r, struct lines *l, const char **rule) {
  char type;
  struct slice value;
  int got;
  while ((got = line_next(l, &type, &value)) > 0) {
    int e = line_take(r, type, value, l->number, rule);
    if (e < 0)
      return e;
  }
  if (got < 0)
    *rule = l->rule;
  return got;
}

int desc_parse(struct desc *ret, struct slice text, struct desc_fault *fault) {
  struct desc_reader r;
  struct lines l = {.rest = text};
  const char *rule = "at most 32 KiB of text";
  memset(&r, 0, offsetof(struct desc_reader, base) + AUDIO_BYTES);
  r.d = ret;
  r.at = &r.base;
  r.base.direction = DIR_SENDRECV;
  memset(ret, 0, offsetof(struct desc, audio) + AUDIO_BYTES);
  int e = text.n > DESC_TEXT_MAX_BYTES ? -E2BIG : text_take(&r, &l, &rule);
  *fault = (struct desc_fault){e < 0 ? rule : "", e < 0 ? l.number : 0};
  if (e == 0 && (e = finish(&r, &rule)) < 0)
    *fault = (struct desc_fault){rule, 0};
  audio_wipe(&r.base);
  if (e < 0)
    explicit_bzero(ret, sizeof(*ret));
  return e;
}

/* Its secrets go; addresses and codecs stay as they are. */
void desc_wipe(struct desc *d) { audio_wipe(&d->audio); }

size_t desc_kept_bytes(const struct desc *d) {
  return offsetof(struct desc, audio.candidates) +
         d->audio.n_candidates * sizeof(d->audio.candidates[0]);
}

struct desc *desc_keep(const struct desc *d) {
  struct desc *kept = malloc(desc_kept_bytes(d));
  if (kept)
    memcpy(kept, d, desc_kept_bytes(d));
  return kept;
}

void desc_copy(struct desc *dst, const struct desc *kept) { memcpy(dst, kept, desc_kept_bytes(kept)); }

bool desc_eq(const struct desc *a, const struct desc *b) {
  return a->audio.n_candidates == b->audio.n_candidates && memcmp(a, b, desc_kept_bytes(a)) == 0;
}

struct desc *desc_drop(struct desc *kept) {
  if (kept)
    audio_wipe(&kept->audio);
  free(kept);
  return NULL;
}

const struct desc_codec *desc_codec_find(const struct desc_audio *a, enum codec_kind kind,
                                         uint32_t clock_hz) {
  for (size_t i = 0; i < a->n_codecs; i++)
    if (a->codecs[i].kind == kind && (clock_hz == 0 || a->codecs[i].clock_hz == clock_hz))
      return &a->codecs[i];
  return NULL;
}
