/* SPDX-License-Identifier: Apache-2.0
 * A caller's place, from trunks to trunks that are set to it (pidf_lo): Geolocation by cid and the part
 * application/pidf+xml, whose text is not looked into. RFC 6442, RFC 5491. */
#include "trunk/location.h"

#include "base/rand.h"

#include <stdio.h>

#define PIDF_TYPE SLICE("application/pidf+xml")

void location_take(struct dialog *d, const struct conf_trunk *t, const sip_t *sip) {
  const char *place = header_unknown(sip, "Geolocation"),
             *routes = header_unknown(sip, "Geolocation-Routing");
  if (!t->pidf_lo || !place || !strcasestr(place, "cid:"))
    return;
  struct slice xml = body_part(sip, PIDF_TYPE);
  if (!xml.n || xml.n > LOCATION_BYTES || memchr(xml.p, 0, xml.n))
    return;
  d->location = slice_dup(xml);
  d->routes_by_location = routes && slice_ieq(slice_trim(slice_of(routes)), SLICE("yes"));
}

struct location_body location_body(const struct dialog *d, const struct conf_trunk *t,
                                   const struct call *c) {
  struct location_body b = {.text = NULL};
  const struct leg *caller = c->caller;
  const struct dialog *from =
      caller && caller->kind == LEG_TRUNK ? pool_get(d->t->dialogs, caller->magic) : NULL;
  char boundary[25];
  if (!t->pidf_lo || !from || !from->location || !d->offer)
    return b;
  size_t bytes = strlen(d->offer) + strlen(from->location) + 512;
  rand_text(boundary, 24);
  b.text = malloc(bytes);
  if (!b.text)
    return b;
  snprintf(
      b.text, bytes,
      "--%s\r\nContent-Type: " SDP_TYPE "\r\n\r\n%s\r\n--%s\r\nContent-Type: application/pidf+xml\r\n"
      "Content-ID: <%s@%s>\r\nContent-Disposition: render;handling=optional\r\n\r\n%s\r\n--%s--\r\n",
      boundary, d->offer, boundary, boundary, dialog_host(d), from->location, boundary);
  snprintf(b.type, sizeof b.type, "multipart/mixed;boundary=%s", boundary);
  snprintf(b.lines, sizeof b.lines, "Geolocation: <cid:%s@%s>\r\nGeolocation-Routing: %s\r\n", boundary,
           dialog_host(d), from->routes_by_location ? "yes" : "no");
  return b;
}
