/* SPDX-License-Identifier: Apache-2.0
 * SDP text -> struct desc (RFC 8866, 8839, 8122, 8843, 4568, 3605, 5761, 5506): see desc.h. One pass;
 * each attribute is a row of a table. Attributes ahead of the first m-line are written to a base
 * audio, whose copy each m=audio begins with: that is the inheritance. */
#include "wire/cand.h"
#include "wire/crypto.h"
#include "wire/descpart.h"
#include "wire/line.h"

enum { GROUPS_MAX = 4 };

struct reader {
  struct desc *d;
  struct desc_audio base;   /* base holds what was said at session level. */
  struct desc_audio *at;    /* at is what an attribute acts on; NULL inside other m-lines. */
  struct desc_media *media; /* media is the current m-line, NULL at session level. */
  struct slice groups[GROUPS_MAX];
  uint32_t n_groups;
  bool fingerprint_is_inherited;
  bool has_origin, has_rtcp;
  uint16_t rtcp_port;
  struct addr rtcp_addr;
};

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

/* ---- codecs ---- */

static const struct {
  const char *name;
  uint32_t clock_hz;
  uint8_t channels, kind;
} known_codecs[] = {
    {"PCMU", 8000, 1, CODEC_PCMU},          {"PCMA", 8000, 1, CODEC_PCMA},
    {"G722", 8000, 1, CODEC_G722},          {"opus", 48000, 2, CODEC_OPUS},
    {"telephone-event", 0, 1, CODEC_TELEV}, {"CN", 0, 1, CODEC_CN},
};

static uint8_t codec_kind_of(const struct desc_codec *c) {
  for (size_t i = 0; i < COUNT_OF(known_codecs); i++)
    if (slice_ieq(slice_of(c->name), slice_of(known_codecs[i].name)) &&
        c->channels == known_codecs[i].channels &&
        (known_codecs[i].clock_hz == 0 || c->clock_hz == known_codecs[i].clock_hz))
      return known_codecs[i].kind;
  return CODEC_OTHER;
}

static void codec_init(struct desc_codec *c, uint8_t pt) {
  static const struct {
    uint8_t pt;
    const char *name;
  } statics[] = {{0, "PCMU"}, {8, "PCMA"}, {9, "G722"}, {13, "CN"}};
  memset(c, 0, sizeof(*c));
  c->pt = pt;
  c->channels = 1;
  for (size_t i = 0; i < COUNT_OF(statics); i++)
    if (statics[i].pt == pt) {
      line_copy(c->name, sizeof(c->name), slice_of(statics[i].name));
      c->clock_hz = 8000;
    }
  c->kind = codec_kind_of(c);
}

static struct desc_codec *codec_by_pt(struct desc_audio *a, uint64_t pt) {
  for (size_t i = 0; i < a->n_codecs; i++)
    if (a->codecs[i].pt == pt)
      return &a->codecs[i];
  return NULL;
}

static int take_rtpmap(struct reader *r, struct slice v) {
  uint64_t pt, clock, channels = 1;
  struct slice pt_text = line_word(&v), rest = line_word(&v);
  struct slice name = slice_cut(&rest, '/'), clock_text = slice_cut(&rest, '/');
  if (slice_u64(pt_text, 127, &pt) < 0 || !line_is_token(name, 128) ||
      slice_u64(clock_text, UINT32_MAX, &clock) < 0 || clock == 0)
    return -EBADMSG;
  if (rest.p && (slice_u64(rest, 255, &channels) < 0 || channels == 0))
    return -EBADMSG;
  struct desc_codec *c = codec_by_pt(r->at, pt);
  if (!c || name.n >= sizeof(c->name))
    return 0;
  line_copy(c->name, sizeof(c->name), name);
  c->clock_hz = (uint32_t)clock;
  c->channels = (uint8_t)channels;
  c->kind = codec_kind_of(c);
  return 0;
}

