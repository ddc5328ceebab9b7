/* SPDX-License-Identifier: Apache-2.0
 * Requests of ours, with a Via of the trunk's own: everything that shows outside is of trunk.fqdn, not
 * of the socket. RFC 3261 18.1.1. Call thread. */
#include "trunk/inner.h"

#include <sofia-sip/su_tagarg.h>
#include <stdio.h>

#undef nta_outgoing_tcreate

static const char *protocol_of(const struct agent *a) {
  return a->transport == TRANSPORT_TLS ? "TLS" : a->transport == TRANSPORT_TCP ? "TCP" : "UDP";
}

nta_outgoing_t *via_create(const struct agent *a, const char *host, nta_leg_t *leg, nta_response_f *fn,
                           nta_outgoing_magic_t *magic, url_string_t const *route, sip_method_t method,
                           char const *name, url_string_t const *uri, tag_type_t tag, tag_value_t value,
                           ...) {
  const struct dialog *d = leg ? dialog_get(nta_leg_magic(leg, dialog_request)) : NULL;
  const char *shown = host ? host : d ? dialog_host(d) : "";
  char via[CONF_NAME_BYTES + 64] = "";
  ta_list ta;
  a = !a && d ? d->agent : a;
  const struct conf_trunk *trunk = d ? conf_trunk_find(d->t->env.conf, slice_of(d->trunk)) : NULL;
  bool is_alias = a && a->transport == TRANSPORT_TLS && trunk && trunk->connection_reuse;
  if (a && *shown && (is_alias || strcmp(shown, a->host) != 0))
    snprintf(via, sizeof via, "SIP/2.0/%s %s:%u%s", protocol_of(a), shown, a->port,
             is_alias ? ";alias" : a->transport == TRANSPORT_UDP ? ";rport" : "");
  ta_start(ta, tag, value);
  nta_outgoing_t *orq =
      nta_outgoing_tcreate(leg, fn, magic, route, method, name, uri, TAG_IF(*via, NTATAG_USER_VIA(1)),
                           TAG_IF(*via, SIPTAG_VIA_STR(via)), ta_tags(ta));
  ta_end(ta);
  return orq;
}
