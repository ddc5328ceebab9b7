/* SPDX-License-Identifier: Apache-2.0
 * struct desc -> SDP text: see desc.h. Two styles: for SIP (c= at session level, no msid, BUNDLE only
 * where d->bundle asks for it) and for WebRTC (BUNDLE, msid, c= by m-line, as JSEP writes it). */
#include "wire/cand.h"
#include "wire/crypto.h"
#include "wire/descpart.h"

#include <strings.h>

static void conn_write(struct text *t, const struct addr *a) {
  char ip[ADDR_TEXT_BYTES];
  text_add(t, "c=IN %s %s\r\n", addr_family(a) == AF_INET6 ? "IP6" : "IP4",
           addr_ip_text(a, ip, sizeof(ip)));
}

static void codecs_write(struct text *t, const struct desc_audio *a) {
  for (size_t i = 0; i < a->n_codecs; i++) {
    const struct desc_codec *c = &a->codecs[i];
    if (c->name[0]) {
      text_add(t, "a=rtpmap:%u ", c->pt);
      text_add_field(t, c->name);
      text_add(t, "/%u", c->clock_hz);
      if (c->channels > 1)
        text_add(t, "/%u", c->channels);
      text_add(t, "\r\n");
    }
    if (c->fmtp[0]) {
      text_add(t, "a=fmtp:%u ", c->pt);
      text_add_field(t, c->fmtp);
      text_add(t, "\r\n");
    }
  }
}

static void attr_write(struct text *t, const char *name, const char *value) {
  if (!value[0])
    return;
  text_add(t, "a=%s:", name);
  text_add_field(t, value);
  text_add(t, "\r\n");
}

static void flag_write(struct text *t, bool on, const char *name) {
  if (on)
    text_add(t, "a=%s\r\n", name);
}

static void fingerprint_write(struct text *t, const struct desc_audio *a) {
  if (!a->fingerprint_bytes || a->fingerprint_bytes > sizeof(a->fingerprint))
    return;
  text_add(t, "a=fingerprint:");
  text_add_field(t, a->fingerprint_alg);
  for (size_t i = 0; i < a->fingerprint_bytes; i++)
    text_add(t, "%c%02X", i ? ':' : ' ', a->fingerprint[i]);
  text_add(t, "\r\n");
}

static void secure_write(struct text *t, const struct desc_audio *a) {
  static const char *const setups[] = {"", "actpass", "active", "passive", "holdconn"};
  attr_write(t, "ice-ufrag", a->ufrag);
  attr_write(t, "ice-pwd", a->pwd);
  fingerprint_write(t, a);
  attr_write(t, "setup", setups[a->setup <= SETUP_HOLDCONN ? a->setup : SETUP_NONE]);
  for (size_t i = 0; i < a->n_crypto; i++) {
    struct text before = *t;
    text_add(t, "a=crypto:");
    if (crypto_write(t, &a->crypto[i]))
      text_add(t, "\r\n");
    else
      *t = before, t->p[t->n] = 0;
  }
}

static void rtcp_write(struct text *t, const struct desc_audio *a) {
  char ip[ADDR_TEXT_BYTES];
  flag_write(t, a->rtcp_mux, "rtcp-mux");
  flag_write(t, a->rtcp_mux_only, "rtcp-mux-only");
  flag_write(t, a->rtcp_rsize, "rtcp-rsize");
  flag_write(t, a->rtcp_xr_voip, "rtcp-xr:voip-metrics");
  if (a->level_ext)
    text_add(t, "a=extmap:%u urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n", a->level_ext);
  if (a->rtcp_mux || addr_family(&a->rtcp) == AF_UNSPEC)
    return;
  bool other_ip = !addr_eq_ip(&a->rtcp, &a->rtp);
  if (!other_ip && addr_port(&a->rtcp) == desc_rtcp_port(addr_port(&a->rtp)))
    return;
  text_add(t, "a=rtcp:%u", addr_port(&a->rtcp));
  if (other_ip)
    text_add(t, " IN %s %s", addr_family(&a->rtcp) == AF_INET6 ? "IP6" : "IP4",
             addr_ip_text(&a->rtcp, ip, sizeof(ip)));
  text_add(t, "\r\n");
}

static void candidates_write(struct text *t, const struct desc_candidate *list, size_t n, bool end) {
  for (size_t i = 0; i < n; i++) {
    struct text before = *t;
    text_add(t, "a=candidate:");
    if (cand_write(t, &list[i]))
      text_add(t, "\r\n");
    else
      *t = before, t->p[t->n] = 0;
  }
  flag_write(t, end, "end-of-candidates");
}

static void ssrc_write(struct text *t, const struct desc_audio *a) {
  if (!a->ssrc)
    return;
  text_add(t, "a=ssrc:%u cname:", a->ssrc);
  text_add_field(t, a->cname);
  text_add(t, "\r\n");
}