static int take_fmtp(struct reader *r, struct slice v) {
  uint64_t pt;
  if (slice_u64(line_word(&v), 127, &pt) < 0)
    return -EBADMSG;
  struct desc_codec *c = codec_by_pt(r->at, pt);
  if (!c || line_copy(c->fmtp, sizeof(c->fmtp), slice_trim(v)) < 0)
    return 0;
  for (char *p = c->fmtp; *p; p++)
    *p = *p == '\t' ? ' ' : *p;
  return 0;
}

/* ---- addresses ---- */

/* "IN IP4 1.2.3.4": 0, or 1 for a name or another kind, which leaves *ret unset. */
static int conn_parse(struct addr *ret, struct slice v, uint16_t port) {
  struct slice net = line_word(&v), type = line_word(&v), host = line_word(&v);
  bool is_v4 = slice_ieq(type, SLICE("IP4")), is_v6 = slice_ieq(type, SLICE("IP6"));
  memset(ret, 0, sizeof(*ret));
  if (net.n == 0 || type.n == 0 || !line_is_word(host, 255))
    return -EBADMSG;
  if (!slice_ieq(net, SLICE("IN")) || (!is_v4 && !is_v6) || addr_parse(ret, host, port) < 0)
    return 1;
  if ((addr_family(ret) == AF_INET6) == is_v6)
    return 0;
  memset(ret, 0, sizeof(*ret));
  return -EBADMSG;
}

static int take_c(struct reader *r, struct slice v) {
  struct addr a;
  int got = conn_parse(&a, v, r->at ? addr_port(&r->at->rtp) : 0);
  if (got < 0)
    return got;
  if (r->at && got == 0)
    r->at->rtp = a;
  return 0;
}

static int take_rtcp(struct reader *r, struct slice v) {
  uint64_t port;
  if (slice_u64(line_word(&v), 65535, &port) < 0)
    return -EBADMSG;
  v = slice_trim(v);
  memset(&r->rtcp_addr, 0, sizeof(r->rtcp_addr));
  if (v.n && conn_parse(&r->rtcp_addr, v, (uint16_t)port) < 0)
    return -EBADMSG;
  r->has_rtcp = true;
  r->rtcp_port = (uint16_t)port;
  return 0;
}

/* ---- attributes ---- */

static int take_word(char *dst, size_t dst_bytes, struct slice v, size_t min) {
  v = slice_trim(v);
  if (v.n < min || !line_is_word(v, dst_bytes - 1))
    return -EBADMSG;
  return line_copy(dst, dst_bytes, v) < 0 ? -EBADMSG : 0;
}

static int take_mid(struct reader *r, struct slice v) {
  if (!line_is_token(slice_trim(v), sizeof(r->media->mid) - 1))
    return -EBADMSG;
  line_copy(r->media->mid, sizeof(r->media->mid), slice_trim(v));
  if (r->at)
    memcpy(r->at->mid, r->media->mid, sizeof(r->at->mid));
  return 0;
}

static int take_ufrag(struct reader *r, struct slice v) {
  return take_word(r->at->ufrag, sizeof(r->at->ufrag), v, 4);
}
static int take_pwd(struct reader *r, struct slice v) {
  return take_word(r->at->pwd, sizeof(r->at->pwd), v, 22);
}

