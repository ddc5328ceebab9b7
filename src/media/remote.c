/* SPDX-License-Identifier: Apache-2.0
 * Remotes of a leg: see remote.h. */
#include "media/remote.h"

#include <stdio.h>

static int set_range(struct cidr *ret, const struct mset_source *s) {
  char text[ADDR_TEXT_BYTES + 8], ip[ADDR_TEXT_BYTES];
  addr_ip_text(&s->base, ip, sizeof(ip));
  snprintf(text, sizeof(text), "%s/%u", ip, s->bits);
  return cidr_parse(ret, slice_of(text));
}

static int set_opener(struct opener **o, const struct srtp_key *key) {
  return *o ? opener_rekey(*o, key) : opener_new(o, key);
}

static void forget(struct remote *r, uint64_t now_us) {
  r->has_kept = r->is_unroutable = false;
  memset(&r->heard, 0, sizeof(r->heard));
  memset(&r->heard_rtcp, 0, sizeof(r->heard_rtcp));
  r->set_us = r->heard_there_us = now_us;
}

/* Keys by the description itself; with DTLS they come later. */
static int set_security(struct remote *r, const struct mset_remote *m) {
  static const struct srtp_key none;
  bool is_sdes = m->security == MSET_SDES;
  if (m->security == MSET_DTLS)
    return m->fingerprint_bytes == 32 || m->fingerprint_bytes == 48 || m->fingerprint_bytes == 64
               ? 0
               : -EINVAL;
  if (is_sdes && (m->tx.suite == SUITE_NONE || m->rx.suite == SUITE_NONE))
    return -EINVAL; /* a secured remote never becomes a plain one for want of a key */
  if (r->number && r->security != m->security)
    r->opener = opener_free(r->opener);
  int error = set_opener(&r->opener, is_sdes ? &m->rx : &none);
  if (error)
    return error;
  r->tx = is_sdes ? m->tx : none;
  r->suite = is_sdes ? m->rx.suite : SUITE_NONE;
  r->has_tx = true;
  return 0;
}

/* Another fingerprint is another association: the keys of the one before are void. */
static void set_fingerprint(struct remote *r, const struct mset_remote *m) {
  bool is_same = r->number && r->security == MSET_DTLS && r->fingerprint.bytes == m->fingerprint_bytes &&
                 memcmp(r->fingerprint.value, m->fingerprint, m->fingerprint_bytes) == 0;
  if (is_same)
    return;
  r->opener = opener_free(r->opener);
  srtpkey_wipe(&r->tx);
  r->has_tx = r->has_pair = false;
  r->suite = SUITE_NONE;
  r->dtls = MSET_DTLS_NONE;
  r->fingerprint.bytes = m->fingerprint_bytes;
  memcpy(r->fingerprint.value, m->fingerprint, m->fingerprint_bytes);
}

/* Most descriptions have none. */
static int take_sources(struct remote_source **ret, const struct mset_remote *m) {
  struct remote_source *list = m->n_sources ? calloc(m->n_sources, sizeof(*list)) : NULL;
  if (m->n_sources && !list)
    return -ENOMEM;
  for (uint32_t i = 0; i < m->n_sources; i++)
    if (set_range(&list[i].range, &m->sources[i]) < 0) {
      free(list);
      return -EINVAL;
    }
  *ret = list;
  return 0;
}

int remote_set(struct remote *r, const struct mset_remote *m, uint64_t now_us) {
  struct remote_source *sources = NULL;
  int error = take_sources(&sources, m);
  if (!error)
    error = set_security(r, m);
  if (error) {
    free(sources);
    return error;
  }
  if (m->security == MSET_DTLS)
    set_fingerprint(r, m);
  r->number = (uint8_t)m->remote;
  r->security = (uint8_t)m->security;
  r->symmetric = (uint8_t)m->symmetric;
  r->rtcp_mux = m->rtcp_mux != 0;
  r->rtcp_off = m->rtcp_off != 0;
  r->rtcp_xr = m->rtcp_xr != 0;
  r->dtmf = (uint8_t)m->dtmf;
  r->level_ext = (uint8_t)m->level_ext;
  r->may_send = m->send != 0;
  r->may_recv = m->recv != 0;
  r->rtp = m->rtp;
  r->rtcp = m->rtcp;
  r->n_codecs = (uint8_t)m->n_codecs;
  memcpy(r->codecs, m->codecs, sizeof(r->codecs));
  r->n_sources = (uint8_t)m->n_sources;
  free(r->sources);
  r->sources = sources;
  forget(r, now_us);
  return 0;
}

void remote_drop(struct remote *r) {
  r->opener = opener_free(r->opener);
  free(r->sources);
  explicit_bzero(r, sizeof(*r));
}