static void audio_write(struct text *t, const struct desc *d) {
  static const char *const directions[] = {"inactive", "sendonly", "recvonly", "sendrecv"};
  const struct desc_audio *a = &d->audio;
  text_add(t, "m=audio %u %s", addr_port(&a->rtp), desc_profile_name((enum desc_profile)a->profile));
  for (size_t i = 0; i < a->n_codecs; i++)
    text_add(t, " %u", a->codecs[i].pt);
  text_add(t, "\r\n");
  if (d->is_webrtc)
    conn_write(t, &a->rtp);
  attr_write(t, "mid", a->mid);
  text_add(t, "a=%s\r\n", directions[a->direction & DIR_SENDRECV]);
  flag_write(t, d->is_webrtc, "msid:sallyport audio");
  rtcp_write(t, a);
  secure_write(t, a);
  flag_write(t, d->is_webrtc && a->ufrag[0], "ice-options:trickle renomination");
  codecs_write(t, a);
  if (a->ptime_ms)
    text_add(t, "a=ptime:%u\r\n", a->ptime_ms);
  if (a->maxptime_ms)
    text_add(t, "a=maxptime:%u\r\n", a->maxptime_ms);
  ssrc_write(t, a);
  candidates_write(t, a->candidates, a->n_candidates, a->end_of_candidates);
}

static void refused_write(struct text *t, const struct desc *d, const struct desc_media *m) {
  text_add(t, "m=");
  text_add_field(t, m->media);
  text_add(t, " 0 ");
  text_add_field(t, m->proto);
  text_add(t, " ");
  text_add_field(t, m->formats[0] ? m->formats : "0");
  text_add(t, "\r\n");
  if (d->is_webrtc)
    text_add(t, "c=IN IP4 0.0.0.0\r\n");
  attr_write(t, "mid", m->mid);
  flag_write(t, d->is_webrtc, "inactive");
}

/* The audio is turned off by a line of another profile: that line is answered, nothing of ours said. */
static bool is_off(const struct desc *d) {
  return d->n_media && addr_port(&d->audio.rtp) == 0 && d->media[d->audio.index].proto[0] &&
         strcasecmp(d->media[d->audio.index].proto,
                    desc_profile_name((enum desc_profile)d->audio.profile)) != 0;
}

static void session_write(struct text *t, const struct desc *d) {
  const char *origin = d->origin_addr[0] ? d->origin_addr : "0.0.0.0";
  const char *family = strchr(origin, ':') ? "IP6" : "IP4";
  text_add(t, "v=0\r\no=- %llu %llu IN %s ", (unsigned long long)d->session_id,
           (unsigned long long)d->version, family);
  text_add_field(t, origin);
  text_add(t, "\r\ns=-\r\n");
  if (!d->is_webrtc && d->has_audio) {
    conn_write(t, &d->audio.rtp);
  } else if (!d->is_webrtc) {
    text_add(t, "c=IN %s ", family);
    text_add_field(t, origin);
    text_add(t, "\r\n");
  }
  text_add(t, "t=0 0\r\n");
  if ((d->bundle || d->is_webrtc) && d->has_audio && d->audio.mid[0]) {
    text_add(t, "a=group:BUNDLE ");
    text_add_field(t, d->audio.mid);
    text_add(t, "\r\n");
  }
  flag_write(t, d->has_audio && d->audio.ice_lite, "ice-lite");
}

int desc_write(const struct desc *d, char *dst, size_t dst_bytes, size_t *ret_n) {
  struct text t;
  size_t n = d->n_media ? d->n_media : (d->has_audio ? 1 : 0);
  text_init(&t, dst, dst_bytes);
  if (n > DESC_MEDIA_MAX || (d->has_audio && d->audio.n_codecs == 0) ||
      (d->has_audio && d->n_media && d->audio.index >= d->n_media))
    t.error = -EINVAL;
  session_write(&t, d);
  for (size_t i = 0; i < n && !t.error; i++)
    if (d->has_audio && (d->n_media == 0 || (i == d->audio.index && !is_off(d))))
      audio_write(&t, d);
    else
      refused_write(&t, d, &d->media[i]);
  return text_end(&t, ret_n);
}

/* RFC 8840 9: a pseudo m-line carries the mid; its port and profile say nothing. */
int desc_frag_write(const struct desc_frag *f, char *dst, size_t dst_bytes, size_t *ret_n) {
  struct text t;
  text_init(&t, dst, dst_bytes);
  attr_write(&t, "ice-ufrag", f->ufrag);
  attr_write(&t, "ice-pwd", f->pwd);
  text_add(&t, "m=audio 9 RTP/AVP 0\r\n");
  attr_write(&t, "mid", f->mid);
  candidates_write(&t, f->candidates, f->n_candidates, f->end_of_candidates);
  return text_end(&t, ret_n);
}
