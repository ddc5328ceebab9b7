/* SPDX-License-Identifier: Apache-2.0
 * The profile that a run suggests for its trunk: what was shown not to work goes, nothing is added that
 * was not seen to work. Pure. */
#include "doctor/report.h"

#include <stdio.h>

enum { DIFF_BYTES = 4096 };

struct profile {
  json_t *patch;
  char diff[DIFF_BYTES];
  size_t n;
};

static bool is(const struct run *r, enum check c, enum finding_result result) {
  return r->findings[c].result == result;
}

static void line_add(struct profile *p, const char *key, const char *was, const char *is_now) {
  int n = snprintf(p->diff + p->n, sizeof p->diff - p->n, "-    %s: %s\n+    %s: %s\n", key, was, key,
                   is_now);
  if (n > 0 && p->n + (size_t)n < sizeof p->diff)
    p->n += (size_t)n;
}

static void word_put(struct profile *p, const char *key, const char *was, const char *is_now) {
  json_object_set_new(p->patch, key, json_string(is_now));
  line_add(p, key, was, is_now);
}

/* A list without those that failed, where at least one passed. */
static void list_put(struct profile *p, const struct run *r, const char *key,
                     const struct conf_names *was, const enum check *checks, const char *const *names,
                     size_t n) {
  json_t *list = json_array();
  char before[256] = "[", after[256] = "[";
  size_t nb = 1, na = 1;
  bool has_gone = false, has_passed = false;
  for (uint32_t i = 0; i < was->n; i++) {
    bool goes = false;
    for (size_t k = 0; k < n; k++)
      if (!strcasecmp(names[k], was->text[i])) {
        goes = is(r, checks[k], FINDING_FAILED) || is(r, checks[k], FINDING_NOT_OFFERED);
        has_passed = has_passed || is(r, checks[k], FINDING_PASSED);
      }
    nb += (size_t)snprintf(before + nb, nb < sizeof before ? sizeof before - nb : 0, "%s%s",
                           nb > 1 ? ", " : "", was->text[i]);
    has_gone = has_gone || goes;
    if (goes)
      continue;
    na += (size_t)snprintf(after + na, na < sizeof after ? sizeof after - na : 0, "%s%s",
                           na > 1 ? ", " : "", was->text[i]);
    json_array_append_new(list, json_string(was->text[i]));
  }
  if (has_gone && has_passed && nb + 2 < sizeof before && json_array_size(list)) {
    strcat(before, "]");
    strcat(after, "]");
    line_add(p, key, before, after);
    json_object_set(p->patch, key, list);
  }
  json_decref(list);
}

static void lists_put(struct profile *p, const struct run *r) {
  static const enum check codecs[] = {CHECK_codec_pcmu, CHECK_codec_pcma, CHECK_codec_g722,
                                      CHECK_codec_opus};
  static const char *const codec_names[] = {"PCMU", "PCMA", "G722", "opus"};
  static const enum check suites[] = {CHECK_suite_gcm256, CHECK_suite_gcm128, CHECK_suite_sha80,
                                      CHECK_suite_sha32};
  static const char *const suite_names[] = {"AEAD_AES_256_GCM", "AEAD_AES_128_GCM",
                                            "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"};
  list_put(p, r, "codecs", &r->trunk.codecs, codecs, codec_names, COUNT_OF(codecs));
  list_put(p, r, "suites", &r->trunk.suites, suites, suite_names, COUNT_OF(suites));
}

static void words_put(struct profile *p, const struct run *r) {
  static const char *const pracks[] = {"off", "supported", "required"};
  static const char *const holds[] = {"tone", "inactive", "music"};
  static const char *const dtmfs[] = {"auto", "rfc4733", "info", "inband"};
  const struct conf_trunk *t = &r->trunk;
  bool is_absent = is(r, CHECK_prack, FINDING_NOT_OFFERED) && t->prack == PRACK_REQUIRED;
  if (t->prack != PRACK_OFF && (is(r, CHECK_prack, FINDING_FAILED) || is_absent))
    word_put(p, "prack", pracks[t->prack], is_absent ? "supported" : "off");
  if (t->hold != HOLD_INACTIVE && is(r, CHECK_hold_sendonly, FINDING_FAILED) &&
      is(r, CHECK_hold_inactive, FINDING_PASSED))
    word_put(p, "hold", holds[t->hold], "inactive");
  if ((t->dtmf == DTMF_AUTO || t->dtmf == DTMF_RFC4733) &&
      (is(r, CHECK_dtmf_offered, FINDING_FAILED) || is(r, CHECK_dtmf_echo, FINDING_FAILED)))
    word_put(p, "dtmf", dtmfs[t->dtmf], is(r, CHECK_dtmf_offered, FINDING_FAILED) ? "inband" : "info");
}

static void others_put(struct profile *p, const struct run *r) {
  const struct conf_trunk *t = &r->trunk;
  char was[24];
  const struct said *o = &r->facts.targets[0].options;
  bool lives = o->is_over && !o->is_own && o->status < 500 && o->status != 405;
  if (t->session_timer_s && r->raised_s) {
    char now[24];
    snprintf(was, sizeof was, "%u", t->session_timer_s);
    snprintf(now, sizeof now, "%u", r->raised_s);
    json_object_set_new(p->patch, "session_timer_s", json_integer(r->raised_s));
    line_add(p, "session_timer_s", was, now);
  } else if (t->session_timer_s &&
             (is(r, CHECK_update, FINDING_FAILED) || is(r, CHECK_session_min, FINDING_FAILED))) {
    snprintf(was, sizeof was, "%u", t->session_timer_s);
    json_object_set_new(p->patch, "session_timer_s", json_integer(0));
    line_add(p, "session_timer_s", was, "0");
  }
  if (t->udp_to_tcp && is(r, CHECK_mtu, FINDING_FAILED)) {
    json_object_set_new(p->patch, "udp_to_tcp", json_false());
    line_add(p, "udp_to_tcp", "true", "false");
  }
  if (t->options && !lives &&
      (is(r, CHECK_options_out, FINDING_FAILED) || is(r, CHECK_options_out, FINDING_NOT_OFFERED))) {
    json_object_set_new(p->patch, "options", json_false());
    line_add(p, "options", "true", "false");
  }
  if (t->late_offer_out && is(r, CHECK_late_offer, FINDING_FAILED)) {
    json_object_set_new(p->patch, "late_offer_out", json_false());
    line_add(p, "late_offer_out", "true", "false");
  }
}

json_t *profile_patch(const struct run *r, json_t **ret_diff) {
  struct profile *p = calloc(1, sizeof *p);
  if (!p)
    return NULL;
  p->patch = json_object();
  lists_put(p, r);
  words_put(p, r);
  others_put(p, r);
  char head[CONF_NAME_BYTES + 32] = "";
  if (p->n)
    snprintf(head, sizeof head, "   - name: %s\n", r->trunk_name);
  *ret_diff = json_sprintf("%s%s", head, p->diff);
  json_t *patch = p->patch;
  free(p);
  return patch;
}
