/* SPDX-License-Identifier: Apache-2.0
 * A query against its shape: what the verb's row does not name is refused, as a body's unknown member
 * is. Web threads. */
#include "admin/desk.h"

enum { NAME_BYTES = 64, VALUE_BYTES = 1200 };

static bool number_take(const char *text, double *ret) {
  char *end;
  *ret = strtod(text, &end);
  return end > text && !*end && text[strspn(text, "-.0123456789")] == 0;
}

/* A whole number of at most 18 digits; more have no range here. */
static bool whole_take(const char *text, json_int_t *ret) {
  uint64_t n = 0;
  bool is_minus = text[0] == '-';
  if (slice_u64(slice_of(text + is_minus), 1ull << 59, &n) < 0)
    return false;
  *ret = is_minus ? -(json_int_t)n : (json_int_t)n;
  return true;
}

/* What the text stands for as a member of that kind; a text where it is none of it. */
static json_t *value_json(const struct shape_member *m, const char *text) {
  json_int_t whole;
  double number;
  if (m->kind == SHAPE_INT && whole_take(text, &whole))
    return json_integer(whole);
  if (m->kind == SHAPE_NUMBER && number_take(text, &number))
    return json_real(number);
  if (m->kind == SHAPE_BOOL && (!strcmp(text, "true") || !strcmp(text, "false")))
    return json_boolean(text[0] == 't');
  return json_string(text);
}

/* As it was asked for, or what can be shown of it. */
static void name_take(struct slice key, char dst[NAME_BYTES]) {
  json_t *probe = web_unescape(key, true, true, dst, NAME_BYTES) == 0 ? json_string(dst) : NULL;
  if (!probe)
    slice_escape(dst, NAME_BYTES, key);
  json_decref(probe);
}

static const struct shape_member *member_of(const struct shape *s, struct slice key) {
  for (size_t i = 0; i < s->n; i++)
    if (slice_eq(key, slice_of(s->members[i].name)))
      return &s->members[i];
  return NULL;
}

/* One of "name=value" into asked; false: it was answered. */
static bool one_take(const struct shape *s, struct slice key, struct slice value, json_t *asked,
                     struct web_answer *ret) {
  char name[NAME_BYTES], text[VALUE_BYTES];
  const struct shape_member *m = member_of(s, key);
  name_take(key, name);
  json_t *v = m && web_unescape(value.p ? value : SLICE(""), true, true, text, sizeof text) == 0
                  ? value_json(m, text)
                  : NULL;
  const char *reason = !m                                ? "there is no such parameter"
                       : json_object_get(asked, m->name) ? "given twice"
                       : !v                              ? "too long, or badly escaped"
                                                         : NULL;
  if (!reason)
    json_object_set(asked, m->name, v);
  else
    desk_wrong_query(ret, name, reason);
  json_decref(v);
  return !reason;
}

bool desk_query_ok(const struct desk_ask *ask, struct web_answer *ret) {
  struct shape_fault f;
  const struct shape *s = ask->verb->query;
  struct slice rest = ask->web->query;
  if (!rest.n)
    return true;
  json_t *asked = json_object();
  bool ok = true;
  while (ok && rest.p) {
    struct slice value = slice_cut(&rest, '&'), key = slice_cut(&value, '=');
    if (key.n || value.p)
      ok = one_take(s, key, value, asked, ret);
  }
  if (ok && !shape_check(s, asked, &f)) {
    desk_wrong_query(ret, f.pointer + 1, f.reason); /* the names of our rows need no escape */
    ok = false;
  }
  json_decref(asked);
  return ok;
}
