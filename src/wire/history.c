/* SPDX-License-Identifier: Apache-2.0
 * Histories of calls. See history.h. */
#include "wire/history.h"

#include "wire/nameaddr.h"

/* RFC 7544 4 and 5: reasons of a Diversion and causes. The first row of a cause is written. */
static const struct {
  const char *reason;
  uint16_t cause;
  const char *text;
} reasons[] = {
    {"unconditional", 302, "Moved Temporarily"},
    {"user-busy", 486, "Busy Here"},
    {"no-answer", 408, "Request Timeout"},
    {"deflection", 480, "Temporarily Unavailable"},
    {"deflection", 487, "Request Terminated"},
    {"unavailable", 503, "Service Unavailable"},
    {"unknown", 404, "Not Found"},
};

static const char *reason_of(uint16_t cause) {
  for (size_t i = 0; i < COUNT_OF(reasons); i++)
    if (reasons[i].cause == cause)
      return reasons[i].reason;
  return "unknown";
}

static const char *text_of(uint16_t cause) {
  for (size_t i = 0; i < COUNT_OF(reasons); i++)
    if (reasons[i].cause == cause)
      return reasons[i].text;
  return "";
}

static uint16_t cause_of(struct slice reason) {
  for (size_t i = 0; i < COUNT_OF(reasons); i++)
    if (slice_ieq(reason, slice_of(reasons[i].reason)))
      return reasons[i].cause;
  return 404;
}

int history_add(struct history *h, struct slice number, uint16_t cause, bool is_private) {
  if (h->n == HISTORY_MAX)
    return -ENOSPC;
  struct history_entry *e = &h->entry[h->n];
  if (slice_copy(e->number, sizeof e->number, number) < 0)
    return -ENOSPC;
  e->cause = cause;
  e->is_private = is_private;
  h->n++;
  return 0;
}

bool history_has(const struct history *h, struct slice number) {
  for (uint32_t i = 0; i < h->n; i++)
    if (slice_eq(slice_of(h->entry[i].number), number))
      return true;
  return false;
}

/* Reading --------------------------------------------------------------------------------------------
 */

/* One value of a History-Info. */
struct step {
  char number[HISTORY_NUMBER_BYTES];
  uint32_t depth;         /* depth of its index: 1.1 has 2 */
  uint16_t cause, reason; /* of the URI's parameter: why it came here; of its Reason: why it went on */
  bool is_private, is_moved; /* is_moved: it has the tag of a changed target. */
};

static uint16_t status_of(struct slice s) {
  uint64_t v;
  if (slice_u64(s, 699, &v) < 0 || v < 300)
    return 0;
  return v == 496 ? 486 : (uint16_t)v; /* printed so in examples of direct routing */
}

/* SIP;cause=486;text="Busy Here", also among others of another protocol. */
static uint16_t reason_cause(struct slice reason) {
  while (reason.n) {
    struct slice one = slice_cut(&reason, ','), v, params = one;
    if (slice_ieq(slice_trim(slice_cut(&params, ';')), SLICE("SIP")) &&
        nameaddr_param(params, SLICE("cause"), &v) && status_of(v))
      return status_of(v);
  }
  return 0;
}

/* The headers within the URI: Reason=SIP%3Bcause%3D486&Privacy=history */
static int step_headers(struct step *s, struct slice rest) {
  char text[256];
  slice_cut(&rest, '?');
  while (rest.n) {
    struct slice value = slice_cut(&rest, '&'), key = slice_cut(&value, '=');
    int r = nameaddr_unescape(text, sizeof text, value);
    if (r == -EINVAL)
      return r;
    if (slice_ieq(key, SLICE("Reason")) && !s->reason)
      s->reason = reason_cause(slice_of(text));
    if (slice_ieq(key, SLICE("Privacy")))
      s->is_private = !slice_ieq(slice_of(text), SLICE("none"));
  }
  return 0;
}

static uint32_t index_depth(struct slice index) {
  uint32_t depth = 0;
  uint64_t v;
  while (index.n)
    if (slice_u64(slice_cut(&index, '.'), UINT32_MAX, &v) < 0 || ++depth > 64)
      return 0;
  return depth;
}

static int step_read(struct step *ret, const struct nameaddr *a) {
  struct slice v, rest = a->rest, params = slice_cut(&rest, '?');
  *ret = (struct step){0};
  if (!nameaddr_param(a->params, SLICE("index"), &v) || !(ret->depth = index_depth(v)))
    return -EBADMSG;
  if (nameaddr_number(ret->number, sizeof ret->number, a->user) < 0)
    return -EBADMSG;
  if (nameaddr_param(params, SLICE("cause"), &v))
    ret->cause = status_of(v);
  ret->is_moved = nameaddr_param(a->params, SLICE("mp"), &v);
  return step_headers(ret, a->rest) < 0 ? -EBADMSG : 0;
}

