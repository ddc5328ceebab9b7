/* SPDX-License-Identifier: Apache-2.0
 * What a line of the trunk's tests sends. Its INVITE is written as those of calls are (identity, the
 * trunk's edits), to the one target that is named. Call thread. RFC 3261 12, 13; RFC 3262; RFC 3311. */
#include "trunk/line.h"
#include "base/rand.h"
#include "trunk/edits.h"
#include "trunk/hops.h"
#include "trunk/identity.h"

#include <stdio.h>

enum { PADDING_MAX = 4000, LINES_BYTES = EDIT_LINES_BYTES + PADDING_MAX + 64 };

struct line *line_get(const void *magic) {
  if (!the_trunks)
    return NULL;
  loop_freshen(the_trunks->env.loop);
  return pool_get(the_trunks->lines, (pool_handle)(uintptr_t)magic);
}

const struct conf_trunk *line_trunk(const struct line *l) {
  return conf_trunk_find(l->t->env.conf, slice_of(l->trunk));
}

const char *line_host(const struct line *l) {
  const struct conf_trunk *t = line_trunk(l);
  return t && *t->fqdn ? t->fqdn : l->agent->host;
}

static void session_make(struct line *l);

int line_open(void *arg, const struct conf_trunk *trunk, const struct probe_user *user,
              pool_handle *ret) {
  struct trunks *t = arg;
  struct agent *a = agent_find(t, trunk->listener);
  struct line *l = a ? pool_add(t->lines, ret) : NULL;
  if (!l)
    return a ? -ENOSPC : -ENOTCONN;
  l->id = *ret;
  l->t = t;
  l->agent = a;
  l->user = *user;
  session_make(l);
  slice_copy(l->trunk, sizeof l->trunk, slice_of(trunk->name));
  return 0;
}

/* The first request ------------------------------------------------------------------------------- */

/* Request-URI sip:NUMBER@HOST of the target, and the route that leads there. 0 or -EINVAL. */
static int line_aim(struct line *l, const struct conf_trunk *trunk, const struct probe_ask *a) {
  struct hop hops[PROBE_TARGETS_MAX];
  char party[URI_BYTES], bare[URI_BYTES];
  uint32_t n = hops_list(l->t, trunk, hops, PROBE_TARGETS_MAX);
  if (a->target >= n)
    return -ENOENT;
  struct slice rest = slice_of(hops[a->target].uri), uri = slice_cut(&rest, ';');
  slice_copy(l->route, sizeof l->route, slice_of(hops[a->target].route));
  snprintf(bare, sizeof bare, "%.*s", SLICE_ARG(uri));
  if (!a->called || !*a->called)
    return slice_copy(l->target, sizeof l->target, slice_of(bare));
  const char *host = strchr(bare, ':'), *at = strchr(bare, '@');
  host = at ? at : host;
  if (!host)
    return -EINVAL;
  header_party(party, sizeof party, a->called, "", host + 1, false);
  size_t bytes = strlen(party);
  if (bytes < 3)
    return -EINVAL;
  party[bytes - 1] = 0;
  const char *transport = agent_transport(l->agent);
  int k = snprintf(l->target, sizeof l->target, "%s%s%s", party + 1, transport ? ";transport=" : "",
                   transport ? transport : "");
  return k > 0 && (size_t)k < sizeof l->target ? 0 : -EINVAL;
}

/* A dialog and a call that are only read, by what writes who calls. */
static void likeness(const struct line *l, struct dialog *d, struct call *c) {
  const struct conf_trunk *t = line_trunk(l);
  memset(d, 0, sizeof *d);
  memset(c, 0, sizeof *c);
  d->t = l->t;
  d->agent = l->agent;
  memcpy(d->trunk, l->trunk, sizeof d->trunk);
  slice_copy(d->fqdn, sizeof d->fqdn, slice_of(t ? t->fqdn : ""));
  memcpy(d->called, l->called, sizeof d->called);
  memcpy(d->caller, l->caller, sizeof d->caller);
  slice_copy(c->from, sizeof c->from, slice_of(l->caller));
  slice_copy(c->to, sizeof c->to, slice_of(l->called));
}

