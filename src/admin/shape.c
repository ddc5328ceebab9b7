/* SPDX-License-Identifier: Apache-2.0
 * Bodies against their tables: see shape.h. */
#include "admin/shape.h"

#include <stdarg.h>
#include <stdio.h>

const struct shape shape_none = {"none", NULL, 0, false, NULL, NULL};
const struct shape shape_any = {"any", NULL, 0, true, NULL, NULL};

enum { TEXT_MAX = 4096, LIST_MAX = 1000 };
#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-"

bool shape_fault(struct shape_fault *f, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  vsnprintf(f->reason, sizeof f->reason, format, ap);
  va_end(ap);
  return false;
}

/* A member's name behind the pointer, escaped as RFC 6901 wants; returns where it began. */
size_t shape_enter(struct shape_fault *f, const char *name) {
  size_t was = strlen(f->pointer), n = was;
  char *p = f->pointer;
  if (n + 1 < sizeof f->pointer)
    p[n++] = '/';
  for (; *name && n + 3 < sizeof f->pointer; name++) {
    if (*name == '~' || *name == '/') {
      p[n++] = '~';
      p[n++] = *name == '~' ? '0' : '1';
    } else
      p[n++] = *name;
  }
  p[n] = 0;
  return was;
}

static bool choice_ok(const char *choices, const char *text) {
  struct slice rest = slice_of(choices);
  while (rest.p)
    if (slice_eq(slice_cut(&rest, '|'), slice_of(text)))
      return true;
  return false;
}

static bool text_ok(const struct shape_member *m, const json_t *v, struct shape_fault *f) {
  if (!json_is_string(v))
    return shape_fault(f, "a text is expected");
  struct slice text = slice_from(json_string_value(v), json_string_length(v));
  int64_t max = m->max ? m->max : TEXT_MAX, n = (int64_t)slice_chars(text);
  if (strlen(text.p) != text.n)
    return shape_fault(f, "a NUL character is not allowed");
  if (n < m->min || n > max)
    return shape_fault(f, "%lld to %lld characters", (long long)m->min, (long long)max);
  if (m->flags & SHAPE_WORD && strspn(text.p, WORD) != text.n)
    return shape_fault(f, "letters, digits and ._@+- are expected");
  if (m->flags & SHAPE_ASCII && !slice_is_ascii(text))
    return shape_fault(f, "printable ASCII is expected");
  if (m->choices && !choice_ok(m->choices, json_string_value(v)))
    return shape_fault(f, "one of %s", m->choices);
  return true;
}

static bool number_ok(const struct shape_member *m, const json_t *v, struct shape_fault *f) {
  if (m->kind == SHAPE_NUMBER ? !json_is_number(v) : !json_is_integer(v))
    return shape_fault(f,
                       m->kind == SHAPE_NUMBER ? "a number is expected" : "a whole number is expected");
  if (m->max > m->min &&
      (json_number_value(v) < (double)m->min || json_number_value(v) > (double)m->max))
    return shape_fault(f, "%lld to %lld", (long long)m->min, (long long)m->max);
  return true;
}

static bool digits(const char **p, int n) {
  for (int i = 0; i < n; i++, (*p)++)
    if (**p < '0' || **p > '9')
      return false;
  return true;
}

/* RFC 3339, in UTC or with an offset; the calendar is the handler's business. */
static bool time_ok(const char *p) {
  static const char marks[] = "--T::";
  for (int i = 0; i < 6; i++) {
    if (!digits(&p, i ? 2 : 4) || (i < 5 && (*p++ & (i == 2 ? ~0x20 : ~0)) != marks[i]))
      return false;
  }
  if (*p == '.')
    p += 1 + strspn(p + 1, "0123456789");
  if (*p == '+' || *p == '-')
    return p++, digits(&p, 2) && *p++ == ':' && digits(&p, 2) && !*p;
  return (p[0] == 'Z' || p[0] == 'z') && !p[1];
}

static bool object_ok(const struct shape *s, const json_t *v, struct shape_fault *f);

/* One entry of a list. */
static bool entry_ok(const struct shape_member *m, const json_t *v, struct shape_fault *f) {
  static const struct shape_member text = {.kind = SHAPE_TEXT};
  if (m->flags & SHAPE_OF_TEXT)
    return text_ok(&text, v, f);
  if (m->flags & SHAPE_OF_NUMBER)
    return json_is_number(v) || json_is_null(v) || shape_fault(f, "a number is expected");
  if (m->flags & SHAPE_OF_POINT)
    return json_is_array(v) || shape_fault(f, "a list is expected");
  return !m->inner || object_ok(m->inner, v, f);
}

