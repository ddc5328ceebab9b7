/* SPDX-License-Identifier: Apache-2.0
 * The attributes of a description (RFC 8839, 8122, 8843, 4568, 3605, 5761, 5506), each a row of a table:
 * see desc_attr.h. With the payload types and addresses that they tell more about. */
#include "wire/desc_attr.h"

#include "wire/cand.h"
#include "wire/crypto.h"
#include "wire/line.h"

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

static int take_rtpmap(struct desc_reader *r, struct slice v) {
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

static int take_fmtp(struct desc_reader *r, struct slice v) {
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

int desc_attr_codecs(struct desc_audio *a, struct slice v) {
  for (struct slice w = line_word(&v); w.n; w = line_word(&v)) {
    uint64_t pt;
    if (slice_u64(w, 127, &pt) < 0)
      return -EBADMSG;
    if (a->n_codecs < DESC_CODECS_MAX && !codec_by_pt(a, pt))
      codec_init(&a->codecs[a->n_codecs++], (uint8_t)pt);
  }
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

int desc_attr_conn(struct desc_reader *r, struct slice v) {
  struct addr a;
  int got = conn_parse(&a, v, r->at ? addr_port(&r->at->rtp) : 0);
  if (got < 0)
    return got;
  if (r->at && got == 0)
    r->at->rtp = a;
  return 0;
}

static int take_rtcp(struct desc_reader *r, struct slice v) {
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

static int take_mid(struct desc_reader *r, struct slice v) {
  if (!line_is_token(slice_trim(v), sizeof(r->media->mid) - 1))
    return -EBADMSG;
  line_copy(r->media->mid, sizeof(r->media->mid), slice_trim(v));
  if (r->at)
    memcpy(r->at->mid, r->media->mid, sizeof(r->at->mid));
  return 0;
}

static int take_ufrag(struct desc_reader *r, struct slice v) {
  return line_word_copy(r->at->ufrag, sizeof(r->at->ufrag), v, 4);
}
static int take_pwd(struct desc_reader *r, struct slice v) {
  return line_word_copy(r->at->pwd, sizeof(r->at->pwd), v, 22);
}

static int take_setup(struct desc_reader *r, struct slice v) {
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
static int take_fingerprint(struct desc_reader *r, struct slice v) {
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

static int take_candidate(struct desc_reader *r, struct slice v) {
  if (r->at->n_candidates == DESC_CANDIDATES_MAX)
    return -E2BIG;
  int got = cand_parse(&r->at->candidates[r->at->n_candidates], v);
  if (got == 0)
    r->at->n_candidates++;
  return got < 0 ? got : 0;
}

static int take_crypto(struct desc_reader *r, struct slice v) {
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
static int take_ptime(struct desc_reader *r, struct slice v) { return r->at->ptime_ms = ms_of(v), 0; }
static int take_maxptime(struct desc_reader *r, struct slice v) {
  return r->at->maxptime_ms = ms_of(v), 0;
}

static int take_group(struct desc_reader *r, struct slice v) {
  if (slice_ieq(line_word(&v), SLICE("BUNDLE")) && r->n_groups < GROUPS_MAX)
    r->groups[r->n_groups++] = v;
  return 0;
}

static int take_sendrecv(struct desc_reader *r, struct slice v) {
  return (void)v, r->at->direction = DIR_SENDRECV, 0;
}
static int take_sendonly(struct desc_reader *r, struct slice v) {
  return (void)v, r->at->direction = DIR_SEND, 0;
}
static int take_recvonly(struct desc_reader *r, struct slice v) {
  return (void)v, r->at->direction = DIR_RECV, 0;
}
static int take_inactive(struct desc_reader *r, struct slice v) {
  return (void)v, r->at->direction = DIR_INACTIVE, 0;
}
static int take_mux(struct desc_reader *r, struct slice v) { return (void)v, r->at->rtcp_mux = true, 0; }
static int take_mux_only(struct desc_reader *r, struct slice v) {
  return (void)v, r->at->rtcp_mux_only = true, 0;
}
static int take_rsize(struct desc_reader *r, struct slice v) {
  return (void)v, r->at->rtcp_rsize = true, 0;
}
/* Of the report blocks only this one matters here; forms that we don't know are passed over. */
static int take_xr(struct desc_reader *r, struct slice v) {
  for (struct slice w = line_word(&v); w.n; w = line_word(&v))
    if (slice_ieq(slice_cut(&w, '='), SLICE("voip-metrics")))
      r->at->rtcp_xr_voip = true;
  return 0;
}

static int take_extmap(struct desc_reader *r, struct slice v) {
  struct slice where = line_word(&v), uri = line_word(&v);
  uint64_t id;
  if (slice_u64(slice_cut(&where, '/'), 65535, &id) < 0)
    return -EBADMSG;
  if (id >= 1 && id <= 14 && slice_eq(uri, SLICE("urn:ietf:params:rtp-hdrext:ssrc-audio-level")))
    r->at->level_ext = (uint8_t)id;
  return 0;
}

static int take_ice_lite(struct desc_reader *r, struct slice v) {
  return (void)v, r->at->ice_lite = true, 0;
}
static int take_end(struct desc_reader *r, struct slice v) {
  return (void)v, r->at->end_of_candidates = true, 0;
}

enum scope { BOTH, MEDIA, SESSION, ANY_MEDIA }; /* ANY_MEDIA: also of m-lines that we don't use */

static const struct attribute {
  const char *name;
  enum scope scope;
  int (*apply)(struct desc_reader *r, struct slice value);
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

static bool is_in_scope(const struct desc_reader *r, enum scope scope) {
  if (scope == SESSION)
    return !r->media;
  if (scope == ANY_MEDIA)
    return r->media;
  return r->at && (scope == BOTH || r->media);
}

int desc_attr_take(struct desc_reader *r, struct slice v, const char **rule) {
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
