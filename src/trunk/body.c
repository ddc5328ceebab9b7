/* SPDX-License-Identifier: Apache-2.0
 * The session description in a message's body: application/sdp, or a part of that type in a multipart
 * body. sofia's own SDP parser is never asked: bodies go to wire/desc as bytes. RFC 3261 7.4, 8.2.3;
 * RFC 5621. */
#include "trunk/inner.h"

static bool is_optional(const sip_t *sip) {
  const sip_content_disposition_t *cd = sip->sip_content_disposition;
  return cd && cd->cd_handling && !strcasecmp(cd->cd_handling, "optional");
}

/* A description of another disposition (early-session, RFC 3959) is not the session's. */
static bool is_session(const sip_t *sip) {
  const sip_content_disposition_t *cd = sip->sip_content_disposition;
  return !cd || !cd->cd_type || !strcasecmp(cd->cd_type, "session");
}

static struct slice boundary_of(const sip_content_type_t *c) {
  const char *value = msg_header_find_param((const msg_common_t *)c, "boundary=");
  struct slice b = slice_of(value);
  if (b.n >= 2 && b.p[0] == '"' && b.p[b.n - 1] == '"')
    b = slice_from(b.p + 1, b.n - 2);
  return b;
}

static enum body other(const sip_t *sip) { return is_optional(sip) ? BODY_NONE : BODY_OTHER; }

enum body body_of(const sip_t *sip, struct slice *ret_sdp) {
  const sip_payload_t *pl = sip->sip_payload;
  const sip_content_type_t *c = sip->sip_content_type;
  *ret_sdp = slice_from(NULL, 0);
  if (!pl || !pl->pl_data || !pl->pl_len)
    return BODY_NONE;
  if (!c || !c->c_type || sip->sip_content_encoding)
    return other(sip);
  struct slice body = slice_from(pl->pl_data, pl->pl_len);
  if (!strcasecmp(c->c_type, SDP_TYPE))
    *ret_sdp = is_session(sip) ? body : slice_from(NULL, 0);
  else if (!strncasecmp(c->c_type, "multipart/", 10) &&
           !header_multipart_sdp(body, boundary_of(c), ret_sdp))
    return BODY_OTHER;
  return ret_sdp->n ? BODY_SDP : other(sip);
}

struct verdict body_desc(const sip_t *sip, struct desc *ret, bool *ret_has) {
  struct slice sdp;
  struct desc_fault fault = {0};
  enum body kind = body_of(sip, &sdp);
  *ret_has = false;
  if (kind == BODY_OTHER)
    return verdict_refuse(
        REFUSE_BODY,
        "Content-Type: expected application/sdp without encoding, other parts not handling=required");
  if (kind == BODY_NONE)
    return verdict_pass();
  int e = desc_parse(ret, sdp, &fault);
  if (e < 0)
    return verdict_refuse(REFUSE_SDP_FORM, "SDP line %u: %s", fault.line,
                          fault.rule    ? fault.rule
                          : e == -E2BIG ? "too large"
                                        : "malformed");
  *ret_has = true;
  return verdict_pass();
}

struct slice body_part(const sip_t *sip, struct slice type) {
  const sip_payload_t *pl = sip->sip_payload;
  const sip_content_type_t *c = sip->sip_content_type;
  if (!pl || !pl->pl_data || !c || !c->c_type || strncasecmp(c->c_type, "multipart/", 10) != 0)
    return slice_from(NULL, 0);
  return header_multipart_find(slice_from(pl->pl_data, pl->pl_len), boundary_of(c), type);
}