static int take_setup(struct reader *r, struct slice v) {
  static const char *const names[] = {"", "actpass", "active", "passive", "holdconn"};
  for (uint8_t i = 1; i < COUNT_OF(names); i++)
    if (slice_ieq(slice_trim(v), slice_of(names[i]))) {
      r->at->setup = i;
      return 0;
    }
  return -EBADMSG;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int fingerprint_hex(uint8_t *dst, size_t bytes, struct slice hex) {
  if (hex.n != bytes * 3 - 1)
    return -EBADMSG;
  for (size_t i = 0; i < bytes; i++) {
    int high = hex_digit(hex.p[3 * i]), low = hex_digit(hex.p[3 * i + 1]);
    if (high < 0 || low < 0 || (i + 1 < bytes && hex.p[3 * i + 2] != ':'))
      return -EBADMSG;
    dst[i] = (uint8_t)(high << 4 | low);
  }
  return 0;
}

/* SHA-1 and MD5 are not taken as proof of anything: they are as good as absent. */
static int take_fingerprint(struct reader *r, struct slice v) {
  static const struct {
    const char *name;
    uint8_t bytes;
  } algs[] = {{"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}};
  struct slice alg = line_word(&v), hex = line_word(&v);
  if (!line_is_token(alg, 32) || hex.n == 0)
    return -EBADMSG;
  for (size_t i = 0; i < COUNT_OF(algs); i++) {
    uint8_t bytes[64];
    if (!slice_ieq(alg, slice_of(algs[i].name)))
      continue;
    if (fingerprint_hex(bytes, algs[i].bytes, hex) < 0)
      return -EBADMSG;
    if (!r->fingerprint_is_inherited && r->at->fingerprint_bytes >= algs[i].bytes)
      return 0;
    memset(r->at->fingerprint, 0, sizeof(r->at->fingerprint));
    memcpy(r->at->fingerprint, bytes, algs[i].bytes);
    r->at->fingerprint_bytes = algs[i].bytes;
    line_copy(r->at->fingerprint_alg, sizeof(r->at->fingerprint_alg), slice_of(algs[i].name));
    r->fingerprint_is_inherited = false;
  }
  return 0;
}

static int take_candidate(struct reader *r, struct slice v) {
  if (r->at->n_candidates == DESC_CANDIDATES_MAX)
    return -E2BIG;
  int got = cand_parse(&r->at->candidates[r->at->n_candidates], v);
  if (got == 0)
    r->at->n_candidates++;
  return got < 0 ? got : 0;
}

static int take_crypto(struct reader *r, struct slice v) {
  struct desc_crypto past,
      *c = r->at->n_crypto < DESC_CRYPTO_MAX ? &r->at->crypto[r->at->n_crypto] : &past;
  int got = crypto_parse(c, v);
  if (got == 0 && c != &past)
    r->at->n_crypto++;
  if (c == &past)
    srtpkey_wipe(&past.key);
  return got;
}

/* "20" and "20.0" are written; what is no number is as good as absent. */
static uint16_t ms_of(struct slice v) {
  uint64_t ms;
  v = slice_trim(v);
  return slice_u64(slice_cut(&v, '.'), 1000, &ms) < 0 ? 0 : (uint16_t)ms;
}
static int take_ptime(struct reader *r, struct slice v) { return r->at->ptime_ms = ms_of(v), 0; }
static int take_maxptime(struct reader *r, struct slice v) { return r->at->maxptime_ms = ms_of(v), 0; }

static int take_group(struct reader *r, struct slice v) {
  if (slice_ieq(line_word(&v), SLICE("BUNDLE")) && r->n_groups < GROUPS_MAX)
    r->groups[r->n_groups++] = v;
  return 0;
}

static int take_sendrecv(struct reader *r, struct slice v) {
  return (void)v, r->at->direction = DIR_SENDRECV, 0;
}
static int take_sendonly(struct reader *r, struct slice v) {
  return (void)v, r->at->direction = DIR_SEND, 0;
}
static int take_recvonly(struct reader *r, struct slice v) {
  return (void)v, r->at->direction = DIR_RECV, 0;
}
static int take_inactive(struct reader *r, struct slice v) {
  return (void)v, r->at->direction = DIR_INACTIVE, 0;
}
static int take_mux(struct reader *r, struct slice v) { return (void)v, r->at->rtcp_mux = true, 0; }
static int take_mux_only(struct reader *r, struct slice v) {
  return (void)v, r->at->rtcp_mux_only = true, 0;
}
static int take_rsize(struct reader *r, struct slice v) { return (void)v, r->at->rtcp_rsize = true, 0; }
/* Of the report blocks only this one matters here; forms that we don't know are passed over. */
static int take_xr(struct reader *r, struct slice v) {
  for (struct slice w = line_word(&v); w.n; w = line_word(&v))
    if (slice_ieq(slice_cut(&w, '='), SLICE("voip-metrics")))
      r->at->rtcp_xr_voip = true;
  return 0;
}

static int take_extmap(struct reader *r, struct slice v) {
  struct slice where = line_word(&v), uri = line_word(&v);
  uint64_t id;
  if (slice_u64(slice_cut(&where, '/'), 65535, &id) < 0)
    return -EBADMSG;
  if (id >= 1 && id <= 14 && slice_eq(uri, SLICE("urn:ietf:params:rtp-hdrext:ssrc-audio-level")))
    r->at->level_ext = (uint8_t)id;
  return 0;
}

static int take_ice_lite(struct reader *r, struct slice v) { return (void)v, r->at->ice_lite = true, 0; }
static int take_end(struct reader *r, struct slice v) {
  return (void)v, r->at->end_of_candidates = true, 0;
}

enum scope { BOTH, MEDIA, SESSION, ANY_MEDIA }; /* ANY_MEDIA: also of m-lines that we don't use */

static const struct attribute {
  const char *name;
  enum scope scope;
  int (*apply)(struct reader *r, struct slice value);
  const char *rule;
} attributes[] = {
    {"candidate", MEDIA, take_candidate, "at most 64 a=candidate, of the form of RFC 8839"},
    {"rtpmap", MEDIA, take_rtpmap, "a=rtpmap:PT NAME/CLOCK[/CHANNELS]"},
    {"fmtp", MEDIA, take_fmtp, "a=fmtp:PT PARAMETERS"},
    {"crypto", MEDIA, take_crypto, "a=crypto:TAG SUITE inline:KEY of RFC 4568"},
    {"sendrecv", BOTH, take_sendrecv, ""},
    {"sendonly", BOTH, take_sendonly, ""},
    {"recvonly", BOTH, take_recvonly, ""},
    {"inactive", BOTH, take_inactive, ""},
    {"mid", ANY_MEDIA, take_mid, "a=mid: a token of at most 32 characters"},
    {"group", SESSION, take_group, ""},
    {"rtcp-mux", MEDIA, take_mux, ""},
    {"rtcp-mux-only", MEDIA, take_mux_only, ""},
    {"rtcp-rsize", MEDIA, take_rsize, ""},
    {"rtcp-xr", BOTH, take_xr, ""},
    {"extmap", BOTH, take_extmap, "a=extmap:ID[/DIRECTION] URI"},
    {"rtcp", MEDIA, take_rtcp, "a=rtcp:PORT [IN IP4 ADDRESS]"},
    {"ice-ufrag", BOTH, take_ufrag, "a=ice-ufrag of 4 to 256 characters"},
    {"ice-pwd", BOTH, take_pwd, "a=ice-pwd of 22 to 256 characters"},
    {"ice-lite", BOTH, take_ice_lite, ""},
    {"fingerprint", BOTH, take_fingerprint, "a=fingerprint:ALGORITHM and as many bytes as it has"},
    {"setup", BOTH, take_setup, "a=setup: actpass, active, passive or holdconn"},
    {"end-of-candidates", BOTH, take_end, ""},
    {"ptime", MEDIA, take_ptime, ""},
    {"maxptime", MEDIA, take_maxptime, ""},
};

static bool is_in_scope(const struct reader *r, enum scope scope) {
  if (scope == SESSION)
    return !r->media;
  if (scope == ANY_MEDIA)
    return r->media;
  return r->at && (scope == BOTH || r->media);
}

static int take_a(struct reader *r, struct slice v, const char **rule) {
  struct slice name = slice_cut(&v, ':');
  for (size_t i = 0; i < COUNT_OF(attributes); i++) {
    const struct attribute *a = &attributes[i];
    if (!slice_eq(name, slice_of(a->name)))
      continue;
    *rule = a->rule;
    return is_in_scope(r, a->scope) ? a->apply(r, v) : 0;
  }
  return 0;
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

static int take_o(struct reader *r, struct slice v) {
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

static int codecs_take(struct desc_audio *a, struct slice v) {
  for (struct slice w = line_word(&v); w.n; w = line_word(&v)) {
    uint64_t pt;
    if (slice_u64(w, 127, &pt) < 0)
      return -EBADMSG;
    if (a->n_codecs < DESC_CODECS_MAX && !codec_by_pt(a, pt))
      codec_init(&a->codecs[a->n_codecs++], (uint8_t)pt);
  }
  return 0;
}

static int audio_begin(struct reader *r, enum desc_profile profile, uint16_t port,
                       struct slice formats) {
  struct desc_audio *a = &r->d->audio;
  explicit_bzero(a, sizeof(*a));
  *a = r->base;
  a->profile = (uint8_t)profile;
  a->index = (uint8_t)(r->d->n_media - 1);
  addr_set_port(&a->rtp, port);
  r->at = a;
  r->d->has_audio = true;
  r->has_rtcp = false;
  r->fingerprint_is_inherited = true;
  return codecs_take(a, formats);
}

static int take_m(struct reader *r, struct slice v, const char **rule) {
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
static int take_b(struct reader *r, struct slice v) {
  struct desc_audio *a = r->media ? r->at : &r->base;
  struct slice which = slice_cut(&v, ':');
  uint64_t bits;
  bool is_rr = slice_eq(which, SLICE("RR"));
  if (a && (is_rr || slice_eq(which, SLICE("RS"))) && slice_u64(slice_trim(v), UINT64_MAX, &bits) == 0)
    a->rtcp_mute[is_rr] = bits == 0;
  return 0;
}

static int line_take(struct reader *r, char type, struct slice v, uint32_t number, const char **rule) {
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
    return take_c(r, v);
  }
  if (type == 'b')
    return take_b(r, v);
  return type == 'a' ? take_a(r, v, rule) : 0;
}

/* ---- the whole ---- */

uint16_t desc_rtcp_port(uint16_t rtp_port) { return rtp_port ? (uint16_t)(rtp_port + 1) : 0; }

static void rtcp_finish(struct reader *r, struct desc_audio *a) {
  a->rtcp = a->rtp;
  if (a->rtcp_mux)
    return;
  if (r->has_rtcp && addr_family(&r->rtcp_addr) != AF_UNSPEC)
    a->rtcp = r->rtcp_addr;
  addr_set_port(&a->rtcp, r->has_rtcp ? r->rtcp_port : desc_rtcp_port(addr_port(&a->rtp)));
}

static bool is_in_group(const struct reader *r, struct slice mid) {
  for (uint32_t i = 0; i < r->n_groups; i++) {
    struct slice g = r->groups[i];
    for (struct slice w = line_word(&g); w.n; w = line_word(&g))
      if (slice_eq(w, mid))
        return true;
  }
  return false;
}

static int finish(struct reader *r, const char **rule) {
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

static int text_take(struct reader *r, struct lines *l, const char **rule) {
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
  struct reader r = {.d = ret, .at = &r.base, .base.direction = DIR_SENDRECV};
  struct lines l = {.rest = text};
  const char *rule = "at most 32 KiB of text";
  memset(ret, 0, sizeof(*ret));
  int e = text.n > DESC_TEXT_MAX_BYTES ? -E2BIG : text_take(&r, &l, &rule);
  *fault = (struct desc_fault){e < 0 ? rule : "", e < 0 ? l.number : 0};
  if (e == 0 && (e = finish(&r, &rule)) < 0)
    *fault = (struct desc_fault){rule, 0};
  if (e < 0)
    desc_wipe(ret);
  return e;
}

void desc_wipe(struct desc *d) { explicit_bzero(d, sizeof(*d)); }

size_t desc_kept_bytes(const struct desc *d) {
  return offsetof(struct desc, audio.candidates) + d->audio.n_candidates * sizeof(d->audio.candidates[0]);
}

struct desc *desc_keep(const struct desc *d) {
  struct desc *kept = malloc(desc_kept_bytes(d));
  if (kept)
    memcpy(kept, d, desc_kept_bytes(d));
  return kept;
}

void desc_copy(struct desc *dst, const struct desc *kept) {
  memset(dst, 0, sizeof(*dst));
  memcpy(dst, kept, desc_kept_bytes(kept));
}

bool desc_eq(const struct desc *a, const struct desc *b) {
  return a->audio.n_candidates == b->audio.n_candidates && memcmp(a, b, desc_kept_bytes(a)) == 0;
}

struct desc *desc_drop(struct desc *kept) {
  if (kept)
    explicit_bzero(kept, desc_kept_bytes(kept));
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
