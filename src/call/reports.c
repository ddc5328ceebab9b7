/* SPDX-License-Identifier: Apache-2.0
 * What of reports and header extensions stands in our descriptions: reduced size (RFC 5506) and audio
 * levels (RFC 6464) toward apps, VoIP metrics (RFC 3611) toward trunks that are set to take them. */
#include "call/offer.h"

enum { LEVEL_EXT = 1 };

static bool takes_metrics(const struct ability *a) {
  return a->kind == LEG_TRUNK && a->trunk && a->trunk->rtcp_xr;
}

void reports_answer(const struct ability *a, const struct desc_audio *o, struct desc_audio *ret) {
  ret->rtcp_xr_voip = takes_metrics(a) && o->rtcp_xr_voip;
  if (a->kind != LEG_NATIVE)
    return;
  ret->rtcp_rsize = o->rtcp_rsize;
  ret->level_ext = o->level_ext;
}

void reports_offer(const struct ability *a, struct desc_audio *ret) {
  ret->rtcp_xr_voip = takes_metrics(a);
  if (a->kind != LEG_NATIVE)
    return;
  ret->rtcp_rsize = true;
  ret->level_ext = LEVEL_EXT;
}