static nta_leg_t *leg_make(struct line *l, const struct conf_trunk *trunk) {
  char from[PARTY_BYTES], to[TARGET_BYTES + 2];
  struct call c;
  own_mem struct dialog *d = calloc(1, sizeof *d);
  if (!d)
    return NULL;
  likeness(l, d, &c);
  if (*l->caller)
    identity_from(from, sizeof from, d, trunk, &c);
  else
    snprintf(from, sizeof from, "<sip:%s>", line_host(l));
  snprintf(to, sizeof to, "<%s>", l->target);
  char *params = strstr(to, ";transport=");
  if (params)
    memcpy(params, ">", 2);
  nta_leg_t *leg = nta_leg_tcreate(l->agent->nta, line_request, line_magic(l), SIPTAG_FROM_STR(from),
                                   SIPTAG_TO_STR(to), TAG_END());
  if (leg && nta_leg_tag(leg, NULL))
    return leg;
  nta_leg_destroy(leg);
  return NULL;
}

/* Header lines of who calls, through the trunk's edits, and what makes it long. */
static void lines_write(const struct line *l, const struct conf_trunk *trunk, const struct probe_ask *a,
                        char lines[LINES_BYTES]) {
  char identity[URI_BYTES + 128];
  struct call c;
  own_mem struct dialog *d = calloc(1, sizeof *d);
  lines[0] = 0;
  if (!d)
    return;
  likeness(l, d, &c);
  struct edit_words w = {.called = l->called, .caller = l->caller, .trunk = l->trunk, .session_id = ""};
  snprintf(lines, EDIT_LINES_BYTES, "User-Agent: %s\r\n%s", l->t->product,
           identity_lines(identity, sizeof identity, d, trunk, &c));
  edits_apply(lines, &trunk->headers.out, &w);
  uint32_t n = a->padding_bytes < PADDING_MAX ? a->padding_bytes : PADDING_MAX;
  size_t at = strlen(lines);
  if (!n || at + n + 32 > LINES_BYTES)
    return;
  at += (size_t)snprintf(lines + at, LINES_BYTES - at, "X-Padding: ");
  memset(lines + at, 'x', n);
  memcpy(lines + at + n, "\r\n", 3);
}

/* Any request ------------------------------------------------------------------------------------- */

static void contact_write(const struct line *l, char *dst, size_t bytes) {
  char uri[URI_BYTES];
  header_uri(uri, sizeof uri, l->caller, line_host(l), l->agent->port, agent_transport(l->agent));
  snprintf(dst, bytes, "<%s>", uri);
}

static void session_write(const struct line *l, char dst[96]) {
  char value[80];
  header_session(value, sizeof value, l->session, l->session_remote);
  snprintf(dst, 96, "Session-ID: %s", value);
}

static void session_make(struct line *l) {
  uint8_t id[16];
  rand_bytes(id, sizeof id);
  for (unsigned i = 0; i < sizeof id; i++)
    snprintf(l->session + 2 * i, 3, "%02x", id[i]);
}

struct method_row {
  sip_method_t method;
  const char *name;
};
static const struct method_row methods[] = {
    [PROBE_INVITE] = {SIP_METHOD_INVITE},   [PROBE_UPDATE] = {SIP_METHOD_UPDATE},
    [PROBE_OPTIONS] = {SIP_METHOD_OPTIONS}, [PROBE_INFO] = {SIP_METHOD_INFO},
    [PROBE_BYE] = {SIP_METHOD_BYE},         [PROBE_STRANGE] = {sip_method_unknown, "DOCTOR"},
};

