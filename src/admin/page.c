/* SPDX-License-Identifier: Apache-2.0
 * Pages of lists by cursor, and times of requests. A cursor is "index.key" of the next row: where the
 * key is gone meanwhile, the index says where to go on. Pure. */
#include "admin/desk.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

enum { PAGE_DEFAULT = 100, PAGE_MAX = 500, CURSOR_BYTES = 160 };

SHAPE(page_query, {"limit", SHAPE_INT, 0, 1, PAGE_MAX, .help = "Absent: 100"},
      {"cursor", SHAPE_TEXT, 0, 1, CURSOR_BYTES - 1, .help = "Of the page before"});

bool desk_time(const char *text, uint64_t *ret_ms) {
  struct tm tm = {0};
  unsigned ms = 0, hours, minutes;
  char upper[DESK_TIME_BYTES];
  if (slice_copy(upper, sizeof upper, slice_of(text)) < 0)
    return false;
  for (char *p = upper; *p; p++) /* RFC 3339 5.6: t and z too */
    *p = (char)toupper((unsigned char)*p);
  const char *end = strptime(upper, "%Y-%m-%dT%H:%M:%S", &tm);
  if (!end)
    return false;
  if (*end == '.') {
    for (unsigned place = 100, n = (unsigned)strspn(end + 1, "0123456789"), i = 0; i < n && place;
         i++, place /= 10)
      ms += place * (unsigned)(end[1 + i] - '0');
    end += 1 + strspn(end + 1, "0123456789");
  }
  int day = tm.tm_mday;
  bool leaps = tm.tm_sec >= 60;
  int64_t s = timegm(&tm);
  if (tm.tm_mday != day && !leaps) /* the 30th of February */
    return false;
  if ((*end == '+' || *end == '-') && sscanf(end + 1, "%2u:%2u", &hours, &minutes) == 2 && hours < 24 &&
      minutes < 60)
    s -= (*end == '-' ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
  else if (strcmp(end, "Z") != 0)
    return false;
  *ret_ms = s > 0 ? (uint64_t)s * 1000u + ms : 1; /* before all that is here */
  return true;
}

static bool limit_read(const struct desk_ask *ask, uint64_t *ret, struct web_answer *answer) {
  char text[24];
  int r = web_query(ask->web, "limit", text, sizeof text);
  *ret = PAGE_DEFAULT;
  if (r == -ENOENT || (r == 0 && slice_u64(slice_of(text), PAGE_MAX, ret) == 0 && *ret))
    return true;
  desk_wrong_query(answer, "limit", "1 to 500");
  return false;
}

static const char *key_of(const json_t *all, size_t i, const char *key) {
  const char *text = json_string_value(json_object_get(json_array_get(all, i), key));
  return text ? text : "";
}

static int keys_compare(const json_t *all, size_t i, const char *key, struct slice to) {
  const char *text = key_of(all, i, key);
  size_t n = strlen(text);
  int r = memcmp(text, to.p, n < to.n ? n : to.n);
  return r ? r : n < to.n ? -1 : n > to.n;
}

/* The row of that key is gone, and others may be: of rows in the order of their keys the next one. */
static size_t next_of(const json_t *all, const char *key, struct slice gone, size_t index) {
  size_t n = json_array_size(all), i = 0;
  int way = 0; /* 1: rising, -1: falling */
  for (size_t k = 1; k < n; k++) {
    int r = keys_compare(all, k, key, slice_of(key_of(all, k - 1, key)));
    if ((way > 0 && r < 0) || (way < 0 && r > 0))
      return index;
    way = r > 0 ? 1 : r < 0 ? -1 : way;
  }
  while (i < n && keys_compare(all, i, key, gone) * (way ? way : 1) < 0)
    i++;
  return i;
}

/* Where the page begins, or false. */
static bool cursor_read(const struct desk_ask *ask, const json_t *all, const char *key, size_t *ret,
                        struct web_answer *answer) {
  char text[CURSOR_BYTES];
  uint64_t index = 0;
  int r = web_query(ask->web, "cursor", text, sizeof text);
  struct slice rest = r == 0 ? slice_of(text) : (struct slice){0};
  *ret = 0;
  if (r == -ENOENT)
    return true;
  if (r < 0 || slice_u64(slice_cut(&rest, '.'), 1u << 30, &index) < 0 || !rest.p) {
    desk_wrong_query(answer, "cursor", "not one of ours");
    return false;
  }
  *ret = index; /* also of rows with equal keys */
  if (index < json_array_size(all) && slice_eq(rest, slice_of(key_of(all, index, key))))
    return true;
  for (size_t i = 0; i < json_array_size(all); i++)
    if (slice_eq(rest, slice_of(key_of(all, i, key)))) {
      *ret = i;
      return true;
    }
  *ret = next_of(all, key, rest, (size_t)index);
  return true;
}

/* Into a URI within <>: what may stand there stays, all else as its octets; false: no room. */
static bool uri_add(char *dst, size_t *at, struct slice text, const char *plain) {
  for (size_t i = 0; i < text.n; i++) {
    unsigned char c = (unsigned char)text.p[i];
    bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                    (c && strchr(plain, c));
    if (*at + 24 > WEB_LINK_BYTES)
      return false;
    *at += (size_t)snprintf(dst + *at, 4, is_plain ? "%c" : "%%%02X", c);
  }
  return true;
}

void desk_next(const struct desk_ask *ask, const char *cursor, struct web_answer *ret) {
  struct slice rest = ask->web->query;
  size_t at = 1;
  ret->link[0] = '<';
  bool ok = cursor[0] && uri_add(ret->link, &at, ask->web->path, "-._~/%") &&
            uri_add(ret->link, &at, SLICE("?"), "?");
  while (ok && rest.n) {
    struct slice one = slice_cut(&rest, '&');
    if (!slice_starts(one, SLICE("cursor=")))
      ok = uri_add(ret->link, &at, one, "-._~%=+:,/") && uri_add(ret->link, &at, SLICE("&"), "&");
  }
  ok = ok && uri_add(ret->link, &at, SLICE("cursor="), "=") &&
       uri_add(ret->link, &at, slice_of(cursor), "-._~");
  if (ok)
    snprintf(ret->link + at, WEB_LINK_BYTES - at, ">; rel=\"next\"");
  else
    ret->link[0] = 0;
}

struct sort_row {
  json_t *row;
  const char *key;
  bool falls;
};

static int rows_compare(const void *a, const void *b) {
  const struct sort_row *x = a, *y = b;
  int r = strcmp(x->key, y->key);
  return x->falls ? -r : r;
}

void desk_sort(json_t *list, const char *key, bool falls) {
  size_t n = json_array_size(list);
  own_mem struct sort_row *rows = calloc(n ? n : 1, sizeof *rows);
  if (!rows)
    return;
  for (size_t i = 0; i < n; i++)
    rows[i] = (struct sort_row){json_incref(json_array_get(list, i)), key_of(list, i, key), falls};
  qsort(rows, n, sizeof *rows, rows_compare);
  json_array_clear(list);
  for (size_t i = 0; i < n; i++)
    json_array_append_new(list, rows[i].row);
}

/* The list becomes one page of itself, the document has the cursor of the next; false: it was answered.
 */
static bool page_cut(const struct desk_ask *ask, const char *noun, const char *key, json_t *doc,
                     char cursor[CURSOR_BYTES], struct web_answer *ret) {
  json_t *all = json_object_get(doc, noun), *page;
  uint64_t limit;
  size_t from, n = json_array_size(all);
  cursor[0] = 0;
  if (!limit_read(ask, &limit, ret) || !cursor_read(ask, all, key, &from, ret))
    return false;
  page = json_array();
  for (size_t i = from; i < n && i < from + limit; i++)
    json_array_append(page, json_array_get(all, i));
  if (n > limit && from < n - limit)
    snprintf(cursor, CURSOR_BYTES, "%zu.%.100s", from + (size_t)limit, key_of(all, from + limit, key));
  json_object_set_new(doc, noun, page);
  json_object_set_new(doc, "cursor", cursor[0] ? json_string(cursor) : json_null());
  return true;
}

void desk_page_doc(const struct desk_ask *ask, const char *noun, const char *key, json_t *doc,
                   struct web_answer *ret) {
  char cursor[CURSOR_BYTES];
  if (!doc)
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
  else if (page_cut(ask, noun, key, doc, cursor, ret)) {
    desk_json(ret, 200, json_incref(doc));
    desk_next(ask, cursor, ret);
  }
  json_decref(doc);
}

void desk_page(const struct desk_ask *ask, const char *noun, const char *key, json_t *all,
               struct web_answer *ret) {
  desk_page_doc(ask, noun, key, json_pack("{s:o}", noun, all), ret);
}
