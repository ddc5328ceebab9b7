/* SPDX-License-Identifier: Apache-2.0
 * Answers, JSON and problem documents (RFC 9457): see reply.h. */
#include "web/reply.h"
#include "base/clock.h"

#include <stdio.h>

struct problem_row {
  const char *code, *title;
  unsigned status;
};

static const struct problem_row problems[WEB_PROBLEM_COUNT_] = {
#define PROBLEM(id, code, status, title) [WEB_PROBLEM_##id] = {code, title, status},
#include "web/problem.def"
#undef PROBLEM
};

void web_answer_done(struct web_answer *a) {
  free(a->body);
  if (a->source.done)
    a->source.done(a->source.arg);
  memset(a, 0, sizeof(*a));
}

int web_answer_copy(struct web_answer *ret, const struct web_answer *a) {
  *ret = *a;
  ret->source = (struct web_source){0};
  if (!a->body)
    return 0;
  ret->body = malloc(a->body_bytes + 1);
  if (!ret->body) {
    memset(ret, 0, sizeof(*ret));
    return -ENOMEM;
  }
  memcpy(ret->body, a->body, a->body_bytes + 1);
  return 0;
}

static int answer_set(struct web_answer *a, unsigned status, const char *type, char *body) {
  free(a->body);
  a->status = body ? status : 500;
  a->type = body ? type : NULL;
  a->body = body;
  a->body_bytes = body ? strlen(body) : 0;
  return body ? 0 : -ENOMEM;
}

json_t *web_time(uint64_t wall_ms) {
  char text[CLOCK_TEXT_BYTES];
  return wall_ms ? json_string(clock_text(wall_ms, text)) : json_null();
}

int web_answer_json(struct web_answer *a, unsigned status, const json_t *json) {
  return answer_set(a, status, "application/json", json_dumps(json, JSON_COMPACT));
}

int web_answer_text(struct web_answer *a, unsigned status, const char *type, struct slice text) {
  int r = answer_set(a, status, type, slice_dup(text));
  if (r == 0)
    a->body_bytes = text.n;
  return r;
}

enum { MEMBERS_BYTES = 2048 };

/* A JSON string with its quotes, to dst from at on; where it ends, or 0: no room. */
static size_t quoted(char *dst, size_t at, const char *text) {
  static const char hex[] = "0123456789abcdef";
  dst[at++] = '"';
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (at + 8 > MEMBERS_BYTES)
      return 0;
    if (c >= 0x20 && c != '"' && c != '\\') {
      dst[at++] = (char)c;
      continue;
    }
    memcpy(dst + at, "\\u00", 4);
    dst[at + 4] = hex[c >> 4];
    dst[at + 5] = hex[c & 15];
    at += 6;
  }
  dst[at++] = '"';
  return at + 8 <= MEMBERS_BYTES ? at : 0;
}

int web_answer_members(struct web_answer *a, unsigned status, const struct web_member *m, size_t n) {
  char text[MEMBERS_BYTES];
  size_t at = 0;
  text[at++] = '{';
  for (size_t i = 0; at && i < n; i++) {
    if (i)
      text[at++] = ',';
    at = quoted(text, at, m[i].name);
    if (!at)
      break;
    text[at++] = ':';
    if (m[i].value)
      at = quoted(text, at, m[i].value);
    else
      memcpy(text + at, "null", 4), at += 4;
  }
  if (!at)
    return -ENOSPC;
  text[at++] = '}';
  return web_answer_text(a, status, "application/json", slice_from(text, at));
}

const char *web_problem_code(enum web_problem id) { return problems[id].code; }
unsigned web_problem_status(enum web_problem id) { return problems[id].status; }

/* A peer's bytes may not be UTF-8: then they are shown escaped. */
static json_t *text_json(const char *text) {
  char safe[512];
  json_t *j = json_string(text);
  return j ? j : json_string(slice_escape(safe, sizeof(safe), slice_of(text)));
}

static void problem_errors(json_t *doc, const struct web_problem_info *info) {
  if (!info->errors_n)
    return;
  json_t *errors = json_array();
  for (size_t i = 0; i < info->errors_n; i++) {
    json_t *e = json_object();
    json_object_set_new(e, "pointer", text_json(info->errors[i].pointer));
    json_object_set_new(e, "reason", text_json(info->errors[i].reason));
    json_array_append_new(errors, e);
  }
  json_object_set_new(doc, "errors", errors);
}

static json_t *problem_doc(enum web_problem id, const struct web_problem_info *info, unsigned status,
                           uint32_t retry_after_s) {
  char code[96], type[128];
  snprintf(code, sizeof(code), "%s%s%s", problems[id].code, info->rule ? ":" : "",
           info->rule ? info->rule : "");
  snprintf(type, sizeof(type), "urn:sallyport:problem:%s", code);
  json_t *doc = json_object();
  json_object_set_new(doc, "type", text_json(type));
  json_object_set_new(doc, "title", json_string(problems[id].title));
  json_object_set_new(doc, "status", json_integer((json_int_t)status));
  json_object_set_new(doc, "detail", text_json(info->detail ? info->detail : problems[id].title));
  if (info->instance)
    json_object_set_new(doc, "instance", text_json(info->instance));
  json_object_set_new(doc, "code", text_json(code));
  problem_errors(doc, info);
  if (retry_after_s)
    json_object_set_new(doc, "retry_after", json_integer(retry_after_s));
  return doc;
}

static void answer_header(struct web_answer *a, const char *name, const char *value) {
  for (size_t i = 0; i < COUNT_OF(a->extra) - 1; i++)
    if (!a->extra[i].name) {
      a->extra[i] = (struct web_header){name, value};
      return;
    }
}

void web_answer_problem(struct web_answer *a, enum web_problem id, const struct web_problem_info *info) {
  static const struct web_problem_info none;
  if (!info)
    info = &none;
  unsigned status = info->status ? info->status : problems[id].status;
  uint32_t retry = info->retry_after_s;
  if (!retry && (status == 429 || status == 503))
    retry = 1;
  json_t *doc = problem_doc(id, info, status, retry);
  web_answer_json(a, status, doc);
  json_decref(doc);
  if (a->type)
    a->type = "application/problem+json";
  a->retry_after_s = retry;
  if (status == 401)
    answer_header(a, "WWW-Authenticate",
                  id == WEB_PROBLEM_token_expired ? "Bearer realm=\"sallyport\", error=\"invalid_token\""
                                                  : "Bearer realm=\"sallyport\"");
}

/* Depth without a parser's stack: brackets outside of strings. */
static bool depth_ok(struct slice s) {
  int depth = 0;
  bool in_text = false;
  for (size_t i = 0; i < s.n; i++) {
    char c = s.p[i];
    if (in_text && c == '\\')
      i++;
    else if (c == '"')
      in_text = !in_text;
    else if (!in_text && (c == '{' || c == '[') && ++depth > 32)
      return false;
    else if (!in_text && (c == '}' || c == ']'))
      depth--;
  }
  return true;
}

int web_json_parse(struct slice body, json_t **ret_json) {
  json_error_t error;
  if (!slice_trim(body).n) {
    *ret_json = json_object();
    return *ret_json ? 0 : -EINVAL;
  }
  if (!depth_ok(body))
    return -EINVAL;
  json_t *j = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, &error);
  if (!j || !json_is_object(j)) {
    json_decref(j);
    return -EINVAL;
  }
  *ret_json = j;
  return 0;
}