static bool list_ok(const struct shape_member *m, const json_t *v, struct shape_fault *f) {
  size_t n = json_array_size(v), max = m->max ? (size_t)m->max : LIST_MAX;
  if (!json_is_array(v))
    return shape_fault(f, "a list is expected");
  if (n < (size_t)m->min || n > max)
    return shape_fault(f, "%lld to %zu entries", (long long)m->min, max);
  for (size_t i = 0; i < n; i++) {
    char at[24];
    const json_t *e = json_array_get(v, i);
    snprintf(at, sizeof at, "%zu", i);
    size_t was = shape_enter(f, at);
    if (!entry_ok(m, e, f))
      return false;
    f->pointer[was] = 0;
  }
  return true;
}

static bool member_ok(const struct shape_member *m, const json_t *v, struct shape_fault *f) {
  if (json_is_null(v))
    return m->flags & SHAPE_NULL || m->kind == SHAPE_ANY ? true
                                                         : shape_fault(f, "null is not allowed here");
  switch (m->kind) {
  case SHAPE_TEXT:
    return text_ok(m, v, f);
  case SHAPE_INT:
  case SHAPE_NUMBER:
    return number_ok(m, v, f);
  case SHAPE_BOOL:
    return json_is_boolean(v) || shape_fault(f, "true or false is expected");
  case SHAPE_TIME:
    return (json_is_string(v) && time_ok(json_string_value(v))) ||
           shape_fault(f, "a time as 2027-01-31T23:59:59Z is expected");
  case SHAPE_OBJECT:
    return object_ok(m->inner ? m->inner : &shape_any, v, f);
  case SHAPE_LIST:
    return list_ok(m, v, f);
  case SHAPE_ANY:
    break;
  }
  return true;
}

static const struct shape_member *member_find(const struct shape *s, const char *name) {
  for (size_t i = 0; i < s->n; i++)
    if (!strcmp(s->members[i].name, name))
      return &s->members[i];
  return NULL;
}

static bool object_ok(const struct shape *s, const json_t *v, struct shape_fault *f) {
  const char *name;
  json_t *child;
  if (!json_is_object(v))
    return shape_fault(f, "an object is expected");
  if (s->check)
    return s->check(v, f);
  json_object_foreach((json_t *)(uintptr_t)v, name, child) {
    const struct shape_member *m = member_find(s, name);
    size_t was = shape_enter(f, name);
    if (m ? !member_ok(m, child, f) : !s->open && !shape_fault(f, "there is no such member"))
      return false;
    f->pointer[was] = 0;
  }
  for (size_t i = 0; i < s->n; i++)
    if (s->members[i].flags & SHAPE_MUST && !json_object_get(v, s->members[i].name))
      return shape_enter(f, s->members[i].name), shape_fault(f, "this member is needed");
  return true;
}

bool shape_check(const struct shape *s, const json_t *body, struct shape_fault *ret_fault) {
  memset(ret_fault, 0, sizeof *ret_fault);
  return object_ok(s, body, ret_fault);
}

json_t *shape_cut(const struct shape *s, const json_t *body) {
  json_t *copy = json_deep_copy(body);
  for (size_t i = 0; copy && i < s->n; i++) {
    const struct shape_member *m = &s->members[i];
    json_t *v = json_object_get(copy, m->name);
    if (v && m->flags & SHAPE_SECRET)
      json_object_set_new(copy, m->name, json_string("(cut)"));
    else if (v && m->kind == SHAPE_OBJECT && m->inner)
      json_object_set_new(copy, m->name, shape_cut(m->inner, v));
  }
  return copy;
}

#define WHOLE_MAX 9007199254740992.0 /* 2^53: beyond, a real is not told from its neighbours */

static json_t *whole(json_t *v) {
  double d = json_real_value(v);
  bool is_whole = json_is_real(v) && d > -WHOLE_MAX && d < WHOLE_MAX && d == (double)(json_int_t)d;
  if (!is_whole)
    shape_whole(v);
  return is_whole ? json_integer((json_int_t)d) : json_incref(v);
}

void shape_whole(json_t *body) {
  const char *name;
  json_t *v;
  json_object_foreach(body, name, v) json_object_set_new(body, name, whole(v));
  for (size_t i = 0; i < json_array_size(body); i++)
    json_array_set_new(body, i, whole(json_array_get(body, i)));
}

