/* SPDX-License-Identifier: Apache-2.0
 * Who calls: From, P-Asserted-Identity, Remote-Party-ID, P-Preferred-Identity and Privacy, read by the
 * trunk's trust and written by its settings. Nothing of these fields goes from one leg to another but
 * by struct ask and struct call. RFC 3323, 3325, 3261 20.20. */
#include "trunk/identity.h"

#include "wire/nameaddr.h"

#include <stdio.h>

enum { VALUES_MAX = 2 }; /* RFC 3325 9.1: one sip or sips, one tel */

struct party {
  char number[ASK_NUMBER_BYTES], display[ASK_NUMBER_BYTES];
  struct slice params;
};

static bool is_phone(const char *number) {
  const char *p = number + (*number == '+');
  return *p && strspn(p, "0123456789") == strlen(p);
}

/* False: no identity that a call could be shown by. */
static bool party_of(const struct nameaddr *a, struct party *ret) {
  bool is_sip = slice_ieq(a->scheme, SLICE("sip")) || slice_ieq(a->scheme, SLICE("sips"));
  if (!is_sip && !slice_ieq(a->scheme, SLICE("tel")))
    return false;
  if (header_number(ret->number, sizeof ret->number, a->user) < 0 || !*ret->number)
    return false;
  header_display(ret->display, sizeof ret->display, a->display);
  ret->params = a->params;
  return true;
}

static bool is_hidden(const char *user, const char *host) {
  static const char *const words[] = {"anonymous", "restricted", "unavailable"};
  size_t n = host ? strlen(host) : 0;
  for (size_t i = 0; i < COUNT_OF(words); i++)
    if (!strcasecmp(user, words[i]))
      return true;
  return n >= 8 && !strcasecmp(host + n - 8, ".invalid");
}

/* The values of all fields of that name, at most VALUES_MAX: more, or a malformed one, and none of
 * them counts. The one with a number is taken before the one with a name. */
static bool asserted(const sip_t *sip, const char *name, struct party *ret) {
  unsigned n = 0;
  struct party p;
  bool has = false;
  for (const sip_unknown_t *u = sip->sip_unknown; u; u = u->un_next) {
    struct nameaddr a;
    struct slice list = slice_of(u->un_value);
    int r;
    if (!u->un_name || strcasecmp(u->un_name, name))
      continue;
    while ((r = nameaddr_next(&list, &a)) == 1) {
      if (++n > VALUES_MAX || !party_of(&a, &p))
        return false;
      if (!has || (!is_phone(ret->number) && is_phone(p.number)))
        *ret = p;
      has = true;
    }
    if (r < 0)
      return false;
  }
  return has;
}

bool identity_asserted(const sip_t *sip, char *dst, size_t bytes) {
  struct party p;
  dst[0] = 0;
  return asserted(sip, "P-Asserted-Identity", &p) && slice_copy(dst, bytes, slice_of(p.number)) == 0;
}

/* draft-ietf-sip-privacy-04: of the caller, and not one that failed the screening. */
static bool remote_party(const sip_t *sip, struct party *ret, bool *ret_hides) {
  struct slice v;
  if (!asserted(sip, "Remote-Party-ID", ret))
    return false;
  if (nameaddr_param(ret->params, SLICE("party"), &v) && !slice_ieq(v, SLICE("calling")))
    return false;
  if (nameaddr_param(ret->params, SLICE("screen"), &v) && !slice_ieq(v, SLICE("yes")))
    return false;
  if (nameaddr_param(ret->params, SLICE("privacy"), &v) && !slice_ieq(v, SLICE("off")))
    *ret_hides = true;
  return true;
}

/* A preferred identity is the user's wish: only within the numbers that the trunk may show. */
static bool preferred(const sip_t *sip, const struct conf_trunk *t, struct party *ret) {
  return t->numbers_allowed.n && asserted(sip, "P-Preferred-Identity", ret) &&
         guard_may_show(t, slice_of(ret->number));
}

struct privacy {
  bool hides, none, critical, unknown, history;
};

static void privacy_word(struct privacy *p, struct slice word) {
  if (slice_ieq(word, SLICE("id")) || slice_ieq(word, SLICE("user")) || slice_ieq(word, SLICE("header")))
    p->hides = true;
  else if (slice_ieq(word, SLICE("none")))
    p->none = true;
  else if (slice_ieq(word, SLICE("critical")))
    p->critical = true;
  else if (slice_ieq(word, SLICE("history")))
    p->history = true;
  else if (word.n && !slice_ieq(word, SLICE("session"))) /* session: media end here anyway */
    p->unknown = true;
}

static void privacy_text(struct privacy *p, struct slice text) {
  while (text.n) {
    size_t n = 0;
    while (n < text.n && !strchr(";, \t\r\n", text.p[n]))
      n++;
    privacy_word(p, slice_from(text.p, n));
    text = n < text.n ? slice_from(text.p + n + 1, text.n - n - 1) : SLICE("");
  }
}