/* The body of a digit, or of a description: on the heap. */
static char *body_make(const struct probe_ask *a, const char **ret_type) {
  *ret_type = SDP_TYPE;
  if (a->method != PROBE_INFO)
    return a->offer ? desc_text(a->offer) : NULL;
  *ret_type = "application/dtmf-relay";
  char *body = malloc(64);
  if (body)
    snprintf(body, 64, "Signal=%c\r\nDuration=120\r\n", a->digit ? a->digit : '1');
  return body;
}

static nta_outgoing_t *line_send(struct line *l, const struct probe_ask *a) {
  const struct conf_trunk *trunk = line_trunk(l);
  bool is_first = !l->is_up, is_session = a->method == PROBE_INVITE || a->method == PROBE_UPDATE;
  char contact[URI_BYTES + 2], session[96], expires[32], min_se[16];
  own_mem char *lines = calloc(1, LINES_BYTES);
  const char *type;
  if (!trunk || !lines)
    return NULL;
  char *body = body_make(a, &type);
  contact_write(l, contact, sizeof contact);
  session_write(l, session);
  snprintf(expires, sizeof expires, "%u", a->expires_s);
  snprintf(min_se, sizeof min_se, "%u", a->min_s);
  if (is_first)
    lines_write(l, trunk, a, lines);
  nta_outgoing_t *orq = via_create(
      l->agent, line_host(l), l->nta, line_response, line_magic(l),
      is_first ? URL_STRING_MAKE(l->route) : NULL, methods[a->method].method, methods[a->method].name,
      is_first ? URL_STRING_MAKE(l->target) : NULL, NTATAG_PASS_100(1), SIPTAG_CONTACT_STR(contact),
      SIPTAG_ALLOW_STR(ALLOW), TAG_IF(a->rel_required, SIPTAG_REQUIRE_STR("100rel")),
      TAG_IF(a->rel_supported, SIPTAG_SUPPORTED_STR("100rel")),
      TAG_IF(is_session && a->expires_s, SIPTAG_SUPPORTED_STR("timer")),
      TAG_IF(is_session && a->expires_s, SIPTAG_SESSION_EXPIRES_STR(expires)),
      TAG_IF(is_session && a->min_s, SIPTAG_MIN_SE_STR(min_se)), SIPTAG_HEADER_STR(session),
      TAG_IF(*lines, SIPTAG_HEADER_STR(lines)), TAG_IF(body, SIPTAG_CONTENT_TYPE_STR(type)),
      TAG_IF(body, SIPTAG_PAYLOAD_STR(body)), TAG_END());
  text_free(body);
  return orq;
}

static int line_cancel(struct line *l) {
  if (!l->invite || nta_outgoing_status(l->invite) < 100)
    return -ENOTCONN;
  nta_outgoing_tcancel(l->invite, NULL, NULL, TAG_END());
  return 0;
}

static int first_begin(struct line *l, const struct conf_trunk *trunk, const struct probe_ask *a) {
  slice_copy(l->called, sizeof l->called, slice_of(a->called ? a->called : ""));
  slice_copy(l->caller, sizeof l->caller, slice_of(a->caller ? a->caller : ""));
  int e = line_aim(l, trunk, a);
  if (e < 0)
    return e;
  if (l->nta)
    nta_leg_destroy(take(l->nta));
  l->nta = leg_make(l, trunk);
  l->is_late = a->method == PROBE_INVITE && !a->offer;
  l->rseq = 0;
  return l->nta ? 0 : -ENOMEM;
}

static bool needs_dialog(enum probe_method m) {
  return m == PROBE_UPDATE || m == PROBE_INFO || m == PROBE_BYE;
}