int remote_set_keys(struct remote *r, const struct srtp_key *tx, const struct srtp_key *rx) {
  int error = set_opener(&r->opener, rx);
  if (error)
    return error;
  r->tx = *tx;
  r->has_tx = true;
  r->suite = rx->suite;
  return 0;
}

bool remote_is_source(const struct remote *r, const struct addr *from) {
  for (unsigned i = 0; i < r->n_sources; i++)
    if (cidr_has(&r->sources[i].range, from))
      return true;
  return false;
}

bool remote_may_come(const struct remote *r, const struct addr *from, bool is_rtcp) {
  if (r->security != MSET_PLAIN)
    return true;
  if (r->has_kept)
    return is_rtcp ? addr_eq_ip(&r->kept, from) : addr_eq(&r->kept, from);
  return addr_eq_ip(&r->rtp, from) || remote_is_source(r, from);
}

void remote_heard(struct remote *r, const struct addr *from, bool is_rtcp, uint64_t now_us) {
  r->heard_us = now_us;
  if (is_rtcp) {
    r->heard_rtcp = *from;
    return;
  }
  r->heard = *from;
  if (addr_eq(from, &r->rtp))
    r->heard_there_us = now_us;
  if (r->security == MSET_PLAIN && !r->has_kept) {
    r->kept = *from;
    r->has_kept = true;
  }
}

static bool is_addressable(const struct addr *a) {
  return addr_family(a) != AF_UNSPEC && addr_port(a) != 0 && !addr_is_any(a);
}

/* Only what verified may move us from the description's address: a plain leg by its own setting. */
static bool has_moved(const struct remote *r, uint64_t now_us) {
  if (addr_family(&r->heard) == AF_UNSPEC)
    return false;
  if (r->security == MSET_PLAIN)
    return r->symmetric == MSET_SYMMETRIC_ONCE && r->has_kept;
  if (r->symmetric == MSET_SYMMETRIC_OFF)
    return false;
  bool is_nowhere = r->is_unroutable || !is_addressable(&r->rtp);
  return is_nowhere || now_us - r->heard_there_us > REMOTE_QUIET_US;
}

bool remote_target(const struct remote *r, bool is_rtcp, uint64_t now_us, struct addr *ret) {
  bool is_moved = has_moved(r, now_us);
  if (is_rtcp && r->rtcp_off)
    return false;
  if (is_rtcp && !r->rtcp_mux)
    *ret = is_moved && addr_family(&r->heard_rtcp) != AF_UNSPEC ? r->heard_rtcp : r->rtcp;
  else if (is_moved)
    *ret = r->security == MSET_PLAIN ? r->kept : r->heard;
  else
    *ret = r->rtp;
  return is_addressable(ret);
}

const struct mset_codec *remote_codec(const struct remote *r, uint8_t pt) {
  for (unsigned i = 0; i < r->n_codecs; i++)
    if (r->codecs[i].pt == pt)
      return &r->codecs[i];
  return NULL;
}

static bool is_audio(const struct mset_codec *c) {
  return c->kind != CODEC_TELEV && c->kind != CODEC_CN;
}

const struct mset_codec *remote_audio(const struct remote *r) {
  for (unsigned i = 0; i < r->n_codecs; i++)
    if (is_audio(&r->codecs[i]))
      return &r->codecs[i];
  return NULL;
}

const struct mset_codec *remote_of_kind(const struct remote *r, uint8_t kind) {
  for (unsigned i = 0; i < r->n_codecs; i++)
    if (r->codecs[i].kind == kind)
      return &r->codecs[i];
  return NULL;
}

const struct mset_codec *remote_event(const struct remote *r, uint32_t clock_hz) {
  const struct mset_codec *any = NULL;
  for (unsigned i = 0; i < r->n_codecs; i++) {
    if (r->codecs[i].kind != CODEC_TELEV)
      continue;
    if (r->codecs[i].clock_hz == clock_hz)
      return &r->codecs[i];
    any = any ? any : &r->codecs[i];
  }
  return any;
}

unsigned remote_order(struct remote *list, unsigned n, const struct addr *from, bool is_rtcp,
                      struct remote **ret, unsigned max) {
  unsigned count = 0;
  for (unsigned pass = 0; pass < 2; pass++)
    for (unsigned i = 0; i < n && count < max; i++) {
      struct remote *r = &list[i];
      bool is_his =
          addr_eq(&r->heard, from) || (addr_family(&r->heard) == AF_UNSPEC && addr_eq(&r->rtp, from));
      if (r->number && r->opener && is_his == (pass == 0) && remote_may_come(r, from, is_rtcp))
        ret[count++] = r;
    }
  return count;
}