static struct privacy privacy_of(const sip_t *sip) {
  struct privacy p = {0};
  const msg_param_t *v = sip->sip_privacy ? (const msg_param_t *)sip->sip_privacy->priv_values : NULL;
  for (; v && *v; v++)
    privacy_text(&p, slice_of(*v));
  for (const sip_unknown_t *u = sip->sip_unknown; u; u = u->un_next)
    if (u->un_name && u->un_value && !strcasecmp(u->un_name, "Privacy"))
      privacy_text(&p, slice_of(u->un_value));
  return p;
}

struct verdict identity_check(const sip_t *sip) {
  struct privacy p = privacy_of(sip);
  if (p.critical && p.unknown)
    return verdict_refuse(REFUSE_PRIVACY, "Privacy: critical, with a value that is not served");
  return verdict_pass();
}

/* What the trunk vouches for takes the place of From. */
static void trusted_read(struct ask *ret, const sip_t *sip, bool *hides) {
  struct party p;
  if (!asserted(sip, "P-Asserted-Identity", &p) && !remote_party(sip, &p, hides) &&
      !preferred(sip, ret->trunk, &p))
    return;
  ret->is_asserted = true;
  slice_copy(ret->caller, sizeof ret->caller, slice_of(p.number));
  if (*p.display)
    slice_copy(ret->caller_display, sizeof ret->caller_display, slice_of(p.display));
}

static void screen(struct ask *ret) {
  const struct conf_trunk *t = ret->trunk;
  if (*t->number_default && !guard_may_show(t, slice_of(ret->caller)))
    slice_copy(ret->caller, sizeof ret->caller, slice_of(t->number_default));
}

static void display_set(char *dst, size_t bytes, const struct conf_trunk *t, const char *number) {
  if (t->display == DISPLAY_DROP)
    dst[0] = 0;
  if (t->display == DISPLAY_NUMBER)
    slice_copy(dst, bytes, slice_of(number));
}

void identity_read(struct ask *ret, const sip_t *sip) {
  const url_t *u = sip->sip_from->a_url;
  struct privacy p = privacy_of(sip);
  if (header_number(ret->caller, sizeof ret->caller, slice_of(u->url_user)) < 0)
    ret->caller[0] = 0;
  bool hidden = is_hidden(ret->caller, u->url_host), hides = p.hides;
  header_display(ret->caller_display, sizeof ret->caller_display, slice_of(sip->sip_from->a_display));
  if (hidden)
    ret->caller[0] = ret->caller_display[0] = 0;
  if (ret->trunk && ret->trunk->trust_identity)
    trusted_read(ret, sip, &hides);
  ret->anonymous = hides || (hidden && !(p.none && ret->is_asserted));
  if (p.none && !hidden)
    ret->anonymous = false;
  if (ret->trunk)
    screen(ret);
  if (ret->trunk)
    display_set(ret->caller_display, sizeof ret->caller_display, ret->trunk, ret->caller);
  if (ret->anonymous)
    ret->caller_display[0] = 0;
}

char *identity_from(char *dst, size_t bytes, const struct dialog *d, const struct conf_trunk *t,
                    const struct call *c) {
  char display[sizeof c->from_display];
  slice_copy(display, sizeof display, slice_of(c->from_display));
  display_set(display, sizeof display, t, c->from);
  return header_party(dst, bytes, d->caller, display, dialog_host(d), c->anonymous || !*d->caller);
}

/* Direct routing takes an asserted caller only with Privacy: id. */
static bool wants_privacy(const struct conf_trunk *t, const struct call *c) {
  return c->anonymous || (t->forward_pai == PAI_ON && t->kind == TRUNK_DIRECT_ROUTING);
}

char *identity_lines(char *dst, size_t bytes, const struct dialog *d, const struct conf_trunk *t,
                     const struct call *c) {
  char party[URI_BYTES];
  bool asserts =
      *c->from && (t->forward_pai >= PAI_ON || (t->forward_pai == PAI_PRIVATE && c->anonymous));
  int n = 0;
  dst[0] = 0;
  header_party(party, sizeof party, d->caller, "", dialog_host(d), false);
  if (asserts && t->forward_pai == PAI_RPID)
    n = snprintf(dst, bytes, "Remote-Party-ID: %s;party=calling;screen=yes;privacy=%s\r\n", party,
                 c->anonymous ? "full" : "off");
  else if (asserts)
    n = snprintf(dst, bytes, "P-Asserted-Identity: %s\r\n", party);
  if (n >= 0 && (size_t)n < bytes && wants_privacy(t, c))
    n += snprintf(dst + n, bytes - (size_t)n, "Privacy: id\r\n");
  if (n < 0 || (size_t)n >= bytes)
    dst[0] = 0;
  return dst;
}