int line_ask(void *arg, pool_handle id, const struct probe_ask *a) {
  struct trunks *t = arg;
  struct line *l = pool_get(t->lines, id);
  const struct conf_trunk *trunk = l ? line_trunk(l) : NULL;
  if (!trunk)
    return -ENOENT;
  if (a->method == PROBE_CANCEL)
    return line_cancel(l);
  bool is_invite = a->method == PROBE_INVITE;
  if (is_invite && l->invite)
    return -EBUSY;
  if (l->is_over || (needs_dialog(a->method) && !l->is_up))
    return -ENOTCONN;
  if (!is_invite && l->other)
    nta_outgoing_destroy(take(l->other));
  int e = l->is_up ? 0 : first_begin(l, trunk, a);
  if (e < 0)
    return e;
  if (l->is_up && is_invite)
    l->is_late = !a->offer;
  nta_outgoing_t *orq = line_send(l, a);
  if (!orq)
    return -EIO;
  *(is_invite ? &l->invite : &l->other) = orq;
  *(is_invite ? &l->invite_us : &l->other_us) = loop_now_us(t->env.loop);
  if (is_invite)
    slice_copy(l->branch, sizeof l->branch, slice_of(nta_outgoing_branch(orq)));
  else
    l->other_method = (uint8_t)a->method;
  l->is_over = l->is_over || a->method == PROBE_BYE;
  return 0;
}

void line_ack(struct line *l, uint32_t cseq, const char *body) {
  char text[32];
  snprintf(text, sizeof text, "%u ACK", cseq);
  nta_outgoing_t *ack = via_create(l->agent, line_host(l), l->nta, NULL, NULL, NULL, SIP_METHOD_ACK,
                                   NULL, SIPTAG_CSEQ_STR(text), NTATAG_ACK_BRANCH(l->branch),
                                   TAG_IF(body, SIPTAG_CONTENT_TYPE_STR(SDP_TYPE)),
                                   TAG_IF(body, SIPTAG_PAYLOAD_STR(body)), TAG_END());
  nta_outgoing_destroy(ack);
}

void line_prack(struct line *l, const sip_t *sip) {
  su_home_t home[1] = {SU_HOME_INIT(home)};
  const url_t *target = sip->sip_contact->m_url;
  sip_route_t *route = prack_route(home, sip, &target);
  char rack[64];
  snprintf(rack, sizeof rack, "%lu %u INVITE", (unsigned long)sip->sip_rseq->rs_response,
           sip->sip_cseq->cs_seq);
  if (l->prack)
    nta_outgoing_destroy(take(l->prack));
  l->prack = via_create(l->agent, line_host(l), l->nta, line_response, line_magic(l), NULL,
                        SIP_METHOD_PRACK, (const url_string_t *)target, SIPTAG_TO(sip->sip_to),
                        TAG_IF(route, SIPTAG_ROUTE(route)), SIPTAG_RACK_STR(rack), TAG_END());
  su_home_deinit(home);
}

static void line_bye(struct line *l) {
  nta_outgoing_t *bye = via_create(l->agent, line_host(l), l->nta, NULL, NULL, NULL, SIP_METHOD_BYE,
                                   NULL, SIPTAG_REASON_STR("Q.850;cause=16"), TAG_END());
  nta_outgoing_destroy(bye);
}

void line_close(void *arg, pool_handle id) {
  struct trunks *t = arg;
  struct line *l = pool_get(t->lines, id);
  if (!l)
    return;
  if (l->is_up && !l->is_over)
    line_bye(l);
  if (l->invite && !l->is_up && nta_outgoing_status(l->invite) >= 100)
    nta_outgoing_tcancel(l->invite, NULL, NULL, TAG_END());
  if (l->invite)
    orphan_take(l->agent, take(l->invite));
  if (l->other)
    nta_outgoing_destroy(take(l->other));
  if (l->prack)
    nta_outgoing_destroy(take(l->prack));
  if (l->ack_due)
    nta_incoming_destroy(take(l->ack_due));
  if (l->nta)
    nta_leg_destroy(take(l->nta));
  pool_del(t->lines, id);
}