static json_t *choices_schema(const char *choices) {
  json_t *list = json_array();
  struct slice rest = slice_of(choices);
  while (rest.p) {
    struct slice one = slice_cut(&rest, '|');
    json_array_append_new(list, json_stringn(one.p, one.n));
  }
  return list;
}

static const char *type_of(const struct shape_member *m) {
  static const char *const types[] = {
      [SHAPE_TEXT] = "string",  [SHAPE_INT] = "integer", [SHAPE_NUMBER] = "number",
      [SHAPE_BOOL] = "boolean", [SHAPE_TIME] = "string", [SHAPE_OBJECT] = "object",
      [SHAPE_LIST] = "array"};
  return m->kind == SHAPE_ANY ? NULL : types[m->kind];
}

static void limits_schema(json_t *j, const struct shape_member *m) {
  static const char *const names[][2] = {[SHAPE_TEXT] = {"minLength", "maxLength"},
                                         [SHAPE_INT] = {"minimum", "maximum"},
                                         [SHAPE_NUMBER] = {"minimum", "maximum"},
                                         [SHAPE_LIST] = {"minItems", "maxItems"}};
  if (m->kind >= COUNT_OF(names) || !names[m->kind][0] || m->max <= m->min)
    return;
  json_object_set_new(j, names[m->kind][0], json_integer(m->min));
  json_object_set_new(j, names[m->kind][1], json_integer(m->max));
}

static json_t *inner_ref(const struct shape *s) {
  return json_sprintf("#/components/schemas/%s", s->name);
}

static json_t *items_schema(const struct shape_member *m) {
  json_t *number = json_pack("{s:[s, s]}", "type", "number", "null");
  json_t *one = NULL;
  if (m->flags & SHAPE_OF_TEXT)
    one = json_pack("{s:s, s:i}", "type", "string", "maxLength", TEXT_MAX);
  else if (m->flags & SHAPE_OF_NUMBER)
    one = json_incref(number);
  else if (m->flags & SHAPE_OF_POINT)
    one = json_pack("{s:s, s:O}", "type", "array", "items", number);
  else
    one = m->inner ? json_pack("{s:o}", "$ref", inner_ref(m->inner)) : json_object();
  json_decref(number);
  return one;
}

/* Of an object of its own name: a reference, or null. */
static json_t *inner_schema(const struct shape_member *m) {
  if (m->flags & SHAPE_NULL)
    return json_pack("{s:[{s:o}, {s:s}]}", "anyOf", "$ref", inner_ref(m->inner), "type", "null");
  return json_pack("{s:o}", "$ref", inner_ref(m->inner));
}

static json_t *member_schema(const struct shape_member *m) {
  bool refers = m->kind == SHAPE_OBJECT && m->inner;
  json_t *j = refers ? inner_schema(m) : json_object();
  const char *type = refers ? NULL : type_of(m);
  if (type)
    json_object_set_new(j, "type",
                        m->flags & SHAPE_NULL ? json_pack("[s, s]", type, "null") : json_string(type));
  if (m->kind == SHAPE_TIME)
    json_object_set_new(j, "format", json_string("date-time"));
  limits_schema(j, m);
  if (m->flags & (SHAPE_WORD | SHAPE_ASCII))
    json_object_set_new(j, "pattern",
                        json_string(m->flags & SHAPE_WORD ? "^[A-Za-z0-9._@+-]*$" : "^[ -~]*$"));
  if (m->choices) {
    json_t *list = choices_schema(m->choices);
    if (m->flags & SHAPE_NULL)
      json_array_append_new(list, json_null());
    json_object_set_new(j, "enum", list);
  }
  if (m->kind == SHAPE_LIST)
    json_object_set_new(j, "items", items_schema(m));
  if (m->help)
    json_object_set_new(j, "description", json_string(m->help));
  return j;
}

json_t *shape_schema(const struct shape *s) {
  if (s->schema)
    return s->schema();
  json_t *properties = json_object(), *must = json_array();
  for (size_t i = 0; i < s->n; i++) {
    json_object_set_new(properties, s->members[i].name, member_schema(&s->members[i]));
    if (s->members[i].flags & SHAPE_MUST)
      json_array_append_new(must, json_string(s->members[i].name));
  }
  json_t *j = json_pack("{s:s}", "type", "object");
  if (s->n)
    json_object_set(j, "properties", properties);
  if (json_array_size(must))
    json_object_set(j, "required", must);
  if (!s->open)
    json_object_set_new(j, "additionalProperties", json_false());
  json_decref(properties);
  json_decref(must);
  return j;
}