/* Whether the call was diverted from one to the next: it went on with a cause, to somebody else. */
static void step_note(struct history *h, const struct step *from, const struct step *to) {
  uint16_t cause = to->cause ? to->cause : from->reason;
  if (!cause && to->is_moved)
    cause = 404;
  if (!cause || !from->number[0] || !strcmp(from->number, to->number))
    return;
  if (history_add(h, slice_of(from->number), cause, from->is_private) < 0)
    h->is_over = true;
}

int history_read_info(struct history *ret, struct slice value) {
  struct step last = {0}, s;
  struct nameaddr a;
  unsigned n = 0;
  int r;
  *ret = (struct history){0};
  while ((r = nameaddr_next(&value, &a)) == 1) {
    if ((r = step_read(&s, &a)) < 0)
      break;
    if (n++)
      step_note(ret, &last, &s);
    last = s;
  }
  if (r < 0)
    *ret = (struct history){0};
  ret->is_over |= r == 0 && n > 4 * HISTORY_MAX;
  return r;
}

static int diversion_read(struct history_entry *ret, const struct nameaddr *a, uint64_t *count) {
  struct slice v;
  uint64_t counter = 1;
  *ret = (struct history_entry){.cause = 404};
  if (nameaddr_number(ret->number, sizeof ret->number, a->user) < 0 || !ret->number[0])
    return -EBADMSG;
  if (nameaddr_param(a->params, SLICE("reason"), &v)) {
    if (v.n >= 2 && v.p[0] == '"')
      v = slice_from(v.p + 1, v.n - 2);
    ret->cause = cause_of(v);
  }
  if (nameaddr_param(a->params, SLICE("privacy"), &v))
    ret->is_private = !slice_ieq(v, SLICE("off"));
  if (nameaddr_param(a->params, SLICE("counter"), &v) && slice_u64(v, 1000, &counter) < 0)
    counter = 1;
  *count += counter ? counter : 1;
  return 0;
}

int history_read_diversion(struct history *ret, struct slice value) {
  struct nameaddr a;
  struct history_entry found[HISTORY_MAX];
  uint64_t count = 0;
  uint32_t n = 0;
  int r;
  *ret = (struct history){0};
  while ((r = nameaddr_next(&value, &a)) == 1) {
    if (n == HISTORY_MAX)
      return ret->is_over = true, 0;
    if (diversion_read(&found[n], &a, &count) < 0)
      return -EBADMSG;
    n++;
  }
  if (r < 0)
    return r;
  while (ret->n < n) { /* the topmost is the last one that diverted */
    ret->entry[ret->n] = found[n - 1 - ret->n];
    ret->n++;
  }
  ret->is_over = count > HISTORY_MAX;
  return 0;
}

/* Writing --------------------------------------------------------------------------------------------
 */

static bool is_phone(const char *s) {
  const char *p = s + (*s == '+');
  return *p && strspn(p, "0123456789") == strlen(p);
}

static void uri_write(struct text *t, const char *number, const char *host, bool hides) {
  char user[3 * HISTORY_NUMBER_BYTES + 4];
  if (hides)
    text_add(t, "<sip:anonymous@anonymous.invalid");
  else
    text_add(t, "<sip:%s@%s%s", nameaddr_escape(user, sizeof user, number), host,
             is_phone(number) ? ";user=phone" : "");
}

static void reason_write(struct text *t, uint16_t cause) {
  char words[64];
  text_add(t, "?Reason=SIP%%3Bcause%%3D%u", cause);
  if (*text_of(cause))
    text_add(t, "%%3Btext%%3D%%22%s%%22", nameaddr_escape(words, sizeof words, text_of(cause)));
}

/* index=1.1 …, of that depth; mp names the entry that it came from. */
static void index_write(struct text *t, uint32_t depth) {
  text_add(t, ";index=1");
  for (uint32_t i = 1; i < depth; i++)
    text_add(t, ".1");
  if (depth > 1)
    text_add(t, ";mp=1");
  for (uint32_t i = 2; i < depth; i++)
    text_add(t, ".1");
}

void history_write_info(const struct history *h, struct text *t, const char *host, const char *target,
                        bool shows) {
  for (uint32_t i = 0; i <= h->n && h->n; i++) {
    const struct history_entry *e = i < h->n ? &h->entry[i] : NULL;
    uri_write(t, e ? e->number : target, host, e && e->is_private && !shows);
    if (i)
      text_add(t, ";cause=%u", h->entry[i - 1].cause);
    if (e)
      reason_write(t, e->cause);
    if (e && e->is_private)
      text_add(t, "&Privacy=history");
    text_add(t, ">");
    index_write(t, i + 1);
    text_add(t, e ? ", " : "");
  }
}

void history_write_diversion(const struct history *h, struct text *t, const char *host, bool shows) {
  const char *comma = "";
  for (uint32_t i = h->n; i-- > 0;) {
    const struct history_entry *e = &h->entry[i];
    if (e->is_private && !shows)
      continue;
    text_add(t, "%s", comma);
    uri_write(t, e->number, host, false);
    text_add(t, ">;reason=%s;counter=1;privacy=%s", reason_of(e->cause), e->is_private ? "full" : "off");
    comma = ", ";
  }
}
